"""The building blocks of the report pages, as HTML text: sections, verdict, tables, figures, citations."""

import html
from collections.abc import Iterable, Sequence
from typing import Any

from deeprg.report._numbers import error_text, number, rounded
from deeprg.report._page import PAGE_STYLE
from deeprg.report.citations import Citation, bibtex
from deeprg.report.diagnosis import Finding, verdict
from deeprg.runs.config import show

__all__ = [
    "citation_list",
    "document",
    "escaped",
    "exact_cells",
    "folded",
    "grid",
    "pairs",
    "picture",
    "section",
    "table",
    "tiles",
    "value_cells",
    "verdict_box",
]

_LONG = 60


def document(name: str, subtitle: str, parts: Iterable[str], *, kind: str = "deeprg report") -> str:
    """The whole page; it refers to nothing outside itself. Empty parts are left out."""
    header = (
        f"<header><p class='eyebrow'>{escaped(kind)}</p><h1>{escaped(name)}</h1>"
        f"<p class='subtitle'>{escaped(subtitle)}</p></header>"
    )
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escaped(name)} · deeprg</title><style>{PAGE_STYLE}</style></head>\n"
        f"<body><main>{header}{''.join(part for part in parts if part)}</main></body></html>\n"
    )


def escaped(value: Any) -> str:
    """The value as text that HTML shows as it stands."""
    return html.escape(str(value))


def section(title: str, body: str) -> str:
    """A titled box, or nothing when there is nothing to show."""
    return f"<section><h2>{escaped(title)}</h2>{body}</section>\n" if body else ""


def verdict_box(findings: Sequence[Finding], *, results: bool, tiles: str = "") -> str:
    """The coloured box at the top: the verdict, the tiles, every finding with cause and remedy."""
    problems = any(finding.severity == "problem" for finding in findings)
    kind = "bad" if problems else "good" if results and not findings else "note"
    headline = verdict(findings) if results or findings else "No results yet."
    items = "".join(
        f"<li class='{finding.severity}'><b>{escaped(finding.check)}</b> {escaped(finding.what)}."
        f"<span>{escaped(_because(finding))}</span></li>"
        for finding in findings
    )
    return (
        f"<div class='verdict {kind}'><p class='headline'>{escaped(headline)}</p>{tiles}"
        f"{f'<ul>{items}</ul>' if items else ''}</div>\n"
    )


def _because(finding: Finding) -> str:
    cause = f"Likely cause: {finding.cause}. " if finding.cause else ""
    return cause + finding.remedy


def tiles(entries: Iterable[tuple[str, str, str]]) -> str:
    """Large numbers side by side: name, number, and what to make of it."""
    boxes = (
        f"<div><small>{escaped(name)}</small><strong>{escaped(value)}</strong><em>{escaped(note)}</em></div>"
        for name, value, note in entries
    )
    return f"<div class='tiles'>{''.join(boxes)}</div>"


def table(head: Sequence[str], rows: Iterable[str]) -> str:
    """A table of results below its column titles; every row is a text of cells."""
    titles = "".join(f"<th>{escaped(title)}</th>" for title in head)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f"<table class='results'><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def value_cells(value: float | None, error: float | None) -> str:
    """Two cells: the value to two digits of its error, and the error."""
    return f"<td>{rounded(value, error)}</td><td class='pm'>{error_text(error)}</td>"


def exact_cells(exact: float | None, pull: float | None) -> str:
    """Two cells: the exact value and how many errors the measured one is away."""
    away = "" if pull is None else f"{pull:+.2f}".replace("-", "−")
    return f"<td>{number(exact, 9)}</td><td>{away}</td>"


def picture(uri: str, caption: str, *, wide: bool = False) -> str:
    """A figure with its caption."""
    kind = " class='wide'" if wide else ""
    text = escaped(caption)
    return f"<figure{kind}><img alt='{text}' src='{uri}'><figcaption>{text}</figcaption></figure>"


def grid(items: Iterable[str]) -> str:
    """Figures in two columns."""
    body = "".join(items)
    return f"<div class='grid'>{body}</div>" if body else ""


def folded(title: str, body: str) -> str:
    """A part that opens on a click."""
    return f"<details><summary>{escaped(title)}</summary>{body}</details>"


def pairs(entries: Iterable[tuple[str, Any]]) -> str:
    """Names and values in two columns; what is long has a line of its own."""
    rows = []
    for key, value in entries:
        text = escaped(value if isinstance(value, str) else show(value))
        wide = " class='wide'" if len(text) > _LONG else ""
        rows.append(f"<div{wide}><dt>{escaped(key)}</dt><dd>{text}</dd></div>")
    return f"<dl class='pairs'>{''.join(rows)}</dl>"


def citation_list(citations: Sequence[Citation]) -> str:
    """The sources, and their BibTeX folded away."""
    if not citations:
        return ""
    rows = "".join(f"<li><b>{escaped(c.used_for)}</b>: {escaped(c.reference)}</li>" for c in citations)
    source = escaped(bibtex(citations))
    return f"<ul class='citations'>{rows}</ul>{folded('BibTeX', f'<pre>{source}</pre>')}"
