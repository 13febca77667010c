"""Block-spin schemes: the cumulant expansion of Niemeijer and van Leeuwen with the majority rule."""

import functools
import math
from typing import Any, NamedTuple

from ...runs.errors import UsageError
from ._arrays import namespace
from ._known import known_values, square_log_partition, triangular_log_partition
from ._scheme import Scheme

__all__ = [
    "TriangleMoments",
    "majority_square",
    "niemeijer_van_leeuwen",
    "plaquette_mean",
    "triangle_moments",
]


class TriangleMoments(NamedTuple):
    """Averages over a triangle given its block spin s' = +1 (majority): `mean` a = <s_1>, `pair` <s_1 s_2>.

    >>> TriangleMoments(0.7, 0.4).mean
    0.7
    """

    mean: Any
    pair: Any


def triangle_moments(coupling: Any) -> TriangleMoments:
    """a = <s_1> and b = <s_1 s_2> over a triangle of three bonds K whose majority is +1.

    a = (e^3K + e^-K)/(e^3K + 3 e^-K),   b = (e^3K - e^-K)/(e^3K + 3 e^-K)

    (T. Niemeijer, J. M. J. van Leeuwen, Phys. Rev. Lett. 31, 1411 (1973)). NumPy or JAX.

    >>> a, b = triangle_moments(math.log(1 + 2 * math.sqrt(2)) / 4)
    >>> round(float(a**2), 12), round(float(b), 6)
    (0.5, 0.414214)
    """
    xp = namespace(coupling)
    aligned = (1 + xp.tanh(2 * coupling - math.log(3) / 2)) / 2  # e^3K/(e^3K + 3 e^-K)
    return TriangleMoments((1 + 2 * aligned) / 3, (4 * aligned - 1) / 3)


def plaquette_mean(coupling: Any) -> Any:
    """a = <s_1> over a 2 x 2 block of four bonds K given its block spin +1, ties broken at random.

    a = (e^4K + 2)/(e^4K + 6 + e^-4K): aligned, 4 blocks with one spin down, and half of the 6 ties, whose
    mean is zero. NumPy or JAX.

    >>> round(float(plaquette_mean(0.0)), 6)
    0.375
    """
    xp = namespace(coupling)
    w = xp.exp(-4 * xp.abs(coupling))
    whole = 1 + 6 * w + w * w
    return xp.where(coupling > 0, 1 + 2 * w, w * (2 + w)) / whole


def niemeijer_van_leeuwen(order: int = 1) -> Scheme:
    """Majority of the triangles of the triangular lattice, b = sqrt 3, by cumulants of the inter-cell bonds.

    With a, b of `triangle_moments`, first order: K' = 2 a^2 K, and h' = 3 a h. Second order, with the
    couplings L of next and M of third neighbours that it creates (themselves of second order):

    K' = 2 a^2 K + 4 a^2 (1 + b - 2 a^2) K^2 + 3 a^2 L + 2 a^2 M
    L' = a^2 (1 + 7 b - 8 a^2) K^2 + a^2 M
    M' = 4 a^2 (b - a^2) K^2
    h' = [3 a + 12 a (1 + 2 b - 3 a^2) K] h

    The field is of first order like K, so the term K h is kept; L h, M h and the three-spin couplings
    (from K^2 h) are of third order. Published values of the leading eigenvalue differ slightly from the
    Jacobian of these equations, which is used here. The first-order free energy is an upper bound, by
    Jensen's inequality. T. Niemeijer, J. M. J. van Leeuwen, Phys. Rev. Lett. 31, 1411 (1973); Physica 71, 17
    (1974).

    Raises:
        UsageError: an order other than 1 and 2.

    >>> float(niemeijer_van_leeuwen()([math.log(1 + 2 * math.sqrt(2)) / 4])[0]).__round__(6)
    0.335614
    """
    if order not in (1, 2):
        raise UsageError(f"order = {order} does not exist for 'niemeijer-van-leeuwen'; choose 1 or 2.")
    return _triangular(order)


@functools.lru_cache(maxsize=2)
def _triangular(order: int) -> Scheme:
    def first(couplings: Any) -> Any:
        return 2 * triangle_moments(couplings).mean ** 2 * couplings

    def second(couplings: Any) -> Any:
        k, near, far = couplings[0], couplings[1], couplings[2]
        a, b = triangle_moments(k)
        square = a * a
        return namespace(couplings).stack(
            [
                2 * square * k + 4 * square * (1 + b - 2 * square) * k * k + square * (3 * near + 2 * far),
                square * (1 + 7 * b - 8 * square) * k * k + square * far,
                4 * square * (b - square) * k * k,
            ]
        )

    def field(couplings: Any) -> Any:
        a, b = triangle_moments(couplings[0])
        return 3 * a if order == 1 else 3 * a + 12 * a * (1 + 2 * b - 3 * a * a) * couplings[0]

    def constant(couplings: Any) -> Any:
        k = couplings[0]
        value = namespace(k).logaddexp(3 * k, math.log(3) - k) / 3
        if order == 1:
            return value
        a, b = triangle_moments(k)
        return value + k * k * (1 + b - 2 * a**4)

    return Scheme(
        name="niemeijer-van-leeuwen",
        title=f"Niemeijer-van Leeuwen, triangular lattice, {'first' if order == 1 else 'second'} order",
        couplings=("K",) if order == 1 else ("K", "L", "M"),
        scale=math.sqrt(3),
        dimension=2.0,
        lattice="triangular",
        recursion=first if order == 1 else second,
        formula="K' = 2 a^2 K, a = (e^3K + e^-K)/(e^3K + 3 e^-K)"
        if order == 1
        else "K' = 2a^2 K + 4a^2 (1 + b - 2a^2) K^2 + 3a^2 L + 2a^2 M, "
        "L' = a^2 (1 + 7b - 8a^2) K^2 + a^2 M, M' = 4a^2 (b - a^2) K^2",
        source="T. Niemeijer, J. M. J. van Leeuwen, Phys. Rev. Lett. 31, 1411 (1973); Physica 71, 17 (1974)",
        order=order,
        orders=(1, 2),
        magnetic=field,
        constant=constant,
        exact=known_values("triangular"),
        log_partition=triangular_log_partition,
    )


@functools.lru_cache(maxsize=1)
def majority_square() -> Scheme:
    """Majority of 2 x 2 blocks of the square lattice, ties at random, b = 2, first cumulant.

    K' = 2 a^2 K and h' = 4 a h with a of `plaquette_mean`: two bonds join neighbouring blocks. The free
    energy is an upper bound, by Jensen's inequality. The method is that of T. Niemeijer,
    J. M. J. van Leeuwen, Physica 71, 17 (1974), on the square lattice.

    >>> float(majority_square()([0.51861])[0]).__round__(5)
    0.51861
    """

    def constant(couplings: Any) -> Any:
        k, add = couplings[0], namespace(couplings).logaddexp
        return add(add(4 * k, -4 * k), math.log(6)) / 4

    return Scheme(
        name="majority-square",
        title="majority of 2 x 2 blocks, square lattice, first order",
        couplings=("K",),
        scale=2.0,
        dimension=2.0,
        lattice="square",
        recursion=lambda couplings: 2 * plaquette_mean(couplings) ** 2 * couplings,
        formula="K' = 2 a^2 K, a = (e^4K + 2)/(e^4K + 6 + e^-4K)",
        source="after T. Niemeijer, J. M. J. van Leeuwen, Physica 71, 17 (1974)",
        order=1,
        orders=(1,),
        magnetic=lambda couplings: 4 * plaquette_mean(couplings[0]),
        constant=constant,
        exact=known_values("square"),
        log_partition=square_log_partition,
    )
