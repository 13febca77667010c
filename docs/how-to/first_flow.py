"""Train a flow on a small critical Ising model, from Python; a minute on a laptop."""

import jax
import numpy as np

from deeprg.coarsegrain.flow import PRESETS, ReverseKL, build_flow, draw
from deeprg.exact import reference
from deeprg.hamiltonians import CRITICAL_TEMPERATURE, ContinuousDual, Ising
from deeprg.lattice import Lattice
from deeprg.montecarlo import importance_summary, independence_metropolis, reweighted
from deeprg.train import Plan, TrainState, key_batches, train

# The target: an energy, and what is known about it.
dual = ContinuousDual(Ising(Lattice((4, 4)), CRITICAL_TEMPERATURE), shift=0.1)
exact = reference(dual)
print(dual.describe())

# The flow, with the options of the default preset, and how to train it.
flow_key, train_key, draw_key, chain_key = jax.random.split(jax.random.key(0), 4)
preset = PRESETS["default"]
flow = build_flow(dual, **preset.flow, key=flow_key)
options = {name: value for name, value in preset.train.items() if name != "estimator"}
plan = Plan(steps=200, **options)
state = TrainState.create(flow, plan, key=train_key)


def show(record):
    print(f"step {record['step']:5d}  gap {record['free_energy'] - exact.free_energy:.3f} nats")


result = train(state, ReverseKL(dual, estimator="path"), key_batches, plan, on_chunk=show)

# Samples of the averaged weights; ln w makes them exact.
draws = draw(result.state.averaged, dual, 20_000, key=draw_key)
summary = importance_summary(draws.log_weights)
print(f"gap   {summary.free_energy - exact.free_energy:.4f} ± {summary.free_energy_error:.4f} nats")
print(
    f"ln Z  {summary.log_partition:.4f} ± {summary.log_partition_error:.4f}, exact {exact.log_partition:.4f}"
)
print(f"ESS   {summary.ess:.3f} of {summary.n} samples, Pareto k {summary.pareto_k:.2f}")

for name in ("abs_magnetization", "energy_per_site"):
    mean, error = reweighted(draws.observables[name], draws.log_weights)
    print(f"{name}  {mean:.4f} ± {error:.4f}, exact {exact.observables[name]:.4f}")

# The same samples as proposals of exact Markov chains.
chains = independence_metropolis(draws.log_weights.reshape(10, 2000), key=chain_key)
energies = np.take_along_axis(draws.observables["energy_per_site"].reshape(10, 2000), chains.index, axis=1)
print(f"acceptance {chains.acceptance:.3f}, energy per site {energies[:, 100:].mean():.4f}")
