"""`deeprg train mera`: a tiny network through training, resumption, growth and its page; and bad input."""

import json
import shutil

import pytest

from deeprg.cli._mera_setup import build_mera
from deeprg.cli._mera_training import larger_run
from deeprg.exact import enumerate_states
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice

from .conftest import call

TINY = (
    "--temperature=2.5", "--width=4", "--depth=1", "--reach=2.3", "--batch=64", "--ess=2000",
    "--learning-rate=0.03",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A network of 4x4 spins, and what the training said."""
    folder = tmp_path_factory.mktemp("mera") / "run"
    answer = call("train", "mera", "--size", "4", "--steps", "200", *TINY, "--out", folder, "--json")
    assert answer.code == 0, answer.err
    return folder, answer


def test_a_training_is_judged_against_the_exact_free_energy(run):
    folder, answer = run
    found = answer.json
    enumerated = enumerate_states(Ising(Lattice((4, 4)), 2.5)).log_partition
    assert found["exact_free_energy"] == pytest.approx(-enumerated, abs=1e-9)
    assert 0 < found["gap"] < 0.3
    assert abs(found["log_partition_pull"]) < 4
    assert not found["ess_trusted"]
    assert "fewer than 100000" in answer.err
    assert json.loads((folder / "results.json").read_text())["steps"] == 200


def test_a_stopped_training_goes_on(tmp_path):
    folder = tmp_path / "run"
    first = call(
        "train", "mera", "--size", "4", "--steps", "300", *TINY, "--out", folder, "--time-limit", "0.001"
    )
    assert first.code == 75
    assert "--resume" in first.err
    again = call("train", "mera", "--resume", folder, "--json")
    assert again.code == 0
    assert again.json["steps"] == 300


def test_networks_begin_with_those_of_another_run(run, tmp_path):
    """The first steps on 8x8, begun with 4x4, are better than from nothing."""
    folder, _ = run
    gaps = {}
    for name, more in (("grown", ("--from", folder)), ("fresh", ())):
        answer = call(
            "train", "mera", "--size", "8", "--steps", "5", *TINY, *more, "--out", tmp_path / name, "--json"
        )
        gaps[name] = answer.json["gap"]
    assert gaps["grown"] < 0.7 * gaps["fresh"]


def test_the_page_of_a_run(run):
    folder, _ = run
    answer = call("report", folder)
    assert answer.code == 0
    page = (folder / "report.html").read_text()
    assert "A classical MERA" in page
    assert page.count("data:image") == 2
    assert call("diagnose", folder).code == 0


def test_the_next_step_is_a_larger_lattice_with_the_same_network(run):
    _, answer = run
    assert "ising --shape 8x8 --temperature 2.5 --reach 2.3 --width 4 --depth 1 --from" in answer.err


def test_the_next_step_of_tables_has_tables():
    model = {"name": "random-bond", "shape": [4, 8], "temperature": 2.0, "options": {"disorder_seed": 3}}
    setup = build_mera({"model": model, "network": {"reach": None}, "train": {"steps": 1}})
    assert larger_run(setup) == "random-bond disorder_seed=3 --shape 8x16 --temperature 2.0 --tables"


def test_samples_have_the_averages_of_enumeration(run):
    folder, _ = run
    answer = call("sample", folder, "-n", "20000", "--json", "--save")
    assert answer.code == 0, answer.err
    found, known = answer.json, enumerate_states(Ising(Lattice((4, 4)), 2.5))
    pull = (found["log_partition"] - known.log_partition) / found["log_partition_error"]
    assert abs(pull) < 4
    energy, error = (found["observables"]["energy_per_site"][name] for name in ("value", "error"))
    assert abs(energy - known.energy_per_site) < 4 * error
    # The twin: another temperature is told apart.
    other = enumerate_states(Ising(Lattice((4, 4)), 2.7))
    assert abs(energy - other.energy_per_site) > 4 * error
    assert (folder / "samples-importance-seed0.zarr").exists()
    assert "--seed" in call("sample", folder, "-n", "20000", "--save").err  # never overwritten
    assert "last weights only" in call("sample", folder, "--checkpoint", "best").err


def test_weights_that_are_not_reliable_are_diagnosed(run, tmp_path):
    folder, _ = run
    assert call("diagnose", folder, "--strict").code == 0
    copied = tmp_path / "copied"
    shutil.copytree(folder, copied)
    results = json.loads((copied / "results.json").read_text())
    (copied / "results.json").write_text(json.dumps(results | {"ess": 0.01, "pareto_k": 1.0}))
    answer = call("diagnose", copied, "--strict", "--json")
    assert answer.code == 4
    assert {one["check"] for one in answer.json["findings"]} >= {"effective samples", "importance weights"}


def test_other_verbs_say_what_the_folder_holds(run):
    folder, _ = run
    answer = call("wander", folder)
    assert answer.code == 2
    assert "the training of a classical MERA" in answer.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--steps", "5"], "which lattice"),
        (["--size", "4"], "how long to train"),
        (
            ["potts", "--size", "4", "--steps", "5", "--temperature", "1.0"],
            "has not; take ising or random-bond",
        ),
        (["isin", "--size", "4", "--steps", "5", "--temperature", "1.0"], "no model 'isin'"),
        (["--size", "7", "--steps", "5"], "Halving 7x7"),
        (["--size", "4", "--steps", "5", "--temperature", "2,3"], "one temperature"),
        (["--size", "4", "--steps", "5", "--reach", "0.5"], "reach is 0.5"),
        (["--size", "4", "--steps", "5", "--tables", "--reach", "2"], "exclude each other"),
        (["--size", "4", "--steps", "5", "--ess", "5"], "greater than or equal to 100"),
        (["--size", "4", "--steps", "5", "--from", "nowhere"], "nowhere"),
        (["isin", "--size", "4", "--steps", "5"], "Did you mean 'ising'? A MERA takes ising or random-bond"),
        (["field=0.1", "--size", "4", "--steps", "5"], "critical"),
        (["--resume", "nowhere", "--ess", "5", "field=0.1"], "leave out field=0.1, --ess"),
        (["--resume", "nowhere", "--size", "4"], "leave out --size"),
        (["--size", "4", "--steps", "5", "--time-limit", "0"], "must be positive"),
    ],
)
def test_bad_input_is_refused(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = call("train", "mera", *arguments)
    assert answer.code == 2
    assert words in answer.err
    assert not list(tmp_path.iterdir())
