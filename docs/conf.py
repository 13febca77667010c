"""Sphinx configuration. Build with `python -m sphinx -W -b html docs docs/_build/html` (`make docs`)."""

import sys
import typing
from pathlib import Path

# jaxtyping then writes `Float[Array, "*lattice"]` without module paths; must come before deeprg is imported.
typing.GENERATING_DOCUMENTATION = "deeprg"

sys.path.insert(0, str(Path(__file__).parent))

import deeprg

project = "deeprg"
author = "The deeprg developers"
copyright = "2026, The deeprg developers"
version = release = deeprg.__version__

extensions = ["myst_parser", "_command_help", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "_docstrings"]
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True
math_eqref_format = "({number})"
math_numfig = False

html_theme = "furo"
html_title = f"deeprg {release}"
pygments_style = "friendly"
pygments_dark_style = "monokai"
