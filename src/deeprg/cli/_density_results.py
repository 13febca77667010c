"""How well a density fits held-out data: log-likelihood, forward divergence, bits per dimension."""

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from deeprg.cli._flow_data import Series
from deeprg.cli._table import text_table, with_error
from deeprg.coarsegrain.flow import AbstractDequantiser, AbstractFlow, bits_per_dimension
from deeprg.hamiltonians import AbstractHamiltonian
from deeprg.montecarlo import gamma_method, importance_summary

__all__ = ["HeldOut", "density_table", "image_table", "judge_density"]

_CHUNK = 1000
_SIGMAS = 3.0
_LN2 = math.log(2)


class HeldOut:
    """Fields for rows of data, one draw of noise each and always the same, and densities of them.

    `hamiltonian` is that of the fields' law where it is known, `levels` the number of the integers behind
    images. Row i has the noise of (key, i).
    """

    def __init__(
        self,
        series: Series,
        dequantise: AbstractDequantiser,
        hamiltonian: AbstractHamiltonian | None,
        *,
        levels: int | None,
        key: PRNGKeyArray,
    ):
        self.series, self.hamiltonian, self.levels = series, hamiltonian, levels
        self._dequantise, self._key = dequantise, key

    @property
    def size(self) -> int:
        """The number of sites."""
        return math.prod(self.series.rows.shape[1:])

    @cached_property
    def fields(self) -> Array:
        """The fields, [*lattice, n]."""
        return _fields(self._dequantise, jnp.asarray(self.series.rows), self._key)

    @cached_property
    def energies(self) -> np.ndarray | None:
        """The energies of the fields [n], None where no Hamiltonian is known."""
        return None if self.hamiltonian is None else np.asarray(_energies(self.hamiltonian, self.fields))

    def log_q(self, flow: AbstractFlow) -> np.ndarray:
        """ln q of every field under a flow, float64 [n]."""
        fields, count = self.fields, self.fields.shape[-1]
        chunk = min(_CHUNK, count)
        parts = []
        for start in range(0, count, chunk):
            first = min(start, count - chunk)  # the last chunk has the shape of the others
            found = np.asarray(_log_prob(flow, fields[..., first : first + chunk]), np.float64)
            parts.append(found[start - first :])
        return np.concatenate(parts)

    def watch(self, flow: AbstractFlow, log_partition: float | None) -> dict[str, float]:
        """What a training says of it: `held_out_nll`, and `held_out_kl` or `held_out_bits` where known."""
        log_q = self.log_q(flow)
        found = {"held_out_nll": -float(log_q.mean())}
        if self.energies is not None and log_partition is not None:
            found["held_out_kl"] = float(np.mean(-self.energies - log_partition - log_q))
        if self.levels is not None:
            found["held_out_bits"] = bits_per_dimension(-float(log_q.mean()), self.size, self.levels)
        return found


def judge_density(
    flow: AbstractFlow,
    test: HeldOut,
    seen: HeldOut,
    *,
    best: AbstractFlow | None,
    best_step: int | None,
    log_weights: np.ndarray | None,
    exact: float | None,
) -> dict[str, Any]:
    """The numbers of results.json about data; `log_weights` are those of the flow's own samples.

    All from the rows of `test`, one field each:

    - `nll` = -⟨ln q⟩ in nats, per site and (`bits`) per dimension in bits; for images the latter counts the
      integers, for real fields it is the differential one. `seen` is the same on rows that were trained on.
    - `kl` = ⟨-H - ln q⟩ - ln Z, the forward divergence KL(π|q), a paired estimate: ln π and ln q at the same
      fields. ln Z is exact where it is known, else reweighted from `log_weights` with its error.
    - `ess_forward`: the effective sample size as target samples see it.
    - `best`: the weights with the lowest -⟨ln q⟩ on other held-out rows, judged by the same rows.

    Errors are those of the Γ-method where rows follow each other in time.
    """
    log_q = test.log_q(flow)
    found: dict[str, Any] = {"sites": test.size, "nll": _mean(test, -log_q), "nll_seen": _seen(seen, flow)}
    found["bits"] = _bits(found["nll"], test)
    warnings = []
    if test.energies is not None and log_weights is not None:
        summary = importance_summary(
            log_weights, forward_log_weights=test.series.folded(-test.energies - log_q)
        )
        log_z, error = (summary.log_partition, summary.log_partition_error) if exact is None else (exact, 0.0)
        assert summary.upper_bound is not None
        assert summary.upper_bound_error is not None
        found["kl"] = {
            "value": summary.upper_bound - log_z,
            "error": math.hypot(summary.upper_bound_error, error),
            "bits": (summary.upper_bound - log_z) / _LN2,
            "per_site": (summary.upper_bound - log_z) / test.size,
            "log_partition": "reweighted" if exact is None else "exact",
        }
        found["ess_forward"] = summary.ess_forward
    if best is not None:
        other = test.log_q(best)
        nll = _mean(test, -other)
        found["best"] = {"step": best_step, "nll": nll, "bits": _bits(nll, test)}
        gain = _mean(test, other - log_q)
        value, error = gain["value"], gain["error"]
        if value is not None and error is not None and value > _SIGMAS * error:
            warnings.append(
                f"the final weights overfit: those of step {best_step} are better on held-out data by "
                f"{with_error(value, error)} nats. Take them with --checkpoint best."
            )
    return found | {"warnings": warnings}


def density_table(data: Mapping[str, Any]) -> str:
    """The numbers of `judge_density` for people."""
    images = data["levels"] is not None
    rows = [
        ["−ln q (nats)", _text(data["nll"])],
        ["  on rows trained on", _text(data["nll_seen"])],
        ["bits per dimension", _text(data["bits"])],
    ]
    if not images:
        rows[-1][0] = "bits per dimension, differential"
    if "kl" in data:
        kl = data["kl"]
        rows.append([f"KL(π|q) (nats), {kl['log_partition']} ln Z", _text(kl)])
        rows.append(["  in bits", with_error(kl["bits"], None if not kl["error"] else kl["error"] / _LN2)])
        rows.append(["forward ESS", f"{data['ess_forward']:.4f}"])
    if "best" in data:
        best = data["best"]
        rows.append([f"best checkpoint, step {best['step']}: −ln q", _text(best["nll"])])
        rows.append(["  bits per dimension", _text(best["bits"])])
    return text_table(rows, header=[f"{data['test_rows']} held-out rows", "value"])


def image_table(results: Mapping[str, Any]) -> str:
    """The end of a training on images or arrays."""
    steps = f"{results['steps']}  at {results['seconds_per_step']:.4g} s"
    rows = [["steps", steps], ["parameters", str(results["parameters"])], ["run", results["run"]]]
    width = max(len(name) for name, _ in rows)
    lines = "\n".join(f"{name:<{width}}  {value}" for name, value in rows)
    return f"{density_table(results['data'])}\n\n{lines}"


def _mean(where: HeldOut, values: np.ndarray) -> dict[str, float | None]:
    """Mean and standard error of one number per row."""
    folded = where.series.folded(values)
    if np.ptp(folded) == 0:  # the same weights twice
        error = 0.0
    elif folded.ndim == 1:
        error = float(folded.std(ddof=1)) / math.sqrt(folded.size)
    else:
        error = gamma_method(folded).error
    return {"value": float(values.mean()), "error": error if math.isfinite(error) else None}


def _seen(seen: HeldOut, flow: AbstractFlow) -> dict[str, float | None]:
    return _mean(seen, -seen.log_q(flow))


def _bits(nll: Mapping[str, float | None], where: HeldOut) -> dict[str, float | None]:
    levels = 1 if where.levels is None else where.levels
    value, error = nll["value"], nll["error"]
    assert value is not None
    return {
        "value": bits_per_dimension(value, where.size, levels),
        "error": None if error is None else error / (where.size * _LN2),
    }


def _text(row: Mapping[str, Any]) -> str:
    return with_error(row["value"], row["error"])


@eqx.filter_jit
def _fields(dequantise: AbstractDequantiser, rows: Array, key: PRNGKeyArray) -> Array:
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(rows.shape[0]))
    return jax.vmap(lambda row, k: dequantise(row, key=k), out_axes=-1)(rows, keys)


@eqx.filter_jit
def _energies(hamiltonian: AbstractHamiltonian, fields: Array) -> Array:
    return jax.vmap(hamiltonian.energy, in_axes=-1)(fields)


@eqx.filter_jit
def _log_prob(flow: AbstractFlow, fields: Array) -> Array:
    return flow.log_prob(fields)
