"""What a study hands over, its page, and the figures of marginalisation."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from deeprg.report.decimation_figure import plot_coupling_flow, plot_survivors
from deeprg.report.existence import FractionCurve, plot_existence, plot_fixed_point
from deeprg.report.marginalisation import (
    plot_before_after,
    plot_contributions,
    plot_coupling_matrices,
    plot_coupling_orders,
    plot_series_radius,
)
from deeprg.report.rg_flow import FlowCurve
from deeprg.report.study import Claim, StudyFigure, StudyResult, StudyTable
from deeprg.report.study_html import study_page
from deeprg.report.style import data_uri, figure, style


def claim(holds, *, asserted=True):
    return Claim("Z < 1 & more", "A 2019", measured="to 3.0e-15", holds=holds, asserted=asserted)


def result(*claims, **more):
    return StudyResult("toy", "A toy", "Is it so?", claims=claims, **more)


@pytest.mark.parametrize(
    ("judged", "verdict"),
    [
        ([True], "The one claim of the source holds."),
        ([False], "The one claim of the source does not hold."),
        ([None], "The one claim of the source stays open."),
        ([True, True], "2 of 2 claims of the source hold."),
        ([True, False], "1 of 2 claims of the source holds, 1 does not."),
        ([False, False, None], "0 of 3 claims of the source hold, 2 do not, 1 stays open."),
        ([True, None, None], "1 of 3 claims of the source holds, 2 stay open."),
    ],
)
def test_the_verdict_counts_the_claims(judged, verdict):
    assert result(*map(claim, judged)).verdict == verdict


@pytest.mark.parametrize(
    ("own", "others", "verdict"),
    [
        (
            [True, False],
            [True, True],
            "1 of 2 claims of the source holds, 1 does not; 2 of 2 controls and open questions hold.",
        ),
        ([True], [None], "The one claim of the source holds; the one control or open question stays open."),
        ([], [False, True], "1 of 2 controls and open questions holds, 1 does not."),
    ],
)
def test_what_the_source_does_not_assert_is_counted_apart(own, others, verdict):
    found = result(*(claim(one, asserted=False) for one in others), *map(claim, own))
    assert found.verdict == verdict
    assert [one["asserted"] for one in found.to_dict()["claims"]] == [False] * len(others) + [True] * len(own)
    page = study_page(found, settings={})
    assert verdict in page
    assert page.count("Controls and open questions, which the source does not assert:") == 1
    assert page.count("<li style") == len(own) + len(others)


def test_a_table_has_as_many_cells_as_titles():
    with pytest.raises(ValueError, match=r"2 columns, not 3"):
        StudyTable("t", "T", ["a", "b"], [[1, 2, 3]])


def test_the_document_has_everything_but_figures():
    table = StudyTable("t", "T", ["a", "b"], [["x", None], ["y", 1e-16]])
    found = result(claim(True), tables=[table], numbers={"n": 1}, changed=["less"], sources=["kaufman1949"])
    document = found.to_dict()
    assert document["claims"][0]["holds"] is True
    assert document["tables"] == {"t": {"header": ["a", "b"], "rows": [["x", None], ["y", 1e-16]]}}
    assert (document["numbers"], document["changed"], document["sources"]) == (
        {"n": 1},
        ["less"],
        ["kaufman1949"],
    )
    assert found.citations[0].key == "kaufman1949"


def test_the_page_has_claims_tables_and_figures():
    with style():
        fig, ax = figure()
        ax.plot([0, 1])
    rows = [["<x>", None], ["y", 1.2e-16], ["z", 0.123456789], ["w", math.nan]]
    found = result(
        claim(True),
        claim(False),
        claim(None),
        tables=[StudyTable("t", "Table one", ["a", "b"], rows, "a caption")],
        figures=[StudyFigure("f", "wide one", fig, wide=True), StudyFigure("g", "narrow one", fig)],
        changed=["fewer draws"],
        sources=["kaufman1949"],
    )
    page = study_page(found, settings={"seed": 4}, environment={"python": "3"})
    assert "Z &lt; 1 &amp; more" in page
    assert "to 3.0e−15" in page  # a minus sign, so that it does not break
    assert "&lt;x&gt;" in page
    for cell in ("—", "1.2e−16", "0.12346"):
        assert f"<td>{cell}</td>" in page
    for word in ("does not hold", "open", "a caption", "fewer draws", "Kaufman", "Settings", "Environment"):
        assert word in page
    assert page.count("<img") == 2
    assert page.index("wide one") < page.index("Table one")
    assert "http" not in page.partition("Citations")[0].replace("http://www.w3.org", "")


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def test_matrices_share_their_colours_and_part_the_layers():
    big, small = np.diag([0.0, 0.0, 2.0]), np.array([[0.0, 0.5], [0.5, 0.0]])
    with style():
        fig = plot_coupling_matrices({"H(x, y1)": big, "H(x)": small}, [(2, 1), (2,)], title="Both")
        data_uri(fig, "png", dpi=40)
    left, right, _ = fig.axes
    assert left.images[0].norm is right.images[0].norm
    assert left.images[0].norm.vmax == 2
    assert np.ravel(left.get_lines()[0].get_ydata())[0] == 1.5
    assert not right.get_lines()
    assert [label.get_text() for label in left.get_xticklabels()] == ["$x$", "$y_1$"]
    many = plot_coupling_matrices({str(k): small for k in range(6)}, [(2,)] * 6)
    assert [a.get_visible() for a in many.axes[:8]] == [True] * 6 + [False] * 2


def test_what_is_kept_lies_on_the_diagonal(ax):
    before = np.array([0.1, -0.3, 0.5])
    plot_before_after(ax, {"pairs": FlowCurve(before, before), "means": FlowCurve([0.2], [0.21])}, title="S")
    assert ax.texts[0].get_text() == "largest deviation 0.01"
    assert_allclose(lines(ax)["pairs"].get_ydata(), before)
    assert ax.get_xlim() == ax.get_ylim()


def test_orders_below_the_floor_are_drawn_on_it(ax):
    plot_coupling_orders(ax, {"Gaussian": FlowCurve([1, 2, 3], [0.3, 0.1, 0.0])})
    assert_allclose(lines(ax)["Gaussian"].get_ydata(), [0.3, 0.1, 1e-17])
    assert ax.get_yscale() == "log"


def test_cells_that_are_zero_are_blank(ax):
    plot_contributions(ax, [[0.3, 1e-17], [0.02, 0.1]])
    assert sorted(text.get_text() for text in ax.texts) == ["0.02", "0.1", "0.3"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["$\\kappa_1$", "$\\kappa_2$"]


def test_the_radius_is_marked(ax):
    plot_series_radius(ax, {"order 2": FlowCurve([0.5, 1.5], [1e-2, 1.0])})
    assert_allclose(lines(ax)["radius"].get_xdata(), [1, 1])
    assert ax.get_xlim() == (0.5, 1.5)


def test_a_flow_with_its_closed_form(ax):
    plot_coupling_flow(ax, {"$K$": [0.3, 0.085]}, {"$K$": [0.3, 0.085, 0.007]})
    assert len(lines(ax)["$K$, marginalised"].get_xdata()) == 2
    assert len(lines(ax)["$K$, closed form"].get_xdata()) == 3


def test_survivors_stay_where_they_were(ax):
    plot_survivors(ax, {"8": FlowCurve([1, 2], [0.5, 0.3]), "4": FlowCurve([2], [0.3])})
    assert_allclose(np.ravel(lines(ax)["4"].get_data()), [2, 0.3])


def test_fractions_with_their_intervals(ax):
    curve = FractionCurve([0.9, 1.1], [1.0, 0.1], [0.95, 0.07], [1.0, 0.15])
    plot_existence(ax, {"width 3": curve}, threshold=1.0)
    assert_allclose(lines(ax)["wide layers"].get_xdata(), [1, 1])
    (bars,) = ax.containers[0].lines[2]
    assert_allclose([segment[:, 1] for segment in bars.get_segments()], [[0.95, 1.0], [0.07, 0.15]])


def test_the_fixed_point_ends_at_the_marginal_coupling(ax):
    plot_fixed_point(ax, [0.4], [0.8], [0.25], expected=([0.0, 0.4], [1.0, 0.8], [0.0, 0.25]))
    assert_allclose(lines(ax)["marginal"].get_xdata(), [0.5, 0.5])
    assert_allclose(lines(ax)["$A^*/\\lambda$"].get_ydata(), [0.8])
