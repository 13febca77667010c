"""The effective energy of visible units over one hidden layer: exact, and by cumulants with its radius."""

from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from ...runs.errors import NumericalError, UsageError
from ._checks import Numbers, check_spins, double_precision
from ._potts import PottsPrior
from ._prior import HiddenPrior, checked_order, real_array
from ._spin import SpinHamiltonian

__all__ = [
    "TruncationReport",
    "effective_energy",
    "quadratic_hamiltonian",
    "truncated_energy",
    "truncation_report",
]


@dataclass(frozen=True, eq=False)
class TruncationReport:
    """What the cumulant series of an effective energy does on given configurations.

    `changes` [order]: the largest |E_n - E_{n-1}| for n = 1 ... order, E_0 being the fields with K at the
    biases; `errors` [order]: the largest |E_n - E_exact|; `reach` [m]: for each unit the largest |field -
    bias| over its radius of convergence. The series converges on all the configurations when every reach is
    below 1.
    """

    changes: np.ndarray
    errors: np.ndarray
    reach: np.ndarray

    @property
    def converges(self) -> bool:
        """Whether every field lies inside the radius of convergence."""
        return bool((self.reach < 1).all())

    @property
    def unit(self) -> int:
        """The hidden unit whose field comes nearest to its radius, or leaves it farthest behind."""
        return int(np.argmax(self.reach))


def effective_energy(
    x: Numbers, a: Numbers, weights: Numbers, b: Numbers, prior: HiddenPrior
) -> Float[Array, "..."]:
    """The exact energy of the visible units once one hidden layer is summed out, differentiable in JAX.

    H(x) = -a.x - sum_j K(t_j), t = W^T x + b

    (section 3 of the theory chapter; the weights include beta), with K the prior's `log_sum`, so that sum_x
    exp(-H) is the machine's Z. x [..., n], a [n], W [n, m], b [m]; for Potts units W [n, m, q], b [m, q].
    Shape [...]. Computed in JAX's precision, so that it can be traced: in a session without jax_enable_x64
    float64 arrays become float32, and the energy is right to about 1e-7 only.

    Raises `UsageError` for shapes that do not fit and numbers that are not finite (traced ones cannot be
    looked at).

    >>> from deeprg.exact.layered import IsingPrior
    >>> energy = effective_energy([1, 1], [0.0, 0.0], [[0.5], [0.5]], [0.0], IsingPrior())
    >>> round(float(energy), 6)                               # -ln(2 cosh 1)
    -1.126928
    """
    states, fields, delta, bias = _layer(x, a, weights, b, prior)
    return _exact(states, fields, delta, bias, prior)


def truncated_energy(
    x: Numbers,
    a: Numbers,
    weights: Numbers,
    b: Numbers,
    prior: HiddenPrior,
    order: int,
    *,
    allow_divergent: bool = False,
) -> Float[Array, "..."]:
    """The effective energy with the cumulant series about the biases cut at an order, [...].

    H_n(x) = -a.x - sum_j sum_{k=0}^{n} kappa_k(b_j) (W^T x)_j^k / k!, where kappa_0 is K(b_j): (13) for any
    prior. Arguments, shapes and precision as in `effective_energy`.

    Raises `UsageError` for an order below 1, and `NumericalError` where some field (W^T x)_j lies outside the
    radius of convergence about b_j, unless `allow_divergent`. Under jit, grad or vmap there are no numbers to
    check, which is a `UsageError`: look at a `truncation_report`, then pass allow_divergent=True.

    >>> from deeprg.exact.layered import IsingPrior
    >>> layer = ([0.0, 0.0], [[0.5], [0.5]], [0.0], IsingPrior())
    >>> [round(float(truncated_energy([1, 1], *layer, order)), 6) for order in (2, 4, 20)]
    [-1.193147, -1.109814, -1.126925]
    """
    checked_order(order, 1)
    states, fields, delta, bias = _layer(x, a, weights, b, prior)
    if not allow_divergent:
        if isinstance(delta, Tracer) or isinstance(bias, Tracer):
            raise UsageError(
                "Inside jit, grad or vmap the radius of convergence cannot be checked. Check with "
                "truncation_report on the configurations you need, then pass allow_divergent=True."
            )
        _refuse_divergence(prior, bias, delta)
    return _series(states, fields, delta, bias, prior, order).sum(axis=0)


def truncation_report(
    x: Numbers, a: Numbers, weights: Numbers, b: Numbers, prior: HiddenPrior, order: int
) -> TruncationReport:
    """How the cumulant series of the effective energy behaves up to an order, on configurations [..., n].

    Arguments and shapes as in `effective_energy`; float64 in every session. The exact energy is known here,
    so the report has the true error beside the change between orders. Never refuses: `converges` says
    whether `truncated_energy` would. Raises `UsageError` for an order below 1.

    >>> from deeprg.exact.layered import IsingPrior
    >>> report = truncation_report([[1, 1], [1, -1]], [0.0, 0.0], [[0.5], [0.5]], [0.0], IsingPrior(), 4)
    >>> report.converges, report.reach.round(4).tolist(), report.errors.round(4).tolist()
    (True, [0.6366], [0.4338, 0.0662, 0.0662, 0.0171])
    """
    checked_order(order, 1)
    with double_precision():
        layer = _layer(x, a, weights, b, prior)
        exact = np.asarray(_exact(*layer, prior))
        steps = np.asarray(_series(*layer, prior, order)).reshape(order + 1, -1)
    _, _, delta, bias = layer
    sums = np.cumsum(steps, axis=0)
    reach = prior.reach(np.asarray(bias), np.asarray(delta))
    return TruncationReport(
        changes=np.abs(steps[1:]).max(axis=1),
        errors=np.abs(sums[1:] - exact.reshape(-1)).max(axis=1),
        reach=reach.reshape(-1, reach.shape[-1]).max(axis=0),
    )


def quadratic_hamiltonian(
    a: Numbers, weights: Numbers, b: Numbers, prior: HiddenPrior, *, spins: str = "pm"
) -> SpinHamiltonian:
    """The effective energy truncated at second order, as fields and pair couplings (beta = 1).

    fields a_i + sum_j W_ij kappa_1(b_j), pairs sum_j W_ij kappa_2(b_j) W_kj with the diagonal put where the
    convention wants it; gradient and Hessian of `effective_energy` at x = 0. Exact for Gaussian units only:
    for others the pair couplings can be off by factors of order one at moderate weights (section 4), so
    compare with the exact transform or with `truncation_report`. Arguments as in `effective_energy`; float64
    in every session.

    >>> from deeprg.exact.layered import GaussianPrior
    >>> float(quadratic_hamiltonian([0.0, 0.0], [[0.5], [0.5]], [0.0], GaussianPrior()).pairs[0, 1])
    0.25
    """
    check_spins(spins)
    with double_precision():
        origin = np.zeros(real_array(a).shape)
        layer = _layer(origin, a, weights, b, prior)
        bias = layer[-1]
        constant = float(_exact(*layer, prior))
        matrix = np.asarray(real_array(weights))
        if isinstance(prior, PottsPrior):
            mean, variance = np.asarray(prior.mean(bias)), np.asarray(prior.variance(bias))
        else:  # as Potts units with one field
            series = np.asarray(prior.taylor(2, bias))
            matrix, mean, variance = matrix[..., None], series[1][..., None], 2 * series[2][..., None, None]
    fields = np.asarray(layer[1]) + np.einsum("ijp,jp->i", matrix, mean)
    pairs = np.einsum("ijp,jpq,kjq->ik", matrix, variance, matrix, optimize=True)
    return SpinHamiltonian.from_quadratic((pairs + pairs.T) / 2, fields, constant, spins=spins)


def _layer(
    x: Numbers, a: Numbers, weights: Numbers, b: Numbers, prior: HiddenPrior
) -> tuple[Array, Array, Array, Array]:
    """x and a in floats, the fields W^T x, and the biases in the same shape."""
    states, fields, matrix, bias = real_array(x), real_array(a), real_array(weights), real_array(b)
    axes = "[n, m, q]" if isinstance(prior, PottsPrior) else "[n, m]"
    fits = matrix.ndim == len(axes.split(",")) and states.shape[-1:] == fields.shape == matrix.shape[:1]
    if not fits or bias.shape != matrix.shape[1:]:
        raise UsageError(
            f"x {states.shape}, a {fields.shape}, W {matrix.shape} and b {bias.shape} do not fit: "
            f"W must be {axes}, x [..., n], a [n] and b as W without its first axis."
        )
    for name, part in (("x", states), ("a", fields), ("W", matrix), ("b", bias)):
        if not isinstance(part, Tracer) and not np.isfinite(np.asarray(part)).all():
            raise UsageError(f"{name} holds numbers that are not finite.")
    delta = jnp.tensordot(states, matrix, axes=1)
    return states, fields, delta, jnp.broadcast_to(bias, delta.shape)


@eqx.filter_jit
def _exact(states: Array, fields: Array, delta: Array, bias: Array, prior: HiddenPrior) -> Array:
    return -(states @ fields) - prior.log_sum(delta + bias).sum(axis=-1)


@eqx.filter_jit
def _series(states: Array, fields: Array, delta: Array, bias: Array, prior: HiddenPrior, order: int) -> Array:
    """What each order adds to the energy, the visible fields with order 0: [order + 1, ...]."""
    return (-prior.terms(order, bias, delta).sum(axis=-1)).at[0].add(-(states @ fields))


def _refuse_divergence(prior: HiddenPrior, bias: Array, delta: Array) -> None:
    reach = prior.reach(np.asarray(bias), np.asarray(delta))
    worst = float(reach.max(initial=0.0))
    if worst >= 1:
        unit = int(np.unravel_index(np.argmax(reach), reach.shape)[-1])
        raise NumericalError(
            f"The cumulant series diverges: the field of hidden unit {unit} is {worst:.4g} radii "
            "of convergence away from the bias, and must stay below 1. Use effective_energy, which is exact, "
            "weaken the weights, or pass allow_divergent=True to see the partial sums."
        )
