"""`deeprg study`: the folder, the text, the document, and what is refused."""

import csv
import json

import pytest

SMALL = ("visibles=4", "hidden=[3,2]", "ring=4", "steps=1", "order=8", "draws=10", "widths=[3]")


VERDICT = "5 of 7 claims of the source hold, 2 do not; 1 of 3 controls and open questions holds, 2 do not."


@pytest.fixture(scope="module")
def study(cli, tmp_path_factory):
    path = tmp_path_factory.mktemp("studies") / "one"
    return path, cli("study", "jefferson", *SMALL, "--seed", "2", "--out", path)


def test_the_text_reads_in_a_hundred_columns(study):
    _, answer = study
    assert answer.code == 0, answer.err
    assert max(len(line) for line in answer.out.splitlines()) <= 100
    assert answer.out.startswith(VERDICT)
    assert answer.out.rstrip().endswith(VERDICT)
    apart = answer.out.index("controls and open questions, which the source does not assert:")
    assert answer.out.index("[holds] Learning alters") < apart
    assert apart < answer.out.index("[does not hold] The coefficient of the n-body")
    assert apart < answer.out.index("From UV to IR: every scale on its own")
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
    assert " ".join(VERDICT.split()) in page
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


def test_the_list_of_runs_says_what_a_study_found(cli, study):
    path, _ = study
    answer = cli("list", "runs", "--root", path.parent)
    (line,) = [line for line in answer.out.splitlines() if line.startswith(f"  {path.name} ")]
    assert VERDICT in line
    assert "step" not in line
    assert answer.err.strip() == f"next: open {path / 'report.html'} in a browser"


def test_settings_as_one_document(cli):
    document = cli("study", "jefferson", "draws=50", "--print-config", "--json").json
    assert document["study"] == "jefferson"
    assert (document["values"]["draws"], document["sources"]["draws"]) == (50, "argument")
    assert document["sources"]["ring"] == "default"


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
    assert cli("list", "studies").err.strip() == "next: deeprg study jefferson"


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
    assert "Choose another place with --out." in answer.err
    assert "resume" not in answer.err


LOST = (
    "visibles=4",
    "hidden=[3,3,3]",
    "strength=0.99",
    "ring=4",
    "steps=1",
    "order=8",
    "draws=10",
    "widths=[3]",
)


@pytest.mark.parametrize("there", ["nothing", "parent", "folder"])
def test_a_study_that_fails_leaves_nothing(cli, tmp_path, there):
    """A step of learning leads out of existence: exit 3, and the same place can be tried again."""
    place = tmp_path / "deep" / "one"
    {"nothing": lambda: None, "parent": place.parent.mkdir, "folder": lambda: place.mkdir(parents=True)}[
        there
    ]()
    before = sorted(tmp_path.rglob("*"))
    answer = cli("study", "jefferson", *LOST, "--out", place)
    assert answer.code == 3, answer.err
    assert sorted(tmp_path.rglob("*")) == before


def test_one_item_out_of_bounds_is_one_problem(cli):
    answer = cli("study", "lenggenhager", "couplings=[0.001]", "--print-config")
    assert answer.code == 2
    assert "1 problem in the configuration" in answer.err
    assert "couplings.0 = 0.001" in answer.err
