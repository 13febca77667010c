"""The correlator G(r) and its transform S(k): of flow draws against the target, and over temperatures."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from deeprg.report.style import ACCENT, EXACT, SECOND, finish, legend, log_bars, plain_numbers, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Profile", "plot_correlation", "plot_correlations", "plot_structure_factor"]

_DECADES = 20.0  # from this ratio of largest to smallest value the axis is logarithmic


class Profile(NamedTuple):
    """A function of distance or momentum: places, values, their errors, exact values where known."""

    places: ArrayLike
    values: ArrayLike
    errors: ArrayLike | None = None
    exact: ArrayLike | None = None


def plot_correlation(
    ax: "Axes",
    r: ArrayLike,
    value: ArrayLike,
    *,
    error: ArrayLike | None = None,
    direct: ArrayLike | None = None,
    exact: ArrayLike | None = None,
) -> "Axes":
    """G(r) along an axis with error bars; `direct` is the biased average over the model, `exact` a line.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> plot_correlation(ax, [0, 1, 2], [1.0, 0.7, 0.6]).get_xlabel()
    'distance r (lattice spacings)'
    """
    if direct is not None:
        style = {"color": SECOND, "markersize": 6, "markerfacecolor": "none"}
        ax.plot(np.asarray(r), np.asarray(direct), "s", label="as drawn (biased)", **style)
    _points(ax, Profile(r, value, error, exact), label="reweighted", colour=ACCENT)
    if np.min(np.asarray(value)) > 0:
        ax.set_ylim(0, None)
    return _correlation_axes(ax)


def plot_correlations(
    ax: "Axes", profiles: Mapping[str, Profile], *, logarithmic: bool | None = None
) -> "Axes":
    """G(r) along an axis for several temperatures, by label, dark is cold; exact values as dashed lines.

    The vertical axis is logarithmic when the values that are three errors above zero span a factor of 20,
    unless `logarithmic` says otherwise; there, points within three errors of zero are left out.

    >>> from deeprg.report.style import figure
    >>> _, ax = figure()
    >>> profile = Profile([0, 1, 2], [1.0, 0.1, 0.01], [0.0, 0.001, 0.001])
    >>> plot_correlations(ax, {"T = 3": profile}).get_yscale()
    'log'
    """
    significant = {label: _significant(profile) for label, profile in profiles.items()}
    everything = np.concatenate([np.asarray(profile.values, dtype=float) for profile in significant.values()])
    if logarithmic is None:
        logarithmic = everything.size > 1 and everything.max() > _DECADES * everything.min()
    if logarithmic:
        ax.set_yscale("log")
    lowest = float(everything.min(initial=1.0))
    for colour, (label, profile) in zip(shades(len(profiles)), profiles.items(), strict=True):
        shown = significant[label] if logarithmic else profile
        _points(ax, shown, label=label, colour=colour, line=True)
    room = 0.1 + 0.05 * min(len(profiles), 4)  # for the legend, as a part of the height
    low, high = ax.get_ylim()
    if logarithmic:
        highest = float(everything.max(initial=lowest))
        ax.set_ylim(0.5 * lowest, 1.6 * highest * (highest / lowest) ** room)
        plain_numbers(ax.yaxis)
    else:
        ax.set_ylim(low, high + room * (high - low))
    return _correlation_axes(ax, names=len(profiles))


def plot_structure_factor(ax: "Axes", profiles: Mapping[str, Profile]) -> "Axes":
    """S(k) against |k| on two logarithmic axes for several temperatures, by label; k = 0 is left out."""
    ax.set_xscale("log")
    ax.set_yscale("log")
    for colour, (label, profile) in zip(shades(len(profiles)), profiles.items(), strict=True):
        k, s = np.asarray(profile.places, dtype=float), np.asarray(profile.values, dtype=float)
        good = (k > 0) & (s > 0)
        _points(ax, _chosen(profile, good), label=label, colour=colour, line=True)
    plain_numbers(ax.xaxis)
    plain_numbers(ax.yaxis)
    legend(ax, ncols=2 if len(profiles) > 3 else 1)
    return finish(ax, title="Structure factor", x="momentum |k|", y="S(k)")


def _points(ax: "Axes", profile: Profile, *, label: str, colour: Any, line: bool = False) -> None:
    """One profile as points with error bars over its exact line; `line` joins the points."""
    x, errors = np.asarray(profile.places), None if profile.errors is None else np.asarray(profile.errors)
    logarithmic = ax.get_yscale() == "log"
    if profile.exact is not None:
        name = None if line else "exact"
        exact_colour = colour if line else EXACT
        ax.plot(x, np.asarray(profile.exact), color=exact_colour, linestyle="--", linewidth=1.4, label=name)
    ax.errorbar(
        x,
        np.asarray(profile.values),
        yerr=log_bars(profile.values, errors) if logarithmic else errors,
        fmt="o-" if line and profile.exact is None else "o",
        linewidth=1.0,
        elinewidth=1.4,
        color=colour,
        markersize=4.5 if not line else 3.5,
        capsize=2.5,
        label=label,
    )


def _correlation_axes(ax: "Axes", names: int = 1) -> "Axes":
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(ax, ncols=3 if names > 4 else 2 if names > 2 else 1)
    return finish(ax, title="Correlation along an axis", x="distance r (lattice spacings)", y="G(r)")


def _significant(profile: Profile) -> Profile:
    """The part of a profile that lies more than three errors above zero."""
    values = np.asarray(profile.values, dtype=float)
    errors = 0.0 if profile.errors is None else np.nan_to_num(np.asarray(profile.errors, dtype=float))
    return _chosen(profile, (values > 0) & (values > 3 * errors))


def _chosen(profile: Profile, good: np.ndarray) -> Profile:
    parts: Sequence[Any] = [None if part is None else np.asarray(part)[good] for part in profile]
    return Profile(*parts)
