"""Several coarse-grainings one after the other: 64x64 to 32x32 to 16x16 to 8x8."""

import itertools
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from ..lattice import Lattice
from ..runs.errors import UsageError, nearest
from ._base import AbstractCoarseGraining
from ._blocking import BlockAverage, Decimation, Majority

__all__ = ["BLOCK_RULES", "Composition", "build_block_rule", "check_block_options"]

# The rules that need a lattice and numbers only; `build_block_rule` makes them by name.
BLOCK_RULES: dict[str, type[BlockAverage | Decimation | Majority]] = {
    "decimation": Decimation,
    "average": BlockAverage,
    "majority": Majority,
}


class Composition(AbstractCoarseGraining):
    """The coarse-grainings `links` one after the other, the first one on the finest lattice.

    Its law sums over what is between, p(c | x) = sum_y p_2(c | y) p_1(y | x); every link draws with a key of
    its own. `links[:k]` composed again are the first k steps.

    Raises `UsageError` without a link, and when a link does not start on the lattice where the one before
    ends.

    >>> import jax, jax.numpy as jnp
    >>> steps = Composition(BlockAverage(Lattice((8,))), BlockAverage(Lattice((4,))))
    >>> steps.coarsen(jnp.arange(8.0), key=jax.random.key(0)).tolist()
    [1.5, 5.5]
    """

    links: tuple[AbstractCoarseGraining, ...]

    def __init__(self, *links: AbstractCoarseGraining):
        if not links:
            raise UsageError("A composition needs at least one coarse-graining.")
        for before, after in itertools.pairwise(links):
            if before.coarse != after.fine:
                raise UsageError(
                    f"A {type(before).__name__} ends on {before.coarse}, but the {type(after).__name__} "
                    f"after it starts on {after.fine}; build it for {before.coarse}."
                )
        self.links = links

    @property
    def fine(self) -> Lattice:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The lattice before the first link."""
        return self.links[0].fine

    @property
    def coarse(self) -> Lattice:
        """The lattice after the last link."""
        return self.links[-1].coarse

    @property
    def deterministic(self) -> bool:
        """Whether all links are."""
        return all(link.deterministic for link in self.links)

    @property
    def averages(self) -> bool:
        """Whether `mean` is known: the last link has one, and those before do not draw at random."""
        return hasattr(self.links[-1], "mean") and all(link.deterministic for link in self.links[:-1])

    def check(self, x: np.ndarray) -> None:
        """What the first link checks."""
        if hasattr(self.links[0], "check"):
            self.links[0].check(x)  # pyright: ignore[reportAttributeAccessIssue]

    def stages(self, x: Float[Array, "*fine"], *, key: PRNGKeyArray) -> list[Array]:
        """The configurations after every link, the last of them what `coarsen` returns."""
        stages = []
        for link, own in zip(self.links, jax.random.split(key, len(self.links)), strict=True):
            x = link.coarsen(x, key=own)
            stages.append(x)
        return stages

    def coarsen(self, x: Float[Array, "*fine"], *, key: PRNGKeyArray) -> Float[Array, "*coarse"]:
        """A draw through all links."""
        return self.stages(x, key=key)[-1]

    def mean(self, x: Float[Array, "*fine"]) -> Float[Array, "*coarse"]:
        """E[coarse | fine]; `UsageError` when a link before the last draws at random."""
        return self._last("mean").mean(self._before_last(x))

    def log_prob(self, coarse: Float[Array, "*coarse"], x: Float[Array, "*fine"]) -> Float[Array, ""]:
        """ln p(coarse | fine); `UsageError` when a link before the last draws at random."""
        return self._last("log_prob").log_prob(coarse, self._before_last(x))

    def _last(self, what: str) -> Any:
        if not hasattr(self.links[-1], what):
            raise UsageError(
                f"A {type(self.links[-1]).__name__} has no {what}, so neither has what ends in it."
            )
        return self.links[-1]

    def _before_last(self, x: Array) -> Array:
        for number, link in enumerate(self.links[:-1]):
            if not link.deterministic:
                raise UsageError(
                    f"Link {number} of {len(self.links)}, a {type(link).__name__}, draws at random: the law "
                    "of the composition is a sum over its outcomes. Ask for draws, or compose deterministic "
                    "links."
                )
            x = link.coarsen(x, key=jax.random.key(0))  # not used
        return x


def build_block_rule(
    name: str, lattice: Lattice, *, steps: int = 1, **options: Any
) -> BlockAverage | Decimation | Majority | Composition:
    """The block rule of that name in `BLOCK_RULES`, applied `steps` times with the same options.

    Raises `UsageError` for an unknown name, options that the rule does not have, and shapes that do not tile
    at some step.

    >>> str(build_block_rule("majority", Lattice((64, 64)), steps=3, ties="random").coarse)
    '8x8'
    """
    if name not in BLOCK_RULES:
        known = ", ".join(BLOCK_RULES)
        raise UsageError(f"There is no block rule '{name}'.{nearest(name, BLOCK_RULES)} Known: {known}.")
    if steps < 1:
        raise UsageError(f"steps = {steps}: a rule is applied at least once.")
    check_block_options(name, options)
    links = []
    for _ in range(steps):
        links.append(BLOCK_RULES[name](lattice, **options))
        lattice = links[-1].coarse
    return links[0] if steps == 1 else Composition(*links)


def check_block_options(name: str, options: Iterable[str]) -> None:
    """`UsageError` for an option that the block rule of that name does not have.

    >>> check_block_options("majority", ["side", "ties", "steps"])
    """
    allowed = ["side", "offset", "steps"] if name == "decimation" else ["side", "stride", "offset", "steps"]
    allowed += ["ties"] if name == "majority" else []
    if unknown := [option for option in options if option not in allowed]:
        raise UsageError(
            f"The rule '{name}' has no option '{unknown[0]}'; it has {', '.join(allowed)}."
            f"{nearest(unknown[0], allowed)}"
        )
