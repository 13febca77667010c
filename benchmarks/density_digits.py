"""Bits per dimension of handwritten digits at equal wall time: deeprg's hierarchy and two flows of flowjax.

    python benchmarks/density_digits.py                        120 s of steps each
    python benchmarks/density_digits.py --seconds 300 --json-file FILE

scikit-learn's 8 x 8 digits, integers 0 ... 16, a fixed split: 80 % to train on, 10 % choose the best weights
of each flow while it trains, 10 % are scored once. All flows see the same uniform noise, logit map and
standardisation, and Adam with the same batch and peak rate, which falls on a cosine. flowjax's flows come
with about as many parameters as ours and with twice as many. Each has the same wall time of steps;
compilation, which is reported, comes before. Differences are paired: image by image of the scored rows, with
standard errors.

Needs `pip install --group peers --group test`; flows of a package that is missing are left out.
"""

import json
import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cyclopts
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from rich.console import Console
from rich.table import Table

from deeprg.coarsegrain.flow import (
    PRESETS,
    Chain,
    FreshBatches,
    Logit,
    Standardise,
    UniformNoise,
    bits_per_dimension,
    build_flow,
)
from deeprg.lattice import Lattice

app = cyclopts.App(help=__doc__)
console = Console()
LEVELS, SITES, BATCH, EVERY = 17, 64, 128, 4.0


def digits(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images to train on, to choose by, and to score, integers [n, 8, 8]."""
    from sklearn.datasets import load_digits

    images = np.asarray(load_digits().data, np.int32).reshape(-1, 8, 8)
    images = images[np.random.default_rng(seed).permutation(len(images))]
    held = len(images) // 10
    return images[2 * held :], images[held : 2 * held], images[:held]


def ours(key: Any) -> Any:
    """The hierarchy of the preset 'images', in the same variable as the others."""
    options: dict[str, Any] = dict(PRESETS["images"].flow)
    return build_flow(Lattice((8, 8)), **options, key=key)


def coupling(key: Any, *, width: int) -> Any:
    """flowjax's coupling flow with rational-quadratic splines."""
    from flowjax.bijections import RationalQuadraticSpline
    from flowjax.distributions import StandardNormal
    from flowjax.flows import coupling_flow

    return coupling_flow(
        key,
        base_dist=StandardNormal((SITES,)),
        transformer=RationalQuadraticSpline(knots=8, interval=5),
        flow_layers=4,
        nn_width=width,
    )


def autoregressive(key: Any, *, width: int) -> Any:
    """flowjax's masked autoregressive flow with affine maps."""
    from flowjax.distributions import StandardNormal
    from flowjax.flows import masked_autoregressive_flow

    return masked_autoregressive_flow(
        key, base_dist=StandardNormal((SITES,)), flow_layers=5, nn_width=width, nn_depth=1
    )


def log_density(flow: Any, variables: Any) -> Any:
    """ln q of variables [8, 8, n]: one per site for deeprg, flat vectors for flowjax."""
    if hasattr(flow, "bijector"):
        return flow.log_prob(variables)
    return flow.log_prob(variables.reshape(SITES, -1).T)


FLOWS: dict[str, tuple[Callable[[Any], Any], float]] = {
    "deeprg hierarchy": (ours, 3e-3),
    "flowjax coupling splines": (partial(coupling, width=9), 3e-3),
    "flowjax coupling splines, twice": (partial(coupling, width=20), 3e-3),
    "flowjax MAF, affine": (partial(autoregressive, width=38), 3e-3),
    "flowjax MAF, affine, twice": (partial(autoregressive, width=80), 3e-3),
}


def fit(
    make: Callable[[Any], Any], rate: float, seconds: float, batches: Any, to_variable: Any, choose: Any
) -> tuple[Any, dict[str, Any]]:
    """Train for so long; the weights (averaged over the last few hundred steps) that are best on `choose`."""
    start = make(jax.random.key(0))
    # What flowjax marks as fixed is not trained.
    trainable = eqx.filter(start, eqx.is_inexact_array, is_leaf=_fixed)
    rest = eqx.filter(start, eqx.is_inexact_array, inverse=True, is_leaf=_fixed)
    optimiser = optax.chain(optax.clip_by_global_norm(10.0), optax.scale_by_adam())

    @jax.jit
    def step(params: Any, mean: Any, moments: Any, number: Any, rate: Any) -> Any:
        def loss(params: Any) -> Any:
            fields = batches(jax.random.fold_in(jax.random.key(1), number), BATCH)
            variables, log_det = to_variable.inverse(jnp.moveaxis(fields, 0, -1))
            return -jnp.mean(log_density(eqx.combine(params, rest), variables) + log_det)

        grads = jax.grad(loss)(params)
        direction, moments = optimiser.update(grads, moments)
        params = jax.tree.map(lambda p, d: p - rate * d, params, direction)
        keep = jnp.minimum(0.995, (1.0 + number) / (10.0 + number))
        return params, jax.tree.map(lambda m, p: m + (1 - keep) * (p - m), mean, params), moments

    @jax.jit
    def score(params: Any) -> Any:
        return -jnp.mean(log_density(eqx.combine(params, rest), choose[0]) + choose[1])

    state = (trainable, trainable, optimiser.init(trainable))
    begun = time.monotonic()
    compiled = step.lower(*state, jnp.asarray(0), jnp.asarray(0.0)).compile()
    score(trainable).block_until_ready()
    compilation, begun, number = time.monotonic() - begun, time.monotonic(), 0
    best, lowest, looked = trainable, math.inf, 0.0
    while (elapsed := time.monotonic() - begun) < seconds:
        warm = min(1.0, elapsed / (0.02 * seconds) + 0.01)
        now = rate * warm * 0.5 * (1 + math.cos(math.pi * elapsed / seconds))
        state = jax.block_until_ready(compiled(*state, jnp.asarray(number), jnp.asarray(now)))
        number += 1
        if elapsed - looked > EVERY:
            looked = elapsed
            if (found := float(score(state[1]))) < lowest:
                best, lowest = state[1], found
    if float(score(state[1])) < lowest:
        best = state[1]
    size = sum(leaf.size for leaf in jax.tree.leaves(trainable))
    return eqx.combine(best, rest), {"parameters": size, "steps": number, "compile_seconds": compilation}


def _fixed(leaf: Any) -> bool:
    return type(leaf).__name__ == "NonTrainable"


@app.default
def main(*, seconds: float = 120.0, seed: int = 0, json_file: Path | None = None) -> None:
    """Train, score and print the table; `--json-file` also writes it."""
    train, choose, test = digits(seed)
    noise = UniformNoise(LEVELS, jnp.float32)
    batches = FreshBatches(jnp.asarray(train), noise)
    fields = jnp.moveaxis(batches(jax.random.key(2), 5000), 0, -1)
    logits, _ = Logit(2).inverse(fields)
    spread = np.asarray(jnp.maximum(logits.std(axis=-1), 1e-3))
    to_variable = Chain(Standardise((8, 8), centre=np.asarray(logits.mean(axis=-1)), scale=spread), Logit(2))

    def variables(images: np.ndarray, key: Any) -> Any:
        keys = jax.random.split(key, len(images))
        noisy = jax.vmap(lambda v, k: noise(v, key=k), out_axes=-1)(jnp.asarray(images), keys)
        return to_variable.inverse(noisy)

    seen = variables(train[: len(test)], jax.random.key(3))
    scored, chosen = variables(test, jax.random.key(4)), variables(choose, jax.random.key(5))
    table = Table("flow", "parameters", "steps", "compilation (s)", "bits/dim trained on", "bits/dim scored")
    results: dict[str, dict[str, Any]] = {}
    kept: dict[str, np.ndarray] = {}
    for name, (make, rate) in FLOWS.items():
        try:
            flow, facts = fit(make, rate, seconds, batches, to_variable, chosen)
        except ImportError as error:
            console.print(f"[dim]{name}: not measured, {error}[/dim]")
            continue
        bits = lambda pair, flow=flow: np.array(
            [bits_per_dimension(-x, SITES, LEVELS) for x in np.asarray(log_density(flow, pair[0]) + pair[1])]
        )
        kept[name] = bits(scored)
        error = float(kept[name].std(ddof=1)) / math.sqrt(len(test))
        known = float(bits(seen).mean())
        results[name] = facts | {"bits": float(kept[name].mean()), "error": error, "bits_seen": known}
        table.add_row(
            name,
            str(facts["parameters"]),
            str(facts["steps"]),
            f"{facts['compile_seconds']:.0f}",
            f"{known:.4f}",
            f"{kept[name].mean():.4f} ± {error:.4f}",
        )
    console.print(table)
    first = next(iter(FLOWS))
    for name, values in kept.items():
        if name != first:
            apart = kept[first] - values
            error = float(apart.std(ddof=1)) / math.sqrt(len(apart))
            results[name] |= {"deeprg_minus": float(apart.mean()), "deeprg_minus_error": error}
            console.print(f"{first} - {name}: {apart.mean():+.4f} ± {error:.4f} bits/dim, image by image")
    if json_file is not None:
        json_file.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    app()
