"""Flows of Boltzmann machines and thermometers: does a reading near T_c mean that criticality was learned?"""

from typing import Any

from deeprg.studies._ends import end_numbers
from deeprg.studies._study import Study
from deeprg.studies._veiga_claims import PAPER_LEARNING, claims
from deeprg.studies._veiga_figures import figures, tables
from deeprg.studies._veiga_find import Findings, Settings, find

__all__ = ["VEIGA"]


def _numbers(found: Findings) -> dict[str, Any]:
    calibration = found.thermometers.network.calibration
    cases = {}
    for name, case in found.cases.items():
        cases[name] = {
            "monitors": dict(case.monitors),
            "start_matters": case.dependence.dependent,
            "p": dict(case.dependence.p),
            "ends": {start: end_numbers(record) for start, record in case.flows.items()},
        }
    return {"cases": cases, "calibration": None if calibration is None else calibration.to_dict()}


def _changed(settings: Settings) -> list[str]:
    share = settings.learning / PAPER_LEARNING
    lines = [
        f"{settings.samples} configurations at each T by Swendsen-Wang; the paper has 2000 by Metropolis",
        f"the network has two layers of {settings.network_hidden} units and Adam; the paper has three of "
        "512, 256 and 64 units and SGD",
        f"the flow has {settings.length} rounds; the paper has 40",
        f"the all-to-all model has T_c = {settings.mean_field:g}, and redrawn weights are new for each "
        "chain: our choice",
        "direct thermometers, errors, tests of the start, the machine trained on T = 0 alone and weights "
        "redrawn with the moments of W are ours",
    ]
    if abs(share - 1) > 0.01 or settings.rate != 0.01:
        lines.insert(
            0,
            f"rate {settings.rate:g} and {settings.steps} steps instead of 0.01 and 3 200 000 (8000 epochs): "
            f"{share:.2g} of the paper's product of the two",
        )
    if settings.size != 10:
        lines.insert(0, f"L = {settings.size} instead of 10 and 100")
    else:
        lines.append("L = 100 is left out")
    return lines


VEIGA = Study.in_steps(
    name="veiga",
    title="Flows of Boltzmann machines and the critical temperature",
    question="Does a thermometer that reads T_c mean that the machine has learned criticality?",
    source="R. Veiga, R. Vicente, Restricted Boltzmann machine flows and the critical temperature of Ising "
    "models (2020)",
    schema=Settings,
    presets={
        "short": {},
        "paper": {
            "samples": 2000,
            "rate": 0.01,
            "steps": 3_200_000,
            "control_steps": 3_200_000,
            "network_hidden": 256,
            "network_steps": 20_000,
            "table_draws": 400,
        },
    },
    find=find,
    claims=claims,
    tables=tables,
    figures=figures,
    numbers=_numbers,
    changed=_changed,
    sources=("veiga2020restricted", "iso2018scale", "guo2017calibration"),
)
