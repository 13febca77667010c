"""A Boltzmann machine behind the interface of scikit-learn's estimators, without scikit-learn."""

import inspect
import sys
import time
import warnings
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ...runs.errors import UsageError, nearest
from ...train import Plan, RowBatches, TrainState, train
from ._ais import ais
from ._fit import initial_state, matched_bias
from ._likelihood import log_partition
from ._monitor import pseudo_likelihood
from ._objective import ContrastiveDivergence
from ._rbm import RBM
from ._units import AbstractUnit, Binary, build_unit

__all__ = ["BoltzmannMachine"]

_ALGORITHMS = ("pcd", "cd")
_EXACT_UNITS = 20  # 2^20 states of a layer take seconds
_TEMPERATURES, _AIS_CHAINS = 3000, 200
_STEPS_PER_CALL = 100


class BoltzmannMachine:
    """A restricted Boltzmann machine as a scikit-learn estimator: a drop-in for its `BernoulliRBM`.

    The constructor stores its parameters, `fit` learns, names that end with an underscore exist after it. It
    works in a `Pipeline`, in a grid search and with `clone`; scikit-learn itself is not needed.

    - `n_components`: hidden units.
    - `learning_rate`, `batch_size`, `n_iter`: plain stochastic gradient; `n_iter` times as many rows as X has
      are drawn. The rate falls to zero on a cosine over the training, so that the noise dies out.
    - `algorithm`, `k`: "pcd" (batch_size persistent chains, as `BernoulliRBM`) or "cd", with k Gibbs steps.
    - `units`: of both layers by name or as objects, or a pair (visible, hidden). With binary visible units,
      values between 0 and 1 are taken as means of bits, as `BernoulliRBM` does.
    - `random_state`: None, a whole number, or a numpy generator of either kind.
    - `verbose`: whether `fit` prints a line with the pseudo-likelihood every second or two.

    After `fit`: `machine_` (the `RBM`), `components_` [n_components, n_features], `intercept_hidden_`,
    `intercept_visible_`, `h_samples_` (the persistent chains), `n_features_in_`. Values are statistics: a
    Potts unit of q colours is q features. Arrays are float32.

    >>> X = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
    >>> model = BoltzmannMachine(n_components=2, n_iter=50, random_state=0).fit(X)
    >>> model.transform(X).shape, model.components_.shape
    ((4, 2), (2, 3))
    >>> every = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    >>> round(float(np.exp(model.score_samples(every)).sum()), 6)            # it is a probability
    1.0
    """

    machine_: RBM
    n_features_in_: int

    def __init__(
        self,
        n_components: int = 256,
        *,
        learning_rate: float | int = 0.1,
        batch_size: int = 10,
        n_iter: int = 10,
        algorithm: str = "pcd",
        k: int = 1,
        units: Any = "binary",
        random_state: Any = None,
        verbose: int | bool = 0,
    ):
        self.n_components = n_components
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.algorithm = algorithm
        self.k = k
        self.units = units
        self.random_state = random_state
        self.verbose = verbose

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters of the constructor by name; `deep` is there for scikit-learn."""
        return {name: getattr(self, name) for name in _parameters(type(self))}

    def set_params(self, **params: Any) -> "BoltzmannMachine":
        """Change parameters of the constructor. Raises `UsageError` for a name that it does not have."""
        names = _parameters(type(self))
        for name, value in params.items():
            if name not in names:
                hint = nearest(name, names)
                raise UsageError(f"{name} is no parameter; there are {', '.join(names)}.{hint}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        changed = [f"{n}={v!r}" for n, v in self.get_params().items() if v is not defaults[n].default]
        return f"{type(self).__name__}({', '.join(changed)})"

    def fit(self, X: Any, y: Any = None) -> "BoltzmannMachine":
        """Train a new machine on the rows of X, [n, n_features]; y is ignored.

        Raises `UsageError` for data that the visible units cannot take and for impossible parameters.
        """
        rows = self._start(X)
        objective = self._objective()
        steps = self.n_iter * -(-len(rows) // self.batch_size)
        plan = Plan(
            steps=steps,
            batch=self.batch_size,
            learning_rate=self.learning_rate,
            optimiser="sgd",
            ema_decay=0.0,
            steps_per_call=_STEPS_PER_CALL,
        )
        state = initial_state(self.machine_, objective, plan, chains=self.batch_size, key=self._next_key())
        watching, begun = self._next_key(), time.monotonic()
        seen = rows[: 10 * self.batch_size]

        def report(state: TrainState) -> dict[str, float]:
            if self.verbose and state.model.visible.states is not None:
                value = float(pseudo_likelihood(state.model, seen, key=watching))
                done, seconds = self.n_iter * int(state.step) / steps, time.monotonic() - begun
                print(
                    f"[{type(self).__name__}] Iteration {done:.1f}, pseudo-likelihood = {value:.2f}, "
                    f"time = {seconds:.2f}s"
                )
            return {}

        result = train(state, objective, RowBatches(rows), plan, monitor=report, devices=jax.devices()[:1])
        self.machine_, self._chains = result.state.model, result.state.carry
        return self

    def partial_fit(self, X: Any, y: Any = None) -> "BoltzmannMachine":
        """One step of the gradient on the batch X, at the full rate; makes a machine if there is none.

        Raises `UsageError` as `fit`, and for another number of features than before.
        """
        rows = self._rows(X) if hasattr(self, "machine_") else self._start(X)
        objective = self._objective()
        chains = self._chains
        if objective.persistent and isinstance(chains, tuple):
            chains = objective.chains(self.machine_, self.batch_size, key=self._next_key())
        rate = jnp.asarray(self.learning_rate, rows.dtype)
        self.machine_, self._chains = _step(self.machine_, objective, rows, chains, rate, self._next_key())
        self._normalisation = None
        return self

    def transform(self, X: Any) -> np.ndarray:
        """⟨h | v⟩ of every row, [n, n_components]: for binary units the probability of 1."""
        return np.asarray(self._fitted().hidden_mean(self._rows(X)))

    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """`fit`, then `transform`."""
        return self.fit(X).transform(X)

    def gibbs(self, v: Any) -> np.ndarray:
        """v after one round v -> h -> v, each layer drawn from its conditional law, [n, n_features]."""
        return np.asarray(self._fitted().gibbs(self._rows(v), key=self._next_key()))

    def score_samples(self, X: Any) -> np.ndarray:
        """ln p(v) = -F(v) - ln Z of every row, in nats, [n]: the log-likelihood, not a proxy for it.

        `BernoulliRBM.score_samples` returns a pseudo-likelihood instead; here that is
        `pseudo_likelihood_samples`. ln Z and its error are those of `log_partition`.
        """
        machine, rows = self._fitted(), self._states(X)
        return np.asarray(-machine.free_energy(rows), np.float64) - self.log_partition()[0]

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of `score_samples`: what a grid search maximises."""
        return float(self.score_samples(X).mean())

    def pseudo_likelihood_samples(self, X: Any) -> np.ndarray:
        """An estimate of sum_i ln p(v_i | the others) of every row from one random unit, in nats, [n].

        What `BernoulliRBM.score_samples` returns. The units are the same in every call with an integer
        `random_state`. Raises `UsageError` for visible units with infinitely many states.
        """
        machine, rows = self._fitted(), self._states(X)
        keys = jax.random.split(jax.random.key(_seed(self.random_state)), len(rows))
        one = jax.vmap(lambda row, key: pseudo_likelihood(machine, row[None], key=key))
        return np.asarray(one(rows, keys))

    def log_partition(self) -> tuple[float, float]:
        """ln Z and its standard error, kept until the machine changes.

        Exact, with error 0, where a layer has at most 2^20 states; else by annealed importance sampling with
        3000 temperatures and 200 chains from independent units with the biases at the start of the training.
        A `RuntimeWarning` says when that estimate cannot be trusted.
        """
        machine = self._fitted()
        if self._normalisation is None:
            try:
                self._normalisation = log_partition(machine, limit=_EXACT_UNITS), 0.0
            except UsageError:  # too many states
                base = eqx.tree_at(
                    lambda m: (m.weights, m.visible_bias),
                    machine,
                    (jnp.zeros_like(machine.weights), self._first_bias),
                )
                key = jax.random.fold_in(jax.random.key(self._entropy), 2**31)
                found = ais(machine, temperatures=_TEMPERATURES, chains=_AIS_CHAINS, base=base, key=key)
                for problem in found.problems:
                    warnings.warn(problem, RuntimeWarning, stacklevel=2)
                self._normalisation = found.log_partition, found.error
        return self._normalisation

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """ "boltzmannmachine0", ...: the names of the columns of `transform`."""
        count = len(self._fitted().hidden_bias)
        return np.array([f"{type(self).__name__.lower()}{i}" for i in range(count)], object)

    @property
    def components_(self) -> np.ndarray:
        """W^T, [n_components, n_features]."""
        return np.asarray(self.machine_.weights).T

    @property
    def intercept_hidden_(self) -> np.ndarray:
        """b, [n_components]."""
        return np.asarray(self.machine_.hidden_bias)

    @property
    def intercept_visible_(self) -> np.ndarray:
        """a, [n_features]."""
        return np.asarray(self.machine_.visible_bias)

    @property
    def h_samples_(self) -> np.ndarray:
        """The hidden layers of the persistent chains, [batch_size, n_components]; [0, ...] for "cd"."""
        return np.asarray(self._chains).reshape(-1, len(self.machine_.hidden_bias))

    def __sklearn_tags__(self) -> Any:
        # Only scikit-learn calls this, so its module is there: nothing is imported for others.
        kinds = sys.modules["sklearn.utils"]
        return kinds.Tags(
            estimator_type="transformer",
            target_tags=kinds.TargetTags(required=False),
            transformer_tags=kinds.TransformerTags(preserves_dtype=["float32"]),
            input_tags=kinds.InputTags(sparse=True),
        )

    def _start(self, X: Any) -> Array:
        """A new machine with the visible bias of the data; the rows."""
        for name in ("n_components", "batch_size", "n_iter"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} = {getattr(self, name)} must be at least 1.")
        if not self.learning_rate > 0:
            raise UsageError(f"learning_rate = {self.learning_rate} must be positive.")
        pair = self.units if isinstance(self.units, tuple | list) else (self.units, self.units)
        if len(pair) != 2:
            raise UsageError(f"units = {self.units!r} must be one kind of unit or a pair (visible, hidden).")
        visible, hidden = (build_unit(unit) for unit in pair)
        rows = _checked(X, visible, None)
        self._entropy, self._drawn = _seed(self.random_state), 0
        machine = RBM.create(
            rows.shape[1] // visible.q,
            self.n_components,
            visible_unit=visible,
            hidden_unit=hidden,
            key=self._next_key(),
        )
        self.machine_ = matched_bias(machine, rows)
        self.n_features_in_ = rows.shape[1]
        self._first_bias, self._chains, self._normalisation = self.machine_.visible_bias, (), None
        return rows

    def _objective(self) -> ContrastiveDivergence:
        if self.algorithm not in _ALGORITHMS:
            hint = nearest(self.algorithm, _ALGORITHMS)
            raise UsageError(f"algorithm = {self.algorithm!r} must be one of {', '.join(_ALGORITHMS)}.{hint}")
        return ContrastiveDivergence(steps=self.k, persistent=self.algorithm == "pcd")

    def _fitted(self) -> RBM:
        if not hasattr(self, "machine_"):
            raise UsageError(f"This {type(self).__name__} has not learned anything yet; call fit(X) first.")
        return self.machine_

    def _rows(self, X: Any) -> Array:
        return _checked(X, self._fitted().visible, self.n_features_in_)

    def _states(self, X: Any) -> Array:
        """Rows that have a probability: no grey values."""
        rows = self._rows(X)
        self.machine_.visible.check(rows, "X")
        return rows

    def _next_key(self) -> PRNGKeyArray:
        self._drawn += 1
        return jax.random.fold_in(jax.random.key(self._entropy), self._drawn)


def _parameters(kind: type) -> list[str]:
    return [name for name in inspect.signature(kind.__init__).parameters if name != "self"]


def _seed(random_state: Any) -> int:
    """A whole number from what scikit-learn users pass."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    return int(random_state)


def _checked(X: Any, visible: AbstractUnit, features: int | None) -> Float[Array, "n v"]:
    """X as float32 rows, dense, in the domain of the visible units; bits may be their means."""
    array = np.asarray(X.toarray() if hasattr(X, "toarray") else X, np.float32)
    if array.ndim != 2 or not array.size or array.shape[1] != (features or array.shape[1]):
        wanted = "at least one feature" if features is None else f"{features} features"
        raise UsageError(f"X has shape {array.shape}; rows with {wanted} are needed, [n, n_features].")
    if not (isinstance(visible, Binary) and ((array >= 0) & (array <= 1)).all()):
        visible.check(array, "X")
    return jnp.asarray(array)


@eqx.filter_jit
def _step(
    machine: RBM,
    objective: ContrastiveDivergence,
    rows: Float[Array, "n v"],
    chains: Any,
    rate: Float[Array, ""],
    key: PRNGKeyArray,
) -> tuple[RBM, Any]:
    """One step of plain gradient descent; the machine and the chains after it."""

    def loss(machine: RBM) -> tuple[Array, Any]:
        value, _, carry = objective(machine, rows, chains, key=key)
        return value, carry

    gradient, carry = jax.grad(loss, has_aux=True)(machine)
    return jax.tree.map(lambda x, g: x - rate * g, machine, gradient), carry
