"""Medians with spreads: numbers are read back from the axes."""

import numpy as np
import pytest

from deeprg.report.medians import plot_medians
from deeprg.report.style import figure
from deeprg.runs.errors import UsageError

LABELS = {"title": "Widths", "x": "layer", "y": "sites"}


def test_points_bars_and_the_reference(ax):
    series = {"trained": [[1.0, 1.2, 1.5], [2.0, 2.2, 2.9]], "untrained": [[8.0, 9.0, 9.5]] * 2}
    plot_medians(ax, ["1", "2"], series, reference=("blocks", [0.7, 1.6]), log=True, **LABELS)
    assert ax.get_yscale() == "log"
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "2"]
    drawn = {line.get_label(): line for line in ax.lines}
    np.testing.assert_allclose(drawn["blocks"].get_ydata(), [0.7, 1.6])
    assert ax.get_legend_handles_labels()[1] == ["blocks", "trained", "untrained"]
    points, _, bars = ax.containers[0]
    np.testing.assert_allclose(points.get_ydata(), [1.2, 2.2])
    np.testing.assert_allclose(bars[0].get_segments()[1][:, 1], [2.0, 2.9])
    other = ax.containers[1][0]
    assert np.all(other.get_xdata() > points.get_xdata())


def test_a_place_without_numbers_is_left_out(ax):
    plot_medians(ax, ["1", "2"], {"a": [[1.0, 2.0, 3.0], [np.nan] * 3]}, **LABELS)
    assert np.isnan(ax.containers[0][0].get_ydata()[1])


def test_series_of_another_shape():
    with pytest.raises(UsageError, match=r"series 'a' has shape \(2, 2\)"):
        plot_medians(figure()[1], ["1", "2"], {"a": [[1.0, 2.0], [1.0, 2.0]]}, **LABELS)
