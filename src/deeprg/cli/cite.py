"""`deeprg cite`: BibTeX for the methods that a run or an ensemble used."""

from typing import Annotated

from cyclopts import Parameter

__all__ = ["cite"]


def cite(
    run: Annotated[
        str | None, Parameter(help="run folder, ensemble or study; without it, everything")
    ] = None,
) -> int:
    """Print BibTeX for the methods that a run, an ensemble or a study used, or for all."""
    from deeprg.report.citations import CITATIONS, bibtex, citations_for, citations_for_ensemble
    from deeprg.runs.folder import RunFolder

    if run is not None and run.endswith(".zarr"):
        from deeprg.montecarlo.ensembles import Ensemble

        made = Ensemble.open(run).provenance
        print(bibtex(citations_for_ensemble(made["model"], made["algorithm"])))
        return 0
    folder = None if run is None else RunFolder.open(run)
    config = None if folder is None else folder.resolved()
    if folder is not None and config is not None and "study" in config:
        print(bibtex([CITATIONS[key] for key in (folder.results() or {}).get("sources", ())]))
        return 0
    if config is not None and config.get("kind") in ("rbm", "dbn"):
        known = (
            "vehtari2015pareto",
            "wolff2004monte",
            "kingma2014adam",
            "jax2018github",
            "kidger2021equinox",
        )
        sgd = config["train"]["optimiser"] == "sgd"
        print(bibtex([CITATIONS[key] for key in known if not (sgd and key == "kingma2014adam")]))
        return 0
    print(bibtex(citations_for(config)))
    return 0
