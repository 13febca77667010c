"""`deeprg rg exponents`: the numbers of the probe, the figure, and what is refused."""

import jax
import numpy as np
import pytest

from deeprg.coarsegrain import Majority
from deeprg.lattice import Lattice
from deeprg.montecarlo.ensembles import Ensemble
from deeprg.probes import monte_carlo_rg


@pytest.fixture(scope="module")
def ensemble(cli, tmp_path_factory):
    path = tmp_path_factory.mktemp("rg") / "E.zarr"
    options = ("--temperature=critical,3.0", "-n", "4000", "--algorithm=wolff", "--thin=4")
    answer = cli("simulate", "ising", "--size=16", *options, "--out", path)
    assert answer.code == 0, answer.err
    return path


def test_the_document_has_the_numbers_of_the_probe(cli, ensemble, tmp_path):
    picture = tmp_path / "exponents.png"
    options = ("--temperature=critical", "--even=2", "--odd=2", "--out", picture, "--json")
    document = cli("rg", "exponents", "majority", "--with", ensemble, *options).json
    assert document["exact"] == {"y_T": 1.0, "y_H": 1.875}
    assert document["notes"] == []
    assert picture.stat().st_size > 10_000
    spins = Ensemble.open(ensemble).configurations(0)
    found = monte_carlo_rg(
        lambda lattice: Majority(lattice, ties="random"),
        Lattice((16, 16)),
        spins,
        steps=2,
        key=jax.random.key(0),
        even=2,
        odd=2,
    )
    for row, one in zip(document["steps"], found, strict=True):
        assert (row["fine"], row["coarse"], row["odd"]) == (str(one.fine), str(one.coarse), one.odd)
        for name in ("exponents", "errors"):
            numbers = [np.nan if x is None else x for pair in row[name] for x in pair]  # JSON has no NaN
            np.testing.assert_allclose(numbers, getattr(one, name).reshape(-1))
    thermal, magnetic = document["steps"][:2]
    assert abs(magnetic["exponents"][0][0] - 1.875) < 0.02
    assert abs(thermal["exponents"][1][0] - 1) < 0.1


def test_the_table_names_steps_operators_and_exact_values(cli, ensemble):
    answer = cli("rg", "exponents", "majority:ties=first", "--with", ensemble, "--temperature=critical")
    assert answer.code == 0, answer.err
    for text in ("16x16 → 8x8", "8x8 → 4x4", "1.87500", "4 operators", "odd operators: s, corner, line"):
        assert text in answer.out
    away = cli("rg", "exponents", "decimation", "--with", ensemble, "--temperature=3.0", "--steps=1")
    assert "are no exponents" in away.out


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        ("mayority", (), "Did you mean 'majority'?"),
        ("average", (), "products of spins"),
        ("majority:steps=2", (), "give --steps"),
        ("majority:side=two", (), "is not a whole number"),
        ("majority:colour=2", (), "has no option 'colour'"),
        ("majority", ("--steps=3",), "does not fit on 2x2"),
        ("majority", ("--steps=0",), "at least once"),
        ("majority", ("--even=8",), "in 2D there are 7"),
        ("majority", ("--blocks=3",), "too few for an error"),
        ("majority", ("--out=picture.gif",), ".gif"),
    ],
)
def test_bad_input(cli, ensemble, rule, options, message):
    answer = cli("rg", "exponents", rule, "--with", ensemble, "--temperature=critical", *options)
    assert answer.code == 2
    assert message in answer.err


def test_several_temperatures_need_a_choice(cli, ensemble):
    answer = cli("rg", "exponents", "majority", "--with", ensemble)
    assert answer.code == 2
    assert "choose" in answer.err.lower()
