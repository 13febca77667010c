"""One clear message, exit code 2, and nothing left behind."""

import json
import shutil
from pathlib import Path

import pytest

SMALL = ("flow.width=4", "flow.depth=1", "flow.terms=1", "flow.disentanglers=0", "flow.colours=1")

BAD = {
    "negative temperature": (["--temperature", "-1"], "must be positive, not -1"),
    "zero temperature": (["--temperature", "0"], "must be positive, not 0"),
    "nan temperature": (["--temperature", "nan"], "must be a finite number"),
    "indivisible size": (["--size", "7"], "Choose extents with more factors of 2"),
    "indivisible blocks": (["--size", "6", "--preset", "original"], "powers of 2"),
    "no lattice": (["--shape", "none"], "not a lattice shape"),
    "four axes": (["--shape", "2x2x2x2"], "1 to 3 axes"),
    "unknown hamiltonian": (["--hamiltonian", "isng"], "Did you mean 'ising'?"),
    "unknown preset": (["--preset", "orignal"], "Did you mean 'original'?"),
    "unknown layout": (["flow.layout=mer"], "Did you mean 'mera'?"),
    "unknown key": (["train.learning_rat=0.1"], "Did you mean 'learning_rate'?"),
    "unknown section": (["trian.steps=3"], "Did you mean 'train'?"),
    "unknown option": (["flow.widht=3"], "Did you mean 'width'?"),
    "wrong type": (["flow.width='wide'"], "valid integer"),
    "option of another hamiltonian": (["--hamiltonian", "phi4", "--temperature", "2"], "unknown key"),
    "broken symmetry": (["hamiltonian.field=0.1", "flow.symmetry=odd"], "not even"),
    "negative shift": (["--shift", "-0.1"], "shift must be positive"),
    "nan rate": (["train.learning_rate=nan"], "must be a finite number"),
    "negative minutes": (["--minutes", "-3"], "minutes = -3"),
    "zero batch": (["--batch", "0"], "at least 1"),
    "uneven batch": (
        ["--batch", "63", *SMALL],
        "cannot be divided equally over 2 devices",
    ),
    "too few samples for an ESS": (["--ess", "5"], "greater than or equal to 100"),
    "negative seed": (["--seed", "-1"], "greater than or equal to 0"),
    "no assignment": (["train.steps"], "Write key.path=value"),
    "no table": (["train=5"], "must be a table"),
    "missing file": (["--config", "/no/such.toml"], "cannot read '/no/such.toml'"),
    "time limit": (["--time-limit", "-1"], "must be positive"),
    "half a process": (["--processes", "2"], "give all three or none"),
    "unknown flag": (["--tempreature", "2"], "--temperature"),
    "not a number": (["--steps", "many"], "--steps"),
    "half a step": (["--steps", "1.5"], "'1.5' is not a whole number"),
    "half a site": (["--size", "4.7"], "'4.7' is not a whole number"),
    "half a seed": (["--seed", "0.5"], "'0.5' is not a whole number"),
    "misspelt temperature": (["--temperature", "Critcal"], "Did you mean 'critical'?"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_refused_before_a_folder_exists(cli, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    size = [] if {"--size", "--shape"} & set(arguments) else ["--size", "4"]
    steps = [] if "--steps" in arguments else ["--steps", "5"]
    answer = cli("train", "flow", *size, *steps, "--out", tmp_path / "run", *arguments)
    assert answer.code == 2, answer.err
    assert message in answer.err
    assert answer.err.startswith("error:")
    assert "Traceback" not in answer.err
    assert answer.out == ""
    assert list(tmp_path.iterdir()) == []


def test_size_and_duration_must_be_said(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "Use --size 16 or --shape 16x8" in cli("train", "flow", "--steps", "5").err
    answer = cli("train", "flow", "--size", "4", *SMALL)
    assert answer.code == 2
    assert "Give --steps N, --minutes M or both" in answer.err
    assert "exclude each other" in cli("train", "flow", "--size", "4", "--shape", "4x4").err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "7", "--steps", "1"], "Choose extents with more factors of 2"),
        (["--size", "4", "--steps", "1", "hamiltonian.field=0.1", "flow.symmetry=odd"], "not even"),
        (["--size", "4"], "--steps N, --minutes M"),
        (["--size", "4", "--steps", "1", "--out", "taken"], "exists and is not an empty folder"),
    ],
)
def test_print_config_refuses_what_a_training_would(cli, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("precious")
    answer = cli("train", "flow", "--print-config", *arguments)
    assert answer.code == 2
    assert message in answer.err
    assert "hamiltonian.shape" in answer.out


def test_all_problems_come_at_once(cli, tmp_path):
    file = tmp_path / "bad.toml"
    file.write_text("sed = 1\n[train]\nlearning_rate = nan\nbatch = -4\n[hamiltonian]\ntemperature = -1.0\n")
    answer = cli("train", "flow", "--config", file, "--out", tmp_path / "run", "flow.width=0.5")
    assert answer.code == 2
    for part in (
        "sed = 1",
        "seed",
        "learning_rate = nan",
        "batch = -4",
        "temperature = -1",
        "flow.width = 0.5",
    ):
        assert part in answer.err
    assert f"(from file {file})" in answer.err
    assert "--size 16" in answer.err
    assert not (tmp_path / "run").exists()


def test_a_file_that_is_not_toml(cli, tmp_path):
    (tmp_path / "bad.toml").write_text("[train\nsteps")
    answer = cli("train", "flow", "--config", tmp_path / "bad.toml")
    assert answer.code == 2
    assert "not valid TOML" in answer.err


def test_a_run_folder_that_exists_is_never_overwritten(cli, tiny, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("precious")
    answer = cli("train", "flow", *tiny, "--out", tmp_path / "run")
    assert answer.code == 2
    assert "exists and is not an empty folder" in answer.err
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["mine.txt"]


def test_an_unwritable_place(cli, tiny):
    answer = cli("train", "flow", *tiny, "--out", "/proc/nowhere/run")
    assert answer.code == 2
    assert "cannot write '/proc/nowhere/run'" in answer.err


def test_a_full_disk_leaves_nothing(cli, tiny, tmp_path, monkeypatch):
    def full(path, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("deeprg.runs.folder.write_text", full)
    answer = cli("train", "flow", *tiny, "--out", tmp_path / "run")
    assert answer.code == 2
    assert "No space left on device" in answer.err
    assert not (tmp_path / "run").exists()


@pytest.fixture
def copied_run(tiny_run, tmp_path) -> Path:
    return Path(shutil.copytree(tiny_run.path, tmp_path / "copy"))


def test_a_truncated_checkpoint(cli, copied_run):
    path = copied_run / "ckpt" / "last.eqx"
    path.write_bytes(path.read_bytes()[:-100])
    for command in (["sample", copied_run, "-n", "200"], ["train", "flow", "--resume", copied_run]):
        answer = cli(*command)
        assert answer.code == 2
        assert "is truncated" in answer.err


def test_a_foreign_checkpoint(cli, copied_run):
    (copied_run / "ckpt" / "last.eqx").write_bytes(b"GIF89a, surely not a checkpoint")
    answer = cli("sample", copied_run, "-n", "200")
    assert answer.code == 2
    assert "is not a checkpoint of this package" in answer.err


def test_a_checkpoint_of_another_run(cli, copied_run):
    resolved = json.loads((copied_run / "resolved.json").read_text())
    resolved["hamiltonian"]["temperature"] = 3.0
    (copied_run / "resolved.json").write_text(json.dumps(resolved))
    for command in (["sample", copied_run, "-n", "200"], ["train", "flow", "--resume", copied_run]):
        answer = cli(*command)
        assert answer.code == 2
        assert "hamiltonian.temperature" in answer.err


def test_a_missing_checkpoint(cli, copied_run):
    (copied_run / "ckpt" / "last.eqx").unlink()
    answer = cli("sample", copied_run)
    assert answer.code == 2
    assert "has no checkpoint 'last.eqx' yet" in answer.err
    assert cli("sample", copied_run, "--checkpoint", "newest").code == 2


def test_a_damaged_configuration(cli, copied_run):
    (copied_run / "resolved.json").write_text('{"hamiltonian"')
    answer = cli("report", copied_run)
    assert answer.code == 2
    assert "not valid JSON" in answer.err


def test_resuming_with_a_changed_setting_is_refused(cli, copied_run):
    answer = cli("train", "flow", "--resume", copied_run, "--seed", "5", "train.learning_rate=0.5")
    assert answer.code == 2
    assert "seed: 0 -> 5" in answer.err
    assert "train.learning_rate: 0.01 -> 0.5" in answer.err
    assert "--allow-change" in answer.err
    answer = cli("train", "flow", "--resume", copied_run, "--steps", "400", "--allow-change", "train.step")
    assert answer.code == 2
    assert "Did you mean 'train.steps'?" in answer.err
    answer = cli("train", "flow", "--resume", copied_run, "--out", copied_run)
    assert answer.code == 2


@pytest.mark.parametrize("verb", ["sample", "report", "diagnose", "cite"])
def test_there_is_no_such_run(cli, verb, tmp_path):
    answer = cli(verb, tmp_path / "nothing")
    assert answer.code == 2
    assert "there is no run folder" in answer.err
    answer = cli(verb, tmp_path)
    assert answer.code == 2
    assert "is not a run folder" in answer.err


def test_bad_samplings(cli, tiny_run):
    assert "at least 100" in cli("sample", tiny_run.path, "-n", "3").err
    assert cli("sample", tiny_run.path, "--method", "importence").code == 2
    assert cli("sample", tiny_run.path, "--seed", "-1").code == 2
    assert cli("report", tiny_run.path, "--draws", "0").code == 2
    answer = cli("report", tiny_run.path, "--out", tiny_run.path)
    assert answer.code == 2
    assert "is a folder" in answer.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--shape", "4x4", "--temperature", "-2"], "positive"),
        (["--shape", "4x4", "--temperature", "cold"], "positive number or 'critical'"),
        (["--shape", "4y4"], "not a lattice shape"),
        (["--shape", "4x4x4"], "not solved"),
        (["--shape", "64"], "no critical temperature"),
        (["--shape", "4x4", "--dual", "--shift", "0"], "positive"),
        ([], "--shape"),
        (["--size", "4", "--shape", "4x4"], "either --size 16 or --shape 16x8"),
        (["--size", "4.5"], "not a whole number"),
        (["--size", "4", "--temperature", "crtical"], "Did you mean 'critical'?"),
    ],
)
def test_bad_exact_questions(cli, arguments, message):
    answer = cli("exact", "ising", *arguments)
    assert answer.code == 2
    assert message in answer.err
    assert answer.out == ""


@pytest.mark.parametrize("arguments", [["trian"], ["train", "flwo"], ["exact", "isng"], ["sample"]])
def test_bad_verbs(cli, arguments):
    answer = cli(*arguments)
    assert answer.code == 2
    assert answer.out == ""
