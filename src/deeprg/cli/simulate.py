"""`deeprg simulate MODEL`: Monte Carlo into an ensemble on disk."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from deeprg.cli._flags import whole

__all__ = ["simulate"]

_TARGET = Group("Target", sort_key=1)
_SAMPLING = Group("Sampling", sort_key=2)
_RUN = Group("Run", sort_key=3)


def simulate(
    model: Annotated[
        str | None,
        Parameter(help="ising, potts, xy, phi4, dimers …: see deeprg list models"),
    ] = None,
    *options: Annotated[str, Parameter(help="NAME=VALUE, for example field=0.1, geometry=triangular")],
    size: Annotated[
        int | None, Parameter(converter=whole, group=_TARGET, help="L of an L x L lattice")
    ] = None,
    shape: Annotated[str | None, Parameter(group=_TARGET, help="64x64, 100 (1D), 8x8x8 (3D)")] = None,
    temperature: Annotated[
        str | None, Parameter(group=_TARGET, help="2.5, critical, 2.0,2.5 or a grid 2.0:2.6:0.05")
    ] = None,
    algorithm: Annotated[
        str | None, Parameter(group=_SAMPLING, help="wolff, metropolis …: see deeprg list algorithms")
    ] = None,
    samples: Annotated[
        int | None,
        Parameter(
            converter=whole,
            name=("--samples", "-n"),
            group=_SAMPLING,
            help="configurations per temperature [10000]",
        ),
    ] = None,
    chains: Annotated[
        int | None, Parameter(converter=whole, group=_SAMPLING, help="independent chains per temperature")
    ] = None,
    thin: Annotated[
        int | None, Parameter(converter=whole, group=_SAMPLING, help="updates between configurations")
    ] = None,
    thermalise: Annotated[
        int | None,
        Parameter(
            converter=whole, name=("--thermalise", "--thermalize"), group=_SAMPLING, help="updates dropped"
        ),
    ] = None,
    start: Annotated[
        Literal["hot", "cold", "mixed"] | None,
        Parameter(group=_SAMPLING, help="disordered, ordered, or every other chain [mixed]"),
    ] = None,
    seed: Annotated[
        int | None, Parameter(converter=whole, group=_SAMPLING, help="seed of everything random [0]")
    ] = None,
    out: Annotated[
        Path | None, Parameter(group=_RUN, help="the ensemble; default ensembles/MODEL-SHAPE-NNN.zarr")
    ] = None,
    resume: Annotated[
        Path | None, Parameter(group=_RUN, help="continue this ensemble; with -n, up to so many samples")
    ] = None,
    series_only: Annotated[
        bool, Parameter(negative="", group=_RUN, help="keep the observables, not the configurations")
    ] = False,
    workers: Annotated[
        int | None, Parameter(converter=whole, group=_RUN, help="threads [one per core]")
    ] = None,
    json: Annotated[bool, Parameter(group=_RUN, negative="", help="one JSON document on stdout")] = False,
) -> int:
    """Sample a lattice model at one or several temperatures; averages with errors beside exact values.

    Without --algorithm the one that suits the model is taken, and the reason is said. A killed or stopped
    simulation continues with --resume, with the same bits.
    """
    from deeprg.runs.errors import UsageError

    if resume is not None:
        given = {
            "MODEL": model,
            "--size": size,
            "--shape": shape,
            "--temperature": temperature,
            "--algorithm": algorithm,
            "--chains": chains,
            "--thin": thin,
            "--thermalise": thermalise,
            "--seed": seed,
            "--start": start,
            "--series-only": series_only or None,
            "--out": out,
        }
        for name, value in given.items():
            if value is not None:
                raise UsageError(
                    f"{name} cannot change when an ensemble is resumed; only --samples can grow."
                )
    elif model is None:
        raise UsageError(
            "which model? For example deeprg simulate ising --shape 32x32 --temperature critical."
        )
    elif (size is None) == (shape is None):
        raise UsageError("which lattice? Give either --size 32 or --shape 32x32.")
    if workers is not None and workers < 1:
        raise UsageError(f"--workers {workers} must be at least 1.")
    from deeprg.cli._simulating import plan, run_simulation

    simulation, path = plan(
        model,
        options,
        shape=f"{size}x{size}" if size is not None else shape,
        temperature=temperature,
        out=out,
        resume=resume,
        algorithm=algorithm,
        samples=samples,
        chains=chains,
        thin=thin,
        thermalise=thermalise,
        start=start or "mixed",
        seed=0 if seed is None else seed,
        keep_configurations=not series_only,
    )
    return run_simulation(simulation, path, workers=workers, json=json)
