"""The couplings of an energy on two-valued variables, by order: the object, and how it is made."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from ...runs.errors import UsageError
from ._checks import real_numbers, set_of_sites
from ._transforms import (
    DEFAULT_LIMIT,
    check_spins,
    check_variables,
    inverse_mobius,
    inverse_walsh_hadamard,
    mobius,
    rows,
    variables_of,
    walsh_hadamard,
)

__all__ = ["Couplings", "Terms", "couplings_of"]

_CHUNK = 1 << 14


@dataclass(frozen=True, eq=False)
class Terms:
    """The couplings of one order k: sets of sites [count, k], values [count], and errors [count] or None.

    Sites within a set rise, and the sets are in lexicographic order. Errors are there when the values
    are Monte Carlo estimates.
    """

    sites: np.ndarray
    values: np.ndarray
    errors: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values)

    def to_dict(self) -> dict[tuple[int, ...], float]:
        """Set of sites to coupling.

        >>> Terms(np.array([[0, 1]]), np.array([0.5])).to_dict()
        {(0, 1): 0.5}
        """
        return {tuple(s): float(v) for s, v in zip(self.sites.tolist(), self.values.tolist(), strict=True)}


@dataclass(frozen=True, eq=False, repr=False)
class Couplings:
    """The action f(x) = -H(x) of n two-valued variables as a sum over sets, f = sum_S J_S prod_{i in S} x_i.

    A positive J_S lowers the energy: K = -beta H, as in K s_i s_j. `spins` is "pm" (±1) or "binary" (0, 1).
    Either all 2^n coefficients are held (`coefficients`, in the order of the transforms), or `terms` by
    order. A set that is not held has the coupling `absent`: 0, or NaN where it was not computed.

    >>> ring = Couplings.from_terms(3, {(0, 1): 0.5, (1, 2): 0.5, (2, 0): 0.5, (1,): 0.1})
    >>> ring[1, 0], float(ring.action([1, 1, 1])), ring.largest(1)
    (0.5, 1.6, [((0, 1), 0.5)])
    """

    n: int
    spins: str = "pm"
    coefficients: np.ndarray | None = None
    terms: Mapping[int, Terms] = field(default_factory=dict)
    absent: float = 0.0

    @classmethod
    def from_terms(
        cls, n: int, terms: Mapping[tuple[int, ...], float | int], spins: str = "pm"
    ) -> "Couplings":
        """Couplings from a mapping of sets of sites to numbers; sets that are not named have none.

        Raises `UsageError` for a repeated or unknown site, a set named twice, or a number that is not finite.

        >>> Couplings.from_terms(2, {(): 1.0, (0, 1): 0.5}).orders
        (0, 2)
        """
        check_spins(spins)
        by_order: dict[int, dict[tuple[int, ...], float]] = {}
        for sites, value in terms.items():
            key, order = set_of_sites(sites, n), len(sites)
            if key in by_order.setdefault(order, {}):
                raise UsageError(f"The set {key} is named twice; add the two couplings.")
            if not np.isfinite(value):
                raise UsageError(f"The coupling of the set {key} is {value}; it must be finite.")
            by_order[order][key] = float(value)
        return cls(n, spins, None, {order: _terms(by_order[order], order) for order in sorted(by_order)})

    @property
    def orders(self) -> tuple[int, ...]:
        """The orders that are held."""
        return tuple(range(self.n + 1)) if self.coefficients is not None else tuple(sorted(self.terms))

    @property
    def constant(self) -> float:
        """The coupling of the empty set."""
        return self[()]

    def __getitem__(self, sites: int | tuple[int, ...]) -> float:
        key = set_of_sites((sites,) if isinstance(sites, int) else sites, self.n)
        if self.coefficients is not None:
            return float(self.coefficients[sum(1 << site for site in key)])
        held = self.order(len(key))
        found = np.flatnonzero((held.sites == np.array(key, int)).all(axis=1))
        if found.size == 0 and np.isnan(self.absent):
            raise UsageError(f"The coupling of the set {key} was not computed; name it in `sets`.")
        return float(held.values[found[0]]) if found.size else self.absent

    def order(self, k: int) -> Terms:
        """All couplings of k variables that are held.

        Raises `UsageError` for an order that was not computed.

        >>> couplings_of([1.0, 0.0, 0.0, 0.0], "pm").order(1).values.tolist()
        [0.25, 0.25]
        """
        if self.coefficients is None:
            if k in self.terms:
                return self.terms[k]
            if np.isnan(self.absent):
                raise UsageError(f"The couplings of order {k} were not computed; held: {self.orders}.")
            return Terms(np.empty((0, k), int), np.empty(0))
        masks = np.flatnonzero(np.bitwise_count(np.arange(1 << self.n)) == k)
        sites = bits(masks, self.n, k)
        rising = np.lexsort(sites.T[::-1]) if k else np.arange(1)
        return Terms(sites[rising], self.coefficients[masks[rising]])

    def by_order(self) -> dict[int, dict[tuple[int, ...], float]]:
        """Order to sets to couplings, as plain numbers.

        >>> couplings_of([1.0, 0.0, 0.0, 0.0], "binary").by_order()
        {0: {(): 1.0}, 1: {(0,): -1.0, (1,): -1.0}, 2: {(0, 1): 1.0}}
        """
        return {k: self.order(k).to_dict() for k in self.orders}

    def fields(self) -> np.ndarray:
        """The couplings of single variables, [n]."""
        return self._tensor(1)

    def pairs(self) -> np.ndarray:
        """The couplings of pairs, symmetric with a zero diagonal, [n, n].

        >>> couplings_of([1.0, 0.0, 0.0, 1.0]).pairs().tolist()
        [[0.0, 0.5], [0.5, 0.0]]
        """
        return self._tensor(2)

    def triples(self) -> np.ndarray:
        """The couplings of triples, symmetric and zero where two indices agree, [n, n, n]."""
        return self._tensor(3)

    def largest(self, count: int = 10, orders: Iterable[int] | None = None) -> list[tuple[tuple, float]]:
        """The sets with the largest |J_S|, the constant left out unless `orders` names 0.

        >>> couplings_of([3.0, 0.0, 1.0, 0.0]).largest(2)
        [((0,), 1.0), ((1,), 0.5)]
        """
        wanted = [k for k in self.orders if k > 0] if orders is None else list(orders)
        found: list[tuple[tuple, float]] = []
        for held in (self.order(k) for k in wanted):
            top = np.argsort(-np.abs(held.values), kind="stable")[:count]
            found += Terms(held.sites[top], held.values[top]).to_dict().items()
        return sorted(found, key=lambda item: -abs(item[1]))[:count]

    def weight(self, power: int = 2) -> np.ndarray:
        """The total weight sum_S |J_S|^power of each order 0, 1, ..., up to the highest that is held.

        For spins ±1 and power 2 the orders above 0 add up to the variance of the action over uniform spins
        (Parseval), so each is the share of it that its order explains.

        >>> couplings_of([3.0, 0.0, 1.0, 0.0]).weight().tolist()
        [1.0, 1.25, 0.25]
        """
        total = np.zeros(max(self.orders, default=0) + 1)
        if self.coefficients is not None:
            counts = np.bitwise_count(np.arange(1 << self.n))
            return np.bincount(counts, np.abs(self.coefficients) ** power, minlength=self.n + 1)
        for k, held in self.terms.items():
            total[k] = np.sum(np.abs(held.values) ** power)
        return total

    def truncated(self, order: int) -> "Couplings":
        """The couplings of at most `order` variables, all others taken as zero."""
        held = {k: self.order(k) for k in self.orders if k <= order}
        return Couplings(self.n, self.spins, None, held, self.absent)

    def dense(self, *, limit: int = DEFAULT_LIMIT) -> np.ndarray:
        """All 2^n coefficients in the order of the transforms; sets that are not held count as zero.

        Raises `UsageError` above `limit` variables, with the memory it would take.
        """
        if self.coefficients is not None:
            return self.coefficients
        check_variables(self.n, limit)
        full = np.zeros(1 << self.n)
        for held in self.terms.values():
            full[(1 << held.sites.astype(np.int64)).sum(axis=1)] = held.values
        return full

    def values(self, *, limit: int = DEFAULT_LIMIT) -> np.ndarray:
        """The action f(x) of all 2^n states in the order of `configurations`: the energy reconstructed.

        >>> couplings_of([3.0, 0.0, 1.0, 0.0]).values().tolist()
        [3.0, 0.0, 1.0, 0.0]
        """
        inverse = inverse_walsh_hadamard if self.spins == "pm" else inverse_mobius
        return inverse(self.dense(limit=limit), limit=limit)

    def action(self, x: ArrayLike) -> np.ndarray:
        """f(x) = -H(x) of configurations x [..., n], at any n.

        Raises `UsageError` for a wrong shape or entries that are not the spins' values.

        >>> couplings_of([3.0, 0.0, 1.0, 0.0]).action([[1, 1], [1, -1]]).tolist()
        [3.0, 1.0]
        """
        x = np.asarray(x)
        if x.ndim == 0 or x.shape[-1] != self.n:
            raise UsageError(f"Configurations of {self.n} variables are [..., {self.n}], not {x.shape}.")
        allowed = (-1, 1) if self.spins == "pm" else (0, 1)
        if not np.isin(x, allowed).all():
            raise UsageError(f"A configuration with spins = '{self.spins}' has the entries {allowed} only.")
        if self.coefficients is not None:
            set_bits = x == (-1 if self.spins == "pm" else 1)
            return self.values(limit=self.n)[set_bits @ (1 << np.arange(self.n))]
        flat = x.reshape(-1, self.n).astype(np.float64)
        total = np.zeros(len(flat))
        for held in self.terms.values():
            for sites, value in zip(held.sites, held.values, strict=True):
                total += value * flat[:, sites].prod(axis=1)
        return total.reshape(x.shape[:-1])

    def converted(self, spins: str) -> "Couplings":
        """The same action in the other convention, with s = 2 x - 1; orders 0 ... k mix down, never up.

        Raises `UsageError` where lower orders were not computed, as they would be needed.

        >>> Couplings.from_terms(2, {(0, 1): 4.0}, "binary").converted("pm").by_order()
        {0: {(): 1.0}, 1: {(0,): 1.0, (1,): 1.0}, 2: {(0, 1): 1.0}}
        """
        check_spins(spins)
        if spins == self.spins:
            return self
        if self.coefficients is not None:
            return couplings_of(self.values(limit=self.n)[::-1], spins, limit=self.n)
        if np.isnan(self.absent):
            raise UsageError("Couplings of chosen sets cannot be converted; compute all of them.")
        # x = (1 + s)/2, s = 2 x - 1: a product of k becomes a sum over the subsets of its set.
        total: dict[tuple[int, ...], float] = {}
        for k, held in self.terms.items():
            for key, value in held.to_dict().items():
                for inside in range(1 << k):
                    subset = tuple(site for place, site in enumerate(key) if inside >> place & 1)
                    size = len(subset)
                    factor = 0.5**k if spins == "pm" else 2.0**size * (-1.0) ** (k - size)
                    total[subset] = total.get(subset, 0.0) + factor * value
        return Couplings.from_terms(self.n, total, spins)

    def _tensor(self, k: int) -> np.ndarray:
        held = self.order(k)
        full = np.full((self.n,) * k, self.absent)
        grid = np.indices(full.shape)
        for a in range(k):
            for b in range(a):
                full[grid[a] == grid[b]] = 0.0
        for permutation in itertools.permutations(range(k)):
            full[tuple(held.sites[:, a] for a in permutation)] = held.values
        return full

    def __repr__(self) -> str:
        return f"Couplings(n={self.n}, spins='{self.spins}', orders={self.orders})"


def couplings_of(
    action: ArrayLike | Callable[..., Any], spins: str = "pm", n: int | None = None, *, limit: int = 20
) -> Couplings:
    """All couplings of an action f = -H, from its values on all states or from a function: exact, n <= 20.

        spins ±1: J_S = 2^-n sum_x f(x) prod_{i in S} x_i;  {0, 1}: J_S = sum_{T in S} (-1)^(|S|-|T|) f(1_T).

    Args:
        action: values [2^n] in the order of `configurations`, or a function (NumPy, or JAX after `jax.vmap`)
            of float64 configurations [batch, n] that returns [batch]; it is called on the CPU in float64.
        spins: "pm" for ±1, "binary" for 0 and 1.
        n: the number of variables; for a function only.
        limit: the largest n that is accepted, 26 at most.

    Raises:
        UsageError: n above the limit (with the memory), sizes that are not 2^n, values that are not finite.

    >>> found = couplings_of(lambda x: 0.3 * x[:, 0] * x[:, 1] + 0.1 * x[:, 2], n=3)
    >>> round(found[0, 1], 12), round(found[2], 12), round(found[0, 1, 2], 12)
    (0.3, 0.1, 0.0)
    """
    check_spins(spins)
    if callable(action):
        if n is None:
            raise UsageError("For a function the number of variables is needed: couplings_of(f, n=...).")
        check_variables(n, limit)
        values = _evaluate(action, n, spins)
    else:
        values = real_numbers("values", action)
        if values.ndim != 1:
            raise UsageError(f"The values of an action are [2^n], not {values.shape}; or give a function.")
        found = variables_of(values.size)
        if n not in (None, found):
            raise UsageError(f"{values.size} values belong to {found} variables, but n = {n}.")
        n = found
    transform = walsh_hadamard if spins == "pm" else mobius
    return Couplings(n, spins, transform(values, limit=limit))


def bits(masks: np.ndarray, n: int, k: int) -> np.ndarray:
    """The places of the k bits of every mask, rising, [len(masks), k]."""
    inside = (masks[:, None] >> np.arange(n)) & 1
    return np.nonzero(inside)[1].reshape(len(masks), k)


def _evaluate(function: Callable[..., Any], n: int, spins: str) -> np.ndarray:
    values = np.empty(1 << n)
    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        for start in range(0, 1 << n, _CHUNK):
            states = rows(np.arange(start, min(start + _CHUNK, 1 << n)), n, spins).astype(np.float64)
            chunk = np.asarray(function(states))
            if chunk.shape != (len(states),):
                raise UsageError(
                    f"The function returned the shape {chunk.shape} for configurations {states.shape}; it "
                    "must map [batch, n] to [batch]. Use jax.vmap for a function of one configuration."
                )
            values[start : start + len(states)] = chunk
    return values


def _terms(couplings: Mapping[tuple[int, ...], float], order: int) -> Terms:
    keys = sorted(couplings)
    return Terms(np.array(keys, int).reshape(len(keys), order), np.array([couplings[key] for key in keys]))
