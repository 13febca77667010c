"""What a block and a rule know of the environment, when all configurations can be listed."""

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from ...exact.blocking import BlockEnvironment, block_environment, mutual_information
from ...hamiltonians import Ising, RandomBondIsing
from ...runs.errors import UsageError
from ._reader import BlockReader
from ._surroundings import Surroundings

__all__ = ["enumerated_information", "exact_environment", "one_hot"]


def enumerated_information(
    around: Surroundings,
    configurations: ArrayLike,
    probabilities: ArrayLike,
    reader: BlockReader | None = None,
) -> float:
    """I(H:E) of a rule's sharp hidden units in nats, exactly; without a reader I(V:E), the most there is.

    `configurations` [n, *lattice(, components)] are all those of a law and `probabilities` [n] theirs, such
    as of `deeprg.exact.enumerate_distribution`. Raises `UsageError` where they do not match.

    Opposite spins of a ring of four, which are joined both ways by 1/2 ln cosh 2K:

    >>> from deeprg.exact import enumerate_distribution
    >>> from deeprg.hamiltonians import Ising
    >>> from deeprg.lattice import Lattice
    >>> law = enumerate_distribution(Ising(Lattice((4,)), temperature=1.0))
    >>> around = Surroundings.on_lattice(Lattice((4,)), (1,), buffer=1)
    >>> round(enumerated_information(around, law.states, law.probabilities), 6)
    0.45001
    """
    table, p = around.table(configurations), np.asarray(probabilities, np.float64)
    if p.shape != (len(table),) or not np.isfinite(p).all() or p.min() < 0 or not np.isclose(p.sum(), 1):
        raise UsageError(
            f"{len(table)} configurations need as many probabilities with the sum 1, not {p.shape} with the "
            f"sum {p.sum():g}."
        )
    v, e = (table[:, list(sites)].reshape(len(table), -1) for sites in (around.block, around.environment))
    read = _numbers(v) if reader is None else np.asarray(reader.sharp(jnp.asarray(v, jnp.float32)))
    known = _numbers(e)
    shape = (int(read.max()) + 1, int(known.max()) + 1)
    joint = np.bincount(read * shape[1] + known, weights=p, minlength=shape[0] * shape[1])
    return mutual_information(joint.reshape(shape))


def exact_environment(model: Ising | RandomBondIsing, around: Surroundings) -> BlockEnvironment:
    """p(V, E) of Ising spins with V and E as a search sees them, at most 24 spins in both.

    Source: `deeprg.exact.blocking.block_environment`, whose `information` judges any rule exactly. Raises
    `UsageError` as that does, and for another number of sites.

    >>> from deeprg.exact.blocking import Decimation
    >>> from deeprg.lattice import Lattice
    >>> ring = Ising(Lattice((200,)), temperature=2.0)
    >>> around = Surroundings.on_lattice(ring.lattice, (2,), buffer=2, environment=1)
    >>> round(exact_environment(ring, around).information(Decimation()).kept, 6)
    0.005908
    """
    if model.lattice.size != around.sites:
        raise UsageError(f"The block is one of {around.sites} sites, the model has {model.lattice.size}.")
    others = [[site] for site in range(around.sites) if site not in around.block]
    return block_environment(model, [list(around.block), *others], environment=around.environment)


def one_hot(configurations: ArrayLike, kinds: int) -> np.ndarray:
    """Potts states 0 ... q - 1 [n, *lattice] as indicators int8 [n, *lattice, q].

    Raises `UsageError` for other numbers.

    >>> one_hot([[0, 2]], 3).tolist()
    [[[1, 0, 0], [0, 0, 1]]]
    """
    states = np.asarray(configurations)
    whole = states.astype(np.int64)
    if kinds < 2 or not np.array_equal(whole, states) or whole.min() < 0 or whole.max() >= kinds:
        raise UsageError(
            f"The states of a Potts model with {kinds} are 0 ... {kinds - 1}; these run from {states.min()} "
            f"to {states.max()}."
        )
    return (whole[..., None] == np.arange(kinds)).astype(np.int8)


def _numbers(rows: np.ndarray) -> np.ndarray:
    """The number of every row [n] among all different ones."""
    return np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
