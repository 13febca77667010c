"""What a trained Boltzmann machine is worth: ln Z, likelihoods with errors, divergence, spectrum."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from deeprg.cli._boltzmann_data import Configurations, Split
from deeprg.cli._table import text_table, with_error
from deeprg.coarsegrain.boltzmann import (
    RBM,
    ais,
    independent_base,
    kl_divergence,
    log_partition,
    pseudo_likelihood,
    reconstruction_error,
    singular_values,
)
from deeprg.exact import enumerate_distribution
from deeprg.hamiltonians import Ising
from deeprg.montecarlo import gamma_method
from deeprg.runs.errors import DeeprgError, UsageError

__all__ = ["judge_rbm", "rbm_table"]

_MOST_EXACT = 16  # sites of a model whose law is enumerated
_AT_ONCE, _SEEN, _REPEATS = 4096, 2000, 16
_FEWEST_DRAWS = 100  # of a chain whose autocorrelation is estimated


def judge_rbm(
    machine: RBM,
    data: Configurations,
    rows: Split,
    *,
    temperatures: int,
    chains: int,
    key: PRNGKeyArray,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """The numbers of results.json that concern the machine itself; nats, per configuration."""
    sampling, *watching = jax.random.split(key, 5)
    partition = _log_partition(machine, rows, temperatures, chains, sampling, say)
    parts = {"train": (rows.train, rows.train_series)}
    if rows.held_out is not None:
        parts["held_out"] = (rows.held_out, rows.held_out_series)
    likelihood, pseudo = {}, {}
    for number, (name, (values, series)) in enumerate(parts.items()):
        mean, error = _mean_free_energy(machine, values, series)
        likelihood[name] = {
            "value": -mean - partition["value"],
            "error": math.hypot(error, partition["error"]),
        }
        pseudo[name] = _pseudo_likelihood(machine, values, watching[number])
    seen = jnp.asarray(rows.train[:_SEEN], machine.weights.dtype)
    problems = list(partition["problems"])
    return {
        "log_partition": partition,
        "log_likelihood": {"train": None, "held_out": None, **likelihood},
        "pseudo_likelihood": {"train": None, "held_out": None, **pseudo},
        "free_energy_gap": _gap(likelihood),
        "kl": _divergence(machine, data),
        "reconstruction_error": float(reconstruction_error(machine, seen, key=watching[3])),
        "singular_values": singular_values(machine).tolist(),
        "warnings": problems,
    }


def _log_partition(
    machine: RBM, rows: Split, temperatures: int, chains: int, key: PRNGKeyArray, say: Callable[[str], None]
) -> dict[str, Any]:
    """ln Z by enumeration, or by annealing where a layer has more than 2^24 states."""
    try:
        value = log_partition(machine)
    except UsageError:
        if machine.visible.states is None and machine.hidden.states is None:
            machine.check_normalisable()
        say(
            f"{machine.n_visible} and {machine.n_hidden} units are too many to enumerate (at most "
            f"24 in one layer): ln Z by annealed importance sampling, {temperatures} temperatures, "
            f"{chains} chains"
        )
        base = independent_base(machine, rows.train)
        found = ais(machine, temperatures=temperatures, chains=chains, base=base, key=key)
        return {
            "method": "ais",
            "value": found.log_partition,
            "error": found.error,
            "jackknife_error": found.jackknife_error,
            "ess": found.ess,
            "pareto_k": found.pareto_k,
            "temperatures": found.temperatures,
            "chains": chains,
            "trusted": found.trusted,
            "problems": list(found.problems),
        }
    return {"method": "exact", "value": value, "error": 0.0, "trusted": True, "problems": []}


def _mean_free_energy(
    machine: RBM, rows: np.ndarray, series: Sequence[tuple[int, int]]
) -> tuple[float, float]:
    """The mean of F over the rows and its error, autocorrelation of every chain included; in float64."""
    with jax.enable_x64(True):
        double = jax.tree.map(lambda x: jnp.asarray(np.asarray(x, np.float64)), machine)
        parts = [
            np.asarray(_free_energy(double, jnp.asarray(rows[first : first + _AT_ONCE], jnp.float64)))
            for first in range(0, len(rows), _AT_ONCE)
        ]
    values, first, square = np.concatenate(parts), 0, 0.0
    for chains, draws in series:
        piece = values[first : first + chains * draws].reshape(chains, draws)
        first += piece.size
        square += (piece.size / len(values) * _error(piece)) ** 2
    return float(values.mean()), math.sqrt(square)


@eqx.filter_jit
def _free_energy(machine: RBM, v: Any) -> Any:
    return machine.free_energy(v)


def _error(values: np.ndarray) -> float:
    """Of the mean of chains [chains, draws]."""
    if values.size < 2:
        return math.inf
    if values.shape[1] >= _FEWEST_DRAWS:
        try:
            return gamma_method(values).error
        except DeeprgError:  # a constant has no fluctuations and no error
            pass
    return float(values.std(ddof=1) / math.sqrt(values.size))


def _pseudo_likelihood(machine: RBM, rows: np.ndarray, key: PRNGKeyArray) -> dict[str, float] | None:
    if machine.visible.states is None:
        return None
    v = jnp.asarray(rows[:_SEEN], machine.weights.dtype)
    keys = jax.random.split(key, _REPEATS)
    found = np.array([float(pseudo_likelihood(machine, v, key=one)) for one in keys])
    return {"value": float(found.mean()), "error": float(found.std(ddof=1) / math.sqrt(_REPEATS))}


def _gap(likelihood: Mapping[str, Mapping[str, float]]) -> float | None:
    if "held_out" not in likelihood:
        return None
    return likelihood["train"]["value"] - likelihood["held_out"]["value"]


def _divergence(machine: RBM, data: Configurations) -> float | None:
    """KL(model of the data | machine), where both can be enumerated."""
    model = data.hamiltonian
    if not isinstance(model, Ising) or data.lattice.size > _MOST_EXACT or machine.visible.states is None:
        return None
    return kl_divergence(machine, enumerate_distribution(model))


def rbm_table(results: Mapping[str, Any], *, report: str | None = None) -> str:
    """The end of a training of a Boltzmann machine; `results` is the document of results.json."""
    partition = results["log_partition"]
    how = "exact" if partition["method"] == "exact" else f"AIS, {partition['temperatures']} temperatures"
    doubt = "" if partition["trusted"] else "  (!) not reliable"
    rows = [[f"ln Z ({how})", with_error(partition["value"], partition["error"]) + doubt, ""]]
    for name, title in (("log_likelihood", "ln p(v)"), ("pseudo_likelihood", "pseudo-likelihood")):
        pair = results[name]
        cells = [
            "—" if pair[part] is None else with_error(pair[part]["value"], pair[part]["error"])
            for part in ("train", "held_out")
        ]
        rows.append([f"{title} (nats)", *cells])
    if results["kl"] is not None:
        rows.append(["KL(model | machine) (nats)", f"{results['kl']:.5f}", ""])
    rows.append(["reconstruction error", f"{results['reconstruction_error']:.5f}", ""])
    largest = ", ".join(f"{value:.4g}" for value in results["singular_values"][:4])
    rows.append(["largest singular values of W", largest, ""])
    table = text_table(rows, header=["", "training data", "held out"])
    notes = [
        [
            "data",
            f"{results['data']} ({results['rows']} rows to train on, {results['held_out_rows']} held out)",
        ],
        ["machine", results["machine"]],
        ["steps", f"{results['steps']}  at {results['seconds_per_step']:.3g} s"],
        ["run", str(results["run"])],
    ]
    if report is not None:
        notes.append(["report", report])
    width = max(len(name) for name, _ in notes)
    return f"{table}\n\n" + "\n".join(f"{name:<{width}}  {value}" for name, value in notes)
