"""Blocking rules: their tables, ties, limits of the soft rule, checks; what is refused."""

import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.exact.blocking import (
    Decimation,
    Majority,
    Partition,
    Soft,
    SpinAction,
    UserRule,
    block_exact,
)
from deeprg.exact.blocking._states import spin_table
from deeprg.hamiltonians import Ising, Potts, RandomBondIsing
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError


@pytest.mark.parametrize(
    ("rule", "size"),
    [
        (Decimation(0), 1),
        (Decimation(2), 4),
        (Majority(), 3),
        *[(Majority(ties=ties), 4) for ties in ("random", "first", "last", "plus", "minus")],
        (Soft((0.3, -1.2, 2.0)), 3),
        (UserRule(lambda spins: 0.5 + 0.1 * spins.sum(axis=-1)), 3),
        (UserRule(np.array([[0.25, 0.75], [1.0, 0.0]])), 1),
    ],
)
def test_table_and_probability_agree_and_are_normalised(rule, size):
    states, table = spin_table(size), rule.table(size)
    np.testing.assert_allclose(table.sum(axis=1), 1.0, rtol=0, atol=1e-15)
    np.testing.assert_allclose(rule.probability(1, states), table[:, 0], rtol=0, atol=1e-15)
    np.testing.assert_allclose(rule.probability(-1, states), table[:, 1], rtol=0, atol=1e-15)


def test_majority_counts_and_breaks_ties_as_named():
    for state in spin_table(4):
        total = state.sum()
        expected = {"random": 0.5, "first": state[0] > 0, "last": state[3] > 0, "plus": 1, "minus": 0}
        for ties, tie in expected.items():
            wanted = tie if total == 0 else total > 0
            assert Majority(ties=ties).probability(1, state) == wanted


def test_large_soft_weights_are_decimation_and_majority():
    np.testing.assert_allclose(Soft((400.0, 0.0)).table(2), Decimation(0).table(2), atol=0)
    np.testing.assert_allclose(Soft((400.0, 400.0)).table(2), Majority(ties="random").table(2), atol=0)


def test_soft_keeps_small_probabilities_to_relative_accuracy():
    assert Soft((30.0,)).table(1)[0, 1] == pytest.approx(np.exp(-60.0), rel=1e-12)


def test_an_open_tie_names_the_choices():
    with pytest.raises(UsageError, match=r"4 spins can tie.*random, first, last, plus, minus"):
        Majority().table(4)
    with pytest.raises(UsageError, match="not 'coin'"):
        Majority(ties="coin")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: UserRule(np.array([[0.5, 0.4], [1.0, 0.0]])).table(1), r"not normalised.*block \[1\].*0\.4"),
        (lambda: UserRule(np.array([[1.5, -0.5], [1.0, 0.0]])).table(1), "not normalised"),
        (lambda: UserRule(lambda spins: 1.0 + spins[..., 0]).table(1), "not normalised"),
        (lambda: UserRule(np.array([[np.nan, 1.0], [1.0, 0.0]])).table(1), "not normalised"),
        (lambda: UserRule(np.full((4, 2), 0.5)).table(3), r"shape \(8, 2\)"),
        (lambda: Soft((1.0, 2.0)).table(3), "2 weights, but the block has 3"),
        (lambda: Soft((1.0, np.inf)), "finite weight"),
        (lambda: Decimation(2).table(2), "keeps spin 2"),
        (lambda: Decimation().probability(0, np.ones(2)), r"\+1 or -1"),
        (lambda: Partition(((0, 1), (1, 2))), r"overlap.*\[1\]"),
        (lambda: Partition(((0, 1), (3, 4))), r"miss \[2\]"),
        (lambda: Partition(((0, 1), ())), "at least one site"),
        (lambda: Partition(((0,), (1,)), Lattice((3,))), "3 sites, but there are 2 blocks"),
        (lambda: Partition(((-1, 0), (1, 2))), "must cover"),
        (lambda: SpinAction(3, {(0, 3): 1.0}), r"0 \.\.\. 2"),
        (lambda: SpinAction(3, {(1, 1): 1.0}), "repeats a site"),
        (lambda: SpinAction(3, {(0, 1): 1.0, (1, 0): 2.0}), "not symmetric"),
        (lambda: SpinAction(3, {(0, 1): np.inf}), "finite"),
        (lambda: SpinAction(3, {}, Lattice((4,))), "4 sites, not 3"),
        (lambda: SpinAction(0, {}), "at least one spin"),
        (
            lambda: SpinAction.of_matrix(np.array([[0.0, 1.0], [2.0, 0.0]])),
            r"not symmetric: J\[0, 1\] = 1\.0",
        ),
        (lambda: SpinAction.of_matrix(np.zeros((2, 3))), "square"),
        (lambda: SpinAction.of_values(np.zeros(3)), "finite values"),
        (lambda: SpinAction(25, {}).values(), r"2\^25 rows: about 1 GiB"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(UsageError, match=message):
        make()


def test_block_refuses_wrong_sizes_counts_and_models():
    action = SpinAction(4, {(0, 1): 0.3})
    with pytest.raises(UsageError, match="cover 3 sites, but the action has 4"):
        block_exact(action, [[0, 1], [2]], Majority(ties="first"))
    with pytest.raises(UsageError, match="2 blocks, but 1 rules"):
        block_exact(action, [[0, 1], [2, 3]], [Decimation()])
    with pytest.raises(UsageError, match="can tie"):
        block_exact(action, [[0, 1], [2, 3]], Majority())
    with pytest.raises(UsageError, match=r"never gives x = -1"):
        block_exact(action, [[0, 1], [2, 3]], UserRule(lambda spins: np.ones(spins.shape[:-1])))
    with pytest.raises(UsageError, match="17 spins"):
        block_exact(SpinAction(17, {}), [range(17)], Decimation())
    with pytest.raises(UsageError, match=r"32 spins.*GiB of memory.* s; at most 24"):
        block_exact(SpinAction(32, {}), np.arange(32).reshape(16, 2), Decimation())
    with pytest.raises(UsageError, match="Potts"):
        block_exact(Potts(Lattice((4,)), 1.0), [[0, 1], [2, 3]], Decimation())


@pytest.mark.parametrize(
    "model",
    [
        Ising(Lattice((2, 3)), 1.7, field=0.2),
        Ising(Lattice((1, 4)), 1.7, coupling=-0.6),
        Ising.triangular(Lattice((3, 3)), 2.0),
        Ising.from_kernel(Lattice((5,)), np.array([0.3, 0.5, -0.2, -0.2, 0.5]), field=0.1),
        RandomBondIsing.gaussian(Lattice((2, 4)), 1.3, seed=3, field=-0.1),
        RandomBondIsing.plus_minus(Lattice((1, 5)), 1.3, seed=3),
    ],
    ids=lambda model: f"{type(model).__name__}-{model.lattice}",
)
def test_an_action_is_minus_the_energy(model):
    states = spin_table(model.lattice.size).reshape(-1, *model.lattice.shape)
    energies = [float(model.energy(jnp.asarray(state))) for state in states]
    np.testing.assert_allclose(SpinAction.of(model).values(), -np.array(energies), rtol=0, atol=1e-13)


def test_matrix_binary_and_value_forms_are_one_action():
    rng = np.random.default_rng(5)
    matrix = rng.normal(size=(4, 4))
    matrix, fields = matrix + matrix.T, rng.normal(size=4)
    states = spin_table(4)
    direct = 0.5 * np.einsum("si,ij,sj->s", states, matrix, states) + states @ fields
    action = SpinAction.of_matrix(matrix, fields)
    np.testing.assert_allclose(action.values(), direct, atol=1e-13)
    np.testing.assert_allclose(SpinAction.of_values(direct).values(), direct, atol=1e-13)
    occupied = (1 + states) / 2
    couplings = {(0, 2): 0.7, (1, 2, 3): -0.4, (3,): 0.2, (): 1.1}
    binary = sum(value * occupied[:, list(sites)].prod(axis=1) for sites, value in couplings.items())
    np.testing.assert_allclose(SpinAction.of_binary(4, couplings).values(), binary, atol=1e-14)
