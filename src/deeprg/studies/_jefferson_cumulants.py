"""Hidden cumulants as couplings of what remains: by order, by prior, and where their series ends."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deeprg.exact.couplings import Couplings, configurations, couplings_of
from deeprg.exact.layered import (
    BernoulliPrior,
    GaussianPrior,
    HiddenPrior,
    IsingPrior,
    RectifiedPrior,
    effective_energy,
    truncation_report,
)
from deeprg.report.study import Claim, StudyTable
from deeprg.studies._jefferson_words import amount

__all__ = [
    "PRIORS",
    "Layer",
    "Truncation",
    "contribution_table",
    "contributions",
    "judge_cumulants",
    "judge_literal",
    "judge_series",
    "layer_couplings",
    "order_table",
    "series_table",
    "size_by_order",
    "truncations",
]

PRIORS: dict[str, HiddenPrior] = {
    "Gaussian": GaussianPrior(),
    "±1": IsingPrior(),
    "{0, 1}": BernoulliPrior(),
    "rectified": RectifiedPrior(),
}

_TOLERANCE = 1e-10
_VISIBLE = 1e-6
"""Couplings above this share of the largest pair are there; below `_TOLERANCE` they are not."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A hidden layer without its prior: visible bias a [n], weights W [n, m], hidden biases b [m], spins."""

    bias: np.ndarray
    weights: np.ndarray
    hidden: np.ndarray
    spins: str

    @property
    def states(self) -> np.ndarray:
        """All visible states, [2^n, n]."""
        return configurations(len(self.weights), self.spins).astype(np.float64)

    def scaled(self, factor: float) -> "Layer":
        """The same layer with all weights multiplied."""
        return Layer(self.bias, factor * self.weights, self.hidden, self.spins)


@dataclass(frozen=True, eq=False)
class Truncation:
    """Errors of the cumulant series at orders 1 ... N for weights that use `reach` radii of convergence."""

    reach: float
    errors: np.ndarray


def layer_couplings(layer: Layer, prior: HiddenPrior) -> Couplings:
    """All couplings of the visibles for a kind of hidden unit, from the exact effective energy."""

    def action(x: np.ndarray) -> np.ndarray:
        return -np.asarray(effective_energy(x, layer.bias, layer.weights, layer.hidden, prior))

    return couplings_of(action, layer.spins, len(layer.weights))


def size_by_order(couplings: Couplings) -> np.ndarray:
    """The root mean square coupling of each order 1 ... n.

    >>> size_by_order(couplings_of([1.0, 0.0, 0.0, 1.0])).tolist()
    [0.0, 0.5]
    """
    counts = [math.comb(couplings.n, k) for k in range(couplings.n + 1)]
    return np.sqrt(couplings.weight() / counts)[1:]


def contributions(layer: Layer, prior: HiddenPrior, orders: int) -> np.ndarray:
    """What each hidden cumulant leaves: root mean square coupling of order k by cumulant n, [orders, orders].

    Row n - 1 has the couplings of sum_j kappa_n(b_j) (W^T x)_j^n/n! alone, the n-th term of (13). It has
    x_i^2 = 1 (or x_i) in it, so that a term of order n adds to lower orders as well.
    """
    fields = layer.states @ layer.weights
    terms = np.asarray(prior.terms(orders, np.broadcast_to(layer.hidden, fields.shape), fields)).sum(axis=-1)
    return np.array([size_by_order(couplings_of(term, layer.spins))[:orders] for term in terms[1:]])


def truncations(layer: Layer, reaches: Sequence[float], orders: int) -> list[Truncation]:
    """Truncation errors of ±1 units, with the weights scaled so that the largest field is at given radii."""
    prior = IsingPrior()
    largest = float(prior.reach(layer.hidden, layer.states @ layer.weights).max())
    found = []
    for reach in reaches:
        one = layer.scaled(reach / largest)
        report = truncation_report(one.states, one.bias, one.weights, one.hidden, prior, orders)
        found.append(Truncation(float(report.reach.max()), np.asarray(report.errors)))
    return found


def order_table(couplings: dict[str, Couplings], shown: int) -> StudyTable:
    """Root mean square coupling by order, a column for each prior."""
    sizes = {name: size_by_order(found) for name, found in couplings.items()}
    count = min(shown, *(len(size) for size in sizes.values()))
    return StudyTable(
        "orders",
        "Couplings that one hidden layer leaves, by its prior",
        ["order", *sizes],
        [[order + 1, *(float(size[order]) for size in sizes.values())] for order in range(count)],
        "Root mean square over all sets of so many visibles, by the fast transform of the exact effective "
        "energy; the weights and hidden biases are the same for all priors, and the visibles' own fields, "
        "which no hidden unit leaves, are not in it.",
    )


def contribution_table(found: np.ndarray, exact: np.ndarray) -> StudyTable:
    """What each cumulant alone adds to each order, and the exact couplings below."""
    orders = found.shape[1]
    rows = [[f"κ{n + 1}", *map(float, row)] for n, row in enumerate(found)]
    return StudyTable(
        "contributions",
        "±1 units: couplings of each order from one cumulant alone",
        ["", *(f"order {k + 1}" for k in range(orders))],
        [*rows, ["exact", *map(float, exact[:orders])]],
        "Root mean square couplings. Were the coefficient of order n given by the cumulant of order n, only "
        "the diagonal would be filled, and it would be the last row.",
    )


def series_table(series: Sequence[Truncation]) -> StudyTable:
    """Errors of the truncation by order, a column for each reach."""
    orders = [n for n in (1, 2, 4, 6, 8, 12, 16, 24, 32, 40) if n <= len(series[0].errors)]
    return StudyTable(
        "truncation",
        "±1 units: error of the cumulant series by order",
        ["order", *(f"{one.reach:.2f} radii" for one in series)],
        [[n, *(float(one.errors[n - 1]) for one in series)] for n in orders],
        "Largest error of the effective energy over all visible states; the weights are scaled so that the "
        "largest field is so many radii of convergence away from the bias.",
    )


def judge_cumulants(couplings: dict[str, Couplings], found: np.ndarray) -> Claim:
    """Whether higher cumulants, and only they, give couplings of higher order."""
    sizes = {name: size_by_order(one) / size_by_order(one)[1] for name, one in couplings.items()}
    gaussian = float(sizes["Gaussian"][2:].max())
    others = {name: float(size[2:].max()) for name, size in sizes.items() if name != "Gaussian"}
    above = float(np.triu(found, 1).max() / found.max())
    diagonal = float(np.diag(found).min() / found.max())
    weakest = min(others, key=lambda name: others[name])
    return Claim(
        "Hidden cumulants become couplings of what remains: the cumulant of order n gives those of order n.",
        "Jefferson 2019, (13)",
        f"couplings beyond pairs, relative to pairs: {amount(gaussian)} for Gaussian units, at least "
        f"{others[weakest]:.2g} ({weakest}) for the others; of ±1 units the cumulant of order n gives "
        f"couplings of order n (at least {diagonal:.1e} of the largest) and none above ({amount(above)}); "
        f"there means above {_VISIBLE:g}, absent below {_TOLERANCE:g}",
        holds=gaussian < _TOLERANCE
        and others[weakest] > _VISIBLE
        and above < _TOLERANCE
        and diagonal > _VISIBLE,
    )


def judge_literal(found: np.ndarray, exact: np.ndarray) -> Claim:
    """Whether the coupling of order n is the term of the n-th cumulant, as (13) reads word by word."""
    orders = len(found)
    ratios = [float(found[n, n] / exact[n]) for n in range(min(orders, 4))]
    mixed = float(np.tril(found, -1).max() / found.max())
    listed = ", ".join(f"{ratio:.3g} (n = {n + 1})" for n, ratio in enumerate(ratios))
    return Claim(
        "The coefficient of the n-body interaction of visible spins is the n-th cumulant.",
        "Jefferson 2019, (13) read literally",
        f"for ±1 units the term of the n-th cumulant alone has {listed} times the exact coupling of order n: "
        f"the square of a spin is no variable, so higher cumulants add to lower orders (up to {mixed:.2g} of "
        "the largest coupling)",
        holds=max(abs(ratio - 1) for ratio in ratios) < _TOLERANCE,
        asserted=False,
    )


def judge_series(series: Sequence[Truncation]) -> Claim:
    """Whether the cumulant series gives the marginal for every field, inside its radius or not."""
    first, last = 2, len(series[0].errors)
    inside = [one for one in series if one.reach < 1]
    outside = [one for one in series if one.reach >= 1]
    parts = [
        f"at {one.reach:.2f} radii the error goes from {one.errors[first - 1]:.1e} (order {first}) to "
        f"{one.errors[-1]:.1e} (order {last})"
        for one in (*inside[-1:], *outside[:1])
    ]
    return Claim(
        "The cumulant expansion gives the marginal Hamiltonian, whatever the prior and the couplings.",
        "Jefferson 2019, (13)",
        "±1 units: " + "; ".join(parts) + "; the series has the radius √(b² + π²/4), and only its sum inside "
        "is the marginal, which exists outside as well",
        holds=all(one.errors[-1] < one.errors[first - 1] for one in series),
    )
