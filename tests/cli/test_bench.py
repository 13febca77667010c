"""`deeprg compare` before judges: the table, the document, runs as contestants, and bad input."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from deeprg.cli import _bench_data, _bench_preset
from deeprg.montecarlo.ensembles import Ensemble
from deeprg.montecarlo.running import simulate

from .conftest import call

MERA = ("--temperature=critical", "--width=4", "--depth=1", "--reach=2.3", "--batch=64", "--ess=500")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Critical spins on 8x8, a filter, and the run of a network."""
    folder = tmp_path_factory.mktemp("bench")
    data = folder / "E.zarr"
    found = call(
        "simulate", "ising", "--size", "8", "--temperature", "critical", "-n", "3000", "--out", data, "--json"
    )
    assert found.code == 0
    np.save(folder / "filter.npy", np.ones((2, 2)))
    answer = call("train", "mera", "--size", "8", "--steps", "5", *MERA, "--out", folder / "mera", "--json")
    assert answer.code == 0, answer.err
    return folder


def test_every_contestant_faces_every_judge(place, tmp_path):
    names = f"majority:ties=random,average,pca:16,filter:{place / 'filter.npy'},mera:{place / 'mera'}"
    answer = call(
        "compare", "--with", place / "E.zarr", "--coarse-grainings", names,
        "--probes", "exponents,couplings,patterns", "--out", tmp_path / "b.png", "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    rows = {row["name"].partition(":")[0]: row for row in answer.json["rows"]}
    exact = {column["key"]: column["exact"] for column in answer.json["columns"]}
    assert list(rows) == ["majority", "average", "pca", "filter", "mera"]
    assert (exact["y_T"], exact["y_H"], exact["K_1"]) == (1.0, 1.875, None)
    assert all(set(row["cells"]) == set(exact) for row in rows.values())
    assert rows["average"]["cells"]["y_T"]["reason"] == "its coarse variables are no spins ±1"
    majority, filtered = (rows[name]["cells"]["y_H"] for name in ("majority", "filter"))
    assert abs(majority["value"] - filtered["value"]) < 5 * majority["error"]  # the same rule, other ties
    assert rows["mera"]["train_seconds"] > 0
    assert (tmp_path / "b.png").stat().st_size > 1000


def test_the_table_says_what_is_exact_and_what_is_missing(place):
    answer = call("compare", "average", "--with", place / "E.zarr", "--probes", "exponents")
    assert answer.code == 0
    assert "y_H (1.875)" in answer.out
    assert "average, no y_T, y_H: its coarse variables are no spins ±1" in answer.out


def test_critical_data_are_simulated_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = call("compare", "decimation", "--data", "ising:8", "--probes", "couplings", "--json")
    again = call("compare", "decimation", "--data", "ising:8", "--probes", "couplings", "--json")
    assert (first.code, again.code) == (0, 0)
    assert first.json == again.json
    assert "there already" in again.err


def test_critical_data_that_were_stopped_are_finished(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("ensembles/ising-8x8-critical.zarr")
    asked = _bench_data.critical_ensemble("ising", 8, path)
    simulate(dataclasses.replace(asked.simulation, block=500), path, should_stop=lambda: True)
    assert not _bench_data.is_whole(path)
    answer = call("compare", "decimation", "--data", "ising:8", "--probes", "couplings", "--json")
    assert answer.code == 0, answer.err
    assert _bench_data.is_whole(path)
    assert Ensemble.open(path).draws * Ensemble.open(path).chains == 10_000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--coarse-grainings", "majorty"], "Did you mean 'majority'"),
        (["--coarse-grainings", "flow"], "write flow:RUN"),
        (["--coarse-grainings", "mera:nowhere"], "nowhere"),
        (["--coarse-grainings", "rsmi:nowhere.npy"], "nowhere.npy"),
        (["--coarse-grainings", "pca:many"], "pca:KEPT"),
        (["--coarse-grainings", "pca:65"], "from 1 to 64 modes of 8x8"),
        (["--coarse-grainings", "majority:tiess=first"], "Did you mean 'ties'?"),
        (["--coarse-grainings", "majority,average,majority"], "'majority' is named twice"),
        (["--coarse-grainings", ""], "compare what"),
        (["majority", "--coarse-grainings", "average"], "once"),
        (["majority", "--probes", "exponent"], "no probe 'exponent'"),
        (["majority", "--data", "ising:8"], "--data ising:32, or --with"),
        (["majority", "--data", "ising:8"], "not both"),
        (["--preset", "ising"], "leave out --with"),
    ],
)
def test_bad_input_is_refused(place, arguments, words):
    answer = call("compare", *arguments, "--with", place / "E.zarr")
    assert answer.code == 2
    assert words in answer.err


@pytest.mark.parametrize(
    ("data", "names", "words"),
    [
        ("ising:15", "majority", "do not tile the lattice 15x15"),
        ("ising:16", "majority,majorty", "Did you mean 'majority'?"),
        (
            "ising:16",
            "majority:tiess=first",
            "has no option 'tiess'; it has side, stride, offset, steps, ties.",
        ),
        ("ising:16", "majority:ties=frist", "not 'frist'"),
        ("ising:16", "pca:0", "from 1 to 256 modes"),
        ("ising:16", "rsmi:nowhere.npy", "nowhere.npy"),
        ("ising:16", "mera:PLACE/mera", "but the MERA of"),
        ("ising:16", "average,average", "'average' is named twice"),
        ("isng:16", "average", "Did you mean 'ising'?"),
        ("potts:16", "average", "take ising:16"),
    ],
)
def test_what_the_arguments_say_is_refused_before_the_simulation(
    place, tmp_path, monkeypatch, data, names, words
):
    monkeypatch.chdir(tmp_path)
    names = names.replace("PLACE", str(place))
    answer = call("compare", "--data", data, "--coarse-grainings", names)
    assert answer.code == 2
    assert words in answer.err
    assert answer.err.count("error:") == len(answer.err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_stopped_simulation_gives_its_exit_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_bench_data, "run_simulation", lambda *_, **__: 130)
    answer = call("compare", "decimation", "--data", "ising:8")
    assert (answer.code, answer.out) == (130, "")
    assert "error" not in answer.err


def test_a_lattice_too_small_for_a_fit_and_numbers_without_an_error(place):
    answer = call("compare", "average", "--with", place / "E.zarr", "--probes", "correlators,patterns")
    assert answer.code == 0
    reason = "a coarse lattice of 4x4 is too small for a fit of a power law; take a larger lattice"
    assert f"average, no Δσ, Δε: {reason}\n" in answer.out
    (row,) = [line for line in answer.out.splitlines() if line.startswith("average ")]
    assert len(row.split()[-1]) <= len("1.23")


def test_unknown_presets_and_foreign_folders_are_refused(place):
    assert "no preset 'potts'" in call("compare", "--preset", "potts").err
    answer = call("compare", "--preset", "ising", "--out", place / "mera")
    assert answer.code == 2
    assert "something else" in answer.err


def test_a_run_of_another_lattice_is_refused(place, tmp_path):
    data = tmp_path / "x.npy"
    np.save(data, np.random.default_rng(0).choice((-1, 1), size=(300, 4, 4)))
    answer = call("compare", "--with", data, "--coarse-grainings", f"mera:{place / 'mera'}")
    assert answer.code == 2
    assert "8x8" in answer.err


def test_values_other_than_spins_are_refused(tmp_path):
    data = tmp_path / "x.npy"
    np.save(data, np.random.default_rng(0).normal(size=(300, 4, 4)))
    answer = call("compare", "majority", "--with", data, "--probes", "couplings")
    assert answer.code == 2
    assert "spins ±1" in answer.err


@pytest.mark.slow
def test_a_preset_trains_what_is_missing_and_goes_on(tmp_path, monkeypatch):
    """16x16 and a few steps: every contestant is there; a part that is lost is made again, no other."""
    tiny = {"size": 16, "samples": 2000, "rbm_epochs": 2, "steps": [5, 5]}
    monkeypatch.setitem(_bench_preset.COMPARE_PRESETS, "ising", tiny)
    folder = tmp_path / "all"
    first = call("compare", "--preset", "ising", "--out", folder, "--json")
    assert first.code == 0, first.err
    names = [row["name"].partition(":")[0] for row in first.json["rows"]]
    assert names == ["majority", "decimation", "average", "pca", "rsmi", "rbm", "flow", "mera"]
    page = (folder / "report.html").read_text()
    assert "What is missing, and why" in page
    assert (folder / "compare.png").stat().st_size > 1000
    made = (folder / "flow" / "results.json").stat().st_mtime_ns
    (folder / "rsmi" / "results.json").unlink()
    again = call("compare", "--preset", "ising", "--out", folder, "--json")
    assert again.code == 0
    assert (folder / "flow" / "results.json").stat().st_mtime_ns == made
    assert json.loads((folder / "rsmi" / "results.json").read_text())["block"] == "2x2"
    rows = zip(first.json["rows"], again.json["rows"], strict=True)
    assert all(a["cells"] == b["cells"] for a, b in rows)
