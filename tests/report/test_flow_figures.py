"""Figures of flows, weights and specific heats show what they were given: numbers are read back."""

import numpy as np
import pytest

from deeprg.lattice import Lattice
from deeprg.probes import energy_thermometer, follow_flow
from deeprg.report.flow_observables import plot_flow_observable
from deeprg.report.flow_temperatures import plot_end_temperatures, plot_flow_temperatures
from deeprg.report.heat_curves import plot_heat_curves, plot_heat_flow
from deeprg.report.power_law import FittedLaw, plot_power_laws
from deeprg.report.weight_gram import plot_gram

RNG = np.random.default_rng(0)
THERMOMETER = {"e": energy_thermometer((4, 4))}


def flow(start, *shares):
    """A flow of 60 chains with so large shares of up spins."""
    stages = [(2 * n, np.where(RNG.random((60, 16)) < up, 1.0, -1.0)) for n, up in enumerate(shares)]
    return follow_flow(stages, Lattice((4, 4)), start=start, thermometers=THERMOMETER)


def labels(ax):
    return ax.get_legend_handles_labels()[1]


def test_temperatures_have_a_colour_for_a_machine_and_a_line_for_a_start(ax):
    flows = {
        "V": {"T = 0": flow("T = 0", 1.0, 0.95, 0.9), "data": flow("data", 0.8, 0.9, 0.9)},
        "H": {"data": flow("data", 0.8, 0.8, 0.8)},
    }
    plot_flow_temperatures(ax, flows, "e", critical=2.27, title="From e")
    drawn = [line for line in ax.lines if len(line.get_xdata()) and line.get_label().startswith("_")]
    cold, data, hot = drawn
    assert cold.get_xdata().tolist() == [2, 4]  # all up at n = 0 has no temperature, only a bound
    stages = flows["V"]["data"].stages
    assert data.get_ydata().tolist() == [stage.readings["e"].temperature for stage in stages]
    assert cold.get_color() == data.get_color() != hot.get_color()
    assert cold.get_linestyle() != data.get_linestyle() == hot.get_linestyle()
    assert labels(ax) == ["V", "H", "from T = 0", "from data", "T_c"]


def test_ends_over_the_length_of_training(ax):
    course = {10: flow("data", 0.9), 100: flow("data", 0.8)}
    plot_end_temperatures(ax, {"V": course}, critical=2.27)
    (bars,) = ax.containers
    assert bars.lines[0].get_xdata().tolist() == [10, 100]
    assert bars.lines[0].get_ydata().tolist() == [
        record.end.readings["e"].temperature for record in course.values()
    ]
    assert labels(ax) == ["T_c", "V, from e"]


def test_what_is_marked_is_named(ax):
    plot_flow_observable(
        ax, {"data": flow("data", 0.9, 0.8)}, "energy_per_site", critical=-1.4, mark="largest c"
    )
    assert labels(ax) == ["from data", "largest c"]
    assert ax.lines[-1].get_ydata()[0] == -1.4


def test_a_gram_matrix_is_in_units_of_its_diagonal(ax):
    weights = RNG.normal(size=(16, 9))
    image = plot_gram(ax, weights, title="V", reach=0.4)
    gram = weights @ weights.T
    np.testing.assert_allclose(image.get_array(), gram / np.diag(gram).mean())
    assert image.get_clim() == (-0.4, 0.4)
    assert np.all(plot_gram(ax, np.zeros((4, 2))).get_array() == 0)


def test_heat_curves_have_a_star_at_the_largest_and_points_in_their_colour(ax):
    t = np.linspace(1, 4, 31)
    curves = {"H = 0": (t, np.exp(-((t - 2.3) ** 2))), "H = 1": (t, np.exp(-((t - 3.2) ** 2)))}
    points = {"H = 1": {"ends": [(2.0, 0.5, 0.1)], "data": [(3.0, 7.0, 0.2)]}}
    plot_heat_curves(ax, curves, points)
    first, star, second, other = ax.lines[:4]
    assert star.get_xdata()[0] == pytest.approx(2.3)
    assert other.get_xdata()[0] == pytest.approx(3.2)
    end, data = ax.containers
    assert end.lines[0].get_ydata()[0] == 0.5
    assert end.lines[0].get_color() == second.get_color() != first.get_color()
    assert end.lines[0].get_marker() != data.lines[0].get_marker()
    assert labels(ax) == ["H = 0", "H = 1", "largest", "ends", "data"]


def test_heat_along_a_flow_leaves_out_what_has_no_temperature(ax):
    n, value = np.arange(4), np.array([np.nan, 0.5, 4.0, 0.6])
    plot_heat_flow(ax, {"T = ∞": (n, value, np.full(4, 0.1))}, largest=1.3)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), value)
    assert labels(ax) == ["from T = ∞", "largest of the Ising model"]


def test_power_laws_go_through_their_points(ax):
    t = np.array([1.6, 1.9, 2.2])
    x = 1 - t / 2.269185314213022
    laws = {
        name: FittedLaw(t, a * x**b, np.full(3, 0.01), a, b)
        for name, a, b in (("a", 1.1, 0.1), ("b", 1, 0.02))
    }
    plot_power_laws(ax, laws, exponent=0.125)
    fit = ax.lines[1]
    np.testing.assert_allclose(fit.get_xdata(), x)
    np.testing.assert_allclose(fit.get_ydata(), 1.1 * x**0.1)
    assert labels(ax) == ["slope 0.125", "a: β = 0.100", "b: β = 0.020"]
