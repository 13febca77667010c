"""All estimators of mutual information where it is known: bias, pull and time as Markdown tables.

    python benchmarks/information_estimators.py                       Gaussians, docs/theory/information.md
    python benchmarks/information_estimators.py --beyond              laws that are not Gaussian
    python benchmarks/information_estimators.py --methods ksg --samples 2000 --json FILE

d pairs of Gaussian columns with correlation ρ have I = -(d/2) ln(1 - ρ²). Beyond them are y = |x| + 0.2
noise, without correlation and with I by quadrature, and neighbouring rings of 4 and 8 spins of the infinite
Ising cylinder at T_c, by transfer matrix. A cell is the mean of value - I over the seeds with its standard
error, the root mean square of (value - I)/error, and in how many seeds the estimate was flagged where it was
in any; "-" where the estimator refuses the data. Compiled programs are kept for the time of the run.
"""

import json
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import cyclopts
import jax
import numpy as np
from scipy.special import entr
from scipy.stats import norm

from deeprg.exact import CRITICAL_TEMPERATURE, ising_cylinder
from deeprg.montecarlo.information import ESTIMATORS, mutual_information
from deeprg.runs.errors import UsageError

app = cyclopts.App(help=__doc__)
Law = tuple[Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]], float]


def correlated(pairs: int, nats: float) -> Law:
    """Gaussian x and y [n, pairs] of that information, in equal parts between the pairs."""
    rho = math.sqrt(-math.expm1(-2 * nats / pairs))

    def sample(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        x, noise = rng.normal(size=(2, n, pairs))
        return x, rho * x + math.sqrt(1 - rho**2) * noise

    return sample, nats


def folded(width: float = 0.2) -> Law:
    """y = |x| + noise of that width."""
    line, scale = np.linspace(-4, 9, 100_001), math.hypot(1, width)
    density = 2 * norm.pdf(line, scale=scale) * norm.cdf(line / (width * scale))
    exact = np.trapezoid(entr(density), line) - 0.5 * math.log(2 * math.pi * math.e * width**2)

    def sample(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        x, noise = rng.normal(size=(2, n))
        return x, np.abs(x) + width * noise

    return sample, float(exact)


def rings(length: int) -> Law:
    """Two neighbouring rings of a cylinder at T_c, [n, length] spins each."""
    cylinder = ising_cylinder(length, CRITICAL_TEMPERATURE)
    joint = cylinder.pair(1)

    def sample(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        drawn = rng.choice(joint.size, n, p=joint.ravel() / joint.sum())
        x, y = (1 - 2 * ((z[:, None] >> np.arange(length)) & 1) for z in np.divmod(drawn, len(joint)))
        return x, y

    return sample, cylinder.half_information


def measured(method: str, law: Law, samples: int, seeds: int) -> dict[str, Any]:
    """Bias, its error, root mean square pull, flagged seeds and seconds of one cell; nothing if refused."""
    sample, exact = law
    begun, found = time.perf_counter(), []
    for seed in range(seeds):
        x, y = sample(np.random.default_rng(seed), samples)
        try:
            found.append(mutual_information(x, y, method, key=jax.random.key(seed)))
        except UsageError:
            return {}
    off = np.array([one.value for one in found]) - exact
    pulls = off / np.array([one.error for one in found])
    return {
        "bias": float(off.mean()),
        "bias_error": float(off.std(ddof=1) / math.sqrt(seeds)),
        "pull": float(np.sqrt(np.mean(pulls**2))),
        "flagged": sum(bool(one.flags) for one in found),
        "seconds": (time.perf_counter() - begun) / seeds,
    }


@app.default
def main(
    *,
    methods: str = ",".join(ESTIMATORS),
    pairs: str = "1,10",
    nats: str = "0.1,1,3",
    beyond: bool = False,
    samples: int = 10_000,
    seeds: int = 4,
    json_file: Annotated[Path | None, cyclopts.Parameter("--json")] = None,
) -> None:
    """One row for each estimator, one column for each law."""
    if beyond:
        laws = {
            "y = abs(x) + noise": folded(),
            "rings of 4 spins": rings(4),
            "rings of 8 spins": rings(8),
        }
    else:
        laws = {
            f"{d}+{d}, {i:g} nats": correlated(d, i)
            for d in map(int, pairs.split(","))
            for i in map(float, nats.split(","))
        }
    head = ["estimator", *laws, "seconds"]
    print(_line(head), _line(["---"] * len(head)), sep="\n", flush=True)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        jax.config.update("jax_compilation_cache_dir", folder)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        for method in methods.split(","):
            cells = {name: measured(method, law, samples, seeds) for name, law in laws.items()}
            rows += [{"method": method, "law": name, **cell} for name, cell in cells.items()]
            times = [cell["seconds"] for cell in cells.values() if cell]
            if times:
                texts = [_cell(cell, seeds) for cell in cells.values()]
                print(_line([method, *texts, f"{np.median(times):.1f}"]), flush=True)
    if json_file is not None:
        json_file.write_text(json.dumps(rows, indent=2) + "\n")


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: dict[str, Any], seeds: int) -> str:
    if not cell:
        return "-"
    flagged = f", {cell['flagged']}/{seeds} flagged" if cell["flagged"] else ""
    return f"{cell['bias']:+.3f} ± {cell['bias_error']:.3f} ({cell['pull']:.1f}{flagged})"


if __name__ == "__main__":
    app()
