"""Invertible hierarchical flows (NeuralRG): bijectors, hierarchies, densities, objectives."""

from ._bijector import AbstractBijector, Chain, Repeated
from ._blocks import BlockLayer, mera, tebd, ttn
from ._build import LAYOUTS, PRESETS, SCALAR_MAPS, Preset, build_flow, layout_options
from ._circulant import Circulant
from ._conditional import conditional_hierarchy, fill_schedule
from ._context import ContextNet
from ._coupling import RealNVP
from ._draws import Draws, draw, draws
from ._flow import AbstractFlow, Flow, SymmetrisedFlow, sign_group
from ._hierarchy import Hierarchy, level_shapes
from ._objectives import NegativeLogLikelihood, ReverseKL
from ._prior import PRIORS, AbstractPrior, Gaussian, Laplace, Uniform
from ._scalar import AbstractScalarMap, Affine, SumOfTanh
from ._sitemap import SiteMap
from ._spline import RationalQuadraticSpline

# Every final bijector by name; the tests walk this list.
BIJECTORS: dict[str, type[AbstractBijector]] = {
    "chain": Chain,
    "repeated": Repeated,
    "circulant": Circulant,
    "realnvp": RealNVP,
    "block-layer": BlockLayer,
    "site-map": SiteMap,
    "hierarchy": Hierarchy,
}

__all__ = [
    "BIJECTORS",
    "LAYOUTS",
    "PRESETS",
    "PRIORS",
    "SCALAR_MAPS",
    "AbstractBijector",
    "AbstractFlow",
    "AbstractPrior",
    "AbstractScalarMap",
    "Affine",
    "BlockLayer",
    "Chain",
    "Circulant",
    "ContextNet",
    "Draws",
    "Flow",
    "Gaussian",
    "Hierarchy",
    "Laplace",
    "NegativeLogLikelihood",
    "Preset",
    "RationalQuadraticSpline",
    "RealNVP",
    "Repeated",
    "ReverseKL",
    "SiteMap",
    "SumOfTanh",
    "SymmetrisedFlow",
    "Uniform",
    "build_flow",
    "conditional_hierarchy",
    "draw",
    "draws",
    "fill_schedule",
    "layout_options",
    "level_shapes",
    "mera",
    "sign_group",
    "tebd",
    "ttn",
]
