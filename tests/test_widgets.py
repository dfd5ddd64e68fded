"""Panels follow their controls, without a kernel and without a browser."""

import matplotlib.pyplot as plt
import pytest

from helpers import plots, widgets


def draw(rate, draws=None):
    fig, ax = plots.figure(width=2, height=1)
    ax.axvline(rate)
    return fig, f"rate {rate:.2f} <draw {draws}>"


def test_a_panel_redraws_picture_and_sentence_when_a_control_moves():
    open_before = plt.get_fignums()
    panel = widgets.Panel(draw, {"rate": widgets.rate_slider(0.5)})
    first, page = panel.picture, panel._image.value
    panel.controls["rate"].value = 0.2
    assert panel.sentence == "rate 0.20 <draw None>"
    assert panel.picture != first
    assert panel._image.value != page
    assert 'alt="rate 0.20 &lt;draw None&gt;"' in panel._image.value
    assert "rate 0.20" in panel._readout.value
    assert plt.get_fignums() == open_before


def test_a_button_draws_again():
    panel = widgets.Panel(draw, {"rate": widgets.rate_slider(0.5)}, button="New mask")
    panel.button.click()
    assert panel.sentence == "rate 0.50 <draw 1>"


def test_the_slider_shows_both_conventions():
    panel = widgets.Panel(draw, {"rate": widgets.rate_slider(0.5)})
    slider, label = panel.children[0].children
    assert slider.description == "Keras rate"
    slider.value = 0.2
    assert label.value == "= the paper's p 0.80"


def test_a_panel_leaves_a_still_picture_and_a_stable_text():
    panel = widgets.Panel(draw, {"rate": widgets.rate_slider(0.5)})
    data, metadata = panel._repr_mimebundle_()
    assert data["text/plain"] == "A panel with rate; run the notebook to use it."
    assert data["image/png"]
    assert "application/vnd.jupyter.widget-view+json" in data
    assert metadata["image/png"] == {"alt": panel.sentence}


def test_other_controls_have_their_kind():
    assert type(widgets.slider("n", 2, 1, 3, 1)).__name__ == "IntSlider"
    assert type(widgets.slider("n", 2, 1, 3, 0.5)).__name__ == "FloatSlider"
    assert widgets.choice("kind", {"one": 1, "two": 2}, 2).value == 2
    assert widgets.choice("kind", ["a", "b"]).value == "a"
    assert widgets.choice("shape", {"all": None, "one": 1}).label == "all"


def test_a_panel_without_controls_is_refused():
    with pytest.raises(ValueError, match="received none"):
        widgets.Panel(draw, {})
