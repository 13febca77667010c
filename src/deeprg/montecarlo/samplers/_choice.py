"""Which algorithm suits a model, and why."""

from collections.abc import Sequence
from typing import NamedTuple

from deeprg.hamiltonians import (
    XY,
    AbstractHamiltonian,
    Dimers,
    Ising,
    Phi4,
    Potts,
    RandomBondIsing,
    frustrated,
)

__all__ = ["Choice", "choose_algorithm"]


class Choice(NamedTuple):
    """The name of an algorithm and the reason for it."""

    algorithm: str
    reason: str


def choose_algorithm(hamiltonians: Sequence[AbstractHamiltonian]) -> Choice:
    """The algorithm for a model at the given temperatures when the user names none.

    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> choose_algorithm([Ising(Lattice((8, 8)), temperature=2.0)]).algorithm
    'wolff'
    >>> choose_algorithm([Ising(Lattice((8, 8)), temperature=2.0, field=0.1)]).algorithm
    'heat-bath'
    """
    first = hamiltonians[0]
    if isinstance(first, Dimers):
        return Choice("worm", "dimers cannot move one by one; the worm reaches every covering and winding")
    if isinstance(first, Phi4) and first.quartic > 0:
        return Choice(
            "embedded-wolff",
            "clusters of the field's sign hardly slow down; a sweep moves the modulus",
        )
    if isinstance(first, XY):
        return Choice("embedded-wolff", "reflections of clusters turn spins together; they do not slow down")
    if not isinstance(first, Ising | RandomBondIsing | Potts):
        return Choice("nuts", "a continuous field with a gradient; NUTS tunes its own trajectories")
    bonds = first.bonds()
    if bonds.field != 0:
        return Choice("heat-bath", "in a field clusters would be rejected; the heat bath takes any field")
    if frustrated(bonds) or (isinstance(first, Potts) and first.coupling < 0):
        if len(hamiltonians) > 1:
            return Choice(
                "tempering", "frustrated couplings: clusters percolate too early, exchanges leave the valleys"
            )
        return Choice(
            "heat-bath",
            "frustrated couplings: clusters percolate too early (a grid of temperatures would be tempered)",
        )
    if isinstance(first, Potts) and first.states > 4 and first.lattice.ndim == 2:
        return Choice(
            "swendsen-wang",
            "all clusters at once; but beyond 4 states the transition is of first order, and near it no "
            "algorithm here crosses between the phases on a large lattice",
        )
    return Choice("wolff", "single clusters hardly slow down at the critical point and are fast off it")
