"""Curves from one conditioned flow against enumeration; a wrong temperature fails; honest error bars."""

import json
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain.flow import ConditionedReverseKL, build_conditioned_flow
from deeprg.exact import reference
from deeprg.hamiltonians import HamiltonianFamily, Phi4, build_hamiltonian
from deeprg.lattice import Lattice
from deeprg.probes import TemperatureCurves, extrapolation_warning, temperature_curves
from deeprg.runs.errors import NumericalError, UsageError
from deeprg.train import Plan, TrainState, key_batches, train

KEY = jax.random.key(3)
FAMILY = HamiltonianFamily(build_hamiltonian("ising", Lattice((2, 2)), shift=1.0), "temperature", 2.5, 5.0)
PHI4 = HamiltonianFamily(Phi4(Lattice((4,)), -1.0, 1.0), "quartic", 0.8, 1.6)
NAMES = ("log_partition", "energy_per_site", "specific_heat", "binder_cumulant", "abs_magnetization")


def trained(family, steps, **options):
    settings = {"width": 4, "depth": 1, "terms": 2, "colours": 1, "radius": 1.5, "degree": 3}
    settings |= {"disentanglers": 0} | options
    flow = build_conditioned_flow(family, dtype=jnp.float64, key=KEY, **settings)
    plan = Plan(steps=steps, batch=64, learning_rate=0.02, steps_per_call=20, ema_decay=0.9)
    state = TrainState.create(flow, plan, key=KEY)
    objective = ConditionedReverseKL(family, values=8)
    return train(state, objective, key_batches, plan, devices=jax.devices()[:1]).state.averaged


@pytest.fixture(scope="module", autouse=True)
def quick_compilation():
    """Most of the time is compilation of code that runs for a second."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
    jax.clear_caches()


@pytest.fixture(scope="module")
def flow():
    return trained(FAMILY, 100)


@pytest.fixture(scope="module")
def curves(flow):
    return temperature_curves(flow, [2.5, 3.4, 5.0], 20_000, key=KEY, batch=5000)


def test_reweighted_curves_are_the_enumerated_ones(curves):
    for name in NAMES:
        curve = curves.curves[name]
        assert np.isfinite(curve.exact).all(), name
        assert np.abs(curve.pull).max() < 3.5, (name, curve.pull)
    assert (curves.ess > 0.3).all()
    assert (curves.curves["gap"].value < 0.5).all()
    assert curves.source is not None
    assert not curves.extrapolates.any()
    for row, value in enumerate(curves.values):
        known = reference(FAMILY.at(value))
        assert curves.curves["specific_heat"].exact[row] == known.derived["specific_heat"]
        gap = curves.curves["gap"]
        assert gap.value[row] > -4 * gap.error[row]


def test_at_another_temperature_they_are_not(curves):
    """The same numbers held against T + 0.3: errors are small enough to tell."""
    for row, value in enumerate(curves.values):
        other = reference(FAMILY.at(float(value) + 0.3))
        energy = curves.curves["energy_per_site"]
        assert abs(energy.value[row] - other.observables["energy_per_site"]) > 5 * energy.error[row]
        assert abs(curves.curves["log_partition"].value[row] - other.log_partition) > (
            5 * curves.curves["log_partition"].error[row]
        )
    heat = curves.curves["specific_heat"]
    moved = np.array([reference(FAMILY.at(float(v) + 0.3)).derived["specific_heat"] for v in curves.values])
    assert np.abs((heat.value - moved) / heat.error).max() > 5


def test_without_the_variance_of_spins_the_specific_heat_is_wrong(flow, monkeypatch):
    """Law of total variance: E[e|x] alone fluctuates less than e."""
    observables = HamiltonianFamily.observables

    def blind(self, x, value):
        return observables(self, x, value) | {"conjugate_variance": jnp.zeros((), x.dtype)}

    monkeypatch.setattr(HamiltonianFamily, "observables", blind)
    jax.clear_caches()
    curve = temperature_curves(flow, [3.4], 5000, key=KEY).curves["specific_heat"]
    assert curve.pull[0] < -5
    jax.clear_caches()


def test_outside_the_interval_is_flagged_and_still_reweighted(flow):
    found = temperature_curves(flow, [3.0, 5.5], 20_000, key=KEY, batch=5000)
    assert found.extrapolates.tolist() == [False, True]
    assert found.warnings[0] == "T = 5.5 lies outside the trained interval [2.5, 5]: extrapolation."
    assert np.abs(found.curves["energy_per_site"].pull).max() < 4
    assert extrapolation_warning(FAMILY, 5.0) is None
    assert "quartic = 2 lies outside" in str(extrapolation_warning(PHI4, 2.0))


def test_document_and_back(curves):
    again = TemperatureCurves.from_dict(json.loads(json.dumps(curves.to_dict())))
    assert again.to_dict() == curves.to_dict()
    np.testing.assert_array_equal(again.curves["gap"].value, curves.curves["gap"].value)


def test_draws_do_not_depend_on_their_batches(flow):
    whole, parts = (temperature_curves(flow, [3.0], 300, key=KEY, batch=b) for b in (300, 128))
    for name in NAMES:
        np.testing.assert_allclose(whole.curves[name].value, parts.curves[name].value, rtol=1e-10)
    told = []
    temperature_curves(flow, [3.0, 4.0], 300, key=KEY, batch=128, on_chunk=told.append)
    assert told == [128, 256, 300, 428, 556, 600]


@pytest.mark.slow
def test_curves_of_a_field_over_its_quartic_coupling():
    """φ⁴ on a ring: ln Z by the transfer operator, ⟨φ⁴⟩ = -∂ ln Z/∂λ / N and its fluctuation."""
    flow = trained(PHI4, 60, terms=1)
    found = temperature_curves(flow, [0.9, 1.4], 20_000, key=KEY, batch=5000)
    assert found.conjugate == ("field_fourth", "field_fourth_variance")
    step = 1e-3
    for row, value in enumerate(found.values):
        log_z = [reference(PHI4.at(value + d)).log_partition for d in (-step, 0.0, step)]
        truth = {
            "log_partition": log_z[1],
            "field_fourth": -(log_z[2] - log_z[0]) / (2 * step) / 4,
            "field_fourth_variance": (log_z[2] - 2 * log_z[1] + log_z[0]) / step**2 / 4,
        }
        for name, exact in truth.items():
            curve = found.curves[name]
            assert abs(curve.value[row] - exact) < 3.5 * curve.error[row] + 1e-4, name


@pytest.mark.slow
def test_error_bars_are_those_of_repeated_draws(flow):
    runs = [temperature_curves(flow, [3.0], 1000, key=jax.random.key(100 + i)).curves for i in range(150)]
    for name in NAMES:
        values = np.array([run[name].value[0] for run in runs])
        errors = np.array([run[name].error[0] for run in runs])
        ratio = values.std(ddof=1) / np.sqrt(np.mean(errors**2))
        assert abs(ratio - 1) < 3.5 / math.sqrt(2 * 149), (name, ratio)
        assert abs(values.mean() - runs[0][name].exact[0]) < 4 * values.std() / math.sqrt(150), name


@pytest.mark.slow
def test_enumeration_at_4x4():
    family = HamiltonianFamily(build_hamiltonian("ising", Lattice((4, 4))), "temperature", 1.8, 3.0)
    flow = trained(family, 300, width=16, terms=4)
    found = temperature_curves(flow, [1.8, 2.3, 3.0], 20_000, key=KEY)
    for name in NAMES:
        assert np.abs(found.curves[name].pull).max() < 3.5, (name, found.curves[name].pull)
    other = reference(family.at(2.4))
    energy = found.curves["energy_per_site"]
    assert abs(energy.value[1] - other.observables["energy_per_site"]) > 5 * energy.error[1]


def test_bad_input(flow):
    with pytest.raises(UsageError, match="at least 100"):
        temperature_curves(flow, [3.0], 50, key=KEY)
    with pytest.raises(UsageError, match="at least one value"):
        temperature_curves(flow, [], 500, key=KEY)
    with pytest.raises(UsageError, match="must be positive"):
        temperature_curves(flow, [3.0, -1.0], 500, key=KEY)
    broken = eqx.tree_at(
        lambda f: f.flow.bijector.base.links[0].net.out_bias, flow, replace_fn=lambda b: b + jnp.nan
    )
    with pytest.raises(NumericalError, match="not finite"):
        temperature_curves(broken, [3.0], 500, key=KEY)
