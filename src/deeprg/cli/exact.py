"""`deeprg exact`: what is known without sampling."""

from typing import Annotated, Any

from cyclopts import App, Parameter

from deeprg.cli._flags import whole

__all__ = ["app"]

app = App(name="exact", help="Exact answers, without sampling.")


@app.command(name="ising")
def exact_ising(
    *,
    size: Annotated[int | None, Parameter(converter=whole, help="L of an L x L torus")] = None,
    shape: Annotated[str | None, Parameter(help="16x8, or 64 for a ring")] = None,
    temperature: Annotated[str, Parameter(help="a number, or 'critical'")] = "critical",
    dual: Annotated[bool, Parameter(negative="", help="also ln Z of the continuous dual")] = False,
    shift: Annotated[float, Parameter(help="smallest eigenvalue of the dual's K")] = 0.1,
    json: Annotated[bool, Parameter(negative="", help="one JSON document on stdout")] = False,
) -> int:
    """ln Z, energy and specific heat of the Ising model on a torus (Kaufman 1949) or a ring.

    H = -J sum s_i s_j over nearest neighbours, J = 1, k = 1: weight exp(−H/T), periodic; extent 2 has double
    bonds, 1 self-bonds. Energy and specific heat are per site.
    """
    from deeprg.cli._console import next_step, print_json
    from deeprg.cli._table import text_table
    from deeprg.exact import CRITICAL_TEMPERATURE, critical_temperature, ising_chain, kaufman
    from deeprg.lattice import Lattice
    from deeprg.runs.errors import UsageError
    from deeprg.runs.folder import SCHEMA_VERSION

    if (size is None) == (shape is None):
        raise UsageError("which lattice? Give either --size 16 or --shape 16x8.")
    lattice = Lattice((size, size)) if size is not None else Lattice.parse(str(shape))
    number = _temperature(temperature)
    value = critical_temperature(lattice) if number is None else number
    if lattice.ndim == 1:
        known = ising_chain(lattice.size, value)
    elif lattice.ndim == 2:
        known = kaufman((lattice.shape[0], lattice.shape[1]), value)
    else:
        raise UsageError(f"the Ising model on {lattice} is not solved; exact values exist in 1D and 2D.")
    document = {
        "schema_version": SCHEMA_VERSION,
        "shape": list(lattice.shape),
        "temperature": value,
        "log_partition": known.log_partition,
        "free_energy_per_site": known.free_energy_per_site,
        "energy_per_site": known.energy_per_site,
        "specific_heat": known.specific_heat,
        "critical_temperature": CRITICAL_TEMPERATURE if lattice.ndim == 2 else None,
    }
    if dual:
        from deeprg.hamiltonians import ContinuousDual, Ising

        constant = ContinuousDual(Ising(lattice, value), shift=shift).log_partition_constant
        document |= {"shift": shift, "dual_log_partition": known.log_partition + constant}
    if json:
        print_json(document)
    else:
        print(text_table([[name, _text(document[key])] for key, name in _ROWS.items() if key in document]))
    if shift > 0 and all(extent <= 64 and extent.bit_count() == 1 for extent in lattice.shape):
        where = "critical" if number is None else temperature
        next_step(
            f"deeprg train flow --hamiltonian ising --shape {lattice} --temperature {where} "
            f"--shift {shift:g} --minutes 3"
        )
    return 0


_ROWS = {
    "shape": "shape",
    "temperature": "temperature T (J = 1, k = 1)",
    "log_partition": "ln Z",
    "free_energy_per_site": "−ln Z / N",
    "energy_per_site": "energy per site (J)",
    "specific_heat": "specific heat per site (k)",
    "critical_temperature": "critical temperature, infinite lattice",
    "shift": "shift",
    "dual_log_partition": "ln Z of the dual",
}


def _temperature(text: str) -> Any:
    """A number, or None for the critical one."""
    from deeprg.hamiltonians import HAMILTONIANS
    from deeprg.runs.errors import UsageError, nearest

    try:
        return HAMILTONIANS["ising"].options["temperature"].type(text)
    except ValueError:
        raise UsageError(
            f"the temperature '{text}' must be a positive number or 'critical'."
            f"{nearest(text.lower(), ['critical'])}"
        ) from None


def _text(value: object) -> str:
    if isinstance(value, list):
        return "x".join(map(str, value))
    return "—" if value is None else f"{value:.12g}" if isinstance(value, float) else str(value)
