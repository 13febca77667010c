"""Figures of the probes show what they were given: numbers are read back from the axes."""

import numpy as np
import pytest

from deeprg.probes import (
    TwoPoint,
    band_structure,
    pattern_statistics,
    scaling_dimension,
    weight_spectrum,
)
from deeprg.report.patterns import plot_radial_profiles
from deeprg.report.style import data_uri, figure, style
from deeprg.report.two_point import plot_two_point
from deeprg.report.vh_maps import plot_tiles
from deeprg.report.weight_spectra import plot_bands, plot_weight_spectra
from deeprg.runs.errors import UsageError

RNG = np.random.default_rng(0)


@pytest.fixture
def ax():
    with style():
        fig, ax = figure()
        yield ax
        assert data_uri(fig).startswith("data:image/svg+xml")


def labels(ax):
    return ax.get_legend_handles_labels()[1]


def test_tiles_stand_in_order_under_one_scale(ax):
    patterns = RNG.normal(size=(70, 4, 3))
    patterns[3] *= 5
    image = plot_tiles(ax, patterns, title="T_c")
    mosaic = np.ma.filled(image.get_array(), np.nan)
    assert mosaic.shape == (8 * 5 - 1, 8 * 4 - 1)
    np.testing.assert_array_equal(mosaic[5:9, 4:7], patterns[9])  # second row, second column
    assert np.isnan(mosaic[4]).all()
    assert image.get_clim() == (-np.abs(patterns[:64]).max(), np.abs(patterns[:64]).max())
    assert ax.get_title(loc="left") == "T_c, 64 of 70"


def test_tiles_of_rings_cubes_and_nothing(ax):
    lines = RNG.normal(size=(5, 16))
    np.testing.assert_array_equal(plot_tiles(ax, lines).get_array(), lines)
    _, other = figure()
    cubes = RNG.normal(size=(2, 3, 4, 4))
    mosaic = np.ma.filled(plot_tiles(other, cubes, reach=2.0).get_array(), np.nan)
    np.testing.assert_array_equal(mosaic[:, :4], cubes[0, 0])
    assert "first plane" in other.get_title(loc="left") + other.get_title()
    assert plot_tiles(figure()[1], np.zeros((2, 4, 4))).get_clim() == (-1, 1)
    for wrong in (np.ones(4), np.ones((0, 4, 4))):
        with pytest.raises(UsageError, match="must be"):
            plot_tiles(other, wrong)


def test_radial_profiles_show_medians(ax):
    found = pattern_statistics(RNG.normal(size=(9, 8, 8)))
    plot_radial_profiles(ax, {"random": found})
    line = ax.lines[0]
    np.testing.assert_allclose(line.get_ydata(), np.nanmedian(found.profile, axis=0))
    assert labels(ax) == ["random"]


def test_spectra_show_their_own_edge(ax):
    one, two = weight_spectrum(RNG.normal(size=(40, 20))), weight_spectrum(3 * RNG.normal(size=(40, 20)))
    plot_weight_spectra(ax, {"one": one, "two": two})
    points, edge, more, other = ax.lines
    np.testing.assert_array_equal(points.get_ydata(), one.singular_values)
    np.testing.assert_array_equal(more.get_ydata(), two.singular_values)
    assert (edge.get_ydata()[0], other.get_ydata()[0]) == (one.edges[1], two.edges[1])
    assert labels(ax)[0] == "one: 0 above the edge"


def test_bands_are_in_units_of_the_diagonal(ax):
    found = band_structure(RNG.normal(size=(16, 8)), (4, 4))
    plot_bands(ax, {"random": found}, most=2.0)
    line = ax.lines[0]
    shown = found.r <= 2
    np.testing.assert_allclose(line.get_ydata(), found.mean[shown] / found.mean[0])
    np.testing.assert_array_equal(line.get_xdata(), found.r[shown])


def test_two_point_functions_show_fit_and_window(ax):
    r = np.arange(33)
    g = 0.7 * np.maximum(r, 1.0) ** -0.25
    g[20] = -0.1
    replicas = g * (1 + 0.01 * RNG.normal(size=(20, 1)))
    curve = TwoPoint("spin", False, 64, r, g, 0.01 * np.abs(g), replicas)
    fit = scaling_dimension(curve, corrections=())
    plot_two_point(ax, {"T_c": curve}, {"T_c": fit})
    fitted, points = ax.lines[:2]
    np.testing.assert_allclose(fitted.get_ydata(), 0.7 * fitted.get_xdata() ** -0.25)
    assert (fitted.get_xdata().min(), fitted.get_xdata().max()) == (3, 16)
    assert 20 not in points.get_xdata().tolist()
    assert 0 not in points.get_xdata().tolist()
    assert labels(ax)[0].startswith("T_c: Δ = 0.125")
