"""The parts of a sweep one by one: curves, what Dask says, the leader; and machines as points."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from distributed.scheduler import KilledWorker

from deeprg.cli import _sweep_progress
from deeprg.cli._sweep_folder import Control, SweepFolder
from deeprg.cli._sweep_kind import SweepKind, assignments
from deeprg.cli._sweep_kinds import find_kind
from deeprg.cli._sweep_point import Job, run_point
from deeprg.cli._sweep_progress import Running, SweepProgress
from deeprg.cli._sweep_results import Row, curves
from deeprg.cli._sweeping import outcome_of
from deeprg.hamiltonians import CRITICAL_TEMPERATURE
from deeprg.runs.folder import RunFolder
from deeprg.runs.sweep import parse_axis


def new_sweep(folder: Path, kind: SweepKind, *grids: str) -> SweepFolder:
    """A sweep of which no point has begun."""
    config = folder / "any.toml"
    config.write_text("seed = 1\n")
    axes = [parse_axis(text) for text in grids]
    return SweepFolder.create(folder / "sweep", config=config, kind=kind, axes=axes, environment={})


def test_curves_are_drawn_over_the_first_numeric_axis_but_seeds(tmp_path):
    kind = find_kind({})
    sweep = new_sweep(tmp_path, kind, "seed=0:1", "flow.layout=mera,conditional", "size=4,8")
    rows = [
        Row(point, "done", None, {"gap": float(number), "gap_error": 0.5, "ess": 0.9}, "")
        for number, point in enumerate(sweep.points)
    ]
    axis, panels = curves(sweep, rows)
    assert axis == "size"
    assert list(panels) == ["gap (nats)", "ESS"]
    first, second = panels["gap (nats)"]
    assert (first.label, second.label) == ("layout mera", "layout conditional")
    assert (first.x, first.y, first.error) == ((4.0, 8.0, 4.0, 8.0), (0.0, 1.0, 4.0, 5.0), (0.5,) * 4)
    assert panels["ESS"][0].error == (None,) * 4
    words = SweepFolder(sweep.run, kind, (parse_axis("flow.layout=mera,conditional"),))
    assert curves(words, []) == ("", {})


@pytest.mark.parametrize(
    ("name", "resolved", "results"),
    [
        ("flow", {"hamiltonian": {"name": "ising", "shape": [4, 4], "temperature": "critical"}}, {}),
        ("mera", {"model": {"temperature": CRITICAL_TEMPERATURE}}, {}),
        ("rbm", {"data": {"temperature": "critical"}}, {"temperatures": [CRITICAL_TEMPERATURE]}),
    ],
)
def test_critical_is_drawn_at_the_temperature_of_the_finished_run(tmp_path, name, resolved, results):
    kind = find_kind({"kind": name})
    sweep = new_sweep(tmp_path, kind, "temperature=2.0,critical")
    run = RunFolder.create(sweep.folder("temperature-critical").path, resolved=resolved)
    run.write_results(results)
    found = {"gap": 0.5, "log_partition": {"value": 0.5}}
    axis, panels = curves(sweep, [Row(point, "done", None, found, "") for point in sweep.points])
    assert axis == "temperature"
    (curve,) = next(iter(panels.values()))
    assert curve.x == (2.0, pytest.approx(CRITICAL_TEMPERATURE))
    words = SweepFolder(sweep.run, kind, (parse_axis("seed=1,critical"),))
    assert curves(words, []) == ("", {})


def test_progress_is_said_when_it_changes(tmp_path, capsys, monkeypatch):
    at_work = iter([[], [], [Running("size-3", 0.5, 10, None)], [Running("size-3", 0.5, 11, None)], []])
    monkeypatch.setattr(_sweep_progress, "running", lambda sweep, names: next(at_work))
    monkeypatch.setattr(_sweep_progress, "_FIRST_PAUSE", 0.0)
    monkeypatch.setattr(_sweep_progress, "_LONGEST_PAUSE", 0.0)
    display = SweepProgress(new_sweep(tmp_path, find_kind({}), "size=3,4"))
    for done in (0, 0, 0, 0, 1):
        display.look([], f"{done} of 2 points done")
    assert capsys.readouterr().err.splitlines() == [
        "0 of 2 points done, 0 at work",
        "0 of 2 points done, 1 at work (size-3 50%)",
        "1 of 2 points done, 0 at work",
    ]


def test_help_and_the_process_of_a_worker_load_neither_jax_nor_dask():
    code = (
        "import sys, deeprg.cli._sweep_point; from deeprg.cli.main import main; main(['sweep', '--help']); "
        "print('LOADED', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.rpartition("LOADED")[2].split())
    assert not loaded & {"jax", "matplotlib", "dask", "distributed"}
    assert "--scheduler" in done.stdout


class _Ended:
    """A task of Dask that ended in an error."""

    status = "error"

    def __init__(self, error: Exception):
        self.error = error

    def exception(self) -> Exception:
        return self.error


def test_what_dask_says_of_a_task_becomes_an_outcome():
    killed = outcome_of(_Ended(KilledWorker("task", None, 3)))
    assert (killed.code, killed.message) == (1, "its worker died 4 times. Has it enough memory?")
    assert outcome_of(_Ended(ModuleNotFoundError("deeprg"))).message == "ModuleNotFoundError: deeprg"


def test_a_worker_that_sees_another_disk(tmp_path):
    outcome = run_point(Job(str(tmp_path), "elsewhere", "seed-0", "leader", 1))
    assert outcome.code == 2
    assert "does not see" in outcome.message


def test_the_word_of_the_leader(tmp_path):
    control = Control.lead(tmp_path)
    assert control.reason() is None
    control.stop("time")
    assert control.reason() == "time"
    Control.lead(tmp_path)
    assert control.reason() == "sigterm"  # somebody else leads now


MACHINE = """
kind = "rbm"

[data]
path = "{data}"

[machine]
hidden = 3
biases = false

[train]
epochs = 2
batch = [[0.0, 20], [0.5, 40]]
learning_rate = 0.05
chains = 20
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("machine")
    rows = folder / "rows.npy"
    np.save(rows, np.random.default_rng(0).choice([-1.0, 1.0], size=(200, 6)))
    path = folder / "rbm.toml"
    path.write_text(MACHINE.format(data=rows))
    return path


def test_settings_of_a_machine_become_flags(machine):
    kind = find_kind({"kind": "rbm"})
    settings = assignments(kind, {"hidden": 2, "seed": 1, "optimiser": "adam"})
    kind.check(machine, settings)
    arguments = kind.start(machine, settings, Path("run"))
    assert arguments[:2] == ["train", "rbm"]
    assert arguments[2].startswith("--data=/")
    assert arguments[3:] == [
        "--hidden=2", "--no-biases", "--epochs=2", "--batch=20,40@0.5", "--learning-rate=0.05",
        "--chains=20", "--seed=1", "--optimiser=adam", "--out", "run", "--json",
    ]  # fmt: skip
    assert assignments(find_kind({"kind": "dbn"}), {"hidden": [4, 2]}) == {"machine.hidden": [4, 2]}


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ("machine.hiden=3", "Did you mean 'hidden'?"),
        ("epochs=-1", "must be a positive number"),
        ("steps=5", "exclude each other"),
        ("data=nowhere.npy", "there is no 'nowhere.npy'"),
        ("hidden=0", "greater than or equal to 1"),
        ('data.checksum="x"', "cannot be set"),
    ],
)
def test_refusals_of_machines(cli, machine, tmp_path, grid, message):
    answer = cli("sweep", machine, "--grid", grid, "--out", tmp_path / "new")
    assert answer.code == 2
    assert message in answer.err
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_a_sweep_of_machines(cli, machine, tmp_path):
    answer = cli("sweep", machine, "--grid", "hidden=2,3", "--grid", "seed=0:1", "--out", tmp_path / "sweep")
    assert answer.code == 0, answer.err
    assert "held-out ln p" in answer.out
    assert (tmp_path / "sweep" / "sweep.png").exists()
    run = RunFolder.open(tmp_path / "sweep" / "hidden-3_seed-1")
    resolved, results = run.resolved(), run.results() or {}
    assert resolved["machine"] == {"hidden": [3], "units": "spin", "hidden_units": "spin", "biases": False}
    assert resolved["train"]["batch"] == [[0.0, 20], [0.5, 40]]
    assert (resolved["seed"], resolved["train"]["steps"]) == (1, round(2 * 180 / 30))
    for column in find_kind({"kind": "rbm"}).columns:
        assert isinstance(column.read(results)[0], float)


@pytest.mark.slow
def test_a_time_limit_saves_and_says_so(cli, machine, tmp_path):
    out = tmp_path / "sweep"
    answer = cli("sweep", machine, "--grid", "epochs=1000000", "--time-limit", "0.5", "--out", out, "--json")
    assert answer.code == 75, answer.err
    assert answer.json["states"] == {"interrupted": 1}
    run = RunFolder.open(out / "epochs-1000000")
    assert run.status()["state"] == "interrupted"
    assert (run.checkpoints / "last.eqx").exists()
    assert f"deeprg sweep --resume {out}" in answer.err


NETWORK = """
kind = "mera"

[model]
shape = [8, 8]
temperature = 2.5

[train]
steps = 5
"""


@pytest.fixture
def network(tmp_path) -> Path:
    path = tmp_path / "mera.toml"
    path.write_text(NETWORK)
    return path


def test_settings_of_a_network_become_flags(network):
    kind = find_kind({"kind": "mera"})
    settings = assignments(kind, {"size": 16, "model.options.field": 0.1, "width": 8, "seed": 1})
    kind.check(network, settings)
    assert kind.start(network, settings, Path("run")) == [
        "train", "mera", "ising", "field=0.1", "--shape", "16x16", "--temperature", "2.5",
        "--width=8", "--steps=5", "--seed=1", "--out", "run", "--json",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ("size=7", "Halving 7x7"),
        ("temperature=-1.0", "must be a positive number"),
        ("network.widht=3", "Did you mean 'network.width'?"),
        ("width=0", "greater than or equal to 1"),
        ('model="potts"', "take ising or random-bond"),
    ],
)
def test_refusals_of_networks(cli, network, tmp_path, grid, message):
    answer = cli("sweep", network, "--grid", grid, "--out", tmp_path / "new")
    assert answer.code == 2
    assert message in answer.err
    assert not (tmp_path / "new").exists()
