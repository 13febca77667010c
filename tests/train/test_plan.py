"""Schedules are plain functions of progress, and impossible plans are refused."""

import subprocess
import sys

import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeprg.runs.errors import UsageError
from deeprg.train import Plan


def test_rate_equals_the_optax_schedule():
    plan = Plan(steps=100, learning_rate=0.3, warmup=0.1, final_fraction=0.05)
    schedule = optax.warmup_cosine_decay_schedule(0.0, 0.3, 10, 100, 0.015)
    for step in range(100):
        assert plan.rate_at(plan.progress(step, 0.0)) == pytest.approx(float(schedule(step)), rel=1e-6)


def test_constant_rate():
    plan = Plan(steps=10, decay="constant", warmup=0.5)
    assert [plan.multiplier(p) for p in (0.0, 0.25, 0.5, 1.0)] == [0.0, 0.5, 1.0, 1.0]


def test_whichever_limit_comes_first():
    plan = Plan(steps=100, minutes=2.0)
    assert plan.progress(50, 0.0) == 0.5
    assert plan.progress(50, 90.0) == 0.75
    assert plan.progress(10, 999.0) == 1.0
    assert plan.depends_on_clock
    assert not Plan(steps=3).depends_on_clock


def test_ramp():
    plan = Plan(steps=100, batch=[[0.0, 64], [0.2, 128], [0.6, 256]])
    assert [plan.size_at(p) for p in (0.0, 0.19, 0.2, 0.6, 1.0)] == [64, 64, 128, 256, 256]
    assert plan.sizes_from(0.0) == [64, 128, 256]
    assert plan.sizes_from(0.3) == [128, 256]
    assert Plan(steps=1, batch=8).sizes_from(0.5) == [8]


@given(st.floats(0, 1), st.floats(0, 0.9), st.floats(0, 1), st.sampled_from(["cosine", "constant"]))
def test_multiplier_stays_in_the_unit_interval(progress, warmup, final, decay):
    plan = Plan(steps=10, warmup=warmup, final_fraction=final, decay=decay)
    assert -1e-12 <= plan.multiplier(progress) <= 1.0 + 1e-12


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, "how long to train"),
        ({"steps": 1, "momentum": 0.9}, "momentum = 0.9 must be 0 but for sgd"),
        ({"steps": 1, "momentum": 1.0, "optimiser": "sgd"}, r"momentum = 1.0 must be in \[0, 1\)"),
        ({"steps": 1, "steps_per_call": 0}, "steps_per_call = 0"),
        ({"steps": 0}, r"steps = 0 must be at least 1"),
        ({"minutes": -1.0}, "minutes = -1.0 must be positive"),
        ({"minutes": float("nan")}, "minutes = nan"),
        ({"minutes": float("inf")}, "minutes = inf"),
        ({"steps": 1, "learning_rate": float("nan")}, "learning_rate = nan"),
        ({"steps": 1, "learning_rate": 0.0}, "learning_rate = 0.0"),
        ({"steps": 1, "warmup": 1.0}, "warmup = 1.0"),
        ({"steps": 1, "decay": "cosin"}, "Did you mean 'cosine'"),
        ({"steps": 1, "optimiser": "lion"}, "one of adam, adamw, sgd"),
        ({"steps": 1, "ema_decay": 1.0}, "ema_decay = 1.0"),
        ({"steps": 1, "clip_norm": 0.0}, "clip_norm = 0.0"),
        ({"steps": 1, "batch": 0}, "batch = 0"),
        ({"steps": 1, "batch": []}, "must start at progress 0"),
        ({"steps": 1, "batch": [(0.1, 4)]}, "must start at progress 0"),
        ({"steps": 1, "batch": [(0.0, 4), (0.0, 8)]}, "in order"),
        ({"steps": 1, "batch": [(0.0, 4), (1.5, 8)]}, r"progress must be in \[0, 1\)"),
        ({"steps": 1, "batch": [(0.0, 4.5)]}, "list of pairs"),
        ({"steps": 1, "batch": [(0.0,)]}, "list of pairs"),
    ],
)
def test_impossible_plans(options, match):
    with pytest.raises(UsageError, match=match):
        Plan(**options)


def test_a_plan_needs_no_jax():
    code = "import sys; from deeprg.train import Plan, StopRequest; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_public_name_loads():
    import deeprg.train

    assert all(getattr(deeprg.train, name) is not None for name in deeprg.train.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = deeprg.train.nothing
