"""BibTeX for the methods that a run used."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["CITATIONS", "Citation", "bibtex", "citations_for"]


@dataclass(frozen=True)
class Citation:
    """One source: its BibTeX key, what it is cited for, and the fields of the entry.

    >>> CITATIONS["kaufman1949"].reference
    'B. Kaufman, Crystal Statistics. II, Phys. Rev. 76, 1232 (1949)'
    """

    key: str
    used_for: str
    kind: str
    fields: Mapping[str, str]

    @property
    def reference(self) -> str:
        """The source in one line of text."""
        get = self.fields.get
        names = self.fields["author"].split(" and ")
        who = ", ".join(_short(name) for name in names[:3]) + (" et al." if len(names) > 3 else "")
        title = self.fields.get("shorttitle", self.fields["title"])
        if get("journal"):
            return f"{who}, {title}, {get('journal')} {get('volume')}, {get('pages')} ({get('year')})"
        place = f"arXiv:{get('eprint')}" if get("eprint") else get("url", get("booktitle", ""))
        return f"{who}, {title}, {place} ({get('year')})"

    @property
    def bibtex(self) -> str:
        """The BibTeX entry."""
        lines = [f"  {name} = {{{value}}}," for name, value in self.fields.items() if name != "shorttitle"]
        return "\n".join([f"@{self.kind}{{{self.key},", *lines, "}"])


def _short(name: str) -> str:
    family, comma, given = name.partition(", ")
    initials = " ".join(f"{part[0]}." for part in given.split())
    return f"{initials} {family}" if comma else name


def _arxiv(key: str, used_for: str, author: str, title: str, year: int, eprint: str, **more: str) -> Citation:
    fields = {"author": author, "title": title, "year": str(year), "eprint": eprint, "archivePrefix": "arXiv"}
    return Citation(key, used_for, "article", {**fields, **more})


def _software(key: str, used_for: str, author: str, title: str, year: int, url: str) -> Citation:
    fields = {"author": author, "title": title, "year": str(year), "url": url}
    return Citation(key, used_for, "software", fields)


CITATIONS: dict[str, Citation] = {
    entry.key: entry
    for entry in (
        _arxiv(
            "li2018neural",
            "hierarchical flow trained from the energy (NeuralRG)",
            "Li, Shuo-Hui and Wang, Lei",
            "Neural Network Renormalization Group",
            2018,
            "1802.02840",
            journal="Phys. Rev. Lett.",
            volume="121",
            pages="260601",
        ),
        _arxiv(
            "dinh2017realnvp",
            "RealNVP couplings",
            "Dinh, Laurent and Sohl-Dickstein, Jascha and Bengio, Samy",
            "Density estimation using Real NVP",
            2017,
            "1605.08803",
        ),
        _arxiv(
            "durkan2019spline",
            "rational-quadratic splines",
            "Durkan, Conor and Bekasov, Artur and Murray, Iain and Papamakarios, George",
            "Neural Spline Flows",
            2019,
            "1906.04032",
        ),
        _arxiv(
            "roeder2017sticking",
            "path-gradient estimator",
            "Roeder, Geoffrey and Wu, Yuhuai and Duvenaud, David",
            "Sticking the Landing: Simple, Lower-Variance Gradient Estimators for Variational Inference",
            2017,
            "1703.09194",
        ),
        _arxiv(
            "vaitl2022gradients",
            "path gradients of flows",
            "Vaitl, Lorenz and Nicoli, Kim A. and Nakajima, Shinichi and Kessel, Pan",
            "Gradients should stay on path: better estimators of the reverse- and forward KL divergence for "
            "normalizing flows",
            2022,
            "2207.08219",
        ),
        Citation(
            "kaufman1949",
            "exact free energy of the Ising torus",
            "article",
            {
                "author": "Kaufman, Bruria",
                "title": "Crystal Statistics. II. Partition Function Evaluated by Spinor Analysis",
                "shorttitle": "Crystal Statistics. II",
                "journal": "Phys. Rev.",
                "volume": "76",
                "pages": "1232",
                "year": "1949",
            },
        ),
        _arxiv(
            "albergo2019flow",
            "independence Metropolis with flows",
            "Albergo, Michael S. and Kanwar, Gurtej and Shanahan, Phiala E.",
            "Flow-based generative models for Markov chain Monte Carlo in lattice field theory",
            2019,
            "1904.12072",
        ),
        _arxiv(
            "wolff2004monte",
            "errors of Markov chains (Γ-method)",
            "Wolff, Ulli",
            "Monte Carlo errors with less errors",
            2004,
            "hep-lat/0306017",
        ),
        _arxiv(
            "vehtari2015pareto",
            "Pareto k of importance weights",
            "Vehtari, Aki and Simpson, Daniel and Gelman, Andrew and Yao, Yuling and Gabry, Jonah",
            "Pareto Smoothed Importance Sampling",
            2015,
            "1507.02646",
        ),
        _arxiv(
            "kingma2014adam",
            "Adam optimiser",
            "Kingma, Diederik P. and Ba, Jimmy",
            "Adam: A Method for Stochastic Optimization",
            2014,
            "1412.6980",
        ),
        _software(
            "jax2018github",
            "array programs, derivatives, compilation",
            "Bradbury, James and Frostig, Roy and Hawkins, Peter and Johnson, Matthew James and others",
            "JAX: composable transformations of Python+NumPy programs",
            2018,
            "http://github.com/jax-ml/jax",
        ),
        _arxiv(
            "kidger2021equinox",
            "models as pytrees",
            "Kidger, Patrick and Garcia, Cristian",
            "Equinox: neural networks in JAX via callable PyTrees and filtered transformations",
            2021,
            "2111.00254",
        ),
        _software(
            "deepmind2020jax",
            "optimisers (Optax)",
            "DeepMind and Babuschkin, Igor and Baumli, Kate and others",
            "The DeepMind JAX Ecosystem",
            2020,
            "http://github.com/google-deepmind",
        ),
    )
}

_ALWAYS = ("li2018neural", "albergo2019flow", "wolff2004monte", "vehtari2015pareto", "kingma2014adam")
_SOFTWARE = ("jax2018github", "kidger2021equinox", "deepmind2020jax")


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


def bibtex(citations: Iterable[Citation]) -> str:
    """The entries as one BibTeX file, each under a comment that says what it is cited for."""
    return "\n\n".join(f"% {entry.used_for}\n{entry.bibtex}" for entry in citations)
