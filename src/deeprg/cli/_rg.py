"""What `deeprg rg flow` does."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deeprg.cli._console import next_step, print_json, say
from deeprg.cli._table import text_table
from deeprg.exact.schemes import (
    Scheme,
    critical_coupling,
    exponents,
    fixed_points,
    flow,
    free_energy,
    phase,
    stability,
)
from deeprg.report.scheme_figure import default_start
from deeprg.runs.atomic import write_bytes
from deeprg.runs.errors import UsageError, nearest
from deeprg.runs.folder import SCHEMA_VERSION

__all__ = ["flow_document", "flow_table", "run_flow"]

_FORMATS = (".png", ".svg", ".pdf")
_STEPS = 10_000  # rows of the printed table
_EXPONENTS = {
    "y_t": "y_t = ln λ_1 / ln b",
    "nu": "ν = 1 / y_t",
    "alpha": "α = 2 − d ν",
    "y_h": "y_h = ln λ_h / ln b",
    "eta": "η = d + 2 − 2 y_h",
    "beta": "β = (d − y_h) / y_t",
}


def run_flow(scheme: Scheme, *, start: str | None, steps: int, out: Path | None, json: bool) -> int:
    """`deeprg rg flow`: the numbers of a scheme, its flow, and a figure on request."""
    if not 0 <= steps <= _STEPS:
        raise UsageError(f"--steps {steps} must not be negative, nor above {_STEPS}.")
    if out is not None and out.suffix.lower() not in _FORMATS:
        ending = f"the ending '{out.suffix}'.{nearest(out.suffix, _FORMATS)}" if out.suffix else "no ending."
        raise UsageError(f"--out {out} has {ending} A figure is written as {', '.join(_FORMATS)}.")
    begin = _start(scheme, start)
    document = flow_document(scheme, begin, steps)
    if out is not None:
        _draw(scheme, out, None if start is None else begin, steps)
        document["figure"] = str(out)
    if json:
        print_json(document)
    else:
        print(flow_table(scheme, document))
    higher = [n for n in scheme.orders if scheme.order is not None and n > scheme.order]
    if higher:
        next_step(f"deeprg rg flow {scheme.name} --order {higher[0]}")
    return 0


def flow_document(scheme: Scheme, start: np.ndarray, steps: int) -> dict[str, Any]:
    """Everything that `deeprg rg flow` reports."""
    linear = stability(scheme)
    exact = dict(scheme.exact)
    critical = exact.pop("critical_coupling", None)
    return {
        "schema_version": SCHEMA_VERSION,
        "scheme": scheme.name,
        "title": scheme.title,
        "order": scheme.order,
        "lattice": scheme.lattice,
        "dimension": scheme.dimension,
        "scale": scheme.scale,
        "recursion": scheme.formula,
        "source": scheme.source,
        "couplings": list(scheme.couplings),
        "fixed_point": linear.couplings.tolist(),
        "at_infinity": not np.isfinite(linear.couplings).all(),
        "eigenvalues": _numbers(linear.eigenvalues),
        "jacobian": linear.jacobian.tolist(),
        "magnetic_eigenvalue": linear.magnetic,
        "field_note": scheme.field_note,
        "exponents": exponents(scheme).to_dict(),
        "critical_coupling": critical_coupling(scheme),
        "exact": {"critical_coupling": critical, "exponents": exact},
        "fixed_points": [
            {
                "couplings": point.couplings.tolist(),
                "eigenvalues": _numbers(point.eigenvalues),
                "kind": point.kind,
            }
            for point in fixed_points(scheme)
        ],
        "free_energy": _free_energy(scheme, start),
        "flow": flow(scheme, start, steps).tolist(),
        "phase": phase(scheme, start),
    }


def flow_table(scheme: Scheme, document: Mapping[str, Any]) -> str:
    """The same for people: two tables."""
    exact = document["exact"]
    known = exact["exponents"]
    rows = [
        [f"{name}*", _text(value), ""]
        for name, value in zip(scheme.couplings, document["fixed_point"], strict=True)
    ]
    rows.append(["K_c", _text(document["critical_coupling"]), _text(exact["critical_coupling"])])
    for number, value in enumerate(document["eigenvalues"], 1):
        thermal = scheme.scale ** known["y_t"] if number == 1 and "y_t" in known else None
        rows.append([f"eigenvalue λ_{number}", _text(value), _text(thermal)])
    field = scheme.scale ** known["y_h"] if "y_h" in known else None
    rows.append(["eigenvalue λ_h", _text(document["magnetic_eigenvalue"]), _text(field)])
    for key, label in _EXPONENTS.items():
        rows.append([label, _text(document["exponents"][key]), _text(known.get(key))])
    energy = document["free_energy"]
    if energy is not None:
        where = ", ".join(
            f"{name} = {value:.6g}" for name, value in zip(scheme.couplings, energy["couplings"], strict=True)
        )
        rows.append([f"ln Z / N at {where}", _text(energy["log_partition_per_site"]), _text(energy["exact"])])
    order = "" if scheme.order is None else f", order {scheme.order}"
    head = [
        f"{scheme.title}{order}" if "order" not in scheme.title else scheme.title,
        *re.split(r", (?=[A-Z]' =)", scheme.formula),
        f"length divided by b = {scheme.scale:.6g}",
        scheme.source,
    ]
    if document["at_infinity"]:
        head.append("The fixed point is at T = 0; its eigenvalue is that of exp(-2K).")
    notes = [f"y_h: {scheme.field_note}."] if scheme.field_note else []
    if energy is not None and energy["log_partition_per_site"] is None:
        notes.append("ln Z / N: the sum of the constants diverges in the ordered phase.")
    steps = [
        [str(number), *(f"{value:.8g}" for value in point)] for number, point in enumerate(document["flow"])
    ]
    path = text_table(steps, header=["step", *scheme.couplings])
    body = text_table(rows, header=["", "scheme", "exact"])
    table = "\n".join([body, *notes])
    return "\n".join(head) + f"\n\n{table}\n\n{path}\nends {_ENDS[document['phase']]}"


_ENDS = {
    "disordered": "in the disordered phase, K = 0",
    "ordered": "in the ordered phase, K = ∞",
    "critical": "at a critical fixed point",
}


def _start(scheme: Scheme, text: str | None) -> np.ndarray:
    """The couplings of --start; else where the figure of the scheme starts."""
    if text is None:
        return default_start(scheme)
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        example = ",".join(["0.4", *["0"] * (len(scheme.couplings) - 1)])
        raise UsageError(
            f"--start '{text}' must be numbers for {','.join(scheme.couplings)}, such as {example}."
        ) from None
    return scheme.vector(values)


def _free_energy(scheme: Scheme, couplings: np.ndarray) -> dict[str, Any] | None:
    if scheme.constant is None:
        return None
    energy = free_energy(scheme, couplings)
    return {
        "couplings": couplings.tolist(),
        "log_partition_per_site": energy.log_partition if math.isfinite(energy.log_partition) else None,
        "exact": energy.exact,
        "error": energy.error,
    }


def _draw(scheme: Scheme, out: Path, start: np.ndarray | None, steps: int) -> None:
    import io

    from deeprg.report.scheme_figure import plot_scheme
    from deeprg.report.style import style

    buffer = io.BytesIO()
    figure = plot_scheme(scheme, start=start, steps=max(steps, 1))
    with style():
        figure.savefig(buffer, format=out.suffix[1:].lower(), dpi=160)
    write_bytes(out, buffer.getvalue())
    say(f"figure: {out}")


def _numbers(values: np.ndarray) -> list[Any]:
    """Real numbers as they are, complex ones as [real, imaginary]."""
    if np.isrealobj(values):
        return values.tolist()
    return [[value.real, value.imag] for value in values.tolist()]


def _text(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, list):
        return f"{value[0]:.6g} {value[1]:+.6g} i"
    return f"{value:.7g}" if math.isfinite(value) else "∞"
