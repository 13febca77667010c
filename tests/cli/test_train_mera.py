"""`deeprg train mera`: a tiny network through training, resumption, growth and its page; and bad input."""

import json

import pytest

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


def test_other_verbs_say_what_the_folder_holds(run):
    folder, _ = run
    answer = call("sample", folder)
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
        (["--resume", "nowhere", "--size", "4"], "leave out size"),
        (["--size", "4", "--steps", "5", "--time-limit", "0"], "must be positive"),
    ],
)
def test_bad_input_is_refused(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = call("train", "mera", *arguments)
    assert answer.code == 2
    assert words in answer.err
    assert not list(tmp_path.iterdir())
