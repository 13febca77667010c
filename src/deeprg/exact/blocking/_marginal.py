"""The weight of some spins after the sum over all others, spin by spin."""

import functools
import heapq
from collections.abc import Sequence

import numpy as np

from ...runs.errors import UsageError
from ._action import ActionLike, action_of
from ._states import check_enumerable

__all__ = ["log_marginal"]

_Factor = tuple[tuple[int, ...], np.ndarray]


def log_marginal(action: ActionLike, sites: Sequence[int]) -> np.ndarray:
    """ln sum exp(K) over all spins but those of `sites`, [2^k]; bit i of the index set where sites[i] is -1.

    The other spins are summed one at a time, next the one whose sum joins the fewest spins. The cost is
    that of the largest such table: a few rows on a ring of any length, the width of a strip in 2D.

    Raises `UsageError` for sites that repeat or do not exist, and for a table of more than 24 spins.

    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> ring = Ising(Lattice((100,)), temperature=1 / 0.3)
    >>> weight = log_marginal(ring, [0, 2])  # neighbours after a decimation: K' = 1/2 ln cosh 2K
    >>> round(float(weight[0] - weight[1]) / 2, 9), round(float(np.log(np.cosh(0.6))) / 2, 9)
    (0.085067643, 0.085067643)
    """
    action = action_of(action)
    kept = [int(site) for site in sites]
    if len(set(kept)) < len(kept) or not all(0 <= site < action.size for site in kept):
        raise UsageError(f"The kept sites must be different ones of 0 ... {action.size - 1}, not {kept}.")
    check_enumerable(len(kept), "Keep fewer spins.")
    signs = np.array([1.0, -1.0])
    factors: dict[int, _Factor] = {}  # by number; a spin knows its own, so that a sum touches no others
    owned: list[set[int]] = [set() for _ in range(action.size)]
    joined: list[set[int]] = [set() for _ in range(action.size)]

    def add(number: int, scope: tuple[int, ...], table: np.ndarray) -> None:
        factors[number] = scope, table
        for site in scope:
            owned[site].add(number)
            joined[site].update(scope)

    for number, (scope, value) in enumerate(action.couplings.items()):
        add(number, scope, functools.reduce(np.multiply.outer, [signs] * len(scope), np.full((), value)))
    left = set(range(action.size)) - set(kept)
    queue = [(len(joined[site]), site) for site in left]
    heapq.heapify(queue)
    for number in range(len(factors), len(factors) + len(left)):
        size, site = heapq.heappop(queue)
        while site not in left or size != len(joined[site]):  # an entry from before its spins changed
            size, site = heapq.heappop(queue)
        left.remove(site)
        scope = tuple(sorted(joined[site] - {site}))
        check_enumerable(
            len(scope) + 1, f"The sum over spin {site} joins {len(scope)} others; keep fewer spins."
        )
        total = _sum([factors.pop(own) for own in sorted(owned[site])], (*scope, site))
        for other in scope:
            owned[other] -= owned[site]
            joined[other].discard(site)
        add(number, scope, np.asarray(np.logaddexp(total[..., 0], total[..., 1])))
        for other in left.intersection(scope):
            heapq.heappush(queue, (len(joined[other]), other))
    return np.array(_sum(list(factors.values()), tuple(reversed(kept)))).reshape(-1)  # bit 0: the first site


def _sum(factors: list[_Factor], scope: tuple[int, ...]) -> np.ndarray:
    """The sum of the factors as a table over the spins of `scope`, [2, ..., 2]."""
    total = np.zeros((2,) * len(scope))
    for joined, table in factors:
        places = [scope.index(site) for site in joined]
        order = np.argsort(places)
        shape = [2 if axis in places else 1 for axis in range(len(scope))]
        total += np.transpose(table, order).reshape(shape)
    return total
