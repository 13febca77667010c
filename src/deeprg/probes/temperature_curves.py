"""Thermodynamics over an interval from one conditioned flow: ln Z, energy, specific heat, Binder cumulant."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from deeprg.coarsegrain.flow import ConditionedFlow
from deeprg.exact import Reference, reference
from deeprg.hamiltonians import ContinuousDual, HamiltonianFamily
from deeprg.montecarlo import importance_summary
from deeprg.montecarlo.jackknife import from_replicas
from deeprg.runs.errors import NumericalError, UsageError

__all__ = ["ParameterCurve", "TemperatureCurves", "extrapolation_warning", "temperature_curves"]

_BAD_TAIL = 0.7
# What the parameter multiplies, and N times its variance (over T² for spins).
_CONJUGATE = {
    "temperature": ("energy_per_site", "specific_heat"),
    "quartic": ("field_fourth", "field_fourth_variance"),
    "mass_squared": ("field_squared", "field_squared_variance"),
}


@dataclass(frozen=True)
class ParameterCurve:
    """One quantity over the values of the parameter, [values]; `exact` is NaN where it is not known."""

    value: np.ndarray
    error: np.ndarray
    exact: np.ndarray

    @property
    def pull(self) -> np.ndarray:
        """(value - exact)/error, NaN where either is not known."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.error > 0, (self.value - self.exact) / self.error, np.nan)


@dataclass(frozen=True)
class TemperatureCurves:
    """What one conditioned flow says about every value of its parameter, from `samples` draws at each.

    - `curves`: name -> `ParameterCurve`: `log_partition` (reweighted ln Z of the Hamiltonian), `gap` =
      E_q[ln q + H] + ln Z (against the exact ln Z, or the reweighted one where that is not known: then a
      lower bound), energy_per_site and specific_heat = N/T² (⟨e²⟩ - ⟨e⟩²) of the spins (⟨φ⁴⟩ or ⟨φ²⟩ and N
      times their variance for a field), binder_cumulant = 1 - ⟨m⁴⟩/(3⟨m²⟩²), abs_magnetization.
    - `ess`: effective sample size as a fraction of the draws; `pareto_k`: tail of the weights.
    - `extrapolates`: which values lie outside the trained interval.
    """

    parameter: str
    shape: tuple[int, ...]
    interval: tuple[float, float]
    values: np.ndarray
    samples: int
    curves: dict[str, Any]
    ess: np.ndarray
    pareto_k: np.ndarray
    extrapolates: np.ndarray
    source: str | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def conjugate(self) -> tuple[str, str]:
        """The names of what the parameter multiplies and of its fluctuation."""
        return _CONJUGATE[self.parameter]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values, None for NaN; `from_dict` is the way back."""
        curves = {
            name: {part: _plain(getattr(curve, part)) for part in ("value", "error", "exact", "pull")}
            for name, curve in self.curves.items()
        }
        return {
            "parameter": self.parameter,
            "shape": list(self.shape),
            "interval": list(self.interval),
            "values": _plain(self.values),
            "samples": self.samples,
            "curves": curves,
            "ess": _plain(self.ess),
            "pareto_k": _plain(self.pareto_k),
            "extrapolates": [bool(flag) for flag in self.extrapolates],
            "source": self.source,
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> "TemperatureCurves":
        """The curves from what `to_dict` returned."""
        curves = {
            name: ParameterCurve(*(_array(row[part]) for part in ("value", "error", "exact")))
            for name, row in document["curves"].items()
        }
        return cls(
            parameter=document["parameter"],
            shape=tuple(document["shape"]),
            interval=tuple(document["interval"]),
            values=_array(document["values"]),
            samples=document["samples"],
            curves=curves,
            ess=_array(document["ess"]),
            pareto_k=_array(document["pareto_k"]),
            extrapolates=np.array(document["extrapolates"], bool),
            source=document["source"],
            warnings=list(document["warnings"]),
        )


def extrapolation_warning(family: HamiltonianFamily, value: float) -> str | None:
    """The text that goes with a value outside the trained interval; None inside.

    >>> from deeprg.hamiltonians import build_hamiltonian
    >>> from deeprg.lattice import Lattice
    >>> family = HamiltonianFamily(build_hamiltonian("ising", Lattice((4, 4))), "temperature", 1.8, 3.0)
    >>> extrapolation_warning(family, 3.2)
    'T = 3.2 lies outside the trained interval [1.8, 3]: extrapolation.'
    """
    if not family.extrapolates(value):
        return None
    symbol = "T" if family.parameter == "temperature" else family.parameter
    return (
        f"{symbol} = {value:.6g} lies outside the trained interval [{family.low:g}, {family.high:g}]: "
        "extrapolation."
    )


def temperature_curves(
    flow: ConditionedFlow,
    values: Sequence[float] | np.ndarray,
    samples: int,
    *,
    key: PRNGKeyArray,
    batch: int = 1000,
    on_chunk: Callable[[int], None] | None = None,
) -> TemperatureCurves:
    """Reweighted thermodynamics at every value of the parameter from `samples` draws there.

    Spins are averaged over exactly, given the field, also in ⟨e²⟩ = E[Var(e|x) + E[e|x]²]. Averages are
    self-normalised, Σ w O/Σ w; errors are of the delete-one jackknife over the draws with their weights.
    `on_chunk(n)` is told the number of draws so far. One compiled program serves all values.

    Raises `UsageError` for fewer than 100 draws, no values, and values that the model forbids;
    `NumericalError` for weights that are not finite.

    >>> import jax
    >>> from deeprg.coarsegrain.flow import build_conditioned_flow
    >>> from deeprg.hamiltonians import build_hamiltonian
    >>> from deeprg.lattice import Lattice
    >>> family = HamiltonianFamily(build_hamiltonian("ising", Lattice((2, 2))), "temperature", 3.0, 5.0)
    >>> flow = build_conditioned_flow(family, width=4, key=jax.random.key(0))
    >>> found = temperature_curves(flow, [4.0], 2000, key=jax.random.key(1))
    >>> bool(abs(found.curves["energy_per_site"].pull[0]) < 4)
    True
    """
    grid = np.asarray(values, np.float64)
    if samples < 100:
        raise UsageError(f"{samples} draws are too few for an error bar; draw at least 100.")
    if grid.ndim != 1 or not grid.size:
        raise UsageError("Give at least one value of the parameter, as a list.")
    family = flow.family
    members = [family.at(float(value)) for value in grid]
    references = [reference(member) for member in members]
    rows: list[dict[str, tuple[float, float]]] = []
    ess, tails, warnings = [], [], []
    for number, (value, known) in enumerate(zip(grid, references, strict=True)):
        parts = []
        for part in _draws(flow, float(value), samples, batch, jax.random.fold_in(key, number)):
            parts.append(part)
            if on_chunk is not None:
                on_chunk(number * samples + sum(one.size for one, _ in parts))
        log_weights = np.concatenate([one for one, _ in parts])
        measured = {name: np.concatenate([columns[name] for _, columns in parts]) for name in parts[0][1]}
        if not np.isfinite(log_weights).all():
            raise NumericalError(
                f"{int((~np.isfinite(log_weights)).sum())} of {samples} weights at {family.parameter} = "
                f"{value:g} are not finite. Train further, or stay inside the interval."
            )
        summary = importance_summary(log_weights)
        ess.append(summary.ess)
        tails.append(math.nan if summary.pareto_k is None else summary.pareto_k)
        best = summary.log_partition if known is None else known.log_partition
        row = _estimates(family, float(value), log_weights, measured)
        row["gap"] = (best + summary.free_energy, summary.free_energy_error)
        rows.append(row)
        text = extrapolation_warning(family, float(value))
        warnings += [text] if text else []
    if np.nanmax(tails, initial=0.0) > _BAD_TAIL:
        warnings.append(f"the weights have a heavy tail (Pareto k above {_BAD_TAIL}): errors are too small.")
    exact = [_known(family, member, known) for member, known in zip(members, references, strict=True)]
    curves = {
        name: ParameterCurve(
            np.array([row[name][0] for row in rows]),
            np.array([row[name][1] for row in rows]),
            np.array([row.get(name, math.nan) for row in exact]),
        )
        for name in rows[0]
    }
    sources = {known.source for known in references if known is not None}
    return TemperatureCurves(
        parameter=family.parameter,
        shape=family.lattice.shape,
        interval=(family.low, family.high),
        values=grid,
        samples=samples,
        curves=curves,
        ess=np.array(ess),
        pareto_k=np.array(tails),
        extrapolates=np.array([family.extrapolates(float(value)) for value in grid]),
        source=sources.pop() if len(sources) == 1 else None,
        warnings=warnings,
    )


def _draws(
    flow: ConditionedFlow, value: float, samples: int, batch: int, key: PRNGKeyArray
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    batch = min(batch, samples)
    for start in range(0, samples, batch):
        log_weights, measured = _chunk(flow, jnp.asarray(value), key, jnp.arange(start, start + batch))
        keep = min(batch, samples - start)
        yield (
            np.asarray(log_weights, np.float64)[:keep],
            {name: np.asarray(column, np.float64)[:keep] for name, column in measured.items()},
        )


@eqx.filter_jit
def _chunk(
    flow: ConditionedFlow, value: Array, key: PRNGKeyArray, numbers: Array
) -> tuple[Array, dict[str, Array]]:
    fixed, family = flow.at(value), flow.family
    latent = jax.vmap(lambda i: fixed.latent(key=jax.random.fold_in(key, i)), out_axes=-1)(numbers)
    x, log_q = fixed.push(latent)
    value = value.astype(x.dtype)
    energy = jax.vmap(lambda x: family.energy(x, value), in_axes=-1)(x)
    measured = jax.vmap(lambda x: family.observables(x, value), in_axes=-1)(x)
    return -energy - log_q, measured


def _estimates(
    family: HamiltonianFamily, value: float, log_weights: np.ndarray, measured: dict[str, np.ndarray]
) -> dict[str, tuple[float, float]]:
    """Every quantity with its error: functions of weighted means, and of those without one draw each."""
    top = log_weights.max()
    weights = np.exp(log_weights - top)
    n, total = weights.size, weights.sum()
    conjugate = measured["conjugate"]
    centre = float(np.sum(weights * conjugate) / total)  # differences of small numbers round less
    columns = {
        "first": conjugate - centre,
        "second": (conjugate - centre) ** 2 + measured["conjugate_variance"],
        **{name: measured[name] for name in _MOMENTS},
    }
    sums = {name: np.sum(weights * column) for name, column in columns.items()}
    everywhere = {name: sums[name] / total for name in columns}
    left = {name: (sums[name] - weights * columns[name]) / (total - weights) for name in columns}
    scale = family.fluctuation_scale(value)
    energy, heat = _CONJUGATE[family.parameter]
    functions: dict[str, Callable[[dict[str, Any]], Any]] = {
        energy: lambda mean: centre + mean["first"],
        heat: lambda mean: scale * (mean["second"] - mean["first"] ** 2),
        "binder_cumulant": lambda mean: (
            1 - mean["magnetization_fourth"] / (3 * mean["magnetization_squared"] ** 2)
        ),
        "abs_magnetization": lambda mean: mean["abs_magnetization"],
    }
    found = {name: from_replicas(np.asarray(of(everywhere)), of(left)) for name, of in functions.items()}
    log_z, without = top + np.log(total / n), top + np.log((total - weights) / (n - 1))
    found["log_partition"] = from_replicas(np.asarray(log_z), without)
    return {name: (float(one.value), float(one.error)) for name, one in found.items()}


_MOMENTS = ("abs_magnetization", "magnetization_squared", "magnetization_fourth")


def _known(family: HamiltonianFamily, member: Any, known: Reference | None) -> dict[str, float]:
    if known is None:
        return {}
    row = {"log_partition": known.log_partition, "gap": 0.0}
    for source in (known.observables, known.derived):
        for name in (*_CONJUGATE[family.parameter], "binder_cumulant", "abs_magnetization"):
            if name in source and (name != "specific_heat" or isinstance(member, ContinuousDual)):
                row[name] = source[name]
    return row


def _plain(values: np.ndarray) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in values]


def _array(values: Sequence[float | None]) -> np.ndarray:
    return np.array([math.nan if value is None else value for value in values], np.float64)
