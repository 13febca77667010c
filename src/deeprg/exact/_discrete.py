"""Every configuration of a small discrete model with its probability, and exact averages over them."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from ..hamiltonians import AbstractHamiltonian, Dimers, Ising, Potts, RandomBondIsing
from ..lattice import Lattice
from ..runs.errors import UsageError
from ._derived import derived
from ._dimer_count import log_dimer_count

__all__ = ["DiscreteDistribution", "dimer_coverings", "enumerate_distribution"]

_MOST_STATES = 1 << 20
_CHUNK = 1 << 14


@dataclass(frozen=True)
class DiscreteDistribution:
    """All states of a Hamiltonian with their probabilities, in float64.

    `states` int8 [n, *shape], `probabilities` [n], `log_partition` ln Z.
    """

    hamiltonian: AbstractHamiltonian
    states: np.ndarray
    probabilities: np.ndarray
    log_partition: float

    def expectation(self, values: np.ndarray) -> float:
        """The mean of a quantity that is given for every state, [n].

        >>> ising = Ising(Lattice((4,)), temperature=1.0)
        >>> distribution = enumerate_distribution(ising)
        >>> corners = distribution.states[:, 0] * distribution.states[:, 1]
        >>> round(distribution.expectation(corners), 6)
        0.900413
        """
        values = np.asarray(values, np.float64)
        if values.shape != self.probabilities.shape:
            raise UsageError(
                f"One value per state is needed, shape {self.probabilities.shape}, not {values.shape}."
            )
        return float(self.probabilities @ values)

    @functools.cached_property
    def scalars(self) -> dict[str, np.ndarray]:
        """The Hamiltonian's scalars of every state, name to [n]."""
        return _measure(self.hamiltonian.scalars, self.states)

    @property
    def means(self) -> dict[str, float]:
        """The exact means of the Hamiltonian's scalars.

        >>> means = enumerate_distribution(Potts(Lattice((2, 2)), temperature=1.0)).means
        >>> round(means["energy_per_site"], 6)
        -1.795786
        """
        return {name: self.expectation(values) for name, values in self.scalars.items()}

    @property
    def derived(self) -> dict[str, float]:
        """Specific heat, susceptibility, Binder cumulant and second-moment correlation length, exact.

        >>> derived = enumerate_distribution(Ising(Lattice((3, 3)), temperature=2.269185314213022)).derived
        >>> round(derived["binder_cumulant"], 9)
        0.620146561
        """
        means, scalars = self.means, self.scalars
        return derived(
            self.hamiltonian,
            means,
            energy_squared=self.expectation(scalars["energy_per_site"] ** 2),
            magnetization_fourth=self.expectation(scalars["magnetization_squared"] ** 2),
        )


def enumerate_distribution(hamiltonian: AbstractHamiltonian) -> DiscreteDistribution:
    """The law of a small model with finitely many states: Ising with any bonds, Potts, dimers.

    The energy is evaluated for every state in float64. Raises `UsageError` for other models, and above 2^20
    states.

    >>> model = Dimers(Lattice((4, 4)), temperature=1.0, interaction=0.0)
    >>> distribution = enumerate_distribution(model)
    >>> len(distribution.states), round(distribution.log_partition, 6)
    (272, 5.605802)
    """
    states = _states(hamiltonian)
    log_weights = -_measure(lambda x: {"": hamiltonian.energy(x)}, states)[""]
    highest = log_weights.max()
    weights = np.exp(log_weights - highest)
    norm = weights.sum()
    return DiscreteDistribution(hamiltonian, states, weights / norm, float(highest + math.log(norm)))


def dimer_coverings(lattice: Lattice) -> np.ndarray:
    """All dimer coverings of a lattice with two even extents, int8 [n, *shape], directions as in `Dimers`.

    Site after site, every covering so far is continued in all possible ways. Raises `UsageError` above 2^20.

    >>> [len(dimer_coverings(Lattice(shape))) for shape in [(2, 2), (4, 4), (4, 6)]]
    [8, 272, 3108]
    """
    Dimers(lattice, 1.0)  # checks the extents
    neighbours = lattice.neighbours()
    partial = np.full((1, lattice.size), -1, np.int8)
    for site in range(lattice.size):
        free = partial[:, site] < 0
        grown = [partial[~free]]
        for direction in range(4):
            partner = neighbours[site, direction]
            chosen = partial[free & (partial[:, partner] < 0)]
            chosen[:, site], chosen[:, partner] = direction, direction ^ 1
            grown.append(chosen)
        partial = np.concatenate(grown)
        if len(partial) > 4 * _MOST_STATES:
            raise UsageError(f"The lattice {lattice} has too many dimer coverings to list; 6x6 is possible.")
    return partial.reshape(-1, *lattice.shape)


def log_state_count(hamiltonian: AbstractHamiltonian) -> float:
    """ln of the number of states that `enumerate_distribution` would list, infinity for a real field."""
    size = hamiltonian.lattice.size
    match hamiltonian:
        case Ising() | RandomBondIsing():
            return size * math.log(2)
        case Potts():
            return size * math.log(hamiltonian.states)
        case Dimers():
            return log_dimer_count(hamiltonian.lattice)
        case _:
            return math.inf


def _states(hamiltonian: AbstractHamiltonian) -> np.ndarray:
    log_count, lattice = log_state_count(hamiltonian), hamiltonian.lattice
    if log_count > math.log(_MOST_STATES) + 1e-9:
        what = "infinitely many" if math.isinf(log_count) else f"10^{log_count / math.log(10):.1f}"
        raise UsageError(
            f"Enumeration takes at most {_MOST_STATES} states, but this model has {what}: "
            f"{hamiltonian.describe()}"
        )
    if isinstance(hamiltonian, Dimers):
        return dimer_coverings(lattice)
    base = hamiltonian.states if isinstance(hamiltonian, Potts) else 2
    number = np.arange(base**lattice.size)
    digits = np.empty((len(number), lattice.size), np.int8)
    for site in range(lattice.size):
        digits[:, site] = number % base
        number //= base
    if not isinstance(hamiltonian, Potts):
        digits = 2 * digits - 1
    return digits.reshape(-1, *lattice.shape)


def _measure(function: Callable[[jax.Array], dict], states: np.ndarray) -> dict[str, np.ndarray]:
    """A function of one configuration on all of them, on the CPU in float64, chunk after chunk."""
    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        evaluate = jax.jit(jax.vmap(function))
        chunks = []
        for start in range(0, len(states), _CHUNK):
            chunk = states[start : start + _CHUNK]
            full = np.concatenate(
                [chunk, np.repeat(chunk[-1:], min(_CHUNK, len(states)) - len(chunk), axis=0)]
            )
            values = evaluate(jnp.asarray(full))
            chunks.append({name: np.asarray(value)[: len(chunk)] for name, value in values.items()})
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
