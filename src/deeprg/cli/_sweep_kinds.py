"""The kinds of runs that a sweep can make, by name."""

from collections.abc import Mapping
from typing import Any

from deeprg.cli._sweep_boltzmann import DBN, RBM
from deeprg.cli._sweep_flow import FLOW
from deeprg.cli._sweep_kind import SweepKind
from deeprg.cli._sweep_mera import MERA
from deeprg.runs.config import show
from deeprg.runs.errors import UsageError, nearest

__all__ = ["KINDS", "find_kind"]

KINDS: dict[str, SweepKind] = {kind.name: kind for kind in (FLOW, MERA, RBM, DBN)}


def find_kind(config: Mapping[str, Any]) -> SweepKind:
    """The kind of run that a configuration describes: its `kind`, a flow where it has none."""
    name = config.get("kind", "flow")
    if name not in KINDS:
        raise UsageError(
            f"kind = {show(name)} cannot be swept.{nearest(str(name), KINDS)} Known: {', '.join(KINDS)}."
        )
    return KINDS[name]
