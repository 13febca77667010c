"""Real-space mutual information: does the rule of most information find the variables of the theory?"""

from typing import Any

from deeprg.report.filters import plot_filter_row
from deeprg.report.study import StudyFigure, StudyTable
from deeprg.studies._kjr_claims import claims
from deeprg.studies._kjr_find import CHAIN, DIMERS, SPECTATORS, SQUARE, Findings, Settings, find
from deeprg.studies._study import Study

__all__ = ["KOCH_JANUSZ_RINGEL"]


def _tables(found: Findings) -> list[StudyTable]:
    systems = [
        [name, one.retained.value, one.retained.error, one.relaxed, one.retained.bound, sum(one.seconds)]
        for name, one in found.found.items()
    ]
    rules = [[name, kept.value, kept.error] for name, kept in found.rules.items()]
    exponents = [
        [
            f"{s.fine} → {s.coarse}",
            "y_H" if s.odd else "y_T",
            float(s.exponents[-1, 0]),
            float(s.errors[-1, 0]),
        ]
        for s in found.exponents
    ]
    return [
        StudyTable(
            "searches",
            "What the rules keep, in nats",
            ["system", "I(H:E)", "±", "of drawn units", "H(h)", "seconds"],
            systems,
            "lower bounds on configurations held out, of sharp hidden units; before, of drawn ones",
        ),
        StudyTable("rules", "Fixed rules on 6x6 at T_c", ["rule", "I(H:E)", "±"], rules),
        StudyTable("exponents", "Exponents of the learned rule", ["step", "", "value", "±"], exponents),
    ]


def _figures(found: Findings) -> list[StudyFigure]:
    square = [(SQUARE, found.weights(SQUARE)[0].reshape(2, 2))]
    pair = found.weights(SPECTATORS)[0].reshape(2, 2, 2)
    square += [("spins", pair[..., 0]), ("spectators", pair[..., 1])]
    square.append((CHAIN, found.weights(CHAIN)[0].reshape(1, 2)))
    blocks = found.weights(DIMERS).reshape(2, 8, 8, 2)
    dimers = [
        (f"unit {unit}, axis {axis}", blocks[unit, ..., axis]) for unit in range(2) for axis in range(2)
    ]
    return [
        StudyFigure(
            "filters",
            "Filters of Ising spins, beside spectators, and of the chain.",
            plot_filter_row(dict(square)),
            True,
        ),
        StudyFigure(
            "dimers", "Filters of dimers: bonds along each axis.", plot_filter_row(dict(dimers)), True
        ),
    ]


def _numbers(found: Findings) -> dict[str, Any]:
    return {
        "systems": {
            name: {"retained": one.retained.to_dict(), "weights": found.weights(name).tolist()}
            for name, one in found.found.items()
        },
        "rules": {name: kept.to_dict() for name, kept in found.rules.items()},
        "chain": found.chain,
        "overlap": list(found.overlap),
        "angle": found.angle,
        "exponents": [step.to_dict() for step in found.exponents],
    }


def _changed(settings: Settings) -> list[str]:
    return [
        "a classifier bound with an exact sum over the hidden states; the paper has two Boltzmann machines "
        "as proxies for the laws of block and environment",
        "information is that of sharp hidden units, judged on configurations held out",
        f"dimers: L = {settings.dimer_size}, T = {settings.dimer_temperature:g} and blocks of 8x8",
        "exponents by the stability matrix of Monte Carlo RG instead of a thermometer of correlations",
        "the chain is of the later paper; spectators are independent spins on every site",
    ]


KOCH_JANUSZ_RINGEL = Study.in_steps(
    name="koch-janusz-ringel",
    title="Rules of most mutual information",
    question="Does the block rule that keeps the most information find the variables of the theory?",
    source="M. Koch-Janusz, Z. Ringel, Mutual information, neural networks and the renormalization "
    "group (2018)",
    schema=Settings,
    presets={
        "short": {},
        "paper": {
            "samples": 400_000,
            "steps": 4000,
            "dimers": 28_800,
            "dimer_size": 64,
            "dimer_steps": 6000,
            "size": 32,
            "judged": 100_000,
        },
    },
    find=find,
    claims=claims,
    tables=_tables,
    figures=_figures,
    numbers=_numbers,
    changed=_changed,
    sources=("koch2018mutual", "lenggenhager2020optimal", "gokmen2021statistical", "swendsen1979monte"),
)
