"""Tables and figures of the study of the classical MERA."""

from deeprg.report.study import StudyFigure, StudyTable
from deeprg.report.style import ACCENT, EXACT, SECOND, figure, finish, legend
from deeprg.studies._beny_claims import RIVAL
from deeprg.studies._beny_find import Findings

__all__ = ["figures", "tables"]


def tables(found: Findings) -> list[StudyTable]:
    """Every model against Kaufman, and the published rival."""
    kinds = {
        "tables, by exact marginals": found.tables,
        "networks": found.networks,
        "networks, one colour": found.one_colour,
    }
    rows = [
        [name, size, one.divergence, one.error, one.ess, one.pull, one.parameters, one.seconds]
        for name, by_size in kinds.items()
        for size, one in by_size.items()
    ]
    rivals = [[size, *RIVAL[size]] for size in found.networks]
    levels = [[name, level, h] for name, fields in found.fields.items() for level, h in enumerate(fields)]
    return [
        StudyTable(
            "models",
            "Models at β = 0.44, judged by draws",
            ["model", "L", "KL (nats)", "±", "ESS", "ln Z (σ)", "parameters", "training (s)"],
            rows,
            f"{found.settings.samples} draws each; ln Z against Kaufman in standard errors",
        ),
        StudyTable("rival", "Published, on four A100", ["L", "KL (nats)", "ESS"], rivals, "arXiv:2503.08918"),
        StudyTable(
            "fields",
            "Field of a spin amid four up, tables by level",
            ["temperature", "level", "h"],
            levels,
            "level 0 is the finest",
        ),
    ]


def figures(found: Findings) -> list[StudyFigure]:
    """Divergence per site against size, and fields by level."""
    fig, axes = figure(8.6, 3.6, ncols=2)
    for by_size, label, colour in ((found.tables, "tables", SECOND), (found.networks, "networks", ACCENT)):
        sizes, values = list(by_size), [one.divergence for one in by_size.values()]
        axes[0].errorbar(
            sizes, values, [one.error for one in by_size.values()], fmt="o-", color=colour, label=label
        )
    sizes = list(found.networks)
    axes[0].plot(sizes, [RIVAL[size][0] for size in sizes], "s--", color=EXACT, label="published")
    axes[0].set_yscale("log")
    axes[0].set_xscale("log", base=2)
    axes[0].set_xticks(sizes, [str(size) for size in sizes])
    axes[0].minorticks_off()
    legend(axes[0], loc="lower right")
    finish(axes[0], title="Distance from the target", x="L", y="KL(q|π) (nats)")
    for (name, fields), colour in zip(found.fields.items(), (ACCENT, SECOND), strict=True):
        axes[1].plot(range(len(fields)), fields, "o-", color=colour, label=name)
    axes[1].set_xticks(range(max(map(len, found.fields.values()))))
    axes[1].set_ylim(bottom=0)
    legend(axes[1])
    finish(axes[1], title="Tables by scale", x="level, 0 the finest", y="field amid four spins up")
    return [StudyFigure("distance", "KL(q|π) against size, and tables by scale.", fig, wide=True)]
