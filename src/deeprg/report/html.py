"""One self-contained page about a run, from the verdict to the citations."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deeprg.probes import MeasuredDraws, direct_estimates
from deeprg.report._numbers import number
from deeprg.report.blocks import (
    citation_list,
    document,
    escaped,
    exact_cells,
    grid,
    pairs,
    picture,
    section,
    table,
    tiles,
    value_cells,
    verdict_box,
)
from deeprg.report.citations import Citation
from deeprg.report.correlation import plot_correlation
from deeprg.report.density import is_density, plot_density
from deeprg.report.diagnosis import Finding
from deeprg.report.labels import label, target_name
from deeprg.report.log_weights import plot_log_weights
from deeprg.report.pulls import plot_pulls
from deeprg.report.scales import plot_scales
from deeprg.report.style import data_uri, figure, style
from deeprg.report.training import plot_ess, plot_free_energy, plot_gap, telling
from deeprg.runs.config import leaves

__all__ = ["ReportData", "page"]


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
    verdict = verdict_box(data.findings, results=data.results is not None, tiles=_tiles(data.results))
    parts = [
        verdict,
        section("Results", _results(data)),
        section("Curves", curves),
        section("Samples", samples),
        section("Configuration", pairs(leaves(data.config))),
        section("Environment", pairs(leaves(data.environment))),
        section("Citations", citation_list(data.citations)),
    ]
    return document(data.name, data.subtitle, parts)


def _tiles(results: Mapping[str, Any] | None) -> str:
    if results is None:
        return ""
    trust = f"{results['ess_samples']:,} samples".replace(",", " ")
    return tiles(
        [
            (
                "gap",
                number(results["gap"]),
                "nats above exact" if results["gap"] is not None else "no exact value",
            ),
            ("ESS", number(results["ess"]), trust if results["ess_trusted"] else f"only {trust}"),
            ("acceptance", number(results["acceptance"]), "independence Metropolis"),
            ("Pareto k", number(results["pareto_k"]), "below 0.7 is reliable, below 0.5 is good"),
        ]
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
    if "kl" in (fitted := results.get("data") or {}):
        kl = fitted["kl"]
        rows.append((f"KL(π|q) on held-out data, {kl['log_partition']} ln Z (nats)", kl["value"], kl["error"],
                     None, None))  # fmt: skip
    rows += [
        (label(name), row["value"], row["error"], row["exact"], row["pull"])
        for name, row in results["observables"].items()
    ]
    cells = (
        f"<th>{escaped(name)}</th>{value_cells(value, error)}{exact_cells(exact, pull)}"
        for name, value, error, exact, pull in rows
    )
    results_table = table(["", "value", "error", "exact", "pull (σ)"], cells)
    facts = [
        ("gap", f"{number(results['gap'])} nats, {number(results['gap_per_site'])} per site"),
        ("std of ln w", f"{number(results['std_log_weight'])} nats"),
        ("τ_int", number(results["tau_int"])),
        ("KL(π|q), reweighted", f"{number(results['kl_forward'])} nats"),
        ("exact values from", results["exact_source"] or "none known"),
        ("steps", f"{results['steps']} at {number(results['seconds_per_step'])} s"),
        (
            "training",
            f"{number(results['train_seconds'])} s, {number(results['compile_seconds'])} s of it compiling",
        ),
        ("samples per second", number(results["samples_per_second"])),
        ("parameters", number(results["parameters"])),
    ]
    caption = "Observables are reweighted to the target; pull = (value − exact)/error; F ≥ −ln Z" + f"{of}."
    return f"{results_table}<p class='caption'>{caption}</p>{pairs(facts)}"


def _curves(data: ReportData) -> str:
    figures = []
    records = telling([record for record in data.metrics if record.get("loss") is not None])
    results = data.results or {}
    of = target_name(results)
    if is_density(records):
        fig, ax = figure()
        plot_density(ax, records)
        figures.append((fig, "Held-out data, one draw of the noise each, under the averaged weights."))
    elif records:
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
    return grid(picture(data_uri(fig), caption) for fig, caption in figures)


def _samples(data: ReportData) -> str:
    if not data.scales:
        return ""
    caption = (
        "Each column is one draw; the rows are what the flow has generated after each scale, in its own "
        "variable, and last the physical field. White is zero."
    )
    return picture(data_uri(plot_scales(data.scales, title=""), kind="png", dpi=150), caption, wide=True)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
