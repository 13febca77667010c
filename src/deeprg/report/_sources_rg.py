"""The sources about renormalization and learning machines, with their BibTeX fields."""

from deeprg.report._citation import Citation, arxiv

__all__ = ["RG_SOURCES"]

RG_SOURCES: tuple[Citation, ...] = (
    Citation(
        "jefferson2019deep",
        "deep Gaussian machine marginalised from UV to IR",
        "misc",
        {
            "author": "Jefferson, Ro",
            "title": "Deep learning and the renormalization group",
            "year": "2019",
            "url": "https://rojefferson.blog/2019/08/04/deep-learning-and-the-renormalization-group/",
        },
    ),
    arxiv(
        "mehta2014exact",
        "variational RG and the trace condition",
        "Mehta, Pankaj and Schwab, David J.",
        "An exact mapping between the Variational Renormalization Group and Deep Learning",
        2014,
        "1410.3831",
    ),
    Citation(
        "nelson1975soluble",
        "decimation of the Ising chain",
        "article",
        {
            "author": "Nelson, David R. and Fisher, Michael E.",
            "title": "Soluble renormalization groups and scaling fields for low-dimensional Ising systems",
            "journal": "Ann. Phys.",
            "volume": "91",
            "pages": "226",
            "year": "1975",
        },
    ),
    arxiv(
        "lenggenhager2020optimal",
        "information kept by a block rule and range of the coarse action",
        "Lenggenhager, Patrick M. and Gökmen, Doruk Efe and Ringel, Zohar and Huber, Sebastian D. and "
        "Koch-Janusz, Maciej",
        "Optimal Renormalization Group Transformation from Information Theory",
        2020,
        "1809.09632",
        journal="Phys. Rev. X",
        volume="10",
        pages="011037",
    ),
    arxiv(
        "koch2018mutual",
        "real-space mutual information",
        "Koch-Janusz, Maciej and Ringel, Zohar",
        "Mutual Information, Neural Networks and the Renormalization Group",
        2018,
        "1704.06279",
        journal="Nature Phys.",
        volume="14",
        pages="578",
    ),
    arxiv(
        "bertoni2021minimizing",
        "couplings and the information of a block about its boundary",
        "Bertoni, Christian and Renes, Joseph M.",
        "Minimizing couplings in renormalization by preserving short-range mutual information",
        2021,
        "2107.00990",
    ),
)
