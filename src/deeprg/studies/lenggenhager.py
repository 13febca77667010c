"""Range and information against the rule: does the most informative rule give the shortest-ranged action?"""

from dataclasses import asdict
from typing import Any

from deeprg.studies._lenggenhager_claims import claims, drawn_groups
from deeprg.studies._lenggenhager_figures import figures, tables
from deeprg.studies._lenggenhager_find import SIDE, Findings, Settings, find
from deeprg.studies._lenggenhager_learned_claims import learned_claims, learned_table
from deeprg.studies._lenggenhager_measure import sampled_correlation
from deeprg.studies._study import Study

__all__ = ["LENGGENHAGER", "numbers"]


def numbers(found: Findings) -> dict[str, Any]:
    """What a program would read; None where there is no order to correlate."""
    settings = found.settings
    return {
        "present": {f"{k:g}": value for k, value in found.present.items()},
        "decimation_share": {f"{k:g}": rules["decimation"].share for k, rules in found.named.items()},
        "rank_correlation": {
            f"{k:g}": {
                what: {
                    "sharp": found.scans[k].correlation(what, least=settings.sharp),
                    "all": found.scans[k].correlation(what),
                    "each": {f"{size:g}": value for size, value in found.scans[k].each(what).items()},
                }
                for what in ("rangeness", "m_bodyness", "rest")
            }
            for k in settings.couplings
        },
        "rank_correlation_drawn": {
            f"{k:g}": {
                name: asdict(sampled_correlation([o.share for o in rules], [o.rangeness for o in rules]))
                for name, rules in drawn_groups(found, k).items()
            }
            for k in settings.couplings
        },
        "square": {
            f"{k:.6g}": {
                name: {"share": one.share, "rangeness": one.rangeness} for name, one in rules.items()
            }
            for k, rules in found.squares.items()
        },
        "learned": {
            name: {
                "weights": list(one.weights),
                "estimate": one.estimate.to_dict(),
                "kept": one.sharp.kept,
                "rangeness": one.sharp.rangeness,
                "rangeness_as_trained": one.soft.rangeness,
                "shuffled": one.shuffled.to_dict(),
            }
            for name, one in (
                *((f"{k:g}", one) for k, one in found.learned.items()),
                *([("square", found.learned_square)] if found.learned_square is not None else []),
            )
        },
    }


def _changed(settings: Settings) -> list[str]:
    return [
        f"K' is exact, by transfer matrices on a ring of {settings.ring} spins; the paper has cumulants "
        f"of the "
        "infinite chain to order 10 (their error here: table of the cumulants)",
        f"the information is that of a ring of {settings.chain} spins instead of the infinite chain",
        "rules drawn without a form, deterministic rules and wider blocks are controls that the paper lacks",
        f"2D is a {SIDE}×{SIDE} torus, 3×3 coarse spins, where the paper has a model "
        f"of four spins and "
        "one environment variable",
        "rules are found by a classifier bound with an exact sum over the hidden states, "
        f"from {settings.samples} samples of the chain; at K = 0.1 a search needs far more: one per cent of "
        "5e-5 nats takes about 4e8 of them",
        "the chain with random dilution is left out",
    ]


LENGGENHAGER = Study.in_steps(
    name="lenggenhager",
    title="Information and range of a block rule",
    question="Does the rule that keeps the most information about far spins give the shortest-ranged action?",
    source="P. M. Lenggenhager et al., Optimal renormalization group transformation from information theory "
    "(2020)",
    schema=Settings,
    presets={
        "short": {},
        "paper": {
            "couplings": [0.1],
            "ring": 20,
            "chain": 2000,
            "strengths": [0.25, 0.5, 1.0, 2.0, 3.0, 10.0, 1000.0],
            "angles": 181,
            "random_rules": 500,
            "series_couplings": [0.1],
            "square_random": 40,
            "samples": 10_000_000,
            "square_samples": 400_000,
            "steps": 2000,
        },
    },
    find=find,
    claims=lambda found: [*claims(found), *learned_claims(found)],
    tables=lambda found: [*tables(found), learned_table(found)],
    figures=figures,
    numbers=numbers,
    changed=_changed,
    sources=("lenggenhager2020optimal", "koch2018mutual", "bertoni2021minimizing"),
)
