"""How all figures look and leave: the palette, matplotlib's settings, which label looks how, PNG.

Importing it sets the style of the kernel. Grey is the network without dropout, in every figure.

Example:
    >>> styles(["no dropout", "rate 0.5"])["no dropout"][0] == COLORS["grey"]
    True
"""

import io
from collections.abc import Iterable, Mapping
from itertools import cycle

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito (2008): told apart by readers with any kind of colour vision
COLORS = {
    "blue": "#0072B2",
    "red": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "grey": "#5A5A5A",
}
CYCLE = list(COLORS.values())[:6]
LINES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1))]
MARKERS = ["o", "^", "s", "D", "v", "P"]
BASELINE = dict.fromkeys(("no dropout", "none", "nowhere"), "grey")

mpl.rc("figure", dpi=100, titlesize=13)
mpl.rc("figure.constrained_layout", use=True)
mpl.rc("font", size=12)
mpl.rc("lines", linewidth=1.8)
mpl.rc("legend", fontsize=11, frameon=False)
mpl.rc("grid", color="#e4e4e4")
mpl.rc("axes", titlesize=12, grid=True, axisbelow=True)
mpl.rc("axes", prop_cycle=mpl.cycler(color=CYCLE, linestyle=LINES))
mpl.rc("axes.spines", top=False, right=False)


def styles(labels: Iterable[str], colors: Mapping[str, str] | None = None) -> dict[str, tuple]:
    """Return the colour, line and marker of each label; of pairs "a, b", b gives the line.

    Args:
        labels: Labels of a figure.
        colors: Label, or its part before a comma, to a name in COLORS or any other colour.
    """
    parts = {label: label.partition(", ")[::2] for label in labels}
    heads, kinds = (list(dict.fromkeys(part)) for part in zip(*parts.values(), strict=True))
    if len(kinds) == 1 or len(parts) < len(heads) * len(kinds):
        heads, kinds, parts = list(parts), [], {label: (label, "") for label in parts}
    fixed = BASELINE | dict(colors or {})
    named = [fixed.get(head, fixed.get(head.partition(", ")[0])) for head in heads]
    named = [COLORS.get(color, color) for color in named]
    free = cycle([color for color in CYCLE if color not in named] or CYCLE)
    color_of = {head: color or next(free) for head, color in zip(heads, named, strict=True)}
    heads.sort(key=lambda head: color_of[head] == COLORS["grey"])  # what is new gets the solid line
    looks = {}
    for label, (head, kind) in parts.items():
        number = heads.index(head)
        line = LINES[(kinds.index(kind) if kinds else number) % len(LINES)]
        looks[label] = color_of[head], line, MARKERS[number % len(MARKERS)]
    return looks


def png(fig: Figure) -> bytes:
    """Return a figure as PNG bytes, at 100 dots an inch.

    Args:
        fig: The figure. Every visible Axes must have something in it; unless one has a legend, what
            they label is named beside them.
    """
    # a line across the axes, such as a limit, is no content: it has no place along itself
    full = [bool(np.isfinite(ax.dataLim.get_points()).all()) for ax in fig.axes]
    empty = [ax for ax, content in zip(fig.axes, full, strict=True) if ax.axison and not content]
    if empty or not any(full):
        raise ValueError(f"a figure needs content, received {len(empty)} empty axes")
    pairs = [zip(*ax.get_legend_handles_labels(), strict=True) for ax in fig.axes]
    entries = {label: handle for pair in pairs for handle, label in pair}
    if entries and not fig.legends and not any(ax.get_legend() for ax in fig.axes):
        fig.legend(entries.values(), entries.keys(), loc="outside right center")
    buffer = io.BytesIO()
    FigureCanvasAgg(fig).print_png(buffer)
    return buffer.getvalue()
