"""References agree with independent sums, name what is measured, and refuse to guess."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.exact import CRITICAL_TEMPERATURE, enumerate_states, free_field, ising_chain, kaufman, reference
from deeprg.hamiltonians import ContinuousDual, GaussianField, Ising, Phi4
from deeprg.lattice import Lattice


@pytest.mark.parametrize("variable", ["x", "y"])
def test_dual_of_a_torus(variable):
    model = Ising(Lattice((16, 8)), 2.5)
    dual = ContinuousDual(model, 0.7, variable)
    exact, spins = reference(dual), kaufman((16, 8), 2.5)
    assert exact.log_partition == spins.log_partition + dual.log_partition_constant
    assert exact.free_energy == -exact.log_partition
    assert exact.observables == {"energy_per_site": spins.energy_per_site}
    assert exact.correlation is None
    assert exact.source == "Kaufman 1949"


def test_published_dual_at_criticality():
    dual = ContinuousDual(Ising(Lattice((16, 16)), CRITICAL_TEMPERATURE), 0.1)
    assert reference(dual).free_energy == pytest.approx(-592.875739858, abs=1e-8)


def test_chain():
    exact = reference(ContinuousDual(Ising(Lattice((30,)), 1.0), 1.0))
    assert exact.source == "1D transfer matrix; moments by transfer matrix"
    assert reference(Ising(Lattice((300,)), 1.0)).source == "1D transfer matrix"
    assert exact.observables["energy_per_site"] == ising_chain(30, 1.0).energy_per_site


@pytest.mark.parametrize(
    "model",
    [
        Ising(Lattice((4, 4)), CRITICAL_TEMPERATURE),
        Ising(Lattice((3, 3)), 2.0, coupling=-1.0),
        Ising(Lattice((2, 2, 3)), 4.0),
        Ising(Lattice((8,)), 1.0, field=0.2),
        Ising.from_kernel(Lattice((5,)), np.array([0.0, 0.5, 0.1, 0.1, 0.5])),
    ],
    ids=lambda model: str(model.lattice),
)
def test_small_systems_have_all_moments(model):
    truth = enumerate_states(model)
    for hamiltonian, constant in [
        (model, 0.0),
        (ContinuousDual(model, 1.0), ContinuousDual(model, 1.0).log_partition_constant),
    ]:
        exact = reference(hamiltonian)
        assert exact.log_partition == pytest.approx(truth.log_partition + constant, rel=1e-12)
        measured = jax.eval_shape(hamiltonian.scalars, jnp.ones(model.lattice.shape))
        assert set(exact.observables) == set(measured) - {"action_per_site"}
        for name in set(exact.observables) - {"structure_factor_min"}:
            assert exact.observables[name] == pytest.approx(getattr(truth, name), rel=1e-12, abs=1e-14)
        modes = np.fft.fftn(truth.correlation).real
        origin = np.zeros(model.lattice.ndim, int)
        unit, shape = np.eye(model.lattice.ndim, dtype=int), model.lattice.shape
        smallest = [modes[tuple(origin + unit[a])] for a in range(len(shape)) if shape[a] == max(shape)]
        assert exact.observables["structure_factor_min"] == pytest.approx(np.mean(smallest), rel=1e-12)
        spread = (
            truth.magnetization_squared
            - (truth.magnetization if model.field else truth.abs_magnetization) ** 2
        )
        expected = {
            "susceptibility": model.lattice.size / model.temperature * spread,
            "binder_cumulant": 1 - truth.magnetization_fourth / (3 * truth.magnetization_squared**2),
        }
        if model.field == 0:
            expected["specific_heat"] = truth.specific_heat
        assert set(exact.derived) - {"correlation_length"} == set(expected)
        for name, value in expected.items():
            assert exact.derived[name] == pytest.approx(value, rel=1e-10)
        np.testing.assert_array_equal(exact.correlation, truth.correlation)


def test_gaussian_field():
    model = GaussianField(Lattice((4, 3)), 0.5)
    exact = reference(model)
    assert exact.log_partition == model.log_partition
    assert set(exact.observables) == set(model.scalars(jnp.ones((4, 3))))
    modes = 1 / model.spectrum
    assert exact.observables["structure_factor_min"] == pytest.approx(modes[1, 0])  # the longest axis
    assert exact.derived["binder_cumulant"] == 0
    assert exact.observables["magnetization_squared"] == pytest.approx(model.propagator.mean(), rel=1e-12)
    # the mean of a normal variable's modulus, by quadrature
    grid = np.linspace(-5, 5, 200_001)
    density = np.exp(-(grid**2) * 6 * 0.5)
    modulus = np.sum(np.abs(grid) * density) / np.sum(density)
    assert free_field(model).abs_magnetization == pytest.approx(modulus, rel=1e-8)
    assert exact.observables["action_per_site"] == 0.5
    np.testing.assert_array_equal(exact.correlation, model.propagator)


@pytest.mark.parametrize(
    "hamiltonian",
    [
        Phi4(Lattice((4, 4)), -4.0, 5.0),
        Ising(Lattice((9, 9)), 2.0, field=0.1),
        Ising(Lattice((9, 9)), 2.0, coupling=-1.0),
        Ising.triangular(Lattice((9, 9)), 2.0),
        Ising(Lattice((4, 4, 4)), 4.5),
    ],
    ids=["phi4", "field", "frustrated", "triangular", "3D"],
)
def test_unknown_answers_are_none(hamiltonian):
    assert reference(hamiltonian) is None
