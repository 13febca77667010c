"""`deeprg doctor`: is everything here that a run needs?"""

import os
import socket
import tempfile
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

__all__ = ["doctor"]


def doctor(
    *, json: Annotated[bool, Parameter(negative="", help="one JSON document on stdout")] = False
) -> int:
    """Check versions, devices, float64, write access, host name and compilation cache."""
    from deeprg.cli._console import next_step, print_json
    from deeprg.runs.environment import describe_environment
    from deeprg.runs.folder import SCHEMA_VERSION

    environment = describe_environment(argv=[])
    checks = [_devices(), _float64(), _writable(Path("runs")), _host(), _cache()]
    checks.insert(0, _check("versions", True, _versions(environment)))
    healthy = all(check["ok"] for check in checks)
    if json:
        print_json(
            {"schema_version": SCHEMA_VERSION, "ok": healthy, "checks": checks, "environment": environment}
        )
    else:
        for check in checks:
            print(f"{'ok   ' if check['ok'] else 'FAIL '} {check['name']:<18} {check['detail']}")
            if check["advice"] and not check["ok"]:
                print(f"{'':<6}{'':<18} {check['advice']}")
    next_step("deeprg train flow --hamiltonian ising --size 16 --minutes 3" if healthy else "deeprg doctor")
    return 0 if healthy else 1


def _check(name: str, ok: bool, detail: str, advice: str = "") -> dict[str, Any]:
    return {"name": name, "ok": ok, "detail": detail, "advice": advice}


def _versions(environment: dict[str, Any]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in environment["packages"].items())
    return f"deeprg {environment['deeprg']}, python {environment['python']}, {packages}"


def _devices() -> dict[str, Any]:
    import jax

    try:
        devices = jax.devices()
    except RuntimeError as error:
        return _check(
            "devices", False, str(error).splitlines()[0], "Unset JAX_PLATFORMS or install its backend."
        )
    names = ", ".join(f"{device.platform}:{device.id} {device.device_kind}" for device in devices)
    return _check(
        "devices",
        True,
        f"{names}; {len(os.sched_getaffinity(0))} usable CPU cores"
        if hasattr(os, "sched_getaffinity")
        else names,
    )


def _float64() -> dict[str, Any]:
    import jax
    import jax.numpy as jnp

    with jax.enable_x64(True):
        # 1 + 2^-40 is not 1 in float64 only.
        exact = float(jnp.asarray(1.0) + jnp.asarray(2.0**-40)) != 1.0
    on = "on" if jax.config.read("jax_enable_x64") else "off by default, on with --precision float64"
    return _check("float64", exact, on, "This device has no float64: use --precision float32.")


def _writable(folder: Path) -> dict[str, Any]:
    place = next(parent for parent in (folder.resolve(), *folder.resolve().parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"x")
    except OSError as error:
        return _check("write access", False, f"{place}: {error.strerror}", "Change folder, or use --out.")
    free = os.statvfs(place) if hasattr(os, "statvfs") else None
    room = "" if free is None else f", {free.f_bavail * free.f_frsize / 2**30:.1f} GiB free"
    return _check("write access", True, f"{place}{room}")


def _host() -> dict[str, Any]:
    try:
        socket.getaddrinfo(socket.gethostname(), None)
    except OSError as error:
        advice = "Programs of several processes need it: add the host name to /etc/hosts."
        return _check("host name", False, f"does not resolve: {error}", advice)
    return _check("host name", True, "resolves")


def _cache() -> dict[str, Any]:
    folder = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    if not folder:
        return _check(
            "compilation cache", True, "off; JAX_COMPILATION_CACHE_DIR=FOLDER keeps compiled programs"
        )
    path = Path(folder)
    if path.exists() and path.stat().st_mode & 0o002:
        advice = "Compiled programs are trusted code: use a folder that only you can write."
        return _check("compilation cache", False, f"{folder} can be written by anyone", advice)
    checked = _writable(path)
    return _check("compilation cache", checked["ok"], checked["detail"], checked["advice"])
