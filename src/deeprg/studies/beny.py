"""The classical MERA: does a hierarchical Bayesian network learn the critical Ising model, and how well?"""

import dataclasses
from typing import Any

from deeprg.studies._beny_claims import claims
from deeprg.studies._beny_figures import figures, tables
from deeprg.studies._beny_find import Findings, Settings, find
from deeprg.studies._study import Study

__all__ = ["BENY"]


def _numbers(found: Findings) -> dict[str, Any]:
    plain = dataclasses.asdict(found)
    del plain["settings"]
    return plain


def _changed(settings: Settings) -> list[str]:
    longest = settings.sizes[-1]
    return [
        "the network has no hidden spins: coarse spins are some of the fine ones, so that its probability is "
        "exact, where the paper has stochastic disentanglers and blocks",
        "networks are trained from the energy by the score function, tables by L-BFGS on exact marginals",
        f"lattices up to L = {longest}; the rival has up to 128",
    ]


BENY = Study.in_steps(
    name="beny",
    title="The classical MERA",
    question="Does a hierarchical Bayesian network, drawn coarse to fine, learn the critical Ising model?",
    source="C. Bény, Deep learning and the renormalization group (2013)",
    schema=Settings,
    presets={
        "short": {},
        "paper": {"sizes": (8, 16, 32), "steps": (5000, 10_000, 10_000)},
    },
    find=find,
    claims=claims,
    tables=tables,
    figures=figures,
    numbers=_numbers,
    changed=_changed,
    sources=("beny2013deep", "singha2025multilevel", "wu2019solving", "kaufman1949"),
)
