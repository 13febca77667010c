"""The couplings of a coarse action by body number and range: symmetry classes, and two ratios."""

import itertools
from dataclasses import dataclass

import numpy as np

from ...lattice import Lattice
from ...runs.errors import UsageError
from ._action import SpinAction
from ._blocked import BlockedAction

__all__ = ["CouplingClass", "coupling_classes", "m_bodyness", "rangeness"]

Sites = tuple[int, ...]
_EQUAL = 1e-9


@dataclass(frozen=True)
class CouplingClass:
    """All couplings that the symmetries of the lattice map onto each other.

    `sites` is a representative, `body` the number of spins, `range` the largest distance between two of
    them (Euclidean, the shortest way around), `count` the number of sets, `mean` and `rms` their average
    coupling and its root mean square, `spread` the difference of the largest and the smallest. `gaps` are
    the distances between successive spins in 1D, l_1 ... l_{m-1} in K_m(l_1, ..., l_{m-1}), None otherwise.
    """

    sites: Sites
    body: int
    range: float
    count: int
    mean: float
    rms: float
    spread: float
    gaps: tuple[int, ...] | None


def coupling_classes(
    action: BlockedAction | SpinAction,
    *,
    max_body: int = 4,
    symmetry: str = "translations",
    tolerance: float | int = 0,
) -> list[CouplingClass]:
    """The couplings of at most `max_body` spins, grouped by symmetry, by body number and then by range.

    `symmetry` "translations" or "point-group" (rotations and reflections too, which rules that treat the
    spins of a block differently can break in couplings of three and more spins). `spread` tells whether the
    group's couplings are indeed equal: they are not for quenched random bonds. Groups with an rms of at
    most `tolerance` are left out.

    Raises `UsageError` when the action has no lattice, and for another symmetry.

    >>> from deeprg.exact.blocking import Majority, Partition, block_exact
    >>> from deeprg.hamiltonians import Ising
    >>> ring = Ising(Lattice((8,)), temperature=1 / 0.3)
    >>> coarse = block_exact(ring, Partition.cubic(ring.lattice, 2), Majority(ties="random"))
    >>> [(c.body, c.gaps, c.count, round(c.mean, 5)) for c in coupling_classes(coarse) if c.body in (2, 4)]
    [(2, (1,), 4, 0.12335), (2, (2,), 2, -0.00924), (4, (1, 1, 1), 1, -0.00017)]
    """
    lattice = _lattice(action)
    moves = _symmetries(lattice, symmetry)
    couplings = action.action.couplings if isinstance(action, BlockedAction) else action.couplings
    done: set[Sites] = set()
    classes = []
    for sites in sorted(couplings, key=lambda key: (len(key), key)):
        if not 0 < len(sites) <= max_body or sites in done:
            continue
        images = {tuple(sorted(image)) for image in moves[:, list(sites)].tolist()}
        done |= images
        values = np.array([couplings.get(image, 0.0) for image in images])
        rms = float(np.sqrt(np.mean(values**2)))
        if rms <= tolerance:
            continue
        representative = min(images, key=lambda image: (image[-1], image))
        classes.append(
            CouplingClass(
                representative,
                len(sites),
                _range(lattice, representative),
                len(images),
                float(values.mean()),
                rms,
                float(np.ptp(values)),
                tuple(int(gap) for gap in np.diff(representative)) if lattice.ndim == 1 else None,
            )
        )
    return sorted(classes, key=lambda one: (one.body, one.range, one.sites))


def rangeness(action: BlockedAction | SpinAction) -> float:
    """K_2(2)/K_2(1): the next-nearest-neighbour coupling over the nearest-neighbour coupling.

    How much the range grew (Lenggenhager, Gokmen, Ringel, Huber, Koch-Janusz, arXiv:1809.09632, for chains,
    where K_2(l) couples two spins at distance l). In 2D: the coupling of the second shell, (1, 1), over the
    first.

    Raises `UsageError` without a lattice, on one too small to have two shells, for couplings that differ from
    site to site by more than 1e-9 of the largest (there read `coupling_classes`), and when K_2(1) = 0.

    >>> from deeprg.exact.blocking import Majority, Partition, block_exact
    >>> from deeprg.hamiltonians import Ising
    >>> ring = Ising(Lattice((16,)), temperature=10.0)
    >>> coarse = block_exact(ring, Partition.cubic(ring.lattice, 2), Majority(ties="random"))
    >>> round(rangeness(coarse), 6)
    -0.020228
    """
    nearest, second = _shells(_lattice(action))
    return _ratio(action, second, nearest)


def m_bodyness(action: BlockedAction | SpinAction) -> float:
    """K_4(1, 1, 1)/K_2(1): the coupling of four consecutive spins over the nearest-neighbour coupling.

    How much couplings of many spins grew (arXiv:1809.09632, for chains). In 2D: the four spins of a
    plaquette.

    Raises `UsageError` as `rangeness`, and when the lattice has no four such spins.

    >>> from deeprg.exact.blocking import Majority, Partition, block_exact
    >>> from deeprg.hamiltonians import Ising
    >>> ring = Ising(Lattice((16,)), temperature=10.0)
    >>> coarse = block_exact(ring, Partition.cubic(ring.lattice, 2), Majority(ties="random"))
    >>> round(m_bodyness(coarse), 8)
    -2.47e-05
    """
    lattice = _lattice(action)
    nearest, _ = _shells(lattice)
    if lattice.ndim == 1:
        four = [tuple((start + k) % lattice.size for k in range(4)) for start in range(lattice.size)]
    else:
        sites = np.arange(lattice.size).reshape(lattice.shape)
        corners = [np.roll(sites, shift, (0, 1)).ravel() for shift in itertools.product((0, -1), repeat=2)]
        four = list(zip(*(corner.tolist() for corner in corners), strict=True))
    groups = {tuple(sorted(group)) for group in four if len(set(group)) == 4}
    if not groups:
        raise UsageError(f"The lattice {lattice} has no four different spins in a row or plaquette.")
    return _ratio(action, sorted(groups), nearest)


def _lattice(action: BlockedAction | SpinAction) -> Lattice:
    if action.lattice is None:
        raise UsageError(
            "The range of a coupling needs the coarse lattice: use Partition.cubic or Partition(.., lattice)."
        )
    return action.lattice


def _symmetries(lattice: Lattice, symmetry: str) -> np.ndarray:
    """Where every symmetry sends the sites, [symmetries, size]."""
    sites = np.arange(lattice.size).reshape(lattice.shape)
    if symmetry not in ("translations", "point-group"):
        raise UsageError(f"The symmetry is 'translations' or 'point-group', not '{symmetry}'.")
    group = lattice.point_group() if symmetry == "point-group" else lattice.point_group()[:1]
    shifts = itertools.product(*(range(extent) for extent in lattice.shape))
    turned = [element(sites) for element in group]
    return np.stack([lattice.translate(x, shift).ravel() for shift in shifts for x in turned])


def _range(lattice: Lattice, sites: Sites) -> float:
    if len(sites) < 2:
        return 0.0
    distances = lattice.distances().ravel()[lattice.displacements()]
    return float(max(distances[i, j] for i, j in itertools.combinations(sites, 2)))


def _shells(lattice: Lattice) -> tuple[list[Sites], list[Sites]]:
    """The pairs at the smallest and at the second smallest distance."""
    if lattice.ndim > 2:
        raise UsageError(f"Rangeness and m-bodyness are defined in 1D and 2D, not on {lattice}.")
    distances = lattice.distances().ravel()[lattice.displacements()]
    pairs = list(itertools.combinations(range(lattice.size), 2))
    squares = [round(float(distances[pair]) ** 2) for pair in pairs]
    wanted = (1, 4) if lattice.ndim == 1 else (1, 2)
    nearest, second = ([p for p, square in zip(pairs, squares, strict=True) if square == w] for w in wanted)
    if not second or not nearest:
        raise UsageError(f"The lattice {lattice} has no next-nearest neighbours; take a larger one.")
    return nearest, second


def _ratio(action: BlockedAction | SpinAction, above: list[Sites], below: list[Sites]) -> float:
    """The coupling of the sets `above` over that of the sets `below`; each must be one number."""
    if isinstance(action, BlockedAction):
        groups = [np.array([action.coupling(*sites) for sites in sets]) for sets in (above, below)]
    else:
        groups = [np.array([action.couplings.get(sites, 0.0) for sites in sets]) for sets in (above, below)]
    largest = max(float(np.abs(group).max()) for group in groups)
    if any(np.ptp(group) > _EQUAL * largest for group in groups):
        raise UsageError(
            "The couplings at one distance differ from site to site (random bonds, or unequal axes); read "
            "their mean, rms and spread from coupling_classes."
        )
    if not abs(groups[1].mean()) > 0:
        raise UsageError("The nearest-neighbour coupling vanishes, so that there is nothing to compare with.")
    return float(groups[0].mean() / groups[1].mean())
