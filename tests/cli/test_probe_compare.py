"""Flows, probes and comparisons of a trained machine on the command line."""

import itertools
import json

import numpy as np
import pytest

from deeprg.cli._boltzmann_setup import open_boltzmann, trained_network
from deeprg.exact import enumerate_distribution
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice
from deeprg.montecarlo.ensembles import import_configurations
from deeprg.runs.folder import RunFolder

pytestmark = pytest.mark.slow

STATES = np.array(list(itertools.product([1.0, -1.0], repeat=16)))


@pytest.fixture(scope="module")
def spins():
    """Independent draws of the 4x4 Ising model."""
    law = enumerate_distribution(Ising(Lattice((4, 4)), temperature=2.5))
    rng = np.random.default_rng(0)
    return law.states[rng.choice(len(law.states), 1200, p=law.probabilities)].reshape(-1, 4, 4)


@pytest.fixture(scope="module")
def ensemble(spins, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    np.save(folder / "spins.npy", spins)
    import_configurations(folder / "spins.npy", folder / "E.zarr", model="ising", temperature=2.5)
    return folder / "E.zarr"


@pytest.fixture(scope="module", params=["spin", "binary"])
def run(request, ensemble, cli, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / request.param
    units = (f"--units={request.param}", f"--hidden-units={request.param}")
    options = ("--hidden=4", *units, "--steps=300", "--learning-rate=0.05", "--out", path)
    answer = cli("train", "rbm", "--data", ensemble, *options)
    assert answer.code == 0, answer.err
    return path


def arrays(path):
    (machine,) = trained_network(*open_boltzmann(path)).machines
    return [np.asarray(x, np.float64) for x in (machine.weights, machine.visible_bias, machine.hidden_bias)]


def action(path, x):
    """-F of spins ±1 [n, 16] by summing over the hidden states."""
    W, a, b = arrays(path)
    bits = path.name == "binary"
    hidden = np.array(list(itertools.product([0.0, 1.0] if bits else [-1.0, 1.0], repeat=len(b))))
    v = (x + 1) / 2 if bits else x
    return v @ a + np.log(np.exp(v @ W @ hidden.T + hidden @ b).sum(axis=1))


def law_after(path, rounds):
    """The law of all states after so many rounds v -> h -> v' from all up, by the chain of hidden states."""
    W, a, b = arrays(path)
    bits = path.name == "binary"
    hidden = np.array(list(itertools.product([0.0, 1.0] if bits else [-1.0, 1.0], repeat=len(b))))
    joint = ((STATES + 1) / 2 if bits else STATES) @ (W @ hidden.T + a[:, None]) + hidden @ b
    weights = np.exp(joint - joint.max())
    up, down = weights / weights.sum(axis=1, keepdims=True), weights / weights.sum(axis=0)
    law = up[0]  # the first state has all spins up
    for _ in range(rounds - 1):
        law = (down @ law) @ up
    return down @ law


def test_flow_against_the_exact_law_after_so_many_rounds(cli, run):
    answer = cli("flow", run, "--start", "cold", "--length", "30", "-n", "2000", "--json")
    assert answer.code == 0, answer.err
    assert list(answer.json["starts"]) == ["cold"]
    first, *_, last = (stage["observables"] for stage in answer.json["starts"]["cold"]["stages"])
    assert (first["abs_magnetization"]["value"], first["energy_per_site"]["value"]) == (1, -2)
    assert first["up"]["value"] == 1
    p = law_after(run, 30)
    m, grid = STATES.mean(axis=1), STATES.reshape(-1, 4, 4)
    energy = -sum((grid * np.roll(grid, 1, k)).mean(axis=(1, 2)) for k in (1, 2))
    exact = {
        "abs_magnetization": p @ np.abs(m),
        "energy_per_site": p @ energy,
        "up": p @ (0.5 + 0.5 * np.sign(m)),
        "susceptibility": 16 * (p @ m**2 - (p @ np.abs(m)) ** 2),
    }
    for name, value in exact.items():
        assert abs(last[name]["value"] - value) < 4 * last[name]["error"], name
    assert (
        abs(first["energy_per_site"]["value"] - exact["energy_per_site"])
        > 20 * last["energy_per_site"]["error"]
    )


def test_flow_from_all_starts_with_thermometers_and_a_control(cli, run, tmp_path):
    options = ("-n", "300", "--length", "600", "--every", "200")
    answer = cli("flow", run, *options, "--out", tmp_path / "f.png")
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[0].startswith("from")
    for words in ("ends from data and cold: the same", "from hot: T from |m|", "with W shuffled the end"):
        assert words in answer.out, words
    found = json.loads((run / "flow.json").read_text())
    assert list(found["starts"]) == ["data", "cold", "hot"]
    stages = found["starts"]["hot"]["stages"]
    assert [stage["rounds"] for stage in stages] == [0, 200, 400, 600]
    assert stages[0]["readings"]["e"]["temperature"] > 6
    data = found["starts"]["data"]["stages"][0]["readings"]
    for name in ("|m|", "e"):  # data of T = 2.5
        assert abs(data[name]["temperature"] - 2.5) < 4 * data[name]["error"]
    assert found["control"]["start"] == "data"
    assert not found["start_dependence"]["cold"]["dependent"]
    for path in (tmp_path / "f.png", run / "flow.png"):
        assert path.stat().st_size > 1000
    hot = cli("flow", run, "--start", "hot", "--start", "T=2.5", "--length", "1", "-n", "300", "--json").json
    energy = hot["starts"]["hot"]["stages"][0]["observables"]["energy_per_site"]
    assert abs(energy["value"]) < 5 * energy["error"]


def test_probes_against_numpy(cli, run, spins):
    answer = cli("probe", run, "--json")
    assert answer.code == 0, answer.err
    probes = answer.json["probes"]
    W, _, b = arrays(run)
    x = spins.reshape(-1, 16).astype(float)
    field = (x if run.name == "spin" else (x + 1) / 2) @ W + b
    h = np.tanh(field) if run.name == "spin" else 1 / (1 + np.exp(-field))
    maps = h.T @ x / len(x)
    assert probes["vh"]["raw"]["peak"] == pytest.approx(np.abs(maps).max(axis=1).mean(), abs=1e-5)
    np.testing.assert_allclose(np.load(run / "probe.npz")["vh"], maps, atol=1e-5)
    singular = np.linalg.svd(W, compute_uv=False)
    assert probes["spectra"]["singular_values"] == pytest.approx(singular.tolist())
    data = (spins * np.roll(spins, 1, 1)).mean() / 2 + (spins * np.roll(spins, 1, 2)).mean() / 2
    assert probes["two-point"]["spin_data"]["value"][1] == pytest.approx(data, abs=1e-5)
    assert probes["patterns"]["block_average"]["side"] == 2
    near = next(row for row in probes["couplings"]["pairs"] if row["r"] == 1)
    assert near["pairs"] == 32
    if run.name == "spin":
        f = action(run, STATES)
        pairs = [(i, 4 * (i // 4) + (i + 1) % 4) for i in range(16)] + [(i, (i + 4) % 16) for i in range(16)]
        wanted = np.mean([np.mean(f * STATES[:, i] * STATES[:, j]) for i, j in pairs])
        assert near["mean"] == pytest.approx(wanted, abs=1e-5)
    for name in ("vh", "patterns", "two-point", "spectra", "receptive", "couplings"):
        assert (run / f"probe-{name}.png").stat().st_size > 1000


def test_compare(cli, run, ensemble, spins, tmp_path):
    names = ("average", "majority:ties=first", "decimation", str(run))
    answer = cli("compare", *names, "--with", ensemble, "--json", "--out", tmp_path / "c.png")
    assert answer.code == 0, answer.err
    rows = {row["name"]: row for row in answer.json["rows"]}
    assert list(rows) == list(names)
    x = spins.astype(float)
    blocks = x.reshape(-1, 2, 2, 2, 2).mean(axis=(2, 4))
    maps = np.einsum("nab,nij->abij", blocks, x) / len(x)
    assert rows["average"]["peak"]["value"] == pytest.approx(maps.max(axis=(2, 3)).mean(), abs=1e-6)
    magnetization = rows["average"]["abs_magnetization"]
    assert magnetization["value"] == pytest.approx(np.abs(blocks.mean(axis=(1, 2))).mean(), abs=1e-6)
    assert rows["decimation"]["peak"]["value"] == 1
    assert rows["average"]["distance"] == 0
    assert rows[str(run)]["sites"] == 4
    assert rows["average"]["delta_spin"] is None
    assert rows["average"]["place"] is None
    assert sorted(rows[str(run)]["place"]["order"]) == [0, 1, 2, 3]
    assert (tmp_path / "c.png").stat().st_size > 1000
    table = cli("compare", "average", run, "--with", ensemble).out.splitlines()
    assert table[2].startswith("average")
    assert table[3].startswith(str(run))


@pytest.fixture(scope="module")
def strangers(tmp_path_factory):
    """A run of a flow, and configurations on another lattice and of other values."""
    folder = tmp_path_factory.mktemp("strangers")
    with RunFolder.create(folder / "flow", resolved={"flow": {}}) as made:
        made.set_status("done")
    rng = np.random.default_rng(0)
    np.save(folder / "six.npy", rng.choice([-1, 1], (100, 6, 6)))
    np.save(folder / "odd.npy", rng.choice([-1, 1], (100, 5, 5)))
    np.save(folder / "bits.npy", rng.choice([0, 1], (100, 4, 4)))
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("flow", "RUN", "--start", "warm"), "is not data, cold, hot"),
        (("flow", "RUN", "--start", "T=9"), "has no temperature 9"),
        (("flow", "RUN", "--length", "0"), "must be at least 1"),
        (("flow", "RUN", "-n", "5"), "too few"),
        (("flow", "RUN", "-n", "5000"), "has only 1200"),
        (("flow", "RUN", "--with", "six.npy"), "but the machine on 4x4"),
        (("flow", "flow"), "Boltzmann machines is needed"),
        (("flow", "RUN", "--out", "x.txt"), "must end in .png"),
        (("probe", "flow"), "the lattice is not given"),
        (("probe", "RUN", "--probes", "vh,spectrum"), "no probe 'spectrum'. Did you mean 'spectra'?"),
        (("probe", "RUN", "--with", "six.npy"), "Only coarse-grainings of one lattice"),
        (("probe", "RUN", "--with", "missing.zarr"), "there is no ensemble"),
        (("compare", "average"), "which configurations"),
        (("compare", "--with", "six.npy"), "compare what"),
        (("compare", "averag", "--with", "six.npy"), "Did you mean 'average'?"),
        (("compare", "average", "--with", "odd.npy"), "do not tile"),
        (("compare", "average:side=x", "--with", "six.npy"), "not a whole number"),
        (("compare", "average:steps", "--with", "six.npy"), "is no option"),
        (("compare", "average", "RUN", "--with", "six.npy"), "Only coarse-grainings of one lattice"),
        (("compare", "average", "flow", "--with", "six.npy"), "Boltzmann machines is needed"),
        (("compare", "majority", "--with", "bits.npy"), "spins ±1"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("run", ["spin"], indirect=True)
def test_bad_input(cli, run, strangers, arguments, message):
    places = {"RUN": run, **{file.name: file for file in strangers.iterdir()}}
    verb, *rest = arguments
    answer = cli(verb, *(places.get(one, one) for one in rest))
    assert answer.code == 2, answer.err
    assert message in answer.err
