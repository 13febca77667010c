"""Tables and figures of the study."""

import numpy as np

from deeprg.report.patterns import plot_radial_profiles
from deeprg.report.study import StudyFigure, StudyTable
from deeprg.report.style import figure, style
from deeprg.report.two_point import plot_two_point
from deeprg.report.vh_maps import plot_tiles
from deeprg.studies._koch_find import AVERAGE, BLANK, RBM_NAME, SCATTERED, Findings
from deeprg.studies._koch_flow import EXACT, Stage
from deeprg.studies._koch_patterns import Patterns

__all__ = ["figures", "tables"]

_TILES = 64
_HEADER = (
    "maps of",
    "depth",
    "units",
    "max ⟨vh⟩",
    "±",
    "one spot",
    "spots",
    "width",
    "particip.",
    "gauge sign",
    "positive",
    "C(1)/C(0)",
    "distance",
    "overlap",
    "off place",
    "at random",
)


def tables(found: Findings) -> list[StudyTable]:
    """Patterns, two-point functions along the flows, magnetization through the stack."""
    return [_patterns(found), _stack_patterns(found), _flows(found), _orders(found)]


def _row(one: Patterns, depth: int) -> list[float | int | str | None]:
    return [
        one.name,
        depth,
        one.count,
        one.peak,
        one.peak_error,
        one.one_spot,
        one.spots,
        one.width,
        one.participation,
        one.patch,
        one.positive,
        one.near,
        one.distance,
        one.overlap,
        None if one.place is None else one.place.displacement,
        None if one.place is None else one.place.random[0],
    ]


def _patterns(found: Findings) -> StudyTable:
    size = found.settings.size
    return StudyTable(
        "patterns",
        f"Patterns ⟨v h⟩ on {size}x{size} at T_c",
        _HEADER,
        [_row(one, 1) for one in found.patterns.values()],
        "Medians over the hidden units; one spot and positive are shares of the units, gauge sign the "
        "share of the sites. Distance and overlap are to the block averages after optimal matching. Off "
        "place: root mean square distance, in blocks, of centres from the lattice of blocks to which they "
        "are paired, and of random centres.",
    )


def _stack_patterns(found: Findings) -> StudyTable:
    size = found.settings.stack_size
    rows = [_row(one, depth) for part in found.stack.values() for depth, one in enumerate(part, 1)]
    return StudyTable(
        "stack",
        f"Patterns through the stack, from {size}x{size} at T_c",
        _HEADER,
        rows,
        "Between the visible spins and the variables of each depth.",
    )


def _stage_row(name: str, stage: Stage) -> list[float | int | str | None]:
    row: list[float | int | str | None] = [
        name,
        stage.step,
        stage.extent,
        stage.m,
        stage.m_error,
        *stage.neighbour,
    ]
    for operator in ("spin", "energy"):
        fit = stage.fits[operator]
        row += [None, None] if fit is None else [fit.value, fit.error]
    return row


def _flows(found: Findings) -> StudyTable:
    rows = [_stage_row("v → h → v′", stage) for stage in found.flow]
    for name, stages in found.blocks.items():
        rows += [_stage_row(f"blocks, {name}", stage) for stage in stages[1:]]
    return StudyTable(
        "flow",
        "Along the flow of the machine, and after one step of block spins",
        ("flow", "step", "L", "⟨|m|⟩", "±", "G(1)", "±", "Δσ", "±", "Δε", "±"),
        rows,
        "From the same configurations at T_c. Exact: Δσ = 1/8, Δε = 1; the fit has its limits on small "
        "lattices. A dash: the lattice is too small for the window of the fit, or G is not above zero in "
        "it.",
    )


def _orders(found: Findings) -> StudyTable:
    rows = []
    for name, parts in found.magnetization.items():
        rows += [[name, depth, value, error] for depth, (value, error) in enumerate(parts, 1)]
    return StudyTable(
        "order",
        "Order through the stack",
        ("variables", "depth", "⟨|m|⟩", "±"),
        rows,
        "Of majority blocks, and of hidden units with the gauge signs of their maps.",
    )


def figures(found: Findings) -> list[StudyFigure]:
    """The panels of the blog with controls, the stack, profiles, and the flow."""
    with style():
        return [_panels(found), _stack(found), _profiles(found), _flow_figure(found), _dimensions(found)]


def _panels(found: Findings) -> StudyFigure:
    fig, axes = figure(13.0, 11.5, nrows=2, ncols=2)
    reach = max(float(np.abs(one.maps.value).max()) for one in found.patterns.values())
    for ax, name in zip(axes.flat, (AVERAGE, RBM_NAME, BLANK, SCATTERED), strict=True):
        plot_tiles(ax, found.patterns[name].maps.maps[:_TILES], title=name, reach=reach)
    return StudyFigure(
        "panels",
        f"⟨v_i h_a⟩ on the {found.settings.size}x{found.settings.size} lattice for the first {_TILES} "
        "coarse variables, one scale. Above, the two panels of the source; below, its controls: random "
        "weights see the correlations of the data too.",
        fig,
        wide=True,
    )


def _stack(found: Findings) -> StudyFigure:
    depth = found.settings.depth
    fig, axes = figure(4.6 * depth, 8.6, nrows=2, ncols=depth)
    for row, name in zip(axes, (AVERAGE, RBM_NAME), strict=True):
        for level, (ax, one) in enumerate(zip(row, found.stack[name], strict=True), 1):
            plot_tiles(ax, one.maps.maps[:16], title=f"{name}, depth {level}", columns=4, reach=1.0)
    return StudyFigure(
        "stack",
        f"⟨v_i h_a⟩ between the {found.settings.stack_size}x{found.settings.stack_size} spins and 16 "
        "variables of every depth: averages of blocks of blocks above, the stack of machines below.",
        fig,
        wide=True,
    )


def _profiles(found: Findings) -> StudyFigure:
    fig, axes = figure(11.0, 4.2, ncols=2)
    plot_radial_profiles(axes[0], {name: one.statistics for name, one in found.patterns.items()})
    axes[0].set_ylim(top=1.0)
    plot_radial_profiles(
        axes[1],
        {
            f"{name}, depth {level}": part[level - 1].statistics
            for name, part in found.stack.items()
            for level in (1, len(part))
        },
    )
    axes[1].set(ylim=(axes[1].get_ylim()[0], 1.0), title="Radial profile through the stack")
    return StudyFigure(
        "profiles",
        "The patterns around their centres, with their gauge signs: median and middle two thirds.",
        fig,
        wide=True,
    )


def _flow_figure(found: Findings) -> StudyFigure:
    fig, axes = figure(11.0, 4.6, ncols=2)
    chosen = [found.flow[0], *found.flow[1:2], found.flow[-1]]
    for ax, operator in zip(axes, ("spin", "energy"), strict=True):
        curves = {f"round {stage.step}": stage.curves[operator] for stage in chosen}
        fits = {f"round {stage.step}": fit for stage in chosen if (fit := stage.fits[operator]) is not None}
        plot_two_point(ax, curves, fits)
        ax.set_title("Spin" if operator == "spin" else "Energy")
    return StudyFigure(
        "two-point", "Two-point functions along the flow v → h → v′ from data at T_c.", fig, wide=True
    )


def _dimensions(found: Findings) -> StudyFigure:
    fig, axes = figure(11.0, 4.2, ncols=2)
    for ax, (operator, exact, symbol) in zip(
        axes, (("spin", EXACT["spin"], "Δσ"), ("energy", EXACT["energy"], "Δε")), strict=True
    ):
        rows = [
            (stage.step, fit.value, fit.error)
            for stage in found.flow
            if (fit := stage.fits[operator]) is not None
        ]
        if rows:
            steps, values, errors = map(np.array, zip(*rows, strict=True))
            ax.errorbar(
                steps, values, yerr=errors, fmt="o-", markersize=4, capsize=2, label="flow of the machine"
            )
        ax.axhline(exact, linestyle="--", linewidth=1.2, color="0.4", label=f"exact, {exact:g}")
        ax.legend(frameon=False)
        ax.set(xlabel="rounds v → h → v′", ylabel=symbol, title=f"{symbol} along the flow")
    return StudyFigure("dimensions", "Scaling dimensions that the fit gives along the flow.", fig, wide=True)
