"""Settings of the study: lattices, machines, training, flow."""

from typing import Literal

import pydantic

from deeprg.runs.schema import Config

__all__ = ["Settings"]


class Settings(Config):
    """Data at T_c, one machine with a quarter of the units, a stack of such, and the flow v -> h -> v'."""

    seed: int = pydantic.Field(0, ge=0, lt=2**31)
    size: int = pydantic.Field(32, ge=8, le=128, description="extent of the torus")
    samples: int = pydantic.Field(20_000, ge=400, le=1_000_000)
    probed: int = pydantic.Field(4000, ge=400, le=100_000, description="configurations for the maps")
    scale: float = pydantic.Field(0.05, ge=0, le=1, description="standard deviation of the first weights")
    optimiser: Literal["sgd", "adam"] = "sgd"
    rate: float = pydantic.Field(0.02, gt=0, le=1)
    eps: float = pydantic.Field(1e-8, gt=0, le=1, description="of Adam")
    decay: Literal["cosine", "constant"] = "cosine"
    batch: int = pydantic.Field(100, ge=1, le=10_000)
    chains: int = pydantic.Field(100, ge=1, le=10_000, description="persistent chains")
    steps: int = pydantic.Field(8000, ge=1)
    stack_size: int = pydantic.Field(64, ge=16, le=128, description="extent of the torus below the stack")
    depth: int = pydantic.Field(3, ge=2, le=4)
    stack_samples: int = pydantic.Field(8000, ge=400, le=1_000_000)
    stack_steps: int = pydantic.Field(1200, ge=1, description="of the lowest layer of the stack")
    upper_steps: int = pydantic.Field(3000, ge=1, description="of each layer above")
    flow_chains: int = pydantic.Field(4000, ge=400, le=100_000)
    rounds: list[int] = pydantic.Field(default=[0, 1, 2, 4, 8, 15, 29], min_length=2)

    @pydantic.model_validator(mode="after")
    def _fits(self) -> "Settings":
        if self.size % 2:
            raise ValueError(f"size = {self.size} must be even: the machine has a quarter of the units")
        if self.stack_size % 2**self.depth:
            raise ValueError(
                f"stack_size = {self.stack_size} must be a multiple of 2^depth = {2**self.depth}"
            )
        if self.rounds[0] != 0 or self.rounds != sorted(set(self.rounds)):
            raise ValueError(f"rounds = {self.rounds} must start at 0 and rise")
        return self
