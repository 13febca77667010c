"""One simulation, many temperatures: reweighting of histograms, from one temperature or from several."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special
from numpy.typing import ArrayLike

from deeprg.montecarlo._mbar import first_guess, least_overlap, log_mixture, solve
from deeprg.montecarlo.autocorrelation import Samples, checked_chains, gamma_method
from deeprg.montecarlo.jackknife import FEWEST_BLOCKS, TAUS_PER_BLOCK, Jackknife, block_sums, from_replicas
from deeprg.montecarlo.thermodynamics import check_temperature, formulas, moments
from deeprg.montecarlo.two_sample import independent_step
from deeprg.runs.errors import NumericalError, UsageError

__all__ = ["Curve", "ReweightedCurves", "multi_histogram", "reweight_temperature"]

_TRUSTED_SAMPLES = 100
_TAIL = 0.001
_LEFT_OVER = 0.1
_NAMES = {"e": "energy_per_site", "a": "abs_magnetization", "m2": "magnetization_squared"}


@dataclass(frozen=True)
class Curve:
    """A quantity over a grid of temperatures with its standard errors."""

    value: np.ndarray
    error: np.ndarray


@dataclass(frozen=True)
class ReweightedCurves:
    """What `reweight_temperature` and `multi_histogram` return, over the grid `temperatures`.

    observables: name to curve, with the names of `thermodynamics`.
    log_partition: ln Z(T) - ln Z(T_0), with T_0 the (first) simulated temperature.
    effective_samples: (Σw)²/Σw², in independent samples, that carry each temperature.
    trusted: whether these are 100 or more and the mean energy lies within what was sampled (0.1 % of the
        samples left on either side). Where it is false the values and their errors may both be wrong.
    short: a simulation has fewer than 50 tau_int steps, or its blocks fewer than 10: errors may be too small.
    overlap: smallest overlap of neighbouring simulations, 0 to ½; None for a single one.
    """

    temperatures: np.ndarray
    observables: dict[str, Curve]
    log_partition: Curve
    effective_samples: np.ndarray
    trusted: np.ndarray
    short: bool = False
    overlap: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; NaN and infinities become None."""

        def plain(array: np.ndarray) -> list[float | None]:
            return [float(v) if math.isfinite(v) else None for v in array]

        def curve(row: Curve) -> dict[str, Any]:
            return {"value": plain(row.value), "error": plain(row.error)}

        return {
            "temperatures": plain(self.temperatures),
            "observables": {name: curve(row) for name, row in self.observables.items()},
            "log_partition": curve(self.log_partition),
            "effective_samples": plain(self.effective_samples),
            "trusted": self.trusted.tolist(),
            "short": self.short,
            "overlap": self.overlap,
        }


def reweight_temperature(
    series: Mapping[str, Samples],
    size: int,
    temperature: float | int,
    new_temperatures: ArrayLike | float,
    *,
    blocks: int = 50,
) -> ReweightedCurves:
    """Averages at other temperatures from a simulation at one, with H = N e/T (no field).

    ⟨O⟩_T' = ⟨O w⟩/⟨w⟩ and Z(T')/Z(T) = ⟨w⟩ with w = exp[-N e (1/T' - 1/T)] (A. M. Ferrenberg and R. H.
    Swendsen, Phys. Rev. Lett. 61, 2635 (1988)). Errors by the jackknife over blocks. The reach is the range
    of energies that was sampled, |T' - T| of order T/√(N c): outside of it `trusted` is false.

    Args:
        series: `energy_per_site`, and `abs_magnetization`, `magnetization_squared` where wanted: `[steps]`,
            `[chains, steps]` or a list of vectors.
        size: the number of sites N.
        temperature: of the simulation.
        new_temperatures: T', `[m]`.
        blocks: of the jackknife, 10 or more.

    Raises:
        UsageError: no energies, temperatures that are not positive, too few samples for the blocks.
        NumericalError: no T' can be reached from this simulation.

    Two levels e = ±1 on one site: ⟨e⟩ = -tanh(1/T), -0.8337 at T' = 1/1.2:

    >>> e = np.where(np.random.default_rng(0).random((4, 5000)) < 1 / (1 + np.exp(-2.0)), -1.0, 1.0)
    >>> found = reweight_temperature({"energy_per_site": e}, 1, 1.0, [1 / 1.2]).observables["energy_per_site"]
    >>> print(f"{found.value[0]:.4f} +- {found.error[0]:.4f}")
    -0.8370 +- 0.0035
    """
    check_temperature(temperature)
    grid, series = _grid(new_temperatures), _used(series)
    powers, offset = _moments(series)
    energy = np.concatenate(powers["e"])
    sums: list[np.ndarray] = []
    kish, names = [], list(powers)
    for t in grid:
        exponent = [-size * (1 / t - 1 / temperature) * e for e in powers["e"]]
        top = max(float(x.max()) for x in exponent)
        weight = [np.exp(x - top) for x in exponent]
        columns = [
            np.stack([w, *(w * powers[name][c] for name in names)], axis=1) for c, w in enumerate(weight)
        ]
        block, counts = block_sums(columns, blocks)
        sums.append(block)
        flat = np.concatenate(weight)
        kish.append((flat.sum() ** 2 / np.sum(flat**2), top))
    table = np.stack(sums, axis=1)  # [blocks, temperatures, 1 + moments]
    shift = np.array([top for _, top in kish]) - size * offset * (1 / grid - 1 / temperature)

    def curves(sums: np.ndarray, n: Any) -> dict[str, np.ndarray]:
        with np.errstate(all="ignore"):  # far away all the weight may sit in the block that is left out
            means = {name: sums[..., 1 + p] / sums[..., 0] for p, name in enumerate(names)}
            log_partition = np.log(sums[..., 0] / n) + shift
        return _quantities(means, offset, size, grid) | {"log_partition": log_partition}

    value = curves(table.sum(axis=0), counts.sum())
    replicas = curves(table.sum(axis=0) - table, (counts.sum() - counts)[:, None])
    tau, short = _tau(series)
    effective = np.array([k for k, _ in kish]) / (2 * tau)
    short = short or bool(counts.min() < TAUS_PER_BLOCK * tau)
    return _collect(value, replicas, grid, effective, energy + offset, short=short, overlap=None)


def multi_histogram(
    series: Mapping[str, Sequence[Samples] | np.ndarray],
    size: int,
    temperatures: ArrayLike,
    new_temperatures: ArrayLike | float,
    *,
    blocks: int = 30,
) -> ReweightedCurves:
    """Averages and ln Z over a range of temperatures from simulations at several, with H = N e/T (no field).

    All samples count at every temperature, with the weights of the multistate Bennett acceptance ratio, the
    multi-histogram method without bins (A. M. Ferrenberg and R. H. Swendsen, Phys. Rev. Lett. 63, 1195
    (1989); M. R. Shirts and J. D. Chodera, arXiv:0801.1426; solved by `pymbar`):

        w(e) = exp(-N e/T') / Σ_k n_k exp(f_k - N e/T_k),   f_k = -ln Z(T_k), found self-consistently.

    The series are first thinned to nearly independent samples; errors by the jackknife over blocks, with the
    equations solved anew without each.

    Args:
        series: `energy_per_site`, and `abs_magnetization`, `magnetization_squared` where wanted, each with
            one entry per temperature: `[temperatures, chains, steps]`, or a list of samples.
        size: the number of sites N.
        temperatures: of the simulations, `[k]`; ln Z is relative to the first.
        new_temperatures: T', `[m]`.
        blocks: of the jackknife, 10 or more.

    Raises:
        UsageError: no energies, shapes that do not match, temperatures that are not positive or given twice,
            or fewer than two samples per block.
        NumericalError: neighbouring simulations do not overlap, the equations could not be solved, or no T'
            can be reached.

    Two levels e = ±1 on one site: ln Z = ln(2 cosh 1/T), 0.3137 more at T = 1 than at 2:

    >>> rng = np.random.default_rng(0)
    >>> e = [np.where(rng.random((2, 5000)) < 1 / (1 + np.exp(-2 / t)), -1.0, 1.0) for t in (2.0, 1.0)]
    >>> found = multi_histogram({"energy_per_site": e}, 1, [2.0, 1.0], [1.0, 1.5]).log_partition
    >>> print(f"{found.value[0]:.4f} +- {found.error[0]:.4f}")
    0.3151 +- 0.0029
    """
    sampled, grid, series = _grid(temperatures), _grid(new_temperatures), _used(series)
    if blocks < FEWEST_BLOCKS:
        raise UsageError(f"blocks = {blocks} is too few for an error; take {FEWEST_BLOCKS} or more.")
    if np.unique(sampled).size != sampled.size:
        raise UsageError(f"temperatures {sampled.tolist()} holds a value twice; join its chains.")
    for name, rows in series.items():
        if len(rows) != sampled.size:
            raise UsageError(f"Series '{name}' has {len(rows)} entries for {sampled.size} temperatures.")
    thinned = [
        _thinned({name: rows[k] for name, rows in series.items()}, blocks) for k in range(sampled.size)
    ]
    kept = [row for row, _ in thinned]
    powers, offset = _moments({name: np.concatenate([row[name] for row in kept]) for name in series})
    columns = {name: parts[0] for name, parts in powers.items()}
    numbers = np.array([row["energy_per_site"].size for row in kept])
    block = np.concatenate([np.repeat(np.arange(blocks), n // blocks) for n in numbers])
    reduced = size * columns["e"] / sampled[:, None]

    def curves(use: np.ndarray, counts: np.ndarray, guess: np.ndarray) -> dict[str, np.ndarray]:
        free = solve(reduced[:, use], counts, guess)
        mixture = log_mixture(reduced[:, use], counts, free)
        table = np.stack([values[use] for values in columns.values()], axis=1)
        log_z, kish, averages = np.empty(grid.size), np.empty(grid.size), np.empty((len(columns), grid.size))
        for j, t in enumerate(grid):
            log_weights = -size / t * columns["e"][use] - mixture
            log_z[j] = scipy.special.logsumexp(log_weights)
            p = np.exp(log_weights - log_z[j])
            averages[:, j], kish[j] = p @ table, 1 / (p @ p)
        means = dict(zip(columns, averages, strict=True))
        shift = -size * offset * (1 / grid - 1 / sampled[0])
        found = _quantities(means, offset, size, grid) | {"log_partition": log_z + shift}
        return found | {"kish": kish, "free": free, "mixture": mixture}

    everything = np.ones(numbers.sum(), dtype=bool)
    value = curves(everything, numbers, first_guess(reduced, numbers, sampled))
    weights = np.exp(value["free"][:, None] - reduced - value.pop("mixture"))
    overlap = least_overlap(weights, numbers, sampled)
    free, kish = value.pop("free"), value.pop("kish")
    rows = [curves(block != b, numbers - numbers // blocks, free) for b in range(blocks)]
    replicas = {name: np.stack([row[name] for row in rows]) for name in value}
    short = any(flag for _, flag in thinned)
    return _collect(value, replicas, grid, kish, columns["e"] + offset, short=short, overlap=overlap)


def _grid(temperatures: ArrayLike | float) -> np.ndarray:
    grid = np.atleast_1d(np.asarray(temperatures, dtype=np.float64))
    if grid.ndim != 1 or not grid.size:
        raise UsageError(f"Temperatures have shape {grid.shape}; give a list of one or more.")
    for value in grid:
        check_temperature(float(value))
    return grid


def _moments(series: Mapping[str, Samples]) -> tuple[dict[str, list[np.ndarray]], float]:
    powers, offset = moments(series)
    lengths = {name: [chain.size for chain in chains] for name, chains in powers.items()}
    if any(found != lengths["e"] for found in lengths.values()):
        raise UsageError("The series differ in length; they must come from the same chains.")
    return powers, offset


def _quantities(
    means: Mapping[str, np.ndarray], offset: float, size: int, grid: np.ndarray
) -> dict[str, np.ndarray]:
    found = {_NAMES[name]: mean for name, mean in means.items() if name in _NAMES}
    found["energy_per_site"] = means["e"] + offset
    with np.errstate(all="ignore"):
        for name, (needs, formula) in formulas(means, size, grid, None).items():
            found[name] = formula(**{need: means[need] for need in needs})
    return found


def _collect(
    value: dict[str, np.ndarray],
    replicas: Mapping[str, np.ndarray],
    grid: np.ndarray,
    effective: np.ndarray,
    energies: np.ndarray,
    *,
    short: bool,
    overlap: float | None,
) -> ReweightedCurves:
    curves = {}
    with np.errstate(all="ignore"):
        for name, row in value.items():
            found: Jackknife = from_replicas(row, replicas[name])
            curves[name] = Curve(row, np.asarray(found.error))
    mean = value["energy_per_site"]
    lowest, highest = np.quantile(energies, [_TAIL, 1 - _TAIL])
    trusted = (effective >= _TRUSTED_SAMPLES) & (mean >= lowest) & (mean <= highest)
    if not trusted.any():
        raise NumericalError(
            f"None of the temperatures {grid.min():.6g} … {grid.max():.6g} can be reached: at most "
            f"{effective.max():.3g} independent samples carry one, {_TRUSTED_SAMPLES} are needed, and the "
            f"mean energy must lie within {lowest:.6g} … {highest:.6g}. Simulate closer to them, or longer."
        )
    return ReweightedCurves(grid, curves, curves.pop("log_partition"), effective, trusted, short, overlap)


def _used(series: Mapping[str, Any]) -> dict[str, Any]:
    """The series that the formulas use, refused without the energy."""
    if "energy_per_site" not in series:
        raise UsageError(f"The series {sorted(series)} lack 'energy_per_site', which carries the weights.")
    return {name: series[name] for name in _NAMES.values() if name in series}


def _tau(series: Mapping[str, Samples]) -> tuple[float, bool]:
    """The longest tau_int of the series, and whether one of them is short of steps."""
    tau, short = 0.5, False
    for samples in series.values():
        try:
            found = gamma_method(samples)
        except NumericalError:  # a constant
            continue
        tau, short = max(tau, found.tau_int), short or found.short
    return tau, short


def _thinned(row: Mapping[str, Samples], blocks: int) -> tuple[dict[str, np.ndarray], bool]:
    """The samples of one temperature, thinned until independent and cut to a multiple of `blocks`."""
    tau, short = _tau(row)
    step = independent_step(tau, left_over=_LEFT_OVER)
    kept = {
        name: np.concatenate([chain[::step] for chain in checked_chains(samples)])
        for name, samples in row.items()
    }
    n = kept["energy_per_site"].size
    if n < 2 * blocks:
        raise UsageError(
            f"A temperature has {n} independent samples (tau_int = {tau:.3g}), fewer than 2 for each of the "
            f"{blocks} blocks. Take more samples or fewer blocks."
        )
    return {name: values[: n - n % blocks] for name, values in kept.items()}, short
