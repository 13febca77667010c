"""`deeprg sweep`: grids, points as ordinary runs, failures, workers that die, an existing scheduler."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from deeprg.cli._sweep_folder import SweepFolder
from deeprg.runs.folder import RunFolder
from deeprg.runs.lock import exclusive
from deeprg.train.checkpoint import read_header

# The settings of the tiny run that all tests of the command line share, whose compiled program is reused.
CONFIG = """
checkpoint_seconds = {every}

[hamiltonian]
shape = [4, 4]

[flow]
width = 4
depth = 1
terms = 1
disentanglers = 0
colours = 1

[train]
steps = {steps}
batch = 64
learning_rate = 0.01
warmup = 0

[evaluate]
samples = 2000
"""


@pytest.fixture(scope="module")
def environment():
    """The processes of the points compile what this one compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_ENABLE_X64", "1")
        yield


def write_config(folder: Path, *, steps: int = 300, every: float = 0.01) -> Path:
    path = folder / "tiny.toml"
    path.write_text(CONFIG.format(steps=steps, every=every))
    return path


def start_sweep(*arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "deeprg.cli.main", "sweep", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def checkpointed_step(run: Path) -> int:
    last = run / "ckpt" / "last.eqx"
    return read_header(last)["step"] if last.exists() else 0


def processes_of(run: Path) -> tuple[psutil.Process, psutil.Process]:
    """The process that trains a point, and the worker that started it."""
    trainer = psutil.Process(RunFolder.open(run).status()["pid"])
    worker = trainer.parent()
    assert worker is not None
    return trainer, worker


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "there is no grid"),
        (["--grid", "tempratur=2.0"], "Did you mean 'temperature'?"),
        (["--grid", "flow.widht=4"], "unknown key. Did you mean 'width'?"),
        (["--grid", "size=4.5"], "whole number"),
        (["--grid", "size=4", "--grid", "shape=4x4"], "set the same thing"),
        (["--grid", "temperature=2.0:2.5"], "has no step"),
        (["--grid", "seed=0", "--workers", "0"], "--workers 0 must be at least 1"),
        (["--grid", "seed=0", "--threads", "-1"], "--threads -1 must be at least 1"),
        (["--grid", "seed=0", "--time-limit", "0"], "must be positive"),
        (["--grid", "seed=0", "--scheduler", "tcp://localhost"], "tcp://HOST:PORT"),
        (["--grid", "seed=0", "--scheduler", "tcp://h:1", "--workers", "2"], "exclude each other"),
        (["--grid", "seed=0", "--resume", "elsewhere"], "Leave them out"),
    ],
)
def test_refusals(cli, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    config = write_config(tmp_path)
    answer = cli("sweep", config, *arguments)
    assert answer.code == 2
    assert message in answer.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.toml"]


def test_all_bad_points_are_in_one_message(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = write_config(tmp_path)
    answer = cli("sweep", config, "--grid", "temperature=-1,2.0,-3", "--grid", "seed=0:1", "--out", "new")
    assert answer.code == 2
    for part in ("temperature--1_seed-0", "temperature--3_seed-0", "must be positive, not -1", "--grid"):
        assert part in answer.err
    assert "temperature-2.0" not in answer.err
    assert not (tmp_path / "new").exists()


def test_other_places_are_refused(cli, tmp_path, tiny_run):
    config = write_config(tmp_path)
    for arguments, message in (
        ([config, "--grid", "seed=0", "--out", tiny_run.path], "not an empty folder"),
        (["--resume", tiny_run.path], "not a sweep but a single run"),
        (["--resume", tmp_path / "nothing"], "there is no run folder"),
        ([tmp_path / "no.toml", "--grid", "seed=0"], "cannot read"),
        ([], "which CONFIG?"),
    ):
        answer = cli("sweep", *arguments)
        assert answer.code == 2
        assert message in answer.err
    config.write_text('kind = "rbn"\n')
    answer = cli("sweep", config, "--grid", "seed=0")
    assert answer.code == 2
    assert 'kind = "rbn" cannot be swept' in answer.err


def test_a_scheduler_that_does_not_answer(cli, tmp_path):
    begun = time.monotonic()
    out = tmp_path / "new"
    answer = cli(
        "sweep", write_config(tmp_path), "--grid", "seed=0", "--scheduler", "tcp://127.0.0.1:9", "--out", out
    )
    assert answer.code == 2
    assert "no Dask scheduler answers at 'tcp://127.0.0.1:9'" in answer.err
    assert time.monotonic() - begun < 20
    assert not out.exists()


def test_points_are_listed(cli, tmp_path):
    answer = cli(
        "sweep", write_config(tmp_path), "--grid", "temperature=2.0,critical", "--grid", "seed=0:2",
        "--print-points", "--json",
    )  # fmt: skip
    assert answer.code == 0
    points = answer.json["points"]
    assert len(points) == 6
    assert points[3] == {
        "name": "temperature-critical_seed-0",
        "values": {"temperature": "critical", "seed": 0},
        "state": "waiting",
    }
    assert os.listdir(tmp_path) == ["tiny.toml"]


@pytest.fixture(scope="module")
def swept(cli, environment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("swept")
    config, out = write_config(folder), folder / "sweep"
    arguments = (config, "--grid", "train.learning_rate=0.01,1e30", "--workers", "1", "--threads", "1")
    answer = cli("sweep", *arguments, "--out", out, "--json")
    return arguments, out, answer


def test_a_failing_point_leaves_the_others_done(swept):
    _, out, answer = swept
    assert answer.code == 1, answer.err
    document = answer.json
    assert document == json.loads((out / "results.json").read_text())
    good, bad = document["points"]
    assert (good["state"], good["exit_code"], good["name"]) == ("done", 0, "learning_rate-0.01")
    assert (bad["state"], bad["exit_code"], bad["name"]) == ("failed", 3, "learning_rate-1e30")
    assert "not finite" in bad["message"]
    assert "learning_rate-1e30 failed" in answer.err
    assert document["verdict"] == "1 of 2 points done, 1 failed"
    assert document["states"] == {"done": 1, "failed": 1}
    listed = json.loads((out / "sweep.json").read_text())
    assert [point["state"] for point in listed["points"]] == ["done", "failed"]
    assert listed["grid"] == [{"name": "train.learning_rate", "values": [0.01, 1e30]}]
    assert (out / "sweep.png").read_bytes().startswith(b"\x89PNG")


def test_a_point_is_the_run_that_train_flow_makes(swept, tiny_run):
    _, out, answer = swept
    run = RunFolder.open(out / "learning_rate-0.01")
    results, alone = run.results() or {}, RunFolder.open(tiny_run.path).results() or {}
    assert run.status()["state"] == "done"
    # Equal programs on other numbers of threads add in other orders.
    for key in ("free_energy", "gap", "ess", "log_partition"):
        assert results[key] == pytest.approx(alone[key], rel=1e-3)
    row = answer.json["points"][0]["results"]
    assert row["gap (nats)"] == {"value": results["gap"], "error": results["gap_error"]}
    assert run.environment()["argv"][:4] == ["deeprg", "train", "flow", "--config"]


def test_a_continued_sweep_skips_what_is_done_and_tries_again_what_failed(cli, swept, environment):
    arguments, out, _ = swept
    done = out / "learning_rate-0.01"
    before = (done / "results.json").stat().st_mtime_ns, (done / "events.log").read_text()
    answer = cli("sweep", *arguments, "--out", out)
    assert answer.code == 1
    assert "1 of 2 points to train" in answer.err
    assert ((done / "results.json").stat().st_mtime_ns, (done / "events.log").read_text()) == before
    assert "resumed after step" in (out / "learning_rate-1e30" / "events.log").read_text()
    assert "failed" in answer.out
    assert "±" in answer.out


def test_another_grid_is_another_sweep(cli, swept):
    arguments, out, _ = swept
    answer = cli("sweep", arguments[0], "--grid", "seed=0:1", "--out", out)
    assert answer.code == 2
    assert "another CONFIG or grid" in answer.err
    states = cli("sweep", "--resume", out, "--print-points", "--json").json["points"]
    assert [point["state"] for point in states] == ["done", "failed"]


def test_a_sweep_is_led_by_one_process(cli, swept):
    _, out, _ = swept
    with exclusive(SweepFolder.open(out).lock, "taken"):
        answer = cli("sweep", "--resume", out)
    assert answer.code == 2
    assert "another process leads the sweep" in answer.err


def test_a_sweep_is_no_run_to_report(cli, swept):
    _, out, _ = swept
    for verb in ("report", "diagnose"):
        answer = cli(verb, out)
        assert answer.code == 2
        assert "is a sweep" in answer.err


def test_a_killed_worker_costs_its_point_the_time_since_the_last_checkpoint(environment, tmp_path):
    out = tmp_path / "sweep"
    config = write_config(tmp_path, steps=3000, every=0.5)
    sweep = start_sweep(config, "--grid", "seed=0", "--workers", "1", "--threads", "1", "--out", out)
    run = out / "seed-0"
    wait_for(lambda: checkpointed_step(run) > 0)
    trainer, worker = processes_of(run)
    kept = checkpointed_step(run)
    worker.kill()
    trainer.kill()  # as when a machine loses its power: nobody saves anything
    _, err = sweep.communicate(timeout=180)
    assert sweep.returncode == 0, err
    assert "Traceback" not in err
    events = (run / "events.log").read_text()
    (resumed,) = [int(line.split()[-1]) for line in events.splitlines() if "resumed after step" in line]
    assert resumed >= kept > 0
    assert f"continuing after step {resumed}" in events
    steps = [record["step"] for record in RunFolder.open(run).metrics()]
    assert steps == sorted(set(steps))
    assert steps[-1] == 3000
    assert (RunFolder.open(run).results() or {})["steps"] == 3000


@pytest.mark.slow
def test_the_training_of_a_killed_worker_saves_and_ends(environment, tmp_path):
    out = tmp_path / "sweep"
    config = write_config(tmp_path, steps=4000, every=3600.0)
    sweep = start_sweep(config, "--grid", "seed=0", "--workers", "1", "--threads", "1", "--out", out)
    run = out / "seed-0"
    wait_for(lambda: (run / "metrics.jsonl").exists())
    trainer, worker = processes_of(run)
    worker.kill()
    wait_for(lambda: not trainer.is_running(), 60.0)
    _, err = sweep.communicate(timeout=180)
    assert sweep.returncode == 0, err
    events = (run / "events.log").read_text()
    assert "stopped (sigterm)" in events
    assert "resumed after step" in events


def test_an_existing_scheduler_by_address(cli, environment, tmp_path):
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard"]
    place = tmp_path / "scheduler.json"
    scheduler = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--scheduler-file", str(place)], stderr=subprocess.DEVNULL
    )
    worker = None
    try:
        wait_for(place.exists)
        address = json.loads(place.read_text())["address"]
        command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-dashboard"]
        worker = subprocess.Popen([*command, "--nthreads", "1"], stderr=subprocess.DEVNULL)
        out = tmp_path / "sweep"
        answer = cli(
            "sweep", write_config(tmp_path), "--grid", "seed=0", "--scheduler", address, "--out", out
        )
        assert answer.code == 0, answer.err
        assert f"on {address}" in answer.err
        assert RunFolder.open(out / "seed-0").status()["state"] == "done"
        assert worker.poll() is None  # it is not the sweep's to end
    finally:
        for process in (worker, scheduler):
            if process is not None:
                process.terminate()
                process.wait(30)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_a_stopped_sweep_is_continued(cli, environment, tmp_path, number, code):
    out = tmp_path / "sweep"
    config = write_config(tmp_path, steps=4000, every=3600.0)
    sweep = start_sweep(config, "--grid", "seed=0:1", "--workers", "1", "--out", out)
    wait_for(lambda: (out / "seed-0" / "metrics.jsonl").exists())
    sweep.send_signal(number)
    text, err = sweep.communicate(timeout=120)
    assert sweep.returncode == code, err
    assert "interrupted" in text
    assert "waiting" in text
    assert f"deeprg sweep --resume {out}" in err
    assert checkpointed_step(out / "seed-0") > 0
    answer = cli("sweep", "--resume", out, "--workers", "2", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["states"] == {"done": 2}
    assert "resumed after step" in (out / "seed-0" / "events.log").read_text()


@pytest.mark.slow
def test_a_killed_sweep_leaves_nobody_behind_and_is_continued(cli, environment, tmp_path):
    out = tmp_path / "sweep"
    config = write_config(tmp_path, steps=4000, every=0.5)
    sweep = start_sweep(config, "--grid", "seed=0", "--workers", "1", "--out", out)
    run = out / "seed-0"
    wait_for(lambda: checkpointed_step(run) > 0)
    trainer, _ = processes_of(run)
    sweep.kill()
    sweep.communicate(timeout=30)
    wait_for(lambda: not trainer.is_running(), 60.0)
    answer = cli("sweep", "--resume", out, "--json")
    assert answer.code == 0, answer.err
    assert answer.json["states"] == {"done": 1}
    assert "resumed after step" in (run / "events.log").read_text()
