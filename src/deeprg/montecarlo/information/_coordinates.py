"""The coordinates in which critics see samples: normal scores, unit covariance, canonical pairs."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from deeprg.montecarlo.information._samples import is_tied

__all__: list[str] = []

SCALES = ("ranks", "deviations")
_KNOTS = 65
_FLAT = 1e-6  # variance, relative to the largest, to which smaller ones are raised
_STRONGEST = 1 - 1e-7


@dataclass(frozen=True)
class Coordinates:
    """Maps of x and of y that some samples fix, invertible up to the outermost values of single columns.

    After them the covariances are the unit matrix and cov(x_i, y_j) = δ_ij ρ_i with the canonical
    correlations ρ (H. Hotelling, Biometrika 28, 321 (1936)). A map of x alone and one of y alone never add
    information, so a lower bound stays one, whatever samples they come from.
    """

    first: "_Side"
    second: "_Side"
    correlations: np.ndarray

    @classmethod
    def fitted(cls, x: np.ndarray, y: np.ndarray, scale: str) -> "Coordinates":
        """The coordinates of samples [n, d_x] and [n, d_y]; `scale` as in `ksg_information`."""
        sides = [_Side.fitted(z, scale) for z in (x, y)]
        a, b = (side(z) for side, z in zip(sides, (x, y), strict=True))
        left, correlations, right = np.linalg.svd(a.T @ b / len(a))
        first, second = (side.turned(by) for side, by in zip(sides, (left, right.T), strict=True))
        return cls(first, second, np.minimum(correlations, _STRONGEST))

    def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Rows (x, y) [n, d_x + d_y] in float32."""
        return np.hstack([self.first(x), self.second(y)]).astype(np.float32)


@dataclass(frozen=True)
class _Side:
    knots: list[np.ndarray | None]
    grid: np.ndarray
    mean: np.ndarray
    matrix: np.ndarray

    @classmethod
    def fitted(cls, x: np.ndarray, scale: str) -> "_Side":
        most = float(ndtri(len(x) / (len(x) + 1)))
        grid = np.linspace(-most, most, _KNOTS)
        knots = [
            None if scale != "ranks" or is_tied(column[:, None]) else np.quantile(column, ndtr(grid))
            for column in x.T
        ]
        side = cls(knots, grid, np.zeros(x.shape[1]), np.eye(x.shape[1]))
        scores = side(x)
        mean, deviation = scores.mean(axis=0), scores.std(axis=0)
        scaled = (scores - mean) / deviation
        variances, vectors = np.linalg.eigh(scaled.T @ scaled / len(x))
        matrix = vectors / np.sqrt(np.maximum(variances, _FLAT * variances.max()))
        return cls(knots, grid, mean, matrix / deviation[:, None])

    def turned(self, by: np.ndarray) -> "_Side":
        return _Side(self.knots, self.grid, self.mean, self.matrix @ by)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        columns = [
            column if knots is None else np.interp(column, knots, self.grid)
            for column, knots in zip(x.T, self.knots, strict=True)
        ]
        return (np.stack(columns, axis=1) - self.mean) @ self.matrix
