"""Geometry of periodic hypercubic lattices: sites, neighbours, blocks, momenta, distances, symmetries.

Everything here is NumPy in float64 (integers for indices) and touches no device; a field on the lattice is an
array whose trailing axes are the lattice's.
"""

import itertools
import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from .runs.errors import UsageError

__all__ = ["Lattice", "PointSymmetry"]


@dataclass(frozen=True)
class PointSymmetry:
    """A rotation or reflection that keeps site 0 fixed, acting on the trailing axes of a NumPy or JAX array.

    The axes are first permuted (as by `numpy.transpose`), then those in `flips` reversed by r -> -r mod L.

    >>> import numpy as np
    >>> PointSymmetry((1, 0), (False, True))(np.arange(9).reshape(3, 3)).tolist()
    [[0, 6, 3], [1, 7, 4], [2, 8, 5]]
    """

    permutation: tuple[int, ...]
    flips: tuple[bool, ...]

    def __call__(self, x: Any) -> Any:
        """The transformed array, of the same type as `x`."""
        xp = x.__array_namespace__()
        lead = x.ndim - len(self.permutation)
        x = xp.permute_dims(x, (*range(lead), *(lead + a for a in self.permutation)))
        axes = tuple(lead + a for a, flip in enumerate(self.flips) if flip)
        return xp.roll(xp.flip(x, axis=axes), (1,) * len(axes), axis=axes) if axes else x

    @property
    def inverse(self) -> "PointSymmetry":
        """The symmetry that undoes this one.

        >>> PointSymmetry((1, 0), (False, True)).inverse
        PointSymmetry(permutation=(1, 0), flips=(True, False))
        """
        back = tuple(self.permutation.index(a) for a in range(len(self.permutation)))
        return PointSymmetry(back, tuple(self.flips[b] for b in back))


@dataclass(frozen=True)
class Lattice:
    """A periodic hypercubic lattice with 1 to 3 axes; hashable, hence usable as a static field.

    Sites are numbered in C order. Raises `UsageError` for an empty shape, more than 3 axes or an extent < 1.

    >>> lattice = Lattice((4, 6))
    >>> lattice.size, str(lattice)
    (24, '4x6')
    """

    shape: tuple[int, ...]

    def __post_init__(self):
        shape = tuple(self.shape)
        if not 1 <= len(shape) <= 3:
            raise UsageError(f"A lattice needs 1 to 3 axes, but the shape {shape} has {len(shape)}.")
        for extent in shape:
            if isinstance(extent, bool) or not isinstance(extent, int | np.integer) or extent < 1:
                raise UsageError(
                    f"Every extent of a lattice must be an integer of at least 1, but the shape is {shape}."
                )
        object.__setattr__(self, "shape", tuple(int(extent) for extent in shape))

    @classmethod
    def parse(cls, text: str) -> "Lattice":
        """The lattice that a text such as "16", "16x16" or "8x8x8" names.

        >>> Lattice.parse("16x8").shape
        (16, 8)
        """
        if not re.fullmatch(r"\s*\d{1,9}(\s*[xX×]\s*\d{1,9})*\s*", text):
            raise UsageError(f"'{text}' is not a lattice shape. Join the extents by x: 16x16, or 64 in 1D.")
        return cls(tuple(int(part) for part in re.split(r"[xX×]", text)))

    def __str__(self) -> str:
        return "x".join(str(extent) for extent in self.shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of sites."""
        return math.prod(self.shape)

    def coordinates(self) -> np.ndarray:
        """The coordinates of every site, integers [size, ndim].

        >>> Lattice((2, 2)).coordinates().tolist()
        [[0, 0], [0, 1], [1, 0], [1, 1]]
        """
        return np.stack(np.unravel_index(np.arange(self.size), self.shape), axis=-1)

    def nearest_displacements(self) -> list[tuple[int, ...]]:
        """The 2 ndim unit steps +e_0, -e_0, +e_1, ..., as tuples of integers.

        >>> Lattice((4, 4)).nearest_displacements()
        [(1, 0), (-1, 0), (0, 1), (0, -1)]
        """
        return [
            tuple(sign if a == axis else 0 for a in range(self.ndim))
            for axis in range(self.ndim)
            for sign in (1, -1)
        ]

    def neighbours(self) -> np.ndarray:
        """The neighbours of every site, integers [size, 2 ndim], in the order of `nearest_displacements`.

        An extent of 2 lists the same site twice (a double bond), an extent of 1 the site itself twice.

        >>> Lattice((4,)).neighbours().tolist()
        [[1, 3], [2, 0], [3, 1], [0, 2]]
        """
        there = self.coordinates()[:, None] + np.array(self.nearest_displacements())
        return self._flat(there)

    def checkerboard(self, parity: int) -> np.ndarray:
        """The mask [*shape] of the sites whose coordinate sum is `parity` modulo 2.

        Raises `UsageError` when an extent is odd: the colouring would not be periodic.

        >>> Lattice((2, 4)).checkerboard(0).astype(int).tolist()
        [[1, 0, 1, 0], [0, 1, 0, 1]]
        """
        if parity not in (0, 1):
            raise UsageError(f"The parity of a checkerboard is 0 or 1, not {parity}.")
        if any(extent % 2 for extent in self.shape):
            raise UsageError(f"A checkerboard needs even extents, but the lattice is {self}.")
        return (self.coordinates().sum(axis=-1) % 2 == parity).reshape(self.shape)

    def sublattice(self, stride: int, offset: int | tuple[int, ...] = 0) -> np.ndarray:
        """The mask [*shape] of the sites kept by decimation: coordinates equal to `offset` modulo `stride`.

        Raises `UsageError` when `stride` does not divide every extent.

        >>> Lattice((4, 4)).sublattice(2, (0, 1)).astype(int).tolist()
        [[0, 1, 0, 1], [0, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]]
        """
        self._divisible(stride, "stride of a sublattice")
        kept = (self.coordinates() - self._offset(offset)) % stride == 0
        return kept.all(axis=-1).reshape(self.shape)

    def blocks(self, side: int, offset: int | tuple[int, ...] = 0) -> np.ndarray:
        """The flat site indices of the cubic blocks that tile the lattice, integers [n_blocks, side^ndim].

        The first block starts at `offset`; blocks wrap around. Raises `UsageError` when `side` does not
        divide every extent.

        >>> Lattice((2, 4)).blocks(2, offset=(0, 1)).tolist()
        [[1, 2, 5, 6], [3, 0, 7, 4]]
        """
        self._divisible(side, "side of a block")
        inside = np.array(list(itertools.product(range(side), repeat=self.ndim)))
        corners = np.array(list(itertools.product(*(range(0, extent, side) for extent in self.shape))))
        return self._flat(corners[:, None] + inside + self._offset(offset))

    def momenta(self) -> np.ndarray:
        """The wave vectors 2 pi n / L in the order of `numpy.fft.fftn`, [*shape, ndim], n = 0 ... L - 1.

        >>> Lattice((4,)).momenta()[1].round(4).tolist()
        [1.5708]
        """
        angles = 2 * np.pi * self.coordinates() / np.array(self.shape)
        return angles.reshape(*self.shape, self.ndim)

    def dispersion(self) -> np.ndarray:
        """The eigenvalues sum_a 2 cos k_a of the adjacency matrix, [*shape].

        >>> Lattice((4, 4)).dispersion()[2, 2].round(12).item()
        -4.0
        """
        return 2 * np.cos(self.momenta()).sum(axis=-1)

    def distances(self) -> np.ndarray:
        """The Euclidean distance of every site from site 0, the shortest way around, [*shape].

        >>> Lattice((4, 4)).distances()[3, 2].round(4).item()
        2.2361
        """
        coordinates = self.coordinates()
        shortest = np.minimum(coordinates, np.array(self.shape) - coordinates)
        return np.sqrt((shortest.astype(np.float64) ** 2).sum(axis=-1)).reshape(self.shape)

    def pair_distances(self, points: np.ndarray) -> np.ndarray:
        """The distances of all pairs of points [n, ndim], anywhere, the shortest way around, [n, n].

        >>> Lattice((4, 4)).pair_distances(np.array([[0.0, 0.5], [3.0, 3.5]])).round(4).tolist()
        [[0.0, 1.4142], [1.4142, 0.0]]
        """
        apart = np.abs(points[:, None] - points)
        return np.sqrt((np.minimum(apart, np.array(self.shape) - apart) ** 2).sum(axis=-1))

    def displacements(self) -> np.ndarray:
        """The flat index of the displacement j - i for every pair of sites, integers [size, size].

        >>> Lattice((3,)).displacements().tolist()
        [[0, 1, 2], [2, 0, 1], [1, 2, 0]]
        """
        coordinates = self.coordinates()
        return self._flat(coordinates - coordinates[:, None])

    def translate(self, x: Any, shift: tuple[int, ...]) -> Any:
        """The field moved by `shift`: (T x)[r] = x[r - shift] on the trailing axes of a NumPy or JAX array.

        >>> import numpy as np
        >>> Lattice((4,)).translate(np.arange(4), (1,)).tolist()
        [3, 0, 1, 2]
        """
        if len(shift) != self.ndim:
            raise UsageError(
                f"A shift on the lattice {self} has {self.ndim} components, but {shift} was given."
            )
        return x.__array_namespace__().roll(x, shift, axis=tuple(range(-self.ndim, 0)))

    def point_group(self) -> list[PointSymmetry]:
        """The symmetries that keep site 0 fixed and map the lattice to itself; the identity comes first.

        2, 8 or 48 elements on a line, square or cube; axes are only exchanged when their extents agree.

        >>> [len(Lattice(shape).point_group()) for shape in [(4,), (4, 4), (4, 6), (4, 4, 4)]]
        [2, 8, 4, 48]
        """
        return [
            PointSymmetry(permutation, flips)
            for permutation in itertools.permutations(range(self.ndim))
            if all(self.shape[a] == self.shape[b] for a, b in enumerate(permutation))
            for flips in itertools.product((False, True), repeat=self.ndim)
        ]

    def _flat(self, coordinates: np.ndarray) -> np.ndarray:
        return np.asarray(
            np.ravel_multi_index(tuple(np.moveaxis(coordinates, -1, 0)), self.shape, mode="wrap")
        )

    def _offset(self, offset: int | tuple[int, ...]) -> np.ndarray:
        offset = (offset,) * self.ndim if isinstance(offset, int) else offset
        if len(offset) != self.ndim:
            raise UsageError(
                f"An offset on the lattice {self} has {self.ndim} components, but {offset} was given."
            )
        return np.array(offset)

    def _divisible(self, step: int, what: str) -> None:
        if step < 1 or any(extent % step for extent in self.shape):
            raise UsageError(
                f"The {what} must divide every extent of the lattice, but {step} does not divide {self}. "
                f"Divisors: {', '.join(str(d) for d in _common_divisors(self.shape))}."
            )


def _common_divisors(shape: tuple[int, ...]) -> list[int]:
    common = math.gcd(*shape)
    return [d for d in range(1, common + 1) if common % d == 0]
