"""Deep Boltzmann machines with Gaussian hidden layers, marginalised exactly from UV to IR."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg

from ...runs.errors import NumericalError, UsageError
from ..couplings._checks import real_numbers
from ._chain import check_positive, checked_chain, continued_fraction, joint_precision
from ._checks import Numbers, check_spins, checked_states, finite_array, finite_number
from ._layer_prior import GaussianLayerPrior
from ._spin import SpinHamiltonian

__all__ = ["GaussianMachine", "MachineMoments", "MarginalisationStep"]


@dataclass(frozen=True, eq=False)
class MachineMoments:
    """Exact moments of all variables of a machine, u = (x, y_1, ..., y_L) in a row.

    `log_partition` ln Z, `mean` ⟨u⟩ [n + sum m_l], `second` ⟨u u^T⟩. Marginalising the deepest layer leaves
    ln Z and the leading blocks as they are: (22) and (23).
    """

    log_partition: float
    mean: np.ndarray
    second: np.ndarray


@dataclass(frozen=True, eq=False, init=False)
class GaussianMachine:
    """A deep Boltzmann machine: visible spins x and any number of Gaussian hidden layers.

    The weight of a state is exp(-beta H) with

    H = constant - a.x - x^T W_1 y_1 + sum_l [1/2 y_l^T Lam_l y_l - b_l.y_l] - sum_l y_l^T W_{l+1} y_{l+1},

    (1) at any depth. Layer 0 is visible and IR, layer L the deepest and UV. `couplings` W_1 ... W_L
    [m_{l-1}, m_l] with m_0 = n; `visible_bias` a [n] and `biases` b_1 ... b_L [m_l], zero when left out;
    `precisions` Lam_1 ... Lam_L [m_l, m_l], the identity when left out; spins "pm" (±1) or "binary" ({0, 1}).

    Raises `UsageError` for shapes that do not fit, layers without units, numbers that are not real and
    finite, precisions that are not symmetric, a beta that is not positive. Whether the integrals exist is
    found when they are taken (`step`, `marginalise`, `log_partition`).

    >>> machine = GaussianMachine([[[0.5], [0.5]], [[0.6]]])              # two spins, two hidden layers
    >>> [round(float(step.precision[0, 0]), 9) for step in machine.marginalise()]
    [1.0, 0.64]
    >>> round(float(machine.spin_hamiltonian().pairs[0, 1]), 9)           # 0.25/0.64
    0.390625
    """

    couplings: tuple[np.ndarray, ...]
    visible_bias: np.ndarray
    biases: tuple[np.ndarray, ...]
    precisions: tuple[np.ndarray, ...]
    beta: float
    constant: float
    spins: str

    def __init__(
        self,
        couplings: Sequence[Numbers],
        visible_bias: Numbers | None = None,
        biases: Sequence[Numbers] | None = None,
        precisions: Sequence[Numbers] | None = None,
        *,
        beta: float | int = 1.0,
        constant: float | int = 0.0,
        spins: str = "pm",
    ):
        if len(couplings) == 0:
            raise UsageError("A machine needs at least one hidden layer, so at least one coupling matrix.")
        matrices = [real_numbers(f"The coupling W_{layer}", w) for layer, w in enumerate(couplings, 1)]
        for layer, w in enumerate(matrices, 1):
            if w.ndim != 2 or w.size == 0:
                raise UsageError(
                    f"The coupling W_{layer} has shape {w.shape}; [m_{layer - 1}, m_{layer}] is needed, and "
                    "every layer has at least one unit."
                )
        if precisions is None:
            precisions = [np.eye(w.shape[1]) for w in matrices]
        lam, inner, b = checked_chain(precisions, matrices[1:], biases, first_layer=1)
        visibles = len(matrices[0])
        first = finite_array("The coupling W_1", matrices[0], (visibles, len(lam[0])))
        a = np.zeros(visibles) if visible_bias is None else visible_bias
        beta = finite_number("beta", beta)
        if not beta > 0:
            raise UsageError(f"beta must be positive, not {beta}.")
        for name, value in (
            ("couplings", (first, *inner)),
            ("visible_bias", finite_array("visible_bias", a, (visibles,))),
            ("biases", b),
            ("precisions", lam),
            ("beta", beta),
            ("constant", finite_number("constant", constant)),
            ("spins", check_spins(spins)),
        ):
            object.__setattr__(self, name, value)

    @property
    def depth(self) -> int:
        """The number of hidden layers L."""
        return len(self.precisions)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The units of each layer, visibles first."""
        return (self.visible_bias.size, *(b.size for b in self.biases))

    def energy(self, x: Numbers, *hidden: Numbers) -> np.ndarray:
        """H of (1) for x [..., n] and y_1 ... y_L [..., m_l], shape [...].

        Raises `UsageError` for a wrong number of layers, wrong shapes, and x outside the convention.

        >>> round(float(GaussianMachine([[[0.5], [0.5]], [[0.6]]]).energy([1, 1], [1.0], [2.0])), 9)
        0.3
        """
        if len(hidden) != self.depth:
            raise UsageError(f"This machine has {self.depth} hidden layers, but {len(hidden)} were given.")
        above = checked_states(x, self.sizes[0], self.spins)
        total = self.constant - above @ self.visible_bias
        for layer, values in enumerate(hidden):
            y = finite_array(f"y_{layer + 1}", values, (..., self.sizes[layer + 1]))
            total = total + 0.5 * np.sum((y @ self.precisions[layer]) * y, axis=-1) - y @ self.biases[layer]
            total = total - np.sum((above @ self.couplings[layer]) * y, axis=-1)
            above = y
        return np.asarray(total)

    def step(self) -> "MarginalisationStep":
        """Integrate the deepest layer out: (5)-(8), and (15)-(17) for the last one. Z stays the same.

        A' = Lam_{L-1} - W_L Lam_L^-1 W_L^T,   b' = b_{L-1} + W_L Lam_L^-1 b_L,
        f = -(m/2 beta) ln(2 pi/beta) + (1/2 beta) ln|Lam_L| - 1/2 b_L^T Lam_L^-1 b_L.

        Raises `NumericalError` that names the layer when Lam_L is not positive definite.

        >>> step = GaussianMachine([[[0.5], [0.5]]]).step()
        >>> round(step.free_energy, 9), round(float(step.after.pairs[0, 1]), 9)
        (-0.918938533, 0.25)
        """
        layer, precision, bias = self.depth, self.precisions[-1], self.biases[-1]
        check_positive(precision, layer)
        factor = scipy.linalg.cho_factor(precision, lower=True)
        mean = scipy.linalg.cho_solve(factor, bias)
        covariance = scipy.linalg.cho_solve(factor, np.eye(len(precision))) / self.beta
        prior = GaussianLayerPrior(mean, (covariance + covariance.T) / 2)
        log_det = 2 * float(np.log(np.diag(factor[0])).sum())
        log_two_pi = len(precision) * math.log(2 * math.pi / self.beta)
        free_energy = (log_det - log_two_pi) / (2 * self.beta) - 0.5 * float(bias @ mean)
        up = self.couplings[-1]
        half = scipy.linalg.solve_triangular(factor[0], up.T, lower=True)
        with np.errstate(over="ignore", invalid="ignore"):
            induced, shift = half.T @ half, up @ mean
        if not (np.isfinite(induced).all() and np.isfinite(shift).all()):
            raise NumericalError(f"Layer {layer} cannot be integrated out: W_{layer} A_{layer}^-1 overflows.")
        constant = self.constant + free_energy
        if layer == 1:
            after: GaussianMachine | SpinHamiltonian = SpinHamiltonian.from_quadratic(
                induced, self.visible_bias + shift, constant, beta=self.beta, spins=self.spins
            )
        else:
            after = GaussianMachine(
                self.couplings[:-1],
                self.visible_bias,
                (*self.biases[:-2], self.biases[-2] + shift),
                (*self.precisions[:-2], self.precisions[-2] - induced),
                beta=self.beta,
                constant=constant,
                spins=self.spins,
            )
        return MarginalisationStep(layer, precision, prior, free_energy, induced, shift, self, after)

    def marginalise(self) -> tuple["MarginalisationStep", ...]:
        """All steps from the deepest layer (UV) to the visibles (IR): the flow (21), deepest first.

        Raises `NumericalError` that names the layer whose marginal precision is not positive definite.

        >>> steps = GaussianMachine([[[0.5], [0.5]], [[0.6]]]).marginalise()
        >>> [step.layer for step in steps], type(steps[-1].after).__name__
        ([2, 1], 'SpinHamiltonian')
        """
        steps = [self.step()]
        while isinstance(steps[-1].after, GaussianMachine):
            steps.append(steps[-1].after.step())
        return tuple(steps)

    def spin_hamiltonian(self) -> SpinHamiltonian:
        """The exact Hamiltonian of the visibles, (17): J = W_1 A_1^-1 W_1^T, fields a + W_1 A_1^-1 b'_1.

        The diagonal of J goes to the fields ({0, 1}) or to the constant (±1). Raises as `marginalise`.

        >>> GaussianMachine([[[0.5], [0.5]]], spins="binary").spin_hamiltonian().fields.tolist()
        [0.125, 0.125]
        """
        after = self.marginalise()[-1].after
        assert isinstance(after, SpinHamiltonian)
        return after

    @property
    def log_partition(self) -> float:
        """ln Z of (3), the hidden layers by Gaussian integrals and the visibles by enumeration (up to 25)."""
        return self.spin_hamiltonian().log_partition

    @property
    def smallest_eigenvalues(self) -> tuple[float, ...]:
        """The smallest eigenvalue of every marginal precision A_1 ... A_L: the distance from existence's end.

        >>> GaussianMachine([[[0.5], [0.5]], [[0.6]]]).smallest_eigenvalues
        (0.64, 1.0)
        """
        return continued_fraction(self.precisions, self.couplings[1:], first_layer=1).smallest

    def hidden_given_visible(self, x: Numbers) -> tuple[np.ndarray, np.ndarray]:
        """Mean [..., sum m_l] and covariance of all hidden units, y_1 first, given the visibles [..., n].

        One Gaussian of precision beta P, P block-tridiagonal: mean P^-1 (b + W_1^T x), covariance (beta
        P)^-1. Raises `NumericalError` as `marginalise`.

        >>> mean, covariance = GaussianMachine([[[0.5], [0.5]]]).hidden_given_visible([1, 1])
        >>> mean.tolist(), covariance.tolist()
        ([1.0], [[1.0]])
        """
        states = checked_states(x, self.sizes[0], self.spins)
        inverse, bias, across = self._joint()
        return (states @ across + bias) @ inverse, inverse / self.beta

    def moments(self) -> MachineMoments:
        """ln Z and the first and second moments of all variables, visible and hidden.

        The visibles by enumeration (up to 25, else `UsageError`), the hidden units by their Gaussian law
        given x. Raises `NumericalError` as `marginalise`.

        >>> moments = GaussianMachine([[[0.5], [0.5]]]).moments()
        >>> round(float(moments.second[0, 1]), 9), round(float(moments.second[2, 2]), 9)
        (0.244918662, 1.622459331)
        """
        spins = self.spin_hamiltonian().moments()
        inverse, bias, across = self._joint()
        gain = across @ inverse  # E[y | x] = x gain + offset
        offset = bias @ inverse
        mean = spins.mean @ gain + offset
        mixed = spins.second @ gain + np.outer(spins.mean, offset)
        drift = np.outer(spins.mean @ gain, offset)
        hidden = gain.T @ spins.second @ gain + drift + drift.T + np.outer(offset, offset)
        hidden = hidden + inverse / self.beta
        second = np.block([[spins.second, mixed], [mixed.T, hidden]])
        return MachineMoments(spins.log_partition, np.concatenate([spins.mean, mean]), second)

    def to_dict(self) -> dict[str, Any]:
        """All parameters as plain JSON values; `from_dict` reads them back."""
        return {
            "couplings": [w.tolist() for w in self.couplings],
            "visible_bias": self.visible_bias.tolist(),
            "biases": [b.tolist() for b in self.biases],
            "precisions": [lam.tolist() for lam in self.precisions],
            "beta": self.beta,
            "constant": self.constant,
            "spins": self.spins,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "GaussianMachine":
        """The machine that `to_dict` wrote; only `couplings` must be there. `UsageError` for unknown names.

        >>> GaussianMachine.from_dict({"couplings": [[[0.5], [0.5]]], "spins": "binary"}).sizes
        (2, 1)
        """
        names = ("couplings", "visible_bias", "biases", "precisions", "beta", "constant", "spins")
        unknown = sorted(set(values) - set(names))
        if unknown or "couplings" not in values:
            raise UsageError(
                f"A machine is described by {', '.join(names)}, couplings required; "
                f"unknown: {', '.join(unknown) or 'none'}, given: {', '.join(sorted(values)) or 'none'}."
            )
        for name in ("couplings", "biases", "precisions"):
            given = values.get(name)
            optional = given is None and name != "couplings"
            if not (optional or isinstance(given, list | tuple | np.ndarray)):
                raise UsageError(f"{name} must be a list with one entry for each layer, not {given!r:.60}.")
        checks = {
            "beta": lambda value: finite_number("beta", value),
            "constant": lambda value: finite_number("constant", value),
            "spins": check_spins,
        }
        return cls(**{name: checks.get(name, lambda v: v)(value) for name, value in values.items()})

    def _joint(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """P^-1, all hidden biases in a row, and the visibles' coupling to all hidden units."""
        continued_fraction(self.precisions, self.couplings[1:], first_layer=1)  # names the layer that fails
        joint = joint_precision(self.precisions, self.couplings[1:])
        inverse = scipy.linalg.cho_solve(scipy.linalg.cho_factor(joint, lower=True), np.eye(len(joint)))
        across = np.zeros((self.sizes[0], len(joint)))
        across[:, : self.sizes[1]] = self.couplings[0]
        return (inverse + inverse.T) / 2, np.concatenate(self.biases), across


@dataclass(frozen=True, eq=False)
class MarginalisationStep:
    """One layer integrated out: what it was, what it left behind, and the Hamiltonian that remains.

    `layer` its number, `precision` its (already renormalised) A_l, `prior` the Gaussian law with the cumulant
    generating function used, `free_energy` the constant f_l, `induced` W A^-1 W^T (a quadratic coupling
    -1/2 u^T induced u of the layer u above), `shift` W A^-1 b' (added to that layer's bias), `before` the
    machine, `after` the renormalised machine or, at the end, the visibles' `SpinHamiltonian`.
    """

    layer: int
    precision: np.ndarray
    prior: GaussianLayerPrior
    free_energy: float
    induced: np.ndarray
    shift: np.ndarray
    before: GaussianMachine
    after: GaussianMachine | SpinHamiltonian

    def energy_by_cumulants(self, x: Numbers, *hidden: Numbers) -> np.ndarray:
        """The energy that remains, written with the hidden layer's cumulants: (12), and (20) for the last.

        H = H(..., u, 0) + f - (1/beta) K(beta W^T u), with u the layer above (x itself at the end) and K the
        prior's cumulant generating function. Equal to `after.energy`. Shapes and errors as in
        `GaussianMachine.energy`, without the layer that is gone.

        >>> step = GaussianMachine([[[0.5], [0.5]]]).step()
        >>> float(step.energy_by_cumulants([1, 1]) - step.after.energy([1, 1]))
        0.0
        """
        machine = self.before
        zero = np.zeros(machine.sizes[-1])
        above = np.asarray(hidden[-1] if hidden else x, np.float64)
        rest = machine.energy(x, *hidden, zero)
        field = machine.beta * (above @ machine.couplings[-1])
        return np.asarray(rest + self.free_energy - self.prior.cgf(field) / machine.beta)
