"""What `deeprg rg modes` and `deeprg rg pairs` do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deeprg.cli._boltzmann_data import Configurations, with_data
from deeprg.cli._console import next_step, print_json, say, warn
from deeprg.cli._figures import check_figure, write_figure
from deeprg.cli._probing import one_temperature
from deeprg.cli._table import text_table, with_error
from deeprg.hamiltonians import XY, Dimers, Potts
from deeprg.montecarlo.jackknife import TAUS_PER_BLOCK, slowest_tau
from deeprg.probes import ClusterScaling, Exponent, ModeFlow, cluster_scaling, mode_flow
from deeprg.report.data_rg import (
    plot_cluster_map,
    plot_cluster_powers,
    plot_cluster_spectra,
    plot_mode_flows,
)
from deeprg.report.style import figure, style
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import SCHEMA_VERSION

__all__ = ["run_modes", "run_pairs"]

_DATA, _CONTROL = "data", "shuffled"
_BLOCKS = 20  # of the jackknife of pairs, the fewer of both
_CORRELATED = 1.0  # tau_int; independent samples have 0.5


@dataclass(frozen=True, eq=False)
class _Samples:
    """Samples [n, units] to coarse-grain, and the same with every unit in an order of its own."""

    data: Configurations
    values: np.ndarray
    shuffled: np.ndarray

    def document(self, held_out: float, seed: int) -> dict[str, Any]:
        """How the JSON document of a command begins."""
        return {
            "schema_version": SCHEMA_VERSION,
            "data": str(self.data.path),
            "temperature": self.data.temperatures[0],
            "n": len(self.values),
            "units": self.values.shape[1],
            "held_out": held_out,
            "seed": seed,
        }


def run_modes(
    *,
    source: Path,
    temperature: str | None,
    kept: str | None,
    held_out: float,
    seed: int,
    out: Path | None,
    json: bool,
) -> int:
    """`deeprg rg modes`; returns the exit code."""
    check_figure(out)
    cuts = None if kept is None else _cuts(kept)
    samples = _samples(source, temperature, held_out, seed)
    flow = mode_flow(samples.values, kept=cuts, held_out=held_out)
    control = mode_flow(samples.shuffled, kept=flow.kept.tolist(), held_out=held_out)
    document = samples.document(held_out, seed) | {"flow": flow.to_dict(), "control": control.to_dict()}
    if out is not None:
        with style():
            fig, ax = figure(6.4, 4.0)
            plot_mode_flows(ax, {_DATA: flow, _CONTROL: control})
            write_figure(out, fig)
        document["figure"] = str(out)
    if json:
        print_json(document)
    else:
        print(_mode_table(flow, control))
    next_step(f"deeprg rg pairs {with_data(source, temperature)}")
    return 0


def run_pairs(
    *,
    source: Path,
    temperature: str | None,
    steps: int | None,
    held_out: float,
    seed: int,
    out: Path | None,
    json: bool,
) -> int:
    """`deeprg rg pairs`; returns the exit code."""
    check_figure(out)
    samples = _samples(source, temperature, held_out, seed)
    if held_out == 0:
        warn("the samples that choose the pairs judge them too: alpha is above 1 even for independent units.")
    found = cluster_scaling(samples.values, steps=steps, held_out=held_out)
    control = cluster_scaling(samples.shuffled, steps=steps, held_out=held_out)
    document = samples.document(held_out, seed) | {"clusters": found.to_dict(), "control": control.to_dict()}
    if out is not None:
        with style():
            write_figure(out, _pair_figure(found, control, samples.data))
        document["figure"] = str(out)
    if json:
        print_json(document)
    else:
        print(f"{_exponent_table(found, control)}\n\n{_size_table(found, control)}")
    next_step(f"deeprg rg modes {with_data(source, temperature)}")
    return 0


def _samples(source: Path, temperature: str | None, held_out: float, seed: int) -> _Samples:
    """The samples of a file; `UsageError` for those that have no covariance to speak of."""
    if not 0 <= held_out < 1:
        raise UsageError(f"--held-out {held_out:g} must be in [0, 1): the share of the samples that judges.")
    if seed < 0:
        raise UsageError(f"--seed {seed} must not be negative.")
    data = one_temperature(source, temperature)
    model = data.hamiltonian
    if isinstance(model, (XY, Dimers)) or (isinstance(model, Potts) and model.states > 2):
        raise UsageError(
            f"The numbers of '{source}' are {'angles' if isinstance(model, XY) else 'labels'} and have no "
            "covariance. Write a .npy of cosines, or of indicators 0 and 1 of one state."
        )
    values = data.groups[0].reshape(-1, data.lattice.size).astype(np.float64)
    count, units = values.shape
    still = np.flatnonzero(np.ptp(values, axis=0) == 0)
    if still.size:
        raise UsageError(
            f"{still.size} of {units} units of '{source}' do not vary, the first is number {still[0]}; "
            "leave them out."
        )
    first = count - round(held_out * count)
    if first < units:
        raise UsageError(
            f"{first} of {count} samples choose, too few for the covariance of {units} units: it needs as "
            f"many as units. Give more samples, fewer units{' or a smaller --held-out' if held_out else ''}."
        )
    if np.all(np.abs(values) == 1):
        values = (values > 0).astype(np.float64)  # a spin that is down is silent
    judges = f"the last {count - first} judge" if first < count else "all choose and judge"
    say(f"{count} samples of {units} units of '{source}', {judges}")
    _warn_of_correlations(values[first:] if held_out else values)
    return _Samples(data, values, np.random.default_rng(seed).permuted(values, axis=0))


def _warn_of_correlations(judge: np.ndarray) -> None:
    """Say where blocks of the jackknife are too short for samples that follow each other in time."""
    if len(judge) < 2 * _BLOCKS:
        return  # the probes refuse it
    tau = slowest_tau([(judge - judge.mean(axis=0)).mean(axis=1) ** 2])
    if tau > _CORRELATED and len(judge) / _BLOCKS < TAUS_PER_BLOCK * tau:
        warn(
            f"neighbouring samples are alike, tau_int = {tau:.1f}, and {len(judge)} of them are few: "
            "the errors are too small. Give more samples, or every tenth of a longer series."
        )


def _cuts(text: str) -> list[int]:
    """The numbers of modes in `128,64`, falling."""
    try:
        found = sorted({int(part) for part in text.split(",")}, reverse=True)
    except ValueError:
        raise UsageError(f"--kept '{text}' must be numbers of modes, such as 128,64,32.") from None
    return found


def _mode_table(flow: ModeFlow, control: ModeFlow) -> str:
    body = [
        [str(kept), f"{share:.4f}", with_error(one, error), with_error(other, its_error)]
        for kept, share, one, error, other, its_error in zip(
            flow.kept, flow.share, flow.cumulant, flow.error, control.cumulant, control.error, strict=True
        )
    ]
    table = text_table(body, header=["modes kept", "share of variance", "κ₄/κ₂²", _CONTROL])
    return f"{table}\n\nκ₄/κ₂² of samples that did not choose the modes: 0 is Gaussian"


def _exponent_table(found: ClusterScaling, control: ClusterScaling) -> str:
    def cell(one: Exponent | None) -> str:
        return "—" if one is None else with_error(one.value, one.error)

    rows = [
        ("α, variance ~ K^α", found.alpha, control.alpha, "1"),
        ("β, −ln P(silent) ~ K^β", found.beta, control.beta, "1"),
        ("μ, spectrum ~ (rank/K)^−μ", found.mu, control.mu, "0"),
    ]
    body = [[name, cell(one), cell(other), known] for name, one, other, known in rows]
    return text_table(body, header=["exponent", _DATA, _CONTROL, "independent"])


def _size_table(found: ClusterScaling, control: ClusterScaling) -> str:
    columns = [
        ["—", *(with_error(*pair) for pair in slopes.T)]
        for slopes in (found.slopes, control.slopes, found.silent_slopes, control.silent_slopes)
    ]
    count = len(found.size)
    alpha, its_alpha, beta, its_beta = (column + ["—"] * (count - len(column)) for column in columns)
    body = [
        [str(size), f"{v:.5g}", alpha[k], its_alpha[k], f"{s:.4g}", beta[k], its_beta[k]]
        for k, (size, v, s) in enumerate(zip(found.size, found.variance, found.silence, strict=True))
    ]
    header = ["units K", "variance", "α from K/2", _CONTROL, "P(silent)", "β from K/2", _CONTROL]
    return text_table(body, header=header)


def _pair_figure(found: ClusterScaling, control: ClusterScaling, data: Configurations) -> Any:
    both = {_DATA: found, _CONTROL: control}
    mapped, silent = data.lattice.ndim == 2, found.beta is not None
    count = 2 + silent + mapped
    fig, axes = figure(4.2 * count, 3.8, ncols=count)
    panels = iter(axes)
    plot_cluster_powers(next(panels), both)
    if silent:
        plot_cluster_powers(next(panels), both, silent=True)
    plot_cluster_spectra(next(panels), both)
    if mapped:
        plot_cluster_map(next(panels), found.clusters, data.lattice, title="Clusters of the data")
    return fig
