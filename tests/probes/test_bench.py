"""The bench: its judges against exact laws, its refusals as reasons, every pair present."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain import BlockAverage, Decimation, FlowCoarseGraining, FlowSpins, Majority, PrincipalCut
from deeprg.coarsegrain.flow import build_flow
from deeprg.exact.couplings import configurations
from deeprg.hamiltonians import Ising, build_hamiltonian, critical_temperature
from deeprg.lattice import Lattice
from deeprg.probes import fit_pair_couplings, site_information
from deeprg.probes.bench import JUDGES, Contestant, exact_values, judge_all, judges_named
from deeprg.runs.errors import NumericalError, UsageError
from deeprg.studies._spins import ising_chains

SQUARE = Lattice((4, 4))
KEY = jax.random.key(0)


def exact_draws(model, n, seed=0):
    """Independent draws of 4x4 spins from their law, all 2^16 states listed."""
    states = configurations(16).reshape(-1, 4, 4)
    log_weights = -np.asarray(jax.vmap(model.energy)(states.astype(np.float64)))
    weights = np.exp(log_weights - log_weights.max())
    rng = np.random.default_rng(seed)
    return states[rng.choice(len(states), size=n, p=weights / weights.sum())]


def test_couplings_are_those_of_the_law():
    """K_1 = 0.3, K_2 = -0.1 from 20 000 exact draws, within 4 errors; other couplings are not met."""
    model = Ising.with_neighbours(SQUARE, 1.0, (0.3, -0.1))
    found = fit_pair_couplings(exact_draws(model, 20_000))
    pulls = lambda true: np.abs(found.values - true) / found.errors
    assert found.names == ("(1, 0)", "(1, 1)")
    assert np.all(pulls([0.3, -0.1]) < 4)
    assert np.all(found.errors < 0.01)
    assert np.all(pulls([0.25, -0.05]) > 4)


def test_errors_of_couplings_are_those_of_repetitions():
    model = Ising(SQUARE, 3.0)
    found = [fit_pair_couplings(exact_draws(model, 2000, seed)) for seed in range(30)]
    scatter = np.std([one.values for one in found], axis=0, ddof=1)
    said = np.mean([one.errors for one in found], axis=0)
    assert np.all(np.abs(scatter / said - 1) < 0.4)  # three errors of a deviation from 30 values


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: np.ones((50, 4, 4)), "100 configurations"),
        (lambda: np.zeros((500, 4, 4)), "hold 0"),
        (lambda: np.random.default_rng(0).choice((-1, 1), size=(500, 2, 2)), "2x2"),
    ],
)
def test_couplings_refuse_what_has_none(make, words):
    with pytest.raises(UsageError, match=words):
        fit_pair_couplings(make())


def test_couplings_of_frozen_spins_have_no_estimate():
    with pytest.raises(NumericalError, match="too ordered"):
        fit_pair_couplings(np.ones((500, 4, 4)))


@pytest.fixture(scope="module")
def critical():
    """Critical spins of 6x6, for which the information of a 2x2 block is known by enumeration."""
    lattice = Lattice((6, 6))
    return ising_chains(lattice, critical_temperature(lattice), 12_000, 3)


@pytest.mark.parametrize(
    ("rule", "exact"), [(lambda x: Majority(x, ties="random"), 0.46104465), (Decimation, 0.38056554)]
)
def test_information_of_a_site_is_that_of_enumeration(critical, rule, exact):
    """A lower bound by a trained classifier: at most 0.03 below, never more than 3 errors above."""
    found = site_information(rule(Lattice((6, 6))), critical, side=2, key=KEY)
    assert found.value < exact + 3 * found.error
    assert found.value > exact - 0.03 - 3 * found.error
    other = {0.46104465: 0.38056554, 0.38056554: 0.46104465}[exact]
    assert not other - 0.03 - 3 * found.error < found.value < other + 3 * found.error
    assert found.error < 0.02


def test_information_refuses_blocks_that_are_none(critical):
    with pytest.raises(UsageError, match="no lattice of blocks"):
        site_information(Decimation(Lattice((6, 6))), critical, side=3, key=KEY)


def test_every_pair_has_numbers_or_a_reason():
    lattice = Lattice((8, 8))
    x = np.random.default_rng(0).choice((-1, 1), size=(2, 600, 8, 8)).astype(np.int8)
    cut = PrincipalCut.fitted(lattice, x.reshape(-1, 8, 8), 16)
    rules = [
        Contestant(
            "majority", Majority(lattice, ties="random"), lambda la: Majority(la, ties="random"), block=2
        ),
        Contestant("average", BlockAverage(lattice), block=2, spins=False),
        Contestant("pca", cut, spins=False, placed=False, why={"placed": "because"}),
    ]
    asked = []
    found = judge_all(rules, judges_named([]), x, key=KEY, on_row=lambda *pair: asked.append(pair))
    columns = {column.key for judge in JUDGES.values() for column in judge.columns}
    assert len(asked) == len(rules) * len(JUDGES)
    for cells in found.values():
        assert set(cells) == columns
        assert all((cell.value is None) == bool(cell.reason) for cell in cells.values())
    assert found["majority"]["K_1"].value == pytest.approx(0.0, abs=4 * found["majority"]["K_1"].error)
    assert "no spins" in found["average"]["y_T"].reason
    assert found["pca"]["delta_spin"].reason == "because"


def test_exact_values_belong_to_critical_points_only():
    lattice = Lattice((8, 8))
    critical = critical_temperature(lattice)
    assert exact_values(Ising(lattice, critical), critical) == pytest.approx(
        {"y_T": 1.0, "y_H": 1.875, "delta_spin": 0.125, "delta_energy": 1.0}
    )
    assert exact_values(Ising(lattice, 3.0), 3.0) == {}
    assert exact_values(None, None) == {}


def test_unknown_judges_are_refused():
    with pytest.raises(UsageError, match="Did you mean 'exponents'"):
        judges_named(["exponent"])


def test_spins_pass_through_a_flow_with_its_symmetry():
    """The flow is odd: spins turned over give coarse spins turned over in the mean, at the same keys."""
    dual = build_hamiltonian("ising", Lattice((8, 8)))
    rule = FlowSpins(FlowCoarseGraining(build_flow(dual, width=4, depth=1, key=KEY)), dual)
    x = np.random.default_rng(1).choice((-1.0, 1.0), size=(8, 8))
    keys = jax.random.split(jax.random.key(2), 400)
    up, down = (jax.vmap(lambda k, s=s: rule.coarsen(s * jnp.asarray(x), key=k))(keys) for s in (1.0, -1.0))
    assert set(np.unique(up)) == {-1.0, 1.0}
    assert np.abs(np.asarray(up).mean(axis=0)).max() > 5 / np.sqrt(400)  # the spins are seen
    total = np.asarray(up + down).mean(axis=0)
    assert np.abs(total).max() < 5 * np.sqrt(2 / 400)
    with pytest.raises(UsageError, match="16x16"):
        FlowSpins(rule.flow, build_hamiltonian("ising", Lattice((16, 16))))
