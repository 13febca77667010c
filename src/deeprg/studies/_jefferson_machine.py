"""The Gaussian machine of the study, and what every scale of its flow says on its own."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.special

from deeprg.exact.couplings import configurations, couplings_of
from deeprg.exact.layered import (
    GaussianMachine,
    MarginalisationStep,
    SpinHamiltonian,
    joint_precision,
    random_machine,
)
from deeprg.report.study import Claim, StudyTable
from deeprg.studies._jefferson_counterexample import Counterexample
from deeprg.studies._jefferson_words import amount

__all__ = [
    "Scale",
    "coupling_matrix",
    "deviations",
    "draw_machine",
    "flow_table",
    "judge_constant",
    "judge_orders",
    "judge_preserved",
    "measure",
    "scales_of",
    "visible_action",
]

TOLERANCE = 1e-11
"""Largest deviation that counts as rounding."""

_POST = "Jefferson 2019"


@dataclass(frozen=True, eq=False)
class Scale:
    """The numbers of one Hamiltonian of the flow, all from that Hamiltonian alone.

    `sizes` are the units of its layers, visibles first; `log_partition` ln Z; `probabilities` p(x) [2^n] in
    the order of `configurations`; `mean` ⟨x_i⟩ [n], `second` ⟨x_i x_j⟩ [n, n], `fourth` ⟨x_i x_j x_k x_l⟩ of
    all quadruples; `units` ⟨u⟩ and `products` ⟨u u^T⟩ of all remaining units u = (x, y_1, ...).
    """

    sizes: tuple[int, ...]
    log_partition: float
    probabilities: np.ndarray
    mean: np.ndarray
    second: np.ndarray
    fourth: np.ndarray
    units: np.ndarray
    products: np.ndarray

    @property
    def name(self) -> str:
        """H and its arguments."""
        return f"H({', '.join(['x', *(f'y{layer}' for layer in range(1, len(self.sizes)))])})"


def draw_machine(
    sizes: Sequence[int],
    *,
    kind: str,
    seed: int,
    beta: float,
    spins: str,
    strength: float,
    weight: float,
    bias: float,
) -> GaussianMachine:
    """A random machine; `strength` is that of its inner couplings, 1 where the flow ceases to exist.

    kind "general" has random precisions and biases on all layers; "post" has unit precisions and a visible
    bias only. The strength is the largest eigenvalue of D^-1/2 C D^-1/2, D - C the joint precision.

    >>> machine = draw_machine((4, 3, 2), kind="post", seed=0, beta=1.0, spins="binary", strength=0.6,
    ...                        weight=0.5, bias=0.3)
    >>> round(1 - float(np.linalg.eigvalsh(joint_precision(machine.precisions, machine.couplings[1:]))[0]), 9)
    0.6
    """
    drawn = random_machine(
        sizes, seed=seed, beta=beta, spins=spins, margin=1 - strength, weight=weight, bias=bias
    )
    if kind == "general":
        return drawn
    first, *inner = drawn.couplings
    if inner:
        unit = [np.eye(size) for size in drawn.sizes[1:]]
        largest = 1 - float(np.linalg.eigvalsh(joint_precision(unit, inner))[0])
        inner = [strength / largest * w for w in inner]
    return GaussianMachine([first, *inner], drawn.visible_bias, beta=beta, spins=spins)


def visible_action(hamiltonian: GaussianMachine | SpinHamiltonian) -> np.ndarray:
    """-beta H(x) of every visible state with all hidden units integrated at once, [2^n].

    One dense Gaussian integral over all hidden units of this scale, or the energies themselves where none is
    left; no step of the flow is used. States are in the order of `configurations`.

    >>> machine = GaussianMachine([[[0.5], [0.5]]])
    >>> visible_action(machine).round(6).tolist()          # ln sqrt(2 pi) + (W^T x)^2/2
    [1.418939, 0.918939, 0.918939, 1.418939]
    """
    if isinstance(hamiltonian, SpinHamiltonian):
        states = configurations(hamiltonian.size, hamiltonian.spins)
        return -hamiltonian.beta * hamiltonian.energy(states)
    states = configurations(hamiltonian.sizes[0], hamiltonian.spins).astype(np.float64)
    precision, sources = _hidden(hamiltonian, states)
    factor = scipy.linalg.cho_factor(precision, lower=True)
    log_det = 2 * float(np.log(np.diag(factor[0])).sum())
    volume = (len(precision) * math.log(2 * math.pi / hamiltonian.beta) - log_det) / 2
    induced = 0.5 * np.einsum("si,is->s", sources, scipy.linalg.cho_solve(factor, sources.T))
    return hamiltonian.beta * (states @ hamiltonian.visible_bias - hamiltonian.constant + induced) + volume


def measure(hamiltonian: GaussianMachine | SpinHamiltonian, probabilities: np.ndarray | None = None) -> Scale:
    """ln Z and the correlators of one scale, or those with another law of the visibles, p(x) [2^n].

    >>> round(measure(SpinHamiltonian(np.zeros((4, 4)), np.zeros(4))).log_partition, 6)        # 4 ln 2
    2.772589
    """
    action = visible_action(hamiltonian)
    log_partition = float(np.asarray(scipy.special.logsumexp(action)))
    p = np.exp(action - log_partition) if probabilities is None else probabilities
    spins = isinstance(hamiltonian, SpinHamiltonian)
    sizes = (hamiltonian.size,) if spins else hamiltonian.sizes
    x = configurations(sizes[0], hamiltonian.spins).astype(np.float64)
    u, spread = x, np.zeros((sum(sizes), sum(sizes)))
    if isinstance(hamiltonian, GaussianMachine):
        precision, sources = _hidden(hamiltonian, x)
        inverse = np.linalg.inv(precision)
        u = np.hstack([x, sources @ inverse])
        spread[sizes[0] :, sizes[0] :] = inverse / hamiltonian.beta
    quadruples = np.array(list(itertools.combinations(range(sizes[0]), 4)))
    return Scale(
        sizes,
        log_partition,
        p,
        p @ x,
        (p[:, None] * x).T @ x,
        np.array([p @ x[:, four].prod(axis=1) for four in quadruples]),
        p @ u,
        (p[:, None] * u).T @ u + spread,
    )


def scales_of(machine: GaussianMachine, steps: Sequence[MarginalisationStep]) -> list[Scale]:
    """The numbers of the machine and of what every step leaves, deepest layer first.

    >>> machine = random_machine((4, 3, 2), seed=0)
    >>> [scale.name for scale in scales_of(machine, machine.marginalise())]
    ['H(x, y1, y2)', 'H(x, y1)', 'H(x)']
    """
    return [measure(machine), *(measure(step.after) for step in steps)]


def deviations(first: Scale, scale: Scale) -> dict[str, float]:
    """The largest deviations of a scale from the first one: ln Z, x, xx, xxxx, and all remaining units uu."""
    kept = len(scale.units)
    return {
        "ln Z": abs(scale.log_partition - first.log_partition),
        "x": float(np.abs(scale.mean - first.mean).max()),
        "xx": float(np.abs(scale.second - first.second).max()),
        "xxxx": float(np.abs(scale.fourth - first.fourth).max()),
        "uu": float(np.abs(scale.products - first.products[:kept, :kept]).max()),
    }


def flow_table(steps: Sequence[MarginalisationStep], scales: Sequence[Scale]) -> StudyTable:
    """One row for each scale: what was integrated, what it left, and ln Z and correlators of its own."""
    rows = []
    for scale, step in zip(scales, [None, *steps], strict=True):
        off = deviations(scales[0], scale) if step else {}
        rows.append(
            [
                "x" if len(scale.sizes) == 1 else f"x … y{len(scale.sizes) - 1}",
                "+".join(map(str, scale.sizes)),
                None if step is None else float(np.linalg.eigvalsh(step.precision)[0]),
                None if step is None else step.free_energy,
                None if step is None else float(np.abs(step.induced).max()),
                scale.log_partition,
                *(off.get(name) for name in ("ln Z", "x", "xx", "xxxx", "uu")),
            ]
        )
    return StudyTable(
        "scales",
        "From UV to IR: every scale on its own",
        ["left", "units", "least A", "f", "induced", "ln Z", "Δ ln Z", "Δ⟨x⟩", "Δ⟨xx⟩", "Δ⟨x⁴⟩", "Δ⟨uu⟩"],
        rows,
        "left: the layers that remain; least A: smallest eigenvalue of the integrated layer's precision; f: "
        "the constant that it left; induced: largest coupling that it left; ln Z: computed from this row's "
        "Hamiltonian alone, the visibles by enumeration and its hidden units by one dense integral; Δ: "
        "largest deviations from the first row, x⁴ being four different visibles and u all units left.",
    )


def coupling_matrix(hamiltonian: GaussianMachine | SpinHamiltonian) -> np.ndarray:
    """The couplings J_uv of all remaining units, H = ... - sum_{u<v} J_uv u v, with a zero diagonal.

    >>> float(coupling_matrix(GaussianMachine([[[0.5], [0.2]]]))[0, 2])
    0.5
    """
    if isinstance(hamiltonian, SpinHamiltonian):
        return hamiltonian.pairs
    n = hamiltonian.sizes[0]
    matrix = -joint_precision([np.zeros((n, n)), *hamiltonian.precisions], hamiltonian.couplings)
    np.fill_diagonal(matrix, 0.0)
    return matrix


def judge_preserved(scales: Sequence[Scale]) -> Claim:
    """Whether ln Z and all correlators of the remaining units are those of the first scale at every scale."""
    worst = {name: 0.0 for name in ("ln Z", "x", "xx", "xxxx", "uu")}
    for scale in scales[1:]:
        off = deviations(scales[0], scale)
        worst = {name: max(worst[name], off[name]) for name in worst}
    limit = TOLERANCE * max(1.0, abs(scales[0].log_partition), float(np.abs(scales[0].products).max()))
    return Claim(
        "Marginalising layer after layer preserves Z and every low-energy correlator at each scale.",
        f"{_POST}, (22)-(23)",
        f"largest changes over {len(scales) - 1} steps: ln Z {amount(worst['ln Z'])}, ⟨x⟩ "
        f"{amount(worst['x'])}, ⟨xx⟩ {amount(worst['xx'])}, ⟨xxxx⟩ {amount(worst['xxxx'])}, and ⟨uu⟩ of all "
        f"remaining units, hidden ones too, {amount(worst['uu'])}; tolerance {limit:.0e}",
        holds=max(worst.values()) < limit,
    )


def judge_constant(full: Sequence[Scale], dropped: Sequence[Scale], counterexample: Counterexample) -> Claim:
    """Whether a preserved Z is necessary and sufficient for preserved correlators.

    `dropped` are the scales without the constants f; `counterexample` an operator that keeps Z.
    """
    last = deviations(full[0], dropped[-1])
    needed = max(last["x"], last["xx"], last["xxxx"]) > TOLERANCE or last["ln Z"] < TOLERANCE
    enough = abs(counterexample.delta_f) > TOLERANCE or counterexample.deviation < TOLERANCE
    return Claim(
        "Preserving Z is what preserves the correlators: it is required, and it is enough.",
        f"{_POST}, after (22); Mehta & Schwab 2014",
        f"without the constants f, ln Z is off by {last['ln Z']:.3g} but ⟨xx⟩ by {amount(last['xx'])} only, "
        f"so it is not required; decimating a ring of {counterexample.sites} spins to a wrong coupling, with "
        f"a constant that keeps ΔF at {amount(counterexample.delta_f)}, leaves ⟨h₁h₂⟩ = "
        f"{counterexample.found:.4g} for the two spins that remain, where the ring has "
        f"{counterexample.exact:.4g} (off by {counterexample.deviation:.3g}), so it is not enough; what must "
        "be kept is the weight of every remaining state, up to one factor",
        holds=needed and enough,
    )


def judge_orders(action: np.ndarray, spins: str, final: SpinHamiltonian) -> tuple[Claim, dict[str, float]]:
    """Whether the action of the visibles, integrated at once, has fields and pairs only, those of the flow.

    `action` [2^n] is -beta H(x) without any step; its couplings come by Walsh-Hadamard or Möbius.
    """
    found = couplings_of(action, spins)
    beta, scale = final.beta, max(1.0, float(np.abs(action).max()))
    higher = max(float(np.abs(found.order(k).values).max()) for k in range(3, found.n + 1))
    pairs = float(np.abs(found.pairs() - beta * final.pairs).max())
    fields = float(np.abs(found.fields() - beta * final.fields).max())
    largest = float(np.abs(found.pairs()).max())
    limit = TOLERANCE * scale
    claim = Claim(
        "A Gaussian prior has two cumulants, so Gaussian layers leave fields and pairs only.",
        f"{_POST}, (13)",
        f"all 2^{found.n} couplings of the visibles: the largest of three or more is {amount(higher)}, the "
        f"largest pair {largest:.3g}; fields and pairs are those of the flow to {amount(max(pairs, fields))}"
        f"; tolerance {limit:.0e}",
        holds=max(higher, pairs, fields) < limit < largest,
    )
    return claim, {"largest_higher_order": higher, "largest_pair": largest, "pairs_against_flow": pairs}


def _hidden(machine: GaussianMachine, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The joint precision of all hidden units, and their sources b + W_1^T x for each state."""
    precision = joint_precision(machine.precisions, machine.couplings[1:])
    sources = np.tile(np.concatenate(machine.biases), (len(states), 1))
    sources[:, : machine.sizes[1]] += states @ machine.couplings[0]
    return precision, sources
