"""The study of ⟨v h⟩ maps: its statistics on made-up maps, its verdicts on right and wrong numbers."""

from typing import Any

import jax
import numpy as np
import pytest

from deeprg.coarsegrain import build_block_rule
from deeprg.lattice import Lattice
from deeprg.probes import ScalingDimension, VHMaps, vh_maps
from deeprg.report.style import data_uri
from deeprg.runs.errors import UsageError
from deeprg.studies._koch_claims import (
    judge_depth,
    judge_difference,
    judge_dimensions,
    judge_disorder,
    judge_learned,
    judge_local,
    judge_patches,
    judge_profile,
    judge_signs,
    judge_spot,
    judge_stack,
)
from deeprg.studies._koch_find import AVERAGE, RBM_NAME, SCATTERED
from deeprg.studies._koch_flow import Stage, stage_of
from deeprg.studies._koch_machines import scattered
from deeprg.studies._koch_patterns import order_of_tiles, patterns_of
from deeprg.studies._spins import ising_data
from deeprg.studies.de_mello_koch import DE_MELLO_KOCH

T_C = 2.269185314213022
SMALL: dict[str, Any] = {
    "size": 8,
    "samples": 400,
    "probed": 400,
    "steps": 20,
    "stack_size": 16,
    "depth": 2,
    "stack_samples": 400,
    "stack_steps": 10,
    "upper_steps": 10,
    "flow_chains": 400,
    "rounds": [0, 2],
}


def maps(values):
    """Maps [n, 12, 12] with an error of 0.01."""
    flat = np.asarray(values, float).reshape(len(values), -1)
    return VHMaps(flat, np.full_like(flat, 0.01), (12, 12), (len(values),), False, True, 1000, False)


def blobs(centres, *, sign=1.0, floor=0.3):
    grid = Lattice((12, 12)).coordinates().reshape(12, 12, 2)
    apart = np.abs(grid[None] - np.asarray(centres)[:, None, None])
    squares = (np.minimum(apart, 12 - apart) ** 2).sum(axis=-1)
    return np.reshape(sign, (-1, 1, 1)) * (floor + 0.5 * np.exp(-squares / 6))


COARSE = Lattice((4, 4))
REGULAR = 3.0 * COARSE.coordinates() + 1
RNG = np.random.default_rng(0)
SHUFFLED = REGULAR[RNG.permutation(16)]
SIGNS = np.array([1, -1] * 8)


@pytest.fixture(scope="module")
def rg():
    return patterns_of("RG", maps(blobs(REGULAR)), COARSE)


@pytest.fixture(scope="module")
def local():
    """A machine of localised units in any order and sign."""
    return patterns_of("RBM", maps(blobs(SHUFFLED, sign=SIGNS)), COARSE, maps(blobs(REGULAR)))


@pytest.fixture(scope="module")
def noise():
    """Units that go with nothing in particular."""
    return patterns_of("noise", maps(0.15 * RNG.normal(size=(16, 12, 12))), COARSE, maps(blobs(REGULAR)))


# --- statistics


def test_one_spot_signs_and_order_are_seen(rg, local, noise):
    assert (rg.one_spot, local.one_spot, noise.one_spot) == (1, 1, 0)
    assert (rg.positive, local.positive) == (1, 0.5)
    assert (rg.patch, local.patch) == (1, 1)
    assert 0.5 <= noise.patch < 0.65
    assert rg.place.displacement == pytest.approx(0, abs=1e-9)
    assert local.place.placed
    assert not noise.place.placed
    assert local.distance == pytest.approx(0, abs=1e-6)
    assert noise.distance > 0.2
    assert rg.order[1] < 0.01
    assert local.order[1] > 0.01
    assert rg.near > 0.5 > abs(noise.near)
    assert rg.peak == pytest.approx(0.8)
    assert rg.peak_error == 0.01


def test_order_has_a_p_value_that_chance_keeps():
    block = Lattice((6, 6))
    p = [order_of_tiles(12 * np.random.default_rng(k).random((36, 2)), block, (12, 12))[1] for k in range(40)]
    assert 0.3 < np.mean(p) < 0.7
    assert min(p) > 1 / 401


def test_scattered_spins_keep_m_and_forget_the_lattice():
    x = ising_data(8, T_C, 2000, 0)
    y = scattered(x, np.random.default_rng(0))
    np.testing.assert_array_equal(x.sum(axis=(1, 2)), y.sum(axis=(1, 2)))
    near, far = (y * np.roll(y, 1, 1)).mean(), (y * np.roll(y, (4, 3), (1, 2))).mean()
    assert near == pytest.approx(far, abs=0.01)
    assert (x * np.roll(x, 1, 1)).mean() > near + 0.1


def test_a_stage_of_critical_data_has_the_exact_energy_and_a_wrong_temperature_has_not():
    """Kaufman at L = 16: e = -1.453065 at T_c."""
    right, wrong = (stage_of(0, ising_data(16, t, 4000, 1)) for t in (T_C, 2.4))
    for stage, holds in ((right, True), (wrong, False)):
        value, error = stage.neighbour
        assert (abs(value - 1.453064852813 / 2) < 4 * error) == holds


@pytest.mark.slow
def test_the_anchors_of_the_panel_of_block_averages():
    """0.772 inside the block and 0.643 beside it, on 32x32 at T_c; a decimation has others."""
    x = ising_data(32, T_C, 6000, 3)
    rule = build_block_rule("average", Lattice((32, 32)), side=2)
    found = vh_maps(rule, x, key=jax.random.key(0), mean=True)
    tiles = found.maps.reshape(16, 16, 32, 32)
    inside = np.mean(
        [tiles[i, j, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2] for i in range(16) for j in range(16)]
    )
    assert inside == pytest.approx(0.7716, abs=0.005)
    beside = np.mean([tiles[i, j, 2 * i : 2 * i + 2, 2 * j + 2] for i in range(15) for j in range(15)])
    assert beside == pytest.approx(0.643, abs=0.006)


# --- verdicts


def stage(step=29, *, m=0.65, spin=0.125, energy=1.0, error=0.01):
    def fit(value):
        if value is None:
            return None
        return ScalingDimension("spin", value, error, 1.0, (), (3, 8), "plane", (1,), 6, 1.0, False)

    return Stage(step, 32, m, 0.003, {}, {"spin": fit(spin), "energy": fit(energy)})


def test_the_profile_is_judged_by_its_anchors():
    right = {"inside": (0.7710, 0.002), "outside": (0.6440, 0.002)}
    assert judge_profile(right, 32).holds is True
    assert judge_profile(right | {"inside": (0.75, 0.002)}, 32).holds is False
    assert judge_profile(right, 16).holds is None


def test_patterns_are_judged(rg, local, noise):
    assert judge_spot(rg).holds
    assert not judge_spot(local).holds  # one spot each, but in no order
    assert judge_patches(local).holds
    assert not judge_patches(noise).holds
    assert judge_signs(local).holds
    assert not judge_signs(rg).holds
    assert judge_disorder(local).holds
    assert not judge_disorder(rg).holds
    assert judge_local(local, rg).holds
    assert not judge_local(noise, rg).holds
    assert judge_learned(local, noise, noise).holds
    assert not judge_learned(noise, noise, noise).holds
    assert not judge_learned(local, local, noise).holds
    assert judge_depth({AVERAGE: [rg, rg], RBM_NAME: [local, local]}).holds
    assert not judge_depth({AVERAGE: [rg, rg], RBM_NAME: [local, noise]}).holds


def test_differences_are_judged_by_errors(rg, local, noise):
    steps = [stage(0), stage(1, m=0.71)]
    assert judge_difference(stage(0), steps, rg, noise).holds
    assert not judge_difference(stage(0), steps, rg, local).holds


def test_dimensions_are_judged_against_the_exact_ones():
    assert judge_dimensions([stage(0), stage()]).holds
    assert judge_dimensions([stage(energy=1.08)]).holds
    assert not judge_dimensions([stage(spin=0.15, error=0.002)]).holds
    assert not judge_dimensions([stage(energy=2.5)]).holds
    assert not judge_dimensions([stage(energy=None)]).holds


def test_the_stack_is_judged_at_its_top():
    blocks = [(0.65, 0.003), (0.71, 0.003)]
    assert judge_stack({"majority": blocks, RBM_NAME: [(0.6, 0.003), (0.8, 0.003)]}).holds
    assert not judge_stack({"majority": blocks, RBM_NAME: [(0.9, 0.003), (0.715, 0.003)]}).holds


# --- the whole


@pytest.mark.slow
def test_from_end_to_end_on_a_small_lattice():
    lines: list[str] = []
    result = DE_MELLO_KOCH.answer(say=lines.append, **SMALL)
    assert len(result.claims) == 12
    assert result.claims[0].holds is None  # the anchors are those of 32x32
    assert {table.name for table in result.tables} == {"patterns", "stack", "flow", "order"}
    assert SCATTERED in [row[0] for row in result.tables[0].rows]
    assert len(result.figures) == 5
    for one in result.figures:
        assert data_uri(one.figure, "png", dpi=30).startswith("data:image/png")
    assert any("stack" in line for line in lines)
    assert any("instead of 32 and 64" in line for line in result.changed)
    plain = result.to_dict()["numbers"]
    assert plain["patterns"][AVERAGE]["one_spot"] >= 0.3
    assert [row["round"] for row in plain["flow"]] == [0, 2]


def test_the_preset_of_the_paper():
    _, settings = DE_MELLO_KOCH.resolve("paper")
    assert (settings.size, settings.stack_size, settings.steps, settings.chains) == (32, 64, 50_000, 1)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"size": 9}, "must be even"),
        ({"stack_size": 20}, "multiple of"),
        ({"rounds": [1, 2]}, "must start at 0"),
        ({"optimiser": "lbfgs"}, "optimiser"),
    ],
)
def test_bad_settings(bad, message):
    with pytest.raises(UsageError, match=message):
        DE_MELLO_KOCH.answer(**bad)
