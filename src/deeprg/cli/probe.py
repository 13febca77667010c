"""`deeprg probe RUN`: what the hidden units of Boltzmann machines, or the latents of a flow, do."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from deeprg.cli._flags import whole

__all__ = ["probe"]


def probe(
    run: Annotated[str, Parameter(help="run folder of deeprg train flow, rbm or dbn, or its name in runs/")],
    *,
    source: Annotated[
        Path | None,
        Parameter(name="--with", help="configurations, E.zarr or .npy; default the run's own, or new"),
    ] = None,
    temperature: Annotated[
        str | None, Parameter(help="of an ensemble: a value, critical or its number")
    ] = None,
    probes: Annotated[
        str | None,
        Parameter(
            help="of machines vh,patterns,two-point,spectra,receptive,couplings, of flows "
            "kernels,correlations,information,couplings; default all that apply"
        ),
    ] = None,
    depth: Annotated[
        int | None, Parameter(converter=whole, help="of a dbn: which hidden layer [the top one]")
    ] = None,
    seed: Annotated[int, Parameter(converter=whole, help="seed of everything random")] = 0,
    json: Annotated[bool, Parameter(negative="", help="one JSON document on stdout")] = False,
) -> int:
    """What latents of a flow or hidden units of machines do: kernels, information, maps, patterns, couplings.

    Flows: kernels ∂x/∂z, correlations and information of latents, couplings of renormalised energies.
    Machines: maps ⟨v h⟩, patterns, two-point functions, spectra, receptive fields, couplings.
    Writes probe.json, the arrays as probe.npz and one figure per probe into the run folder.
    """
    from deeprg.cli._probing import run_probe

    return run_probe(
        run, source=source, temperature=temperature, probes=probes, depth=depth, seed=seed, json=json
    )
