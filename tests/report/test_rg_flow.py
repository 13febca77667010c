"""Figures of renormalization: what is drawn where, with which labels, on which axes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from deeprg.exact.schemes import critical_coupling, fixed_point, flow
from deeprg.report import (
    FlowCurve,
    plot_beta_function,
    plot_cobweb,
    plot_couplings_by_distance,
    plot_flow_diagram,
    plot_one_coupling,
    plot_scheme,
    plot_truncation_error,
)
from deeprg.report.style import ACCENT, MUTED, data_uri, style
from deeprg.runs.errors import UsageError

GRID = np.linspace(0, 1, 41)
IMAGES = 0.5 * np.log(np.cosh(4 * GRID))
STAR = 0.304689


def texts(axes) -> list[str]:
    legend = axes.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def lines(axes) -> dict:
    return {line.get_label(): line for line in axes.get_lines()}


def test_cobweb_steps_between_curve_and_diagonal(ax):
    path = flow("migdal-kadanoff", 0.28, steps=4)[:, 0]
    plot_cobweb(ax, GRID, IMAGES, paths=[path], fixed_points=[0, STAR], exact=0.4407)
    assert texts(ax) == ["exact $K_c$ = 0.4407", "$K' = K$", "one step", "flow", "fixed points"]
    stairs = np.array(lines(ax)["flow"].get_data()).T
    assert stairs[0].tolist() == [0.28, 0.0]
    # up to the curve (K, K'), over to the diagonal (K', K'), and so on
    assert_allclose(stairs[1::2], np.stack([path[:-1], path[1:]], 1), rtol=0, atol=1e-15)
    assert_allclose(stairs[2::2], np.stack([path[1:], path[1:]], 1)[: len(stairs[2::2])], rtol=0, atol=1e-15)
    assert_allclose(lines(ax)["fixed points"].get_xdata(), [0, STAR])


def test_beta_function_has_an_arrow_between_fixed_points(ax):
    plot_beta_function(ax, GRID, IMAGES - GRID, fixed_points=[0, STAR])
    arrows = [note for note in ax.texts if note.arrow_patch is not None]
    ways = [np.sign(arrow.xy[0] - arrow.xyann[0]) for arrow in arrows]
    assert ways == [-1, 1]
    assert arrows[0].xy[0] < STAR < arrows[1].xy[0]


def test_one_coupling_has_two_panels():
    panels = plot_one_coupling(GRID, IMAGES, fixed_points=[0, STAR], title="Bond moving").axes
    assert [panel.get_ylabel() for panel in panels] == ["$K'$", "$K' - K$"]
    assert_allclose(lines(panels[1])["fixed points"].get_ydata(), [0, 0])


def test_flow_diagram(ax):
    star = fixed_point("wilson")
    paths = [flow("wilson", [k, 0], steps=12) for k in (0.38, 0.40)]
    surface = [[0.39209, 0.0], star]
    plot_flow_diagram(
        ax, paths, fixed_points=[[0, 0], star], surface=surface, critical=0.39209, exact=0.44069,
        window=(0, 0.8, -0.1, 0.4), field=([[0.2, 0.1]], [[-0.02, -0.06]]),
    )  # fmt: skip
    assert texts(ax) == ["critical surface", "$K_c$ = 0.3921", "exact $K_c$ = 0.4407", "fixed points"]
    drawn = [line for line in ax.get_lines() if line.get_marker() == "o" and line.get_markersize() == 3]
    assert [line.get_color() for line in drawn] == [MUTED, ACCENT]  # disordered, ordered
    assert_allclose(drawn[0].get_xydata(), paths[0])
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 0.8), (-0.1, 0.4))


def test_couplings_by_distance_shows_zeros_hollow(ax):
    steps = {
        "step 0": FlowCurve([1, 2, 3], [0.4, 0.0, 0.0]),
        "step 1": FlowCurve([1, 2, 3], [0.3, -0.05, 0.01]),
    }
    plot_couplings_by_distance(ax, steps)
    assert texts(ax) == ["step 0", "step 1"]
    assert_allclose(lines(ax)["step 1"].get_ydata(), [0.3, 0.05, 0.01])
    assert_allclose(lines(ax)["step 0"].get_xdata(), [1])
    hollow = [line for line in ax.get_lines() if line.get_markerfacecolor() == "white"]
    assert [line.get_xdata().tolist() for line in hollow] == [[2, 3]]
    assert ax.get_yscale() == "log"


def test_couplings_by_distance_without_any_coupling(ax):
    plot_couplings_by_distance(ax, {"step 0": FlowCurve([1, 2], [0.0, 0.0])})


def test_truncation_error_ends_at_rounding(ax):
    curves = {
        "exact": FlowCurve([1, 2, 4], [1e-2, 1e-9, 0.0]),
        "bad": FlowCurve([1, 2, 4], [0.1, np.inf, 3.0]),
    }
    plot_truncation_error(ax, curves, rounding=1e-16)
    assert_allclose(lines(ax)["exact"].get_ydata(), [1e-2, 1e-9, 1e-16])
    assert_allclose(lines(ax)["bad"].get_xdata(), [1, 4])
    assert texts(ax) == ["exact", "bad"]


@pytest.mark.parametrize(
    ("name", "order", "panels"),
    [
        ("migdal-kadanoff", None, 2),
        ("decimation-1d", None, 2),
        ("wilson", None, 1),
        ("niemeijer-van-leeuwen", 2, 2),
    ],
)
def test_every_kind_of_scheme_has_a_figure(name, order, panels):
    with style():
        picture = plot_scheme(name, order, steps=5)
    assert len(picture.axes) == panels
    assert data_uri(picture, "png", dpi=40).startswith("data:image/png;base64,")
    if name == "wilson":
        surface = lines(picture.axes[0])["critical surface"].get_xydata()
        for k, diagonal in surface[::4]:
            assert k == pytest.approx(critical_coupling("wilson", others=[diagonal]), abs=1e-4)


def test_a_start_replaces_the_flows():
    axes = plot_scheme("wilson", start=[0.5, 0.0], steps=3).axes[0]
    drawn = [line for line in axes.get_lines() if line.get_marker() == "o" and line.get_markersize() == 3]
    assert_allclose(drawn[0].get_xydata()[:2], [[0.5, 0.0], [0.5, 0.25]])
    with pytest.raises(UsageError, match="2 couplings"):
        plot_scheme("wilson", start=[0.5])
