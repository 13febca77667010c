"""Variational Monte Carlo RG against coarse actions that are summed exactly."""

import jax
import numpy as np
import pytest

from deeprg.coarsegrain import BlockAverage, Decimation, Majority
from deeprg.exact.blocking import Decimation as ExactDecimation
from deeprg.exact.blocking import Majority as ExactMajority
from deeprg.exact.blocking import Partition, block_exact, coupling_classes
from deeprg.hamiltonians import CRITICAL_TEMPERATURE, Ising
from deeprg.lattice import Lattice
from deeprg.probes import SPIN_OPERATORS, exact_stability, spin_operators, variational_rg
from deeprg.runs.errors import UsageError

RING = Ising(Lattice((8,)), 1 / 0.3)
KEY = jax.random.key(0)


def pulls(found, exact):
    return np.abs(found.values - np.array(exact)) / found.errors


def test_couplings_of_a_ring_are_those_of_all_states():
    """Majority with random ties on 8 spins; pairs at distance 2 of 4 spins are counted twice."""
    coarse = block_exact(RING, Partition.cubic(RING.lattice, 2), ExactMajority(ties="random"))
    known = {c.gaps: c.mean for c in coupling_classes(coarse) if c.body in (2, 4)}
    operators = [o for o in SPIN_OPERATORS[1] if o.name in ("s s (1)", "s s (2)")]
    rule = Majority(RING.lattice, ties="random")
    found = variational_rg(RING, rule, operators, chains=200, sweeps=100, final=1500, key=KEY)
    exact = [known[1,], known[2,] / 2]
    assert not found.flags
    assert np.all(found.errors < 0.004)
    assert np.all(pulls(found, exact) < 4)
    assert pulls(found, [0.3, 0.0])[0] > 10


def test_a_field_is_renormalised_too():
    """Decimation of a ring in a field, odd and even operators together, against the sum over all states."""
    ring = Ising(Lattice((8,)), 2.0, 1.0, 0.2)
    coarse = block_exact(ring, Partition.cubic(ring.lattice, 2), ExactDecimation())
    known = {(c.body, c.gaps): c.mean for c in coupling_classes(coarse)}
    operators = [SPIN_OPERATORS[1][0], SPIN_OPERATORS[1][1]]
    found = variational_rg(
        ring, Decimation(ring.lattice), operators, chains=200, sweeps=100, final=1500, key=KEY
    )
    exact = [known[1, ()], known[2, (1,)]]
    assert np.all(pulls(found, exact) < 4)
    assert np.all(found.errors < 0.005)
    few = variational_rg(
        ring, Decimation(ring.lattice), operators, chains=200, sweeps=100, iterations=1, final=1500, key=KEY
    )
    assert "the iterations had not ended" in few.flags[0]


@pytest.mark.slow
def test_a_square_is_renormalised_as_by_enumeration():
    """4x4 to 2x2 at T_c, whose even couplings are two pairs and a plaquette: each pair is counted twice."""
    model = Ising(Lattice((4, 4)), CRITICAL_TEMPERATURE)
    coarse = block_exact(model, Partition.cubic(model.lattice, 2), ExactMajority(ties="random"))
    classes = coupling_classes(coarse, symmetry="point-group")
    pairs = sorted((c.range, c.mean) for c in classes if c.body == 2)
    plaquette = next(c.mean for c in classes if c.body == 4)
    operators = spin_operators(Lattice((2, 2)), even=3, odd=0)
    rule = Majority(model.lattice, ties="random")
    settings = {"chains": 100, "sweeps": 40, "key": KEY}
    found = variational_rg(model, rule, operators, final=800, **settings)
    exact = [pairs[0][1] / 2, pairs[1][1] / 4, plaquette / 4]
    assert np.all(pulls(found, exact) < 4)
    wrong = variational_rg(model, Decimation(model.lattice), operators[:1], final=100, **settings)
    assert pulls(wrong, exact[:1])[0] > 5


def biased_sums(coarse_bias):
    """All states of 4x4 and its 2x2 majority spins: <S'>, cov(S', S'), cov(S', S) of pairs and diagonals."""
    bits = (np.arange(2**16)[:, None] >> np.arange(16)) & 1
    fine = (2 * bits - 1).reshape(-1, 4, 4)
    pairs = lambda x: [sum((x * np.roll(x, s, (1, 2))).sum((1, 2)) for s in shifts) for shifts in SHIFTS]
    blocks = fine.reshape(-1, 2, 2, 2, 2).sum((2, 4))
    up = np.where(blocks == 0, 0.5, blocks > 0).reshape(-1, 4)
    coarse = 2 * ((np.arange(16)[:, None] >> np.arange(4)) & 1) - 1
    p = np.prod(np.where(coarse[None] > 0, up[:, None], 1 - up[:, None]), axis=2)
    before, after = np.array(pairs(fine)), np.array(pairs(coarse.reshape(-1, 2, 2)))
    n = len(coarse_bias)
    p *= np.exp(before[0] / CRITICAL_TEMPERATURE)[:, None] * np.exp(coarse_bias @ after[:n])[None]
    p /= p.sum()
    over_coarse, over_fine = p.sum(axis=0), p.sum(axis=1)
    mean, fine_mean = after[:n] @ over_coarse, before[:n] @ over_fine
    outer = (after[:n] * over_coarse) @ after[:n].T - np.outer(mean, mean)
    inner = after[:n] @ p.T @ before[:n].T - np.outer(mean, fine_mean)
    return mean, outer, inner


SHIFTS = (((0, 1), (1, 0)), ((1, 1), (1, -1)))


@pytest.mark.parametrize("n", [1, 2])
def test_what_truncation_leaves_is_that_of_the_biased_sums(n):
    """With one or two of three even operators minimum and eigenvalue are still those of all states."""
    bias = np.zeros(n)
    for _ in range(40):
        mean, outer, inner = biased_sums(bias)
        bias = bias - np.clip(np.linalg.solve(outer, mean), -0.1, 0.1)
    eigenvalue = np.abs(np.linalg.eigvals(np.linalg.solve(outer, inner))).max()
    model = Ising(Lattice((4, 4)), CRITICAL_TEMPERATURE)
    operators = spin_operators(Lattice((2, 2)), even=n, odd=0)
    rule = Majority(model.lattice, ties="random")
    found = variational_rg(model, rule, operators, chains=100, sweeps=40, final=800, key=KEY)
    assert np.all(pulls(found, -bias) < 4)
    assert abs(found.eigenvalue - eigenvalue) < 4 * found.eigenvalue_error
    assert found.eigenvalue_error < 0.03
    if n == 1:  # the twin: covariances without the bias, as in Swendsen's method; with two nearly the same
        _, outer, inner = biased_sums(np.zeros(1))
        assert abs(found.eigenvalue - float(inner[0, 0] / outer[0, 0])) > 4 * found.eigenvalue_error


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda o: variational_rg(RING, BlockAverage(RING.lattice, side=3, stride=2), o, key=KEY),
            "side by side",
        ),
        (lambda o: variational_rg(RING, Decimation(RING.lattice), o, chains=5, key=KEY), "5 chains"),
        (lambda o: variational_rg(RING, Decimation(RING.lattice), o, final=1, key=KEY), "final = 1"),
        (
            lambda o: variational_rg(RING, Decimation(RING.lattice), o, iterations=0, key=KEY),
            "iterations = 0",
        ),
        (lambda o: variational_rg(RING, Decimation(RING.lattice, side=4), o, key=KEY), "does not fit"),
    ],
)
def test_what_cannot_be_renormalised_is_refused(make, words):
    operators = [o for o in SPIN_OPERATORS[1] if o.name in ("s s (1)", "s s (2)")]
    with pytest.raises(UsageError, match=words):
        make(operators)


def test_derivatives_at_no_coupling_are_known():
    """Independent spins, decimation: the coarse pair does not feel a weak nearest-neighbour coupling."""
    model = Ising(Lattice((8, 8)), 1e6)
    operators = spin_operators(Lattice((4, 4)), even=1, odd=0)
    found = variational_rg(
        model, Decimation(model.lattice), operators, chains=50, sweeps=20, iterations=2, final=100, key=KEY
    )
    assert found.eigenvalue < 4 * found.eigenvalue_error + 0.02
    assert (
        exact_stability(Ising(Lattice((4, 4)), 1e6), Decimation(Lattice((4, 4))))[0].eigenvalues[0, 0] < 0.01
    )
