"""Speed of the flows, as ratios against a stated bound or a named peer in one run.

    python benchmarks/run.py steps            step time, flops, bytes, memory, samples/s of the presets
    python benchmarks/run.py peer             the RealNVP block against flowjax on an equal coupling stack
    python benchmarks/run.py gaps --minutes 3 time to each gap of both presets

`--sizes 8,16,32` chooses lattices, `--json FILE` keeps the numbers. Without a verb: `steps` and `peer`.
"""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cyclopts
import equinox as eqx
import jax
import jax.numpy as jnp
from rich.console import Console
from rich.table import Table

from deeprg.coarsegrain.flow import PRESETS, RealNVP, ReverseKL, build_flow
from deeprg.exact import reference
from deeprg.hamiltonians import AbstractHamiltonian, build_hamiltonian
from deeprg.lattice import Lattice
from deeprg.train import Plan, TrainState, key_batches, train
from deeprg.train.distributed import data_mesh
from deeprg.train.step import compile_step

app = cyclopts.App(help=__doc__)
console = Console()
_REPEATS = 7


def seconds(call: Callable[[], Any], repeats: int = _REPEATS) -> float:
    """Median wall time of a call that returns JAX arrays, after one warm-up."""
    jax.block_until_ready(call())
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(call())
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def machine() -> dict[str, float]:
    """What this machine reaches in this run: a square float32 matrix product and a large copy."""
    a = jnp.ones((2048, 2048), jnp.float32)
    product = jax.jit(lambda a: a @ a)
    x = jnp.ones(2**26, jnp.float32)
    shift = jax.jit(lambda x: x + 1)
    return {
        "matmul_gflops": 2 * 2048**3 / seconds(lambda: product(a)) / 1e9,
        "copy_gbytes": 2 * x.nbytes / seconds(lambda: shift(x)) / 1e9,
    }


def setup(preset: str, size: int, **plan: Any) -> tuple[AbstractHamiltonian, ReverseKL, Plan, TrainState]:
    """The Ising dual at T_c with the flow of a preset, ready to train."""
    settings = PRESETS[preset]
    hamiltonian = build_hamiltonian("ising", Lattice((size, size)), **settings.hamiltonian)
    flow = build_flow(hamiltonian, key=jax.random.key(0), **settings.flow)
    options = dict(settings.train)
    objective = ReverseKL(hamiltonian, options.pop("estimator"))
    schedule = Plan(**{**options, **plan})
    return hamiltonian, objective, schedule, TrainState.create(flow, schedule, key=jax.random.key(1))


def measure_steps(preset: str, size: int, bound: dict[str, float]) -> dict[str, Any]:
    """One preset on one lattice: compilation, step, cost, memory, samples per second."""
    hamiltonian, objective, plan, state = setup(preset, size, steps=100)
    batch = plan.size_at(0.0)
    flow = state.model
    start = time.perf_counter()
    step = compile_step(state, objective, key_batches, plan, batch, data_mesh(jax.devices()[:1]))
    compiled = time.perf_counter() - start
    leaves = [jnp.copy(leaf) for leaf in jax.tree.leaves(eqx.filter(state, eqx.is_array))]  # all are donated
    extras = jax.tree.leaves(eqx.filter((objective, key_batches), eqx.is_array))
    rate = jnp.asarray(1e-3, state.smoothed.dtype)
    times = []
    for _ in range(_REPEATS + 1):
        begun = time.perf_counter()
        leaves, _ = step.call(leaves, extras, rate)
        jax.block_until_ready(leaves)
        times.append(time.perf_counter() - begun)
    per_step = statistics.median(times[1:])

    @eqx.filter_jit
    def sample(flow, keys):
        return flow.push(jax.vmap(lambda k: flow.latent(key=k), out_axes=-1)(keys))

    keys = jax.random.split(jax.random.key(2), 1000)
    flops, moved = step.flops or float("nan"), step.bytes_accessed or float("nan")
    return {
        "preset": preset,
        "size": size,
        "batch": batch,
        "compile_seconds": compiled,
        "step_seconds": per_step,
        "gflop": flops / 1e9,
        "gbyte": moved / 1e9,
        "fraction_of_matmul": flops / per_step / 1e9 / bound["matmul_gflops"],
        "fraction_of_copy": moved / per_step / 1e9 / bound["copy_gbytes"],
        "memory_gbyte": (step.memory_bytes or 0) / 1e9,
        "samples_per_second": 1000 / seconds(lambda: sample(flow, keys), 3),
        "spins": hamiltonian.lattice.size,
    }


def show(rows: list[dict[str, Any]], title: str) -> None:
    """Print rows of one kind as a table."""
    table = Table(title=title)
    for name in rows[0]:
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()))
    console.print(table)


def keep(rows: Any, path: Path | None) -> None:
    """Write the numbers as JSON."""
    if path is not None:
        path.write_text(json.dumps(rows, indent=1))


def sizes_of(text: str) -> list[int]:
    """ "8,16" as numbers."""
    return [int(part) for part in text.split(",")]


@app.command
def steps(*, sizes: str = "8,16,32", presets: str = "default,original", json: Path | None = None) -> None:
    """Step time, cost and memory of the presets, and what fraction of this machine they reach."""
    bound = machine()
    console.print(f"this machine now: {bound['matmul_gflops']:.0f} Gflop/s, {bound['copy_gbytes']:.1f} GB/s")
    rows = [measure_steps(p, n, bound) for p in presets.split(",") for n in sizes_of(sizes)]
    show(rows, "one training step")
    keep({"machine": bound, "rows": rows}, json)


@app.command
def peer(*, points: int = 16384, json: Path | None = None) -> None:
    """Log-likelihood gradient of 10 affine couplings on 4 variables, against flowjax."""
    from flowjax.distributions import Normal
    from flowjax.flows import coupling_flow

    x = jax.random.normal(jax.random.key(0), (points, 4))
    ours = RealNVP(4, couplings=10, hidden=3, width=10, key=jax.random.key(1))
    theirs = coupling_flow(
        jax.random.key(1), base_dist=Normal(jnp.zeros(4)), flow_layers=10, nn_width=10, nn_depth=3
    )

    def our_loss(block: RealNVP, x: jax.Array) -> jax.Array:
        z, log_det = block.inverse(x.T)
        return jnp.mean(0.5 * jnp.sum(z * z, 0) - log_det)

    rows = []
    for name, model, loss in (
        ("deeprg", ours, our_loss),
        ("flowjax", theirs, lambda flow, x: -jnp.mean(flow.log_prob(x))),
    ):
        gradient = eqx.filter_jit(eqx.filter_value_and_grad(loss))
        begun = time.perf_counter()
        jax.block_until_ready(gradient(model, x))
        compiled = time.perf_counter() - begun
        count = sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(model, eqx.is_inexact_array)))
        taken = seconds(lambda gradient=gradient, model=model: gradient(model, x))
        rows.append({"package": name, "weights": count, "first_call": compiled, "gradient_seconds": taken})
    for row in rows:
        row["times_deeprg"] = row["gradient_seconds"] / rows[0]["gradient_seconds"]
    show(rows, f"10 affine couplings on 4 variables, {points} points")
    keep(rows, json)


@app.command
def gaps(*, sizes: str = "8,16", minutes: float = 3.0, json: Path | None = None) -> None:
    """Seconds of training until the batch free energy comes within each gap of the exact one."""
    levels = (10.0, 5.0, 3.0, 1.0, 0.5, 0.3, 0.2, 0.1, 0.05)
    rows = []
    for preset in ("default", "original"):
        for size in sizes_of(sizes):
            hamiltonian, objective, plan, state = setup(preset, size, minutes=minutes)
            exact = reference(hamiltonian)
            assert exact is not None
            reached: dict[float, float] = {}

            def note(record: dict[str, Any], exact=exact.free_energy, reached=reached) -> None:
                for level in levels:
                    if record["free_energy"] - exact < level:
                        reached.setdefault(level, record["seconds"])

            result = train(state, objective, key_batches, plan, on_chunk=note)
            columns = {f"{level:g} nats": reached.get(level, float("inf")) for level in levels}
            rows.append({"preset": preset, "size": size, "steps": int(result.state.step), **columns})
            console.print(f"{preset} {size}: {int(result.state.step)} steps")
    show(rows, f"seconds to each gap, compilation included, {minutes:g} minutes each")
    keep(rows, json)


@app.default
def everything() -> None:
    """Step times and the peer."""
    steps()
    peer()


if __name__ == "__main__":
    app()
