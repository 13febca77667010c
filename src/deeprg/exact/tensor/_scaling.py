"""Central charge and scaling dimensions from the transfer matrix of the flowing tensor."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...hamiltonians import AbstractHamiltonian
from ...runs.errors import UsageError
from ._closing import leading_eigenvalues, transfer_matrix
from ._flow import MEMORY_GIB, Stage, tensor_flow
from ._weights import SquareWeights, square_weights

__all__ = ["ScalingSpectrum", "plateau", "scaling_flow", "scaling_spectrum"]

_FIRST = 4  # a block of fewer sites is no scaling limit
_STEADY = 0.02  # a plateau drifts less than this per step
_RELEVANT = 2.0  # drifts of irrelevant dimensions do not count


@dataclass(frozen=True)
class ScalingSpectrum:
    """Central charge and scaling dimensions read off the tensor of 2^step sites.

    `dimensions` [levels] ascending, without the identity's 0; infinite where the spectrum has no such level.
    `drift` is the greatest change since the scheme's previous square, of c and of the two lowest dimensions
    (each capped at 2); infinity at the first.
    """

    step: int
    central_charge: float
    dimensions: np.ndarray
    drift: float


def scaling_spectrum(stage: Stage, levels: int = 4) -> ScalingSpectrum:
    """c and Delta_n from one and two columns of a square tensor.

    A critical torus of aspect ratio tau has Z = exp(f N) sum_n exp[-2 pi tau (Delta_n - c/12)]; with lambda
    and mu the eigenvalues of the transfer matrices of one and of two columns (tau = 1 and 1/2),

    Delta_n = ln(mu_0 / mu_n) / pi,      c = (4/pi) [2 ln lambda_0 - ln mu_0],

    where f N drops out (Z.-C. Gu and X.-G. Wen, Phys. Rev. B 80, 155131 (2009), there with one column). It
    supposes that the model is isotropic. Off criticality the flow ends where c = 0: every Delta infinite in
    the disordered phase, one Delta = 0 per additional ground state in the ordered one.

    >>> from deeprg.exact.tensor import tensor_flow, square_weights
    >>> from deeprg.hamiltonians import CRITICAL_TEMPERATURE, Ising
    >>> from deeprg.lattice import Lattice
    >>> flow = tensor_flow(square_weights(Ising(Lattice((4, 4)), CRITICAL_TEMPERATURE)), 8)
    >>> spectrum = [scaling_spectrum(next(flow)) for _ in range(7)][-1]
    >>> round(spectrum.central_charge, 2), spectrum.dimensions[:2].round(2).tolist()
    (0.49, [0.12, 1.0])
    """
    single = leading_eigenvalues(transfer_matrix(stage.tensor, 1), 1)[0]
    double = leading_eigenvalues(transfer_matrix(stage.tensor, 2), levels + 1)
    with np.errstate(divide="ignore"):
        dimensions = -np.log(double[1:] / double[0]) / np.pi
    charge = 4 / np.pi * (2 * np.log(single) - np.log(double[0]))
    return ScalingSpectrum(stage.step, float(charge), dimensions, float("inf"))


def scaling_flow(
    model: AbstractHamiltonian | SquareWeights,
    bond_dimension: int,
    method: str = "trg",
    *,
    steps: int = 16,
    levels: int = 4,
    memory_gib: float | int = MEMORY_GIB,
) -> list[ScalingSpectrum]:
    """The scaling spectrum of every square tensor up to `steps`: every step of TRG, every second of HOTRG.

    Where the correlation length is infinite the numbers settle on a plateau (`plateau` finds it) after a few
    steps and leave it when the truncation, a relevant perturbation, has grown: for Ising spins and chi = 20
    after about 14. A cut through a multiplet of equal singular values shortens the plateau; models with more
    symmetry (Potts) have larger multiplets.

    Raises `UsageError` for fewer than 4 steps, fewer than 2 levels, and as `square_weights` and `tensor_flow`
    do.

    >>> from deeprg.hamiltonians import CRITICAL_TEMPERATURE, Ising
    >>> from deeprg.lattice import Lattice
    >>> best = plateau(scaling_flow(Ising(Lattice((4, 4)), CRITICAL_TEMPERATURE), 12, steps=10))
    >>> round(best.central_charge, 2), best.dimensions[:2].round(2).tolist()       # c = 1/2, 1/8 and 1
    (0.49, [0.13, 1.01])
    """
    if steps < _FIRST or levels < 2:
        raise UsageError(f"Scaling needs 4 or more steps and 2 or more levels, not {steps} and {levels}.")
    flow = tensor_flow(square_weights(model), bond_dimension, method, memory_gib=memory_gib)
    stages = (next(flow) for _ in range(steps + 1))
    return with_drift([scaling_spectrum(s, levels) for s in stages if is_square(s.step, method)])


def plateau(spectra: Sequence[ScalingSpectrum]) -> ScalingSpectrum:
    """The spectrum of 16 sites or more at the first minimum of the drift that is below 0.02.

    Where the drift has no such minimum, the spectrum with the least drift: off criticality that is the end of
    the flow. Raises `UsageError` when there is none.
    """
    candidates = [s for s in spectra if s.step >= _FIRST]
    if not candidates:
        raise UsageError("No spectrum of 16 or more sites; raise steps to 4 or more.")
    for before, here, after in zip(candidates, candidates[1:], candidates[2:], strict=False):
        if here.drift < min(before.drift, after.drift, _STEADY):
            return here
    return min(candidates, key=lambda s: s.drift)


def is_square(step: int, method: str) -> bool:
    """Whether the tensor of this step stands for a square block."""
    return method == "trg" or step % 2 == 0


def with_drift(spectra: list[ScalingSpectrum]) -> list[ScalingSpectrum]:
    """The same spectra, each with its change since the one before."""

    def numbers(s: ScalingSpectrum) -> np.ndarray:
        return np.append(np.minimum(s.dimensions[:2], _RELEVANT), s.central_charge)

    drifts = [
        np.inf,
        *(np.abs(numbers(b) - numbers(a)).max() for a, b in itertools.pairwise(spectra)),
    ]
    return [
        ScalingSpectrum(s.step, s.central_charge, s.dimensions, float(drift))
        for s, drift in zip(spectra, drifts, strict=True)
    ]
