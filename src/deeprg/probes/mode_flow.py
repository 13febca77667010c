"""PCA-RG: how far from Gaussian the field is when only the modes of most variance are left."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from deeprg.coarsegrain import principal_modes
from deeprg.montecarlo.jackknife import block_sums, delete_one
from deeprg.runs.errors import UsageError

__all__ = ["ModeFlow", "mode_flow"]

_BLOCKS = 50
_STEPS = 8


@dataclass(frozen=True)
class ModeFlow:
    """The normalised fourth cumulant at every cut, finest first.

    kept: how many modes; share: of the variance that they carry; cumulant: kappa_4/kappa_2^2 of the
        projected field, averaged over units; error: its jackknife error over blocks of samples.
    """

    kept: np.ndarray
    share: np.ndarray
    cumulant: np.ndarray
    error: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {name: getattr(self, name).tolist() for name in self.__dataclass_fields__}


def mode_flow(samples: ArrayLike, *, kept: Sequence[int] | None = None, held_out: float = 0.5) -> ModeFlow:
    """kappa_4/kappa_2^2 of samples [n, units] when fewer and fewer modes of the covariance are kept.

    The modes come from the first samples, the cumulants from the last share `held_out`: modes that see the
    samples they project lean towards their outliers. Towards a Gaussian fixed point the cumulant goes to 0,
    towards another one it stays; independent units go to 0 as 1/kept at least. The default cuts halve the
    number of modes. S. Bradde and W. Bialek, arXiv:1610.09733, section 4.

    Raises `UsageError` for fewer than 200 samples, cuts that are not between 1 and the number of modes, a
    share outside (0, 1), units that do not vary, and NaN.

    >>> noise = np.random.default_rng(0).laplace(size=(20_000, 64))
    >>> flow = mode_flow(noise)
    >>> flow.kept.tolist(), bool(flow.cumulant[0] > 2.5), bool(flow.cumulant[-1] < 0.3)
    ([64, 32, 16, 8, 4, 2, 1], True, True)
    """
    x = np.asarray(samples, np.float64)
    if x.ndim != 2 or len(x) < 200:
        raise UsageError(f"A fourth cumulant needs a table [n, units] of 200 rows or more, not {x.shape}.")
    if not 0 < held_out < 1:
        raise UsageError(f"held_out = {held_out} is a share of the samples, between 0 and 1.")
    if np.any(x.std(axis=0) == 0):
        raise UsageError(f"Unit {int(np.argmin(x.std(axis=0)))} does not vary; leave it out.")
    last = len(x) - round(held_out * len(x))
    mean, variances, modes = principal_modes(x[:last])
    cuts = _halved(len(modes)) if kept is None else list(kept)
    if not cuts or not all(1 <= cut <= len(modes) for cut in cuts):
        raise UsageError(f"Cuts {cuts} must be between 1 and the {len(modes)} modes.")
    amplitudes = (x[last:] - mean) @ modes.T
    rows = [_cumulant(amplitudes[:, :cut] @ modes[:cut]) for cut in cuts]
    share = np.array([variances[:cut].sum() / variances.sum() for cut in cuts])
    return ModeFlow(np.array(cuts), share, *(np.array(column) for column in zip(*rows, strict=True)))


def _cumulant(field: np.ndarray) -> tuple[float, float]:
    """The mean over units of ⟨z^4⟩/⟨z^2⟩^2 - 3, z centred, and its error."""
    z = field - field.mean(axis=0)
    used = z.std(axis=0) > 1e-9 * z.std()
    sums = {name: block_sums([z[:, used] ** power], _BLOCKS) for name, power in (("m2", 2), ("m4", 4))}
    found = delete_one(
        lambda m2, m4: float(np.mean(m4 / m2**2) - 3),
        {name: part for name, (part, _) in sums.items()},
        sums["m2"][1],
    )
    return found.value, found.error


def _halved(count: int) -> list[int]:
    cuts = [count]
    while cuts[-1] > 1 and len(cuts) < _STEPS:
        cuts.append(cuts[-1] // 2)
    return cuts
