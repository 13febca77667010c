"""Partitions of the sites into blocks, one coarse spin each."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ...lattice import Lattice
from ...runs.errors import UsageError
from ..couplings._checks import whole_sites

__all__ = ["Partition", "partition_of"]


@dataclass(frozen=True)
class Partition:
    """Blocks of sites that cover 0 ... N - 1 once each; block i carries the coarse spin x_i.

    `lattice`, where given, is the coarse lattice whose site i is block i; it gives couplings a range.

    Raises `UsageError` for empty blocks, blocks that overlap or miss sites, and a lattice of another size.

    >>> Partition(((0, 1), (2, 3, 4))).size
    5
    """

    blocks: tuple[tuple[int, ...], ...]
    lattice: Lattice | None = None

    def __post_init__(self):
        flat = np.array([site for block in self.blocks for site in block], np.int64)
        if flat.size == 0 or not all(self.blocks):
            raise UsageError("Every block needs at least one site, and there must be at least one block.")
        sites, counts = np.unique(flat, return_counts=True)
        if (counts > 1).any():
            raise UsageError(
                f"The blocks overlap: the sites {sites[counts > 1].tolist()} are in more than one place."
            )
        missed = np.setdiff1d(np.arange(max(flat.size, int(flat.max()) + 1)), flat)
        if missed.size or flat.min() < 0:
            raise UsageError(
                f"The blocks must cover the sites 0 ... N - 1, but they miss {missed[:10].tolist()}"
                f"{' ...' if missed.size > 10 else ''}."
            )
        if self.lattice is not None and self.lattice.size != len(self.blocks):
            raise UsageError(
                f"The coarse lattice {self.lattice} has {self.lattice.size} sites, but there are "
                f"{len(self.blocks)} blocks."
            )

    @classmethod
    def cubic(cls, lattice: Lattice, side: int, offset: int | tuple[int, ...] = 0) -> "Partition":
        """The cubic blocks of `Lattice.blocks`, with the coarse lattice of extents L / side.

        >>> partition = Partition.cubic(Lattice((4, 4)), 2)
        >>> partition.blocks[0], str(partition.lattice)
        ((0, 1, 4, 5), '2x2')
        """
        blocks = lattice.blocks(side, offset)
        coarse = Lattice(tuple(extent // side for extent in lattice.shape))
        return cls(tuple(tuple(block) for block in blocks.tolist()), coarse)

    @property
    def size(self) -> int:
        """The number of fine sites."""
        return sum(len(block) for block in self.blocks)

    @property
    def order(self) -> list[int]:
        """The sites block after block."""
        return [site for block in self.blocks for site in block]


def partition_of(blocks: Partition | np.ndarray | Iterable[Iterable[int]], size: int) -> Partition:
    """The blocks as a `Partition` of `size` sites: a `Partition`, an array [n, b], or any lists of sites.

    Raises `UsageError` as `Partition` does, and when the number of sites differs.

    >>> partition_of(Lattice((4,)).blocks(2), 4).blocks
    ((0, 1), (2, 3))
    """
    if not isinstance(blocks, Partition):
        blocks = Partition(tuple(whole_sites(block) for block in blocks))
    if blocks.size != size:
        raise UsageError(f"The blocks cover {blocks.size} sites, but the action has {size}.")
    return blocks
