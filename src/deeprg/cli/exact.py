"""`deeprg exact`: what is known without sampling."""

from typing import Annotated

from cyclopts import App, Parameter

__all__ = ["app"]

app = App(name="exact", help="Exact answers, without sampling.")


@app.command(name="ising")
def exact_ising(
    *,
    shape: Annotated[str, Parameter(help="16x8, or 64 for a ring")],
    temperature: Annotated[str, Parameter(help="a number, or 'critical'")] = "critical",
    dual: Annotated[bool, Parameter(negative="", help="also ln Z of the continuous dual")] = False,
    shift: Annotated[float, Parameter(help="smallest eigenvalue of the dual's K")] = 0.1,
    json: Annotated[bool, Parameter(negative="", help="one JSON document on stdout")] = False,
) -> int:
    """ln Z, energy and specific heat of the Ising model on a torus (Kaufman 1949) or a ring."""
    from deeprg.cli._console import next_step, print_json
    from deeprg.cli._table import text_table
    from deeprg.exact import CRITICAL_TEMPERATURE, critical_temperature, ising_chain, kaufman
    from deeprg.lattice import Lattice
    from deeprg.runs.errors import UsageError
    from deeprg.runs.folder import SCHEMA_VERSION

    lattice = Lattice.parse(shape)
    value = critical_temperature(lattice) if temperature == "critical" else _number(temperature)
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
        rows = [[name.replace("_", " "), _text(entry)] for name, entry in document.items()]
        print(text_table(rows[1:]))
    next_step(
        f"deeprg train flow --hamiltonian ising --shape {lattice} --temperature {temperature} --minutes 3"
    )
    return 0


def _number(text: str) -> float:
    from deeprg.runs.errors import UsageError

    try:
        return float(text)
    except ValueError:
        raise UsageError(f"the temperature '{text}' must be a positive number or 'critical'.") from None


def _text(value: object) -> str:
    if isinstance(value, list):
        return "x".join(map(str, value))
    return "—" if value is None else f"{value:.12g}" if isinstance(value, float) else str(value)
