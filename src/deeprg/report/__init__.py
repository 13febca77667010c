"""Figures (data in, axes out), the verdict on a run, and the self-contained report page.

Matplotlib is imported when a figure is made, not before.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deeprg.report.autocorrelation import plot_autocorrelation
    from deeprg.report.citations import bibtex, citations_for, citations_for_ensemble
    from deeprg.report.configurations import plot_configurations
    from deeprg.report.correlation import plot_correlation, plot_correlations, plot_structure_factor
    from deeprg.report.diagnosis import Finding, diagnose
    from deeprg.report.dynamics import plot_approach, plot_forgetting
    from deeprg.report.ensemble import EnsembleData, TemperatureData
    from deeprg.report.ensemble_diagnosis import diagnose_ensemble
    from deeprg.report.ensemble_html import ensemble_page
    from deeprg.report.flow_observables import plot_ends, plot_flow_observable
    from deeprg.report.html import ReportData, page
    from deeprg.report.latents import (
        animate,
        plot_correlation_matrix,
        plot_frames,
        plot_information_map,
        plot_kernels,
    )
    from deeprg.report.log_weights import plot_log_weights
    from deeprg.report.patterns import plot_radial_profiles
    from deeprg.report.pulls import plot_pulls
    from deeprg.report.rg_flow import (
        FlowCurve,
        plot_beta_function,
        plot_cobweb,
        plot_couplings_by_distance,
        plot_flow_diagram,
        plot_one_coupling,
        plot_truncation_error,
    )
    from deeprg.report.scales import plot_scales
    from deeprg.report.scheme_figure import plot_scheme
    from deeprg.report.series import plot_distribution, plot_series
    from deeprg.report.style import figure
    from deeprg.report.summary import plot_summary
    from deeprg.report.sweep import SweepCurve, plot_sweep, plot_sweep_number
    from deeprg.report.temperature_curves import plot_curve_quality, plot_temperature_curves
    from deeprg.report.thermodynamic_curves import (
        plot_pull_curves,
        plot_tau_curves,
        plot_thermodynamic,
        plot_thermodynamics,
    )
    from deeprg.report.thermometers import (
        plot_confusion,
        plot_probabilities,
        plot_readings,
        plot_reliability,
    )
    from deeprg.report.training import plot_ess, plot_free_energy, plot_gap
    from deeprg.report.two_point import plot_two_point
    from deeprg.report.vh_maps import plot_tiles
    from deeprg.report.weight_spectra import plot_bands, plot_weight_spectra

__all__ = [
    "EnsembleData",
    "Finding",
    "FlowCurve",
    "ReportData",
    "SweepCurve",
    "TemperatureData",
    "animate",
    "bibtex",
    "citations_for",
    "citations_for_ensemble",
    "diagnose",
    "diagnose_ensemble",
    "ensemble_page",
    "figure",
    "page",
    "plot_approach",
    "plot_autocorrelation",
    "plot_bands",
    "plot_beta_function",
    "plot_cobweb",
    "plot_configurations",
    "plot_confusion",
    "plot_correlation",
    "plot_correlation_matrix",
    "plot_correlations",
    "plot_couplings_by_distance",
    "plot_curve_quality",
    "plot_distribution",
    "plot_ends",
    "plot_ess",
    "plot_flow_diagram",
    "plot_flow_observable",
    "plot_forgetting",
    "plot_frames",
    "plot_free_energy",
    "plot_gap",
    "plot_information_map",
    "plot_kernels",
    "plot_log_weights",
    "plot_one_coupling",
    "plot_probabilities",
    "plot_pull_curves",
    "plot_pulls",
    "plot_radial_profiles",
    "plot_readings",
    "plot_reliability",
    "plot_scales",
    "plot_scheme",
    "plot_series",
    "plot_structure_factor",
    "plot_summary",
    "plot_sweep",
    "plot_sweep_number",
    "plot_tau_curves",
    "plot_temperature_curves",
    "plot_thermodynamic",
    "plot_thermodynamics",
    "plot_tiles",
    "plot_truncation_error",
    "plot_two_point",
    "plot_weight_spectra",
]

_HOMES = {
    "autocorrelation": ("plot_autocorrelation",),
    "citations": ("bibtex", "citations_for", "citations_for_ensemble"),
    "configurations": ("plot_configurations",),
    "correlation": ("plot_correlation", "plot_correlations", "plot_structure_factor"),
    "diagnosis": ("Finding", "diagnose"),
    "dynamics": ("plot_approach", "plot_forgetting"),
    "ensemble": ("EnsembleData", "TemperatureData"),
    "ensemble_diagnosis": ("diagnose_ensemble",),
    "ensemble_html": ("ensemble_page",),
    "flow_observables": ("plot_ends", "plot_flow_observable"),
    "html": ("ReportData", "page"),
    "latents": (
        "animate",
        "plot_correlation_matrix",
        "plot_frames",
        "plot_information_map",
        "plot_kernels",
    ),
    "log_weights": ("plot_log_weights",),
    "patterns": ("plot_radial_profiles",),
    "pulls": ("plot_pulls",),
    "rg_flow": (
        "FlowCurve",
        "plot_beta_function",
        "plot_cobweb",
        "plot_couplings_by_distance",
        "plot_flow_diagram",
        "plot_one_coupling",
        "plot_truncation_error",
    ),
    "scales": ("plot_scales",),
    "scheme_figure": ("plot_scheme",),
    "series": ("plot_distribution", "plot_series"),
    "style": ("figure",),
    "summary": ("plot_summary",),
    "sweep": ("SweepCurve", "plot_sweep", "plot_sweep_number"),
    "temperature_curves": ("plot_curve_quality", "plot_temperature_curves"),
    "thermometers": ("plot_confusion", "plot_probabilities", "plot_readings", "plot_reliability"),
    "thermodynamic_curves": (
        "plot_pull_curves",
        "plot_tau_curves",
        "plot_thermodynamic",
        "plot_thermodynamics",
    ),
    "training": ("plot_ess", "plot_free_energy", "plot_gap"),
    "two_point": ("plot_two_point",),
    "vh_maps": ("plot_tiles",),
    "weight_spectra": ("plot_bands", "plot_weight_spectra"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"deeprg.report.{home}"), name)
    raise AttributeError(f"module 'deeprg.report' has no attribute '{name}'")
