"""Tables and figures of the study."""

from deeprg.hamiltonians import CRITICAL_TEMPERATURE
from deeprg.probes import band_structure, weight_spectrum
from deeprg.report.flow_temperatures import plot_end_temperatures, plot_flow_temperatures
from deeprg.report.study import StudyFigure, StudyTable
from deeprg.report.style import figure, style
from deeprg.report.thermometers import plot_probabilities
from deeprg.report.weight_gram import plot_gram
from deeprg.report.weight_spectra import plot_bands, plot_weight_spectra
from deeprg.studies._ends import (
    calibration_figure,
    calibration_table,
    ends_figure,
    ends_table,
    stages_table,
)
from deeprg.studies._followed import ORDERED, RANDOM
from deeprg.studies._iso_find import Case, Findings, H, L, V
from deeprg.studies._iso_weights import weights_of, weights_table

__all__ = ["figures", "tables"]


def tables(found: Findings) -> list[StudyTable]:
    """End points, one flow, ends while a machine learns, the data in one pot, weights, thermometers."""
    size = found.settings.size
    rows = [((case.name,), case.flows, case.dependence) for case in found.cases]
    return [
        ends_table(
            ("machine",),
            rows,
            found.settings,
            note=" It counts the sign of m, which ±1 units from T = 0 keep.",
        ),
        stages_table(_followed(found).flows, f"The flow of {_followed(found).name}"),
        _course(found),
        _mixtures(found),
        weights_table({case.name: weights_of(case.weights, size) for case in found.cases}),
        calibration_table(found.thermometers, size),
    ]


def figures(found: Findings) -> list[StudyFigure]:
    """Temperatures along flows, ends, what the network says, W Wᵀ, spectra, and the course of training."""
    with style():
        return [
            _temperatures(found),
            _ends(found),
            _network(found),
            _grams(found),
            _weights(found),
            _learning(found),
            calibration_figure(found.thermometers),
        ]


def _followed(found: Findings) -> Case:
    return found.courses[found.settings.unit][-1]


def _course(found: Findings) -> StudyTable:
    rows = []
    for course in found.courses.values():
        for case in course:
            for start in (ORDERED, RANDOM):
                stage = case.flows[start].end
                assert stage.network is not None
                rows.append(
                    [
                        case.name,
                        case.steps,
                        start,
                        stage.observables["abs_magnetization"].value,
                        stage.observables["energy_per_site"].value,
                        str(stage.readings["|m|"]),
                        str(stage.readings["e"]),
                        stage.network.peak,
                    ]
                )
    return StudyTable(
        "course",
        "Ends while the machine learns, in both kinds of unit",
        ("machine", "steps", "start", "|m|", "e", "T from |m|", "T from e", "network: peak"),
        rows,
        "The rate of {0, 1} units is 16 times that of ±1 units, so that the couplings move alike.",
    )


def _mixtures(found: Findings) -> StudyTable:
    rows = []
    for highest, record in found.mixtures.items():
        stage = record.end
        assert stage.network is not None
        rows.append(
            [
                f"T ≤ {highest:g}",
                stage.observables["abs_magnetization"].value,
                stage.observables["energy_per_site"].value,
                str(stage.readings["|m|"]),
                str(stage.readings["e"]),
                stage.network.peak,
                stage.network.mean.value,
            ]
        )
    return StudyTable(
        "mixtures",
        "The training data, read as one ensemble",
        ("data", "|m|", "e", "T from |m|", "T from e", "network: peak", "mean"),
        rows,
        "The flow is Gibbs sampling: an exact machine, followed for long enough, ends in its training data.",
    )


def _temperatures(found: Findings) -> StudyFigure:
    shown = [*found.of(V), found.of(H)[0], found.of(L)[0]]
    flows = {case.name: {start: case.flows[start] for start in (ORDERED, RANDOM)} for case in shown}
    titles = {"network": "Neural thermometer, mean", "|m|": "From the magnetization", "e": "From the energy"}
    fig, axes = figure(13.5, 4.8, ncols=3, sharey=True)
    for ax, (reading, title) in zip(axes, titles.items(), strict=True):
        plot_flow_temperatures(ax, flows, reading, critical=CRITICAL_TEMPERATURE, title=title)
        if reading != "network":
            ax.get_legend().remove()
    axes[0].set_ylim(0, 1.05 * found.settings.highest + 1.5)
    return StudyFigure(
        "temperatures",
        "Temperatures along the flow. Full lines start from all up, dashed ones from random spins; readings "
        "outside a table are left out.",
        fig,
        wide=True,
    )


def _ends(found: Findings) -> StudyFigure:
    records = {case.name: case.flows[RANDOM] for case in (*found.of(V), found.of(H)[0])}
    other = found.courses[found.settings.other_unit][-1]
    records[other.name] = other.flows[RANDOM]
    records["training data of V"] = found.mixtures[max(found.mixtures)]
    return ends_figure(
        found.thermometers,
        records,
        "End points from T = ∞, and the training data in one pot. An Ising ensemble of this lattice lies on "
        "the line, at its temperature; a mixture of many temperatures can lie near it.",
    )


def _network(found: Findings) -> StudyFigure:
    fig, ax = figure(6.4, 4.6)
    records = {case.name: case.flows[RANDOM] for case in (*found.of(V), found.of(H)[0])}
    records["training data of V"] = found.mixtures[max(found.mixtures)]
    kept = {name: one.end.network for name, one in records.items() if one.end.network is not None}
    plot_probabilities(ax, found.thermometers.network.temperatures, kept, CRITICAL_TEMPERATURE)
    return StudyFigure(
        "network",
        "P(T) at the ends from T = ∞. Dashed: the ensemble is unlike the data that the network has learned.",
        fig,
    )


def _grams(found: Findings) -> StudyFigure:
    untrained = found.controls[0]
    shown = [_followed(found), *(_same(found, name) for name in (H, L)), untrained]
    fig, axes = figure(13.5, 3.9, ncols=len(shown))
    for ax, case in zip(axes, shown, strict=True):
        image = plot_gram(ax, case.weights, title=case.name)
    fig.colorbar(image, ax=axes, label="W Wᵀ / diagonal", shrink=0.8)
    return StudyFigure(
        "gram",
        f"W Wᵀ in the order of the sites: bands beside the diagonal and {found.settings.size} off it join "
        "nearest neighbours.",
        fig,
        wide=True,
    )


def _weights(found: Findings) -> StudyFigure:
    size = found.settings.size
    cases = {case.name: case.weights for case in (*found.of(V), _same(found, H), _same(found, L))}
    fig, axes = figure(11.0, 4.6, ncols=2)
    bands = {name: band_structure(w, (size, size)) for name, w in cases.items()}
    plot_bands(axes[0], bands, most=size / 2)
    plot_weight_spectra(axes[1], {name: weight_spectrum(w) for name, w in cases.items()})
    return StudyFigure("weights", "Elements of W Wᵀ by distance, and singular values of W.", fig, wide=True)


def _learning(found: Findings) -> StudyFigure:
    fig, ax = figure(6.4, 4.6)
    courses = {
        course[-1].name: {case.steps: case.flows[RANDOM] for case in course}
        for course in found.courses.values()
    }
    plot_end_temperatures(ax, courses, critical=CRITICAL_TEMPERATURE)
    return StudyFigure("course", "Temperatures at the end of the flow from T = ∞, while V learns.", fig)


def _same(found: Findings, name: str) -> Case:
    """The machine of a set with the size that is followed, else the first."""
    of = found.of(name)
    return next((case for case in of if case.hidden == found.settings.course_hidden), of[0])
