"""Figures are drawn from plain data, and the page needs nothing from outside."""

import base64
import re

import numpy as np
import pytest

from deeprg.probes import MeasuredDraws
from deeprg.report import (
    Finding,
    ReportData,
    bibtex,
    citations_for,
    figure,
    page,
    plot_correlation,
    plot_ess,
    plot_free_energy,
    plot_gap,
    plot_log_weights,
    plot_pulls,
    plot_scales,
)
from deeprg.report.citations import CITATIONS
from deeprg.report.style import data_uri, style

RNG = np.random.default_rng(0)
STEPS = np.arange(1, 21) * 10
OBSERVABLES = {
    "energy_per_site": {"value": -1.45, "error": 0.01, "exact": -1.453, "pull": 0.3},
    "magnetization": {"value": 0.01, "error": 0.02, "exact": None, "pull": None},
}
RESULTS = {
    "free_energy": -10.0, "free_energy_error": 0.01, "exact_free_energy": -10.2,
    "gap": 0.2, "gap_per_site": 0.0125, "log_partition_pull": -0.5,
    "log_partition": 10.19, "log_partition_error": 0.02, "exact_log_partition": 10.2,
    "ess": 0.6, "ess_samples": 100_000, "ess_trusted": True, "acceptance": 0.7, "pareto_k": None,
    "std_log_weight": 0.6, "tau_int": 1.1, "kl_forward": 0.25, "exact_source": "Kaufman 1949", "steps": 200,
    "seconds_per_step": 0.01, "train_seconds": 12.0, "compile_seconds": 5.0, "samples_per_second": 1e4,
    "parameters": 4750, "observables": OBSERVABLES,
    "correlation": {"r": [0, 1, 2], "value": [1.0, 0.7, 0.6], "error": [0.0, 0.01, 0.01], "exact": None},
}  # fmt: skip
METRICS = [
    {
        "step": int(s),
        "loss": -10 + 5 / s,
        "free_energy": -10 + 5 / s,
        "loss_error": 0.01,
        "ess": 0.5,
        "skipped": 0,
    }
    for s in STEPS
]


@pytest.fixture(scope="module")
def html() -> str:
    draws = MeasuredDraws((4, 4), RNG.normal(size=500), {}, RNG.normal(size=(500, 3)))
    return page(
        ReportData(
            "a <run>",
            config={"seed": 0, "train": {"steps": 200}},
            environment={"python": "3.12", "packages": {"jax": "1"}},
            metrics=METRICS,
            results=RESULTS,
            findings=[Finding("check", "problem", "x < y", "cause", "Remedy.")],
            citations=citations_for(None),
            draws=draws,
            scales=[RNG.normal(size=(3, 2, 2)), RNG.normal(size=(3, 4, 4)), RNG.normal(size=(3, 4, 4))],
            exact_free_energy=-10.2,
        )
    )


def test_the_page_is_self_contained(html):
    assert not re.findall(r"(?:src|href)=['\"](?!data:)", html)
    assert "<script" not in html
    assert "@import" not in html
    assert "url(" not in html


def test_sections_come_in_order(html):
    titles = ["class='verdict", "Results", "Curves", "Samples", "Configuration", "Environment", "Citations"]
    places = [html.index(f"<h2>{title}</h2>" if title[0].isupper() else title) for title in titles]
    assert places == sorted(places)


def test_text_is_escaped(html):
    assert "a &lt;run&gt;" in html
    assert "x &lt; y" in html
    assert "a <run>" not in html


def test_every_picture_decodes(html):
    pictures = re.findall(r"src='data:image/(svg\+xml|png);base64,([^']+)'", html)
    assert len(pictures) == 7
    for kind, data in pictures:
        start = base64.b64decode(data)[:5]
        assert start == (b"<?xml" if kind == "svg+xml" else b"\x89PNG\r")


def test_results_show_errors_and_exact_values(html):
    assert "−1.453" in html
    assert "± 0.010" in html
    assert "+0.30" in html


def test_a_run_without_results_still_has_a_page():
    text = page(ReportData("toy", config={}, environment={}, metrics=METRICS[:1]))
    assert "No results yet." in text


def test_too_few_samples_are_shown_as_such():
    text = page(ReportData("toy", config={}, environment={}, results={**RESULTS, "ess_trusted": False}))
    assert "only 100 000 samples" in text


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plot_free_energy(ax, STEPS, 1 / STEPS, error=np.full(20, np.nan), exact=0.0),
        lambda ax: plot_free_energy(ax, [1], [np.nan]),
        lambda ax: plot_gap(ax, STEPS, 1 / STEPS - 0.01, final=0.01),
        lambda ax: plot_ess(ax, STEPS, np.linspace(0, 1, 20), final=0.9),
        lambda ax: plot_log_weights(ax, RNG.normal(size=1000), log_partition=0.3),
        lambda ax: plot_log_weights(ax, np.zeros(100)),
        lambda ax: plot_pulls(ax, ["a", "b"], [0.5, -12.0]),
        lambda ax: plot_correlation(ax, [0, 1], [1.0, -0.1], error=[0.0, 0.1], direct=[1, 1], exact=[1, 0]),
    ],
)
def test_figures_have_titles_and_labels(draw):
    with style():
        fig, ax = figure()
        assert draw(ax) is ax
        assert ax.get_title(loc="left")
        assert ax.get_xlabel()
        assert data_uri(fig, "png", dpi=40).startswith("data:image/png;base64,")


@pytest.mark.parametrize("shape", [(8,), (4, 8), (2, 4, 4)])
def test_scales_of_every_dimension(shape):
    fig = plot_scales([RNG.normal(size=(3, *(e // 2 for e in shape))), RNG.normal(size=(3, *shape))])
    assert len(fig.axes) == 6
    assert fig.axes[3].get_ylabel() == "×".join(map(str, shape))


def test_zero_fields_can_be_drawn():
    assert plot_scales([np.zeros((1, 2, 2))]).axes[0].get_ylabel() == "2×2"


def test_citations_follow_the_run():
    keys = {c.key for c in citations_for({"flow": {"couplings": 10}, "train": {"estimator": "standard"}})}
    assert "dinh2017realnvp" in keys
    assert not keys & {"vaitl2022gradients", "durkan2019spline", "kaufman1949"}
    keys = {c.key for c in citations_for({"train": {"estimator": "path"}, "hamiltonian": {"name": "ising"}})}
    assert {"vaitl2022gradients", "roeder2017sticking", "kaufman1949"} <= keys


def test_bibtex_is_balanced_and_complete():
    text = bibtex(CITATIONS.values())
    assert text.count("{") == text.count("}")
    for source in ("1802.02840", "1605.08803", "1906.04032", "2207.08219", "1703.09194", "hep-lat/0306017"):
        assert source in text
    assert "1507.02646" in text
    assert all(entry.reference and entry.used_for for entry in CITATIONS.values())


def test_the_two_log_partitions_have_two_names():
    spins = {"spin_log_partition": 3.0, "spin_log_partition_error": 0.02, "exact_spin_log_partition": 3.01}
    text = page(ReportData("toy", config={}, environment={}, results={**RESULTS, **spins}))
    assert "ln Z of the dual, reweighted" in text
    assert "ln Z of the spins" in text
    plain = page(ReportData("toy", config={}, environment={}, results=RESULTS))
    assert "ln Z, reweighted" in plain
    assert "dual" not in plain


def test_log_axes_have_plain_numbers_and_legends_stay_off_the_bars():
    with style():
        fig, (left, right) = figure(ncols=2)
        plot_gap(left, STEPS * 10, 10.0 / STEPS)
        plot_log_weights(right, RNG.normal(size=1000), of=" of the dual")
        fig.canvas.draw()
    assert {"0.1", "1"} & {tick.get_text() for tick in left.get_yticklabels()}
    bars = max(patch.get_height() for patch in right.patches)
    assert bars < 0.65 * right.get_ylim()[1]
    assert "ln Z of the dual, estimated" in right.get_legend_handles_labels()[1]
