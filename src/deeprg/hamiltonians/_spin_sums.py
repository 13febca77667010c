"""Moments of sums over independent spins, exactly: what a field says about energy and magnetization."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ._bonds import Steps

__all__ = ["bond_energy_given_means", "magnetization_given_means"]


def bond_energy_given_means(
    kernel: Steps, means: Float[Array, "*lattice"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Mean and variance of E = -1/2 Σ_ij κ_ij s_i s_j of independent spins s_i = ±1 with the given means m_i.

    With κ_ij = κ(i - j) listed as (displacement, value) and its diagonal, a constant in E, left out of the
    variance, where bonds that share a site are correlated through it:

        E   = -1/2 Σ_ij κ_ij m_i m_j - κ_0 N/2,
        Var = 1/2 Σ_ij κ_ij² (1 - m_i² m_j²) + Σ_i (1 - m_i²) [(Σ_j κ_ij m_j)² - Σ_j κ_ij² m_j²].

    >>> chain = (((1,), 1.0), ((3,), 1.0))
    >>> [float(v) for v in bond_energy_given_means(chain, jnp.zeros(4))]  # four bonds, each ±1
    [-0.0, 4.0]
    """
    axes = tuple(range(means.ndim))
    squares = means**2
    pull = spread = jnp.zeros_like(means)
    constant = total = 0.0
    for step, value in kernel:
        if any(step):
            pull = pull + value * jnp.roll(means, step, axes)
            spread = spread + value**2 * jnp.roll(squares, step, axes)
            total += value**2
        else:
            constant += value
    mean = -0.5 * (jnp.sum(means * pull) + constant * means.size)
    single = 0.5 * (total * means.size - jnp.sum(squares * spread))
    return mean, single + jnp.sum((1 - squares) * (pull**2 - spread))


def magnetization_given_means(
    means: Float[Array, "*lattice"],
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """⟨m²⟩ and ⟨m⁴⟩ of the mean m of independent spins with the given means, from their cumulants.

    κ₁ = Σ m_i, κ₂ = Σ (1 - m_i²), κ₃ = Σ -2 m_i (1 - m_i²), κ₄ = Σ (1 - m_i²)(6 m_i² - 2), and
    ⟨M²⟩ = κ₂ + κ₁², ⟨M⁴⟩ = κ₄ + 4 κ₃ κ₁ + 3 κ₂² + 6 κ₂ κ₁² + κ₁⁴ for M = Σ s_i.

    >>> [float(v) for v in magnetization_given_means(jnp.zeros(2))]  # m = -1, 0, 0, 1
    [0.5, 0.5]
    """
    n = float(means.size)  # an integer n^4 may be too large
    width = 1 - means**2
    first, second = jnp.sum(means) / n, jnp.sum(width) / n**2
    third, fourth = jnp.sum(-2 * means * width) / n**3, jnp.sum(width * (4 - 6 * width)) / n**4
    square = second + first**2
    return square, fourth + 4 * third * first + 3 * second**2 + 6 * second * first**2 + first**4
