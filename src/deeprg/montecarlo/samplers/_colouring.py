"""Sites that can be updated at the same time: a colouring of the graph of couplings."""

import numpy as np

__all__ = ["colour_classes"]


def colour_classes(neighbours: np.ndarray) -> list[np.ndarray]:
    """Sets of sites of which no two are coupled, as index arrays; together they are all sites.

    The first free colour in the order of the sites (greedy): the two of a checkerboard where all extents are
    even, three or more on odd and triangular lattices. `neighbours` is [sites, z].

    >>> [c.tolist() for c in colour_classes(np.array([[1, 3], [0, 2], [1, 3], [2, 0]]))]
    [[0, 2], [1, 3]]
    """
    colours = np.full(len(neighbours), -1)
    for site, around in enumerate(neighbours):
        taken = set(colours[around[around != site]].tolist())
        colour = 0
        while colour in taken:
            colour += 1
        colours[site] = colour
    return [np.flatnonzero(colours == colour).astype(np.int32) for colour in range(colours.max() + 1)]
