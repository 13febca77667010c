"""The information bottleneck of Gaussian variables: which directions are kept, and when."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve_triangular

from ..runs.errors import UsageError

__all__ = ["GaussianBottleneck", "gaussian_bottleneck"]


@dataclass(frozen=True, eq=False)
class GaussianBottleneck:
    """The best T = A X + noise of unit covariance at one β, as `gaussian_bottleneck` returns it.

    eigenvalues: λ_i of Σ_{x|y} Σ_x⁻¹, rising [d_x]; 1 - λ_i are squared canonical correlations.
    critical_betas: 1/(1 - λ_i), from which on direction i is kept, infinite where λ_i = 1 [d_x].
    projection: A [d_x, d_x], row i along direction i; zero where it is not kept.
    information_x, information_y: I(T;X) and I(T;Y) in nats.
    """

    beta: float
    eigenvalues: np.ndarray
    critical_betas: np.ndarray
    projection: np.ndarray
    information_x: float
    information_y: float

    @property
    def objective(self) -> float:
        """I(T;X) - β I(T;Y), the least that there is; 0 where nothing is kept."""
        return self.information_x - self.beta * self.information_y

    @property
    def filters(self) -> np.ndarray:
        """The rows of A that are kept [kept, d_x], most relevant first: a linear coarse-graining of x."""
        return self.projection[self.beta > self.critical_betas]


def gaussian_bottleneck(
    covariance_x: ArrayLike, covariance_y: ArrayLike, cross: ArrayLike, beta: float
) -> GaussianBottleneck:
    """The T that minimises I(T;X) - β I(T;Y) for jointly Gaussian X and Y, in closed form.

    With left eigenvectors v_i and eigenvalues λ_i of Σ_{x|y} Σ_x⁻¹, Σ_{x|y} = Σ_x - Σ_xy Σ_y⁻¹ Σ_yx, and
    r_i = v_iᵀ Σ_x v_i, row i of A is α_i v_iᵀ for β > β_i = 1/(1 - λ_i) and zero below, where

        α_i² = [β (1 - λ_i) - 1]/(λ_i r_i),
        I(T;X) = ½ Σ_kept ln[(β - 1)(1 - λ_i)/λ_i],   I(T;Y) = I(T;X) - ½ Σ_kept ln[β (1 - λ_i)].

    Source: G. Chechik, A. Globerson, N. Tishby, Y. Weiss, J. Mach. Learn. Res. 6, 165 (2005), theorem 3.1 and
    section 5. For β -> ∞, I(T;Y) -> I(X;Y); the variables kept first are those of lowest scaling dimension
    (A. Gordon et al., Phys. Rev. Lett. 126, 240601 (2021), arXiv:2012.01447).

    Args:
        covariance_x, covariance_y: [d_x, d_x] and [d_y, d_y]; `cross`: cov(x_i, y_j) [d_x, d_y].
        beta: above 0; up to 1 nothing is kept.

    Raises:
        UsageError: shapes that do not match, matrices that are not finite, symmetric or, X and Y together,
            positive definite, a β that is not positive and finite.

    The curve is a line for each β:

    >>> for beta in (1.5, 4.0, 100.0):
    ...     found = gaussian_bottleneck(np.eye(2), np.eye(2), np.diag([0.8, 0.5]), beta)
    ...     print(len(found.filters), round(found.information_x, 4), round(found.information_y, 4))
    0 0.0 0.0
    1 0.837 0.367
    2 4.3335 0.6446
    """
    sigma_x, sigma_y = (_covariance(name, m) for name, m in (("x", covariance_x), ("y", covariance_y)))
    between = np.asarray(cross, np.float64)
    if between.shape != (len(sigma_x), len(sigma_y)) or not np.isfinite(between).all():
        raise UsageError(
            f"cross has shape {between.shape}; give finite cov(x_i, y_j) of shape "
            f"{(len(sigma_x), len(sigma_y))}."
        )
    beta = float(beta)
    if not (math.isfinite(beta) and beta > 0):
        raise UsageError(f"beta = {beta} must be positive and finite.")
    root_x, root_y = np.linalg.cholesky(sigma_x), np.linalg.cholesky(sigma_y)
    scaled = solve_triangular(root_y, solve_triangular(root_x, between, lower=True).T, lower=True).T
    vectors, correlations, _ = np.linalg.svd(scaled)
    shared = np.zeros(len(sigma_x))  # 1 - lambda
    shared[: len(correlations)] = correlations**2
    eigenvalues = 1 - shared
    if eigenvalues[0] < 4 * np.finfo(float).eps * len(sigma_x):
        raise UsageError(
            "X and Y together are not positive definite: some combination of x equals one of y, and the "
            "information is infinite. Leave it out, or add noise."
        )
    directions = solve_triangular(root_x.T, vectors).T  # rows v_i with r_i = 1
    kept = beta * shared > 1
    gain = np.sqrt(np.where(kept, (beta * shared - 1) / eigenvalues, 0.0))
    information_x = 0.5 * float(np.log((beta - 1) * shared[kept] / eigenvalues[kept]).sum())
    information_y = information_x - 0.5 * float(np.log(beta * shared[kept]).sum())
    critical = np.divide(1.0, shared, out=np.full_like(shared, np.inf), where=shared > 0)
    return GaussianBottleneck(
        beta, eigenvalues, critical, gain[:, None] * directions, information_x, information_y
    )


def _covariance(name: str, values: ArrayLike) -> np.ndarray:
    matrix = np.asarray(values, np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise UsageError(f"covariance_{name} has shape {matrix.shape}; a square matrix is needed.")
    if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T, rtol=1e-8, atol=1e-12):
        raise UsageError(f"covariance_{name} must be finite and symmetric; average it with its transpose.")
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise UsageError(
            f"covariance_{name} is not positive definite: some variables depend linearly on others. Leave "
            "them out."
        ) from None
    return 0.5 * (matrix + matrix.T)
