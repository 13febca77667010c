"""Ensembles on disk: configurations, series and provenance, whole also after a kill at any moment."""

from ._foreign import import_configurations
from ._store import Ensemble

__all__ = ["Ensemble", "import_configurations"]
