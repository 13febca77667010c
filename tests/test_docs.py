"""The chapter on exact RG ties every displayed equation to a function that exists."""

import importlib
import re
from pathlib import Path

import pytest

CHAPTER = Path(__file__).parents[1] / "docs" / "theory" / "exact-rg"
PAGES = sorted(CHAPTER.glob("*.md"))
EQUATION = re.compile(r"^\$\$\n.*?^\$\$(?: \((eq:[\w-]+)\))?", re.S | re.M)
ROLE = re.compile(r"\{py:(?:func|class|meth|attr|mod|data)\}`~?([\w.]+)`")


def untied(text: str) -> list[str]:
    """The labels of equations with no reference to code in the paragraph before or after them."""
    missing = []
    for found in EQUATION.finditer(text):
        before = text[: found.start()].rstrip().split("\n\n")[-1]
        after = text[found.end() :].lstrip().split("\n\n")[0]
        if not ROLE.search(before + after):
            missing.append(found[1] or found[0][:60])
    return missing


def resolve(name: str) -> object:
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            thing = getattr(thing, part)
        return thing
    raise ModuleNotFoundError(name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_equation_has_its_function(page):
    assert untied(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_function_that_is_named_exists(page):
    for name in ROLE.findall(page.read_text(encoding="utf-8")):
        assert resolve(name) is not None


def test_an_equation_alone_is_noticed():
    assert untied("Text.\n\n$$\na = b\n$$ (eq:alone)\n\nMore.") == ["eq:alone"]
    assert untied("See {py:func}`~math.cos`:\n\n$$\na = b\n$$ (eq:tied)\n\nMore.") == []
