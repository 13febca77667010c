"""The page and the findings of a run of `deeprg train rbm`."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deeprg.cli._boltzmann_results import rbm_table
from deeprg.cli._boltzmann_setup import open_rbm, trained_rbm
from deeprg.cli._console import next_step, print_json, say
from deeprg.probes import weight_spectrum
from deeprg.report._blocks import document, escaped, grid, pairs, picture, section, verdict_box
from deeprg.report.diagnosis import Finding, verdict
from deeprg.report.style import data_uri, figure, finish, style
from deeprg.report.vh_maps import plot_tiles
from deeprg.report.weight_spectra import plot_weight_spectra
from deeprg.runs.atomic import write_text
from deeprg.runs.config import leaves
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import SCHEMA_VERSION, RunFolder

__all__ = ["RBM_CHECKS", "findings_of", "report_rbm"]

RBM_CHECKS = ("status", "skipped steps", "ln Z", "overfitting", "learning")
_DEAD_SECONDS = 120.0
_ERRORS = 4.0  # of the difference of two likelihoods, before it counts
_CURVES = {
    "reconstruction_error": "reconstruction error",
    "pseudo_likelihood": "pseudo-likelihood (nats)",
    "free_energy_gap": "⟨F⟩ held-out − ⟨F⟩ train (nats)",
    "singular_value_1": "largest singular value of W",
}


def findings_of(run: RunFolder) -> list[Finding]:
    """What may be wrong with the run, problems first."""
    status, results = run.status(), run.results()
    found = [*_state(run, status, results), *_numbers(results or {})]
    return sorted(found, key=lambda one: one.severity != "problem")


def _state(run: RunFolder, status: Mapping[str, Any], results: Mapping[str, Any] | None) -> list[Finding]:
    state, again = status["state"], f"Continue it with deeprg train rbm --resume {run.path}"
    if state == "running" and status["age"] > _DEAD_SECONDS:
        what = f"the run says 'running', but its last sign of life is {status['age']:.0f} s old"
        return [Finding("status", "problem", what, "it was killed, or hangs", again)]
    if state == "running":
        return [Finding("status", "note", "the run is still running", "", "Look again when it is done.")]
    if state == "failed":
        return [Finding("status", "problem", f"the run failed: {status.get('error')}", "", again)]
    if results is None:
        return [Finding("status", "note", "the run was stopped early", "time limit or signal", again)]
    return []


def _numbers(results: Mapping[str, Any]) -> list[Finding]:
    found = []
    if skipped := results.get("skipped_steps"):
        what = f"{skipped} steps were not finite and were skipped"
        remedy = "Lower --learning-rate, or take bounded units."
        found.append(Finding("skipped steps", "problem", what, "the learning rate is too high", remedy))
    for text in results.get("log_partition", {}).get("problems", ()):
        remedy = "Train again with --ais-temperatures 10000; the likelihoods below hang on ln Z."
        found.append(Finding("ln Z", "problem", text, "the annealing was too fast", remedy))
    likelihood = results.get("log_likelihood", {})
    train, held_out = likelihood.get("train"), likelihood.get("held_out")
    if train is not None and held_out is not None:
        gap, error = results["free_energy_gap"], math.hypot(train["error"], held_out["error"])
        if gap > _ERRORS * error:
            what = f"ln p of held-out data is {gap:.3g} nats below that of the training data"
            remedy = "Give more data, --l2, fewer hidden units or fewer epochs."
            found.append(Finding("overfitting", "note", what, "more weights than the data determine", remedy))
    pseudo = (results.get("pseudo_likelihood") or {}).get("train")
    if pseudo is not None and pseudo["value"] < -math.log(2) * math.prod(results["lattice"]):
        what = f"the pseudo-likelihood is {pseudo['value']:.4g} nats, below that of fair coins"
        remedy = "Train longer, with a lower --learning-rate."
        found.append(Finding("learning", "problem", what, "nothing was learned, or chains ran away", remedy))
    return found


def report_rbm(run: RunFolder, *, out: Path | None, json: bool) -> int:
    """Write the page; returns the exit code."""
    target = run.report if out is None else out
    if target.is_dir():
        raise UsageError(f"'{target}' is a folder. Give the path of a file, or leave --out away.")
    _, setup = open_rbm(run.path)
    findings, results, metrics = findings_of(run), run.results(), run.metrics()
    pictures = _curves(metrics)
    if (run.checkpoints / "last.eqx").exists():
        pictures += _weights(setup, np.asarray(trained_rbm(run, setup).weights, np.float64))
    table = "" if results is None else f"<pre>{escaped(rbm_table(results))}</pre>"
    parts = [
        verdict_box(findings, results=results is not None),
        section("Results", table),
        section("Figures", grid(pictures)),
        section("Settings", pairs(leaves(run.resolved()))),
        section("Environment", pairs(leaves(run.environment()))),
    ]
    machine = setup.machine
    subtitle = (
        f"{machine.n_visible} {machine.visible.name} and {machine.n_hidden} {machine.hidden.name} units"
    )
    write_text(target, document(run.name, f"Restricted Boltzmann machine, {subtitle}", parts))
    say(verdict(findings))
    if json:
        print_json({"schema_version": SCHEMA_VERSION, "run": str(run.path), "report": str(target.resolve())})
    elif results is not None:
        print(rbm_table(results, report=str(target)))
    else:
        print(target)
    next_step(f"open {target} in a browser", f"deeprg probe {run.path}")
    return 0


def _curves(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    pictures = []
    for name, label in _CURVES.items():
        points = [(row["step"], row[name]) for row in metrics if row.get(name) is not None]
        if points:
            with style():
                fig, ax = figure()
                ax.plot(*zip(*points, strict=True), "o-", markersize=3)
                finish(ax, title=label.split(" (")[0], x="step", y=label)
                pictures.append(picture(data_uri(fig), f"{label} while training"))
    return pictures


def _weights(setup: Any, weights: np.ndarray) -> list[str]:
    with style():
        fig, ax = figure()
        plot_weight_spectra(ax, {"W": weight_spectrum(weights)})
        pictures = [picture(data_uri(fig), "Singular values of W, and the edge of a random matrix")]
        if setup.machine.visible.q == 1:
            fig, ax = figure()
            plot_tiles(ax, weights.T.reshape(-1, *setup.lattice.shape), label="W")
            pictures.append(picture(data_uri(fig), "What each hidden unit is connected to"))
    return pictures
