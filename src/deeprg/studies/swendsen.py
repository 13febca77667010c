"""Monte Carlo RG: which block rules, steps and operators give the exponents of the Ising model?"""

from typing import Any

from deeprg.studies._study import Study
from deeprg.studies._swendsen_claims import claims
from deeprg.studies._swendsen_figures import figures, tables
from deeprg.studies._swendsen_find import Findings, Settings, find

__all__ = ["SWENDSEN"]


def _numbers(found: Findings) -> dict[str, Any]:
    return {
        "sampled": {case: [one.to_dict() for one in steps] for case, steps in found.steps.items()},
        "exact": {rule: [one.to_dict() for one in steps] for rule, steps in found.exact.items()},
    }


def _changed(settings: Settings) -> list[str]:
    return [
        "configurations by clusters, 5 Swendsen-Wang sweeps apart, in 40 independent chains; the paper flips "
        "single spins",
        f"L = {settings.size} for blocks of side 2 and {settings.triple} for side 3, down to four sites "
        "along an axis",
        "errors by the jackknife over the chains",
        "4x4, decimation, other ties, temperatures off T_c and the cubic lattice are controls of this study",
    ]


SWENDSEN = Study.in_steps(
    name="swendsen",
    title="Monte Carlo renormalization",
    question="Which block rules, steps and operators give the exponents of the Ising model?",
    source="R. H. Swendsen, Monte Carlo renormalization group (1979)",
    schema=Settings,
    presets={
        "short": {},
        "paper": {
            "size": 64,
            "samples": 200_000,
            "controls": 100_000,
            "triple": 324,
            "triples": 10_000,
            "cubes": 40_000,
        },
    },
    find=find,
    claims=claims,
    tables=tables,
    figures=figures,
    numbers=_numbers,
    changed=_changed,
    sources=("swendsen1979monte", "chung2021neural"),
)
