"""Weights of a trained flow as the start of another: another temperature, a larger lattice."""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
from jaxtyping import PyTree

from ...runs.errors import UsageError
from ._bijector import AbstractBijector, Chain
from ._conditioned import ConditionedFlow
from ._flow import AbstractFlow
from ._hierarchy import Hierarchy, level_shapes
from ._latents import base_flow, links_of
from ._sitemap import SiteMap

__all__ = ["Transfer", "transfer"]


@dataclass(frozen=True)
class Transfer:
    """A flow with weights taken over, and which: one line of `lines` per level, the finest first.

    `copied` counts the levels (base included) whose weights come from the source, `fresh` the others.
    """

    flow: Any
    lines: tuple[str, ...]
    copied: int
    fresh: int


def transfer(source: AbstractFlow | ConditionedFlow, target: AbstractFlow | ConditionedFlow) -> Transfer:
    """`target` with the weights of `source`, level by level, counted from the finest.

    The physics at the scale of the lattice does not depend on the lattice's extent, so the finest level takes
    the weights of the finest, and so on. A level of another build than its counterpart - the smallest levels
    see themselves around the torus - takes those of the nearest level of the source that is built like it,
    the finer of two, and stays as it is where there is none. The base goes with the base of the same shape.
    Whitening and prior are the target's own. A flow without levels passes its weights as a whole.

    Two conditioned flows share an interval and a degree; a source at one value gives a conditioned target its
    constant terms. Of a conditioned source pass `source.at(v)` to a target at one value.

    Raises `UsageError` that names the first incompatible part: layout, number of maps per level, context,
    scalar map, width, interval.

    >>> import jax
    >>> from deeprg.coarsegrain.flow import build_flow
    >>> from deeprg.hamiltonians import build_hamiltonian
    >>> from deeprg.lattice import Lattice
    >>> small, large = (
    ...     build_flow(build_hamiltonian("ising", Lattice((n, n))), radius=1.5, width=4, key=key)
    ...     for n, key in ((4, jax.random.key(0)), (8, jax.random.key(1)))
    ... )
    >>> transfer(small, large).lines
    ('level 8x8: from level 4x4', 'level 4x4: from level 4x4', 'level 2x2: from level 2x2', 'base: copied')
    """
    match source, target:
        case ConditionedFlow(), ConditionedFlow():
            _same_interval(source, target)
            pairs = _pairs(source.flow, target.flow)
            flow = _taken(pairs, source.flow, target.flow)
            slopes = _taken(pairs, source.slopes, target.slopes)
            moved: Any = eqx.tree_at(lambda t: (t.flow, t.slopes), target, (flow, slopes))
        case ConditionedFlow(), _:
            raise UsageError(
                f"The source is conditioned on {source.family.parameter}; choose a value v and give "
                "source.at(v)."
            )
        case _, ConditionedFlow():
            pairs = _pairs(source, target.flow)
            flow = _taken(pairs, source, target.flow)
            slopes = jax.tree.map(lambda slope: 0 * slope, target.slopes)
            moved = eqx.tree_at(lambda t: (t.flow, t.slopes), target, (flow, slopes))
        case _:
            pairs = _pairs(source, target)
            moved = _taken(pairs, source, target)
    fresh = sum(origin is None for _, origin, _ in pairs)
    return Transfer(moved, tuple(line for _, _, line in pairs), len(pairs) - fresh, fresh)


def _same_interval(source: ConditionedFlow, target: ConditionedFlow) -> None:
    one, other = source.family, target.family
    if one.parameter != other.parameter or (one.low, one.high) != (other.low, other.high):
        raise UsageError(
            f"The source was trained for {one.describe_interval}, the target is for "
            f"{other.describe_interval}. Take the same interval, or one value."
        )
    if source.degree != target.degree:
        raise UsageError(f"The polynomials have degree {source.degree} in the source, not {target.degree}.")


# A part of the target, the part of the source that it takes its weights from, and a line about it. Parts are
# numbers in the list of `_parts`.
_Pair = tuple[int, int | None, str]


def _pairs(source: AbstractFlow, target: AbstractFlow) -> list[_Pair]:
    theirs, ours = _parts(source), _parts(target)
    if not _layered(source) or not _layered(target):
        _refuse_difference("layout", theirs[0], ours[0])
        return [(0, 0, "all weights: copied")]
    names, own = _names(source), _names(target)
    _refuse_difference(f"finest level ({names[0]} and {own[0]})", theirs[0], ours[0])
    last = len(theirs) - 1
    pairs: list[_Pair] = []
    for number, part in enumerate(ours[:-1]):
        order = sorted(range(last), key=lambda n: (abs(n - number), n))
        origin = next((n for n in order if _alike(theirs[n], part)), None)
        text = "fresh" if origin is None else f"from {names[origin]}"
        pairs.append((number, origin, f"{own[number]}: {text}"))
    copied = _alike(theirs[-1], ours[-1])
    pairs.append((len(ours) - 1, last if copied else None, f"base: {'copied' if copied else 'fresh'}"))
    return pairs


def _layered(flow: AbstractFlow) -> bool:
    return isinstance(links_of(flow)[0], Hierarchy)


def _parts(flow: Any) -> list[Any]:
    """Levels from the finest on and the base, or the whole bijector; slopes are built like a flow."""
    inner = flow.flow if hasattr(flow, "flow") else flow
    bijector = inner.bijector
    first = bijector.links[0] if isinstance(bijector, Chain) else bijector
    if not isinstance(first, Hierarchy):
        return [first]
    return [*(first.levels[index] for index in reversed(first.level_of)), first.base]


def _names(flow: AbstractFlow) -> list[str]:
    shapes = level_shapes(base_flow(flow).lattice)
    return ["level " + "x".join(map(str, shape)) for shape in reversed(shapes[1:])]


def _taken(pairs: list[_Pair], source: Any, target: Any) -> Any:
    theirs, count = _parts(source), len(_parts(target))
    chosen = {number: theirs[origin] for number, origin, _ in pairs if origin is not None}
    if isinstance(_first(target), Hierarchy):
        # Levels that share weights are one part: the finest of them decides.
        hierarchy = _first(target)
        levels = list(hierarchy.levels)
        for number in reversed(range(count - 1)):
            if number in chosen:
                levels[hierarchy.level_of[count - 2 - number]] = chosen[number]
        base = chosen.get(count - 1, hierarchy.base)
        return eqx.tree_at(
            lambda t: (_first(t).levels, _first(t).base), target, (tuple(levels), base), is_leaf=_is_none
        )
    return eqx.tree_at(_first, target, chosen[0], is_leaf=_is_none)


def _first(flow: Any) -> Any:
    bijector = (flow.flow if hasattr(flow, "flow") else flow).bijector
    return bijector.links[0] if isinstance(bijector, Chain) else bijector


def _is_none(leaf: Any) -> bool:
    return leaf is None


def _shapes(part: PyTree) -> list[tuple[int, ...]]:
    return [leaf.shape for leaf in jax.tree.leaves(eqx.filter(part, eqx.is_array))]


def _alike(one: PyTree, other: PyTree) -> bool:
    return jax.tree.structure(one) == jax.tree.structure(other) and _shapes(one) == _shapes(other)


def _refuse_difference(place: str, source: Any, target: Any) -> None:
    """`UsageError` with the first difference in build, if there is one."""
    if _alike(source, target):
        return
    text = f"the layout is another: {_kinds(source)} and {_kinds(target)}"
    if _kinds(source) == _kinds(target):
        text = _difference(source, target)
    raise UsageError(
        f"The weights do not fit, source and target differ in their {place}: {text}. Train the target with "
        "the flow settings of the source (on a lattice that is not too small for its radius)."
    )


def _kinds(part: Any) -> str:
    links = part.links if isinstance(part, Chain) else (part,)
    return ", ".join(dict.fromkeys(type(link).__name__ for link in links)) or "no maps"


def _difference(source: AbstractBijector, target: AbstractBijector) -> str:
    one, other = (part.links if isinstance(part, Chain) else (part,) for part in (source, target))
    if len(one) != len(other):
        return f"{len(one)} and {len(other)} maps per level (colours, disentanglers)"
    for mine, yours in zip(one, other, strict=True):
        if not isinstance(mine, SiteMap) or not isinstance(yours, SiteMap) or _alike(mine, yours):
            continue
        if mine.period != yours.period:
            return f"the unit cells are {mine.period} and {yours.period}"
        if mine.context != yours.context:
            return f"the contexts (radius) have {len(mine.context)} and {len(yours.context)} sites"
        if jax.tree.structure(mine.scalar) != jax.tree.structure(yours.scalar):
            return f"the scalar maps are {mine.scalar} and {yours.scalar}"
        if len(mine.net.bias) != len(yours.net.bias):
            return f"the networks have {len(mine.net.bias)} and {len(yours.net.bias)} hidden layers (depth)"
        widths = mine.net.bias[0].shape[-1], yours.net.bias[0].shape[-1]
        if widths[0] != widths[1]:
            return f"the widths are {widths[0]} and {widths[1]}"
        if mine.net.odd != yours.net.odd:
            return "only one of them commutes with x -> -x (symmetry)"
    return "the weights have other shapes"
