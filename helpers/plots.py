"""Drawing only: arrays or histories in, Axes out. Nothing here trains, loads or rounds a result."""

import base64
import io
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from IPython.display import display

from helpers import interrupts
from helpers.checks import (
    check_array,
    check_count,
    check_number,
    check_sequence,
    check_type,
    shown,
)
from helpers.evidence import Finding, interval

# what is interrupted halfway through this import cannot be imported again
with interrupts.held():
    import matplotlib as mpl
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

# Okabe and Ito (2008): told apart by readers with any kind of colour vision
COLORS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "red": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "grey": "#6B6B6B",
}
CYCLE = [COLORS[name] for name in ("blue", "orange", "green", "red", "purple", "sky")]
LINES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1))]
MARKERS = ["o", "^", "s", "D", "v", "P"]
DPI = 100

STYLE = {
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "figure.constrained_layout.use": True,
    "font.size": 12.0,
    "axes.titlesize": 12.0,
    "figure.titlesize": 13.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
    "axes.prop_cycle": mpl.cycler(color=CYCLE, linestyle=LINES),
}


def figure(rows: int = 1, columns: int = 1, *, width: float = 8.0, height: float = 3.2, **options):
    """Open a figure in the style of the course.

    Args:
        rows: Rows of axes.
        columns: Columns of axes.
        width: Width in inches, at 100 dots an inch.
        height: Height in inches.
        **options: Passed on to `matplotlib.pyplot.subplots`.

    Returns:
        The figure and its axes, as `matplotlib.pyplot.subplots` returns them.

    Raises:
        TypeError: If `rows` or `columns` is not a whole number, or a length not a number.
        ValueError: If one of them is not above 0, or there are more than 100 rows or columns.

    Example:
        >>> fig, ax = figure(1, 2)
        >>> len(ax)
        2
    """
    rows = check_count(rows, "rows", maximum=100)
    columns = check_count(columns, "columns", maximum=100)
    size = check_number(width, "width", above=0), check_number(height, "height", above=0)
    with mpl.rc_context(STYLE):
        return plt.subplots(rows, columns, figsize=size, **options)


def png(fig: Figure) -> bytes:
    """Return a figure as PNG bytes and close it.

    Args:
        fig: The figure.

    Returns:
        The bytes of the picture, at 100 dots an inch.

    Raises:
        TypeError: If `fig` is not a figure.

    Example:
        >>> png(figure()[0])[1:4]
        b'PNG'
    """
    check_type(fig, "fig", Figure)
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        fig.savefig(buffer, format="png", dpi=DPI)
    plt.close(fig)
    return buffer.getvalue()


def show(fig: Figure, finding: str | Finding) -> None:
    """Show a figure under the sentence that states its finding, and close it.

    The sentence is the figure's title and the picture's text alternative.

    Args:
        fig: The figure; every visible Axes must have something in it.
        finding: One sentence, or what `Claims.add` returns: then what was measured follows it.

    Raises:
        ValueError: If the sentence is empty, or an Axes is.

    Example:
        >>> show(figure()[0], " ")
        Traceback (most recent call last):
        ValueError: a figure needs its finding in words, received ' '
    """
    title = str(finding)
    if not title.strip():
        raise ValueError(f"a figure needs its finding in words, received {title!r}")
    empty = [ax for ax in fig.axes if ax.axison and not ax.has_data()]
    if empty or not fig.axes:
        raise ValueError(f"a figure needs content, received {len(empty)} empty axes")
    with mpl.rc_context(STYLE):
        characters = int(fig.get_size_inches()[0] * 10.5)
        fig.suptitle("\n".join(textwrap.wrap(title, characters)), x=0.01, ha="left")
    picture = base64.b64encode(png(fig)).decode()
    # measured figures differ from machine to machine: the picture and its alt text carry them
    words = finding.claim if isinstance(finding, Finding) else title
    display(
        {"image/png": picture, "text/plain": words},
        raw=True,
        metadata={"image/png": {"alt": title}},
    )


def curves(
    histories: Mapping[str, Mapping[str, Sequence[float]]],
    keys: Sequence[str],
    *,
    labels: Sequence[str] | None = None,
    ylabel: str | None = None,
    average: int = 1,
    ax: Axes | None = None,
) -> Axes:
    """Draw training curves: one colour for each run, one line style for each key.

    Args:
        histories: Name of a run to its `History.history`: a list of one value an epoch per key.
        keys: Which keys to draw, for example ("accuracy", "val_accuracy").
        labels: What to call the keys in the legend; the keys themselves when omitted.
        ylabel: Label of the vertical axis; the first key when omitted.
        average: How many epochs each drawn point is the mean of; the axis says so.
        ax: Where to draw; a new figure when omitted.

    Returns:
        The Axes.

    Raises:
        TypeError: If an argument is of another kind.
        ValueError: If there are no histories or keys, a history lacks a key or has fewer epochs
            than are averaged, or there are not as many labels as keys.

    Example:
        >>> ax = curves({"none": {"loss": [2.0, 1.0]}}, ["loss"])
        >>> ax.get_xlabel()
        'epoch'
    """
    _check_named(histories, "histories")
    keys = _check_texts(keys, "keys")
    labels = keys if labels is None else _check_texts(labels, "labels")
    if len(labels) != len(keys):
        raise ValueError(f"labels must be as many as keys, received {labels} and {keys}")
    average = check_count(average, "average")
    ylabel = keys[0] if ylabel is None else check_type(ylabel, "ylabel", str)
    ax = _axes(ax)
    for (name, history), color in zip(histories.items(), _cycled(CYCLE, histories), strict=True):
        where = f"histories[{name!r}]"
        check_type(history, where, Mapping)
        for key, label, line in zip(keys, labels, _cycled(LINES, keys), strict=True):
            if key not in history:
                raise ValueError(f"keys must be in {where}: {[*history]}, received {key!r}")
            # a run that diverged is drawn as far as it went
            values = check_array(history[key], f"{where}[{key!r}]", ndim=1, finite=False)
            points = values.size // average
            if not points:
                raise ValueError(f"{where} has {values.size} epochs, received average={average}")
            means = values[: points * average].reshape(points, average).mean(axis=1)
            epochs = average * (np.arange(points) + 1)
            text = ", ".join(part for part in (name, label) if part)
            ax.plot(epochs, means, color=color, linestyle=line, label=text)
    ax.set(xlabel="epoch" if average == 1 else f"epoch (means of {average})", ylabel=ylabel)
    ax.legend()
    return ax


def bands(
    x: np.ndarray,
    groups: Mapping[str, np.ndarray],
    *,
    xlabel: str,
    ylabel: str,
    ax: Axes | None = None,
) -> Axes:
    """Draw means over repeats against a setting, with their 95 % intervals as bands.

    Args:
        x: The setting, one value a column of the arrays below.
        groups: Label to an array of shape (repeats, settings), at least two repeats.
        xlabel: Label of the horizontal axis, with its unit.
        ylabel: Label of the vertical axis, with its unit.
        ax: Where to draw; a new figure when omitted.

    Returns:
        The Axes.

    Raises:
        TypeError: If an argument is of another kind.
        ValueError: If there are no groups, or an array does not have two rows or more and one
            column for each value of `x`.

    Example:
        >>> ax = bands([0, 1], {"a": [[1, 2], [2, 3]]}, xlabel="rate", ylabel="accuracy")
        >>> ax.get_ylabel()
        'accuracy'
    """
    x, groups = check_array(x, "x", ndim=1), _check_repeats(groups, ndim=2)
    xlabel, ylabel = check_type(xlabel, "xlabel", str), check_type(ylabel, "ylabel", str)
    for label, values in groups.items():
        if values.shape[1] != len(x):
            raise ValueError(
                f"groups[{label!r}] needs {len(x)} columns, one for each value of x, "
                f"received shape {values.shape}"
            )
    ax = _axes(ax)
    styles = zip(
        _cycled(CYCLE, groups), _cycled(LINES, groups), _cycled(MARKERS, groups), strict=True
    )
    for (label, values), (color, line, marker) in zip(groups.items(), styles, strict=True):
        stats = [interval(column) for column in values.T]
        every = max(1, len(x) // 10)
        ax.plot(
            x,
            [s.mean for s in stats],
            color=color,
            ls=line,
            marker=marker,
            label=label,
            markevery=every,
        )
        ax.fill_between(
            x, [s.low for s in stats], [s.high for s in stats], color=color, alpha=0.2, lw=0
        )
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if len(groups) > 1:
        ax.legend()
    return ax


def intervals(
    groups: Mapping[str, np.ndarray],
    *,
    xlabel: str,
    published: Mapping[str, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw every repeat as a dot, one row a group, with the mean and its 95 % interval.

    Args:
        groups: Label to repeated measurements, at least two each, from top to bottom.
        xlabel: Label of the horizontal axis, with its unit.
        published: Figures from elsewhere, by the same labels, marked with a star.
        ax: Where to draw; a new figure when omitted.

    Returns:
        The Axes.

    Raises:
        TypeError: If an argument is of another kind.
        ValueError: If there are no groups, one has fewer than two values, or a label of
            `published` is not among theirs.

    Example:
        >>> ax = intervals({"none": [0.7, 0.8], "0.4": [0.8, 0.9]}, xlabel="test accuracy")
        >>> [tick.get_text() for tick in ax.get_yticklabels()]
        ['none', '0.4']
    """
    groups, xlabel = _check_repeats(groups, ndim=1), check_type(xlabel, "xlabel", str)
    published = {} if published is None else check_type(published, "published", Mapping)
    for label, value in published.items():
        if label not in groups:
            raise ValueError(f"published must have labels of groups, received {shown(label)}")
        check_number(value, f"published[{label!r}]")
    ax = _axes(ax, height=0.9 + 0.55 * len(groups))
    jitter = np.random.default_rng(0)
    for row, (values, color) in enumerate(
        zip(groups.values(), _cycled(CYCLE, groups), strict=True)
    ):
        stats = interval(values)
        y = row + jitter.uniform(-0.16, 0.16, stats.n)
        ax.plot(values, y, "o", color=color, alpha=0.35, ms=4, mew=0, ls="")
        half = [[stats.mean - stats.low], [stats.high - stats.mean]]
        ax.errorbar(stats.mean, row + 0.3, xerr=half, fmt="s", color=color, capsize=4, ms=6)
    for label, value in published.items():
        first = label == next(iter(published))
        ax.plot(
            value,
            list(groups).index(label),
            "*",
            color="black",
            ms=13,
            ls="",
            label="published, one run" if first else None,
        )
    if published:
        ax.legend(loc="best")
    ax.set(xlabel=xlabel, yticks=range(len(groups)), yticklabels=list(groups))
    ax.set_ylim(len(groups) - 0.4, -0.5)
    return ax


def mask_grid(
    mask: np.ndarray, *, xlabel: str, ylabel: str, title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw a mask: filled cells are kept, hatched pale cells are dropped.

    Args:
        mask: True, or 1, where a unit is kept, shape (rows, columns).
        xlabel: What the columns are.
        ylabel: What the rows are.
        title: Title of the axes.
        ax: Where to draw; a new figure when omitted.

    Returns:
        The Axes.

    Raises:
        TypeError: If an argument is of another kind.
        ValueError: If the mask does not have two axes, or holds more than 0 and 1.

    Example:
        >>> ax = mask_grid([[True, False]], xlabel="unit", ylabel="example")
        >>> ax.get_xlabel()
        'unit'
    """
    mask = _check_mask(mask, "mask", ndim=2)
    for text, name in ((xlabel, "xlabel"), (ylabel, "ylabel"), (title, "title")):
        check_type(text, name, str)
    ax = _axes(ax, width=5, height=2.6)
    rows, columns = mask.shape
    cells = ListedColormap(["#f3e3d9", COLORS["blue"]])
    ax.pcolormesh(mask, cmap=cells, vmin=0, vmax=1, edgecolor="white", linewidth=0.6)
    if mask.size <= 400:
        y, x = np.nonzero(~mask)
        ax.plot(x + 0.5, y + 0.5, "x", color=COLORS["red"], ms=4, ls="")
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title, xlim=(0, columns), ylim=(rows, 0))
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)
    return ax


def classes(x: np.ndarray, y: np.ndarray, *, ax: Axes | None = None, **options) -> Axes:
    """Draw points in the plane, each class with its own colour and marker.

    Args:
        x: Points, shape (n, 2).
        y: Their classes, whole numbers from 0 to 5, shape (n,).
        ax: Where to draw; a new figure when omitted.
        **options: Passed on to `Axes.plot`, for example `ms` or `alpha`.

    Returns:
        The Axes, with equal scales on both axes.

    Raises:
        TypeError: If an argument is of another kind.
        ValueError: If the shapes do not fit, or a class is another number.

    Example:
        >>> ax = classes([[0, 0], [1, 1]], [0, 1])
        >>> len(ax.lines)
        2
    """
    x, y = _check_points(x), check_array(y, "y", ndim=1)
    if len(x) != len(y) or not np.isin(y, np.arange(len(MARKERS))).all():
        raise ValueError(
            f"y must hold a class from 0 to {len(MARKERS) - 1} for each of {len(x)} points in x, "
            f"received shape {y.shape} and values from {y.min()} to {y.max()}"
        )
    ax = _axes(ax, width=4, height=4)
    for label in np.unique(y):
        style = {"ms": 6, "mec": "white", "mew": 0.7, "label": f"class {label}"} | options
        ax.plot(
            *x[y == label].T, MARKERS[int(label)], color=CYCLE[int(label)], linestyle="", **style
        )
    ax.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    return ax


def plane(x: np.ndarray, points: int = 60, margin: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Return a square grid over the plane that covers some points.

    Args:
        x: The points to cover, shape (n, 2).
        points: Grid points along each axis, 2 to 2,000.
        margin: How far the grid reaches beyond the outermost point, above 0, in units of the data.

    Returns:
        One axis of the grid, shape (points,), and all its points, shape (points**2, 2).

    Raises:
        TypeError: If an argument is not numeric.
        ValueError: If `x` has another shape, or a number is outside its range.

    Example:
        >>> axis, grid = plane([[-1, 0], [1, 0]], points=5)
        >>> axis.shape, grid.shape
        ((5,), (25, 2))
    """
    points = check_count(points, "points", minimum=2, maximum=2000)
    reach = float(np.abs(_check_points(x)).max()) + check_number(margin, "margin", above=0)
    axis = np.linspace(-reach, reach, points)
    return axis, np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2).astype("float32")


def boundary(axis: np.ndarray, probability: np.ndarray, *, ax: Axes | None = None) -> Axes:
    """Draw the probability of class 1 over the plane, and the line where it is one half.

    Args:
        axis: One axis of the grid, as `plane` returns it, shape (k,).
        probability: Probability of class 1 at each point of the grid, k * k values.
        ax: Where to draw; a new figure when omitted.

    Returns:
        The Axes.

    Raises:
        TypeError: If an argument is of another kind.
        ValueError: If the axis does not rise, or `probability` does not hold k * k probabilities.

    Example:
        >>> axis, grid = plane([[-1, 0], [1, 0]], points=5)
        >>> ax = boundary(axis, grid[:, 0] > 0)
        >>> ax.get_xlabel()
        '$x_1$'
    """
    axis = check_array(axis, "axis", ndim=1).astype(float)
    if len(axis) < 2 or (np.diff(axis) <= 0).any():
        raise ValueError(f"axis must hold two or more rising values, received {shown(axis)}")
    z = _check_shares(probability, "probability").astype(float)
    if z.size != len(axis) ** 2:
        raise ValueError(
            f"probability needs {len(axis)}² values, the square of axis, received shape {z.shape}"
        )
    z = z.reshape(len(axis), len(axis))
    ax = _axes(ax, width=4, height=4)
    two = mpl.colors.LinearSegmentedColormap.from_list("two", [CYCLE[0], "#ffffff", CYCLE[1]])
    ax.contourf(axis, axis, z, levels=np.linspace(0, 1, 11), cmap=two, alpha=0.55)
    if z.min() < 0.5 < z.max():
        ax.contour(axis, axis, z, levels=[0.5], colors="black", linewidths=1.4)
    ax.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    return ax


def network(layers: Sequence[np.ndarray], *, scale: float = 1.0, ax: Axes | None = None) -> Axes:
    """Draw a fully connected network with its dropped units faded and crossed out.

    Args:
        layers: One boolean array a layer, from input to output: True where the unit is kept.
        scale: What the survivors of a layer with dropped units are multiplied by; written on them.
        ax: Where to draw; a new figure when omitted.

    Returns:
        The Axes.

    Raises:
        TypeError: If an argument is of another kind.
        ValueError: If there are no layers, or one is not a mask with one axis.

    Example:
        >>> ax = network([np.ones(2, bool), np.array([True, False, True]), np.ones(1, bool)])
        >>> ax.axison
        False
    """
    layers = check_sequence(layers, "layers")
    layers = [_check_mask(kept, "each of layers", ndim=1) for kept in layers]
    scale = check_number(scale, "scale")
    ax = _axes(ax, width=5, height=3.2)
    spots = [
        np.column_stack([np.full(kept.size, 2.0 * i), _centred(kept.size)])
        for i, kept in enumerate(layers)
    ]
    for i in range(len(layers) - 1):
        for a, alive_a in zip(spots[i], layers[i], strict=True):
            for b, alive_b in zip(spots[i + 1], layers[i + 1], strict=True):
                alive = alive_a and alive_b
                ax.plot(
                    *zip(a, b, strict=True),
                    zorder=1,
                    ls="-",
                    color=COLORS["grey"] if alive else "#ececec",
                    lw=0.9 if alive else 0.5,
                )
    for kept, at in zip(layers, spots, strict=True):
        fill = [COLORS["blue"] if alive else "#f6f1ee" for alive in kept]
        edge = [COLORS["blue"] if alive else "#c9bdb6" for alive in kept]
        ax.scatter(*at.T, s=330, c=fill, edgecolors=edge, zorder=2)
        for (x, y), alive in zip(at, kept, strict=True):
            if not alive:
                ax.text(x, y, "×", ha="center", va="center", color=COLORS["red"], fontsize=13)
            elif not kept.all():
                ax.text(x, y, f"×{scale:.3g}", ha="center", va="center", color="white", fontsize=7)
    ax.set_axis_off()
    return ax


def thinned(kept: np.ndarray, sums: np.ndarray, mean: float, *, scale: float) -> Figure:
    """Draw a network with one thinned hidden layer beside what its output receives over many masks.

    Args:
        kept: True where a hidden unit is kept, shape (units,).
        sums: What the output unit receives under each of many masks, shape (draws,).
        mean: What it receives without dropout, above 0.
        scale: What the survivors are multiplied by.

    Returns:
        The figure.

    Raises:
        TypeError: If an argument is of another kind.
        ValueError: If an array does not have one axis, or `mean` is not above 0.

    Example:
        >>> len(thinned(np.array([True, False]), np.array([0.0, 2.0]), 1.0, scale=2).axes)
        2
    """
    kept = _check_mask(kept, "kept", ndim=1)
    sums = check_array(sums, "sums", ndim=1).astype(float)
    mean, scale = check_number(mean, "mean", above=0), check_number(scale, "scale")
    fig, axes = figure(1, 2, width=8.6, height=3.1)
    network([np.ones(3, bool), kept, np.ones(1, bool)], scale=scale, ax=axes[0])
    axes[1].hist(sums, bins=40, range=(0, 4 * mean), color=COLORS["sky"])
    axes[1].axvline(mean, color="black", label=f"without dropout: {mean:.2f}")
    axes[1].set(xlabel="what the output unit receives", ylabel="number of masks")
    axes[1].legend(loc="upper right")
    return fig


def confusion(share: np.ndarray, names: Sequence[str], *, ax: Axes | None = None) -> Axes:
    """Draw which class is taken for which, with the shares of 3 % or more written in.

    Args:
        share: In row i, the shares of class i that are taken for each class, shape (k, k), 0 to 1.
        names: The k classes.
        ax: Where to draw; a new figure when omitted.

    Returns:
        The Axes.

    Raises:
        TypeError: If an argument is of another kind.
        ValueError: If the shares do not have one row and one column a class, or are no shares.

    Example:
        >>> ax = confusion([[0.9, 0.1], [0.0, 1.0]], ["cat", "dog"])
        >>> [text.get_text() for text in ax.texts]
        ['90%', '10%', '100%']
    """
    share, names = _check_shares(share, "share", ndim=2), _check_texts(names, "names")
    if share.shape != (len(names), len(names)):
        raise ValueError(
            f"share needs shape {(len(names),) * 2}, received {share.shape}, to go with names"
        )
    ax = _axes(ax, width=6.4, height=5)
    ax.pcolormesh(share, cmap="Blues", vmin=0, vmax=1, edgecolor="white")
    for i, j in np.argwhere(share >= 0.03):
        color = "white" if share[i, j] > 0.5 else "black"
        ax.text(j + 0.5, i + 0.5, f"{share[i, j]:.0%}", ha="center", va="center", color=color)
    ticks = np.arange(len(names)) + 0.5
    ax.set_xticks(ticks, names, rotation=40, ha="right")
    ax.set_yticks(ticks, names)
    ax.set(xlabel="taken for", ylabel="is", ylim=(len(names), 0))
    ax.grid(False)
    return ax


def spread(
    draws: np.ndarray, plain: np.ndarray, names: Sequence[str], *, ax: Axes | None = None
) -> Axes:
    """Draw class probabilities over many masks: mean, 5th to 95th percentile, and without dropout.

    Args:
        draws: Probabilities under each mask, shape (masks, classes).
        plain: Probabilities without dropout, shape (classes,).
        names: The classes.
        ax: Where to draw; a new figure when omitted.

    Returns:
        The Axes.

    Raises:
        TypeError: If an argument is of another kind.
        ValueError: If the shapes do not fit, or there are no probabilities.

    Example:
        >>> ax = spread([[0.9, 0.1], [0.5, 0.5]], [0.8, 0.2], ["cat", "dog"])
        >>> [round(float(bar.get_width()), 2) for bar in ax.patches]
        [0.7, 0.3]
    """
    draws, plain = _check_shares(draws, "draws", ndim=2), _check_shares(plain, "plain", ndim=1)
    names = _check_texts(names, "names")
    if not draws.shape[1] == len(plain) == len(names):
        raise ValueError(
            f"draws, plain and names must be of as many classes, received {draws.shape[1]}, "
            f"{len(plain)} and {len(names)}"
        )
    ax = _axes(ax)
    rows, mean = np.arange(len(names)), draws.mean(axis=0)
    low, high = np.quantile(draws, [0.05, 0.95], axis=0)
    ax.barh(rows, mean, color=COLORS["sky"], label="mean over masks")
    ax.hlines(rows, low, high, color=COLORS["blue"], lw=2, label="5 % to 95 % of masks")
    ax.plot(plain, rows, "D", color="black", ms=5, ls="", label="without dropout")
    ax.set_yticks(rows, names)
    ax.set(xlabel="probability", xlim=(0, 1.02), ylim=(len(names) - 0.4, -0.6))
    ax.legend(loc="best")
    return ax


def feature_maps(
    maps: np.ndarray, kept: np.ndarray | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw the feature maps of one example side by side, each from its least to its largest value.

    Args:
        maps: Values, shape (height, width, maps).
        kept: True where a value is kept, of the same shape; dropped ones are drawn in orange.
        ax: Where to draw; a new figure when omitted.

    Returns:
        The Axes.

    Raises:
        TypeError: If an argument is of another kind.
        ValueError: If `maps` does not have three axes, or `kept` has another shape or is no mask.

    Example:
        >>> ax = feature_maps(np.ones((2, 2, 3)))
        >>> ax.axison
        False
    """
    maps = check_array(maps, "maps", ndim=3).astype(float)
    kept = np.ones(maps.shape, bool) if kept is None else _check_mask(kept, "kept", ndim=3)
    if kept.shape != maps.shape:
        raise ValueError(f"kept needs the shape of maps, {maps.shape}, received {kept.shape}")
    ax = _axes(ax, width=4, height=2.4)
    height, width, count = maps.shape
    low = maps.min(axis=(0, 1))
    span = maps.max(axis=(0, 1)) - low
    columns = int(np.ceil(np.sqrt(1.4 * count)))
    # one more pixel each way is the white gap between two maps
    sheet = np.ones((-(-count // columns) * (height + 1) - 1, columns * (width + 1) - 1, 3))
    for number in range(count):
        grey = (maps[..., number] - low[number]) / (span[number] or 1)
        tile = np.repeat(grey[..., None], 3, axis=2)
        tile[~kept[..., number]] = mpl.colors.to_rgb(COLORS["orange"])
        top, left = number // columns * (height + 1), number % columns * (width + 1)
        sheet[top : top + height, left : left + width] = tile
    ax.imshow(sheet, interpolation="nearest")
    ax.set_axis_off()
    return ax


def _axes(ax: Axes | None, **size: float) -> Axes:
    return figure(**size)[1] if ax is None else check_type(ax, "ax", Axes)


def _check_named(values: Mapping, name: str) -> None:
    if not check_type(values, name, Mapping):
        raise ValueError(f"{name} must hold at least one, received none")
    for label in values:
        check_type(label, f"each label of {name}", str)


def _check_repeats(groups: Mapping, ndim: int) -> dict[str, np.ndarray]:
    _check_named(groups, "groups")
    arrays = {
        label: check_array(values, f"groups[{label!r}]", ndim) for label, values in groups.items()
    }
    for label, array in arrays.items():
        if len(array) < 2:
            raise ValueError(f"groups[{label!r}] needs two repeats or more, received {len(array)}")
    return arrays


def _check_texts(values: Sequence[str], name: str) -> tuple[str, ...]:
    return tuple(check_type(v, f"each of {name}", str) for v in check_sequence(values, name))


def _check_points(x: np.ndarray) -> np.ndarray:
    x = check_array(x, "x", ndim=2)
    if x.shape[1] != 2:
        raise ValueError(f"x must have shape (n, 2), received {x.shape}")
    return x


def _check_mask(mask: np.ndarray, name: str, ndim: int) -> np.ndarray:
    mask = check_array(mask, name, ndim)
    if not np.isin(mask, (0, 1)).all():
        raise ValueError(f"{name} must hold True and False, received {shown(mask)}")
    return mask.astype(bool)


def _check_shares(values: np.ndarray, name: str, ndim: int | None = None) -> np.ndarray:
    values = check_array(values, name, ndim)
    # a mean in float32 may round to just above 1
    if values.min() < 0 or values.max() > 1 + 1e-6:
        raise ValueError(
            f"{name} must lie between 0 and 1, received {values.min()} to {values.max()}"
        )
    return values


def _centred(count: int) -> np.ndarray:
    return (np.arange(count) - (count - 1) / 2)[::-1]


def _cycled(values: Sequence, like: Sequence | Mapping) -> list:
    return [values[i % len(values)] for i in range(len(like))]
