"""One network over an interval of temperatures on the command line: curves, samples, starts, refusals."""

import json

import numpy as np
import pytest

from deeprg.cli._interval_report import _values
from deeprg.cli._intervals import parse_interval
from deeprg.exact import reference
from deeprg.hamiltonians import build_hamiltonian
from deeprg.lattice import Lattice
from deeprg.probes import TemperatureCurves
from deeprg.runs.errors import UsageError

TINY = (
    "--size=2", "--shift=1.0", "--batch=64", "--ess=26000", "checkpoint_seconds=0.01", "flow.scalar=affine",
    "flow.width=4", "flow.depth=1", "flow.disentanglers=0", "flow.colours=1", "train.learning_rate=0.02",
    "train.warmup=0",
)  # fmt: skip
INTERVAL = ("--temperature=4.0:6.0", "--steps=80")


@pytest.fixture(scope="module")
def run(cli, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "interval"
    answer = cli("train", "flow", *INTERVAL, *TINY, "--json", "--out", path)
    assert answer.code == 0, answer.err
    return path, answer


def test_results_hold_the_curves_and_their_worst(run):
    path, answer = run
    found = answer.json
    curves = found["curves"]
    assert curves["parameter"] == "temperature"
    assert np.allclose(curves["values"], np.linspace(4.0, 6.0, 13))
    assert curves["samples"] == 2000
    for row, value in enumerate(curves["values"]):
        known = reference(build_hamiltonian("ising", Lattice((2, 2)), temperature=value, shift=1.0))
        heat = curves["curves"]["specific_heat"]
        assert heat["exact"][row] == pytest.approx(known.derived["specific_heat"])
        assert abs(heat["value"][row] - heat["exact"][row]) < 4 * heat["error"][row]
    assert found["log_partition_error_per_site_largest"] < 0.02
    assert 0 < found["gap_largest"] < 1
    assert found["ess_smallest"] == min(curves["ess"])
    assert json.loads((path / "temperature-curves.json").read_text())["values"] == curves["values"]
    assert (path / "temperature-curves.png").stat().st_size > 10_000
    assert "for temperature in [4, 6]" in answer.err


def test_samples_at_a_value_inside_and_outside(run, cli):
    path, _ = run
    inside = cli("sample", path, "--at", "4.7", "-n", "4000", "--json")
    assert inside.code == 0, inside.err
    energy = inside.json["observables"]["energy_per_site"]
    known = reference(build_hamiltonian("ising", Lattice((2, 2)), temperature=4.7, shift=1.0))
    assert energy["exact"] == pytest.approx(known.observables["energy_per_site"])
    assert abs(energy["pull"]) < 4
    assert inside.json["extrapolates"] is False
    outside = cli("sample", path, "--temperature", "6.5", "-n", "400", "--json")
    assert outside.json["extrapolates"] is True
    assert outside.json["warnings"][0] == "T = 6.5 lies outside the trained interval [4, 6]: extrapolation."


def test_an_interval_has_a_preset_of_its_own(run, cli):
    path, _ = run
    assert '"preset": "interval"' in (path / "resolved.json").read_text()
    shown = cli("train", "flow", *INTERVAL, *TINY, "--preset", "default", "--print-config")
    assert "default" in shown.out
    assert "interval" not in [line.split()[-1] for line in shown.out.splitlines() if "preset =" in line]


def test_page_and_findings(run, cli):
    path, _ = run
    answer = cli("report", path)
    assert answer.code == 0, answer.err
    page = (path / "report.html").read_text()
    assert "one flow for temperature in [4, 6]" in page
    assert page.count("<img") == 2
    found = cli("diagnose", path, "--json").json
    assert found["checks"] == ["status", "finiteness", "values"]
    assert {one["check"] for one in found["findings"]} <= {"values"}


def test_values_with_few_effective_samples_are_named(run):
    curves = TemperatureCurves.from_dict(run[1].json["curves"])
    curves.ess[[0, 2]] = 0.01
    curves.pareto_k[1] = 0.9
    few, tail = _values(curves)
    assert few.what == "fewer than 1000 effective samples at temperature = 4, 4.333"
    assert "0.7 at temperature = 4.167" in tail.what


@pytest.mark.slow
def test_latent_chains_at_a_value(run, cli):
    path, _ = run
    options = ("--method", "latent-hmc", "--chains", "50", "--json")
    answer = cli("sample", path, "--at", "4.7", "-n", "4000", *options)
    assert answer.code == 0, answer.err
    known = reference(build_hamiltonian("ising", Lattice((2, 2)), temperature=4.7)).observables
    (row,) = answer.json["temperatures"]
    energy = row["observables"]["energy_per_site"]
    assert abs(energy["value"] - known["energy_per_site"]) < 4 * energy["error"]
    assert (path / "latent-hmc-at-4.7-seed0.zarr").exists()


@pytest.mark.slow
def test_curves_again_from_the_run(run, cli):
    path, _ = run
    answer = cli("sample", path, "--curves", "-n", "200")
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[0].split()[:4] == ["T", "gap", "(nats)", "ESS"]
    assert len(answer.out.splitlines()) == 15
    assert json.loads((path / "temperature-curves.json").read_text())["samples"] == 200


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_weights(run, cli, tmp_path):
    path, _ = run
    half = tmp_path / "half"
    first = cli("train", "flow", *INTERVAL, *TINY, "--time-limit", "0.0001", "--out", half)
    assert first.code == 75, first.err
    assert cli("train", "flow", "--resume", half).code == 0
    whole, parts = (json.loads((p / "results.json").read_text()) for p in (path, half))
    assert parts["curves"]["ess"] == whole["curves"]["ess"]


@pytest.mark.slow
def test_start_from_the_weights_at_one_temperature(run, cli, tmp_path):
    path, _ = run
    options = ("--from", path, "--temperature=5.0", "--steps=1", "--ess=500", "--out", tmp_path / "fixed")
    answer = cli("train", "flow", *options, "train.learning_rate=1e-6", "--json")
    assert answer.code == 0, answer.err
    assert "base: copied" in answer.err
    there = run[1].json["curves"]["curves"]["gap"]
    assert abs(answer.json["gap"] - there["value"][6]) < 5 * answer.json["gap_error"] + 5 * there["error"][6]
    assert json.loads((tmp_path / "fixed" / "resolved.json").read_text())["flow"]["width"] == 4
    cold = ("--temperature=5.0", "--steps=1", "train.learning_rate=1e-6", "--out", tmp_path / "cold")
    options = tuple(o for o in TINY if not o.startswith("train.learning_rate"))
    without = cli("train", "flow", *options, *cold, "--json")
    assert without.json["gap"] > answer.json["gap"] + 0.1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--temperature=3.0:1.8", *TINY, "--steps=1"), "is empty"),
        (("--temperature=0:1.8", *TINY, "--steps=1"), "must be positive"),
        (("--temperature=1.8:", *TINY, "--steps=1"), "write LOW:HIGH"),
        (("hamiltonian.shift=1:2", "--size=2", "--steps=1"), "cannot be an interval"),
        ((*INTERVAL, "--size=2", "--batch=40"), "multiple of 16"),
        ((*INTERVAL, "--size=2", "flow.layout=nonsense"), "layout"),
    ],
)
def test_bad_intervals_are_refused_before_anything_is_made(cli, arguments, text, tmp_path):
    answer = cli("train", "flow", *arguments, "--out", tmp_path / "none")
    assert answer.code == 2
    assert text in answer.err
    assert not (tmp_path / "none").exists()


def test_other_verbs_and_wrong_values_say_what_to_do(run, cli, tmp_path):
    path, _ = run
    for arguments, text in (
        (("probe", path), "--from"),
        (("sample", path), "--at VALUE"),
        (("sample", path, "--at", "warm"), "give a number"),
        (("sample", path, "--at", "-1"), "must be positive"),
        (("sample", path, "--curves", "--at", "5"), "leave out"),
        (("sample", path, "--method", "latent-hmc"), "--at VALUE"),
        (("train", "flow", "--from", path, "--resume", path), "exclude each other"),
        (("train", "flow", "--from", path, "--steps=1", "flow.width=5", "--out", tmp_path / "x"), "widths"),
    ):
        answer = cli(*arguments)
        assert answer.code == 2, arguments
        assert text in answer.err, (arguments, answer.err)
    assert not (tmp_path / "x").exists()


def test_intervals_as_one_writes_them():
    assert parse_interval("4.0:6.0") == (4.0, 6.0)
    assert parse_interval("critical") is None
    with pytest.raises(UsageError, match="no interval"):
        parse_interval("1:2:3")
