"""Ends of flows, training data in one pot, and the ensemble that they are compared with, as plain numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from deeprg.hamiltonians import CRITICAL_TEMPERATURE
from deeprg.probes import FlowRecord, Reading
from deeprg.studies._ends import NEAR
from deeprg.studies._funai_find import Case, Findings, Pool
from deeprg.studies._funai_flow import Heat

__all__ = ["CLOSE", "Aim", "Final", "aim_of", "finals_of", "pool_of"]

CLOSE = 0.1
"""So close |m| (or m) and e must come to those of the largest specific heat."""

_ORDER = {"|m|": "abs_magnetization", "m": "magnetization"}


@dataclass(frozen=True)
class Aim:
    """The Ising ensemble of the largest specific heat in a field: |m|, in a field m; e; its T and c."""

    field: float
    temperature: float
    order: float
    energy: float
    heat: float


@dataclass(frozen=True)
class Final:
    """Where one flow ends, or training data in one pot: |m| (in a field m), e, what they say of T, and c.

    `course`: c at the stages of the flow before the end; `expected`: c of the Ising ensemble at the
    temperature of e, NaN where e gives none.
    """

    case: str
    start: str
    order: float
    energy: float
    from_order: Reading
    from_energy: Reading
    heat: Heat
    expected: float = math.nan
    course: Sequence[float] = ()

    def meets(self, aim: Aim) -> bool:
        """Whether |m| and e are those of the largest specific heat, within 0.1."""
        return abs(self.order - aim.order) <= CLOSE and abs(self.energy - aim.energy) <= CLOSE

    @property
    def critical(self) -> bool:
        """Whether |m| and e both say T_c within 0.3."""
        return all(
            one.inside and abs(one.temperature - CRITICAL_TEMPERATURE) <= NEAR
            for one in (self.from_order, self.from_energy)
        )


def finals_of(found: Findings, case: Case) -> list[Final]:
    """The ends of one machine, from every start."""
    return [
        _final(found, case.name, flow.record, case.field, flow.end, [heat.value for heat in flow.heats[:-1]])
        for flow in case.flows.values()
    ]


def pool_of(found: Findings, pool: Pool) -> Final:
    """Training data in one pot."""
    return _final(found, pool.name, pool.record, pool.field, pool.heat, ())


def aim_of(found: Findings, number: float) -> Aim:
    """The ensemble of the largest specific heat in one field."""
    peak = found.peaks[number]
    return Aim(number, peak.temperature, peak.order, peak.state.energy, peak.state.specific_heat)


def _final(
    found: Findings, name: str, record: FlowRecord, number: float, heat: Heat, course: Sequence[float]
) -> Final:
    stage, order = record.end, "|m|" if number == 0 else "m"
    reading = stage.readings["e"]
    expected = found.table.at(reading.temperature, number).specific_heat if reading.inside else math.nan
    return Final(
        name,
        record.start,
        stage.observables[_ORDER[order]].value,
        stage.observables["energy_per_site"].value,
        stage.readings[order],
        reading,
        heat,
        expected,
        course,
    )
