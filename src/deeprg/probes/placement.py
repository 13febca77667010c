"""Where hidden units belong: each to a site of a coarse lattice, by the centres of their patterns."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment

from deeprg.lattice import Lattice
from deeprg.probes.patterns import checked_patterns, circular_centre, gauge_sign
from deeprg.runs.errors import UsageError

__all__ = ["Placement", "place_units"]

_RANDOM = 20  # sets of random centres that say what no order looks like


@dataclass(frozen=True)
class Placement:
    """Units put on the sites of `coarse`, in C order: `order` says which unit, `sign` its gauge sign.

    displacement: root mean square distance of a unit's centre from its site, in coarse lattice spacings.
    random: the same for as many centres drawn at random, mean and standard deviation.
    """

    coarse: Lattice
    order: np.ndarray
    sign: np.ndarray
    displacement: float
    random: tuple[float, float]

    @property
    def placed(self) -> bool:
        """Whether the centres lie on the lattice more than random ones do, by three standard deviations."""
        return self.displacement < self.random[0] - 3 * self.random[1]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "coarse": list(self.coarse.shape),
            "order": self.order.tolist(),
            "sign": self.sign.tolist(),
            "displacement": self.displacement,
            "random": list(self.random),
            "placed": self.placed,
        }


def place_units(patterns: ArrayLike, coarse: Lattice, *, seed: int = 0) -> Placement:
    """Each of the patterns [n, *fine] to one site of `coarse`, the sum of squared distances the least.

    The distance is that of a pattern's circular centre (`circular_centre`, after its gauge sign) from the
    middle of the site's block, on the torus; the pairing is optimal (`scipy.optimize.linear_sum_assignment`).
    Any set of centres can be paired, so `random` says how far random ones would be. A coarse-graining is made
    of it by `deeprg.coarsegrain.boltzmann.PlacedUnits`.

    Raises `UsageError` unless there are as many patterns as sites, and `coarse` divides their lattice.

    >>> sites = np.eye(16).reshape(16, 4, 4)
    >>> blocks = sites.reshape(2, 2, 2, 2, 4, 4).sum(axis=(1, 3)).reshape(4, 4, 4)     # 2x2 blocks
    >>> found = place_units(-blocks[[2, 0, 3, 1]], Lattice((2, 2)))
    >>> found.order.tolist(), found.sign.tolist(), round(found.displacement, 9)
    ([1, 3, 0, 2], [-1.0, -1.0, -1.0, -1.0], 0.0)
    """
    maps = checked_patterns(patterns, None)
    shape = np.array(maps.shape[1:])
    if coarse.ndim != len(shape) or len(maps) != coarse.size or np.any(shape % np.array(coarse.shape)):
        raise UsageError(
            f"{len(maps)} patterns on {Lattice(maps.shape[1:])} cannot be put on {coarse}: as many sites as "
            "patterns are needed, on a lattice that divides theirs."
        )
    sign = gauge_sign(maps)
    spacing = shape // np.array(coarse.shape)
    middles = coarse.coordinates() * spacing + (spacing - 1) / 2

    def pair(centres: np.ndarray) -> tuple[np.ndarray, float]:
        apart = np.abs(middles[:, None] - centres)
        squares = ((np.minimum(apart, shape - apart) / spacing) ** 2).sum(axis=-1)
        rows, columns = linear_sum_assignment(squares)
        return columns, float(np.sqrt(squares[rows, columns].mean()))

    order, displacement = pair(circular_centre(maps * sign.reshape(-1, *(1,) * len(shape))))
    rng = np.random.default_rng(seed)
    random = [pair(rng.random((len(maps), len(shape))) * shape)[1] for _ in range(_RANDOM)]
    return Placement(
        coarse, order, sign[order], displacement, (float(np.mean(random)), float(np.std(random, ddof=1)))
    )
