"""The linearised flow at a fixed point: Jacobian by autodiff, eigenvalues, critical exponents."""

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...runs.errors import NumericalError
from ._registry import find_scheme
from ._scheme import Scheme

__all__ = ["Exponents", "Stability", "exponents", "jacobian", "linearised", "stability"]


@dataclass(frozen=True)
class Stability:
    """The linear map at a point: eigenvalues by falling magnitude, scaling fields and directions.

    `jacobian[i, j]` is dK'_i/dK_j; `directions[:, n]` is the eigenvector of `eigenvalues[n]` and `fields[n]`
    the left one, which is the gradient of the scaling field u_n, scaled so that fields @ directions = 1. Real
    when all eigenvalues are. `magnetic` is dh'/dh for a small field h, None where the scheme has none.

    >>> stability("wilson").eigenvalues.round(5)
    array([ 1.72076, -0.38743])
    """

    couplings: np.ndarray
    jacobian: np.ndarray
    eigenvalues: np.ndarray
    directions: np.ndarray
    fields: np.ndarray
    magnetic: float | None


@dataclass(frozen=True)
class Exponents:
    """Critical exponents of a scheme; None where the scheme has no field.

    y_t = ln lambda_1/ln b, nu = 1/y_t, alpha = 2 - d nu; y_h = ln lambda_h/ln b, eta = d + 2 - 2 y_h,
    beta = (d - y_h)/y_t. `irrelevant` holds ln |lambda|/ln b of the other eigenvalues.

    >>> round(Exponents(0.88, 1.136, -0.27, 1.369, 1.26, 0.72, ()).y_t, 2)
    0.88
    """

    y_t: float
    nu: float
    alpha: float
    y_h: float | None
    eta: float | None
    beta: float | None
    irrelevant: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return asdict(self) | {"irrelevant": list(self.irrelevant)}


@contextmanager
def _precise() -> Iterator[None]:
    """Within the block JAX computes in float64 on the CPU, whatever the configuration is."""
    with (
        jax.enable_x64(True),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
        jax.default_device(jax.devices("cpu")[0]),
    ):
        yield


def jacobian(scheme: str | Scheme, couplings: Any, order: int | None = None) -> np.ndarray:
    """dK'_i/dK_j [n, n] of one step at the couplings [n], by forward autodiff in float64.

    Raises:
        UsageError: an unknown scheme or order, a vector of the wrong length.

    >>> jacobian("wilson", [1 / 3, 1 / 9]).round(6)
    array([[1.333333, 1.      ],
           [0.666667, 0.      ]])
    """
    scheme = find_scheme(scheme, order)
    return linearised(scheme, scheme.vector(couplings)[None])[1][0]


def linearised(scheme: Scheme, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One step from m points [m, n], and the Jacobians [m, n, n] there."""
    with _precise():
        images, slopes = _compiled(scheme)(jnp.asarray(points))
        return np.asarray(images), np.asarray(slopes)


@functools.lru_cache(maxsize=256)
def _compiled(scheme: Scheme) -> Callable[[Any], Any]:
    slope = jax.jacfwd(scheme.recursion)
    return jax.jit(jax.vmap(lambda couplings: (scheme.recursion(couplings), slope(couplings))))


def stability(scheme: str | Scheme, at: Any = None, order: int | None = None) -> Stability:
    """The full Jacobian, its eigenvalues and eigenvectors at a point, by default the critical fixed point.

    A scheme that is critical at K = infinity (the chain) is linearised in w = exp(-2K) at w = 0.

    Raises:
        UsageError: an unknown scheme or order, a vector of the wrong length.
        NumericalError: a scheme without a critical fixed point.

    >>> round(float(stability("migdal-kadanoff").eigenvalues[0]), 5)
    1.67857
    """
    from ._fixed_points import fixed_point

    scheme = find_scheme(scheme, order)
    point = fixed_point(scheme) if at is None else np.atleast_1d(np.asarray(at, np.float64))
    if np.isposinf(point).all() and scheme.cold is not None:
        with _precise():
            matrix = np.asarray(jax.jacfwd(scheme.cold)(jnp.zeros(len(scheme.couplings))))
    else:
        matrix = jacobian(scheme, point)
    values, right = np.linalg.eig(matrix)
    rank = np.argsort(-np.abs(values), kind="stable")
    values, right = values[rank], right[:, rank]
    try:
        left = np.linalg.inv(right)
    except np.linalg.LinAlgError:
        raise NumericalError(
            f"The Jacobian of '{scheme.name}' at {point.tolist()} has no full set of eigenvectors."
        ) from None
    magnetic = None if scheme.magnetic is None else float(scheme.magnetic(point))
    return Stability(point, matrix, values, right, left, magnetic)


def exponents(scheme: str | Scheme, order: int | None = None) -> Exponents:
    """Critical exponents from the eigenvalues at the critical fixed point.

    Raises:
        UsageError: an unknown scheme or order.
        NumericalError: a scheme without a critical fixed point.

    >>> found = exponents("niemeijer-van-leeuwen")
    >>> round(found.y_t, 4), round(found.nu, 4), round(found.y_h, 3)
    (0.8822, 1.1335, 1.369)
    """
    scheme = find_scheme(scheme, order)
    linear = stability(scheme)
    rates = np.log(np.maximum(np.abs(linear.eigenvalues), np.finfo(np.float64).tiny)) / math.log(scheme.scale)
    thermal = float(rates[0])
    magnetic = None if linear.magnetic is None else math.log(linear.magnetic) / math.log(scheme.scale)
    d = scheme.dimension
    return Exponents(
        y_t=thermal,
        nu=1 / thermal,
        alpha=2 - d / thermal,
        y_h=magnetic,
        eta=None if magnetic is None else d + 2 - 2 * magnetic,
        beta=None if magnetic is None else (d - magnetic) / thermal,
        irrelevant=tuple(map(float, rates[1:])),
    )
