"""How far two sets of patterns are apart when order, sign and place do not count."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment

from deeprg.lattice import Lattice
from deeprg.probes.patterns import checked_patterns
from deeprg.runs.errors import UsageError

__all__ = ["PatternMatch", "match_patterns"]


@dataclass(frozen=True)
class PatternMatch:
    """Patterns M paired with patterns R by `match_patterns`: arrays over the pairs.

    index, reference: the numbers of the partners in M and in R.
    distance: root mean square over sites of M - s T_t R, for the best sign s and shift t.
    overlap: |M · T_t R| / (|M| |R|), 1 for patterns that are proportional.
    sign, shift: s and t [pairs, ndim]: (T_t R)(i) = R(i - t).
    total: root mean square of the distances.
    costs: distances of all pairs, [len(M), len(R)].
    """

    index: np.ndarray
    reference: np.ndarray
    distance: np.ndarray
    overlap: np.ndarray
    sign: np.ndarray
    shift: np.ndarray
    total: float
    costs: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in vars(self).items()}


def match_patterns(
    patterns: ArrayLike,
    reference: ArrayLike,
    shape: tuple[int, ...] | None = None,
    *,
    signs: bool = True,
    shifts: bool = True,
) -> PatternMatch:
    """The pairing of M_a and R_b with the smallest sum of d²(a, b), each pattern used at most once.

    d²(a, b) = min over s = ±1 and translations t of mean_i (M_a(i) - s R_b(i - t))²
             = mean M_a² + mean R_b² - 2 max |mean_i M_a(i) R_b(i - t)|, by Fourier transform.

    Args:
        patterns: M, [n, *shape], or [n, sites] with `shape`.
        reference: R, [m, *shape] or [m, sites]; m may differ from n.
        shape: of the lattice.
        signs: False keeps s = +1.
        shifts: False keeps t = 0.

    Raises:
        UsageError: patterns on different lattices, or NaN.

    >>> rng = np.random.default_rng(0)
    >>> reference = rng.normal(size=(3, 8, 8))
    >>> patterns = -np.roll(reference[[2, 0, 1]], (1, 3), axis=(1, 2))
    >>> found = match_patterns(patterns, reference)
    >>> found.reference.tolist(), found.sign.tolist(), found.shift[0].tolist(), round(found.total, 6)
    ([2, 0, 1], [-1.0, -1.0, -1.0], [1, 3], 0.0)
    """
    m, r = checked_patterns(patterns, shape), checked_patterns(reference, shape)
    if m.shape[1:] != r.shape[1:]:
        raise UsageError(
            f"The patterns live on {Lattice(m.shape[1:])} and {Lattice(r.shape[1:])}; they must share a "
            "lattice."
        )
    axes, size = tuple(range(1, m.ndim)), m[0].size
    transformed = np.fft.fftn(r, axes=axes).conj()
    best = np.empty((len(m), len(r)))  # s mean_i M_a(i) R_b(i - t) at its largest
    signed, place = np.empty((len(m), len(r))), np.empty((len(m), len(r)), int)
    flat = r.reshape(len(r), -1)
    for a, pattern in enumerate(m):
        if shifts:
            cross = np.fft.ifftn(np.fft.fftn(pattern)[None] * transformed, axes=axes).real / size
            cross = cross.reshape(len(r), -1)
        else:
            cross = (flat @ pattern.reshape(-1) / size)[:, None]
        place[a] = np.argmax(np.abs(cross) if signs else cross, axis=1)
        signed[a] = cross[np.arange(len(r)), place[a]]
        best[a] = np.abs(signed[a]) if signs else signed[a]
    own, other = (m**2).mean(axis=axes), (r**2).mean(axis=axes)
    squares = np.maximum(own[:, None] + other - 2 * best, 0.0)
    rows, columns = linear_sum_assignment(squares)
    chosen = squares[rows, columns]
    with np.errstate(invalid="ignore"):
        overlap = best[rows, columns] / np.sqrt(own[rows] * other[columns])
    shift = np.stack(np.unravel_index(place[rows, columns], m.shape[1:]), axis=1)
    sign = np.where(signed[rows, columns] < 0, -1.0, 1.0) if signs else np.ones(len(rows))
    return PatternMatch(
        index=rows,
        reference=columns,
        distance=np.sqrt(chosen),
        overlap=overlap,
        sign=sign,
        shift=shift,
        total=float(np.sqrt(chosen.mean())),
        costs=np.sqrt(squares),
    )
