"""Flows on the command line for models other than the square Ising model, each against its exact ln Z."""

import pytest

from deeprg.hamiltonians import build_hamiltonian
from deeprg.lattice import Lattice

CASES = {
    "xy": (("--shape=4", "--temperature=1.0"), {"temperature": 1.0}, (4,)),
    "random-bond": (("--shape=2x4", "--temperature=1.5"), {"temperature": 1.5}, (2, 4)),
    "ising": (
        ("--shape=4x2", "--temperature=2.5", "hamiltonian.geometry=triangular", "hamiltonian.coupling=-1"),
        {"temperature": 2.5, "geometry": "triangular", "coupling": -1.0},
        (4, 2),
    ),
}
TINY = (
    "--steps=200", "--batch=64", "--ess=20000", "flow.scalar=affine", "flow.width=4", "flow.depth=1",
    "flow.disentanglers=0", "flow.colours=1", "train.learning_rate=0.01", "train.warmup=0",
)  # fmt: skip


@pytest.mark.parametrize(
    "name", ["random-bond", *(pytest.param(name, marks=pytest.mark.slow) for name in ("xy", "ising"))]
)
def test_a_model_against_its_exact_values(name, cli, tmp_path):
    flags, options, shape = CASES[name]
    answer = cli("train", "flow", "--hamiltonian", name, *flags, *TINY, "--json", "--out", tmp_path / "r")
    assert answer.code == 0, answer.err
    found = answer.json
    assert found["hamiltonian"] == build_hamiltonian(name, Lattice(shape), **options).describe()
    assert found["gap"] > 0
    assert abs(found["log_partition_pull"]) < 4
    assert abs(found["observables"]["energy_per_site"]["pull"]) < 4
    # The twin: the same draws are no samples of a target whose ln Z is 1 % off.
    shifted = found["log_partition"] - 1.01 * found["exact_log_partition"]
    assert abs(shifted) > 4 * found["log_partition_error"]
    report = cli("report", tmp_path / "r")
    assert report.code == 0, report.err


def test_what_a_model_does_not_have(cli, tmp_path):
    for flags, text in (
        (("random-bond", "--temperature=1.0:2.0"), "Random bonds have no interval"),
        (("random-bond", "--temperature=critical"), "No critical temperature is known"),
        (("xy", "hamiltonian.shape=[2,2,2]", "--temperature=1.0"), "one or two axes"),
        (("ising", "hamiltonian.geometry=hexagonal"), "'square' (chain, square, cubic) or 'triangular'"),
        (
            ("ising", "--temperature=2", "hamiltonian.geometry=triangular", "hamiltonian.diagonal=1"),
            "belongs to the geometry",
        ),
    ):
        size = () if "shape" in flags[1] else ("--size=4",)
        answer = cli("train", "flow", *size, "--steps=1", "--out", tmp_path / "x", "--hamiltonian", *flags)
        assert answer.code == 2, (flags, answer.err)
        assert text in answer.err, (flags, answer.err)
    assert not (tmp_path / "x").exists()
