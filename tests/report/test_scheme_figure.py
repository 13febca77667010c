"""Figures of schemes: the printed flow is in them, and each critical line is what its label says."""

import math

import numpy as np
import pytest

from deeprg.exact.schemes import critical_coupling, find_scheme, fixed_point, flow
from deeprg.report.scheme_figure import default_start, plot_scheme


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("decimation-1d", [1.0]),
        ("migdal-kadanoff", [math.log(1 + math.sqrt(2)) / 2]),
        ("wilson", [math.log(1 + math.sqrt(2)) / 2, 0.0]),
        ("niemeijer-van-leeuwen", [math.log(3) / 4]),
    ],
)
def test_default_start_is_the_exact_critical_coupling(name, expected):
    np.testing.assert_allclose(default_start(find_scheme(name)), expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["decimation-1d", "migdal-kadanoff"])
def test_the_printed_flow_is_drawn(name):
    ax = plot_scheme(name, steps=3).axes[0]
    scheme = find_scheme(name)
    printed = flow(scheme, default_start(scheme), 3)[:, 0]
    drawn = next(line for line in ax.lines if line.get_label() == "flow")
    steps = np.asarray(drawn.get_xdata(), float)[::2]
    np.testing.assert_allclose(steps, printed[: len(steps)], rtol=1e-12)
    assert len(steps) >= 2


def sections(ax):
    return {
        str(line.get_label()): np.asarray(line.get_xydata())
        for line in ax.lines
        if str(line.get_label()).startswith("critical surface")
    }


def test_one_section_holds_the_critical_coupling_and_the_other_the_fixed_point():
    scheme = find_scheme("niemeijer-van-leeuwen", 2)
    star, critical = fixed_point(scheme), critical_coupling(scheme)
    for place, ax in enumerate(plot_scheme(scheme).axes, 1):
        other = "ML"[place - 1]
        lines = sections(ax)
        assert set(lines) == {
            f"critical surface at ${other} = 0$",
            f"critical surface at ${other} = {other}^*$",
        }
        at_zero, at_star = (
            lines[f"critical surface at ${other} = 0$"],
            lines[f"critical surface at ${other} = {other}^*$"],
        )

        def where(line, height):
            order = np.argsort(line[:, 1])
            return np.interp(height, line[order, 1], line[order, 0])

        assert where(at_zero, 0.0) == pytest.approx(critical, abs=5e-4)
        assert where(at_star, star[place]) == pytest.approx(star[0], abs=5e-4)
        assert abs(where(at_star, 0.0) - critical) > 2e-3  # why it needs a label of its own


def test_two_couplings_have_one_critical_line():
    (ax,) = plot_scheme("wilson").axes
    assert list(sections(ax)) == ["critical surface"]
