"""Square-lattice models as one site weight and two bond weights, and the tensor that they make."""

from dataclasses import dataclass, replace

import numpy as np

from ...hamiltonians import AbstractHamiltonian, ContinuousDual, Ising, Potts, RandomBondIsing
from ...runs.errors import UsageError
from ._gauge import fixed_signs

__all__ = ["SquareWeights", "site_tensor", "square_weights"]

_SMALLEST = 1e-16  # singular values of a bond weight below this, relative to the largest, are raised to it


@dataclass(frozen=True)
class SquareWeights:
    """A translation-invariant model on the square lattice with q states per site.

    The weight of a configuration x on a torus is a product over its sites,

    weight(x) = prod_ij exp[site(x_ij) + right(x_ij, x_{i,j+1}) + down(x_ij, x_{i+1,j})]:

    `site` [q], `right` [q, q] and `down` [q, q] are logarithms; minus infinity forbids a state or a pair. The
    matrices need not be symmetric. The other fields serve observables: `temperature` is the unit of
    `energy_per_site`, `order` [q] the value of the order parameter in each state, or None.

    Raises `UsageError` for shapes that do not fit, fewer than 2 states, a NaN or plus infinity, or a weight
    that vanishes everywhere.

    >>> squares = np.array([[0.0, 0.0], [0.0, -np.inf]])     # hard squares: no two neighbours are occupied
    >>> SquareWeights(np.zeros(2), squares, squares).states
    2
    """

    site: np.ndarray
    right: np.ndarray
    down: np.ndarray
    temperature: float = 1.0
    order: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name in ("site", "right", "down", "order"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, np.asarray(getattr(self, name), np.float64))
        q = self.site.size
        if q < 2 or self.site.shape != (q,):
            raise UsageError(f"`site` must be a vector of 2 or more numbers, not of shape {self.site.shape}.")
        for name, shape in (("right", (q, q)), ("down", (q, q)), ("order", (q,))):
            value = getattr(self, name)
            if value is not None and value.shape != shape:
                raise UsageError(f"`{name}` has shape {value.shape}; with {q} states it must be {shape}.")
        for name in ("site", "right", "down"):
            value = getattr(self, name)
            if np.isnan(value).any() or np.isposinf(value).any() or np.isneginf(value).all():
                raise UsageError(
                    f"`{name}` holds NaN or plus infinity, or only minus infinity; give log weights."
                )

    @property
    def states(self) -> int:
        """The number q of states of a site."""
        return self.site.size

    def scaled(self, factor: float | int) -> "SquareWeights":
        """The bonds' logarithms times a factor, the sites' unchanged: the model at temperature T / factor.

        >>> from deeprg.lattice import Lattice
        >>> cold = square_weights(Ising(Lattice((4, 4)), temperature=2.0)).scaled(2)
        >>> cold.right[0].tolist(), cold.temperature
        ([1.0, -1.0], 1.0)
        """
        return replace(
            self,
            right=factor * self.right,
            down=factor * self.down,
            temperature=self.temperature / factor,
        )


def square_weights(model: AbstractHamiltonian | SquareWeights) -> SquareWeights:
    """The weights of an Ising or Potts model with nearest neighbours on the square lattice.

    Ising: right = down = K s s' with K = J/T and states s = +1, -1, site = h s; `Ising.from_kernel` may give
    the two directions different couplings. Potts: K delta(s, s'). The extents of the model's lattice are not
    used. A `SquareWeights` passes through.

    Raises `UsageError` for other models, other couplings, other dimensions and disorder.

    >>> from deeprg.lattice import Lattice
    >>> square_weights(Potts(Lattice((4, 4)), temperature=0.5, states=3)).right[0].tolist()
    [2.0, 0.0, 0.0]
    """
    match model:
        case SquareWeights():
            return model
        case RandomBondIsing():
            raise UsageError(
                "Tensor RG needs the same tensor on every site, but these bonds are random. A "
                "realisation of the disorder is enumerated by deeprg.exact.enumerate_distribution."
            )
        case ContinuousDual():
            raise UsageError(
                "Give the spin model of the continuous dual, `dual.ising`; their ln Z differ by "
                "`dual.log_partition_constant`."
            )
        case Ising() | Potts() if model.lattice.ndim != 2:
            other = " In 1D use deeprg.exact.ising_chain." if model.lattice.ndim == 1 else ""
            raise UsageError(f"Tensor RG works on the square lattice, not on {model.lattice}.{other}")
        case Ising():
            spins = np.array([1.0, -1.0])
            down, right = (bond * np.outer(spins, spins) for bond in _ising_bonds(model))
            return SquareWeights(model.field * spins, right, down, model.temperature, spins)
        case Potts():
            q = model.states
            bond = model.coupling / model.temperature * np.eye(q)
            order = (q * np.eye(q)[0] - 1) / (q - 1)
            return SquareWeights(np.zeros(q), bond, bond, model.temperature, order)
        case _:
            raise UsageError(
                f"Tensor RG takes an Ising or a Potts model or a SquareWeights, not {type(model).__name__}."
            )


def _ising_bonds(model: Ising) -> tuple[float, float]:
    """The couplings of the two axes over T."""
    if model.coupling is not None:
        bond = model.coupling / model.temperature
        return bond, bond
    rows, columns = model.lattice.shape
    kernel = dict(model.kernel)
    near = {(1 % rows, 0), (rows - 1, 0), (0, 1 % columns), (0, columns - 1)}
    if min(rows, columns) < 3 or any(value != 0 and step not in near for step, value in kernel.items()):
        raise UsageError(
            "Tensor RG takes nearest-neighbour couplings on the square lattice only, with extents of 3 or "
            f"more where they come from a kernel; here they are {model.geometry} on {model.lattice}."
        )
    return kernel.get((1, 0), 0.0), kernel.get((0, 1), 0.0)


def site_tensor(weights: SquareWeights, order: np.ndarray | None = None) -> tuple[np.ndarray, float]:
    """The tensor T[left, up, right, down] of one site, and the logarithm of the factor that it leaves out.

    Each bond weight is split by its singular values, W = A B^T with A = U sqrt(S), B = V sqrt(S), and

    T_lurd = sum_s exp(site(s)) B_right[s, l] B_down[s, u] A_right[s, r] A_down[s, d],

    so that Z is the sum over all bonds of the product of all T. For Ising spins this is the form with
    sqrt(cosh K) and sqrt(sinh K). With `order` [q] the sum over s is weighted by order(s): an impurity.

    >>> from deeprg.lattice import Lattice
    >>> tensor, log_factor = site_tensor(square_weights(Ising(Lattice((4, 4)), temperature=1.0)))
    >>> round(float(np.log(np.einsum("abab", tensor)) + log_factor), 9)    # one site: ln(2 exp(2K))
    2.693147181
    """
    shifts = [float(part.max()) for part in (weights.site, weights.right, weights.down)]
    site = np.exp(weights.site - shifts[0])
    if order is not None:
        site = site * order
    (a_right, b_right), (a_down, b_down) = (
        _split(np.exp(bond - shift))
        for bond, shift in zip((weights.right, weights.down), shifts[1:], strict=True)
    )
    tensor = np.einsum("s,sl,su,sr,sd->lurd", site, b_right, b_down, a_right, a_down)
    return tensor, sum(shifts)


def _split(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    left, values, right = np.linalg.svd(weight)
    roots = np.sqrt(np.maximum(values, _SMALLEST * values[0]))
    roots = roots * fixed_signs(left)
    return left * roots, right.T * roots
