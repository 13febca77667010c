"""`deeprg study`: the folder, the text, the document, and what is refused."""

import csv
import json

import pytest

SMALL = ("visibles=4", "hidden=[3,2]", "ring=4", "steps=1", "order=8", "draws=10", "widths=[3]")


@pytest.fixture(scope="module")
def study(cli, tmp_path_factory):
    path = tmp_path_factory.mktemp("studies") / "one"
    return path, cli("study", "jefferson", *SMALL, "--seed", "2", "--out", path)


def test_the_text_reads_in_a_hundred_columns(study):
    _, answer = study
    assert answer.code == 0, answer.err
    assert max(len(line) for line in answer.out.splitlines()) <= 100
    assert answer.out.rstrip().endswith("6 of 10 claims hold, 4 do not.")
    assert "[holds] Marginalising layer after layer" in answer.out
    assert "[does not hold] The marginalisation exists for all couplings" in answer.out
    assert "changed against the source: visible spins ±1" in answer.out
    assert answer.err.startswith("study jefferson: ")


def test_the_folder_has_every_figure_and_table(study):
    path, _ = study
    document = json.loads((path / "results.json").read_text())
    assert document["settings"]["seed"] == 2
    assert document["settings"]["hidden"] == [3, 2]
    for name, table in document["tables"].items():
        rows = list(csv.reader((path / f"{name}.csv").read_text(encoding="utf-8").splitlines()))
        assert rows[0] == table["header"]
        assert len(rows) == len(table["rows"]) + 1
    pictures = {file.stem for file in path.glob("*.png")}
    assert pictures == {"couplings", "correlators", "cumulants", "truncation", "decimation", "existence"}
    page = (path / "report.html").read_text(encoding="utf-8")
    assert page.count("<img") == 6
    assert "6 of 10 claims hold, 4 do not." in page
    assert json.loads((path / "status.json").read_text())["state"] == "done"


def test_one_document_on_stdout(cli, study, tmp_path):
    path, _ = study
    answer = cli("study", "jefferson", *SMALL, "--seed", "2", "--json", "--out", tmp_path / "again")
    again, first = answer.json, json.loads((path / "results.json").read_text())
    assert again.pop("run") == str(tmp_path / "again")
    assert again.pop("report").endswith("report.html")
    assert again["claims"][0]["holds"] is True
    assert again == first  # the same seed gives the same numbers


def test_the_folder_of_a_study_can_be_cited_but_not_sampled(cli, study):
    path, _ = study
    assert "@misc{jefferson2019deep" in cli("cite", path).out
    answer = cli("report", path)
    assert answer.code == 2
    assert "is a study, not a training" in answer.err


def test_settings_with_their_source(cli):
    out = cli("study", "jefferson", "draws=50", "--preset", "paper", "--seed", "7", "--print-config").out
    lines = {line.split(" = ")[0]: line.split("#")[1].strip() for line in out.splitlines()}
    assert lines["draws"] == "argument"
    assert lines["seed"] == "flag"
    assert lines["machine"] == "preset 'paper'"
    assert lines["ring"] == "default"


def test_the_list_of_studies(cli):
    (one,) = [x for x in cli("list", "studies", "--json").json["studies"] if x["name"] == "jefferson"]
    assert one["presets"] == "presets: short, paper"


BAD = {
    "no name": ([], "which study?"),
    "unknown name": (["jeferson"], "Did you mean 'jefferson'?"),
    "unknown preset": (["jefferson", "--preset", "papr"], "Did you mean 'paper'?"),
    "unknown setting": (["jefferson", "drows=3"], "Did you mean 'draws'?"),
    "no assignment": (["jefferson", "draws"], "is not an assignment"),
    "out of bounds": (["jefferson", "strength=1.5"], "strength = 1.5 (from argument)"),
    "half a seed": (["jefferson", "--seed", "1.5"], "not a whole number"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD.keys())
def test_bad_calls_are_refused_before_anything_is_written(cli, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = cli("study", *arguments)
    assert answer.code == 2, answer.err
    assert answer.err.startswith("error:")
    assert message in answer.err
    assert not list(tmp_path.iterdir())


def test_an_occupied_folder_is_kept(cli, tmp_path):
    (tmp_path / "mine").write_text("kept")
    answer = cli("study", "jefferson", *SMALL, "--out", tmp_path)
    assert answer.code == 2
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]
