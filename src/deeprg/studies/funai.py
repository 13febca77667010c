"""Flows of Boltzmann machines and the specific heat: does a machine look for where c is largest?"""

from typing import Any

from deeprg.studies._funai_claims import claims
from deeprg.studies._funai_figures import figures, tables
from deeprg.studies._funai_find import Findings, Settings, find
from deeprg.studies._study import Study

__all__ = ["FUNAI"]


def _numbers(found: Findings) -> dict[str, Any]:
    return {
        "largest": {
            f"{h:g}": {"temperature": peak.temperature, "order": peak.order, **vars(peak.state)}
            for h, peak in found.peaks.items()
        },
        "error_of_the_table": found.table.error,
        "machines": {
            case.name: {
                "field": case.field,
                "monitors": dict(case.monitors),
                "p": dict(case.dependence.p),
                "ends": {
                    start: flow.record.end.to_dict() | {"specific_heat": vars(flow.end)}
                    for start, flow in case.flows.items()
                },
            }
            for case in found.cases
        },
        "pots": {
            pool.name: pool.record.end.to_dict() | {"specific_heat": vars(pool.heat)} for pool in found.pools
        },
        "beta": {n: {"value": law.beta, "error": law.error} for n, law in found.laws.items()},
    }


def _changed(settings: Settings) -> list[str]:
    lines = [
        f"N_h = {settings.hidden}, ±1 units with biases and {{0, 1}} units without, rate {settings.rate:g} "
        f"and {settings.steps} steps of batches of {settings.batch}: the papers' own values could "
        "not be verified",
        f"fields H = {', '.join(f'{h:g}' for h in settings.fields)} and T = 0 … {settings.highest:g}, "
        f"{settings.samples} configurations each: the papers' grids could not be verified",
        f"a flow of {settings.length} rounds with drawn layers; the papers' length could not be verified",
        "the largest specific heat is that of the finite lattice, exact in every field; temperatures come "
        "from |m| (in a field m) and e, not from a network",
        "tests of the start, specific heats along the flow, controls and the data in one pot are ours",
    ]
    if settings.size != 10:
        lines.insert(0, f"L = {settings.size} instead of 10")
    return lines


FUNAI = Study.in_steps(
    name="funai",
    title="Flows of Boltzmann machines and the largest specific heat",
    question="Does the flow of a machine trained on Ising data end where the specific heat is largest?",
    source="S. S. Funai, D. Giataganas, Thermodynamics and feature extraction by machine learning (2020)",
    schema=Settings,
    presets={
        "short": {},
        "paper": {
            "fields": [0.0, 0.25, 0.5, 0.75, 1.0],
            "other_hidden": [16, 36, 100, 225],
            "steps": 250_000,
        },
    },
    find=find,
    claims=claims,
    tables=tables,
    figures=figures,
    numbers=_numbers,
    changed=_changed,
    sources=("funai2020thermodynamics", "funai2021feature", "iso2018scale", "kaufman1949"),
)
