"""What a run folder holds: the training of a flow, with a Hamiltonian or without, of machines; or many."""

from typing import Literal

from deeprg.cli._intervals import interval_of
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import RunFolder

__all__ = ["Kind", "kind_of", "refuse_other"]

Kind = Literal["conditioned", "flow", "images", "mera", "rbm", "study", "sweep", "comparison"]

_NAMES: dict[str, str] = {
    "conditioned": "the training of a flow over an interval",
    "flow": "the training of a flow on a Hamiltonian",
    "images": "the training of a flow on data without a Hamiltonian",
    "mera": "the training of a classical MERA",
    "rbm": "the training of Boltzmann machines",
    "study": "a study",
    "sweep": "a sweep",
    "comparison": "a comparison of coarse-grainings",
}


def kind_of(run: RunFolder) -> Kind:
    """What the folder holds, from its resolved.json."""
    resolved = run.resolved()
    if "study" in resolved:
        return "study"
    if "sweep" in resolved:
        return "sweep"
    if "compare" in resolved:
        return "comparison"
    if resolved.get("kind") == "images":
        return "images"
    if resolved.get("kind") == "mera":
        return "mera"
    if resolved.get("kind") in ("rbm", "dbn"):
        return "rbm"
    return "conditioned" if interval_of(resolved.get("hamiltonian", {})) else "flow"


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
    if kind == "comparison":
        raise UsageError(
            f"'{run.path}' is a comparison, not a training: open {run.report}, or name one of the runs in it."
        )
    if kind == "sweep":
        raise UsageError(
            f"'{run.path}' is a sweep, not a training: name one of the runs in it, see deeprg list runs "
            f"--root {run.path}."
        )
    verbs = {
        "mera": "deeprg sample, report and diagnose read it",
        "rbm": "deeprg flow, probe, compare and report read it",
        "conditioned": "deeprg sample RUN --at VALUE and --curves, report and diagnose read it",
        "flow": "deeprg sample, report and diagnose read it",
        "images": "deeprg sample, report and diagnose read it",
    }
    made = {"images": "flow --data FILE", "conditioned": "flow --temperature LOW:HIGH"}.get(wanted, wanted)
    raise UsageError(
        f"'{run.path}' is {_NAMES[kind]}, but {_NAMES[wanted]} is needed; {verbs[kind]}. "
        f"Make one with deeprg train {made}."
    )
