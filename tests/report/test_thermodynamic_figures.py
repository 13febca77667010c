"""Figures of ensembles: what is drawn where, with which labels, on which axes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from deeprg.report import (
    plot_autocorrelation,
    plot_configurations,
    plot_correlations,
    plot_distribution,
    plot_pull_curves,
    plot_series,
    plot_structure_factor,
    plot_tau_curves,
    plot_thermodynamic,
    plot_thermodynamics,
)
from deeprg.report.configurations import KINDS, spread
from deeprg.report.correlation import Profile
from deeprg.report.style import data_uri, style
from deeprg.report.thermodynamic_curves import Curve
from deeprg.runs.errors import UsageError

RNG = np.random.default_rng(0)
T = np.linspace(1.5, 3.5, 9)
DENSE = np.linspace(1.5, 3.5, 50)
TC = 2.269185


def texts(axes) -> list[str]:
    legend = axes.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def bars(axes) -> list:
    return [container for container in axes.containers if type(container).__name__ == "ErrorbarContainer"]


# Thermodynamics


def test_points_errors_exact_curve_and_critical_line(ax):
    values, errors = -2 + 0.5 * T, np.full(9, 0.03)
    plot_thermodynamic(ax, T, values, errors, exact=Curve(DENSE, -2 + 0.5 * DENSE), critical=TC)
    (container,) = bars(ax)
    assert_allclose(container.lines[0].get_xdata(), T)
    assert_allclose(container.lines[0].get_ydata(), values)
    (segments,) = container.lines[2]
    heights = [segment[1, 1] - segment[0, 1] for segment in segments.get_segments()]
    assert_allclose(heights, 0.06)
    labels = {line.get_label(): line for line in ax.lines}
    assert_allclose(labels["exact"].get_xdata(), DENSE)
    assert_allclose(labels["$T_c$ = 2.2692"].get_xdata(), [TC, TC])


def test_few_exact_values_are_crosses_not_a_line(ax):
    plot_thermodynamic(ax, T, T, np.full(9, 0.1), exact=Curve(T, T), name="specific_heat")
    exact = next(line for line in ax.lines if line.get_label() == "exact")
    assert exact.get_linestyle() == "None"
    assert exact.get_marker() == "x"


def test_missing_values_are_left_out(ax):
    values = np.where(T > 2, T, np.nan)
    plot_thermodynamic(ax, T, values, np.full(9, np.nan), name="susceptibility")
    assert bars(ax)[0].lines[0].get_xdata().size == (T > 2).sum()


@pytest.mark.parametrize(("values", "scale"), [(100.0 ** (T - 2), "log"), (T, "linear"), (T - 2, "linear")])
def test_only_what_spans_decades_is_logarithmic(ax, values, scale):
    plot_thermodynamic(ax, T, values, np.full(9, 10.0), name="correlation_length")
    assert ax.get_yscale() == scale
    ax.figure.canvas.draw()
    shown = [text.get_text() for text in ax.get_yticklabels() if text.get_text()]
    assert len(shown) >= 2
    assert not any("10^" in text for text in shown)


def test_a_panel_per_observable_and_one_legend():
    rows = {name: Curve(T, T, 0.1 * T) for name in ("energy_per_site", "specific_heat", "binder_cumulant")}
    with style():
        fig = plot_thermodynamics(
            rows,
            exact={"energy_per_site": Curve(DENSE, DENSE)},
            critical=TC,
            tau={"energy_per_site": Curve(T, 5 * T, T)},
            pulls={"energy_per_site": Curve(T, T - 2)},
        )
        data_uri(fig, "png", dpi=40)
    titles = [axes.get_title(loc="left") for axes in fig.axes]
    assert titles[:3] == ["Energy per site", "Specific heat", "Binder cumulant"]
    assert titles[3:] == ["Autocorrelation times", "Against exact values"]
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["measured", "exact", "$T_c$ = 2.2692"]
    assert all(axes.has_data() for axes in fig.axes)


def test_far_pulls_are_drawn_at_the_edge(ax):
    plot_pull_curves(ax, {"energy_per_site": Curve([1.0, 2.0, 3.0, 4.0], [0.5, 9.0, -20.0, np.nan])})
    edges = {line.get_marker(): line.get_ydata() for line in ax.lines if line.get_marker() in "^v"}
    assert_allclose(edges["^"], [5.0])
    assert_allclose(edges["v"], [-5.0])
    assert ax.get_ylim()[1] > 5


def test_tau_curves_leave_room_for_their_legend(ax):
    plot_tau_curves(ax, {"energy_per_site": Curve(T, 10 * T, 20 * T)}, critical=TC)
    assert ax.get_yscale() == "log"
    assert ax.get_ylim()[1] > 4 * 35
    segments = bars(ax)[0].lines[2][0].get_segments()
    assert min(segment[:, 1].min() for segment in segments) > 0


# Configurations


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(16,), (6, 9), (2, 4, 6)])
def test_configurations_of_every_kind_and_dimension(kind, shape):
    if kind == "dimers" and len(shape) != 2:
        return
    field = {
        "ising": RNG.choice([-1, 1], shape),
        "potts": RNG.integers(0, 3, shape),
        "xy": RNG.uniform(-np.pi, np.pi, shape),
        "field": RNG.normal(size=shape),
        "dimers": np.tile([[0], [1]], (3, 9)),
    }[kind]
    with style():
        fig = plot_configurations([("T = 1", field), ("T = 2", field)], kind, title="Snapshots")
        data_uri(fig, "png", dpi=40)
    titles = [axes.get_title(loc="center") for axes in fig.axes][:2]
    assert all(title.startswith(f"T = {i}") for i, title in zip((1, 2), titles, strict=True))
    assert ("first plane of 2×4×6" in titles[0]) == (len(shape) == 3)
    assert (len(fig.axes) == 3) == (kind in ("xy", "field"))


def test_at_most_six_configurations_spread_over_all():
    fig = plot_configurations([(f"T = {i}", np.ones((4, 4))) for i in range(25)], "ising")
    assert [axes.get_title() for axes in fig.axes] == [f"T = {i}" for i in (0, 5, 10, 14, 19, 24)]
    assert spread(0) == []
    assert spread(1) == [0]
    assert spread(25, 4, through=11) == [0, 11, 16, 24]


def test_spins_have_two_colours_and_angles_wrap():
    fig = plot_configurations([("", np.array([[1, -1], [-1, 1]]))], "ising")
    image = fig.axes[0].images[0]
    assert len(np.unique(image.to_rgba(image.get_array()).reshape(-1, 4), axis=0)) == 2
    turned = (
        plot_configurations([("", np.array([[0.1, 0.1 + 2 * np.pi]]))], "xy").axes[0].images[0].get_array()
    )
    assert_allclose(turned[0, 0], turned[0, 1])


def test_every_dimer_is_drawn_once_and_around_the_edge_twice():
    inside = np.array([[2, 3], [2, 3]])
    fig = plot_configurations([("", inside)], "dimers")
    segments = [s for c in fig.axes[0].collections for s in c.get_segments()]
    assert sorted(np.asarray(s).tolist() for s in segments) == [[[0, 0], [1, 0]], [[0, 1], [1, 1]]]
    around = np.array([[3, 2], [3, 2]])  # the first site of each is in the last column
    fig = plot_configurations([("", around)], "dimers")
    segments = [s for c in fig.axes[0].collections for s in c.get_segments()]
    assert sorted(np.asarray(s).tolist() for s in segments) == [
        [[-1, 0], [0, 0]], [[-1, 1], [0, 1]], [[1, 0], [2, 0]], [[1, 1], [2, 1]],
    ]  # fmt: skip


def test_many_dimers_show_a_corner():
    fig = plot_configurations([("T = 1", np.tile([[0], [1]], (32, 64)))], "dimers")
    assert fig.axes[0].get_title() == "T = 1, a corner of 64×64"


def test_wrong_kinds_and_empty_lists_are_refused():
    with pytest.raises(UsageError, match="kind 'clock'"):
        plot_configurations([("", np.ones((2, 2)))], "clock")
    with pytest.raises(UsageError, match="no configuration"):
        plot_configurations([], "ising")


# Autocorrelation


def decay(tau: float, length: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    lags = np.arange(length)
    return lags, np.exp(-lags / tau), np.full(length, 0.01) * (lags > 0)


def test_tau_is_in_the_legend_and_the_band_has_one_error(ax):
    lags, rho, error = decay(1.5)
    plot_autocorrelation(ax, lags, rho, error, tau_int=1.52, tau_error=0.06, window=7, label="energy")
    assert texts(ax) == ["energy: τ = 1.520 ± 0.060"]
    assert ax.get_yscale() == "linear"
    vertices = ax.collections[0].get_paths()[0].vertices
    assert_allclose(vertices[:, 1].max(), 1.0)
    assert ax.get_xlim()[1] < 25  # three windows, the rest is noise
    assert any(text.get_text() == "W" for text in ax.texts)


def test_slow_chains_have_a_logarithmic_axis_and_both_curves_fit(ax):
    plot_autocorrelation(ax, *decay(20.0), tau_int=20.0, tau_error=2.0, window=90, label="energy")
    plot_autocorrelation(ax, *decay(5.0), tau_int=5.0, tau_error=0.5, window=30, label="⟨m²⟩")
    assert ax.get_yscale() == "log"
    assert len(texts(ax)) == 2
    colours = {line.get_color() for line in ax.lines}
    assert len(colours) == 2
    assert ax.get_ylim()[0] <= 0.011


def test_noise_below_zero_does_not_break_the_logarithmic_axis(ax):
    lags, rho, error = decay(4.0)
    plot_autocorrelation(ax, lags, rho - 0.05, error, tau_int=4.0, tau_error=0.2, window=20, logarithmic=True)
    assert ax.lines[0].get_ydata().min() > 0


# Correlations


def test_correlations_are_logarithmic_when_they_span_decades(ax):
    r = np.arange(9)
    noisy = np.exp(-r / 1.0)
    noisy[-1] = -0.001
    profiles = {
        "T = 2": Profile(r, np.full(9, 0.8), np.full(9, 0.01)),
        "T = 3": Profile(r, noisy, np.full(9, 1e-3), exact=np.exp(-r / 1.0)),
    }
    plot_correlations(ax, profiles)
    assert ax.get_yscale() == "log"
    assert texts(ax) == ["T = 2", "T = 3"]
    assert (bars(ax)[1].lines[0].get_ydata() > 0.003).all()
    low, high = ax.get_ylim()
    assert low < 0.006
    assert high > 2


def test_correlations_of_one_decade_stay_linear_with_room_above(ax):
    plot_correlations(ax, {"T = 2": Profile([0, 1, 2], [1.0, 0.8, 0.7], [0.0, 0.01, 0.01])})
    assert ax.get_yscale() == "linear"
    assert ax.get_ylim()[1] > 1.02


def test_the_structure_factor_leaves_out_zero_momentum(ax):
    k = np.linspace(0, np.pi, 9)
    plot_structure_factor(ax, {"T = 2": Profile(k, 1 / (0.1 + k**2), 0.01 / (0.1 + k**2))})
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert bars(ax)[0].lines[0].get_xdata().size == 8


# Series


def test_hot_and_cold_starts_have_a_colour_each(ax):
    values = np.concatenate([np.zeros((6, 50)), np.ones((6, 50))])
    plot_series(
        ax, values, name="abs_magnetization", starts=["hot"] * 6 + ["cold"] * 6, discarded=5, exact=0.5
    )
    assert texts(ax) == ["hot start", "cold start", "discarded", "exact"]
    chains = [line for line in ax.lines if len(line.get_xdata()) == 50]
    assert [line.get_ydata()[0] for line in chains] == [0] * 4 + [1] * 4
    assert len({line.get_color() for line in chains}) == 2
    assert ax.get_ylabel() == "|m|"


def test_long_series_are_averaged_in_blocks(ax):
    plot_series(ax, np.arange(10_000.0)[None], name="energy_per_site")
    (line,) = ax.lines
    assert_allclose(line.get_ydata(), line.get_xdata())
    assert line.get_xdata().size == 400
    assert ax.get_xlabel() == "draw (averages of 25)"


def test_discrete_values_are_binned_without_gaps(ax):
    m = RNG.binomial(64, 0.5, size=20_000) / 32 - 1
    plot_distribution(ax, {"T = 3": m, "T = 4": -m}, name="magnetization")
    density, edges, _ = ax.patches[0].get_data()
    assert_allclose(np.sum(density * np.diff(edges)), 1.0)
    inner = density[np.abs(0.5 * (edges[1:] + edges[:-1])) < 0.2]
    assert (inner > 0).all()
    assert texts(ax) == ["T = 3", "T = 4"]


def test_a_constant_series_has_a_distribution(ax):
    plot_distribution(ax, {"": np.ones(10)}, name="abs_magnetization")
    assert texts(ax) == []
