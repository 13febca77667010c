"""What held of the classical MERA: every verdict is computed from the numbers by a rule beside it."""

from collections.abc import Mapping, Sequence

from deeprg.report.study import Claim
from deeprg.studies._beny_find import Findings, Trained

__all__ = ["RIVAL", "claims", "judge_chain", "judge_fields", "judge_rival", "judge_tables"]

_PAPER = "Bény 2013"
_RIVAL = "Singha et al. 2025"
_OWN = "control, not in the paper"
_ROUNDING, _GOOD = 1e-5, 0.9

# Singha et al., arXiv:2503.08918, from the logs of its public code: KL in nats and ESS at β = 0.44.
RIVAL = {8: (0.0019, 0.996), 16: (0.026, 0.949), 32: (0.037, 0.926), 64: (0.48, 0.371)}


def claims(found: Findings) -> list[Claim]:
    """The claims of the paper, the rival's, then controls."""
    return [
        judge_chain(found.chain, found.settings.chain),
        judge_tables(found.tables),
        judge_rival(found.networks),
        _sampling(found),
        _colours(found),
        judge_fields(found.fields),
    ]


def judge_chain(divergence: float, spins: int) -> Claim:
    """The ring without sampling."""
    return Claim(
        "Where local correlations fix the distribution, explicit probabilities teach it: a chain",
        _PAPER,
        f"F + ln Z = {divergence:.1e} nats for a ring of {spins} spins; to count: below {_ROUNDING:g}",
        abs(divergence) < _ROUNDING,
    )


def judge_tables(tables: Mapping[int, Trained]) -> Claim:
    """Local tables in two dimensions."""
    parts = [
        f"L = {size}: {one.divergence:.3f} ± {one.error:.3f} nats, ESS {one.ess:.3f}"
        for size, one in tables.items()
    ]
    return Claim(
        "A network of local conditional tables represents the critical Ising model in two dimensions",
        "open in Bény 2013",
        f"{'; '.join(parts)}; to count: an ESS of {_GOOD:g} at every size",
        all(one.ess >= _GOOD for one in tables.values()),
        asserted=False,
    )


def judge_rival(networks: Mapping[int, Trained]) -> Claim:
    """Against the published numbers on the same lattices."""
    parts, better = [], []
    for size, one in networks.items():
        kl, ess = RIVAL[size]
        parts.append(
            f"L = {size}: KL {one.divergence:.4f} ± {one.error:.4f} ({kl:g}), ESS {one.ess:.4f} ({ess:g})"
        )
        better.append(one.ess >= ess and one.divergence - 3 * one.error <= kl)
    return Claim(
        "A coarse-to-fine network with a last heat bath has the published weights, or better",
        _RIVAL,
        f"{'; '.join(parts)}, in brackets the published ones",
        all(better),
    )


def _sampling(found: Findings) -> Claim:
    """Two ways to the same free energy."""
    pulls = {
        size: (one.divergence - found.exact_tables[size]) / one.error for size, one in found.tables.items()
    }
    weights = {size: one.pull for size, one in (*found.tables.items(), *found.networks.items())}
    parts = [f"L = {size}: {pull:+.1f}" for size, pull in pulls.items()]
    worst = max(weights.values(), key=abs)
    return Claim(
        "Free energies by marginals in causal cones and by draws agree, and weights give Kaufman's ln Z",
        _OWN,
        f"marginals against draws, in errors: {', '.join(parts)}; ln Z at most {worst:+.1f} errors off; "
        "to count: 4",
        all(abs(x) < 4 for x in (*pulls.values(), *weights.values())),
        asserted=False,
    )


def _colours(found: Findings) -> Claim:
    """What it costs to draw neighbouring centres independently."""
    ((size, plain),) = found.one_colour.items()
    full = found.networks[size]
    return Claim(
        "Spins of one fill must not be neighbours: with one colour the network stops short",
        _OWN,
        f"L = {size}: ESS {plain.ess:.4f} with one colour, {full.ess:.4f} with four, as many steps",
        plain.ess < full.ess and plain.divergence > 3 * full.divergence,
        asserted=False,
    )


def judge_fields(fields: Mapping[str, Sequence[float]]) -> Claim:
    """The tables of successive levels at T_c and away from it."""
    critical, hot = fields.values()
    ratio = lambda levels: levels[-1] / levels[0]
    parts = [f"{name}: {', '.join(f'{h:.3f}' for h in levels)}" for name, levels in fields.items()]
    return Claim(
        "At T_c the tables of successive scales are alike, above it they fade",
        _OWN,
        f"field of a spin amid four up, by level: {'; '.join(parts)}; to count: the last at least 0.8 of the "
        "first at T_c, at most 0.5 above",
        ratio(critical) >= 0.8 and ratio(hot) <= 0.5,
        asserted=False,
    )
