"""`deeprg train flow --temperature LOW:HIGH`: one network for an interval, as a course for the training."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from deeprg.cli._figures import write_figure
from deeprg.cli._intervals import family_of
from deeprg.cli._progress import Progress
from deeprg.cli._settings import Settings
from deeprg.cli._setup import FLOW_KEY, FlowSetup, planned, tried
from deeprg.cli._table import text_table, with_error
from deeprg.cli._training import Course, Request, Stopped, facts
from deeprg.coarsegrain.flow import (
    ConditionedFlow,
    ConditionedReverseKL,
    build_conditioned_flow,
    log_partition_baseline,
)
from deeprg.exact import reference
from deeprg.hamiltonians import ContinuousDual, HamiltonianFamily, critical_temperature
from deeprg.lattice import Lattice
from deeprg.probes import TemperatureCurves, temperature_curves
from deeprg.report import plot_temperature_curves
from deeprg.report.style import style
from deeprg.report.thermodynamic_curves import Curve
from deeprg.runs.atomic import write_json
from deeprg.runs.config import config_text
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import RunFolder
from deeprg.train.batches import key_batches
from deeprg.train.loop import TrainResult
from deeprg.train.stop import StopRequest

__all__ = ["ConditionedSetup", "build_conditioned", "curve_figure", "curve_table", "prepare", "save_curves"]

VALUES = 13  # of the parameter, over the interval, at which a conditioned flow is judged
_FEWEST = 1000
_LINE = 61  # points of an exact line in a figure


@dataclass(frozen=True)
class ConditionedSetup(FlowSetup):
    """Everything that a run over an interval is made of, before training."""

    family: HamiltonianFamily
    objective: ConditionedReverseKL

    @property
    def grid(self) -> np.ndarray:
        """The values at which the flow is judged."""
        return np.linspace(self.family.low, self.family.high, VALUES)


def prepare(request: Request, settings: Settings) -> tuple[Settings, ConditionedSetup, Course]:
    """The objects that the settings name, and how the training goes."""
    if request.print_config:
        print(config_text(settings.resolved))
    setup = build_conditioned(settings.check(), abstract=request.print_config)
    config, family = setup.config, setup.family
    shape = "x".join(map(str, config.hamiltonian.shape))
    course = Course(
        subject=[family.model.describe(), f"for {family.describe_interval}"],
        name=f"{config.hamiltonian.name}-{shape}-{family.parameter.replace('_', '-')}",
        objective=setup.objective,
        batches=key_batches,
        judge=lambda folder, result, display, stop: _judge(folder, setup, result, display, stop),
        table=curve_table,
        verbs=(
            f"deeprg sample {{run}} --at {0.5 * (family.low + family.high):g}",
            "deeprg sample {run} --curves",
        ),
        exact=0.0 if setup.objective.baseline else None,  # with a baseline the loss is the mean gap
    )
    return settings, setup, course


def build_conditioned(config: Any, *, abstract: bool = False) -> ConditionedSetup:
    """The objects of a configuration with an interval; one `UsageError` lists all that is wrong with them."""
    if config.precision == "float64":
        jax.config.update("jax_enable_x64", True)
    problems: list[str] = []
    values = config.model_dump(mode="json")
    options = {k: v for k, v in values["hamiltonian"].items() if k not in ("name", "shape")}
    lattice = Lattice(config.hamiltonian.shape)
    family = tried(problems, lambda: family_of(config.hamiltonian.name, lattice, options))
    train = dict(values["train"])
    estimator = train.pop("estimator")
    plan = planned(train, problems)
    flow = objective = None
    if family is not None:
        key = jax.random.fold_in(jax.random.key(config.seed), FLOW_KEY)

        def make(key: PRNGKeyArray) -> ConditionedFlow:
            kind = jnp.dtype(config.precision)
            return build_conditioned_flow(family, **values["flow"], dtype=kind, key=key)

        flow = tried(problems, lambda: eqx.filter_eval_shape(make, key) if abstract else make(key))
        baseline = () if abstract else log_partition_baseline(family)
        objective = tried(
            problems, lambda: ConditionedReverseKL(family, estimator=estimator, baseline=baseline)
        )
    if plan is not None and objective is not None:
        bad = [size for size in plan.sizes_from(0.0) if size % objective.values]
        if bad:
            problems.append(
                f"a batch of {bad[0]} cannot be shared by {objective.values} values of the parameter. "
                f"Choose a multiple of {objective.values}."
            )
    if problems or family is None or flow is None or plan is None or objective is None:
        raise UsageError("\n".join(problems))
    return ConditionedSetup(config, values, flow, plan, family, objective)


def _judge(
    folder: RunFolder, setup: ConditionedSetup, result: TrainResult, display: Progress, stop: StopRequest
) -> dict[str, Any]:
    """Everything in results.json: the curves over the interval from samples of the final averaged weights."""
    begun = time.monotonic()
    n = max(setup.config.evaluate.samples // VALUES, _FEWEST)
    display.event(f"compiling the sampler and drawing {n} samples at each of {VALUES} values")

    def on_chunk(done: int) -> None:
        display.sampled(done, n * VALUES)
        if stop.reason is not None:
            raise Stopped(stop.reason)

    flow, batch = result.state.averaged, setup.config.evaluate.batch
    curves = temperature_curves(flow, setup.grid, n, key=setup.evaluate_key, batch=batch, on_chunk=on_chunk)
    save_curves(folder, setup.family, curves)
    return {
        "hamiltonian": f"{setup.family.model.describe()}; {setup.family.describe_interval}",
        **_worst(curves),
        "curves": curves.to_dict(),
        "warnings": list(curves.warnings),
        "evaluate_seconds": time.monotonic() - begun,
        **facts(folder, setup, result),
    }


def _worst(curves: TemperatureCurves) -> dict[str, Any]:
    """The largest deviations over the values: what the requirement on a conditioned flow asks for."""
    sites = int(np.prod(curves.shape))
    log_z, heat = curves.curves["log_partition"], curves.curves[curves.conjugate[1]]
    known = np.isfinite(log_z.exact)
    error = np.abs(log_z.value - log_z.exact)[known] / sites
    pulls = np.abs(heat.pull[np.isfinite(heat.pull)])
    return {
        "gap_largest": float(curves.curves["gap"].value.max()),
        "ess_smallest": float(curves.ess.min()),
        "log_partition_error_per_site_largest": float(error.max()) if known.any() else None,
        f"{curves.conjugate[1]}_pull_largest": float(pulls.max()) if pulls.size else None,
    }


def save_curves(folder: RunFolder, family: HamiltonianFamily, curves: TemperatureCurves) -> None:
    """temperature-curves.json and temperature-curves.png in the run folder."""
    write_json(folder.path / "temperature-curves.json", curves.to_dict())
    with style():
        write_figure(folder.path / "temperature-curves.png", curve_figure(family, curves))


def curve_figure(family: HamiltonianFamily, curves: TemperatureCurves) -> Any:
    """The four panels of the curves, with the exact lines and the critical temperature where known."""
    lines = _exact_lines(family, curves)
    spins = family.parameter == "temperature" and len(curves.shape) == 2
    critical = critical_temperature(family.lattice) if spins else None
    if critical is not None and not curves.values.min() <= critical <= curves.values.max():
        critical = None
    title = f"{family.model.lattice}: one flow for {family.describe_interval}"
    return plot_temperature_curves(curves, exact=lines, critical=critical, title=title)


def _exact_lines(family: HamiltonianFamily, curves: TemperatureCurves) -> dict[str, Curve]:
    """Exact lines of what the points have exact values of, where these are quick: not the law of m."""
    energy, heat = curves.conjugate
    if not isinstance(family.model, ContinuousDual) or not np.isfinite(curves.curves[heat].exact).any():
        return {}
    grid = np.linspace(curves.values.min(), curves.values.max(), _LINE)
    known = [reference(family.at(float(value))) for value in grid]
    return {
        energy: Curve(grid, [row.observables[energy] for row in known if row is not None]),
        heat: Curve(grid, [row.derived[heat] for row in known if row is not None]),
    }


def curve_table(document: Mapping[str, Any]) -> str:
    """One line per value: gap, ESS, error of ln Z per site, energy and specific heat with their pulls."""
    rows = document.get("curves") if "values" not in document else document
    curves = TemperatureCurves.from_dict(dict(rows or {}))
    energy, heat = curves.conjugate
    sites = int(np.prod(curves.shape))
    lines = []
    for row, value in enumerate(curves.values):
        log_z = curves.curves["log_partition"]
        error = (log_z.value - log_z.exact)[row] / sites
        cells = [f"{value:.4g}", with_error(*_at(curves, "gap", row)), f"{curves.ess[row]:.3f}"]
        cells.append("—" if not np.isfinite(error) else f"{error:+.1e}")
        for name in (energy, heat):
            pull = curves.curves[name].pull[row]
            cells.append(with_error(*_at(curves, name, row)))
            cells.append("" if not np.isfinite(pull) else f"{pull:+.2f}")
        cells.append(with_error(*_at(curves, "binder_cumulant", row)))
        cells.append("(!) extrapolation" if curves.extrapolates[row] else "")
        lines.append(cells)
    symbol = "T" if curves.parameter == "temperature" else curves.parameter
    names = [name.replace("_", " ") for name in (energy, heat)]
    header = [symbol, "gap (nats)", "ESS", "Δ ln Z / N", names[0], "σ", names[1], "σ", "Binder", ""]
    return text_table(lines, header)


def _at(curves: TemperatureCurves, name: str, row: int) -> tuple[float, float]:
    curve = curves.curves[name]
    return float(curve.value[row]), float(curve.error[row])
