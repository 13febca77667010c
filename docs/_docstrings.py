"""Docstrings as they are written in this package, plain text with formulas, made fit for Sphinx.

Paragraphs are text (nothing in them is markup but `code`), indented blocks stand as they are, `- ` starts
a list item, `>>>` an example, and `Args:`, `Returns:` and `Raises:` head lists of `name: meaning`.
"""

import re
from collections.abc import Iterator
from typing import Any

_CODE = re.compile(r"(`[^`]+`)")
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_ENTRY = re.compile(r"(\S.*?): (.*)")
_HEADINGS = ("Args:", "Returns:", "Raises:")


def setup(app: Any) -> dict[str, bool]:
    """Register the conversion."""
    app.connect("autodoc-process-docstring", _process)
    return {"parallel_read_safe": True}


def _process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = list(_convert(lines))


def _convert(lines: list[str]) -> Iterator[str]:
    for block in _blocks(lines):
        first = block[0].strip()
        if first.startswith(">>>"):
            yield from block
        elif first.startswith("```"):
            yield from _literal(block[1:-1])
        elif first in _HEADINGS:
            yield f"**{first[:-1]}**"
            yield ""
            yield from _entries([line.strip() for line in block[1:]], block)
        elif block[0].startswith("- "):
            yield from _items(block)
        elif block[0].startswith(" "):
            yield from _literal(block)
        else:
            yield from _paragraph(block)
        yield ""


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """Pieces between empty lines; a fence holds its empty lines, and an indented line starts a new piece."""
    block: list[str] = []
    fenced = False
    for line in lines:
        if fenced or line.startswith("```"):
            if not fenced and block:
                yield block
                block = []
            block.append(line)
            fenced = not fenced if line.startswith("```") else fenced
            if not fenced:
                yield block
                block = []
        elif not line.strip():
            if block:
                yield block
            block = []
        elif block and (block[0].startswith(">>>") or block[0].startswith("- ") or block[0] in _HEADINGS):
            if line.startswith(">>>") and not block[0].startswith(">>>"):
                yield block
                block = []
            block.append(line)
        elif block and (line.startswith(" ") != block[-1].startswith(" ") or line.startswith("- ")):
            yield block
            block = [line]
        else:
            block.append(line)
    if block:
        yield block


def _paragraph(block: list[str]) -> Iterator[str]:
    # A line that ends in a colon before an indented list ("Quality:") needs nothing special here.
    yield _inline(" ".join(line.strip() for line in block))


def _items(block: list[str]) -> Iterator[str]:
    text = "\n".join(line.strip() if line.startswith("- ") else " " + line.strip() for line in block)
    for item in re.split(r"^- ", text, flags=re.MULTILINE)[1:]:
        yield f"- {_inline(' '.join(item.split()))}"


def _entries(rows: list[str], block: list[str]) -> Iterator[str]:
    indent = len(block[1]) - len(block[1].lstrip()) if len(block) > 1 else 0
    items: list[str] = []
    for row, raw in zip(rows, block[1:], strict=True):
        if len(raw) - len(raw.lstrip()) > indent and items:
            items[-1] += " " + row
        else:
            items.append(row)
    for item in items:
        match = _ENTRY.fullmatch(item)
        yield f"- ``{match[1]}``: {_inline(match[2])}" if match else f"- {_inline(item)}"


def _literal(block: list[str]) -> Iterator[str]:
    cut = min(len(line) - len(line.lstrip()) for line in block if line.strip())
    yield "::"
    yield ""
    for line in block:
        yield f"    {line[cut:]}"


def _inline(text: str) -> str:
    """Text in which only `code` is markup; a name in it becomes a link where there is such an object."""
    parts = []
    for part in _CODE.split(text):
        if not _CODE.fullmatch(part):
            parts.append(re.sub(r"([\\*_|`<>])", r"\\\1", part))
        elif _NAME.fullmatch(part[1:-1].removesuffix("()")):
            parts.append(f":py:obj:{part}\\ ")
        else:
            parts.append(f"`{part}`\\ ")
    return "".join(parts)
