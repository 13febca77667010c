"""Second-order Taylor arithmetic: a function of one variable with its first two derivatives, on arrays."""

from typing import NamedTuple

import numpy as np

Value = float | np.ndarray


class Jet(NamedTuple):
    """f, f' and f'' at one point; arrays that broadcast against each other."""

    value: Value
    first: Value
    second: Value

    def scale(self, factor: Value) -> "Jet":
        """The jet of factor * f."""
        return Jet(factor * self.value, factor * self.first, factor * self.second)

    def plus(self, other: "Jet | float") -> "Jet":
        """The jet of f + g, or of f + constant."""
        if isinstance(other, Jet):
            return Jet(self.value + other.value, self.first + other.first, self.second + other.second)
        return Jet(self.value + other, self.first, self.second)

    def times(self, other: "Jet") -> "Jet":
        """The jet of f g."""
        return Jet(
            self.value * other.value,
            self.first * other.value + self.value * other.first,
            self.second * other.value + 2 * self.first * other.first + self.value * other.second,
        )

    def log(self) -> "Jet":
        """The jet of ln f, f > 0."""
        first = self.first / self.value
        return Jet(np.log(self.value), first, self.second / self.value - first**2)

    def log1p(self) -> "Jet":
        """The jet of ln(1 + f), f > -1."""
        first = self.first / (1 + self.value)
        return Jet(np.log1p(self.value), first, self.second / (1 + self.value) - first**2)

    def power(self, exponent: float) -> "Jet":
        """The jet of f^exponent, f > 0."""
        value, first = self.value**exponent, self.first / self.value
        curvature = self.second / self.value + (exponent - 1) * first**2
        return Jet(value, exponent * first * value, exponent * curvature * value)

    def take(self, mask: np.ndarray) -> "Jet":
        """The elements that a mask selects, after broadcasting to its shape."""
        return Jet(*(np.broadcast_to(part, mask.shape)[mask] for part in self))

    def sum(self) -> "Jet":
        """The jet of the sum over all elements."""
        return Jet(np.sum(self.value), np.sum(self.first), np.sum(self.second))
