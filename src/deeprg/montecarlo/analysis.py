"""The averages of an ensemble with errors, exact values beside them, and the signs of equilibrium."""

import contextlib
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from deeprg.exact import Reference, reference
from deeprg.montecarlo.autocorrelation import gamma_method
from deeprg.montecarlo.convergence import split_r_hat
from deeprg.montecarlo.ensembles import Ensemble
from deeprg.montecarlo.equilibration import equilibration_start
from deeprg.montecarlo.estimate import Estimate
from deeprg.montecarlo.samplers import ALGORITHMS
from deeprg.montecarlo.thermodynamics import thermodynamics
from deeprg.runs.errors import NumericalError, UsageError

__all__ = ["Analysis", "analyse"]

_JUDGED = 50  # steps below which neither start nor agreement is judged


@dataclass(frozen=True)
class Analysis:
    """What one temperature of an ensemble says.

    `observables` are the averages of `thermodynamics` with exact values where known; `tau_int` the largest
    of energy and order parameter, in draws, and `r_hat` the split R-hat of each of them. `replica_q` is the
    smallest probability that chains which agree differ as much as these; `unequilibrated` the number of
    draws that do not look like equilibrium where these are more than half, None when all is well. Rates are
    per second of pure sampling, None for imported data: `updates_per_second` in the algorithm's own updates,
    `independent_samples_per_second` = draws/(2 tau_int).
    """

    temperature: float | None
    model: str
    description: str
    in_field: bool
    chains: int
    draws: int
    discard: int
    observables: dict[str, Estimate]
    tau_int: float
    r_hat: dict[str, float]
    replica_q: float | None
    unequilibrated: int | None
    updates_per_second: float | None
    site_updates_per_second: float | None
    independent_samples_per_second: float | None
    info: dict[str, float]
    exact_source: str | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        row = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return row | {"observables": {name: entry.to_dict() for name, entry in self.observables.items()}}


def analyse(
    ensemble: Ensemble, temperature_index: int, *, discard: int = 0, known: Reference | None = None
) -> Analysis:
    """Averages with errors at one temperature of an ensemble, after `discard` draws of every chain.

    `known` is the exact reference, looked up by `deeprg.exact.reference` when it is None. Raises `UsageError`
    for a temperature without draws, or when `discard` leaves fewer than 8.

    >>> import tempfile
    >>> from deeprg.montecarlo.running import simulate
    >>> from deeprg.montecarlo.simulation import Simulation
    >>> plan = Simulation("ising", (8, 8), (2.0,), samples=8000).plan()
    >>> result = analyse(simulate(plan, tempfile.mkdtemp() + "/E.zarr"), 0)
    >>> abs(result.observables["energy_per_site"].pull) < 3
    True
    """
    hamiltonian = ensemble.hamiltonian(temperature_index)
    valid = ensemble.valid_draws(temperature_index)
    if valid - discard < 8 or discard < 0:
        raise UsageError(
            f"'{ensemble.path}' has {valid} draws per chain at this temperature; after discarding {discard} "
            "at least 8 must remain. Continue the simulation or discard fewer."
        )
    names = ensemble.series_names
    series = {name: ensemble.series(name, temperature_index)[:, discard:] for name in names}
    temperature = getattr(hamiltonian, "temperature", None)
    size, shape = hamiltonian.lattice.size, hamiltonian.lattice.shape
    exact = reference(hamiltonian) if known is None else known
    symmetric = not getattr(hamiltonian, "field", 0.0)
    rows = _with_exact(thermodynamics(series, size, temperature, shape, symmetric=symmetric), exact)
    principal = [name for name in _PRINCIPAL if name in rows and rows[name].tau_int is not None]
    tau = max((rows[name].tau_int or 0.5 for name in principal), default=0.5)
    start, r_hats, agreement = _judged(series, principal)
    info, seconds, updates = _rates(ensemble, temperature_index)
    total = ensemble.chains * valid
    return Analysis(
        temperature=temperature,
        model=f"{ensemble.provenance['model']} on {hamiltonian.lattice}",
        description=hamiltonian.describe(),
        in_field=not symmetric,
        chains=ensemble.chains,
        draws=valid - discard,
        discard=discard,
        observables=rows,
        tau_int=tau,
        r_hat=r_hats,
        replica_q=agreement,
        unequilibrated=start,
        updates_per_second=updates / seconds if seconds else None,
        site_updates_per_second=_site_updates(ensemble, info, updates, seconds),
        independent_samples_per_second=total / (2 * tau) / seconds if seconds else None,
        info=info,
        exact_source=None if exact is None else exact.source,
    )


_PRINCIPAL = ("energy_per_site", "action_per_site", "abs_magnetization", "magnetization_squared")


def _with_exact(rows: dict[str, Estimate], exact: Reference | None) -> dict[str, Estimate]:
    if exact is None:
        return rows
    known = {**exact.observables, **exact.derived}
    return {name: replace(row, exact=known.get(name)) for name, row in rows.items()}


def _judged(
    series: dict[str, np.ndarray], principal: list[str]
) -> tuple[int | None, dict[str, float], float | None]:
    """The draws that look like the start, R-hats, and the smallest probability that the chains agree."""
    start, r_hats, agreements = None, {}, []
    for name in principal:
        chains = series[name]
        if chains.shape[1] < _JUDGED or np.ptp(chains) == 0:
            continue
        found = equilibration_start(chains)
        if not found.equilibrated:
            start = max(start or 0, found.start)
        if len(chains) > 1:
            r_hats[name] = split_r_hat(chains)
            with contextlib.suppress(NumericalError):
                agreements.append(gamma_method(chains).replica_q)
    finite = {name: value for name, value in r_hats.items() if math.isfinite(value)}
    agreed = [value for value in agreements if value is not None]
    return start, finite, min(agreed, default=None)


def _rates(ensemble: Ensemble, index: int) -> tuple[dict[str, float], float, float]:
    """The averages over blocks of what the sampler said, and its total seconds and updates."""
    blocks = ensemble.info(index)
    seconds = float(np.nansum(blocks.get("seconds", np.zeros(1))))
    updates = float(np.nansum(blocks.get("updates", np.zeros(1))))
    means = {name: float(np.nanmean(v)) for name, v in blocks.items() if v.size and not np.isnan(v).all()}
    if "divergences" in blocks:
        means["divergences"] = float(np.nansum(blocks["divergences"]))
    for name in ("seconds", "updates"):
        means.pop(name, None)
    return means, seconds, updates


def _site_updates(ensemble: Ensemble, info: dict[str, float], updates: float, seconds: float) -> float | None:
    algorithm = ALGORITHMS.get(ensemble.provenance["algorithm"])
    if not seconds or algorithm is None or algorithm.update not in ("sweep", "cluster"):
        return None
    share = info.get("cluster_size", 1.0) if algorithm.update == "cluster" else 1.0
    return updates * share * ensemble.lattice.size / seconds
