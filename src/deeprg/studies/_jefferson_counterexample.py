"""An operator that keeps Z and breaks a correlator of the spins that remain."""

from dataclasses import dataclass

import numpy as np
import scipy.special

from deeprg.exact.couplings import configurations, operator_of_rule, variational_rg

__all__ = ["Counterexample", "keep_only_z"]

_SITES = 4
_KEPT = (0, 2)


@dataclass(frozen=True)
class Counterexample:
    """A coarse-graining of a ring of `sites` spins to two.

    `delta_f` F of the coarse system minus F of the ring; `exact` ⟨v_0 v_2⟩ of the ring by enumeration;
    `found` ⟨h_1 h_2⟩ of the coarse system, whose spins are v_0 and v_2.
    """

    sites: int
    delta_f: float
    exact: float
    found: float

    @property
    def deviation(self) -> float:
        """How far the correlator of the remaining spins is off."""
        return abs(self.found - self.exact)


def keep_only_z(coupling: float, change: float) -> Counterexample:
    """Decimate a ring of four spins and add `change` to the coupling that remains, at a fixed Z.

        T(v, h) = ln[delta(h_1, v_0) delta(h_2, v_2)] + change h_1 h_2 + c,    H(v) = -K sum_i v_i v_{i+1}.

    The constant c makes Delta F = 0 whatever the change is, and decimation alone, change = 0, is exact. Then
    ⟨h_1 h_2⟩ = tanh(K' + change), K' = ln cosh 2K. The trace condition of arXiv:1410.3831 fails, since
    sum_h e^T depends on v.

    >>> one = keep_only_z(0.5, change=0.5)
    >>> abs(round(one.delta_f, 12)), round(one.exact, 6), round(one.found, 6)
    (0.0, 0.408476, 0.732352)
    """
    v, h = (configurations(size).astype(np.float64) for size in (_SITES, len(_KEPT)))
    energy = -coupling * (v * np.roll(v, 1, axis=1)).sum(axis=1)
    rule = (v[:, None, _KEPT] == h).all(axis=-1).astype(np.float64)
    operator = operator_of_rule(rule) + change * h.prod(axis=1)
    operator = operator + variational_rg(operator, energy).delta_f  # F' falls by c
    coarse = variational_rg(operator, energy)
    return Counterexample(
        _SITES,
        coarse.delta_f,
        float(scipy.special.softmax(-energy) @ v[:, _KEPT].prod(axis=1)),
        float(scipy.special.softmax(-coarse.coarse_energy) @ h.prod(axis=1)),
    )
