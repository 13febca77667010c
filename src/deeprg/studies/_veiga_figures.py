"""Tables and figures of the study."""

from deeprg.hamiltonians import CRITICAL_TEMPERATURE
from deeprg.report.flow_observables import plot_flow_observable
from deeprg.report.study import StudyFigure, StudyTable
from deeprg.report.style import figure, style
from deeprg.report.thermometers import plot_probabilities, plot_readings
from deeprg.studies._ends import (
    FLOW,
    calibration_figure,
    calibration_table,
    ends_figure,
    ends_table,
    stages_table,
)
from deeprg.studies._followed import RANDOM
from deeprg.studies._veiga_find import ALL, Findings

__all__ = ["figures", "tables"]


def tables(found: Findings) -> list[StudyTable]:
    """End points of every case, the flow of the main machine, and what the thermometers do to known data."""
    cases = found.cases.values()
    return [
        ends_table(
            ("weights from",), (((case.name,), case.flows, case.dependence) for case in cases), found.settings
        ),
        stages_table(found.cases[ALL].flows, "The flow of the machine trained on all temperatures"),
        calibration_table(found.thermometers, found.settings.size),
    ]


def figures(found: Findings) -> list[StudyFigure]:
    """Observables, readings, what the network says and can, and the end points against the Ising line."""
    with style():
        ends = {name: case.flows[RANDOM] for name, case in found.cases.items()}
        return [
            _observables(found),
            ends_figure(
                found.thermometers,
                ends,
                "End points from T = ∞. An Ising ensemble of this lattice lies on the line, at its "
                "temperature.",
            ),
            _readings(found),
            calibration_figure(found.thermometers),
        ]


def _observables(found: Findings) -> StudyFigure:
    readers = found.thermometers
    at = {"abs_magnetization": readers.magnetization.expected(CRITICAL_TEMPERATURE)}
    at["energy_per_site"] = readers.energy.expected(CRITICAL_TEMPERATURE)
    fig, axes = figure(13.5, 7.0, nrows=2, ncols=3)
    for ax, name in zip(axes.flat, FLOW, strict=False):
        plot_flow_observable(ax, found.cases[ALL].flows, name, critical=at.get(name))
    plot_readings(axes.flat[5], found.cases[ALL].flows[RANDOM], critical=CRITICAL_TEMPERATURE)
    return StudyFigure(
        "flow",
        "The machine trained on all temperatures, from three starts. The end is a state of its own: the two "
        "direct thermometers part.",
        fig,
        wide=True,
    )


def _readings(found: Findings) -> StudyFigure:
    fig, ax = figure(6.4, 4.6)
    readings = {name: case.flows[RANDOM].end.network for name, case in found.cases.items()}
    kept = {name: reading for name, reading in readings.items() if reading is not None}
    plot_probabilities(ax, found.thermometers.network.temperatures, kept, CRITICAL_TEMPERATURE)
    return StudyFigure(
        "network",
        "P(T) at the ends from T = ∞. Dashed: the ensemble is unlike the training data, or the peak is at an "
        "end of the grid.",
        fig,
    )
