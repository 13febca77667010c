"""`deeprg probe` and `deeprg wander` on a trained flow."""

import json

import numpy as np
import pytest


def test_correlations_of_latents(cli, tiny_run):
    answer = cli("probe", tiny_run.path, "--probes", "correlations", "--json")
    assert answer.code == 0
    assert answer.json["probes"]["correlations"]["largest"] < 0.5
    assert (tiny_run.path / "probe-correlations.png").exists()


def test_probes_of_one_seed_add_to_one_file(cli, tiny_run):
    def stored():
        return set(json.loads((tiny_run.path / "probe.json").read_text())["probes"])

    for name in ("kernels", "correlations"):
        answer = cli("probe", tiny_run.path, "--probes", name, "--seed", "7", "--json")
        assert set(answer.json["probes"]) == {name}
    assert stored() == {"kernels", "correlations"}
    with np.load(tiny_run.path / "probe.npz") as arrays:
        assert {"kernel_mean", "correlations"} <= set(arrays)
    assert cli("probe", tiny_run.path, "--probes", "correlations", "--seed", "8").code == 0
    assert stored() == {"correlations"}  # numbers of other draws do not stand beside these


@pytest.mark.parametrize(
    ("options", "message"), [(("--temperature", "2"), "Give --with"), (("--depth", "1"), "is for Boltzmann")]
)
def test_a_flow_has_one_target(cli, tiny_run, options, message):
    answer = cli("probe", tiny_run.path, *options)
    assert answer.code == 2
    assert message in answer.err


def test_weights_serve_no_other_hamiltonian(cli, tiny_run, tmp_path):
    out = tmp_path / "r"
    answer = cli(
        "train", "flow", "--from", tiny_run.path, "--hamiltonian", "phi4", "--steps", "1", "--out", out
    )
    assert answer.code == 2
    assert "serve no other Hamiltonian" in answer.err
    assert not out.exists()


@pytest.mark.slow
def test_longer_chains_keep_their_number(cli, tiny_run, tmp_path):
    """The default depends on the length, and an ensemble cannot change it on the way."""
    options = ("--method", "latent-hmc", "--thermalise", "5", "--out", tmp_path / "E.zarr")
    for count in ("160", "320"):
        answer = cli("sample", tiny_run.path, "-n", count, *options)
        assert answer.code == 0, answer.err
    assert "in each of 20 chains" in answer.err


@pytest.mark.slow
def test_probes_of_a_flow(cli, tiny_run):
    answer = cli("probe", tiny_run.path, "--json")
    assert answer.code == 0
    probes = answer.json["probes"]
    assert set(probes) == {"kernels", "correlations", "information", "couplings"}
    assert probes["information"]["largest_latent"] < probes["information"]["largest_physical"]
    assert probes["correlations"]["largest"] < 0.5
    levels = probes["couplings"]["levels"]
    assert [row["shape"] for row in levels] == [[4, 4], [2, 2]]
    assert levels[0]["detail_error"] == 0  # no details: the energy of the field itself
    assert levels[0]["explained"] > 0.5
    assert {file.name for file in tiny_run.path.glob("probe-*.png")} >= {
        f"probe-{name}.png" for name in probes
    }
    assert json.loads((tiny_run.path / "probe.json").read_text()) == answer.json
    with np.load(tiny_run.path / "probe.npz") as stored:
        assert stored["kernel_mean"].shape == (3, 4, 4)
        assert stored["latent"].shape == (16, 16)


@pytest.mark.slow
def test_wandering(cli, tiny_run):
    answer = cli("wander", tiny_run.path, "--steps", "5", "--json")
    assert answer.code == 0
    course = answer.json["magnetization_along_direction"]
    assert course[0] < 0 < course[-1]
    assert all(
        (tiny_run.path / f"wander-{kind}.png").exists() for kind in ("path", "mix", "direction", "wall")
    )
    assert (tiny_run.path / "wander-path.gif").read_bytes()[:6] == b"GIF89a"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["probe", "--probes", "kernel"], "Did you mean 'kernels'"),
        (["probe", "--depth", "1"], "for Boltzmann machines"),
        (["wander", "--steps", "1"], "take 2 or more"),
        (["wander", "--path", "curved"], "curved"),
    ],
)
def test_what_is_refused(cli, tiny_run, arguments, message):
    answer = cli(arguments[0], tiny_run.path, *arguments[1:])
    assert answer.code == 2
    assert message in answer.err


def test_fields_of_another_kind_are_refused(cli, tiny_run, tmp_path):
    np.save(tmp_path / "fields.npy", np.random.default_rng(0).normal(size=(100, 4, 4)))
    answer = cli("probe", tiny_run.path, "--with", tmp_path / "fields.npy", "--probes", "correlations")
    assert answer.code == 2
    assert "spins" in answer.err
