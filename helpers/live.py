"""Panels that compute in the page: the same modules in JupyterLab and on the course's site.

They need no kernel once they are shown; where no JavaScript runs, a sentence stands in for them.
"""

import html
from collections.abc import Sequence
from pathlib import Path

import anywidget
import numpy as np
import traitlets


def module(name: str) -> str:
    """Return the JavaScript of a panel, as anywidget and a page of the site load it."""
    folder = Path(__file__).parent
    return "".join((folder / f"{part}.js").read_text("utf-8") for part in ("live", name))


class _Live(anywidget.AnyWidget):
    """A panel that is handed plain data once, and computes by itself."""

    words = ""
    given = traitlets.Dict().tag(sync=True)

    def _repr_mimebundle_(self, **options):
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        words = f"{self.words} Run the notebook to use it."
        data["text/plain"], data["text/html"] = words, f"<p>{html.escape(words)}</p>"
        return data, metadata


class Circles(_Live):
    """A network of 500 units that trains in the page, at the rate of a slider.

    Args:
        x: Training points, shape (n, 2), and y their classes, 0 or 1.
        test: Points and classes to test on.
        rate: The rate at first.
        epochs: How long to train, all points in each step.

    Example:
        >>> Circles(np.zeros((2, 2)), [0, 1], ([[0, 0]], [1])).given["seen"]["y"]
        [0, 1]
    """

    words = "A network that trains in the page, at the rate of a slider."
    _esm = module("live_circles")

    def __init__(self, x, y, test: tuple, rate: float = 0.4, epochs: int = 4000):
        seen, test = (
            {"x": np.asarray(a).tolist(), "y": np.asarray(b).tolist()} for a, b in ((x, y), test)
        )
        super().__init__(given={"seen": seen, "test": test, "rate": rate, "epochs": epochs})


class Masks(_Live):
    """Masks for a few units, and what the next unit receives, at the rate of a slider.

    Args:
        says: What the units say.
        rate: The rate at first.

    Example:
        >>> Masks([0.5, 1.0]).given
        {'says': [0.5, 1.0], 'rate': 0.5}
    """

    words = "Masks for a few units, at the rate of a slider."
    _esm = module("live_masks")

    def __init__(self, says: Sequence[float], rate: float = 0.5):
        super().__init__(given={"says": list(map(float, says)), "rate": rate})
