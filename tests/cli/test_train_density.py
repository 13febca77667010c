"""Flows fitted to data on the command line: judgement, resumption, results, and what is refused."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.cli._setup import open_run, trained
from deeprg.exact import enumerate_distribution, phi4_ring
from deeprg.hamiltonians import ContinuousDual, Ising
from deeprg.lattice import Lattice
from deeprg.montecarlo.ensembles import import_configurations
from deeprg.runs.folder import RunFolder

TINY = (
    "--batch=64", "checkpoint_seconds=0.01", "flow.scalar=affine", "flow.width=4", "flow.depth=1",
    "flow.disentanglers=0", "flow.colours=1", "train.learning_rate=0.01", "train.warmup=0",
)  # fmt: skip
T, SHIFT = 5.0, 1.0
LATTICE = Lattice((4, 4))


def draws(temperature, n, seed):
    law = enumerate_distribution(Ising(LATTICE, temperature=temperature))
    chosen = np.random.default_rng(seed).choice(len(law.states), n, p=law.probabilities)
    return law.states[chosen].astype(np.int8)


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    """Independent draws of the 4x4 Ising model at two temperatures."""
    folder, files = tmp_path_factory.mktemp("data"), []
    for number, temperature in enumerate((T, 4.0)):
        files.append(folder / f"{number}.npy")
        np.save(files[-1], draws(temperature, 3000, number))
    path = folder / "E.zarr"
    import_configurations(files, path, model="ising", temperature=(T, 4.0))
    return path


@pytest.fixture(scope="module")
def arguments(ensemble):
    return ("--data", ensemble, "--temperature=5", f"--shift={SHIFT}", "--ess=2000", "--steps=900", *TINY)


@pytest.fixture(scope="module")
def run(arguments, cli, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "ising"
    answer = cli("train", "flow", *arguments, "--json", "--out", path)
    assert answer.code == 0, answer.err
    return path, answer


def test_forward_divergence_by_brute_force(run):
    """KL(π|q) of the stored weights against fresh exact fields and a ln Z that is a sum over all states."""
    path, answer = run
    found = answer.json["data"]
    setup = open_run(RunFolder.open(path))
    assert (found["rows"], found["validation_rows"], found["test_rows"]) == (2400, 300, 300)
    ising = Ising(LATTICE, temperature=T)
    dual = ContinuousDual(ising, shift=SHIFT)
    assert setup.hamiltonian.describe() == dual.describe()
    law = enumerate_distribution(ising)
    weights = -np.asarray(jax.vmap(ising.energy)(jnp.asarray(law.states, jnp.float64)))
    log_z = weights.max() + np.log(np.exp(weights - weights.max()).sum()) + dual.log_partition_constant
    spins = jnp.asarray(draws(T, 20_000, 77), jnp.float64)
    keys = jax.random.split(jax.random.key(9), len(spins))
    x = jax.vmap(lambda s, k: dual.sample_given_spins(s, key=k))(spins, keys)
    log_pi = np.asarray(-jax.vmap(dual.energy)(x)) - log_z
    flow = trained(RunFolder.open(path), setup)
    log_q = np.asarray(flow.log_prob(jnp.moveaxis(x, 0, -1).astype(jnp.float32)))
    paired = log_pi - log_q
    brute, error = paired.mean(), paired.std() / np.sqrt(len(paired))
    kl = found["kl"]
    assert kl["log_partition"] == "exact"
    assert abs(kl["value"] - brute) < 3 * np.hypot(kl["error"], error)
    assert 0 < kl["value"] < 2.0
    assert kl["error"] < 0.1
    assert kl["bits"] == pytest.approx(kl["value"] / np.log(2))
    # What the paired estimate is good for: -ln q alone has a larger error.
    assert found["nll"]["error"] > 1.5 * kl["error"]
    assert 0 < found["ess_forward"] < 1


def test_training_lowers_the_divergence(run):
    records = RunFolder.open(run[0]).metrics()
    assert records[0]["held_out_kl"] > 2 * records[-1]["held_out_kl"]
    assert records[-1]["held_out_kl"] < 2.0
    assert "KL(π|q)" in run[1].err
    assert "2400 to train on" in run[1].err


@pytest.mark.slow
def test_the_hamiltonian_judges_as_after_a_training_on_it(run, cli):
    path, answer = run
    results = answer.json
    assert abs(results["log_partition"] - results["exact_log_partition"]) < 5 * results["log_partition_error"]
    assert 0.1 < results["ess"] < 1
    assert json.loads((path / "results.json").read_text()) == results
    sampled = cli("sample", path, "-n", "500", "--json")
    assert sampled.code == 0, sampled.err
    report = cli("report", path)
    assert report.code == 0, report.err
    assert "KL(π|q)" in cli("train", "flow", "--resume", path).out
    assert cli("diagnose", path).code == 0


@pytest.mark.slow
def test_a_stopped_run_continues_to_the_same_bits(run, arguments, cli, tmp_path):
    path, _ = run
    stopped = cli("train", "flow", *arguments, "--time-limit=1e-4", "--out", tmp_path / "r")
    assert stopped.code == 75, stopped.err
    resumed = cli("train", "flow", "--resume", tmp_path / "r")
    assert resumed.code == 0, resumed.err
    pair = [trained(RunFolder.open(p), open_run(RunFolder.open(p))) for p in (path, tmp_path / "r")]
    for one, other in zip(*map(jax.tree.leaves, pair), strict=True):
        np.testing.assert_array_equal(one, other)
    numbers = [RunFolder.open(p).results() for p in (path, tmp_path / "r")]
    for key in ("nll", "nll_seen", "kl", "ess_forward"):
        assert numbers[0]["data"][key] == numbers[1]["data"][key]


@pytest.mark.slow
def test_spins_of_an_array_are_the_same_data(arguments, cli, tmp_path, ensemble):
    np.save(tmp_path / "spins.npy", draws(T, 3000, 0))
    more = ("--data", tmp_path / "spins.npy", "--hamiltonian=ising", *arguments[2:], "--json")
    answer = cli("train", "flow", *more, "--out", tmp_path / "r")
    assert answer.code == 0, answer.err
    assert answer.json["data"]["kind"] == "spins"
    assert answer.json["data"]["kl"]["value"] < 2.0


@pytest.mark.slow
def test_an_ensemble_of_phi4_against_the_transfer_operator(cli, tmp_path):
    """Fitted to fields alone, the flow knows ln Z and <phi^2> of the action, which the ring has exactly."""
    model = ("--shape=8", "mass_squared=-1", "quartic=1")
    drawn = cli("simulate", "phi4", *model, "-n", "20000", "--out", tmp_path / "E.zarr")
    assert drawn.code == 0, drawn.err
    size = ("flow.width=16", "flow.depth=1", "flow.disentanglers=1", "--batch=256", "--steps=600")
    answer = cli("train", "flow", "--data", tmp_path / "E.zarr", *size, "--json", "--out", tmp_path / "r")
    assert answer.code == 0, answer.err
    found = answer.json
    assert found["exact_source"] == "1D transfer operator"
    assert found["ess"] > 0.9
    assert abs(found["log_partition_pull"]) < 3.5
    assert abs(found["observables"]["field_squared"]["pull"]) < 3.5
    assert found["log_partition_error"] < 0.003
    kl = found["data"]["kl"]
    assert kl["log_partition"] == "exact"
    assert 0 < kl["value"] < 0.1
    assert kl["error"] < 0.03
    # Twin: another coupling is another action, and the weights say so.
    other = phi4_ring(8, mass_squared=-1.0, quartic=1.1).log_partition
    assert abs(found["log_partition"] - other) > 20 * found["log_partition_error"]


@pytest.mark.slow
def test_real_fields_and_images(cli, tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "fields.npy", rng.normal(size=(400, 4, 4)) * 3 + 1)
    options = ("--steps=200", *TINY, "--json")
    plain = cli("train", "flow", "--data", tmp_path / "fields.npy", *options, "--out", tmp_path / "a")
    assert plain.code == 0, plain.err
    found = plain.json["data"]
    truth = 16 * 0.5 * np.log(2 * np.pi * np.e * 9)
    assert found["kind"] == "arrays"
    assert "kl" not in found
    assert abs(found["nll"]["value"] - truth) < 4 * found["nll"]["error"] + 1.0
    images = rng.integers(0, 4, size=(400, 4, 4))
    np.save(tmp_path / "images.npy", images)
    more = ("--data", tmp_path / "images.npy", "--levels=4", *options)
    answer = cli("train", "flow", *more, "--out", tmp_path / "b")
    assert answer.code == 0, answer.err
    bits = answer.json["data"]["bits"]
    assert 2 - 4 * bits["error"] < bits["value"] < 2.5  # the entropy is 2; smooth maps miss the edges
    assert "deeprg sample, report and diagnose read it" in cli("probe", tmp_path / "b").err
    # The data of a run must stay what they were.
    np.save(tmp_path / "images.npy", 3 - images)
    changed = cli("train", "flow", "--resume", tmp_path / "b")
    assert changed.code == 2
    assert "has changed" in changed.err


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Arrays that are refused, by name."""
    folder, rng = tmp_path_factory.mktemp("bad"), np.random.default_rng(0)
    spins = draws(T, 200, 0)
    arrays = {
        "SPINS": spins,
        "FEW": spins[:99],
        "HALVES": 0.5 * rng.integers(0, 4, (200, 4, 4)),
        "LEVELS": rng.integers(0, 17, (200, 4, 4)),
        "NEGATIVE": rng.integers(-2, 2, (200, 4, 4)),
        "REALS": rng.normal(size=(200, 4, 4)),
        "NAN": np.where(np.arange(16).reshape(4, 4) == 3, np.nan, rng.normal(size=(200, 4, 4))),
        "WIDE": rng.normal(size=(200, 7, 7)),
        "ZEROS": np.maximum(rng.normal(size=(200, 4, 4)), 0),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ("SPINS", (), "spins ±1, which have no density"),
        ("SPINS", ("--hamiltonian=phi4",), "spins ±1, which have no density"),
        ("SPINS", ("--levels=2",), "integers from -1 to 1"),
        ("FEW", ("--temperature=4",), "holds 99 configurations; a density needs 100"),
        ("HALVES", ("--levels=4",), "5, but --levels 4 asks for the integers 0 ... 3"),
        ("HALVES", (), "4 different values"),
        ("LEVELS", ("--levels=16",), "from 0 to 16, but --levels 16 allows 0 ... 15. Take --levels 17"),
        ("LEVELS", ("--levels=1",), "data.levels = 1"),
        ("LEVELS", ("--levels=17", "--hamiltonian=phi4"), "leave hamiltonian.name out"),
        ("LEVELS", (), "Give --levels 17"),
        ("NEGATIVE", ("--levels=4",), "Shift them to begin at 0"),
        ("ZEROS", (), "0 in"),
        ("REALS", ("--temperature=3",), "needs spins -1 and +1"),
        ("REALS", ("--hamiltonian=ising", "--temperature=4"), "needs spins -1 and +1"),
        ("REALS", ("--size=8",), "hamiltonian.shape is 8x8, but the data in"),
        ("REALS", ("hamiltonian.quartic=2",), "hamiltonian.quartic is given, but not which"),
        ("REALS", ("--held-out=0.01",), "--held-out 0.01 of 200 configurations leaves 1"),
        ("REALS", ("--held-out=1",), "data.held_out = 1"),
        ("REALS", ("flow.symmetry=odd",), "so the symmetry cannot be 'odd'"),
        ("NAN", (), "holds NaN"),
        ("WIDE", (), "27 at most"),
        ("MISSING", (), "cannot read"),
        ("E", (), "has 2 temperatures. Choose one with --temperature, by its value or its number"),
        ("E", ("--temperature=2.5",), "has no temperature 2.5"),
        ("E", ("--temperature=all",), "is no number or 'critical'"),
        ("E", ("--temperature=4", "--levels=2"), "--levels 2 is for images"),
        ("E", ("--temperature=4", "--hamiltonian=phi4"), "hamiltonian.name is phi4, but the data in"),
        ("E", ("--temperature=4", "hamiltonian.field=0.5"), "hamiltonian.field is 0.5, but the data in"),
        ("E", ("--temperature=4", "--shift=-1"), "shift"),
        (None, ("--levels=17",), "data.path"),
    ],
)  # fmt: skip
def test_bad_input(cli, ensemble, files, tmp_path, data, options, message):
    path = ensemble if data == "E" else files / f"{data}.npy"
    given = () if data is None else ("--data", path)
    answer = cli("train", "flow", *given, *options, "--steps=5", *TINY, "--out", tmp_path / "r")
    assert answer.code == 2, answer.err
    assert message in answer.err
    assert not (tmp_path / "r").exists()


def test_other_models_have_no_density(cli, tmp_path):
    np.save(tmp_path / "colours.npy", np.random.default_rng(0).integers(0, 3, (200, 4, 4)))
    options = {"model": "potts", "temperature": (1.0,), "options": {"states": 3}}
    import_configurations([tmp_path / "colours.npy"], tmp_path / "E.zarr", **options)
    answer = cli("train", "flow", "--data", tmp_path / "E.zarr", "--steps=5", "--out", tmp_path / "r")
    assert answer.code == 2
    assert "is an ensemble of the model 'potts'" in answer.err


def test_print_config_names_the_data_as_a_source(cli, ensemble, tmp_path):
    answer = cli("train", "flow", "--data", ensemble, "--temperature=1", "--steps=5", "--print-config")
    assert answer.code == 0, answer.err
    line = next(row for row in answer.out.splitlines() if row.startswith("hamiltonian.temperature = "))
    assert line.startswith("hamiltonian.temperature = 4.0")
    assert f"# data {ensemble.resolve()}" in line
