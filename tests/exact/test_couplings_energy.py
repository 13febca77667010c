"""The couplings of whole energies: known Hamiltonians, both conventions, reconstruction, distances."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeprg.exact.couplings import (
    Couplings,
    configurations,
    couplings_by_range,
    couplings_of,
    pairs_by_distance,
)
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

small = settings(derandomize=True, max_examples=8, deadline=None)
convention = st.sampled_from(["pm", "binary"])


def ising_action(ising):
    energy = jax.vmap(ising.energy)
    return lambda x: -energy(x.reshape(-1, *ising.lattice.shape))


def test_the_couplings_of_an_ising_model_are_its_bonds():
    lattice = Lattice((3, 3))
    found = couplings_of(ising_action(Ising(lattice, 2.0, coupling=1.5, field=0.2)), n=9)
    np.testing.assert_allclose(found.fields(), 0.2, atol=1e-14)
    expected = np.zeros((9, 9))
    for site, around in enumerate(lattice.neighbours()):
        expected[site, around] = 0.75
    np.testing.assert_allclose(found.pairs(), expected, atol=1e-14)
    assert found.weight(1)[3:].sum() + abs(found.constant) < 1e-12
    assert [sites for sites, _ in found.largest(18)] == [sites for sites, _ in found.largest(18, [2])]
    assert found.weight()[1:].sum() == pytest.approx(found.values().var(), rel=1e-12)
    gas = couplings_of(ising_action(Ising(lattice, 2.0, coupling=1.5, field=0.2)), n=9).converted("binary")
    np.testing.assert_allclose(gas.pairs(), 4 * expected, atol=1e-12)
    np.testing.assert_allclose(gas.fields(), 2 * 0.2 - 2 * expected.sum(axis=0), atol=1e-12)


def test_distances_and_ranges_on_the_lattice():
    lattice = Lattice((4, 4))
    model = Ising.with_neighbours(lattice, 1.0, (0.4, -0.1), field=0.3)
    found = couplings_of(ising_action(model), n=16)
    pairs = pairs_by_distance(found, lattice)
    np.testing.assert_allclose(pairs.distance, [1, 2**0.5, 2, 5**0.5, 8**0.5], atol=1e-9)
    np.testing.assert_array_equal(pairs.count, [32, 32, 16, 32, 8])
    # on 4x4 the four diagonal steps are different sites
    np.testing.assert_allclose(pairs.mean, [0.4, -0.1, 0, 0, 0], atol=1e-13)
    np.testing.assert_allclose(pairs.lowest, pairs.highest, atol=1e-13)
    np.testing.assert_allclose(pairs.rms, np.abs(pairs.mean), atol=1e-13)
    groups = couplings_by_range(found.truncated(2), lattice)
    assert [(g.body, round(g.range, 3), g.count) for g in groups[:3]] == [
        (1, 0, 16),
        (2, 1, 32),
        (2, 1.414, 32),
    ]
    assert groups[1].weight == pytest.approx(32 * 0.4)
    assert groups[1].largest == pytest.approx(groups[1].rms) == pytest.approx(0.4)
    assert sum(g.count for g in groups) == 16 + 120
    triple = Couplings.from_terms(16, {(0, 1, 2): -0.5})
    assert couplings_by_range(triple, lattice)[0].range == 2.0


@small
@given(n=st.integers(1, 6), seed=st.integers(0, 2**31), spins=convention)
def test_every_action_is_the_sum_of_its_couplings(n, seed, spins):
    values = np.random.default_rng(seed).normal(size=1 << n)
    found, states = couplings_of(values, spins), configurations(n, spins)
    direct = sum(
        coupling * states[:, list(sites)].prod(axis=1)
        for terms in found.by_order().values()
        for sites, coupling in terms.items()
    )
    np.testing.assert_allclose(direct, values, atol=1e-12)
    np.testing.assert_allclose(found.values(), values, atol=1e-12)
    np.testing.assert_allclose(found.action(states), values, atol=1e-12)
    sparse = found.truncated(n)
    np.testing.assert_allclose(sparse.action(states), values, atol=1e-12)
    np.testing.assert_allclose(sparse.values(), values, atol=1e-12)
    np.testing.assert_allclose(sparse.weight(), found.weight())


@small
@given(n=st.integers(1, 6), seed=st.integers(0, 2**31), spins=convention)
def test_conversion_keeps_the_action(n, seed, spins):
    values = np.random.default_rng(seed).normal(size=1 << n)
    other = "binary" if spins == "pm" else "pm"
    found = couplings_of(values, spins)
    converted, sparse = found.converted(other), found.truncated(n).converted(other)
    # s = 2x - 1: the same physical state has the complementary number
    np.testing.assert_allclose(converted.values(), values[::-1], atol=1e-11)
    np.testing.assert_allclose(sparse.dense(), converted.dense(), atol=1e-11)
    np.testing.assert_allclose(sparse.converted(spins).dense(), found.dense(), atol=1e-10)
    assert found.converted(spins) is found


def test_tensors_are_symmetric():
    found = couplings_of(np.random.default_rng(0).normal(size=32))
    triples = found.triples()
    assert triples[0, 2, 4] == triples[4, 0, 2] == found[4, 2, 0]
    assert triples[1, 1, 3] == 0
    assert found.pairs()[3, 1] == found[1, 3]
    assert found.fields()[2] == found[2]
    assert repr(found) == "Couplings(n=5, spins='pm', orders=(0, 1, 2, 3, 4, 5))"


def test_large_sparse_couplings_need_no_transform():
    n = 500
    ring = Couplings.from_terms(n, {(i, (i + 1) % n): 0.25 for i in range(n)})
    assert ring.action(np.ones((3, n))).tolist() == [125.0] * 3
    assert pairs_by_distance(ring, Lattice((n,))).mean[:2].tolist() == [0.25, 0]
    assert ring[0, 2] == 0
    with pytest.raises(UsageError, match=r"500 variables have 2\^500"):
        ring.dense()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: couplings_of(lambda x: x[:, 0]), "number of variables is needed"),
        (lambda: couplings_of(lambda x: x, n=2), "returned the shape"),
        (lambda: couplings_of(lambda x: x[:, 0], n=21), r"2\^21 states"),
        (lambda: couplings_of(np.ones((2, 2))), r"\[2\^n\], not \(2, 2\)"),
        (lambda: couplings_of(np.ones(4), n=3), "belong to 2 variables, but n = 3"),
        (lambda: couplings_of(np.ones(5)), "5 values"),
        (lambda: couplings_of(np.ones(4), "ising"), "unknown"),
        (lambda: couplings_of([0.0, np.inf]), "NaN or infinity"),
        (lambda: Couplings.from_terms(3, {(0, 0): 1.0}), "not a set of sites"),
        (lambda: Couplings.from_terms(3, {(0, 3): 1.0}), "numbers from 0 to 2"),
        (lambda: Couplings.from_terms(3, {(0, 1): 1.0, (1, 0): 1.0}), "named twice"),
        (lambda: Couplings.from_terms(3, {(0, 1): np.nan}), "finite"),
        (lambda: couplings_of(np.ones(4)).action([1, 0]), r"\(-1, 1\) only"),
        (lambda: couplings_of(np.ones(4)).action([1, 1, 1]), r"\[..., 2\]"),
        (lambda: pairs_by_distance(couplings_of(np.ones(4)), Lattice((3,))), "3 sites, but there are 2"),
    ],
)
def test_errors(call, message):
    with pytest.raises(UsageError, match=message):
        call()
