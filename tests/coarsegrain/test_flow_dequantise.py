"""From data to fields: fixed maps against autodiff, laws of the noise, and what bits per dimension count."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.coarsegrain.flow import (
    AbstractPrior,
    AsFields,
    Chain,
    Circulant,
    DualFields,
    Flow,
    FreshBatches,
    Logit,
    Standardise,
    UniformNoise,
    bits_per_dimension,
)
from deeprg.exact import enumerate_distribution
from deeprg.hamiltonians import ContinuousDual, GaussianField, Ising
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError

KEY = jax.random.key(5)
D = 6


class Logistic(AbstractPrior):
    """p(z) = σ(z) σ(-z): its image under the logistic function is uniform."""

    def sample(self, shape, *, key, dtype=jnp.float32):
        return jax.random.logistic(key, shape, dtype)

    def log_density(self, z):
        return jax.nn.log_sigmoid(z) + jax.nn.log_sigmoid(-z)


def uniform_flow(margin):
    """The density of the whole range of the logit map, uniform on ((0, 1) ± margin) and nothing outside."""
    return Flow(Lattice((2, 3)), Logit(2, margin=margin), prior=Logistic(), dtype=jnp.float64)


def bits_of(flow, levels, images, *, key=KEY):
    noisy = jax.vmap(lambda v, k: UniformNoise(levels, jnp.float64)(v, key=k), out_axes=-1)(
        images, jax.random.split(key, len(images))
    )
    return bits_per_dimension(-float(jnp.mean(flow.log_prob(noisy))), D, levels)


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_the_uniform_density_has_as_many_bits_as_levels_ask_for(levels):
    images = jnp.asarray(np.random.default_rng(0).integers(0, levels, (40, 2, 3)))
    assert bits_of(uniform_flow(0.0), levels, images) == pytest.approx(math.log2(levels), abs=1e-9)
    # The margin is mass outside of the range: it costs exactly -log2(1 - 2 α) per dimension.
    lost = -math.log2(1 - 2 * 0.05)
    assert bits_of(uniform_flow(0.05), levels, images) == pytest.approx(math.log2(levels) + lost, abs=1e-9)


def test_a_density_that_knows_the_law_of_the_integers_has_its_entropy():
    """q constant on each cell: -E log2 q(x)/D + log2 levels = H(P)/D, and any other density has more."""
    p = np.array([0.5, 0.25, 0.125, 0.125])
    images = jnp.asarray(np.random.default_rng(1).choice(4, p=p, size=(20_000, 2, 3)))
    noisy = (np.asarray(images) + np.random.default_rng(2).random(images.shape)) / 4
    nll = -np.log(4 * p[np.floor(4 * noisy).astype(int)]).sum(axis=(1, 2))
    error = nll.std(ddof=1) / math.sqrt(len(nll)) / (D * math.log(2))
    assert abs(bits_per_dimension(nll.mean(), D, 4) - 1.75) < 4 * error
    assert bits_per_dimension(nll.mean(), D, 4) + 0.2 < bits_of(uniform_flow(0.0), 4, images)


def test_forgetting_the_logit_is_seen():
    """The failing twin: without the logarithm of its determinant the toy is off by tenths of a bit."""
    images = jnp.asarray(np.random.default_rng(0).integers(0, 17, (40, 2, 3)))
    z, _ = Logit(2, margin=0.0).inverse(jnp.moveaxis(jnp.asarray((np.asarray(images) + 0.5) / 17), 0, -1))
    wrong = -float(jnp.mean(jnp.sum(Logistic().log_density(z), axis=(0, 1))))
    assert abs(bits_per_dimension(wrong, D, 17) - math.log2(17)) > 0.3


def test_the_logit_takes_both_ends_in_both_precisions():
    for dtype in (jnp.float32, jnp.float64):
        ends = jnp.array([0.0, 1.0], dtype)
        z, log_det = Logit(1).inverse(ends)
        assert bool(jnp.isfinite(z).all() & jnp.isfinite(log_det))
        np.testing.assert_allclose(Logit(1).forward(z)[0], ends, atol=1e-6)
    assert not np.isfinite(np.asarray(Logit(1, margin=0.0).inverse(jnp.array([0.0]))[0])).all()


def test_fixed_maps_are_not_trained():
    chain = Chain(Standardise((2, 2), centre=1.0, scale=np.ones((2, 2))), Logit(2))
    assert jax.tree.leaves(chain) == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Standardise((2,), centre=np.zeros(3), scale=1.0), r"centre has shape \(3,\)"),
        (lambda: Standardise((2,), centre=0.0, scale=0.0), "scale of a standardisation must be positive"),
        (lambda: Standardise((2,), centre=math.nan, scale=1.0), "must be finite"),
        (lambda: Logit(2, margin=0.5), r"in \[0, 0.5\), not 0.5"),
        (lambda: UniformNoise(1, jnp.float32), "at least two levels, not 1"),
        (lambda: FreshBatches(jnp.zeros((0, 2)), AsFields(jnp.float32)), "no rows"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(UsageError, match=message):
        make()


def test_batches_are_a_function_of_the_key_and_noise_is_fresh():
    rows = jnp.asarray(np.random.default_rng(0).integers(0, 4, (5, 2, 3)))
    batches = FreshBatches(rows, UniformNoise(4, jnp.float64))
    first, again, other = batches(KEY, 50), batches(KEY, 50), batches(jax.random.key(6), 50)
    np.testing.assert_array_equal(first, again)
    assert bool(jnp.all(first != other))
    # The same row comes with other noise each time.
    integers = np.floor(np.asarray(first) * 4).astype(int)
    assert {row.tobytes() for row in integers} == {row.tobytes() for row in np.asarray(rows)}
    assert len(np.unique(np.asarray(first))) == first.size


def test_dual_fields_have_the_law_of_the_dual():
    """Spins of the enumerated law become fields whose ⟨ln cosh⟩ weights give back ln Z."""
    ising = Ising(Lattice((2, 2)), temperature=2.5)
    dual = ContinuousDual(ising, shift=0.3)
    law = enumerate_distribution(ising)
    rng = np.random.default_rng(3)
    spins = law.states[rng.choice(len(law.states), 40_000, p=law.probabilities)].astype(np.int8)
    fields = FreshBatches(jnp.asarray(spins), DualFields(dual, jnp.float64))(KEY, 40_000)
    # ⟨x x^T⟩ = K + K ⟨s s^T⟩ K, from the states and from the fields.
    x = np.asarray(fields).reshape(len(fields), -1)
    matrix = np.asarray(jax.vmap(dual.from_local)(jnp.eye(4).reshape(4, 2, 2))).reshape(4, 4)
    states = law.states.reshape(len(law.states), -1)
    pairs = (law.probabilities[:, None, None] * states[:, :, None] * states[:, None, :]).sum(axis=0)
    truth = matrix + matrix @ pairs @ matrix
    products = x[:, :, None] * x[:, None, :]
    error = products.std(axis=0) / math.sqrt(len(x))
    assert np.abs((products.mean(axis=0) - truth) / error).max() < 4
    # The twin: raw spins are no such fields.
    assert np.abs((pairs - truth) / error).max() > 50


def test_forward_divergence_of_a_known_flow():
    """KL(π|q) of the standard normal from a Gaussian field: ½ Σ (λ^-1 - 1 + ln λ) over its spectrum."""
    target = GaussianField(Lattice((4, 4)), mass_squared=1.0)
    spectrum = np.asarray(target.spectrum, np.float64)
    truth = 0.5 * float(np.sum(1 / spectrum - 1 + np.log(spectrum)))
    fields = jax.vmap(lambda k: target.sample(key=k), out_axes=-1)(jax.random.split(KEY, 20_000))
    log_pi = -jax.vmap(target.energy, in_axes=-1)(fields) - target.log_partition
    for flow, value in (
        (Flow(target.lattice, Chain(), dtype=jnp.float64), truth),
        (Flow(target.lattice, Circulant(target.lattice, spectrum=spectrum**-0.5), dtype=jnp.float64), 0.0),
    ):
        paired = np.asarray(log_pi - flow.log_prob(fields))
        assert abs(paired.mean() - value) < 4 * paired.std() / math.sqrt(len(paired)) + 1e-9


def test_every_state_is_in_the_toy():
    """The bound is tight where the density is constant on each cell: sums over all images give one."""
    flow = uniform_flow(0.0)
    images = jnp.asarray(list(itertools.product(range(2), repeat=D))).reshape(-1, 2, 3)
    bits = [bits_of(flow, 2, images[i : i + 1]) for i in range(0, len(images), 9)]
    assert sum(2.0 ** (-D * b) for b in bits) == pytest.approx(len(bits) / len(images), rel=1e-9)
