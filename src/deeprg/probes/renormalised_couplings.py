"""Effective couplings of a renormalised energy: a fit by operators of given body number and range."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from deeprg.lattice import Lattice
from deeprg.montecarlo.jackknife import from_replicas
from deeprg.runs.errors import UsageError

__all__ = ["CouplingFit", "FieldOperator", "field_operators", "fit_couplings"]

_BLOCKS = 20


class FieldOperator(NamedTuple):
    """Σ over the lattice of a product of powers of a real field.

    Each entry of `terms` is one product, given as pairs (displacement, power); the operator is the average of
    the products over its terms, summed over sites. `body` is the number of factors with multiplicity, `range`
    the largest distance in it.
    """

    name: str
    body: int
    range: float
    terms: tuple[tuple[tuple[tuple[int, ...], int], ...], ...]

    def __call__(self, y: np.ndarray, ndim: int) -> np.ndarray:
        """The operator of fields [*shape, m], [m].

        >>> pair = FieldOperator("pair", 2, 1.0, ((((0,), 1), ((1,), 1)),))
        >>> pair(np.array([[1.0], [2.0], [3.0]]), 1).tolist()
        [11.0]
        """
        axes = tuple(range(ndim))
        total = np.zeros(y.shape[ndim:])
        for term in self.terms:
            product = np.ones_like(y)
            for displacement, power in term:
                product = product * np.roll(y, tuple(-d for d in displacement), axes) ** power
            total = total + product.sum(axis=axes)
        return total / len(self.terms)


def field_operators(lattice: Lattice, *, bodies: int = 4, reach: float = 2.0) -> list[FieldOperator]:
    """Even operators of a field: powers of one site, pairs within `reach`, and four-body terms of neighbours.

    - one site: y², y⁴ and, from `bodies` 6, y⁶;
    - pairs y_i y_j, averaged over the displacements of one length, for every length up to `reach` that the
      torus tells apart from shorter ones;
    - from `bodies` 4: y_i² y_j² and (y_i³ y_j + y_i y_j³)/2 of nearest neighbours, and in 2D and 3D the
      product around a plaquette.

    Raises `UsageError` for a body number that is not 2, 4 or 6.

    >>> [operator.name for operator in field_operators(Lattice((4, 4)), bodies=2, reach=2.0)]
    ['y²', 'y y (1)', 'y y (1.41)', 'y y (2)']
    """
    if bodies not in (2, 4, 6):
        raise UsageError(f"Operators of an even field have 2, 4 or 6 factors at most, not {bodies}.")
    origin = (0,) * lattice.ndim
    found = [
        FieldOperator(f"y{_superscript(power)}", power, 0.0, (((origin, power),),))
        for power in range(2, bodies + 1, 2)
    ]
    shells = _shells(lattice, reach)
    for length, displacements in shells.items():
        terms = tuple(((origin, 1), (d, 1)) for d in displacements)
        found.append(FieldOperator(f"y y ({length:.3g})", 2, length, terms))
    if bodies >= 4 and shells:
        length, nearest = next(iter(shells.items()))
        squares = tuple(((origin, 2), (d, 2)) for d in nearest)
        found.append(FieldOperator(f"y² y² ({length:.3g})", 4, length, squares))
        cubes = tuple(((origin, a), (d, 4 - a)) for d in nearest for a in (1, 3))
        found.append(FieldOperator(f"y³ y ({length:.3g})", 4, length, cubes))
        corners = _plaquettes(lattice)
        if corners:
            found.append(FieldOperator("plaquette", 4, math.sqrt(2), corners))
    return found


@dataclass(frozen=True)
class CouplingFit:
    """Couplings K with E(y) ≈ constant - Σ_a K_a O_a(y), fitted to energies by least squares.

    The field is divided by `scale`, its root mean square, before: couplings of different levels compare.
    `value` and `error` [operators]; `explained` is the share of the variance of E that the operators carry,
    `residual` the standard deviation of what they leave, in nats; `n` the number of fields.
    """

    operators: tuple[FieldOperator, ...]
    value: np.ndarray
    error: np.ndarray
    explained: float
    residual: float
    scale: float
    n: int

    def by_name(self) -> Mapping[str, tuple[float, float]]:
        """Coupling and error by the operator's name."""
        rows = zip(self.operators, self.value, self.error, strict=True)
        return {operator.name: (float(value), float(error)) for operator, value, error in rows}


def fit_couplings(
    fields: np.ndarray,
    energies: np.ndarray,
    operators: Sequence[FieldOperator],
    *,
    scale: float | None = None,
) -> CouplingFit:
    """The couplings of an energy function from its values at fields [*shape, m], with jackknife errors.

    Least squares of energies [m] on the operators and a constant, so where the fields are drawn decides what
    is fitted well. `scale` divides the field; by default its root mean square over all fields and sites.

    Raises `UsageError` for arrays that do not match, numbers that are not finite, fewer than 20 fields per
    operator, and operators that the fields cannot tell apart.

    >>> rng = np.random.default_rng(0)
    >>> y = rng.normal(size=(4, 4, 2000))
    >>> bonds = sum((y * np.roll(y, 1, axis)).sum(axis=(0, 1)) for axis in (0, 1))
    >>> energies = 0.5 * (y**2).sum(axis=(0, 1)) - 0.2 * bonds
    >>> fit = fit_couplings(y, energies, field_operators(Lattice((4, 4)), bodies=2, reach=1.0), scale=1.0)
    >>> round(fit.by_name()["y²"][0], 6), round(fit.by_name()["y y (1)"][0], 6)
    (-0.5, 0.4)
    """
    y, values = np.asarray(fields, np.float64), np.asarray(energies, np.float64)
    ndim, count = y.ndim - 1, y.shape[-1]
    if values.shape != (count,):
        raise UsageError(f"{count} fields have energies of shape {values.shape}; one number each is needed.")
    if not np.isfinite(y).all() or not np.isfinite(values).all():
        raise UsageError("Fields and energies must be finite; remove those that are not.")
    if count < 20 * len(operators):
        raise UsageError(
            f"{count} fields are too few for {len(operators)} couplings; take {20 * len(operators)} or more."
        )
    size = float(np.sqrt(np.mean(y**2))) if scale is None else float(scale)
    table = np.stack([operator(y / size, ndim) for operator in operators], axis=1)
    blocks = np.arange(count) * _BLOCKS // count
    whole = _solve(table, values)
    parts = np.stack([_solve(table[blocks != b], values[blocks != b]) for b in range(_BLOCKS)])
    error = np.asarray(from_replicas(whole, parts).error)
    left = values + table @ whole
    variance = float(values.var())
    return CouplingFit(
        tuple(operators),
        whole,
        error,
        1 - float(left.var()) / variance if variance > 0 else 1.0,
        float(left.std()),
        size,
        count,
    )


def _solve(table: np.ndarray, values: np.ndarray) -> np.ndarray:
    centred = table - table.mean(axis=0)
    spread = centred.std(axis=0)
    if (spread == 0).any():
        raise UsageError("An operator is constant over the fields, so it has no coupling.")
    solution, _, rank, _ = np.linalg.lstsq(centred / spread, values - values.mean(), rcond=1e-10)
    if rank < table.shape[1]:
        raise UsageError(
            f"{table.shape[1]} operators are only {rank} different ones on this lattice; leave some out."
        )
    return -solution / spread


def _shells(lattice: Lattice, reach: float) -> dict[float, list[tuple[int, ...]]]:
    """Displacements up to `reach` by length, one of each pair ±d and each once around the torus."""
    far = math.floor(reach)
    shells: dict[float, list[tuple[int, ...]]] = {}
    seen: set[tuple[int, ...]] = {(0,) * lattice.ndim}
    near = itertools.product(range(-far, far + 1), repeat=lattice.ndim)
    for d in sorted(near, key=lambda d: (sum(i * i for i in d), tuple(-i for i in d))):
        length = math.sqrt(sum(i * i for i in d))
        image = tuple(i % e for i, e in zip(d, lattice.shape, strict=True))
        opposite = tuple(-i % e for i, e in zip(d, lattice.shape, strict=True))
        if length > reach + 1e-9 or image in seen:
            continue
        seen.update((image, opposite))
        shells.setdefault(length, []).append(d)
    return shells


def _plaquettes(lattice: Lattice) -> tuple[tuple[tuple[tuple[int, ...], int], ...], ...]:
    steps = np.eye(lattice.ndim, dtype=int)
    planes = itertools.combinations(range(lattice.ndim), 2)
    corners = []
    for a, b in planes:
        if lattice.shape[a] > 2 and lattice.shape[b] > 2:
            places = (steps[a] * 0, steps[a], steps[b], steps[a] + steps[b])
            corners.append(tuple((tuple(map(int, place)), 1) for place in places))
    return tuple(corners)


def _superscript(power: int) -> str:
    return str(power).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
