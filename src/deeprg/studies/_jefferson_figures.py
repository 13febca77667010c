"""The figures of the study, from its numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from deeprg.exact.couplings import Couplings
from deeprg.exact.layered import GaussianMachine, MarginalisationStep, uniform_fixed_point
from deeprg.report.decimation_figure import plot_coupling_flow, plot_survivors
from deeprg.report.existence import FractionCurve, plot_existence, plot_fixed_point
from deeprg.report.marginalisation import (
    plot_before_after,
    plot_contributions,
    plot_coupling_matrices,
    plot_coupling_orders,
    plot_series_radius,
)
from deeprg.report.rg_flow import FlowCurve, plot_truncation_error
from deeprg.report.study import StudyFigure
from deeprg.report.style import figure, style
from deeprg.studies._jefferson_cumulants import Truncation, size_by_order
from deeprg.studies._jefferson_decimation import RingStep
from deeprg.studies._jefferson_existence import Fraction, UniformChain
from deeprg.studies._jefferson_learning import Learning
from deeprg.studies._jefferson_machine import Scale, coupling_matrix

__all__ = [
    "cumulant_figure",
    "decimation_figure",
    "existence_figure",
    "kept_figure",
    "scales_figure",
    "series_figure",
]

_SHOWN = (2, 4, 8, 16, 24, 32, 40)  # orders of the sums over the field


def scales_figure(
    machine: GaussianMachine, steps: Sequence[MarginalisationStep], scales: Sequence[Scale]
) -> StudyFigure:
    """Couplings at each scale."""
    matrices = {
        scale.name: coupling_matrix(hamiltonian)
        for scale, hamiltonian in zip(scales, [machine, *(step.after for step in steps)], strict=True)
    }
    with style():
        drawn = plot_coupling_matrices(
            matrices, [scale.sizes for scale in scales], title="Couplings at each scale"
        )
    caption = (
        "Couplings between all units that remain, H = … − Σ J_uv u v, from UV (left) to IR (right). Each "
        "integrated layer couples the units of the layer above among themselves; the diagonal is left out."
    )
    return StudyFigure("couplings", caption, drawn, wide=True)


def kept_figure(scales: Sequence[Scale], learned: Learning) -> StudyFigure:
    """Correlators of the visibles before and after marginalisation, and before and after learning."""
    with style():
        drawn, (left, right) = _pair()
        plot_before_after(
            left,
            _correlators(scales[0], scales[-1]),
            title="All hidden layers marginalised",
            x=f"from ${scales[0].name}$",
            y=f"from ${scales[-1].name}$",
        )
        plot_before_after(
            right,
            _correlators(learned.before, learned.after),
            title="One step of learning",
            x="before the step",
            y="after the step",
        )
    caption = (
        "All correlators of the visibles of one, two and four units. Left: from the first and the last "
        "Hamiltonian of the flow. Right: before and after one step up the likelihood of foreign data."
    )
    return StudyFigure("correlators", caption, drawn, wide=True)


def cumulant_figure(by_prior: Mapping[str, Couplings], alone: np.ndarray) -> StudyFigure:
    """Couplings by order for each prior, and what each cumulant leaves."""
    with style():
        drawn, (left, right) = _pair()
        sizes = {name: size_by_order(found) for name, found in by_prior.items()}
        plot_coupling_orders(left, {k: FlowCurve(np.arange(1, len(v) + 1), v) for k, v in sizes.items()})
        plot_contributions(right, alone)
    caption = (
        "Left: root mean square coupling of each order that one hidden layer of the same weights leaves, by "
        "its prior; Gaussian units give fields and pairs, all else is rounding. Right: the couplings that "
        "the n-th cumulant of ±1 units gives alone; blank cells are zero."
    )
    return StudyFigure("cumulants", caption, drawn, wide=True)


def series_figure(series: Sequence[Truncation], grid: Sequence[Truncation]) -> StudyFigure:
    """Truncation errors over the order and over the field."""
    orders = np.arange(1, len(series[0].errors) + 1)
    reach = [one.reach for one in grid]
    with style():
        drawn, (left, right) = _pair()
        plot_truncation_error(
            left, {f"{one.reach:.2f} radii": FlowCurve(orders, one.errors) for one in series}
        )
        curves = {
            f"order {order}": FlowCurve(reach, [one.errors[order - 1] for one in grid])
            for order in _SHOWN
            if order <= len(orders)
        }
        plot_series_radius(right, curves)
    caption = (
        "±1 hidden units: largest error of the effective energy with the cumulant series cut at an order. "
        "Left: inside and outside the radius of convergence √(b² + π²/4). Right: over the largest field in "
        "units of it."
    )
    return StudyFigure("truncation", caption, drawn, wide=True)


def decimation_figure(found: Sequence[RingStep], closed: np.ndarray) -> StudyFigure:
    """The flow of K and h, and the correlators of the survivors."""
    curves = {}
    for step in found:
        apart = found[0].sites // step.sites
        curves[f"{step.sites} spins"] = FlowCurve(
            apart * np.arange(1, len(step.correlators) + 1), step.correlators
        )
    with style():
        drawn, (left, right) = _pair()
        plot_coupling_flow(
            left,
            {"$K$": [step.coupling for step in found], "$h$": [step.field for step in found]},
            {"$K$": closed[:, 0], "$h$": closed[:, 1]},
        )
        plot_survivors(right, curves)
    caption = (
        "Left: coupling and field of the chain at each step, marginalised as ±1 hidden units (markers) and "
        "by the closed form (lines). Right: correlators of the spins that remain, each from its own ring."
    )
    return StudyFigure("decimation", caption, drawn, wide=True)


def existence_figure(chains: Sequence[UniformChain], found: Sequence[Fraction]) -> StudyFigure:
    """Fixed point and eigenvalue of the uniform chain, and the fraction of machines that exist."""
    grid = np.linspace(0.0, 0.5, 201)
    points = [uniform_fixed_point(1.0, w) for w in grid.tolist()]
    star = [float(point.precision[0, 0]) for point in points]
    slope = [float(point.eigenvalues[0]) for point in points]
    there = [one for one in chains if one.fixed is not None and one.eigenvalue is not None]
    curves = {}
    for width in sorted({one.width for one in found}):
        ours = [one for one in found if one.width == width]
        edges = np.array([one.interval for one in ours])
        values = [one.value for one in ours]
        curves[f"width {width}"] = FractionCurve([one.strength for one in ours], values, *edges.T)
    with style():
        drawn, (left, right) = _pair()
        plot_fixed_point(
            left,
            [one.coupling for one in there],
            np.array([one.fixed for one in there], dtype=float),
            np.array([one.eigenvalue for one in there], dtype=float),
            expected=(grid, star, slope),
        )
        plot_existence(right, curves, threshold=1.0)
    caption = (
        "Left: fixed point and eigenvalue of the uniform chain, read from flows (markers) and in closed form "
        "(lines). Right: random machines of two hidden layers that can be marginalised, with 95 % intervals."
    )
    return StudyFigure("existence", caption, drawn, wide=True)


def _pair() -> tuple[Any, Any]:
    """A figure with two panels."""
    drawn, axes = figure(9.6, 3.9, ncols=2)
    drawn.get_layout_engine().set(wspace=0.06)  # pyright: ignore
    return drawn, axes


def _correlators(before: Scale, after: Scale) -> dict[str, FlowCurve]:
    rows, columns = np.triu_indices(len(before.mean), 1)
    return {
        "$⟨x_i x_j x_k x_l⟩$": FlowCurve(before.fourth, after.fourth),
        "$⟨x_i x_j⟩$": FlowCurve(before.second[rows, columns], after.second[rows, columns]),
        "$⟨x_i⟩$": FlowCurve(before.mean, after.mean),
    }
