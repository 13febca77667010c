"""Couplings by order and blocking against brute force written from the equations alone."""

import itertools
import math
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special

from deeprg.exact import blocking as blk
from deeprg.exact import couplings as cpl
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice

pytestmark = pytest.mark.slow

FEW = settings(derandomize=True, max_examples=8, deadline=None)
SEEDS = st.integers(0, 10**6)
CONVENTIONS = st.sampled_from(["pm", "binary"])
LEVELS = {"pm": (1.0, -1.0), "binary": (0.0, 1.0)}


def close(got, expected, rtol=1e-12):
    expected = np.asarray(expected, float)
    scale = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    np.testing.assert_allclose(np.asarray(got, float), expected, rtol=0, atol=rtol * scale)


def rows(n, levels=(1.0, -1.0)):
    return np.asarray(levels, float)[np.arange(2**n)[:, None] >> np.arange(n) & 1]


def subsets(n):
    return [tuple(i for i in range(n) if m >> i & 1) for m in range(2**n)]


def solved(values, spins):
    """Couplings by solving the linear system f(x) = sum_S J_S prod_{i in S} x_i, no transform."""
    n = len(values).bit_length() - 1
    x = rows(n, LEVELS[spins])
    return np.linalg.solve(np.stack([x[:, list(s)].prod(axis=1) for s in subsets(n)], axis=1), values)


# --- couplings by order ---


@FEW
@given(st.integers(0, 7), SEEDS, st.sampled_from([1.0, 1e6]), CONVENTIONS)
def test_transforms_solve_the_linear_system_of_the_couplings(n, seed, scale, spins):
    f = scale * np.random.default_rng(seed).normal(size=2**n)
    forward, back = {
        "pm": (cpl.walsh_hadamard, cpl.inverse_walsh_hadamard),
        "binary": (cpl.mobius, cpl.inverse_mobius),
    }[spins]
    truth = solved(f, spins)
    close(forward(f), truth)
    close(back(truth), f)
    if n == 4:
        close(forward(jnp.asarray(f)), truth)
    found = cpl.couplings_of(f, spins)
    for s, j in zip(subsets(n), truth, strict=True):
        close(found[s] / scale, j / scale)
    close(found.action(rows(n, LEVELS[spins])), f)
    other = "binary" if spins == "pm" else "pm"
    close(found.converted(other).dense() / scale, solved(f[::-1], other) / scale, 1e-11)


def hidden_sum(t, kind):
    return np.logaddexp(t, -t) if kind == "pm" else np.logaddexp(0, t)


@FEW
@given(SEEDS, CONVENTIONS, CONVENTIONS)
def test_a_trained_rbm_is_a_spin_hamiltonian(seed, visible, hidden):
    """exp of the couplings' action is the sum over all hidden states of the RBM's own weight."""
    rng = np.random.default_rng(seed)
    w, a, b = rng.normal(size=(5, 3)), rng.normal(size=5), rng.normal(size=3)
    x, h = rows(5, LEVELS[visible]), rows(3, LEVELS[hidden])
    truth = special.logsumexp(x @ w @ h.T + (x @ a)[:, None] + h @ b, axis=1)
    cgf = (lambda t: jnp.logaddexp(t, -t)) if hidden == "pm" else jax.nn.softplus
    found = cpl.rbm_couplings(w, b, a, cgf, order=5, spins=visible)
    close(found.action(x), truth)
    close(found.dense(), solved(truth, visible), 1e-11)


def test_closed_forms_of_chosen_sets_at_thirty_and_more_spins():
    rng = np.random.default_rng(7)
    sparse = np.zeros((36, 5))
    for j in range(5):
        sparse[rng.choice(36, 6, replace=False), j] = rng.normal(size=6)
    sites = [int(i) for i in np.flatnonzero(sparse[:, 0])]
    a, b = rng.normal(size=36), rng.normal(size=5)
    sets = [(sites[0],), (sites[0], sites[3]), tuple(sites[1:4]), tuple(sites[:4]), (0, 35)]
    K = lambda t: jnp.logaddexp(t, -t)
    found = cpl.rbm_couplings(sparse, b, a, K, sets=sets, order=4)
    for s in sets:
        truth = a[s[0]] if len(s) == 1 else 0.0
        for j in range(5):
            legs = [int(i) for i in np.flatnonzero(sparse[:, j])]
            if set(s) <= set(legs):
                x = rows(6)
                sign = x[:, [legs.index(i) for i in s]].prod(axis=1)
                truth += np.mean(sign * hidden_sum(b[j] + x @ sparse[legs, j], "pm"))
        close(found[s], truth)
    dense = 0.1 * rng.normal(size=(36, 5))
    binary = cpl.rbm_couplings(dense, b, a, jax.nn.softplus, sets=sets, order=4, spins="binary")
    for s in sets:
        truth = a[s[0]] if len(s) == 1 else 0.0
        for t in itertools.product((0, 1), repeat=len(s)):
            truth += (-1) ** (len(s) - sum(t)) * hidden_sum(b + np.array(t) @ dense[list(s)], "binary").sum()
        close(binary[s], truth)
    clt = cpl.rbm_couplings(dense, b, a, K, sets=sets, order=4, method="clt")
    for s in sets:
        truth = a[s[0]] if len(s) == 1 else 0.0
        rest = np.sqrt((np.delete(dense, list(s), axis=0) ** 2).sum(axis=0))
        for sigma, j in itertools.product(rows(len(s)), range(5)):
            mean = b[j] + sigma @ dense[list(s), j]
            width = rest[j]
            law = lambda u, mean=mean, width=width: hidden_sum(mean + width * u, "pm") * math.exp(-u * u / 2)
            value = sum(integrate.quad(law, lo, lo + 4, epsabs=1e-13)[0] for lo in range(-12, 12, 4))
            truth += sigma.prod() * value / math.sqrt(2 * math.pi) / 2 ** len(s)
        close(clt[s], truth, 1e-10)
    sampled = cpl.rbm_couplings(dense, b, a, K, sets=sets[:2], order=2, method="monte-carlo", samples=4096)
    for s in sets[:2]:
        terms = sampled.order(len(s))
        at = [tuple(v) for v in terms.sites.tolist()].index(s)
        assert abs(terms.values[at] - clt[s]) < 5 * terms.errors[at] + 0.02
        assert abs(terms.values[at] - 2 * clt[s]) > 5 * terms.errors[at]


@pytest.mark.parametrize("size", [1, 3, 30])
def test_central_limit_form_of_a_strongly_coupled_unit(size):
    """36 weights of size 1, as in trained layers: outside field of width 5; and wider ones."""
    w = size * np.random.default_rng(0).normal(size=(36, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = cpl.rbm_couplings(
            w, [0.1], np.zeros(36), lambda t: jnp.logaddexp(t, -t), sets=[(0, 1)], method="clt"
        )
    u = np.linspace(-12, 12, 200001)
    signs = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    mean = 0.1 + signs @ w[:2] + math.sqrt((w[2:] ** 2).sum()) * u
    law = signs.prod(axis=1) @ hidden_sum(mean, "pm") / 4 * np.exp(-u * u / 2) / math.sqrt(2 * math.pi)
    truth = np.trapezoid(law, u)
    assert abs(found[0, 1] / truth - 1) < 1e-10


def test_truncated_pairs_are_the_second_cumulant_and_warn_when_far_off():
    w, b = np.array([[0.9, -0.4], [0.8, 0.5], [1.1, 0.3]]), np.array([0.2, -0.1])
    K = lambda t: jnp.logaddexp(t, -t)
    with pytest.warns(cpl.TruncationWarning):
        found = cpl.rbm_couplings(w, b, np.zeros(3), K, method="truncated")
    close(found.pairs()[0, 1], (w[0] * w[1] / np.cosh(b) ** 2).sum())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cpl.rbm_couplings(0.1 * w, b, np.zeros(3), K, method="truncated")


@pytest.mark.slow
def test_gradient_of_one_coupling():
    w, b = np.array([[0.9, -0.4], [0.8, 0.5], [1.1, 0.3]]), np.array([0.2, -0.1])
    K = lambda t: jnp.logaddexp(t, -t)
    grad = jax.grad(lambda v: cpl.set_coupling(v, jnp.asarray(b), K, (0, 2), method="exact"))(jnp.asarray(w))
    for index in np.ndindex(w.shape):
        step = np.zeros_like(w)
        step[index] = 1e-5
        up, down = (
            solved(hidden_sum(rows(3) @ (w + s * step) + b, "pm").sum(axis=1), "pm")[5] for s in (1, -1)
        )
        close(grad[index], (up - down) / 2e-5, 1e-9)


# --- blocking ---


def random_rule(rng, size, name):
    """A rule of the product and my own table P(x = +1 | Y), from the words of the definition."""
    y = rows(size)
    total = y.sum(axis=1)
    if name == "decimation":
        site = int(rng.integers(size))
        return blk.Decimation(site), (y[:, site] > 0).astype(float)
    if name == "soft":
        weights = rng.normal(size=size)
        return blk.Soft(weights), 1 / (1 + np.exp(-2 * y @ weights))
    if name == "user":
        table = rng.uniform(size=2**size)
        return blk.UserRule(np.stack([table, 1 - table], axis=1)), table
    tie = {"random": 0.5, "plus": 1.0, "minus": 0.0, "first": y[:, 0] > 0, "last": y[:, -1] > 0}[name]
    return blk.Majority(ties=name), np.where(total == 0, tie, total > 0).astype(float)


def blocked(k, n, blocks, plus):
    """K'(x) = ln sum_chi prod p(x_i | Y_i) exp K(chi): one explicit sum per coarse state."""
    y = rows(n)
    out = []
    for x in rows(len(blocks)):
        p = np.ones(2**n)
        for i, block in enumerate(blocks):
            index = sum((y[:, s] < 0).astype(int) << at for at, s in enumerate(block))
            p = p * (plus[index] if x[i] > 0 else 1 - plus[index])
        out.append(special.logsumexp(k, b=p) if p.any() else -np.inf)
    return np.array(out)


GEOMETRIES = {
    "ring 8 by 2": ((8,), 2),
    "ring 9 by 3": ((9,), 3),
    "chain 8 by 4": ((8,), 4),
    "4x2 by 2": ((4, 2), 2),
}
RULES = ["decimation", "soft", "user", "random", "plus", "minus", "first", "last"]


@FEW
@given(SEEDS, st.sampled_from([*GEOMETRIES]), st.sampled_from(RULES))
def test_coarse_actions_of_every_rule_by_explicit_sums(seed, geometry, name):
    rng = np.random.default_rng(seed)
    shape, side = GEOMETRIES[geometry]
    lattice, n = Lattice(shape), math.prod(shape)
    partition = blk.Partition.cubic(lattice, side)
    rule, plus = random_rule(rng, side ** len(shape), name)
    pairs = {(i, j) for i in range(n) for j in range(i) if rng.uniform() < 0.3}
    terms = {
        tuple(s): rng.normal() / 2 for s in [*pairs, *([i] for i in range(n)), (0, 2, 5), (1, 2, 3, 6), ()]
    }
    k = sum(v * rows(n)[:, list(s)].prod(axis=1) for s, v in terms.items())
    action = blk.SpinAction(n, terms, lattice)
    truth = blocked(k, n, partition.blocks, plus)
    found = blk.block_exact(action, partition, rule)
    close(found.values, truth)
    close(found.log_partition, special.logsumexp(k))
    assert found.partition_error < 1e-12
    close(blk.decompose(action, partition, rule).values, truth)
    close(found.action.values(), truth)
    for s, j in zip(subsets(len(partition.blocks)), solved(truth, "pm"), strict=True):
        close(found.coupling(*s), j)
    ring = Ising(lattice, temperature=2.0, field=0.3) if len(shape) == 1 else None
    if ring is not None:
        s = rows(n)
        k = 0.5 * (s * np.roll(s, 1, axis=1)).sum(axis=1) + 0.3 * s.sum(axis=1)  # the field is dimensionless
        close(blk.block_transfer(ring, partition, rule).values, blocked(k, n, partition.blocks, plus))


def test_a_four_by_four_lattice_goes_to_two_by_two():
    lattice = Lattice((4, 4))
    s = rows(16).reshape(-1, 4, 4)
    k = 0.35 * (s * np.roll(s, 1, axis=1) + s * np.roll(s, 1, axis=2)).sum(axis=(1, 2))
    rule, plus = random_rule(np.random.default_rng(0), 4, "random")
    partition = blk.Partition.cubic(lattice, 2)
    found = blk.block_exact(Ising(lattice, temperature=1 / 0.35), partition, rule)
    truth = blocked(k, 16, partition.blocks, plus)
    close(found.values, truth)
    j = solved(truth, "pm")
    close(blk.rangeness(found), j[0b1001] / j[0b0011])
    close(blk.m_bodyness(found), j[0b1111] / j[0b0011])
    close(blk.block_transfer(Ising(lattice, temperature=1 / 0.35), partition, rule, width=2).values, truth)


TABLE = [
    ("decimation", 0.08507, 0.0, 0.0),
    ("majority", 0.12335, -0.00924, -0.00017),
    ("soft", 0.0492, 0.0035, -2e-5),
]
NAMED = {
    "decimation": blk.Decimation(),
    "majority": blk.Majority(ties="random"),
    "soft": blk.Soft((1.0, 0.0)),
}


@pytest.mark.parametrize(("name", "near", "next_near", "quartet"), TABLE)
def test_the_table_of_coarse_couplings(name, near, next_near, quartet):
    ring = Ising(Lattice((8,)), temperature=1 / 0.3)
    coarse = blk.block_exact(ring, blk.Partition.cubic(ring.lattice, 2), NAMED[name])
    found = [coarse.coupling(0, 1), coarse.coupling(0, 2), coarse.coupling(0, 1, 2, 3)]
    np.testing.assert_allclose(found, [near, next_near, quartet], atol=6e-5 if name == "soft" else 6e-6)
    classes = blk.coupling_classes(coarse)
    by_gap = {c.gaps: c.mean for c in classes if c.body in (2, 4)}
    close([by_gap[1,], by_gap.get((2,), 0), by_gap.get((1, 1, 1), 0)], found)


def test_orders_of_the_cumulant_expansion():
    """The table of errors, and every order against the moments of K_1."""
    ring = Ising(Lattice((8,)), temperature=10.0)
    partition = blk.Partition.cubic(ring.lattice, 2)
    series = blk.block_cumulants(ring, partition, blk.Decimation(), 12)
    for order, size in [(1, 2e-2), (2, 1.6e-4), (4, 6e-7), (8, 9e-12)]:
        assert 0.9 * size < series.errors[order] < 1.1 * size
    assert series.errors[12] < 5e-15
    hot = Ising(Lattice((8,)), temperature=2.0)
    s = rows(8)
    for rule in NAMED.values():
        found = blk.block_cumulants(hot, partition, rule, 6)
        plus = rule.table(2)[:, 0]
        k_b, k_1 = (
            0.5 * (s[:, ::2] * s[:, 1::2]).sum(axis=1),
            0.5 * (s[:, 1::2] * np.roll(s[:, ::2], -1, 1)).sum(axis=1),
        )
        for at, x in enumerate(rows(4)):
            weight = np.exp(k_b)
            for i in range(4):
                index = (s[:, 2 * i] < 0) + 2 * (s[:, 2 * i + 1] < 0)
                weight = weight * (plus[index] if x[i] > 0 else 1 - plus[index])
            p = weight / weight.sum()
            moments = [p @ k_1**order for order in range(7)]
            truth, kappas = [math.log(weight.sum())], []
            for order in range(1, 7):  # kappa_k = m_k - sum_j C(k - 1, j - 1) kappa_j m_{k-j}
                below = sum(
                    math.comb(order - 1, j) * c * moments[order - 1 - j] for j, c in enumerate(kappas)
                )
                kappas.append(moments[order] - below)
                truth.append(kappas[-1] / math.factorial(order))
            close(found.terms[:, at], truth, 1e-11)


@pytest.mark.parametrize(
    ("name", "k"),
    [
        ("decimation", 1.0),
        ("decimation", 0.5),
        ("majority", 1.0),
        ("soft", 0.5),
        ("soft", 1),
    ],
)
def test_the_radius_of_convergence_is_the_smallest_root_of_a_polynomial(name, k):
    """K_1 is k times -4 ... 4 in steps of 2, so ⟨exp(t K_1)⟩ is a polynomial in exp(2kt)."""
    s, rule, radius = rows(8), NAMED[name], np.inf
    plus = rule.table(2)[:, 0]
    count = ((s[:, 1::2] * np.roll(s[:, ::2], -1, 1)).sum(axis=1) + 4).astype(int) // 2
    for x in rows(4):
        weight = np.exp(k * (s[:, ::2] * s[:, 1::2]).sum(axis=1))
        for i in range(4):
            index = (s[:, 2 * i] < 0) + 2 * (s[:, 2 * i + 1] < 0)
            weight = weight * (plus[index] if x[i] > 0 else 1 - plus[index])
        roots = np.roots(np.bincount(count, weight, minlength=5)[::-1])
        radius = min([radius, *np.abs(np.log(roots.astype(complex)) / (2 * k))])
    if name == "decimation":  # ⟨exp(t K_1)⟩ = prod_i cosh(k + t k x_i x_{i+1})/cosh k
        np.testing.assert_allclose(radius, math.hypot(1, math.pi / 2 / k), rtol=1e-3)
        radius = math.hypot(1, math.pi / 2 / k)
    ring = Ising(Lattice((8,)), temperature=1 / k)
    series = blk.block_cumulants(ring, blk.Partition.cubic(ring.lattice, 2), rule, 6, allow_divergent=True)
    assert series.radius[0] <= radius * (1 + 1e-9)
    assert radius <= series.radius[1] * (1 + 1e-9)
    assert series.converges == (radius > 1)


@pytest.mark.parametrize(("sites", "k"), [(8, 8.0), pytest.param(16, 5.0, marks=pytest.mark.slow)])
def test_a_convergent_series_of_a_strongly_coupled_chain_is_not_refused(sites, k):
    """Decimation: ⟨exp(t K_1)⟩ = prod_i cosh(k + t k x_i x_{i+1})/cosh k, R = |1 + i pi/(2k)|."""
    ring = Ising(Lattice((sites,)), temperature=1 / k)
    partition = blk.Partition.cubic(ring.lattice, 2)
    series = blk.block_cumulants(ring, partition, blk.Decimation(), 4, allow_divergent=True)
    assert series.radius[1] >= math.hypot(1, math.pi / 2 / k)
