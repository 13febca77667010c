"""The sources about flows of Boltzmann machines, with their BibTeX fields."""

from deeprg.report._citation import Citation, arxiv

__all__ = ["BOLTZMANN_SOURCES"]

BOLTZMANN_SOURCES: tuple[Citation, ...] = (
    arxiv(
        "veiga2020restricted",
        "flows of Boltzmann machines with controls",
        "Veiga, Rodrigo and Vicente, Renato",
        "Restricted Boltzmann Machine Flows and The Critical Temperature of Ising models",
        2020,
        "2006.10176",
    ),
    Citation(
        "iso2018scale",
        "flows of Boltzmann machines and the neural thermometer",
        "article",
        {
            "author": "Iso, Satoshi and Shiba, Shotaro and Yokoo, Sumito",
            "title": "Scale-invariant Feature Extraction of Neural Network and Renormalization Group Flow",
            "journal": "Phys. Rev. E",
            "volume": "97",
            "pages": "053304",
            "year": "2018",
        },
    ),
    arxiv(
        "guo2017calibration",
        "expected calibration error",
        "Guo, Chuan and Pleiss, Geoff and Sun, Yu and Weinberger, Kilian Q.",
        "On Calibration of Modern Neural Networks",
        2017,
        "1706.04599",
    ),
)
