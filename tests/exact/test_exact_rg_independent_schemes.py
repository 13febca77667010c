"""Cumulants, variational RG, closed forms, truncated schemes and tensor RG against sums and integrals."""

import itertools
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, special

from deeprg.exact import blocking as blk
from deeprg.exact import couplings as cpl
from deeprg.exact import kaufman
from deeprg.exact import schemes as sch
from deeprg.exact import tensor as tns
from deeprg.exact.layered import IsingPrior, effective_energy
from deeprg.hamiltonians import CRITICAL_TEMPERATURE as T_C
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice

pytestmark = pytest.mark.slow

FEW = settings(derandomize=True, max_examples=8, deadline=None)
SEEDS = st.integers(0, 10**6)


def close(got, expected, rtol=1e-12):
    expected = np.asarray(expected, float)
    scale = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    np.testing.assert_allclose(np.asarray(got, float), expected, rtol=0, atol=rtol * scale)


def spins(n):
    return 1.0 - 2.0 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)


# --- cumulants ---


def partitions(items):
    if not items:
        yield []
        return
    for rest in partitions(items[1:]):
        yield [[items[0]], *rest]
        for i in range(len(rest)):
            yield [*rest[:i], [items[0], *rest[i]], *rest[i + 1 :]]


def kappa(values, p, indices):
    total = 0.0
    for pi in partitions(list(indices)):
        total += (
            (-1) ** (len(pi) - 1)
            * math.factorial(len(pi) - 1)
            * math.prod(float(p @ values[:, block].prod(axis=1)) for block in pi)
        )
    return total


@FEW
@given(SEEDS, st.sampled_from(["pm", "binary"]))
def test_connected_correlators_are_sums_over_set_partitions(seed, convention):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(32))
    x = spins(5) if convention == "pm" else (1 - spins(5)) / 2
    found = cpl.connected_correlators(p, convention)
    for m, s in enumerate([tuple(i for i in range(5) if m >> i & 1) for m in range(32)]):
        if s:
            close(found[m], kappa(x, p, s))
            close(cpl.joint_cumulant(x, s, p), kappa(x, p, s))
    y = rng.normal(size=(32, 3)) + 1.0
    for s in [(0, 0), (1, 1, 2), (0, 1, 2, 2), (0, 0, 0, 0, 1)]:
        close(cpl.joint_cumulant(y, s, p), kappa(y, p, s), 1e-11)
    close(cpl.cumulants(y[:, 0], 5, p), [kappa(y, p, (0,) * k) for k in range(1, 6)], 1e-11)
    moments = [p @ y[:, 0] ** k for k in range(1, 6)]
    close(cpl.moments_to_cumulants(moments), [kappa(y, p, (0,) * k) for k in range(1, 6)], 1e-10)
    assert sum(1 for _ in cpl.set_partitions(5)) == sum(1 for _ in partitions(list(range(5)))) == 52


SETS = [(0,), (0, 1), (0, 1, 2), (0, 1, 2, 3)]


def pulls_of(repeats, shift, seeds=200, blocks=50):
    """Pulls of sampled correlators of 4 spins; each sample comes `repeats` times."""
    values = np.random.default_rng(0).normal(size=16)
    p = np.exp(values - special.logsumexp(values))
    truth = np.array([kappa(spins(4), p, s) for s in SETS]) + shift
    pulls = []
    for seed in range(seeds):
        draws = np.random.default_rng(seed + 100).choice(16, size=2000 // repeats, p=p)
        found = cpl.sampled_correlators(np.repeat(spins(4)[draws], repeats, axis=0), SETS, blocks=blocks)
        pulls.append((found.value - truth) / found.error)
    return np.array(pulls)


def test_errors_of_sampled_correlators_by_their_pulls():
    pulls = pulls_of(1, 0.0)
    assert np.all(np.abs(pulls.mean(axis=0)) < 4.5 / math.sqrt(200))
    assert np.all((pulls.var(axis=0) > 0.7) & (pulls.var(axis=0) < 1.45))  # 1 +- 0.1, t with 49 degrees
    assert np.all(pulls_of(1, 0.1, seeds=40).mean(axis=0) < -4.5 / math.sqrt(40))  # a wrong target
    assert np.all(
        pulls_of(100, 0.0, seeds=60, blocks=100).var(axis=0) > 2.0
    )  # blocks shorter than the repeats


# --- variational RG ---


@FEW
@given(SEEDS, st.booleans())
def test_trace_free_energy_and_divergence_of_random_operators(seed, conditional):
    rng = np.random.default_rng(seed)
    t, h = rng.normal(size=(8, 4)), rng.normal(size=8)
    if conditional:
        t -= np.log(np.exp(t).sum(axis=1, keepdims=True))
    found = cpl.variational_rg(t, h)
    p, joint = np.exp(-h) / np.exp(-h).sum(), np.exp(t - h[:, None])
    q = joint.sum(axis=1) / joint.sum()
    close(found.log_trace, np.log(np.exp(t).sum(axis=1)))
    close(found.coarse_energy, -np.log(joint.sum(axis=0)))
    close(found.delta_f, -math.log(joint.sum() / np.exp(-h).sum()))
    close(found.kl, p @ np.log(p / q))
    assert found.exact == conditional
    close(cpl.operator_of_rbm(cpl.rbm_of_operator(t, h), h), t)
    if conditional:
        close(cpl.coarse_energy(t, h), -np.log(np.exp(t).T @ np.exp(-h)))


@FEW
@given(SEEDS)
def test_the_operator_of_an_rbm(seed):
    rng = np.random.default_rng(seed)
    w, b, a, h = rng.normal(size=(3, 2)), rng.normal(size=2), rng.normal(size=3), rng.normal(size=8)
    energy = -(spins(3) @ a)[:, None] - spins(2) @ b - spins(3) @ w @ spins(2).T
    close(cpl.rbm_energy(w, b, a), energy)
    t = cpl.operator_of_rbm(energy, h)
    conditional = np.exp(-energy) / np.exp(-energy).sum(axis=1, keepdims=True)
    close(np.exp(t), conditional * np.exp(h + np.log(np.exp(-energy).sum(axis=1)))[:, None])
    close(cpl.coarse_energy(t, h), -np.log(np.exp(-energy).sum(axis=0)))


@FEW
@given(st.floats(0.05, 1.5), st.floats(0, 2))
def test_the_counterexample(k, w):
    t, h = cpl.unfaithful_operator(k, w)
    v = spins(2)
    close(h, -k * v[:, 0] * v[:, 1])
    c = math.log(math.cosh(k) / (math.cosh(2 * w) + 1))
    mine = w * v.sum(axis=1)[:, None] * np.array([1, -1]) - k * (v[:, 0] * v[:, 1])[:, None] + c
    close(t, mine)
    close(math.log(np.exp(mine - h[:, None]).sum()), math.log(np.exp(-h).sum()))  # Delta F = 0 at every w
    assert not cpl.variational_rg(t, h).exact or abs(math.cosh(2 * w) - math.exp(2 * k)) < 1e-6
    assert cpl.variational_rg(*cpl.unfaithful_operator(k, math.acosh(math.exp(2 * k)) / 2)).exact


def test_a_blocking_rule_meets_the_trace_condition_and_gives_the_blocked_action():
    rng = np.random.default_rng(0)
    k, rule = rng.normal(size=16), blk.Soft((0.7, -0.4))
    y = spins(4)
    one = lambda x, pair: 1 / (1 + np.exp(-2 * x * (pair @ np.array([0.7, -0.4]))))
    p = np.stack(
        [one(a, y[:, :2]) * one(b, y[:, 2:]) for b, a in itertools.product((1, -1), repeat=2)], axis=1
    )
    found = cpl.variational_rg(cpl.operator_of_rule(p), -k)
    assert found.exact
    blocked = blk.block_exact(blk.SpinAction.of_values(k), [[0, 1], [2, 3]], rule)
    close(blocked.values, -found.coarse_energy)


# --- section 5: decimation ---


@FEW
@given(st.floats(-1.5, 1.5), st.floats(-1.5, 1.5))
def test_chain_decimation_is_the_sum_over_one_spin(k, h):
    step = sch.decimate_chain(k, h)
    energy = effective_energy(spins(2), np.zeros(2), [[k], [k]], [h], IsingPrior())
    for (a, b), e in zip(spins(2), np.asarray(energy), strict=True):
        truth = math.log(sum(math.exp((k * (a + b) + h) * s + h * (a + b) / 2) for s in (1, -1)))
        close(step.constant + step.coupling * a * b + step.field * (a + b) / 2, truth)
        close(-e + h * (a + b) / 2, truth)
    close(math.tanh(float(sch.decimate_chain(k).coupling)), math.tanh(k) ** 2)


@FEW
@given(st.floats(-1.5, 1.5))
def test_square_decimation_is_the_sum_over_one_spin(k):
    step = sch.decimate_square(k)
    for s in spins(4):
        pairs = sum(s[i] * s[j] for i, j in itertools.combinations(range(4), 2))
        # nearest pairs are shared by two summed spins: half of K1' each
        diagonal = s[0] * s[2] + s[1] * s[3]
        mine = step.constant + step.nearest / 2 * (pairs - diagonal) + step.diagonal * diagonal
        close(mine + step.quartet * s.prod(), math.log(2 * math.cosh(k * s.sum())))


@FEW
@given(st.floats(-1.5, 1.5), st.integers(2, 5), st.integers(2, 4))
def test_potts_chain_decimation_is_a_matrix_power(k, q, b):
    power = np.linalg.matrix_power(np.exp(k * np.eye(q)), b)
    coupling, constant = sch.decimate_potts_chain(k, q, b)
    close(float(constant) + float(coupling) * np.eye(q), np.log(power), 1e-10)


# --- section 6: schemes ---


def triangle(k):
    s = spins(3)
    s = s[s.sum(axis=1) > 0]
    p = np.exp(k * (s[:, 0] * s[:, 1] + s[:, 1] * s[:, 2] + s[:, 0] * s[:, 2]))
    p /= p.sum()
    return p @ s[:, 0], p @ (s[:, 0] * s[:, 1])


def plaquette(k):
    s = spins(4)  # around the plaquette
    p = np.exp(k * (s * np.roll(s, 1, axis=1)).sum(axis=1)) * np.select(
        [s.sum(axis=1) > 0, s.sum(axis=1) == 0], [1, 0.5]
    )
    return p @ s[:, 0] / p.sum()


def second(v):
    k, next_, third = v
    a, b = triangle(k)
    return np.array(
        [
            2 * a**2 * k + 4 * a**2 * (1 + b - 2 * a**2) * k**2 + 3 * a**2 * next_ + 2 * a**2 * third,
            a**2 * (1 + 7 * b - 8 * a**2) * k**2 + a**2 * third,
            4 * a**2 * (b - a**2) * k**2,
        ]
    )


RECURSIONS = {
    ("migdal-kadanoff", None): lambda v: np.log(np.cosh(4 * v)) / 2,
    ("maris-kadanoff", None): lambda v: 3 / 8 * np.log(np.cosh(4 * v)),
    ("wilson", None): lambda v: np.array([2 * v[0] ** 2 + v[1], v[0] ** 2]),
    ("majority-square", None): lambda v: 2 * plaquette(v[0]) ** 2 * v,
    ("niemeijer-van-leeuwen", 1): lambda v: 2 * triangle(v[0])[0] ** 2 * v,
    ("niemeijer-van-leeuwen", 2): second,
}
SCALES = dict(zip(RECURSIONS, (2, 2**0.5, 2**0.5, 2, 3**0.5, 3**0.5), strict=True))
NUMBERS = {  # K*, eigenvalues, y_t, nu
    "migdal-kadanoff": ([0.30469], [1.67857], 0.7472, 1.338),
    "maris-kadanoff": ([0.50698], [1.44892], 1.07, 0.9346),
    "wilson": ([1 / 3, 1 / 9], [1.72076, -0.38743], 1.566, 0.6385),
    "majority-square": ([0.51861], [2.0082], 1.0059, 0.994),
    "niemeijer-van-leeuwen": ([0.33561], [1.6235], 0.8822, 1.1335),
}


@pytest.mark.parametrize("key", RECURSIONS, ids=str)
def test_section_six(key):
    name, order = key
    step, b = RECURSIONS[key], SCALES[key]
    scheme = sch.find_scheme(name, order)
    for seed in range(3):
        v = np.random.default_rng(seed).uniform(0.05, 0.6, len(scheme.couplings))
        close(scheme(v), step(v))
    found = sch.fixed_point(name, order)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "no further improvement is possible"
        root = optimize.fsolve(lambda v: step(v) - v, found * 1.02, xtol=1e-15)
    flow = np.array([(step(root + 1e-5 * e) - step(root - 1e-5 * e)) / 2e-5 for e in np.eye(len(root))]).T
    truth = sorted(np.linalg.eigvals(flow), key=abs)[::-1]
    stability = sch.stability(name, order=order)
    close(stability.eigenvalues, np.real(truth), 1e-8)
    exponents = sch.exponents(name, order)
    close(exponents.y_t, math.log(truth[0].real) / math.log(b), 1e-8)
    if order != 2:
        star, eigenvalues, y_t, nu = NUMBERS[name]
        np.testing.assert_allclose(found, star, atol=6e-6)
        np.testing.assert_allclose(stability.eigenvalues, eigenvalues, atol=6e-5)
        np.testing.assert_allclose([exponents.y_t, exponents.nu], [y_t, nu], atol=6e-4)
    low, high = 0.05, 0.7  # the critical coupling by my own flow
    for _ in range(45):
        middle = (low + high) / 2
        v = np.zeros(len(root))
        v[0] = middle
        for _ in range(400):
            v = step(v)
            if np.abs(v).max() > 3 or np.abs(v).max() < 1e-3:
                break
        low, high = (low, middle) if np.abs(v).max() > 1 else (middle, high)
    close(sch.critical_coupling(name, order), low, 1e-10)


def test_magnetic_eigenvalues_and_the_table_of_second_order():
    close(
        sch.exponents("majority-square").y_h, math.log2(4 * plaquette(sch.fixed_point("majority-square")[0]))
    )
    np.testing.assert_allclose(2 ** sch.exponents("majority-square").y_h, 2.8284, atol=5e-5)
    nvl = sch.exponents("niemeijer-van-leeuwen")
    close(math.sqrt(3) ** nvl.y_h, 3 / math.sqrt(2))
    close(sch.fixed_point("niemeijer-van-leeuwen")[0], math.log(1 + 2 * math.sqrt(2)) / 4)
    chain = sch.exponents("decimation-1d")
    close([chain.y_t, chain.y_h], [1, 1])
    assert math.isinf(sch.critical_coupling("decimation-1d"))


def onsager(k):
    c, s = math.cosh(2 * k), math.sinh(2 * k)
    root = lambda x: math.sqrt(max(x * x - s * s, 0.0))
    law = lambda p: math.log((c * c - s * math.cos(p) + root(c * c - s * math.cos(p))) / 2)
    return math.log(2) + integrate.quad(law, 0, math.pi, epsabs=1e-12, limit=200)[0] / (2 * math.pi)


@FEW
@given(st.floats(0.02, 1.2))
def test_free_energies_of_the_schemes(k):
    close(sch.free_energy("decimation-1d", k).log_partition, math.log(2 * math.cosh(k)))
    exact = onsager(k)
    close(sch.square_log_partition(k), exact, 1e-9)
    assert sch.free_energy("migdal-kadanoff", k).log_partition >= exact - 1e-12  # Jensen
    assert sch.free_energy("majority-square", k).log_partition <= exact + 1e-12


@pytest.mark.parametrize("k", [0.1, 0.25, 0.6])
def test_houtappel_by_a_double_integral(k):
    c, s = math.cosh(2 * k), math.sinh(2 * k)
    p = 2 * np.pi * np.arange(600) / 600
    q = p[:, None]
    mean = np.log(c**3 + s**3 - s * (np.cos(p) + np.cos(q) + np.cos(p + q))).mean()
    close(sch.triangular_log_partition(k), math.log(2) + mean / 2, 1e-11)


# --- tensor RG ---


@pytest.mark.parametrize("method", tns.METHODS)
def test_tori_are_exact_against_enumeration_and_kaufman(method):
    s = spins(16).reshape(-1, 4, 4)
    k, h = 0.45, 0.2
    log_w = k * (s * np.roll(s, 1, 1) + s * np.roll(s, 1, 2)).sum(axis=(1, 2)) + h * s.sum(axis=(1, 2))
    model = Ising(Lattice((4, 4)), temperature=1 / k, field=h)
    close(tns.torus_log_partition(model, 4, method), special.logsumexp(log_w))
    found = tns.torus_log_partition(Ising(Lattice((6, 6)), temperature=2.3), 4, method)
    close(found / 36, kaufman((6, 6), temperature=2.3).log_partition / 36)


def test_an_eight_by_eight_torus_is_exact_at_sixteen_states():
    model = Ising(Lattice((8, 8)), T_C)
    exact = kaufman((8, 8), temperature=T_C).log_partition
    close(tns.torus_log_partition(model, 16) / 64, exact / 64)
    assert 1e-6 < abs(tns.torus_log_partition(model, 8) / exact - 1) < 1e-3  # and not with fewer


@pytest.mark.parametrize(
    ("method", "chi", "temperature", "error"),
    [
        ("trg", 8, T_C, 6.9e-5),
        ("hotrg", 8, T_C, 1.4e-5),
        ("trg", 8, 2.0, 3.5e-6),
    ],
)
def test_infinite_lattice_errors_against_onsager(method, chi, temperature, error):
    k = 1 / temperature
    exact = onsager(k)
    found = tns.tensor_free_energy(Ising(Lattice((4, 4)), temperature), chi, method, compare=0)
    assert 0.8 * error < abs(found.log_partition_per_site / exact - 1) < 1.2 * error


@pytest.mark.slow
def test_the_error_falls_with_the_bond_dimension():
    table = tns.truncation_errors(Ising(Lattice((4, 4)), T_C), [4, 8, 16, 20])
    found = [row.relative_error for row in table]
    assert found == sorted(found, reverse=True)
    assert found[-1] < 3e-6
