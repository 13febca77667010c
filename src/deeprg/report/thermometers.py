"""What thermometers read along a flow, what the neural one says in full, and how far it can be believed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from deeprg.probes import Calibration, FlowRecord, NetworkReading
from deeprg.report.patterns import COLOURS
from deeprg.report.style import MUTED, finish, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_confusion", "plot_probabilities", "plot_readings", "plot_reliability"]


def plot_readings(ax: "Axes", record: FlowRecord, *, critical: float | None = None) -> "Axes":
    """Temperatures against rounds: every direct thermometer with errors, the mean of the neural one.

    Readings outside a table are left out: they are bounds. `critical` is a dashed line.

    >>> from deeprg.lattice import Lattice
    >>> from deeprg.probes import energy_thermometer, follow_flow
    >>> from deeprg.report.style import figure
    >>> spins = np.random.default_rng(0).choice([-1.0, 1.0], size=(50, 4, 4))
    >>> record = follow_flow([(0, spins)], Lattice((4, 4)), thermometers={"e": energy_thermometer((4, 4))})
    >>> _, ax = figure()
    >>> plot_readings(ax, record, critical=2.269).get_ylabel()
    'T (units of J)'
    """
    for number, name in enumerate(record.end.readings):
        rows = [(stage.rounds, stage.readings[name]) for stage in record.stages]
        good = [(n, one.temperature, one.error) for n, one in rows if one.inside]
        if not good:
            continue
        n, value, error = np.array(good).T
        ax.errorbar(n, value, yerr=error, fmt="o-", markersize=3, color=COLOURS[number], label=f"from {name}")
    neural = [(stage.rounds, stage.network) for stage in record.stages]
    points = [(n, one.mean.value, one.peak) for n, one in neural if one is not None]
    if points:
        n, mean, peak = np.array(points).T
        ax.plot(n, mean, color=COLOURS[2], label="network, mean")
        ax.plot(n, peak, color=COLOURS[2], linestyle=":", label="network, peak")
    if critical is not None:
        ax.axhline(critical, color=MUTED, linestyle="--", linewidth=1.2, label="T_c")
    ax.margins(x=0.01)
    legend(ax, loc="best", ncols=2)
    return finish(ax, title=f"Thermometers, from {record.start}", x="rounds v → h → v′", y="T (units of J)")


def plot_probabilities(
    ax: "Axes",
    temperatures: np.ndarray,
    readings: Mapping[str, NetworkReading],
    critical: float | None = None,
) -> "Axes":
    """P(T) of the neural thermometer by label; flagged readings are dashed.

    >>> from deeprg.montecarlo import Estimate
    >>> from deeprg.report.style import figure
    >>> reading = NetworkReading(np.array([0.2, 0.8]), 2.0, Estimate(1.8, 0.1), 0.4, 2.5, ("far",))
    >>> _, ax = figure()
    >>> ax = plot_probabilities(ax, np.array([1.0, 2.0]), {"all T": reading})
    >>> ax.get_legend().get_texts()[0].get_text()
    'all T (flagged)'
    """
    for number, (label, reading) in enumerate(readings.items()):
        ax.plot(
            temperatures,
            reading.probabilities,
            color=COLOURS[number % len(COLOURS)],
            linestyle="-" if reading.trusted else "--",
            label=label if reading.trusted else f"{label} (flagged)",
        )
    if critical is not None:
        ax.axvline(critical, color=MUTED, linestyle=":", linewidth=1.2, label="T_c")
    legend(ax, loc="best")
    return finish(ax, title="What the network says at the end", x="T (units of J)", y="P(T)")


def plot_confusion(ax: "Axes", calibration: Calibration) -> Any:
    """Rows are true temperatures, columns what was said; returns the image, for its colour bar.

    >>> from deeprg.report.style import figure
    >>> half = np.full((2, 2), 0.5)
    >>> nothing = np.zeros(10)
    >>> calibration = Calibration(
    ...     np.array([1.0, 2.0]), half, nothing, nothing, nothing, nothing, nothing, 0.0, 0.5, 0.7, nothing
    ... )
    >>> _, ax = figure()
    >>> plot_confusion(ax, calibration).get_array().shape
    (2, 2)
    """
    t = calibration.temperatures
    low, high = float(t[0] - 0.5 * (t[1] - t[0])), float(t[-1] + 0.5 * (t[-1] - t[-2]))
    image = ax.imshow(
        calibration.confusion,
        origin="lower",
        extent=(low, high, low, high),
        cmap="Blues",
        vmin=0,
        aspect="equal",
    )
    ax.grid(False)
    finish(ax, title="Confusion, held-out data", x="T said", y="T true")
    return image


def plot_reliability(ax: "Axes", calibration: Calibration) -> "Axes":
    """How often the most likely temperature is right, against how sure the network is of it.

    >>> from deeprg.report.style import figure
    >>> ones = np.ones(10)
    >>> bins = 0.5 * ones, 0.4 * ones, 0.1 * ones
    >>> calibration = Calibration(ones, ones, ones, ones, *bins, 0.1, 0.4, 1.0, ones)
    >>> _, ax = figure()
    >>> plot_reliability(ax, calibration).get_title()
    'Reliability, ECE = 0.100'
    """
    ax.plot([0, 1], [0, 1], color=MUTED, linestyle="--", linewidth=1.2, label="calibrated")
    good = calibration.share > 0
    ax.scatter(
        calibration.confidence[good],
        calibration.accuracy[good],
        s=12 + 300 * calibration.share[good],
        color=COLOURS[0],
        label="area: share of the data",
    )
    legend(ax, loc="upper left")
    return finish(ax, title=f"Reliability, ECE = {calibration.ece:.3f}", x="confidence", y="share right")
