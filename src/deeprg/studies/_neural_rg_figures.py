"""Tables and figures of the study of NeuralRG."""

import jax
import numpy as np

from deeprg.coarsegrain.flow import base_flow
from deeprg.report.dynamics import plot_approach, plot_forgetting
from deeprg.report.latents import plot_correlation_matrix, plot_information_map, plot_kernels
from deeprg.report.renormalised import plot_coupling_flow
from deeprg.report.scales import plot_scales
from deeprg.report.study import StudyFigure, StudyTable
from deeprg.report.style import figure, style
from deeprg.studies._neural_rg_find import Findings

__all__ = ["figures", "tables"]


def tables(found: Findings) -> list[StudyTable]:
    """Flows, latents by scale, chains, couplings."""
    return [_flow_table(found), _scale_table(found), _chain_table(found), _coupling_table(found)]


def _flow_table(found: Findings) -> StudyTable:
    rows = []
    for name, flow in found.flows.items():
        maps, summary = found.information[name], flow.summary
        before, after = maps.largest
        rows.append(
            [name, flow.gap, summary.free_energy_error, summary.ess, summary.log_partition
             - flow.exact.log_partition, summary.log_partition_error, before, after, maps.removed.value,
             maps.removed.error, float(np.nanmax(found.correlations[name].largest))]
        )  # fmt: skip
    header = ["flow", "gap", "± ", "ESS", "ln Z − exact", "± ", "I sites", "I latents", "TC removed", "± ",
              "largest |r|"]  # fmt: skip
    return StudyTable("flows", "Trained flows at T_c, in nats", header, rows)


def _scale_table(found: Findings) -> StudyTable:
    rows = []
    for name, reach in found.reach.items():
        sites, spread = reach.by_scale("participation")
        radius, _ = reach.by_scale("radius")
        rows += [
            [name, scale, float(sites[scale]), float(spread[scale]), float(radius[scale])]
            for scale in range(len(sites))
        ]
    return StudyTable(
        "scales",
        "What one latent moves",
        ["flow", "scale", "sites", "spread", "radius"],
        rows,
        caption="Averages over latents of one scale, 0 the coarsest, whose squares have heavy tails.",
    )


def _chain_table(found: Findings) -> StudyTable:
    rows = []
    for name, course in found.courses.items():
        times = [course.estimate(o) for o in ("abs_magnetization", "energy_per_site", "magnetization")]
        rows.append(
            [name, course.updates, course.acceptance, course.step_size, 1e3 * course.seconds / course.chains]
            + [time.tau_int for time in times]
            + [1e3 * course.seconds_per_independent_sample("abs_magnetization")]
        )
    header = ["chains", "updates", "acceptance", "step", "ms per update", "τ |m|", "τ energy", "τ m",
              "ms per independent |m|"]  # fmt: skip
    return StudyTable("chains", "Chains at T_c, ten leapfrog steps", header, rows)


def _coupling_table(found: Findings) -> StudyTable:
    names = [operator.name for operator in found.couplings["T_c"][0].fit.operators]
    rows = []
    for where, levels in found.couplings.items():
        for row in levels:
            values = row.fit.by_name()
            rows.append(
                [where, "x".join(map(str, row.shape)), row.fit.explained, row.fit.residual, row.fit.scale]
                + [values[name][0] if name in values else None for name in names]
            )
    return StudyTable(
        "couplings",
        "Couplings of the renormalised energies",
        ["temperature", "level", "explained", "residual", "r.m.s. y", *names],
        rows,
        caption="Of the field divided by its root mean square; residual in nats.",
    )


def figures(found: Findings) -> list[StudyFigure]:
    """The paper's figures: scales, information, kernels, correlations, chains; and couplings by scale."""
    with style():
        return [
            _scales(found),
            *(_information(found, name) for name in found.flows),
            *(_kernels(found, name) for name in found.flows),
            _matrices(found),
            _chains(found),
            _couplings(found),
        ]


def _scales(found: Findings) -> StudyFigure:
    base = base_flow(found.flows["default"].flow)
    keys = jax.random.split(jax.random.key(found.settings.seed), 3)
    z = jax.vmap(lambda k: base.latent(key=k), out_axes=-1)(keys)
    fig = plot_scales([np.moveaxis(np.asarray(x), -1, 0) for x in base.scales(z)])
    return StudyFigure(
        "scales",
        "Inverse renormalization: three draws, from the coarsest collective variables to the field.",
        fig,
        wide=True,
    )


def _information(found: Findings, name: str) -> StudyFigure:
    shape = found.flows[name].flow.lattice.shape
    maps, middle = found.information[name], tuple(extent // 2 for extent in shape)
    fig, axes = figure(9.0, 3.9, ncols=2)
    plot_information_map(axes[0], maps.physical.by_displacement(shape), (0, 0), title="sites of the field")
    site = int(np.ravel_multi_index(middle, shape))
    plot_information_map(axes[1], maps.latent.value[site].reshape(shape), middle, title="latents")
    return StudyFigure(
        f"information-{name}",
        f"Mutual information of a site with all others, before and after the flow ({name}).",
        fig,
    )


def _kernels(found: Findings, name: str) -> StudyFigure:
    kernels = found.kernels[name]
    fig, axes = figure(2.7 * len(kernels.mean), 2.9, ncols=len(kernels.mean), squeeze=False)
    plot_kernels(list(axes[0]), kernels)
    return StudyFigure(
        f"kernels-{name}", f"Mean kernels ∂x/∂z of one latent of each scale ({name}).", fig, wide=True
    )


def _matrices(found: Findings) -> StudyFigure:
    fig, axes = figure(10.0, 4.4, ncols=len(found.correlations), squeeze=False)
    for ax, (name, row) in zip(axes[0], found.correlations.items(), strict=True):
        labels = [str(scale) for scale in range(len(row.edges) - 1)]
        plot_correlation_matrix(ax, row.matrix, row.edges, labels, title=name)
    return StudyFigure("correlations", "Linear correlations of the latents of fields of the target.", fig)


def _chains(found: Findings) -> StudyFigure:
    exact, _ = found.mean_square
    chains = {name: course for name, course in found.courses.items() if name != "wolff"}
    fig, axes = figure(11.0, 7.4, nrows=2, ncols=2)
    for ax, by in zip(axes.flat, ("updates", "gradients", "seconds"), strict=False):
        plot_approach(ax, chains, by=by, exact=exact)
    plot_forgetting(axes.flat[3], found.courses)
    return StudyFigure(
        "chains",
        "⟨m²⟩ from cold latents and fields of noise, by trajectories, forces and time; how |m| forgets.",
        fig,
        wide=True,
    )


def _couplings(found: Findings) -> StudyFigure:
    fig, axes = figure(10.0, 3.8, ncols=2)
    plot_coupling_flow(axes[0], found.couplings, "y y (1)")
    plot_coupling_flow(axes[1], found.couplings, "y²")
    return StudyFigure(
        "couplings", "Couplings of the renormalised energies, of the field over its r.m.s., by level.", fig
    )
