"""NeuralRG redone: are the latents of a trained flow the variables of a renormalization group?"""

from typing import Any

from deeprg.studies._neural_rg_claims import claims
from deeprg.studies._neural_rg_figures import figures, tables
from deeprg.studies._neural_rg_find import Findings, Settings, find
from deeprg.studies._study import Study

__all__ = ["NEURAL_RG"]


def _numbers(found: Findings) -> dict[str, Any]:
    flows = {
        name: {
            "gap": flow.gap,
            **flow.summary.to_dict(),
            "information": list(found.information[name].largest),
            "removed": found.information[name].removed.to_dict(),
            "correlations": found.correlations[name].largest.tolist(),
            "participation": found.reach[name].by_scale("participation")[0].tolist(),
        }
        for name, flow in found.flows.items()
    }
    chains = {
        name: {
            "seconds_per_update": course.seconds,
            "chains": course.chains,
            "acceptance": course.acceptance,
            "step_size": course.step_size,
            "divergences": course.divergences,
            "tau_int": {
                observable: course.estimate(observable).to_dict()
                for observable in ("abs_magnetization", "energy_per_site", "magnetization")
            },
            "magnetization_squared": course.mean("magnetization_squared")[0].tolist(),
        }
        for name, course in found.courses.items()
    }
    couplings = {
        name: [
            {"shape": list(row.shape), "explained": row.fit.explained, **dict(row.fit.by_name())}
            for row in rows
        ]
        for name, rows in found.couplings.items()
    }
    return {"flows": flows, "chains": chains, "couplings": couplings}


def _changed(settings: Settings) -> list[str]:
    lines = [
        "the flow 'default' is ours: a conditional hierarchy with path gradients; 'original' is the paper's "
        "MERA of RealNVP blocks",
        "mutual information by bins of equal probability; the paper's estimator is not published",
        "chains have tuned step sizes (acceptance 0.8) and 10 leapfrog steps of sizes that vary by 20 %",
        "renormalised energies, their couplings, the total correlation and controls are ours",
    ]
    if settings.size != 16:
        lines.insert(0, f"L = {settings.size} instead of 16")
    if settings.original_steps < 5000:
        lines.insert(1, f"{settings.original_steps} steps for 'original' instead of 5000")
    return lines


NEURAL_RG = Study.in_steps(
    name="neural-rg",
    title="Neural network renormalization group",
    question="Are the latents of a trained flow the variables of a renormalization group?",
    source="S.-H. Li, L. Wang, Neural network renormalization group (2018)",
    schema=Settings,
    presets={
        "short": {},
        "paper": {
            "size": 16,
            "steps": 4000,
            "original_steps": 5000,
            "chains": 512,
            "physical_updates": 20_000,
            "coarse_fields": 4000,
        },
    },
    find=find,
    claims=claims,
    tables=tables,
    figures=figures,
    numbers=_numbers,
    changed=_changed,
    sources=("li2018neural", "duane1987hybrid", "wolff1989collective"),
)
