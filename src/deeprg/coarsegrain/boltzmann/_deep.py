"""The deep Boltzmann machine: layers of units, each coupled to the next, one law for all of them."""

import itertools
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ...runs.errors import UsageError
from ._unit import AbstractUnit
from ._units import build_unit

__all__ = ["DeepBoltzmannMachine"]

Layers = tuple[Array, ...]
_MOST_STATES = 1 << 20


class DeepBoltzmannMachine(eqx.Module):
    """p(x_0, ..., x_L) = exp(-E)/Z with x_0 the visible layer and couplings between neighbours only,

        E = -sum_l b_l.x_l - sum_l x_l^T W_l x_{l+1} + sum_l U_l(x_l).

    `weights` W_l [n_l, n_{l+1}], `biases` b_l [n_l], `units` one kind for each layer (not Potts). Layers of
    even and of odd number are independent given the others, so a Gibbs round draws two halves. Source: R.
    Salakhutdinov, G. Hinton, Proc. AISTATS (2009). Raises `UsageError` for shapes that do not fit.

    >>> machine = DeepBoltzmannMachine.create((4, 3, 2), key=jax.random.key(0))
    >>> machine.widths, round(machine.log_partition(), 2)        # 9 nearly free spins: 9 ln 2 = 6.24
    ((4, 3, 2), 6.24)
    """

    weights: tuple[Float[Array, "_ _"], ...]
    biases: tuple[Float[Array, " _"], ...]
    units: tuple[AbstractUnit, ...] = eqx.field(static=True)

    def __check_init__(self):
        widths = [bias.shape[0] for bias in self.biases]
        shapes = [weight.shape for weight in self.weights]
        if len(widths) < 2 or len(self.units) != len(widths) or shapes != list(itertools.pairwise(widths)):
            raise UsageError(
                f"weights {shapes}, biases {widths} and {len(self.units)} units do not fit: L + 1 biases and "
                "units, and L weights [n_l, n_(l+1)] between them, L >= 1."
            )
        if any(unit.q > 1 for unit in self.units):
            raise UsageError("Potts units are not taken by deep machines; use RBM for them.")

    @classmethod
    def create(
        cls,
        widths: Sequence[int],
        *,
        units: str | Sequence[str | AbstractUnit] = "spin",
        scale: float | int = 0.01,
        dtype: Any = jnp.float32,
        key: PRNGKeyArray,
    ) -> "DeepBoltzmannMachine":
        """Normal weights of standard deviation `scale`, zero biases; the visible width comes first."""
        names = [units] * len(widths) if isinstance(units, str) else list(units)
        if len(widths) < 2 or len(names) != len(widths) or min(widths) < 1:
            raise UsageError(
                f"widths = {tuple(widths)} and {len(names)} units: at least two layers of one unit or more, "
                "and one kind of unit for each."
            )
        keys = jax.random.split(key, len(widths) - 1)
        weights = tuple(
            scale * jax.random.normal(k, pair, dtype)
            for k, pair in zip(keys, itertools.pairwise(widths), strict=True)
        )
        biases = tuple(jnp.zeros(n, dtype) for n in widths)
        return cls(weights, biases, tuple(build_unit(name) for name in names))

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of every layer, the visible one first."""
        return tuple(bias.shape[0] for bias in self.biases)

    def field(self, place: int, layers: Layers) -> Array:
        """b_l + W_{l-1}^T x_{l-1} + W_l x_{l+1}, what layer `place` feels, [..., n_l]."""
        neighbour = layers[place - 1] if place else layers[1]
        field = jnp.broadcast_to(self.biases[place], (*neighbour.shape[:-1], self.biases[place].shape[0]))
        if place > 0:
            field = field + layers[place - 1] @ self.weights[place - 1]
        if place < len(self.weights):
            field = field + layers[place + 1] @ self.weights[place].T
        return field

    def coupling(self, layers: Layers) -> Array:
        """sum_l b_l.x_l + sum_l x_l^T W_l x_{l+1}, [...]: -E without the units' own weights."""
        total = layers[0] @ self.biases[0]
        for below, weight, above, bias in zip(
            layers, self.weights, layers[1:], self.biases[1:], strict=False
        ):
            total = total + jnp.sum((below @ weight) * above, axis=-1) + above @ bias
        return total

    @eqx.filter_jit
    def energy(self, layers: Layers) -> Array:
        """E of the class, [...].

        >>> machine = DeepBoltzmannMachine.create((2, 1), scale=0.0, key=jax.random.key(0))
        >>> float(machine.energy((jnp.ones(2, jnp.float32), jnp.ones(1, jnp.float32))))
        0.0
        """
        own = sum(unit.self_energy(x) for unit, x in zip(self.units, layers, strict=True))
        return own - self.coupling(layers)

    @eqx.filter_jit
    def gibbs(self, layers: Layers, *, steps: int = 1, clamped: bool = False, key: PRNGKeyArray) -> Layers:
        """The layers after `steps` rounds: odd layers given even ones, then even given odd.

        With `clamped` the visible layer stays, and the hidden ones tend to p(x_1, ..., x_L | x_0).
        """
        places = [*range(1, len(layers), 2), *range(2 if clamped else 0, len(layers), 2)]

        def step(layers: Layers, key: PRNGKeyArray) -> tuple[Layers, None]:
            found = list(layers)
            for place, own in zip(places, jax.random.split(key, len(places)), strict=True):
                found[place] = self.units[place].sample(self.field(place, tuple(found)), key=own)
            return tuple(found), None

        return jax.lax.scan(step, tuple(layers), jax.random.split(key, steps))[0]

    @eqx.filter_jit
    def mean_field(self, v: Float[Array, "*batch v"], *, rounds: int = 30) -> Layers:
        """The layers' means in the best factorised approximation of p(hidden | v), v itself first.

        Sweeps m_l = K'(b_l + W_{l-1}^T m_{l-1} + W_l m_{l+1}) in the order of `gibbs`; each raises `bound`.
        With one hidden layer the first sweep is exact.
        """
        layers = (v, *(jnp.zeros((*v.shape[:-1], n), v.dtype) for n in self.widths[1:]))
        places = [*range(1, len(layers), 2), *range(2, len(layers), 2)]

        def sweep(_: Array, layers: Layers) -> Layers:
            found = list(layers)
            for place in places:
                found[place] = self.units[place].mean(self.field(place, tuple(found)))
            return tuple(found)

        return jax.lax.fori_loop(0, rounds, sweep, layers)

    @eqx.filter_jit
    def bound(self, means: Layers) -> Array:
        """-ln Z + bound is at most ln p(v): ⟨-E⟩ + entropy of the factorised law with these `means`, [...].

            sum_l b_l.m_l + sum_l m_l^T W_l m_{l+1} + sum_{l > 0} [K(t_l) - t_l.m_l],  m_l = K'(t_l).

        Spin and binary hidden units; one hidden layer makes it equal to ln p(v) + ln Z.
        """
        entropy = jnp.zeros(means[0].shape[:-1], means[0].dtype)
        for unit, m in zip(self.units[1:], means[1:], strict=True):
            t = unit.field_of(m)
            entropy = entropy + jnp.sum(unit.log_sum(t), axis=-1) - jnp.sum(t * m, axis=-1)
        return self.coupling(means) - self.units[0].self_energy(means[0]) + entropy

    def log_partition(self) -> float:
        """ln Z: the states of all even (or all odd) layers one by one, the others summed exactly.

        Raises `UsageError` when both halves have more than 2^20 states, or units without a finite number.
        """
        halves = [range(start, len(self.units), 2) for start in (0, 1)]
        counts = [self._states(half) for half in halves]
        best = min((0, 1), key=lambda half: counts[half])
        if counts[best] > _MOST_STATES:
            raise UsageError(
                f"an exact ln Z needs a sum over {min(counts):.3g} states, the limit is {_MOST_STATES}; "
                "take fewer units, or estimate it."
            )
        with jax.enable_x64(True):
            exact = jax.tree.map(lambda x: jnp.asarray(np.asarray(x, np.float64)), self)
            return float(exact.log_sum_over(halves[best]))

    def log_sum_over(self, enumerated: Sequence[int]) -> Array:
        """ln Z in JAX, differentiable, by enumerating the layers `enumerated`, every second one."""
        values = [(_finite(self.units[p]), self.widths[p]) for p in enumerated]
        states = [np.array(list(itertools.product(each, repeat=n))) for each, n in values]
        grids = np.meshgrid(*(np.arange(len(s)) for s in states), indexing="ij")
        kind = self.biases[0].dtype
        chosen = {
            p: jnp.asarray(s[g.ravel()], kind) for p, s, g in zip(enumerated, states, grids, strict=True)
        }
        rows = grids[0].size
        layers = tuple(chosen.get(p, jnp.zeros((rows, n), kind)) for p, n in enumerate(self.widths))
        log_weights = sum(x @ self.biases[p] - self.units[p].self_energy(x) for p, x in chosen.items())
        for place in set(range(len(self.widths))) - set(enumerated):
            log_weights = log_weights + jnp.sum(self.units[place].log_sum(self.field(place, layers)), axis=-1)
        return jax.nn.logsumexp(jnp.asarray(log_weights))

    def _states(self, places: Sequence[int]) -> float:
        counts = [np.inf if self.units[p].states is None else 2.0 ** self.widths[p] for p in places]
        return float(np.prod(counts))


def _finite(unit: AbstractUnit) -> list[float]:
    if unit.states is None:
        raise UsageError(f"'{unit.name}' units have infinitely many states and cannot be enumerated.")
    return unit.states[:, 0].tolist()
