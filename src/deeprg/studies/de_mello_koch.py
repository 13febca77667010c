"""Is deep learning an RG flow? Correlators ⟨v h⟩ of a trained machine against block spins, with controls."""

from typing import Any

from deeprg.studies._koch_claims import claims
from deeprg.studies._koch_figures import figures, tables
from deeprg.studies._koch_find import Findings, find
from deeprg.studies._koch_patterns import Patterns
from deeprg.studies._koch_settings import Settings
from deeprg.studies._study import Study

__all__ = ["DE_MELLO_KOCH"]


def _numbers(found: Findings) -> dict[str, Any]:
    return {
        "profile": {name: list(pair) for name, pair in found.profile_numbers.items()},
        "patterns": {name: _plain(one) for name, one in found.patterns.items()},
        "stack": {name: [_plain(one) for one in part] for name, part in found.stack.items()},
        "flow": [
            {
                "round": stage.step,
                "abs_magnetization": [stage.m, stage.m_error],
                "neighbour": list(stage.neighbour),
                **{name: None if fit is None else fit.to_dict() for name, fit in stage.fits.items()},
            }
            for stage in found.flow
        ],
        "order": {name: [list(pair) for pair in part] for name, part in found.magnetization.items()},
    }


def _plain(one: Patterns) -> dict[str, Any]:
    place = one.place
    return {
        "units": one.count,
        "peak": [one.peak, one.peak_error],
        "one_spot": one.one_spot,
        "spots": one.spots,
        "width": one.width,
        "participation": one.participation,
        "patch": one.patch,
        "positive": one.positive,
        "near": one.near,
        "distance": one.distance,
        "overlap": one.overlap,
        "order": list(one.order),
        "displacement": None if place is None else place.displacement,
        "random_displacement": None if place is None else list(place.random),
    }


def _changed(settings: Settings) -> list[str]:
    how = f"{settings.optimiser} at {settings.rate:g}, {settings.chains} chains, {settings.steps} steps"
    lines = [
        "h is E[h | v] in maps of one layer, as in the source's text; its code draws h, which has the same "
        "mean",
        "maps and flows are measured on configurations that no machine was trained on",
        "errors, statistics of the patterns, their matching and both controls are ours; the source shows "
        "pictures",
        "flows at L = 10 with a neural thermometer: see the studies veiga and iso",
    ]
    if (settings.optimiser, settings.chains, settings.steps) != ("adam", 1, 50_000):
        lines.insert(0, f"{how} instead of Adam at 0.001 (epsilon 0.01), one chain, 50 000 steps")
    lines.insert(
        1,
        f"the stack trains {settings.stack_steps} steps in its lowest layer and {settings.upper_steps} in "
        "each above; the source does not say how its stack was trained",
    )
    if settings.size != 32 or settings.stack_size != 64:
        lines.insert(0, f"L = {settings.size} and {settings.stack_size} instead of 32 and 64")
    return lines


DE_MELLO_KOCH = Study.in_steps(
    name="de-mello-koch",
    title="Is deep learning an RG flow?",
    question="Are the hidden units of a Boltzmann machine trained on critical configurations block spins?",
    source="E. de Mello Koch, R. de Mello Koch, L. Cheng, Is deep learning a renormalization group flow? "
    "(2020)",
    schema=Settings,
    presets={
        "short": {},
        "paper": {
            "samples": 100_000,
            "optimiser": "adam",
            "rate": 0.001,
            "eps": 0.01,
            "decay": "constant",
            "chains": 1,
            "steps": 50_000,
            "stack_samples": 50_000,
            "stack_steps": 50_000,
            "upper_steps": 50_000,
            "probed": 20_000,
            "flow_chains": 20_000,
        },
    },
    find=find,
    claims=claims,
    tables=tables,
    figures=figures,
    numbers=_numbers,
    changed=_changed,
    sources=("demellokoch2020deep", "demellokoch2020short"),
)
