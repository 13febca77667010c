"""Bad input to the exact RG: one clear error each, with the value and the way out, never a number."""

import gc
import json
import re
import subprocess
import sys
import warnings

import jax.numpy as jnp
import numpy as np
import pytest

from deeprg.cli.main import main
from deeprg.exact import blocking as blk
from deeprg.exact import couplings as cpl
from deeprg.exact import layered as lay
from deeprg.exact import schemes as sch
from deeprg.exact import tensor as tns
from deeprg.hamiltonians import Ising
from deeprg.lattice import Lattice
from deeprg.runs.errors import NumericalError, UsageError

NAN, INF = float("nan"), float("inf")
RING = Ising(Lattice((8,)), temperature=2.0)
PAIRS = blk.Partition.cubic(RING.lattice, 2)
ISING = lay.IsingPrior()


def cosh(t):
    return jnp.logaddexp(t, -t)


def machine(*couplings, **rest):
    return lay.GaussianMachine([np.array(c, float) for c in couplings], **rest)


def many(n):
    return blk.block_exact(
        Ising(Lattice((n,)), temperature=2.0), np.arange(n).reshape(-1, 2), blk.Decimation()
    )


# --- what the demands name ---


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("call", ["marginalise", "moments", "smallest_eigenvalues", "spin_hamiltonian"])
def test_existence_names_the_layer_and_the_smallest_eigenvalue(depth, call):
    """A coupling of 1.2 to layer 2; the eigenvalue is that of the scalar continued fraction."""
    strength = [0.5, 1.2, 0.3, 0.2][:depth]
    chain = machine(*(s * np.eye(2) for s in strength), biases=[np.ones(2)] * depth)
    a = 1.0
    for w in strength[:1:-1]:
        a = 1 - w * w / a
    eigenvalue = 1 - 1.44 / a
    with pytest.raises(NumericalError, match=r"Layer 1 ") as caught:
        getattr(chain, call)()
    named = re.search(r"smallest eigenvalue (\S+)\.", str(caught.value))
    assert float(named[1]) == pytest.approx(eigenvalue, rel=1e-5)


def test_existence_just_inside_and_just_outside():
    inside = machine([[0.5], [0.5]], [[1 - 1e-9]]).marginalise()
    assert inside[-1].precision[0, 0] == pytest.approx(2e-9, rel=1e-6)
    for w in (1.0, 1 + 1e-9):
        with pytest.raises(NumericalError, match="ayer 1"):
            machine([[0.5], [0.5]], [[w]]).marginalise()
    with pytest.raises(NumericalError, match="ayer 2"):  # its own precision, no coupling at fault
        machine([[0.5]], [[0.1]], precisions=[[[1.0]], [[-0.3]]]).moments()


@pytest.mark.parametrize("rule", [blk.block_exact, blk.block_transfer, blk.decompose])
def test_an_open_tie_rule_lists_the_choices(rule):
    with pytest.raises(UsageError, match="random, first, last, plus, minus"):
        rule(RING, PAIRS, blk.Majority())


def test_a_divergent_blocking_series_says_so_and_what_to_do():
    """Soft rule, K = 1: the nearest zero of ⟨exp(t K_1)⟩ lies inside the unit disc."""
    hot = Ising(Lattice((8,)), temperature=1.0)
    with pytest.raises(NumericalError, match=r"(?s)radius.*block_exact"):
        blk.block_cumulants(hot, PAIRS, blk.Soft((1.0, 0.0)), 8)
    shown = blk.block_cumulants(hot, PAIRS, blk.Soft((1.0, 0.0)), 24, allow_divergent=True)
    assert not shown.converges
    assert shown.errors[24] > 0.9 * shown.errors[8] > 0.1  # it does diverge


@pytest.mark.parametrize("weight", [0.78, 0.79])  # 2 w against pi/2 = 1.5708
def test_a_layer_s_series_is_refused_exactly_outside_its_radius(weight):
    arguments = ([1.0, 1.0], [0.0, 0.0], [[weight], [weight]], [0.0], ISING)
    report = lay.truncation_report(*arguments, 4)
    assert report.reach[0] == pytest.approx(4 * weight / np.pi, rel=1e-12)
    assert report.converges == (weight < np.pi / 4)
    if weight < np.pi / 4:
        lay.truncated_energy(*arguments, 4)
    else:
        with pytest.raises(NumericalError, match=r"unit 0.*1\.00"):
            lay.truncated_energy(*arguments, 4)


SYMMETRY = {
    "machine": lambda: machine([[0.5, 0.1]], precisions=[[[1, 0.2], [0.1, 1]]]),
    "spins": lambda: lay.SpinHamiltonian([[0, 0.5], [0.4, 0]], [0.0, 0.0]),
    "chain": lambda: lay.continued_fraction([[[1, 0.2], [0.1, 1]]], []),
    "fixed point": lambda: lay.uniform_fixed_point([[1, 0.2], [0.1, 1]], 0.1 * np.eye(2)),
    "schur": lambda: lay.schur_complement([[1, 0.2], [0.1, 1]], 1),
    "action": lambda: blk.SpinAction.of_matrix(np.array([[0, 0.4], [0.3, 0]])),
    "two orders": lambda: blk.SpinAction(2, {(0, 1): 0.1, (1, 0): 0.2}),
}


@pytest.mark.parametrize("name", SYMMETRY)
def test_couplings_that_are_not_symmetric(name):
    with pytest.raises(UsageError, match=r"symmetric|square"):
        SYMMETRY[name]()


TOO_MANY = {
    "walsh-hadamard": (lambda: cpl.walsh_hadamard(np.zeros(2**21)), "2.?21.*GB"),
    "moebius": (lambda: cpl.mobius(np.zeros(2**21)), "2.?21.*GB"),
    "function": (lambda: cpl.couplings_of(lambda x: x[:, 0], n=40), "40.*B"),
    "states": (lambda: cpl.configurations(40), "40.*B"),
    "layer": (lambda: cpl.rbm_couplings(np.ones((30, 1)), [0.0], np.zeros(30), cosh), r"30.*8\.6 GB.*clt"),
    "moments": (lambda: machine(0.01 * np.ones((30, 1))).moments(), "30.*GiB"),
    "log Z": (lambda: lay.SpinHamiltonian(np.zeros((40, 40)), np.zeros(40)).log_partition, "40.*GiB"),
    "blocks": (lambda: many(26), "26.*2 GiB.*transfer"),
    "tensor": (lambda: tns.tensor_free_energy(Ising(Lattice((4, 4)), 2.0), 500), "GiB.*memory_gib"),
}


@pytest.mark.parametrize("name", TOO_MANY)
def test_too_many_variables_with_the_memory(name):
    call, match = TOO_MANY[name]
    with pytest.raises(UsageError, match=f"(?s){match}"):
        call()


# --- numbers that are none ---

one = np.array([[0.5], [0.5]])
NUMBERS = {
    "coupling": lambda v: machine(v * one),
    "visible bias": lambda v: machine(one, visible_bias=[v, 0.0]),
    "hidden bias": lambda v: machine(one, biases=[[v]]),
    "precision": lambda v: machine(one, precisions=[[[v]]]),
    "beta": lambda v: machine(one, beta=v),
    "constant": lambda v: machine(one, constant=v),
    "pairs": lambda v: lay.SpinHamiltonian([[0, v], [v, 0]], [0.0, 0.0]),
    "energy": lambda v: machine(one).energy([1, 1], [v]),
    "chain": lambda v: lay.continued_fraction([[[v]]], []),
    "fixed point": lambda v: lay.uniform_fixed_point(1.0, v),
    "effective": lambda v: lay.effective_energy([1.0, 1.0], [0.0, 0.0], v * one, [0.0], ISING),
    "truncated": lambda v: lay.truncated_energy([1.0, 1.0], [0.0, 0.0], v * one, [0.0], ISING, 2),
    "walsh-hadamard": lambda v: cpl.walsh_hadamard([1.0, v]),
    "walsh-hadamard, jax": lambda v: cpl.walsh_hadamard(jnp.array([1.0, v])),
    "layer": lambda v: cpl.rbm_couplings(v * one, [0.0], [0.0, 0.0], cosh),
    "one set": lambda v: cpl.set_coupling(jnp.array(v * one), jnp.zeros(1), cosh, (0, 1)),
    "terms": lambda v: cpl.Couplings.from_terms(2, {(0,): v}),
    "probabilities": lambda v: cpl.joint_moments([v, 1.0]),
    "joint cumulant": lambda v: cpl.joint_cumulant([[v], [1.0]], (0,)),
    "cumulants": lambda v: cpl.cumulants([v, 1.0], 2),
    "samples": lambda v: cpl.sampled_correlators(np.full((200, 2), v), [(0,)]),
    "operator": lambda v: cpl.variational_rg([[v, 0.0]], [0.0]),
    "action": lambda v: blk.SpinAction(2, {(0, 1): v}),
    "matrix": lambda v: blk.SpinAction.of_matrix(np.array([[0, v], [v, 0]])),
    "values": lambda v: blk.SpinAction.of_values(np.array([v, 0.0])),
    "soft": lambda v: blk.Soft((v, 1.0)),
    "rule": lambda v: blk.block_exact(RING, PAIRS, blk.UserRule(lambda s: v + 0 * s[..., 0])),
    "flow": lambda v: sch.flow("wilson", [v, 0.0]),
    "onsager": lambda v: sch.square_log_partition(v),
    "weights": lambda v: tns.SquareWeights(np.zeros(2), np.full((2, 2), v), np.zeros((2, 2))),
}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nan_and_infinity_are_refused(name):
    for value in (NAN, INF):
        with pytest.raises(UsageError):
            NUMBERS[name](value)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_decimation_at_infinite_coupling_has_a_field_or_an_error():
    try:
        step = sch.decimate_chain(INF, 0.1)
    except UsageError:
        return
    assert np.isfinite(step.field)


# --- shapes, empty layers, names ---

SHAPES = {
    "no layer": lambda: lay.GaussianMachine([]),
    "empty hidden layer": lambda: lay.GaussianMachine([np.zeros((2, 0))]),
    "empty visible layer": lambda: lay.GaussianMachine([np.zeros((0, 2))]),
    "no spins": lambda: lay.SpinHamiltonian(np.zeros((0, 0)), []),
    "widths": lambda: machine(np.ones((2, 3)), np.ones((2, 1))),
    "vector": lambda: machine([0.5, 0.5]),
    "ragged": lambda: lay.GaussianMachine([[[0.5], [0.5, 0.6]]]),
    "text": lambda: lay.GaussianMachine([[["a"]]]),
    "complex": lambda: lay.GaussianMachine([[[1j]]]),
    "biases": lambda: machine(one, biases=[[1.0], [2.0]]),
    "bias": lambda: machine(one, biases=[[1.0, 2.0]]),
    "spins": lambda: machine(one, spins="ising"),
    "x": lambda: machine(one).energy([0, 1], [1.0]),
    "singular step": lambda: lay.linearised_step(0.0, 1.0),
    "singular beta": lambda: lay.beta_function(0.0, 1.0, 1.0),
    "three values": lambda: cpl.walsh_hadamard([1.0, 2.0, 3.0]),
    "complex values": lambda: cpl.walsh_hadamard(np.array([1j, 2.0])),
    "operator": lambda: cpl.variational_rg([[0.0, 0.0]], [0.0, 1.0]),
    "few samples": lambda: cpl.sampled_correlators(np.ones((20, 2)), [(0,)]),
    "overlap": lambda: blk.Partition(((0, 1), (1, 2))),
    "empty block": lambda: blk.Partition(((0,), ())),
    "missing sites": lambda: blk.block_exact(RING, [[0, 1]], blk.Decimation()),
    "decimation": lambda: blk.block_exact(RING, PAIRS, blk.Decimation(-1)),
    "soft": lambda: blk.block_exact(RING, PAIRS, blk.Soft((1.0,))),
    "not normalised": lambda: blk.block_exact(RING, PAIRS, blk.UserRule(np.full((4, 2), 0.6))),
    "no range": lambda: blk.rangeness(blk.SpinAction(4, {(0, 1): 1.0})),
    "long bond": lambda: blk.block_transfer(blk.SpinAction(8, {(0, 4): 1.0}), PAIRS, blk.Decimation()),
    "no weights": lambda: blk.Soft(()),
    "table of a rule": lambda: blk.UserRule(np.ones(4)),
    "scheme": lambda: sch.fixed_point("wilsn"),
    "order": lambda: sch.fixed_point("niemeijer-van-leeuwen", 3),
    "start": lambda: sch.flow("wilson", [1.0]),
    "bond dimension": lambda: tns.tensor_free_energy(Ising(Lattice((4, 4)), 2.0), 1),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.filterwarnings("ignore")
def test_wrong_shapes_empty_layers_and_unknown_names(name):
    with pytest.raises(UsageError) as caught:
        SHAPES[name]()
    assert 20 < len(str(caught.value)) < 400


VAGUE = {
    "operator": (lambda: cpl.variational_rg([[NAN, 0.0]], [0.0]), "NaN|finite"),
    "negative": (lambda: cpl.joint_moments([1.5, -0.5]), r"-0\.5"),
    "samples": (lambda: cpl.sampled_correlators(np.full((200, 2), NAN), [(0,)]), "NaN|not finite"),
}


@pytest.mark.parametrize("name", VAGUE)
def test_the_message_names_what_is_wrong(name):
    call, match = VAGUE[name]
    with pytest.raises(UsageError, match=match):
        call()


WRONG_TYPES = {
    "blk.block_exact(blk.SpinAction(4, {(0, 1): 1.0}), [[0, 1], [2, 3]], 'majority')": "Majority",
    "blk.UserRule('foo')": "text",
    "blk.SpinAction(2, {(0.5,): 0.1})": "0.5",
    "cpl.Couplings.from_terms(2, {(0.5,): 0.1})": "0.5",
    "cpl.joint_cumulant([[1.0], [-1.0]], (0.5,))": "0.5",
    "lay.GaussianMachine([[[0.5]]], beta='hot')": "beta.*text",
    "lay.GaussianMachine([[[0.5]]], spins=['pm'])": "unknown",
}


def test_wrong_types_in_a_session_without_type_checks():
    """The tests check all annotations; a user's session does not, and float32 is JAX's default there."""
    script = f"""
import numpy as np
from deeprg.exact import blocking as blk, couplings as cpl, layered as lay
from deeprg.runs.errors import UsageError
for call in {list(WRONG_TYPES)!r}:
    try:
        print(eval(call))
    except UsageError as error:
        print(error)
layer = ([0.0, 0.0], [[0.31], [0.47]], [0.3], lay.IsingPrior())
print(repr(float(lay.truncation_report([[1, 1], [1, -1]], *layer, 40).errors[-1])))
"""
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    *messages, error = output.stdout.splitlines()
    for message, match in zip(messages, WRONG_TYPES.values(), strict=True):
        assert re.search(match, message)
    assert float(error) < 1e-12


# --- the command line ---

GOOD = {"couplings": [[[0.5], [0.5]], [[0.6]]]}
BAD = {
    "text.json": ("{", 2, "valid JSON"),
    "words.json": ({"couplings": ["a", "b"]}, 2, "W_1.*text"),
    "null.json": ({"couplings": None}, 2, "couplings must be a list"),
    "nulls.json": ({"couplings": [[[None], [0.5]]]}, 2, "W_1.*no number"),
    "number.json": ({"couplings": 5}, 2, "couplings must be a list"),
    "object.json": ({"couplings": {"a": 1}}, 2, "couplings must be a list"),
    "spins.json": ({**GOOD, "spins": "ising"}, 2, "ising.*unknown"),
    "spins-list.json": ({**GOOD, "spins": ["pm"]}, 2, "unknown"),
    "cold.json": ({**GOOD, "beta": 0}, 2, "beta must be positive"),
    "negative.json": ({**GOOD, "beta": -1}, 2, "beta must be positive"),
    "beta-nan.json": ({**GOOD, "beta": NAN}, 2, "beta must be a finite number"),
    "beta-null.json": ({**GOOD, "beta": None}, 2, "beta.*no number"),
    "huge.json": ({"couplings": [[[1e200], [1e200]], [[1e200]]]}, 3, "overflow|positive definite"),
    "list.json": ([1], 2, "couplings"),
    "nothing.json": ({"beta": 1}, 2, "couplings"),
    "unknown.json": ({**GOOD, "betta": 1}, 2, "betta"),
    "existence.json": ({"couplings": [[[0.5], [0.5]], [[1.2]]]}, 3, "Layer 1.*-0.44"),
    "nan.json": ({"couplings": [[[NAN], [0.5]]]}, 2, "finite"),
    "ragged.json": ({"couplings": [[[0.5], [0.5, 0.6]]]}, 2, "are ragged"),
    "beta.json": ({**GOOD, "beta": "hot"}, 2, "beta: real numbers.*text"),
    "nonsymmetric.json": (
        {"couplings": [[[0.5, 0.1]]], "precisions": [[[1, 0.2], [0.1, 1]]]},
        2,
        "symmetric",
    ),
    "empty-layer.json": ({"couplings": [[[], []]]}, 2, "layer"),
    "model.txt": ("x", 2, "json"),
    "torn.npz": ("PK\x03\x04xx", 2, "npz"),
    "zero.npz": ("", 2, "npz"),
}


def run(argv, capsys):
    try:
        code = main(argv)
    except SystemExit as stop:
        code = stop.code
    except Exception as error:  # what would be a traceback
        code = f"{type(error).__name__}"
    with warnings.catch_warnings():  # files left open by it
        warnings.simplefilter("ignore")
        gc.collect()
    return code or 0, capsys.readouterr()


@pytest.mark.parametrize("name", BAD)
def test_marginalise_with_bad_files(name, tmp_path, capsys):
    content, code, match = BAD[name]
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="latin-1")
    found, output = run(["rg", "marginalise", str(path), "--json"], capsys)
    assert found == code
    assert output.out == ""
    assert "Traceback" not in output.err
    assert re.search(match, " ".join(output.err.split()))


def test_marginalise_without_a_file(tmp_path, capsys):
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "folder.npz").mkdir()
    for name in ("folder.json", "folder.npz", "missing.json", "missing.npz"):
        code, output = run(["rg", "marginalise", str(tmp_path / name)], capsys)
        assert (code, output.out) == (2, "")
        assert name in " ".join(output.err.split())


@pytest.mark.parametrize(
    ("argv", "match"),
    [
        (["wilsn"], "wilson"),
        (["wilson", "--order", "2"], "order"),
        (["niemeijer-van-leeuwen", "--order", "3"], "1 and 2"),
        (["wilson", "--start", "0.4"], "K,L"),
        (["wilson", "--start", "0.4,x"], "0.4,x"),
        (["wilson", "--start", "nan,0"], "finite"),
        (["migdal-kadanoff", "--steps", "-1"], "-1"),
        (["migdal-kadanoff", "--out", "flow.foo"], "png"),
    ],
)
def test_flow_with_bad_arguments(argv, match, capsys):
    code, output = run(["rg", "flow", *argv], capsys)
    assert (code, output.out) == (2, "")
    assert match in " ".join(output.err.split())


def test_flow_writes_what_the_demand_lists(capsys):
    code, output = run(["rg", "flow", "niemeijer-van-leeuwen", "--order", "2", "--json"], capsys)
    found = json.loads(output.out)
    assert code == 0
    assert {"fixed_point", "eigenvalues", "exponents", "critical_coupling"} <= set(found)
    assert found["critical_coupling"] == pytest.approx(sch.critical_coupling("niemeijer-van-leeuwen", 2))
