"""Exponents of Monte Carlo RG against the number of operators and the step."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from deeprg.probes.stability import Stability

__all__ = ["plot_exponents"]


def plot_exponents(ax: Any, steps: Sequence[Stability], exact: float | None = None) -> None:
    """The leading exponent of every step with its error, by the number of operators, beside the exact one.

    All steps are of one parity. Raises `ValueError` for none.

    >>> import matplotlib.pyplot as plt
    >>> from deeprg.coarsegrain import Majority
    >>> from deeprg.hamiltonians import CRITICAL_TEMPERATURE, Ising
    >>> from deeprg.lattice import Lattice
    >>> from deeprg.probes import exact_stability
    >>> square = Ising(Lattice((4, 4)), temperature=CRITICAL_TEMPERATURE)
    >>> even, _ = exact_stability(square, Majority(square.lattice, ties="random"), even=2)
    >>> _, ax = plt.subplots()
    >>> plot_exponents(ax, [even], exact=1.0)
    >>> ax.get_ylabel()
    '$y_T$'
    """
    if not steps:
        raise ValueError("there is no step to draw")
    for number, step in enumerate(steps):
        count = np.arange(1, len(step.operators) + 1)
        ax.errorbar(
            count + 0.08 * (number - (len(steps) - 1) / 2),
            step.exponents[:, 0],
            step.errors[:, 0],
            marker="o",
            markersize=4,
            linewidth=1,
            capsize=2,
            label=f"{step.fine} → {step.coarse}",
        )
    if exact is not None:
        ax.axhline(exact, color="0.4", linestyle="--", linewidth=1, label=f"exact {exact:.5g}")
    ax.set_xticks(np.arange(1, max(len(step.operators) for step in steps) + 1))
    ax.set_xlabel("number of operators")
    ax.set_ylabel("$y_H$" if steps[0].odd else "$y_T$")
    ax.legend()
