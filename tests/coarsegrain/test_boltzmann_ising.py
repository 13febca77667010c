"""A machine learns the 4 x 4 Ising model at T_c: the exact divergence from its law, over all states."""

import jax
import numpy as np
import pytest

from deeprg.coarsegrain.boltzmann import RBM, ContrastiveDivergence, fit, kl_divergence
from deeprg.exact import enumerate_distribution
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice
from deeprg.train import Plan

OPTIMISED = True
ROWS = 200_000


@pytest.mark.slow
def test_sixteen_hidden_units_learn_the_critical_4x4_ising_model():
    law = enumerate_distribution(Ising(Lattice((4, 4)), temperature=2 / np.log(1 + np.sqrt(2))))
    states = law.states.reshape(len(law.states), -1)
    rows = states[np.random.default_rng(0).choice(len(states), ROWS, p=law.probabilities)]
    untrained = RBM.create(16, 16, key=jax.random.key(0))

    def divergence(steps):
        plan = Plan(steps=steps, batch=200, learning_rate=0.1, optimiser="sgd", steps_per_call=100)
        options = {"objective": ContrastiveDivergence(), "chains": 1000, "devices": jax.devices()[:1]}
        result = fit(untrained, rows, plan, key=jax.random.key(100), **options)
        return kl_divergence(result.state.averaged, law)

    # Maximum likelihood itself is about (number of parameters)/(2 rows) = 0.0007 away.
    found, short = divergence(20_000), divergence(1_000)
    assert found < 0.01, found
    assert short > 0.02, short  # the twin: too short a training
