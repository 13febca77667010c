"""W Wᵀ as a picture: what pairs of visible units share through the hidden layer."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from deeprg.report.style import FIELD_MAP, finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_gram"]


def plot_gram(ax: "Axes", weights: ArrayLike, *, title: str = "W Wᵀ", reach: float = 0.5) -> Any:
    """(W Wᵀ)_ij over the mean diagonal, rows and columns in the order of the sites; returns the image.

    Sites of a lattice L x L in C order: neighbours along a row are beside the diagonal, neighbours along a
    column L off it. `weights` [visible, hidden]. The colours end at ±`reach`, beyond which the diagonal lies.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> image = plot_gram(ax, np.eye(16) + np.roll(np.eye(16), 1, axis=1))
    >>> image.get_array().shape, float(image.get_array()[0, 1])
    ((16, 16), 0.5)
    """
    matrix = np.asarray(weights, np.float64)
    gram = matrix @ matrix.T
    scale = float(np.mean(np.diag(gram))) or 1.0
    image = ax.imshow(gram / scale, cmap=FIELD_MAP, vmin=-reach, vmax=reach, interpolation="nearest")
    ax.grid(False)
    finish(ax, title=title, x="site j", y="site i")
    return image
