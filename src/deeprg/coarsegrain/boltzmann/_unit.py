"""What a unit of a Boltzmann machine is: its states, its law in a field, and exact draws from it."""

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ...exact.layered import HiddenPrior
from ...runs.errors import UsageError

__all__ = ["AbstractUnit", "refuse"]


class AbstractUnit(eqx.Module):
    """One kind of unit: x with weight exp(-U(x)), and its law p(x | t) = exp(t.x - U(x) - K(t)) in a field t.

    Values are statistics, [..., n q] for n units: q = 1 number for each unit, or the one-hot vector of q
    numbers of a Potts unit, unit after unit. Fields have the shape of the statistics. A unit has static
    parameters only; it is hashable, and no array. A new kind is one subclass and one line in `UNITS`.
    """

    name: ClassVar[str]
    q: eqx.AbstractVar[int]

    @property
    @abc.abstractmethod
    def prior(self) -> HiddenPrior:
        """The unit as `deeprg.exact.layered` knows it: K(t) with its cumulants."""

    @property
    def states(self) -> np.ndarray | None:
        """The statistics of all states of one unit, [k, q]; None where they are not finitely many."""
        return None

    @abc.abstractmethod
    def mean(self, field: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """The expected statistic K'(t) in the field, [..., n q]."""

    @abc.abstractmethod
    def field_of(self, mean: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """A field with the given mean, [..., n q]: the inverse of `mean`; infinite at the range's ends."""

    @abc.abstractmethod
    def sample(self, field: Float[Array, "*batch n"], *, key: PRNGKeyArray) -> Float[Array, "*batch n"]:
        """An exact draw from p(x | field), [..., n q], in the dtype of the field."""

    @abc.abstractmethod
    def check(self, x: Any, what: str) -> None:
        """Raise `UsageError`, which names `what`, the value and the remedy, unless x is in the domain."""

    def log_sum(self, field: Float[Array, "*batch n"]) -> Float[Array, "*batch units"]:
        """K(t) = ln sum_x exp(t.x - U(x)), one number for each unit, [..., n]."""
        return self.prior.log_sum(field)

    def self_energy(self, x: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
        """The sum of U over the units, [...]."""
        return jnp.zeros(x.shape[:-1], x.dtype)

    def encode(self, values: Float[Array, "*batch n"]) -> Float[Array, "*batch m"]:
        """The statistics of a lattice configuration: spins ±1, colours 0 ... q - 1 or real numbers."""
        return values

    def decode(self, x: Float[Array, "*batch m"]) -> Float[Array, "*batch n"]:
        """The lattice configuration of statistics, the inverse of `encode`."""
        return x

    def check_values(self, values: Any, what: str) -> None:
        """Raise `UsageError` unless `values` are a lattice configuration: what `encode` takes."""
        self.check(values, what)


def refuse(x: Any, allowed: Any, what: str, remedy: str) -> None:
    """`UsageError` with the first value that is not allowed and what to do about it."""
    array = np.asarray(x)
    good = allowed(array)
    if not good.all():
        wrong = array[~good]
        raise UsageError(f"{what} holds {wrong.flat[0]:g} ({wrong.size} of {array.size} values); {remedy}.")
