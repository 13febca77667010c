"""Held-out log-likelihood of handwritten digits at equal wall time: deeprg, scikit-learn, rbms, in one run.

    python benchmarks/rbm_digits.py                          64 hidden units, 30 s each
    python benchmarks/rbm_digits.py --seconds 60 --hidden 100 --json FILE

scikit-learn's 8 x 8 digits, a pixel 1 at half the scale or above; a fifth of the rows held out. {0, 1} units
for all. Each package trains for the same wall time, compilation included, with each of a few settings; every
training is listed. All trained weights are put into the same RBM class and scored by the same annealed
importance sampling. The best setting of each package is chosen on a validation fifth of the training rows
(by the same estimator), so the held-out rows decide nothing. Differences between packages are paired: row by
row of the held-out digits, with the errors of both ln Z.

deeprg: PCD, centred gradient, the rate falling on a cosine; the averaged parameters. scikit-learn's
BernoulliRBM: PCD-1 at constant rate, epochs until the time is over. rbms: its PCD, centred gradient, its own
start (visible bias of the data). Needs `pip install --group peers`; a package that is missing is left out.
"""

import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cyclopts
import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

from deeprg.coarsegrain.boltzmann import (
    RBM,
    Binary,
    ContrastiveDivergence,
    ais,
    fit,
    independent_base,
    matched_bias,
)
from deeprg.train import Plan

app = cyclopts.App(help=__doc__)
console = Console()
TEMPERATURES, CHAINS = 5000, 500


def digits(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bits for training, validation and the final score, float32 [n, 64]."""
    from sklearn.datasets import load_digits

    bits = (load_digits().data >= 8).astype(np.float32)
    bits = bits[np.random.default_rng(seed).permutation(len(bits))]
    held = len(bits) // 5
    return bits[2 * held :], bits[held : 2 * held], bits[:held]


def ours(rows: np.ndarray, hidden: int, seconds: float, rate: float, k: int, batch: int, l2: float) -> RBM:
    """deeprg: PCD-k under a clock."""
    begun = time.monotonic()
    start = RBM.create(
        rows.shape[1], hidden, visible_unit="binary", hidden_unit="binary", key=jax.random.key(0)
    )
    start = matched_bias(start, jnp.asarray(rows))
    left = seconds - (time.monotonic() - begun)
    plan = Plan(minutes=left / 60, batch=batch, learning_rate=rate, optimiser="sgd", steps_per_call=50)
    objective = ContrastiveDivergence(steps=k, l2=l2, centred=True)
    result = fit(start, rows, plan, objective=objective, chains=500, key=jax.random.key(1))
    return result.state.averaged


def sklearn(rows: np.ndarray, hidden: int, seconds: float, rate: float, batch: int) -> RBM:
    """BernoulliRBM, epoch after epoch through its own inner step."""
    from sklearn.neural_network import BernoulliRBM

    begun = time.monotonic()
    model = BernoulliRBM(hidden, learning_rate=rate, batch_size=batch, n_iter=1, random_state=0)
    model.fit(rows)
    rng = np.random.default_rng(0)
    while time.monotonic() - begun < seconds:
        order = rng.permutation(len(rows))
        for first in range(0, len(rows) - batch + 1, batch):
            model.partial_fit(rows[order[first : first + batch]])
    return _machine(model.components_.T, model.intercept_visible_, model.intercept_hidden_)


def rbms(rows: np.ndarray, hidden: int, seconds: float, rate: float, k: int, batch: int) -> RBM:
    """rbms' PCD-k step with its start, its centred gradient and torch's SGD."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        from rbms.bernoulli_bernoulli.classes import BBRBM
        from rbms.bernoulli_bernoulli.implement import _init_parameters
        from rbms.training.pcd import fit_batch_pcd

    torch.manual_seed(0)
    begun = time.monotonic()
    data = torch.tensor(rows)
    v, h, w = _init_parameters(
        num_hiddens=hidden, data=data, device=torch.device("cpu"), dtype=torch.float32, var_init=1e-4
    )
    model = BBRBM(w, v, h)
    model.init_grad()
    chains = model.init_chains(500)
    optimiser = torch.optim.SGD(model.parameters(), lr=rate, maximize=True)
    weights = torch.ones(batch, 1)
    with torch.no_grad():
        while time.monotonic() - begun < seconds:
            chosen = torch.randperm(len(data))[:batch]
            optimiser.zero_grad(set_to_none=False)
            chains, _ = fit_batch_pcd((data[chosen], weights), chains, model, k, 1.0)
            optimiser.step()
    return _machine(model.weight_matrix.numpy(), model.vbias.numpy(), model.hbias.numpy())


def score(
    machine: RBM, train: np.ndarray, rows: dict[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], float, bool]:
    """ln p of every row of each set, the error of ln Z, and whether the estimate is sound."""
    base = independent_base(machine, train)
    found = ais(machine, temperatures=TEMPERATURES, chains=CHAINS, base=base, key=jax.random.key(2))
    each = {
        name: np.asarray(-machine.free_energy(jnp.asarray(some)), np.float64) - found.log_partition
        for name, some in rows.items()
    }
    return each, found.error, found.trusted


SETTINGS: dict[str, tuple[Callable[..., RBM], list[dict[str, Any]]]] = {
    "deeprg": (
        ours,
        [
            {"rate": 0.1, "k": 1, "batch": 100, "l2": 0.0},
            {"rate": 0.1, "k": 1, "batch": 100, "l2": 5e-4},
            {"rate": 0.1, "k": 1, "batch": 100, "l2": 1e-3},
        ],
    ),
    "scikit-learn": (
        sklearn,
        [{"rate": 0.1, "batch": 100}, {"rate": 0.05, "batch": 50}, {"rate": 0.03, "batch": 50}],
    ),
    "rbms": (
        rbms,
        [
            {"rate": 0.01, "k": 1, "batch": 100},  # of a gradient of unit norm
            {"rate": 0.03, "k": 1, "batch": 100},
            {"rate": 0.1, "k": 1, "batch": 100},
        ],
    ),
}


@app.default
def main(*, hidden: int = 64, seconds: float = 30.0, seed: int = 0, json_file: Path | None = None) -> None:
    """Train, score and print the table; `--json-file` also writes it."""
    train, validation, held = digits(seed)
    sets = {"train": train, "validation": validation, "held out": held}
    table = Table("package", "settings", "train", "validation", "held out", "error of ln Z", "AIS sound")
    results: list[dict[str, Any]] = []
    kept: dict[int, np.ndarray] = {}
    for package, (learn, choices) in SETTINGS.items():
        for options in choices:
            try:
                machine = learn(train, hidden, seconds, **options)
            except ImportError as error:
                console.print(f"[dim]{package}: not measured, {error}[/dim]")
                break
            each, error, sound = score(machine, train, sets)
            means = {name: float(values.mean()) for name, values in each.items()}
            kept[len(results)] = each["held out"]
            results.append(
                {"package": package, "settings": options, **means, "error": error, "trusted": sound}
            )
            text = ", ".join(f"{name} {value}" for name, value in options.items())
            numbers = [f"{means[name]:.2f}" for name in sets]
            table.add_row(package, text, *numbers, f"{error:.2f}", "yes" if sound else "no")
    console.print(table)
    best = {}
    for package in SETTINGS:
        mine = [k for k, one in enumerate(results) if one["package"] == package]
        if mine:
            best[package] = max(mine, key=lambda k: results[k]["validation"])
            one = results[best[package]]
            value = f"{one['held out']:.2f} ± {one['error']:.2f} (ln Z)"
            console.print(f"{package}: {value} nats held out, settings chosen by validation")
    for package, k in best.items():
        if package != "deeprg" and "deeprg" in best:
            apart = kept[best["deeprg"]] - kept[k]
            spread = apart.std(ddof=1) / len(apart) ** 0.5
            error = (spread**2 + results[k]["error"] ** 2 + results[best["deeprg"]]["error"] ** 2) ** 0.5
            console.print(f"deeprg - {package}: {apart.mean():+.2f} ± {error:.2f} nats, row by row")
    if json_file is not None:
        json_file.write_text(json.dumps(results, indent=2))


def _machine(weights: Any, visible: Any, hidden: Any) -> RBM:
    arrays = (jnp.asarray(np.asarray(x), jnp.float32) for x in (weights, visible, hidden))
    return RBM(*arrays, Binary(), Binary())


if __name__ == "__main__":
    app()
