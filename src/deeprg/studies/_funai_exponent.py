"""The exponent of the magnetization from data and from their reconstructions."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from deeprg.coarsegrain.boltzmann import RBM, rbm_flow
from deeprg.hamiltonians import CRITICAL_TEMPERATURE

__all__ = ["BETA", "PowerLaw", "fit_power_law", "reconstructed"]

BETA = 1 / 8


@dataclass(frozen=True, eq=False)
class PowerLaw:
    """|m| = A (1 - T/T_c)^beta through points with errors.

    error: of the exponent, widened by √(χ²/dof) where the points do not lie on a line; chi2 is χ²/dof.
    """

    temperatures: np.ndarray
    values: np.ndarray
    errors: np.ndarray
    beta: float
    error: float
    amplitude: float
    chi2: float


def fit_power_law(temperatures: np.ndarray, values: np.ndarray, errors: np.ndarray) -> PowerLaw:
    """Least squares of ln |m| against ln(1 - T/T_c), T below T_c, weighted by the errors of ln |m|.

    >>> t = np.linspace(1.6, 2.2, 7)
    >>> found = fit_power_law(t, 1.1 * (1 - t / CRITICAL_TEMPERATURE) ** 0.125, np.full(7, 0.01))
    >>> round(found.beta, 6), round(found.amplitude, 6)
    (0.125, 1.1)
    """
    x, y = np.log(1 - temperatures / CRITICAL_TEMPERATURE), np.log(values)
    weights = (values / errors) ** 2
    design = np.stack([np.ones_like(x), x], axis=1)
    normal = design.T @ (weights[:, None] * design)
    constant, beta = np.linalg.solve(normal, design.T @ (weights * y))
    chi2 = float(weights @ (y - design @ [constant, beta]) ** 2) / max(len(x) - 2, 1)
    error = math.sqrt(np.linalg.inv(normal)[1, 1] * max(chi2, 1.0))
    return PowerLaw(temperatures, values, errors, float(beta), error, math.exp(constant), chi2)


def reconstructed(
    machine: RBM, data: Mapping[float, np.ndarray], rounds: tuple[int, ...], *, key: PRNGKeyArray
) -> dict[int, PowerLaw]:
    """The power law of ⟨|m|⟩(T) after 0 and so many rounds v -> h -> v' from data of known temperature.

    `data` [n, *shape] by T, independent; `rounds` rise.
    """
    points: dict[int, list[tuple[float, float, float]]] = {n: [] for n in (0, *rounds)}
    counts = [len(x) for x in data.values()]
    spins = np.concatenate([x.reshape(len(x), -1) for x in data.values()])
    v = machine.visible.encode(jnp.asarray(spins, machine.weights.dtype))
    for n, x in rbm_flow(machine, v, length=rounds[-1], key=key):
        if n not in points:
            continue
        m = np.abs(np.asarray(machine.visible.decode(x), np.float64).mean(axis=1))
        for t, part in zip(data, np.split(m, np.cumsum(counts)[:-1]), strict=True):
            points[n].append((t, float(part.mean()), float(part.std() / math.sqrt(len(part)))))
    return {n: fit_power_law(*np.array(rows).T) for n, rows in points.items()}
