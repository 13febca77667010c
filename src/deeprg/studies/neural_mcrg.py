"""Neural Monte Carlo RG: is the rule that a machine learns from critical spins a good step of the RG?"""

from typing import Any

from deeprg.studies._neural_mcrg_claims import claims
from deeprg.studies._neural_mcrg_figures import figures, tables
from deeprg.studies._neural_mcrg_find import Findings, Settings, find
from deeprg.studies._study import Study

__all__ = ["NEURAL_MCRG"]


def _numbers(found: Findings) -> dict[str, Any]:
    return {
        "weights": {name: w.tolist() for name, w in found.weights.items()},
        "exponents": {name: [s.to_dict() for s in steps] for name, steps in found.exponents.items()},
        "information": {name: one.to_dict() for name, one in found.information.items()},
    }


def _changed(settings: Settings) -> list[str]:
    lines = [
        "configurations are 5 Swendsen-Wang sweeps apart; the paper has 100 Wolff clusters",
        "CD-3 from the data as in the paper, with a mean over the hidden units; information by a classifier "
        "instead of Gaussian proxies",
        "filters of hot configurations and at random, majority and decimation are controls",
    ]
    if (settings.size, settings.side) != (32, 8):
        lines.insert(0, f"L = {settings.size} and a filter of {settings.side} sites; the paper has 32 and 8")
    if settings.steps != 20_000:
        lines.insert(1, f"{settings.steps} steps of batches of 50; the paper has 20 000 at a rate of 0.001")
    return lines


NEURAL_MCRG = Study.in_steps(
    name="neural-mcrg",
    title="Neural Monte Carlo renormalization",
    question="Is the rule that a machine learns from critical configurations a good renormalization step?",
    source="J.-H. Chung, Y.-J. Kao, Neural Monte Carlo renormalization group (2021)",
    schema=Settings,
    presets={
        "short": {},
        "paper": {
            "size": 32,
            "samples": 100_000,
            "side": 8,
            "steps": 20_000,
            "learning_rate": 1e-3,
            "even": 7,
            "odd": 4,
            "search": 4000,
        },
    },
    find=find,
    claims=claims,
    tables=tables,
    figures=figures,
    numbers=_numbers,
    changed=_changed,
    sources=("chung2021neural", "swendsen1979monte", "koch2018mutual"),
)
