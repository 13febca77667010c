"""Decimation of the 1D Ising chain as a deep network whose weights are written down, not learned."""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from deeprg.exact.couplings import (
    Couplings,
    configurations,
    couplings_of,
    operator_of_rbm,
    rbm_energy,
    variational_rg,
)
from deeprg.exact.schemes import decimate_chain
from deeprg.studies._jefferson_decimation import ring_action

__all__ = ["ChainLayer", "HandBuilt", "decimating_weights", "hand_built"]

_STEPS = 2


@dataclass(frozen=True)
class ChainLayer:
    """One layer of the hand-built network, on a ring of `sites` spins with coupling `before`.

    coupling: K' between the hidden spins, from the enumerated marginal of the machine.
    formula, tanh_squared: K' by `decimate_chain`, and artanh tanh² K.
    other: the largest coupling of the hidden spins that a chain does not have.
    trace: largest deviation of ln Tr_h e^T(v, h) from its mean over v: the trace condition, up to a constant.
    kl: from the ring to the machine's visible law, in nats.
    """

    sites: int
    before: float
    coupling: float
    formula: float
    tanh_squared: float
    other: float
    trace: float
    kl: float

    @property
    def off(self) -> float:
        """The largest of all deviations."""
        apart = [abs(self.coupling - k) for k in (self.formula, self.tanh_squared)]
        return max(*apart, self.other, self.trace, self.kl)


@dataclass(frozen=True)
class HandBuilt:
    """The layers, and KL in nats from the first ring to the law of the whole network."""

    layers: tuple[ChainLayer, ...]
    kl: float

    @property
    def off(self) -> float:
        """The largest of all deviations."""
        return max(self.kl, *(layer.off for layer in self.layers))


def decimating_weights(sites: int, coupling: float, copy: float) -> np.ndarray:
    """W [sites, sites/2] of a machine that decimates a ring of ±1 spins.

    A kept spin 2j has the weight `copy` to h_j, a summed spin 2j + 1 the weight K to h_j and h_{j+1}. Summed
    over v the machine is the ring of h with tanh K' = tanh² K, whatever `copy` is; summed over h it is the
    ring of v with K, up to terms of order exp(-2 copy).

    >>> decimating_weights(4, 0.5, 9.0).tolist()
    [[9.0, 0.0], [0.5, 0.5], [0.0, 9.0], [0.5, 0.5]]
    """
    half = sites // 2
    weights = np.zeros((sites, half))
    for j in range(half):
        weights[2 * j, j] += copy
        weights[2 * j + 1, j] += coupling
        weights[2 * j + 1, (j + 1) % half] += coupling
    return weights


def hand_built(sites: int, coupling: float, copy: float) -> HandBuilt:
    """Decimate a ring twice, layer by layer; every number is a sum over all states in float64.

    >>> found = hand_built(8, 1.0, 20.0)
    >>> [round(layer.coupling, 6) for layer in found.layers], found.off < 1e-12     # artanh tanh² K
    ([0.662501, 0.350061], True)
    """
    first = _ring_energy(sites, coupling)
    layers, energies = [], []
    for _ in range(_STEPS):
        half = sites // 2
        ring = _ring_energy(sites, coupling)
        energies.append(
            rbm_energy(decimating_weights(sites, coupling, copy), np.zeros(half), np.zeros(sites))
        )
        step = variational_rg(operator_of_rbm(energies[-1], ring), ring)
        found, other = _chain_coupling(couplings_of(-step.coarse_energy))
        layers.append(
            ChainLayer(
                sites=sites,
                before=coupling,
                coupling=found,
                formula=float(decimate_chain(coupling).coupling),
                tanh_squared=float(np.arctanh(np.tanh(coupling) ** 2)),
                other=other,
                trace=float(np.abs(step.log_trace - step.log_trace.mean()).max()),
                kl=step.kl,
            )
        )
        sites, coupling = half, found
    return HandBuilt(tuple(layers), _divergence(first, energies))


def _ring_energy(sites: int, coupling: float) -> np.ndarray:
    """H(v) = -K sum v v' on all states."""
    action = Couplings.from_terms(sites, _bonds(sites, coupling))
    return -np.asarray(action.action(configurations(sites)))


def _bonds(sites: int, coupling: float) -> dict[tuple[int, ...], float]:
    return {pair: k for pair, k in ring_action(sites, coupling, 0.0).couplings.items() if len(pair) == 2}


def _chain_coupling(found: Couplings) -> tuple[float, float]:
    """K of a ring, the mean over its bonds, and the largest other coupling; the constant does not count."""
    assert found.coefficients is not None
    rest = found.coefficients.copy()
    bonds = _bonds(found.n, 1.0)
    coupling = float(np.mean([found[pair] / count for pair, count in bonds.items()]))
    rest[0] = 0.0
    for pair, count in bonds.items():
        rest[sum(1 << site for site in pair)] -= coupling * count
    return coupling, float(np.abs(rest).max())


def _divergence(ring: np.ndarray, energies: list[np.ndarray]) -> float:
    """KL(ring || network): the top machine's visible law, drawn down through p(v | h) of those below."""
    log_q = np.asarray(logsumexp(-energies[-1], axis=1))
    log_q -= logsumexp(log_q)
    for energy in reversed(energies[:-1]):
        down = -energy - logsumexp(-energy, axis=0)
        log_q = np.asarray(logsumexp(down + log_q, axis=1))
    log_p = -ring - logsumexp(-ring)
    return max(float(np.exp(log_p) @ (log_p - log_q)), 0.0)
