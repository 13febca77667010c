"""Figures (data in, axes out), the verdict on a run, and the self-contained report page.

Matplotlib is imported when a figure is made, not before.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deeprg.report.citations import bibtex, citations_for
    from deeprg.report.correlation import plot_correlation
    from deeprg.report.diagnosis import Finding, diagnose
    from deeprg.report.html import ReportData, page
    from deeprg.report.log_weights import plot_log_weights
    from deeprg.report.pulls import plot_pulls
    from deeprg.report.scales import plot_scales
    from deeprg.report.style import figure
    from deeprg.report.summary import plot_summary
    from deeprg.report.training import plot_ess, plot_free_energy, plot_gap

__all__ = [
    "Finding",
    "ReportData",
    "bibtex",
    "citations_for",
    "diagnose",
    "figure",
    "page",
    "plot_correlation",
    "plot_ess",
    "plot_free_energy",
    "plot_gap",
    "plot_log_weights",
    "plot_pulls",
    "plot_scales",
    "plot_summary",
]

_HOMES = {
    "citations": ("bibtex", "citations_for"),
    "correlation": ("plot_correlation",),
    "diagnosis": ("Finding", "diagnose"),
    "html": ("ReportData", "page"),
    "log_weights": ("plot_log_weights",),
    "pulls": ("plot_pulls",),
    "scales": ("plot_scales",),
    "style": ("figure",),
    "summary": ("plot_summary",),
    "training": ("plot_ess", "plot_free_energy", "plot_gap"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"deeprg.report.{home}"), name)
    raise AttributeError(f"module 'deeprg.report' has no attribute '{name}'")
