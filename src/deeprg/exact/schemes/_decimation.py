"""Decimation in closed form: an Ising spin is summed, and its neighbours are coupled instead."""

import math
from typing import Any, NamedTuple

from ._arrays import log_cosh, namespace, real

__all__ = [
    "ChainDecimation",
    "SquareDecimation",
    "SquareField",
    "decimate_chain",
    "decimate_ising_chain",
    "decimate_potts_chain",
    "decimate_square",
    "decimate_square_field",
]

_LN2 = math.log(2)
_COLD = 300.0  # from here on exp(-2K) corrections are far below rounding, and would underflow


class ChainDecimation(NamedTuple):
    """The chain without every second spin; `constant` is what one summed spin adds to ln Z.

    >>> ChainDecimation(0.1, 0.0, 0.7).coupling
    0.1
    """

    coupling: Any
    field: Any
    constant: Any


class SquareDecimation(NamedTuple):
    """The square lattice without one sublattice; `constant` is what one summed spin adds to ln Z.

    `nearest` and `diagonal` couple first and second neighbours of the coarse lattice (spacing sqrt 2),
    `quartet` the four corners around each summed spin.

    >>> SquareDecimation(0.2, 0.1, -0.01, 0.7).nearest
    0.2
    """

    nearest: Any
    diagonal: Any
    quartet: Any
    constant: Any


def decimate_chain(coupling: Any, field: Any = 0.0) -> ChainDecimation:
    """Sum every second spin of the Ising chain with the action exponent K sum s s' + h sum s. Exact.

    K' = 1/4 ln[cosh(2K + h) cosh(2K - h) / cosh^2 h]
    h' = h + 1/2 ln[cosh(2K + h) / cosh(2K - h)]
    c = ln 2 + 1/4 ln[cosh(2K + h) cosh(2K - h) cosh^2 h]   (per summed spin)

    so that sum_s exp[h (s_1 + s_2)/2 + (K (s_1 + s_2) + h) s] = exp[c + K' s_1 s_2 + h' (s_1 + s_2)/2]. The
    summed spin is a ±1 hidden unit with the weights (K, K) and the bias h: ln 2 cosh(K (s_1 + s_2) + h) is
    its cumulant generating function, and c, K', h' - h are its Walsh-Hadamard coefficients. Without field
    tanh K' = tanh^2 K (D. R. Nelson, M. E. Fisher, Ann. Phys. 91, 226 (1975), section 2). Infinite K stay
    infinite, with h' = 2h (K > 0) or 0.

    Args:
        coupling: K, a number or an array, NumPy (float64) or JAX (differentiable, in JAX's precision).
        field: h per spin, of the same shape or a number.

    Raises:
        UsageError: what is no number, or NaN.

    >>> step = decimate_chain(0.3)
    >>> round(float(step.coupling), 5), float(step.field)
    (0.08507, 0.0)
    """
    k, h = real("coupling", coupling), real("field", field)
    up, down, alone = log_cosh(2 * k + h), log_cosh(2 * k - h), log_cosh(h)
    xp, cold = namespace(k, h), abs(h) + _COLD
    bound = xp.minimum(xp.maximum(k, -cold), cold)  # beyond, the two differ by ±2h to the last digit
    shift = (log_cosh(2 * bound + h) - log_cosh(2 * bound - h)) / 2
    return ChainDecimation((up + down - 2 * alone) / 4, h + shift, _LN2 + (up + down + 2 * alone) / 4)


def decimate_square(coupling: Any) -> SquareDecimation:
    """Sum one sublattice of the nearest-neighbour Ising model on the square lattice, b = sqrt 2. Exact.

    With the action exponent K sum s s' the coarse one has, and has only,

    K1' = 1/4 ln cosh 4K   (nearest neighbours: each pair has two summed spins in common)
    K2' = 1/8 ln cosh 4K   (diagonals)
    Q'  = 1/8 ln cosh 4K - 1/2 ln cosh 2K   (quartets around a summed spin)
    c   = ln 2 + 1/2 ln cosh 2K + 1/8 ln cosh 4K   (per summed spin)

    These are the Walsh-Hadamard coefficients of ln 2 cosh K(s_1 + s_2 + s_3 + s_4), the ±1 hidden unit with
    four legs. A second step would create couplings of every range: a truncation has to begin here
    (K. G. Wilson, Rev. Mod. Phys. 47, 773 (1975), section VI).

    Args:
        coupling: K, a number or an array, NumPy (float64) or JAX (differentiable, in JAX's precision).

    Raises:
        UsageError: what is no number, or NaN.

    >>> [round(float(value), 6) for value in decimate_square(0.4)]
    [0.236702, 0.118351, -0.027026, 0.956875]
    """
    k = real("coupling", coupling)
    two, four = log_cosh(2 * k), log_cosh(4 * k)
    return SquareDecimation(four / 4, four / 8, four / 8 - two / 2, _LN2 + two / 2 + four / 8)


class SquareField(NamedTuple):
    """What a small field h becomes when one sublattice is summed, each divided by h.

    `field` acts on a kept spin, `triple` couples three of the four corners around a summed spin.

    >>> SquareField(2.1, -0.1).field
    2.1
    """

    field: Any
    triple: Any


def decimate_square_field(coupling: Any) -> SquareField:
    """The field of `decimate_square`, exact to first order in h.

    dh'/dh = 1 + tanh 2K + 1/2 tanh 4K   (each kept spin has four summed neighbours)
    dT'/dh = 1/8 tanh 4K - 1/4 tanh 2K   (for each of the four triples of corners)

    From ln 2 cosh(K sum s + h) = ... + h tanh(K sum s): the Walsh-Hadamard coefficients of tanh(K sum s).

    Args:
        coupling: K, a number or an array, NumPy (float64) or JAX (differentiable, in JAX's precision).

    Raises:
        UsageError: what is no number, or NaN.

    >>> [round(float(value), 6) for value in decimate_square_field(0.4)]
    [2.124871, -0.050801]
    """
    k = real("coupling", coupling)
    xp = namespace(k)
    two, four = xp.tanh(2 * k), xp.tanh(4 * k)
    return SquareField(1 + two + four / 2, four / 8 - two / 4)


def decimate_potts_chain(coupling: Any, states: float | int, scale: float | int = 2) -> tuple[Any, Any]:
    """K' and the constant of a row of b bonds K delta(s, s') whose b - 1 inner Potts spins are summed. Exact.

    With r = [(e^K - 1)/(e^K + q - 1)]^b,

    K' = ln[(1 + (q - 1) r)/(1 - r)],   c = b ln(e^K + q - 1) + ln(1 - r) - ln q,

    the b-th power of the transfer matrix (F. Y. Wu, Rev. Mod. Phys. 54, 235 (1982)); b and q may be real. A
    negative K keeps the sign of the base to the power b (odd b), or loses it (even b).

    >>> k, c = decimate_potts_chain(1.0, states=3)
    >>> round(float(k), 6), round(float(c), 6)
    (0.37755, 1.861995)
    """
    k = real("coupling", coupling)
    xp = namespace(k)
    inside = (k != 0) & (xp.abs(k) < _COLD)
    safe = xp.where(inside, k, 1.0)
    size = xp.abs(safe)
    small = xp.exp(-size)
    # x = b ln(|e^K - 1|/(e^K + q - 1)), each divided by the larger exponential
    top = xp.where(size < 0.5, xp.log(-xp.expm1(-size)), xp.log1p(-xp.minimum(small, 0.75)))
    bottom = xp.where(safe > 0, xp.log1p((states - 1) * small), xp.log(states - 1 + small))
    power = scale * (top - bottom)
    sign = xp.sign(safe) if scale % 2 != 0 else xp.ones_like(safe)
    # ln(1 - e^x) to full relative precision on both sides of 1/2: K' is tiny where K is small
    near, far = xp.log(-xp.expm1(xp.maximum(power, -_LN2))), xp.log1p(-xp.exp(xp.minimum(power, -_LN2)))
    less = xp.where(sign > 0, xp.where(power > -_LN2, near, far), xp.log1p(xp.exp(power)))
    image = xp.log1p((states - 1) * sign * xp.exp(power)) - less
    image = xp.where(inside, image, xp.where(k > 0, k - math.log(scale), 0.0))
    less = xp.where(inside, less, xp.where(k > 0, math.log(scale * states) - k, 0.0))
    constant = scale * xp.logaddexp(k, math.log(states - 1) + xp.zeros_like(k)) + less
    return image, constant - math.log(states)


def decimate_ising_chain(coupling: Any, scale: float | int = 2) -> tuple[Any, Any]:
    """K' and the constant of a row of b Ising bonds K whose b - 1 inner spins are summed; no field.

    tanh K' = tanh^b K;  c = b ln(2 cosh K) - ln 2 + 1/2 ln(1 - tanh^(2b) K): the Potts chain of two states
    and the coupling 2K.

    >>> k, c = decimate_ising_chain(0.3)
    >>> round(float(k), 5), bool(abs(c - decimate_chain(0.3).constant) < 1e-15)
    (0.08507, True)
    """
    k = real("coupling", coupling)
    xp = namespace(k)
    size = xp.abs(k)
    image, constant = decimate_potts_chain(2 * size, 2, scale)
    sign = xp.sign(k) if scale % 2 != 0 else 1.0
    return sign * image / 2, constant - scale * size + image / 2
