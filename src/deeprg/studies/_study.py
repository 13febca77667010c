"""A question with typed settings, presets and a function that answers it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deeprg.report.study import Claim, StudyFigure, StudyResult, StudyTable
from deeprg.runs.config import Resolved, parse_assignments, resolve
from deeprg.runs.errors import UsageError, nearest
from deeprg.runs.schema import Config, defaults, validate

__all__ = ["Say", "Study"]

Say = Callable[[str], None]
"""Gets one line of progress."""


@dataclass(frozen=True)
class Study:
    """A study of the literature.

    `schema` has every setting with its default and its bounds, `seed` at least; `presets` name sets of them,
    the first is the one taken without asking. `run(settings, say)` answers the question; `say` gets lines of
    progress.
    """

    name: str
    title: str
    question: str
    source: str
    schema: type[Config]
    presets: Mapping[str, Mapping[str, Any]]
    run: Callable[[Any, Say], StudyResult]

    @classmethod
    def in_steps(
        cls,
        *,
        find: Callable[[Any, Say], Any],
        claims: Callable[[Any], list[Claim]],
        tables: Callable[[Any], list[StudyTable]],
        figures: Callable[[Any], list[StudyFigure]],
        numbers: Callable[[Any], dict[str, Any]],
        changed: Callable[[Any], list[str]],
        sources: tuple[str, ...],
        **facts: Any,
    ) -> "Study":
        """A study that finds everything first, and then judges, tabulates and draws what was found.

        `changed` says of the settings what differs from the source; `facts` are the other fields.
        """

        def run(settings: Any, say: Say) -> StudyResult:
            found = find(settings, say)
            return StudyResult(
                facts["name"],
                facts["title"],
                facts["question"],
                claims=claims(found),
                tables=tables(found),
                figures=figures(found),
                numbers=numbers(found),
                changed=changed(settings),
                sources=sources,
            )

        return cls(run=run, **facts)

    def resolve(
        self, preset: str | None = None, assignments: Sequence[str] = (), **flags: Any
    ) -> tuple[Resolved, Any]:
        """Merge defaults < preset < `key=value` < flags that are not None; the layers and the typed settings.

        Raises:
            UsageError: an unknown preset or setting, a value out of bounds.

        >>> from deeprg.studies import find_study
        >>> find_study("jefferson").resolve(seed=3)[1].seed
        3
        """
        chosen = next(iter(self.presets)) if preset is None else preset
        if chosen not in self.presets:
            known = ", ".join(self.presets)
            raise UsageError(
                f"study {self.name} has no preset '{chosen}'.{nearest(chosen, self.presets)} Known: {known}."
            )
        layers = [
            ("default", defaults(self.schema)),
            (f"preset '{chosen}'", self.presets[chosen]),
            ("argument", parse_assignments(assignments)),
            ("flag", {name: value for name, value in flags.items() if value is not None}),
        ]
        resolved = resolve(layers)
        return resolved, validate(self.schema, resolved)

    def answer(
        self, preset: str | None = None, *, say: Say = lambda line: None, **settings: Any
    ) -> StudyResult:
        """Run the study in Python, with the settings of a preset and those given.

        >>> from deeprg.studies import find_study
        >>> find_study("jefferson").answer(visibles=4, hidden=(3,), ring=4, steps=1, draws=10).verdict
        '5 of 7 claims of the source hold, 2 do not; 1 of 3 controls and open questions holds, 2 do not.'
        """
        return self.run(self.resolve(preset, **settings)[1], say)
