"""`deeprg train mera`: a classical MERA, spins drawn coarse to fine, trained from the energy alone."""

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from deeprg.cli._flags import given_values, whole

__all__ = ["target_of", "train_mera"]

_TARGET = Group("Target", sort_key=1)
_NETWORK = Group("Network", sort_key=2)
_TRAINING = Group("Training", sort_key=3)
_RUN = Group("Run", sort_key=4)


def train_mera(
    model: Annotated[str | None, Parameter(help="ising or random-bond [ising]")] = None,
    *options: Annotated[str, Parameter(help="NAME=VALUE, for example field=0.1, geometry=triangular")],
    size: Annotated[
        int | None, Parameter(converter=whole, group=_TARGET, help="L of an L x L lattice")
    ] = None,
    shape: Annotated[str | None, Parameter(group=_TARGET, help="16x8, 64 (1D), 8x8x8 (3D)")] = None,
    temperature: Annotated[
        str | None, Parameter(group=_TARGET, help="a number or critical [critical]")
    ] = None,
    reach: Annotated[
        float | None, Parameter(group=_NETWORK, help="how far a spin sees, in spacings of its level [5.1]")
    ] = None,
    tables: Annotated[
        bool, Parameter(group=_NETWORK, negative="", help="tables of the nearest spins, no networks")
    ] = False,
    width: Annotated[
        int | None, Parameter(converter=whole, group=_NETWORK, help="of the networks [32]")
    ] = None,
    depth: Annotated[
        int | None, Parameter(converter=whole, group=_NETWORK, help="of the networks [2]")
    ] = None,
    minutes: Annotated[float | None, Parameter(group=_TRAINING, help="train that long")] = None,
    steps: Annotated[
        int | None, Parameter(converter=whole, group=_TRAINING, help="train so many steps")
    ] = None,
    batch: Annotated[
        int | None, Parameter(converter=whole, group=_TRAINING, help="draws per step [512]")
    ] = None,
    learning_rate: Annotated[float | None, Parameter(group=_TRAINING, help="at its peak [0.005]")] = None,
    ess: Annotated[
        int | None,
        Parameter(
            converter=whole,
            name=("--ess", "--ess-samples"),
            group=_TRAINING,
            help="samples that judge the final weights [100000]",
        ),
    ] = None,
    seed: Annotated[
        int | None, Parameter(converter=whole, group=_TRAINING, help="seed of everything random [0]")
    ] = None,
    out: Annotated[Path | None, Parameter(group=_RUN, help="run folder; default runs/mera-SHAPE-NNN")] = None,
    resume: Annotated[str | None, Parameter(group=_RUN, help="continue this run")] = None,
    start: Annotated[
        str | None,
        Parameter(name="--from", group=_RUN, help="start from the networks of this run, of any lattice"),
    ] = None,
    checkpoint_seconds: Annotated[
        float | None, Parameter(group=_RUN, help="between checkpoints [60]")
    ] = None,
    time_limit: Annotated[
        float | None, Parameter(group=_RUN, help="minutes after which to save and exit with 75")
    ] = None,
    json: Annotated[bool, Parameter(group=_RUN, negative="", help="one JSON document on stdout")] = False,
) -> int:
    """Train a classical MERA on spins ±1 and hold it against the exact free energy.

    The coarsest spins have a table of probabilities, each finer lattice is filled by small networks of the
    spins nearby, and the last spins of nearest-neighbour models come from their exact distribution.
    Exit codes: 0, 2 bad input, 3 numerical failure, 75 stopped early, 130 Ctrl-C (both resumable).
    """
    from deeprg.cli._mera_training import run_mera
    from deeprg.runs.errors import UsageError

    sections: dict[str, dict[str, Any]] = {
        "network": {"reach": reach, "width": width, "depth": depth},
        "train": {"minutes": minutes, "steps": steps, "batch": batch, "learning_rate": learning_rate},
        "evaluate": {"samples": ess},
    }
    run = {"seed": seed, "start": start, "checkpoint_seconds": checkpoint_seconds}
    values: dict[str, Any] = {
        name: given_values(section) for name, section in sections.items()
    } | given_values(run)
    if model is not None and "=" in model:
        model, options = None, (model, *options)
    if resume is not None:
        target = {"size": size, "shape": shape, "temperature": temperature, "tables": tables or None}
        flags = target | sections["network"] | sections["train"] | {"ess": ess, "seed": seed, "from": start}
        flags |= {"checkpoint_seconds": checkpoint_seconds, "out": out}
        given = [f"--{name.replace('_', '-')}" for name in given_values(flags)]
        given = [*([] if model is None else [model]), *options, *given]
        if given:
            raise UsageError(
                f"a resumed run keeps its settings and its folder; leave out {', '.join(given)}, or start a "
                "new run."
            )
    else:
        if tables and reach is not None:
            raise UsageError(
                f"--tables and --reach {reach:g} exclude each other: tables see the nearest spins."
            )
        if tables:
            values["network"]["reach"] = None
        if (size is None) == (shape is None):
            raise UsageError("which lattice? Give either --size 16 or --shape 16x8.")
        where = str(shape) if size is None else f"{size}x{size}"
        values["model"] = target_of(model or "ising", options, where, temperature or "critical")
    return run_mera(values, out=out, resume=resume, time_limit=time_limit, json=json, argv=sys.argv)


def target_of(name: str, options: tuple[str, ...], shape: str, temperature: str) -> dict[str, Any]:
    """The section `model` of the settings, with the temperature as a number."""
    from deeprg.cli._mera_setup import refuse_model
    from deeprg.cli._temperatures import parse_temperatures
    from deeprg.hamiltonians import critical_temperature_of
    from deeprg.lattice import Lattice
    from deeprg.runs.config import parse_assignments
    from deeprg.runs.errors import UsageError

    refuse_model(name)
    lattice, values = Lattice.parse(shape), parse_assignments(options)
    found = parse_temperatures(temperature, lambda: critical_temperature_of(name, lattice, **values))
    if len(found) != 1:
        raise UsageError(f"--temperature {temperature}: a MERA is trained at one temperature.")
    return {"name": name, "shape": list(lattice.shape), "temperature": found[0], "options": values}
