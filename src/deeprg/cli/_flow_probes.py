"""The probes of trained flows by name: kernels, correlations, information, couplings by scale."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from deeprg.cli._boltzmann_data import Configurations
from deeprg.cli._probes import Finding
from deeprg.cli._table import text_table, with_error
from deeprg.coarsegrain.flow import AbstractFlow, base_flow, pull
from deeprg.hamiltonians import AbstractDual, AbstractHamiltonian, ContinuousDual
from deeprg.probes.collective import cut_information, information_maps, renormalised_levels, target_fields
from deeprg.probes.kernels import gradient_kernels, latent_correlations, latent_reach
from deeprg.probes.scale_information import scale_information
from deeprg.report.latents import plot_correlation_matrix, plot_information_map, plot_kernels
from deeprg.report.renormalised import plot_coupling_flow
from deeprg.report.style import figure
from deeprg.runs.errors import UsageError

__all__ = ["FLOW_PROBES", "FlowSubject", "fields_of"]

_FIELDS, _LATENTS = 20_000, 1024
_FEW = 4000  # for estimates by nearest neighbours


@dataclass(frozen=True, eq=False)
class FlowSubject:
    """A trained flow, its target, and fields of the target [*lattice, n], made when they are needed."""

    flow: AbstractFlow
    hamiltonian: AbstractHamiltonian
    key: PRNGKeyArray
    seed: int
    given: np.ndarray | None = None

    @cached_property
    def fields(self) -> np.ndarray:
        """Samples of the target."""
        return target_fields(self.hamiltonian, _FIELDS, seed=self.seed) if self.given is None else self.given

    @property
    def prior(self) -> Any:
        """Latents from the prior, [*lattice, n]."""
        base = base_flow(self.flow)
        keys = jax.random.split(self.key, _LATENTS)
        return jax.vmap(lambda k: base.latent(key=k), out_axes=-1)(keys)


def fields_of(data: Configurations, hamiltonian: AbstractHamiltonian, seed: int) -> np.ndarray:
    """Configurations as fields of the target [*lattice, n]; spins get the field of the continuous dual."""
    dual = hamiltonian if isinstance(hamiltonian, AbstractDual) else None
    model = hamiltonian if dual is None else dual.spins
    flat = data.groups[0].reshape(-1, *model.lattice.shape)
    discrete = np.isin(flat, (-1, 1)).all()
    if isinstance(hamiltonian, ContinuousDual) and not discrete:
        raise UsageError(f"'{data.path}' does not hold spins ±1, of which the target is the dual.")
    if dual is not None:
        spins = jnp.asarray(flat, jnp.float32)
        flat = np.asarray(dual.fields_given_spins(spins, key=jax.random.key(seed)))
    elif discrete:
        raise UsageError(f"'{data.path}' holds spins, but the target is {hamiltonian.describe()}.")
    return np.moveaxis(flat, 0, -1)


def _kernels(subject: FlowSubject) -> Finding:
    latents = subject.prior
    kernels, reach = gradient_kernels(subject.flow, latents), latent_reach(subject.flow, latents[..., :256])
    fig, axes = figure(2.6 * len(kernels.mean), 2.9, ncols=len(kernels.mean), squeeze=False)
    plot_kernels(list(axes[0]), kernels)
    sites, spread = reach.by_scale("participation")
    radius, _ = reach.by_scale("radius")
    rows = [
        (f"scale {s}: sites that a latent moves", f"{sites[s]:.3g} ± {spread[s]:.2g}, radius {radius[s]:.3g}")
        for s in range(len(sites))
    ]
    numbers = {"kernels": {"n": kernels.n, "sites": kernels.sites.tolist()}}
    numbers |= {"participation": sites.tolist(), "radius": radius.tolist()}
    return Finding(numbers, rows, fig, {"kernel_mean": kernels.mean, "kernel_rms": kernels.rms})


def _correlations(subject: FlowSubject) -> Finding:
    z, _ = pull(subject.flow, subject.fields)
    found = latent_correlations(np.asarray(z))
    fig, ax = figure(5.2, 4.6)
    labels = [str(scale) for scale in range(len(found.edges) - 1)]
    plot_correlation_matrix(ax, found.matrix, found.edges, labels, title="latents of samples of the target")
    largest = float(np.nanmax(found.largest))
    pairs = found.matrix.shape[0] * (found.matrix.shape[0] - 1) // 2
    chance = found.null * np.sqrt(2 * np.log(2 * pairs))
    rows = [("largest |r| of two latents", f"{largest:.4f} (chance alone: about {chance:.4f})")]
    numbers = {"largest": largest, "by_scale": found.largest.tolist(), "null": found.null, "n": found.n}
    return Finding(numbers, rows, fig, {"correlations": found.matrix})


def _information(subject: FlowSubject) -> Finding:
    maps, shape = information_maps(subject.flow, subject.fields), subject.flow.lattice.shape
    origin = (0,) * len(shape)
    fig, axes = figure(9.0, 3.8, ncols=2)
    plot_information_map(axes[0], maps.physical.by_displacement(shape), origin, title="sites of the field")
    plot_information_map(axes[1], _of_latent(maps.latent.value, shape), _middle(shape), title="latents")
    before, after = maps.largest
    rows = [
        ("largest information of two sites", f"{before:.4f} nats"),
        ("largest information of two latents", f"{after:.4f} nats (noise {maps.latent.null_error:.4f})"),
        ("total correlation removed", f"{with_error(maps.removed.value, maps.removed.error)} nats"),
    ]
    numbers: dict[str, Any] = {"largest_physical": before, "largest_latent": after}
    numbers["removed"] = maps.removed.to_dict()
    scales = scale_information(subject.flow, subject.fields[..., :_FEW])
    for row in scales:
        shape_text = "x".join(map(str, row.shape))
        told, left = (with_error(one.value, one.error) for one in (row.field, row.latent))
        rows.append((f"I(coarse : details) of a block, {shape_text}", f"{told} nats, of latents {left}"))
    numbers["scales"] = [
        {"shape": row.shape, "field": row.field.to_dict(), "latent": row.latent.to_dict()} for row in scales
    ]
    try:
        cut = cut_information(subject.flow, subject.fields[..., :_FEW])
        rows.append(("I(a:b) across a cut", f"{with_error(cut.value, cut.error)} nats"))
        numbers["cut"] = cut.to_dict()
    except UsageError as error:
        numbers["cut"] = None
        numbers["no_cut"] = str(error)
        rows.append(("I(a:b) across a cut", "none, this flow is no bottleneck"))
    return Finding(numbers, rows, fig, {"physical": maps.physical.value, "latent": maps.latent.value})


def _middle(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(extent // 2 for extent in shape)


def _of_latent(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The information of the coarsest latent with all others, its own site moved to the middle."""
    row = values[0].reshape(shape)
    return np.roll(row, _middle(shape), axis=tuple(range(len(shape))))


def _couplings(subject: FlowSubject) -> Finding:
    levels = renormalised_levels(subject.flow, subject.hamiltonian, key=subject.key)
    names = [operator.name for operator in levels[0].fit.operators]
    rows = [
        (
            f"{row.levels} levels undone, {'x'.join(map(str, row.shape))}",
            f"explains {row.fit.explained:.1%} of the energy, residual {row.fit.residual:.2g} nats"
            + ("" if row.trusted else " (!) few details count"),
        )
        for row in levels
    ]
    header = ["coupling", *(f"{row.levels} undone" for row in levels)]
    table = [
        [
            name,
            *(with_error(*row.fit.by_name()[name]) if name in row.fit.by_name() else "—" for row in levels),
        ]
        for name in names
    ]
    rows.append(("couplings of the field over its r.m.s.", "\n" + text_table(table, header)))
    fig, ax = figure(5.6, 3.6)
    for name in names:
        if name.startswith("y y"):
            plot_coupling_flow(ax, {name: levels}, name)
    ax.set_ylabel("pair coupling")
    numbers = [
        {
            "levels": row.levels,
            "shape": list(row.shape),
            "explained": row.fit.explained,
            "residual": row.fit.residual,
            "detail_error": row.detail_error,
            "trusted": row.trusted,
            "couplings": {name: list(pair) for name, pair in row.fit.by_name().items()},
            "model_couplings": {name: list(pair) for name, pair in row.model.by_name().items()},
        }
        for row in levels
    ]
    return Finding({"levels": numbers}, rows, fig)


# A new probe of flows is one function and one line here.
FLOW_PROBES: dict[str, Callable[[FlowSubject], Finding]] = {
    "kernels": _kernels,
    "correlations": _correlations,
    "information": _information,
    "couplings": _couplings,
}
