"""The verbs of `deeprg rg`: numbers, tables, figures, and what is refused."""

import json
import math

import numpy as np
import pytest

from deeprg.cli._rg_marginalise import read_machine
from deeprg.exact.layered import GaussianMachine
from deeprg.exact.schemes import SCHEMES
from deeprg.report.scheme_figure import plot_scheme

MACHINE = {
    "couplings": [[[0.5, 0.1], [0.3, 0.2], [0.0, -0.4]], [[0.6], [0.1]]],
    "biases": [[0.1, 0.0], [0.2]],
    "visible_bias": [0.0, 0.3, -0.1],
    "precisions": [[[1.2, 0.1], [0.1, 1.0]], [[1.5]]],
    "beta": 0.7,
}


@pytest.mark.parametrize("name", SCHEMES)
def test_flow_of_every_scheme(cli, name):
    document = cli("rg", "flow", name, "--json").json
    assert {"fixed_point", "eigenvalues", "exponents", "critical_coupling", "exact"} <= document.keys()
    assert document["scheme"] == name
    assert len(document["fixed_point"]) == len(document["couplings"]) == len(document["eigenvalues"])
    assert document["exponents"]["y_t"] == pytest.approx(
        math.log(document["eigenvalues"][0]) / math.log(document["scale"])
    )
    if name == "decimation-1d":
        assert document["fixed_point"] == [None]
        assert document["at_infinity"]
        assert document["critical_coupling"] is None


def test_numbers_of_the_second_order(cli):
    document = cli("rg", "flow", "niemeijer-van-leeuwen", "--order", "2", "--json").json
    assert document["order"] == 2
    assert document["couplings"] == ["K", "L", "M"]
    assert document["fixed_point"] == pytest.approx([0.278869, -0.014248, -0.015231], abs=5e-7)
    assert document["critical_coupling"] == pytest.approx(0.257484, abs=5e-7)
    assert document["exact"]["critical_coupling"] == pytest.approx(math.log(3) / 4)
    assert document["exact"]["exponents"]["y_t"] == 1


def test_flow_from_a_start(cli):
    document = cli("rg", "flow", "wilson", "--start", "0.5,0.1", "--steps", "2", "--json").json
    assert document["flow"] == [[0.5, 0.1], [0.6, 0.25], pytest.approx([0.97, 0.36])]
    assert document["phase"] == "ordered"
    default = cli("rg", "flow", "migdal-kadanoff", "--json").json
    assert default["flow"][0] == pytest.approx([0.440687], abs=1e-6)
    assert default["free_energy"]["exact"] == pytest.approx(0.929695, abs=1e-6)


def test_dimension_and_scale(cli):
    cube = cli("rg", "flow", "migdal-kadanoff", "--dimension", "3", "--json").json
    assert (cube["lattice"], cube["dimension"], cube["scale"]) == ("cubic", 3, 2)
    assert cube["fixed_point"] == pytest.approx([0.0652663], abs=5e-8)
    assert cube["exponents"]["nu"] == pytest.approx(1.064817, abs=5e-7)
    assert cube["exact"]["critical_coupling"] == pytest.approx(0.221654626)
    near = cli("rg", "flow", "migdal-kadanoff", "--scale", "1.001", "--json").json
    assert near["exponents"]["y_t"] == pytest.approx(0.75355, abs=5e-6)
    assert near["free_energy"] is None
    # no exact value: the flow starts below the scheme's own
    fractal = cli("rg", "flow", "migdal-kadanoff", "--dimension", "2.5", "--json").json
    assert fractal["flow"][0][0] == pytest.approx(0.9 * fractal["critical_coupling"])
    assert fractal["phase"] == "disordered"
    assert "tanh^3" in cli("rg", "flow", "decimation-1d", "--scale", "3").out


def test_field_and_free_energy_that_a_scheme_lacks(cli):
    answer = cli("rg", "flow", "maris-kadanoff")
    document = cli("rg", "flow", "maris-kadanoff", "--json").json
    assert document["magnetic_eigenvalue"] is None
    assert document["exponents"]["y_h"] is None
    assert f"y_h: {document['field_note']}." in answer.out
    wilson = cli("rg", "flow", "wilson", "--json").json
    assert wilson["magnetic_eigenvalue"] == pytest.approx(7 / 3)
    assert wilson["free_energy"]["log_partition_per_site"] is None
    assert wilson["free_energy"]["exact"] == pytest.approx(0.929695, abs=1e-6)
    assert "diverges in the ordered phase" in cli("rg", "flow", "wilson").out
    below = cli("rg", "flow", "wilson", "--start", "0.3,0", "--json").json
    assert below["free_energy"]["error"] == pytest.approx(0.015673, abs=5e-7)
    assert cli("rg", "flow", "migdal-kadanoff", "--json").json["magnetic_eigenvalue"] == pytest.approx(
        3.67857
    )


def test_the_table_has_the_exact_values_beside(cli):
    answer = cli("rg", "flow", "migdal-kadanoff")
    assert "K' = 1/2 ln cosh 4K" in answer.out
    (row,) = [line.split() for line in answer.out.splitlines() if line.startswith("K_c")]
    assert row[1:] == ["0.3046889", "0.4406868"]
    assert "ends in the ordered phase" in answer.out
    assert (
        "next: deeprg rg flow niemeijer-van-leeuwen --order 2"
        in cli("rg", "flow", "niemeijer-van-leeuwen").err
    )
    assert "∞" in cli("rg", "flow", "decimation-1d").out


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_figure_on_request(cli, tmp_path, ending):
    path = tmp_path / f"flow.{ending}"
    answer = cli("rg", "flow", "maris-kadanoff", "--out", path, "--json")
    assert answer.json["figure"] == str(path)
    assert path.read_bytes().startswith(b"\x89PNG" if ending == "png" else b"<?xml")


@pytest.mark.parametrize(
    ("scheme", "start"), [("migdal-kadanoff", [0.9]), ("migdal-kadanoff", [-0.4]), ("wilson", [2.0, -3.0])]
)
def test_the_figure_shows_its_start(scheme, start):
    ax = plot_scheme(scheme, start=start).axes[0]
    low, high = ax.get_xlim()
    assert low < start[0] < high
    if len(start) > 1:
        bottom, top = ax.get_ylim()
        assert bottom < start[1] < top


BAD = {
    "scheme": (["migdal-kadanof"], "Did you mean 'migdal-kadanoff'?"),
    "order of no expansion": (["wilson", "--order", "2"], "leave the order out"),
    "unknown order": (["niemeijer-van-leeuwen", "--order", "3"], "order 1 and 2"),
    "half an order": (["niemeijer-van-leeuwen", "--order", "1.5"], "'1.5' is not a whole number"),
    "short start": (["wilson", "--start", "0.4"], "2 couplings (K, L)"),
    "no number": (["wilson", "--start", "a,b"], "such as 0.4,0"),
    "nan": (["migdal-kadanoff", "--start", "nan"], "not all finite"),
    "infinity": (["migdal-kadanoff", "--start", "inf"], "not all finite"),
    "long start": (["migdal-kadanoff", "--start", "0.1,0.2"], "one coupling (K)"),
    "empty start": (["wilson", "--start", ""], "such as 0.4,0"),
    "huge start": (["migdal-kadanoff", "--start", "1e300"], "beyond 1e+06"),
    "steps": (["wilson", "--steps", "-1"], "must not be negative"),
    "too many steps": (["wilson", "--steps", "100000000"], "nor above 10000"),
    "half a step": (["wilson", "--steps", "1.5"], "'1.5' is not a whole number"),
    "dimension of wilson": (["wilson", "--dimension", "3"], "only migdal-kadanoff has a choice"),
    "scale of wilson": (["wilson", "--scale", "2"], "fixed at 1.41421"),
    "dimension of the chain": (["decimation-1d", "--dimension", "2"], "fixed at 1"),
    "small dimension": (["migdal-kadanoff", "--dimension", "0.5"], "between 1 and 10"),
    "no dimension": (["migdal-kadanoff", "--dimension", "nan"], "between 1 and 10"),
    "no rescaling": (["migdal-kadanoff", "--scale", "1"], "the limit b -> 1"),
    "infinite scale": (["migdal-kadanoff", "--scale", "inf"], "between 1.001"),
    "no number as scale": (["migdal-kadanoff", "--scale", "two"], "two"),
    "ending": (["wilson", "--out", "flow.pgn"], "Did you mean '.png'?"),
    "no ending": (["wilson", "--out", "flow"], "has no ending"),
    "folder": (["wilson", "--out", "/no/such/flow.png"], "cannot write"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD.keys())
def test_bad_flow_is_refused(cli, arguments, message):
    answer = cli("rg", "flow", *arguments)
    assert answer.code == 2, answer.err
    assert message in answer.err
    assert answer.err.startswith("error:")
    assert not answer.out


@pytest.fixture(params=["json", "npz"])
def model(request, tmp_path):
    path = tmp_path / f"machine.{request.param}"
    if request.param == "json":
        path.write_text(json.dumps(MACHINE))
    else:
        arrays = {
            f"{name}_{layer}": np.array(values)
            for name in ("couplings", "biases", "precisions")
            for layer, values in enumerate(MACHINE[name], 1)
        }
        np.savez(path, **arrays, visible_bias=MACHINE["visible_bias"], beta=MACHINE["beta"], spins="pm")
    return path


def test_marginalise_both_kinds_of_file(cli, model):
    document = cli("rg", "marginalise", model, "--json").json
    machine = GaussianMachine.from_dict(MACHINE)
    spins = machine.spin_hamiltonian()
    assert [step["layer"] for step in document["steps"]] == [2, 1]
    assert document["sizes"] == [3, 2, 1]
    np.testing.assert_allclose(document["effective"]["pairs"], spins.pairs, rtol=0, atol=1e-12)
    np.testing.assert_allclose(document["effective"]["fields"], spins.fields, rtol=0, atol=1e-12)
    assert document["log_partition"] == pytest.approx(machine.log_partition, abs=1e-12)
    step = document["steps"][0]
    np.testing.assert_allclose(step["after"]["precisions"][0], machine.step().after.precisions[0], atol=1e-15)
    assert step["smallest_eigenvalue"] == pytest.approx(1.5)


def test_marginalise_prints_the_couplings_of_each_step(cli, model):
    out = cli("rg", "marginalise", model).out
    for text in ("y_2", "y_1", "precision of y_1", "bias of y_1", "pair couplings J", "ln Z"):
        assert text in out


def test_large_machines_are_summarised(cli, tmp_path):
    path = tmp_path / "large.npz"
    np.savez(path, couplings_1=0.01 * np.ones((24, 8)))
    answer = cli("rg", "marginalise", path)
    assert "24 x 24, root mean square" in answer.out
    assert answer.out.rstrip().endswith("not summed: 2^24 states")
    assert cli("rg", "marginalise", path, "--json").json["log_partition"] is None


def test_a_machine_that_does_not_exist_names_its_layer(cli, tmp_path):
    path = tmp_path / "m.json"
    path.write_text(json.dumps({"couplings": [[[0.5]], [[2.0]]]}))
    answer = cli("rg", "marginalise", path)
    assert answer.code == 3
    assert "layer 1" in answer.err


def _write(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "missing.json", "cannot read"),
        (lambda folder: folder / "missing.npz", "cannot read"),
        (lambda folder: _write(folder / "m.txt", "{}"), "'.txt'"),
        (lambda folder: _write(folder / "m.json", "[1]"), "no JSON object"),
        (lambda folder: _write(folder / "m.json", "{"), "not valid JSON"),
        (
            lambda folder: _write(folder / "m.json", '{"weights": [[[1]]]}'),
            "it has weights but no couplings; give at least",
        ),
        (lambda folder: _write(folder / "m.json", "{}"), "it is empty; give at least"),
        (lambda folder: _write(folder / "m.json", '{"couplings": [[["a"]]]}'), "describes no machine"),
        (lambda folder: _write(folder / "m.npz", "text"), "no .npz archive"),
    ],
)
def test_bad_models_are_refused(cli, tmp_path, make, message):
    answer = cli("rg", "marginalise", make(tmp_path))
    assert answer.code == 2, answer.err
    assert message in answer.err


def test_layers_are_numbered_without_gaps(tmp_path):
    path = tmp_path / "m.npz"
    np.savez(path, couplings_1=[[0.5]], couplings_3=[[0.5]])
    with pytest.raises(ValueError, match="without gaps"):
        read_machine(path)
