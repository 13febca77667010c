"""The sources about flows of Boltzmann machines, with their BibTeX fields."""

from deeprg.report._citation import Citation, arxiv

__all__ = ["BOLTZMANN_SOURCES"]

BOLTZMANN_SOURCES: tuple[Citation, ...] = (
    Citation(
        "demellokoch2020deep",
        "correlators ⟨v h⟩ of machines and of block spins",
        "article",
        {
            "author": "de Mello Koch, Ellen and de Mello Koch, Robert and Cheng, Ling",
            "title": "Is Deep Learning a Renormalization Group Flow?",
            "journal": "IEEE Access",
            "volume": "8",
            "pages": "106487",
            "year": "2020",
        },
    ),
    Citation(
        "demellokoch2020short",
        "scaling dimensions along flows of machines",
        "article",
        {
            "author": "de Mello Koch, Ellen and de Mello Koch, Anita and Kastanos, Nicholas and Cheng, Ling",
            "title": "Short-sighted Deep Learning",
            "journal": "Phys. Rev. E",
            "volume": "102",
            "pages": "013307",
            "year": "2020",
        },
    ),
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
    Citation(
        "marchenko1967distribution",
        "the spectrum of a random matrix",
        "article",
        {
            "author": "Marchenko, V. A. and Pastur, L. A.",
            "title": "Distribution of Eigenvalues for Some Sets of Random Matrices",
            "journal": "Math. USSR Sb.",
            "volume": "1",
            "pages": "457",
            "year": "1967",
        },
    ),
    Citation(
        "funai2020thermodynamics",
        "flows of Boltzmann machines and the maximal specific heat",
        "article",
        {
            "author": "Funai, Shotaro Shiba and Giataganas, Dimitrios",
            "title": "Thermodynamics and Feature Extraction by Machine Learning",
            "journal": "Phys. Rev. Research",
            "volume": "2",
            "pages": "033415",
            "year": "2020",
        },
    ),
    arxiv(
        "funai2021feature",
        "where flows of Boltzmann machines lead to the critical temperature, and where not",
        "Funai, Shotaro Shiba",
        "Feature extraction of machine learning and phase transition point of Ising model",
        2021,
        "2111.11166",
    ),
    Citation(
        "hinton2006fast",
        "greedy training of belief networks",
        "article",
        {
            "author": "Hinton, Geoffrey E. and Osindero, Simon and Teh, Yee-Whye",
            "title": "A Fast Learning Algorithm for Deep Belief Nets",
            "journal": "Neural Comput.",
            "volume": "18",
            "pages": "1527",
            "year": "2006",
        },
    ),
    arxiv(
        "lin2017cheap",
        "criticism of the mapping between deep learning and renormalization",
        "Lin, Henry W. and Tegmark, Max and Rolnick, David",
        "Why does deep and cheap learning work so well?",
        2017,
        "1608.08225",
    ),
    arxiv(
        "schwab2016comment",
        "the trace condition and the free energy",
        "Schwab, David J. and Mehta, Pankaj",
        "Comment on 'Why does deep and cheap learning work so well?'",
        2016,
        "1609.03541",
    ),
    Citation(
        "clark1954distance",
        "distances to nearest neighbours of random points",
        "article",
        {
            "author": "Clark, Philip J. and Evans, Francis C.",
            "title": "Distance to Nearest Neighbor as a Measure of Spatial Relationships in Populations",
            "journal": "Ecology",
            "volume": "35",
            "pages": "445",
            "year": "1954",
        },
    ),
)
