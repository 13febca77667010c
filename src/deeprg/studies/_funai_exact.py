"""The Ising model on a small torus in any field and at any temperature of a range, exactly."""

import functools
from dataclasses import dataclass

import numpy as np
import scipy.optimize
from numpy.polynomial import chebyshev

from deeprg.exact import kaufman, magnetization_distribution
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice
from deeprg.probes import DirectThermometer
from deeprg.runs.errors import UsageError

__all__ = ["FieldTable", "Peak", "State", "field_table"]

_LOW, _HIGH, _NODES = 1.25, 6.5, 14
_GRID = 106


@dataclass(frozen=True)
class State:
    """Averages per site: the bond energy e (J = 1, without the field's), ⟨m⟩, ⟨|m|⟩, and c_H = dE/dT/N."""

    energy: float
    magnetization: float
    abs_magnetization: float
    specific_heat: float


@dataclass(frozen=True)
class Peak:
    """Where the specific heat at constant field is largest."""

    field: float
    temperature: float
    state: State

    @property
    def order(self) -> float:
        """⟨|m|⟩ without a field, ⟨m⟩ with one."""
        return self.state.abs_magnetization if self.field == 0 else self.state.magnetization


@dataclass(frozen=True, eq=False)
class FieldTable:
    """ln Z(K, M) of every magnetization M as a polynomial in K = 1/T: `coefficients` [nodes, N + 1].

    With w_M(K, H) = Z(K, M) exp(K H M) all averages are sums over M, and those of the energy derivatives by
    K. `low`, `high`: the range of temperatures.
    """

    size: int
    low: float
    high: float
    coefficients: np.ndarray

    def at(self, temperature: float, field: float = 0.0) -> State:
        """The averages at T in the field H, both in units of J; `UsageError` outside of the range.

        >>> found = field_table(4).at(2.269185314213022)
        >>> round(found.energy, 4), round(found.specific_heat, 4), round(found.abs_magnetization, 4)
        (-1.5656, 0.7833, 0.8439)
        """
        if not self.low <= temperature <= self.high:
            raise UsageError(f"T = {temperature} is outside of the table, {self.low:g} ... {self.high:g}.")
        k, sites = 1 / temperature, self.size**2
        m = (2 * np.arange(sites + 1) - sites) / sites
        value, first, second = self._jet(k)
        weight = value + k * field * sites * m
        p = np.exp(weight - np.logaddexp.reduce(weight))
        slope = first + field * sites * m  # of ln w by K: minus the energy
        variance = p @ (second + slope**2) - (p @ slope) ** 2
        return State(
            energy=float(-(p @ first) / sites),
            magnetization=float(p @ m),
            abs_magnetization=float(p @ np.abs(m)),
            specific_heat=float(k**2 * variance / sites),
        )

    def peak(self, field: float = 0.0) -> Peak:
        """The temperature of the largest c_H, and the state there; `UsageError` where it is out of range.

        >>> found = field_table(4).peak()
        >>> round(found.temperature, 3), round(found.state.specific_heat, 3)
        (2.439, 0.816)
        """
        grid = self.temperatures
        best = int(np.argmax([self.at(float(t), field).specific_heat for t in grid]))
        if best in (0, len(grid) - 1):
            raise UsageError(f"the specific heat at H = {field:g} has no maximum within the table.")
        found = scipy.optimize.minimize_scalar(
            lambda t: -self.at(float(t), field).specific_heat,
            bounds=(grid[best - 1], grid[best + 1]),
            method="bounded",
        )
        temperature = float(found.x)  # pyright: ignore[reportAttributeAccessIssue]
        return Peak(field, temperature, self.at(temperature, field))

    def thermometers(self, field: float = 0.0) -> dict[str, DirectThermometer]:
        """What inverts e(T) and |m|(T), in a field m(T), at constant H."""
        states = [self.at(float(t), field) for t in self.temperatures]
        order = "abs_magnetization" if field == 0 else "magnetization"
        tables = {
            "|m|" if field == 0 else "m": (order, [getattr(state, order) for state in states]),
            "e": ("energy_per_site", [state.energy for state in states]),
        }
        none = np.zeros(len(states))
        return {
            name: DirectThermometer(quantity, self.temperatures, np.array(values), none, "transfer matrix")
            for name, (quantity, values) in tables.items()
        }

    @property
    def temperatures(self) -> np.ndarray:
        """A grid over the range."""
        return np.linspace(self.low, self.high, _GRID)

    @functools.cached_property
    def error(self) -> float:
        """The largest error of c without a field, against Kaufman's formula: that of the polynomial."""
        shape = (self.size, self.size)
        return max(
            abs(self.at(float(t)).specific_heat - kaufman(shape, float(t)).specific_heat)
            for t in self.temperatures
        )

    def _jet(self, k: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """ln Z(K, M) and its first two derivatives by K."""
        half = 0.5 * (1 / self.low - 1 / self.high)
        x = (k - 1 / self.high) / half - 1
        derivatives = [chebyshev.chebder(self.coefficients, n) / half**n for n in range(3)]
        value, first, second = (np.asarray(chebyshev.chebval(x, rows)) for rows in derivatives)
        return value, first, second


@functools.lru_cache(maxsize=4)
def field_table(size: int, low: float = _LOW, high: float = _HIGH, nodes: int = _NODES) -> FieldTable:
    """The table of the size x size torus, size up to 10, from exact laws of m at `nodes` couplings.

    Each law comes from the transfer matrix (`deeprg.exact.magnetization_distribution`); between the nodes, at
    the zeros of a Chebyshev polynomial in K, ln Z(K, M) is interpolated. On 10 x 10 a law takes two seconds.
    """
    x = np.cos(np.pi * (np.arange(nodes) + 0.5) / nodes)
    couplings = 1 / high + 0.5 * (1 / low - 1 / high) * (x + 1)
    rows = []
    for k in couplings:
        law = magnetization_distribution(Ising(Lattice((size, size)), float(1 / k)))
        rows.append(np.log(law.probabilities) + law.log_partition)
    return FieldTable(size, low, high, chebyshev.chebfit(x, np.array(rows), nodes - 1))
