"""Direct thermometers: the temperature at which a model has a measured magnetization or energy."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.optimize
from scipy.interpolate import PchipInterpolator
from scipy.special import logsumexp

from deeprg.exact import kaufman, magnetization_distribution
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice
from deeprg.montecarlo.measurement import measure
from deeprg.montecarlo.samplers import build_sampler
from deeprg.runs.errors import UsageError

__all__ = [
    "Agreement",
    "DirectThermometer",
    "Reading",
    "compare_readings",
    "energy_thermometer",
    "magnetization_thermometer",
]

_WIDEST_EXACT = 8  # two milliseconds to fifty a temperature; an extent of 10 takes two seconds
_SIGMAS = 3.0


@dataclass(frozen=True)
class Reading:
    """A temperature with its standard error, in units of J.

    `place` is "inside", or "below" or "above" the range of the table: the temperature is then that end of the
    range, a bound and no reading, and the error is NaN.
    """

    temperature: float
    error: float
    place: Literal["inside", "below", "above"] = "inside"

    @property
    def inside(self) -> bool:
        """Whether this is a reading and no bound."""
        return self.place == "inside"

    def __str__(self) -> str:
        sign = {"inside": "", "below": "< ", "above": "> "}[self.place]
        error = f" ± {self.error:.2g}" if self.inside and self.error > 0 else ""
        return f"{sign}{self.temperature:.3f}{error}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; no error where there is no reading."""
        return {
            "temperature": self.temperature,
            "error": self.error if self.inside else None,
            "place": self.place,
        }


@dataclass(frozen=True, eq=False)
class DirectThermometer:
    """The inverse of a monotone table T -> f(T), by a monotone cubic between its points.

    quantity: what is read, such as "abs_magnetization".
    temperatures, values, errors: the table [k], temperatures rising; errors are 0 where it is exact.
    origin: where the table comes from, in words.

    Raises `UsageError` for fewer than 4 points, temperatures that do not rise, and values that are neither
    rising nor falling throughout: such a table has no inverse.

    >>> thermometer = DirectThermometer("f", np.arange(1.0, 6.0), np.arange(1.0, 6.0) ** 2, np.zeros(5))
    >>> print(thermometer.read(9.0, 0.6), "|", thermometer.read(30.0))
    3.000 ± 0.1 | > 5.000
    """

    quantity: str
    temperatures: np.ndarray
    values: np.ndarray
    errors: np.ndarray
    origin: str = ""

    def __post_init__(self) -> None:
        shapes = [np.shape(x) for x in (self.temperatures, self.values, self.errors)]
        if len(set(shapes)) > 1 or len(shapes[0]) != 1 or shapes[0][0] < 4:
            raise UsageError(f"a table of {shapes} is no thermometer; three arrays [k] with k >= 4 are.")
        steps = np.diff(self.values)
        if not (np.all(np.diff(self.temperatures) > 0) and (np.all(steps > 0) or np.all(steps < 0))):
            raise UsageError(
                f"the table of '{self.quantity}' cannot be inverted: temperatures must rise and values rise "
                "or fall throughout. Take fewer temperatures, a narrower range, or more samples."
            )

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest temperature that can be read."""
        return float(self.temperatures[0]), float(self.temperatures[-1])

    def expected(self, temperature: float) -> float:
        """f(T) of the table; `UsageError` outside its range."""
        low, high = self.range
        if not low <= temperature <= high:
            raise UsageError(f"T = {temperature} is outside the table, {low:g} ... {high:g}.")
        return float(self._curve(temperature))

    def read(self, value: float | int, error: float | int = 0.0) -> Reading:
        """T with f(T) = `value`, and the error √(σ² + σ_table²)/|f'(T)| from both errors.

        Raises `UsageError` for a value or an error that is not a number.
        """
        if not (math.isfinite(value) and math.isfinite(error) and error >= 0):
            raise UsageError(f"{self.quantity} = {value} ± {error} cannot be read; take finite numbers.")
        low, high = self.range
        if not min(self.values) <= value <= max(self.values):
            cold = abs(value - self.values[0]) < abs(value - self.values[-1])
            return Reading(low if cold else high, math.nan, "below" if cold else "above")
        if value in (self.values[0], self.values[-1]):
            found = low if value == self.values[0] else high
        else:
            root: Any = scipy.optimize.brentq(lambda t: float(self._curve(t)) - value, low, high)
            found = float(root)
        slope = abs(float(self._curve(found, 1)))
        total = math.hypot(error, float(np.interp(found, self.temperatures, self.errors)))
        return Reading(found, total / slope if slope > 0 else math.inf)

    @functools.cached_property
    def _curve(self) -> Any:
        return PchipInterpolator(self.temperatures, self.values)


@dataclass(frozen=True)
class Agreement:
    """Whether readings belong to one temperature.

    `temperature` and `error` are the weighted mean, `z` the distance of the two farthest readings in their
    standard errors; `agree` is None where a reading is only a bound.
    """

    agree: bool | None
    z: float
    temperature: float
    error: float


def compare_readings(readings: Sequence[Reading]) -> Agreement:
    """Whether all readings are within three standard errors of each other.

    An ensemble of the model at temperature T passes; one that passes with two quantities may still be no
    such ensemble. Raises `UsageError` for fewer than two readings.

    >>> from deeprg.probes import Reading, compare_readings
    >>> compare_readings([Reading(2.42, 0.01), Reading(3.11, 0.02)]).agree
    False
    """
    if len(readings) < 2:
        raise UsageError("one reading has nothing to agree with; give two or more.")
    if not all(one.inside and 0 < one.error < math.inf for one in readings):
        return Agreement(None, math.nan, math.nan, math.nan)
    weights = np.array([one.error**-2 for one in readings])
    mean = float(weights @ [one.temperature for one in readings] / weights.sum())
    z = max(
        abs(a.temperature - b.temperature) / math.hypot(a.error, b.error)
        for i, a in enumerate(readings)
        for b in readings[:i]
    )
    return Agreement(z <= _SIGMAS, z, mean, float(weights.sum() ** -0.5))


def energy_thermometer(
    shape: tuple[int, int], *, low: float = 0.5, high: float = 12.0, points: int = 461
) -> DirectThermometer:
    """T from the energy per site of the 2D Ising model (J = 1) on a torus, exact on any torus (Kaufman).

    Below T = 0.5 the energy is -2 up to 1e-6 and tells nothing; that is the default end of the range.

    >>> print(energy_thermometer((10, 10)).read(-1.4854, 0.01))
    2.262 ± 0.008
    """
    grid = np.linspace(low, high, points)
    values = np.array([kaufman(shape, float(t)).energy_per_site for t in grid])
    return DirectThermometer("energy_per_site", grid, values, np.zeros(points), "Kaufman, exact")


def magnetization_thermometer(
    shape: tuple[int, int],
    *,
    low: float = 1.0,
    high: float = 6.5,
    points: int = 56,
    method: Literal["auto", "exact", "simulated"] = "auto",
    chains: int = 32,
    draws: int = 60,
    seed: int = 0,
) -> DirectThermometer:
    """T from ⟨|m|⟩ of the 2D Ising model (J = 1) on a torus.

    "exact" takes the law of m by a transfer matrix (shorter extent up to 10). "simulated" joins Swendsen-Wang
    runs, about one standard deviation of the energy apart, by the multi-histogram method with Kaufman's ln Z
    for its free energies; errors by the jackknife over chains. "auto" is exact up to an extent of 8.

    Raises:
        UsageError: an unknown method, a torus too wide for "exact", too few draws.

    >>> print(magnetization_thermometer((4, 4), high=4.0, points=31).read(0.8, 0.01))
    2.400 ± 0.029
    """
    grid = np.linspace(low, high, points)
    if method not in ("auto", "exact", "simulated"):
        raise UsageError(f"There is no method '{method}'; choose from auto, exact, simulated.")
    if method == "exact" or (method == "auto" and max(shape) <= _WIDEST_EXACT):
        laws = (magnetization_distribution(Ising(Lattice(shape), float(t))) for t in grid)
        values = np.array([law.moment(1, absolute=True) for law in laws])
        return DirectThermometer("abs_magnetization", grid, values, np.zeros(points), "transfer matrix")
    values, errors = _simulated(shape, grid, chains, draws, seed)
    return DirectThermometer(
        "abs_magnetization", grid, values, errors, "Swendsen-Wang, multi-histogram with exact ln Z"
    )


def _simulated(
    shape: tuple[int, int], grid: np.ndarray, chains: int, draws: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """⟨|m|⟩ on the grid from simulations at several temperatures, all samples at each, with exact ln Z(T_k):

    w(E) = exp(-E/T)/sum_k n_k exp(-E/T_k)/Z(T_k).
    """
    temperatures, log_z = _ladder(shape, 0.9 * grid[0], 1.05 * grid[-1])
    meter, energies, sizes = Ising(Lattice(shape), 1.0), [], []  # one temperature: compiled once
    for temperature in temperatures:
        sampler = build_sampler("swendsen-wang", [Ising(Lattice(shape), float(temperature))], chains)
        state, _ = sampler.thermalise(sampler.start(seed=seed, order="mixed"), 100, seed=seed)
        drawn = sampler.run(state, draws, 5, seed=seed, block=0).configurations[:, 0]
        found = measure(meter, np.swapaxes(drawn, 0, 1))
        energies.append(math.prod(shape) * found["energy_per_site"])
        sizes.append(found["abs_magnetization"])
    energy, size = (np.concatenate(rows, axis=1) for rows in (energies, sizes))  # [chains, samples]
    shares = -energy[..., None] / temperatures - log_z + math.log(chains * draws)
    mixture = logsumexp(shares, axis=-1)
    values, errors = np.empty(len(grid)), np.empty(len(grid))
    for k, t in enumerate(grid):
        log_weights = -energy / t - mixture
        weights = np.exp(log_weights - log_weights.max())
        above, below = (weights * size).sum(axis=1), weights.sum(axis=1)  # chains are independent
        without = (above.sum() - above) / (below.sum() - below)
        values[k] = above.sum() / below.sum()
        errors[k] = math.sqrt((chains - 1) / chains * np.sum((without - without.mean()) ** 2))
    return values, errors


def _ladder(shape: tuple[int, int], low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Temperatures whose energies differ by about one standard deviation from each to the next, and ln Z."""
    fine = 1 / np.linspace(1 / high, 1 / low, 400)
    exact = [kaufman(shape, float(t)) for t in fine]
    spread = np.array([math.sqrt(max(one.specific_heat, 0.0) * math.prod(shape)) for one in exact]) * fine
    length = np.concatenate([[0.0], np.cumsum(np.diff(1 / fine) * (spread[1:] + spread[:-1]) / 2)])
    count = max(8, math.ceil(length[-1]) + 1)
    chosen = np.searchsorted(length, np.linspace(0, length[-1], count))
    chosen = np.unique(np.minimum(chosen, len(fine) - 1))
    return fine[chosen], np.array([exact[k].log_partition for k in chosen])
