"""The control of the study: one step of learning beside one step of marginalisation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deeprg.exact.layered import GaussianMachine
from deeprg.report.study import Claim, StudyTable
from deeprg.studies._jefferson_machine import Scale, deviations, measure
from deeprg.studies._jefferson_words import amount

__all__ = ["Learning", "judge_learning", "learn", "learning_table"]

_MOVED = 1e-4


@dataclass(frozen=True, eq=False)
class Learning:
    """One step of likelihood ascent: the scale before and after, the divergence from the data, the couplings.

    `divergence` KL(data || model) before and after, in nats; `moved` the largest change of a coupling.
    """

    before: Scale
    after: Scale
    divergence: tuple[float, float]
    moved: float


def learn(machine: GaussianMachine, data: np.ndarray, rate: float) -> Learning:
    """Ascend the likelihood of a law of the visibles, p(x) [2^n], by one step in biases and couplings.

    d⟨ln p(x)⟩/dW = beta (⟨u v⟩_data - ⟨u v⟩_model) for a coupling W of the units u and v, with the hidden
    units at their law given x in both averages; biases likewise, precisions stay. Everything is exact.

    Raises:
        NumericalError: the step leads to where the machine does not exist.

    >>> from deeprg.exact.layered import random_machine
    >>> step = learn(random_machine((4, 3), seed=0), np.full(16, 1 / 16), rate=0.1)
    >>> step.divergence[1] < step.divergence[0]
    True
    """
    before, target = measure(machine), measure(machine, data)
    edges = np.cumsum([0, *machine.sizes])
    layers = [slice(*edges[layer : layer + 2]) for layer in range(len(machine.sizes))]
    up = rate * machine.beta
    means, products = up * (target.units - before.units), up * (target.products - before.products)
    learned = GaussianMachine(
        [w + products[layers[k], layers[k + 1]] for k, w in enumerate(machine.couplings)],
        machine.visible_bias + means[layers[0]],
        [b + means[layers[k + 1]] for k, b in enumerate(machine.biases)],
        machine.precisions,
        beta=machine.beta,
        constant=machine.constant,
        spins=machine.spins,
    )
    _ = learned.smallest_eigenvalues  # names the layer where the machine no longer exists
    after = measure(learned)
    changes = [np.abs(new - old).max() for new, old in zip(learned.couplings, machine.couplings, strict=True)]
    return Learning(before, after, (_divergence(data, before), _divergence(data, after)), float(max(changes)))


def learning_table(scales: Sequence[Scale], step: Learning, data: np.ndarray) -> StudyTable:
    """The same numbers for all marginalisation steps and for one step of learning."""
    exact, learned = deviations(scales[0], scales[-1]), deviations(step.before, step.after)
    names = {"ln Z": "Δ ln Z", "x": "largest Δ⟨x⟩", "xx": "largest Δ⟨xx⟩", "xxxx": "largest Δ⟨xxxx⟩"}
    kl = [_divergence(data, scale) for scale in (scales[0], scales[-1])]
    rows = [
        ["units before", sum(scales[0].sizes), sum(step.before.sizes)],
        ["units after", sum(scales[-1].sizes), sum(step.after.sizes)],
        *([title, exact[name], learned[name]] for name, title in names.items()),
        ["KL(data ‖ model), change", kl[1] - kl[0], step.divergence[1] - step.divergence[0]],
    ]
    return StudyTable(
        "learning",
        "Marginalisation and learning side by side",
        ["", "marginalise all layers", "one step of learning"],
        rows,
        "The data are the exact law of another machine's visibles; the step goes along the exact gradient.",
    )


def judge_learning(scales: Sequence[Scale], step: Learning) -> Claim:
    """Whether learning moves what marginalisation preserves, with as many units as before."""
    exact, learned = deviations(scales[0], scales[-1]), deviations(step.before, step.after)
    fewer = sum(scales[-1].sizes) < sum(scales[0].sizes)
    same = step.before.sizes == step.after.sizes
    moved = min(step.moved, learned["ln Z"], learned["xx"])
    return Claim(
        "Learning alters the couplings at a fixed scale and is not an RG step; the structure is.",
        "Jefferson 2019, discussion",
        f"one likelihood step moves a coupling by {step.moved:.2g}, ln Z by {learned['ln Z']:.2g} and ⟨xx⟩ "
        f"by {learned['xx']:.2g} with no unit gone, and the data come closer by "
        f"{step.divergence[0] - step.divergence[1]:.2g} nats; marginalising "
        f"{sum(scales[0].sizes) - sum(scales[-1].sizes)} units moves ⟨xx⟩ by {amount(exact['xx'])}; "
        f"moved means above {_MOVED:g}",
        holds=fewer and same and moved > _MOVED and exact["xx"] < _MOVED * moved,
    )


def _divergence(data: np.ndarray, scale: Scale) -> float:
    """KL(data || p) in nats."""
    inside = data > 0
    return float(data[inside] @ np.log(data[inside] / scale.probabilities[inside]))
