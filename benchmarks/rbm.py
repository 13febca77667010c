"""Training speed of restricted Boltzmann machines against scikit-learn and rbms, in one run.

    python benchmarks/rbm.py                          784-500 and 1024-256, PCD-1, batch 100
    python benchmarks/rbm.py --repeats 5 --json FILE

Seconds per 10 000 rows of {0, 1} data, {0, 1} units, plain SGD, after compilation; the least of several
repeats in which the packages take turns, wall times. scikit-learn's BernoulliRBM takes float64 as it comes,
and float32 where the data are. Two bounds of the same run: the products, five of [100, n_v] x [n_v, n_h] per
step, at the speed of a large square product; and the same five alone at their own shape.

scikit-learn and rbms come with `pip install --group peers`; what is missing is left out.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cyclopts
import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

from deeprg.coarsegrain.boltzmann import RBM, ContrastiveDivergence, initial_state
from deeprg.train import Plan, RowBatches
from deeprg.train.distributed import data_mesh, replicate
from deeprg.train.step import compile_step

app = cyclopts.App(help=__doc__)
console = Console()
ROWS, BATCH = 10_000, 100
SIZES = ((784, 500), (1024, 256))
RATE = 0.01


def ours(data: np.ndarray, hidden: int) -> Callable[[], Any]:
    """A call that trains on as many rows as there are."""
    import equinox as eqx

    visible = data.shape[1]
    machine = RBM.create(visible, hidden, visible_unit="binary", hidden_unit="binary", key=jax.random.key(0))
    steps = ROWS // BATCH
    plan = Plan(steps=10**9, batch=BATCH, learning_rate=RATE, optimiser="sgd", decay="constant",
                ema_decay=0.0, steps_per_call=steps)  # fmt: skip
    objective, mesh = ContrastiveDivergence(), data_mesh(jax.devices()[:1])
    state = initial_state(machine, objective, plan, chains=BATCH, key=jax.random.key(1))
    batches = RowBatches(jnp.asarray(data.astype(np.int8)))
    arrays, static = eqx.partition(state, eqx.is_array)
    arrays = replicate(arrays, mesh)
    extras = replicate(jax.tree.leaves(eqx.filter((objective, batches), eqx.is_array)), mesh)
    made = compile_step(eqx.combine(arrays, static), objective, batches, plan, BATCH, mesh)
    leaves, rates = jax.tree.leaves(arrays), np.full(steps, RATE)

    def run() -> None:
        nonlocal leaves
        leaves, numbers = made.call(leaves, extras, rates)
        jax.block_until_ready(numbers)

    run()
    return run


def sklearn(data: np.ndarray, hidden: int, kind: Any) -> Callable[[], Any]:
    """One epoch of BernoulliRBM, which is PCD-1."""
    from sklearn.neural_network import BernoulliRBM

    rows = data.astype(kind)
    model = BernoulliRBM(hidden, learning_rate=RATE, batch_size=BATCH, n_iter=1, random_state=0)
    return lambda: model.fit(rows)


def rbms(data: np.ndarray, hidden: int) -> Callable[[], Any]:
    """The inner loop of rbms' PCD-1 (torch, its own gradient, centred as it comes), without its files."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        from rbms.bernoulli_bernoulli.classes import BBRBM
        from rbms.training.pcd import fit_batch_pcd

    rows = torch.tensor(data, dtype=torch.float32)
    weights = torch.ones(len(rows), 1)
    generator = torch.Generator().manual_seed(0)
    start = 0.01 * torch.randn(data.shape[1], hidden, generator=generator)
    model = BBRBM(start, torch.zeros(data.shape[1]), torch.zeros(hidden))
    model.init_grad()
    chains = model.init_chains(BATCH)
    optimiser = torch.optim.SGD(model.parameters(), lr=RATE, maximize=True)

    def run() -> None:
        nonlocal chains
        with torch.no_grad():
            for _ in range(ROWS // BATCH):
                chosen = torch.randperm(len(rows))[:BATCH]
                optimiser.zero_grad(set_to_none=False)
                chains, _ = fit_batch_pcd((rows[chosen], weights[chosen]), chains, model, 1, 1.0)
                optimiser.step()

    run()
    return run


def products(visible: int, hidden: int) -> tuple[float, Callable[[], Any], Callable[[], Any]]:
    """Flops of the products of ROWS rows, a large square product, and the five products at their shape."""
    flops = ROWS / BATCH * 5 * 2 * BATCH * visible * hidden
    square = jnp.ones((2048, 2048), jnp.float32)
    multiply = jax.jit(lambda a: a @ a)
    w, h = jnp.ones((visible, hidden), jnp.float32), jnp.ones((BATCH, hidden), jnp.float32)
    both = jnp.ones((2 * BATCH, visible), jnp.float32)

    @jax.jit
    def five(w: Any, h: Any, both: Any) -> Any:
        def step(carry: Any, _: Any) -> tuple[Any, None]:
            w, h = carry
            v = h @ w.T
            field = jnp.concatenate([both[:BATCH], v]) @ w
            return (w + 1e-9 * both.T @ field, 1e-3 * field[BATCH:]), None

        return jax.lax.scan(step, (w, h), length=ROWS // BATCH)[0]

    return (
        flops,
        lambda: jax.block_until_ready(multiply(square)),
        lambda: jax.block_until_ready(five(w, h, both)),
    )


def least(calls: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """The least wall time of each call; the calls take turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            begun = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - begun)
    return {name: min(found) for name, found in times.items()}


@app.default
def main(*, repeats: int = 3, json_file: Path | None = None) -> None:
    """Measure and print the table; `--json-file` also writes it."""
    table = Table("machine", "package", "s per 10 000 rows", "ratio to deeprg", "Gflop/s")
    rows = []
    for visible, hidden in SIZES:
        data = (np.random.default_rng(0).random((ROWS, visible)) < 0.3).astype(np.float64)
        flops, square, five = products(visible, hidden)
        calls: dict[str, Callable[[], Any]] = {
            "deeprg": ours(data, hidden),
            "five products": five,
            "square": square,
        }
        for name, make, options in (
            ("scikit-learn, float64", sklearn, (np.float64,)),
            ("scikit-learn, float32", sklearn, (np.float32,)),
            ("rbms", rbms, ()),
        ):
            try:
                calls[name] = make(data, hidden, *options)
            except ImportError as error:
                console.print(f"[dim]{name}: not measured, {error}[/dim]")
        five()
        square()
        found = least(calls, repeats)
        speed = 2 * 2048**3 / found.pop("square")
        found["products at full speed"] = flops / speed
        for name, seconds in found.items():
            rate = flops / seconds / 1e9
            rows.append(
                {"machine": f"{visible}-{hidden}", "package": name, "seconds": seconds, "gflops": rate}
            )
            table.add_row(
                f"{visible}-{hidden}",
                name,
                f"{seconds:.3f}",
                f"{seconds / found['deeprg']:.2f}",
                f"{rate:.0f}",
            )
    console.print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    app()
