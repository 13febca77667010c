"""What the page of an ensemble shows: plain numbers and arrays, per temperature."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deeprg.report._citation import Citation
from deeprg.report.correlation import Profile
from deeprg.report.diagnosis import Finding
from deeprg.report.labels import temperature_label
from deeprg.report.thermodynamic_curves import Curve

__all__ = ["Autocorrelation", "EnsembleData", "TemperatureData"]


@dataclass(frozen=True)
class Autocorrelation:
    """ρ(t) of one observable with its error, and the τ_int ± error that follows from it up to the window.

    `lags`, `rho` and `error` are vectors of one length.
    """

    lags: np.ndarray
    rho: np.ndarray
    error: np.ndarray | None = None
    tau_int: float | None = None
    tau_error: float | None = None
    window: int | None = None


@dataclass(frozen=True)
class TemperatureData:
    """An ensemble at one temperature (None for a model without); what is empty or None is not shown.

    Args:
        temperature: in units of J.
        observables: by name {"value", "error", "tau_int", "tau_int_error", "exact", "pull", "short"}; all but
            the value may be missing. `pull` is (value − exact)/error and is computed when missing. τ_int
            counts kept configurations; `short` says that the chains are shorter than 50 τ_int.
        series: by name [chains, draws], the thermalisation already dropped.
        starts: "hot" or "cold" for every chain.
        configurations: [snapshots, *shape]; the last one is drawn, of a ring all as space over draws.
        autocorrelations: by name of the observable.
        correlation: G(r) along an axis, with its errors.
        structure_factor: S(k) over |k|.
        r_hat: split-R̂ by name of the observable.
        replica_q: probability that independent chains differ at least as much as these.
        equilibrated_after: number of draws of `series` that detection would still drop.
        info: what the sampler said of itself: "acceptance", "swap_acceptance", "cluster_size", "divergences"
            (their number), "updates_per_second", "independent_samples_per_second" …
    """

    temperature: float | int | None = None
    observables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    series: Mapping[str, np.ndarray] = field(default_factory=dict)
    starts: Sequence[str] | None = None
    configurations: np.ndarray | None = None
    autocorrelations: Mapping[str, Autocorrelation] = field(default_factory=dict)
    correlation: Profile | None = None
    structure_factor: Profile | None = None
    r_hat: Mapping[str, float] = field(default_factory=dict)
    replica_q: float | None = None
    equilibrated_after: int | None = None
    info: Mapping[str, float | int | None] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """T = …, or nothing for a model without temperature."""
        return temperature_label(self.temperature)

    @property
    def draws(self) -> int:
        """Kept configurations per chain; 0 without series."""
        return max((np.atleast_2d(values).shape[1] for values in self.series.values()), default=0)

    def times(self, *, symmetric: bool = False) -> dict[str, float]:
        """τ_int by name, as far as known.

        In a `symmetric` model that of the magnetization is left out: its average is known to be zero, and
        its sign may rightly stay for ever.
        """
        rows = self.observables.items()
        known = {name: row["tau_int"] for name, row in rows if row.get("tau_int") is not None}
        return {n: float(tau) for n, tau in known.items() if not (symmetric and n == "magnetization")}

    def pull(self, name: str) -> float | None:
        """(value − exact)/error of one observable, None where one of them is unknown.

        >>> TemperatureData(2.0, {"energy_per_site": {"value": -1.7, "error": 0.1, "exact": -1.75}}).pull(
        ...     "energy_per_site"
        ... )
        0.5
        """
        row = self.observables[name]
        if row.get("pull") is not None:
            return row["pull"]
        value, error, exact = (row.get(key) for key in ("value", "error", "exact"))
        if value is None or exact is None or not error:
            return None
        return float(round((value - exact) / error, 12))


@dataclass(frozen=True)
class EnsembleData:
    """An ensemble over temperatures, cold ones first, and all else that its page shows.

    Args:
        name: of the ensemble; the title of the page.
        temperatures: at least one.
        subtitle: the Hamiltonian in words.
        kind: how configurations are drawn: "ising", "potts", "xy", "field" or "dimers".
        symmetric: whether H(x) = H(−x), so that ⟨m⟩ = 0.
        algorithm: name of the update.
        reason: why this algorithm.
        curves: exact curves by name of the observable, on a dense grid of temperatures.
        critical: the critical temperature, where known.
        provenance: seed, thermalisation, thinning, chains, versions …, shown as pairs.
        environment: the machine and the packages.
        citations: the sources.
        findings: computed by `diagnose_ensemble` when None.
    """

    name: str
    temperatures: Sequence[TemperatureData]
    subtitle: str = ""
    kind: str = "ising"
    symmetric: bool = False
    algorithm: str = ""
    reason: str = ""
    curves: Mapping[str, Curve] = field(default_factory=dict)
    critical: float | int | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    citations: Sequence[Citation] = ()
    findings: Sequence[Finding] | None = None
