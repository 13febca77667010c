"""What a trained model or a coarse-graining did, measured: beside exact values, with errors."""

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
from deeprg.probes.matching import PatternMatch, match_patterns
from deeprg.probes.patterns import (
    PatternStatistics,
    circular_centre,
    count_spots,
    gauge_sign,
    participation_ratio,
    pattern_autocorrelation,
    pattern_statistics,
    pattern_width,
    radial_profile,
)
from deeprg.probes.quality import quality, spin_log_partition
from deeprg.probes.spectra import (
    BandStructure,
    WeightSpectrum,
    band_structure,
    marchenko_pastur,
    receptive_fields,
    weight_spectrum,
)
from deeprg.probes.two_point import (
    OPERATORS,
    ScalingDimension,
    TwoPoint,
    coarse_two_point,
    energy_operator,
    scaling_dimension,
    two_point,
)
from deeprg.probes.vh_maps import RelativeMap, VHMaps, relative_map, vh_maps

__all__ = [
    "ESTIMATORS",
    "OPERATORS",
    "BandStructure",
    "Estimate",
    "Estimates",
    "MeasuredDraws",
    "PatternMatch",
    "PatternStatistics",
    "Profile",
    "RelativeMap",
    "ScalingDimension",
    "TwoPoint",
    "VHMaps",
    "WeightSpectrum",
    "axis_profile",
    "band_structure",
    "circular_centre",
    "coarse_two_point",
    "collect",
    "count_spots",
    "direct_estimates",
    "energy_operator",
    "estimates",
    "gauge_sign",
    "importance_estimates",
    "independence_estimates",
    "marchenko_pastur",
    "match_patterns",
    "participation_ratio",
    "pattern_autocorrelation",
    "pattern_statistics",
    "pattern_width",
    "quality",
    "radial_profile",
    "receptive_fields",
    "relative_map",
    "scaling_dimension",
    "spin_log_partition",
    "two_point",
    "vh_maps",
    "weight_spectrum",
]
