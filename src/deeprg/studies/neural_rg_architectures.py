"""Architecture as the question: what a tree, brick walls, MERA and conditional hierarchies keep."""

from typing import Any

from deeprg.studies._architectures_claims import claims
from deeprg.studies._architectures_figures import figures, tables
from deeprg.studies._architectures_find import Findings, Settings, Variant, find
from deeprg.studies._study import Study

__all__ = ["NEURAL_RG_ARCHITECTURES"]


def _numbers(found: Findings) -> dict[str, Any]:
    def row(variant: Variant) -> dict[str, Any]:
        return {
            "gap": variant.gap,
            "gap_error": variant.gap_error,
            "ess": variant.ess,
            "parameters": variant.parameters,
            "correlation": variant.ensemble.correlation.tolist(),
            "length": variant.ensemble.length,
            "information": variant.ensemble.information.to_dict(),
            "cut": None if variant.cut is None else variant.cut.to_dict(),
        }

    return {
        "variants": [
            {"layout": name, "temperature": temperature, **row(variant)}
            for (name, temperature), variant in found.variants.items()
        ],
        "by_layers": {str(n): row(variant) for n, variant in found.by_layers.items()},
        "by_scales": {str(n): row(variant) for n, variant in found.by_scales.items()},
        "targets": {
            f"{temperature:g}": {
                "correlation": target.correlation.tolist(),
                "length": target.length,
                "information": target.information.to_dict(),
            }
            for temperature, target in found.targets.items()
        },
    }


def _changed(settings: Settings) -> list[str]:
    return [
        f"the talk has no numbers on layouts; L = {settings.size} and {settings.steps} steps are ours",
        "all layouts train with the settings of the preset 'default' (path gradients, Adam, cosine decay); "
        "those of the talk make the field itself, the conditional hierarchies and one MERA the whitened one",
        "the tree has two rounds of blocks per scale and the flat layout three brick-wall layers",
        "the magnetizations of the halves stand for the halves: their information is a lower bound",
    ]


NEURAL_RG_ARCHITECTURES = Study.in_steps(
    name="neural-rg-architectures",
    title="Layouts of hierarchical flows",
    question="What do disentanglers, decimators and both keep of a critical system?",
    source="L. Wang, Neural network renormalization group (talk)",
    schema=Settings,
    presets={
        "short": {},
        "paper": {
            "size": 16,
            "temperatures": [0.4, 1.0, 1.5, 2.0, 2.269185314213022, 2.7, 3.0, 4.0, 5.0],
            "steps": 3000,
            "layers": [1, 2, 3, 4, 6, 8],
            "samples": 100_000,
        },
    },
    find=find,
    claims=claims,
    tables=tables,
    figures=figures,
    numbers=_numbers,
    changed=_changed,
    sources=("li2018neural", "dinh2017realnvp"),
)
