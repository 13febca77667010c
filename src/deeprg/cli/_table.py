"""The tables that end a command: value, error, exact value, pull."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from deeprg.report.labels import BAD_TAIL, label, target_name

__all__ = ["observable_rows", "result_table", "sample_table", "text_table", "with_error"]


def with_error(value: float | None, error: float | None = None, *, digits: int = 7) -> str:
    """A number with its error, as many digits as the error allows two; `digits` of one without an error.

    >>> with_error(-1.453062, 0.00123), with_error(0.5), with_error(None), with_error(4.899903, digits=3)
    ('-1.4531 ± 0.0012', '0.5', '—', '4.9')
    """
    if value is None or not math.isfinite(value):
        return "—"
    if error is None or not math.isfinite(error) or error <= 0:
        return f"{float(f'{value:.{digits}g}'):.7g}"
    places = min(max(1 - math.floor(math.log10(error)), 0), 12)
    return f"{value:.{places}f} ± {error:.{places}f}"


def text_table(rows: Sequence[Sequence[str]], header: Sequence[str] | None = None) -> str:
    """Rows of text in aligned columns; the first is left, the others right aligned.

    >>> print(text_table([["a", "1.0"], ["bc", "10.0"]], header=["name", "value"]))
    name  value
    ────  ─────
    a       1.0
    bc     10.0
    """
    lines = [list(row) for row in rows]
    everything = ([list(header)] if header else []) + lines
    widths = [max(len(row[column]) for row in everything) for column in range(len(everything[0]))]
    if header:
        everything.insert(1, ["─" * width for width in widths])
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in everything
    )


def observable_rows(observables: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Rows name, value ± error, exact, pull of a results document."""
    return [
        [
            label(name),
            with_error(row["value"], row["error"]),
            _plain(row["exact"]),
            _pull(row["pull"]),
        ]
        for name, row in observables.items()
    ]


def result_table(results: Mapping[str, Any], *, report: str | None = None) -> str:
    """The end of a training: free energy, gap, weights, acceptance, observables against exact values.

    `results` is the document of results.json; `report` the path of the page, where there is one.
    """
    samples, of = results["ess_samples"], target_name(results)
    trust = "" if results["ess_trusted"] else "  (!) too few samples"
    rows = [
        _row("free energy F (nats)", results["free_energy"], results["free_energy_error"], None),
        [f"exact −ln Z{of} (nats)", _plain(results["exact_free_energy"]), "", ""],
        ["gap (nats)", with_error(results["gap"], results["gap_error"]), "", ""],
        _row(
            f"ln Z{of}, reweighted",
            results["log_partition"],
            results["log_partition_error"],
            results["exact_log_partition"],
            results["log_partition_pull"],
        ),
        *_spin_rows(results, results["log_partition_pull"]),
        *observable_rows(results["observables"]),
    ]
    table = text_table(rows, header=["", "value", "exact", "pull (σ)"])
    quality = [
        ["ESS", f"{results['ess']:.4f}  of {samples} samples{trust}"],
        ["acceptance", _plain(results["acceptance"])],
        ["std of ln w", _plain(results["std_log_weight"])],
        ["Pareto k", _tail(results["pareto_k"])],
        ["steps", f"{results['steps']}  at {_plain(results['seconds_per_step'])} s"],
        ["parameters", str(results["parameters"])],
        ["run", str(results["run"])],
    ]
    if report is not None:
        quality.append(["report", report])
    return f"{table}\n\n{_pairs(quality)}"


def sample_table(document: Mapping[str, Any]) -> str:
    """The end of `deeprg sample`: observables by one method, and what to think of the samples."""
    name = document["method"] + (" (biased)" if document["biased"] else "")
    table = text_table(observable_rows(document["observables"]), header=[name, "value", "exact", "pull (σ)"])
    of = target_name(document)
    rows = [["samples", str(document["n"])]]
    if document["acceptance"] is not None:
        count = document["chains"]
        chains = (
            f"{count} chain{'' if count == 1 else 's'} of {document['steps']} steps, "
            f"{document['discard']} dropped"
        )
        rows.append(["acceptance", f"{document['acceptance']:.4f}  ({chains})"])
        rows.append(["tau_int", _plain(document["tau_int"])])
    trust = "" if document["ess_trusted"] else "  (!) too few samples"
    rows.append(["ESS", f"{document['ess']:.4f}  of {document['ess_samples']} samples{trust}"])
    rows.append(["Pareto k", _tail(document["pareto_k"])])
    rows.append([f"ln Z{of}", with_error(document["log_partition"], document["log_partition_error"])])
    rows.append([f"exact ln Z{of}", _plain(document["exact_log_partition"])])
    for spins, value, exact, _ in _spin_rows(document):
        rows.append([spins, value])
        rows.append([f"exact {spins}", exact or "—"])
    return f"{table}\n\n{_pairs(rows)}"


def _spin_rows(document: Mapping[str, Any], pull: float | None = None) -> list[list[str]]:
    value = document.get("spin_log_partition")
    if value is None:
        return []
    error, exact = document["spin_log_partition_error"], document["exact_spin_log_partition"]
    return [_row("ln Z of the spins", value, error, exact, pull)]


def _tail(k: float | None) -> str:
    bad = k is not None and k > BAD_TAIL
    return _plain(k) + (f"  (!) above {BAD_TAIL}: errors are not reliable" if bad else "")


def _row(
    name: str, value: float | None, error: float | None, exact: float | None, pull: float | None = None
) -> list[str]:
    return [name, with_error(value, error), _plain(exact) if exact is not None else "", _pull(pull)]


def _pairs(rows: Sequence[Sequence[str]]) -> str:
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def _plain(value: float | int | None) -> str:
    if value is None:
        return "—"
    if abs(value) < 1e-12:
        return "0"
    return f"{value:.6g}" if abs(value) < 10 else f"{value:.4f}"


def _pull(value: float | None) -> str:
    return "" if value is None else f"{value:+.2f}"
