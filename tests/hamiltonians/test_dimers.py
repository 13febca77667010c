"""Dimers: coverings, energies by a loop over plaquettes, order parameter and winding by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.exact import dimer_coverings
from deeprg.hamiltonians import Dimers
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

STEPS = np.array([(1, 0), (-1, 0), (0, 1), (0, -1)])


@pytest.mark.parametrize("shape", [(2, 2), (2, 4), (4, 4)], ids=str)
def test_every_covering(shape):
    model = Dimers(Lattice(shape), temperature=0.7, interaction=-1.3)
    states = dimer_coverings(model.lattice)
    assert len(np.unique(states.reshape(len(states), -1), axis=0)) == len(states)
    measured = jax.jit(jax.vmap(lambda x: {**model.scalars(x), "energy": model.energy(x)}))(
        jnp.asarray(states)
    )
    for number in range(0, len(states), max(1, len(states) // 40)):
        x = states[number]
        assert model.is_valid(x)
        occupied = model.to_occupation(x)
        assert occupied.sum() == x.size // 2
        np.testing.assert_array_equal(model.from_occupation(occupied), x)
        n0, n1 = occupied
        plaquettes = 0
        vector = np.zeros(2)
        winding = np.zeros(2)
        for i, j in np.ndindex(shape):
            down, right = (i + 1) % shape[0], (j + 1) % shape[1]
            plaquettes += n0[i, j] * n0[i, right] + n1[i, j] * n1[down, j]
            step = STEPS[x[i, j]]
            vector += step * np.array([(-1) ** i, (-1) ** j])
            winding += np.array([n0[i, j] * (i == 0), n1[i, j] * (j == 0)]) * (-1) ** (i + j)
        assert float(measured["energy"][number]) == pytest.approx(-1.3 / 0.7 * plaquettes, rel=1e-12)
        assert float(measured["energy_per_site"][number]) == pytest.approx(-1.3 * plaquettes / x.size)
        mean = vector / x.size
        squared = float(measured["magnetization_squared"][number])
        assert squared == pytest.approx((mean**2).sum(), abs=1e-12)
        assert float(measured["abs_magnetization"][number]) == pytest.approx(math.sqrt(squared), abs=1e-12)
        assert float(measured["winding_squared"][number]) == pytest.approx((winding**2).sum(), abs=1e-12)


def test_columnar_states_are_the_ground_states():
    model = Dimers(Lattice((4, 6)), temperature=1.0)
    states = dimer_coverings(model.lattice)
    energies = np.asarray(jax.vmap(model.energy)(jnp.asarray(states)))
    columns = {model.columnar(axis, shift).tobytes() for axis in (0, 1) for shift in (0, 1)}
    assert len(columns) == 4
    lowest = {state.tobytes() for state in states[energies == energies.min()]}
    assert lowest == columns
    assert energies.min() == -12
    correlation = model.observables(jnp.asarray(model.columnar()))["correlation"]
    np.testing.assert_allclose(correlation, 1.0, atol=1e-12)


@pytest.mark.parametrize(
    "broken",
    [np.zeros((4, 4), np.int8), np.full((4, 4), 7, np.int8), np.zeros((4, 2), np.int8)],
    ids=["no partner points back", "no direction", "shape"],
)
def test_configurations_that_are_no_coverings(broken):
    model = Dimers(Lattice((4, 4)), temperature=1.0)
    assert not model.is_valid(broken)
    with pytest.raises(UsageError, match="not a dimer covering of 4x4"):
        model.to_occupation(broken)
    flipped = model.columnar()
    flipped[0, 0] = 2
    assert not model.is_valid(flipped)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Dimers(Lattice((4, 3)), 1.0), "two even extents, but it is 4x3"),
        (lambda: Dimers(Lattice((4,)), 1.0), "two even extents, but it is 4"),
        (lambda: Dimers(Lattice((4, 4, 4)), 1.0), "two even extents"),
        (lambda: Dimers(Lattice((4, 4)), -1.0), "temperature must be positive, not -1.0"),
        (lambda: Dimers(Lattice((4, 4)), 1.0, math.inf), "interaction must be finite"),
        (lambda: Dimers(Lattice((4, 4)), 1.0).columnar(axis=2), "axis 0 or 1, not 2"),
        (lambda: Dimers(Lattice((2, 2)), 1.0).from_occupation(np.zeros((2, 2))), "Occupations have shape"),
        (lambda: Dimers(Lattice((2, 2)), 1.0).from_occupation(np.ones((2, 2, 2))), "exactly one dimer"),
        (lambda: Dimers(Lattice((4, 4)), 1.0).energy(jnp.zeros((2, 2), jnp.int8)), r"shape \(2, 2\)"),
    ],
)
def test_bad_input_is_a_usage_error(call, message):
    with pytest.raises(UsageError, match=message):
        call()
