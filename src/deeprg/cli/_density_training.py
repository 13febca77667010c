"""`deeprg train flow --data`: a density fitted to data, as a course for the training of flows."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from deeprg.cli._course import Course, Request, facts
from deeprg.cli._density_results import HeldOut, density_table, image_table, judge_density
from deeprg.cli._density_setup import ImageSetup, build_images
from deeprg.cli._flow_data import FlowData, Series, read_data
from deeprg.cli._progress import Progress
from deeprg.cli._settings import Settings
from deeprg.cli._setup import Setup, build, trained
from deeprg.cli._table import result_table
from deeprg.cli._training import judge, layered
from deeprg.coarsegrain.flow import FreshBatches, NegativeLogLikelihood
from deeprg.runs.config import config_text
from deeprg.runs.folder import RunFolder
from deeprg.train.checkpoint import read_header
from deeprg.train.loop import TrainResult
from deeprg.train.state import TrainState
from deeprg.train.stop import StopRequest

__all__ = ["prepare"]

_MONITORED = 500  # held-out rows that are looked at every second or two
_VALIDATION, _TEST, _SEEN = 3, 4, 5  # keys apart from those of flow, training and evaluation
_PRESETS = {True: "density", False: "images"}  # by whether there is a Hamiltonian


def prepare(
    request: Request, settings: Settings, earlier: RunFolder | None
) -> tuple[Settings, Setup | ImageSetup, Course]:
    """The settings with what the data say, the objects that they name, and how the training goes."""
    data = read_data(settings, None if earlier is None else earlier.resolved())
    layers: list[tuple[str, Mapping[str, Any]]] = [(f"data {data.config.path}", data.layer)]
    if earlier is None and "preset" not in settings.given:
        layers.append(("data", {"preset": _PRESETS[data.has_hamiltonian]}))
    given = settings.given
    settings = replace(layered(request, earlier, *layers), given=given)
    if request.print_config:
        print(config_text(settings.resolved))
    config = settings.check()
    make = build if data.has_hamiltonian else build_images
    setup = make(config, abstract=request.print_config)
    return settings, setup, _course(setup, data)


def _course(setup: Setup | ImageSetup, data: FlowData) -> Course:
    config = setup.config
    hamiltonian = setup.hamiltonian if isinstance(setup, Setup) else None
    dequantise = data.dequantiser(hamiltonian, jnp.dtype(config.precision))
    reference = setup.reference if isinstance(setup, Setup) else None
    exact = None if reference is None else reference.log_partition

    def held_out(series: Series, purpose: int) -> HeldOut:
        key = jax.random.fold_in(jax.random.key(config.seed), purpose)
        return HeldOut(series, dequantise, hamiltonian, levels=data.config.levels, key=key)

    watched = held_out(_thinned(data.validation, _MONITORED), _VALIDATION)

    def monitor(state: TrainState) -> dict[str, float]:
        return watched.watch(state.averaged, exact)

    def score(state: TrainState) -> float:
        return float(watched.log_q(state.averaged).mean()) * -1

    def density(folder: RunFolder, result: TrainResult, display: Progress, log_weights: Any) -> Any:
        display.event(f"judging the final weights by {len(data.test.rows)} held-out configurations")
        best, best_step = None, None
        if (folder.checkpoints / "best.eqx").exists():
            best = trained(folder, setup, checkpoint="best")
            best_step = read_header(folder.checkpoints / "best.eqx")["step"]
        return judge_density(
            result.state.averaged,
            held_out(data.test, _TEST),
            held_out(_thinned(data.train, len(data.test.rows)), _SEEN),
            best=best,
            best_step=best_step,
            log_weights=log_weights,
            exact=exact,
        ) | _about(data)

    if isinstance(setup, Setup):
        judged, table = partial(_judge, setup, density), _tables
        verbs = ("deeprg report {run}", "deeprg sample {run} -n 100000 --method independence")
        title, kind = [setup.hamiltonian.describe(), data.describe()], setup.config.hamiltonian.name
    else:
        judged, table, verbs = partial(_judge_images, setup, density), image_table, ("deeprg sample {run}",)
        title, kind = [data.describe()], data.kind
    shape = "x".join(map(str, data.config.shape))
    return Course(
        subject=title,
        name=f"{kind}-{shape}-{config.preset}",
        objective=NegativeLogLikelihood(),
        batches=FreshBatches(jnp.asarray(_compact(data.train.rows)), dequantise),
        judge=judged,
        table=table,
        verbs=verbs,
        monitor=monitor,
        score=score,
    )


def _judge(
    setup: Setup,
    density: Callable[..., dict[str, Any]],
    folder: RunFolder,
    result: TrainResult,
    display: Progress,
    stop: StopRequest,
) -> dict[str, Any]:
    """The judgement of a flow on its Hamiltonian, and on held-out data beside it."""
    numbers = judge(folder, setup, result, display, stop)
    stored = np.load(folder.path / "evaluation.npz")
    found = density(folder, result, display, stored["log_weights"])
    return numbers | {"data": found, "warnings": numbers["warnings"] + found.pop("warnings")}


def _judge_images(
    setup: ImageSetup,
    density: Callable[..., dict[str, Any]],
    folder: RunFolder,
    result: TrainResult,
    display: Progress,
    stop: StopRequest,
) -> dict[str, Any]:
    found = density(folder, result, display, None)
    return {"warnings": found.pop("warnings"), "data": found, **facts(folder, setup, result)}


def _tables(results: Mapping[str, Any]) -> str:
    return f"{density_table(results['data'])}\n\n{result_table(results)}"


def _about(data: FlowData) -> dict[str, Any]:
    return {
        "path": data.config.path,
        "kind": data.kind,
        "temperature": data.configurations.temperatures[0],
        "levels": data.config.levels,
        "rows": len(data.train.rows),
        "validation_rows": len(data.validation.rows),
        "test_rows": len(data.test.rows),
    }


def _thinned(series: Series, most: int) -> Series:
    """At most so many of the rows, evenly spread, as if independent."""
    if len(series.rows) <= most:
        return series
    chosen = np.linspace(0, len(series.rows) - 1, most).round().astype(int)
    return Series(series.rows[chosen], 1, most, ordered=False)


def _compact(rows: np.ndarray) -> np.ndarray:
    """The rows in a type that jax keeps."""
    return rows.astype(np.int32) if rows.dtype.kind in "iu" and rows.dtype.itemsize > 4 else rows
