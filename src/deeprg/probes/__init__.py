"""What a trained model did, measured: observables beside exact values, and how good its weights are."""

from deeprg.probes.ensemble import MeasuredDraws, axis_profile, collect
from deeprg.probes.estimates import (
    ESTIMATORS,
    Estimate,
    Estimates,
    Profile,
    direct_estimates,
    estimates,
    importance_estimates,
    independence_estimates,
)
from deeprg.probes.quality import quality, spin_log_partition

__all__ = [
    "ESTIMATORS",
    "Estimate",
    "Estimates",
    "MeasuredDraws",
    "Profile",
    "axis_profile",
    "collect",
    "direct_estimates",
    "estimates",
    "importance_estimates",
    "independence_estimates",
    "quality",
    "spin_log_partition",
]
