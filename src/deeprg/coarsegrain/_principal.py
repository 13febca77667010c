"""A cut in the covariance spectrum: the modes of most variance stay, those of least are forgotten."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from numpy.typing import ArrayLike

from ..lattice import Lattice
from ..runs.errors import UsageError
from ._base import AbstractCoarseGraining

__all__ = ["PrincipalCut", "principal_modes"]


def principal_modes(samples: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean [units], variances [modes], falling, and modes [modes, units] of samples [n, units].

    Modes are the eigenvectors of the covariance, for fields with translations plane waves. There are as many
    as units, or n - 1 where there are fewer samples. Raises `UsageError` for fewer than two samples and NaN.

    >>> mean, variances, modes = principal_modes([[1.0, 1.0], [-1.0, -1.0], [2.0, 2.0], [-2.0, -2.0]])
    >>> np.abs(modes[0]).round(4).tolist(), variances.round(4).tolist()
    ([0.7071, 0.7071], [6.6667, 0.0])
    """
    x = np.asarray(samples, np.float64)
    if x.ndim != 2 or len(x) < 2:
        raise UsageError(f"Samples are a table [n, units] of two rows or more, not of shape {x.shape}.")
    if not np.isfinite(x).all():
        raise UsageError("The samples hold NaN or infinity; find where they come from.")
    mean = x.mean(axis=0)
    count = min(x.shape[1], len(x) - 1)
    variances, vectors = np.linalg.eigh(np.cov(x, rowvar=False).reshape(x.shape[1], -1))
    order = np.argsort(variances)[::-1][:count]
    return mean, np.maximum(variances[order], 0.0), vectors[:, order].T


class PrincipalCut(AbstractCoarseGraining):
    """The field without its modes of least variance, x -> mean + sum_{k kept} u_k (u_k . (x - mean)).

    The coarse field lives on the same lattice and varies in fewer directions: it is smooth where large
    variance means long wavelengths. S. Bradde and W. Bialek, J. Stat. Phys. 167, 462 (2017),
    arXiv:1610.09733. `modes` [kept, sites] are orthonormal, see `principal_modes`.

    Raises `UsageError` for modes of another lattice, or none.

    >>> import jax
    >>> cut = PrincipalCut(Lattice((2,)), np.zeros(2), np.array([[0.6, 0.8]]))
    >>> cut.coarsen(jnp.array([1.0, 0.0]), key=jax.random.key(0)).round(2).tolist()
    [0.36, 0.48]
    """

    fine: Lattice = eqx.field(static=True)
    centre: Float[Array, " sites"]
    modes: Float[Array, "kept sites"]

    def __init__(self, fine: Lattice, centre: ArrayLike, modes: ArrayLike):
        kept, middle = np.asarray(modes, np.float64), np.asarray(centre, np.float64)
        if kept.ndim != 2 or kept.shape[1] != fine.size or middle.shape != (fine.size,) or not len(kept):
            raise UsageError(
                f"Modes {kept.shape} about {middle.shape} are none of {fine}: [kept, {fine.size}] about "
                f"[{fine.size}] are needed, one mode at least."
            )
        self.fine = fine
        self.centre, self.modes = jnp.asarray(middle, jnp.float32), jnp.asarray(kept, jnp.float32)

    @classmethod
    def fitted(cls, fine: Lattice, samples: ArrayLike, kept: int) -> "PrincipalCut":
        """The cut that keeps the `kept` modes of most variance of samples [n, *fine]."""
        x = np.asarray(samples)
        mean, _, modes = principal_modes(x.reshape(len(x), -1))
        if not 1 <= kept <= len(modes):
            raise UsageError(f"From 1 to {len(modes)} modes can be kept, not {kept}.")
        return cls(fine, mean, modes[:kept])

    @property
    def coarse(self) -> Lattice:
        """The same lattice."""
        return self.fine

    @property
    def deterministic(self) -> bool:
        """True: a projection."""
        return True

    def mean(self, x: Float[Array, "*fine"]) -> Float[Array, "*coarse"]:
        """The projection."""
        modes, centre = self.modes.astype(x.dtype), self.centre.astype(x.dtype)
        return (centre + (modes @ (x.reshape(-1) - centre)) @ modes).reshape(self.fine.shape)

    def coarsen(self, x: Float[Array, "*fine"], *, key: PRNGKeyArray) -> Float[Array, "*coarse"]:
        """The projection."""
        del key
        return self.mean(x)
