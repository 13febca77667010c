"""A simulation whose chains move in the latents of a flow, for `deeprg.montecarlo.running.simulate`."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...hamiltonians import AbstractDual, AbstractHamiltonian, build_model
from ...montecarlo.samplers import Start
from ...montecarlo.simulation import Group, Simulation
from ...runs.errors import UsageError
from ._flow import AbstractFlow
from ._latent_sampler import LATENT_METHODS, LatentSampler

__all__ = ["LatentSimulation"]

_CHAINS = 128


@dataclass(frozen=True)
class LatentSimulation(Simulation):
    """Chains of a `LatentSampler` as a simulation: the ensemble that comes out is one like any other.

    `flow` was trained for `target`; the ensemble is of the spins of a continuous dual, else of the field.
    `origin` says where the flow came from (its run and a fingerprint of its weights), so that an ensemble is
    continued by the flow that began it. `leapfrogs` and `redraw` are those of `LatentSampler`.

    >>> from deeprg.coarsegrain.flow import Chain, Flow
    >>> from deeprg.hamiltonians import Phi4
    >>> from deeprg.lattice import Lattice
    >>> target, options = Phi4(Lattice((4, 4)), -1.0, 1.0), {"mass_squared": -1.0, "quartic": 1.0}
    >>> flow = Flow(target.lattice, Chain())
    >>> plan = LatentSimulation.of(flow, target, model="phi4", options=options, samples=1000).plan()
    >>> plan.model, plan.chains, plan.draws
    ('phi4', 125, 8)
    """

    flow: AbstractFlow | None = None
    target: AbstractHamiltonian | None = None
    origin: str = ""
    leapfrogs: int = 10
    redraw: float = 1.0
    start: Start = "hot"

    @classmethod
    def of(
        cls,
        flow: AbstractFlow,
        target: AbstractHamiltonian,
        *,
        model: str,
        options: Mapping[str, Any] | None = None,
        algorithm: str = "latent-hmc",
        **choices: Any,
    ) -> "LatentSimulation":
        """The simulation of a flow's target, whose spins, or itself, `model` and `options` name.

        Raises `UsageError` when they name another one.
        """
        carried = target.spins if isinstance(target, AbstractDual) else target
        temperature = getattr(carried, "temperature", None)
        named = build_model(model, carried.lattice, temperature, **(options or {}))
        if named.describe() != carried.describe():
            raise UsageError(
                f"The model '{model}' with these options is {named.describe()}, but the flow's target is "
                f"{carried.describe()}."
            )
        return cls(
            model,
            carried.lattice.shape,
            () if temperature is None else (temperature,),
            dict(options or {}),
            algorithm=algorithm,
            flow=flow,
            target=target,
            **choices,
        )

    def groups(self) -> list[Group]:
        """One sampler, of the flow."""
        assert self.flow is not None
        assert self.target is not None
        sampler = LatentSampler(
            self.flow,
            self.target,
            self.chains or 1,
            method=str(self.algorithm),
            steps=self.leapfrogs,
            redraw=self.redraw,
        )
        return [Group(sampler, (0,))]

    def plan(self) -> "LatentSimulation":
        """The simulation with every choice made."""
        chains = min(_CHAINS, max(self.samples // 8, 1)) if self.chains is None else self.chains
        reason = LATENT_METHODS[self.algorithm].summary if self.algorithm in LATENT_METHODS else ""
        planned = dataclasses.replace(self, chains=chains, thin=self.thin or 1, reason=reason)
        return super(LatentSimulation, planned).plan()  # pyright: ignore[reportReturnType]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without the flow and its target."""
        kept = [field.name for field in dataclasses.fields(self) if field.name not in ("flow", "target")]
        return {name: getattr(self, name) for name in kept}
