"""Drawing only: arrays or histories in, Axes out. Nothing here trains, loads or rounds a result.

All draw on `ax`, or on a new figure without it. Grey is the network without dropout; what other
colours mean, a lesson says once, in its `colors`: a label, or its part before a comma, to a name in
COLORS or any other colour. Labels without one take what is left.
"""

import base64
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure
from scipy import stats

from helpers._engine.style import COLORS, CYCLE, MARKERS, png, styles
from helpers.evidence import Finding, interval

Ax, Colors = Axes | None, Mapping[str, str] | None
Groups = Mapping[str, np.ndarray]


def figure(rows: int = 1, columns: int = 1, *, width: float = 8.0, height: float = 3.2, **options):
    """Open a figure and its axes, one or an array of them; `show` puts its finding above it.

    Args:
        rows: Rows of axes.
        columns: Columns of axes.
        width: Width in inches, at 100 dots an inch.
        height: Height in inches.
        **options: Passed on to `Figure.subplots`, for example `sharey` or `width_ratios`.

    Example:
        >>> fig, axes = figure(1, 2)
        >>> len(axes)
        2
    """
    fig = Figure(figsize=(width, height))  # none of pyplot's: nothing has to be closed
    return fig, fig.subplots(rows, columns, **options)


def show(fig: Figure, finding: str | Finding) -> None:
    """Show a figure under the sentence that states its finding, its text alternative too.

    Args:
        fig: The figure; every visible Axes must have something in it.
        finding: One sentence, or what `Claims.add` returns: then what was measured follows it.

    Example:
        >>> show(figure()[0], "Dropout lowers the loss.")
        Traceback (most recent call last):
        ValueError: a figure needs content, received 1 empty axes
    """
    title = str(finding)
    if not title.strip():
        raise ValueError(f"a figure needs its finding in words, received {title!r}")
    fig.suptitle(title, x=0.01, ha="left", wrap=True)
    picture = base64.b64encode(png(fig)).decode()
    # measured figures differ from machine to machine: the picture and its alt text carry them
    words = finding.claim if isinstance(finding, Finding) else title
    data = {"image/png": picture, "text/plain": words}
    display(data, raw=True, metadata={"image/png": {"alt": title}})


def curves(
    histories: Mapping[str, Mapping[str, Sequence[float]]],
    keys: Sequence[str],
    *,
    labels: Sequence[str] | None = None,
    ylabel: str = "",
    average: int = 1,
    colors: Colors = None,
    ax: Ax = None,
) -> Axes:
    """Draw training curves: one colour for each run, one line style for each key.

    Args:
        histories: Name of a run to its `History.history`: a list of one value an epoch per key.
        keys: Which keys to draw, for example ("accuracy", "val_accuracy").
        labels: What to call the keys; the keys themselves when omitted.
        ylabel: Label of the vertical axis; the first key when omitted.
        average: How many epochs each drawn point is the mean of; the axis says so.

    Example:
        >>> curves({"none": {"loss": [2.0, 1.0]}}, ["loss"]).lines[0].get_label()
        'none, loss'
    """
    ax = _axes(ax)
    lines = {
        ", ".join(filter(None, (name, label))): history[key]
        for name, history in histories.items()
        for key, label in zip(keys, labels or keys, strict=True)
    }
    for label, (color, line, _) in styles(lines, colors).items():
        points = len(lines[label]) // average
        means = np.reshape(lines[label][: points * average], (points, average)).mean(axis=1)
        epochs = average * np.arange(1, points + 1)
        ax.plot(epochs, means, color=color, linestyle=line, label=label)
    ax.set_xlabel("epoch" if average == 1 else f"epoch (means of {average})")
    ax.set_ylabel(ylabel or keys[0])
    return ax


def bands(
    x: np.ndarray, groups: Groups, *, xlabel: str, ylabel: str, colors: Colors = None, ax: Ax = None
) -> Axes:
    """Draw means over repeats against a setting, with their 95 % intervals as bands.

    Args:
        x: The setting, one value a column of the arrays below.
        groups: Label to an array of shape (repeats, settings), at least two repeats. Where labels
            are all pairs such as "rate 0.5, unseen", the first part gives the colour and the
            second the line style.
        xlabel: Label of the horizontal axis, with its unit.
        ylabel: Label of the vertical axis, with its unit.

    Example:
        >>> bands([0], {"a": [[1], [2]]}, xlabel="rate", ylabel="loss").lines[0].get_ydata()
        array([1.5])
    """
    ax = _axes(ax)
    for label, (color, line, marker) in styles(groups, colors).items():
        mean, n, every = np.mean(groups[label], axis=0), len(groups[label]), max(1, len(x) // 10)
        if n < 2:
            raise ValueError(f"groups[{label!r}] needs two repeats or more, received {n}")
        half = stats.t.ppf(0.975, n - 1) * stats.sem(groups[label])  # interval, for all at once
        ax.plot(x, mean, ls=line, marker=marker, markevery=every, color=color, label=label)
        ax.fill_between(x, mean - half, mean + half, color=color, alpha=0.2, lw=0)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return ax


def intervals(
    groups: Groups, *, xlabel: str, published: Mapping = {}, colors: Colors = None, ax: Ax = None
) -> Axes:
    """Draw every repeat as a dot, one row a group, with the mean and its 95 % interval.

    Args:
        groups: Label to repeated measurements, at least two each, from top to bottom.
        xlabel: Label of the horizontal axis, with its unit.
        published: Figures from elsewhere, by the same labels, marked with a star.

    Example:
        >>> ax = intervals({"none": [0.7, 0.8], "0.4": [0.8, 0.9]}, xlabel="test accuracy")
        >>> [text.get_text() for text in ax.texts]
        ['0.750', '0.850']
    """
    ax, jitter = _axes(ax, height=0.9 + 0.55 * len(groups)), np.random.default_rng(0)
    for row, (label, (color, _, _)) in enumerate(styles(groups, colors).items()):
        mean = interval(groups[label])
        y = row + jitter.uniform(-0.3, 0.02, mean.n)
        ax.plot(groups[label], y, "o", color=color, alpha=0.7, ms=5, mec="white", mew=0.4, ls="")
        half = [[mean.mean - mean.low], [mean.high - mean.mean]]
        ax.errorbar(mean.mean, row + 0.32, xerr=half, fmt="s", color=color, capsize=4, ms=6)
        _note(ax, f"{mean.mean:.3f}", (mean.high, row + 0.32), (6, 0))
    for label, value in published.items():
        row = list(groups).index(label)
        ax.plot(value, row - 0.14, "*k", ms=14, mec="white", ls="", label="published, one run")
    ax.set(xlabel=xlabel, yticks=range(len(groups)), yticklabels=list(groups))
    ax.set_ylim(len(groups) - 0.4, -0.5)
    return ax


def coin(ax: Axes, classes: int, axis: str = "y") -> None:
    """Draw the loss of a guess, ln(classes) nats: what a network must beat to know anything.

    Args:
        ax: Where losses are drawn.
        classes: How many classes there are; with two, the guess is a coin.
        axis: The axis of the losses, "y" or "x".

    Example:
        >>> coin(ax := figure()[1], 2)
        >>> ax.texts[0].get_text()
        'a coin'
    """
    loss, name = np.log(classes), "a coin" if classes == 2 else "guessing"
    if axis == "y":
        ax.axhline(loss, color=COLORS["grey"], ls=":")
        _note(ax, name, (1, loss), (4, 0), ("axes fraction", "data"))
    else:
        ax.axvline(loss, color=COLORS["grey"], ls=":")
        _note(ax, name, (loss, 1), (0, 8), ("data", "axes fraction"))


def reliability(
    groups: Mapping[str, tuple], *, bins: int = 10, colors: Colors = None, ax: Ax = None
) -> Axes:
    """Draw how often a network is right against how sure it is: Guo et al. (2017), section 2.

    Args:
        groups: Label to the confidences, 0 to 1, and whether each answer is correct.
        bins: Into how many equal steps confidence is cut; a dot's area is its share of the answers.

    Example:
        >>> ax = reliability({"none": ([0.91, 0.93, 0.55], [True, False, True])})
        >>> ax.lines[1].get_xydata().round(2).tolist()
        [[0.55, 1.0], [0.92, 0.5]]
    """
    ax = _axes(ax, width=6, height=4)
    ax.plot([0, 1], [0, 1], color="black", lw=1, ls=":", label="as often right as sure")
    for label, (color, line, marker) in styles(groups, colors).items():
        sure, right = (np.asarray(part, float) for part in groups[label])
        step = np.minimum((sure * bins).astype(int), bins - 1)
        count = np.bincount(step, minlength=bins)
        used = count > 0
        x, y = (np.bincount(step, part, bins)[used] / count[used] for part in (sure, right))
        ax.plot(x, y, color=color, ls=line, marker=marker, ms=4, label=label)
        ax.scatter(x, y, 900 * count[used] / len(sure), color=color, marker=marker, alpha=0.4)
    ax.set(xlabel="confidence", ylabel="share that is right", xlim=(0, 1.03), ylim=(0, 1.03))
    return ax


def mask_grid(mask: np.ndarray, *, xlabel: str, ylabel: str, title="", ax: Ax = None) -> Axes:
    """Draw a mask: filled cells are kept, pale cells with a cross are dropped.

    Args:
        mask: True, or 1, where a unit is kept, shape (rows, columns).
        xlabel: What the columns are.
        ylabel: What the rows are.
        title: Title of the axes.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2 or not np.isin(mask, (0, 1)).all():
        raise ValueError(f"mask needs two axes of True and False, received shape {mask.shape}")
    ax = _axes(ax, width=5, height=2.6)
    cells = ListedColormap(["#f3e3d9", COLORS["blue"]])
    ax.pcolormesh(mask, cmap=cells, vmin=0, vmax=1, edgecolor="white", linewidth=0.6)
    if mask.size <= 400:
        y, x = np.nonzero(mask == 0)
        ax.plot(x + 0.5, y + 0.5, "x", color=COLORS["red"], ms=4, ls="")
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title, xticks=[], yticks=[], ylim=(len(mask), 0))
    ax.grid(False)
    return ax


def classes(x: np.ndarray, y: np.ndarray, *, ax: Ax = None, **options) -> Axes:
    """Draw points in the plane, each class with its own colour and marker.

    Args:
        x: Points, shape (n, 2).
        y: Their classes, whole numbers from 0 to 5, shape (n,).
        **options: Passed on to `Axes.plot`, for example `ms` or `alpha`.
    """
    ax = _axes(ax, width=4, height=4)
    for label in np.unique(y):
        style = {"ms": 7, "mec": "white", "mew": 0.7, "label": f"class {label}"} | options
        points = np.asarray(x)[np.asarray(y) == label]
        ax.plot(*points.T, MARKERS[label], color=CYCLE[label], ls="", **style)
    ax.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    return ax


def plane(x: np.ndarray, points: int = 60, margin: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Return a grid over the plane that covers some points: one axis of it, and all its points.

    Args:
        x: The points to cover, shape (n, 2).
        points: Grid points along each axis.
        margin: How far the grid reaches beyond the outermost point, in units of the data.
    """
    reach = np.abs(x).max() + margin
    axis = np.linspace(-reach, reach, points)
    return axis, np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2).astype("float32")


def boundary(axis: np.ndarray, probability: np.ndarray, *, ax: Ax = None) -> Axes:
    """Draw the probability of class 1 over the plane, and the line where it is one half.

    Args:
        axis: One axis of the grid, as `plane` returns it, shape (k,).
        probability: Probability of class 1 at each point of the grid, k * k values.
    """
    z = np.reshape(probability, (len(axis), len(axis))).astype(float)
    ax = _axes(ax, width=4, height=4)
    two = LinearSegmentedColormap.from_list("two", [CYCLE[0], "#ffffff", CYCLE[1]])
    ax.contourf(axis, axis, z, levels=np.linspace(0, 1, 11), cmap=two, alpha=0.55)
    if z.min() < 0.5 < z.max():
        ax.contour(axis, axis, z, levels=[0.5], colors="black", linewidths=1.4)
    ax.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    return ax


def network(layers: Sequence[np.ndarray], *, scale: float = 1.0, ax: Ax = None) -> Axes:
    """Draw a fully connected network with its dropped units faded and crossed out.

    Args:
        layers: One boolean array a layer, from input to output: True where the unit is kept.
        scale: What the survivors of a layer with dropped units are multiplied by; written on them.
    """
    ax = _axes(ax, width=5, height=3.2)
    heights = [(len(kept) - 1) / 2 - np.arange(len(kept)) for kept in layers]
    for i, (left, right) in enumerate(pairwise(layers)):
        for a, b in np.ndindex(len(left), len(right)):
            color = COLORS["grey"] if left[a] and right[b] else "#e4e4e4"
            ends = heights[i][a], heights[i + 1][b]
            ax.plot([i, i + 1], ends, "-", color=color, lw=0.9, zorder=1)
    for i, kept in enumerate(layers):
        faces, edges = (np.where(kept, COLORS["blue"], pale) for pale in ("#f6f1ee", "#c9bdb6"))
        ax.scatter([i] * len(kept), heights[i], s=600, c=faces, edgecolors=edges, zorder=2)
        for y, alive in zip(heights[i], [] if np.all(kept) else kept):  # noqa: B905
            text, color, size = (f"×{scale:.3g}", "white", 8) if alive else ("×", COLORS["red"], 14)
            ax.text(i, y, text, color=color, fontsize=size, ha="center", va="center")
    ax.margins(0.12)
    ax.set_axis_off()
    return ax


def _axes(ax: Ax, **size: float) -> Axes:
    """Return the Axes, or those of a new figure."""
    return figure(**size)[1] if ax is None else ax


def _note(ax: Axes, text: str, at: tuple, offset: tuple, frame="data"):
    """Write a text some points beside a place, or above it."""
    style = {"ha": "left" if offset[0] else "center", "va": "center", "fontsize": 11}
    ax.annotate(text, at, offset, frame, "offset points", color="#333333", **style)
