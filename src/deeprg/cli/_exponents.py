"""What `deeprg rg exponents` does."""

from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np

from deeprg.cli._boltzmann_data import Configurations, with_data
from deeprg.cli._console import next_step, print_json, say
from deeprg.cli._figures import check_figure, write_figure
from deeprg.cli._probing import one_temperature
from deeprg.cli._rule_text import rule_options
from deeprg.cli._table import text_table, with_error
from deeprg.coarsegrain import BLOCK_RULES, AbstractCoarseGraining, SpinFilter, build_block_rule
from deeprg.hamiltonians import critical_point
from deeprg.lattice import Lattice
from deeprg.probes import Stability, monte_carlo_rg, most_steps
from deeprg.report.exponents import plot_exponents
from deeprg.report.style import figure, style
from deeprg.runs.errors import UsageError, nearest
from deeprg.runs.folder import SCHEMA_VERSION

__all__ = ["filter_rule", "run_exponents"]

_NEAR = 1e-3  # relative distance from T_c beyond which exponents are none


def run_exponents(
    rule: str,
    *,
    source: Path,
    temperature: str | None,
    steps: int | None,
    even: int,
    odd: int,
    blocks: int,
    seed: int,
    out: Path | None,
    json: bool,
) -> int:
    """`deeprg rg exponents`; returns the exit code."""
    check_figure(out)
    make = _rule(rule)
    data = one_temperature(source, temperature)
    count = most_steps(make, data.lattice) if steps is None else steps
    steps_of = "1 step" if count == 1 else f"{count} steps"
    say(f"{steps_of} of {rule} on {data.describe()}")
    found = monte_carlo_rg(
        make,
        data.lattice,
        data.groups[0],
        steps=count,
        key=jax.random.key(seed),
        even=even,
        odd=odd,
        blocks=blocks,
    )
    exact, notes = _exact(data)
    document = {
        "schema_version": SCHEMA_VERSION,
        "rule": rule,
        "data": str(data.path),
        "temperature": data.temperatures[0],
        "n": data.count,
        "seed": seed,
        "exact": exact,
        "notes": notes,
        "steps": [one.to_dict() for one in found],
    }
    if out is not None:
        with style():
            fig, axes = figure(8.4, 3.6, ncols=len({one.odd for one in found}), squeeze=False)
            for ax, odd_one in zip(axes[0], sorted({one.odd for one in found}), strict=True):
                chosen = [one for one in found if one.odd is odd_one]
                plot_exponents(ax, chosen, exact.get("y_H" if odd_one else "y_T"))
            write_figure(out, fig)
        document["figure"] = str(out)
    if json:
        print_json(document)
    else:
        print(_table(found, exact))
        for note in notes:
            print(note)
    other = "decimation" if rule.startswith("majority") else "majority"
    next_step(f"deeprg rg exponents {other} {with_data(data.path, temperature)}")
    return 0


def _rule(text: str) -> Callable[[Lattice], AbstractCoarseGraining]:
    """The rule as a function of the lattice that it starts on."""
    name, _, given = text.partition(":")
    if name == "filter":
        return filter_rule(given)
    if name not in BLOCK_RULES:
        raise UsageError(
            f"'{name}' is no block rule.{nearest(name, BLOCK_RULES)} Known: {', '.join(BLOCK_RULES)}, "
            "filter:FILE.npy."
        )
    options = rule_options(name, given, text)
    if "steps" in options:
        raise UsageError(f"'{text}' has steps of its own; give --steps, every step is measured.")
    return lambda lattice: build_block_rule(name, lattice, **options)


def filter_rule(path: str) -> Callable[[Lattice], AbstractCoarseGraining]:
    """The sharp rule of a filter on disk, of one hidden spin and blocks of the filter's side."""
    try:
        weights = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The filter '{path}' cannot be read: {error}. See deeprg rg information --save."
        ) from None
    weights = weights[0] if weights.ndim > 1 and len(weights) == 1 else weights
    if 0 in weights.shape or weights.dtype.kind not in "fiu":
        raise UsageError(
            f"'{path}' holds no filter: an array of numbers with one axis per axis of the lattice."
        )
    return lambda lattice: SpinFilter(lattice, weights, stride=weights.shape[0], sharp=True)


def _exact(data: Configurations) -> tuple[dict[str, float], list[str]]:
    """y_T and y_H of the model where they are known, and what to be careful about."""
    model = data.hamiltonian
    point = None if model is None else critical_point(model)
    if point is None:
        return {}, ["The critical point of these data is not known; exponents mean something there only."]
    known = {name: point.exponents[name] for name in ("y_T", "y_H") if name in point.exponents}
    here = data.temperatures[0]
    if point.parameter == "temperature" and here is not None:
        away = abs(here / point.value - 1)
        if away > _NEAR:
            return known, [
                f"T = {here:.6g} is {away:.1%} from the critical {point.value:.7g}: the flow leaves the "
                "fixed point, and these numbers are no exponents."
            ]
    return known, []


def _table(found: Sequence[Stability], exact: dict[str, float]) -> str:
    most = max(len(one.operators) for one in found)
    body = []
    for one in found:
        name = "y_H" if one.odd else "y_T"
        leading = zip(one.exponents[:, 0], one.errors[:, 0], strict=True)
        cells = [with_error(y, error) for y, error in leading]
        known = f"{exact[name]:.5f}" if name in exact else "—"
        body.append([f"{one.fine} → {one.coarse}", name, *cells, *["—"] * (most - len(cells)), known])
    header = ["step", "", *(f"{n} operators" if n > 1 else "1 operator" for n in range(1, most + 1)), "exact"]
    second = [
        f"second {'y_H' if one.odd else 'y_T'} of {one.fine} → {one.coarse}, {len(one.operators)} operators: "
        f"{with_error(one.exponents[-1, 1], one.errors[-1, 1])}"
        for one in found
        if np.isfinite(one.exponents[-1, 1])
    ]
    if any(len(one.operators) > 1 and not np.isfinite(one.exponents[-1, 1]) for one in found):
        second.append("second exponents are left out where the eigenvalue is negative or complex")
    names = {one.odd: ", ".join(one.operators) for one in found}
    legend = [f"{'odd' if odd else 'even'} operators: {text}" for odd, text in sorted(names.items())]
    return "\n".join([text_table(body, header=header), "", *second, *legend])
