"""Thermodynamic averages with errors from the series that a simulation records."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from deeprg.montecarlo.autocorrelation import Samples, checked_chains, gamma_method, is_fluctuation
from deeprg.montecarlo.derived import gamma_derived
from deeprg.montecarlo.estimate import Estimate
from deeprg.runs.errors import NumericalError, UsageError

__all__ = ["thermodynamics"]

_POWERS = {
    "energy_per_site": {"e": 1, "e2": 2},
    "abs_magnetization": {"a": 1},
    "magnetization_squared": {"m2": 1, "m4": 2},
    "structure_factor_min": {"s": 1},
}


def thermodynamics(
    series: Mapping[str, Samples],
    size: int,
    temperature: float | int | None = None,
    shape: tuple[int, ...] | None = None,
    *,
    symmetric: bool = True,
) -> dict[str, Estimate]:
    """Averages of every series, and the quantities that follow from them, with Γ-method errors.

    With N = `size`, ⟨⟩ the average over the chains, and T = 1 where there is no temperature:

        specific_heat      = N/T² (⟨e²⟩ - ⟨e⟩²)          needs energy_per_site and a temperature
        susceptibility     = N/T (⟨m²⟩ - ⟨|m|⟩²)         needs magnetization_squared, abs_magnetization;
                             with ⟨m⟩ for ⟨|m|⟩ in a field (not `symmetric`): d⟨m⟩/dH of the field H = T h
        binder_cumulant    = 1 - ⟨m⁴⟩/(3 ⟨m²⟩²)          needs magnetization_squared
        correlation_length = 1/(2 sin π/L) √(N⟨m²⟩/⟨S⟩ - 1)   needs magnetization_squared,
                                                        structure_factor_min and a shape

    (K. Binder, Z. Phys. B 43, 119 (1981) for the cumulant; the second-moment length, F. Cooper, B. Freedman,
    D. Preston, Nucl. Phys. B 210, 210 (1982)). What the series do not allow is left out. Errors and tau_int
    of derived quantities come from the projected series, see `gamma_derived`. A series that does not
    fluctuate, such as a ground state, has error 0 and tau_int 0.5; a correlation length that the samples do
    not define (⟨S⟩ = 0, or N⟨m²⟩ < ⟨S⟩ by noise) is NaN.

    Args:
        series: names as above to samples, `[steps]`, `[chains, steps]` or a list of vectors. Other names are
            averaged as they are.
        size: the number of sites N.
        temperature: T in units of the coupling; None for fields.
        symmetric: whether H(s) = H(-s).
        shape: the extents of the lattice, for the correlation length; L is the longest.

    Raises:
        UsageError: NaN, chains of fewer than 4 steps, series of different lengths, or a temperature <= 0.

    Independent spins, N = 100, have the cumulant 2/(3N) = 0.007:

    >>> m = np.random.default_rng(0).choice([-1, 1], size=(4, 5000, 100)).mean(axis=2)
    >>> rows = thermodynamics({"abs_magnetization": abs(m), "magnetization_squared": m**2}, 100, 2.0)
    >>> print(f"{rows['binder_cumulant'].value:.3f} +- {rows['binder_cumulant'].error:.3f}")
    0.023 +- 0.011
    """
    check_temperature(temperature)
    rows = {name: _average(samples) for name, samples in series.items()}
    powers, _ = moments(series, symmetric=symmetric)
    for name, (needs, formula) in formulas(powers, size, temperature, shape).items():
        rows[name] = _derived(formula, {need: powers[need] for need in needs})
    return rows


def check_temperature(temperature: float | int | None) -> None:
    """Refuse a temperature that is not positive and finite."""
    if temperature is not None and not (math.isfinite(temperature) and temperature > 0):
        raise UsageError(f"The temperature must be positive and finite, not {temperature}.")


def moments(
    series: Mapping[str, Samples], *, symmetric: bool = True
) -> tuple[dict[str, list[np.ndarray]], float]:
    """The powers of the series that the formulas need, and the energy that was subtracted from `e`.

    The subtraction keeps digits: the variance does not depend on it. In a field (not `symmetric`) the mean
    order parameter is ⟨m⟩, not ⟨|m|⟩.
    """
    if not symmetric and "magnetization" in series:
        series = {**series, "abs_magnetization": series["magnetization"]}
    found: dict[str, list[np.ndarray]] = {}
    offset = 0.0
    for name, powers in _POWERS.items():
        if name not in series:
            continue
        chains = checked_chains(series[name])
        if name == "energy_per_site":
            values = np.concatenate(chains)
            offset = float(values.mean())
            moves = is_fluctuation(float(values.var()), offset)
            chains = [chain - offset if moves else np.zeros(chain.size) for chain in chains]
        for label, power in powers.items():
            found[label] = [chain**power for chain in chains]
    return found, offset


def formulas(
    available: Mapping[str, Any], size: int, temperature: Any, shape: tuple[int, ...] | None
) -> dict[str, tuple[tuple[str, ...], Callable[..., Any]]]:
    """Quantity to (moments it needs, function of their means), for what the available moments allow.

    `temperature` may be an array; the means then have its shape.
    """
    unit = 1.0 if temperature is None else temperature
    table: dict[str, tuple[tuple[str, ...], Callable[..., Any]]] = {
        "susceptibility": (("m2", "a"), lambda m2, a: size / unit * (m2 - a**2)),
        "binder_cumulant": (("m2", "m4"), lambda m2, m4: 1 - m4 / (3 * m2**2)),
    }
    if temperature is not None:
        table["specific_heat"] = (("e", "e2"), lambda e, e2: size / unit**2 * (e2 - e**2))
    if shape is not None and max(shape) > 1:  # the series is that of the longest axes
        stiffness = 4 * math.sin(math.pi / max(shape)) ** 2
        table["correlation_length"] = (
            ("m2", "s"),
            lambda m2, s: np.sqrt((_ratio(size * m2, s) - 1) / stiffness),
        )
    return {name: row for name, row in table.items() if all(need in available for need in row[0])}


def _ratio(total: Any, part: Any) -> Any:
    """total/part, NaN where the part is nothing but rounding."""
    return np.where(np.abs(part) > 1e-12 * np.abs(total), total / part, np.nan)


def _average(samples: Samples) -> Estimate:
    chains = checked_chains(samples)
    values = np.concatenate(chains)
    mean = float(values.mean())
    if not is_fluctuation(float(np.mean((values - mean) ** 2)), mean):
        return _constant(mean, values.size)
    return _from_chains(lambda: Estimate.from_gamma(gamma_method(chains)), mean, values.size)


def _derived(formula: Callable[..., Any], powers: Mapping[str, list[np.ndarray]]) -> Estimate:
    pooled = {name: np.concatenate(chains) for name, chains in powers.items()}
    n = next(iter(pooled.values())).size
    means = {name: values.mean() for name, values in pooled.items()}
    with np.errstate(all="ignore"):
        value = float(formula(**means))
    if not math.isfinite(value):
        return Estimate(math.nan, math.nan, n=n)
    if not any(is_fluctuation(float(np.var(pooled[name])), float(means[name])) for name in pooled):
        return _constant(value, n)
    return _from_chains(lambda: Estimate.from_gamma(gamma_derived(formula, powers)), value, n)


def _from_chains(analyse: Callable[[], Estimate], value: float, n: int) -> Estimate:
    """The analysis, or the value with an unknown error where the samples do not give one."""
    try:
        return analyse()
    except NumericalError:
        return Estimate(value, math.nan, short=True, n=n)


def _constant(value: float, n: int) -> Estimate:
    return Estimate(value, 0.0, tau_int=0.5, tau_int_error=0.0, n=n)
