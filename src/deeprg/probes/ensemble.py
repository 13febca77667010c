"""Draws of a generative model, kept as what is measured on them: weights and observables, not fields."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from deeprg.coarsegrain.flow import Draws
from deeprg.runs.atomic import disk_error
from deeprg.runs.errors import UsageError

__all__ = ["MeasuredDraws", "axis_profile", "collect"]


@dataclass(frozen=True)
class MeasuredDraws:
    """n independent draws x ~ q: `log_weights` ln w(x) = -H(x) - ln q(x) [n], and what was measured on them.

    `scalars` maps names to values [n]; `correlation` holds G(r) along the longest axes [n, L//2 + 1], or
    None; `shape` is the lattice's.
    """

    shape: tuple[int, ...]
    log_weights: np.ndarray
    scalars: Mapping[str, np.ndarray] = field(default_factory=dict)
    correlation: np.ndarray | None = None

    @property
    def n(self) -> int:
        """The number of draws."""
        return self.log_weights.size

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything as named arrays, as `numpy.savez` takes them; `from_arrays` is the way back."""
        arrays = {"shape": np.array(self.shape), "log_weights": self.log_weights}
        arrays |= {f"scalar_{name}": values for name, values in self.scalars.items()}
        return arrays if self.correlation is None else arrays | {"correlation": self.correlation}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> "MeasuredDraws":
        """The draws from what `arrays` returned.

        >>> draws = MeasuredDraws((4, 4), np.zeros(3), {"m": np.ones(3)})
        >>> MeasuredDraws.from_arrays(draws.arrays()).scalars["m"].tolist()
        [1.0, 1.0, 1.0]
        """
        prefix = "scalar_"
        names = [name for name in arrays if name.startswith(prefix)]
        return cls(
            shape=tuple(int(extent) for extent in arrays["shape"]),
            log_weights=np.asarray(arrays["log_weights"]),
            scalars={name.removeprefix(prefix): np.asarray(arrays[name]) for name in names},
            correlation=np.asarray(arrays["correlation"]) if "correlation" in arrays else None,
        )

    @classmethod
    def load(cls, path: str | Path) -> "MeasuredDraws":
        """The draws stored in a `.npz` file; `UsageError` when it is missing, damaged or foreign."""
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
                return cls.from_arrays(stored)
        except OSError as error:
            raise disk_error(path, error, "read") from error
        except Exception as error:  # zipfile, zlib and numpy each have their own
            raise UsageError(f"'{path}' does not hold measured draws: {error}. Sample again.") from error


def axis_profile(correlation: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """G(r) along an axis, r = 0 … L//2, from G on the whole lattice, averaged over the longest axes.

    `correlation` is [..., *shape], the result [..., L//2 + 1] with L the largest extent.

    >>> axis_profile(np.arange(8.0).reshape(2, 4), (2, 4)).tolist()
    [0.0, 1.0, 2.0]
    """
    longest = max(shape)
    axes = [axis for axis, extent in enumerate(shape) if extent == longest]
    rows = []
    for axis in axes:
        index: list[Any] = [0] * len(shape)
        index[axis] = slice(0, longest // 2 + 1)
        rows.append(correlation[(..., *index)])
    return np.mean(rows, axis=0)


def collect(
    chunks: Iterable[Draws],
    shape: tuple[int, ...],
    *,
    on_chunk: Callable[[int], None] | None = None,
) -> MeasuredDraws:
    """Measured draws from the chunks of `deeprg.coarsegrain.flow.draws`; fields are not kept.

    An observable with more axes than the batch is read as a correlator [batch, *shape] and reduced by
    `axis_profile`. `on_chunk(n)` is called with the number of draws so far. Raises `UsageError` when there
    are no draws.

    >>> chunk = Draws(np.zeros(5), {"m": np.ones(5), "correlation": np.ones((5, 4, 4))}, None)
    >>> draws = collect([chunk, chunk], (4, 4))
    >>> draws.n, draws.correlation.shape
    (10, (10, 3))
    """
    weights: list[np.ndarray] = []
    scalars: dict[str, list[np.ndarray]] = {}
    profiles: list[np.ndarray] = []
    n = 0
    for chunk in chunks:
        weights.append(np.asarray(chunk.log_weights, dtype=np.float64))
        n += weights[-1].size
        for name, values in chunk.observables.items():
            array = np.asarray(values, dtype=np.float64)
            if array.ndim == 1:
                scalars.setdefault(name, []).append(array)
            elif array.ndim == 1 + len(shape):
                profiles.append(axis_profile(array, shape))
        if on_chunk is not None:
            on_chunk(n)
    if not n:
        raise UsageError("there are no draws to measure; draw at least 2.")
    return MeasuredDraws(
        shape=tuple(shape),
        log_weights=np.concatenate(weights),
        scalars={name: np.concatenate(parts) for name, parts in scalars.items()},
        correlation=np.concatenate(profiles) if profiles else None,
    )
