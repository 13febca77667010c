"""Every source that this package cites, with its BibTeX fields."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CITATIONS", "Citation"]


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
        names = self.fields["author"].replace("{", "").replace("}", "").split(" and ")
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
        Citation(
            "metropolis1953equation",
            "Metropolis algorithm",
            "article",
            {
                "author": "Metropolis, Nicholas and Rosenbluth, Arianna W. and Rosenbluth, Marshall N. and "
                "Teller, Augusta H. and Teller, Edward",
                "title": "Equation of State Calculations by Fast Computing Machines",
                "journal": "J. Chem. Phys.",
                "volume": "21",
                "pages": "1087",
                "year": "1953",
            },
        ),
        Citation(
            "jacobs1981multispin",
            "multi-spin coding",
            "article",
            {
                "author": "Jacobs, Laurence and Rebbi, Claudio",
                "title": "Multi-spin coding: A very efficient technique for Monte Carlo simulations of spin "
                "systems",
                "journal": "J. Comput. Phys.",
                "volume": "41",
                "pages": "203",
                "year": "1981",
            },
        ),
        Citation(
            "swendsen1987nonuniversal",
            "Swendsen-Wang clusters",
            "article",
            {
                "author": "Swendsen, Robert H. and Wang, Jian-Sheng",
                "title": "Nonuniversal critical dynamics in Monte Carlo simulations",
                "journal": "Phys. Rev. Lett.",
                "volume": "58",
                "pages": "86",
                "year": "1987",
            },
        ),
        Citation(
            "wolff1989collective",
            "Wolff clusters; embedded Ising spins",
            "article",
            {
                "author": "Wolff, Ulli",
                "title": "Collective Monte Carlo Updating for Spin Systems",
                "journal": "Phys. Rev. Lett.",
                "volume": "62",
                "pages": "361",
                "year": "1989",
            },
        ),
        Citation(
            "brower1989embedded",
            "clusters of the signs of a φ⁴ field",
            "article",
            {
                "author": "Brower, Richard C. and Tamayo, Pablo",
                "title": "Embedded dynamics for phi^4 theory",
                "journal": "Phys. Rev. Lett.",
                "volume": "62",
                "pages": "1087",
                "year": "1989",
            },
        ),
        Citation(
            "duane1987hybrid",
            "Hybrid (Hamiltonian) Monte Carlo",
            "article",
            {
                "author": "Duane, Simon and Kennedy, Anthony D. and Pendleton, Brian J. and Roweth, Duncan",
                "title": "Hybrid Monte Carlo",
                "journal": "Phys. Lett. B",
                "volume": "195",
                "pages": "216",
                "year": "1987",
            },
        ),
        _arxiv(
            "hoffman2014nuts",
            "No-U-Turn sampler, adaptation of the step size",
            "Hoffman, Matthew D. and Gelman, Andrew",
            "The No-U-Turn Sampler: Adaptively Setting Path Lengths in Hamiltonian Monte Carlo",
            2014,
            "1111.4246",
            journal="J. Mach. Learn. Res.",
            volume="15",
            pages="1593",
        ),
        _arxiv(
            "hukushima1996exchange",
            "parallel tempering (replica exchange)",
            "Hukushima, Koji and Nemoto, Koji",
            "Exchange Monte Carlo Method and Application to Spin Glass Simulations",
            1996,
            "cond-mat/9512035",
            journal="J. Phys. Soc. Jpn.",
            volume="65",
            pages="1604",
        ),
        _arxiv(
            "sandvik2006correlations",
            "directed loops (worm) for dimers",
            "Sandvik, Anders W. and Moessner, Roderich",
            "Correlations and confinement in nonplanar two-dimensional dimer models",
            2006,
            "cond-mat/0507277",
            journal="Phys. Rev. B",
            volume="73",
            pages="144504",
        ),
        _arxiv(
            "shirts2008statistically",
            "reweighting of several temperatures (MBAR)",
            "Shirts, Michael R. and Chodera, John D.",
            "Statistically optimal analysis of samples from multiple equilibrium states",
            2008,
            "0801.1426",
            journal="J. Chem. Phys.",
            volume="129",
            pages="124105",
        ),
        _arxiv(
            "vehtari2021rhat",
            "split R̂ across chains",
            "Vehtari, Aki and Gelman, Andrew and Simpson, Daniel and Carpenter, Bob and Bürkner, "
            "Paul-Christian",
            "Rank-Normalization, Folding, and Localization: An Improved R-hat for Assessing Convergence of "
            "MCMC",
            2021,
            "1903.08008",
        ),
        Citation(
            "lam2015numba",
            "compiled cluster and worm updates",
            "inproceedings",
            {
                "author": "Lam, Siu Kwan and Pitrou, Antoine and Seibert, Stanley",
                "title": "Numba: a LLVM-based Python JIT compiler",
                "booktitle": "Proceedings of the Second Workshop on the LLVM Compiler Infrastructure in HPC",
                "year": "2015",
            },
        ),
        _arxiv(
            "cabezas2024blackjax",
            "HMC and NUTS (BlackJAX)",
            "Cabezas, Alberto and Corenflos, Adrien and Lao, Junpeng and Louf, Rémi and others",
            "BlackJAX: Composable Bayesian inference in JAX",
            2024,
            "2402.10797",
        ),
        _software(
            "zarr",
            "ensembles on disk (Zarr)",
            "{Zarr developers}",
            "Zarr-Python: chunked, compressed, N-dimensional arrays",
            2025,
            "http://github.com/zarr-developers/zarr-python",
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
