"""`deeprg rg modes` and `deeprg rg pairs`: numbers of the probes, tables, figures, and what is refused."""

import numpy as np
import pytest

from deeprg.montecarlo.ensembles import Ensemble
from deeprg.probes import cluster_scaling, mode_flow


@pytest.fixture(scope="module")
def files(cli, tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for name, model, options in (
        ("ising", "ising", ("--temperature=critical,5.0", "-n", "2000", "--algorithm=wolff")),
        ("potts", "potts", ("--temperature=critical", "-n", "400")),
        ("xy", "xy", ("--temperature=1.0", "-n", "400")),
    ):
        answer = cli("simulate", model, "--size=8", *options, "--out", folder / f"{name}.zarr")
        assert answer.code == 0, answer.err
    field = rng.normal(size=(4000, 1))
    neurons = rng.random((4000, 32)) < 1 / (1 + np.exp(2.5 - field))
    still = neurons.astype(float)
    still[:, [3, 7]] = 1.0
    broken = neurons.astype(float)
    broken[5, 5] = np.nan
    slow = np.repeat(rng.normal(size=(40, 8)), 100, axis=0) + 0.3 * rng.normal(size=(4000, 8))
    for name, array in {
        "neurons": neurons,
        "real": rng.normal(size=(1000, 32)) + 3,
        "still": still,
        "broken": broken,
        "line": field[:, 0],
        "short": neurons[:150],
        "wide": rng.normal(size=(300, 200)),
        "slow": slow,
    }.items():
        np.save(folder / f"{name}.npy", array)
    return folder


def test_modes_of_spins_are_those_of_the_probe(cli, files, tmp_path):
    picture, path = tmp_path / "modes.png", files / "ising.zarr"
    found = cli("rg", "modes", "--with", path, "--temperature=critical", "--out", picture, "--json").json
    spins = Ensemble.open(path).configurations(0).reshape(-1, 64)
    expected = mode_flow(spins)
    assert found["flow"]["kept"] == expected.kept.tolist()
    np.testing.assert_allclose(found["flow"]["cumulant"], expected.cumulant, rtol=1e-6)
    np.testing.assert_allclose(found["flow"]["error"], expected.error, rtol=1e-6)
    assert (found["n"], found["units"], found["held_out"]) == (len(spins), 64, 0.5)
    assert found["flow"]["cumulant"][-1] < -1.5  # m at T_c has two peaks
    assert abs(found["control"]["cumulant"][-1]) < 5 * found["control"]["error"][-1]
    assert picture.stat().st_size > 10_000


def test_pairs_of_spins_are_those_of_the_probe(cli, files, tmp_path):
    picture, path = tmp_path / "pairs.png", files / "ising.zarr"
    found = cli("rg", "pairs", "--with", path, "--temperature=critical", "--out", picture, "--json").json
    spins = Ensemble.open(path).configurations(0).reshape(-1, 64)
    expected = cluster_scaling(spins > 0)  # down is silent
    for name in ("alpha", "beta", "mu"):
        assert found["clusters"][name]["value"] == pytest.approx(getattr(expected, name).value)
        assert found["clusters"][name]["error"] == pytest.approx(getattr(expected, name).error)
    assert found["clusters"]["clusters"] == expected.clusters.tolist()
    assert abs(found["clusters"]["alpha"]["value"] - 1.875) < 0.05
    for name in ("alpha", "beta"):
        assert abs(found["control"][name]["value"] - 1) < 4 * found["control"][name]["error"]
        data = found["clusters"][name]
        assert abs(data["value"] - 1) > 10 * data["error"]  # twin: the data are no control
    assert picture.stat().st_size > 10_000


def test_neurons_and_real_numbers_of_an_array(cli, files):
    answer = cli("rg", "pairs", "--with", files / "neurons.npy", "--steps=3")
    assert answer.code == 0, answer.err
    for text in (
        "α, variance ~ K^α",
        "β, −ln P(silent) ~ K^β",
        "μ, spectrum",
        "shuffled",
        "independent",
        "±",
    ):
        assert text in answer.out
    assert len(answer.out.splitlines()) == 5 + 1 + 2 + 4  # exponents, sizes 1, 2, 4, 8
    assert "4000 samples of 32 units" in answer.err
    assert "next: deeprg rg modes --with" in answer.err
    real = cli("rg", "pairs", "--with", files / "real.npy", "--json").json
    assert real["clusters"]["beta"] is None
    assert abs(real["clusters"]["alpha"]["value"] - 1) < 4 * real["clusters"]["alpha"]["error"]
    modes = cli("rg", "modes", "--with", files / "neurons.npy", "--kept=2,32,8", "--held-out=0.25")
    assert [line.split()[0] for line in modes.out.splitlines()[2:5]] == ["32", "8", "2"]
    assert "the last 1000 judge" in modes.err


def test_the_samples_that_chose_say_so_when_they_judge(cli, files):
    answer = cli("rg", "pairs", "--with", files / "real.npy", "--held-out=0", "--json")
    assert "warning: the samples that choose" in answer.err
    control = answer.json["control"]["alpha"]
    assert control["value"] - 1 > 4 * control["error"]


def test_slow_samples_are_called_slow(cli, files):
    assert "the errors are too small" in cli("rg", "pairs", "--with", files / "slow.npy").err
    assert "warning" not in cli("rg", "pairs", "--with", files / "neurons.npy", "--steps=1").err


def test_the_seed_shuffles_the_control(cli, files):
    one, two = (
        cli("rg", "modes", "--with", files / "neurons.npy", "--kept=4", f"--seed={seed}", "--json").json
        for seed in (1, 2)
    )
    assert one["flow"] == two["flow"]
    assert one["control"] != two["control"]


@pytest.mark.parametrize("command", ["modes", "pairs"])
@pytest.mark.parametrize(
    ("file", "options", "message"),
    [
        ("still.npy", (), "2 of 32 units"),
        ("broken.npy", (), "NaN or infinity"),
        ("line.npy", (), "[n, features] are needed"),
        ("short.npy", (), "200 rows"),
        ("wide.npy", (), "150 of 300 samples choose, too few for the covariance of 200 units"),
        ("nothing.npy", (), "nothing.npy"),
        ("neurons.npy", ("--temperature=2",), "leave --temperature out"),
        ("neurons.npy", ("--held-out=1",), "must be in [0, 1)"),
        ("neurons.npy", ("--held-out=nan",), "must be in [0, 1)"),
        ("neurons.npy", ("--held-out=0.001",), "few"),
        ("neurons.npy", ("--seed=-1",), "must not be negative"),
        ("neurons.npy", ("--out=picture.gif",), ".gif"),
        ("neurons.npy", ("--keep=3",), "--keep"),
        ("potts.zarr", (), "labels and have no covariance"),
        ("xy.zarr", (), "angles and have no covariance"),
        ("ising.zarr", (), "Choose one with --temperature"),
        ("ising.zarr", ("--temperature=all",), "need one temperature"),
    ],
)
def test_bad_input(cli, files, command, file, options, message):
    answer = cli("rg", command, "--with", files / file, *options)
    assert answer.code == 2
    assert message in answer.err
    assert "Traceback" not in answer.err
    assert answer.out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("modes", "--kept=8,x"), "numbers of modes, such as 128,64,32"),
        (("modes", "--kept=64"), "between 1 and the 32 modes"),
        (("modes", "--held-out=0"), "between 0 and 1"),
        (("pairs", "--steps=9"), "from 1 to 5 times, not 9"),
        (("pairs", "--steps=1.5"), "'1.5' is not a whole number"),
    ],
)
def test_bad_options_of_one(cli, files, arguments, message):
    answer = cli("rg", arguments[0], "--with", files / "neurons.npy", *arguments[1:])
    assert answer.code == 2
    assert message in answer.err
