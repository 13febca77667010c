"""What `deeprg rg marginalise` does."""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deeprg.cli._console import print_json
from deeprg.cli._table import text_table
from deeprg.exact.layered import GaussianMachine, MarginalisationStep
from deeprg.runs.atomic import disk_error, read_json
from deeprg.runs.errors import UsageError
from deeprg.runs.folder import SCHEMA_VERSION

__all__ = ["read_machine", "run_marginalise"]

_MOST_PRINTED = 6  # rows of a matrix
_MOST_SUMMED = 20  # spins whose partition function is enumerated


def run_marginalise(model: Path, *, json: bool) -> int:
    """`deeprg rg marginalise`: the renormalised couplings after each layer is integrated out."""
    machine = read_machine(model)
    steps = machine.marginalise()
    spins = machine.spin_hamiltonian()
    summed = spins.log_partition if spins.size <= _MOST_SUMMED else None
    document = {
        "schema_version": SCHEMA_VERSION,
        "model": str(model),
        "sizes": list(machine.sizes),
        "beta": machine.beta,
        "spins": machine.spins,
        "steps": [_step_document(step) for step in steps],
        "effective": {
            "pairs": spins.pairs.tolist(),
            "fields": spins.fields.tolist(),
            "constant": spins.constant,
        },
        "log_partition": summed,
    }
    if json:
        print_json(document)
        return 0
    rows = [
        [
            f"y_{step.layer}",
            str(step.prior.mean.size),
            f"{np.linalg.eigvalsh(step.precision)[0]:.6g}",
            f"{step.free_energy:.8g}",
            f"{np.abs(step.induced).max():.6g}",
            f"{np.abs(step.shift).max():.6g}",
        ]
        for step in steps
    ]
    header = ["integrated", "units", "least eigenvalue", "constant f", "max |induced|", "max |shift|"]
    print(text_table(rows, header=header))
    for step in steps:
        if isinstance(step.after, GaussianMachine):
            _show(f"precision of y_{step.layer - 1}", step.after.precisions[-1])
            _show(f"bias of y_{step.layer - 1}", step.after.biases[-1])
    _show("pair couplings J of the visibles", spins.pairs)
    _show("fields of the visibles", spins.fields)
    print(f"\nconstant       {spins.constant:.10g}")
    print(f"ln Z           {f'not summed: 2^{spins.size} states' if summed is None else f'{summed:.10g}'}")
    return 0


def _step_document(step: MarginalisationStep) -> dict[str, Any]:
    after = step.after
    left = (
        after.to_dict()
        if isinstance(after, GaussianMachine)
        else {"pairs": after.pairs.tolist(), "fields": after.fields.tolist(), "constant": after.constant}
    )
    return {
        "layer": step.layer,
        "precision": step.precision.tolist(),
        "smallest_eigenvalue": float(np.linalg.eigvalsh(step.precision)[0]),
        "prior": {"mean": step.prior.mean.tolist(), "covariance": step.prior.covariance.tolist()},
        "free_energy": step.free_energy,
        "induced": step.induced.tolist(),
        "shift": step.shift.tolist(),
        "after": left,
    }


def _show(name: str, values: np.ndarray) -> None:
    rows = np.atleast_2d(values)
    if max(rows.shape) > _MOST_PRINTED:
        shape = " x ".join(map(str, values.shape))
        size = f"{shape}, root mean square {np.sqrt(np.mean(rows**2)):.6g}, largest {np.abs(rows).max():.6g}"
        print(f"\n{name}: {size}")
        return
    print(f"\n{name}")
    print(text_table([["", *(f"{value:.6f}" for value in row)] for row in rows]))


def read_machine(path: str | Path) -> GaussianMachine:
    """The Gaussian machine of a .json or .npz file, as `deeprg rg marginalise` describes it.

    Raises `UsageError` for a file that cannot be read, another ending, unknown or missing names.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/m.npz", couplings_1=[[0.5], [0.5]], spins="binary")
    ...     print(read_machine(f"{folder}/m.npz").sizes)
    (2, 1)
    """
    path = Path(path)
    if path.suffix == ".json":
        values = read_json(path)
        if not isinstance(values, dict):
            raise UsageError(
                f"'{path}' holds no JSON object; a machine is {{\"couplings\": [W_1, ...], ...}}."
            )
        return _build(path, values)
    if path.suffix != ".npz":
        raise UsageError(f"'{path}' has the ending '{path.suffix}'; a machine is a .json or .npz file.")
    try:
        # opened here, since np.load leaves a file open that it cannot read
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise disk_error(path, error, "read") from None
        raise UsageError(f"'{path}' is no .npz archive of arrays: {error}") from None
    return _build(path, _from_arrays(path, arrays))


def _from_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    layers: dict[str, dict[int, np.ndarray]] = {}
    for name, array in arrays.items():
        if match := re.fullmatch(r"(couplings|biases|precisions)_(\d+)", name):
            layers.setdefault(match[1], {})[int(match[2])] = array
        else:
            values[name] = array.item() if array.ndim == 0 else array
    for name, found in layers.items():
        if sorted(found) != list(range(1, len(found) + 1)):
            numbers = ", ".join(f"{name}_{layer}" for layer in sorted(found))
            raise UsageError(
                f"'{path}' has {numbers}; layers are numbered {name}_1, {name}_2, ... without gaps."
            )
        values[name] = [found[layer] for layer in sorted(found)]
    return values


def _build(path: Path, values: Mapping[str, Any]) -> GaussianMachine:
    if "couplings" not in values:
        given = f"has {', '.join(sorted(values))} but no couplings" if values else "is empty"
        first = "couplings_1" if path.suffix == ".npz" else '"couplings": [W_1, ...]'
        raise UsageError(f"'{path}' describes no machine: it {given}; give at least {first}.")
    try:
        return GaussianMachine.from_dict(values)
    except UsageError as error:
        raise UsageError(f"'{path}' describes no machine: {error}") from None
    except (TypeError, ValueError) as error:
        raise UsageError(f"'{path}' describes no machine: {error}") from None
