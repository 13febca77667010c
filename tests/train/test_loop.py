"""The loop against hand-written optax, its schedules, its accounting and its sharding."""

import itertools
import types

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from deeprg.runs.errors import NumericalError, UsageError
from deeprg.train import Checkpoints, Plan, RowBatches, StopRequest, TrainState, key_batches, train

KEY = jax.random.key(7)


def objective(model, keys):
    """Mean square distance of a random linear readout from a target; noisy, convex, needs the keys."""
    x = jax.vmap(lambda k: jax.random.normal(k, (3,)))(keys)
    error = x @ model["w"] + model["b"] - jnp.sin(x).sum(axis=1)
    return jnp.mean(error**2), {"bias": model["b"]}


def model():
    return {"w": jnp.zeros(3), "b": jnp.array(0.5), "name": "toy"}


def run(plan, *, loss=objective, batches=key_batches, start=None, **options):
    state = TrainState.create(model(), plan, key=KEY) if start is None else start
    return train(state, loss, batches, plan, **options)


def arrays(tree):
    return [np.asarray(x) for x in jax.tree.leaves(eqx.filter(tree, eqx.is_inexact_array))]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(arrays(a), arrays(b), strict=True))


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
def test_equals_a_hand_written_loop_with_optax(optimiser):
    plan = Plan(
        steps=40,
        batch=16,
        learning_rate=0.05,
        warmup=0.2,
        final_fraction=0.1,
        clip_norm=0.5,
        optimiser=optimiser,
        weight_decay=0.02,
        momentum=0.7 if optimiser == "sgd" else 0.0,
        ema_decay=0.5,
    )
    cosine = 0.1 + 0.9 * 0.5 * (1 + np.cos(np.pi * np.arange(32) / 32))
    rates = jnp.array(0.05 * np.concatenate([np.arange(8) / 8, cosine]))

    def schedule(count):
        return rates[count]

    rule = {
        "adam": optax.chain(optax.add_decayed_weights(0.02), optax.adam(schedule)),
        "adamw": optax.adamw(schedule, weight_decay=0.02),
        "sgd": optax.chain(optax.add_decayed_weights(0.02), optax.sgd(schedule, momentum=0.7)),
    }[optimiser]
    tx = optax.chain(optax.clip_by_global_norm(0.5), rule)
    params = {"w": jnp.zeros(3), "b": jnp.array(0.5)}
    ema, opt = params, tx.init(params)

    @jax.jit
    def step(params, opt, t):
        keys = jax.random.split(jax.random.fold_in(KEY, t), 16)
        grads = jax.grad(lambda p: objective(p, keys)[0])(params)
        updates, opt = tx.update(grads, opt, params)
        return optax.apply_updates(params, updates), opt

    with jax.numpy_dtype_promotion("standard"):
        for t in range(40):
            params, opt = step(params, opt, t)
            decay = min(0.5, (1 + t) / (10 + t))
            ema = jax.tree.map(lambda e, p, d=decay: d * e + (1 - d) * p, ema, params)
    result = run(plan)
    assert result.reason == "done"
    assert int(result.state.step) == 40
    for ours, theirs in ((result.state.model, params), (result.state.averaged, ema)):
        for name in params:
            np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-10, atol=1e-12)
    assert result.state.model["name"] == "toy"


def test_record_and_events():
    records, events = [], []
    result = run(Plan(steps=30, batch=8, decay="constant"), on_chunk=records.append, on_event=events.append)
    last = records[-1]
    assert last["step"] == 30
    assert last["progress"] == 1.0
    assert last["seconds_left"] == 0.0
    assert {"loss", "loss_error", "bias", "grad_norm", "skipped", "smoothed", "steps_per_second"} <= set(last)
    assert last["learning_rate"] == 1e-3
    assert last["batch"] == 8
    assert last["loss_error"] > 0
    assert [r["step"] for r in records] == sorted({r["step"] for r in records})
    assert events[0] == "compiling the step for batch 8"
    assert events[-1] == "done at step 30"
    assert result.compile_seconds > 0
    assert result.seconds_per_step > 0
    assert result.exit_code == 0
    assert result.compiled[8].flops > 0
    assert result.compiled[8].memory_bytes > 0
    assert result.state.seconds >= result.compile_seconds
    assert float(result.state.best) <= float(result.state.smoothed) < np.inf


def test_the_given_state_survives_and_a_finished_one_is_returned():
    plan = Plan(steps=5, batch=4)
    state = TrainState.create(model(), plan, key=KEY)
    before = arrays(state)
    result = run(plan, start=state)
    assert all(np.array_equal(a, b) for a, b in zip(arrays(state), before, strict=True))
    again = run(plan, start=result.state)
    assert again.reason == "done"
    assert again.state is result.state
    assert np.isnan(again.seconds_per_step)


def test_chunks_have_no_influence(monkeypatch):
    plan = Plan(steps=60, batch=4, learning_rate=0.05, warmup=0.1)
    long = run(plan)
    monkeypatch.setattr("deeprg.train.loop._chunk_length", lambda per_step, room: 7)
    assert same(run(plan).state, long.state)


def test_resume_is_bit_identical(tmp_path, monkeypatch):
    monkeypatch.setattr("deeprg.train.loop._chunk_length", lambda per_step, room: 7)
    plan = Plan(steps=50, batch=8, learning_rate=0.05, warmup=0.1, clip_norm=1.0)
    whole = run(plan)
    stop = StopRequest()

    def halfway(record):
        if record["step"] >= 10:
            stop.request("time")

    kept = Checkpoints(tmp_path, config={"seed": 7})
    first = run(plan, stop=stop, on_chunk=halfway, checkpoints=kept)
    assert first.reason == "time"
    assert first.exit_code == 75
    assert 10 <= int(first.state.step) < 50
    state, header = kept.load(TrainState.create(model(), plan, key=jax.random.key(0)))
    assert header["step"] == int(first.state.step)
    assert header["config"] == {"seed": 7}
    second = run(plan, start=state, checkpoints=kept)
    assert same(second.state, whole.state)
    assert int(second.state.step) == 50
    assert second.state.seconds > first.state.seconds


def test_batch_ramp():
    sizes = []

    def loss(model, keys):
        return objective(model, keys)[0], {"size": jnp.array(float(keys.shape[0]))}

    plan = Plan(steps=20, batch=[(0.0, 4), (0.25, 8), (0.75, 16)])
    result = run(plan, loss=loss, on_chunk=sizes.append)
    assert all(r["size"] == r["batch"] for r in sizes)
    ends = {r["batch"]: r["step"] for r in sizes}
    assert ends == {4: 5, 8: 15, 16: 20}
    assert set(result.step_seconds) <= {4, 8, 16}
    assert set(result.compiled) == {4, 8, 16}


def test_nonfinite_steps_are_skipped_and_counted():
    plan = Plan(steps=24, batch=4, learning_rate=0.05, ema_decay=0.0)

    def broken(model, keys):
        loss, _ = objective(model, keys)
        bad = jax.random.uniform(jax.random.fold_in(keys[0], 1)) < 0.3
        return jnp.where(bad, jnp.inf, loss), {"bad": bad}

    def skipping(params, opt, tx, t):
        keys = jax.random.split(jax.random.fold_in(KEY, t), 4)
        if bool(jax.random.uniform(jax.random.fold_in(keys[0], 1)) < 0.3):
            return params, opt, 1
        grads = jax.grad(lambda p: objective(p, keys)[0])(params)
        updates, opt = tx.update(grads, opt, params)
        scale = plan.multiplier(t / 24)
        return jax.tree.map(lambda p, u: p + scale * u, params, updates), opt, 0

    params, tx, count = {"w": jnp.zeros(3), "b": jnp.array(0.5)}, optax.adam(0.05), 0
    opt = tx.init(params)
    with jax.numpy_dtype_promotion("standard"):
        for t in range(24):
            params, opt, bad = skipping(params, opt, tx, t)
            count += bad
    records = []
    result = run(plan, loss=broken, on_chunk=records.append)
    assert result.state.skipped == count > 0
    assert records[-1]["skipped"] == count
    np.testing.assert_allclose(result.state.model["w"], params["w"], rtol=1e-10)
    assert all(np.isfinite(r["loss"]) for r in records)
    assert np.isfinite(float(result.state.smoothed))


def test_nonfinite_forever_is_a_numerical_error_and_keeps_the_last_finite_state(tmp_path):
    def nan(model, keys):
        return objective(model, keys)[0] * jnp.nan, {}

    kept = Checkpoints(tmp_path)
    plan = Plan(steps=100, batch=4, max_skipped=5)
    with pytest.raises(NumericalError, match=r"5 steps in a row.*last\.eqx") as caught:
        run(plan, loss=nan, checkpoints=kept)
    assert caught.value.exit_code == 3
    state, _ = kept.load(TrainState.create(model(), plan, key=KEY))
    assert np.array_equal(state.model["w"], np.zeros(3))
    assert not kept.best.exists()


def test_devices_share_the_batch():
    plan = Plan(steps=20, batch=8, learning_rate=0.05)
    losses = {}
    for count in (1, 2):
        losses[count] = []
        run(plan, devices=jax.devices()[:count], on_chunk=lambda r, c=count: losses[c].append(r["loss"]))
    assert len(jax.devices()) == 2
    np.testing.assert_allclose(losses[1][0], losses[2][0], rtol=1e-5)
    one, two = (run(plan, devices=jax.devices()[:count]).state for count in (1, 2))
    np.testing.assert_allclose(one.model["w"], two.model["w"], rtol=1e-5)


def test_each_device_sees_only_its_part():
    from deeprg.train.distributed import data_mesh, replicate
    from deeprg.train.step import compile_step

    plan = Plan(steps=5, batch=64)
    arrays_, static = eqx.partition(TrainState.create(model(), plan, key=KEY), eqx.is_array)
    mesh = data_mesh()
    state = eqx.combine(replicate(arrays_, mesh), static)
    text = compile_step(state, objective, key_batches, plan, 64, mesh).program.as_text()
    assert "all-reduce" in text
    assert "all-gather" not in text
    assert "[32,3]" in text
    assert "[64,3]" not in text


def test_several_steps_in_one_call_are_the_same_training():
    def loss_and_steps(per_call, **options):
        records = []
        plan = Plan(steps=23, batch=16, learning_rate=0.05, steps_per_call=per_call)
        result = run(plan, on_chunk=records.append, **options)
        return result.state, records

    one, alone = loss_and_steps(1)
    five, together = loss_and_steps(5)
    assert int(five.step) == 23
    assert together[-1]["step"] == 23
    np.testing.assert_allclose(arrays(five)[0], arrays(one)[0], rtol=1e-12)
    np.testing.assert_allclose(together[0]["loss"], alone[0]["loss"], rtol=1e-12)


def test_several_steps_in_one_call_resume_bit_for_bit(tmp_path):
    plan = Plan(steps=40, batch=16, learning_rate=0.05, steps_per_call=7)
    straight = run(plan).state
    stop, kept = StopRequest(), Checkpoints(tmp_path)

    def interrupt(record):
        stop.reason = "sigterm"

    first = run(plan, checkpoints=kept, on_chunk=interrupt, stop=stop)
    assert 0 < int(first.state.step) < 40
    assert int(first.state.step) % 7
    again, _ = kept.load(TrainState.create(model(), plan, key=KEY))
    assert same(run(plan, start=again).state, straight)


def walking(model, keys, carry, *, key):
    """A random walk beside the parameters, and a loss that follows it."""
    walk = carry + jax.random.normal(key, carry.shape)
    return jnp.mean((model["w"] - walk) ** 2), {"walk": walk[0]}, walk


@pytest.mark.parametrize("per_call", [1, 4])
def test_a_carry_goes_from_step_to_step(per_call, tmp_path):
    plan = Plan(
        steps=12, batch=2, learning_rate=0.1, optimiser="sgd", decay="constant", steps_per_call=per_call
    )
    state = TrainState.create(model(), plan, key=KEY, carry=jnp.zeros(3))
    kept = Checkpoints(tmp_path)
    result = run(plan, loss=walking, start=state, checkpoints=kept).state

    w, walk = jnp.zeros(3), jnp.zeros(3)
    for t in range(12):
        walk = walk + jax.random.normal(jax.random.fold_in(jax.random.fold_in(KEY, t), 1), (3,))
        w = w - 0.1 * 2 / 3 * (w - walk)
    np.testing.assert_allclose(result.carry, walk, rtol=1e-12)
    np.testing.assert_allclose(result.model["w"], w, rtol=1e-12)
    assert np.array_equal(kept.load(state)[0].carry, result.carry)


def test_a_step_that_is_not_finite_keeps_the_carry():
    def bad(model, keys, carry, *, key):
        return jnp.where(carry[0] > 2.5, jnp.nan, jnp.sum(model["w"] ** 2)), {}, carry + 1

    plan = Plan(steps=5, batch=2, max_skipped=10)
    state = TrainState.create(model(), plan, key=KEY, carry=jnp.zeros(1))
    assert run(plan, loss=bad, start=state).state.carry.tolist() == [3.0]


def test_a_training_of_few_steps_most_of_them_not_finite_is_a_numerical_error(tmp_path):
    """Too short for `max_skipped` in a row, and yet nothing was learned."""

    def bad(model, keys, carry, *, key):
        return jnp.where(carry[0] > 0.5, jnp.nan, jnp.sum(model["w"] ** 2)), {}, carry + 1

    kept, plan = Checkpoints(tmp_path), Plan(steps=5, batch=2, max_skipped=10)
    state = TrainState.create(model(), plan, key=KEY, carry=jnp.zeros(1))
    with pytest.raises(NumericalError, match=r"in 4 steps, more than half of all, up to step 5.*last\.eqx"):
        run(plan, loss=bad, start=state, checkpoints=kept)


def test_indivisible_batch_is_refused():
    with pytest.raises(UsageError, match=r"batch of 7 .* 2 devices\. Use 6 or 8"):
        run(Plan(steps=5, batch=7))
    with pytest.raises(UsageError, match=r"batch of 1 .* Use 2"):
        run(Plan(steps=5, batch=[(0.0, 4), (0.5, 1)]))


def test_rows_are_arguments_not_constants():
    rows = jnp.arange(12.0).reshape(6, 2)

    def loss(mean, x):
        return jnp.mean(jax.vmap(lambda row: jnp.sum((row - mean) ** 2))(x)), {}

    plan = Plan(steps=300, batch=32, learning_rate=0.2)
    state = TrainState.create(jnp.zeros(2), plan, key=KEY)
    result = train(state, loss, RowBatches(rows), plan)
    np.testing.assert_allclose(result.state.averaged, rows.mean(axis=0), atol=0.3)
    with pytest.raises(UsageError, match="no rows"):
        RowBatches(rows[:0])


def test_float32_models_train_under_x64():
    def loss(mean, keys):
        x = jax.vmap(lambda k: jax.random.normal(k, (), jnp.float32))(keys)
        return jnp.mean((x - mean) ** 2), {}

    plan = Plan(steps=5, batch=4, clip_norm=1.0, optimiser="adamw", weight_decay=0.1)
    result = train(TrainState.create(jnp.ones((), jnp.float32), plan, key=KEY), loss, key_batches, plan)
    assert result.state.model.dtype == jnp.float32


def test_a_state_of_another_plan_is_refused():
    state = TrainState.create(model(), Plan(steps=5, batch=4), key=KEY)
    with pytest.raises(UsageError, match="another optimiser or clipping"):
        run(Plan(steps=5, batch=4, clip_norm=1.0), start=state)


def test_trainable_selects():
    class Pair(eqx.Module):
        a: jax.Array
        b: jax.Array

    def loss(pair, keys):
        return jnp.mean(jax.vmap(jax.random.normal)(keys)) + pair.a**2 + pair.b**2, {}

    plan = Plan(steps=5, batch=4, optimiser="adamw", weight_decay=0.5)
    pair = Pair(jnp.array(1.0), jnp.array(1.0))
    state = TrainState.create(pair, plan, key=KEY, trainable=Pair(True, False))
    result = train(state, loss, key_batches, plan)
    assert result.state.model.b == 1.0
    assert result.state.averaged.b == 1.0
    assert result.state.model.a < 1.0
    assert state.parameters == 1
    with pytest.raises(UsageError, match="no trainable arrays"):
        TrainState.create({"n": jnp.arange(3)}, plan, key=KEY)


def test_minutes_end_the_training_and_time_limit_interrupts_it(monkeypatch):
    # A clock that ticks once per look, so that the load of the machine does not matter.
    ticks = itertools.count(0.0, 0.1)
    monkeypatch.setattr("deeprg.train.loop.time", types.SimpleNamespace(monotonic=lambda: next(ticks)))
    plan = Plan(minutes=2.0 / 60, batch=4)
    records = []
    result = run(plan, on_chunk=records.append)
    assert result.reason == "done"
    assert 2.0 <= result.state.seconds < 4.0
    assert all(a["progress"] <= b["progress"] for a, b in itertools.pairwise(records))
    assert records[-1]["learning_rate"] < records[0]["learning_rate"]
    limited = run(Plan(minutes=60.0, batch=4), time_limit=1.0 / 60)
    assert limited.reason == "time"
    assert limited.exit_code == 75
    assert 1.0 <= limited.state.seconds < 4.0
    with pytest.raises(UsageError, match=r"time_limit = -1\.0 minutes must be positive"):
        run(Plan(steps=5, batch=4), time_limit=-1.0)
    with pytest.raises(UsageError, match="compilation took"):
        run(Plan(minutes=1e-6, batch=4))


@pytest.mark.parametrize(
    ("loss", "match"),
    [
        (lambda m, k: jnp.ones(3) * m["b"], "must return"),
        (lambda m, k: (jnp.ones(3) * m["b"], {}), "real scalar"),
        (lambda m, k: (m["b"], {"x": jnp.ones(3)}), r"metric 'x' has shape \(3,\)"),
        (lambda m, k: (m["b"], {"seconds": jnp.ones(())}), "metric 'seconds'"),
    ],
)
def test_wrong_objectives(loss, match):
    with pytest.raises(UsageError, match=match):
        run(Plan(steps=5, batch=4), loss=loss)


def test_wrong_batches():
    with pytest.raises(UsageError, match=r"returned shape \(3,\)"):
        run(Plan(steps=5, batch=4), batches=lambda key, size: jax.random.split(key, 3))
