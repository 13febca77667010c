"""Gaussian machines against quadrature and block integrals: every step, both conventions, depth 1 to 4."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeprg.exact.blocking import SpinAction
from deeprg.exact.couplings import configurations
from deeprg.exact.layered import GaussianMachine, SpinHamiltonian, random_machine
from deeprg.runs.errors import NumericalError, UsageError

VALUES = {"pm": (-1.0, 1.0), "binary": (0.0, 1.0)}
SETTINGS = st.fixed_dictionaries(
    {
        "sizes": st.lists(st.integers(1, 4), min_size=2, max_size=5),
        "seed": st.integers(0, 10**6),
        "beta": st.sampled_from([0.3, 0.7, 1.0, 2.5]),
        "spins": st.sampled_from(["pm", "binary"]),
        "margin": st.sampled_from([0.05, 0.3, 0.9]),
    }
)
EXAMPLES = settings(derandomize=True, max_examples=15, deadline=None)


def all_states(machine):
    return np.array(list(itertools.product(VALUES[machine.spins], repeat=machine.sizes[0])))


def block_action(machine, x):
    """-beta H(x) with all hidden layers integrated at once, from the joint quadratic form."""
    edges = np.cumsum([0, *machine.sizes[1:]])
    precision, bias = np.zeros((edges[-1], edges[-1])), np.concatenate(machine.biases)
    for layer, lam in enumerate(machine.precisions):
        precision[edges[layer] : edges[layer + 1], edges[layer] : edges[layer + 1]] = lam
    for layer, w in enumerate(machine.couplings[1:]):
        precision[edges[layer] : edges[layer + 1], edges[layer + 1] : edges[layer + 2]] = -w
        precision[edges[layer + 1] : edges[layer + 2], edges[layer] : edges[layer + 1]] = -w.T
    bias[: edges[1]] += x @ machine.couplings[0]
    beta = machine.beta
    gaussian = 0.5 * len(bias) * math.log(2 * math.pi / beta) - 0.5 * np.linalg.slogdet(precision)[1]
    field = 0.5 * beta * bias @ np.linalg.solve(precision, bias)
    return -beta * machine.constant + beta * x @ machine.visible_bias + gaussian + field


def quadrature(machine, layers, points=56):
    """Gauss-Hermite nodes [k, m_l] of the given layers and log-weights [k], by the diagonal precisions."""
    node, weight = np.polynomial.hermite.hermgauss(points)
    scales = [
        math.sqrt(2 / (machine.beta * machine.precisions[layer][i, i]))
        for layer in layers
        for i in range(machine.sizes[layer + 1])
    ]
    grid = np.array(list(itertools.product(node, repeat=len(scales))))
    log_weights = np.log(np.array(list(itertools.product(weight, repeat=len(scales))))).sum(axis=1)
    log_weights += (grid**2).sum(axis=1) + np.log(scales).sum()
    edges = np.cumsum([0, *(machine.sizes[layer + 1] for layer in layers)])
    points = grid * scales
    return [points[:, start:stop] for start, stop in itertools.pairwise(edges)], log_weights


def log_sum(values):
    return float(np.logaddexp.reduce(values))


@pytest.mark.parametrize("spins", ["pm", "binary"])
@pytest.mark.parametrize("sizes", [(2, 1), (3, 2), (2, 1, 1), (2, 2, 1), (1, 1, 2), (2, 1, 1, 1)])
def test_every_step_equals_quadrature(sizes, spins):
    machine = random_machine(sizes, seed=sum(sizes), beta=0.7, spins=spins, margin=0.5)
    rng = np.random.default_rng(1)
    step = machine.step()
    nodes, log_weights = quadrature(machine, [machine.depth - 1])
    for x in all_states(machine):
        kept = [rng.normal(size=size) for size in sizes[1:-1]]
        energies = machine.energy(x, *kept, nodes[0])
        expected = -log_sum(log_weights - machine.beta * energies) / machine.beta
        assert float(step.after.energy(x, *kept)) == pytest.approx(expected, abs=1e-12)
        assert float(step.energy_by_cumulants(x, *kept)) == pytest.approx(expected, abs=1e-12)
    nodes, log_weights = quadrature(machine, range(machine.depth))
    visible = machine.spin_hamiltonian()
    for x in all_states(machine):
        expected = -log_sum(log_weights - machine.beta * machine.energy(x, *nodes)) / machine.beta
        assert float(visible.energy(x)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("spins", ["pm", "binary"])
def test_moments_of_all_layers_equal_quadrature(spins):
    machine = random_machine((2, 1, 2), seed=5, beta=1.3, spins=spins, margin=0.5)
    nodes, log_weights = quadrature(machine, range(machine.depth))
    states = all_states(machine)
    logs = np.array([log_weights - machine.beta * machine.energy(x, *nodes) for x in states])
    everything = [np.hstack([np.tile(x, (len(log_weights), 1)), *nodes]) for x in states]
    law = np.exp(logs - log_sum(logs.ravel()))
    mean = sum(p @ u for p, u in zip(law, everything, strict=True))
    second = sum((p[:, None] * u).T @ u for p, u in zip(law, everything, strict=True))
    moments = machine.moments()
    assert moments.log_partition == pytest.approx(log_sum(logs.ravel()), abs=1e-12)
    np.testing.assert_allclose(moments.mean, mean, atol=1e-12)
    np.testing.assert_allclose(moments.second, second, atol=1e-12)


@given(SETTINGS)
@EXAMPLES
def test_the_visible_hamiltonian_equals_the_block_integral(chosen):
    machine = random_machine(**chosen)
    states = all_states(machine)
    expected = np.array([block_action(machine, x) for x in states])
    visible = machine.spin_hamiltonian()
    np.testing.assert_allclose(-machine.beta * visible.energy(states), expected, rtol=1e-12, atol=1e-12)
    assert machine.log_partition == pytest.approx(log_sum(expected), rel=1e-12, abs=1e-12)
    assert not np.diag(visible.pairs).any()


@given(SETTINGS)
@EXAMPLES
def test_each_step_preserves_z_and_the_correlators_of_what_remains(chosen):
    machine = random_machine(**chosen)
    before = machine.moments()
    states = all_states(machine)
    law = np.exp([block_action(machine, x) - before.log_partition for x in states])
    for step in machine.marginalise():
        after = step.after.moments()
        kept = len(after.mean)
        assert after.log_partition == pytest.approx(before.log_partition, rel=1e-12, abs=1e-12)
        np.testing.assert_allclose(after.mean, before.mean[:kept], rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(after.second, before.second[:kept, :kept], rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(after.mean, law @ states, atol=1e-12)
    np.testing.assert_allclose(after.second, (law[:, None] * states).T @ states, atol=1e-12)


@given(SETTINGS, st.integers(0, 1000))
@EXAMPLES
def test_the_cumulant_form_is_the_same_energy(chosen, seed):
    machine = random_machine(**chosen)
    rng = np.random.default_rng(seed)
    x = rng.choice(VALUES[machine.spins], size=(3, machine.sizes[0]))
    for step in machine.marginalise():
        kept = [rng.normal(size=(3, size)) for size in step.before.sizes[1:-1]]
        expected = step.after.energy(x, *kept)
        np.testing.assert_allclose(step.energy_by_cumulants(x, *kept), expected, rtol=1e-12, atol=1e-12)


def test_the_prior_is_the_law_of_the_layer_with_its_couplings_cut():
    machine = random_machine((3, 2, 2), seed=3, beta=0.6)
    prior = machine.step().prior
    np.testing.assert_allclose(machine.precisions[-1] @ prior.mean, machine.biases[-1], atol=1e-14)
    np.testing.assert_allclose(prior.covariance @ machine.precisions[-1] * 0.6, np.eye(2), atol=1e-14)
    t = np.array([0.4, -0.3])
    series = prior.cumulant(1) @ t + 0.5 * t @ prior.cumulant(2) @ t
    assert float(prior.cgf(t)) == pytest.approx(series, abs=1e-15)
    assert prior.cumulant(3).shape == (2, 2, 2)
    assert not prior.cumulant(3).any()


def test_equations_8_and_17_of_two_layers():
    machine = random_machine((3, 2, 2), seed=8, beta=0.7, spins="binary")
    (w1, w2), (ly, lz), (b, c) = machine.couplings, machine.precisions, machine.biases
    first, second = machine.marginalise()
    a_prime = ly - w2 @ np.linalg.inv(lz) @ w2.T
    b_prime = b + w2 @ np.linalg.inv(lz) @ c
    np.testing.assert_allclose(first.after.precisions[0], a_prime, atol=1e-14)
    np.testing.assert_allclose(first.after.biases[0], b_prime, atol=1e-14)
    coupling = w1 @ np.linalg.inv(a_prime) @ w1.T
    field = machine.visible_bias + w1 @ np.linalg.inv(a_prime) @ b_prime
    np.testing.assert_allclose(second.induced, coupling, atol=1e-14)
    np.testing.assert_allclose(second.after.fields, field + np.diag(coupling) / 2, atol=1e-14)
    np.testing.assert_allclose(second.after.pairs, coupling - np.diag(np.diag(coupling)), atol=1e-14)


@given(SETTINGS)
@settings(derandomize=True, max_examples=10, deadline=None)
def test_conventions_describe_the_same_energies(chosen):
    machine = random_machine(**chosen)
    visible = machine.spin_hamiltonian()
    other = visible.in_convention("binary" if machine.spins == "pm" else "pm")
    states = all_states(machine)
    translated = (states + 1) / 2 if machine.spins == "pm" else 2 * states - 1
    np.testing.assert_allclose(other.energy(translated), visible.energy(states), rtol=1e-12, atol=1e-12)
    assert other.log_partition == pytest.approx(visible.log_partition, rel=1e-12, abs=1e-12)
    again = other.in_convention(machine.spins)
    np.testing.assert_allclose(again.pairs, visible.pairs, atol=1e-13)
    assert visible.dimensionless().log_partition == pytest.approx(visible.log_partition, rel=1e-12)


def test_correlators_of_any_order_equal_a_loop():
    visible = random_machine((4, 3), seed=1, beta=1.4).spin_hamiltonian()
    norm = total = 0.0
    for x in itertools.product((-1.0, 1.0), repeat=4):
        weight = math.exp(-1.4 * float(visible.energy(x)))
        norm, total = norm + weight, total + weight * x[0] * x[2] * x[3]
    assert visible.correlator(0, 2, 3) == pytest.approx(total / norm, abs=1e-13)
    moments = visible.moments()
    assert visible.correlator(1, 2) == pytest.approx(moments.second[1, 2], abs=1e-14)
    assert moments.connected[1, 2] == pytest.approx(
        visible.correlator(1, 2) - visible.correlator(1) * visible.correlator(2), abs=1e-14
    )
    np.testing.assert_array_equal(visible.states()[5], [-1, 1, -1, 1])


@pytest.mark.parametrize("spins", ["pm", "binary"])
def test_one_action_in_three_forms(spins):
    """Hamiltonian, couplings and action have the same weights state by state, in one order of states."""
    visible = random_machine((4, 3), seed=1, beta=1.4, spins=spins).spin_hamiltonian()
    weights = -1.4 * visible.energy(visible.states())
    couplings = visible.as_couplings()
    np.testing.assert_array_equal(visible.states(), configurations(4, spins))
    np.testing.assert_allclose(couplings.values(), weights, atol=1e-13)
    again = SpinHamiltonian.from_couplings(couplings, beta=0.3)
    np.testing.assert_allclose(-0.3 * again.energy(visible.states()), weights, atol=1e-13)
    action = SpinAction.of(visible)
    order = slice(None) if spins == "pm" else slice(None, None, -1)
    for same in (action, SpinAction.of(couplings)):
        np.testing.assert_allclose(same.values()[order], weights, atol=1e-13)
    signs = configurations(4).astype(float)
    np.testing.assert_allclose(-action.as_hamiltonian().energy(signs)[order], weights, atol=1e-13)
    np.testing.assert_allclose(action.as_couplings().values()[order], weights, atol=1e-13)
    with pytest.raises(UsageError, match="couples 3 variables"):
        SpinAction(3, {(0, 1, 2): 0.1}).as_hamiltonian()


def test_enumeration_in_chunks_equals_the_transfer_matrix():
    size, bond, field = 17, 0.4, 0.2
    pairs = np.zeros((size, size))
    for i in range(size):
        pairs[i, (i + 1) % size] = pairs[(i + 1) % size, i] = bond
    ring = SpinHamiltonian(pairs, np.full(size, field))
    matrix = np.array([[math.exp(bond + field), math.exp(-bond)], [math.exp(-bond), math.exp(bond - field)]])
    values = np.linalg.eigvalsh(matrix)
    assert ring.log_partition == pytest.approx(math.log((values**size).sum()), rel=1e-13)


def failing_machine(layer, excess=0.2):
    """Depth 4, two units each, where A_layer is the first from the deep end to fail."""
    machine = random_machine((2, 2, 2, 2, 2), seed=layer, margin=0.4)
    precisions, wanted = list(machine.precisions), -excess
    smallest = machine.smallest_eigenvalues[layer - 1]
    precisions[layer - 1] = precisions[layer - 1] + (wanted - smallest) * np.eye(2)
    return GaussianMachine(machine.couplings, machine.visible_bias, machine.biases, precisions)


@pytest.mark.parametrize("layer", [1, 2, 3, 4])
def test_the_layer_that_cannot_be_integrated_is_named(layer):
    machine = failing_machine(layer)
    for attempt in (
        machine.marginalise,
        machine.spin_hamiltonian,
        machine.moments,
        lambda: machine.smallest_eigenvalues,
        lambda: machine.hidden_given_visible([1, 1]),
    ):
        with pytest.raises(NumericalError, match=rf"Layer {layer} .*smallest eigenvalue -0\.2\b"):
            attempt()


def test_a_marginal_layer_is_refused_too():
    with pytest.raises(NumericalError, match="Layer 1 "):
        GaussianMachine([[[1.0]], [[1.0]]]).marginalise()
    assert GaussianMachine([[[1.0]], [[0.999]]]).smallest_eigenvalues[0] == pytest.approx(1 - 0.999**2)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([],), {}, "at least one hidden layer"),
        (([[0.5, 0.5]],), {}, r"W_1 has shape \(2,\)"),
        (([np.ones((2, 2)), np.ones((3, 2))],), {}, r"W_2 has shape \(3, 2\)"),
        (([np.ones((2, 1))], [0.0]), {}, "visible_bias has shape"),
        (([np.ones((2, 2))],), {"precisions": [[[1.0, 0.2], [0.1, 1.0]]]}, "symmetric"),
        (([np.ones((2, 1))],), {"beta": 0.0}, "beta must be positive"),
        (([np.ones((2, 1))],), {"beta": math.nan}, "beta must be a finite"),
        (([np.ones((2, 1))],), {"spins": "ising"}, "spins = 'ising'"),
        (([np.full((2, 1), math.nan)],), {}, "not finite"),
        (([np.ones((2, 1))],), {"constant": math.inf}, "constant must be a finite"),
        (([np.ones((2, 1))],), {"biases": [[0.0], [0.0]]}, "biases"),
    ],
)
def test_machines_that_are_refused(arguments, options, message):
    with pytest.raises(UsageError, match=message):
        GaussianMachine(*arguments, **options)


def test_inputs_that_are_refused():
    machine = random_machine((2, 1), seed=0)
    for wrong, message in (([0, 1], "x holds 0"), ([1, 1, 1], "x has shape")):
        with pytest.raises(UsageError, match=message):
            machine.energy(wrong, [0.0])
    with pytest.raises(UsageError, match="1 hidden layers, but 2"):
        machine.energy([1, 1], [0.0], [0.0])
    with pytest.raises(UsageError, match="x holds -1"):
        random_machine((2, 1), seed=0, spins="binary").spin_hamiltonian().energy([-1, 1])
    with pytest.raises(UsageError, match=r"2\^26 states.* 0\.5 GiB"):
        _ = SpinHamiltonian(np.zeros((26, 26)), np.zeros(26)).log_partition
    with pytest.raises(UsageError, match="symmetric"):
        SpinHamiltonian([[0.0, 1.0], [0.5, 0.0]], [0.0, 0.0])
    with pytest.raises(UsageError, match="diagonal"):
        SpinHamiltonian(np.eye(2), [0.0, 0.0])
    with pytest.raises(UsageError, match="Sites"):
        SpinHamiltonian(np.zeros((2, 2)), [0.0, 0.0]).correlator(2)
    with pytest.raises(UsageError, match="unknown: gamma"):
        GaussianMachine.from_dict({"couplings": [[[1.0]]], "gamma": 1})
    with pytest.raises(UsageError, match="margin"):
        random_machine((2, 1), seed=0, margin=0)


def test_a_machine_survives_json():
    machine = random_machine((3, 2, 1), seed=4, beta=0.8, spins="binary")
    again = GaussianMachine.from_dict(machine.to_dict())
    assert again.log_partition == machine.log_partition
    assert again.sizes == machine.sizes
