"""The verbs of ensembles: simulate, measure, import, report."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from deeprg.cli._temperatures import parse_temperatures
from deeprg.exact import kaufman
from deeprg.montecarlo.ensembles import Ensemble
from deeprg.runs.errors import UsageError

OBSERVABLES = {
    "energy_per_site",
    "specific_heat",
    "abs_magnetization",
    "magnetization_squared",
    "susceptibility",
    "binder_cumulant",
    "correlation_length",
}


@pytest.fixture(scope="module")
def grid(cli, tmp_path_factory):
    """A small ensemble over three temperatures and what its simulation said."""
    path = tmp_path_factory.mktemp("ensembles") / "E.zarr"
    answer = cli(
        "simulate", "ising", "--shape=8x8", "--temperature=2.0:2.4:0.2", "-n=2000", "--out", path, "--json"
    )  # fmt: skip
    assert answer.code == 0, answer.err
    return path, answer


def test_json_of_a_simulation(grid):
    path, answer = grid
    document = answer.json
    assert document["algorithm"] == "wolff"
    assert "slow down" in document["reason"]
    assert document["ensemble"] == str(path)
    assert [row["temperature"] for row in document["temperatures"]] == [2.0, 2.2, 2.4]
    for row in document["temperatures"]:
        assert set(row["observables"]) >= OBSERVABLES
        for name in OBSERVABLES:
            assert {"value", "error", "tau_int", "exact"} <= set(row["observables"][name])
        assert row["updates_per_second"] > 0
        assert row["independent_samples_per_second"] > 0
        for name in ("energy_per_site", "specific_heat", "abs_magnetization", "binder_cumulant"):
            entry = row["observables"][name]
            assert abs(entry["value"] - entry["exact"]) < 4.5 * entry["error"], name
    assert "wolff" in answer.err
    assert "deeprg report" in answer.err


def test_measure_reads_the_same(cli, grid):
    path, answer = grid
    again = cli("measure", path, "--json")
    assert again.code == 0
    assert again.json["temperatures"] == answer.json["temperatures"]
    table = cli("measure", path)
    assert "τ_int" in table.out
    assert table.out.count("\n") == 7
    dropped = cli("measure", path, "--discard", "400", "--json").json["temperatures"][0]
    assert dropped["draws"] == 100


def test_report_of_an_ensemble(cli, grid):
    path, _ = grid
    answer = cli("report", path)
    assert answer.code == 0, answer.err
    page = path.with_suffix(".html").read_text()
    assert page.startswith("<!doctype html>") or page.lower().startswith("<!doctype")
    assert "wolff" in page
    assert "Kaufman" in page
    assert page.count("<svg") + page.count("data:image") >= 4


def test_reweighting_between_the_temperatures(cli, grid):
    path, _ = grid
    answer = cli("reweight", path, "--temperature=2.1,critical", "--json")
    assert answer.code == 0, answer.err
    energies = answer.json["observables"]["energy_per_site"]
    for row, temperature in enumerate(answer.json["temperatures"]):
        exact = kaufman((8, 8), temperature).energy_per_site
        assert abs(energies["value"][row] - exact) < 4 * energies["error"][row]
    far = cli("reweight", path, "--temperature=2.1,9.0")
    assert "(!)" in far.out
    assert "do not reach" in far.err


def test_what_cannot_be_reweighted(cli, tmp_path):
    cli(
        "simulate",
        "ising",
        "field=0.1",
        "--size=4",
        "--temperature=2",
        "-n=200",
        "--out",
        tmp_path / "a.zarr",
    )
    answer = cli("reweight", tmp_path / "a.zarr", "--temperature=2.1")
    assert answer.code == 2
    assert "energy alone" in answer.err


def test_more_samples_with_resume(cli, grid, tmp_path):
    arguments = ("ising", "--size", "4", "--temperature", "2.0", "--chains", "2", "--seed", "3")
    assert cli("simulate", *arguments, "-n", "200", "--out", tmp_path / "a.zarr").code == 0
    answer = cli("simulate", "--resume", tmp_path / "a.zarr", "-n", "300", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["temperatures"][0]["draws"] == 150
    assert cli("simulate", *arguments, "-n", "300", "--out", tmp_path / "b.zarr").code == 0
    one, two = (Ensemble.open(tmp_path / name) for name in ("a.zarr", "b.zarr"))
    assert one.valid_draws(0) == two.valid_draws(0) == 150


def test_scalars_with_a_temperature_in_them(cli, tmp_path):
    """The helicity modulus has 1/T inside: a grid must give what each temperature gives alone."""
    common = ("xy", "--size=4", "-n=400", "--chains=2", "--seed=1", "--json")
    both = cli("simulate", *common, "--temperature=0.5,1.5", "--out", tmp_path / "both.zarr").json
    for row in both["temperatures"]:
        t = row["temperature"]
        alone = cli("simulate", *common, f"--temperature={t}", "--out", tmp_path / f"{t}.zarr").json
        found, wanted = (
            r["observables"]["helicity_modulus"]["value"] for r in (row, alone["temperatures"][0])
        )
        assert found == pytest.approx(wanted, rel=1e-5)


def test_in_a_field_the_susceptibility_is_that_of_m(cli, tmp_path):
    arguments = ("ising", "field=0.1", "--size=4", "--temperature=3.0", "-n=20000", "--json")
    row = cli("simulate", *arguments, "--out", tmp_path / "a.zarr").json["temperatures"][0]
    entry = row["observables"]["susceptibility"]
    assert abs(entry["value"] - entry["exact"]) < 4 * entry["error"]
    m = row["observables"]["magnetization"]["value"]
    m2 = row["observables"]["magnetization_squared"]["value"]
    assert entry["value"] == pytest.approx(16 / 3 * (m2 - m**2), rel=1e-6)


def test_series_only(cli, tmp_path):
    answer = cli(
        "simulate", "potts", "states=4", "--size=4", "--temperature=critical", "-n=100", "--series-only",
        "--out", tmp_path / "a.zarr", "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert not Ensemble.open(tmp_path / "a.zarr").has_configurations
    assert answer.json["options"] == {"states": 4}


def test_import(cli, tmp_path):
    spins = np.random.default_rng(0).choice([-1, 1], size=(200, 16))
    np.save(tmp_path / "spins.npy", spins)
    answer = cli(
        "import", tmp_path / "spins.npy", "--model=ising", "--temperature=1e6", "--shape=4x4",
        "--out", tmp_path / "a.zarr", "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert answer.json["algorithm"] == "imported"
    assert answer.json["temperatures"][0]["updates_per_second"] is None
    assert cli("report", tmp_path / "a.zarr").code == 0
    assert cli("simulate", "--resume", tmp_path / "a.zarr").code == 2


def test_default_place_is_numbered(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert cli("simulate", "ising", "--size=4", "--temperature=2", "-n=80").code == 0
    assert sorted(p.name for p in (tmp_path / "ensembles").iterdir()) == [
        "ising-4x4-001.zarr",
        "ising-4x4-002.zarr",
    ]


def test_sigterm_saves_and_says_how_to_continue(tmp_path):
    path = tmp_path / "a.zarr"
    child = subprocess.Popen(
        [sys.executable, "-m", "deeprg.cli.main", "simulate", "ising", "--size=32", "--temperature=2.2",
         "-n=2000000", "--series-only", f"--out={path}"],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (path.exists() and Ensemble.open(path).blocks_done[0] > 0):
        time.sleep(0.2)
    child.send_signal(signal.SIGTERM)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 75, err
    assert f"--resume {path}" in err
    assert Ensemble.open(path).blocks_done[0] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ising", "--size=8", "--temperature=-2"], "positive"),
        (["ising", "--size=8", "--temperature=warm"], "'warm'"),
        (["ising", "--size=8", "--temperature=critcal"], "critical"),
        (["ising", "--size=8", "--temperature=2.0:2.5"], "FIRST:LAST:STEP"),
        (["ising", "--size=8", "--temperature=2.5:2.0:0.1"], "FIRST <= LAST"),
        (["ising", "--size=8"], "needs a temperature"),
        (["ising", "--temperature=2"], "--size"),
        (["ising", "--size=8", "--shape=8x8", "--temperature=2"], "either"),
        (["ising", "--shape=64", "--temperature=critical"], "1D"),
        (["izing", "--size=8", "--temperature=2"], "ising"),
        ([], "which model"),
        (["ising", "--size=8", "--temperature=2", "--algorithm=wolf"], "wolff"),
        (["ising", "field=0.1", "--size=8", "--temperature=2", "--algorithm=wolff"], "heat-bath"),
        (["ising", "diagonal=-1", "--size=8", "--temperature=2", "--algorithm=wolff"], "frustrat"),
        (["ising", "--size=7", "--temperature=2", "--algorithm=multispin"], "even"),
        (["ising", "--size=8", "--temperature=2", "-n=0"], "samples = 0"),
        (["ising", "--size=8", "--temperature=2", "--chains=0"], "chains = 0"),
        (["ising", "--size=8", "--temperature=2", "--workers=0"], "--workers"),
        (["ising", "--size=8", "--temperature=2", "-n=1.5"], "1.5"),
        (["ising", "feild=1", "--size=8", "--temperature=2"], "field"),
        (["phi4", "--size=8", "--temperature=2"], "no temperature"),
        (["dimers", "--size=7", "--temperature=1"], "even"),
        (["potts", "states=1", "--size=8", "--temperature=1"], "states"),
        (["ising", "--temperature=1,2", "--resume=x.zarr"], "cannot change"),
        (["--resume=missing.zarr"], "missing.zarr"),
    ],
)
def test_bad_input_is_one_message_and_leaves_nothing(cli, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    answer = cli("simulate", *arguments)
    assert answer.code == 2, answer.err
    assert message in answer.err
    assert "Traceback" not in answer.err
    assert answer.out == ""
    assert list(tmp_path.iterdir()) == []


def test_bad_input_to_the_other_verbs(cli, tmp_path, grid):
    path, _ = grid
    assert cli("simulate", "ising", "--size=8", "--temperature=2", "--out", path).code == 2
    assert cli("measure", tmp_path / "none.zarr").code == 2
    assert cli("measure", path, "--discard", "495").code == 2
    assert cli("measure", path, "--discard", "-1").code == 2
    assert cli("report", tmp_path / "none.zarr").code == 2
    assert cli("import", "--model=ising", "--out", tmp_path / "x.zarr").code == 2
    np.save(tmp_path / "bad.npy", np.full((10, 4, 4), 2))
    bad, out = tmp_path / "bad.npy", tmp_path / "x.zarr"
    answer = cli("import", bad, "--model=ising", "--temperature=2", "--out", out)
    assert answer.code == 2
    assert "2" in answer.err
    assert not (tmp_path / "x.zarr").exists()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("2.5", (2.5,)),
        ("critical", (2.25,)),
        ("2.0:2.2:0.1", (2.0, 2.1, 2.2)),
        ("2.0:2.25:0.1", (2.0, 2.1, 2.2)),
        ("3, 1:2:0.5,critical", (1.0, 1.5, 2.0, 2.25, 3.0)),
    ],
)
def test_temperatures(text, values):
    assert parse_temperatures(text, lambda: 2.25) == values


@pytest.mark.parametrize("text", ["", "0", "-1", "inf", "nan", "1:2:0", "1:2:-1", "1:2:1:4", "1:1e9:1"])
def test_temperatures_that_are_none(text):
    with pytest.raises(UsageError):
        parse_temperatures(text, lambda: 2.25)
