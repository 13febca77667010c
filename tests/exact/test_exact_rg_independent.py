"""Layered machines against dense integrals, sums, quadrature and contour integrals."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from deeprg.exact import layered as lay
from deeprg.runs.errors import NumericalError

pytestmark = pytest.mark.slow

LEVELS = {"pm": (1.0, -1.0), "binary": (0.0, 1.0)}
FEW = settings(derandomize=True, max_examples=6, deadline=None)
SEEDS = st.integers(0, 10**6)
SIZES = st.lists(st.integers(1, 3), min_size=2, max_size=5)
CONVENTIONS = st.sampled_from(["pm", "binary"])


def logsum(values, axis=None):
    return special.logsumexp(np.asarray(values, float), axis=axis)


def close(got, expected, rtol=1e-12):
    """Relative to the larger of 1 and the largest entry: signs and zeros of small entries carry no weight."""
    expected = np.asarray(expected, float)
    scale = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    np.testing.assert_allclose(np.asarray(got, float), expected, rtol=0, atol=rtol * scale)


def rows(n, levels=(1.0, -1.0)):
    """All states; row m has levels[1] where a bit of m is set, variable 0 first."""
    return np.asarray(levels, float)[np.arange(2**n)[:, None] >> np.arange(n) & 1]


# --- Gaussian machines: the joint law by one dense Gaussian integral per visible state ---


def random_parameters(seed, sizes, beta, spins):
    rng = np.random.default_rng(seed)
    precisions = []
    for m in sizes[1:]:
        root = rng.normal(size=(m, m))
        precisions.append(root @ root.T / m + 0.3 * np.eye(m))
    w = [rng.normal(size=(a, b)) for a, b in itertools.pairwise(sizes)]
    diagonal = dense_precision(precisions, [np.zeros_like(c) for c in w[1:]])
    whole = dense_precision(precisions, w[1:])
    reach = 1 - np.linalg.eigvals(np.linalg.solve(diagonal, whole)).real.min()
    scale = rng.uniform(0.3, 0.9) / reach if len(sizes) > 2 else 1.0
    return {
        "couplings": [0.5 * w[0], *(scale * c for c in w[1:])],
        "visible_bias": rng.normal(size=sizes[0]),
        "biases": [rng.normal(size=m) for m in sizes[1:]],
        "precisions": precisions,
        "beta": beta,
        "constant": rng.normal(),
        "spins": spins,
    }


def dense_precision(precisions, couplings):
    edges = np.cumsum([0] + [len(p) for p in precisions])
    joint = np.zeros((edges[-1], edges[-1]))
    for i, p in enumerate(precisions):
        joint[edges[i] : edges[i + 1], edges[i] : edges[i + 1]] = p
    for i, c in enumerate(couplings):
        joint[edges[i] : edges[i + 1], edges[i + 1] : edges[i + 2]] = -c
        joint[edges[i + 1] : edges[i + 2], edges[i] : edges[i + 1]] = -c.T
    return joint


def integrated(p, kept, x, *y):
    """-beta H(x, y_1 ... y_kept) with all deeper layers integrated by equation (6), at one configuration."""
    beta, layers = p["beta"], [x, *y]
    h = p["constant"] - p["visible_bias"] @ x
    for k in range(kept):
        h += layers[k + 1] @ p["precisions"][k] @ layers[k + 1] / 2 - p["biases"][k] @ layers[k + 1]
        h -= layers[k] @ p["couplings"][k] @ layers[k + 1]
    joint = dense_precision(p["precisions"][kept:], p["couplings"][kept + 1 :])
    source = np.concatenate([*p["biases"][kept:], []])
    if len(source) == 0:
        return -beta * h
    source[: len(p["biases"][kept])] += p["couplings"][kept].T @ layers[kept]
    gauss = len(source) / 2 * math.log(2 * math.pi / beta) - np.linalg.slogdet(joint)[1] / 2
    return -beta * h + gauss + beta / 2 * source @ np.linalg.solve(joint, source)


def brute_moments(p):
    """ln Z, ⟨u⟩ and ⟨u u^T⟩ of u = (x, y_1, ...): conditional Gaussians summed over x."""
    xs = rows(len(p["visible_bias"]), LEVELS[p["spins"]])
    log_weight = np.array([integrated(p, 0, x) for x in xs])
    prob = np.exp(log_weight - logsum(log_weight))
    joint = dense_precision(p["precisions"], p["couplings"][1:])
    bias = np.concatenate(p["biases"])
    first, second = 0, 0
    for weight, x in zip(prob, xs, strict=True):
        source = bias.copy()
        source[: len(p["biases"][0])] += p["couplings"][0].T @ x
        u = np.concatenate([x, np.linalg.solve(joint, source)])
        outer = np.outer(u, u)
        outer[len(x) :, len(x) :] += np.linalg.inv(joint) / p["beta"]
        first, second = first + weight * u, second + weight * outer
    return log_weight, logsum(log_weight), first, second


def fields_of(machine):
    names = ("couplings", "visible_bias", "biases", "precisions", "beta", "constant", "spins")
    return {name: getattr(machine, name) for name in names}


@FEW
@given(
    st.lists(st.integers(1, 3), min_size=2, max_size=5), SEEDS, st.sampled_from([0.4, 1.0, 1.9]), CONVENTIONS
)
def test_z_and_every_low_energy_correlator_survive_each_step(sizes, seed, beta, spins):
    p = random_parameters(seed, sizes, beta, spins)
    log_weight, log_z, first, second = brute_moments(p)
    machine = lay.GaussianMachine(**p)
    close(machine.log_partition, log_z)
    close(machine.moments().second, second, 1e-11)
    rng = np.random.default_rng(seed + 1)
    for step in machine.marginalise():
        kept = step.layer - 1
        law = dense_precision(p["precisions"][kept:], p["couplings"][kept + 1 :])
        m = sizes[step.layer]
        cut = np.linalg.solve(law, np.concatenate(p["biases"][kept:]))[:m]
        close(step.prior.mean, cut, 1e-11)
        close(step.prior.covariance, np.linalg.inv(law)[:m, :m] / beta, 1e-11)
        x, y = rng.choice(LEVELS[spins], sizes[0]), [rng.normal(size=s) for s in sizes[1 : step.layer]]
        truth = -integrated(p, kept, x, *y) / beta
        close(step.after.energy(x, *y), truth, 1e-11)
        close(step.energy_by_cumulants(x, *y), truth, 1e-11)
        if kept:
            _, z_after, first_after, second_after = brute_moments(fields_of(step.after))
            close(z_after, log_z)
            close(first_after, first[: len(first_after)], 1e-11)
            close(second_after, second[: len(first_after), : len(first_after)], 1e-11)
    visible = step.after
    close(-beta * visible.energy(rows(sizes[0], LEVELS[spins])), log_weight)
    close(visible.log_partition, log_z)
    triple = np.prod(rows(sizes[0], LEVELS[spins]), axis=1)
    close(visible.correlator(*range(sizes[0])), triple @ np.exp(log_weight - log_z))


def test_one_step_equals_gauss_hermite_quadrature():
    p = random_parameters(5, (2, 1, 1), 0.7, "binary")
    z, w = np.polynomial.hermite.hermgauss(80)
    (w1, w2), (b1, b2), (l1, l2) = p["couplings"], p["biases"], p["precisions"]
    steps = lay.GaussianMachine(**p).marginalise()
    for x in rows(2, (0.0, 1.0)):
        for y in (-0.7, 0.9):
            common = (
                p["constant"] - p["visible_bias"] @ x - x @ w1[:, 0] * y - b1[0] * y + l1[0, 0] * y * y / 2
            )
            rest = l2[0, 0] * z**2 / 2 - b2[0] * z - y * w2[0, 0] * z
            truth = common - math.log(w @ np.exp(z**2 - p["beta"] * rest)) / p["beta"]
            close(steps[0].after.energy(x, [y]), truth)
        weight = np.array([math.exp(z_**2 - 0.7 * float(steps[0].after.energy(x, [z_]))) for z_ in z])
        close(steps[1].after.energy(x), -math.log(w @ weight) / 0.7)


@FEW
@given(st.lists(st.integers(1, 4), min_size=2, max_size=5), SEEDS)
def test_the_continued_fraction_is_the_inverse_of_a_block_of_the_inverse(sizes, seed):
    p = random_parameters(seed, [1, *sizes], 1.0, "pm")
    chain = lay.continued_fraction(p["precisions"], p["couplings"][1:], p["biases"])
    for k in range(len(sizes)):
        below = dense_precision(p["precisions"][k:], p["couplings"][k + 1 :])
        inverse = np.linalg.inv(below)[: sizes[k], : sizes[k]]
        close(chain.precisions[k], np.linalg.inv(inverse), 1e-11)
        close(chain.smallest[k], 1 / np.linalg.eigvalsh(inverse).max(), 1e-11)
        mean = np.linalg.solve(below, np.concatenate(p["biases"][k:]))[: sizes[k]]
        close(chain.precisions[k] @ mean, chain.biases[k], 1e-11)


@FEW
@given(SEEDS, st.integers(1, 4), st.floats(0.05, 0.97))
def test_matrix_fixed_point_and_its_linearisation(seed, m, s):
    rng = np.random.default_rng(seed)
    root, w = rng.normal(size=(m, m)), rng.normal(size=(m, m))
    lam = root @ root.T + np.eye(m)
    half = np.linalg.inv(np.linalg.cholesky(lam))
    theta = np.exp(1j * np.linspace(0, 2 * np.pi, 721))
    w *= s / max(np.linalg.eigvalsh(half @ (w * t + (w * t).conj().T) @ half.T).max() for t in theta)
    a = lam
    for _ in range(1500):
        a = lam - w @ np.linalg.solve(a, w.T)
    point = lay.uniform_fixed_point(lam, w)
    close(point.precision, a, 1e-10)
    flow = np.empty((m * m, m * m))
    for j in range(m * m):
        kick = np.zeros(m * m)
        kick[j] = 1e-4
        up, down = (lam - w @ np.linalg.solve(a + sign * kick.reshape(m, m), w.T) for sign in (1, -1))
        flow[:, j] = ((up - down) / 2e-4).ravel()
    close(lay.linearised_step(a, w), flow, 1e-6)
    largest = np.abs(np.linalg.eigvals(lay.linearised_step(a, w))).max()
    close(abs(point.eigenvalues[0]), largest, 1e-9)
    lowest = min(np.linalg.eigvalsh(lam - w * t - (w * t).conj().T).min() for t in theta)
    assert lowest - 1e-3 * np.abs(w).sum() <= lay.symbol_minimum(lam, w) <= lowest + 1e-12


@pytest.mark.parametrize(
    ("lam", "w"), [(2.5, 1.0), (2.0, -0.9), (2.0, 1.0), (0.7, 0.0), (2.0, 1.001), (1.0, 0.6)]
)
def test_scalar_chain_fixed_point_and_end_of_existence(lam, w):
    a, depth = lam, 1
    while depth < 500 and (a := lam - w * w / a) > 0:
        depth += 1
    if abs(w) <= lam / 2:
        truth = (lam + math.sqrt(lam**2 - 4 * w**2)) / 2
        point = lay.uniform_fixed_point(lam, w)
        close(point.precision[0, 0], truth, 1e-12 if abs(w) < lam / 2 else 1e-7)
        close(point.eigenvalues[0], w**2 / truth**2, 1e-6)
        assert lay.deepest_uniform_chain(lam, w) == math.inf
        close(lay.beta_function(truth, lam, w)[0, 0], 0.0)
    else:
        assert lay.deepest_uniform_chain(lam, w) == depth
        one = np.eye(1)
        lay.continued_fraction([lam * one] * depth, [w * one] * (depth - 1))
        with pytest.raises(NumericalError, match="layer 0"):
            lay.continued_fraction([lam * one] * (depth + 1), [w * one] * depth)


# --- hidden priors: every unit as a list of values and log-weights ---

_x, _w = np.polynomial.legendre.leggauss(20)
_grid = (np.arange(0, 45, 0.05)[:, None] + 0.05 * (_x + 1) / 2).ravel()
_half = np.log(np.tile(0.025 * _w, 900))
_line = np.concatenate([-_grid, _grid])
_counts = np.arange(400.0)
_values, _logs = np.array([-2.0, 1.0, 3.0]), np.array([0.1, -1.0, 0.5])
PRIORS = {
    "binary": (lay.BernoulliPrior(), np.array([0.0, 1.0]), np.zeros(2)),
    "pm": (lay.IsingPrior(), np.array([-1.0, 1.0]), np.zeros(2)),
    "spin 3/2": (lay.spin_prior(1.5), np.array([-1.5, -0.5, 0.5, 1.5]), np.zeros(4)),
    "finite": (
        lay.FiniteStatePrior([-2, 1, 3], [0.1, -1, 0.5]),
        np.array([-2.0, 1, 3]),
        np.array([0.1, -1, 0.5]),
    ),
    "poisson": (lay.PoissonPrior(1.7), _counts, _counts * math.log(1.7) - special.gammaln(_counts + 1)),
    "gaussian": (
        lay.GaussianPrior(0.8, mean=-0.3),
        _line,
        np.tile(_half, 2) - (_line + 0.3) ** 2 / 1.6 - math.log(2 * math.pi * 0.8) / 2,
    ),
    "rectified": (lay.RectifiedPrior(), _grid, _half - _grid**2 / 2),
}


def kinds(*quick):
    """The named kinds by default, the others (compiled term by term) among the slow tests."""
    return [pytest.param(k, marks=() if k in quick else pytest.mark.slow) for k in [*PRIORS, "potts"]]


def moments_of(kind, t):
    _, h, log_w = PRIORS[kind]
    k = logsum(log_w + t * h)
    p = np.exp(log_w + t * h - k)
    mean = p @ h
    central = [p @ (h - mean) ** n for n in range(5)]
    return k, mean, central[2], central[3], central[4] - 3 * central[2] ** 2


@pytest.mark.parametrize("kind", kinds("poisson", "rectified")[:-1])
@settings(FEW, max_examples=5)
@given(st.floats(-4, 4), st.floats(-3, 3))
def test_priors_against_sums_and_integrals(kind, t, b):
    prior = PRIORS[kind][0]
    k, mean, variance, third, fourth = moments_of(kind, t)
    scale = 1 + abs(variance)
    close(prior.log_sum(t), k)
    close(prior.cgf(t - b, b), k - moments_of(kind, b)[0])
    close(prior.mean(t), mean, 1e-11)
    series = prior.taylor(4, t)  # compiled once; mean, variance and cumulant are its coefficients
    close(2 * series[2], variance, 1e-10)
    close(6 * series[3], third, 1e-10 * scale)
    close(prior.cumulant(4, t), fourth, 1e-9 * scale)


def test_the_rectified_unit_far_out():
    """h is exponential of mean 1/|t| (1 - 2/t^2 + ...) far down, normal far up."""
    prior = lay.RectifiedPrior()
    for t in (-1e3, -1e5):
        mean = (-1 / t) * (1 - 2 / t**2 + 10 / t**4)
        close(float(prior.mean(t)) * -t, mean * -t, 1e-11)
        close(float(prior.variance(t)) * t * t, 1 - 6 / t**2, 1e-9)
        close(prior.log_sum(t), math.log(-1 / t) + math.log1p(-1 / t**2 + 3 / t**4))
    close(prior.mean(30.0), 30.0)
    close(prior.variance(30.0), 1.0)


@pytest.mark.parametrize(("seed", "q"), [(0, 2), pytest.param(1, 4, marks=pytest.mark.slow)])
def test_potts_cumulants_are_those_of_the_one_hot_vector(seed, q):
    t = np.random.default_rng(seed).normal(size=q)
    p, prior = np.exp(t - logsum(t)), lay.PottsPrior(q)
    close(prior.log_sum(t), logsum(t))
    close(prior.mean(t), p)
    close(prior.variance(t), np.diag(p) - np.outer(p, p))
    c = np.eye(q) - p
    close(prior.cumulant(3, t), np.einsum("s,si,sj,sk->ijk", p, c, c, c))


@pytest.mark.parametrize("kind", kinds("pm"))
def test_gradients_through_the_effective_energy_are_finite_differences(kind):
    rng = np.random.default_rng(3)
    q = (3,) if kind == "potts" else ()
    prior = lay.PottsPrior(3) if q else PRIORS[kind][0]
    x = rows(3)[5]
    arguments = [0.4 * rng.normal(size=shape) for shape in ((3,), (3, 2, *q), (2, *q))]

    def mine(a, w, b):
        t = np.einsum("i,i...->...", x, w) + b
        return -a @ x - sum(logsum(s) if q else moments_of(kind, s)[0] for s in t)

    close(lay.effective_energy(x, *arguments, prior), mine(*arguments))
    grads = jax.grad(lambda *v: lay.effective_energy(x, *v, prior), argnums=(0, 1, 2))(
        *map(jnp.asarray, arguments)
    )
    for which, got in enumerate(grads):
        for index in np.ndindex(arguments[which].shape):
            value = {}
            for shift in (-2, -1, 1, 2):
                moved = [v.copy() for v in arguments]
                moved[which][index] += 1e-3 * shift
                value[shift] = mine(*moved)
            slope = (8 * (value[1] - value[-1]) - value[2] + value[-2]) / 12e-3
            close(got[index], slope, 1e-9)


@pytest.mark.parametrize("kind", kinds("poisson")[:-1])
def test_truncated_energy_has_the_taylor_coefficients_of_a_contour_integral(kind):
    rng = np.random.default_rng(1)
    prior, h, log_w = PRIORS[kind]
    b, w, a = rng.normal(size=2) / 2, 0.15 * rng.normal(size=(3, 2)), rng.normal(size=3)
    x = rows(3)
    radius, count = 0.6, 128
    circle = radius * np.exp(2j * np.pi * np.arange(count) / count)
    for order in (1, 2, 5):
        truth = -x @ a
        for j in range(2):
            p = np.exp(log_w + b[j] * h - logsum(log_w + b[j] * h))
            series = np.fft.fft(np.log(np.exp(np.outer(circle, h)) @ p)) / count
            series = (series[: order + 1] / radius ** np.arange(order + 1)).real
            series[0] += logsum(log_w + b[j] * h)
            truth = truth - np.polynomial.polynomial.polyval(x @ w[:, j], series)
        close(lay.truncated_energy(x, a, w, b, prior, order), truth, 1e-11)
    report = lay.truncation_report(x, a, w, b, prior, 5)
    exact = -x @ a - sum(np.array([moments_of(kind, f)[0] for f in x @ w[:, j] + b[j]]) for j in range(2))
    close(report.errors[-1], np.abs(truth - exact).max(), 1e-11)
    second = lay.quadratic_hamiltonian(a, w, b, prior).energy(x)
    close(second, lay.truncated_energy(x, a, w, b, prior, 2), 1e-11)


@pytest.mark.parametrize("b", [-3.0, 0.0, 0.4, 2.0, 6.0, 12.0])
def test_radii_are_distances_to_the_nearest_zero(b):
    close(lay.BernoulliPrior().radius(b), math.hypot(b, math.pi))
    close(lay.IsingPrior().radius(b), math.hypot(b, math.pi / 2))
    states, log_w = [-2, 0, 1, 3], [0.3, -0.5, 1.0, -2.0]
    polynomial = [math.exp(log_w[states.index(k - 2)]) if k - 2 in states else 0.0 for k in range(6)]
    roots = np.log(np.roots(polynomial[::-1]).astype(complex))
    zeros = (roots[:, None] + 2j * np.pi * np.arange(-2, 3)).ravel()
    close(lay.FiniteStatePrior(states, log_w).radius(b), np.abs(zeros - b).min(), 1e-8)
    t = np.ravel([complex(u, v) for u in np.arange(1, 16, 0.8) for v in np.arange(1, 18, 0.8)])
    with np.errstate(all="ignore"):
        for _ in range(60):  # Newton on Phi(t) = exp(-t^2/2) w(-it/sqrt 2)/2, w the Faddeeva function
            t = t - math.sqrt(math.pi / 2) * special.wofz(-1j * t / math.sqrt(2))
        zeros = t[np.abs(special.wofz(-1j * t / math.sqrt(2))) * np.abs(t) < 1e-12]
    zeros = zeros[np.abs(zeros) < 40]
    close(lay.RectifiedPrior().radius(b), np.abs(zeros - b).min(), 1e-8)


def test_pair_couplings_are_double_precision_in_a_plain_session():
    """`SpinHamiltonian` arrays are float64; JAX's switch, off by default, must not cut their digits."""
    w, b = np.array([[0.31], [0.47]]), np.array([0.3])
    with jax.enable_x64(False):
        found = lay.quadratic_hamiltonian(np.zeros(2), w, b, lay.IsingPrior()).pairs[0, 1]
    close(found, 0.31 * 0.47 / math.cosh(0.3) ** 2)
