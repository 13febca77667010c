"""Tables and figures of the study of layouts."""

from deeprg.hamiltonians import CRITICAL_TEMPERATURE
from deeprg.report.study import StudyFigure, StudyTable
from deeprg.report.style import figure, style
from deeprg.studies._architectures_find import LAYOUTS, Findings, Variant

__all__ = ["figures", "tables"]

_HEADER = ("T", "gap", "± ", "ESS", "parameters", "ξ", "I(m_A:m_B)", "± ", "I(a:b)")


def tables(found: Findings) -> list[StudyTable]:
    """All flows, and the targets."""
    rows = [_row(name, row) for (name, _), row in found.variants.items()]
    rows += [_row(row.name, row) for row in (*found.by_layers.values(), *found.by_scales.values())]
    targets = [
        [temperature, row.length, row.information.value, row.information.error]
        for temperature, row in found.targets.items()
    ]
    return [
        StudyTable(
            "flows", "Trained alike", ("layout", *_HEADER), rows, caption="Gaps and information in nats."
        ),
        StudyTable("targets", "The targets", ("T", "ξ", "I(m_A:m_B)", "± "), targets),
    ]


def _row(name: str, row: Variant) -> list[float | int | str | None]:
    kept = row.ensemble.information
    cut = None if row.cut is None else row.cut.value
    return [name, row.temperature, row.gap, row.gap_error, row.ess, row.parameters, row.ensemble.length,
            kept.value, kept.error, cut]  # fmt: skip


def figures(found: Findings) -> list[StudyFigure]:
    """Gap by temperature and depth, correlations with distance, information."""
    with style():
        return [_gaps(found), _correlations(found)]


def _gaps(found: Findings) -> StudyFigure:
    fig, axes = figure(11.0, 3.8, ncols=2)
    temperatures = found.settings.temperatures
    for name in LAYOUTS:
        rows = [found.variants[name, t] for t in temperatures]
        axes[0].errorbar(
            temperatures,
            [r.gap for r in rows],
            [r.gap_error for r in rows],
            marker="o",
            capsize=2,
            label=name,
        )
    axes[0].axvline(CRITICAL_TEMPERATURE, color="black", linewidth=0.8, linestyle="--")
    axes[0].set_xlabel("temperature")
    for name, rows in (("tebd, layers", found.by_layers), ("mera, scales", found.by_scales)):
        axes[1].errorbar(
            list(rows),
            [r.gap for r in rows.values()],
            [r.gap_error for r in rows.values()],
            marker="o",
            capsize=2,
            label=name,
        )
    axes[1].set_xlabel("depth at T_c")
    for ax in axes:
        ax.set_yscale("log")
        ax.set_ylabel("gap in nats")
        ax.legend(frameon=False)
    return StudyFigure("gap", "Gap after equal training, by temperature and by depth.", fig, wide=True)


def _correlations(found: Findings) -> StudyFigure:
    near = min(found.settings.temperatures, key=lambda t: abs(t - CRITICAL_TEMPERATURE))
    target = found.targets[near]
    fig, axes = figure(11.0, 3.8, ncols=2)
    rows = {name: found.variants[name, near].ensemble for name in LAYOUTS}
    layers = {f"tebd, {n} layers": row.ensemble for n, row in found.by_layers.items()}
    for ax, ensembles in zip(axes, (rows, layers), strict=True):
        r = range(len(target.correlation))
        ax.errorbar(r, target.correlation, target.correlation_error, color="black", label="target")
        for name, row in ensembles.items():
            ax.errorbar(r, row.correlation, row.correlation_error, marker="o", capsize=2, label=name)
        ax.set_xlabel("distance along an axis")
        ax.set_ylabel("⟨s s⟩")
        ax.legend(frameon=False)
    return StudyFigure(
        "correlations",
        f"Correlations of the flows' own draws at T = {near:.4g}, without weights.",
        fig,
        wide=True,
    )
