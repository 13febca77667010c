"""What a study hands over: claims judged by numbers, tables, figures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deeprg.report.citations import CITATIONS, Citation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Claim", "StudyFigure", "StudyResult", "StudyTable"]


@dataclass(frozen=True)
class Claim:
    """A statement of the literature and what the numbers say of it.

    `holds` is computed from numbers: True, False, or None where this run cannot decide; `measured` says the
    numbers in words, `source` where the statement stands. `asserted` is False for what the source does not
    assert: a control of this study, or a question that the source leaves open.

    >>> Claim("Z is preserved", "Jefferson 2019", measured="to 3e-15", holds=True).verdict
    'holds'
    """

    statement: str
    source: str
    measured: str
    holds: bool | None
    asserted: bool = True

    @property
    def verdict(self) -> str:
        """ "holds", "does not hold" or "open"."""
        return "open" if self.holds is None else "holds" if self.holds else "does not hold"


@dataclass(frozen=True)
class StudyTable:
    """A table: column titles and rows of numbers, texts or None."""

    name: str
    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[float | int | str | None]]
    caption: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.header):
                raise ValueError(f"table '{self.name}' has {len(self.header)} columns, not {len(row)}.")


@dataclass(frozen=True)
class StudyFigure:
    """A figure with its caption; `wide` takes the width of the page."""

    name: str
    caption: str
    figure: "Figure"
    wide: bool = False


@dataclass(frozen=True)
class StudyResult:
    """All that a study found. `numbers` is what a program would read; `changed` what differs from the source.

    >>> claim = Claim("Z is preserved", "Jefferson 2019", measured="to 3e-15", holds=True)
    >>> StudyResult("toy", "A toy", "Is Z preserved?", claims=[claim]).verdict
    'The one claim of the source holds.'
    """

    name: str
    title: str
    question: str
    claims: Sequence[Claim]
    tables: Sequence[StudyTable] = ()
    figures: Sequence[StudyFigure] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict)
    changed: Sequence[str] = ()
    sources: Sequence[str] = ()

    @property
    def verdict(self) -> str:
        """The judgement in one sentence: what the source asserts first, controls and open questions apart."""
        own = [claim.verdict for claim in self.claims if claim.asserted]
        others = [claim.verdict for claim in self.claims if not claim.asserted]
        sentence = []
        if own:
            sentence.append(_judged(own, f"claim{'' if len(own) == 1 else 's'} of the source"))
        if others:
            noun = "control or open question" if len(others) == 1 else "controls and open questions"
            sentence.append(_judged(others, noun))
        text = "; ".join(sentence)
        return f"{text[:1].upper()}{text[1:]}."

    @property
    def citations(self) -> list[Citation]:
        """The entries behind `sources`."""
        return [CITATIONS[key] for key in self.sources]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without the figures."""
        return {
            "study": self.name,
            "question": self.question,
            "verdict": self.verdict,
            "claims": [
                {
                    "statement": claim.statement,
                    "source": claim.source,
                    "asserted": claim.asserted,
                    "measured": claim.measured,
                    "holds": claim.holds,
                }
                for claim in self.claims
            ],
            "changed": list(self.changed),
            "sources": list(self.sources),
            "numbers": dict(self.numbers),
            "tables": {
                table.name: {"header": list(table.header), "rows": [list(row) for row in table.rows]}
                for table in self.tables
            },
        }


def _judged(verdicts: Sequence[str], noun: str) -> str:
    """How many hold, do not, and stay open: "2 of 3 claims hold, 1 does not"."""
    count = Counter(verdicts)
    if len(verdicts) == 1:
        (one,) = verdicts
        return f"the one {noun} {'stays open' if one == 'open' else one}"
    parts = [f"{count['holds']} of {len(verdicts)} {noun} {'holds' if count['holds'] == 1 else 'hold'}"]
    if no := count["does not hold"]:
        parts.append(f"{no} {'does' if no == 1 else 'do'} not")
    if undecided := count["open"]:
        parts.append(f"{undecided} {'stays' if undecided == 1 else 'stay'} open")
    return ", ".join(parts)
