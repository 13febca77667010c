"""What `deeprg wander` does."""

from typing import Any

import numpy as np

from deeprg.cli._console import next_step, print_json, say
from deeprg.cli._figures import write_figure
from deeprg.cli._setup import open_run, trained
from deeprg.cli._table import text_table, with_error
from deeprg.coarsegrain.flow import (
    hierarchy_of,
    latent_direction,
    latent_scales,
    moved,
    pull,
    scale_mix,
    wander,
)
from deeprg.probes import target_fields
from deeprg.report.latents import animate, plot_frames
from deeprg.report.style import style
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import SCHEMA_VERSION, RunFolder

__all__ = ["run_wander"]

_FIELDS, _APART = 4000, 0.4  # configurations for the direction, and the share of them in either class


def run_wander(name: str, *, path: str, steps: int, seed: int, checkpoint: str, json: bool) -> int:
    """Draw the three figures; returns the exit code."""
    if steps < 2:
        raise UsageError(f"--steps {steps} is no path; take 2 or more.")
    run = RunFolder.open(name)
    setup = open_run(run)
    flow = trained(run, setup, checkpoint=checkpoint)
    depth = hierarchy_of(flow).depth
    say(f"drawing {_FIELDS} configurations of {setup.hamiltonian.describe()}")
    fields = target_fields(setup.hamiltonian, _FIELDS, seed=seed)
    axes = tuple(range(setup.hamiltonian.lattice.ndim))
    means = fields.mean(axis=axes)
    order = np.argsort(means)
    written = []

    def picture(kind: str, x: np.ndarray, titles: list[str], title: str, *, moving: bool) -> None:
        with style():
            write_figure(run.path / f"wander-{kind}.png", plot_frames(x, titles, title=title))
        written.append(str(run.path / f"wander-{kind}.png"))
        if moving:
            written.append(str(animate(x, run.path / f"wander-{kind}.gif")))

    say("a path between two configurations")
    z, _ = pull(flow, fields[..., order[[len(order) // 3, -2]]])
    frames = np.asarray(wander(flow, np.asarray(z)[..., 0], np.asarray(z)[..., 1], steps, path=path))
    shares = [f"{share:.2f}" for share in np.linspace(0, 1, steps)]
    picture("path", frames, shares, f"a {path} path in latent space", moving=True)
    say("the scales of two configurations mixed")
    one, other = fields[..., order[1]], fields[..., order[len(order) // 2]]
    mixed = [np.asarray(scale_mix(flow, one, other, scale)) for scale in range(depth)]
    own = ("coarsest scale of B" if scale == 0 else f"scales 0 to {scale} of B" for scale in range(depth))
    titles = ["A", *own, "B"]
    picture(
        "mix", np.stack([other, *mixed, one], axis=-1), titles, "A with the coarse latents of B", moving=False
    )
    say("the directions of the magnetization and of a domain wall")
    walls = wall_order(fields)
    found: dict[str, Any] = {}
    for kind, order_parameter, start, amounts, title in (
        ("direction", means, np.argmax(means), np.linspace(-2, 0, steps), "along the mean latent of m"),
        ("wall", walls, np.argmin(np.abs(walls)), np.linspace(0, 2, steps), "along the latents of a wall"),
    ):
        order, count = np.argsort(order_parameter), int(_APART * fields.shape[-1])
        direction = latent_direction(flow, fields[..., order[-count:]], fields[..., order[:count]])
        course = [np.asarray(moved(flow, fields[..., start], direction.value, float(a))) for a in amounts]
        frames = np.stack(course, axis=-1)
        picture(kind, frames, [f"{a:+.2f}" for a in amounts], title, moving=True)
        found[kind] = (direction, frames)
    scales = latent_scales(setup.hamiltonian.lattice)
    sizes = {
        kind: [float(np.abs(direction.value[scales == s]).mean()) for s in range(depth + 1)]
        for kind, (direction, _) in found.items()
    }
    noise = {
        kind: [float(np.asarray(direction.error)[scales == s].mean()) for s in range(depth + 1)]
        for kind, (direction, _) in found.items()
    }
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "run": str(run.path),
        "seed": seed,
        "path": path,
        "direction_by_scale": sizes["direction"],
        "direction_error_by_scale": noise["direction"],
        "magnetization_along_direction": found["direction"][1].mean(axis=axes).tolist(),
        "wall_by_scale": sizes["wall"],
        "wall_error_by_scale": noise["wall"],
        "wall_order_along_direction": wall_order(found["wall"][1]).tolist(),
        "written": written,
    }
    if json:
        print_json(document)
    else:
        rows = [
            [f"scale {s}", *(with_error(sizes[kind][s], noise[kind][s]) for kind in sizes)]
            for s in range(depth + 1)
        ]
        print(text_table(rows, ["mean |latent| that moves with", "m", "a wall"]))
        print("\n" + "\n".join(written))
    next_step(f"deeprg probe {run.path}")
    return 0


def wall_order(fields: np.ndarray) -> np.ndarray:
    """How far the halves of fields [*lattice, n] across the first axis differ: mean of x times a square wave.

    >>> wall_order(np.array([[1.0], [1.0], [-1.0], [-1.0]])).tolist()
    [1.0]
    """
    extent, axes = fields.shape[0], tuple(range(fields.ndim - 1))
    wave = np.where(2 * np.arange(extent) < extent, 1.0, -1.0)
    return (fields * wave.reshape(-1, *(1 for _ in fields.shape[1:]))).mean(axis=axes)
