"""What held of NeuralRG: every verdict is computed from the numbers by a rule that is written beside it."""

import math

import numpy as np

from deeprg.report.study import Claim
from deeprg.studies._neural_rg_find import Findings

__all__ = [
    "claims",
    "judge_approach",
    "judge_bound",
    "judge_couplings",
    "judge_information",
    "judge_speed",
]

_PAPER = "Li & Wang 2018"
_TALK = "Wang, talk"
_OWN = "control, not in the paper"
_RELATIVE = 0.005  # of the free energy, what the authors' own runs reach at T_c
_PULL = 3.5


def claims(found: Findings) -> list[Claim]:
    """The claims of the paper and the talk, and controls."""
    latent, physical = found.courses["latent-hmc"], found.courses["hmc"]
    return [
        *(
            judge_bound(name, flow.gap, flow.summary.free_energy_error, flow.exact.free_energy)
            for name, flow in found.flows.items()
        ),
        judge_information(
            {name: maps.largest for name, maps in found.information.items()},
            {name: maps.latent.null_error for name, maps in found.information.items()},
        ),
        _scales(found),
        _wavelets(found),
        judge_approach(
            latent.mean("magnetization_squared"), physical.mean("magnetization_squared"), *found.mean_square
        ),
        judge_speed(
            latent.estimate("abs_magnetization").tau_int,
            physical.estimate("abs_magnetization").tau_int,
            short=physical.estimate("abs_magnetization").short,
        ),
        judge_couplings(
            {
                name: [row.fit.by_name()["y y (1)"] for row in rows if "y y (1)" in row.fit.by_name()]
                for name, rows in found.couplings.items()
            }
        ),
        _removed(found),
        _range(found),
        _wolff(found),
    ]


def judge_bound(name: str, gap: float, error: float, exact: float) -> Claim:
    """F bounds -ln Z from above, and comes within half a percent of it."""
    return Claim(
        f"The variational free energy bounds the exact one from above and comes within 0.5 % (flow {name})",
        _PAPER,
        f"gap {gap:.4f} ± {error:.4f} nats, {abs(gap / exact):.3%} of F = {exact:.3f}",
        gap > -_PULL * error and abs(gap / exact) <= _RELATIVE,
    )


def judge_information(largest: dict[str, tuple[float, float]], noise: dict[str, float]) -> Claim:
    """Latents share less pairwise information than sites, by a factor of six as in the paper's figure."""
    text = "; ".join(
        f"{name}: {before:.3f} nats between sites, {after:.3f} between latents (noise {noise[name]:.3f})"
        for name, (before, after) in largest.items()
    )
    return Claim(
        "Latent variables are nearly independent: at most 0.085 nats between two of them, 0.53 between sites",
        _PAPER,
        f"{text}; to count: six times less in every flow",
        all(after <= before / 6 for before, after in largest.values()),
    )


def _scales(found: Findings) -> Claim:
    rows = {name: reach.by_scale("participation")[0] for name, reach in found.reach.items()}
    text = "; ".join(f"{name}: {', '.join(f'{v:.1f}' for v in values)}" for name, values in rows.items())
    return Claim(
        "Latents of finer scales control smaller regions of the field",
        _PAPER,
        f"sites that a latent moves, coarse to fine: {text}; to count: each scale fewer than the one before",
        all(bool(np.all(np.diff(values) < 0)) for values in rows.values()),
    )


def _wavelets(found: Findings) -> Claim:
    lobes = {}
    for name, kernels in found.kernels.items():
        finest, error = kernels.mean[-1], kernels.error[-1]
        peak = np.unravel_index(np.argmax(np.abs(finest)), finest.shape)
        against = -np.sign(finest[peak]) * finest
        deepest = np.unravel_index(np.argmax(against), finest.shape)
        lobes[name] = (float(against[deepest] / abs(finest[peak])), float(against[deepest] / error[deepest]))
    text = "; ".join(
        f"{name}: {share:.3f} of the peak ({pull:.0f} errors)" for name, (share, pull) in lobes.items()
    )
    return Claim(
        "The kernels of the finest latents alternate in sign, like wavelets",
        _PAPER,
        f"the deepest value of the opposite sign is {text}; to count: a tenth of the peak in every flow",
        all(share >= 0.1 and pull > 5 for share, pull in lobes.values()),
    )


def judge_approach(
    latent: tuple[np.ndarray, np.ndarray],
    physical: tuple[np.ndarray, np.ndarray],
    exact: float,
    error: float = 0.0,
) -> Claim:
    """Cold latents have ⟨m²⟩ within 200 trajectories, sooner than fields of white noise."""
    when = next(
        (t for t in range(10, len(latent[0]) + 1) if _near(latent, exact, error, slice(t - 10, t))), None
    )
    later = next(
        (t for t in range(10, len(physical[0]) + 1) if _near(physical, exact, error, slice(t - 10, t))), None
    )
    at = min(490, len(physical[0])) - 1
    return Claim(
        "Chains in the latents reach equilibrium sooner than chains of the field",
        _PAPER,
        f"from cold latents and fields of noise, ten trajectories in a row within {_PULL:g} errors of "
        f"⟨m²⟩ = {exact:.4f}: after "
        f"{_count(when)} in the latents, after {_count(later)} of the field "
        f"({physical[0][at]:.3f} ± {physical[1][at]:.3f} after {at + 1})",
        when is not None and when <= 200 and (later is None or later > when),
    )


def _near(course: tuple[np.ndarray, np.ndarray], exact: float, error: float, part: slice) -> bool:
    return bool(np.all(np.abs(course[0][part] - exact) <= _PULL * np.hypot(course[1][part], error)))


def _count(steps: int | None) -> str:
    return "more than there were" if steps is None else str(steps)


def judge_speed(latent: float, physical: float, *, short: bool) -> Claim:
    """tau_int of |m| in the latents at most a twentieth."""
    sign = ">" if short else "="
    return Claim(
        "In the latents the magnetization forgets itself at least 20 times sooner than in the field",
        _OWN,
        f"τ_int of |m| {latent:.2f} against {sign} {physical:.1f}: {physical / latent:.0f} times less",
        latent <= physical / 20,
        asserted=False,
    )


def judge_couplings(flows: dict[str, list[tuple[float, float]]]) -> Claim:
    """The pair coupling of the normalised field grows under coarse-graining below T_c and falls above."""
    ratios = {}
    for name, values in flows.items():
        (first, first_error), (last, last_error) = values[0], values[-1]
        error = abs(last / first) * math.hypot(first_error / first, last_error / last)
        ratios[name] = (last / first, error)
    text = "; ".join(f"{name}: {value:.2f} ± {error:.2f}" for name, (value, error) in ratios.items())
    ordered = [ratios[name][0] for name in sorted(ratios, key=_temperature)]
    return Claim(
        "The renormalised nearest-neighbour coupling flows apart on the two sides of T_c",
        _TALK,
        f"coarsest over finest level: {text}; to count: the lower the temperature, the larger",
        bool(np.all(np.diff(ordered) < 0)),
    )


def _temperature(name: str) -> float:
    return 2.269185 if name == "T_c" else float(name.removeprefix("T = "))


def _removed(found: Findings) -> Claim:
    rows = {name: maps.removed for name, maps in found.information.items()}
    text = "; ".join(f"{name}: {row.value:.2f} ± {row.error:.2f} nats" for name, row in rows.items())
    default, original = rows["default"], rows["original"]
    error = math.hypot(default.error, original.error)
    return Claim(
        "The default flow removes at least as much total correlation as the original",
        _OWN,
        text,
        default.value > original.value - _PULL * error,
        asserted=False,
    )


def _range(found: Findings) -> Claim:
    levels = found.couplings["T_c"][1:]
    text = "; ".join(
        f"{'x'.join(map(str, row.shape))}: {row.fit.explained:.1%}, {row.fit.residual:.2g} nats left"
        for row in levels
    )
    return Claim(
        "Pairs up to distance 2 and four-body terms of neighbours make up the renormalised energies at T_c",
        _OWN,
        f"{text}; to count: 95 % at every level",
        all(row.fit.explained >= 0.95 for row in levels) if levels else None,
        asserted=False,
    )


def _wolff(found: Findings) -> Claim:
    costs = {
        name: course.seconds_per_independent_sample("abs_magnetization")
        for name, course in found.courses.items()
    }
    text = "; ".join(f"{name} {1e3 * cost:.3g} ms" for name, cost in costs.items())
    return Claim(
        "An independent sample costs less time in the latents than in the field, and less than by clusters",
        _OWN,
        f"{text} (without training)",
        costs["latent-hmc"] < min(cost for name, cost in costs.items() if name != "latent-hmc"),
        asserted=False,
    )
