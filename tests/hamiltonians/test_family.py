"""A family's traced energy against its members; what a field says about spins against all their states."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.exact import reference
from deeprg.hamiltonians import (
    ContinuousDual,
    GaussianField,
    HamiltonianFamily,
    Ising,
    Phi4,
    build_hamiltonian,
)
from deeprg.hamiltonians._spin_sums import bond_energy_given_means, magnetization_given_means
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

KEY = jax.random.key(0)


def dual(shape, **options):
    return build_hamiltonian("ising", Lattice(shape), temperature=2.0, **options)


FAMILIES = {
    "dual": HamiltonianFamily(dual((4, 4)), "temperature", 1.8, 3.0),
    "dual in a field": HamiltonianFamily(dual((3, 4), field=0.3, shift=0.7), "temperature", 1.8, 3.0),
    "dual in y": HamiltonianFamily(dual((2, 4), variable="y", field=0.1), "temperature", 1.8, 3.0),
    "dual of a chain": HamiltonianFamily(dual((6,)), "temperature", 0.5, 1.0),
    "dual with an extent of 1": HamiltonianFamily(dual((4, 1)), "temperature", 1.8, 3.0),
    "triangular dual": HamiltonianFamily(
        ContinuousDual(Ising.triangular(Lattice((4, 4)), temperature=3.0)), "temperature", 3.0, 4.0
    ),
    "quartic": HamiltonianFamily(Phi4(Lattice((4, 4)), -4.0, 5.0), "quartic", 4.0, 6.0),
    "mass": HamiltonianFamily(Phi4(Lattice((4, 4)), -4.0, 5.0), "mass_squared", -5.0, -3.0),
    "free": HamiltonianFamily(GaussianField(Lattice((4, 4)), 1.0), "mass_squared", 0.5, 2.0),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_traced_energy_and_its_force_are_the_members(name):
    family = FAMILIES[name]
    x = jax.random.normal(KEY, family.lattice.shape)
    energy = jax.jit(family.energy)
    force = jax.jit(jax.grad(family.energy))
    for value in (family.low, 0.3 * family.low + 0.7 * family.high, family.high + 0.2):
        member = family.at(value)
        assert float(energy(x, jnp.asarray(value))) == pytest.approx(float(member.energy(x)), rel=1e-12)
        np.testing.assert_allclose(
            force(x, jnp.asarray(value)), jax.grad(member.energy)(x), rtol=1e-10, atol=1e-10
        )
    # A neighbouring value is another member: the parameter does reach the energy.
    assert abs(float(energy(x, jnp.asarray(family.low))) - float(energy(x, jnp.asarray(family.high)))) > 1e-3


def test_the_constant_of_a_member_links_its_ln_z_to_that_of_its_spins():
    """∫ exp(-E(x; T)) dx by quadrature over two sites."""
    family = HamiltonianFamily(dual((2,), shift=1.0), "temperature", 1.5, 3.0)
    grid = jnp.linspace(-30.0, 30.0, 601)
    x = jnp.stack(jnp.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    for value in (1.5, 2.6):
        energies = jax.vmap(lambda x, value=value: family.energy(x, value))(x)
        log_z = float(jax.nn.logsumexp(-energies)) + 2 * math.log(60 / 600)
        member = family.at(value)
        bond = 2 / value  # a double bond on a ring of two
        spins = math.log(2 * math.exp(bond) + 2 * math.exp(-bond))
        assert log_z - member.log_partition_constant == pytest.approx(spins, abs=1e-8)
        assert reference(member).log_partition == pytest.approx(log_z, abs=1e-8)


@pytest.mark.parametrize("shape", [(2, 2), (3, 3), (2, 4), (4, 1), (5,)])
def test_sums_of_spins_given_a_field_by_enumeration(shape):
    ising = Ising(Lattice(shape), temperature=1.0)
    means = np.tanh(np.random.default_rng(0).normal(size=shape))
    states = np.array(list(itertools.product((-1.0, 1.0), repeat=means.size)))
    law = np.prod(0.5 * (1 + states * means.ravel()), axis=1)
    energies = np.array([float(ising.energy(jnp.asarray(s.reshape(shape)))) for s in states])
    mean, variance = (float(v) for v in bond_energy_given_means(ising.kernel, jnp.asarray(means)))
    assert mean == pytest.approx(law @ energies, rel=1e-12)
    assert variance == pytest.approx(law @ energies**2 - (law @ energies) ** 2, rel=1e-10)
    m = states.mean(axis=1)
    square, fourth = (float(v) for v in magnetization_given_means(jnp.asarray(means)))
    assert square == pytest.approx(law @ m**2, rel=1e-12)
    assert fourth == pytest.approx(law @ m**4, rel=1e-12)
    # Bonds that share a site are correlated: independent ones would have another variance.
    if means.size > 2:
        squares = means**2
        alone = sum(
            0.5 * value**2 * float(np.sum(1 - squares * np.roll(squares, step, range(means.ndim))))
            for step, value in ising.kernel
            if any(step)
        )
        assert abs(alone - variance) > 1e-2


@pytest.mark.parametrize("name", ["dual", "dual in a field", "dual in y", "triangular dual"])
def test_observables_agree_with_the_moments_of_the_member(name):
    family = FAMILIES[name]
    x = jax.random.normal(KEY, family.lattice.shape)
    found, known = family.observables(x, jnp.asarray(2.9)), family.at(2.9).spin_moments(x)
    assert float(found["conjugate"]) == pytest.approx(float(known["energy_per_site"]), rel=1e-11)
    for moment in ("abs_magnetization", "magnetization_squared"):
        assert float(found[moment]) == pytest.approx(float(known[moment]), rel=1e-11)


def test_field_observables_are_derivatives_of_the_energy():
    for name in ("quartic", "mass"):
        family = FAMILIES[name]
        x = jax.random.normal(KEY, (4, 4))
        slope = jax.grad(family.energy, argnums=1)(x, jnp.asarray(4.5))
        assert float(family.observables(x, 4.5)["conjugate"]) == pytest.approx(float(slope) / 16, rel=1e-12)


def test_scaled_runs_from_minus_one_to_one_and_marks_the_outside():
    family = FAMILIES["dual"]
    assert [round(float(family.scaled(v)), 12) for v in (1.8, 2.4, 3.0, 3.6)] == [-1.0, 0.0, 1.0, 2.0]
    assert [family.extrapolates(v) for v in (1.79, 1.8, 2.4, 3.0, 3.01)] == [True, False, False, False, True]


def test_widened_by_a_twentieth_except_where_the_model_ends():
    wide = FAMILIES["dual"].widened()
    assert (wide.low, wide.high) == pytest.approx((1.74, 3.06))
    edge = HamiltonianFamily(Phi4(Lattice((4,)), -1.0, 1.0), "quartic", 0.01, 2.0).widened()
    assert edge.low == 0.01
    assert edge.high == pytest.approx(2.0995)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: HamiltonianFamily(dual((4, 4)), "temprature", 1.8, 3.0), "Did you mean 'temperature'"),
        (lambda: HamiltonianFamily(dual((4, 4)), "quartic", 1.8, 3.0), "cannot be an interval"),
        (lambda: HamiltonianFamily(build_hamiltonian("phi4", Lattice((4,))), "shift", 1, 2), "quartic"),
        (lambda: HamiltonianFamily(Ising(Lattice((4,)), 2.0), "temperature", 1, 2), "has none"),
        (lambda: HamiltonianFamily(dual((4, 4)), "temperature", 3.0, 3.0), "is empty"),
        (lambda: HamiltonianFamily(dual((4, 4)), "temperature", 3.0, 1.8), "is empty"),
        (lambda: HamiltonianFamily(dual((4, 4)), "temperature", 0.0, 1.8), "must be positive"),
        (lambda: HamiltonianFamily(dual((4, 4)), "temperature", -1.0, 1.8), "must be positive"),
        (lambda: HamiltonianFamily(dual((4, 4)), "temperature", 1.0, math.inf), "finite"),
        (lambda: HamiltonianFamily(dual((4, 4)), "temperature", math.nan, 2.0), "finite"),
        (lambda: FAMILIES["quartic"].spectrum(5.0), "no coupling matrix"),
        (lambda: FAMILIES["dual"].energy(jnp.ones((4, 3)), 2.0), "shape"),
        (lambda: HamiltonianFamily(Phi4(Lattice((4,)), 1.0, 1.0), "quartic", -1.0, 1.0), "normalised"),
    ],
)
def test_bad_input(make, text):
    with pytest.raises(UsageError, match=text):
        make()
