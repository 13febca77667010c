"""Belief networks and block spins: statistics of made fields, verdicts on wrong numbers, a small run."""

import json
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain.boltzmann import RBM, BeliefNetwork
from deeprg.montecarlo import Estimate
from deeprg.report.style import data_uri
from deeprg.runs.errors import UsageError
from deeprg.studies import _mehta_claims as judging
from deeprg.studies import _mehta_find as finding
from deeprg.studies._mehta_chain import decimating_weights, hand_built
from deeprg.studies._mehta_coarse import CoarseCurve, Decay, block_centres, coarse_curve, decay, likeness
from deeprg.studies._mehta_locality import (
    Middle,
    arrangement,
    block_fields,
    locality,
    middle,
    placeless_width,
)
from deeprg.studies._mehta_machines import bare_network, fields_of, rows_of, train_network
from deeprg.studies._mehta_reconstruction import (
    advantage,
    block_guesses,
    coarse_spins,
    leading_modes,
    mode_guess,
    network_guess,
    overlap,
)
from deeprg.studies.mehta_schwab import MEHTA_SCHWAB

SMALL: dict[str, Any] = {
    "size": 8,
    "layers": (16, 4),
    "samples": 200,
    "batch": 20,
    "steps": 30,
    "upper_steps": 20,
    "penalties": (),
    "held_out": 40,
    "ring": 8,
}
RNG = np.random.default_rng(0)
L = 40


def blob(width, place=(3, 38), sign=-1.0):
    """A Gaussian spot with width √(Σ r² M²/Σ M²), across the edge of the torus."""
    r = np.minimum(np.arange(L), L - np.arange(L))
    spot = np.exp(-(r[:, None] ** 2 + r**2) / (2 * width**2))
    return sign * np.roll(spot, place, axis=(0, 1))[None]


def mid(value, error=0.01, low=None, high=None):
    return Middle(
        float(value), error, float(value if low is None else low), float(value if high is None else high)
    )


# --- locality


def test_numbers_of_a_gaussian_spot():
    found = locality(blob(2.0))
    np.testing.assert_allclose(found.centre, [[3, 38]], atol=1e-6)
    assert found.width[0] == pytest.approx(2.0, rel=1e-3)
    assert found.area[0] == pytest.approx(2 * math.pi * 4, rel=1e-3)
    assert found.share[0] == pytest.approx(1 - math.exp(-(5.05**2) / 4), abs=0.01)
    assert found.spots[0] == 1
    # Of a spot in a large empty field: exp(-1/(4 s²)), less little for its mean.
    assert found.texture == pytest.approx(math.exp(-1 / 16), abs=0.01)


def test_numbers_of_noise():
    found = locality(RNG.normal(size=(50, L, L)))
    numbers = found.middles
    assert numbers["width"].value == pytest.approx(placeless_width((L, L)), abs=0.5)
    assert numbers["area"].value == pytest.approx(L * L / 3, rel=0.05)  # (⟨x²⟩)²/⟨x⁴⟩ of a normal law
    assert numbers["share"].value < 0.07
    assert numbers["spots"].value > 50
    assert abs(found.texture) < 0.02


def test_a_shuffled_spot_keeps_its_area_and_loses_its_place():
    spot = blob(3.0)
    shuffled = np.stack([RNG.permutation(spot.reshape(-1)).reshape(L, L) for _ in range(20)])
    whole, found = locality(spot), locality(shuffled)
    np.testing.assert_allclose(found.area, whole.area[0])
    assert found.middles["width"].value > 4 * whole.width[0]
    assert found.middles["share"].value < 0.3 < whole.share[0]
    assert found.middles["spots"].value > 5
    assert abs(found.texture) < 0.1 < whole.texture


def test_blocks_have_the_numbers_of_squares():
    for side in (2, 4, 8):
        found = locality(block_fields(L, side))
        np.testing.assert_allclose(found.width, math.sqrt((side**2 - 1) / 6))
        np.testing.assert_allclose(found.area, side**2)
        assert set(found.spots.tolist()) == {1}
    assert np.isnan(locality(np.zeros((1, 8, 8))).width[0])


def test_the_error_of_a_median():
    draws = RNG.normal(size=(400, 101))
    found = np.median([middle(x).error for x in draws[:40]])
    assert found == pytest.approx(np.median(draws, axis=1).std(), rel=0.2)
    kept = middle(np.array([1.0, math.nan, 3.0]))
    assert kept.value == 2
    assert math.isnan(middle(np.full(3, math.nan)).value)
    assert middle(np.array([1.0, 2.0, 4.0])).ratio > 1


def test_arrangement_of_random_places_and_pairs():
    found = np.array([arrangement(RNG.uniform(0, L, (100, 2)), L)[0] for _ in range(60)])
    error = arrangement(RNG.uniform(0, L, (100, 2)), L)[1]
    assert found.mean() == pytest.approx(1, abs=0.03)
    assert found.std() == pytest.approx(error, rel=0.3)
    places = RNG.uniform(0, L, (50, 2))
    assert arrangement(np.concatenate([places, places]), L)[0] == 0


# --- coarse variables


def test_correlations_are_those_of_all_pairs():
    h = np.sign(RNG.normal(size=(500, 16)) + RNG.normal(size=(500, 1)))
    sign = RNG.choice([-1.0, 1.0], 16)
    found = coarse_curve(h * sign, block_centres(8, 2), sign, 8)
    corr, centre = np.corrcoef(h.T), block_centres(8, 2)
    apart = np.abs(centre[:, None] - centre[None])
    apart = np.sqrt((np.minimum(apart, 8 - apart) ** 2).sum(-1))
    first = (apart >= 1) & (apart < 3)
    assert found.value[0] == pytest.approx(corr[first].mean(), abs=1e-12)
    assert found.r[0] == pytest.approx(apart[first].mean())
    wrong = coarse_curve(h * sign, block_centres(8, 2), np.ones(16), 8)
    assert wrong.value[0] < found.value[0] - 0.1


def test_a_decay_needs_something_that_decays():
    r = np.arange(1.0, 21.0)
    g = 0.7 * np.exp(-r / 6)
    errors = 0.01 * g
    found = decay(CoarseCurve(r, g, errors, np.stack([g * (1 + e * r) for e in (0.001, -0.001)])), 40, 4)
    assert found.length == pytest.approx(6, rel=1e-6)
    assert found.error > 0
    for bad in (-g, np.full(20, 0.1), np.exp(r / 6)):
        replicas = np.stack([bad] * 10)
        assert not decay(CoarseCurve(r, bad, errors, replicas), 40, 4).length < 1e3


def test_likeness_knows_the_size_of_a_block():
    fields = block_fields(16, 4)
    fields = -np.roll(fields, (1, 3), axis=(1, 2))
    assert [round(float(np.median(likeness(fields, side))), 6) for side in (2, 4, 8)] == [0.5, 1, 0.5]
    assert np.median(likeness(RNG.normal(size=(20, 40, 40)), 4)) < 0.15


# --- reconstructions


def block_network(unit):
    """A machine whose hidden units are the majority of 3x3 blocks, in either kind of units."""
    weights = 2.0 * block_fields(9, 3).reshape(9, 81).T
    machine = RBM.create(81, 9, visible_unit=unit, hidden_unit=unit, dtype=jnp.float64, key=jax.random.key(0))
    if unit == "spin":
        return BeliefNetwork((eqx.tree_at(lambda m: m.weights, machine, jnp.asarray(weights)),))
    # v = 2 b - 1 in -v W h: 4 W between bits, and the biases -2 W summed over the partners
    parts = (4 * weights, -2 * weights.sum(axis=1), -2 * weights.sum(axis=0))
    return BeliefNetwork(
        (
            eqx.tree_at(
                lambda m: (m.weights, m.visible_bias, m.hidden_bias), machine, tuple(map(jnp.asarray, parts))
            ),
        )
    )


@pytest.mark.parametrize("unit", ["spin", "binary"])
def test_a_network_of_majority_spins_guesses_as_they_do(unit):
    spins = RNG.choice([-1, 1], (60, 9, 9)).astype(np.int8)
    guess = network_guess(block_network(unit), spins, 1)
    coarse = coarse_spins(spins, 3, key=jax.random.key(1))
    painted = block_guesses(coarse, spins, coarse)["painted"]
    np.testing.assert_array_equal(np.sign(guess), painted)
    assert advantage(spins, guess, painted).value == 0
    drawn = overlap(spins, network_guess(block_network(unit), spins, 1, key=jax.random.key(2)))
    best, other = overlap(spins, painted), overlap(spins, np.roll(painted, 1, axis=0))
    assert 0.8 * best.value < drawn.value <= best.value
    assert abs(other.value) < 5 * other.error < best.value


def test_modes_are_complete_and_sorted():
    x = np.repeat(RNG.choice([-1, 1], (300, 4, 4)), 2, axis=2).astype(np.int8)  # 16 modes of 32 sites
    modes = leading_modes(x)
    np.testing.assert_allclose(mode_guess(x, modes, 16), x, atol=1e-4)
    assert overlap(x, mode_guess(x, modes, 4)).value < overlap(x, mode_guess(x, modes, 12)).value < 1


def test_sorting_back_puts_weights_where_they_came_from():
    settings = MEHTA_SCHWAB.resolve(**SMALL)[1]
    network = bare_network(settings, key=jax.random.key(0))
    order = RNG.permutation(64)
    v = RNG.choice([-1.0, 1.0], 64)
    felt = v[order] @ np.asarray(network.machines[0].weights)
    back = fields_of(network, (8, 8), order)[0].reshape(16, 64)
    np.testing.assert_allclose(back @ v, felt, rtol=1e-5)
    assert not np.allclose(fields_of(network, (8, 8))[0].reshape(16, 64) @ v, felt)
    assert set(np.unique(rows_of(np.array([[[1, -1]]]), "binary"))) == {0, 1}


# --- the chain


def test_the_hand_built_network_is_decimation_and_a_weak_copy_is_not():
    found = hand_built(12, 0.8, 20.0)
    k = math.atanh(math.tanh(0.8) ** 2)
    assert found.layers[0].coupling == pytest.approx(k, abs=1e-12)
    assert found.layers[1].coupling == pytest.approx(math.atanh(math.tanh(k) ** 2), abs=1e-12)
    assert judging.judge_chain(found).holds is True
    weak = hand_built(8, 0.8, 1.0)
    assert weak.layers[0].coupling == pytest.approx(k, abs=1e-12)  # the hidden chain does not know the copy
    assert judging.judge_chain(weak).holds is False
    assert decimating_weights(8, 0.3, 5.0).sum() == pytest.approx(4 * 5 + 8 * 0.3)


# --- verdicts


def test_local_needs_a_disc_and_few_spots():
    assert judging.judge_local(mid(0.9), mid(1), mid(0.06)).holds is True
    assert judging.judge_local(mid(0.3), mid(1), mid(0.06)).holds is False
    assert judging.judge_local(mid(0.9), mid(5), mid(0.06)).holds is False


def test_alike_and_growing():
    widths = [mid(1.3, low=1.2, high=1.5), mid(2.1, low=1.9, high=2.4), mid(4.0, low=3.6, high=4.4)]
    blocks = [mid(0.7), mid(1.6), mid(3.2)]
    assert judging.judge_alike(widths).holds is True
    assert judging.judge_alike([*widths, mid(4.0, low=3.0, high=5.0)]).holds is False
    assert judging.judge_growth(widths, blocks, 16.3).holds is True
    assert judging.judge_growth(widths[::-1], blocks, 16.3).holds is False
    assert judging.judge_growth([mid(1.3), mid(1.31), mid(4.0)], blocks, 16.3).holds is False
    assert judging.judge_growth([mid(1.3), mid(2.1), mid(15.0)], blocks, 16.3).holds is False


def overlaps(own, **others):
    values = {
        finding.LEARNED: own,
        finding.LIKELIEST: own,
        finding.PAINTED: 0.44,
        finding.UNTRAINED: 0.0,
        finding.OTHER: 0.0,
        finding.FREE: 0.4,
        finding.LINEAR: 0.45,
        finding.MODES: 0.51,
    }
    return {name: Estimate(value, 0.004) for name, value in {**values, **others}.items()}


def test_reconstruction_is_held_against_majority_spins_and_controls():
    assert judging.judge_reconstruction(overlaps(0.41), 25, 1600).holds is True
    assert judging.judge_reconstruction(overlaps(0.30), 25, 1600).holds is False
    assert judging.judge_reconstruction(overlaps(0.41, untrained=0.40), 25, 1600).holds is False


def test_controls():
    assert judging.judge_penalty([mid(0.07), mid(0.9)], [mid(0.99)], 0.01).holds is False
    assert judging.judge_penalty([mid(0.8), mid(0.9)], [mid(0.99)], 0.01).holds is True
    assert judging.judge_texture(0.7, 0.75, 0.0).holds is True
    assert judging.judge_texture(0.2, 0.75, 0.0).holds is False
    assert judging.judge_texture(0.7, 0.75, 0.6).holds is False
    assert judging.judge_shuffled(mid(0.2), 0.0, mid(0.9)).holds is True
    assert judging.judge_shuffled(mid(0.9), 0.0, mid(0.9)).holds is False
    assert judging.judge_shuffled(mid(0.2), 0.6, mid(0.9)).holds is False
    assert judging.judge_shuffled(mid(0.2), 0.0, mid(0.1)).holds is None
    assert judging.judge_sorted([mid(1.3), mid(2.2)], [mid(1.35), mid(2.1)], mid(0.9)).holds is True
    assert judging.judge_sorted([mid(1.3), mid(9.0)], [mid(1.35), mid(2.1)], mid(0.9)).holds is False
    assert judging.judge_sorted([mid(1.3)], [mid(1.35)], mid(0.1)).holds is None


def test_block_spins():
    noise = mid(0.09)
    assert judging.judge_blocks({2: mid(0.5), 4: mid(0.84), 8: mid(0.76)}, 4, noise).holds is True
    assert judging.judge_blocks({2: mid(0.5), 4: mid(0.84), 8: mid(0.9)}, 4, noise).holds is False
    assert judging.judge_blocks({2: mid(0.1), 4: mid(0.2), 8: mid(0.1)}, 4, noise).holds is False
    assert judging.judge_arrangement([(1.8, 0.05), (1.7, 0.1)]).holds is True
    assert judging.judge_arrangement([(1.8, 0.05), (1.1, 0.1)]).holds is False


def test_decay_lengths_are_compared_and_a_missing_one_leaves_it_open():
    def pair(own, other):
        lengths = {finding.LEARNED: own, finding.BLOCKS: other, finding.SHUFFLED: math.nan}
        return {name: Decay(length, 0.05, (6.0, 16.0)) for name, length in lengths.items()}

    assert judging.judge_decay([pair(5.7, 5.8), pair(6.2, 6.6)]).holds is True
    assert judging.judge_decay([pair(5.7, 5.8), pair(3.0, 6.6)]).holds is False
    assert judging.judge_decay([pair(5.7, 5.8), pair(math.nan, 6.6)]).holds is None


def test_bits_are_compared_in_pairs():
    close, worse = Estimate(-0.002, 0.002), Estimate(-0.01, 0.002)
    names = (finding.LEARNED, finding.LIKELIEST)
    assert judging.judge_bits(dict.fromkeys(names, close), overlaps(0.43), 25).holds is True
    assert judging.judge_bits(dict.fromkeys(names, worse), overlaps(0.43), 25).holds is False


# --- the whole


@pytest.fixture(scope="module")
def result():
    """A run that trains one network and takes it for all three."""
    trained = []

    def once(*args, **options):
        if not trained:
            trained.append(train_network(*args, **options))
        return trained[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finding, "train_network", once)
        return MEHTA_SCHWAB.answer(**SMALL)


def check(result):
    assert [claim.asserted for claim in result.claims] == [True] * 5 + [False] * 8
    assert result.claims[4].holds is True  # the chain is exact in any run
    assert [one.name for one in result.tables] == ["fields", "penalties", "overlaps", "coarse", "chain"]
    names = ["fields", "sizes", "reconstructions", "profiles", "coarse"]
    assert [one.name for one in result.figures] == names
    assert all(data_uri(one.figure, "png", dpi=30).startswith("data:image/png") for one in result.figures)
    assert len(result.tables[0].rows) == 6 * 2
    assert len(result.citations) == 6
    json.dumps(result.to_dict())


@pytest.mark.slow
def test_a_small_run_has_all_parts(result):
    check(result)
    assert [row[0] for row in result.tables[1].rows] == [0, 0.01]


@pytest.mark.slow
def test_networks_of_a_small_lattice_organise_themselves():
    """On 16x16 sites a strong penalty makes blobs; without it, and on shuffled sites, there are none."""
    settings = {"size": 16, "layers": (64, 16), "samples": 4000, "steps": 1200, "upper_steps": 1000}
    result = MEHTA_SCHWAB.answer(**settings, penalty=0.03, penalties=(0.1,), held_out=200, ring=8)
    check(result)
    verdicts = {claim.statement: claim.holds for claim in result.claims}
    assert verdicts["The receptive fields of the first layer are local blobs"]
    assert verdicts["The fields grow with depth"]
    assert verdicts["16 hidden units reconstruct the domains of 256 spins"]
    assert not verdicts["The first layer is local without the L1 penalty, too"]
    assert verdicts["On shuffled sites the fields are not local on the lattice"]
    again = MEHTA_SCHWAB.answer(**settings, penalty=0.03, penalties=(0.1,), held_out=200, ring=8)
    assert again.tables[0].rows == result.tables[0].rows


@pytest.mark.slow
def test_what_was_changed_is_said(result):
    text = "\n".join(result.changed)
    assert "size = 8 instead of 40" in text
    assert "L1 = 0.01, like 0.0025 of {0, 1} units, instead of 0.0002: 12.5 times" in text
    assert "3 epochs for the first layer and 2 for each above it instead of 200" in text


def test_the_paper_preset_is_the_experiment_of_the_source():
    settings = MEHTA_SCHWAB.resolve("paper")[1]
    assert (settings.size, settings.layers, settings.coupling) == (40, (400, 100, 25), 0.408)
    assert settings.sides == (2, 4, 8)
    assert settings.steps * settings.batch == 200 * settings.samples
    assert (settings.units, settings.penalty, settings.momentum) == ("binary", 2e-4, 0.5)
    from deeprg.studies.mehta_schwab import _changed

    assert len(_changed(settings)) == 2  # what a reproduction says, and what is measured


@pytest.mark.parametrize(
    "assignment",
    [
        "size=4",
        "layers=[400]",
        "layers=[400,400]",
        "layers=[400,99]",
        "layers=[400,-4]",
        "layers=[9,4]",
        "units=potts",
        "penalty=0",
        "penalties=[0.0]",
        "ring=10",
        "coupling=0.5",
        "momentum=1",
        "steps=0",
    ],
)
def test_settings_out_of_bounds(assignment):
    with pytest.raises(UsageError, match=assignment.partition("=")[0]):
        MEHTA_SCHWAB.resolve(None, [assignment])
