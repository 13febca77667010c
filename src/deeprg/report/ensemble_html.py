"""One self-contained page about an ensemble, from the verdict to the citations."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from deeprg.report._numbers import concise, number, with_error
from deeprg.report.autocorrelation import plot_autocorrelation
from deeprg.report.blocks import (
    citation_list,
    document,
    escaped,
    exact_cells,
    folded,
    grid,
    pairs,
    picture,
    section,
    table,
    tiles,
    value_cells,
    verdict_box,
)
from deeprg.report.configurations import plot_configurations, spread
from deeprg.report.correlation import Profile, plot_correlations, plot_structure_factor
from deeprg.report.ensemble import EnsembleData, TemperatureData
from deeprg.report.ensemble_diagnosis import diagnose_ensemble
from deeprg.report.labels import label
from deeprg.report.pulls import plot_pulls
from deeprg.report.series import plot_distribution, plot_series
from deeprg.report.style import data_uri, figure, style
from deeprg.report.thermodynamic_curves import Curve, plot_thermodynamics
from deeprg.runs.config import leaves

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ensemble_page", "thermodynamics_figure"]

_STRIPS = 64  # draws of a ring that are shown below each other
_CURVES = 6  # temperatures in one figure
_INTERESTING = 4  # temperatures with an autocorrelation function of their own
_NOT_SHOWN = ("structure_factor_min", "magnetization")  # have no panel over temperature


def ensemble_page(data: EnsembleData) -> str:
    """The page as HTML text; it refers to nothing outside itself.

    >>> row = {"value": -1.71, "error": 0.02, "tau_int": 0.6, "exact": -1.7}
    >>> text = ensemble_page(EnsembleData("toy", [TemperatureData(2.0, {"energy_per_site": row})]))
    >>> text.count("<h2>"), "−0.50" in text
    (2, True)
    """
    findings = diagnose_ensemble(data) if data.findings is None else data.findings
    measured = any(state.observables for state in data.temperatures)
    with style():
        snapshots, curves, correlations, chains = (
            _snapshots(data),
            _thermodynamics(data),
            _correlations(data),
            _histories(data),
        )
    method = [("algorithm", data.algorithm), ("why", data.reason)]
    provenance = [*((key, value) for key, value in method if value), *leaves(data.provenance)]
    parts = [
        verdict_box(findings, results=measured, tiles=_tiles(data)),
        section("Results", _results(data)),
        section("Configurations", snapshots),
        section("Thermodynamics", curves),
        section("Autocorrelation and correlation", correlations),
        section("Chains", _sampling(data) + chains),
        section("Provenance", pairs(provenance) if provenance else ""),
        section("Environment", pairs(leaves(data.environment)) if data.environment else ""),
        section("Citations", citation_list(data.citations)),
    ]
    return document(data.name, data.subtitle, parts, kind="deeprg ensemble")


def _tiles(data: EnsembleData) -> str:
    states = data.temperatures
    if not any(state.observables for state in states):
        return ""
    sizes = [np.atleast_2d(next(iter(state.series.values()))).shape for state in states if state.series]
    entries = []
    if sizes:
        places = f"{len(states)} temperature{'s' if len(states) > 1 else ''}"
        note = f"{places}, {sizes[0][0]} chain{'s' if sizes[0][0] > 1 else ''} each"
        entries.append(("configurations", number(sum(math.prod(size) for size in sizes), 6), note))
    taus = [(tau, n, s) for s in states for n, tau in s.times(symmetric=data.symmetric).items()]
    if taus:
        tau, name, state = max(taus, key=lambda item: item[0])
        entries.append(("largest τ_int", number(tau, 3), f"{label(name)} {_at(state)}".strip()))
    hats = [(value, name, state) for state in states for name, value in state.r_hat.items()]
    if hats:
        hat, name, state = max(hats, key=lambda item: item[0])
        entries.append(("largest split R̂", f"{hat:.4f}", f"{label(name)} {_at(state)}".strip()))
    pulls = [(pull, n, s) for s in states for n in s.observables if (pull := s.pull(n)) is not None]
    if pulls:
        pull, name, state = max(pulls, key=lambda item: abs(item[0]))
        note = f"{label(name)} {_at(state)}; largest of {len(pulls)}"
        entries.append(("against exact", f"{pull:+.1f} σ".replace("-", "−"), note))
    rates = [rate for s in states if (rate := s.info.get("independent_samples_per_second"))]
    if rates and len(entries) < 4:
        entries.append(("independent per second", number(min(rates), 3), "at the slowest temperature"))
    return tiles(entries)


def _at(state: TemperatureData) -> str:
    return f"at {state.label}" if state.label else ""


def _results(data: EnsembleData) -> str:
    measured = [state for state in data.temperatures if state.observables]
    if not measured:
        return ""
    caption = (
        "pull = (value − exact)/error; τ_int counts kept configurations, 0.5 means independent. "
        "Errors include the autocorrelation."
    )
    if len(measured) == 1:
        return _full_table(measured[0]) + _caption(caption)
    names = list(dict.fromkeys(name for state in measured for name in state.observables))
    shown = [name for name in names if name not in _NOT_SHOWN]
    rows = []
    for state in measured:
        cells = []
        for name in shown:
            row = state.observables.get(name, {})
            cells.append(f"<td>{escaped(concise(row.get('value'), row.get('error')))}</td>")
        rows.append(f"<th>{escaped(state.label)}</th>{''.join(cells)}")
    tables = "".join(f"<h3>{escaped(state.label)}</h3>{_full_table(state)}" for state in measured)
    overview = table(["", *map(label, shown)], rows) + _caption(
        "In parentheses the error of the last digits."
    )
    return overview + folded("All numbers, with τ_int and exact values", tables + _caption(caption))


def _caption(text: str) -> str:
    return f"<p class='caption'>{escaped(text)}</p>"


def _full_table(state: TemperatureData) -> str:
    rows = []
    for name, row in state.observables.items():
        tau, error = row.get("tau_int"), row.get("tau_int_error")
        time = "" if tau is None else with_error(tau, error) if error else number(tau, 3)
        cells = value_cells(row.get("value"), row.get("error"))
        exact = exact_cells(row.get("exact"), state.pull(name))
        rows.append(f"<th>{escaped(label(name))}</th>{cells}<td>{escaped(time)}</td>{exact}")
    return table(["", "value", "error", "τ_int", "exact", "pull (σ)"], rows)


def _sampling(data: EnsembleData) -> str:
    """What the sampler said of itself, a row per temperature."""
    names = list(dict.fromkeys(name for state in data.temperatures for name in state.info))
    hats = any(state.r_hat for state in data.temperatures)
    if not names and not hats:
        return ""
    rows = []
    for state in data.temperatures:
        cells = [number(state.info.get(name)) for name in names]
        if hats:
            cells.append(f"{max(state.r_hat.values()):.4f}" if state.r_hat else "—")
        rows.append(f"<th>{escaped(state.label)}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}")
    return table(["", *map(label, names), *(["largest R̂"] if hats else [])], rows) + _caption("")


def _snapshots(data: EnsembleData) -> str:
    kept = [(s.label, s.configurations) for s in data.temperatures]
    fields = list(_some(data, {n: np.asarray(c) for n, c in kept if c is not None and len(c)}).items())
    if not fields:
        return ""
    ring = fields[0][1].ndim == 2
    if ring:
        what, pictures = "Space to the right, draws downwards.", [(n, c[-_STRIPS:]) for n, c in fields]
    elif len(fields) > 1:
        what, pictures = "The last configuration of one chain.", [(n, c[-1]) for n, c in fields]
    else:
        name, kept = fields[0]
        what, pictures = (
            "Kept configurations, first to last.",
            [(name, kept[i]) for i in spread(len(kept), 3)],
        )
    drawn = plot_configurations(pictures, data.kind)
    return picture(data_uri(drawn, kind="png", dpi=130), f"{what} {_LEGENDS[data.kind]}", wide=True)


_LEGENDS = {
    "ising": "Dark is +1, light −1.",
    "potts": "One colour per state.",
    "xy": "Colour is the angle.",
    "field": "White is zero.",
    "dimers": "Colour tells direction and parity of the first site; a single one is columnar order.",
}


def _thermodynamics(data: EnsembleData) -> str:
    """A panel per observable over temperature; for a single temperature its pulls."""
    states = [state for state in data.temperatures if state.observables]
    if len(states) < 2 or any(state.temperature is None for state in states):
        pulls = {label(n): pull for s in states for n in s.observables if (pull := s.pull(n)) is not None}
        if not pulls:
            return ""
        fig, ax = figure(7.0, max(1.8, 1.0 + 0.55 * len(pulls)))
        plot_pulls(ax, list(pulls), list(pulls.values()))
        return picture(data_uri(fig), "The bands are one and two standard errors.", wide=True)
    return picture(
        data_uri(thermodynamics_figure(data)),
        "Bars are one standard error; most are smaller than the points.",
        wide=True,
    )


def thermodynamics_figure(data: EnsembleData) -> "Figure":
    """The observables over temperature beside their exact curves, with tau_int and pulls; within `style()`.

    >>> states = [TemperatureData(t, {"energy_per_site": {"value": -t, "error": 0.1}}) for t in (1.0, 2.0)]
    >>> len(thermodynamics_figure(EnsembleData("toy", states)).axes)
    1
    """
    states = data.temperatures
    names = list(dict.fromkeys(name for state in states for name in state.observables))
    rows = {name: _over(states, name) for name in names if name not in _NOT_SHOWN}
    exact = {name: data.curves.get(name) or _known(states, name) for name in rows}
    exact = {name: curve for name, curve in exact.items() if curve is not None}
    tau = {name: _over(states, name, "tau_int", "tau_int_error") for name in _chosen_names(rows)}
    pulls = {name: _pulls(states, name) for name in exact}
    return plot_thermodynamics(
        rows,
        exact=exact,
        critical=data.critical,
        tau={name: curve for name, curve in tau.items() if _any(curve)},
        pulls={name: curve for name, curve in pulls.items() if _any(curve)},
    )


def _over(states: Sequence[TemperatureData], name: str, value: str = "value", error: str = "error") -> Curve:
    rows = [state.observables.get(name, {}) for state in states]
    values, errors = ([_or_nan(row.get(key)) for row in rows] for key in (value, error))
    return Curve([state.temperature for state in states], values, errors)  # pyright: ignore


def _known(states: Sequence[TemperatureData], name: str) -> Curve | None:
    curve = _over(states, name, "exact")
    return Curve(curve.temperatures, curve.values) if _any(curve) else None


def _pulls(states: Sequence[TemperatureData], name: str) -> Curve:
    values = [_or_nan(state.pull(name) if name in state.observables else None) for state in states]
    return Curve([state.temperature for state in states], values)  # pyright: ignore


def _any(curve: Curve) -> bool:
    return bool(np.isfinite(np.asarray(curve.values, dtype=float)).any())


def _correlations(data: EnsembleData) -> str:
    figures = []
    states = [state for state in data.temperatures if state.autocorrelations]
    for state in _interesting(states):
        fig, ax = figure()
        for name in _chosen_names(state.autocorrelations):
            a = state.autocorrelations[name]
            plot_autocorrelation(
                ax, a.lags, a.rho, a.error, tau_int=a.tau_int, tau_error=a.tau_error, window=a.window,
                label=label(name), title=f"Autocorrelation {_at(state)}".strip(),
            )  # fmt: skip
        figures.append((fig, "The band is one standard error; τ_int is summed up to the window W."))
    for attribute, plot, caption in (
        ("correlation", plot_correlations, "Dashed lines are exact, where known."),
        ("structure_factor", plot_structure_factor, "Without k = 0."),
    ):
        found = {s.label: p for s in data.temperatures if (p := getattr(s, attribute)) is not None}
        profiles: dict[str, Profile] = _some(data, found)
        if profiles:
            fig, ax = figure()
            plot(ax, profiles)
            figures.append((fig, f"{'Dark is cold. ' if len(profiles) > 1 else ''}{caption}"))
    return grid(picture(data_uri(fig), caption) for fig, caption in figures)


def _histories(data: EnsembleData) -> str:
    figures = []
    states = [state for state in data.temperatures if state.series]
    for state in _slowest(states):
        for name in _chosen_names(state.series):
            fig, ax = figure()
            exact = state.observables.get(name, {}).get("exact")
            title = f"History of the chains {_at(state)}".strip()
            plot_series(ax, state.series[name], name=name, starts=state.starts, exact=exact, title=title)
            figures.append((fig, "Up to eight chains, after thermalisation."))
    for name in ("magnetization", "abs_magnetization"):
        found = {s.label: s.series[name] for s in states if name in s.series and _finite(s.series[name])}
        if found:
            fig, ax = figure()
            plot_distribution(ax, _some(data, found, 5), name=name)
            figures.append(
                (fig, "All chains together. Dark is cold." if len(found) > 1 else "All chains together.")
            )
            break
    return grid(picture(data_uri(fig), caption) for fig, caption in figures)


def _finite(values: np.ndarray) -> bool:
    return np.size(values) > 1 and bool(np.isfinite(values).any())


def _some(data: EnsembleData, found: Mapping[str, Any], most: int = _CURVES) -> dict[str, Any]:
    """At most so many of what was found by label, spread over the temperatures, that nearest T_c included."""
    names = list(found)
    here = {s.label: s.temperature for s in data.temperatures}
    critical, through = data.critical, None
    if critical is not None and names and all(here.get(name) is not None for name in names):
        through = min(range(len(names)), key=lambda i: abs(here[names[i]] - critical))  # pyright: ignore
    return {names[i]: found[names[i]] for i in spread(len(names), most, through)}


def _chosen_names(names: Mapping[str, Any]) -> list[str]:
    """Energy and magnetization, one name for each."""
    energies = [name for name in ("energy_per_site", "action_per_site") if name in names]
    magnetizations = [name for name in ("abs_magnetization", "magnetization_squared") if name in names]
    return (energies[:1] + magnetizations[:1]) or list(names)[:2]


def _slowest(states: Sequence[TemperatureData]) -> list[TemperatureData]:
    if not states:
        return []
    return [max(states, key=lambda state: max(state.times(symmetric=True).values(), default=0.0))]


def _interesting(states: Sequence[TemperatureData]) -> list[TemperatureData]:
    """The slowest temperature, and others spread over the rest, in order."""
    slow = _slowest(states)
    rest = [state for state in states if all(state is not other for other in slow)]
    chosen = slow + [rest[i] for i in spread(len(rest), _INTERESTING - 1)]
    return [state for state in states if any(state is other for other in chosen)]


def _or_nan(value: float | int | None) -> float:
    return math.nan if value is None else float(value)
