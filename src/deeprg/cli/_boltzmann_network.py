"""What a belief network is worth: its machines, a bound of ln p(v), reconstructions from each depth."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from deeprg.cli._boltzmann_data import Split
from deeprg.cli._boltzmann_results import mean_with_error, run_notes
from deeprg.cli._table import text_table, with_error
from deeprg.coarsegrain.boltzmann import BeliefNetwork

__all__ = ["judge_network", "network_table"]

_AT_ONCE, _SEEN = 4096, 2000


def judge_network(
    network: BeliefNetwork, layers: Sequence[Mapping[str, Any]], rows: Split, *, key: PRNGKeyArray
) -> dict[str, Any]:
    """The numbers of results.json for a stack of machines that `judge_rbm` has judged one by one.

    `log_bound` is a lower bound of the mean ln p(v), `BeliefNetwork.log_bound`; `reconstruction` has for each
    depth the mean square of v - v' and, of spins and bits, the overlap of spins ⟨s s'⟩, v' the average of the
    visible units after the way up and down again.
    """
    bounding, rebuilding = jax.random.split(key)
    partition = layers[-1]["log_partition"]
    parts = {"train": (rows.train, rows.train_series)}
    if rows.held_out is not None:
        parts["held_out"] = (rows.held_out, rows.held_out_series)
    bound: dict[str, Any] = {"train": None, "held_out": None}
    for name, (values, series) in parts.items():
        mean, error = mean_with_error(_bounds(network, values, partition["value"], bounding), series)
        bound[name] = {"value": mean, "error": math.hypot(error, partition["error"])}
    warnings = [f"layer {number}: {text}" for number, one in enumerate(layers, 1) for text in one["warnings"]]
    return {
        "layers": [dict(one) for one in layers],
        "log_bound": bound,
        "reconstruction": _reconstructions(network, rows.train[:_SEEN], rebuilding),
        "warnings": warnings,
    }


def _bounds(network: BeliefNetwork, rows: np.ndarray, log_partition: float, key: PRNGKeyArray) -> np.ndarray:
    parts = []
    for first in range(0, len(rows), _AT_ONCE):
        v = jnp.asarray(rows[first : first + _AT_ONCE], jnp.float32)
        parts.append(np.asarray(_bound(network, v, log_partition, jax.random.fold_in(key, first))))
    return np.concatenate(parts).astype(np.float64)


@eqx.filter_jit
def _bound(network: BeliefNetwork, v: Array, log_partition: float, key: PRNGKeyArray) -> Array:
    return network.log_bound(v, log_partition=log_partition, key=key)


def _reconstructions(network: BeliefNetwork, rows: np.ndarray, key: PRNGKeyArray) -> list[dict[str, Any]]:
    v, found, unit = jnp.asarray(rows, jnp.float32), [], network.machines[0].visible
    spins = unit.name in ("spin", "binary")
    for depth, width in enumerate(network.widths[1:], 1):
        again = network.reconstruct(v, depth=depth, key=jax.random.fold_in(key, depth))
        found.append(
            {
                "depth": depth,
                "units": width,
                "error": float(jnp.mean((v - again) ** 2)),
                "overlap": float(jnp.mean(unit.decode(v) * unit.decode(again))) if spins else None,
            }
        )
    return found


def network_table(results: Mapping[str, Any], *, report: str | None = None) -> str:
    """The end of a training of a belief network; `results` is the document of results.json."""
    rows = []
    for number, (one, again) in enumerate(zip(results["layers"], results["reconstruction"], strict=True), 1):
        partition, likelihood = one["log_partition"], one["log_likelihood"]
        doubt = "" if partition["trusted"] else " (!)"
        cells = [
            "—"
            if likelihood[part] is None
            else with_error(likelihood[part]["value"], likelihood[part]["error"])
            for part in ("train", "held_out")
        ]
        rows.append(
            [
                str(number),
                str(again["units"]),
                with_error(partition["value"], partition["error"]) + doubt,
                *cells,
                f"{one['singular_values'][0]:.4g}",
                f"{again['error']:.4f}",
                "—" if again["overlap"] is None else f"{again['overlap']:.4f}",
            ]
        )
    header = ["layer", "units", "ln Z", "ln p, training", "held out", "top of W", "(v − v′)²", "⟨s s′⟩"]
    bound = results["log_bound"]
    lines = [
        f"ln p(v) >= {with_error(bound[part]['value'], bound[part]['error'])} nats ({name})"
        for part, name in (("train", "training data"), ("held_out", "held out"))
        if bound[part] is not None
    ]
    table = text_table(rows, header=header)
    return f"{table}\n\n" + "\n".join(lines) + f"\n\n{run_notes(results, report=report)}"
