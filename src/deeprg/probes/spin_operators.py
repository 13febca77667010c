"""Operators of lattice spins for Monte Carlo RG: sums of products over all images of a pattern of sites."""

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Shaped

from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

__all__ = ["SPIN_OPERATORS", "SpinOperator", "measure_operators", "operator_sums", "spin_operators"]

Site = tuple[int, ...]
_BATCH = 1 << 22  # spins that are measured at once


@dataclass(frozen=True)
class SpinOperator:
    """S(s) = Σ over sites x and images P of the pattern, of Π_{r in P} s_{x + r}.

    Images are those under the point group of the infinite lattice, each once up to translations. On a small
    torus two images can meet and then count twice: of 2 sites along an axis each pair of neighbours does.

    >>> SpinOperator("nearest pair", ((0, 0), (0, 1))).images
    (((0, 0), (0, 1)), ((0, 0), (1, 0)))
    """

    name: str
    sites: tuple[Site, ...]

    @property
    def odd(self) -> bool:
        """Whether it changes sign when all spins do."""
        return len(self.sites) % 2 == 1

    @functools.cached_property
    def images(self) -> tuple[tuple[Site, ...], ...]:
        """The pattern rotated and reflected, its first site (in lexical order) at the origin."""
        ndim, found = len(self.sites[0]), set()
        for order in itertools.permutations(range(ndim)):
            for signs in itertools.product((1, -1), repeat=ndim):
                moved = sorted(
                    tuple(s * site[a] for s, a in zip(signs, order, strict=True)) for site in self.sites
                )
                found.add(tuple(tuple(c - o for c, o in zip(site, moved[0], strict=True)) for site in moved))
        return tuple(sorted(found))

    def check(self, lattice: Lattice) -> None:
        """Raise `UsageError` when two sites of an image are one site of the torus."""
        for image in self.images:
            wrapped = {tuple(c % n for c, n in zip(site, lattice.shape, strict=True)) for site in image}
            if len(wrapped) < len(image):
                raise UsageError(
                    f"The operator '{self.name}' does not fit on {lattice}: two of its sites are the same, "
                    "and their spins cancel. Take fewer operators, fewer steps or a larger lattice."
                )


_PATTERNS: dict[int, dict[str, str]] = {
    1: {
        "s": "0",
        "s s (1)": "0 1",
        "s s (2)": "0 2",
        "s s s": "0 1 2",
        "s s (3)": "0 3",
        "s s s s": "0 1 2 3",
        "s s s (1,3)": "0 1 3",
    },
    2: {
        "s": "00",
        "s s (1,0)": "00 10",
        "s s (1,1)": "00 11",
        "plaquette": "00 10 01 11",
        "s s (2,0)": "00 20",
        "s s (2,1)": "00 21",
        "diamond": "10 01 21 12",
        "s s (2,2)": "00 22",
        "corner": "00 10 01",
        "line": "00 10 20",
        "diamond corner": "10 01 21",
    },
    3: {
        "s": "000",
        "s s (1,0,0)": "000 100",
        "s s (1,1,0)": "000 110",
        "s s (1,1,1)": "000 111",
        "plaquette": "000 100 010 110",
        "s s (2,0,0)": "000 200",
        "tetrahedron": "000 110 101 011",
        "s s (2,1,0)": "000 210",
        "corner": "000 100 010",
        "line": "000 100 200",
        "triangle": "100 010 001",
    },
}

SPIN_OPERATORS: dict[int, tuple[SpinOperator, ...]] = {
    ndim: tuple(
        SpinOperator(name, tuple(tuple(map(int, site)) for site in text.split()))
        for name, text in patterns.items()
    )
    for ndim, patterns in _PATTERNS.items()
}


def spin_operators(lattice: Lattice, *, even: int = 4, odd: int = 3) -> tuple[SpinOperator, ...]:
    """The first `even` even and `odd` odd operators of `SPIN_OPERATORS` on a lattice.

    In the plane the even ones are, in order, the pairs (1,0) and (1,1), the plaquette, the pairs (2,0) and
    (2,1), the diamond of four and the pair (2,2); the odd ones the spin, three corners of a plaquette, three
    in a line and three corners of the diamond.

    Raises `UsageError` for more operators than there are, for none, and for one that the lattice cannot hold.

    >>> [operator.name for operator in spin_operators(Lattice((8, 8)), even=2, odd=1)]
    ['s s (1,0)', 's s (1,1)', 's']
    """
    chosen: list[SpinOperator] = []
    for parity, count in ((False, even), (True, odd)):
        known = [operator for operator in SPIN_OPERATORS[lattice.ndim] if operator.odd is parity]
        word = "odd" if parity else "even"
        if not 0 <= count <= len(known):
            raise UsageError(
                f"{count} {word} operators were asked for; in {lattice.ndim}D there are {len(known)}: "
                f"{', '.join(operator.name for operator in known)}."
            )
        chosen += known[:count]
    if not chosen:
        raise UsageError("A stability matrix needs an operator, even or odd.")
    for operator in chosen:
        operator.check(lattice)
    return tuple(chosen)


def measure_operators(operators: Sequence[SpinOperator], spins: np.ndarray, lattice: Lattice) -> np.ndarray:
    """The operators of configurations ±1 [..., *lattice], float64 [..., operators].

    Raises `UsageError` for values that are no spins and for an operator that the lattice cannot hold.

    >>> pair = SpinOperator("pair", ((0, 0), (0, 1)))
    >>> measure_operators([pair], np.ones((3, 4, 4)), Lattice((4, 4)))[:, 0].tolist()
    [32.0, 32.0, 32.0]
    """
    for operator in operators:
        operator.check(lattice)
    rows = np.asarray(spins).reshape(-1, *lattice.shape)
    if (wrong := rows[np.abs(rows) != 1]).size:
        raise UsageError(
            f"Operators of Monte Carlo RG are products of spins ±1, but a variable is {wrong.flat[0]:g}. "
            "Take a rule whose coarse variables are spins, such as majority or decimation."
        )
    room = max(_BATCH // lattice.size, 1)
    parts = [_padded(tuple(operators), rows[first : first + room]) for first in range(0, len(rows), room)]
    measured = np.concatenate(parts).astype(np.float64)
    return measured.reshape(*np.shape(spins)[: -lattice.ndim], len(operators))


def _padded(operators: tuple[SpinOperator, ...], rows: np.ndarray) -> np.ndarray:
    """Operators of some rows, which are padded by copies to a power of two: few shapes are compiled."""
    count = 1 << (len(rows) - 1).bit_length()
    padded = rows[np.minimum(np.arange(count), len(rows) - 1)]
    return np.asarray(_measured(operators, jnp.asarray(padded, jnp.int8)))[: len(rows)]


@functools.partial(jax.jit, static_argnums=0)
def _measured(operators: tuple[SpinOperator, ...], s: Int[Array, "n *lattice"]) -> Int[Array, "n operators"]:
    return operator_sums(operators, s, jnp.int32)


def operator_sums(
    operators: Sequence[SpinOperator], s: Shaped[Array, "n *lattice"], dtype: Any
) -> Shaped[Array, "n operators"]:
    """The operators of configurations as traceable sums, differentiable where s is real."""
    axes = tuple(range(1, s.ndim))
    moved: dict[Site, Array] = {}
    for operator in operators:
        for site in itertools.chain.from_iterable(operator.images):
            if site not in moved:
                moved[site] = jnp.roll(s, tuple(-c for c in site), axes) if any(site) else s
    columns = []
    for operator in operators:
        total = jnp.zeros(len(s), dtype)
        for image in operator.images:
            product = jnp.asarray(math.prod(moved[site] for site in image))
            total += product.sum(axes, dtype=dtype)
        columns.append(total)
    return jnp.stack(columns, axis=1)
