"""Scale-invariant features? Flows of Boltzmann machines trained on all, on hot and on cold Ising data."""

from typing import Any

from deeprg.studies._ends import end_numbers
from deeprg.studies._iso_claims import claims
from deeprg.studies._iso_figures import figures, tables
from deeprg.studies._iso_find import Findings, Settings, find
from deeprg.studies._iso_weights import weights_of
from deeprg.studies._study import Study

__all__ = ["ISO"]

_SIZES = (16, 36, 64, 81, 100, 225, 400)


def _numbers(found: Findings) -> dict[str, Any]:
    size = found.settings.size
    calibration = found.thermometers.network.calibration
    return {
        "machines": {
            case.name: {
                "steps": case.steps,
                "monitors": dict(case.monitors),
                "p": dict(case.dependence.p),
                "weights": vars(weights_of(case.weights, size)),
                "ends": {start: end_numbers(record) for start, record in case.flows.items()},
            }
            for case in found.cases
        },
        "courses": {
            course[-1].name: {
                case.steps: {start: end_numbers(record) for start, record in case.flows.items()}
                for case in course
            }
            for course in found.courses.values()
        },
        "mixtures": {highest: end_numbers(record) for highest, record in found.mixtures.items()},
        "calibration": None if calibration is None else calibration.to_dict(),
    }


def _changed(settings: Settings) -> list[str]:
    units = "±1" if settings.unit == "spin" else "{0, 1}"
    lines = [
        f"units {units}, no biases, rate {settings.rate:g} and {settings.steps} steps of batches of "
        f"{settings.batch} ({settings.epochs:.3g} epochs): the paper's own values could not be verified",
        f"configurations by Swendsen-Wang; the network has two layers of {settings.network_hidden} units, "
        "the paper's one of about 80 (not verified)",
        f"a flow of {settings.length} rounds, layers drawn, from all up, from random spins and from data; "
        "the paper's length and starts could not be verified",
        "direct thermometers, errors, tests of the start, units, length of training, the data in one pot and "
        "machines that learned nothing are ours",
    ]
    if tuple(settings.hidden) != _SIZES:
        sizes = ", ".join(map(str, settings.hidden))
        lines.insert(0, f"N_h = {sizes} for V instead of {', '.join(map(str, _SIZES))}")
    if settings.samples != 1000:
        lines.insert(0, f"{settings.samples} configurations at each T instead of 1000")
    if settings.size != 10:
        lines.insert(0, f"L = {settings.size} instead of 10")
    return lines


ISO = Study.in_steps(
    name="iso",
    title="Flows of Boltzmann machines trained on all, on hot and on cold data",
    question="Does the flow of a machine trained on all temperatures lead to T_c, and what do its weights "
    "say?",
    source="S. Iso, S. Shiba, S. Yokoo, Scale-invariant feature extraction of neural network and "
    "renormalization group flow (2018)",
    schema=Settings,
    presets={
        "short": {},
        "paper": {
            "hidden": list(_SIZES),
            "control_hidden": list(_SIZES),
            "steps": 250_000,
            "control_steps": 100_000,
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
    sources=("iso2018scale", "veiga2020restricted", "marchenko1967distribution"),
)
