"""What a trained Boltzmann machine is worth: ln Z, likelihoods with errors, divergence, spectrum."""

import math
import time
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
    reverse_ais,
    singular_values,
)
from deeprg.exact import enumerate_distribution
from deeprg.hamiltonians import Ising
from deeprg.montecarlo import gamma_method
from deeprg.runs.errors import DeeprgError, UsageError

__all__ = ["judge_rbm", "log_partition_of", "mean_with_error", "rbm_table", "run_notes"]

_MOST_EXACT = 16  # sites of a model whose law is enumerated
_AT_ONCE, _SEEN, _REPEATS = 4096, 2000, 16
_GROWTH, _PATIENCE = 4, 30.0  # times the temperatures where an annealing cannot be trusted; seconds for it
_MIXING = 1000  # Gibbs rounds before the annealing back
_APART, _NEAR = 4.0, 0.05  # errors, and nats that nobody minds
_FEWEST_DRAWS = 100  # of a chain whose autocorrelation is estimated


def judge_rbm(
    machine: RBM,
    data: Configurations | None,
    rows: Split,
    *,
    temperatures: int,
    chains: int,
    key: PRNGKeyArray,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """The numbers of results.json that concern the machine itself; nats, per configuration.

    `data` are those behind the rows, None for rows of a hidden layer.
    """
    sampling, *watching = jax.random.split(key, 5)
    partition = log_partition_of(
        machine, rows, temperatures=temperatures, chains=chains, key=sampling, say=say
    )
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
        "kl": None if data is None else _divergence(machine, data),
        "reconstruction_error": float(reconstruction_error(machine, seen, key=watching[3])),
        "singular_values": singular_values(machine).tolist(),
        "warnings": problems,
    }


def log_partition_of(
    machine: RBM,
    rows: Split,
    *,
    temperatures: int,
    chains: int,
    key: PRNGKeyArray,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """ln Z by enumeration, or by annealing where a layer has more than 2^24 states.

    Where the annealing cannot be trusted it is repeated with four times the temperatures, as long as half a
    minute is enough for it.
    Beside it stands the annealing from samples of the machine back to independent units, an upper bound.
    """
    try:
        value = log_partition(machine)
    except UsageError:
        if machine.visible.states is None and machine.hidden.states is None:
            machine.check_normalisable()
        return _annealed(machine, rows, temperatures, chains, key, say)
    return {"method": "exact", "value": value, "error": 0.0, "trusted": True, "problems": []}


def _annealed(
    machine: RBM, rows: Split, temperatures: int, chains: int, key: PRNGKeyArray, say: Callable[[str], None]
) -> dict[str, Any]:
    base = independent_base(machine, rows.train)
    units = f"{machine.n_visible} and {machine.n_hidden} units"
    reason = f"{units} are too many to enumerate (at most 24 in one layer)"
    forward, mixing, backward = jax.random.split(key, 3)
    while True:
        say(f"{reason}: ln Z by annealed importance sampling, {temperatures} temperatures, {chains} chains")
        begun = time.monotonic()
        found = ais(machine, temperatures=temperatures, chains=chains, base=base, key=forward)
        if found.trusted or _GROWTH * (time.monotonic() - begun) > _PATIENCE:
            break
        reason, temperatures = "these are too few", _GROWTH * temperatures
    chosen = np.random.default_rng(0).choice(len(rows.train), chains)
    start = jnp.asarray(rows.train[chosen], machine.weights.dtype)
    samples = machine.gibbs(start, steps=_MIXING, key=mixing)
    other = reverse_ais(machine, samples, temperatures=found.temperatures, base=base, key=backward)
    problems, apart = list(found.problems), other.log_partition - found.log_partition
    if found.trusted and abs(apart) > _APART * math.hypot(found.error, other.error) + _APART * _NEAR:
        problems.append(
            f"Annealing back from samples gives {other.log_partition:.3f}, {apart:+.3f} nats off: the "
            "samples have not mixed, or the annealing misses a mode."
        )
    return {
        "method": "ais",
        "value": found.log_partition,
        "error": found.error,
        "jackknife_error": found.jackknife_error,
        "ess": found.ess,
        "pareto_k": found.pareto_k,
        "temperatures": found.temperatures,
        "chains": chains,
        "reverse": {"value": other.log_partition, "error": other.error, "trusted": other.trusted},
        "trusted": not problems,
        "problems": problems,
    }


def _mean_free_energy(
    machine: RBM, rows: np.ndarray, series: Sequence[tuple[int, int]]
) -> tuple[float, float]:
    """The mean of F over the rows and its error; in float64."""
    with jax.enable_x64(True):
        double = jax.tree.map(lambda x: jnp.asarray(np.asarray(x, np.float64)), machine)
        parts = [
            np.asarray(_free_energy(double, jnp.asarray(rows[first : first + _AT_ONCE], jnp.float64)))
            for first in range(0, len(rows), _AT_ONCE)
        ]
    return mean_with_error(np.concatenate(parts), series)


def mean_with_error(values: np.ndarray, series: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """The mean of numbers and its error, the autocorrelation of every chain included.

    `values` are those of pieces (chains, draws) one after the other, as in `Split`.
    """
    first, square = 0, 0.0
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
    if (back := partition.get("reverse")) is not None:
        rows.append(["ln Z, annealed back from samples", with_error(back["value"], back["error"]), ""])
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
    return f"{table}\n\n{run_notes(results, report=report)}"


def run_notes(results: Mapping[str, Any], *, report: str | None = None) -> str:
    """Where the numbers come from: data, machine, steps, run."""
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
    return "\n".join(f"{name:<{width}}  {value}" for name, value in notes)
