"""One set of weights for an interval of temperatures: a flow whose weights are polynomials in T."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from ...hamiltonians import ContinuousDual, HamiltonianFamily
from ...lattice import Lattice
from ...runs.errors import UsageError
from ._bijector import Chain
from ._build import build_flow
from ._circulant import ArrayCirculant
from ._flow import AbstractFlow, Flow, SymmetrisedFlow

__all__ = ["ConditionedFlow", "build_conditioned_flow", "chebyshev"]


def chebyshev(scaled: Float[Array, ""], degree: int) -> Float[Array, " degree"]:
    """The Chebyshev polynomials T_1(τ) ... T_degree(τ): smooth, of size one for τ in [-1, 1].

    T_0 is left out: as a feature it would double the constant term of a polynomial.

    >>> chebyshev(jnp.array(0.5), 3).tolist()
    [0.5, -0.5, -1.0]
    """
    terms = [jnp.ones_like(scaled), scaled]
    for _ in range(degree - 1):
        terms.append(2 * scaled * terms[-1] - terms[-2])
    return jnp.stack(terms[1 : degree + 1])


class ConditionedFlow(eqx.Module):
    """A flow for every member of a Hamiltonian family; `at(v)` is an ordinary flow, v may be traced.

    Every array of weights is a polynomial in the parameter, τ(v) in [-1, 1] over the widened interval,

        W(v) = W_0 + Σ_f slopes_f T_f(τ),  f = 1 ... degree (Chebyshev),

    which is folded in before the flow acts, so that one sample costs what it costs at a fixed value. A map
    that commutes with x -> -x for any weights does so at every v. For the continuous dual the whitening
    K_v^whitening, which moves with the temperature, comes last.

    `flow` holds W_0 without whitening, `slopes` [degree, *shape] for every array of weights. Make one with
    `build_conditioned_flow`. Raises `UsageError` for a degree below 1 and a flow on another lattice.
    """

    flow: AbstractFlow
    slopes: PyTree
    family: HamiltonianFamily
    whitening: float = eqx.field(static=True)
    degree: int = eqx.field(static=True)

    def __init__(
        self,
        flow: AbstractFlow,
        family: HamiltonianFamily,
        *,
        degree: int = 5,
        whitening: float = 0.5,
    ):
        if degree < 1:
            raise UsageError(f"The degree of the polynomials in the parameter is at least 1, not {degree}.")
        if flow.lattice != family.lattice:
            raise UsageError(f"The flow is on {flow.lattice}, but the family on {family.lattice}.")
        self.flow, self.family, self.degree = flow, family, degree
        self.whitening = whitening if isinstance(family.model, ContinuousDual) else 0.0
        weights = eqx.filter(flow, eqx.is_inexact_array)
        self.slopes = jax.tree.map(lambda leaf: jnp.zeros((degree, *leaf.shape), leaf.dtype), weights)

    @property
    def lattice(self) -> Lattice:
        """The lattice of the fields."""
        return self.flow.lattice

    def at(self, value: Float[Array, ""] | float) -> AbstractFlow:
        """The flow at one value of the parameter, inside the interval or not.

        >>> from deeprg.hamiltonians import build_hamiltonian
        >>> family = HamiltonianFamily(build_hamiltonian("ising", Lattice((4, 4))), "temperature", 1.8, 3.0)
        >>> flow = build_conditioned_flow(family, width=4, key=jax.random.key(0))
        >>> x, log_q = flow.at(2.5).sample(key=jax.random.key(1))
        >>> x.shape, log_q.shape
        ((4, 4), ())
        """
        dtype = jax.tree.leaves(eqx.filter(self.flow, eqx.is_inexact_array))[0].dtype
        value = jnp.asarray(value, dtype)
        features = chebyshev(self.family.widened().scaled(value), self.degree)

        def fold(weight: Any, slope: Any) -> Any:
            if slope is None:
                return weight
            return weight + jnp.tensordot(features, slope, axes=1)

        flow = jax.tree.map(fold, self.flow, self.slopes, is_leaf=lambda leaf: leaf is None)
        if not self.whitening:
            return flow
        spectrum = self.family.spectrum(value)
        model: Any = self.family.model
        power = self.whitening if model.variable == "x" else -self.whitening
        return _followed(flow, ArrayCirculant(self.lattice, spectrum**power))


def _followed(flow: AbstractFlow, last: ArrayCirculant) -> AbstractFlow:
    if isinstance(flow, SymmetrisedFlow):
        inner: Any = _followed(flow.flow, last)
        return SymmetrisedFlow(inner, flow.group)
    assert isinstance(flow, Flow)
    return Flow(flow.lattice, Chain(flow.bijector, last), prior=flow.prior, dtype=flow.dtype)


def build_conditioned_flow(
    family: HamiltonianFamily,
    *,
    whitening: float = 0.5,
    degree: int = 5,
    key: PRNGKeyArray,
    **options: Any,
) -> ConditionedFlow:
    """An untrained flow for a family; `options` are those of `build_flow`, whose errors it raises.

    >>> from deeprg.hamiltonians import build_hamiltonian
    >>> family = HamiltonianFamily(build_hamiltonian("phi4", Lattice((4, 4))), "quartic", 4.0, 6.0)
    >>> flow = build_conditioned_flow(family, width=4, key=jax.random.key(0))
    >>> flow.degree, flow.whitening
    (5, 0.0)
    """
    middle = family.at(0.5 * (family.low + family.high))
    if not 0 <= whitening <= 1:
        raise UsageError(f"The whitening is a power of K between 0 (none) and 1, not {whitening}.")
    flow = build_flow(middle, whitening=0.0, key=key, **options)
    return ConditionedFlow(flow, family, degree=degree, whitening=whitening)
