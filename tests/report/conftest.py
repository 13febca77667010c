"""What the tests of figures share: axes that must end with a title, labels and a picture."""

import pytest

from deeprg.report.style import data_uri, figure, style


@pytest.fixture
def ax():
    with style():
        fig, axes = figure()
        yield axes
        assert axes.get_title(loc="left")
        assert axes.get_xlabel()
        assert axes.get_ylabel()
        assert data_uri(fig, "png", dpi=40).startswith("data:image/png;base64,")
