"""The uniform Gaussian chain: the fixed point of its continued fraction, its linearisation, and its end."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.optimize

from ...runs.errors import NumericalError, UsageError
from ._checks import Numbers, finite_array, real_matrix, symmetric_matrix

__all__ = [
    "UniformFixedPoint",
    "beta_function",
    "deepest_uniform_chain",
    "linearised_step",
    "symbol_minimum",
    "uniform_fixed_point",
]

_ANGLES = 257
_MOST_DOUBLINGS = 60
_TOLERANCE = 1e-12


@dataclass(frozen=True, eq=False)
class UniformFixedPoint:
    """The fixed point of A = Lam - W A^-1 W^T that the flow from A = Lam reaches.

    `precision` A* [m, m]; `gain` G = W A*^-1, the matrix that carries a bias one layer up; `eigenvalues` of
    the linearised flow dA_l/dA_{l+1}: E -> G E G^T on symmetric E, largest modulus first, m (m + 1)/2 of
    them; `symbol_minimum`, the smallest eigenvalue of Lam - W e^{i theta} - W^T e^{-i theta}: positive where
    the chain exists, zero where the flow is marginal.
    """

    precision: np.ndarray
    gain: np.ndarray
    eigenvalues: np.ndarray
    symbol_minimum: float

    @property
    def correlation_depth(self) -> float:
        """The number of layers -1/ln rho(G) over which correlations decay by e; infinity when marginal."""
        radius = math.sqrt(abs(complex(self.eigenvalues[0])))
        if radius == 0:
            return 0.0
        return -1 / math.log(radius) if radius < 1 else math.inf


def uniform_fixed_point(precision: Numbers, coupling: Numbers) -> UniformFixedPoint:
    """The fixed point of the uniform chain Lam_l = Lam, W_l = W and the linearised flow about it.

    Scalars: A* = (lam + sqrt(lam^2 - 4 w^2))/2, dA_l/dA_{l+1} = w^2/A*^2 (section 1.1). Matrices: the largest
    solution of A = Lam - W A^-1 W^T by cyclic reduction, which integrates out every second layer at each
    step (B. Meini, Math. Comp. 71, 1189 (2002)); A* is exact to rounding, the eigenvalues too except at a
    marginal point (1e-6). It exists if and only if Lam - W e^{i theta} - W^T e^{-i theta} >= 0 at all theta
    (Engwerda, Ran and Rijkeboer, Linear Algebra Appl. 186, 255 (1993)); for scalars, |w| <= lam/2.
    `precision` is a number or [m, m], `coupling` a number or [m, m].

    Raises `UsageError` for shapes that do not fit and a precision that is not symmetric, `NumericalError`
    where there is no fixed point: there the flow ceases to exist at a finite depth (`deepest_uniform_chain`).

    >>> point = uniform_fixed_point(2.5, 1.0)
    >>> float(point.precision[0, 0]), float(point.eigenvalues[0]), round(point.correlation_depth, 9)
    (2.0, 0.25, 1.442695041)
    """
    lam, w = _square(precision, coupling)
    minimum = symbol_minimum(lam, w)
    scale = float(np.abs(lam).max()) + 2 * float(np.abs(w).max())
    if minimum < -_TOLERANCE * scale:
        raise NumericalError(
            f"The uniform chain has no fixed point: the smallest eigenvalue of Lam - W exp(i theta) - "
            f"W^T exp(-i theta) is {minimum:.6g} < 0, and the flow ceases to exist at a finite depth "
            "(for scalars, where |w| > lam/2). Weaken W or raise Lam."
        )
    if len(lam) == 1:
        value, hop = float(lam[0, 0]), float(w[0, 0])
        root = math.sqrt(max((value - 2 * abs(hop)) * (value + 2 * abs(hop)), 0.0))
        fixed = np.array([[(value + root) / 2]])
    else:
        fixed = _cyclic_reduction(lam, w)
    gain = scipy.linalg.solve(fixed, w.T, assume_a="pos").T
    values = scipy.linalg.eigvals(gain)
    rows, columns = np.triu_indices(len(values))
    products = values[rows] * values[columns]
    products = products[np.argsort(-np.abs(products), kind="stable")]
    if (np.abs(np.imag(products)) <= 1e-13 * np.abs(products)).all():  # a conjugate pair's product is real
        products = np.real(products)
    return UniformFixedPoint(fixed, gain, products, minimum)


def beta_function(marginal: Numbers, precision: Numbers, coupling: Numbers) -> np.ndarray:
    """The change of the marginal precision in one layer, A_l - A_{l+1} = Lam - W A^-1 W^T - A, [m, m].

    Its zeros are the fixed points. For scalars both, (lam ± sqrt(lam^2 - 4 w^2))/2: the upper attracts, the
    lower repels, and they meet at |w| = lam/2. Raises `UsageError` for shapes that do not fit and a
    marginal that cannot be inverted.

    >>> [round(float(beta_function(a, 2.5, 1.0)[0, 0]), 9) for a in (2.5, 2.0, 0.5)]
    [-0.4, 0.0, 0.0]
    """
    lam, w = _square(precision, coupling)
    a = symmetric_matrix("marginal", real_matrix("marginal", marginal), len(lam))
    return lam - _gain(a, w) @ w.T - a


def linearised_step(marginal: Numbers, coupling: Numbers) -> np.ndarray:
    """The derivative of one step, dA_l/dA_{l+1}, as a matrix [k^2, m^2] on row-major vec(A_{l+1}).

    A_l = Lam_l - W A^-1 W^T gives dA_l = G dA G^T with G = W A^-1: the matrix is G ⊗ G. `marginal` is A_{l+1}
    [m, m], at a fixed point or anywhere, `coupling` W_{l+1} [k, m]. Raises `UsageError` for shapes that do
    not fit and a marginal that cannot be inverted.

    >>> float(linearised_step(2.0, 1.0)[0, 0])
    0.25
    """
    w = real_matrix("coupling", coupling)
    gain = _gain(marginal, finite_array("coupling", w, w.shape))
    return np.kron(gain, gain)


def symbol_minimum(precision: Numbers, coupling: Numbers) -> float:
    """The smallest eigenvalue of Lam - W e^{i theta} - W^T e^{-i theta} over theta, at infinite depth.

    The uniform chain of any depth exists where it is >= 0; for scalars it is lam - 2 |w|. Found on a grid of
    angles and refined. Raises `UsageError` for shapes that do not fit.

    >>> symbol_minimum(2.5, 1.0)
    0.5
    """
    lam, w = _square(precision, coupling)
    if len(lam) == 1:
        return float(lam[0, 0] - 2 * abs(w[0, 0]))

    def smallest(theta: float) -> float:
        phase = w * np.exp(1j * theta)
        return float(scipy.linalg.eigvalsh(lam - phase - phase.conj().T)[0])

    angles = np.linspace(0, math.pi, _ANGLES)  # theta and -theta have the same eigenvalues
    values = np.array([smallest(theta) for theta in angles])
    lowest = float(values.min())
    step = angles[1]
    for i in np.flatnonzero(values <= np.minimum(np.roll(values, 1), np.roll(values, -1))):
        found: Any = scipy.optimize.minimize_scalar(
            smallest, bounds=(angles[i] - step, angles[i] + step), method="bounded", options={"xatol": 1e-10}
        )
        lowest = min(lowest, smallest(found.x))
    return lowest


def deepest_uniform_chain(precision: float | int, coupling: float | int) -> float:
    """The largest number of layers for which the scalar uniform chain exists; infinity where |w| <= lam/2.

    N layers have the joint eigenvalues lam - 2 |w| cos(pi k/(N + 1)), so N exists while
    cos(pi/(N + 1)) < lam/(2 |w|). Just beyond |w| = lam/2 it grows as pi/sqrt(2 (2 |w|/lam - 1)).
    Raises `UsageError` unless both numbers are finite.

    >>> deepest_uniform_chain(2.0, 1.0), deepest_uniform_chain(2.0, 1.01)
    (inf, 21.0)
    """
    if not (math.isfinite(precision) and math.isfinite(coupling)):
        raise UsageError(f"precision and coupling must be finite, not {precision} and {coupling}.")
    if precision <= 0:
        return 0.0
    if abs(coupling) <= precision / 2:
        return math.inf
    layers = math.ceil(math.pi / math.acos(precision / (2 * abs(coupling))) - 1) - 1
    return float(layers)


def _square(precision: Numbers, coupling: Numbers) -> tuple[np.ndarray, np.ndarray]:
    lam = real_matrix("precision", precision)
    lam = symmetric_matrix("precision", lam, len(lam))
    if lam.size == 0:
        raise UsageError("The layers of a uniform chain have at least one unit, but the precision is empty.")
    return lam, finite_array("coupling", real_matrix("coupling", coupling), lam.shape)


def _gain(marginal: Numbers, coupling: np.ndarray) -> np.ndarray:
    """W A^-1."""
    a = symmetric_matrix("marginal", real_matrix("marginal", marginal), coupling.shape[1])
    try:
        return np.linalg.solve(a, coupling.T).T
    except np.linalg.LinAlgError:
        smallest = float(np.abs(np.linalg.eigvalsh(a)).min())
        raise UsageError(
            f"The marginal precision cannot be inverted: an eigenvalue is {smallest:.3g}. One layer takes a "
            "positive definite matrix."
        ) from None


def _cyclic_reduction(lam: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The largest A with A = Lam - W A^-1 W^T: the first layer's precision as the others are thinned out.

    After k rounds every 2^k-th layer is left, `bulk` its precision, `edge` that of the first, `hop` between.
    """
    edge, bulk, hop = lam.copy(), lam.copy(), w.copy()
    for _ in range(_MOST_DOUBLINGS):
        try:
            solved = scipy.linalg.solve(bulk, np.hstack([hop, hop.T]), assume_a="pos")
        except scipy.linalg.LinAlgError:  # marginal: the bulk precision has flowed to zero
            break
        down, up = solved[:, : len(lam)], solved[:, len(lam) :]
        change = hop @ up
        edge, bulk, hop = edge - change, bulk - change - hop.T @ down, hop @ down
        if np.abs(change).max() <= np.finfo(np.float64).eps * np.abs(lam).max():
            break
    return (edge + edge.T) / 2
