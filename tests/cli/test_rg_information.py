"""`deeprg rg information`: the rule, its figure and file, exponents of it, and what is refused."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def ensembles(cli, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rg")
    made = (
        ("ising", ("--size=8", "--temperature=critical", "-n", "20000", "--algorithm=swendsen-wang")),
        ("dimers", ("--size=8", "--temperature=5", "-n", "2000")),
    )
    for name, options in made:
        answer = cli("simulate", name, *options, "--out", folder / f"{name}.zarr")
        assert answer.code == 0, answer.err
    return folder


def test_a_block_spin_is_found_saved_and_used(cli, ensembles, tmp_path):
    saved, picture = tmp_path / "w.npy", tmp_path / "w.png"
    options = ("--environment=2", "--steps=600", "--save", saved, "--out", picture)
    answer = cli("rg", "information", "--with", ensembles / "ising.zarr", *options, "--json")
    assert answer.code == 0, answer.err
    found = answer.json
    weights = np.load(saved)
    assert weights.shape == (1, 2, 2)
    np.testing.assert_allclose(weights, found["filters"], rtol=1e-6)
    assert np.abs(weights).max() < 2 * np.abs(weights).min()
    assert 0.3 < found["retained"]["value"] < found["retained"]["bound"] <= np.log(2) + 1e-6
    assert picture.stat().st_size > 5000
    used = cli(
        "rg",
        "exponents",
        f"filter:{saved}",
        "--with",
        ensembles / "ising.zarr",
        "--even=1",
        "--odd=1",
        "--json",
    )
    assert used.code == 0, used.err
    assert abs(used.json["steps"][1]["exponents"][0][0] - 1.875) < 0.05


def test_the_table_says_bound_and_filters(cli, ensembles):
    answer = cli("rg", "information", "--with", ensembles / "ising.zarr", "--steps=50", "--hidden=2")
    assert answer.code == 0, answer.err
    for text in ("I(H:E), sharp hidden spins", "at most H(h)", "a lower bound", "filter 1"):
        assert text in answer.out


def test_dimers_are_bonds(cli, ensembles):
    options = ("--block=2x2", "--buffer=1", "--environment=1", "--steps=20", "--json")
    answer = cli("rg", "information", "--with", ensembles / "dimers.zarr", *options)
    assert answer.code == 0, answer.err
    assert np.shape(answer.json["filters"]) == (1, 2, 2, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--block=2x2x2",), "is none for the lattice"),
        (("--buffer=4",), "overlaps itself"),
        (("--buffer=3",), "leaves no environment"),
        (("--environment=3",), "overlaps itself"),
        (("--hidden=11",), "2^11 states"),
        (("--period=3",), "does not divide"),
        (("--save=w.txt",), "written as .npy"),
        (("--out=w.gif",), ".gif"),
        (("--width=4", "--out=w.png"), "no filters to draw"),
        (("--block=two",), "two"),
    ],
)
def test_bad_input(cli, ensembles, options, message):
    answer = cli("rg", "information", "--with", ensembles / "ising.zarr", "--steps=1", *options)
    assert answer.code == 2
    assert message in answer.err


@pytest.mark.parametrize(
    ("array", "message"),
    [(None, "cannot read"), (np.ones((2, 3)), "of one length"), (np.ones(2), "needs 2 axes")],
)
def test_filters_that_are_none(cli, ensembles, tmp_path, array, message):
    path = tmp_path / "w.npy"
    if array is not None:
        np.save(path, array)
    answer = cli("rg", "exponents", f"filter:{path}", "--with", ensembles / "ising.zarr", "--steps=1")
    assert answer.code == 2
    assert message.replace("cannot read", "cannot be read") in answer.err
