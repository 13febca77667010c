"""The probes of Boltzmann machines by name: numbers for JSON, arrays for .npz, a figure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from deeprg.cli._boltzmann_data import Configurations, encoded
from deeprg.coarsegrain import AbstractCoarseGraining, build_block_rule
from deeprg.coarsegrain.boltzmann import AbstractUnit, BeliefNetwork, BoltzmannLayer
from deeprg.lattice import Lattice
from deeprg.probes import (
    ScalingDimension,
    TwoPoint,
    band_structure,
    maps_of,
    match_patterns,
    pattern_statistics,
    receptive_fields,
    scaling_dimension,
    two_point,
    weight_spectrum,
)
from deeprg.report.patterns import plot_radial_profiles
from deeprg.report.style import figure
from deeprg.report.two_point import plot_two_point
from deeprg.report.vh_maps import plot_tiles
from deeprg.report.weight_spectra import plot_bands, plot_weight_spectra
from deeprg.runs.errors import DeeprgError, UsageError

__all__ = ["PROBES", "Finding", "Subject", "dimension", "rule_of"]

_AT_ONCE, _BLOCKS = 2048, 20
_MOST_SITES = 16  # of which all couplings up to fourth order are taken; else pairs near each other
_FARTHEST, _PAIRS = 3.0, 16  # their largest distance, and how many at each: one takes a quadrature


@dataclass(frozen=True, eq=False)
class Subject:
    """A stack of trained layers, seen as one: from the visible units to the top hidden ones.

    `data` are the configurations that it is probed with, [chains, draws, *lattice].
    """

    network: BeliefNetwork
    lattice: Lattice
    data: Configurations
    key: PRNGKeyArray

    @property
    def x(self) -> np.ndarray:
        """The configurations at the one temperature."""
        return self.data.groups[0]

    @property
    def depth(self) -> int:
        """How many layers."""
        return len(self.network.machines)

    @property
    def rule(self) -> AbstractCoarseGraining:
        """Visible units to top hidden units, which have no places: a chain of them."""
        return rule_of(self.network, self.lattice)

    @property
    def visible(self) -> AbstractUnit:
        """The kind of the visible units."""
        return self.network.machines[0].visible

    @property
    def fields(self) -> list[np.ndarray]:
        """Effective receptive fields of every layer, [units, sites]; `UsageError` for Potts units."""
        if self.visible.q > 1:
            raise UsageError(f"W of '{self.visible.name}' units has {self.visible.q} rows per site.")
        return receptive_fields([machine.weights for machine in self.network.machines])


def rule_of(network: BeliefNetwork, lattice: Lattice) -> AbstractCoarseGraining:
    """The network as one coarse-graining; its hidden layers are chains."""
    if len(network.machines) == 1:
        return BoltzmannLayer(network.machines[0], lattice)
    return network.coarse_graining(lattice, *(Lattice((width,)) for width in network.widths[1:]))


@dataclass(frozen=True, eq=False)
class Finding:
    """What a probe found: `numbers` for JSON, rows (name, text) for people, arrays, and a figure."""

    numbers: dict[str, Any]
    rows: list[tuple[str, str]]
    figure: Any
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def dimension(curve: TwoPoint) -> ScalingDimension | None:
    """The scaling dimension, None where the lattice or the data do not allow a fit."""
    try:
        return scaling_dimension(curve)
    except DeeprgError:
        return None


def _vh(subject: Subject) -> Finding:
    raw = maps_of(subject.rule, subject.x, subject.key)
    connected = maps_of(subject.rule, subject.x, subject.key, connected=True)
    numbers = {}
    for name, maps in (("raw", raw), ("connected", connected)):
        value, error = maps.peak
        numbers[name] = {"peak": value, "peak_error": error, "n": maps.n, "short": maps.short}
    fig, axes = figure(11.0, 4.8, ncols=2)
    plot_tiles(axes[0], raw.maps, title="raw")
    plot_tiles(axes[1], connected.maps, title="connected", label="⟨v h⟩ − ⟨v⟩⟨h⟩")
    rows = [
        (f"largest ⟨v h⟩, {name}", f"{part['peak']:.4f} ± {part['peak_error']:.4f}")
        for name, part in numbers.items()
    ]
    arrays = {"vh": raw.value, "vh_error": raw.error, "vh_connected": connected.value}
    return Finding(numbers, rows, fig, arrays)


def _patterns(subject: Subject) -> Finding:
    raw = maps_of(subject.rule, subject.x, subject.key)
    found = {"⟨v h⟩": pattern_statistics(raw.maps)}
    if subject.visible.q == 1:
        found["weights"] = pattern_statistics(subject.fields[-1], subject.lattice.shape)
    numbers: dict[str, Any] = {}
    rows = []
    for name, one in found.items():
        plain = one.to_dict()
        part = {key: plain[f"median_{key}"] for key in ("width", "spots", "participation")}
        numbers["vh" if name == "⟨v h⟩" else name] = part
        text = "width {width:.3g}, {spots:.3g} spots, participation {participation:.3f}"
        rows.append((f"{name}, medians", text.format(**part)))
    lattice = subject.lattice
    side = round((lattice.size / subject.rule.coarse.size) ** (1 / lattice.ndim))
    try:
        rule = build_block_rule("average", lattice, side=side)
    except UsageError:
        numbers["block_average"] = None
    else:
        reference = maps_of(rule, subject.x, subject.key)
        match = match_patterns(raw.maps, reference.maps)
        overlap = float(np.median(match.overlap))
        numbers["block_average"] = {"side": side, "distance": match.total, "median_overlap": overlap}
        rows.append((f"from averages of side {side}", f"distance {match.total:.4f}, overlap {overlap:.3f}"))
    fig, axes = figure(11.0, 3.8, ncols=2)
    plot_radial_profiles(axes[0], {"⟨v h⟩": found["⟨v h⟩"]})
    plot_tiles(axes[1], found["⟨v h⟩"].autocorrelation[None], title="autocorrelation C(r)", label="C(r)")
    return Finding(numbers, rows, fig, {"profile": found["⟨v h⟩"].profile})


def _two_point(subject: Subject) -> Finding:
    """G(r) of the data beside that of v', one round v -> h -> v' further."""
    unit, rows, network = subject.visible, subject.x, subject.network
    v = encoded(rows, unit, subject.lattice, f"'{subject.data.path}'")
    parts = []
    for number, first in enumerate(range(0, len(v), _AT_ONCE)):
        up, down = jax.random.split(jax.random.fold_in(subject.key, number))
        part = jnp.asarray(v[first : first + _AT_ONCE], network.machines[0].weights.dtype)
        parts.append(np.asarray(unit.decode(network.down(network.up(part, key=up), mean=False, key=down))))
    again = np.concatenate(parts).reshape(rows.shape)
    curves, fits, numbers, shown = {}, {}, {}, []
    for operator in ("spin", "energy"):
        for name, x in (("data", rows), ("v'", again)):
            label = f"{operator}, {name}"
            curves[label] = two_point(x.astype(np.float32), operator, blocks=_BLOCKS)
            if (fit := dimension(curves[label])) is not None:
                fits[label] = fit
                shown.append((f"Δ of the {label}", f"{fit.value:.4f} ± {fit.error:.4f}"))
            numbers[f"{operator}_{'data' if name == 'data' else 'reconstructed'}"] = {
                **curves[label].to_dict(),
                "dimension": None if fit is None else fit.to_dict(),
            }
    first = [
        curves[f"{operator}, {name}"].value[1] for operator in ("spin", "energy") for name in ("data", "v'")
    ]
    shown.insert(0, ("G(1), data and v'", "spin {:.4f} {:.4f}, energy {:.4f} {:.4f}".format(*first)))
    fig, ax = figure(6.4, 4.2)
    plot_two_point(ax, curves, fits)
    return Finding(numbers, shown, fig)


def _spectra(subject: Subject) -> Finding:
    """Singular values of the top W; bands of R R^T, R its units' receptive fields (W itself in layer 1)."""
    spectrum = weight_spectrum(subject.network.machines[-1].weights)
    bands = band_structure(subject.fields[-1].T, subject.lattice.shape)
    ratio = bands.mean / bands.mean[0] if bands.mean[0] else bands.mean
    name = "W" if subject.depth == 1 else "R"
    fig, axes = figure(11.0, 3.8, ncols=2)
    plot_weight_spectra(axes[0], {"W": spectrum})
    plot_bands(axes[1], {name: bands})
    rows = [
        ("largest singular values", ", ".join(f"{s:.4g}" for s in spectrum.singular_values[:4])),
        ("above the random edge", f"{spectrum.outliers} of {len(spectrum.singular_values)}"),
        (f"{name} {name}ᵀ at r = 1 over r = 0", f"{ratio[1]:.4f}" if len(ratio) > 1 else "—"),
    ]
    numbers = {**spectrum.to_dict(), "bands": {"r": bands.r.tolist(), "mean": bands.mean.tolist()}}
    return Finding(numbers, rows, fig)


def _receptive(subject: Subject) -> Finding:
    """Effective receptive fields R^(l) = W^(1) ... W^(l) of every layer: how large, how local."""
    fields, shape = subject.fields, subject.lattice.shape
    fig, axes = figure(5.4 * len(fields), 4.8, ncols=len(fields))
    numbers, rows = [], []
    for depth, (ax, patterns) in enumerate(zip(np.ravel(axes), fields, strict=True), 1):
        found = pattern_statistics(patterns, shape).to_dict()
        part = {key: found[f"median_{key}"] for key in ("width", "spots", "participation")}
        numbers.append({"layer": depth, "units": len(patterns), **part})
        text = "width {width:.3g}, {spots:.3g} spots, participation {participation:.3f}".format(**part)
        rows.append((f"layer {depth}, {len(patterns)} units, medians", text))
        plot_tiles(ax, patterns.reshape(-1, *shape), title=f"layer {depth}", label="field")
    return Finding({"layers": numbers}, rows, fig, {f"field_{k}": one for k, one in enumerate(fields, 1)})


def _couplings(subject: Subject) -> Finding:
    """Effective couplings of the visible units: all orders of small machines, near pairs of large ones."""
    if subject.depth > 1:
        raise UsageError("Effective couplings are those of one machine: take --depth 1.")
    machine, lattice = subject.network.machines[0], subject.lattice
    small = lattice.size <= _MOST_SITES
    spins = machine.visible.name == "spin"
    method = "exact" if small or not spins else "clt"
    pairs, distance = _near_pairs(lattice, np.inf if small else _FARTHEST)
    options: dict[str, Any] = {} if small else {"sets": [tuple(pair) for pair in pairs.tolist()]}
    order = min(4, lattice.size) if small else 2
    found = machine.couplings(order=order, method=method, **options)
    values = np.array([found[tuple(pair)] for pair in pairs.tolist()])
    by_distance = [
        {
            "r": float(r),
            "mean": float(values[distance == r].mean()),
            "spread": float(values[distance == r].std()),
            "pairs": int((distance == r).sum()),
        }
        for r in np.unique(distance)
    ]
    orders = {
        str(k): float(np.sqrt(np.mean(found.order(k).values ** 2))) for k in range(1, order + 1) if small
    }
    known = getattr(subject.data.hamiltonian, "temperature", None)
    exact = 1 / float(known) if known is not None and spins else None
    rows = [
        (f"pairs at r = {row['r']:.3g}", f"{row['mean']:+.4f} (spread {row['spread']:.4f})")
        for row in by_distance
    ]
    rows = rows[:5] + [(f"order {k}, root mean square", f"{value:.4f}") for k, value in orders.items()]
    if exact is not None:
        rows.append(("J/T of the data", f"{exact:.4f}"))
    fig, ax = figure(6.0, 3.8)
    ax.errorbar(
        [row["r"] for row in by_distance],
        [row["mean"] for row in by_distance],
        yerr=[row["spread"] for row in by_distance],
        fmt="o",
        markersize=4,
    )
    ax.axhline(0, linewidth=0.8)
    ax.set(xlabel="distance (lattice spacings)", ylabel="coupling", title="Effective pair couplings")
    numbers = {"method": method, "pairs": by_distance, "root_mean_square": orders, "data_coupling": exact}
    return Finding(numbers, rows, fig)


def _near_pairs(lattice: Lattice, farthest: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of sites [n, 2] up to a distance on the torus, and their distances: all, or some at random."""
    coordinates, extents = lattice.coordinates(), np.array(lattice.shape)
    pairs, distances = [], []
    for site in range(lattice.size - 1):
        apart = np.abs(coordinates[site + 1 :] - coordinates[site])
        apart = np.minimum(apart, extents - apart)
        r = np.sqrt((apart**2).sum(axis=-1))
        near = np.flatnonzero(r <= farthest)
        pairs.append(np.stack([np.full(len(near), site), near + site + 1], axis=1))
        distances.append(r[near])
    every, r = np.concatenate(pairs), np.concatenate(distances).round(9)
    if farthest == np.inf:
        return every, r
    rng = np.random.default_rng(0)
    places = [np.flatnonzero(r == one) for one in np.unique(r)]
    kept = np.concatenate([rng.choice(own, min(_PAIRS, len(own)), replace=False) for own in places])
    return every[kept], r[kept]


PROBES: dict[str, Callable[[Subject], Finding]] = {
    "vh": _vh,
    "patterns": _patterns,
    "two-point": _two_point,
    "spectra": _spectra,
    "receptive": _receptive,
    "couplings": _couplings,
}
