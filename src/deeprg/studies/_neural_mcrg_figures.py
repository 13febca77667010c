"""Tables and figures of the study of neural Monte Carlo RG."""

import numpy as np

from deeprg.report.exponents import plot_exponents
from deeprg.report.filters import plot_filter_row
from deeprg.report.study import StudyFigure, StudyTable
from deeprg.report.style import figure
from deeprg.studies._neural_mcrg_find import Findings

__all__ = ["figures", "tables"]


def tables(found: Findings) -> list[StudyTable]:
    """Exponents of every rule and step, information of every rule."""
    rows = [
        [name, f"{s.fine} → {s.coarse}", "y_H" if s.odd else "y_T", len(s.operators), y, error]
        for name, steps in found.exponents.items()
        for s in steps
        for y, error in [(float(s.exponents[-1, 0]), float(s.errors[-1, 0]))]
    ]
    kept = [[name, one.value, one.error, one.bound] for name, one in found.information.items()]
    return [
        StudyTable(
            "exponents",
            "Leading exponents with all operators",
            ["rule", "step", "", "operators", "value", "±"],
            rows,
            "exact: y_T = 1, y_H = 1.875",
        ),
        StudyTable(
            "information",
            "Information of sharp hidden spins about their environment, in nats",
            ["rule", "I(H:E)", "±", "H(h)"],
            kept,
            "a lower bound, by a classifier judged on configurations that it has not seen",
        ),
    ]


def figures(found: Findings) -> list[StudyFigure]:
    """Filters, and exponents by operators and steps."""
    filters = plot_filter_row({name: (np.sign(w.sum()) or 1.0) * w for name, w in found.weights.items()})
    shown = [StudyFigure("filters", "Filters; the 2×2 block is in the middle.", filters, wide=True)]
    for name, steps in found.exponents.items():
        fig, axes = figure(8.4, 3.6, ncols=2)
        for ax, odd, exact in zip(axes, (False, True), (1.0, 1.875), strict=True):
            plot_exponents(ax, [s for s in steps if s.odd is odd], exact)
        slug = "".join(c if c.isalnum() else "-" for c in name.lower()).strip("-")
        shown.append(StudyFigure(f"exponents-{slug}", f"Exponents by the rule: {name}.", fig, wide=True))
    return shown
