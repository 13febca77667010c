"""Wilson's two-coupling truncation of the decimation of one sublattice."""

import functools
import math
from typing import Any

from ._arrays import namespace
from ._known import known_values, square_log_partition
from ._scheme import Scheme

__all__ = ["wilson"]


@functools.lru_cache(maxsize=1)
def wilson() -> Scheme:
    """Nearest (K) and diagonal (L) couplings of the square lattice to second order in K, b = sqrt 2.

    K' = 2 K^2 + L,   L' = K^2

    `decimate_square` expanded to K^2, and the diagonals L between the kept spins, which become nearest
    neighbours. The fixed point is (1/3, 1/9). To the same order h' = (1 + 4K) h (the triples of
    `decimate_square_field` begin with K^3) and ln Z gains ln 2 + 2 K^2 per summed spin. The field grows too
    fast: y_h = 2.445 > d, where exact decimation has y_h = d, as the kept spins are spins of the model. The
    sum of the constants exists up to the critical surface; beyond it K^2 doubles faster than b^d. K. G.
    Wilson, Rev. Mod. Phys. 47, 773 (1975), section VI.

    >>> wilson()([1 / 3, 1 / 9]).round(6)
    array([0.333333, 0.111111])
    """

    def recursion(couplings: Any) -> Any:
        k, diagonal = couplings[0], couplings[1]
        return namespace(couplings).stack([2 * k * k + diagonal, k * k])

    return Scheme(
        name="wilson",
        title="Wilson's two couplings",
        couplings=("K", "L"),
        scale=math.sqrt(2),
        dimension=2.0,
        lattice="square",
        recursion=recursion,
        formula="K' = 2K^2 + L, L' = K^2",
        source="K. G. Wilson, Rev. Mod. Phys. 47, 773 (1975)",
        magnetic=lambda couplings: 1 + 4 * couplings[0],
        field_note="y_h > d: to second order in K the field grows too fast",
        constant=lambda couplings: math.log(2) / 2 + couplings[0] ** 2,
        exact=known_values("square"),
        log_partition=square_log_partition,
    )
