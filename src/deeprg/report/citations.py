"""BibTeX for the methods that a run or an ensemble used."""

from collections.abc import Iterable, Mapping
from typing import Any

from deeprg.report._citation import Citation
from deeprg.report._sources import SOURCES
from deeprg.report._sources_boltzmann import BOLTZMANN_SOURCES
from deeprg.report._sources_rg import RG_SOURCES

__all__ = ["CITATIONS", "Citation", "bibtex", "citations_for", "citations_for_ensemble"]

# Every source that this package cites, by its key.
CITATIONS: dict[str, Citation] = {entry.key: entry for entry in (*SOURCES, *RG_SOURCES, *BOLTZMANN_SOURCES)}

_ALWAYS = ("li2018neural", "albergo2019flow", "wolff2004monte", "vehtari2015pareto", "kingma2014adam")
_SOFTWARE = ("jax2018github", "kidger2021equinox", "deepmind2020jax")

_ALGORITHMS: dict[str, tuple[str, ...]] = {
    "metropolis": ("metropolis1953equation",),
    "multispin": ("jacobs1981multispin", "lam2015numba"),
    "multi-spin": ("jacobs1981multispin", "lam2015numba"),
    "wolff": ("wolff1989collective", "lam2015numba"),
    "swendsen": ("swendsen1987nonuniversal", "lam2015numba"),
    "hmc": ("duane1987hybrid", "hoffman2014nuts", "cabezas2024blackjax", "jax2018github"),
    "nuts": ("duane1987hybrid", "hoffman2014nuts", "cabezas2024blackjax", "jax2018github"),
    "tempering": ("hukushima1996exchange",),
    "worm": ("sandvik2006correlations", "lam2015numba"),
    "loop": ("sandvik2006correlations", "lam2015numba"),
}


def citations_for(config: Mapping[str, Any] | None) -> list[Citation]:
    """The sources of what a run of this configuration used; all of them without one.

    >>> [entry.key for entry in citations_for({"flow": {"scalar": "spline"}})][:2]
    ['li2018neural', 'durkan2019spline']
    """
    if config is None:
        return list(CITATIONS.values())
    flow, train = config.get("flow", {}), config.get("train", {})
    used = {*_ALWAYS, *_SOFTWARE}
    if "couplings" in flow:
        used.add("dinh2017realnvp")
    if flow.get("scalar") == "spline":
        used.add("durkan2019spline")
    if train.get("estimator") == "path":
        used |= {"roeder2017sticking", "vaitl2022gradients"}
    if config.get("hamiltonian", {}).get("name") == "ising":
        used.add("kaufman1949")
    return [entry for key, entry in CITATIONS.items() if key in used]


def citations_for_ensemble(
    model: str,
    algorithm: str,
    *,
    tempering: bool = False,
    reweighted: bool = False,
    two_dimensional: bool = True,
) -> list[Citation]:
    """The sources behind an ensemble: its algorithm, its statistics, what it is compared with, its software.

    `model` is the name of a Hamiltonian as the command line knows it, `algorithm` that of an update; a name
    of several parts ("wolff + metropolis") cites each, an unknown one only what every ensemble uses.
    `two_dimensional` says that an Ising model is compared with Kaufman's torus.

    >>> [entry.key for entry in citations_for_ensemble("ising", "wolff")][:3]
    ['kaufman1949', 'wolff2004monte', 'wolff1989collective']
    """
    name = algorithm.lower().replace("_", "-")
    used = {"wolff2004monte", "vehtari2021rhat", "zarr"}
    for part, sources in _ALGORITHMS.items():
        if part in name:
            used |= set(sources)
    if tempering:
        used |= set(_ALGORITHMS["tempering"])
    if reweighted:
        used.add("shirts2008statistically")
    if model == "ising" and two_dimensional:
        used.add("kaufman1949")
    if model == "phi4" and used & {"wolff1989collective", "swendsen1987nonuniversal"}:
        used.add("brower1989embedded")
    return [entry for key, entry in CITATIONS.items() if key in used]


def bibtex(citations: Iterable[Citation]) -> str:
    """The entries as one BibTeX file, each under a comment that says what it is cited for."""
    return "\n\n".join(f"% {entry.used_for}\n{entry.bibtex}" for entry in citations)
