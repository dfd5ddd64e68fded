"""Panels follow their controls, without a kernel and without a browser."""

import base64
import io

import matplotlib.image
import pytest

from helpers import plots, widgets


def draw(rate, draws=None):
    """A picture 200 pixels wide, and a sentence that needs escaping."""
    fig, ax = plots.figure(width=2, height=1)
    ax.plot([0, rate], [0, 1])
    return fig, f'rate {rate:.2f} <draw "{draws}">'


def panel(how=draw, value=0.5, **options):
    return widgets.Panel(how, {"rate": widgets.rate_slider(value)}, **options)


def parts(of):
    """The readout's text and the picture's element, as the page has them."""
    return of.children[-2].value, of.children[-1].value


def test_a_panel_draws_at_once_and_again_with_the_values_of_all_controls():
    calls = []

    def note(**values):
        calls.append(values)
        return draw(values["rate"])

    controls = {
        "rate": widgets.rate_slider(0.5),
        "kind": widgets.choice("kind", {"one": 1, "two": 2}),
    }
    both = widgets.Panel(note, controls)
    both.controls["rate"].value = 0.2
    both.controls["kind"].value = 2
    both.redraw()
    assert calls == [
        {"rate": 0.5, "kind": 1}, {"rate": 0.2, "kind": 1}, *[{"rate": 0.2, "kind": 2}] * 2,
    ]  # fmt: skip
    assert [row.children[0] for row in both.children[:2]] == [*controls.values()]


def test_picture_and_sentence_follow_the_control():
    of = panel()
    first = of.picture
    of.controls["rate"].value = 0.2
    assert of.sentence == 'rate 0.20 <draw "None">'
    assert of.picture != first
    readout, image = parts(of)
    assert base64.b64encode(of.picture).decode() in image
    assert "0.50" not in readout + image
    assert of.picture == plots.png(draw(0.2)[0])


def test_readout_and_alt_text_are_escaped_and_read_aloud():
    readout, image = parts(panel())
    text = "rate 0.50 &lt;draw &quot;None&quot;&gt;"
    assert readout == f'<div role="status" aria-live="polite">{text}</div>'
    assert f'alt="{text}"' in image


def test_a_picture_is_shown_at_its_own_size_at_most():
    of = panel()
    assert matplotlib.image.imread(io.BytesIO(of.picture)).shape[:2] == (100, 200)
    assert 'style="width:200px;max-width:100%"' in parts(of)[1]


def failing(rate):
    if rate > 0.5:
        raise ValueError("no such <rate>")
    return draw(rate)


def empty(rate):
    fig, ax = plots.figure()
    if rate <= 0.5:
        ax.plot([0, 1])
    return fig, "words"


@pytest.mark.parametrize(
    ("how", "error", "why"),
    [
        (failing, ValueError, "ValueError: no such <rate>"),
        (empty, ValueError, "ValueError: a figure needs content, received 1 empty axes"),
        (lambda rate: draw(rate) if rate < 0.6 else 7, TypeError,
         "TypeError: cannot unpack non-iterable int object"),
        (lambda rate: draw(rate) if rate < 0.6 else (_ for _ in ()).throw(KeyboardInterrupt),
         KeyboardInterrupt, "KeyboardInterrupt"),
    ],
)  # fmt: skip
def test_a_draw_that_fails_says_why_and_takes_the_old_picture_away(how, error, why):
    of = panel(how)
    with pytest.raises(error):
        of.controls["rate"].value = 0.9
    assert of.sentence == f"This failed: {why}"
    readout, image = parts(of)
    assert why.replace("<", "&lt;").replace(">", "&gt;") in readout
    assert (image, of.picture) == ("", b"")
    data, _ = of._repr_mimebundle_()
    assert "image/png" not in data
    of.controls["rate"].value = 0.4  # and comes back
    assert of.picture
    assert "failed" not in parts(of)[0]


def test_a_panel_that_cannot_draw_its_first_picture_is_an_error_in_its_cell():
    with pytest.raises(ValueError, match="no such <rate>"):
        panel(failing, 0.9)


def test_a_button_draws_again_and_counts_without_moving_the_controls():
    of = panel(button="New mask")
    assert of.sentence.endswith('<draw "0">')
    assert of.button.description == "New mask"
    of.button.click()
    assert of.sentence == 'rate 0.50 <draw "1">'
    of.button.click()
    of.controls["rate"].value = 0.2
    assert of.sentence == 'rate 0.20 <draw "2">'
    assert of.button in of.children
    assert not hasattr(panel(), "button")


def test_a_rate_slider_shows_the_papers_p_beside_the_rate_and_other_controls_do_not():
    controls = {"rate": widgets.rate_slider(0.4), "draws": widgets.slider("n", 2, 1, 3, 1)}
    rate, other = widgets.Panel(draw, controls).children[:2]
    slider, label = rate.children
    assert slider.description == "Keras rate"
    assert label.value == "= the paper's p 0.60"
    slider.value = 0.2
    assert label.value == "= the paper's p 0.80"
    assert len(other.children) == 1


def test_a_panel_leaves_a_still_picture_and_a_text_that_stays_the_same():
    of = panel()
    data, metadata = of._repr_mimebundle_()
    assert data["text/plain"] == "A panel with rate; run the notebook to use it."
    assert base64.b64decode(data["image/png"]) == of.picture
    assert "application/vnd.jupyter.widget-view+json" in data
    assert metadata["image/png"] == {"alt": of.sentence}


def test_a_panel_without_controls_is_refused():
    with pytest.raises(ValueError, match="controls must hold at least one, received none"):
        widgets.Panel(draw, {})


def test_a_rate_slider_steps_by_a_twentieth_up_to_its_maximum():
    slider = widgets.rate_slider(0.4, name="rate, input", maximum=0.8, live=True)
    assert (slider.value, slider.min, slider.max, slider.step) == (0.4, 0, 0.8, 0.05)
    assert (slider.description, slider.readout_format) == ("rate, input", ".2f")
    assert slider.continuous_update
    assert not widgets.rate_slider().continuous_update


@pytest.mark.parametrize("rates", [{"maximum": 1}, {"value": 0.95}])
def test_a_rate_slider_refuses_a_rate_outside_its_range(rates):
    with pytest.raises(ValueError, match=r"must satisfy .* received"):
        widgets.rate_slider(**rates)


def test_a_slider_is_of_whole_numbers_if_its_step_is_one_and_starts_inside_its_ends():
    whole, real = widgets.slider("n", 2, 1, 3, 1), widgets.slider("x", 2, 1, 3, 0.5, live=True)
    assert [type(one).__name__ for one in (whole, real)] == ["IntSlider", "FloatSlider"]
    assert (real.value, real.min, real.max, real.step, real.description) == (2, 1, 3, 0.5, "x")
    assert [one.continuous_update for one in (whole, real)] == [False, True]
    for outside in (0, 4):
        with pytest.raises(ValueError, match=f"1 <= value <= 3, received {outside}"):
            widgets.slider("n", outside, 1, 3, 1)


def test_a_choice_offers_names_or_names_for_values_even_none():
    assert widgets.choice("kind", {"one": 1, "two": 2}, 2).label == "two"
    assert widgets.choice("kind", ["a", "b"]).value == "a"
    assert widgets.choice("shape", {"all": None, "one": 1}).label == "all"
    assert widgets.choice("kind", ["a"]).description == "kind"


def guess():
    widgets.Prediction._said.clear()
    return widgets.predict("Which ends <lower>?", ["dropout", "no dropout"])


def test_a_prediction_shows_its_question_and_says_what_was_pressed():
    of = guess()
    question, buttons, readout = of.children
    assert (question.value, readout.value) == ("Which ends &lt;lower&gt;?", "")
    assert (buttons.options, buttons.value) == (("dropout", "no dropout"), None)
    assert list(buttons.tooltips) == ["Which ends <lower>?"] * 2
    buttons.value = "no dropout"
    assert readout.value == '<div role="status" aria-live="polite">You say: no dropout.</div>'


def test_a_prediction_is_set_beside_what_was_measured_and_the_line_follows_it():
    of = guess()
    line = of.compare("dropout")
    assert line.words == line.children[0].value == "No prediction made. Measured: dropout."
    for pressed in ("no dropout", "dropout"):
        of.buttons.value = pressed
        assert line.words == f"You said: {pressed}. Measured: dropout."
        assert line.words in line.children[0].value
    assert 'role="status"' in line.children[0].value
    with pytest.raises(ValueError, match="measured must be one of 'dropout', 'no dropout'"):
        of.compare("both")


def test_a_prediction_leaves_words_on_a_page_without_a_kernel():
    of = guess()
    for one, words in (
        (of, "Which ends <lower>? dropout / no dropout"),
        (of.compare("dropout"), "No prediction made. Measured: dropout."),
    ):
        data, _ = one._repr_mimebundle_()
        assert data["text/plain"] == words
        assert data["text/html"] == f"<p>{words.replace('<', '&lt;').replace('>', '&gt;')}</p>"
        assert "application/vnd.jupyter.widget-view+json" in data


def test_a_prediction_survives_running_its_cell_again():
    guess().buttons.value = "dropout"
    again = widgets.predict("Which ends <lower>?", ["dropout", "no dropout"])
    assert again.buttons.value == "dropout"
    assert again.compare("dropout").words.startswith("You said: dropout.")
    assert widgets.predict("Another?", ["dropout", "no dropout"]).buttons.value is None
    assert widgets.predict("Which ends <lower>?", ["up", "down"]).buttons.value is None
