"""The page and the findings of a run of `deeprg train rbm` or `train dbn`."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deeprg.cli._boltzmann_network import network_table
from deeprg.cli._boltzmann_results import rbm_table
from deeprg.cli._boltzmann_setup import BoltzmannSetup, checkpoint_folder, open_boltzmann, trained_network
from deeprg.cli._plain_report import stored_pictures, write_report
from deeprg.probes import receptive_fields, weight_spectrum
from deeprg.report.blocks import picture
from deeprg.report.diagnosis import Finding
from deeprg.report.style import data_uri, figure, finish, legend, style
from deeprg.report.vh_maps import plot_tiles
from deeprg.report.weight_spectra import plot_weight_spectra
from deeprg.runs.folder import RunFolder

__all__ = ["RBM_CHECKS", "findings_of", "report_rbm"]

RBM_CHECKS = ("status", "skipped steps", "ln Z", "overfitting", "learning")
_DEAD_SECONDS = 120.0
_ERRORS = 4.0  # of the difference of two likelihoods, before it counts
# What is drawn, with its axis and the same number of held-out data.
_CURVES = {
    "log_likelihood": ("ln p(v), ln Z annealed along (nats)", "log_likelihood_held_out"),
    "reconstruction_error": ("reconstruction error", None),
    "pseudo_likelihood": ("pseudo-likelihood (nats)", None),
    "free_energy_gap": ("⟨F⟩ held-out − ⟨F⟩ train (nats)", None),
    "singular_value_1": ("largest singular value of W", None),
}


def findings_of(run: RunFolder) -> list[Finding]:
    """What may be wrong with the run, problems first."""
    status, results = run.status(), run.results()
    found = _state(run, status, results)
    for number, one in enumerate((results or {}).get("layers", [results or {}]), 1):
        where = f"layer {number}: " if "layers" in (results or {}) else ""
        found += _numbers({**(results or {}), **one}, where, number == 1)
    return sorted(found, key=lambda one: one.severity != "problem")


def _state(run: RunFolder, status: Mapping[str, Any], results: Mapping[str, Any] | None) -> list[Finding]:
    state = status["state"]
    again = f"Continue it with deeprg train {run.resolved()['kind']} --resume {run.path}"
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


def _numbers(results: Mapping[str, Any], where: str, first: bool) -> list[Finding]:
    """Of one machine; `first` says that its visible layer is the lattice."""
    found = []
    if first and (skipped := results.get("skipped_steps")):
        what = f"{skipped} steps were not finite and were skipped"
        remedy = "Lower --learning-rate, or take bounded units."
        found.append(Finding("skipped steps", "problem", what, "the learning rate is too high", remedy))
    for text in results.get("log_partition", {}).get("problems", ()):
        remedy = "Train again with --ais-temperatures 10000; the likelihoods below hang on ln Z."
        found.append(Finding("ln Z", "problem", where + text, "the annealing was too fast", remedy))
    likelihood = results.get("log_likelihood", {})
    train, held_out = likelihood.get("train"), likelihood.get("held_out")
    if train is not None and held_out is not None:
        gap, error = results["free_energy_gap"], math.hypot(train["error"], held_out["error"])
        if gap > _ERRORS * error:
            what = f"{where}ln p of held-out data is {gap:.3g} nats below that of the training data"
            remedy = "Give more data, --l2, fewer hidden units or fewer epochs."
            found.append(Finding("overfitting", "note", what, "more weights than the data determine", remedy))
    pseudo = (results.get("pseudo_likelihood") or {}).get("train")
    if first and pseudo is not None and pseudo["value"] < -math.log(2) * math.prod(results["lattice"]):
        what = f"{where}the pseudo-likelihood is {pseudo['value']:.4g} nats, below that of fair coins"
        remedy = "Train longer, with a lower --learning-rate."
        found.append(Finding("learning", "problem", what, "nothing was learned, or chains ran away", remedy))
    return found


def report_rbm(run: RunFolder, *, out: Path | None, json: bool) -> int:
    """Write the page; returns the exit code."""
    _, setup = open_boltzmann(run.path)
    findings, results, metrics = findings_of(run), run.results(), run.metrics()
    deep = setup.config.kind == "dbn"
    text = network_table if deep else rbm_table
    pictures = _curves(metrics)
    last = checkpoint_folder(run, setup, len(setup.machines) - 1) / "last.eqx"
    if last.exists():
        pictures += _weights(run, setup)
    first = setup.machines[0]
    widths = "-".join(str(n) for n in (first.n_visible, *(one.n_hidden for one in setup.machines)))
    name = "Deep belief network" if deep else "Restricted Boltzmann machine"
    return write_report(
        run,
        title=f"{name} {widths}, {first.visible.name} and {first.hidden.name} units",
        findings=findings,
        table=None if results is None else text(results),
        pictures=pictures,
        more=stored_pictures(run, "flow.png", "probe-*.png"),
        out=out,
        json=json,
        verbs=(f"deeprg probe {run.path}",),
    )


def _curves(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    pictures = []
    for name, (label, other) in _CURVES.items():
        lines = {}
        for key, line in ((name, "training data"), (other, "held out")):
            points = [(row["step"], row[key]) for row in metrics if row.get(key) is not None]
            if points:
                lines[line] = points
        if lines:
            with style():
                fig, ax = figure()
                for line, points in lines.items():
                    ax.plot(*zip(*points, strict=True), "o-", markersize=3, label=line)
                if len(lines) > 1:
                    legend(ax)
                finish(ax, title=label.split(" (")[0], x="step", y=label)
                pictures.append(picture(data_uri(fig), f"{label} while training"))
    return pictures


def _weights(run: RunFolder, setup: BoltzmannSetup) -> list[str]:
    """Singular values of every W, and the receptive fields of every layer."""
    network, pictures = trained_network(run, setup), []
    deep = len(network.machines) > 1
    names = [f"W of layer {k}" if deep else "W" for k in range(1, len(network.machines) + 1)]
    with style():
        fig, ax = figure()
        spectra = {
            name: weight_spectrum(one.weights) for name, one in zip(names, network.machines, strict=True)
        }
        plot_weight_spectra(ax, spectra)
        pictures.append(picture(data_uri(fig), "Singular values of W, and the edge of a random matrix"))
        if network.machines[0].visible.q == 1:
            fields = receptive_fields([machine.weights for machine in network.machines])
            for depth, patterns in enumerate(fields, 1):
                fig, ax = figure()
                plot_tiles(ax, patterns.reshape(-1, *setup.lattice.shape), label="W" if depth == 1 else "R")
                what = "What each hidden unit is connected to"
                caption = what if depth == 1 else f"Effective receptive fields of layer {depth}"
                pictures.append(picture(data_uri(fig), caption))
    return pictures
