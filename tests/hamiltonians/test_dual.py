"""The continuous dual against dense matrices, quadrature, sums over spins and its sampling laws."""

import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.exact import enumerate_states
from deeprg.hamiltonians import CRITICAL_TEMPERATURE, ContinuousDual, Ising, RandomBondIsing
from deeprg.lattice import Lattice
from deeprg.runs.errors import UsageError


def ising(shape, temperature=2.0, field=0.0):
    return Ising(Lattice(shape), temperature, field=field)


def general():
    kernel = np.zeros((4, 3))
    for step, value in {(1, 0): 0.4, (0, 1): -0.3, (1, 1): 0.2, (2, 1): 0.05, (1, 2): 0.15}.items():
        kernel[step] += value
        kernel[-step[0] % 4, -step[1] % 3] += value
    return Ising.from_kernel(Lattice((4, 3)), kernel, field=0.2)


MODELS = {
    "4x6": ising((4, 6)),
    "5 in a field": ising((5,), field=-0.3),
    "2x3 with double bonds": ising((2, 3)),
    "1x2 with self bonds": ising((1, 2), field=0.1),
    "2x3x4": ising((2, 3, 4), 3.0),
    "antiferromagnet": Ising(Lattice((4, 4)), 2.5, coupling=-1.0),
    "general couplings by FFT": general(),
    "random bonds": RandomBondIsing.gaussian(Lattice((4, 3)), 1.2, seed=3, field=0.2),
}


@pytest.fixture(params=MODELS, ids=str)
def spins_model(request):
    return MODELS[request.param]


def dense_coupling(model):
    """J as a matrix, entry by entry from the list of bonds."""
    if isinstance(model, RandomBondIsing):
        matrix, bonds = np.zeros((model.lattice.size,) * 2), model.bonds()
        np.add.at(matrix, (np.arange(model.lattice.size)[:, None], bonds.neighbours), bonds.couplings)
        return matrix
    sites = model.lattice.coordinates()
    kernel = dict(model.kernel)
    return np.array([[kernel.get(tuple((a - b) % model.lattice.shape), 0.0) for b in sites] for a in sites])


def dense(dual):
    """K, with the offset from the eigenvalues of the dense J."""
    coupling = dense_coupling(dual.ising)
    return coupling + (dual.shift - np.linalg.eigvalsh(coupling).min()) * np.eye(len(coupling))


def random_field(model, seed=0, scale=2.0):
    return jnp.asarray(scale * np.random.default_rng(seed).normal(size=model.lattice.shape))


@pytest.mark.parametrize("shift", [0.1, 1.0])
def test_spectrum_offset_and_determinant(spins_model, shift):
    dual = ContinuousDual(spins_model, shift)
    matrix = dense(dual)
    np.testing.assert_allclose(
        np.sort(dual.spectrum.reshape(-1)), np.sort(np.linalg.eigvalsh(matrix)), rtol=1e-12
    )
    assert dual.spectrum.min() == pytest.approx(shift, rel=1e-14)
    assert dual.offset == pytest.approx(matrix[0, 0] - dense_coupling(spins_model)[0, 0], rel=1e-12)
    assert dual.log_det_coupling == pytest.approx(np.linalg.slogdet(matrix)[1], rel=1e-11, abs=1e-11)


def test_energy_equals_the_dense_formula(spins_model):
    dual = ContinuousDual(spins_model, 0.3)
    matrix, x = dense(dual), random_field(spins_model)
    flat = np.asarray(x).reshape(-1)
    expected = 0.5 * flat @ np.linalg.solve(matrix, flat) - np.log(np.cosh(flat + spins_model.field)).sum()
    energy, gradient = jax.jit(jax.value_and_grad(dual.energy))(x)
    assert float(energy) == pytest.approx(expected, rel=1e-12)
    force = np.linalg.solve(matrix, flat) - np.tanh(flat + spins_model.field)
    np.testing.assert_allclose(gradient.reshape(-1), force, rtol=1e-10, atol=1e-11)


def test_both_variables_agree(spins_model):
    dual_x, dual_y = ContinuousDual(spins_model, 0.3), ContinuousDual(spins_model, 0.3, "y")
    matrix, y = dense(dual_x), random_field(spins_model)
    x = dual_x.from_local(y)
    np.testing.assert_allclose(x.reshape(-1), matrix @ np.asarray(y).reshape(-1), atol=1e-12)
    np.testing.assert_allclose(dual_x.to_local(x), y, atol=1e-11)
    energy_x, gradient_x = jax.jit(jax.value_and_grad(dual_x.energy))(x)
    energy_y, gradient_y = jax.jit(jax.value_and_grad(dual_y.energy))(y)
    assert float(energy_y) == pytest.approx(float(energy_x), rel=1e-11)
    np.testing.assert_allclose(gradient_y.reshape(-1), matrix @ gradient_x.reshape(-1), atol=1e-10)
    moments_x, moments_y = jax.jit(dual_x.spin_moments)(x), jax.jit(dual_y.spin_moments)(y)
    for name, value in moments_y.items():
        np.testing.assert_allclose(value, moments_x[name], atol=1e-11)
    assert dual_y.log_partition_constant == pytest.approx(
        dual_x.log_partition_constant - np.linalg.slogdet(matrix)[1], rel=1e-10
    )


@pytest.mark.parametrize("variable", ["x", "y"])
@pytest.mark.parametrize("field", [0.0, 0.4])
@pytest.mark.parametrize("shift", [0.1, 1.0])
@pytest.mark.parametrize("shape", [(1,), (2,), (1, 1), (1, 2), (2, 1)], ids=str)
def test_constant_equals_quadrature(shape, shift, field, variable):
    model = ising(shape, 2.0, field)
    dual = ContinuousDual(model, shift, variable)
    matrix = dense(dual) if variable == "x" else np.linalg.inv(dense(dual))
    size = len(matrix)
    # means are at most sum |K| (x) or 1 (y), widths sqrt of the diagonal; the trapezium rule is then exact
    reach = (np.abs(matrix).sum(axis=1).max() if variable == "x" else 1.0) + 8 * math.sqrt(matrix[0, 0])
    step = 0.5 * math.sqrt(np.linalg.eigvalsh(matrix).min())
    axis = np.arange(-math.ceil(reach / step), math.ceil(reach / step) + 1) * step
    grid = np.stack(np.meshgrid(*[axis] * size, indexing="ij"), axis=-1).reshape(-1, *shape)
    energies = jax.jit(jax.vmap(dual.energy))(jnp.asarray(grid))
    log_partition = float(jax.nn.logsumexp(-energies)) + size * math.log(step)
    expected = enumerate_states(model).log_partition + dual.log_partition_constant
    assert log_partition == pytest.approx(expected, abs=1e-10)
    if size > 1:  # the twin that forgets the determinant
        assert abs(log_partition - (expected - dual.log_det_coupling)) > 1e-3


# -ln Z of the dual at T_c with shift 0.1, from the spins' ln Z
DUAL_TABLE = [
    (4, 15.521915458755, -37.376731690),
    (8, 60.141780789069, -148.655016281),
    (16, 238.642256635133, -592.875739858),
    (32, 952.648079548543, -2369.587091125),
    (64, 3808.672283419809, -9476.428333317),
]


@pytest.mark.parametrize(("length", "spins", "dual"), DUAL_TABLE)
def test_published_constants(length, spins, dual):
    model = ContinuousDual(ising((length, length), CRITICAL_TEMPERATURE), 0.1)
    assert -(spins + model.log_partition_constant) == pytest.approx(dual, abs=2e-9)
    assert model.offset == pytest.approx(1.862747174039, abs=1e-12)


def test_energy_is_smooth_and_finite_everywhere():
    dual = ContinuousDual(ising((2,), 1.0), 1.0)
    hessian = jax.jit(jax.hessian(dual.energy))(jnp.zeros(2))
    np.testing.assert_allclose(hessian, np.linalg.inv(dense(dual)) - np.eye(2), atol=1e-12)
    far = jnp.array([1e4, -1e4])
    assert np.isfinite(dual.energy(far))
    assert np.isfinite(jax.grad(dual.energy)(far)).all()


@pytest.mark.parametrize("variable", ["x", "y"])
def test_float32_stays_float32_and_keeps_its_precision(variable):
    dual = ContinuousDual(ising((8, 8), CRITICAL_TEMPERATURE), 0.1, variable)
    x = random_field(dual)
    half = x.astype(jnp.float32)
    assert dual.energy(half).dtype == jnp.float32
    assert float(dual.energy(half)) == pytest.approx(float(dual.energy(x)), rel=1e-5)
    assert dual.sample_given_spins(jnp.sign(half), key=jax.random.key(0)).dtype == jnp.float32
    assert dual.spins_given_field(half, key=jax.random.key(0)).dtype == jnp.float32
    moments = jax.jit(dual.spin_moments)
    precise = moments(x)
    for name, value in moments(half).items():
        assert value.dtype == jnp.float32
        np.testing.assert_allclose(value, precise[name], atol=1e-5)


def test_equal_models_share_one_compilation():
    traces = []

    @eqx.filter_jit
    def energies(model, batch):
        traces.append(model)
        return jax.vmap(model.energy)(batch)

    batch = jnp.zeros((3, 4, 4))
    energies(ContinuousDual(ising((4, 4)), 0.1), batch)
    energies(ContinuousDual(ising((4, 4)), 0.1), batch)
    assert len(traces) == 1
    energies(ContinuousDual(ising((4, 4)), 0.2), batch)
    assert len(traces) == 2


def z_scores(samples, mean, covariance):
    """Deviations of the sample mean and covariance (known mean) in standard errors of a normal law."""
    n = len(samples)
    variances = np.diag(covariance)
    centred = samples - mean
    of_mean = centred.mean(axis=0) / np.sqrt(variances / n)
    of_covariance = (centred.T @ centred / n - covariance) / np.sqrt(
        (np.outer(variances, variances) + covariance**2) / n
    )
    return np.concatenate([of_mean, of_covariance[np.triu_indices(len(mean))]])


@pytest.mark.parametrize("variable", ["x", "y"])
@pytest.mark.parametrize("model", [MODELS["2x3 with double bonds"], MODELS["5 in a field"]], ids=["2x3", "5"])
def test_law_of_the_field_given_spins(model, variable):
    dual = ContinuousDual(model, 0.5, variable)
    s = np.random.default_rng(3).choice([-1, 1], model.lattice.shape)
    keys = jax.random.split(jax.random.key(7), 20_000)
    samples = jax.vmap(lambda key: dual.sample_given_spins(jnp.asarray(s), key=key))(keys)
    samples = np.asarray(samples).reshape(len(keys), -1)

    def scores(shift):
        matrix = dense(ContinuousDual(model, shift))
        flat = s.reshape(-1)
        law = (matrix @ flat, matrix) if variable == "x" else (flat, np.linalg.inv(matrix))
        return np.abs(z_scores(samples, *law)).max()

    assert scores(0.5) < 4.5
    assert scores(0.55) > 6  # the twin with another shift


def test_law_of_the_spins_given_a_field():
    model = MODELS["5 in a field"]
    dual = ContinuousDual(model)
    x = random_field(model, scale=0.7)
    keys = jax.random.split(jax.random.key(11), 20_000)
    spins = np.asarray(jax.vmap(lambda key: dual.spins_given_field(x, key=key))(keys))
    assert set(np.unique(spins)) == {-1.0, 1.0}

    def scores(field):
        means = np.tanh(np.asarray(x) + field)
        product = np.outer(means, means)
        pairs = np.triu_indices(5, 1)
        of_mean = (spins.mean(axis=0) - means) / np.sqrt((1 - means**2) / len(spins))
        of_pairs = (spins.T @ spins / len(spins) - product)[pairs] / np.sqrt(
            (1 - product**2)[pairs] / len(spins)
        )
        return np.abs(np.concatenate([of_mean, of_pairs])).max()

    assert scores(model.field) < 4.5
    assert scores(0.0) > 6  # the twin that forgets the field


@pytest.mark.parametrize("shape", [(1,), (2,), (3, 3), (2, 4), (11,)], ids=str)
def test_moments_given_a_field_equal_the_sum_over_spins(shape):
    model = ising(shape, 1.7, field=0.2)
    dual = ContinuousDual(model)
    x = random_field(model, scale=0.8)
    means = np.tanh(np.asarray(x) + 0.2).reshape(-1)
    size = len(means)
    states = np.array(list(itertools.product((-1.0, 1.0), repeat=size)))
    weights = np.prod((1 + states * means) / 2, axis=1)
    total = states.mean(axis=1)
    bonds = -0.5 * np.einsum("ni,ij,nj->n", states, dense_coupling(model), states) * model.temperature / size
    fields = states.reshape(-1, *shape)
    axes = tuple(range(1, len(shape) + 1))
    moments = {name: np.asarray(value) for name, value in jax.jit(dual.spin_moments)(x).items()}
    assert moments["magnetization"] == pytest.approx(weights @ total, abs=1e-13)
    assert moments["magnetization_squared"] == pytest.approx(weights @ total**2, abs=1e-13)
    assert moments["abs_magnetization"] == pytest.approx(weights @ np.abs(total), abs=1e-13)
    assert moments["energy_per_site"] == pytest.approx(weights @ bonds, abs=1e-12)
    modes = abs(np.fft.fftn(fields, axes=axes)) ** 2 / size
    smallest = [
        modes[(slice(None), *np.eye(len(shape), dtype=int)[a])]
        for a in range(len(shape))
        if shape[a] == max(shape) > 1
    ]
    waves = np.mean(smallest, axis=0) if smallest else total**2 * size
    scalars = jax.jit(dual.scalars)(x)
    assert float(scalars["structure_factor_min"]) == pytest.approx(weights @ waves, abs=1e-12)
    assert float(scalars["action_per_site"]) == pytest.approx(float(dual.energy(x)) / size, rel=1e-12)
    assert set(scalars) == (set(moments) - {"correlation"}) | {"structure_factor_min", "action_per_site"}
    assert set(dual.observables(x)) == set(moments)
    for r in itertools.product(*(range(extent) for extent in shape)):
        shifted = np.roll(fields, tuple(-c for c in r), axes)
        expected = weights @ (fields * shifted).reshape(len(fields), -1).mean(axis=1)
        assert moments["correlation"][r] == pytest.approx(expected, abs=1e-13)


def test_abs_magnetization_of_many_sites_is_stable():
    dual = ContinuousDual(ising((64, 64), CRITICAL_TEMPERATURE))
    flat = jax.jit(dual.spin_moments)
    ordered = flat(jnp.full((64, 64), 30.0))["abs_magnetization"]
    assert float(ordered) == pytest.approx(1.0, abs=1e-12)
    # independent fair spins: E|S| = N binom(N, N/2) / 2^N
    size = 4096
    fair = math.exp(math.lgamma(size + 1) - 2 * math.lgamma(size / 2 + 1) - size * math.log(2))
    assert float(flat(jnp.zeros((64, 64)))["abs_magnetization"]) == pytest.approx(fair, rel=1e-9)


def moment_scores(model, truth, draws, variable):
    """Deviations of spin moments from `truth`, averaged over x | s with s drawn exactly from `model`."""
    size = model.lattice.size
    states = np.array(list(itertools.product((-1.0, 1.0), repeat=size)))
    log_weights = 0.5 * np.einsum("ni,ij,nj->n", states, dense_coupling(model), states)
    log_weights += model.field * states.sum(axis=1)
    chance = np.exp(log_weights - log_weights.max())
    picks = np.random.default_rng(5).choice(len(states), draws, p=chance / chance.sum())
    spins = jnp.asarray(states[picks].reshape(draws, *model.lattice.shape))
    dual = ContinuousDual(model, 0.5, variable)
    keys = jax.random.split(jax.random.key(13), draws)
    fields = jax.vmap(lambda s, key: dual.sample_given_spins(s, key=key))(spins, keys)
    moments = jax.jit(jax.vmap(dual.spin_moments))(fields)
    scores = []
    for name, values in moments.items():
        flat = np.asarray(values).reshape(draws, -1)
        error = flat.std(axis=0) / math.sqrt(draws)
        deviation = flat.mean(axis=0) - np.asarray(getattr(truth, name)).reshape(-1)
        scores.extend(np.abs(deviation[error > 1e-12] / error[error > 1e-12]))
    return max(scores)


@pytest.mark.parametrize(
    ("shape", "temperature", "field", "variable"),
    [((3, 3), CRITICAL_TEMPERATURE, 0.0, "x"), ((4, 2), 3.0, 0.1, "y"), ((3, 3), 2.0, -0.2, "x")],
)
def test_averages_over_fields_are_the_spins_moments(shape, temperature, field, variable):
    model = ising(shape, temperature, field)
    assert moment_scores(model, enumerate_states(model), 20_000, variable) < 4
    wrong = enumerate_states(ising(shape, 1.05 * temperature, field))
    assert moment_scores(model, wrong, 20_000, variable) > 6  # the twin at another temperature


def test_describe_names_the_convention():
    text = ContinuousDual(ising((4, 4)), 0.1, "y").describe()
    assert "K = J + c" in text
    assert "T = 2" in text
    assert "y = K^-1 x" in text


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ContinuousDual(ising((4,)), 0.0), "shift must be positive, not 0.0"),
        (lambda: ContinuousDual(ising((4,)), -0.1), "shift must be positive"),
        (lambda: ContinuousDual(ising((4,)), math.nan), "shift must be finite"),
        (lambda: ContinuousDual(ising((4,)), 0.1, "z"), "'x' or 'y'.*not 'z'"),
        (lambda: ContinuousDual(ising((4,))).energy(jnp.zeros(5)), r"shape \(5,\).*shape \(4,\).*jax.vmap"),
        (lambda: ContinuousDual(ising((4,))).energy(jnp.zeros((2, 4))), "jax.vmap"),
        (lambda: ContinuousDual(ising((4,))).spin_moments(jnp.zeros(5)), "jax.vmap"),
        (lambda: ContinuousDual(ising((4,))).to_local(jnp.zeros(5)), "jax.vmap"),
        (lambda: ContinuousDual(ising((4,))).from_local(jnp.zeros(5)), "jax.vmap"),
        (
            lambda: ContinuousDual(ising((4,))).sample_given_spins(jnp.ones(5), key=jax.random.key(0)),
            "jax.vmap",
        ),
        (
            lambda: ContinuousDual(ising((4,))).spins_given_field(jnp.ones(5), key=jax.random.key(0)),
            "jax.vmap",
        ),
    ],
)
def test_bad_input_is_a_usage_error(call, message):
    with pytest.raises(UsageError, match=message):
        call()
