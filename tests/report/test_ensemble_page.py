"""The page of an ensemble needs nothing from outside, and each problem is found."""

import base64
import dataclasses
import re
import subprocess
import sys

import numpy as np
import pytest

from deeprg.report import (
    EnsembleData,
    Finding,
    TemperatureData,
    bibtex,
    citations_for_ensemble,
    diagnose_ensemble,
    ensemble_page,
)
from deeprg.report.correlation import Profile
from deeprg.report.ensemble import Autocorrelation
from deeprg.report.ensemble_diagnosis import ENSEMBLE_CHECKS
from deeprg.report.thermodynamic_curves import Curve

RNG = np.random.default_rng(0)
LAGS = np.arange(60)
STARTS = ["hot", "hot", "cold", "cold"]


def state(temperature: float | None, **changes) -> TemperatureData:
    energy, m = RNG.normal(-1.4, 0.1, (4, 400)), RNG.normal(0, 0.3, (4, 400))
    rho = np.exp(-LAGS / 1.5)
    base = TemperatureData(
        temperature,
        observables={
            "energy_per_site": {
                "value": -1.4321, "error": 0.0042, "tau_int": 1.5, "tau_int_error": 0.1,
                "exact": -1.4337, "short": False,
            },
            "abs_magnetization": {"value": 0.71, "error": 0.012, "tau_int": 2.5, "tau_int_error": 0.3},
            "magnetization": {"value": 0.01, "error": 0.03, "tau_int": 300.0},
            "binder_cumulant": {"value": 0.61, "error": 0.002, "exact": None},
        },
        series={"energy_per_site": energy, "magnetization": m, "abs_magnetization": abs(m)},
        starts=STARTS,
        configurations=RNG.choice([-1, 1], (3, 8, 8)),
        autocorrelations={
            "energy_per_site": Autocorrelation(LAGS, rho, np.full(60, 0.02), 1.5, 0.1, 8),
            "abs_magnetization": Autocorrelation(LAGS, rho**0.5, None, 2.5, None, 12),
        },
        correlation=Profile([0, 1, 2], [1.0, 0.7, 0.6], [0.0, 0.01, 0.01]),
        structure_factor=Profile([0.0, 0.8, 1.6], [9.0, 2.0, 1.0], [0.1, 0.1, 0.1]),
        r_hat={"energy_per_site": 1.002},
        replica_q=0.4,
        equilibrated_after=3,
        info={"acceptance": 0.4, "swap_acceptance": 0.5, "divergences": 0, "updates_per_second": 2.5e8},
    )  # fmt: skip
    return dataclasses.replace(base, **changes)


HEALTHY = state(2.25)


def ensemble(*states: TemperatureData, **changes) -> EnsembleData:
    grid = np.linspace(2, 3, 30)
    base = EnsembleData(
        "a <run>.zarr",
        states,
        subtitle="Ising & friends",
        symmetric=True,
        algorithm="heat-bath",
        reason="asked for",
        curves={"energy_per_site": Curve(grid, -grid)},
        critical=2.269185,
        provenance={"seed": 7, "thermalisation": 200, "versions": {"deeprg": "0.1"}},
        environment={"python": "3.12"},
        citations=citations_for_ensemble("ising", "wolff", tempering=True),
    )
    return dataclasses.replace(base, **changes)


@pytest.fixture(scope="module")
def html() -> str:
    return ensemble_page(ensemble(*(state(t) for t in (2.0, 2.25, 2.5))))


def test_the_page_is_self_contained(html):
    assert not re.findall(r"(?:src|href)=['\"](?!data:)", html)
    assert "<script" not in html
    assert "@import" not in html
    assert "url(" not in html


def test_sections_come_in_order(html):
    titles = [
        "class='verdict", "Results", "Configurations", "Thermodynamics", "Autocorrelation and correlation",
        "Chains", "Provenance", "Environment", "Citations",
    ]  # fmt: skip
    places = [html.index(f"<h2>{title}</h2>" if title[0].isupper() else title) for title in titles]
    assert places == sorted(places)


def test_text_is_escaped(html):
    assert "a &lt;run&gt;.zarr" in html
    assert "Ising &amp; friends" in html
    assert "<run>" not in html


def test_every_picture_decodes(html):
    pictures = re.findall(r"src='data:image/(svg\+xml|png);base64,([^']+)'", html)
    assert [kind for kind, _ in pictures].count("png") == 1
    # thermodynamics, ρ(t) at three temperatures, G(r), S(k), two histories, one distribution
    assert [kind for kind, _ in pictures].count("svg+xml") == 9
    for kind, data in pictures:
        assert base64.b64decode(data)[:5] == (b"<?xml" if kind == "svg+xml" else b"\x89PNG\r")


def test_the_numbers_are_there(html):
    for part in (
        "−1.4321(42)", "0.710(12)", "± 0.0042", "−1.4337", "+0.38", "1.50 ± 0.10", "Binder cumulant",
        "250\u2009000\u2009000", "1.0020", "heat-bath", "asked for", "versions.deeprg", "Nothing is wrong.",
    ):  # fmt: skip
        assert part in html, part


def test_a_single_temperature_has_one_full_table_and_pulls():
    text = ensemble_page(ensemble(HEALTHY))
    assert "All numbers" not in text
    assert "+0.38" in text
    assert text.count("<h2>Thermodynamics</h2>") == 1


def test_a_model_without_temperature_and_a_ring():
    ring = state(None, configurations=RNG.normal(size=(40, 16)))
    text = ensemble_page(ensemble(ring, kind="field", critical=None, curves={}))
    assert "draws downwards" in text
    assert "T =" not in text


@pytest.mark.parametrize(
    "odd",
    [
        {"series": {"energy_per_site": np.full((2, 5), np.nan), "magnetization": np.ones((2, 5))}},
        {"series": {"energy_per_site": np.zeros((1, 1)), "abs_magnetization": np.zeros((1, 1))}},
        {"observables": {"susceptibility": {"value": None}, "specific_heat": {"value": 0.0, "error": 0.0}}},
        {"observables": {"energy_per_site": {"value": float("nan"), "error": float("nan"), "exact": -1.0}}},
        {"correlation": Profile([0, 1], [0.0, 0.0], [0.0, 0.0]), "structure_factor": None},
        {"correlation": Profile([0, 1], [1.0, float("nan")], [0.0, float("nan")])},
        {"autocorrelations": {"energy_per_site": Autocorrelation(np.arange(2), np.array([1.0, -0.5]))}},
        {"configurations": None, "starts": None, "info": {}, "r_hat": {}},
        {"r_hat": {"energy_per_site": float("nan")}, "info": {"acceptance": float("nan")}},
    ],
)
def test_odd_data_make_a_page_without_warnings(odd):
    sick = dataclasses.replace(HEALTHY, **odd)
    assert "</html>" in ensemble_page(ensemble(sick, dataclasses.replace(sick, temperature=2.5)))


def test_an_empty_ensemble_still_has_a_page():
    text = ensemble_page(EnsembleData("toy", [TemperatureData(2.0)]))
    assert "No results yet." in text
    assert text.count("<h2>") == 0


def test_given_findings_are_shown_as_they_are():
    finding = Finding("check", "problem", "x < y", "cause", "Remedy.")
    text = ensemble_page(ensemble(HEALTHY, findings=[finding]))
    assert "x &lt; y" in text
    assert "1 problem." in text


# Diagnosis


def with_info(**info) -> TemperatureData:
    return dataclasses.replace(HEALTHY, info={**HEALTHY.info, **info})


def with_energy(**row) -> TemperatureData:
    energy = {**HEALTHY.observables["energy_per_site"], **row}
    return dataclasses.replace(HEALTHY, observables={**HEALTHY.observables, "energy_per_site": energy})


def with_series(**series) -> TemperatureData:
    return dataclasses.replace(HEALTHY, series={**HEALTHY.series, **series})


M = HEALTHY.series["magnetization"]
E = HEALTHY.series["energy_per_site"]
SIDES = np.array([[1.0], [1.0], [-1.0], [-1.0]])


def test_a_healthy_ensemble_has_no_findings():
    assert diagnose_ensemble(ensemble(HEALTHY)) == []
    assert diagnose_ensemble(EnsembleData("toy", [TemperatureData()])) == []


@pytest.mark.parametrize(
    ("sick", "check", "severity"),
    [
        (with_energy(short=True), "chain length", "problem"),
        (with_energy(tau_int=8.1), "chain length", "problem"),
        (dataclasses.replace(HEALTHY, r_hat={"energy_per_site": 1.2}), "chains agree", "problem"),
        (dataclasses.replace(HEALTHY, replica_q=1e-6), "chains agree", "problem"),
        (dataclasses.replace(HEALTHY, equilibrated_after=90), "thermalisation", "problem"),
        (with_series(energy_per_site=E + 0.03 * SIDES), "thermalisation", "problem"),
        (with_series(magnetization=abs(M)), "ergodicity", "problem"),
        (with_series(magnetization=abs(M) * SIDES), "ergodicity", "note"),
        (with_info(acceptance=1e-4), "acceptance", "problem"),
        (with_info(swap_acceptance=0.02), "acceptance", "problem"),
        (with_info(divergences=40), "divergences", "problem"),
        (with_info(divergences=1), "divergences", "note"),
        (with_energy(value=-1.40), "exact values", "problem"),
        (with_energy(pull=-6.0), "exact values", "problem"),
        (with_series(energy_per_site=np.where(E > -1.2, np.nan, E)), "finiteness", "problem"),
        (with_series(abs_magnetization=np.ones((4, 400))), "finiteness", "note"),
    ],
)
def test_each_problem_is_found(sick, check, severity):
    findings = diagnose_ensemble(ensemble(sick))
    assert [(finding.check, finding.severity) for finding in findings] == [(check, severity)]
    (finding,) = findings
    assert finding.what.startswith("T = 2.25: ")
    assert finding.cause
    assert finding.remedy.endswith(".")
    assert check in ENSEMBLE_CHECKS


def test_every_check_has_a_case_above():
    marks = test_each_problem_is_found.pytestmark[0]
    assert {case[1] for case in marks.args[1]} == set(ENSEMBLE_CHECKS)


def test_hmc_must_accept_more_than_a_local_update():
    assert diagnose_ensemble(ensemble(with_info(acceptance=0.2))) == []
    findings = diagnose_ensemble(ensemble(with_info(acceptance=0.2), algorithm="HMC"))
    assert [finding.check for finding in findings] == ["acceptance"]


def test_one_sided_magnetization_is_fine_in_a_field():
    sick = with_series(magnetization=abs(M))
    assert diagnose_ensemble(ensemble(sick, symmetric=False))[0].check == "chain length"  # of ⟨m⟩, τ = 300
    calm = {name: row for name, row in sick.observables.items() if name != "magnetization"}
    assert diagnose_ensemble(ensemble(dataclasses.replace(sick, observables=calm), symmetric=False)) == []


def test_the_same_problem_at_many_temperatures_is_one_finding_with_the_worst_first():
    states = [
        dataclasses.replace(
            HEALTHY, temperature=1.0 + 0.1 * i, r_hat={"energy_per_site": 1.2 + 0.1 * (i == 4)}
        )
        for i in range(10)
    ]
    (finding,) = diagnose_ensemble(ensemble(*states))
    assert finding.what.startswith("T = 1.4: split R̂ = 1.30")
    assert finding.what.endswith("also at T = 1, 1.1, 1.2, 1.3, 1.5, 1.6 and 3 more")


def test_problems_come_before_notes():
    sick = dataclasses.replace(with_info(divergences=1), replica_q=1e-9)
    assert [finding.severity for finding in diagnose_ensemble(ensemble(sick))] == ["problem", "note"]


# Citations and imports


@pytest.mark.parametrize(
    ("model", "algorithm", "options", "cited"),
    [
        ("ising", "metropolis", {}, "1087"),
        ("ising", "multispin", {}, "Jacobs"),
        ("ising", "wolff", {}, "Collective Monte Carlo"),
        ("potts", "swendsen-wang", {}, "Nonuniversal"),
        ("phi4", "wolff", {}, "Brower"),
        ("phi4", "nuts", {}, "1111.4246"),
        ("phi4", "hmc", {}, "2402.10797"),
        ("dimers", "worm", {}, "cond-mat/0507277"),
        ("random-bond", "heat-bath", {"tempering": True}, "cond-mat/9512035"),
        ("xy", "wolff", {"reweighted": True}, "0801.1426"),
        ("xy", "anything", {}, "1903.08008"),
    ],
)
def test_what_was_used_is_cited(model, algorithm, options, cited):
    text = bibtex(citations_for_ensemble(model, algorithm, **options))
    assert cited in text
    assert "hep-lat/0306017" in text
    assert "NeuralRG" not in text
    assert ("Kaufman" in text) == (model == "ising")


def test_matplotlib_waits_for_the_first_figure():
    code = (
        "import sys, deeprg.report.ensemble_html as page; assert 'matplotlib' not in sys.modules; "
        "assert not {'zarr', 'xarray', 'numba', 'pymbar'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
