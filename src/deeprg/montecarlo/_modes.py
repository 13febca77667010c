"""Fourier modes of configurations: order-parameter fields, S(k) of every draw, and its cuts along an axis."""

from collections.abc import Callable
from typing import Any

import numpy as np

from deeprg.runs.errors import UsageError

__all__ = ["FieldMap", "axis_correlation", "axis_structure", "potts_field", "power_spectrum", "xy_field"]

FieldMap = Callable[[np.ndarray], np.ndarray]


def potts_field(states: int) -> FieldMap:
    """The order-parameter field of Potts states 0 … q-1, with Σ_a φ_a(s) φ_a(t) = (q δ_st - 1)/(q - 1).

    >>> print((potts_field(3)(np.array([0, 0, 1])) ** 2).sum(axis=0))
    [1. 1. 1.]
    """

    def field(block: np.ndarray) -> np.ndarray:
        scale = np.sqrt(states / (states - 1))
        return np.stack([scale * ((block == a) - 1 / states) for a in range(states)]).astype(np.float32)

    return field


def xy_field(block: np.ndarray) -> np.ndarray:
    """The order-parameter field e^{iθ} of angles, one complex component.

    >>> print(xy_field(np.array([0.0, np.pi / 2])).round(3))
    [[1.+0.j 0.+1.j]]
    """
    return np.exp(1j * np.asarray(block))[None]


def power_spectrum(block: np.ndarray, field: FieldMap | None, ndim: int) -> tuple[np.ndarray, np.ndarray]:
    """|FFT|²/N summed over the components, [draws, chains, *shape], and the mean field [components, ...]."""
    axes = tuple(range(-ndim, 0))
    size = int(np.prod(block.shape[-ndim:]))
    values = block[None] if field is None else np.asarray(field(block))
    if values.shape[1:] != block.shape:
        raise UsageError(
            f"The field map returned {values.shape} for a block {block.shape}; it must put the components "
            "first and leave the other axes."
        )
    if np.issubdtype(values.dtype, np.integer) or values.dtype == bool:
        values = values.astype(np.float32)
    modes = np.fft.fftn(values, axes=axes)
    power = (modes.real**2 + modes.imag**2).sum(axis=0) / size
    if not np.isfinite(power).all():
        raise UsageError("The configurations hold NaN or infinity; find where the sampler fails.")
    mean = modes[(..., *([0] * ndim))] / size
    return power, mean if np.iscomplexobj(values) else mean.real


def axis_correlation(power: np.ndarray, axis: int) -> np.ndarray:
    """G(r) along one axis [draws, chains, L//2 + 1]: the sum of S over the other momenta is all it needs."""
    ndim = power.ndim - 2
    others = tuple(2 + other for other in range(ndim) if other != axis)
    marginal = power.sum(axis=others, dtype=np.float64)
    size = int(np.prod(power.shape[2:]))
    extent = power.shape[2 + axis]
    return np.fft.fft(marginal, axis=-1).real[..., : extent // 2 + 1] / size


def axis_structure(power: np.ndarray, axis: int) -> np.ndarray:
    """S(k) along one axis, [draws, chains, L//2 + 1]; k and -k are averaged."""
    index: list[Any] = [slice(None), slice(None)] + [0] * (power.ndim - 2)
    index[2 + axis] = slice(None)
    line = power[tuple(index)].astype(np.float64)
    mirrored = np.roll(line[..., ::-1], 1, axis=-1)
    return (0.5 * (line + mirrored))[..., : line.shape[-1] // 2 + 1]
