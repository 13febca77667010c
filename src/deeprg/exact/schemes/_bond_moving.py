"""Schemes that sum spins exactly after bonds have been moved: Migdal-Kadanoff, Maris-Kadanoff, the chain."""

import dataclasses
import functools
import math
from typing import Any

from ...runs.errors import UsageError
from ._arrays import log_cosh, namespace
from ._decimation import decimate_ising_chain, decimate_potts_chain, decimate_square
from ._known import chain_log_partition, known_values, square_log_partition
from ._scheme import Scheme

__all__ = ["decimation_1d", "maris_kadanoff", "migdal_kadanoff"]

_LATTICES = {1: "chain", 2: "square", 3: "cubic"}
_DIMENSIONS, _SCALES = (1, 10), (1.001, 64)  # nearer to b = 1 a flow takes forever
_FROZEN = 10.0  # exp[2 (K - K')] of a row of b bonds is b to the last bit from here on


@functools.lru_cache(maxsize=256)
def migdal_kadanoff(dimension: float | int = 2, scale: float | int = 2, states: int = 2) -> Scheme:
    """Bonds of a hypercubic block are moved onto its edges, then the edges are decimated.

    K' = D_b(b^(d-1) K), where D_b sums the inner spins of b bonds in a row: tanh D_b(K) = tanh^b K for Ising
    spins; with d = b = 2, K' = 1/2 ln cosh 4K. Exact at d = 1. For b -> 1 and d = 2 the critical coupling is
    exact, by self-duality. Moving bonds can only raise ln Z (the moved bonds average to zero in the
    translation-invariant state, so Jensen's inequality applies): the free energy is a lower bound.

    Field: h sum s is written as h/(2d) (s + s') on every bond and moved with it (the moved fields average to
    zero too). The row of b bonds k = b^(d-1) K gives to first order in h

    h' = b^(d-1) exp[2 (k - K')] h = b^(d-1) (1 + t)(1 - t^b)/[(1 - t)(1 + t^b)] h,   t = tanh k,

    which is b^d for K -> infinity, and y_h -> (d - 1)(1 + 2 K*) for b -> 1. For q > 2 a field is not closed:
    it creates couplings delta(s, s') delta(s, 0), and y_h is left open. A. A. Migdal, Sov. Phys. JETP 42, 743
    (1976); L. P. Kadanoff, Ann. Phys. 100, 359 (1976).

    Args:
        dimension: d from 1 to 10, also fractional.
        scale: b from 1.001 to 64, also fractional; the free energy needs a whole b.
        states: 2 for Ising spins with K sum s s', q > 2 for Potts spins with K sum delta(s, s').

    Raises:
        UsageError: a dimension or a scale out of range, fewer than 2 states.

    >>> cube = migdal_kadanoff(dimension=3)
    >>> float(cube([0.1])[0]).__round__(6), float(cube.magnetic(cube.vector(0.1))).__round__(6)
    (0.145377, 6.656147)
    """
    if not _DIMENSIONS[0] <= dimension <= _DIMENSIONS[1]:
        raise UsageError(f"dimension = {dimension} must be between 1 and 10, such as 2.")
    if not _SCALES[0] <= scale <= _SCALES[1]:
        raise UsageError(f"scale = {scale} must be between 1.001 (the limit b -> 1) and 64, such as 2.")
    if states < 2:
        raise UsageError(f"states = {states} must be at least 2.")
    strength = float(scale) ** (dimension - 1)

    def edge(couplings: Any) -> tuple[Any, Any]:
        if states == 2:
            return decimate_ising_chain(strength * couplings, scale)
        return decimate_potts_chain(strength * couplings, states, scale)

    def magnetic(couplings: Any) -> Any:
        xp = namespace(couplings)
        k = xp.minimum(couplings[0], _FROZEN / strength)
        gain = xp.exp(2 * (strength * k - edge(k)[0]))
        return strength * xp.where(couplings[0] > k, scale, gain)

    def constant(couplings: Any) -> Any:
        alone = scale**dimension - 1 - dimension * (scale - 1)  # spins of a block that lose all bonds
        return (dimension * edge(couplings)[1][0] + alone * math.log(states)) / scale**dimension

    lattice = _LATTICES.get(dimension, f"hypercubic, d = {dimension:g}")  # pyright: ignore
    whole = float(scale).is_integer() and float(dimension).is_integer()
    exact = {1: chain_log_partition, 2: square_log_partition}.get(dimension)  # pyright: ignore
    inner = "K" if dimension == 1 else f"{strength:g} K"
    if states > 2:
        ratio = f"r = [(e^k - 1)/(e^k + {states - 1})]^{scale:g}, k = {inner}"
        formula = f"K' = ln[(1 + {states - 1} r)/(1 - r)], {ratio}"
    elif scale == 2:
        formula = f"K' = 1/2 ln cosh {2 * strength:g}K"
    else:
        formula = f"tanh K' = tanh^{scale:g}({inner})"
    return Scheme(
        name="migdal-kadanoff",
        title="Migdal-Kadanoff bond moving"
        + (f", {states}-state Potts" if states > 2 else "")
        + (f", d = {dimension:g}, b = {scale:g}" if (dimension, scale) != (2, 2) else ""),
        couplings=("K",),
        scale=float(scale),
        dimension=float(dimension),
        lattice=lattice,
        recursion=lambda couplings: edge(couplings)[0],
        formula=formula,
        source="A. A. Migdal, Sov. Phys. JETP 42, 743 (1976); L. P. Kadanoff, Ann. Phys. 100, 359 (1976)",
        magnetic=magnetic if states == 2 else None,
        field_note="" if states == 2 else "a field creates couplings delta(s, s') delta(s, 0)",
        constant=constant if whole else None,
        cold=functools.partial(_cold, scale=scale) if dimension == 1 and states == 2 else None,
        exact=known_values(lattice, states),
        log_partition=exact if states == 2 else None,
    )


@functools.lru_cache(maxsize=64)
def decimation_1d(scale: float | int = 2) -> Scheme:
    """Of every b spins of the Ising chain b - 1 are summed: for b = 2, K' = 1/2 ln cosh 2K. Exact.

    The only fixed points are K = 0 and K = infinity. At the latter w = exp(-2K) grows as w' = 2 w/(1 + w^2),
    so y_t = 1 in w (the correlation length is exp(2K)/2), and dh'/dh = 1 + tanh 2K -> 2, y_h = 1 = d.

    Raises:
        UsageError: a scale out of the range of `migdal_kadanoff`.

    >>> float(decimation_1d()([0.3])[0]).__round__(5)
    0.08507
    """
    return dataclasses.replace(
        migdal_kadanoff(1, scale),
        name="decimation-1d",
        title="decimation of the chain" + (f", b = {scale:g}" if scale != 2 else ""),
        source="D. R. Nelson, M. E. Fisher, Ann. Phys. 91, 226 (1975)",
    )


def _cold(w: Any, scale: float | int) -> Any:
    """The chain in w = exp(-2K): tanh K = (1 - w)/(1 + w), so w' = (1 - r)/(1 + r) with r = tanh^b K."""
    xp = namespace(w)
    power = scale * (xp.log1p(-w) - xp.log1p(w))
    return -xp.expm1(power) / (1 + xp.exp(power))


@functools.lru_cache(maxsize=1)
def maris_kadanoff() -> Scheme:
    """One sublattice is summed exactly; the diagonal coupling is added to the nearest, the quartet dropped.

    K' = K1' + K2' = 3/8 ln cosh 4K, b = sqrt 2, with K1', K2' and the constant of `decimate_square`. No field
    is published, and the choice matters: with `decimate_square_field` y_h is 2.34 where the triples are
    dropped, 1.95 where they are added to the field. H. J. Maris, L. P. Kadanoff, Am. J. Phys. 46, 652 (1978).

    >>> float(maris_kadanoff()([0.50698])[0]).__round__(5)
    0.50698
    """

    def constant(couplings: Any) -> Any:
        return decimate_square(couplings).constant[0] / 2

    return Scheme(
        name="maris-kadanoff",
        title="Maris-Kadanoff sublattice decimation",
        couplings=("K",),
        scale=math.sqrt(2),
        dimension=2.0,
        lattice="square",
        recursion=lambda couplings: 3 / 8 * log_cosh(4 * couplings),
        formula="K' = 3/8 ln cosh 4K",
        source="H. J. Maris, L. P. Kadanoff, Am. J. Phys. 46, 652 (1978)",
        field_note="the scheme does not say what becomes of the three-spin couplings that a field creates",
        constant=constant,
        exact=known_values("square"),
        log_partition=square_log_partition,
    )
