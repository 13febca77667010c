"""What held of real-space mutual information: verdicts by rules that are written beside them."""

import math
from collections.abc import Sequence

import numpy as np

from deeprg.montecarlo.information import InformationEstimate
from deeprg.probes import Stability
from deeprg.report.study import Claim
from deeprg.studies._kjr_find import CHAIN, EXACT, SPECTATORS, SQUARE, Findings

__all__ = ["claims", "judge_chain", "judge_dimers", "judge_exponent", "judge_spectators", "judge_square"]

_PAPER, _LATER, _OWN = "Koch-Janusz & Ringel 2018", "Lenggenhager et al. 2020", "control, not in the papers"
_ERRORS = 3.0
_UNIFORM, _SINGLE = 1.5, 2.0
_IGNORED, _OVERLAP, _ANGLE = 0.05, 0.95, 45.0
_NEAR = 0.02


def claims(found: Findings) -> list[Claim]:
    """The claims of the papers, then a control of the estimates."""
    return [
        judge_square(found.weights(SQUARE)[0], found.found[SQUARE].retained),
        judge_spectators(found.weights(SPECTATORS)[0].reshape(4, 2)),
        judge_dimers(found.overlap, found.angle),
        judge_exponent(found.exponents),
        judge_chain(found.weights(CHAIN)[0], found.found[CHAIN].retained, found.chain),
        _estimates(found),
    ]


def judge_square(weights: np.ndarray, kept: InformationEstimate) -> Claim:
    """A uniform filter."""
    ratio = float(np.abs(weights).max() / np.abs(weights).min())
    same = bool(np.all(np.sign(weights) == np.sign(weights[0])))
    return Claim(
        "One hidden unit for 2x2 Ising spins learns the block spin, a uniform filter",
        _PAPER,
        f"largest over smallest weight {ratio:.2f}, signs {'equal' if same else 'differ'}; it keeps "
        f"{kept.value:.4f} ± {kept.error:.4f} nats (majority {EXACT['majority']:.4f}, I(V:E) "
        f"{EXACT['present']:.4f}); to count: ratio below {_UNIFORM:g}",
        same and ratio < _UNIFORM,
    )


def judge_spectators(weights: np.ndarray) -> Claim:
    """`weights` [site, component], component 1 of the independent spins."""
    share = float((weights[:, 1] ** 2).sum() / (weights**2).sum())
    return Claim(
        "Spins that are coupled to nothing are ignored",
        _PAPER,
        f"{share:.2%} of the squared weights are theirs; to count: at most {_IGNORED:.0%}",
        share <= _IGNORED,
    )


def judge_dimers(overlap: Sequence[float], angle: float) -> Claim:
    """Both hidden units read a height gradient, and not the same one.

    Each site has one dimer, so that many filters read the same: the fields are compared, not the weights.
    """
    text = " and ".join(f"{value:.3f}" for value in overlap)
    return Claim(
        "Two hidden units for dimers learn the height gradients, the electric fields",
        _PAPER,
        f"correlation of what the units read with the two gradients {text}, {angle:.0f} degrees apart; "
        f"to count: {_OVERLAP:g} each and {_ANGLE:g} degrees",
        min(overlap) >= _OVERLAP and angle >= _ANGLE,
    )


def judge_exponent(steps: Sequence[Stability]) -> Claim:
    """1/nu = y_T of the second step within a tolerance and three errors of 1."""
    last = [step for step in steps if not step.odd][-1]
    y, error = float(last.exponents[-1, 0]), float(last.errors[-1, 0])
    return Claim(
        "The rule gives the exponent of the correlation length, nu = 1",
        _PAPER,
        f"y_T = 1/nu = {y:.4f} ± {error:.4f} by Monte Carlo RG on {last.fine}; to count: within {_NEAR:g} "
        f"and {_ERRORS:g} errors",
        abs(y - 1) <= _NEAR + _ERRORS * error,
    )


def judge_chain(weights: np.ndarray, kept: InformationEstimate, exact: dict[str, float]) -> Claim:
    """One spin of the two, with the information of decimation and more than that of the majority."""
    large, small = np.sort(np.abs(weights))[::-1]
    ratio = float(large / small) if small else math.inf
    near = abs(kept.value - exact["decimation"]) <= _ERRORS * kept.error
    more = kept.value > exact["majority"] + _ERRORS * kept.error
    return Claim(
        "In one dimension the rule of most information is decimation",
        _LATER,
        f"largest over smallest weight {ratio:.1f} (a sign is decided by one spin above 1); it keeps "
        f"{kept.value:.5f} ± {kept.error:.5f} nats (decimation {exact['decimation']:.5f}, majority "
        f"{exact['majority']:.5f}); to count: ratio {_SINGLE:g} and the information of decimation",
        ratio >= _SINGLE and near and more,
    )


def _estimates(found: Findings) -> Claim:
    rows = {name: (kept, EXACT[name]) for name, kept in found.rules.items()}
    text = ", ".join(f"{n} {k.value:.4f} ± {k.error:.4f} ({exact:.4f})" for n, (k, exact) in rows.items())
    return Claim(
        "The estimates meet the exact information of fixed rules, to one per cent",
        _OWN,
        f"6x6 at T_c, nats: {text}",
        all(abs(k.value - exact) <= 0.01 * exact + _ERRORS * k.error for k, exact in rows.values()),
        asserted=False,
    )
