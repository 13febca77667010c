"""Laws of small discrete models against independent sums, Kasteleyn's count and exact identities."""

import itertools
import math

import numpy as np
import pytest

from deeprg.exact import (
    dimer_coverings,
    enumerate_distribution,
    enumerate_states,
    kaufman,
    log_dimer_count,
    reference,
)
from deeprg.hamiltonians import (
    CRITICAL_TEMPERATURE,
    XY,
    Dimers,
    Ising,
    Phi4,
    Potts,
    RandomBondIsing,
    nishimori_temperature,
)
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError


@pytest.mark.parametrize(
    "model",
    [
        Ising(Lattice((3, 4)), CRITICAL_TEMPERATURE),
        Ising(Lattice((2, 3)), 0.7, coupling=-0.4, field=0.3),
        Ising.triangular(Lattice((3, 3)), 2.0, coupling=-1.0),
        Ising.with_neighbours(Lattice((3, 4)), 2.0, (1.0, -0.5), field=0.1),
    ],
    ids=lambda model: str(model.lattice),
)
def test_ising_agrees_with_the_sum_over_tables(model):
    law, truth = enumerate_distribution(model), enumerate_states(model)
    assert law.states.dtype == np.int8
    assert law.states.shape == (2**model.lattice.size, *model.lattice.shape)
    assert law.probabilities.sum() == pytest.approx(1, rel=1e-13)
    assert law.log_partition == pytest.approx(truth.log_partition, rel=1e-13)
    for name in ("magnetization", "abs_magnetization", "magnetization_squared", "energy_per_site"):
        assert law.means[name] == pytest.approx(getattr(truth, name), rel=1e-12, abs=1e-13)
    modes = np.fft.fftn(truth.correlation).real
    shape = model.lattice.shape
    smallest = [modes[k] for k, extent in zip(((1, 0), (0, 1)), shape, strict=True) if extent == max(shape)]
    assert law.means["structure_factor_min"] == pytest.approx(np.mean(smallest), rel=1e-12)
    derived, temperature, size = law.derived, model.temperature, model.lattice.size
    if model.field == 0:
        assert derived["specific_heat"] == pytest.approx(truth.specific_heat, rel=1e-11)
    order = truth.magnetization if model.field else truth.abs_magnetization
    spread = truth.magnetization_squared - order**2
    assert derived["susceptibility"] == pytest.approx(size / temperature * spread, rel=1e-11)
    binder = 1 - truth.magnetization_fourth / (3 * truth.magnetization_squared**2)
    assert derived["binder_cumulant"] == pytest.approx(binder, rel=1e-12)


def test_random_bonds_against_a_loop():
    model = RandomBondIsing.gaussian(Lattice((2, 3)), 1.5, seed=2, field=0.2)
    bonds, norm, energy = model.couplings, 0.0, 0.0
    for spins in itertools.product((-1, 1), repeat=6):
        s = np.array(spins).reshape(2, 3)
        pairs = sum((bonds[a] * s * np.roll(s, -1, a)).sum() for a in (0, 1))
        weight = math.exp(pairs + 0.2 * s.sum())
        norm, energy = norm + weight, energy - weight * 1.5 * pairs / 6
    law = enumerate_distribution(model)
    assert law.log_partition == pytest.approx(math.log(norm), rel=1e-13)
    assert law.means["energy_per_site"] == pytest.approx(energy / norm, rel=1e-12)


def test_energy_on_the_nishimori_line():
    # averaged over all 256 signs of the 8 bonds of a 2x2 torus: exactly -tanh(1/T) per bond, 2 bonds per site
    def energy(antiferro, temperature):
        total = 0.0
        for signs in itertools.product((-1.0, 1.0), repeat=8):
            bonds = np.array(signs).reshape(2, 2, 2)
            chance = antiferro ** (bonds < 0).sum() * (1 - antiferro) ** (bonds > 0).sum()
            matrix = np.zeros((4, 4))
            listed = RandomBondIsing(Lattice((2, 2)), bonds / temperature, temperature).bonds()
            np.add.at(
                matrix, (np.arange(4)[:, None] + 0 * listed.neighbours, listed.neighbours), listed.couplings
            )
            states = np.array(list(itertools.product((-1, 1), repeat=4)))
            pairs = 0.5 * np.einsum("ni,ij,nj->n", states, matrix, states)
            weights = np.exp(pairs)
            total -= chance * temperature * (weights @ pairs) / weights.sum() / 4
        return total

    temperature = nishimori_temperature(0.2)
    expected = -2 * math.tanh(1 / temperature)
    assert energy(0.2, temperature) == pytest.approx(expected, rel=1e-12)
    assert abs(energy(0.2, 1.1 * temperature) - expected) > 0.01  # the twin off the line


@pytest.mark.parametrize("states", [2, 3, 4])
def test_potts_ring(states):
    # transfer matrix: e^K - 1 + q once, e^K - 1 for the other q - 1
    law, bond = enumerate_distribution(Potts(Lattice((6,)), 0.8, states=states)), 1.25
    expected = (math.exp(bond) + states - 1) ** 6 + (states - 1) * (math.exp(bond) - 1) ** 6
    assert law.log_partition == pytest.approx(math.log(expected), rel=1e-13)


def test_two_state_potts_is_half_an_ising_model():
    law = enumerate_distribution(Potts(Lattice((3, 4)), 1.2, states=2))
    ising = kaufman((3, 4), 1.2, 0.5)
    assert law.log_partition == pytest.approx(ising.log_partition + 24 * 0.5 / 1.2, rel=1e-13)
    assert law.means["energy_per_site"] == pytest.approx(ising.energy_per_site - 1, rel=1e-12)
    assert law.derived["specific_heat"] == pytest.approx(ising.specific_heat, rel=1e-11)


@pytest.mark.parametrize(
    ("shape", "count"), [((2, 2), 8), ((2, 4), 36), ((4, 4), 272), ((4, 6), 3108), ((6, 6), 90176)], ids=str
)
def test_dimer_coverings_are_as_many_as_kasteleyn_says(shape, count):
    assert math.exp(log_dimer_count(Lattice(shape))) == pytest.approx(count, rel=1e-12)
    states = dimer_coverings(Lattice(shape))
    assert len(states) == count
    assert all(Dimers(Lattice(shape), 1.0).is_valid(x) for x in states[:: max(1, count // 50)])


def test_dimer_entropy_per_site():
    catalan = 0.915965594177219015
    lattice = Lattice((512, 512))
    assert log_dimer_count(lattice) / lattice.size == pytest.approx(catalan / math.pi, abs=1e-5)


def test_interacting_dimers():
    model = Dimers(Lattice((4, 4)), 0.8, interaction=-1.0)
    law, free = enumerate_distribution(model), dimer_coverings(model.lattice)
    starts = [free == 0, free == 2]
    parallel = sum(
        (start & np.roll(start, -1, 2 - axis)).sum(axis=(1, 2)) for axis, start in enumerate(starts)
    )
    weights = np.exp(parallel / 0.8)
    assert law.log_partition == pytest.approx(math.log(weights.sum()), rel=1e-13)
    assert law.means["energy_per_site"] == pytest.approx(
        -(weights @ parallel) / weights.sum() / 16, rel=1e-12
    )
    assert math.exp(enumerate_distribution(Dimers(model.lattice, 1.0, 0.0)).log_partition) == pytest.approx(
        272
    )


@pytest.mark.parametrize(
    "model",
    [
        Potts(Lattice((3, 3)), 1.0, states=3),
        RandomBondIsing.plus_minus(Lattice((3, 3)), 1.0, seed=0),
        Dimers(Lattice((4, 4)), 0.65),
        Ising.triangular(Lattice((3, 3)), 3.0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_reference_has_the_exact_scalars(model):
    exact, law = reference(model), enumerate_distribution(model)
    assert exact.log_partition == pytest.approx(law.log_partition, rel=1e-13)
    assert set(exact.observables) == set(law.means)
    for name, value in law.means.items():
        assert exact.observables[name] == pytest.approx(value, rel=1e-11, abs=1e-13)
    assert set(exact.derived) == set(law.derived)
    for name, value in law.derived.items():
        assert exact.derived[name] == pytest.approx(value, rel=1e-9)


def test_free_dimers_of_any_size():
    exact = reference(Dimers(Lattice((64, 64)), 1.0, interaction=0.0))
    assert exact.log_partition == log_dimer_count(Lattice((64, 64)))
    assert exact.source == "Kasteleyn 1961"
    assert reference(Dimers(Lattice((64, 64)), 1.0)) is None


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Ising(Lattice((1024, 1024)), 1.0), "at most 1048576 states, but this model has 10"),
        (Ising(Lattice((21,)), 1.0), r"10\^6.3"),
        (Potts(Lattice((4, 4)), 1.0), r"10\^7.6"),
        (Dimers(Lattice((8, 8)), 1.0), r"10\^8.5"),
        (XY(Lattice((2,)), 1.0), "infinitely many"),
        (Phi4(Lattice((2,)), 1.0, 1.0), "infinitely many"),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "lattice") else "",
)
def test_too_many_states_is_a_usage_error(model, message):
    with pytest.raises(UsageError, match=message):
        enumerate_distribution(model)


def test_expectation_wants_one_value_per_state():
    law = enumerate_distribution(Ising(Lattice((3,)), 1.0))
    with pytest.raises(UsageError, match=r"One value per state is needed, shape \(8,\)"):
        law.expectation(np.zeros(7))


def test_a_cold_model_does_not_overflow():
    law = enumerate_distribution(Ising(Lattice((3, 3)), 0.001))
    assert law.log_partition == pytest.approx(18000 + math.log(2), rel=1e-14)
    assert law.means["abs_magnetization"] == pytest.approx(1, rel=1e-14)
