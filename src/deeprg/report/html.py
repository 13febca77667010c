"""One self-contained page about a run, from the verdict to the citations."""

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deeprg.probes import MeasuredDraws, direct_estimates
from deeprg.report._page import PAGE_STYLE
from deeprg.report.citations import Citation, bibtex
from deeprg.report.correlation import plot_correlation
from deeprg.report.diagnosis import Finding, verdict
from deeprg.report.labels import label, target_name
from deeprg.report.log_weights import plot_log_weights
from deeprg.report.pulls import plot_pulls
from deeprg.report.scales import plot_scales
from deeprg.report.style import data_uri, figure, style
from deeprg.report.training import plot_ess, plot_free_energy, plot_gap, telling
from deeprg.runs.config import leaves, show

__all__ = ["ReportData", "page"]

_LONG = 60


@dataclass(frozen=True)
class ReportData:
    """All that a page shows; what is missing is left out.

    `results` is results.json, `scales` as in `plot_scales`.
    """

    name: str
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    metrics: Sequence[Mapping[str, Any]] = ()
    results: Mapping[str, Any] | None = None
    findings: Sequence[Finding] = ()
    citations: Sequence[Citation] = ()
    draws: MeasuredDraws | None = None
    scales: Sequence[np.ndarray] | None = None
    subtitle: str = ""
    exact_free_energy: float | None = None


def page(data: ReportData) -> str:
    """The page as HTML text; it refers to nothing outside itself.

    >>> text = page(ReportData("toy", config={"seed": 0}, environment={"python": "3.12"}))
    >>> text.count("<h2>"), "http" in text
    (3, False)
    """
    with style():
        curves, samples = _curves(data), _samples(data)
    parts = [
        f"<header><p class='eyebrow'>deeprg report</p><h1>{_text(data.name)}</h1>"
        f"<p class='subtitle'>{_text(data.subtitle)}</p></header>",
        _verdict(data),
        _section("Results", _results(data)),
        _section("Curves", curves),
        _section("Samples", samples),
        _section("Configuration", _pairs(leaves(data.config))),
        _section("Environment", _pairs(leaves(data.environment))),
        _section("Citations", _citations(data.citations)),
    ]
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{_text(data.name)} · deeprg</title><style>{PAGE_STYLE}</style></head>\n"
        f"<body><main>{''.join(part for part in parts if part)}</main></body></html>\n"
    )


def _text(value: Any) -> str:
    return html.escape(str(value))


def _section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>{body}</section>\n" if body else ""


def _verdict(data: ReportData) -> str:
    problems = any(finding.severity == "problem" for finding in data.findings)
    kind = "bad" if problems else "good" if data.results is not None and not data.findings else "note"
    headline = verdict(data.findings) if data.results is not None or data.findings else "No results yet."
    items = "".join(
        f"<li class='{finding.severity}'><b>{_text(finding.check)}</b> {_text(finding.what)}."
        f"<span>{_text(_because(finding))}</span></li>"
        for finding in data.findings
    )
    return (
        f"<div class='verdict {kind}'><p class='headline'>{_text(headline)}</p>{_tiles(data.results)}"
        f"{f'<ul>{items}</ul>' if items else ''}</div>\n"
    )


def _because(finding: Finding) -> str:
    cause = f"Likely cause: {finding.cause}. " if finding.cause else ""
    return cause + finding.remedy


def _tiles(results: Mapping[str, Any] | None) -> str:
    if results is None:
        return ""
    trust = f"{results['ess_samples']:,} samples".replace(",", " ")
    tiles = [
        (
            "gap",
            _number(results["gap"]),
            "nats above exact" if results["gap"] is not None else "no exact value",
        ),
        ("ESS", _number(results["ess"]), trust if results["ess_trusted"] else f"only {trust}"),
        ("acceptance", _number(results["acceptance"]), "independence Metropolis"),
        ("Pareto k", _number(results["pareto_k"]), "below 0.7 is reliable, below 0.5 is good"),
    ]
    return (
        "<div class='tiles'>"
        + "".join(
            f"<div><small>{name}</small><strong>{value}</strong><em>{note}</em></div>"
            for name, value, note in tiles
        )
        + "</div>"
    )


def _results(data: ReportData) -> str:
    results = data.results
    if results is None:
        return "<p>The run has no results yet.</p>"
    of = target_name(results)
    rows = [
        ("variational free energy F (nats)", results["free_energy"], results["free_energy_error"],
         results["exact_free_energy"], None),
        (f"ln Z{of}, reweighted", results["log_partition"], results["log_partition_error"],
         results["exact_log_partition"], results.get("log_partition_pull")),
    ]  # fmt: skip
    if of:
        rows.append(
            ("ln Z of the spins", results["spin_log_partition"], results["spin_log_partition_error"],
             results["exact_spin_log_partition"], results.get("log_partition_pull"))
        )  # fmt: skip
    rows += [
        (label(name), row["value"], row["error"], row["exact"], row["pull"])
        for name, row in results["observables"].items()
    ]
    body = "".join(
        f"<tr><th>{_text(name)}</th><td>{_rounded(value, error)}</td><td class='pm'>{_error(error)}</td>"
        f"<td>{_number(exact, 9)}</td><td>{'' if pull is None else f'{pull:+.2f}'}</td></tr>"
        for name, value, error, exact, pull in rows
    )
    table = (
        "<table class='results'><thead><tr><th></th><th>value</th><th>error</th><th>exact</th>"
        f"<th>pull (σ)</th></tr></thead><tbody>{body}</tbody></table>"
    )
    facts = [
        ("gap", f"{_number(results['gap'])} nats, {_number(results['gap_per_site'])} per site"),
        ("std of ln w", f"{_number(results['std_log_weight'])} nats"),
        ("τ_int", _number(results["tau_int"])),
        ("KL(π|q), reweighted", f"{_number(results['kl_forward'])} nats"),
        ("exact values from", results["exact_source"] or "none known"),
        ("steps", f"{results['steps']} at {_number(results['seconds_per_step'])} s"),
        (
            "training",
            f"{_number(results['train_seconds'])} s, {_number(results['compile_seconds'])} s of it compiling",
        ),
        ("samples per second", _number(results["samples_per_second"])),
        ("parameters", _number(results["parameters"])),
    ]
    caption = "Observables are reweighted to the target; pull = (value − exact)/error; F ≥ −ln Z" + f"{of}."
    return f"{table}<p class='caption'>{caption}</p>{_pairs(facts)}"


def _curves(data: ReportData) -> str:
    figures = []
    records = telling([record for record in data.metrics if record.get("loss") is not None])
    results = data.results or {}
    of = target_name(results)
    if records:
        steps = [record["step"] for record in records]
        values = [record.get("free_energy", record["loss"]) for record in records]
        errors = [_or_nan(record.get("loss_error")) for record in records]
        exact = data.exact_free_energy
        fig, ax = figure()
        plot_free_energy(ax, steps, values, error=errors, exact=exact, of=of)
        figures.append((fig, "Each point averages the batches of one or two seconds."))
        if exact is not None:
            fig, ax = figure()
            plot_gap(ax, steps, np.asarray(values) - exact, final=results.get("gap"))
            figures.append((fig, "The gap is the divergence KL(q|π) and cannot be negative, up to noise."))
        if all(record.get("ess") is not None for record in records):
            fig, ax = figure()
            plot_ess(ax, steps, [record["ess"] for record in records], final=results.get("ess"))
            figures.append((fig, "ESS of single batches is noisy and biased; the dotted line is not."))
    if data.draws is not None:
        known = results.get("exact_log_partition")
        fig, ax = figure()
        plot_log_weights(ax, data.draws.log_weights, log_partition=known, of=of)
        figures.append((fig, f"{data.draws.n} draws of the final weights."))
    pulls: dict[str, float] = {
        label(name): row["pull"]
        for name, row in results.get("observables", {}).items()
        if row["pull"] is not None
    }
    if results.get("log_partition_pull") is not None:
        pulls = {f"ln Z{of}": results["log_partition_pull"], **pulls}
    if pulls:
        fig, ax = figure(height=max(1.8, 1.0 + 0.55 * len(pulls)))
        plot_pulls(ax, list(pulls), list(pulls.values()))
        figures.append((fig, "Reweighted averages; the bands are one and two standard errors."))
    profile = results.get("correlation")
    if profile:
        direct = None
        if data.draws is not None and (estimate := direct_estimates(data.draws).correlation) is not None:
            direct = estimate.value
        fig, ax = figure()
        plot_correlation(
            ax, profile["r"], profile["value"], error=profile["error"], direct=direct, exact=profile["exact"]
        )
        figures.append((fig, "Where both agree, the model itself already has the right correlations."))
    items = "".join(_picture(data_uri(fig), caption) for fig, caption in figures)
    return f"<div class='grid'>{items}</div>" if items else ""


def _samples(data: ReportData) -> str:
    if not data.scales:
        return ""
    caption = (
        "Each column is one draw; the rows are what the flow has generated after each scale, in its own "
        "variable, and last the physical field. White is zero."
    )
    return _picture(data_uri(plot_scales(data.scales, title=""), kind="png", dpi=150), caption, wide=True)


def _picture(uri: str, caption: str, *, wide: bool = False) -> str:
    kind = " class='wide'" if wide else ""
    text = _text(caption)
    return f"<figure{kind}><img alt='{text}' src='{uri}'><figcaption>{text}</figcaption></figure>"


def _pairs(pairs: Any) -> str:
    rows = []
    for key, value in pairs:
        text = _text(_shown(value))
        wide = " class='wide'" if len(text) > _LONG else ""
        rows.append(f"<div{wide}><dt>{_text(key)}</dt><dd>{text}</dd></div>")
    return f"<dl class='pairs'>{''.join(rows)}</dl>"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else show(value)


def _citations(citations: Sequence[Citation]) -> str:
    if not citations:
        return ""
    rows = "".join(f"<li><b>{_text(c.used_for)}</b>: {_text(c.reference)}</li>" for c in citations)
    source = _text(bibtex(citations))
    return f"<ul class='citations'>{rows}</ul><details><summary>BibTeX</summary><pre>{source}</pre></details>"


def _number(value: float | int | None, digits: int = 4) -> str:
    if value is None or not math.isfinite(value):
        return "—"
    if abs(value) < 1e-12:
        return "0"
    if abs(value) >= 10**digits:
        return f"{value:,.0f}".replace(",", "\u2009").replace("-", "−")
    return f"{value:.{digits}g}".replace("-", "−")


def _rounded(value: float | None, error: float | None) -> str:
    if value is None:
        return "—"
    if error is None or not error > 0 or not math.isfinite(error):
        return _number(value, 9)
    digits = min(max(1 - math.floor(math.log10(error)), 0), 12)
    return f"{value:.{digits}f}".replace("-", "−")


def _error(error: float | None) -> str:
    return "" if error is None or not error > 0 else f"± {_rounded(error, error)}"


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
