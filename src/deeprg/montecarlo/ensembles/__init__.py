"""Ensembles on disk: configurations, series and provenance, whole also after a kill at any moment."""

from ._export import write_arviz, write_weighted
from ._foreign import import_configurations
from ._store import Ensemble

__all__ = ["Ensemble", "import_configurations", "write_arviz", "write_weighted"]
