"""Belief networks on the command line: layers, their checkpoints, the bound, and what reads them."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.cli._boltzmann_setup import open_boltzmann, trained_network
from deeprg.coarsegrain.boltzmann import log_partition
from deeprg.runs.folder import RunFolder

TINY = ("--hidden=4,2", "--batch=20", "--chains=20", "--learning-rate=0.05", "--steps=60")


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Noisy stripes on 4x4."""
    rng = np.random.default_rng(0)
    stripes = rng.choice([-1, 1], (400, 1, 4)) * np.ones((1, 4, 1))
    path = tmp_path_factory.mktemp("data") / "rows.npy"
    np.save(path, np.where(rng.random(stripes.shape) < 0.1, -stripes, stripes).astype(np.int8))
    return path


@pytest.fixture(scope="module")
def run(rows, cli, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "dbn"
    answer = cli("train", "dbn", "--data", rows, *TINY, "--json", "--out", path)
    assert answer.code == 0, answer.err
    return path, answer


def test_layers_bound_and_reconstructions(run, rows):
    path, answer = run
    found = answer.json
    network = trained_network(*open_boltzmann(path))
    assert network.widths == (16, 4, 2)
    assert found["steps"] == 120
    for one, machine in zip(found["layers"], network.machines, strict=True):
        assert one["log_partition"]["value"] == pytest.approx(log_partition(machine), abs=1e-6)
    # ln p(v) itself, by summing over the layer between
    x = np.load(rows).reshape(400, 16).astype(float)
    lower, top = network.machines
    h = np.array([[a, b, c, d] for a in (1, -1) for b in (1, -1) for c in (1, -1) for d in (1, -1)], float)
    states = jnp.asarray(h, jnp.float32)
    log_top = -np.asarray(top.free_energy(states), np.float64) - log_partition(top)
    down = np.asarray(lower.visible_field(states), np.float64)
    log_down = x @ down.T - np.log(2 * np.cosh(down)).sum(axis=1)
    exact = np.logaddexp.reduce(log_down + log_top, axis=1).mean()
    bound = found["log_bound"]["train"]
    assert bound["value"] < exact + 3 * bound["error"] + 0.2
    assert bound["value"] > -16 * np.log(2)
    assert [one["units"] for one in found["reconstruction"]] == [4, 2]
    overlaps = [one["overlap"] for one in found["reconstruction"]]
    assert 1 > overlaps[0] > 0
    assert found["machine"].startswith("DBN 16-4-2 of spin and spin units")


def test_the_run_folder(run):
    path, answer = run
    assert (path / "ckpt" / "layer-1" / "last.eqx").exists()
    assert (path / "ckpt" / "layer-2" / "last.eqx").exists()
    records = RunFolder.open(path).metrics()
    assert [one["layer"] for one in records] == sorted(one["layer"] for one in records)
    assert records[-1]["step"] == 120
    assert "layer 2 of 2: 4 spin and 2 spin units" in answer.err


def test_a_stopped_run_continues_to_the_same_bits(cli, run, rows, tmp_path):
    path, answer = run
    out = tmp_path / "r"
    stopped = cli("train", "dbn", "--data", rows, *TINY, "--time-limit=1e-4", "--out", out)
    assert stopped.code == 75
    assert "deeprg train dbn --resume" in stopped.err
    resumed = cli("train", "dbn", "--resume", out, "--json")
    assert resumed.code == 0, resumed.err
    for key in ("layers", "log_bound", "reconstruction"):
        assert resumed.json[key] == answer.json[key]
    # the second layer again, from the finished first one
    (out / "ckpt" / "layer-2" / "last.eqx").unlink()
    again = cli("train", "dbn", "--resume", out, "--json")
    assert again.code == 0, again.err
    assert again.json["layers"] == answer.json["layers"]
    assert "is a run of deeprg train dbn" in cli("train", "rbm", "--resume", out).err
    assert path != out


def test_flow_probe_compare_report(cli, run, rows):
    path, _ = run
    flow = cli("flow", path, "--length", "4", "-n", "100", "--start", "cold", "--depth", "1", "--json")
    assert flow.code == 0, flow.err
    assert flow.json["depth"] == 1
    probe = cli("probe", path, "--probes", "vh,spectra,receptive", "--json")
    assert probe.code == 0, probe.err
    fields = probe.json["probes"]["receptive"]["layers"]
    assert [one["units"] for one in fields] == [4, 2]
    arrays = np.load(path / "probe.npz")
    first, second = (np.asarray(m.weights) for m in trained_network(*open_boltzmann(path)).machines)
    np.testing.assert_allclose(arrays["field_2"], (first @ second).T, atol=1e-5)
    assert arrays["vh"].shape == (2, 16)
    refused = cli("probe", path, "--probes", "couplings")
    assert refused.code == 2
    assert "take --depth 1" in refused.err
    answer = cli("compare", "average", f"{path}:depth=1", path, "--with", rows, "--json")
    assert answer.code == 0, answer.err
    assert [row["sites"] for row in answer.json["rows"]] == [4, 4, 2]
    report = cli("report", path)
    assert report.code == 0, report.err
    page = (path / "report.html").read_text()
    assert "Deep belief network 16-4-2" in page
    assert "Effective receptive fields of layer 2" in page
    assert "deeprg flow" in page
    diagnosis = cli("diagnose", path, "--json")
    assert diagnosis.code == 0, diagnosis.err
    assert json.loads(diagnosis.out)["run"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "dbn", "--data=ROWS", "--hidden=4,x", "--steps=5"), "no list of whole numbers"),
        (("train", "dbn", "--data=ROWS", "--hidden=4,0", "--steps=5"), "machine.hidden"),
        (("flow", "RUN", "--depth", "3"), "depth = 3 must be in 1 ... 2"),
        (("probe", "RUN", "--depth", "0"), "depth = 0"),
        (("compare", "RUN:side=2", "--with", "ROWS"), "is no option of a run"),
    ],
)
def test_bad_input(cli, run, rows, tmp_path, arguments, message):
    places = {"--data=ROWS": f"--data={rows}", "ROWS": rows, "RUN": run[0], "RUN:side=2": f"{run[0]}:side=2"}
    out = ("--out", tmp_path / "r") if arguments[0] == "train" else ()
    answer = cli(*(places.get(one, one) for one in arguments), *out)
    assert answer.code == 2, answer.err
    assert message in answer.err
    assert not (tmp_path / "r").exists()
