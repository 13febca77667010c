"""Coarse-graining of data: do modes of most variance and correlated pairs do what momenta and blocks do?"""

from typing import Any

from deeprg.studies._bb_claims import claims
from deeprg.studies._bb_figures import figures, tables
from deeprg.studies._bb_find import Findings, Settings, find
from deeprg.studies._study import Study

__all__ = ["BRADDE_BIALEK"]


def _numbers(found: Findings) -> dict[str, Any]:
    return {
        "overlap": {
            name: {"count": one.count.tolist(), "overlap": one.overlap.tolist()}
            for name, one in found.shells.items()
        },
        "flows": {name: flow.to_dict() for name, flow in found.flows.items()},
        "clusters": {
            name: {key: value for key, value in one.to_dict().items() if key != "clusters"}
            for name, one in found.clusters.items()
        },
        "held_out": {name: course.to_dict() for name, course in found.courses.items()},
        "neighbours": found.neighbours,
        "spread": found.spread,
    }


def _changed(settings: Settings) -> list[str]:
    return [
        f"spins of the Ising model on {settings.lattice}, where the answers are known, instead of neurons "
        "and prices; a spin that is down is a silent unit",
        "modes and clusters are chosen by half of the samples and judged by the other half",
        f"units without interactions are driven by {settings.fields} Gaussian fields, after Morrell et al., "
        "without their place fields",
        "no exponent of time: cluster updates have no dynamics of their own",
    ]


BRADDE_BIALEK = Study.in_steps(
    name="bradde-bialek",
    title="Coarse-graining of data",
    question="Do modes of most variance and pairs of correlated units renormalise data?",
    source="S. Bradde, W. Bialek, PCA meets RG (2017); L. Meshulam et al., Coarse graining, fixed points, "
    "and scaling in a large population of neurons (2019)",
    schema=Settings,
    presets={"short": {}, "paper": {"size": 64, "samples": 20_000}},
    find=find,
    claims=claims,
    tables=tables,
    figures=figures,
    numbers=_numbers,
    changed=_changed,
    sources=("bradde2017pca", "meshulam2019coarse", "morrell2021latent"),
)
