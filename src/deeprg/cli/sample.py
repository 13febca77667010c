"""`deeprg sample RUN`: observables of the target from a trained model, with errors, beside exact values."""

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter

from deeprg.cli._flags import whole

__all__ = ["sample"]

_CHAINS = Group("Chains in latents: latent-hmc, latent-nuts, mixed, surrogate", sort_key=2)


def sample(
    run: Annotated[str, Parameter(help="run folder, or its name in runs/")],
    *,
    n: Annotated[int, Parameter(converter=whole, name=("-n", "--samples"), help="samples to draw")] = 100_000,
    method: Annotated[
        Literal["importance", "independence", "direct", "latent-hmc", "latent-nuts", "mixed", "surrogate"],
        Parameter(
            help="reweight, run exact independence chains, average as drawn (biased); or chains in the "
            "latents: HMC, NUTS, HMC and redrawn latents in turn, redrawn latents alone"
        ),
    ] = "importance",
    at: Annotated[
        str | None,
        Parameter(
            name=("--at", "--temperature"),
            help="of a run over an interval: the value to sample at, T or other",
        ),
    ] = None,
    curves: Annotated[
        bool, Parameter(negative="", help="of a run over an interval: the curves, -n samples at each value")
    ] = False,
    seed: Annotated[int, Parameter(converter=whole, help="seed of the samples")] = 0,
    checkpoint: Annotated[Literal["last", "best"], Parameter(help="which weights")] = "last",
    save: Annotated[
        bool, Parameter(negative="", help="keep configurations and weights as a zarr store in the run folder")
    ] = False,
    json: Annotated[bool, Parameter(negative="", help="one JSON document on stdout")] = False,
    out: Annotated[
        Path | None, Parameter(group=_CHAINS, help="the ensemble; default RUN/METHOD-seedN.zarr")
    ] = None,
    chains: Annotated[
        int | None, Parameter(converter=whole, group=_CHAINS, help="chains side by side [128]")
    ] = None,
    thin: Annotated[
        int | None, Parameter(converter=whole, group=_CHAINS, help="updates between configurations [1]")
    ] = None,
    thermalise: Annotated[
        int | None,
        Parameter(
            converter=whole,
            name=("--thermalise", "--thermalize"),
            group=_CHAINS,
            help="updates that tune the step size and are dropped [100]",
        ),
    ] = None,
    leapfrogs: Annotated[
        int | None, Parameter(converter=whole, group=_CHAINS, help="steps of an HMC trajectory [10]")
    ] = None,
    redraw: Annotated[
        float | None, Parameter(group=_CHAINS, help="chance of a latent to be redrawn, up to 1 [1]")
    ] = None,
) -> int:
    """Sample a trained flow or MERA without bias and estimate observables with errors.

    A flow of images gives pictures and how near they come to those it was trained on.
    Chains in latents go into an ensemble that survives a kill: the same command continues it.
    """
    from deeprg.cli._run_kind import kind_of
    from deeprg.runs.errors import UsageError
    from deeprg.runs.folder import RunFolder

    if n < 100:
        raise UsageError(f"-n {n} is too few samples for an error bar; draw at least 100.")
    if seed < 0:
        raise UsageError(f"--seed {seed} must not be negative.")
    if curves:
        if at is not None or save or method != "importance":
            raise UsageError("--curves reweights at every value: leave out --at, --save and --method.")
        from deeprg.cli._conditioned_sampling import run_curves

        return run_curves(run, n=n, seed=seed, checkpoint=checkpoint, json=json)
    asked: dict[str, Any] = {
        "chains": chains,
        "thin": thin,
        "thermalise": thermalise,
        "leapfrogs": leapfrogs,
        "redraw": redraw,
    }
    choices = {name: value for name, value in asked.items() if value is not None}
    if kind_of(RunFolder.open(run)) == "images":
        if choices or out is not None or at is not None or save or method != "importance":
            raise UsageError(
                f"'{run}' has no Hamiltonian: its samples have no weights. Give -n and --seed only."
            )
        from deeprg.cli._image_samples import run_image_sampling

        return run_image_sampling(run, n, seed, json, checkpoint=checkpoint)
    if method in ("importance", "independence", "direct"):
        extra = [*choices, *([] if out is None else ["out"])]
        if extra:
            raise UsageError(
                f"--{extra[0]} belongs to chains in latents, not to --method {method}. "
                "Take --method latent-hmc, latent-nuts, mixed or surrogate."
            )
        from deeprg.cli._sampling import run_sampling

        return run_sampling(
            run, n=n, method=method, seed=seed, checkpoint=checkpoint, save=save, json=json, at=at
        )
    if save:
        raise UsageError(
            f"--save is for draws of the flow; --method {method} always keeps its ensemble (--out)."
        )
    from deeprg.cli._latent_sampling import run_latent_sampling

    return run_latent_sampling(
        run, n=n, method=method, seed=seed, checkpoint=checkpoint, out=out, choices=choices, json=json, at=at
    )
