"""The study of V, H and L: what it measures of weights, its verdicts, and verdicts on wrong numbers."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from deeprg.montecarlo import Estimate
from deeprg.probes import NetworkReading, Reading
from deeprg.report.style import data_uri
from deeprg.runs.config import resolve
from deeprg.runs.errors import UsageError
from deeprg.runs.schema import validate
from deeprg.studies._ends import End, judge_starts
from deeprg.studies._iso_claims import (
    judge_above,
    judge_cold,
    judge_controls,
    judge_critical,
    judge_exact,
    judge_familiar,
    judge_hot,
    judge_ising,
    judge_length,
    judge_mixture,
    judge_network,
    judge_units,
)
from deeprg.studies._iso_weights import judge_bands, judge_decay, judge_diagonal, judge_edge, weights_of
from deeprg.studies._machines import FlowSettings, grid_data
from deeprg.studies.iso import ISO

SMALL: dict[str, Any] = {
    "size": 4,
    "step": 1.0,
    "samples": 60,
    "hidden": [8, 20],
    "control_hidden": [8],
    "course_hidden": 8,
    "steps": 60,
    "control_steps": 60,
    "chains": 100,
    "length": 8,
    "every": 2,
    "network_hidden": 16,
    "network_steps": 100,
}


def reading(peak, *, mean=None, flags=()):
    mean = peak if mean is None else mean
    return NetworkReading(np.array([1.0]), peak, Estimate(mean, 0.01), 0.3, 0.1, tuple(flags))


def end(peak=2.25, from_m=2.27, from_e=2.28, case="V, N_h = 64", start="T = 0", **options):
    network = reading(peak, **options)
    return End(case, start, 0.7, 0.005, network, Reading(from_m, 0.01), Reading(from_e, 0.01), 2.0)


BOUND = Reading(6.5, math.nan, "above")


# --- weights


def test_bands_of_a_random_matrix_and_of_a_convolution():
    """Independent entries have no bands; filters that overlap on neighbours do."""
    rng = np.random.default_rng(0)
    noise = weights_of(rng.normal(size=(64, 64)), 8)
    assert abs(noise.neighbours) < 0.05
    assert noise.outliers <= 1
    eye = np.eye(64).reshape(64, 8, 8)
    filters = (eye + 0.5 * np.roll(eye, 1, axis=1) + 0.5 * np.roll(eye, 1, axis=2)).reshape(64, 64)
    found = weights_of(filters, 8)
    assert found.neighbours == pytest.approx(0.5 / 1.5)  # every pair of neighbours shares 0.5
    assert found.farthest == 0
    assert judge_bands({64: found.neighbours}).holds is True
    assert judge_bands({64: found.neighbours, 225: noise.neighbours}).holds is False


def test_a_rank_one_matrix_decays_at_once():
    rng = np.random.default_rng(0)
    one = weights_of(np.ones((16, 12)) + 0.01 * rng.normal(size=(16, 12)), 4)
    flat = weights_of(np.linalg.qr(rng.normal(size=(16, 12)))[0], 4)
    assert one.rank == pytest.approx(1, abs=0.01)
    assert flat.rank == pytest.approx(12)
    assert judge_decay({12: flat.tenth}, {12: one.tenth}).holds is True
    assert judge_decay({12: one.tenth}, {12: flat.tenth}).holds is False
    assert judge_decay({8: 0.9, 12: 0.1}, {12: 0.1}).holds is False  # one of two is not more than half
    assert judge_edge({12: one.outliers}).holds is True
    assert judge_edge({12: flat.outliers}).holds is False


def test_nearly_diagonal_is_small_and_smaller_than_v():
    v = {64: 0.4, 225: 0.14}
    assert judge_diagonal({64: 0.02}, v).holds is True
    assert judge_diagonal({64: 0.41}, v).holds is False
    assert judge_diagonal({225: 0.09}, v).holds is False  # small, but not against V


# --- verdicts


def test_few_hidden_units_must_end_at_the_critical_temperature():
    assert judge_critical([end(2.25), end(2.5)]).holds is True
    assert judge_critical([end(2.25), end(1.75)]).holds is False
    assert judge_critical([end(2.25), end(3.0)]).holds is False
    assert judge_critical([end(2.25), end(2.0, mean=1.66)]).holds is False  # the peak alone is not enough
    assert judge_critical([]).holds is None


def test_many_hidden_units_must_end_above():
    assert judge_above([end(2.75), end(3.0)]).holds is True
    assert judge_above([end(2.5), end(3.0)]).holds is False
    assert judge_above([end(1.75), end(3.0)]).holds is False
    assert judge_above([]).holds is None


def test_hot_and_cold_machines():
    assert judge_hot([end(4.75), end(6.0)]).holds is True
    assert judge_hot([end(4.75), end(2.25)]).holds is False
    assert judge_hot([end(4.75, mean=3.5)]).holds is False
    assert judge_cold([end(0.0), end(0.5)]).holds is True
    assert judge_cold([end(0.0), end(2.25)]).holds is False


def test_starts_leave_the_sign_out():
    def p(m, size, e):
        return {"V": {"magnetization": m, "abs_magnetization": size, "energy_per_site": e}}

    assert judge_starts(p(0.0, 0.4, 0.5), "one end", "us").holds is True
    assert judge_starts(p(0.5, 1e-5, 0.5), "one end", "us").holds is False
    claim = judge_starts(p(0.5, 0.5, 0.0), "one end", "us")
    assert claim.holds is False
    assert "< 1e-99" in claim.measured


def test_an_ising_ensemble_at_the_critical_point():
    assert judge_ising([end()]).holds is True
    assert judge_ising([end(), end(from_m=1.92, from_e=2.0)]).holds is False
    assert judge_ising([end(from_m=3.0, from_e=3.01)]).holds is False
    assert judge_ising([dataclasses.replace(end(), from_e=BOUND)]).holds is False


def test_the_network_is_held_against_both():
    assert judge_network([end(mean=2.3)]).holds is True
    assert judge_network([end(mean=1.6)]).holds is False
    claim = judge_familiar([end(), end(flags=["far"], case="V, N_h = 16")])
    assert claim.holds is False
    assert "V, N_h = 16 from T = 0" in claim.measured
    assert judge_familiar([end()]).holds is True


def test_an_exact_machine_ends_in_its_data():
    data = (0.51, -1.12)
    assert judge_exact({"V": [(0.50, -1.10), (0.53, -1.15)]}, data).holds is True
    assert judge_exact({"V": [(0.50, -1.10), (0.93, -1.74)]}, data).holds is False
    assert judge_exact({"V": [(0.51, -1.30)]}, data).holds is False


def test_a_pot_that_reads_the_critical_temperature_is_enough():
    far, near = [Reading(3.0, 0.01), Reading(3.1, 0.01)], [Reading(2.35, 0.01), Reading(2.29, 0.01)]
    assert judge_mixture({6.0: far}).holds is True
    claim = judge_mixture({4.0: near, 6.0: far})
    assert claim.holds is False
    assert "1 of 2 pots" in claim.measured
    assert judge_mixture({4.0: [near[0], BOUND]}).holds is True


def test_units_and_length_of_training():
    assert judge_units([end(from_m=2.0), end(from_m=2.2)]).holds is True
    assert judge_units([end(from_m=2.0), end(from_m=2.5)]).holds is False
    assert judge_units([end(), dataclasses.replace(end(), from_m=BOUND)]).holds is False
    assert judge_length({"a": [(10, 2.0), (100, 2.1)], "b": [(10, 2.5), (100, 2.4)]}).holds is True
    assert judge_length({"a": [(10, 2.0), (100, 2.1)], "b": [(10, 3.5), (100, 2.4)]}).holds is False


def test_one_false_positive_among_the_controls_is_enough():
    assert judge_controls([end(5.75, case="untrained")]).holds is True
    assert judge_controls([end(5.75, case="untrained"), end(2.5, case="iid")]).holds is False


# --- settings


def test_rates_move_the_couplings_of_spins_alike():
    """Bits are (s + 1)/2: W of bits is 4 times that of spins, and its gradient a quarter."""
    _, settings = ISO.resolve(None, ["rate=0.02"])
    assert settings.rate_of("binary") == pytest.approx(4 * 4 * settings.rate_of("spin"))


def test_the_grid_has_data_at_every_temperature():
    settings = validate(FlowSettings, resolve([("test", {"size": 4, "step": 1.0, "samples": 50})]))
    data = grid_data(settings)
    assert list(data) == settings.temperatures == [0, 1, 2, 3, 4, 5, 6]
    order = [abs(x.mean(axis=(1, 2))).mean() for x in data.values()]
    assert order[0] == 1
    assert order[0] > order[2] > order[6]
    assert settings.epochs == 20_000 * 100 / (7 * 50)


def test_the_paper_has_its_sizes():
    _, settings = ISO.resolve("paper")
    assert settings.hidden == (16, 36, 64, 81, 100, 225, 400)
    assert len(settings.temperatures) == 25
    assert settings.samples == 1000


@pytest.mark.parametrize(
    "assignment",
    [
        "size=3",
        "rate=0",
        "length=9",
        "chains=50",
        "hidden=[64,16]",
        "course_hidden=65",
        "control_hidden=[81]",
        "unit=bits",
    ],
)
def test_settings_out_of_bounds(assignment):
    with pytest.raises(UsageError, match=assignment.partition("=")[0]):
        ISO.resolve(None, [assignment])


# --- the whole


@pytest.fixture(scope="module")
def result():
    return ISO.answer(**SMALL)


@pytest.mark.slow
def test_a_small_run_has_all_parts(result):
    assert len(result.claims) == 17
    assert sum(claim.asserted for claim in result.claims) == 7
    assert [table.name for table in result.tables] == [
        "ends",
        "flow",
        "course",
        "mixtures",
        "weights",
        "thermometers",
    ]
    assert all(data_uri(figure.figure).startswith("data:image/svg") for figure in result.figures)
    machines = result.numbers["machines"]
    assert list(machines) == [
        "V, N_h = 8",
        "V, N_h = 20",
        "H, N_h = 8",
        "L, N_h = 8",
        "V, N_h = 8, {0, 1}",
        "untrained, N_h = 8",
        "iid weights, N_h = 8",
        "iid weights, N_h = 8, {0, 1}",
    ]
    assert len(result.tables[0].rows) == 3 * len(machines)
    assert len(result.tables[2].rows) == 2 * 3 * 2
    assert any("L = 4" in line for line in result.changed)
    assert result.citations


@pytest.mark.slow
def test_everything_random_comes_from_the_seed(result):
    again = ISO.answer(**SMALL)
    assert again.tables[0].rows == result.tables[0].rows
