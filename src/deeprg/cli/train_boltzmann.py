"""`deeprg train rbm` and `deeprg train dbn`: Boltzmann machines trained on configurations or other rows."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from deeprg.cli._flags import whole

__all__ = ["BoltzmannFlags", "train_dbn", "train_rbm"]

_DATA = Group("Data", sort_key=1)
_MACHINE = Group("Machine", sort_key=2)
_TRAINING = Group("Training", sort_key=3)
_JUDGING = Group("Judging", sort_key=4)
_RUN = Group("Run", sort_key=5)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class BoltzmannFlags:
    """What trainings of machines and of stacks of them share; None takes the default."""

    data: Annotated[
        Path | None,
        Parameter(group=_DATA, help="an ensemble E.zarr, or .npy of shape [n, L, L] or [n, features]"),
    ] = None
    temperature: Annotated[
        str | None, Parameter(group=_DATA, help="of an ensemble: a value, critical, its number, or all")
    ] = None
    held_out: Annotated[float | None, Parameter(group=_DATA, help="part that tests the machine [0.1]")] = None
    units: Annotated[
        str | None,
        Parameter(group=_MACHINE, help="visible: spin, binary, gaussian:VARIANCE, rectified, potts:Q [spin]"),
    ] = None
    hidden_units: Annotated[
        str | None, Parameter(group=_MACHINE, help="the same for hidden units [spin]")
    ] = None
    no_biases: Annotated[bool, Parameter(group=_MACHINE, negative="", help="weights only")] = False
    algorithm: Annotated[
        Literal["pcd", "cd"] | None,
        Parameter(group=_TRAINING, help="persistent chains, or from the data [pcd]"),
    ] = None
    k: Annotated[
        int | None, Parameter(converter=whole, group=_TRAINING, help="Gibbs rounds per step [1]")
    ] = None
    chains: Annotated[
        int | None, Parameter(converter=whole, group=_TRAINING, help="persistent chains [100]")
    ] = None
    batch: Annotated[
        str | None,
        Parameter(group=_TRAINING, help="rows per step [100]; 50,200@0.5 takes 200 from half time on"),
    ] = None
    epochs: Annotated[float | None, Parameter(group=_TRAINING, help="train so many times the data")] = None
    steps: Annotated[int | None, Parameter(converter=whole, group=_TRAINING, help="train so many steps")] = (
        None
    )
    minutes: Annotated[float | None, Parameter(group=_TRAINING, help="train that long")] = None
    learning_rate: Annotated[
        float | None, Parameter(group=_TRAINING, help="at its peak [0.01; adam 0.002]")
    ] = None
    decay: Annotated[
        Literal["cosine", "constant"] | None,
        Parameter(group=_TRAINING, help="of the rate: to 0 on a cosine, or none [cosine]"),
    ] = None
    warmup: Annotated[
        float | None, Parameter(group=_TRAINING, help="part of the training in which the rate rises [0]")
    ] = None
    momentum: Annotated[float | None, Parameter(group=_TRAINING, help="of sgd [0]")] = None
    optimiser: Annotated[
        Literal["sgd", "adam"] | None,
        Parameter(name=("--optimiser", "--optimizer"), group=_TRAINING, help="[sgd]"),
    ] = None
    l1: Annotated[float | None, Parameter(group=_TRAINING, help="times the sum of |W| [0]")] = None
    l2: Annotated[float | None, Parameter(group=_TRAINING, help="times half the sum of W squared [0]")] = None
    centred: Annotated[
        bool,
        Parameter(name=("--centred", "--centered"), group=_TRAINING, negative="", help="centred gradient"),
    ] = False
    seed: Annotated[
        int | None, Parameter(converter=whole, group=_TRAINING, help="seed of everything random [0]")
    ] = None
    ais_temperatures: Annotated[
        int | None,
        Parameter(
            converter=whole,
            group=_JUDGING,
            help="of the annealing that gives ln Z, more where they are too few [1000]",
        ),
    ] = None
    ais_chains: Annotated[
        int | None, Parameter(converter=whole, group=_JUDGING, help="of the annealing [100]")
    ] = None
    out: Annotated[
        Path | None, Parameter(group=_RUN, help="run folder; default runs/KIND-SHAPE-HIDDEN-NNN")
    ] = None
    resume: Annotated[str | None, Parameter(group=_RUN, help="continue this run")] = None
    checkpoint_seconds: Annotated[float | None, Parameter(group=_RUN, help="between checkpoints [60]")] = None
    time_limit: Annotated[
        float | None, Parameter(group=_RUN, help="minutes after which to save and exit with 75")
    ] = None
    json: Annotated[bool, Parameter(group=_RUN, negative="", help="one JSON document on stdout")] = False


_DEFAULTS = BoltzmannFlags()


def train_rbm(
    *,
    hidden: Annotated[
        int | None, Parameter(converter=whole, group=_MACHINE, help="number of hidden units [256]")
    ] = None,
    flags: BoltzmannFlags = _DEFAULTS,
) -> int:
    """Train a restricted Boltzmann machine; ln Z, likelihoods with errors and the spectrum of W at the end.

    ln Z is exact where a layer has at most 24 two-valued units, else by annealed importance sampling.
    Exit codes: 0, 2 bad input, 3 numerical failure, 75 stopped early, 130 Ctrl-C (both resumable).
    """
    from deeprg.cli._boltzmann_training import run_boltzmann

    return run_boltzmann("rbm", None if hidden is None else [hidden], flags, argv=sys.argv)


def train_dbn(
    *,
    hidden: Annotated[
        str | None, Parameter(group=_MACHINE, help="units of the hidden layers, 400,100,25 [256,64]")
    ] = None,
    flags: BoltzmannFlags = _DEFAULTS,
) -> int:
    """Train a deep belief network layer by layer, each machine on draws of the hidden layer below it.

    Every layer trains for the whole of --epochs, --steps or --minutes. At the end each machine is judged as
    by train rbm, and the network by a bound of ln p(v) and by its reconstructions from every depth.
    Exit codes: 0, 2 bad input, 3 numerical failure, 75 stopped early, 130 Ctrl-C (both resumable).
    """
    from deeprg.cli._boltzmann_setup import layer_widths
    from deeprg.cli._boltzmann_training import run_boltzmann

    return run_boltzmann("dbn", None if hidden is None else layer_widths(hidden), flags, argv=sys.argv)
