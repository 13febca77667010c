"""Where marginalisation exists: fractions against norms, chains against dense matrices."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import binomtest

from deeprg.exact.layered import random_machine
from deeprg.studies import _jefferson_existence as existence


def test_random_machines_exist_below_norm_one():
    found = existence.fractions([3, 6], [0.9, 1.2], draws=60, seed=2)
    rng = np.random.default_rng(2)
    for one in found:
        w = one.strength / (2 * math.sqrt(one.width)) * rng.normal(size=(60, one.width, one.width))
        assert one.exist == sum(np.linalg.svd(w, compute_uv=False)[:, 0] < 1)
        interval = binomtest(one.exist, one.draws).proportion_ci(0.95, "wilson")
        assert_allclose(one.interval, interval, rtol=0, atol=2e-5)
    assert existence.judge_existence(found).holds is False
    weak = existence.fractions([6], [0.1], draws=20, seed=2)
    assert existence.judge_existence(weak).holds is True
    assert math.isnan(existence.half_point(weak)[0])


def test_wide_layers_lose_existence_at_one():
    """Half of the machines are lost nearer to g = 1 the wider the layers: the edge of Marchenko-Pastur."""
    at = {}
    for width in (4, 24):
        found = existence.fractions([width], [0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5], draws=100, seed=0)
        at[width], error = existence.half_point(found)
        assert 0 < error < 0.1
    assert 1 < at[24] < at[4] < 1.45


@pytest.mark.parametrize("coupling", [0.2, 0.49, 0.502, 0.55, 0.9])
def test_the_uniform_chain_against_dense_matrices(coupling):
    found = existence.uniform_chain(coupling)
    if coupling < 0.5:
        assert found.fixed is not None
        assert found.fixed == pytest.approx(1 - coupling**2 / found.fixed, abs=1e-12)
        assert found.eigenvalue == pytest.approx(coupling**2 / found.fixed**2, abs=1e-6)
        assert found.depth == math.inf
        return

    def least(layers):
        matrix = np.eye(layers) - coupling * (np.eye(layers, k=1) + np.eye(layers, k=-1))
        return np.linalg.eigvalsh(matrix)[0]

    depth = int(found.depth)
    assert least(depth) > 0
    assert least(depth + 1) <= 0
    assert found.fixed is None


def test_the_recursion_claim_and_its_twins():
    machine = random_machine((4, 3, 3, 2), seed=3)
    chains = [existence.uniform_chain(w) for w in (0.3, 0.5, 0.55)]
    schur = existence.schur_deviation(machine)
    assert schur < 1e-13
    claim = existence.judge_recursion(chains, schur)
    assert claim.holds is True
    assert chains[1].fixed is not None
    assert (
        f"w = λ/2 is not counted, as its approach is algebraic: A* is still {chains[1].fixed - 0.5:.1e}"
        in (claim.measured)
    )
    assert existence.judge_recursion(chains, 1e-3).holds is False
    assert chains[0].eigenvalue is not None
    wrong = replace(chains[0], eigenvalue=chains[0].eigenvalue + 0.01)
    assert existence.judge_recursion([wrong, *chains[1:]], schur).holds is False
    assert existence.judge_recursion([*chains[:2], replace(chains[2], depth=7.0)], schur).holds is False
