"""The study of the largest specific heat: exact tables, estimators with failing twins, verdicts."""

import dataclasses
import itertools
import math
from typing import Any

import numpy as np
import pytest

from deeprg.exact import enumerate_states, kaufman
from deeprg.hamiltonians import CRITICAL_TEMPERATURE, Ising
from deeprg.lattice import Lattice
from deeprg.probes import Reading
from deeprg.report.style import data_uri
from deeprg.runs.errors import UsageError
from deeprg.studies._funai_claims import (
    judge_agreement,
    judge_along,
    judge_controls,
    judge_critical,
    judge_data_exponent,
    judge_exponent,
    judge_heat,
    judge_kept_exponent,
    judge_maximal,
    judge_nearer,
    judge_pools,
    judge_some,
)
from deeprg.studies._funai_exact import field_table
from deeprg.studies._funai_exponent import PowerLaw, fit_power_law
from deeprg.studies._funai_finals import Aim, Final
from deeprg.studies._funai_flow import Heat, specific_heat
from deeprg.studies._spins import field_data, ising_data
from deeprg.studies.funai import FUNAI

SMALL: dict[str, Any] = {
    "size": 4,
    "step": 1.0,
    "samples": 60,
    "fields": [0.0, 0.5],
    "hidden": 8,
    "other_hidden": [],
    "steps": 40,
    "chains": 100,
    "length": 8,
    "every": 2,
}

AIM = Aim(0.0, 2.345, 0.687, -1.379, 1.309)
BOUND = Reading(6.5, math.nan, "above")


def final(m=0.70, e=-1.35, t_m=2.33, t_e=2.36, heat=1.3, case="H = 0", start="T = 0", **options):
    return Final(case, start, m, e, Reading(t_m, 0.01), Reading(t_e, 0.01), Heat(heat, 0.05), **options)


def law(beta, error=0.003):
    t = np.array([1.6, 2.2])
    return PowerLaw(t, t, t, beta, error, 1.0, 1.0)


# --- what is exact


def test_the_table_is_kaufmans_and_that_of_all_states():
    table = field_table(4)
    assert table.error < 1e-4
    for t in (1.3, 2.0, 3.3, 6.4):
        assert table.at(t).energy == pytest.approx(kaufman((4, 4), t).energy_per_site, abs=1e-6)
    for t, h in itertools.product((1.5, 3.0), (0.1, 1.0)):
        exact = enumerate_states(Ising(Lattice((4, 4)), t, field=h / t))
        state = table.at(t, h)
        assert state.specific_heat == pytest.approx(exact.specific_heat, abs=1e-5)
        assert state.energy == pytest.approx(exact.energy_per_site, abs=1e-6)
        assert state.magnetization == pytest.approx(exact.magnetization, abs=1e-6)
        assert state.abs_magnetization == pytest.approx(exact.abs_magnetization, abs=1e-6)
        other = enumerate_states(Ising(Lattice((4, 4)), t, field=h))  # h is not H: it is divided by T
        assert state.specific_heat != pytest.approx(other.specific_heat, abs=1e-3)


def test_a_field_moves_the_largest_specific_heat_up():
    table = field_table(8)
    peaks = [table.peak(h) for h in (0.0, 0.25, 0.5, 1.0)]
    assert all(a.temperature < b.temperature for a, b in itertools.pairwise(peaks))
    heats = [kaufman((8, 8), t).specific_heat for t in (2.34, peaks[0].temperature, 2.38)]
    assert heats[1] == max(heats)
    assert peaks[0].temperature > CRITICAL_TEMPERATURE + 0.05  # a finite lattice
    assert peaks[0].order == peaks[0].state.abs_magnetization
    assert peaks[1].order == peaks[1].state.magnetization


def test_thermometers_invert_the_table_in_a_field():
    table = field_table(4)
    readers = table.thermometers(0.5)
    state = table.at(3.1, 0.5)
    assert set(readers) == {"m", "e"}
    assert readers["m"].read(state.magnetization).temperature == pytest.approx(3.1, abs=1e-3)
    assert readers["e"].read(state.energy).temperature == pytest.approx(3.1, abs=1e-3)
    assert readers["e"].read(table.at(3.1).energy).temperature > 3.5  # without the field: hotter


def test_outside_of_the_table_is_refused():
    with pytest.raises(UsageError, match="outside of the table"):
        field_table(4).at(1.0)
    with pytest.raises(UsageError, match="no maximum"):
        field_table(4, 3.0, 6.0, 8).peak()


# --- estimators


def measured(x, field, reader=None):
    m = x.mean(axis=(1, 2), dtype=np.float64)
    s = x.astype(np.float64)
    energy = -(s * np.roll(s, 1, 1) + s * np.roll(s, 1, 2)).mean(axis=(1, 2))
    readers = field_table(x.shape[1]).thermometers(field if reader is None else reader)
    return specific_heat(energy, m, field, readers["e"], x[0].size)


@pytest.mark.parametrize("field", [0.0, 0.5])
def test_fluctuations_of_an_ensemble_give_its_specific_heat(field):
    """Against the exact table; two temperatures in one pot, or the wrong thermometer, must not."""

    def draws(t):
        if field == 0:
            return ising_data(6, t, 6000, 1)
        return field_data(6, [t], field, 6000, 1)[t]

    found, exact = measured(draws(2.4), field), field_table(6).at(2.4, field).specific_heat
    assert 0.005 < found.error < 0.1
    assert abs(found.value - exact) < 4 * found.error
    pot = measured(np.random.default_rng(0).permutation(np.concatenate([draws(1.6), draws(3.6)])), field)
    assert pot.value > exact + 20 * pot.error
    assert abs(measured(draws(2.4), field, 0.5 - field).value - exact) > 4 * found.error


def test_no_temperature_no_specific_heat():
    rng = np.random.default_rng(0)
    hot = measured(rng.choice(np.array([-1, 1], np.int8), size=(200, 6, 6)), 0.0)
    assert math.isnan(hot.value)
    assert math.isnan(measured(np.ones((200, 6, 6), np.int8), 0.0).value)


def test_data_in_a_field_have_its_energy_and_magnetization():
    data = field_data(4, [0.0, 2.5, 4.0], 0.5, 4000, 0)
    assert np.all(data[0.0] == 1)
    for t in (2.5, 4.0):
        x = data[t].astype(np.float64)
        m = x.mean(axis=(1, 2))
        state = field_table(4).at(t, 0.5)
        assert abs(m.mean() - state.magnetization) < 5 * m.std() / math.sqrt(len(m))
        assert abs(m.mean() - field_table(4).at(t, 0.4).magnetization) > 5 * m.std() / math.sqrt(len(m))


def test_the_exponent_of_a_power_law_and_of_another_curve():
    t = np.linspace(1.6, 2.2, 7)
    rng = np.random.default_rng(0)
    true = (1 - t / CRITICAL_TEMPERATURE) ** 0.125
    found = fit_power_law(t, true + rng.normal(0, 0.002, 7), np.full(7, 0.002))
    assert abs(found.beta - 0.125) < 4 * found.error
    assert found.chi2 < 4
    bent = fit_power_law(t, 1 - 0.1 * t, np.full(7, 0.002))
    assert bent.chi2 > 10
    assert bent.error > 3 * found.error  # widened


# --- verdicts


def test_the_largest_specific_heat_needs_both_from_every_start_in_one_kind_of_unit():
    good, bad = [final(), final(0.75)], [final(), final(0.93, -1.73)]
    assert judge_maximal("x", {AIM: {"±1": good}}).holds is True
    assert judge_maximal("x", {AIM: {"±1": bad, "{0, 1}": good}}).holds is True
    assert judge_maximal("x", {AIM: {"±1": bad, "{0, 1}": [final(e=-1.2)]}}).holds is False
    other = dataclasses.replace(AIM, field=0.5)
    assert judge_maximal("x", {AIM: {"±1": good}, other: {"±1": bad}}).holds is False


def test_the_critical_point_needs_both_thermometers():
    assert judge_critical({"a": [final()]}).holds is True
    assert judge_critical({"a": [final(t_e=4.2)]}).holds is False
    assert judge_critical({"a": [dataclasses.replace(final(), from_energy=BOUND)]}).holds is False


def test_some_is_not_none_and_not_all():
    there, not_there = [final()], [final(t_m=1.9)]
    assert judge_some({"a": there, "b": not_there}).holds is True
    assert judge_some({"a": there, "b": there}).holds is False
    assert judge_some({"a": not_there, "b": not_there}).holds is False


def test_nearer_is_above_the_middle_by_both():
    assert judge_nearer({"a": [final(t_m=2.33, t_e=2.36)]}, 2.345).holds is True
    assert judge_nearer({"a": [final(t_m=2.33, t_e=2.27)]}, 2.345).holds is False


def test_one_temperature():
    assert judge_agreement([final(t_m=2.33, t_e=2.35)]).holds is True
    claim = judge_agreement([final(t_m=2.33, t_e=2.35), final(t_m=1.9, t_e=2.1)])
    assert claim.holds is False
    assert "1 of 2" in claim.measured


def test_fluctuations_at_the_end():
    assert judge_heat([final(heat=1.25)], AIM).holds is True
    assert judge_heat([final(heat=0.57)], AIM).holds is False
    assert judge_heat([final(heat=7.0)], AIM).holds is False
    assert judge_heat([dataclasses.replace(final(), heat=Heat(math.nan, math.nan))], AIM).holds is False


def test_the_course_of_the_specific_heat():
    assert judge_along([final(heat=1.3, course=[math.nan, 0.4, 1.2])]).holds is True
    assert judge_along([final(heat=0.57, course=[math.nan, 4.5, 1.2])]).holds is False
    assert judge_along([]).holds is False


def test_controls_and_pots():
    assert judge_controls([final(0.99, -1.95)], AIM).holds is True
    assert judge_controls([final(0.99, -1.95), final()], AIM).holds is False
    assert judge_pools([(final(0.507, -1.12), AIM)]).holds is True
    claim = judge_pools([(final(0.507, -1.12), AIM), (final(0.654, -1.283), AIM)])
    assert claim.holds is False
    assert "1 of 2 pots" in claim.measured


def test_exponents():
    assert judge_exponent(law(0.12)).holds is True
    assert judge_exponent(law(0.041)).holds is False
    assert judge_data_exponent(law(0.081)).holds is False
    assert judge_data_exponent(law(0.13)).holds is True
    assert judge_kept_exponent({0: law(0.081), 1: law(0.085)}).holds is True
    assert judge_kept_exponent({0: law(0.081), 1: law(0.041)}).holds is False


# --- settings and the whole


def test_the_paper_resolves():
    _, settings = FUNAI.resolve("paper")
    assert settings.fields[0] == 0
    assert settings.size == 10


@pytest.mark.parametrize(
    "assignment", ["size=12", "fields=[0.5,1]", "fields=[0,3]", "other_hidden=[0]", "length=9", "steps=0"]
)
def test_settings_out_of_bounds(assignment):
    with pytest.raises(UsageError, match=assignment.partition("=")[0]):
        FUNAI.resolve(None, [assignment])


@pytest.mark.slow
def test_a_small_run_has_all_parts():
    result = FUNAI.answer(**SMALL)
    assert len(result.claims) == 15
    assert sum(claim.asserted for claim in result.claims) == 6
    assert [table.name for table in result.tables] == ["exact", "ends", "flow", "pots", "exponent"]
    assert [figure.name for figure in result.figures] == ["heat", "flow", "ends", "exponent"]
    assert all(data_uri(figure.figure).startswith("data:image/svg") for figure in result.figures)
    assert list(result.numbers["machines"]) == [
        "H = 0, N_h = 8",
        "H = 0, N_h = 8, {0, 1}",
        "H = 0.5, N_h = 8",
        "H = 0.5, N_h = 8, {0, 1}",
        "all (T, H), N_h = 8",
        "all (T, H), N_h = 8, {0, 1}",
        "T = 0 and ∞ only, N_h = 8",
        "iid weights, N_h = 8",
    ]
    assert any("L = 4" in line for line in result.changed)
    assert result.citations
    again = FUNAI.answer(**SMALL)
    assert again.tables[1].rows == result.tables[1].rows
