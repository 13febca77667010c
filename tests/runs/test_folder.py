"""Run folders: never overwritten, never half-written, readable while alive."""

import errno
import json
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from deeprg.runs.atomic import jsonable, read_json, write_json, write_text
from deeprg.runs.environment import describe_environment, git_commit
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import RunFolder, find_runs
from deeprg.runs.metrics import MetricsLog, read_metrics, truncate_metrics


def fail(*arguments):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def tree(path):
    return sorted(str(p.relative_to(path)) for p in path.rglob("*"))


def test_create_and_open(tmp_path):
    environment = describe_environment(devices=["cpu:0"], seed=3)
    run = RunFolder.create(tmp_path / "deep" / "er", resolved={"seed": 3}, environment=environment)
    assert tree(run.path) == ["ckpt", "config.toml", "env.json", "resolved.json", "status.json"]
    again = RunFolder.open(run.path)
    assert again.resolved() == {"seed": 3}
    assert again.config() == "seed = 3\n"
    assert again.environment()["seed"] == 3
    assert again.results() is None
    run.write_results({"gap": 0.5, "ess": float("nan"), "shape": (4, 4)})
    assert again.results() == {"schema_version": 1, "gap": 0.5, "ess": None, "shape": [4, 4]}
    run.event("hello")
    assert (run.path / "events.log").read_text().endswith(" hello\n")
    given = RunFolder.create(tmp_path / "given", config="# mine\nseed = 3\n", resolved={"seed": 3})
    assert given.config() == "# mine\nseed = 3\n"


def test_numbers_go_up(tmp_path):
    (tmp_path / "main-007").mkdir()
    (tmp_path / "main-x").mkdir()
    names = [RunFolder.create(root=tmp_path, name=name).name for name in ("main", "main", "other")]
    assert names == ["main-008", "main-009", "other-001"]
    assert [run.name for run in find_runs(tmp_path)] == names
    assert RunFolder.open("main-008", root=tmp_path).name == "main-008"


def test_many_at_once_get_different_folders(tmp_path):
    names = []
    threads = [
        threading.Thread(target=lambda: names.append(RunFolder.create(root=tmp_path / "runs").name))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 16


def test_nothing_is_overwritten(tmp_path):
    RunFolder.create(tmp_path / "a")
    before = tree(tmp_path)
    with pytest.raises(UsageError, match=r"'.*a' exists and is not an empty folder.*--resume"):
        RunFolder.create(tmp_path / "a")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="exists and is not an empty folder"):
        RunFolder.create(tmp_path / "file")
    with pytest.raises(UsageError, match="'a b/c' cannot name a run"):
        RunFolder.create(name="a b/c", root=tmp_path)
    assert tree(tmp_path) == sorted([*before, "file"])
    (tmp_path / "empty").mkdir()
    assert RunFolder.create(tmp_path / "empty").name == "empty"


@pytest.mark.parametrize("broken", ["replace", "fsync"])
@pytest.mark.parametrize("options", [{"path": "p/q"}, {"root": "runs"}, {"path": "empty"}])
def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch, broken, options):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(UsageError, match=r"cannot write '.*': No space left"):
        RunFolder.create(**options)
    assert tree(tmp_path) == ["empty"]


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="cannot write"):
        RunFolder.create(tmp_path / "file" / "a")
    with pytest.raises(UsageError, match="cannot write"):
        RunFolder.create(root=tmp_path / "file" / "b")
    assert tree(tmp_path) == ["file"]


def test_a_value_that_cannot_be_stored_leaves_nothing(tmp_path):
    with pytest.raises(TypeError, match="cannot be stored"):
        RunFolder.create(tmp_path / "a", environment={"x": object()})
    assert tree(tmp_path) == []


def test_open_says_what_is_wrong(tmp_path):
    RunFolder.create(root=tmp_path, name="main")
    with pytest.raises(UsageError, match="is not a run folder"):
        RunFolder.open(tmp_path)
    with pytest.raises(UsageError, match="Did you mean 'main-001'"):
        RunFolder.open("man-001", root=tmp_path)
    with pytest.raises(UsageError, match="Runs in"):
        RunFolder.open("zzz", root=tmp_path)


def test_status_and_heartbeat(tmp_path, monkeypatch):
    run = RunFolder.create(tmp_path / "a")
    assert run.status()["state"] == "running"
    assert 0 <= run.status()["age"] < 5
    run.heartbeat(step=1)  # too soon
    assert "step" not in run.status()
    monkeypatch.setattr("deeprg.runs.folder._HEARTBEAT_SECONDS", 0.0)
    run.append_metrics({"step": 2})
    assert run.status()["step"] == 2
    (run.path / "status.json").write_text("{}")
    with pytest.raises(UsageError, match="is not the status of a run"):
        run.status()


@pytest.mark.parametrize(
    ("error", "state"), [(ValueError("x"), "failed"), (KeyboardInterrupt(), "interrupted")]
)
def test_an_exception_is_seen_in_the_status(tmp_path, error, state):
    run = RunFolder.create(tmp_path / "a")
    with pytest.raises(type(error)), run:
        raise error
    assert run.status()["state"] == state
    done = RunFolder.create(tmp_path / "b")
    done.set_status("done")
    with pytest.raises(type(error)), done:
        raise error  # after the end
    assert done.status()["state"] == "done"


def test_metrics_survive_a_kill_and_a_resume(tmp_path):
    run = RunFolder.create(tmp_path / "a")
    with run:
        for step in (10, 20, 30):
            run.append_metrics({"step": step, "loss": np.float32(step)})
    path = run.path / "metrics.jsonl"
    with open(path, "a") as file:
        file.write('{"step": 40, "lo')
    assert [r["step"] for r in run.metrics()] == [10, 20, 30]
    run.resume(20)
    run.append_metrics({"step": 30, "loss": 1.0})
    run.close()
    assert [r["step"] for r in RunFolder.open(run.path).metrics()] == [10, 20, 30]
    assert all(json.loads(line) for line in path.read_text().splitlines())
    path.write_text('{"step": 1}\ngarbage\n{"step": 2}\n')
    with pytest.raises(UsageError, match=r"metrics\.jsonl' is damaged at line 2"):
        run.metrics()


def test_a_truncated_last_line_with_a_newline_is_ignored_too(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text('{"step": 1}\n{"st\n')
    assert read_metrics(path) == [{"step": 1}]
    assert truncate_metrics(path, 5) == 1
    assert read_metrics(tmp_path / "none.jsonl") == []


def test_writing_stays_within_its_budget(tmp_path, monkeypatch):
    log = MetricsLog(tmp_path / "m.jsonl", budget=0.005)
    log.append({"step": 1})
    assert len(read_metrics(log.path)) == 1
    log._spent = 0.01  # as if the first write took 10 ms: quiet until 2 s have passed
    log.append({"step": 2})
    assert len(read_metrics(log.path)) == 1
    log._start = time.monotonic() - 3.0
    log.append({"step": 3})
    assert len(read_metrics(log.path)) == 3


def test_a_full_disk_tears_no_line(tmp_path, monkeypatch):
    log = MetricsLog(tmp_path / "m.jsonl")
    log.append({"step": 1})
    with pytest.raises(UsageError, match=r"cannot write '.*m\.jsonl': File too large"):
        _with_limit(lambda: [log.append({"step": i, "text": "x" * 500}) or log.flush() for i in range(50)])
    assert all(record["step"] >= 0 for record in read_metrics(log.path))
    assert log.path.read_bytes().endswith(b"\n")
    log.close()
    assert [r["step"] for r in read_metrics(log.path)][:3] == [1, 0, 1]


def test_an_existing_file_survives_a_full_disk(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(UsageError, match="File too large"):
        _with_limit(lambda: write_text(path, "x" * 100_000))
    assert read_json(path) == {"a": 1}
    assert tree(tmp_path) == ["x.json"]


def _with_limit(action):
    """Run `action` while no file may grow beyond 8000 bytes: a real failing write, also for root."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, limits[1]))
    try:
        action()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_json_problems(tmp_path):
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(UsageError, match=r"x\.json' is not valid JSON"):
        read_json(tmp_path / "x.json")
    with pytest.raises(UsageError, match="cannot read"):
        read_json(tmp_path / "y.json")
    assert jsonable({"a": np.arange(2), "b": np.float64("nan"), "c": {2, 1}, "d": True}) == {
        "a": [0, 1],
        "b": None,
        "c": [1, 2],
        "d": True,
    }


def test_environment_keeps_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    monkeypatch.setenv("XLA_FLAGS", "--xla_something")
    found = describe_environment(devices=[], argv=["/home/somebody/bin/deeprg", "train"])
    text = json.dumps(found)
    assert "hunter2" not in text
    assert "somebody" not in text
    assert found["argv"] == ["deeprg", "train"]
    assert found["variables"]["XLA_FLAGS"] == "--xla_something"
    assert found["packages"]["numpy"] == np.__version__
    assert describe_environment()["devices"][0].startswith("cpu")
    assert git_commit(tmp_path) is None


def test_git_commit_of_a_tracked_folder(tmp_path):
    def git(*arguments):
        options = ("-c", "user.name=x", "-c", "user.email=x@y", "-C", str(tmp_path))
        subprocess.run(["git", *options, *arguments], check=True, capture_output=True)

    git("init")
    (tmp_path / "__init__.py").write_text("")
    assert git_commit(tmp_path) is None  # inside a repository, but not tracked by it
    git("add", ".")
    git("commit", "-m", "x")
    clean = git_commit(tmp_path)
    assert len(clean["commit"]) == 40
    assert not clean["dirty"]
    (tmp_path / "__init__.py").write_text("x")
    assert git_commit(tmp_path)["dirty"]


def test_nothing_here_imports_jax():
    code = (
        "import sys, deeprg.runs.folder, deeprg.runs.schema, deeprg.runs.environment, deeprg.runs.metrics; "
        "sys.exit('jax' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
