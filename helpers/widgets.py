"""Panels: controls, a picture, and a sentence that says what the picture shows.

A panel has no Output widget: its picture is replaced in place, so that it neither flickers nor
leaks output into the cell, and the notebook keeps a still picture for readers without a kernel.
"""

import base64
import html
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import anywidget
import ipywidgets as widgets
from matplotlib.figure import Figure

from helpers import plots
from helpers._engine.checks import check_choice, check_rate
from helpers.masks import keep_prob_of_rate

LABEL = {"description_width": "150px"}
_NAMES = Path(__file__).with_name("slider_names.js").read_text("utf-8")
_LOOK = {"style": LABEL, "layout": {"width": "420px"}}


def rate_slider(
    value: float = 0.5, *, name: str = "Keras rate", maximum: float = 0.9, live: bool = False
) -> widgets.FloatSlider:
    """Return a slider for a rate in steps of 0.05; a panel writes the paper's p beside it.

    Args:
        value: Where it starts, 0 <= value <= maximum.
        name: Its label.
        maximum: The largest rate offered, below 1.
        live: Whether to answer while it moves; for pictures that take less than about 50 ms.

    Example:
        >>> rate_slider(0.4).value
        0.4
    """
    value, maximum = check_rate(value, "value"), check_rate(maximum, "maximum")
    rates = slider(name, value, 0.0, maximum, 0.05, live=live)
    rates.readout_format, rates.paper = ".2f", True
    return rates


def slider(
    name: str, value: float, minimum: float, maximum: float, step: float, *, live: bool = False
) -> widgets.Widget:
    """Return a slider for any other quantity.

    Args:
        name: Its label, with the unit.
        value: Where it starts.
        minimum: Its left end.
        maximum: Its right end.
        step: Its step; a whole number makes a slider of whole numbers.
        live: As for `rate_slider`.

    Example:
        >>> slider("units", 4, 1, 8, 1).value
        4
    """
    if not minimum <= value <= maximum:  # ipywidgets would move it there without a word
        raise ValueError(f"value must satisfy {minimum} <= value <= {maximum}, received {value}")
    kind = widgets.IntSlider if isinstance(step, int) else widgets.FloatSlider
    numbers = {"value": value, "min": minimum, "max": maximum, "step": step}
    return kind(description=name, continuous_update=live, **numbers, **_LOOK)


def choice(
    name: str, options: Mapping[str, object] | Sequence, value: object = None
) -> widgets.Dropdown:
    """Return a drop-down list.

    Args:
        name: Its label.
        options: What can be picked: names, or names with the values that they stand for.
        value: What is picked at first; the first option when omitted.

    Example:
        >>> choice("kind", ["LSTM", "GRU"]).value
        'LSTM'
    """
    options = list(options.items() if isinstance(options, Mapping) else options)
    # by index, because None may itself be one of the values
    picked = {"index": 0} if value is None else {"value": value}
    return widgets.Dropdown(options=options, description=name, **picked, **_LOOK)


class Panel(widgets.VBox):
    """Controls, a picture and a sentence; the picture follows the controls.

    Args:
        draw: Called with the value of each control by name, and `draws` = how often the button was
            pressed when there is one. Returns a figure and the sentence that says what it shows.
            If it fails, the sentence says so and why, and the picture goes.
        controls: Name of an argument of `draw` to its widget.
        button: Label of a button that calls `draw` again with `draws` one higher; no button when
            omitted.

    Example:
        >>> def draw(rate):
        ...     fig, ax = plots.figure()
        ...     ax.plot([0, 1], [0, rate])
        ...     return fig, f"rate {rate}"
        >>> panel = Panel(draw, {"rate": rate_slider(0.5)})
        >>> panel.controls["rate"].value = 0.2
        >>> panel.sentence
        'rate 0.2'
    """

    def __init__(
        self,
        draw: Callable[..., tuple[Figure, str]],
        controls: Mapping[str, widgets.Widget],
        *,
        button: str | None = None,
    ):
        if not controls:
            raise ValueError("controls must hold at least one, received none")
        self.controls = dict(controls)
        self.sentence, self.picture = "", b""
        self._draw, self._extra = draw, {"draws": 0} if button else {}
        self._image, self._readout = widgets.HTML(), widgets.HTML()
        rows = []
        for control in self.controls.values():
            beside = [_keep_prob_label(control)] if hasattr(control, "paper") else []
            rows.append(widgets.HBox([control, *beside]))
            control.observe(lambda _: self.redraw(), names="value")
        if button:
            self.button = widgets.Button(description=button, layout={"width": "200px"})
            self.button.on_click(self._on_click)
            rows.append(self.button)
        super().__init__([*rows, _SliderNames(), self._readout, self._image])
        self.redraw()

    def redraw(self) -> None:
        """Draw again with the controls as they stand."""
        values = {name: control.value for name, control in self.controls.items()}
        try:
            fig, sentence = self._draw(**values, **self._extra)
            self._say(sentence, plots.png(fig), int(fig.get_figwidth() * fig.dpi))
        except BaseException as error:
            # the old picture would pass for that of the new values
            self._say("This failed: " + traceback.format_exception_only(error)[-1].strip())
            raise

    def _say(self, sentence: str, picture: bytes = b"", width: int = 0) -> None:
        """Show a sentence above its picture, or above none."""
        self.sentence, self.picture = sentence, picture
        text, data = html.escape(sentence), base64.b64encode(picture).decode()
        self._readout.value = _status(sentence)
        style = f"width:{width}px;max-width:100%"
        image = f'<img alt="{text}" style="{style}" src="data:image/png;base64,{data}">'
        self._image.value = image if picture else ""

    def _on_click(self, _button: widgets.Button) -> None:
        self._extra["draws"] += 1
        self.redraw()

    def _repr_mimebundle_(self, **options):
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        # the widget's own text holds numbers that differ from machine to machine
        data["text/plain"] = f"A panel with {', '.join(self.controls)}; run the notebook to use it."
        if self.picture:
            data["image/png"] = base64.b64encode(self.picture).decode()
        return data, {**metadata, "image/png": {"alt": self.sentence}}


class _SliderNames(anywidget.AnyWidget):
    """Nothing to see: names the sliders beside it for those who do not see them."""

    _esm = (
        _NAMES
        + """
export default { render({ el }) {
  el.style.display = "none";
  let stop, next = requestAnimationFrame(function wait() {
    const panel = el.closest(".widget-vbox");
    if (panel) stop = nameSliders(panel);
    else next = requestAnimationFrame(wait);
  });
  return () => { cancelAnimationFrame(next); stop?.(); };
} };"""
    )


def _keep_prob_label(slider: widgets.FloatSlider) -> widgets.HTML:
    """Return a label that follows a slider's rate in the paper's words."""
    label = widgets.HTML()

    def follow(_change=None):
        label.value = f"= the paper's p {keep_prob_of_rate(slider.value):.2f}"

    slider.observe(follow, names="value")
    follow()
    return label


class _Words(widgets.VBox):
    """A widget with words that stand in for it where there is no kernel."""

    words = ""

    def _repr_mimebundle_(self, **options):
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        data["text/plain"], data["text/html"] = self.words, f"<p>{html.escape(self.words)}</p>"
        return data, metadata


class Prediction(_Words):
    """A question with a row of choices to press; `predict` makes one.

    Args:
        question: What the reader commits to.
        choices: The possible answers, two or more.
    """

    _said: ClassVar[dict[str, str]] = {}  # by question: a cell that is run again keeps its answer

    def __init__(self, question: str, choices: Sequence[str]):
        self.question, self.choices = question, list(choices)
        self.words = f"{question} {' / '.join(self.choices)}"
        asked = [question] * len(self.choices)  # read out with each button
        look = {"style": {"button_width": "auto"}, "tooltips": asked}
        self.buttons = widgets.ToggleButtons(options=self.choices, value=None, **look)
        self.buttons.observe(self._note, names="value")
        self._readout = widgets.HTML()
        super().__init__([widgets.HTML(html.escape(question)), self.buttons, self._readout])
        if self._said.get(question) in self.choices:
            self.buttons.value = self._said[question]

    def compare(self, measured: str) -> widgets.Widget:
        """Return a line that sets the reader's choice beside the measured one, and follows it.

        Args:
            measured: Which of the choices it turned out to be.

        Raises:
            ValueError: If it is none of the choices.
        """
        check_choice(measured, "measured", self.choices)
        line, text = _Words(), widgets.HTML()
        line.children = [text]

        def follow(_change=None):
            said = self.buttons.value
            line.words = f"You said: {said}. " if said else "No prediction made. "
            line.words += f"Measured: {measured}."
            text.value = _status(line.words) if said else html.escape(line.words)

        self.buttons.observe(follow, names="value")
        follow()
        return line

    def _note(self, change: Mapping) -> None:
        self._said[self.question] = change["new"]
        self._readout.value = _status(f"You say: {change['new']}.")


def predict(question: str, choices: Sequence[str]) -> Prediction:
    """Return a row of buttons by which the reader commits to an answer before the experiment.

    Args:
        question: What to commit to.
        choices: The possible answers, two or more.

    Example:
        >>> guess = predict("Which ends lower?", ["dropout", "no dropout"])
        >>> guess.buttons.value = "no dropout"  # or press it
        >>> guess.compare("dropout").words
        'You said: no dropout. Measured: dropout.'
    """
    return Prediction(question, choices)


def _status(text: str) -> str:
    """Return a line that a screen reader says when it changes."""
    return f'<div role="status" aria-live="polite">{html.escape(text)}</div>'
