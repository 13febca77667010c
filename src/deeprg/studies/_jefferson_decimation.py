"""1D Ising decimation as the marginalisation of ±1 hidden units, step by step."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.special

from deeprg.exact.blocking import Decimation, SpinAction, block_exact
from deeprg.exact.couplings import couplings_of, inverse_walsh_hadamard
from deeprg.exact.layered import IsingPrior, effective_energy
from deeprg.exact.schemes import decimate_chain
from deeprg.report.study import Claim, StudyTable
from deeprg.studies._jefferson_words import amount

__all__ = ["RingStep", "closed_flow", "decimate_ring", "decimation_table", "judge_decimation", "ring_action"]

_TOLERANCE = 1e-11


@dataclass(frozen=True, eq=False)
class RingStep:
    """One scale of a decimated ring.

    `coupling` K, `field` h and `constant` (whole, from all steps so far) as the general code found them;
    `other` the largest coupling that the chain does not have; `log_partition` ln Z and `correlators`
    ⟨s_0 s_r⟩, r = 1 ... sites//2, by enumeration of this scale's ring; `enumerated` K, h and constant of the
    whole first ring blocked at once, which is a different code.
    """

    sites: int
    coupling: float
    field: float
    constant: float
    other: float
    log_partition: float
    correlators: np.ndarray
    enumerated: tuple[float, float, float]


def ring_action(sites: int, coupling: float, field: float) -> SpinAction:
    """The action K sum s_i s_{i+1} + h sum s_i of a ring; two sites are joined by two bonds.

    >>> ring_action(2, 0.5, 0.1).couplings
    {(0,): 0.1, (1,): 0.1, (0, 1): 1.0}
    """
    couplings: dict[tuple[int, ...], float] = {(site,): field for site in range(sites)}
    for site in range(sites):
        bond = tuple(sorted((site, (site + 1) % sites)))
        couplings[bond] = couplings.get(bond, 0.0) + coupling
    return SpinAction(sites, couplings)


def decimate_ring(sites: int, coupling: float, field: float, steps: int) -> list[RingStep]:
    """Sum every second spin of a ring, again and again, as a layer of ±1 hidden units of weight K, bias h.

    The effective energy of the survivors is transformed to all its couplings; the next step starts from what
    was found. The first entry is the ring itself.

    >>> [round(step.coupling, 5) for step in decimate_ring(8, 0.3, 0.0, 1)]        # 1/2 ln cosh 0.6
    [0.3, 0.08507]
    """
    ring = ring_action(sites, coupling, field)
    found = [_step(ring, sites, coupling, field, 0.0, 0.0)]
    for _ in range(steps):
        last = found[-1]
        found.append(_decimated(ring, last))
    return found


def closed_flow(coupling: float, field: float, steps: int) -> np.ndarray:
    """K, h and the constant per spin of the first chain, after 0 ... steps decimations, [steps + 1, 3].

    >>> closed_flow(0.3, 0.0, 1)[1].round(5).tolist()
    [0.08507, 0.0, 0.38911]
    """
    flow = [[coupling, field, 0.0]]
    for number in range(1, steps + 1):
        k, h, constant = flow[-1]
        step = decimate_chain(k, h)
        flow.append([float(step.coupling), float(step.field), constant + float(step.constant) / 2**number])
    return np.array(flow)


def decimation_table(found: Sequence[RingStep]) -> StudyTable:
    """K and h by the general code, by the closed form and by enumeration, with what is preserved."""
    closed = closed_flow(found[0].coupling, found[0].field, len(found) - 1)
    rows = []
    for number, step in enumerate(found):
        off = _offsets(found, number, closed)
        rows.append(
            [
                *(number, step.sites, step.coupling, step.field, step.constant),
                *(off["closed"], off["enumerated"], step.other, off["ln Z"], off["correlators"]),
            ]
        )
    return StudyTable(
        "decimation",
        "The 1D Ising chain: decimated spins are ±1 hidden units",
        ["step", "spins", "K", "h", "constant", "Δ formula", "Δ enumeration", "other J", "Δ ln Z", "Δ⟨s₀sᵣ⟩"],
        rows,
        "K, h and constant: Walsh-Hadamard coefficients of the effective energy over the hidden units; Δ "
        "formula and Δ enumeration: their largest deviation from the closed form and from the first ring "
        "blocked at once; other J: largest coupling that a chain does not have; Δ ln Z and Δ⟨s₀sᵣ⟩: of this "
        "ring, enumerated, from the first one.",
    )


def judge_decimation(found: Sequence[RingStep]) -> Claim:
    """Whether the marginalisation of ±1 units is decimation: same couplings, nothing else, all preserved."""
    closed = closed_flow(found[0].coupling, found[0].field, len(found) - 1)
    off = [_offsets(found, number, closed) for number in range(1, len(found))]
    worst = {name: max(one[name] for one in off) for name in off[0]}
    other = max(step.other for step in found)
    limit = _TOLERANCE * max(1.0, abs(found[0].log_partition))
    return Claim(
        "Decimating the 1D Ising chain is the same operation: a hidden layer of ±1 units summed out.",
        "Jefferson 2019, discussion; Nelson & Fisher 1975",
        f"{len(found) - 1} steps from {found[0].sites} spins: K', h' and constant equal the closed form to "
        f"{amount(worst['closed'])} and the enumerated ring to {amount(worst['enumerated'])}, no other "
        f"coupling is above {amount(other)}, ln Z changes by {amount(worst['ln Z'])} and ⟨s₀sᵣ⟩ by "
        f"{amount(worst['correlators'])}; "
        f"tolerance {limit:.0e}",
        holds=max(*worst.values(), other) < limit,
    )


def _offsets(found: Sequence[RingStep], number: int, closed: np.ndarray) -> dict[str, float]:
    """The largest deviations of one scale from closed form, enumeration and the first ring."""
    first, step = found[0], found[number]
    here = np.array([step.coupling, step.field, step.constant])
    formula = closed[number] * [1, 1, first.sites]
    apart = first.sites // step.sites
    kept = first.correlators[apart - 1 :: apart][: len(step.correlators)]
    return {
        "closed": float(np.abs(here - formula).max()),
        "enumerated": float(np.abs(here - step.enumerated).max()),
        "ln Z": abs(step.log_partition - first.log_partition),
        "correlators": float(np.abs(step.correlators - kept).max()),
    }


def _decimated(ring: SpinAction, last: RingStep) -> RingStep:
    """The next scale: odd spins hidden, even ones visible."""
    n = last.sites // 2
    weights = np.zeros((n, n))
    for unit in range(n):
        weights[unit, unit] += last.coupling
        weights[(unit + 1) % n, unit] += last.coupling
    field = np.full(n, last.field)
    found = couplings_of(lambda x: -effective_energy(x, field, weights, field, IsingPrior()), n=n, limit=n)
    bonds = {tuple(sorted((i, (i + 1) % n))) for i in range(n)}
    coupling = float(np.mean([found[bond] for bond in bonds])) * len(bonds) / n  # two bonds on two sites
    mean_field = float(found.fields().mean())
    expected = ring_action(n, coupling, mean_field).couplings
    rest = found.coefficients.copy()  # pyright: ignore[reportOptionalMemberAccess]
    for sites, value in expected.items():
        rest[sum(1 << site for site in sites)] -= value
    other = float(np.abs(rest[1:]).max())
    return _step(ring, n, coupling, mean_field, last.constant + found.constant, other)


def _step(
    ring: SpinAction, sites: int, coupling: float, field: float, constant: float, other: float
) -> RingStep:
    """Everything about one scale; what is enumerated comes from its own action and from the first ring."""
    values = ring_action(sites, coupling, field).values()
    log_sum = float(np.asarray(scipy.special.logsumexp(values)))
    moments = inverse_walsh_hadamard(np.exp(values - log_sum))
    apart = ring.size // sites
    blocks = [list(range(apart * site, apart * (site + 1))) for site in range(sites)]
    whole = block_exact(ring, blocks, Decimation())
    enumerated = (whole.coupling(0, 1) / (2 if sites == 2 else 1), whole.coupling(0), whole.constant)
    correlators = np.array([moments[1 | 1 << r] for r in range(1, sites // 2 + 1)])
    return RingStep(sites, coupling, field, constant, other, log_sum + constant, correlators, enumerated)
