"""The directive `command-help`: what `deeprg VERB --help` prints, so that the pages never differ from it."""

import io
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from rich.console import Console


class CommandHelp(Directive):
    """The help of one verb, such as `train flow`; without an argument that of `deeprg` itself."""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        from deeprg.cli.main import app

        text = io.StringIO()
        console = Console(file=text, width=96, no_color=True, highlight=False, legacy_windows=False)
        verb = self.arguments[0].split() if self.arguments else []
        app.help_print(verb, console=console)
        lines = "\n".join(line.rstrip() for line in text.getvalue().strip("\n").splitlines())
        for name in ("-m sphinx", "__main__.py", "sphinx-build"):
            lines = lines.replace(f"Usage: {name} ", "Usage: deeprg ")
        return [nodes.literal_block(lines, lines, language="text")]


def setup(app: Any) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
