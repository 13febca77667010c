"""Figures of the study."""

from collections.abc import Sequence

import numpy as np

from deeprg.montecarlo import Estimate
from deeprg.probes import TwoPoint, pattern_statistics
from deeprg.report.medians import plot_medians
from deeprg.report.patterns import plot_radial_profiles
from deeprg.report.reconstructions import plot_reconstructions
from deeprg.report.study import StudyFigure
from deeprg.report.style import figure, style
from deeprg.report.two_point import plot_two_point
from deeprg.report.vh_maps import plot_tiles
from deeprg.studies._mehta_coarse import CoarseCurve
from deeprg.studies._mehta_find import (
    BLOCKS,
    FREE,
    LEARNED,
    LIKELIEST,
    MODES,
    PAINTED,
    SHUFFLED,
    SORTED,
    UNTRAINED,
    Findings,
)
from deeprg.studies._mehta_locality import Locality

__all__ = ["figures"]

_TILES = 16
_SHOWN = (LEARNED, FREE, SHUFFLED)
_COMPARED = (LEARNED, SORTED, FREE, SHUFFLED, UNTRAINED)
_REBUILT = ("configuration", LEARNED, LIKELIEST, PAINTED, MODES, FREE)
_GUESSES = (LEARNED, LIKELIEST, FREE, UNTRAINED)


def figures(found: Findings) -> list[StudyFigure]:
    """Fields, their sizes and profiles, reconstructions, coarse variables."""
    with style():
        return [_fields(found), _sizes(found), _rebuilt(found), _profiles(found), _coarse(found)]


def _fields(found: Findings) -> StudyFigure:
    depth = len(found.settings.layers)
    fig, axes = figure(4.0 * len(_SHOWN), 4.25 * depth, nrows=depth, ncols=len(_SHOWN), squeeze=False)
    for column, name in enumerate(_SHOWN):
        for row, fields in enumerate(found.cases[name].fields):
            image = plot_tiles(
                axes[row, column],
                _normalised(fields[:_TILES]),
                columns=4,
                title=f"Layer {row + 1}, {name}",
                label="weight / largest",
                reach=1.0,
            )
            if column < len(_SHOWN) - 1:
                image.colorbar.remove()
    return StudyFigure(
        "fields",
        f"Receptive fields of up to {_TILES} units of each layer on the {found.settings.size}x"
        f"{found.settings.size} sites, each divided by its largest weight. The sign of a unit is free.",
        fig,
        wide=True,
    )


def _sizes(found: Findings) -> StudyFigure:
    settings = found.settings
    layers = [str(layer) for layer in range(1, len(settings.layers) + 1)]
    fig, axes = figure(13.5, 4.8, ncols=3)
    for ax, name, unit in ((axes[0], "width", "lattice spacings"), (axes[1], "area", "sites")):
        plot_medians(
            ax,
            layers,
            {case: _bars(found.cases[case].local, name) for case in _COMPARED},
            title=f"{name.capitalize()} of the fields",
            x="layer",
            y=f"{name} ({unit})",
            reference=(BLOCKS, [one.middles[name].value for one in found.cases[BLOCKS].local]),
            log=True,
        )
    penalties = sorted(found.penalties)
    local = [found.penalties[penalty] for penalty in penalties]
    plot_medians(
        axes[2],
        [f"{penalty:g}" for penalty in penalties],
        {"first layer": _bars(local, "share")},
        title="Locality by the L1 penalty",
        x="L1",
        y="share in the disc of 5 % of the sites",
    )
    for ax in axes:
        ax.get_legend().remove()
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return StudyFigure(
        "sizes",
        "Medians over the units, bars from 16 % to 84 %. The area does not know where sites are: on shuffled "
        "sites the fields have as few sites, but these are not together.",
        fig,
        wide=True,
    )


def _bars(local: Sequence[Locality], name: str) -> list[list[float]]:
    return [[one.middles[name].low, one.middles[name].value, one.middles[name].high] for one in local]


def _rebuilt(found: Findings) -> StudyFigure:
    rows = {name: found.pictures[name] for name in _REBUILT}
    last = found.remembered[-1]
    return StudyFigure(
        "reconstructions",
        f"Configurations of {found.settings.size**2} spins that no network has seen, and what {last.units} "
        f"units know of them. Majority spins are those of {last.side}x{last.side} blocks.",
        plot_reconstructions(rows),
        wide=True,
    )


def _profiles(found: Findings) -> StudyFigure:
    fig, axes = figure(11.0, 4.2, ncols=2)
    profiles = {}
    for layer, fields in enumerate(found.learned.fields, 1):
        profiles[f"layer {layer}, {LEARNED}"] = _normalised(fields)
    profiles[f"layer 1, {FREE}"] = _normalised(found.cases[FREE].fields[0])
    plot_radial_profiles(axes[0], {name: pattern_statistics(one) for name, one in profiles.items()})
    last = found.remembered
    plot_medians(
        axes[1],
        [f"{one.units}" for one in last],
        {name: [_estimate(one.overlaps[name]) for one in last] for name in _GUESSES},
        title="Overlap with the configuration",
        x="units kept",
        y="overlap per site",
        reference=("majority spins, painted", [one.overlaps[PAINTED].value for one in last]),
    )
    return StudyFigure(
        "profiles",
        "Left: fields divided by their largest weight, median and 16 % to 84 % of the units. Right: what the "
        "units of each layer remember.",
        fig,
        wide=True,
    )


def _estimate(one: Estimate) -> list[float]:
    return [one.value - one.error, one.value, one.value + one.error]


def _normalised(fields: np.ndarray) -> np.ndarray:
    peak = np.abs(fields).max(axis=(1, 2), keepdims=True)
    return fields / np.where(peak > 0, peak, 1)


def _coarse(found: Findings) -> StudyFigure:
    fig, axes = figure(4.6 * len(found.coarse), 4.2, ncols=len(found.coarse), squeeze=False)
    for layer, (ax, one) in enumerate(zip(axes[0], found.coarse, strict=True), 1):
        curves = {name: _two_point(curve, found.settings.size) for name, curve in one.curves.items()}
        plot_two_point(ax, curves)
        ax.set_title(f"Layer {layer} and blocks of {one.side}x{one.side}")
        ax.set_ylabel("correlation of two units")
    return StudyFigure(
        "coarse",
        "Correlation of two units against the distance of their fields' centres, beside majority spins.",
        fig,
        wide=True,
    )


def _two_point(curve: CoarseCurve, size: int) -> TwoPoint:
    return TwoPoint("spin", True, size, curve.r, curve.value, curve.error, curve.replicas)
