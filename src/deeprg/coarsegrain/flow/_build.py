"""Flows by name: the layouts, the presets, and the flow that a Hamiltonian gets from them."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from ...hamiltonians import AbstractDual, AbstractHamiltonian, ContinuousDual, RandomBondIsing, is_even
from ...lattice import Lattice
from ...runs.errors import UsageError, nearest
from ._bijector import AbstractBijector, Chain
from ._blocks import mera, tebd, ttn
from ._circulant import whitening as whitened
from ._conditional import conditional_hierarchy
from ._coupling import RealNVP
from ._flow import AbstractFlow, Flow, SymmetrisedFlow, sign_group
from ._placed import with_places
from ._prior import PRIORS
from ._scalar import AbstractScalarMap, Affine, SumOfTanh
from ._spline import RationalQuadraticSpline

__all__ = ["LAYOUTS", "PRESETS", "SCALAR_MAPS", "Preset", "build_flow", "layout_options"]

SCALAR_MAPS: dict[str, Callable[[int], AbstractScalarMap]] = {
    "affine": lambda terms: Affine(),
    "sum-of-tanh": lambda terms: SumOfTanh(terms),
    "spline": lambda terms: RationalQuadraticSpline(terms),
}


def _conditional(
    lattice: Lattice,
    odd: bool,
    dtype: Any,
    key: PRNGKeyArray,
    *,
    scalar: str = "sum-of-tanh",
    terms: int = 4,
    width: int = 32,
    depth: int = 2,
    radius: float = 3.2,
    colours: int = 2,
    disentanglers: int = 1,
    shared: bool = False,
    places: int | None = None,
) -> AbstractBijector:
    key, place_key = (key, key) if not places else jax.random.split(key)
    hierarchy = conditional_hierarchy(
        lattice,
        _named(SCALAR_MAPS, "scalar map", scalar)(terms),
        width=width,
        depth=depth,
        radius=radius,
        colours=colours,
        disentanglers=disentanglers,
        shared=shared,
        odd=odd,
        dtype=dtype,
        key=key,
    )
    return with_places(hierarchy, places=places, key=place_key) if places else hierarchy


def _realnvp(couplings: int, hidden: int, width: int, odd: bool, dtype: Any) -> Callable[..., RealNVP]:
    return lambda size, key: RealNVP(
        size, couplings=couplings, hidden=hidden, width=width, odd=odd, dtype=dtype, key=key
    )


def _tree(network: Callable[..., AbstractBijector]) -> Callable[..., AbstractBijector]:
    def build(
        lattice: Lattice,
        odd: bool,
        dtype: Any,
        key: PRNGKeyArray,
        *,
        couplings: int = 10,
        hidden: int = 3,
        width: int = 10,
        repeats: int = 1,
        scales: int | None = None,
        shared: bool = False,
    ) -> AbstractBijector:
        make = _realnvp(couplings, hidden, width, odd, dtype)
        return network(lattice, make, repeats=repeats, depth=scales, shared=shared, key=key)

    return build


def _flat(
    lattice: Lattice,
    odd: bool,
    dtype: Any,
    key: PRNGKeyArray,
    *,
    couplings: int = 10,
    hidden: int = 3,
    width: int = 10,
    layers: int = 4,
    shared: bool = False,
) -> AbstractBijector:
    make = _realnvp(couplings, hidden, width, odd, dtype)
    return tebd(lattice, make, layers=layers, shared=shared, key=key)


_PLACES = 8

# A new layout is one function (lattice, odd, dtype, key, *, its options) -> bijector and one line here.
LAYOUTS: dict[str, Callable[..., AbstractBijector]] = {
    "conditional": _conditional,
    "mera": _tree(mera),
    "ttn": _tree(ttn),
    "tebd": _flat,
}


@dataclass(frozen=True)
class Preset:
    """Named settings of a whole training: one layer of the configuration.

    `hamiltonian`, `flow` (arguments of `build_flow`) and `train` (fields of `deeprg.train.Plan`, and
    `estimator`) are defaults that a user may override one by one.

    >>> PRESETS["original"].train["batch"]
    512
    """

    name: str
    summary: str
    flow: Mapping[str, Any]
    train: Mapping[str, Any]
    hamiltonian: Mapping[str, Any]


_HIERARCHY: Mapping[str, Any] = {
    "layout": "conditional",
    "symmetry": "auto",
    "prior": "gaussian",
    "whitening": 0.5,
    "scalar": "sum-of-tanh",
    "terms": 4,
    "width": 32,
    "depth": 2,
    "radius": 3.2,
    "colours": 2,
    "disentanglers": 1,
    "shared": False,
    "places": None,
}
_SCHEDULE: Mapping[str, Any] = {
    "learning_rate": 6e-3,
    "batch": 256,
    "warmup": 0.02,
    "decay": "cosine",
    "final_fraction": 0.01,
    "clip_norm": 10.0,
    "ema_decay": 0.99,
}
_ON_DATA: Mapping[str, Any] = {**_SCHEDULE, "learning_rate": 3e-3, "batch": 128, "ema_decay": 0.995}

PRESETS: dict[str, Preset] = {
    "default": Preset(
        "default",
        "coarse-to-fine conditional hierarchy in the whitened field, path gradients",
        flow=_HIERARCHY,
        train={"estimator": "path", **_SCHEDULE},
        hamiltonian={},
    ),
    "interval": Preset(
        "interval",
        "for an interval of temperatures or couplings: `default` with smaller steps, which stay stable",
        flow=_HIERARCHY,
        train={"estimator": "path", **_SCHEDULE, "learning_rate": 2e-3, "clip_norm": 2.0},
        hamiltonian={},
    ),
    "density": Preset(
        "density",
        "for ensembles (--data): the conditional hierarchy with splines, whose inverse is closed",
        flow={**_HIERARCHY, "scalar": "spline", "terms": 8},
        train=_ON_DATA,
        hamiltonian={},
    ),
    "images": Preset(
        "images",
        "for images and arrays (--data): a hierarchy whose networks know where they are",
        flow={
            **_HIERARCHY,
            "symmetry": "none",
            "whitening": 0.0,
            "scalar": "spline",
            "terms": 8,
            "colours": 1,
            "disentanglers": 0,
            "places": 8,
        },
        train=_ON_DATA,
        hamiltonian={},
    ),
    "original": Preset(
        "original",
        "Li & Wang's MERA of RealNVP blocks with the settings of their README",
        flow={
            "layout": "mera",
            "symmetry": "mixture",
            "prior": "gaussian",
            "whitening": 0.0,
            "couplings": 10,
            "hidden": 3,
            "width": 10,
            "repeats": 1,
            "shared": False,
        },
        train={
            "estimator": "standard",
            "learning_rate": 1e-3,
            "batch": 512,
            "decay": "constant",
            "weight_decay": 1e-3,
            "ema_decay": 0.0,
        },
        hamiltonian={},
    ),
}


def layout_options(layout: str) -> dict[str, Any]:
    """The options of a layout and their defaults; raises `UsageError` for an unknown layout.

    >>> layout_options("tebd")["layers"]
    4
    """
    signature = inspect.signature(_named(LAYOUTS, "layout", layout))
    return {n: p.default for n, p in signature.parameters.items() if p.kind is p.KEYWORD_ONLY}


def build_flow(
    hamiltonian: AbstractHamiltonian | Lattice,
    *,
    layout: str = "conditional",
    symmetry: str = "auto",
    prior: str = "gaussian",
    whitening: float = 0.5,
    dtype: Any = jnp.float32,
    key: PRNGKeyArray,
    **options: Any,
) -> AbstractFlow:
    """An untrained flow for a Hamiltonian, or for fields on a lattice whose law is not known.

    - `layout` and its options: see `LAYOUTS` and `layout_options`. `places` of the layout "conditional" are
      trained numbers of every site; None stands for 8 with random bonds, where no site is like another, and
      for none otherwise.
    - `symmetry`: "odd" (maps that commute with x -> -x), "mixture" (average over the sign), "none", or
      "auto": odd where there is a Hamiltonian that is even, else none.
    - `whitening`: for the continuous dual, the flow's own variable is w = K^-whitening x, K^(1/2) making the
      noise white; 0 leaves x.

    Raises `UsageError` for unknown names and options, a symmetry that the Hamiltonian does not have, and
    lattices that the layout cannot divide.

    >>> import jax
    >>> from deeprg.hamiltonians import build_hamiltonian
    >>> flow = build_flow(build_hamiltonian("ising", Lattice((4, 4))), key=jax.random.key(0))
    >>> x, log_q = flow.sample(key=jax.random.key(1))
    >>> x.shape
    (4, 4)
    """
    if symmetry not in ("auto", "odd", "mixture", "none"):
        raise UsageError(
            f"The symmetry '{symmetry}' is unknown.{nearest(symmetry, ['auto', 'odd', 'mixture', 'none'])} "
            "Known: auto, odd, mixture, none."
        )
    if not 0 <= whitening <= 1:
        raise UsageError(f"The whitening is a power of K between 0 (none) and 1, not {whitening}.")
    lattice = hamiltonian if isinstance(hamiltonian, Lattice) else hamiltonian.lattice
    even = not isinstance(hamiltonian, Lattice) and is_even(hamiltonian)
    if symmetry in ("odd", "mixture") and not even:
        what = "Without a Hamiltonian the law" if isinstance(hamiltonian, Lattice) else "The Hamiltonian"
        raise UsageError(f"{what} is not even under x -> -x, so the symmetry cannot be '{symmetry}'.")
    known = layout_options(layout)
    for name in options:
        if name not in known:
            raise UsageError(
                f"The layout '{layout}' has no option '{name}'.{nearest(name, known)} "
                f"Known: {', '.join(known)}."
            )
    if "places" in known and options.get("places") is None:
        options["places"] = _PLACES if _disordered(hamiltonian) else 0
    odd = symmetry == "odd" or (symmetry == "auto" and even)
    prior_type = _named(PRIORS, "prior", prior)
    bijector = LAYOUTS[layout](lattice, odd, dtype, key, **options)
    if whitening and isinstance(hamiltonian, AbstractDual):
        bijector = Chain(bijector, whitened(hamiltonian, whitening))
    flow = Flow(lattice, bijector, prior=prior_type(), dtype=dtype)
    return SymmetrisedFlow(flow, sign_group()) if symmetry == "mixture" else flow


def _disordered(hamiltonian: AbstractHamiltonian | Lattice) -> bool:
    """Whether the sites of a Hamiltonian differ."""
    return isinstance(hamiltonian, ContinuousDual) and isinstance(hamiltonian.ising, RandomBondIsing)


def _named(registry: Mapping[str, Any], kind: str, name: str) -> Any:
    if name not in registry:
        raise UsageError(
            f"There is no {kind} '{name}'.{nearest(name, registry)} Known: {', '.join(sorted(registry))}."
        )
    return registry[name]
