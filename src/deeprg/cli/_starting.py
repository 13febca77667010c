"""`deeprg train flow --from RUN`: a new run that starts from the weights of a trained one."""

from typing import Any

from deeprg.cli._conditioned import ConditionedSetup, build_conditioned
from deeprg.cli._console import say
from deeprg.cli._run_kind import kind_of
from deeprg.cli._settings import gather
from deeprg.cli._setup import FlowSetup, open_run, with_weights
from deeprg.coarsegrain.flow import ConditionedFlow, transfer
from deeprg.hamiltonians import ContinuousDual
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import RunFolder

__all__ = ["open_conditioned", "started"]


def open_conditioned(run: RunFolder) -> ConditionedSetup:
    """The objects of a run over an interval; `UsageError` for another kind of run."""
    kind = kind_of(run)
    if kind != "conditioned":
        raise UsageError(
            f"'{run.path}' was not trained over an interval. Train one with "
            "deeprg train flow --temperature LOW:HIGH."
        )
    return build_conditioned(gather(run=run.resolved()).check())


def started(setup: FlowSetup) -> Any:
    """The flow of a setup with the weights of the run that its setting `start` names, said line by line."""
    run = RunFolder.open(setup.config.start)
    if kind_of(run) == "conditioned":
        theirs = open_conditioned(run)
        source = with_weights(run, theirs, "last")
        if not isinstance(setup.flow, ConditionedFlow):
            value = _value(setup, theirs)
            say(f"weights of '{run.path}' at {theirs.family.parameter} = {value:g}")
            source = source.at(value)
    else:
        source = with_weights(run, open_run(run), "last")
    found = transfer(source, setup.flow)
    for line in found.lines:
        say(f"weights of '{run.path}': {line}")
    return found.flow


def _value(setup: Any, theirs: ConditionedSetup) -> float:
    """The value of the source's parameter in the target's Hamiltonian."""
    model = setup.hamiltonian
    spins = model.ising if isinstance(model, ContinuousDual) else model
    return float(getattr(spins, theirs.family.parameter))
