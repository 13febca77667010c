"""`deeprg cite`: BibTeX for the methods that a run used."""

from typing import Annotated

from cyclopts import Parameter

__all__ = ["cite"]


def cite(
    run: Annotated[str | None, Parameter(help="run folder; without it, everything")] = None,
) -> int:
    """Print BibTeX for the methods that a run used, or for all."""
    from deeprg.report.citations import bibtex, citations_for
    from deeprg.runs.folder import RunFolder

    config = None if run is None else RunFolder.open(run).resolved()
    print(bibtex(citations_for(config)))
    return 0
