"""ln Z along a training against exact ln Z, with pulls, a failing twin, resampling that keeps the mean."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain.boltzmann import RBM, RunningPartition, fit, log_partition
from deeprg.runs.errors import UsageError
from deeprg.train import Plan

KEY = jax.random.key(0)


def path(count, *, visible="spin", hidden="spin", scale=1.2):
    """Machines that grow from nothing, as trained ones do, and turn on the way."""
    start, other = (
        RBM.create(16, 6, visible_unit=visible, hidden_unit=hidden, scale=scale, key=jax.random.key(k))
        for k in (1, 2)
    )

    def at(t):
        t = np.float32(t)
        w = t * ((1 - t) * start.weights + t * other.weights)
        return RBM(w, w.sum(1) / 3, -w.sum(0) / 3, start.visible, start.hidden)

    return [at(t) for t in np.linspace(0, 1, count)]


def followed(machines, key, **options):
    first, *rest = jax.random.split(key, len(machines))
    running = RunningPartition(machines[0], key=first, **options)
    return [running.update(machine, key=own) for machine, own in zip(machines[1:], rest, strict=True)]


@pytest.mark.parametrize(("visible", "hidden", "scale"), [("spin", "spin", 1.2), ("binary", "gaussian", 0.4)])
def test_the_whole_path_is_met(visible, hidden, scale):
    machines = path(8, visible=visible, hidden=hidden, scale=scale)
    exact = [log_partition(machine) for machine in machines[1:]]
    found = followed(machines, KEY)
    assert max(exact) - min(exact) > 3
    for one, value in zip(found, exact, strict=True):
        assert abs(one.log_partition - value) < 5 * one.error < 1.5
        assert 0.3 < one.ess <= 1


@pytest.mark.slow
def test_pulls_over_seeds():
    machines = path(6)
    exact = log_partition(machines[-1])
    ends = [followed(machines, key)[-1] for key in jax.random.split(KEY, 64)]
    pulls = np.array([(one.log_partition - exact) / one.error for one in ends])
    # the error comes from 8 islands: Student's t with 7 degrees of freedom has variance 7/5
    assert abs(pulls.mean()) < 3 * np.sqrt(1.4 / 64) + 0.1
    assert 0.4 < pulls.var() / 1.4 < 1.6
    wrong = log_partition(machines[-2])  # the twin: the machine before
    assert abs(np.mean([(one.log_partition - wrong) / one.error for one in ends])) > 5


@pytest.mark.slow
def test_the_mean_of_z_is_kept_by_resampling():
    """Few chains, so that weights spread and islands are drawn anew: Z itself has no bias."""
    machines = path(3, scale=1.0)
    exact = log_partition(machines[-1])
    ends = np.array(
        [followed(machines, key, islands=2, chains=40)[-1].log_partition for key in jax.random.split(KEY, 60)]
    )
    ratio = np.exp(ends - exact)
    assert ends.std() > 0.05
    assert abs(ratio.mean() - 1) < 3.5 * ratio.std() / np.sqrt(len(ratio))
    assert ends.mean() < exact + 3 * ends.std() / np.sqrt(60)


def test_chains_that_do_not_arrive_say_nothing_and_go_on():
    weak, strong = path(3, scale=1.0)[1:]
    exact = log_partition(strong)
    running = RunningPartition(weak, key=KEY)
    found = []
    for key in jax.random.split(KEY, 400):
        found.append(running.update(strong, rounds=2, key=key))
        if found[-1] is not None:
            break
    assert found[0] is None
    assert len(found) > 10
    assert abs(found[-1].log_partition - exact) < 5 * found[-1].error < 1.0


def test_a_training_says_its_likelihood():
    rng = np.random.default_rng(0)
    rows = np.sign(rng.normal(size=(400, 1)) + 0.8 * rng.normal(size=(400, 8)))
    machine = RBM.create(8, 3, key=KEY)
    plan = Plan(steps=200, batch=50, learning_rate=0.05, optimiser="sgd", steps_per_call=50)
    records = []
    result = fit(
        machine,
        rows[:300],
        plan,
        held_out=rows[300:],
        running_partition=True,
        key=KEY,
        on_chunk=records.append,
    )
    last, trained = records[-1], result.state.model
    exact = log_partition(trained)
    assert abs(last["log_partition"] - exact) < 5 * last["log_partition_error"] < 0.3
    mean = -float(trained.free_energy(jnp.asarray(rows[:300], jnp.float32)).mean())
    assert last["log_likelihood"] == pytest.approx(mean - last["log_partition"], abs=1e-4)
    assert last["log_likelihood_held_out"] > -8 * np.log(2)
    assert "log_likelihood" in records[0]


def test_impossible_numbers():
    machine = RBM.create(4, 2, key=KEY)
    for bad in ({"islands": 1}, {"chains": 0}):
        with pytest.raises(UsageError, match="two islands"):
            RunningPartition(machine, key=KEY, **bad)
