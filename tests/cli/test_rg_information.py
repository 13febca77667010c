"""`deeprg rg information`: the rule, its figure and file, exponents of it, and what is refused."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def ensembles(cli, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rg")
    made = (
        ("ising", ("--size=8", "--temperature=critical", "-n", "20000", "--algorithm=swendsen-wang")),
        ("dimers", ("--size=8", "--temperature=5", "-n", "2000")),
        ("potts", ("--size=8", "--temperature=critical", "-n", "2000")),
        ("curve", ("--size=4", "--temperature=1.5,3,8", "-n", "20000", "--algorithm=swendsen-wang")),
    )
    for name, options in made:
        model = "ising" if name == "curve" else name
        answer = cli("simulate", model, *options, "--out", folder / f"{name}.zarr")
        assert answer.code == 0, answer.err
    return folder


def test_a_block_spin_is_found_saved_and_used(cli, ensembles, tmp_path):
    saved, picture = tmp_path / "w.npy", tmp_path / "w.png"
    options = ("--environment=2", "--steps=600", "--save", saved, "--out", picture)
    answer = cli("rg", "information", "--with", ensembles / "ising.zarr", *options, "--json")
    assert answer.code == 0, answer.err
    assert "step 600  bound of I(H:E) 0." in answer.err
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
    for text in ("I(H:E), sharp hidden units", "at most H(h)", "a lower bound", "filter 1"):
        assert text in answer.out


def test_dimers_are_bonds(cli, ensembles):
    options = ("--block=2x2", "--buffer=1", "--environment=1", "--steps=20", "--json")
    answer = cli("rg", "information", "--with", ensembles / "dimers.zarr", *options)
    assert answer.code == 0, answer.err
    assert np.shape(answer.json["filters"]) == (1, 2, 2, 2)


@pytest.mark.slow
def test_potts_spins_have_units_of_as_many_states(cli, ensembles):
    options = ("--block=2x1", "--buffer=1", "--environment=1", "--steps=20", "--json")
    answer = cli("rg", "information", "--with", ensembles / "potts.zarr", *options)
    assert answer.code == 0, answer.err
    assert np.shape(answer.json["filters"]) == (3, 2, 1, 3)
    assert answer.json["retained"]["bound"] <= np.log(3) + 1e-6


def test_a_table_over_temperatures(cli, ensembles):
    few = ("--with", ensembles / "curve.zarr", "--temperature=all", "--buffer=0", "--steps=5", "--oriented")
    table = cli("rg", "information", *few)
    assert table.code == 0, table.err
    assert "I(V:E)" in table.out
    assert len([line for line in table.out.splitlines() if "±" in line]) == 3


@pytest.mark.slow
def test_a_row_for_every_temperature(cli, ensembles, tmp_path):
    picture = tmp_path / "curve.png"
    options = ("--with", ensembles / "curve.zarr", "--temperature=all", "--buffer=0", "--steps=300")
    answer = cli("rg", "information", *options, "--out", picture, "--json")
    assert answer.code == 0, answer.err
    rows = answer.json["temperatures"]
    assert [row["temperature"] for row in rows] == [1.5, 3.0, 8.0]
    kept = [row["retained"]["value"] for row in rows]
    assert kept[0] > kept[1] > kept[2]  # both phases: they share their sign
    assert abs(kept[1] - 0.2885) < max(0.03, 4 * rows[1]["retained"]["error"])  # majority, by enumeration
    assert picture.stat().st_size > 5000
    assert all(row["present"]["value"] > row["retained"]["value"] - 0.02 for row in rows)


def test_curves_that_are_refused(cli, ensembles, tmp_path):
    np.save(tmp_path / "x.npy", np.ones((2000, 4, 4)))
    cases = (
        (("--with", tmp_path / "x.npy", "--temperature=all"), "without temperatures"),
        (("--with", ensembles / "curve.zarr", "--temperature=all", "--save=w.npy"), "one temperature"),
        (("--with", ensembles / "ising.zarr", "--oriented"), "--temperature all"),
        (
            ("--with", ensembles / "dimers.zarr", "--temperature=all", "--buffer=0", "--oriented"),
            "turns Ising spins",
        ),
    )
    for options, message in cases:
        answer = cli("rg", "information", *options)
        assert answer.code == 2
        assert message in answer.err


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
        (("--save=w.npy", "--hidden=2"), "one hidden unit, not 2"),
        (("--save=nowhere/w.npy",), "there is no folder 'nowhere'"),
        (("--out=nowhere/w.png",), "there is no folder 'nowhere'"),
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
