"""What the page and the findings of an ensemble need, read from the ensemble."""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Sequence

import numpy as np

from deeprg.exact import reference
from deeprg.hamiltonians import (
    MODELS,
    XY,
    AbstractHamiltonian,
    Dimers,
    GaussianField,
    Ising,
    Phi4,
    Potts,
    RandomBondIsing,
    build_model,
    critical_temperature_of,
)
from deeprg.montecarlo import (
    autocorrelation_function,
    gamma_method,
    potts_field,
    spatial_averages,
    xy_field,
)
from deeprg.montecarlo.analysis import Analysis
from deeprg.montecarlo.ensembles import Ensemble
from deeprg.montecarlo.samplers import ordered_chains
from deeprg.report.citations import citations_for_ensemble
from deeprg.report.correlation import Profile
from deeprg.report.ensemble import Autocorrelation, EnsembleData, TemperatureData
from deeprg.report.thermodynamic_curves import Curve
from deeprg.runs.errors import NumericalError, UsageError

__all__ = ["ensemble_data", "judged"]

_PLOTTED = 4000  # configurations per temperature from which G(r) is estimated for the page
_FEWEST = 32
_GRID, _FEW_POINTS = 200, 25
_SHOWN = ("energy_per_site", "action_per_site", "abs_magnetization")
_PROVENANCE = ("seed", "chains", "thermalise", "block")


def judged(ensemble: Ensemble, rows: Sequence[Analysis]) -> EnsembleData:
    """The numbers of an ensemble, from which the findings follow; no configuration is read."""
    states = [_numbers(ensemble, row) for row in rows]
    return _whole(ensemble, states)


def ensemble_data(ensemble: Ensemble, rows: Sequence[Analysis]) -> EnsembleData:
    """All that the page shows."""
    states = []
    for row in rows:
        index = _index(ensemble, row)
        state = _numbers(ensemble, row)
        shown = [name for name in _SHOWN if name in state.series]
        found = {name: _autocorrelation(state.series[name]) for name in shown}
        correlation, structure = _spatial(ensemble, index, row.discard)
        states.append(
            dataclasses.replace(
                state,
                autocorrelations={name: entry for name, entry in found.items() if entry is not None},
                configurations=_snapshots(ensemble, index),
                correlation=correlation,
                structure_factor=structure,
            )
        )
    return _whole(ensemble, states, curves=_curves(ensemble))


def _index(ensemble: Ensemble, row: Analysis) -> int:
    return 0 if row.temperature is None else list(ensemble.temperatures).index(row.temperature)


def _numbers(ensemble: Ensemble, row: Analysis) -> TemperatureData:
    index = _index(ensemble, row)
    order = ensemble.provenance["settings"].get("start")
    starts = None
    if order is not None:
        starts = ["cold" if cold else "hot" for cold in ordered_chains(order, row.chains)]
    rates = {
        "updates_per_second": row.updates_per_second,
        "independent_samples_per_second": row.independent_samples_per_second,
    }
    return TemperatureData(
        temperature=row.temperature,
        observables={name: entry.to_dict() for name, entry in row.observables.items()},
        series={name: ensemble.series(name, index)[:, row.discard :] for name in ensemble.series_names},
        starts=starts,
        r_hat=row.r_hat,
        replica_q=row.replica_q,
        equilibrated_after=row.unequilibrated,
        info={**row.info, **rates},
    )


def _whole(
    ensemble: Ensemble, states: Sequence[TemperatureData], curves: dict[str, Curve] | None = None
) -> EnsembleData:
    origin, first = ensemble.provenance, ensemble.hamiltonian(0)
    summary = f"{MODELS[origin['model']].summary}, {ensemble.lattice}"
    return EnsembleData(
        name=ensemble.path.name,
        temperatures=states,
        subtitle=first.describe() if len(states) == 1 else summary,
        kind=_kind(first),
        symmetric=_symmetric(first),
        algorithm=origin["algorithm"],
        reason=origin["reason"],
        curves=curves or {},
        critical=_critical(ensemble),
        provenance={
            "model": origin["model"],
            **origin["options"],
            "lattice": str(ensemble.lattice),
            **{name: origin[name] for name in _PROVENANCE},
            "thin": origin["thin"] if origin["settings"].get("thin") else "as the algorithm suggests",
        },
        environment=origin["environment"],
        citations=citations_for_ensemble(
            origin["model"],
            origin["algorithm"],
            tempering=origin["algorithm"] == "tempering",
            two_dimensional=ensemble.lattice.ndim == 2,
        ),
    )


def _critical(ensemble: Ensemble) -> float | None:
    origin = ensemble.provenance
    with contextlib.suppress(UsageError):
        return critical_temperature_of(origin["model"], ensemble.lattice, **origin["options"])
    return None


def _kind(model: AbstractHamiltonian) -> str:
    kinds = {Potts: "potts", XY: "xy", Dimers: "dimers", Phi4: "field", GaussianField: "field"}
    return kinds.get(type(model), "ising")


def _symmetric(model: AbstractHamiltonian) -> bool:
    return isinstance(model, Phi4 | GaussianField) or (
        isinstance(model, Ising | RandomBondIsing) and model.field == 0
    )


def _autocorrelation(chains: np.ndarray) -> Autocorrelation | None:
    try:
        found = gamma_method(chains)
        lags = min(max(4 * found.window, 10), chains.shape[1] // 2)
        rho, error = autocorrelation_function(chains, lags)
    except (NumericalError, UsageError):
        return None  # a constant, or too few draws to say anything
    return Autocorrelation(np.arange(lags + 1), rho, error, found.tau_int, found.tau_int_error, found.window)


def _snapshots(ensemble: Ensemble, index: int) -> np.ndarray | None:
    if not ensemble.has_configurations:
        return None
    valid = ensemble.valid_draws(index)
    count = min(valid, 64 if ensemble.lattice.ndim == 1 else 1)
    return ensemble.configurations(index, valid - count, valid)[0]


def _blocks(ensemble: Ensemble, index: int, discard: int) -> Iterator[np.ndarray]:
    valid = ensemble.valid_draws(index)
    first = max(discard, valid - max(_PLOTTED // ensemble.chains, _FEWEST))
    step = max((valid - first) // _FEWEST, 1)
    for begin in range(first, valid, step):
        yield np.swapaxes(ensemble.configurations(index, begin, min(begin + step, valid)), 0, 1)


def _spatial(ensemble: Ensemble, index: int, discard: int) -> tuple[Profile | None, Profile | None]:
    model = ensemble.hamiltonian(index)
    if not ensemble.has_configurations or isinstance(model, Dimers) or max(ensemble.lattice.shape) < 4:
        return None, None
    field = (
        potts_field(model.states) if isinstance(model, Potts) else xy_field if isinstance(model, XY) else None
    )
    try:
        found = spatial_averages(_blocks(ensemble, index, discard), field=field)
        g, s = found.correlation_function(), found.structure_factor("distance")
    except UsageError:
        return None, None  # too few draws for an error bar
    exact = _exact_correlation(model)
    return Profile(g.x, g.value, g.error, exact), Profile(s.x, s.value, s.error)


def _exact_correlation(model: AbstractHamiltonian) -> np.ndarray | None:
    known = reference(model)
    if known is None or known.correlation is None:
        return None
    axis = int(np.argmax(model.lattice.shape))
    line = np.moveaxis(known.correlation, axis, 0).reshape(model.lattice.shape[axis], -1)[:, 0]
    return line[: model.lattice.shape[axis] // 2 + 1]


def _curves(ensemble: Ensemble) -> dict[str, Curve]:
    """Exact energy and specific heat over the temperatures of a grid, where they are known."""
    temperatures = ensemble.temperatures
    if len(temperatures) < 3:
        return {}
    origin = ensemble.provenance
    build = functools.partial(build_model, origin["model"], ensemble.lattice, **origin["options"])
    # On a small lattice each point is a transfer matrix or a sum over all states.
    points = _GRID if ensemble.lattice.size > 64 else _FEW_POINTS
    grid = np.linspace(temperatures.min(), temperatures.max(), points)
    known = [reference(build(float(t))) for t in grid]
    rows = [{} if k is None else {**k.observables, **k.derived} for k in known]
    names = [name for name in rows[0] if all(name in row for row in rows)]
    return {name: Curve(grid, [row[name] for row in rows]) for name in names}
