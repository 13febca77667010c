"""`deeprg train`: `flow`, `mera` from a Hamiltonian, judged against exact values; `rbm`, `dbn` from data."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Group, Parameter

from deeprg.cli._flags import whole
from deeprg.cli.train_boltzmann import train_dbn, train_rbm
from deeprg.cli.train_mera import train_mera

__all__ = ["app"]

app = App(name="train", help="Train a model into a run folder.")
app.command(train_rbm, name="rbm")
app.command(train_dbn, name="dbn")
app.command(train_mera, name="mera")

_TARGET = Group("Target", sort_key=1)
_DATA = Group("Data", sort_key=1)
_TRAINING = Group("Training", sort_key=2)
_RUN = Group("Run", sort_key=3)
_PROCESSES = Group("Several processes", sort_key=4)


@app.command(name="flow")
def train_flow(
    *settings: Annotated[str, Parameter(help="key.path=value, for example train.batch=512 or flow.width=24")],
    hamiltonian: Annotated[
        str | None, Parameter(group=_TARGET, help="ising, phi4, gaussian: see deeprg list")
    ] = None,
    size: Annotated[
        int | None, Parameter(converter=whole, group=_TARGET, help="L of an L x L lattice")
    ] = None,
    shape: Annotated[str | None, Parameter(group=_TARGET, help="16x8, 64 (1D), 8x8x8 (3D)")] = None,
    temperature: Annotated[
        str | None,
        Parameter(group=_TARGET, help="a number, 'critical', or LOW:HIGH for one network over an interval"),
    ] = None,
    shift: Annotated[
        float | None, Parameter(group=_TARGET, help="smallest eigenvalue of the dual's K")
    ] = None,
    data: Annotated[
        Path | None,
        Parameter(group=_DATA, help="fit to E.zarr or an array .npy [n, L, L] instead of a Hamiltonian"),
    ] = None,
    levels: Annotated[
        int | None,
        Parameter(converter=whole, group=_DATA, help="the data are integers 0 ... LEVELS - 1: images"),
    ] = None,
    held_out: Annotated[
        float | None, Parameter(group=_DATA, help="part that is not trained on but judges [0.2]")
    ] = None,
    preset: Annotated[
        str | None, Parameter(group=_TRAINING, help="default, original: see deeprg list")
    ] = None,
    minutes: Annotated[float | None, Parameter(group=_TRAINING, help="train that long")] = None,
    steps: Annotated[
        int | None, Parameter(converter=whole, group=_TRAINING, help="train so many steps")
    ] = None,
    batch: Annotated[int | None, Parameter(converter=whole, group=_TRAINING, help="samples per step")] = None,
    ess: Annotated[
        int | None,
        Parameter(
            converter=whole,
            name=("--ess", "--ess-samples"),
            group=_TRAINING,
            help="samples that judge the final weights",
        ),
    ] = None,
    seed: Annotated[
        int | None, Parameter(converter=whole, group=_TRAINING, help="seed of everything random")
    ] = None,
    precision: Annotated[
        Literal["float32", "float64"] | None, Parameter(group=_TRAINING, help="type of all numbers")
    ] = None,
    config: Annotated[Path | None, Parameter(group=_RUN, help="a TOML file")] = None,
    print_config: Annotated[
        bool, Parameter(group=_RUN, negative="", help="show every value and where it came from, and stop")
    ] = False,
    out: Annotated[Path | None, Parameter(group=_RUN, help="run folder; default runs/NAME-NNN")] = None,
    name: Annotated[str | None, Parameter(group=_RUN, help="NAME of the run in runs/")] = None,
    resume: Annotated[str | None, Parameter(group=_RUN, help="continue this run")] = None,
    start: Annotated[
        str | None,
        Parameter(
            name="--from", group=_RUN, help="start from the weights and settings of this run, as a new run"
        ),
    ] = None,
    allow_change: Annotated[
        tuple[str, ...], Parameter(group=_RUN, negative="", help="settings that a resumed run may change")
    ] = (),
    time_limit: Annotated[
        float | None, Parameter(group=_RUN, help="minutes after which to save and exit with 75")
    ] = None,
    json: Annotated[bool, Parameter(group=_RUN, negative="", help="one JSON document on stdout")] = False,
    coordinator: Annotated[
        str | None, Parameter(group=_PROCESSES, env_var="DEEPRG_COORDINATOR", help="host:port of process 0")
    ] = None,
    processes: Annotated[
        int | None,
        Parameter(converter=whole, group=_PROCESSES, env_var="DEEPRG_PROCESSES", help="how many there are"),
    ] = None,
    process_id: Annotated[
        int | None,
        Parameter(converter=whole, group=_PROCESSES, env_var="DEEPRG_PROCESS_ID", help="number of this one"),
    ] = None,
) -> int:
    """Train a flow to a Hamiltonian and hold it against the exact free energy, or to data (--data).

    With data, --temperature chooses one of an ensemble's, or says at which one spins of an array were drawn.
    Settings: defaults < preset < --config FILE < key.path=value < flags.
    Exit codes: 0, 2 bad input, 3 numerical failure, 75 stopped early, 130 Ctrl-C (both resumable).
    """
    from deeprg.runs.errors import UsageError

    if size is not None and shape is not None:
        raise UsageError(f"--size {size} and --shape {shape} exclude each other. Give one of them.")
    if resume is not None and start is not None:
        raise UsageError("--from and --resume exclude each other: --from begins a new run.")
    from deeprg.cli._settings import flag_value
    from deeprg.cli._training import Request, run_training

    given: list[tuple[str, str, Any]] = [
        ("--hamiltonian", "hamiltonian.name", hamiltonian),
        ("--size", "hamiltonian.shape", None if size is None else [size, size]),
        ("--shape", "hamiltonian.shape", shape),
        (
            "--temperature",
            "hamiltonian.temperature",
            None if temperature is None else flag_value(temperature),
        ),
        ("--shift", "hamiltonian.shift", shift),
        ("--data", "data.path", None if data is None else str(data)),
        ("--levels", "data.levels", levels),
        ("--held-out", "data.held_out", held_out),
        ("--preset", "preset", preset),
        ("--minutes", "train.minutes", minutes),
        ("--steps", "train.steps", steps),
        ("--batch", "train.batch", batch),
        ("--ess", "evaluate.samples", ess),
        ("--seed", "seed", seed),
        ("--precision", "precision", precision),
        ("--name", "name", name),
    ]
    return run_training(
        Request(
            config=config,
            assignments=settings,
            flags=[(flag, _nested(path, value)) for flag, path, value in given if value is not None],
            out=out,
            resume=resume,
            start=start,
            allow_change=allow_change,
            time_limit=time_limit,
            json=json,
            print_config=print_config,
            processes=(coordinator, processes, process_id),
            argv=sys.argv,
        )
    )


def _nested(path: str, value: Any) -> dict[str, Any]:
    first, dot, rest = path.partition(".")
    return {first: _nested(rest, value) if dot else value}
