"""`deeprg wander RUN`: paths, mixtures and directions in the latent space of a flow, as pictures."""

from typing import Annotated, Literal

from cyclopts import Parameter

from deeprg.cli._flags import whole

__all__ = ["wander"]


def wander(
    run: Annotated[str, Parameter(help="run folder of deeprg train flow, or its name in runs/")],
    *,
    path: Annotated[
        Literal["spherical", "straight"], Parameter(help="way between two latents; spherical keeps the norm")
    ] = "spherical",
    steps: Annotated[int, Parameter(converter=whole, help="frames of the path and of the direction")] = 32,
    seed: Annotated[int, Parameter(converter=whole, help="seed of the configurations")] = 0,
    checkpoint: Annotated[Literal["last", "best"], Parameter(help="which weights")] = "last",
    json: Annotated[bool, Parameter(negative="", help="one JSON document on stdout")] = False,
) -> int:
    """Wander in latent space: a path between two configurations, scales mixed, the direction of m.

    Writes wander-path, wander-mix and wander-direction (.png, and .gif where something moves) into the run.
    """
    from deeprg.cli._wandering import run_wander

    return run_wander(run, path=path, steps=steps, seed=seed, checkpoint=checkpoint, json=json)
