"""Train, sample, report, diagnose: end to end on a tiny lattice."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import xarray

from deeprg.cli import _judging, _training
from deeprg.cli._latent_sampling import degenerate
from deeprg.cli._table import result_table
from deeprg.montecarlo.ensembles import Ensemble
from deeprg.runs.atomic import disk_error
from deeprg.runs.errors import NumericalError
from deeprg.runs.folder import RunFolder
from deeprg.train.checkpoint import read_header

KEYS = {
    "schema_version", "free_energy", "exact_free_energy", "gap", "gap_per_site", "std_log_weight", "ess",
    "ess_samples", "ess_trusted", "pareto_k", "acceptance", "log_partition", "log_partition_error",
    "exact_log_partition", "steps", "seconds_per_step", "compile_seconds", "parameters", "run", "observables",
}  # fmt: skip
# What may differ between two runs that computed the same.
CLOCK = {
    "run", "seconds_per_step", "compile_seconds", "train_seconds", "evaluate_seconds", "samples_per_second",
}  # fmt: skip


def test_training_prints_one_document_and_keeps_it(tiny_run):
    results = tiny_run.answer.json
    assert results.keys() >= KEYS
    assert results["schema_version"] == 1
    assert results["steps"] == 300
    assert results["gap"] == pytest.approx(results["free_energy"] - results["exact_free_energy"])
    assert 0 < results["gap"] < 5
    assert results["gap_per_site"] == pytest.approx(results["gap"] / 16)
    assert abs(results["log_partition"] - results["exact_log_partition"]) < 5 * results["log_partition_error"]
    assert results["ess_samples"] == 2000
    assert results["ess_trusted"] is False
    assert 0 < results["seconds_per_step"] < 1
    energy = results["observables"]["energy_per_site"]
    assert energy.keys() == {"value", "error", "exact", "pull"}
    assert energy["exact"] == pytest.approx(-1.5656237876)
    assert json.loads((tiny_run.path / "results.json").read_text()) == results


def test_training_talks_on_stderr_only(tiny_run):
    err = tiny_run.answer.err
    assert "compiling the step" in err
    assert re.search(r"compiled the step for batch 64 in [\d.]+ s", err)
    assert re.search(r"step \d+  free energy -?[\d.]+ .*gap .*ESS \(batch\) .*rate .*left", err)
    assert "warning: the ESS comes from 2000 samples" in err
    assert f"next: deeprg report {tiny_run.path}" in err
    assert "\x1b[" not in err


def test_the_run_folder_is_complete(tiny_run):
    names = {file.name for file in tiny_run.path.iterdir()}
    assert {
        "config.toml", "resolved.json", "env.json", "metrics.jsonl", "events.log", "results.json",
        "status.json", "ckpt", "evaluation.npz",
    } <= names  # fmt: skip
    run = RunFolder.open(tiny_run.path)
    assert run.status()["state"] == "done"
    assert run.metrics()[-1]["step"] == 300
    assert run.resolved()["train"]["steps"] == 300
    assert "shape = [4, 4]" in run.config()


def test_the_stored_configuration_is_a_configuration(cli, tiny_run):
    answer = cli("train", "flow", "--config", tiny_run.path / "config.toml", "--print-config")
    assert answer.code == 0
    assert re.search(r"train.steps = 300 +# file .*config.toml", answer.out)


@pytest.mark.parametrize("method", ["importance", "independence", "direct"])
def test_sampling(cli, tiny_run, method):
    document = cli("sample", tiny_run.path, "-n", "3000", "--method", method, "--json").json
    assert document["method"] == method
    assert document["biased"] is (method == "direct")
    assert document["ess_trusted"] is False
    energy = document["observables"]["energy_per_site"]
    assert energy["exact"] == pytest.approx(-1.5656237876)
    assert (document["acceptance"] is None) == (method != "independence")
    if method == "independence":
        assert document["acceptance"] > 0.1
        assert document["tau_int"] > 0.5
    if method != "direct":
        assert abs(energy["pull"]) < 5
        assert len(document["correlation"]["value"]) == 3


def test_samples_follow_the_seed_and_are_never_overwritten(cli, tiny_run):
    arguments = ["sample", tiny_run.path, "-n", "500", "--json", "--seed", "3"]
    first, second = cli(*arguments).json, cli(*arguments, "--save").json
    assert first["observables"] == second["observables"]
    stored = xarray.open_zarr(second["saved"], consolidated=False, chunks=None)
    assert stored["configurations"].shape == (500, 4, 4)
    weights = np.exp(stored["log_weight"].values)
    energy = float(np.sum(weights * stored["energy_per_site"].values) / np.sum(weights))
    assert energy == pytest.approx(second["observables"]["energy_per_site"]["value"], rel=1e-6)
    assert json.loads(stored.attrs["about"])["seed"] == 3
    again = cli(*arguments, "--save")
    assert again.code == 2
    assert "never overwritten" in again.err
    assert cli(*arguments[:-1], "4").json["observables"] != first["observables"]


def test_chains_in_latents_become_an_ensemble(cli, tiny_run, tmp_path):
    store = tmp_path / "chains.zarr"
    chains = ["sample", tiny_run.path, "--method", "latent-hmc", "--chains", "16", "--thermalise", "30"]
    answer = cli(*chains, "-n", "1600", "--out", store, "--json")
    assert answer.code == 0
    row = answer.json["temperatures"][0]["observables"]["energy_per_site"]
    assert row["exact"] == pytest.approx(-1.5656237876)
    assert abs(row["value"] - row["exact"]) < 4 * row["error"]
    ensemble = Ensemble.open(store)
    assert ensemble.provenance["model"] == "ising"
    assert set(np.unique(ensemble.configurations(0))) == {-1, 1}
    longer = cli(*chains, "-n", "1920", "--out", store, "--json")
    assert longer.json["draws"] == 120
    np.testing.assert_array_equal(Ensemble.open(store).configurations(0, 0, 100), ensemble.configurations(0))
    other = cli(*chains, "-n", "1920", "--out", store, "--leapfrogs", "5")
    assert other.code == 2
    assert "leapfrogs" in other.err
    resumed = cli("simulate", "--resume", store)
    assert resumed.code == 2
    assert "deeprg sample" in resumed.err
    assert cli("measure", store, "--arviz", tmp_path / "chains.nc").code == 0
    tree = xarray.open_datatree(tmp_path / "chains.nc", engine="h5netcdf")
    np.testing.assert_array_equal(
        tree["posterior"]["magnetization"], Ensemble.open(store).series("magnetization", 0)
    )
    assert cli("measure", store, "--arviz", tmp_path / "chains.nc").code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "importance", "--chains", "3"], "belongs to chains in latents"),
        (["--method", "latent-hmc", "--save"], "always keeps its ensemble"),
        (["--method", "latent-hmc", "--leapfrogs", "0"], "at least one leapfrog"),
        (["--method", "mixed", "--redraw", "2"], r"(0, 1]"),
        (["--method", "mixed", "--chains", "0"], "at least 1"),
    ],
)
def test_what_sampling_refuses(cli, tiny_run, arguments, message):
    before = sorted(tiny_run.path.iterdir())
    answer = cli("sample", tiny_run.path, *arguments)
    assert answer.code == 2
    assert message in answer.err
    assert sorted(tiny_run.path.iterdir()) == before


def test_degenerate_weights_are_said_first():
    assert degenerate(0.5) is None
    assert "degenerate" in str(degenerate(0.001))


def test_tables_show_errors_exact_values_and_the_warning(cli, tiny_run):
    answer = cli("sample", tiny_run.path, "-n", "500", "--method", "direct")
    assert "direct (biased)" in answer.out
    assert "(!) too few samples" in answer.out
    assert "±" in answer.out
    assert "-1.56562" in answer.out
    assert "biased" in answer.err


def test_report(cli, tiny_run):
    answer = cli("report", tiny_run.path, "--json", "--draws", "2")
    assert answer.code == 0
    page = (tiny_run.path / "report.html").read_text()
    assert answer.json["report"] == str((tiny_run.path / "report.html").resolve())
    assert page.count("<figure") == 7
    assert not re.findall(r"(?:src|href)=['\"](?!data:)", page)
    for part in ("energy per site", "−1.56562", "train.batch", "jax", "1802.02840"):
        assert part in page
    again = cli("report", tiny_run.path)  # over its own page
    assert again.code == 0
    for part in ("gap (nats)", "ESS", "acceptance", "⟨|m|⟩", "energy per site", "report.html"):
        assert part in again.out


def test_a_table_warns_of_heavy_tails_and_names_both_log_partitions(tiny_run):
    results = {**tiny_run.answer.json, "pareto_k": 0.9}
    table = result_table(results)
    assert "0.9  (!) above 0.7: errors are not reliable" in table
    assert "exact −ln Z of the dual (nats)" in table
    assert "ln Z of the spins" in table
    assert results["exact_spin_log_partition"] == pytest.approx(15.521915458755)
    (gap,) = [line for line in table.splitlines() if line.startswith("gap")]
    assert re.fullmatch(r"gap \(nats\) +\S+ ± \S+", gap)


def test_list_runs_suggests_the_last_run(cli, tiny_run):
    answer = cli("list", "runs", "--root", tiny_run.path.parent)
    assert f"deeprg report {tiny_run.path.parent}" in answer.err
    assert "deeprg diagnose" in answer.err


def test_diagnose(cli, tiny_run):
    answer = cli("diagnose", tiny_run.path, "--json")
    assert answer.code == 0
    assert [f["check"] for f in answer.json["findings"] if f["severity"] == "note"] == ["effective samples"]
    results = json.loads((tiny_run.path / "results.json").read_text())
    try:
        (tiny_run.path / "results.json").write_text(json.dumps({**results, "pareto_k": 0.9}))
        assert cli("diagnose", tiny_run.path).code == 0
        strict = cli("diagnose", tiny_run.path, "--strict")
        assert strict.code == 4
        assert "Pareto k = 0.90" in strict.out
        assert "likely cause" in strict.out
    finally:
        (tiny_run.path / "results.json").write_text(json.dumps(results))


_KILL = """
import os, signal, sys
from deeprg.cli.main import main
from deeprg.runs.folder import RunFolder
from deeprg.train.checkpoint import read_header
append = RunFolder.append_metrics
def killing(self, record):
    append(self, record)
    if record["step"] > 5:
        os.kill(os.getpid(), signal.SIGKILL)
RunFolder.append_metrics = killing
sys.exit(main(sys.argv[1:]))
"""


def test_killed_interrupted_and_resumed_runs_end_the_same(cli, tiny, tiny_run, tmp_path, monkeypatch):
    path = tmp_path / "killed"
    environment = os.environ | {"JAX_ENABLE_X64": "1"}
    killed = subprocess.run(
        [sys.executable, "-c", _KILL, "train", "flow", *tiny, "--out", str(path)],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert RunFolder.open(path).status()["state"] == "running"

    append = RunFolder.append_metrics

    def interrupting(self, record):
        append(self, record)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(RunFolder, "append_metrics", interrupting)
    stopped = cli("train", "flow", "--resume", path, "--json")
    monkeypatch.undo()
    assert stopped.code == 75, stopped.err
    assert stopped.json["reason"] == "sigterm"
    assert 0 < stopped.json["steps"] < 300
    assert RunFolder.open(path).status()["state"] == "interrupted"
    assert f"next: deeprg train flow --resume {path}" in stopped.err

    resumed = cli("train", "flow", "--resume", path, "--json")
    assert resumed.code == 0, resumed.err
    expected = {k: v for k, v in tiny_run.answer.json.items() if k not in CLOCK}
    assert {k: v for k, v in resumed.json.items() if k not in CLOCK} == expected
    steps = [record["step"] for record in RunFolder.open(path).metrics()]
    assert steps == sorted(set(steps))


def test_a_disk_that_fills_up_keeps_the_last_checkpoint(cli, tiny, tiny_run, tmp_path, monkeypatch):
    path, append = tmp_path / "run", RunFolder.append_metrics

    def filling(self, record):
        if record["step"] > 5:
            raise disk_error(self.path / "metrics.jsonl", OSError(28, "No space left on device"))
        append(self, record)

    monkeypatch.setattr(RunFolder, "append_metrics", filling)
    answer = cli("train", "flow", *tiny, "--out", path)
    assert answer.code == 2
    assert "No space left on device" in answer.err
    assert read_header(path / "ckpt" / "last.eqx")["step"] == 3
    assert RunFolder.open(path).status()["state"] == "failed"


@pytest.mark.slow
def test_two_processes_train_like_two_devices(tiny, tiny_run, tmp_path):
    command = [sys.executable, "-m", "deeprg.cli.main"]
    train = [*command, "train", "flow", *tiny, "--json", "--out", str(tmp_path / "run")]
    environment = os.environ | {"JAX_ENABLE_X64": "1", "JAX_NUM_CPU_DEVICES": "1"}
    done = subprocess.run(
        [*command, "launch", "-n", "2", "--", *train],
        env=environment, capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    results = json.loads(done.stdout)
    assert results["free_energy"] == pytest.approx(tiny_run.answer.json["free_energy"], abs=1e-2)
    assert results["steps"] == 300


def _fake(reason):
    def train(state, objective, batches, plan, **options):
        if reason == "diverged":
            raise NumericalError("the loss was not finite")
        return _training.TrainResult(state, reason, float("nan"), 0.0)

    return train


@pytest.mark.parametrize(
    ("reason", "code", "state"),
    [("time", 75, "interrupted"), ("interrupt", 130, "interrupted"), ("diverged", 3, "failed")],
)
def test_exit_codes(cli, tiny, tmp_path, monkeypatch, reason, code, state):
    monkeypatch.setattr(_training, "train", _fake(reason))
    answer = cli("train", "flow", *tiny, "--out", tmp_path / "run")
    assert answer.code == code, answer.err
    assert RunFolder.open(tmp_path / "run").status()["state"] == state
    assert answer.out == ""


def test_an_allowed_change_is_recorded(cli, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(_training, "train", _fake("time"))
    path = tmp_path / "run"
    cli("train", "flow", *tiny, "--out", path)
    answer = cli("train", "flow", "--resume", path, "--steps", "900", "--allow-change", "train.steps")
    assert answer.code == 75, answer.err
    run = RunFolder.open(path)
    assert run.resolved()["train"]["steps"] == 900
    assert "changed train.steps: 300 -> 900" in (path / "events.log").read_text()
    assert cli("train", "flow", "--resume", path).code == 75


def test_weights_that_are_not_finite_fail_with_3(cli, tiny, tmp_path, monkeypatch):
    collect = _judging.collect

    def broken(*arguments, **options):
        draws = collect(*arguments, **options)
        return dataclasses.replace(draws, log_weights=draws.log_weights * np.nan)

    monkeypatch.setattr(_judging, "collect", broken)
    monkeypatch.setattr(_training, "train", _fake("done"))
    answer = cli("train", "flow", *tiny, "--out", tmp_path / "run")
    assert answer.code == 3, answer.err
    assert "not finite" in answer.err
    assert RunFolder.open(tmp_path / "run").status()["state"] == "failed"


def test_runs_are_numbered_and_listed(cli, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_training, "train", _fake("time"))
    for _ in range(2):
        cli("train", "flow", *tiny, "--name", "toy")
    rows = cli("list", "runs", "--json").json["runs"]
    assert [(row["name"], row["state"]) for row in rows] == [
        ("toy-001", "interrupted"),
        ("toy-002", "interrupted"),
    ]
    assert "Did you mean 'toy-001'?" in cli("report", "toy-01").err
