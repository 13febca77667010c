"""`deeprg sample RUN`: observables of the target from a trained flow, with errors, beside exact values."""

from typing import Annotated, Literal

from cyclopts import Parameter

from deeprg.cli._flags import whole

__all__ = ["sample"]


def sample(
    run: Annotated[str, Parameter(help="run folder, or its name in runs/")],
    *,
    n: Annotated[int, Parameter(converter=whole, name=("-n", "--samples"), help="samples to draw")] = 100_000,
    method: Annotated[
        Literal["importance", "independence", "direct"],
        Parameter(help="reweight, run exact independence chains, or average as drawn (biased)"),
    ] = "importance",
    seed: Annotated[int, Parameter(converter=whole, help="seed of the samples")] = 0,
    checkpoint: Annotated[Literal["last", "best"], Parameter(help="which weights")] = "last",
    save: Annotated[bool, Parameter(negative="", help="keep fields and weights in the run folder")] = False,
    json: Annotated[bool, Parameter(negative="", help="one JSON document on stdout")] = False,
) -> int:
    """Sample a trained flow without bias and estimate observables with errors."""
    from deeprg.runs.errors import UsageError

    if n < 100:
        raise UsageError(f"-n {n} is too few samples for an error bar; draw at least 100.")
    if seed < 0:
        raise UsageError(f"--seed {seed} must not be negative.")
    from deeprg.cli._sampling import run_sampling

    return run_sampling(run, n=n, method=method, seed=seed, checkpoint=checkpoint, save=save, json=json)
