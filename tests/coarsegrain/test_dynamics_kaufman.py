"""Chains in latents and in fields at L = 8 and 16 against Kaufman's energy, with twins on a wrong target."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain.flow import LatentSampler, ReverseKL, build_flow
from deeprg.exact import kaufman
from deeprg.hamiltonians import CRITICAL_TEMPERATURE, build_hamiltonian
from deeprg.lattice import Lattice
from deeprg.montecarlo import gamma_method
from deeprg.montecarlo.measurement import measure
from deeprg.montecarlo.samplers import build_sampler
from deeprg.probes import target_fields
from deeprg.train import Plan, TrainState, key_batches, train

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("size", [8, 16])]
WARM = 1.05 * CRITICAL_TEMPERATURE


def dual(size, temperature=CRITICAL_TEMPERATURE):
    return build_hamiltonian("ising", Lattice((size, size)), temperature=temperature)


def energies(size):
    return [kaufman((size, size), t).energy_per_site for t in (CRITICAL_TEMPERATURE, WARM)]


def test_latent_chains(size):
    """A flow trained for a moment: chains in its latents are exact all the same."""
    target = dual(size)
    flow = build_flow(target, width=12, depth=1, disentanglers=0, dtype=jnp.float32, key=jax.random.key(0))
    plan = Plan(steps=150, batch=128, learning_rate=6e-3, warmup=0.05, clip_norm=10.0, ema_decay=0.97)
    state = TrainState.create(flow, plan, key=jax.random.key(1))
    flow = train(state, ReverseKL(target, "path"), key_batches, plan).state.averaged
    sampler = LatentSampler(flow, target, chains=128)
    state, _ = sampler.thermalise(sampler.start(seed=0, order="hot"), 100, seed=0)
    drawn = sampler.run(state, 150, 2, seed=0, block=0)
    chain = gamma_method(measure(target.ising, drawn.configurations[:, 0])["energy_per_site"].T)
    right, wrong = energies(size)
    assert abs(chain.mean - right) < 4 * chain.error
    assert abs(chain.mean - wrong) > 8 * chain.error


def test_chains_of_fields(size):
    """From exact fields HMC stays at the exact energy; with the energy of a wrong temperature it leaves."""
    fields = np.moveaxis(target_fields(dual(size), 512, seed=1), -1, 0)
    right, wrong = energies(size)

    def after(target):
        sampler = build_sampler("hmc", [target], 512)
        state, _ = sampler.thermalise(sampler.start(seed=0, order="hot"), 150, seed=0)
        begun = {**state, "configurations": fields[None].astype(state["configurations"].dtype)}
        last = sampler.run(begun, 1, 60, seed=0, block=0).configurations[0, 0]
        spins = dual(size).spins_given_fields(jnp.asarray(last), key=jax.random.key(2))
        values = np.asarray(jax.vmap(lambda s: dual(size).ising.scalars(s)["energy_per_site"])(spins))
        return values.mean(), values.std(ddof=1) / np.sqrt(512)

    mean, error = after(dual(size))
    assert abs(mean - right) < 4 * error
    mean, error = after(dual(size, WARM))
    assert abs(mean - right) > 6 * error
    assert right < mean < wrong + 4 * error
