"""Independence Metropolis against a small discrete target with a deliberately bad model."""

import jax
import numpy as np
import pytest
from scipy import stats

from deeprg.montecarlo import chain_averages, gamma_method, independence_metropolis
from deeprg.runs.errors import NumericalError, UsageError

TARGET = np.array([0.40, 0.30, 0.15, 0.10, 0.05])
MODEL = np.array([0.08, 0.12, 0.20, 0.30, 0.30])
LOG_W = np.log(TARGET / MODEL)
STEPS, CHAINS, SEEDS = (
    60,
    2000,
    8,
)  # the chain forgets by the factor 1 - 1/max(w) = 0.8 a step: 2e-6 at the end


def run(seed, log_weights, chains=CHAINS, steps=STEPS):
    proposals = np.random.default_rng(seed).choice(5, p=MODEL, size=(chains, steps))
    found = independence_metropolis(log_weights[proposals], key=jax.random.key(seed))
    return np.take_along_axis(proposals, found.index, axis=1), found, proposals


def combined_p_value(log_weights):
    """Chi-square of the last states of independent chains against the target, Fisher-combined over seeds."""
    p_values = []
    for seed in range(SEEDS):
        counts = np.bincount(run(seed, log_weights)[0][:, -1], minlength=5)
        p_values.append(stats.chisquare(counts, CHAINS * TARGET).pvalue)
    return stats.combine_pvalues(p_values, method="fisher").pvalue


def test_stationary_law_is_the_target():
    assert combined_p_value(LOG_W) > 1e-3


def test_weights_without_the_model_sample_something_else():
    """Twin: -H instead of -H - ln q samples q exp(-H)."""
    assert combined_p_value(np.log(TARGET)) < 1e-12


def test_constant_offset_of_the_weights_is_irrelevant():
    with_offset = run(0, LOG_W + 1000.0)[1]
    assert np.array_equal(with_offset.index, run(0, LOG_W)[1].index)


def test_transitions_follow_the_exact_kernel():
    states, found, _ = run(5, LOG_W, steps=200)
    kernel = MODEL[None, :] * np.minimum(1, np.exp(LOG_W[None, :] - LOG_W[:, None]))
    acceptance = TARGET @ kernel.sum(axis=1)
    kernel += np.diag(1 - kernel.sum(axis=1))
    late = states[:, 100:]
    counts = np.zeros((5, 5))
    np.add.at(counts, (late[:, :-1].ravel(), late[:, 1:].ravel()), 1)
    rows = counts.sum(axis=1, keepdims=True)

    def p_value(law):
        used = law > 0
        return stats.chi2.sf(np.sum((counts - rows * law)[used] ** 2 / (rows * law)[used]), np.sum(used) - 5)

    assert p_value(kernel) > 1e-3
    assert p_value(0.9 * kernel + 0.1 * TARGET) < 1e-12  # twin, with the same stationary law
    moves = np.mean(found.index[:, 101:] != found.index[:, 100:-1], axis=1)
    assert abs(np.mean(moves) - acceptance) < 4 * np.std(moves) / np.sqrt(CHAINS)


def test_averages_have_honest_errors():
    """Pulls over many groups of 5 chains; the twin takes the steps for independent."""
    states, found, proposals = run(3, LOG_W, chains=1000, steps=1500)
    exact = TARGET @ np.arange(5)
    pulls, twins = [], []
    for group in range(200):
        rows = slice(5 * group, 5 * group + 5)
        result = chain_averages({"n": proposals[rows]}, found.index[rows], discard=60)["n"]
        pulls.append((result.mean - exact) / result.error)
        late = states[rows, 60:]
        twins.append((late.mean() - exact) / (late.std() / np.sqrt(late.size)))
    tolerance = 4 * np.sqrt(2 / 200)
    assert abs(np.mean(np.square(pulls)) - 1) < tolerance
    assert abs(np.mean(np.square(twins)) - 1) > tolerance


def test_averages_are_read_off_the_chains():
    states, found, proposals = run(4, LOG_W, chains=3, steps=100)
    result = chain_averages({"n": proposals, "n2": proposals**2}, found.index, discard=40)
    assert list(result) == ["n", "n2"]
    assert result["n"] == gamma_method(states[:, 40:])
    assert result["n2"].mean == pytest.approx(np.mean(states[:, 40:] ** 2))


def test_index_only_stays_or_takes_the_new_proposal():
    """Across the internal chunks too."""
    index = run(1, LOG_W, chains=3, steps=2500)[1].index
    assert index.shape == (3, 2500)
    assert np.all(index[:, 0] == 0)
    step = np.arange(1, 2500)
    assert np.all((index[:, 1:] == index[:, :-1]) | (index[:, 1:] == step))
    stays = np.mean(index[:, 1:] == index[:, :-1])
    assert run(1, LOG_W, chains=3, steps=2500)[1].acceptance == pytest.approx(1 - stays)


def test_certain_decisions():
    rising = np.linspace(0, 5, 2500)[None]
    found = independence_metropolis(rising, key=jax.random.key(0))
    assert np.array_equal(found.index[0], np.arange(2500))
    assert found.acceptance == 1.0
    falling = -1e4 * np.arange(2500.0)[None]
    found = independence_metropolis(falling, key=jax.random.key(0))
    assert np.all(found.index == 0)
    assert found.acceptance == 0.0


def test_forbidden_proposals():
    log_weights = np.array([[-np.inf, -np.inf, 0.0, -np.inf, 0.0, -np.inf]])
    index = independence_metropolis(log_weights, key=jax.random.key(0)).index[0]
    assert index.tolist()[2:] == [2, 2, 4, 4]


def test_float32():
    with jax.enable_x64(False):
        assert abs(np.mean(run(0, LOG_W)[0][:, -1]) - TARGET @ np.arange(5)) < 0.12
        found = independence_metropolis(np.array([[1e9, 1e9 + 20, 1e9]]), key=jax.random.key(0))
    assert found.index.tolist() == [[0, 1, 1]]


def test_same_key_same_chain_other_key_other_chain():
    log_weights = np.random.default_rng(0).normal(size=(4, 300))
    first, again, other = (
        independence_metropolis(log_weights, key=jax.random.key(k)).index for k in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    same_weights = independence_metropolis(np.tile(log_weights[:1], (2, 1)), key=jax.random.key(1)).index
    assert not np.array_equal(same_weights[0], same_weights[1])


def test_refusals():
    key = jax.random.key(0)
    with pytest.raises(UsageError, match="2 axes"):
        independence_metropolis(np.zeros(10), key=key)
    with pytest.raises(UsageError, match="at least 2"):
        independence_metropolis(np.zeros((3, 1)), key=key)
    with pytest.raises(UsageError, match="at least 2"):
        independence_metropolis(np.zeros((0, 5)), key=key)
    with pytest.raises(UsageError, match="NaN"):
        independence_metropolis(np.array([[0.0, np.nan]]), key=key)
    with pytest.raises(NumericalError, match=r"\+inf"):
        independence_metropolis(np.array([[0.0, np.inf]]), key=key)
    with pytest.raises(NumericalError, match="chain 1"):
        independence_metropolis(np.array([[0.0, 0.0], [-np.inf, -np.inf]]), key=key)
    index = np.zeros((2, 10), dtype=np.int32)
    with pytest.raises(UsageError, match="'m'"):
        chain_averages({"m": np.zeros((2, 9))}, index, discard=0)
    with pytest.raises(UsageError, match="discard = 7"):
        chain_averages({"m": np.zeros((2, 10))}, index, discard=7)
    with pytest.raises(UsageError, match="integers"):
        chain_averages({"m": np.zeros((2, 10))}, np.zeros((2, 10)), discard=0)
