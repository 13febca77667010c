"""G(r), S(k) and ξ of exactly known fields: pulls over many seeds, and failing twins."""

import numpy as np
import pytest

from deeprg.hamiltonians import GaussianField
from deeprg.lattice import Lattice
from deeprg.montecarlo import (
    correlation_function,
    potts_field,
    spatial_averages,
    structure_factor,
    xy_field,
)
from deeprg.montecarlo._modes import axis_structure, power_spectrum
from deeprg.runs.errors import NumericalError, UsageError

MODEL = GaussianField(Lattice((4, 4)), mass_squared=0.7)
SEEDS, KEEP = 100, 0.4


def fields(seed, shape, keep=0.0):
    """Exact draws of the free field [*shape, 4, 4], kept from step to step with probability `keep`."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(*shape, 4, 4))
    drawn = np.fft.ifft2(np.fft.fft2(noise) / np.sqrt(MODEL.spectrum)).real
    fresh = rng.random(shape) >= keep
    fresh[:, 0] = True
    last = np.maximum.accumulate(np.where(fresh, np.arange(shape[1]), 0), axis=1)
    return np.take_along_axis(drawn, last[..., None, None], axis=1)


@pytest.fixture(scope="module")
def averages():
    return [spatial_averages(fields(seed, (2, 1500), KEEP)) for seed in range(SEEDS)]


def mean_squares(curves, exact):
    """Mean square of the pulls at every point, and over all of them."""
    pulls = np.array([(curve.value - exact) / curve.error for curve in curves])
    return np.mean(pulls**2, axis=0), np.mean(pulls**2)


def assert_honest(curves, exact):
    """Every point within 4 standard errors √(2/SEEDS) of 1; the few blocks add 2/50."""
    at_points, overall = mean_squares(curves, exact)
    assert np.all(np.abs(at_points - 1) < 4 * np.sqrt(2 / SEEDS) + 0.04)
    assert abs(overall - 1) < 0.2
    with pytest.raises(AssertionError):  # twin: 10 % off
        assert np.all(np.abs(mean_squares(curves, 1.1 * exact)[0] - 1) < 4 * np.sqrt(2 / SEEDS) + 0.04)


def test_correlation_along_an_axis(averages):
    exact = MODEL.propagator[:3, 0]
    assert_honest([found.correlation_function() for found in averages], exact)


def test_structure_factor_along_an_axis(averages):
    exact = 1 / MODEL.spectrum[:3, 0]
    assert_honest([found.structure_factor() for found in averages], exact)


def test_correlation_by_distance(averages):
    distance = MODEL.lattice.distances().round(9)
    lengths = np.unique(distance)
    exact = np.array([MODEL.propagator[distance == r].mean() for r in lengths])
    curves = [found.correlation_function("distance") for found in averages]
    assert np.allclose(curves[0].x, lengths)
    assert_honest(curves, exact)


def test_structure_factor_by_length_and_on_the_lattice(averages):
    curves = [found.structure_factor("lattice") for found in averages]
    assert_honest(curves, 1 / MODEL.spectrum)
    shells = averages[0].structure_factor("distance")
    assert shells.x[:3] == pytest.approx(np.pi / 2 * np.array([0, 1, np.sqrt(2)]))
    assert shells.value[1] == pytest.approx(
        np.mean([curves[0].value[i] for i in [(0, 1), (1, 0), (0, 3), (3, 0)]])
    )


def test_correlation_length(averages):
    """Of the free field: ξ² = 1/m² exactly, for this definition with the lattice momentum."""
    found = [row.correlation_length() for row in averages]
    exact = 1 / np.sqrt(0.7)
    pulls = np.array([(row.value - exact) / row.error for row in found])
    assert abs(np.mean(pulls**2) - 1) < 4 * np.sqrt(2 / SEEDS)
    assert np.mean((pulls + 1) ** 2) > 1 + 4 * np.sqrt(2 / SEEDS)  # twin
    assert np.mean([row.tau_int for row in found]) == pytest.approx(0.5 * 1.4 / 0.6, rel=0.05)


def test_connected_correlation():
    """A constant added to the field drops out; without the subtraction it does not."""
    x = fields(0, (2, 2000))
    exact = MODEL.propagator[:3, 0]
    shifted = spatial_averages(x + 3.0)
    curve, plain = shifted.correlation_function(connected=True), shifted.correlation_function()
    assert np.all(np.abs(curve.value - exact) < 4 * curve.error)
    assert np.all(np.abs(plain.value - exact - 9) < 4 * plain.error)
    assert np.all(np.abs(plain.value - exact) > 4 * plain.error)  # twin
    assert np.all(curve.error < plain.error)


def test_streams_give_what_the_whole_array_gives():
    """Blocks of any sizes, more of them than are kept as bins."""
    x = fields(1, (3, 700))
    pieces = np.split(np.swapaxes(x, 0, 1), np.cumsum([1, 7] * 87)[:-1])
    whole, stream = spatial_averages(x), spatial_averages(iter(pieces))
    assert np.allclose(whole.correlation, stream.correlation, atol=1e-12)
    assert np.allclose(whole.structure, stream.structure, atol=1e-12)
    assert np.allclose(whole.mean, stream.mean, atol=1e-12)
    assert len(stream.counts) <= 128
    assert stream.counts.sum() == whole.counts.sum() == 2100
    ours, theirs = (found.correlation_function("distance") for found in (whole, stream))
    assert np.allclose(ours.value, theirs.value, atol=1e-12)
    assert np.allclose(ours.error, theirs.error, rtol=0.4)


def test_plain_sums():
    """Against the definition, for a lattice of three unequal extents: along the longest axis."""
    x = np.random.default_rng(2).choice([-1, 1], size=(2, 20, 2, 5, 3)).astype(np.int8)
    found = spatial_averages(x)
    s = x.astype(float)
    for r in range(3):
        assert found.correlation[..., r] == pytest.approx(
            (s * np.roll(s, -r, 3)).mean(axis=(2, 3, 4)), abs=1e-6
        )
    wave = np.exp(-2j * np.pi / 5 * np.arange(5))[:, None]
    assert found.structure[..., 1] == pytest.approx(
        np.abs((s * wave).sum(axis=(2, 3, 4))) ** 2 / 30, abs=1e-5
    )
    full = found.correlation_function("lattice").value
    assert full[1, 2, 1] == pytest.approx((s * np.roll(s, (-1, -2, -1), (2, 3, 4))).mean(), abs=1e-6)


def test_structure_series_of_the_spins(ising16):
    """The smallest momentum agrees with the recorded series."""
    index = ising16.index(0, 2.5, 0.0, (2, 50))
    found = spatial_averages(ising16.spins[index].astype(np.int8))
    assert found.structure[..., 1] == pytest.approx(ising16.states["structure_factor_min"][index], abs=1e-5)
    m2 = ising16.states["magnetization_squared"][index]
    assert found.structure[..., 0] == pytest.approx(16 * m2, abs=1e-5)


def test_potts_and_xy_order_parameters():
    rng = np.random.default_rng(3)
    states = rng.integers(0, 3, size=(2, 30, 4, 4)).astype(np.int8)
    found = spatial_averages(states, field=potts_field(3))
    same = (states == np.roll(states, -1, 3)).mean(axis=(2, 3)) + (states == np.roll(states, -1, 2)).mean(
        axis=(2, 3)
    )
    assert found.correlation[..., 0] == pytest.approx(np.ones((2, 30)), abs=1e-6)
    assert found.correlation[..., 1] == pytest.approx((3 * same / 2 - 1) / 2, abs=1e-6)
    share = np.stack([(states == a).mean(axis=(2, 3)) for a in range(3)])
    assert found.structure[..., 0] / 16 == pytest.approx((3 * (share**2).sum(axis=0) - 1) / 2, abs=1e-6)
    angles = rng.uniform(-np.pi, np.pi, size=(2, 30, 4, 4)).astype(np.float32)
    found = spatial_averages(angles, field=xy_field)
    turn = [np.cos(angles - np.roll(angles, -1, axis)).mean(axis=(2, 3)) for axis in (2, 3)]
    assert found.correlation[..., 1] == pytest.approx(np.mean(turn, axis=0), abs=1e-5)
    mean = np.exp(1j * angles).mean(axis=(2, 3))
    assert found.structure[..., 0] / 16 == pytest.approx(np.abs(mean) ** 2, abs=1e-5)
    connected = found.correlation_function(connected=True).value
    assert connected == pytest.approx(found.correlation_function().value - np.abs(mean.mean()) ** 2, abs=1e-6)


def test_k_and_minus_k_of_complex_fields():
    wave = np.exp(2j * np.pi / 4 * np.arange(4))[None, None]
    power, _ = power_spectrum(np.zeros((1, 1, 4)), lambda block: np.broadcast_to(wave[None], (1, 1, 1, 4)), 1)
    assert axis_structure(power, 0)[0, 0] == pytest.approx([0, 2, 0])  # half of 4 at k, none at -k


def test_long_chains_of_correlated_draws_are_flagged():
    x = fields(4, (1, 600), 0.95)
    assert correlation_function(x, blocks=100).short
    assert not correlation_function(fields(4, (1, 600)), blocks=20).short


def test_refusals():
    x = fields(5, (2, 30))
    with pytest.raises(UsageError, match="must be \\[chains, draws"):
        correlation_function(x[0, 0])
    with pytest.raises(UsageError, match="no configurations"):
        spatial_averages(iter([]))
    with pytest.raises(UsageError, match="same chains"):
        spatial_averages([x, x[:, :, :2]])
    with pytest.raises(UsageError, match="Did you mean 'distance'"):
        structure_factor(x, "distances")
    with pytest.raises(UsageError, match="1 bins of draws in 50"):
        structure_factor([x], "distance")
    with pytest.raises(UsageError, match="connected is for"):
        correlation_function(x, "lattice", connected=True)
    with pytest.raises(UsageError, match="field map"):
        spatial_averages(x, field=lambda block: block)
    with pytest.raises(UsageError, match="NaN"):
        spatial_averages(np.full((2, 30, 4), np.nan))
    with pytest.raises(NumericalError):
        spatial_averages(np.tile([1.0, -1.0], (2, 30, 4))).correlation_length()
