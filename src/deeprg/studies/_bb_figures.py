"""Tables and figures of the study of coarse-grained data."""

from typing import Any

import numpy as np

from deeprg.report.data_rg import plot_cluster_map, plot_cluster_spectra, plot_mode_flows
from deeprg.report.patterns import COLOURS
from deeprg.report.study import StudyFigure, StudyTable
from deeprg.report.style import INK, figure, finish, plain_numbers, style
from deeprg.studies._bb_claims import ALPHA, MU
from deeprg.studies._bb_find import BLOCKS, CRITICAL, HOT, SHUFFLED, Findings
from deeprg.studies._bb_measure import blocks_in_order

__all__ = ["figures", "tables"]

_MAPPED = 64  # sites of the clusters of the map


def tables(found: Findings) -> list[StudyTable]:
    """Cumulants by cut, exponents by kind of data, overlaps with plane waves."""
    kept = next(iter(found.flows.values())).kept.tolist()
    cumulants = [
        [name, *(f"{k:.3f} ± {e:.3f}" for k, e in zip(flow.cumulant, flow.error, strict=True))]
        for name, flow in found.flows.items()
    ]
    exponents = [
        [
            name,
            *(float(v) for pair in (course.alpha, course.beta) for v in pair),
            *((one.mu.value, one.mu.error) if (one := found.clusters.get(name)) else (None, None)),
        ]
        for name, course in found.courses.items()
    ]
    shells = found.shells[CRITICAL]
    overlaps = [
        [int(count), *(float(one.overlap[row]) for one in found.shells.values())]
        for row, count in enumerate(shells.count)
        if count <= len(shells.momentum) // 16
    ]
    return [
        StudyTable(
            "exponents",
            "Exponents of clusters",
            ["data", "α", "±", "β", "±", "μ", "±"],
            exponents,
            "α and β in samples that did not choose the clusters; at T_c the propagator asks for 1.875 and "
            "μ = 0.875, independent units have 1, 1 and 0",
        ),
        StudyTable(
            "cumulants", "κ₄/κ₂² of the cut field, by modes kept", ["data", *map(str, kept)], cumulants
        ),
        StudyTable(
            "waves",
            "Overlap of as many modes with the longest plane waves",
            ["modes", *found.shells],
            overlaps,
            "at every number of modes that fills whole momentum shells; 1 where they span the same space",
        ),
    ]


def figures(found: Findings) -> list[StudyFigure]:
    """Overlaps and cumulants, exponents, a map of clusters."""
    with style():
        return [_cuts(found), _clusters(found), _map(found)]


def _cuts(found: Findings) -> StudyFigure:
    fig, (left, right) = figure(12.0, 4.4, ncols=2)
    for number, (name, shells) in enumerate(found.shells.items()):
        left.plot(shells.count, shells.overlap, "o-", color=COLOURS[number], markersize=3, label=name)
    count = found.shells[CRITICAL].count
    left.plot(count, count / len(found.shells[CRITICAL].momentum), "--", color=INK, linewidth=1)
    left.set_xscale("log")
    plain_numbers(left.xaxis)
    finish(left, title="Modes against plane waves", x="modes, whole shells", y="overlap")
    plot_mode_flows(right, found.flows)
    right.get_legend().remove()
    fig.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return StudyFigure(
        "cuts",
        "Left: the share of the space of the longest plane waves that as many modes of most variance span; "
        "dashed: modes in any direction. Right: the fourth cumulant when fewer and fewer modes are kept; "
        "dashed: Gaussian.",
        fig,
        wide=True,
    )


def _clusters(found: Findings) -> StudyFigure:
    fig, axes = figure(14.5, 4.4, ncols=3)
    names = [name for name in found.courses if name != BLOCKS]
    for number, name in enumerate(names):
        course, colour = found.courses[name], COLOURS[number]
        _slopes(axes[0], course.size, course.slopes, colour, name)
        _slopes(axes[1], course.size, course.silent_slopes, colour, name)
    axes[0].axhline(ALPHA, color=INK, linestyle="--", linewidth=1)
    axes[0].axhline(1, color=INK, linestyle=":", linewidth=1)
    axes[1].axhline(1, color=INK, linestyle=":", linewidth=1)
    for ax, title, y in (
        (axes[0], "Variance", "slope of ln Var"),
        (axes[1], "Silence", "slope of ln(−ln P₀)"),
    ):
        ax.set_xscale("log")
        plain_numbers(ax.xaxis)
        finish(ax, title=title, x="units K of a cluster", y=y)
    plot_cluster_spectra(axes[2], {name: found.clusters[name] for name in names}, exponent=MU)
    axes[2].get_legend().remove()
    fig.legend(*axes[2].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return StudyFigure(
        "clusters",
        "Slopes per ln K from K to 2K in samples that did not choose the clusters (dashed: the propagator at "
        "T_c; dotted: independent units), and spectra. A power law is a level line.",
        fig,
        wide=True,
    )


def _slopes(ax: Any, size: np.ndarray, slopes: np.ndarray, colour: str, label: str) -> None:
    middle = size[: slopes.shape[1]] * np.sqrt(2)
    ax.errorbar(middle, *slopes, fmt="o-", color=colour, markersize=4, capsize=2, label=label)


def _map(found: Findings) -> StudyFigure:
    lattice = found.settings.lattice
    size = min(_MAPPED, found.clusters[CRITICAL].clusters.shape[1])
    fig, axes = figure(14.0, 4.0, ncols=4)
    shown = {name: found.clusters[name].clusters.reshape(-1, size) for name in (CRITICAL, HOT, SHUFFLED)}
    for ax, (name, clusters) in zip(
        axes, {BLOCKS: blocks_in_order(lattice, size), **shown}.items(), strict=True
    ):
        plot_cluster_map(ax, clusters, lattice, title=name)
    return StudyFigure(
        "map",
        "Sites of one colour are one cluster, of two clusters where colours repeat. The pairing was not told "
        "where sites are; the lattice is a torus.",
        fig,
        wide=True,
    )
