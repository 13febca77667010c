"""What a run folder holds: the training of a flow or of Boltzmann machines, or a study."""

from typing import Literal

from deeprg.runs.errors import UsageError
from deeprg.runs.folder import RunFolder

__all__ = ["Kind", "kind_of", "refuse_other"]

Kind = Literal["flow", "rbm", "study"]

_NAMES: dict[str, str] = {
    "flow": "the training of a flow",
    "rbm": "the training of Boltzmann machines",
    "study": "a study",
}


def kind_of(run: RunFolder) -> Kind:
    """What the folder holds, from its resolved.json."""
    resolved = run.resolved()
    if "study" in resolved:
        return "study"
    return "rbm" if resolved.get("kind") in ("rbm", "dbn") else "flow"


def refuse_other(run: RunFolder, wanted: Kind) -> None:
    """`UsageError` unless the folder holds what is wanted."""
    kind = kind_of(run)
    if kind == wanted:
        return
    if kind == "study":
        raise UsageError(
            f"'{run.path}' is a study, not a training: open {run.report}, or run deeprg study "
            f"{run.resolved()['study']} again."
        )
    verbs = {
        "rbm": "deeprg flow, probe, compare and report read it",
        "flow": "deeprg sample, report and diagnose read it",
    }
    raise UsageError(
        f"'{run.path}' is {_NAMES[kind]}, but {_NAMES[wanted]} is needed; {verbs[kind]}. "
        f"Make one with deeprg train {wanted}."
    )
