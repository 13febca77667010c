"""The bit-parallel Ising samplers: what they sample, the independence of the chains, what they refuse."""

import functools
import math

import numpy as np
import pytest
from scipy import stats

from deeprg.exact import enumerate_states, kaufman
from deeprg.hamiltonians import Ising, Potts, RandomBondIsing
from deeprg.lattice import Lattice
from deeprg.montecarlo.samplers._bit_parallel import BitParallelSampler
from deeprg.montecarlo.samplers._bits import binary_digits
from deeprg.montecarlo.samplers._multispin import MultispinSampler
from deeprg.runs.errors import UsageError

METROPOLIS = MultispinSampler
HEAT_BATH = functools.partial(MultispinSampler, heat_bath=True)
SAMPLERS = [METROPOLIS, HEAT_BATH, BitParallelSampler]
SIGMAS = 3.5  # of each comparison of a mean with an exact number


def sample(make, models, chains, *, thermal=100, draws=1, thin=1, seed=0, order="hot"):
    """Configurations [draws, temperatures, chains, *shape] after `thermal` sweeps."""
    sampler = make(models, chains)
    state, _ = sampler.thermalise(sampler.start(seed=seed, order=order), thermal, seed=seed)
    return sampler.run(state, draws, thin, seed=seed, block=0).configurations


def energies(model, x):
    """The energy per site, H/N, of configurations [..., *shape], from the table of bonds."""
    bonds, size = model.bonds(), model.lattice.size
    s = x.reshape(*x.shape[: x.ndim - model.lattice.ndim], size).astype(np.float64)
    return -0.5 * np.einsum("...i,iz,...iz->...", s, bonds.couplings, s[..., bonds.neighbours]) / size


def exact_moments(model):
    """⟨H/N⟩ and ⟨m^2⟩ by the sum over all states."""
    size = model.lattice.size
    states = 2.0 * ((np.arange(1 << size)[:, None] >> np.arange(size)) & 1) - 1
    energy = energies(model, states.reshape(-1, *model.lattice.shape))
    weights = np.exp(-size * (energy - energy.min()))
    weights /= weights.sum()
    return weights @ energy, weights @ states.mean(axis=1) ** 2


def deviation(per_chain, expected):
    """The mean over independent chains minus what is expected, in standard errors."""
    return (per_chain.mean() - expected) / (per_chain.std(ddof=1) / math.sqrt(per_chain.size))


# --- the distribution


@pytest.fixture(scope="module", params=SAMPLERS, ids=["metropolis", "heat-bath", "jax"])
def counts(request):
    """How often each of the 256 states of a 4x2 torus comes, for four seeds of 64 000 independent chains."""
    models = [Ising(Lattice((4, 2)), temperature=5.0)]
    code = 2 ** np.arange(8)
    found = []
    for seed in range(4):
        x = sample(request.param, models, 64_000, thermal=96, seed=seed)[0, 0].reshape(-1, 8)
        found.append(np.bincount((x > 0) @ code, minlength=256))
    return np.array(found)


def fisher(counts, temperature):
    """Fisher's combination of the χ² p-values of all seeds against the states' exact weights."""
    model = Ising(Lattice((4, 2)), temperature=temperature)
    states = (2 * ((np.arange(256)[:, None] >> np.arange(8)) & 1) - 1).reshape(-1, 4, 2)
    weights = np.exp(-8 * energies(model, states))
    p_values = [stats.chisquare(row, row.sum() * weights / weights.sum()).pvalue for row in counts]
    return stats.combine_pvalues(p_values).pvalue


def test_every_state_has_its_weight(counts):
    assert fisher(counts, 5.0) > 1e-3


def test_a_wrong_temperature_is_seen(counts):
    assert fisher(counts, 5.25) < 1e-6


@pytest.mark.parametrize("make", [METROPOLIS, BitParallelSampler], ids=["numba", "jax"])
def test_stripes_do_not_trap(make):
    """All spins of stripes have two antiparallel neighbours; Metropolis alone would flip them for ever."""
    sampler = make([Ising(Lattice((8, 8)), temperature=2.0)], chains=64)
    stripes = np.broadcast_to(np.where(np.arange(8) % 2 == 0, 1, -1).astype(np.int8), (1, 64, 8, 8))
    drawn = sampler.run({"configurations": stripes}, 1, 300, seed=0, block=0)
    energy = energies(sampler.hamiltonians[0], drawn.configurations[0, 0])
    assert energy.mean() < -0.7  # from 0, in equilibrium -0.87


MODELS = {
    "line": lambda t: Ising(Lattice((8,)), temperature=t),
    "square": lambda t: Ising(Lattice((4, 4)), temperature=t),
    "antiferromagnet": lambda t: Ising(Lattice((4, 4)), temperature=t, coupling=-1.0),
    "cube": lambda t: Ising(Lattice((2, 2, 2)), temperature=t),
    "slab": lambda t: Ising(Lattice((4, 2, 2)), temperature=t, coupling=-1.0),
    "plus-minus": lambda t: RandomBondIsing.plus_minus(Lattice((4, 4)), t, 0.4, seed=3),
    "plus-minus cube": lambda t: RandomBondIsing.plus_minus(Lattice((4, 2, 2)), t, 0.4, seed=3),
}


@pytest.mark.parametrize(
    ("make", "name"),
    [(METROPOLIS, name) for name in MODELS]
    + [(BitParallelSampler, name) for name in ("square", "cube", "plus-minus")],
)
def test_moments_agree_with_enumeration(make, name):
    temperatures = [3.0] if make is METROPOLIS else [3.0, 4.0]
    models = [MODELS[name](t) for t in temperatures]
    x = sample(make, models, 1000, thermal=200, draws=40, thin=4, seed=2)
    for i, model in enumerate(models):
        energy, squared = exact_moments(model)
        measured = energies(model, x[:, i]).mean(axis=0)
        m = x[:, i].reshape(40, 1000, -1).mean(axis=-1)
        assert abs(deviation(measured, energy)) < SIGMAS
        assert abs(deviation((m**2).mean(axis=0), squared)) < SIGMAS
        assert abs(deviation(measured, exact_moments(MODELS[name](1.05 * temperatures[i]))[0])) > SIGMAS


def test_enumeration_here_agrees_with_the_package():
    model = MODELS["square"](3.0)
    exact = enumerate_states(model)
    energy, squared = exact_moments(model)
    assert 3.0 * energy == pytest.approx(exact.energy_per_site, abs=1e-12)
    assert squared == pytest.approx(exact.magnetization_squared, abs=1e-12)


@pytest.mark.parametrize("temperature", [2.0, 2.5])
@pytest.mark.parametrize("make", SAMPLERS, ids=["metropolis", "heat-bath", "jax"])
def test_energy_agrees_with_kaufman(make, temperature):
    model = Ising(Lattice((16, 16)), temperature=temperature)
    chains = 640 if make is not BitParallelSampler else 320
    x = sample(make, [model], chains, thermal=1000, draws=20, thin=40, seed=1, order="cold")
    energy = temperature * energies(model, x[:, 0]).mean(axis=0)
    assert abs(deviation(energy, kaufman((16, 16), temperature).energy_per_site)) < 3
    assert abs(deviation(energy, kaufman((16, 16), 1.01 * temperature).energy_per_site)) > 3


# --- independence


def independence(x):
    """p-values of uncorrelated energies and magnetizations of all pairs of chains, x [draws, chains, L, L].

    Under independence n r² of a pair is χ² with one degree of freedom, for n uncorrelated draws.
    """
    s = x.astype(np.float64)
    energy = -(s * (np.roll(s, 1, -1) + np.roll(s, 1, -2))).mean(axis=(-2, -1))
    p_values = []
    for series in (energy, s.mean(axis=(-2, -1))):
        live = series[:, series.std(axis=0) > 0]
        pairs = np.triu_indices(live.shape[1], 1)
        r = np.corrcoef(live.T)[pairs]
        p_values.append(stats.chi2.sf(len(series) * (r**2).sum(), r.size))
    return p_values


@pytest.mark.parametrize(
    "make", [METROPOLIS, HEAT_BATH, BitParallelSampler], ids=["metropolis", "heat-bath", "jax"]
)
def test_chains_of_a_word_are_independent(make):
    x = sample(make, [Ising(Lattice((8, 8)), temperature=4.0)], 64, draws=600, thin=24, seed=5)[:, 0]
    assert min(independence(x)) > 1e-3


def shared_randomness(chains, draws, thin, temperature):
    """Checkerboard Metropolis in which all chains see the same random number at each site."""
    rng = np.random.default_rng(0)
    s = rng.choice([-1, 1], (chains, 8, 8))
    kept = []
    for number in range(draws * thin):
        for colour in (0, 1):
            field = sum(np.roll(s, d, a) for a in (1, 2) for d in (1, -1))
            accept = rng.random((8, 8)) < np.exp(-2 * s * field / temperature)
            s = np.where(accept & (np.indices((8, 8)).sum(axis=0) % 2 == colour), -s, s)
        if number % thin == thin - 1:
            kept.append(s)
    return np.array(kept)


def test_chains_that_share_random_numbers_are_caught():
    assert max(independence(shared_randomness(64, 100, 24, 4.0))) < 1e-6


# --- the law of samplers, and what is refused


@pytest.mark.parametrize("make", [METROPOLIS, BitParallelSampler], ids=["numba", "jax"])
def test_a_run_is_a_function_of_its_arguments(make):
    sampler = make([Ising(Lattice((4, 6)), temperature=2.5)], chains=70)
    start = sampler.start(seed=3, order="mixed")
    first = sampler.run(start, 3, 2, seed=3, block=0)
    again = sampler.run(start, 3, 2, seed=3, block=0)
    other = sampler.run(start, 3, 2, seed=3, block=1)
    assert first.configurations.shape == (3, 1, 70, 4, 6)
    assert first.configurations.dtype == np.int8
    np.testing.assert_array_equal(first.configurations, again.configurations)
    np.testing.assert_array_equal(first.state["configurations"], first.configurations[-1])
    assert (first.configurations != other.configurations).any()
    assert first.info["updates"].tolist() == [420.0]


@pytest.mark.parametrize("shape", [(6,), (4, 6), (2, 4, 6)])
@pytest.mark.parametrize("make", [METROPOLIS, BitParallelSampler], ids=["numba", "jax"])
def test_packing_keeps_configurations(make, shape):
    sampler = make([Ising(Lattice(shape), temperature=1.0)], chains=70)
    state = sampler.start(seed=0, order="hot")
    kept = sampler.run(state, 1, 0, seed=0, block=0).configurations
    np.testing.assert_array_equal(kept[0], state["configurations"])


def test_binary_digits_add_up():
    p = np.exp(-np.array([0.3, 1.7, 9.0]))
    digits = binary_digits(p, 64)
    np.testing.assert_allclose(digits @ 0.5 ** np.arange(1, 65), p, rtol=1e-15)


@pytest.mark.parametrize("make", [METROPOLIS, BitParallelSampler], ids=["numba", "jax"])
@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: Ising(Lattice((5, 4)), temperature=2.0), "even extents"),
        (lambda: Ising(Lattice((4, 4)), temperature=2.0, field=0.1), "field"),
        (lambda: Ising(Lattice((4, 4)), temperature=2.0, coupling=0.0), "one strength"),
        (lambda: Ising.triangular(Lattice((4, 4)), 2.0), "nearest"),
        (lambda: RandomBondIsing.gaussian(Lattice((4, 4)), 2.0, seed=0), "one strength"),
        (lambda: Potts(Lattice((4, 4)), 1.0, 3), "Ising spins only"),
    ],
)
def test_other_models_are_refused(make, model, message):
    with pytest.raises(UsageError, match=message) as caught:
        make([model()], 64)
    assert "heat-bath" in str(caught.value) or "metropolis" in str(caught.value)


def test_the_number_of_chains_and_temperatures_is_checked():
    models = [Ising(Lattice((4, 4)), temperature=t) for t in (2.0, 3.0)]
    with pytest.raises(UsageError, match="one temperature"):
        MultispinSampler(models, 64)
    with pytest.raises(UsageError, match="chains is 0"):
        MultispinSampler(models[:1], 0)
