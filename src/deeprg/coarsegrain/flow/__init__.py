"""Invertible hierarchical flows (NeuralRG): bijectors, hierarchies, densities, objectives."""

from ._bijector import AbstractBijector, Chain, Repeated
from ._blocks import BlockLayer, mera, tebd, ttn
from ._build import LAYOUTS, PRESETS, SCALAR_MAPS, Preset, build_flow, layout_options
from ._circulant import AbstractSymmetricMap, ArrayCirculant, Circulant, DenseSymmetric, whitening
from ._conditional import conditional_hierarchy, fill_schedule
from ._conditioned import ConditionedFlow, build_conditioned_flow
from ._conditioned_objective import ConditionedReverseKL, log_partition_baseline
from ._context import ContextNet
from ._coupling import RealNVP
from ._dequantise import (
    AbstractDequantiser,
    AsFields,
    DualFields,
    FreshBatches,
    Logit,
    Standardise,
    UniformNoise,
    bits_per_dimension,
)
from ._draws import Draws, Sampler, draw, draws
from ._flow import AbstractFlow, Flow, SymmetrisedFlow, sign_group
from ._hierarchy import Hierarchy, level_shapes, sites_at
from ._latent_density import LatentDensity
from ._latent_sampler import LATENT_METHODS, LatentMethod, LatentSampler
from ._latent_simulation import LatentSimulation
from ._latents import base_flow, checked_latents, hierarchy_of, latent_scales, pull
from ._objectives import NegativeLogLikelihood, ReverseKL, batch_ess
from ._placed import PlacedNet, with_places
from ._prior import PRIORS, AbstractPrior, Gaussian, Laplace, Uniform
from ._renormalised import MarginalEnergy, RenormalisedEnergy, coarse_flow
from ._scalar import AbstractScalarMap, Affine, SumOfTanh
from ._sitemap import SiteMap
from ._spline import RationalQuadraticSpline
from ._transfer import Transfer, transfer
from ._wander import LatentDirection, latent_direction, moved, scale_mix, wander

# Every final bijector by name; the tests walk this list.
BIJECTORS: dict[str, type[AbstractBijector]] = {
    "chain": Chain,
    "repeated": Repeated,
    "circulant": Circulant,
    "array-circulant": ArrayCirculant,
    "dense-symmetric": DenseSymmetric,
    "realnvp": RealNVP,
    "block-layer": BlockLayer,
    "site-map": SiteMap,
    "hierarchy": Hierarchy,
    "standardise": Standardise,
    "logit": Logit,
}

__all__ = [
    "BIJECTORS",
    "LATENT_METHODS",
    "LAYOUTS",
    "PRESETS",
    "PRIORS",
    "SCALAR_MAPS",
    "AbstractBijector",
    "AbstractDequantiser",
    "AbstractFlow",
    "AbstractPrior",
    "AbstractScalarMap",
    "AbstractSymmetricMap",
    "Affine",
    "ArrayCirculant",
    "AsFields",
    "BlockLayer",
    "Chain",
    "Circulant",
    "ConditionedFlow",
    "ConditionedReverseKL",
    "ContextNet",
    "DenseSymmetric",
    "Draws",
    "DualFields",
    "Flow",
    "FreshBatches",
    "Gaussian",
    "Hierarchy",
    "Laplace",
    "LatentDensity",
    "LatentDirection",
    "LatentMethod",
    "LatentSampler",
    "LatentSimulation",
    "Logit",
    "MarginalEnergy",
    "NegativeLogLikelihood",
    "PlacedNet",
    "Preset",
    "RationalQuadraticSpline",
    "RealNVP",
    "RenormalisedEnergy",
    "Repeated",
    "ReverseKL",
    "Sampler",
    "SiteMap",
    "Standardise",
    "SumOfTanh",
    "SymmetrisedFlow",
    "Transfer",
    "Uniform",
    "UniformNoise",
    "base_flow",
    "batch_ess",
    "bits_per_dimension",
    "build_conditioned_flow",
    "build_flow",
    "checked_latents",
    "coarse_flow",
    "conditional_hierarchy",
    "draw",
    "draws",
    "fill_schedule",
    "hierarchy_of",
    "latent_direction",
    "latent_scales",
    "layout_options",
    "level_shapes",
    "log_partition_baseline",
    "mera",
    "moved",
    "pull",
    "scale_mix",
    "sign_group",
    "sites_at",
    "tebd",
    "transfer",
    "ttn",
    "wander",
    "whitening",
    "with_places",
]
