"""The information that a classifier of labels found, from its log probabilities on held-out samples."""

import numpy as np
from scipy.special import entr

from deeprg.montecarlo.jackknife import Jackknife, block_sums, delete_one

__all__ = ["classified_information"]


def classified_information(states: np.ndarray, log_q: np.ndarray, count: int, *, blocks: int) -> Jackknife:
    """H(h) + E ln q(h | e) in nats, with the jackknife's error over consecutive samples.

    `states` [n] are labels 0 ... count - 1, `log_q` [n] the classifier's ln q of them. H(h) is the entropy
    of the counts with Miller's correction, (K - 1)/(2 n) for K labels that occur. Barber and Agakov's bound.

    >>> states = np.tile([0, 1], 500)
    >>> round(classified_information(states, np.zeros(1000), 2, blocks=10).value, 3)     # ln 2 + 1/2000
    0.694
    """
    n = len(states)

    def information(p: np.ndarray, log_q: float) -> float:
        return float(entr(p).sum() + (np.count_nonzero(p) - 1) / (2 * n) + log_q)

    sums = {name: block_sums([v], blocks) for name, v in (("p", np.eye(count)[states]), ("log_q", log_q))}
    return delete_one(information, {name: part for name, (part, _) in sums.items()}, sums["p"][1])
