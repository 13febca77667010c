"""Laws of the block rules against `deeprg.exact.blocking`, and the coarsening of whole ensembles."""

import itertools

import jax
import numpy as np
import pytest
from scipy.stats import chi2

from deeprg.coarsegrain import (
    BlockAverage,
    Composition,
    Decimation,
    Majority,
    build_block_rule,
    coarsen_batches,
    coarsen_ensemble,
    ensemble_size,
)
from deeprg.exact.blocking import Decimation as ExactDecimation
from deeprg.exact.blocking import Majority as ExactMajority
from deeprg.lattice import Lattice
from deeprg.montecarlo.ensembles import Ensemble
from deeprg.runs.errors import UsageError

KEY = jax.random.key(0)
TIES = ("random", "first", "last", "plus", "minus")


def spins(*shape, seed=0):
    return np.random.default_rng(seed).choice([-1, 1], size=shape).astype(np.int8)


def every_state(size):
    return np.array(list(itertools.product([1.0, -1.0], repeat=size)))


def p_value(rule, law, states, draws=400):
    """χ² of the signs drawn for every state of a block against P(+ | state) of `law`."""
    repeated = np.repeat(states, draws, axis=0).reshape(-1, *rule.fine.shape)
    plus = (coarsen_ensemble(rule, repeated, key=KEY).reshape(len(states), draws) > 0).sum(axis=1)
    p = law.plus(states)
    certain = (p == 0) | (p == 1)
    if np.any(plus[certain] != draws * p[certain]):
        return 0.0
    if certain.all():
        return 1.0
    p, plus = p[~certain], plus[~certain]
    return float(chi2.sf(np.sum((plus - draws * p) ** 2 / (draws * p * (1 - p))), len(p)))


@pytest.mark.parametrize("ties", TIES)
def test_majority_follows_the_exact_law(ties):
    states = every_state(4)
    rule = Majority(Lattice((2, 2)), ties=ties)
    assert p_value(rule, ExactMajority(ties=ties), states) > 1e-3
    # The twin: every other tie rule is another law.
    for other in set(TIES) - {ties}:
        assert p_value(rule, ExactMajority(ties=other), states) < 1e-6


def test_odd_blocks_need_no_tie_rule():
    assert p_value(Majority(Lattice((3,)), side=3), ExactMajority(), every_state(3), draws=1) == 1
    assert p_value(Majority(Lattice((3,)), side=3), ExactDecimation(0), every_state(3), draws=1) == 0


@pytest.mark.parametrize("ties", TIES)
def test_log_prob_is_the_logarithm_of_the_exact_law(ties):
    """Four blocks of four spins: the product over blocks of P(x | Y), for all coarse states."""
    lattice = Lattice((4, 4))
    rule, law = Majority(lattice, ties=ties), ExactMajority(ties=ties)
    for fine in spins(6, 4, 4).astype(float):
        blocks = fine.reshape(-1)[lattice.blocks(2)]
        total = 0.0
        for coarse in every_state(4):
            expected = np.prod([law.probability(int(x), y) for x, y in zip(coarse, blocks, strict=True)])
            found = float(
                np.exp(rule.log_prob(jax.numpy.asarray(coarse.reshape(2, 2)), jax.numpy.asarray(fine)))
            )
            assert found == pytest.approx(float(expected), abs=1e-12)
            total += found
        assert total == pytest.approx(1)


def test_log_prob_of_deterministic_rules_and_of_compositions():
    x = jax.numpy.asarray(spins(8).astype(float))
    rule = Decimation(Lattice((8,)), offset=1)
    assert rule.log_prob(x[1::2], x) == 0
    assert rule.log_prob(-x[1::2], x) == -np.inf
    assert not hasattr(BlockAverage(Lattice((8,))), "log_prob")
    last = Majority(Lattice((4,)), ties="random")
    both = Composition(rule, last)
    coarse = jax.numpy.asarray([1.0, -1.0])
    assert both.log_prob(coarse, x) == last.log_prob(coarse, x[1::2])
    np.testing.assert_array_equal(both.mean(x), (x[1::4] + x[3::4]) / 2)  # two spins: 0 where they differ
    random_first = build_block_rule("majority", Lattice((8,)), steps=2, ties="random")
    with pytest.raises(UsageError, match="Link 0 of 2, a Majority, draws at random"):
        random_first.log_prob(coarse, x)
    with pytest.raises(UsageError, match="BlockAverage has no log_prob"):
        build_block_rule("average", Lattice((8,)), steps=2).log_prob(coarse, x)


@pytest.fixture
def stored(tmp_path):
    """An ensemble of 2 temperatures, 3 chains, 10 draws in blocks of 4; its configurations as an array."""
    array = spins(2, 3, 10, 4, 4)
    settings = {"model": "ising", "shape": (4, 4), "algorithm": "wolff", "seed": 0, "series": []}
    with Ensemble.create(
        tmp_path / "E.zarr", temperatures=[2.0, 3.0], chains=3, draws=10, block=4, **settings
    ) as ensemble:
        for t, first in itertools.product(range(2), (0, 4, 8)):
            ensemble.append(t, np.swapaxes(array[t, :, first : first + 4], 0, 1), {})
    return Ensemble.open(tmp_path / "E.zarr"), array


@pytest.mark.parametrize("batch", [1, 7, 1024])
def test_an_ensemble_on_disk_coarsens_like_the_array_in_any_batches(stored, batch):
    ensemble, array = stored
    rule = Majority(Lattice((4, 4)), ties="random")
    found = coarsen_ensemble(rule, ensemble, key=KEY, batch=batch, temperature=1)
    whole = coarsen_ensemble(rule, array[1], key=KEY)
    assert found.shape == (3, 10, 2, 2)
    np.testing.assert_array_equal(found, whole)
    flat = coarsen_ensemble(rule, array[1].reshape(30, 4, 4), key=KEY, batch=batch)
    np.testing.assert_array_equal(flat, whole.reshape(30, 2, 2))
    totals = array[1].reshape(3, 10, 2, 2, 2, 2).astype(int).sum(axis=(3, 5))
    np.testing.assert_array_equal(found[totals != 0], np.sign(totals[totals != 0]))
    assert np.any(found != coarsen_ensemble(rule, array[1], key=jax.random.key(1)))


def test_batches_hold_what_they_say_and_results_go_where_asked(stored, tmp_path):
    ensemble, array = stored
    rule = BlockAverage(Lattice((4, 4)))
    parts = list(coarsen_batches(rule, ensemble, key=KEY, batch=5, temperature=0))
    assert max(len(part.index) for part in parts) == 5
    index = np.concatenate([part.index for part in parts])
    assert sorted(index.tolist()) == list(range(30))
    fine = np.concatenate([part.fine for part in parts])
    np.testing.assert_array_equal(fine, array[0].reshape(30, 4, 4)[index])
    assert fine.dtype == np.float32
    out = np.memmap(tmp_path / "coarse", np.float32, "w+", shape=(3, 10, 2, 2))
    assert coarsen_ensemble(rule, ensemble, key=KEY, temperature=0, out=out) is out
    np.testing.assert_allclose(out, array[0].reshape(3, 10, 2, 2, 2, 2).mean(axis=(3, 5)))
    with pytest.raises(UsageError, match="out has shape"):
        coarsen_ensemble(rule, ensemble, key=KEY, temperature=0, out=out[0])


def test_ensembles_that_do_not_fit_are_refused(stored):
    ensemble, array = stored
    rule = Majority(Lattice((4, 4)), ties="first")
    with pytest.raises(UsageError, match=r"2 temperatures; choose one.*0: 2, 1: 3"):
        ensemble_size(rule, ensemble)
    with pytest.raises(UsageError, match="temperature"):
        ensemble_size(rule, ensemble, 2)
    with pytest.raises(UsageError, match="only one"):
        ensemble_size(rule, array[0], 0)
    with pytest.raises(UsageError, match="live on 4x4, but the BlockAverage starts on 8x8"):
        ensemble_size(BlockAverage(Lattice((8, 8))), ensemble, 0)
    with pytest.raises(UsageError, match="live on 8x8"):
        ensemble_size(rule, np.ones((2, 8, 8)))
    with pytest.raises(UsageError, match="must be"):
        ensemble_size(rule, np.ones((4, 4)))
    with pytest.raises(UsageError, match="no configurations"):
        ensemble_size(rule, np.ones((0, 4, 4)))
    with pytest.raises(UsageError, match="hold 0"):
        coarsen_ensemble(rule, (array[0] + 1) // 2, key=KEY)
    with pytest.raises(UsageError, match="NaN"):
        coarsen_ensemble(rule, np.full((3, 4, 4), np.nan), key=KEY)
    with pytest.raises(UsageError, match="batch = 0"):
        coarsen_ensemble(rule, array[0], key=KEY, batch=0)
