"""`deeprg train rbm`: train a restricted Boltzmann machine on configurations or other rows."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from deeprg.cli._flags import whole

__all__ = ["train_rbm"]

_DATA = Group("Data", sort_key=1)
_MACHINE = Group("Machine", sort_key=2)
_TRAINING = Group("Training", sort_key=3)
_JUDGING = Group("Judging", sort_key=4)
_RUN = Group("Run", sort_key=5)


def train_rbm(
    *,
    data: Annotated[
        Path | None,
        Parameter(group=_DATA, help="an ensemble E.zarr, or .npy of shape [n, L, L] or [n, features]"),
    ] = None,
    temperature: Annotated[
        str | None, Parameter(group=_DATA, help="of an ensemble: a value, critical, its number, or all")
    ] = None,
    held_out: Annotated[
        float | None, Parameter(group=_DATA, help="part that tests the machine [0.1]")
    ] = None,
    hidden: Annotated[
        int | None, Parameter(converter=whole, group=_MACHINE, help="number of hidden units [256]")
    ] = None,
    units: Annotated[
        str | None,
        Parameter(group=_MACHINE, help="visible: spin, binary, gaussian:VARIANCE, rectified, potts:Q [spin]"),
    ] = None,
    hidden_units: Annotated[
        str | None, Parameter(group=_MACHINE, help="the same for hidden units [spin]")
    ] = None,
    no_biases: Annotated[bool, Parameter(group=_MACHINE, negative="", help="weights only")] = False,
    algorithm: Annotated[
        Literal["pcd", "cd"] | None,
        Parameter(group=_TRAINING, help="persistent chains, or from the data [pcd]"),
    ] = None,
    k: Annotated[
        int | None, Parameter(converter=whole, group=_TRAINING, help="Gibbs rounds per step [1]")
    ] = None,
    chains: Annotated[
        int | None, Parameter(converter=whole, group=_TRAINING, help="persistent chains [100]")
    ] = None,
    batch: Annotated[
        int | None, Parameter(converter=whole, group=_TRAINING, help="rows per step [100]")
    ] = None,
    epochs: Annotated[float | None, Parameter(group=_TRAINING, help="train so many times the data")] = None,
    steps: Annotated[
        int | None, Parameter(converter=whole, group=_TRAINING, help="train so many steps")
    ] = None,
    minutes: Annotated[float | None, Parameter(group=_TRAINING, help="train that long")] = None,
    learning_rate: Annotated[
        float | None, Parameter(group=_TRAINING, help="at the start, falls to 0 [0.01; adam 0.002]")
    ] = None,
    momentum: Annotated[float | None, Parameter(group=_TRAINING, help="of sgd [0]")] = None,
    optimiser: Annotated[
        Literal["sgd", "adam"] | None,
        Parameter(name=("--optimiser", "--optimizer"), group=_TRAINING, help="[sgd]"),
    ] = None,
    l1: Annotated[float | None, Parameter(group=_TRAINING, help="times the sum of |W| [0]")] = None,
    l2: Annotated[
        float | None, Parameter(group=_TRAINING, help="times half the sum of W squared [0]")
    ] = None,
    centred: Annotated[
        bool,
        Parameter(name=("--centred", "--centered"), group=_TRAINING, negative="", help="centred gradient"),
    ] = False,
    seed: Annotated[
        int | None, Parameter(converter=whole, group=_TRAINING, help="seed of everything random [0]")
    ] = None,
    ais_temperatures: Annotated[
        int | None, Parameter(converter=whole, group=_JUDGING, help="of the annealing that gives ln Z [1000]")
    ] = None,
    ais_chains: Annotated[
        int | None, Parameter(converter=whole, group=_JUDGING, help="of the annealing [100]")
    ] = None,
    out: Annotated[
        Path | None, Parameter(group=_RUN, help="run folder; default runs/rbm-SHAPE-HIDDEN-NNN")
    ] = None,
    resume: Annotated[str | None, Parameter(group=_RUN, help="continue this run")] = None,
    checkpoint_seconds: Annotated[
        float | None, Parameter(group=_RUN, help="between checkpoints [60]")
    ] = None,
    time_limit: Annotated[
        float | None, Parameter(group=_RUN, help="minutes after which to save and exit with 75")
    ] = None,
    json: Annotated[bool, Parameter(group=_RUN, negative="", help="one JSON document on stdout")] = False,
) -> int:
    """Train a restricted Boltzmann machine; ln Z, likelihoods with errors and the spectrum of W at the end.

    ln Z is exact where a layer has at most 24 two-valued units, else by annealed importance sampling.
    Exit codes: 0, 2 bad input, 3 numerical failure, 75 stopped early, 130 Ctrl-C (both resumable).
    """
    from deeprg.cli._boltzmann_training import RBMRequest, run_rbm

    return run_rbm(
        RBMRequest(
            data=data,
            temperature=temperature,
            held_out=held_out,
            machine={
                "hidden": hidden,
                "units": units,
                "hidden_units": hidden_units,
                "biases": False if no_biases else None,
            },
            train={
                "algorithm": algorithm,
                "k": k,
                "chains": chains,
                "batch": batch,
                "steps": steps,
                "minutes": minutes,
                "learning_rate": learning_rate,
                "momentum": momentum,
                "optimiser": optimiser,
                "l1": l1,
                "l2": l2,
                "centred": True if centred else None,
            },
            evaluate={"temperatures": ais_temperatures, "chains": ais_chains},
            epochs=epochs,
            seed=seed,
            checkpoint_seconds=checkpoint_seconds,
            out=out,
            resume=resume,
            time_limit=time_limit,
            json=json,
            argv=sys.argv,
        )
    )
