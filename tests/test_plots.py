"""Drawing functions draw what they are given, and say what does not fit."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib.colors import to_rgb

from helpers import plots


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_curves_draw_one_line_a_run_and_key():
    history = {"loss": [3, 2, 1], "val_loss": [3, 2.5, 2.4]}
    ax = plots.curves(
        {"none": history, "0.5": history}, ["loss", "val_loss"], labels=["train", "val"]
    )
    assert [line.get_label() for line in ax.lines] == [
        "none, train", "none, val", "0.5, train", "0.5, val",
    ]  # fmt: skip
    assert len({(line.get_color(), line.get_linestyle()) for line in ax.lines}) == 4
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [1, 2, 3])


def test_curves_can_be_averaged_over_epochs():
    ax = plots.curves({"none": {"loss": [4, 2, 1, 1, 9]}}, ["loss"], average=2)
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[2, 3], [4, 1]])
    assert ax.get_xlabel() == "epoch (means of 2)"
    with pytest.raises(ValueError, match="average=6"):
        plots.curves({"none": {"loss": [4, 2, 1, 1, 9]}}, ["loss"], average=6)


def test_curves_name_the_key_that_is_missing():
    with pytest.raises(ValueError, match="'acc'"):
        plots.curves({"none": {"accuracy": [1]}}, ["acc"])


def test_bands_draw_the_mean_over_repeats():
    ax = plots.bands([0, 1], {"a": [[1, 2], [3, 4]], "b": [[0, 0], [2, 2]]}, xlabel="r", ylabel="y")
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [2, 3])
    assert len(ax.collections) == 2
    with pytest.raises(ValueError, match="3 columns"):
        plots.bands([0, 1, 2], {"a": [[1, 2], [3, 4]]}, xlabel="r", ylabel="y")


def test_intervals_mark_the_published_figures():
    groups = {"none": [0.7, 0.8], "0.4": [0.8, 0.9]}
    ax = plots.intervals(groups, xlabel="accuracy", published={"none": 0.757, "0.4": 0.814})
    stars = [line for line in ax.lines if line.get_marker() == "*"]
    assert [float(star.get_xdata()[0]) for star in stars] == [0.757, 0.814]


def test_a_mask_is_drawn_cell_by_cell():
    mask = np.array([[True, False, True]])
    ax = plots.mask_grid(mask, xlabel="unit", ylabel="example", title="t")
    np.testing.assert_array_equal(ax.collections[0].get_array().ravel(), mask.ravel())
    with pytest.raises(ValueError, match="2 axes"):
        plots.mask_grid(np.ones(3, bool), xlabel="", ylabel="")


def test_the_plane_covers_the_points_and_the_boundary_fits_it():
    x = np.array([[-1.0, 0.5], [0.2, 0.9]])
    axis, grid = plots.plane(x, points=7, margin=0.5)
    assert axis[0] == -1.5
    assert axis[-1] == 1.5
    assert grid.shape == (49, 2)
    assert plots.boundary(axis, grid[:, 0] > 0).get_aspect() == 1
    assert plots.boundary(axis, np.zeros(49)).get_aspect() == 1
    assert len(plots.classes(x, np.array([0, 1])).lines) == 2


def test_a_network_fades_and_crosses_out_what_is_dropped():
    ax = plots.network([np.ones(2, bool), np.array([True, False, True])], scale=2)
    assert sorted(text.get_text() for text in ax.texts) == ["×", "×2", "×2"]


def test_show_gives_the_picture_its_words():
    InteractiveShell.instance()
    with capture_output() as captured:
        plots.show(plots.figure()[0], "Nothing is drawn.")
    picture, caption = captured.outputs
    assert picture.data["text/plain"] == "Nothing is drawn."
    assert picture.metadata == {"image/png": {"alt": "Nothing is drawn."}}
    assert caption.data["text/markdown"] == "*Nothing is drawn.*"
    assert not plt.get_fignums()


def test_confusion_writes_the_shares_that_matter_where_they_belong():
    ax = plots.confusion([[0.98, 0.02], [0.3, 0.7]], ["cat", "dog"])
    assert {text.get_position(): text.get_text() for text in ax.texts} == {
        (0.5, 0.5): "98%",
        (0.5, 1.5): "30%",
        (1.5, 1.5): "70%",
    }
    with pytest.raises(ValueError, match=r"share needs shape \(3, 3\), received \(2, 2\)"):
        plots.confusion(np.eye(2), ["cat", "dog", "cow"])


def test_spread_draws_the_mean_and_the_percentiles_of_each_class():
    draws = np.stack([np.linspace(0, 1, 101), np.linspace(1, 0, 101)], axis=1)
    ax = plots.spread(draws, [0.4, 0.6], ["cat", "dog"])
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([0.5, 0.5])
    [lines] = ax.collections
    assert np.allclose([line[:, 0] for line in lines.get_segments()], [[0.05, 0.95]] * 2)


def test_feature_maps_stretch_each_map_and_mark_what_is_dropped():
    maps = np.stack([np.array([[0.0, 2.0], [1.0, 0.0]]), np.zeros((2, 2))], axis=2)
    kept = np.ones(maps.shape, bool)
    kept[1, 1, 0] = False
    [picture] = plots.feature_maps(maps, kept).images
    sheet = np.asarray(picture.get_array())
    assert sheet.shape == (2, 5, 3)
    assert sheet[0, :2, 0].tolist() == [0.0, 1.0]  # the first map, from black to white
    assert sheet[1, 1] == pytest.approx(to_rgb(plots.COLORS["orange"]))
    assert (sheet[:, 2] == 1).all()  # the gap
    assert (sheet[:, 3:] == 0).all()  # a map without contrast
    with pytest.raises(ValueError, match=r"kept needs the shape of maps, \(2, 2, 2\)"):
        plots.feature_maps(maps, kept[..., :1])
