"""The experiment of Mehta and Schwab: do layers organise themselves into block spins?"""

from typing import Any

from deeprg.studies._mehta_claims import claims
from deeprg.studies._mehta_figures import figures
from deeprg.studies._mehta_find import Findings, find
from deeprg.studies._mehta_machines import Settings
from deeprg.studies._mehta_tables import tables
from deeprg.studies._study import Study

__all__ = ["MEHTA_SCHWAB"]


_PAPER = {
    "coupling": 0.408,
    "size": 40,
    "layers": (400, 100, 25),
    "samples": 20_000,
    "batch": 100,
    "momentum": 0.5,
}
_PENALTY, _RATE, _EPOCHS = 2e-4, 0.1, 200  # of weights between {0, 1} units


def _numbers(found: Findings) -> dict[str, Any]:
    return {
        "fields": {name: [one.to_dict() for one in case.local] for name, case in found.cases.items()},
        "penalties": {f"{penalty:g}": one.to_dict() for penalty, one in found.penalties.items()},
        "overlaps": [
            {"units": one.units, "side": one.side}
            | {name: estimate.to_dict() for name, estimate in one.overlaps.items()}
            for one in found.remembered
        ],
        "correlations": [
            {name: curve.to_dict() for name, curve in one.curves.items()} for one in found.coarse
        ],
        "chain": {"off": found.chain.off, "couplings": [one.coupling for one in found.chain.layers]},
    }


def _changed(settings: Settings) -> list[str]:
    lines = []
    for name, value in _PAPER.items():
        if (own := getattr(settings, name)) != value:
            lines.append(f"{name} = {own} instead of {value}")
    # A spin is twice a bit less one: W of ±1 units is a quarter of that of {0, 1} units.
    spins = settings.units == "spin"
    penalty, rate = (settings.penalty / 4, settings.rate * 16) if spins else (settings.penalty, settings.rate)
    if spins:
        lines.append(
            "±1 units, which keep the symmetry s → -s of the data, where a public reproduction has {0, 1}; "
            "between those the same law has weights four times as large: L1 is worth a quarter there, the "
            "rate 16 times as much"
        )
    if abs(penalty / _PENALTY - 1) > 0.01:
        lines.append(
            f"L1 = {settings.penalty:g}{f', like {penalty:g} of {{0, 1}} units,' if spins else ''} instead "
            f"of {_PENALTY:g}: {penalty / _PENALTY:.3g} times as strong; the reproduction has 0.008"
        )
    epochs = [steps * settings.batch / settings.samples for steps in (settings.steps, settings.upper_steps)]
    if min(epochs) < 0.99 * _EPOCHS:
        lines.append(
            f"{epochs[0]:.3g} epochs for the first layer and {epochs[1]:.3g} for each above it instead of "
            f"{_EPOCHS}"
        )
    if abs(rate / _RATE - 1) > 0.01 or settings.decay != "constant":
        falls = ", falling to 0 on a cosine" if settings.decay == "cosine" else ""
        like = f", like {rate:g} of {{0, 1}} units" if spins else ""
        lines.append(f"rate {settings.rate:g}{like}{falls}; the reproduction has {_RATE:g}, constant")
    elif not spins:
        lines.append(f"{{0, 1}} units, rate {_RATE:g}, momentum and batch are those of a public reproduction")
    lines.append(
        "the source looks at the fields and reconstructions; all numbers of locality, the overlaps, their "
        "errors, other penalties, shuffled sites and the comparison with majority spins are ours"
    )
    return lines


MEHTA_SCHWAB = Study.in_steps(
    name="mehta-schwab",
    title="Layers of a belief network and block spins",
    question=(
        "Do the layers of a network that learns Ising configurations organise themselves into block spins?"
    ),
    source="P. Mehta, D. J. Schwab, An exact mapping between the variational renormalization group and deep "
    "learning (2014)",
    schema=Settings,
    presets={
        "short": {},
        "paper": {
            "units": "binary",
            "rate": _RATE,
            "decay": "constant",
            "penalty": _PENALTY,
            "penalties": (0.0025, 0.008),
            "steps": 40_000,
            "upper_steps": 40_000,
        },
    },
    find=find,
    claims=claims,
    tables=tables,
    figures=figures,
    numbers=_numbers,
    changed=_changed,
    sources=(
        "mehta2014exact",
        "hinton2006fast",
        "lin2017cheap",
        "schwab2016comment",
        "nelson1975soluble",
        "clark1954distance",
    ),
)
