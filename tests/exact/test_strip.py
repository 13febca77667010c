"""The transfer matrix of any bonds against sums over all states, Kaufman and the derivative of ln Z."""

import numpy as np
import pytest

from deeprg.exact import enumerate_distribution, is_strip, kaufman, reference, strip
from deeprg.hamiltonians import ContinuousDual, Ising, RandomBondIsing
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

MODELS = {
    "gaussian 4x4": RandomBondIsing.gaussian(Lattice((4, 4)), 1.3, seed=1, field=0.2),
    "gaussian 2x5": RandomBondIsing.gaussian(Lattice((2, 5)), 0.7, seed=2),
    "±J 5x3": RandomBondIsing.plus_minus(Lattice((5, 3)), 0.5, seed=3),
    "ring of 7": RandomBondIsing.gaussian(Lattice((7,)), 1.0, seed=4, field=-0.3),
    "two spins": RandomBondIsing.gaussian(Lattice((2,)), 1.0, seed=4),
    "self bonds": RandomBondIsing.gaussian(Lattice((1, 6)), 1.0, seed=5, field=0.1),
    "triangular antiferromagnet": Ising.triangular(Lattice((4, 4)), 1.5, -1.0, 0.1),
    "second neighbours": Ising.with_neighbours(Lattice((3, 4)), 1.5, (1.0, -0.5)),
    "odd antiferromagnet": Ising(Lattice((3, 5)), 2.0, -1.0),
    "self bonds, uniform": Ising(Lattice((5, 1)), 2.0),
}


@pytest.mark.parametrize("name", MODELS)
def test_sum_over_all_states(name):
    model = MODELS[name]
    exact, law = strip(model), enumerate_distribution(model)
    assert exact.log_partition == pytest.approx(law.log_partition, rel=1e-13)
    assert exact.energy_per_site == pytest.approx(law.means["energy_per_site"], rel=1e-12, abs=1e-13)


def test_kaufman_at_8x8_and_the_slope_of_random_bonds():
    assert strip(Ising(Lattice((8, 8)), 2.3)).log_partition == pytest.approx(
        kaufman((8, 8), 2.3).log_partition, rel=1e-13
    )
    at = lambda temperature: strip(RandomBondIsing.plus_minus(Lattice((8, 8)), temperature, seed=0))
    slope = (at(1 / 1.001).log_partition - at(1 / 0.999).log_partition) / 0.002
    assert at(1.0).energy_per_site == pytest.approx(-slope / 64, rel=1e-6)


def test_reference_of_a_dual():
    model = RandomBondIsing.plus_minus(Lattice((8, 8)), 1.0, seed=0)
    dual = ContinuousDual(model)
    known = reference(dual)
    assert known.log_partition == pytest.approx(strip(model).log_partition + dual.log_partition_constant)
    assert known.observables["energy_per_site"] == strip(model).energy_per_site
    frustrated = reference(ContinuousDual(Ising.triangular(Lattice((6, 6)), 1.0, -1.0)))
    assert known.source == frustrated.source == "transfer matrix"


def test_what_is_no_strip():
    wide = RandomBondIsing.plus_minus(Lattice((12, 12)), 1.0, seed=0)
    far = Ising.from_kernel(Lattice((6,)), np.array([0.0, 0.3, 0.1, 0.0, 0.1, 0.3]))
    for model in (wide, far, Ising(Lattice((2, 2, 2)), 4.0)):
        assert not is_strip(model)
        with pytest.raises(UsageError, match="at most 10 sites across"):
            strip(model)
    assert reference(wide) is None
