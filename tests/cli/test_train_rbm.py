"""Boltzmann machines on the command line: training, resumption, results, report, and what is refused."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from deeprg.cli._boltzmann_setup import open_boltzmann, trained_network
from deeprg.exact import enumerate_distribution
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice
from deeprg.montecarlo.ensembles import import_configurations
from deeprg.runs.folder import RunFolder

SPINS = np.array(list(itertools.product([1.0, -1.0], repeat=9)))
TINY = ("--hidden=3", "--batch=20", "--chains=20", "--learning-rate=0.05")


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    """Independent draws of the 3x3 Ising model at two temperatures."""
    folder, rng, files = tmp_path_factory.mktemp("data"), np.random.default_rng(0), []
    for number, temperature in enumerate((2.0, 3.0)):
        law = enumerate_distribution(Ising(Lattice((3, 3)), temperature=temperature))
        files.append(folder / f"{number}.npy")
        np.save(files[-1], law.states[rng.choice(len(law.states), 1000, p=law.probabilities)])
    path = folder / "E.zarr"
    import_configurations(files, path, model="ising", temperature=(2.0, 3.0))
    return path


@pytest.fixture(scope="module")
def run(ensemble, cli, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "rbm"
    arguments = ("--data", ensemble, "--temperature", "3", *TINY, "--steps=400", "--json", "--out", path)
    answer = cli("train", "rbm", *arguments)
    assert answer.code == 0, answer.err
    return path, answer


def machine_of(path):
    (machine,) = trained_network(*open_boltzmann(path)).machines
    return machine


def log_weights(machine):
    """-F(v) of all states of 9 spins, by summing over every hidden state."""
    W, a, b = (
        np.asarray(x, np.float64) for x in (machine.weights, machine.visible_bias, machine.hidden_bias)
    )
    hidden = np.array(list(itertools.product([1.0, -1.0], repeat=len(b))))
    return SPINS @ a + np.log(np.exp(SPINS @ W @ hidden.T + hidden @ b).sum(axis=1))


def test_results_against_sums_over_all_states(run):
    path, answer = run
    results = answer.json
    machine = machine_of(path)
    weights = log_weights(machine)
    log_z = np.log(np.exp(weights).sum())
    assert results["log_partition"]["method"] == "exact"
    assert results["log_partition"]["value"] == pytest.approx(log_z, abs=1e-6)
    energy = np.array([-sum((x * np.roll(x, 1, k)).sum() for k in (0, 1)) for x in SPINS.reshape(-1, 3, 3)])
    p = np.exp(-energy / 3.0)
    p /= p.sum()
    assert results["kl"] == pytest.approx(p @ (np.log(p) - weights + log_z), abs=1e-5)
    assert 0 < results["kl"] < 0.3
    value, error = (results["log_likelihood"]["held_out"][part] for part in ("value", "error"))
    assert abs(value - p @ (weights - log_z)) < 4 * error  # 100 draws of the law itself
    singular = np.linalg.svd(np.asarray(machine.weights, np.float64), compute_uv=False)
    assert results["singular_values"] == pytest.approx(singular.tolist())
    assert (results["rows"], results["held_out_rows"], results["steps"]) == (900, 100, 400)


def test_the_run_folder(run):
    path, answer = run
    names = {file.name for file in path.iterdir()}
    wanted = {
        "config.toml",
        "resolved.json",
        "env.json",
        "metrics.jsonl",
        "results.json",
        "status.json",
        "ckpt",
    }
    assert wanted <= names
    folder = RunFolder.open(path)
    assert folder.status()["state"] == "done"
    last = folder.metrics()[-1]
    assert {"reconstruction_error", "pseudo_likelihood", "free_energy_gap", "singular_value_1"} <= last.keys()
    exact = answer.json["log_partition"]["value"]
    assert abs(last["log_partition"] - exact) < 5 * last["log_partition_error"]
    assert json.loads((path / "results.json").read_text()) == answer.json
    assert "compiled the step for batch 20 in" in answer.err
    assert "reconstruction" in answer.err
    assert f"next: deeprg probe {path}" in answer.err


def test_a_stopped_run_continues_to_the_same_bits(cli, run, ensemble, tmp_path):
    path, _ = run
    arguments = ("--data", ensemble, "--temperature", "3", *TINY, "--steps=400", "--time-limit=1e-4")
    stopped = cli("train", "rbm", *arguments, "--out", tmp_path / "r")
    assert stopped.code == 75
    assert "--resume" in stopped.err
    resumed = cli("train", "rbm", "--resume", tmp_path / "r")
    assert resumed.code == 0, resumed.err
    same(path, tmp_path / "r")
    assert "ln Z (exact)" in resumed.out


def same(first, second):
    pair = [machine_of(path) for path in (first, second)]
    for one, other in zip(*map(jax.tree.leaves, pair), strict=True):
        np.testing.assert_array_equal(one, other)
    numbers = [RunFolder.open(path).results() for path in (first, second)]
    for key in ("log_partition", "log_likelihood", "pseudo_likelihood", "kl", "reconstruction_error"):
        assert numbers[0][key] == numbers[1][key]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_signals(cli, ensemble, tmp_path, kind):
    arguments = ["--data", str(ensemble), "--temperature", "0", *TINY, "--steps=20000"]
    command = [
        sys.executable,
        "-m",
        "deeprg.cli.main",
        "train",
        "rbm",
        *arguments,
        "--checkpoint-seconds=0.1",
    ]
    environment = {**os.environ, "JAX_ENABLE_X64": "1"}
    path = tmp_path / "killed"
    process = subprocess.Popen([*command, "--out", str(path)], env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (path / "ckpt" / "last.eqx").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(kind)
    assert process.wait(120) == {signal.SIGKILL: -9, signal.SIGTERM: 75, signal.SIGINT: 130}[kind]
    subprocess.run([*command[:5], "--resume", str(path)], env=environment, check=True, capture_output=True)
    subprocess.run(
        [*command, "--out", str(tmp_path / "whole")], env=environment, check=True, capture_output=True
    )
    same(path, tmp_path / "whole")


def test_binary_units_read_spins_and_bits(cli, tmp_path):
    rng = np.random.default_rng(1)
    bits = (rng.random((300, 6)) < 0.7).astype(int)
    for name, rows in (("bits", bits), ("spins", 2 * bits - 1)):
        np.save(tmp_path / f"{name}.npy", rows)
    found = [
        cli("train", "rbm", "--data", tmp_path / f"{name}.npy", *TINY, "--units=binary",
            "--hidden-units=binary", "--epochs=5", "--json", "--out", tmp_path / name).json
        for name in ("bits", "spins")
    ]  # fmt: skip
    assert found[0]["log_likelihood"] == found[1]["log_likelihood"]
    assert found[0]["steps"] == round(5 * 270 / 20)
    assert found[0]["kl"] is None


@pytest.mark.slow
def test_other_settings(cli, tmp_path):
    rows = np.random.default_rng(1).integers(0, 3, (200, 5))
    np.save(tmp_path / "colours.npy", rows)
    options = ("--units=potts:3", "--algorithm=cd", "--k=2", "--optimiser=adam", "--l1=1e-4", "--l2=1e-3")
    more = ("--centred", "--no-biases", "--held-out=0", "--steps=20", "--json")
    answer = cli(
        "train",
        "rbm",
        "--data",
        tmp_path / "colours.npy",
        *TINY[:3],
        *options,
        *more,
        "--out",
        tmp_path / "r",
    )
    assert answer.code == 0, answer.err
    assert answer.json["log_likelihood"]["held_out"] is None
    machine = machine_of(tmp_path / "r")
    assert machine.weights.shape == (15, 3)
    assert not np.any(machine.visible_bias)
    gaussian = cli("train", "rbm", "--data", tmp_path / "colours.npy", *TINY[:3], "--units=gaussian:0.5",
                   "--learning-rate=0.001", "--steps=20", "--json", "--out", tmp_path / "g")  # fmt: skip
    assert gaussian.code == 0, gaussian.err
    assert gaussian.json["pseudo_likelihood"]["train"] is None


@pytest.mark.slow
def test_too_many_units_are_annealed(cli, tmp_path):
    np.save(tmp_path / "rows.npy", np.random.default_rng(1).choice([-1, 1], (100, 30)))
    options = ("--hidden=26", "--steps=1", "--learning-rate=1e-9", "--ais-temperatures=20", "--ais-chains=40")
    answer = cli(
        "train",
        "rbm",
        "--data",
        tmp_path / "rows.npy",
        *options,
        "--no-biases",
        "--json",
        "--out",
        tmp_path / "r",
    )
    assert answer.code == 0, answer.err
    assert "too many to enumerate" in answer.err
    found = answer.json["log_partition"]
    assert found["method"] == "ais"
    back = found["reverse"]
    assert abs(back["value"] - found["value"]) < 5 * (back["error"] + found["error"]) + 1e-4
    # W has entries of 0.01: ln Z = 56 ln 2 + sum W^2/2, corrections far below.
    weights = np.asarray(machine_of(tmp_path / "r").weights, np.float64)
    assert abs(found["value"] - 56 * np.log(2) - (weights**2).sum() / 2) < max(5 * found["error"], 1e-4)


def test_report_diagnose_list_and_cite(cli, run):
    path, _ = run
    report = cli("report", path)
    assert report.code == 0, report.err
    page = (path / "report.html").read_text()
    assert "Restricted Boltzmann machine" in page
    assert page.count("<img") == 7
    diagnosis = cli("diagnose", path, "--strict", "--json")
    assert diagnosis.code == 0, diagnosis.out
    assert "overfitting" in diagnosis.json["checks"]
    assert "held-out ln p" in cli("list", "runs", "--root", path.parent).out
    assert "gaussian" in cli("list", "units").out
    assert "kidger2021equinox" in cli("cite", path).out
    assert "a flow on a Hamiltonian is needed" in cli("sample", path, "-n", "100").err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--steps=5",), "which data"),
        (("--data=E", "--temperature=3"), "how long to train"),
        (("--data=E", "--steps=5"), "has 2 temperatures"),
        (("--data=E", "--steps=5", "--temperature=2.5"), "has no temperature 2.5"),
        (("--data=E", "--steps=5", "--temperature=hot"), "no number, 'critical' or 'all'"),
        (("--data=E", "--steps=5", "--epochs=5", "--temperature=3"), "exclude each other"),
        (("--data=E", "--steps=5", "--temperature=3", "--units=spn"), "unknown"),
        (("--data=E", "--steps=5", "--temperature=3", "--units=potts:x"), "--units potts:x"),
        (("--data=E", "--steps=5", "--temperature=3", "--held-out=1"), "held_out"),
        (("--data=E", "--steps=5", "--temperature=3", "--hidden=0"), "machine.hidden"),
        (("--data=E", "--steps=5", "--temperature=3", "--batch=ten"), "--batch ten"),
        (("--data=E", "--steps=5", "--temperature=3", "--batch=20,40@0"), "others later and in order"),
        (("--data=BITS", "--steps=5"), "spin units take -1 and +1"),
        (("--data=GREY", "--steps=5", "--units=binary"), "binary units take 0 and 1"),
        (("--data=missing.npy", "--steps=5"), "cannot read"),
        (("--data=missing.txt", "--steps=5"), "there is no such file"),
        (("--resume=missing",), "no run folder"),
    ],
)  # fmt: skip
def test_bad_input(cli, ensemble, tmp_path, arguments, message):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "bits.npy", rng.integers(0, 2, (50, 4)))
    np.save(tmp_path / "grey.npy", rng.random((50, 4)))
    places = {
        "--data=E": ensemble,
        "--data=BITS": tmp_path / "bits.npy",
        "--data=GREY": tmp_path / "grey.npy",
    }
    given = [f"--data={places[one]}" if one in places else one for one in arguments]
    out = () if arguments[0].startswith("--resume") else ("--out", tmp_path / "r")
    answer = cli("train", "rbm", *given, *out)
    assert answer.code == 2, answer.err
    assert message in answer.err
    assert not (tmp_path / "r").exists()


def test_resuming_keeps_the_settings_and_the_data(cli, run, tmp_path):
    path, _ = run
    assert "keeps its settings" in cli("train", "rbm", "--resume", path, "--steps=5").err
    rows = np.random.default_rng(0).choice([-1, 1], (50, 4))
    np.save(tmp_path / "rows.npy", rows)
    options = (*TINY, "--steps=5", "--out", tmp_path / "r")
    assert cli("train", "rbm", "--data", tmp_path / "rows.npy", *options).code == 0
    np.save(tmp_path / "rows.npy", -rows)
    answer = cli("train", "rbm", "--resume", tmp_path / "r")
    assert answer.code == 2
    assert "has changed" in answer.err
