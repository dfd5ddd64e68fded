"""What is drawn is what was handed over: the artists are looked at, not the pixels."""

import io

import matplotlib.image
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib.colors import to_hex

from helpers import plots
from helpers._engine.style import styles
from helpers.evidence import Finding, interval

RNG = np.random.default_rng(0)
GREY, BLUE, RED = (plots.COLORS[name] for name in ("grey", "blue", "red"))


def shown(fig, finding="A finding."):
    """What `show` displays."""
    InteractiveShell.instance()
    with capture_output() as captured:
        plots.show(fig, finding)
    [output] = captured.outputs
    return output


def look(line):
    return line.get_color(), line.get_linestyle()


# the style


def test_the_style_holds_for_what_a_lesson_draws_after_the_figure_was_opened():
    fig, ax = plots.figure(width=5, height=2)
    ax.plot([1, 2], label="line")
    legend, title = ax.legend(), ax.set_title("title")
    sizes = [ax.xaxis.label, ax.get_xticklabels()[0], title, legend.get_texts()[0]]
    assert [text.get_fontsize() for text in sizes] == [12, 12, 12, 11]
    assert not legend.get_frame_on()
    assert [ax.spines[side].get_visible() for side in ("left", "top", "right")] == [1, 0, 0]
    assert ax.xaxis.get_gridlines()[0].get_visible()
    assert matplotlib.image.imread(io.BytesIO(plots.png(fig))).shape == (200, 500, 4)
    assert fig.get_layout_engine() is not None


def test_styles_give_the_baseline_grey_and_what_is_new_the_first_colour_and_a_solid_line():
    drawn = styles(["no dropout", "0.2", "0.5"])
    assert drawn["no dropout"][0] == GREY
    assert drawn["0.2"][:2] == (BLUE, "-")
    assert len({line for _, line, _ in drawn.values()}) == 3
    assert len({marker for _, _, marker in drawn.values()}) == 3


def test_styles_of_pairs_have_a_colour_and_a_marker_by_the_first_part_and_a_line_by_the_second():
    pairs = [f"{head}, {kind}" for head in ("none", "0.5") for kind in ("seen", "unseen")]
    colors, lines, markers = zip(*styles(pairs).values(), strict=True)
    assert colors == (GREY, GREY, BLUE, BLUE)
    assert lines == ("-", "--", "-", "--")
    assert markers[0] == markers[1] != markers[2] == markers[3]
    mixed = styles(["SGD, default", "Adam", "SGD, recipe"])  # no pairs: one has no second part
    assert len({color for color, _, _ in mixed.values()}) == 3


def test_styles_follow_the_colors_of_a_lesson_and_give_no_colour_twice():
    drawn = styles(["none", "a", "b, x", "c"], {"none": "red", "b": "blue", "c": "#123456"})
    green = plots.COLORS["green"]
    assert [color for color, _, _ in drawn.values()] == [RED, green, BLUE, "#123456"]
    many = styles(map(str, range(9)))
    assert len({look[:2] for look in many.values()}) == 6  # then they come again


# what leaves


def test_show_gives_the_picture_its_sentence_as_title_and_as_text_alternative():
    fig, ax = plots.figure()
    ax.plot([1, 2])
    output = shown(fig, Finding("Dropout helps", "0.2 (0.1 to 0.3)", True))
    assert output.data["text/plain"] == "Dropout helps"  # without figures that change
    assert output.metadata == {"image/png": {"alt": "Dropout helps: 0.2 (0.1 to 0.3)"}}
    assert fig.get_suptitle() == "Dropout helps: 0.2 (0.1 to 0.3)"
    assert output.data["image/png"].startswith("iVBOR")


@pytest.mark.parametrize("width", [4, 8])
def test_show_wraps_a_long_title_inside_the_figure_and_above_the_axes(width):
    fig, ax = plots.figure(width=width)
    ax.plot([1, 2])
    ax.set_title("an axes' own title")
    shown(fig, "Every place lowers the loss, and some lower it by far more than others do; " * 2)
    title = fig._suptitle.get_window_extent()
    assert title.x0 == pytest.approx(0.01 * 100 * width, abs=2)
    assert title.x1 < 100 * width
    assert title.y1 <= fig.bbox.y1
    assert title.y0 >= ax.title.get_window_extent().y1


@pytest.mark.parametrize("finding", ["", " ", Finding("", "", True).claim])
def test_show_refuses_a_figure_without_a_finding(finding):
    with pytest.raises(ValueError, match="a figure needs its finding in words, received"):
        plots.show(plots.figure()[0], finding)


NOTHING = [lambda ax: None, lambda ax: ax.axvline(1), lambda ax: ax.plot([np.nan] * 2)]


@pytest.mark.parametrize("draw", NOTHING)
def test_show_refuses_axes_in_which_a_function_drew_nothing(draw):
    fig, axes = plots.figure(1, 2)
    axes[0].imshow(np.eye(2))
    draw(axes[1])
    with pytest.raises(ValueError, match="needs content, received 1 empty axes"):
        plots.show(fig, "A finding.")
    axes[1].set_axis_off()  # a corner that was left free on purpose
    shown(fig)
    axes[0].remove()
    with pytest.raises(ValueError, match="a figure needs content"):
        plots.png(fig)


def test_labels_are_named_once_in_a_legend_outside_all_axes():
    fig, axes = plots.figure(1, 2)
    for ax in axes:
        groups = {"a": RNG.random((3, 2)), "": RNG.random((3, 2))}
        plots.bands([0, 1], groups, xlabel="x", ylabel="y", ax=ax)
    plots.png(fig)
    plots.png(fig)
    [legend] = fig.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a"]
    assert legend.get_window_extent().x0 >= axes[1].get_window_extent().x1


def test_a_legend_of_a_lessons_own_is_the_only_one():
    fig, ax = plots.figure()
    ax.plot([1, 2], label="a")
    ax.legend()
    plots.png(fig)
    assert not fig.legends


# what is measured


def test_curves_draw_a_colour_a_run_and_a_line_a_key():
    history = {"loss": [3, 2, 1], "val_loss": [3, 2.5, 2.4]}
    runs = {"none": history, "0.5": history}
    ax = plots.curves(runs, ["loss", "val_loss"], labels=["train", "val"])
    drawn = {line.get_label(): look(line) for line in ax.lines}
    assert drawn == {
        "none, train": (GREY, "-"), "none, val": (GREY, "--"),
        "0.5, train": (BLUE, "-"), "0.5, val": (BLUE, "--"),
    }  # fmt: skip
    np.testing.assert_array_equal(ax.lines[3].get_xydata(), [[1, 3], [2, 2.5], [3, 2.4]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")


def test_curves_average_whole_blocks_of_epochs_and_say_so():
    ax = plots.curves({"": {"loss": [4, 2, 1, 1, 9]}}, ["loss"], average=2, ylabel="nats")
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[2, 3], [4, 1]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch (means of 2)", "nats")


def test_bands_draw_the_mean_and_the_interval_of_the_repeats_in_the_colours_asked_for():
    groups = {"a": RNG.normal(size=(7, 4)), "b": RNG.normal(size=(5, 4))}
    x = [0, 0.1, 0.2, 0.5]
    ax = plots.bands(x, groups, xlabel="rate", ylabel="loss", colors={"b": "red"})
    assert [line.get_label() for line in ax.lines] == ["a", "b"]
    assert [line.get_color() for line in ax.lines] == [BLUE, RED]
    for values, line, band in zip(groups.values(), ax.lines, ax.collections, strict=True):
        np.testing.assert_allclose(line.get_xydata(), np.transpose([x, values.mean(0)]))
        edge = band.get_paths()[0].vertices
        for at, column in zip(x, values.T, strict=True):
            drawn, truth = edge[np.isclose(edge[:, 0], at), 1], interval(column)
            np.testing.assert_allclose([drawn.min(), drawn.max()], [truth.low, truth.high])
        assert to_hex(band.get_facecolor()[0]) == line.get_color().lower()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("rate", "loss")


def test_bands_refuse_a_single_repeat():
    with pytest.raises(ValueError, match=r"groups\['a'\] needs two repeats or more, received 1"):
        plots.bands([0, 1], {"a": [[1, 2]]}, xlabel="x", ylabel="y")


def test_intervals_draw_a_dot_a_network_and_beneath_them_the_mean_with_its_interval():
    groups = {"none": RNG.normal(size=9), "0.4": RNG.normal(size=12)}
    ax = plots.intervals(groups, xlabel="accuracy")
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    squares = [line for line in ax.lines if line.get_marker() == "s"]
    bars = [bar.get_segments()[0] for bar in ax.collections]
    rows = zip(groups.values(), dots, squares, bars, ax.texts, strict=True)
    for row, (values, dot, square, bar, text) in enumerate(rows):
        mean = interval(values)
        np.testing.assert_array_equal(dot.get_xdata(), values)
        assert np.abs(dot.get_ydata() - row).max() < 0.32
        assert len(set(dot.get_ydata())) == len(values)
        [[at, y]] = square.get_xydata()
        assert at == pytest.approx(mean.mean)
        assert dot.get_ydata().max() < y < row + 0.5
        np.testing.assert_allclose(bar, [[mean.low, y], [mean.high, y]])
        assert text.get_text() == f"{mean.mean:.3f}"
        assert text.xy == pytest.approx((mean.high, y))
        assert dot.get_color() == square.get_color() == [GREY, BLUE][row]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["none", "0.4"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # from top to bottom


def test_intervals_mark_the_published_figures_in_their_rows():
    groups = {"none": [0.7, 0.8], "0.4": [0.8, 0.9]}
    ax = plots.intervals(groups, xlabel="accuracy", published={"0.4": 0.814}, colors={"0.4": "red"})
    [star] = [line for line in ax.lines if line.get_marker() == "*"]
    [[x, y]] = star.get_xydata()
    assert x == 0.814
    assert round(y) == 1
    assert star.get_label() == "published, one run"
    assert ax.lines[2].get_color() != RED == ax.lines[-2].get_color()


@pytest.mark.parametrize(("classes", "axis", "name"), [(2, "y", "a coin"), (10, "x", "guessing")])
def test_coin_draws_the_loss_of_a_guess_on_the_axis_of_the_losses(classes, axis, name):
    ax = plots.figure()[1]
    plots.coin(ax, classes, axis)
    [line], [text] = ax.lines, ax.texts
    along = line.get_ydata() if axis == "y" else line.get_xdata()
    assert list(along) == [np.log(classes)] * 2
    assert text.get_text() == name
    assert text.xy == ((1, np.log(classes)) if axis == "y" else (np.log(classes), 1))


def test_reliability_draws_for_each_step_of_confidence_how_often_it_was_right():
    sure = np.array([0.05, 0.62, 0.64, 0.66, 1.0, 0.95])
    right = np.array([False, True, False, True, True, True])
    ax = plots.reliability({"none": (sure, right), "0.5": (sure[:2], right[:2])}, bins=5)
    diagonal, first, second = ax.lines
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
    np.testing.assert_allclose(first.get_xydata(), [[0.05, 0], [0.64, 2 / 3], [0.975, 1]])
    np.testing.assert_allclose(second.get_xydata(), [[0.05, 0], [0.62, 1]])
    sizes = ax.collections[0].get_sizes()
    np.testing.assert_allclose(sizes / sizes.sum(), [1 / 6, 3 / 6, 2 / 6])
    assert [first.get_label(), first.get_color(), second.get_color()] == ["none", GREY, BLUE]
    np.testing.assert_allclose(ax.collections[0].get_offsets(), first.get_xydata())


# what is shown as it is


def test_mask_grid_fills_what_is_kept_and_crosses_what_is_dropped():
    mask = np.array([[True, False, True], [True, True, False]])
    ax = plots.mask_grid(mask, xlabel="unit", ylabel="example", title="t")
    [cells], [crosses] = ax.collections, ax.lines
    colors = [to_hex(color) for color in cells.to_rgba(cells.get_array()).reshape(-1, 4)]
    assert [color == BLUE.lower() for color in colors] == mask.ravel().tolist()
    assert crosses.get_xydata().tolist() == [[1.5, 0.5], [2.5, 1.5]]
    assert ax.get_ylim() == (2, 0)  # the first row on top
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("unit", "example", "t")
    assert not plots.mask_grid(np.zeros((21, 20)), xlabel="", ylabel="").lines
    for wrong in (np.ones(3, bool), np.full((2, 2), 0.5)):
        with pytest.raises(ValueError, match="two axes of True and False, received shape"):
            plots.mask_grid(wrong, xlabel="", ylabel="")


def test_classes_are_told_apart_by_colour_and_marker():
    x, y = RNG.normal(size=(20, 2)), np.arange(20) % 3
    ax = plots.classes(x, y, ms=3)
    for label, line in enumerate(ax.lines):
        np.testing.assert_array_equal(line.get_xydata(), x[y == label])
        assert (line.get_label(), line.get_markersize()) == (f"class {label}", 3)
    assert len({line.get_marker() for line in ax.lines}) == len({look(s)[0] for s in ax.lines}) == 3
    assert ax.get_aspect() == 1


def test_plane_covers_the_points_and_boundary_is_drawn_where_the_probability_is_one_half():
    axis, grid = plots.plane(np.array([[-1.0, 0.5], [0.2, 0.9]]), points=7, margin=0.5)
    np.testing.assert_allclose(axis, np.linspace(-1.5, 1.5, 7))
    np.testing.assert_allclose(grid[:8, 0], [*axis, axis[0]])
    np.testing.assert_allclose(grid[::7, 1], axis)
    ax = plots.boundary(axis, 0.5 + grid[:, 1] / 4)
    shades, line = ax.collections
    assert shades.get_clim() == (0.05, 0.95) or shades.get_clim() == (0, 1)
    assert to_hex(shades.cmap(0.0)) == BLUE.lower()  # as class 0
    assert np.abs(line.get_paths()[0].vertices[:, 1]).max() < 1e-6
    assert len(plots.boundary(axis, np.zeros(49)).collections) == 1


def test_network_joins_the_units_that_are_left_and_crosses_out_the_others():
    ax = plots.network([np.ones(2, bool), np.array([True, False, True])], scale=2)
    assert {text.get_position(): text.get_text() for text in ax.texts} == {
        (1, 1): "×2", (1, 0): "×", (1, -1): "×2",
    }  # fmt: skip
    alive = [line.get_xydata().tolist() for line in ax.lines if line.get_color() == GREY]
    assert len(ax.lines) == 6
    assert len(alive) == 4
    assert not any(end == [1, 0] for _, end in alive)
    faces = [to_hex(color) for dots in ax.collections for color in dots.get_facecolor()]
    assert [face == BLUE.lower() for face in faces] == [True, True, True, False, True]
