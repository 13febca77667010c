"""The verbs that need no run, and what must not be loaded for them."""

import os
import re
import subprocess
import sys
import time

import pytest

_PROBE = """
import sys
from deeprg.cli.main import main
code = main({argv})
print("LOADED", *sys.modules)
sys.exit(code)
"""
HEAVY = {"jax", "numpy", "equinox", "matplotlib", "pydantic", "scipy", "optax", "blackjax"}


@pytest.mark.parametrize(
    "argv", [["--help"], ["train", "flow", "--help"], ["sample", "--help"], ["--version"]]
)
def test_help_loads_nothing_heavy(argv):
    done = subprocess.run(
        [sys.executable, "-c", _PROBE.format(argv=argv)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    loaded = set(done.stdout.rpartition("LOADED")[2].split())
    assert not HEAVY & loaded


def test_help_names_every_verb(cli):
    out = cli("--help").out
    for verb in (
        "train",
        "sample",
        "report",
        "diagnose",
        "exact",
        "simulate",
        "measure",
        "reweight",
        "import",
        "list",
    ):
        assert verb in out


def test_exact_ising(cli):
    document = cli("exact", "ising", "--shape", "16x16", "--temperature", "critical", "--json").json
    assert document["log_partition"] == pytest.approx(238.642256635133)
    assert document["free_energy_per_site"] == pytest.approx(-document["log_partition"] / 256)
    assert document["energy_per_site"] == pytest.approx(-1.4530648528)
    assert document["specific_heat"] == pytest.approx(1.49870495940)
    assert document["critical_temperature"] == pytest.approx(2.269185314213022)
    assert "dual_log_partition" not in document


def test_exact_says_its_units_and_what_comes_next(cli):
    answer = cli("exact", "ising", "--size", "16", "--temperature", "Critical", "--shift", "0.3")
    assert "−ln Z / N" in answer.out
    assert "J = 1, k = 1" in answer.out
    assert "--shape 16x16 --temperature critical --shift 0.3" in answer.err
    for shape in ("128x128", "12x12"):
        assert "next:" not in cli("exact", "ising", "--shape", shape).err


def test_a_closed_pipe_is_no_error():
    command = f"{sys.executable} -m deeprg.cli.main list hamiltonians; echo code $? >&2"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        ["sh", "-c", command], stdout=writer, stderr=subprocess.PIPE, text=True, check=True, timeout=60
    )
    os.close(writer)
    assert "code 141" in done.stderr
    assert "Traceback" not in done.stderr


def test_exact_dual(cli):
    document = cli("exact", "ising", "--shape", "16x16", "--json", "--dual", "--shift", "0.1").json
    assert document["dual_log_partition"] == pytest.approx(592.87574, abs=1e-5)
    assert cli("exact", "ising", "--shape", "8", "--temperature", "2").code == 0


def test_print_config_shows_where_every_value_comes_from(cli, tmp_path):
    file = tmp_path / "my.toml"
    file.write_text("seed = 4\n[train]\nbatch = 32\nlearning_rate = 0.5\nminutes = 5.0\n")
    answer = cli(
        "train", "flow", "--print-config", "--config", file, "--size", "8", "--steps", "7", "train.batch=64",
        "flow.width=8", "--seed", "9",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    sources = dict(re.findall(r"^(\S+) = .*?  # (.+)$", answer.out, flags=re.MULTILINE))
    values = dict(re.findall(r"^(\S+) = (.*?) +# ", answer.out, flags=re.MULTILINE))
    assert sources["train.learning_rate"] == f"file {file}"
    assert sources["train.batch"] == "argument"
    assert sources["train.steps"] == "--steps"
    assert sources["hamiltonian.shape"] == "--size"
    assert sources["flow.terms"] == "preset 'default'"
    assert sources["train.b2"] == "default"
    assert (values["seed"], sources["seed"]) == ("9", "--seed")
    assert values["train.batch"] == "64"
    assert values["train.minutes"] == "none"  # the flag says how long, the file does not any more


def test_presets_and_layouts_bring_their_options(cli):
    original = cli(
        "train", "flow", "--print-config", "--size", "4", "--steps", "1", "--preset", "original"
    ).out
    assert re.search(r"flow.couplings = 10 +# preset 'original'", original)
    ttn = cli("train", "flow", "--print-config", "--size", "4", "--steps", "1", "flow.layout=ttn").out
    assert "flow.radius" not in ttn
    assert re.search(r"flow.layout = \"ttn\" +# argument", ttn)
    phi4 = cli("train", "flow", "--print-config", "--size", "4", "--steps", "1", "--hamiltonian", "phi4").out
    assert "hamiltonian.quartic" in phi4
    assert "hamiltonian.shift" not in phi4


def test_minutes_and_steps_together_both_hold(cli):
    out = cli("train", "flow", "--print-config", "--size", "4", "--steps", "9", "--minutes", "2").out
    assert "train.steps = 9" in out
    assert "train.minutes = 2" in out


def test_list(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    document = cli("list", "--json").json
    names = {
        kind: [entry["name"] for entry in document[kind]] for kind in document if kind != "schema_version"
    }
    assert {"ising", "phi4", "gaussian"} <= set(names["hamiltonians"])
    assert {"default", "original"} <= set(names["presets"])
    assert {"mera", "ttn", "tebd"} <= set(names["layouts"])
    assert {"gaussian", "laplace", "uniform"} <= set(names["priors"])
    assert "realnvp" in names["bijectors"]
    assert names["runs"] == []
    assert "continuous dual" in cli("list", "hamiltonians").out


def test_doctor(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    document = cli("doctor", "--json").json
    names = {check["name"] for check in document["checks"]}
    assert names == {"versions", "devices", "float64", "write access", "host name", "compilation cache"}
    assert all(check["ok"] for check in document["checks"] if check["name"] != "host name")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path))
    tmp_path.chmod(0o777)
    answer = cli("doctor")
    assert answer.code == 1
    assert "FAIL  compilation cache" in answer.out


def test_cite(cli, tiny_run):
    assert cli("cite").out.count("@") > 10
    out = cli("cite", tiny_run.path).out
    assert "1802.02840" in out
    assert "Real NVP" not in out


def test_launch_gives_every_process_its_place(cli):
    script = "import os; print(os.environ['DEEPRG_PROCESS_ID'], os.environ['DEEPRG_PROCESSES'])"
    done = subprocess.run(
        [sys.executable, "-m", "deeprg.cli.main", "launch", "-n", "2", "--", sys.executable, "-c", script],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout == "0 2\n"
    assert done.stderr == "[1] 1 2\n"


def test_launch_ends_all_when_one_fails(cli):
    script = "import os, sys, time; os.environ['DEEPRG_PROCESS_ID'] == '1' and sys.exit(7); time.sleep(60)"
    start = time.monotonic()
    assert cli("launch", "-n", "3", "--", sys.executable, "-c", script).code == 7
    assert time.monotonic() - start < 20
    assert cli("launch", "-n", "2").code == 2
    assert cli("launch", "-n", "2", "--", "/no/such/program").code == 2


def test_unexpected_errors_are_not_swallowed(cli, monkeypatch):
    monkeypatch.setattr("deeprg.exact.kaufman", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli("exact", "ising", "--shape", "4x4")


def test_colours_need_a_terminal(monkeypatch):
    from deeprg.cli._console import colour

    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert colour("x", "red", Terminal()) == "\x1b[31mx\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert colour("x", "red", Terminal()) == "x"
    assert os.environ["NO_COLOR"]
