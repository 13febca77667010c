"""A simulation into an ensemble: thermalise, sample block by block, write, resume."""

import os
import queue
import threading
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from deeprg.hamiltonians import AbstractHamiltonian
from deeprg.montecarlo.ensembles import Ensemble
from deeprg.montecarlo.measurement import measure
from deeprg.montecarlo.samplers import Draws, State
from deeprg.montecarlo.simulation import Group, Simulation
from deeprg.runs.errors import UsageError

__all__ = ["SimulationProgress", "simulate"]


class SimulationProgress(NamedTuple):
    """How far one temperature is: draws done and wanted per chain, and the averages of this call so far."""

    temperature: float | None
    done: int
    draws: int
    averages: Mapping[str, float]


class _Block(NamedTuple):
    """A block of draws of the temperatures of a group, and the updates between two of them."""

    group: Group
    number: int
    drawn: Draws
    thin: int


def simulate(
    simulation: Simulation,
    path: str | Path,
    *,
    workers: int | None = None,
    on_progress: Callable[[SimulationProgress], None] = lambda _: None,
    on_event: Callable[[str], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Ensemble:
    """Run a planned simulation into the ensemble at `path`, which is created, or continued where it stands.

    Temperatures run side by side in `workers` threads (as many as there are cores) where the algorithm treats
    them one by one, and together where it is batched. Every block is on disk as soon as it is done; after a
    kill the same call goes on and ends with the same bits. More `samples` than the ensemble holds extend it.
    `should_stop` is asked after each block.

    Raises `UsageError` when the ensemble at `path` belongs to another simulation.

    >>> import tempfile
    >>> plan = Simulation("ising", (8, 8), (2.0,), samples=4000).plan()
    >>> ensemble = simulate(plan, tempfile.mkdtemp() + "/E.zarr")
    >>> print(f"{ensemble.series('energy_per_site', 0).mean():.1f}")          # exact -1.746
    -1.7
    """
    if simulation.block < 1:
        simulation = simulation.plan()
    hamiltonians, groups = simulation.hamiltonians(), simulation.groups()
    ensemble = _opened(simulation, hamiltonians, groups, Path(path))
    averages: list[dict[str, float]] = [{} for _ in hamiltonians]
    counts = [0] * len(hamiltonians)
    with ensemble:
        blocks = _blocks(simulation, groups, ensemble, workers or os.cpu_count() or 1, on_event)
        try:
            for block in blocks:
                for row, where in enumerate(block.group.temperatures):
                    if ensemble.blocks_done[where] > block.number:
                        continue  # a batched block that was cut short: this temperature has it already
                    fields = block.drawn.configurations[:, row]
                    # one program for all temperatures where the scalars, in units of J, do not know T
                    own = hamiltonians[where if hamiltonians[0].thermal_scalars else 0]
                    series = measure(own, fields)
                    info = {name: float(values[row]) for name, values in block.drawn.info.items()}
                    ensemble.append(
                        where,
                        fields if simulation.keep_configurations else None,
                        series,
                        _stored(block.drawn.state, row, block.thin),
                        {**info, "thin": float(block.thin)},
                        expected_block=block.number,
                    )
                    counts[where] += fields.shape[0]
                    for name, values in series.items():
                        before = averages[where].get(name, 0.0)
                        share = fields.shape[0] / counts[where]
                        averages[where][name] = before + share * (float(values.mean()) - before)
                    temperature = simulation.temperatures[where] if simulation.temperatures else None
                    done = ensemble.valid_draws(where)
                    on_progress(SimulationProgress(temperature, done, simulation.draws, averages[where]))
                if should_stop():
                    break
        finally:
            blocks.close()
    return Ensemble.open(path)


def _opened(
    simulation: Simulation, hamiltonians: tuple[AbstractHamiltonian, ...], groups: list[Group], path: Path
) -> Ensemble:
    if path.exists():
        ensemble = Ensemble.open(path, writable=True)
        try:
            settings = ensemble.provenance["settings"]
            if "samples" not in settings:
                raise UsageError(f"'{path}' was not made by a simulation, so there is nothing to continue.")
            grown = {name: settings[name] for name in ("samples", "block")}  # the only ones that may differ
            ensemble.check_same(settings={**simulation.to_dict(), **grown})
            if simulation.draws < ensemble.draws:
                raise UsageError(
                    f"'{path}' is planned for {ensemble.draws} draws per chain, more than {simulation.draws}."
                )
            if simulation.draws > ensemble.draws:
                ensemble.extend(simulation.draws)
        except BaseException:
            ensemble.close()
            raise
        return ensemble
    group = groups[0]
    state = group.sampler.start(seed=simulation.seed, order=simulation.start)
    one = measure(hamiltonians[0], state["configurations"][0, :1])
    return Ensemble.create(
        path,
        model=simulation.model,
        options=simulation.options,
        shape=simulation.shape,
        temperatures=list(simulation.temperatures) or [None],
        algorithm=str(simulation.algorithm),
        settings=simulation.to_dict(),
        seed=simulation.seed,
        chains=group.sampler.chains,
        draws=simulation.draws,
        block=simulation.block,
        thin=simulation.thin or 1,
        thermalise=simulation.thermalise or 0,
        dtype=str(state["configurations"].dtype),
        series=list(one),
        state=_stored(state, 0, 1),
        keep_configurations=simulation.keep_configurations,
        describe=[h.describe() for h in hamiltonians],
        reason=simulation.reason,
    )


def _stored(state: State, row: int, thin: int) -> dict[str, np.ndarray]:
    """The state of one temperature, and the updates between draws that were found for it."""
    return {**{name: values[row] for name, values in state.items()}, "thin": np.asarray(thin, np.int64)}


def _blocks(
    simulation: Simulation,
    groups: list[Group],
    ensemble: Ensemble,
    workers: int,
    on_event: Callable[[str], None],
) -> Generator[_Block, None, None]:
    """The missing blocks of all groups, each group in its order; several groups in threads."""
    for group in groups:  # threads that temperatures leave idle are for the chains
        group.sampler.threads = max(workers // len(groups), 1)
    if len(groups) == 1 or workers == 1:
        for group in groups:
            yield from _group_blocks(simulation, group, ensemble, on_event)
        return
    results: queue.Queue[Any] = queue.Queue(maxsize=2 * workers)
    halt = threading.Event()

    def put(item: Any) -> bool:
        while not halt.is_set():
            try:
                results.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work(group: Group) -> None:
        try:
            for block in _group_blocks(simulation, group, ensemble, on_event):
                if not put(block):
                    return
            put(None)
        except BaseException as error:
            put(error)

    with ThreadPoolExecutor(workers) as pool:
        try:
            for group in groups:
                pool.submit(work, group)
            waiting = len(groups)
            while waiting:
                item = results.get()
                if isinstance(item, BaseException):
                    raise item
                if item is None:
                    waiting -= 1
                else:
                    yield item
        finally:
            halt.set()
            pool.shutdown(cancel_futures=True)


def _group_blocks(
    simulation: Simulation, group: Group, ensemble: Ensemble, on_event: Callable[[str], None]
) -> Generator[_Block, None, None]:
    done = int(min(ensemble.blocks_done[t] for t in group.temperatures))
    if done == ensemble.blocks:
        return
    seed, sampler = simulation.seed, group.sampler
    if done:
        stored = [ensemble.state(t, blocks=done) or {} for t in group.temperatures]
        thin = int(stored[0]["thin"])
        state = {name: np.stack([s[name] for s in stored]) for name in stored[0] if name != "thin"}
    else:
        state = sampler.start(seed=seed, order=simulation.start)
        thin = simulation.thin or 1
        if simulation.thermalise:
            on_event(
                f"compiling and thermalising {_where(simulation, group)}, {simulation.thermalise} updates"
            )
            state, info = sampler.thermalise(state, simulation.thermalise, seed=seed)
            thin = simulation.thin or sampler.suggested_thin(info)
    for number in range(done, ensemble.blocks):
        first, last = ensemble.block_range(number)
        drawn = sampler.run(state, last - first, thin, seed=seed, block=number)
        state = drawn.state
        yield _Block(group, number, drawn, thin)


def _where(simulation: Simulation, group: Group) -> str:
    temperatures = [simulation.temperatures[t] for t in group.temperatures if simulation.temperatures]
    if not temperatures:
        return simulation.model
    ends = (
        f"{temperatures[0]:.6g}"
        if len(temperatures) == 1
        else f"{temperatures[0]:.6g} … {temperatures[-1]:.6g}"
    )
    return f"{simulation.model} at T = {ends}"
