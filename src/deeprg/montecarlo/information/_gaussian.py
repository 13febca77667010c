"""The information of Gaussian variables: closed form, from samples, and through ranks."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma, ndtri

from deeprg.montecarlo.information._result import InformationEstimate
from deeprg.montecarlo.information._samples import block_edges, normal_scores, paired, refuse_ties
from deeprg.montecarlo.jackknife import Jackknife, from_replicas
from deeprg.runs.errors import NumericalError, UsageError

__all__ = ["gaussian_copula_information", "gaussian_information", "gaussian_information_from_samples"]


def gaussian_information(
    covariance: ArrayLike, a: Sequence[int] | np.ndarray, b: Sequence[int] | np.ndarray
) -> float:
    """I(A:B) of two sets of jointly Gaussian variables, in nats, exactly.

    I = ½ ln(det Σ_A det Σ_B / det Σ_AB) with the blocks of the covariance [d, d]; variables in neither set
    are integrated out. The determinants come from Cholesky factors. Source: T. M. Cover and J. A. Thomas,
    Elements of Information Theory (2006), theorem 8.4.1 for the entropies.

    Raises:
        UsageError: a matrix that is not square, symmetric and finite; index sets that are empty, overlap,
            repeat or leave 0 ... d - 1.
        NumericalError: a covariance of the chosen variables that is not positive definite.

    >>> print(f"{gaussian_information([[1.0, 0.6], [0.6, 1.0]], [0], [1]):.6f}")      # -½ ln(1 - 0.36)
    0.223144
    """
    matrix = np.asarray(covariance, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():
        raise UsageError(f"A covariance is a finite square matrix [d, d], not of shape {matrix.shape}.")
    if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=1e-10 * np.abs(matrix).max(initial=0)):
        raise UsageError("The covariance is not symmetric; average it with its transpose.")
    sites = [*a, *b]
    if not len(a) or not len(b) or len(set(sites)) < len(sites):
        raise UsageError(
            f"a = {list(a)} and b = {list(b)} must be two sets of variables, not empty, each named once."
        )
    if not all(0 <= site < len(matrix) for site in sites):
        raise UsageError(f"The variables are 0 ... {len(matrix) - 1}; a = {list(a)} and b = {list(b)}.")
    return _plug_in(matrix[np.ix_(sites, sites)], len(a))


def gaussian_information_from_samples(x: ArrayLike, y: ArrayLike, *, blocks: int = 50) -> InformationEstimate:
    """I(X:Y) of Gaussian samples by their covariance, without bias at any n; wrong for any other law.

    ½ ln(det S_X det S_Y / det S_XY) of the sample covariances, less its mean excess. The scatter matrix of n
    independent Gaussian samples of d variables is Wishart with ν = n - 1, and its determinant is det Σ times
    a product of independent χ² with ν, ν - 1 ... ν - d + 1 degrees of freedom (T. W. Anderson, An
    Introduction to Multivariate Statistical Analysis (2003), theorem 7.5.3), of which E ln χ²_f = ψ(f/2) +
    ln 2. The ln 2 cancel, and with g(d) = Σ_{i=1..d} ψ((n - i)/2)

        bias = ½ [g(d_x) + g(d_y) - g(d_x + d_y)]  ≈  d_x d_y/(2n).

    The error is the jackknife's over blocks of consecutive samples, which should be long against the
    autocorrelation time; the bias of correlated samples is larger than what is taken out. For samples that
    are not Gaussian it is the information of a Gaussian law of their covariance, neither a bound nor close;
    a column with an excess kurtosis beyond ±max(0.5, 7 √(24/n)) is flagged.

    Args:
        x, y: `[n]` or `[n, d]`, drawn together.

    Raises:
        UsageError: NaN, constant columns, unequal lengths, fewer than 10 blocks, or n below 2 blocks or
            2 (d_x + d_y).
        NumericalError: columns that depend linearly on each other.

    >>> x, noise = np.random.default_rng(0).normal(size=(2, 4000))
    >>> found = gaussian_information_from_samples(x, 0.6 * x + 0.8 * noise)                # exact 0.2231
    >>> print(f"{found.value:.3f} +- {found.error:.3f}")
    0.221 +- 0.009
    """
    first, second = paired(x, y)
    both = np.hstack([first, second])
    both = both - both.mean(axis=0)
    edges = _edges(both, blocks)
    second_moments = np.stack([both[i:j].T @ both[i:j] for i, j in itertools.pairwise(edges)])
    sums = np.add.reduceat(both, edges[:-1], axis=0)

    def covariance(without: int) -> np.ndarray:
        left = len(both) - (edges[without + 1] - edges[without])
        mean = -sums[without] / left
        return (second_moments.sum(axis=0) - second_moments[without]) / left - np.outer(mean, mean)

    full = second_moments.sum(axis=0) / len(both)
    excess = np.mean(both**4, axis=0) / np.mean(both**2, axis=0) ** 2 - 3
    flags = []
    if np.abs(excess).max() > max(0.5, 7 * np.sqrt(24 / len(both))):
        worst = int(np.abs(excess).argmax())
        flags.append(
            f"Column {worst} of (x, y) has an excess kurtosis of {excess[worst]:.2g}: the samples are not "
            "Gaussian and the value is not their information."
        )
    found = _jackknife(full, covariance, first.shape[1], blocks)
    value = found.value - _wishart_bias(first.shape[1], second.shape[1], len(both))
    return InformationEstimate(value, found.error, len(both), "Gaussian covariance", flags=flags)


def gaussian_copula_information(x: ArrayLike, y: ArrayLike, *, blocks: int = 50) -> InformationEstimate:
    """I(X:Y) by ranks: exact for a Gaussian copula, whatever the law of each column.

    Each column is replaced by the normal scores Φ⁻¹(r/(n + 1)) of its ranks r, and I is that of a Gaussian
    law with the scores' covariance. So the value is invariant under increasing or decreasing maps of every
    column, and consistent when the copula of all columns together is Gaussian. For another copula it is the
    information of a law with Gaussian copula and the same covariance of scores: zero for independent x and
    y, but perhaps also for dependent ones. Bias and error are those of the jackknife over blocks of
    consecutive samples, ranked anew without each block. (Scores have a bias of order ln(n)/n: -0.035 at 3
    nats and n = 2000, of which -0.006 is left.) Source: R. A. A. Ince et al., Human Brain Mapping 38, 1541
    (2017), doi:10.1002/hbm.23471.

    Args:
        x, y: `[n]` or `[n, d]`, drawn together.

    Raises:
        UsageError, NumericalError: as `gaussian_information_from_samples`, and for tied (discrete) columns.

    >>> x, noise = np.random.default_rng(0).normal(size=(2, 4000))
    >>> found = gaussian_copula_information(np.exp(x), (0.6 * x + 0.8 * noise) ** 3)       # exact 0.2231
    >>> print(f"{found.value:.3f} +- {found.error:.3f}")
    0.221 +- 0.009
    """
    first, second = paired(x, y)
    for name, array in (("x", first), ("y", second)):
        refuse_ties(name, array, "Use discrete_information.")
    both = np.hstack([first, second])
    n = len(both)
    edges = _edges(both, blocks)
    order = np.argsort(both, axis=0, kind="stable")

    def covariance(without: int) -> np.ndarray:
        inside = np.ones(n, bool)
        inside[edges[without] : edges[without + 1]] = False
        left = int(inside.sum())
        table = ndtri(np.arange(1, left + 1) / (left + 1))
        scores = np.zeros_like(both)
        for column, ranked in enumerate(order.T):
            scores[ranked[inside[ranked]], column] = table
        return scores.T @ scores / left

    scores = normal_scores(both)
    found = _jackknife(scores.T @ scores / n, covariance, first.shape[1], blocks)
    return InformationEstimate(found.corrected, found.error, n, "Gaussian copula")


def _plug_in(matrix: np.ndarray, dx: int) -> float:
    """½ ln(det Σ_X det Σ_Y / det Σ_XY), X the first dx variables."""
    log_det = lambda part: 2 * float(np.log(np.diagonal(np.linalg.cholesky(part))).sum())
    scale = np.sqrt(np.diagonal(matrix).clip(min=1e-300))  # information does not see scales, Cholesky does
    matrix = matrix / np.outer(scale, scale)
    try:
        return 0.5 * (log_det(matrix[:dx, :dx]) + log_det(matrix[dx:, dx:]) - log_det(matrix))
    except np.linalg.LinAlgError:
        raise NumericalError(
            "The covariance is not positive definite: some variables depend linearly on others, so that the "
            "information is infinite or undefined. Leave them out."
        ) from None


def _wishart_bias(dx: int, dy: int, n: int) -> float:
    """Mean of the plug-in value of n Gaussian samples, less the information."""
    terms = digamma((n - np.arange(1, dx + dy + 1)) / 2)
    return float(0.5 * (terms[:dx].sum() + terms[:dy].sum() - terms.sum()))


def _edges(both: np.ndarray, blocks: int) -> np.ndarray:
    n, d = both.shape
    if n < 2 * d:
        raise UsageError(
            f"{n} samples of {d} columns: at least {2 * d} are needed. Take more samples or fewer columns."
        )
    return block_edges(n, blocks)


def _jackknife(full: np.ndarray, covariance: Callable[[int], np.ndarray], dx: int, blocks: int) -> Jackknife:
    """The plug-in value, with the error and bias from the covariances without one block each."""
    replicas = np.array([_plug_in(covariance(block), dx) for block in range(blocks)])
    return from_replicas(np.asarray(_plug_in(full, dx)), replicas)
