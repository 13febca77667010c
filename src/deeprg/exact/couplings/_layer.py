"""The couplings that a hidden layer gives to visible spins: exact by local transforms, or for chosen sets."""

import itertools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from numpy.typing import ArrayLike

from ...runs.errors import UsageError
from ._checks import real_numbers, set_of_sites
from ._couplings import Couplings, Terms
from ._layer_averages import Cgf, averaged, converged, derivatives, evaluated, leading, sampled, trapezoid
from ._transforms import DEFAULT_LIMIT, check_spins, check_variables, mobius, walsh_hadamard

__all__ = ["TruncationWarning", "rbm_couplings", "set_coupling"]

METHODS = ("exact", "clt", "monte-carlo", "truncated")
_LARGEST_BATCH = 1 << 22  # numbers at a time
_TOLERATED = 0.1
_REACH, _NODES_PER_WIDTH = 9.0, 54.0  # the nodes of a field of unit width, at steps of 1/3


class TruncationWarning(UserWarning):
    """A truncated cumulant formula is, or may be, far from the couplings that it stands for."""


def rbm_couplings(
    weights: ArrayLike,
    hidden_bias: ArrayLike,
    visible_bias: ArrayLike,
    cgf: Any,
    *,
    order: int = 2,
    method: str = "exact",
    sets: Sequence[tuple[int, ...]] | None = None,
    spins: str = "pm",
    samples: int = 4096,
    seed: int = 0,
    limit: int = DEFAULT_LIMIT,
) -> Couplings:
    """The spin Hamiltonian of a layer: couplings of -H(x) = a.x + sum_j K_j(b_j + sum_i w_ij x_i), by order.

    For x = ±1, each set S and outside spins s uniform ±1:

        J_S = a_i [S = {i}] + sum_j E_s 2^-|S| sum_{sigma on S} (prod sigma) K_j(b_j + w_S.sigma + w_out.s).

    - "exact": the average by a fast transform over the spins that a hidden unit is connected to, so any n
      with at most `limit` weights that are not zero per unit.
    - "clt": the outside field taken as Normal(0, sum of its w^2), integrated to 1e-10 whatever its width.
    - "monte-carlo": the average over `samples` random outside spins, with errors.
    - "truncated": K to second order about b: a_i + sum_j w_ij K', sum_j w_ij w_kj K'', nothing beyond pairs.
      It can be off by factors; a `TruncationWarning` says so when the pairs differ from "clt" by over 10 %.

    For x = 0, 1 (`spins="binary"`) no average is left, J_S = sum_{T in S} (-1)^(|S|-|T|) K_j(b_j + w_T), and
    "exact" works for any n. arXiv:2309.02292, arXiv:2103.15917.

    Args:
        weights: W [n visible, m hidden], the temperature inside.
        hidden_bias: b [m].
        visible_bias: a [n].
        cgf: K of fields [..., m], elementwise and in JAX, a column for each hidden unit: ln(2 cosh t) for ±1,
            softplus for {0, 1}, s^2 t^2/2 for Gaussian units; or a prior with a method `log_sum` or `cgf`.
        order: the highest order; all sets up to it.
        sets: only these sets of sites, instead of all; others are then unknown, not zero.
        samples: of "monte-carlo", from `seed`.

    Raises:
        UsageError: shapes that do not fit, a unit with too many weights (with the memory), an unknown method.
        NumericalError: a K that is too rough, or grows too fast, for the integral of "clt".

    >>> import jax.numpy as jnp
    >>> K, w = 0.3, 0.5 * np.arccosh(np.exp(2 * 0.3))          # one hidden ±1 between two spins
    >>> found = rbm_couplings([[w], [w]], [0.0], [0.0, 0.0], lambda t: jnp.log(2 * jnp.cosh(t)))
    >>> round(found[0, 1], 12)
    0.3
    """
    check_spins(spins)
    if method not in METHODS:
        raise UsageError(f"The method '{method}' is unknown; take one of {', '.join(METHODS)}.")
    if spins == "binary" and method != "exact":
        raise UsageError("For spins = 'binary' the closed form needs no average: take method='exact'.")
    W, b, a = _layer(weights, hidden_bias, visible_bias)
    n = len(W)
    if order < 0 or (sets is None and order > n):
        raise UsageError(f"order = {order} is out of range; {n} visible units have the orders 0 to {n}.")
    wanted = _wanted(sets, order, n)
    errors: dict[int, np.ndarray] = {}
    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        function = _function(cgf)
        if spins == "binary":
            found = {k: _included_excluded(W, b, function, chosen) for k, chosen in wanted.items()}
        elif method == "exact":
            found = _local_transforms(W, b, function, wanted, limit)
        elif method == "clt":
            found = {k: _averages(W, b, function, chosen) for k, chosen in wanted.items()}
        elif method == "truncated":
            kappas = [np.asarray(kappa) for kappa in derivatives(b, function)]
            found = {k: leading(W, kappas, chosen) for k, chosen in wanted.items()}
            _warn_of_truncation(found, wanted, W, b, function)
        else:
            spin = np.random.default_rng(seed).integers(0, 2, (samples, n)) * 2.0 - 1
            pairs = {k: sampled(W, b, function, chosen, spin) for k, chosen in wanted.items()}
            found = {k: value for k, (value, _) in pairs.items()}
            errors = {k: error for k, (_, error) in pairs.items()}
    terms = {}
    for k, chosen in wanted.items():
        own = a[chosen[:, 0]] if k == 1 else 0.0
        terms[k] = Terms(chosen, found[k] + own, errors.get(k))
    return Couplings(n, spins, None, terms, float("nan"))


def set_coupling(
    weights: Any, hidden_bias: Any, cgf: Any, sites: tuple[int, ...], *, method: str = "clt", nodes: int = 512
) -> jax.Array:
    """What a hidden layer adds to the coupling of one set of spins ±1, differentiable in JAX in W and b.

    The formulas of `rbm_couplings` without the visible bias, in the precision of the arguments (float32 in a
    session without jax_enable_x64, whatever the NumPy arrays are); "exact" is the sum over all 2^n states, n
    <= 20. For "clt" the trapezoidal rule with a fixed number of `nodes`, which resolve an outside field of
    the width sqrt(sum w^2) up to nodes/54 for units of the states ±1 or 0 and 1.

    Raises `UsageError` for another method than "exact", "clt" and "truncated", NaN or infinity, and a field
    too wide for the nodes; under jit, grad and vmap, where its width is not known, the result is then NaN.

    >>> import jax, jax.numpy as jnp
    >>> w = jnp.array([[0.3], [0.2]])
    >>> float(set_coupling(w, jnp.zeros(1), lambda t: t**2 / 2, (0, 1)).round(6))    # w_0 w_1
    0.06
    """
    W, b, function = jnp.asarray(weights), jnp.asarray(hidden_bias), _function(cgf)
    for part in (W, b):
        if not isinstance(part, Tracer):
            _check_finite(np.asarray(part))
    (chosen,) = _wanted([sites], 0, len(W)).values()
    if method == "clt":
        tails = _tails(W, chosen)
        widest = jnp.sqrt(jnp.max(jax.lax.stop_gradient(tails)))
        resolved = widest * _NODES_PER_WIDTH <= nodes
        if not isinstance(resolved, Tracer) and not resolved:
            raise UsageError(
                f"nodes = {nodes} do not resolve an outside field of width {float(widest):.3g}; take "
                f"{int(np.ceil(widest * _NODES_PER_WIDTH))} or more."
            )
        rule = trapezoid(_REACH, max(nodes - 1, 1))
        found = averaged(W[chosen], tails, b, function, *rule)[0]
        return jnp.where(resolved, found, jnp.nan)
    if method == "truncated":
        return leading(W, derivatives(b, function), chosen)[0]
    if method == "exact":
        check_variables(len(W), DEFAULT_LIMIT, 8 * W.shape[1])
        fields = jnp.broadcast_to(b, (1, *b.shape))
        for row in W:
            fields = jnp.concatenate([fields + row[None], fields - row[None]])
        mask = int(sum(1 << int(site) for site in chosen[0]))
        return walsh_hadamard(function(fields).sum(axis=-1))[mask]
    raise UsageError(f"The method '{method}' is unknown here; take 'exact', 'clt' or 'truncated'.")


def _layer(
    weights: ArrayLike, hidden_bias: ArrayLike, visible_bias: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    W, b, a = (real_numbers("layer", part) for part in (weights, hidden_bias, visible_bias))
    if W.ndim != 2 or b.shape != (W.shape[1],) or a.shape != (W.shape[0],):
        raise UsageError(
            f"A layer has weights [n, m], hidden biases [m] and visible biases [n], not {W.shape}, {b.shape} "
            f"and {a.shape}."
        )
    _check_finite(W, b, a)
    return W, b, a


def _check_finite(*parts: np.ndarray) -> None:
    if not all(np.isfinite(part).all() for part in parts):
        raise UsageError("The weights or biases hold NaN or infinity.")


def _function(cgf: Any) -> Cgf:
    function: Callable[..., Any] = getattr(cgf, "log_sum", getattr(cgf, "cgf", cgf))

    def checked(t: jax.Array) -> Any:
        value = function(t)
        if jnp.shape(value) != t.shape:
            raise UsageError(
                f"The function K returned the shape {jnp.shape(value)} for fields {t.shape}; it must act on "
                "each field by itself. For several components per unit use couplings_of on the action."
            )
        return value

    return checked


def _wanted(sets: Sequence[tuple[int, ...]] | None, order: int, n: int) -> dict[int, np.ndarray]:
    """Order to the sets of it that are asked for, [count, order]."""
    if sets is None:
        every = {k: list(itertools.combinations(range(n), k)) for k in range(order + 1)}
        return {k: np.array(found, int).reshape(len(found), k) for k, found in every.items()}
    by_order: dict[int, set[tuple[int, ...]]] = {}
    for sites in sets:
        key = set_of_sites(sites, n)
        by_order.setdefault(len(key), set()).add(key)
    return {k: np.array(sorted(keys), int).reshape(len(keys), k) for k, keys in sorted(by_order.items())}


def _tails(W: Any, chosen: np.ndarray) -> Any:
    """sum_{k not in S} w_kj^2 of every set, [sets, m]."""
    outside = np.ones((len(chosen), len(W)))
    np.put_along_axis(outside, chosen, 0.0, axis=1)
    return W.__array_namespace__().asarray(outside, dtype=W.dtype) @ (W * W)


def _averages(W: np.ndarray, b: np.ndarray, cgf: Cgf, chosen: np.ndarray) -> np.ndarray:
    return converged(W[chosen], _tails(W, chosen), b, cgf, _LARGEST_BATCH)


def _included_excluded(W: np.ndarray, b: np.ndarray, cgf: Cgf, chosen: np.ndarray) -> np.ndarray:
    """The closed form on {0, 1}: the Moebius transform on the set alone."""
    values, batch = [], max(1, _LARGEST_BATCH // (max(len(b), 1) << chosen.shape[1]))
    subsets = (np.arange(1 << chosen.shape[1])[:, None] >> np.arange(chosen.shape[1])) & 1
    for start in range(0, len(chosen), batch):
        fields = b + np.einsum("ts,csm->ctm", subsets.astype(np.float64), W[chosen[start : start + batch]])
        values.append(mobius(evaluated(cgf, fields).sum(axis=-1))[:, -1])
    return np.concatenate(values)


def _local_transforms(
    W: np.ndarray, b: np.ndarray, cgf: Cgf, wanted: dict[int, np.ndarray], limit: int
) -> dict[int, np.ndarray]:
    """Exact couplings: the transform of every group of hidden units that see the same spins."""
    n, m = W.shape
    groups: dict[bytes, int] = {}
    member = np.array([groups.setdefault(column.tobytes(), len(groups)) for column in (W != 0).T], int)
    supports = [np.flatnonzero(np.frombuffer(key, bool)) for key in groups]
    widest = max((len(support) for support in supports), default=0)
    if widest > limit:
        unit = int(np.argmax((W != 0).sum(axis=0)))
        raise UsageError(
            f"Hidden unit {unit} is connected to {widest} spins; an exact transform takes at most {limit} "
            f"(2^{widest} states, {8 * 2.0**widest / 1e9:.2g} GB); pass a larger limit (26 at most), or "
            "take method='clt' or 'monte-carlo'."
        )
    check_variables(widest, limit, 8 * max(len(groups), 1))
    # Each unit's own weights in the order of its group's spins; units with fewer spins are padded by zeros.
    own = np.zeros((widest, m))
    for j in range(m):
        own[: len(supports[member[j]]), j] = W[supports[member[j]], j]
    values = np.zeros((len(groups), 1 << widest))
    sorted_units = np.argsort(member, kind="stable")
    first = np.searchsorted(member[sorted_units], np.arange(len(groups)))
    batch = max(1, _LARGEST_BATCH // max(m, 1))
    for start in range(0, 1 << widest if m else 0, batch):
        number = np.arange(start, min(start + batch, 1 << widest))
        fields = b + (1.0 - 2 * ((number[:, None] >> np.arange(widest)) & 1)) @ own
        table = evaluated(cgf, fields)
        values[:, number] = np.add.reduceat(table[:, sorted_units], first, axis=1).T
    coefficients = walsh_hadamard(values, limit=limit) if len(groups) else values
    return {k: _gathered(chosen, coefficients, supports, n) for k, chosen in wanted.items()}


def _gathered(chosen: np.ndarray, coefficients: np.ndarray, supports: list[np.ndarray], n: int) -> np.ndarray:
    """The sum over the groups whose spins include the set."""
    total = np.zeros(len(chosen))
    for group, support in zip(coefficients, supports, strict=True):
        place = np.full(n, -1)
        place[support] = np.arange(len(support))
        places = place[chosen]
        inside = (places >= 0).all(axis=1)
        total[inside] += group[(1 << places[inside]).sum(axis=1)]
    return total


def _warn_of_truncation(
    found: dict[int, np.ndarray],
    wanted: dict[int, np.ndarray],
    W: np.ndarray,
    b: np.ndarray,
    cgf: Cgf,
) -> None:
    if 2 not in wanted or len(wanted[2]) == 0:
        return
    better = _averages(W, b, cgf, wanted[2])
    off = float(np.abs(found[2] - better).max() / max(np.abs(better).max(), np.finfo(float).tiny))
    if off > _TOLERATED and np.abs(found[2]).max() > 0:
        warnings.warn(
            f"The truncated cumulant formula is off by {off:.0%} of the largest pair coupling, measured "
            "against the central-limit form; the weights are too large for it. Use method='exact' or 'clt'.",
            TruncationWarning,
            stacklevel=3,
        )
