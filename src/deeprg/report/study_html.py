"""One self-contained page about a study: question, verdict, claims, tables, figures, settings, citations."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from deeprg.report._numbers import number
from deeprg.report.blocks import (
    citation_list,
    document,
    escaped,
    grid,
    pairs,
    picture,
    section,
    table,
)
from deeprg.report.study import Claim, StudyResult, StudyTable
from deeprg.report.style import data_uri, style
from deeprg.runs.config import leaves

__all__ = ["study_page"]

_TINY = 1e-4
_KIND = {True: "good", False: "bad", None: "note"}


def study_page(
    result: StudyResult, *, settings: Mapping[str, Any], environment: Mapping[str, Any] | None = None
) -> str:
    """The page as HTML text; it refers to nothing outside itself.

    >>> from deeprg.report.study import Claim
    >>> claim = Claim("Z is preserved", "Jefferson 2019", measured="to 3e-15", holds=True)
    >>> toy = StudyResult("toy", "A toy", "Is Z preserved?", claims=[claim])
    >>> page = study_page(toy, settings={"seed": 0})
    >>> page.count("<h2>"), "The one claim of the source holds." in page
    (1, True)
    """
    with style():
        wide = _column(picture(data_uri(f.figure), f.caption, wide=True) for f in result.figures if f.wide)
        narrow = grid(picture(data_uri(f.figure), f.caption) for f in result.figures if not f.wide)
    changed = "".join(f"<li>{escaped(line)}</li>" for line in result.changed)
    parts = [
        _verdict(result),
        section("Figures", f"{wide}<p></p>{narrow}" if wide and narrow else wide + narrow),
        *(section(one.title, _table(one)) for one in result.tables),
        section("What was changed against the source", f"<ul>{changed}</ul>" if changed else ""),
        section("Settings", pairs(leaves(settings))),
        section("Environment", pairs(leaves(environment)) if environment else ""),
        section("Citations", citation_list(result.citations)),
    ]
    return document(result.title, result.question, parts, kind=f"deeprg study {result.name}")


def _verdict(result: StudyResult) -> str:
    """The headline, and every claim with what was measured; a claim that fails is no fault of the study."""
    kind = "good" if all(claim.holds for claim in result.claims) else "note"
    own = "".join(_claim(claim) for claim in result.claims if claim.asserted)
    others = "".join(_claim(claim) for claim in result.claims if not claim.asserted)
    headline = f"<p class='headline'>{escaped(result.verdict)}</p>"
    apart = f"<p>Controls and open questions, which the source does not assert:</p><ul>{others}</ul>"
    lists = (f"<ul>{own}</ul>" if own else "") + (apart if others else "")
    return f"<div class='verdict {kind}'>{headline}{lists}</div>\n"


def _claim(claim: Claim) -> str:
    colour = f"var(--{_KIND[claim.holds]})"
    return (
        f"<li style='border-left-color: {colour}'><b style='color: {colour}'>{escaped(claim.verdict)}</b> "
        f"{escaped(claim.statement)}<span>{_words(claim.measured)}</span>"
        f"<span><i>{escaped(claim.source)}</i></span></li>"
    )


def _words(text: str) -> str:
    """The text with exponents that do not break: 1e-16 has a minus sign."""
    return re.sub(r"(?<=\de)-(?=\d)", "−", escaped(text))


def _column(pictures: Iterable[str]) -> str:
    body = "".join(pictures)
    return f"<div class='grid' style='grid-template-columns: minmax(0, 1fr)'>{body}</div>" if body else ""


def _table(one: StudyTable) -> str:
    rows = (
        f"<th>{_cell(row[0])}</th>" + "".join(f"<td>{_cell(value)}</td>" for value in row[1:])
        for row in one.rows
    )
    caption = f"<p class='caption'>{escaped(one.caption)}</p>" if one.caption else ""
    return table(one.header, rows) + caption


def _cell(value: float | int | str | None) -> str:
    if isinstance(value, str | int):
        return escaped(value)
    if value is not None and 0 < abs(value) < _TINY:
        return f"{value:.1e}".replace("-", "−")  # a deviation at the level of rounding is a result here
    return number(value, 5)
