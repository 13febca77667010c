"""Networks of a small lattice as the start of a larger one."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...runs.errors import UsageError
from ..flow import ContextNet
from ._conditional import SpinTable
from ._mera import ClassicalMERA
from ._order import Places

__all__ = ["grown"]

Conditional = ContextNet | SpinTable


def grown(small: ClassicalMERA, large: ClassicalMERA) -> ClassicalMERA:
    """`large` with the networks of `small`, level by level, counted from the finest.

    The physics of a scale does not depend on the extent of the lattice. A level that `small` does not have
    takes the networks of its coarsest one. A fill takes those of the fill of the same site of the cell, the
    weights of each spin seen from those of the spin at the same displacement; what `small` does not see, for
    its torus is too small, gets weights of zero, and a fill that it does not have stays as it is. The table
    of the coarsest lattice is copied where it has the same shape.

    Raises `UsageError` where networks differ in width, depth or symmetry, or tables meet networks.

    >>> import jax
    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> small, large = (
    ...     ClassicalMERA(Ising(Lattice((n, n)), 2.5), reach=2.0, key=jax.random.key(n)) for n in (8, 16)
    ... )
    >>> model = grown(small, large)
    >>> bool((model.levels[0][0].direct == small.levels[0][0].direct).all())
    True
    """
    levels = []
    for number, level in enumerate(large.levels):
        source = list(small.conditionals(min(number, len(small.levels) - 1)))
        levels.append([_taken(source, net, places) for net, places in large.conditionals(number)])
        assert len(levels[-1]) == len(level)
    top = small.top if small.top.shape == large.top.shape else large.top
    return eqx.tree_at(lambda m: (m.levels, m.top), large, (levels, top))


def _taken(source: list[tuple[Conditional, Places]], net: Conditional, places: Places) -> Conditional:
    """The conditional of the fill in the source that is most like this one, seeing what this one sees."""
    same = [(mine, theirs) for mine, theirs in source if theirs.offset == places.offset]
    if not same:
        return net
    mine, theirs = next((pair for pair in same if pair[1].colour == places.colour), same[-1])
    if isinstance(mine, SpinTable) or isinstance(net, SpinTable):
        match mine, net:
            case SpinTable(), SpinTable() if mine.values.shape == net.values.shape and mine.odd == net.odd:
                return mine
        raise UsageError(
            "Tables pass to tables of as many neighbours and the same symmetry only, not to networks, nor "
            "networks to tables: give both or neither --tables (reach=None)."
        )
    shapes = [[w.shape for w in (*n.mix_even, *n.mix_odd[1:], n.bias[0])] for n in (mine, net)]
    if shapes[0] != shapes[1] or mine.odd != net.odd:
        raise UsageError(
            f"Networks of width {len(mine.bias[0])} and depth {len(mine.bias)} do not pass to width "
            f"{len(net.bias[0])} and depth {len(net.bias)}, nor between models with and without a symmetry. "
            "Give both the same."
        )
    columns = {tuple(step): j for j, step in enumerate(theirs.away.tolist())}
    index = np.array([columns.get(tuple(step), -1) for step in places.away.tolist()])
    seen = [_columns(weights, index) for weights in (mine.mix_odd[0], mine.direct)]
    return eqx.tree_at(lambda n: (n.mix_odd[0], n.direct), mine, seen)


def _columns(weights: Float[Array, "rows _"], index: np.ndarray) -> Float[Array, "rows c"]:
    return jnp.where(index >= 0, weights[:, np.maximum(index, 0)], jnp.zeros((), weights.dtype))
