"""Panels: controls, a picture, and a sentence that says what the picture shows.

A panel has no Output widget: its picture is replaced in place, so that it neither flickers nor
leaks output into the cell, and the notebook keeps a still picture for readers without a kernel.
"""

import base64
import html
import numbers
from collections.abc import Callable, Mapping, Sequence

import ipywidgets as widgets
from matplotlib.figure import Figure
from traitlets import TraitError

from helpers import plots
from helpers.checks import (
    LARGEST_COUNT,
    check_count,
    check_flag,
    check_number,
    check_rate,
    check_sequence,
    check_type,
    shown,
)
from helpers.masks import keep_prob_of_rate

CONTROL_WIDTH = "420px"
LABEL = {"description_width": "150px"}


def rate_slider(
    value: float = 0.5, *, name: str = "Keras rate", maximum: float = 0.9, live: bool = False
) -> widgets.FloatSlider:
    """Return a slider for a rate; a panel writes the paper's p beside it.

    Args:
        value: Where it starts, 0 <= value <= maximum.
        name: Its label.
        maximum: The largest rate offered, below 1.
        live: Whether to answer while it moves; for pictures that take less than about 50 ms.

    Returns:
        The slider, in steps of 0.05.

    Raises:
        TypeError: If a rate is not a number, or another argument is of another kind.
        ValueError: If a rate is outside [0, 1), or the value above the maximum.

    Example:
        >>> rate_slider(0.4).value
        0.4
    """
    maximum, value = check_rate(maximum, "maximum"), check_rate(value, "value")
    if value > maximum:
        raise ValueError(f"value must be at most the maximum, {maximum}, received {value}")
    slider = widgets.FloatSlider(
        value=value,
        min=0,
        max=maximum,
        step=0.05,
        description=check_type(name, "name", str),
        readout_format=".2f",
        continuous_update=check_flag(live, "live"),
        style=LABEL,
        layout={"width": CONTROL_WIDTH},
    )
    slider.paper = True
    return slider


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
        live: Whether to answer while it moves; for pictures that take less than about 50 ms.

    Returns:
        The slider.

    Raises:
        TypeError: If an argument is of another kind; with a step that is a whole number, so are
            the others.
        ValueError: If a number is not finite, the step not above 0, or the value outside.

    Example:
        >>> slider("units", 4, 1, 8, 1).value
        4
    """
    whole = isinstance(step, numbers.Integral)
    step = check_count(step, "step") if whole else check_number(step, "step", above=0)
    value, minimum, maximum = (
        check_count(number, which, -LARGEST_COUNT) if whole else check_number(number, which)
        for number, which in ((value, "value"), (minimum, "minimum"), (maximum, "maximum"))
    )
    if not minimum <= value <= maximum:
        raise ValueError(
            f"value must lie between minimum and maximum, received {value}, {minimum}, {maximum}"
        )
    kind = widgets.IntSlider if whole else widgets.FloatSlider
    return kind(
        value=value,
        min=minimum,
        max=maximum,
        step=step,
        description=check_type(name, "name", str),
        continuous_update=check_flag(live, "live"),
        style=LABEL,
        layout={"width": CONTROL_WIDTH},
    )


def choice(
    name: str, options: Mapping[str, object] | Sequence, value: object = None
) -> widgets.Widget:
    """Return a drop-down list.

    Args:
        name: Its label.
        options: What can be picked: names, or names with the values that they stand for.
        value: What is picked at first; the first option when omitted.

    Returns:
        The drop-down list.

    Raises:
        TypeError: If `name` is not a string, or `options` neither a mapping nor a sequence.
        ValueError: If there are no options, or the value is not one of them.

    Example:
        >>> choice("kind", ["LSTM", "GRU"]).value
        'LSTM'
    """
    check_type(name, "name", str)
    if isinstance(options, Mapping):
        options = [(check_type(k, "each name in options", str), v) for k, v in options.items()]
    options = check_sequence(options, "options")
    # by index, because None may itself be one of the values
    picked = {"index": 0} if value is None else {"value": value}
    look = {"style": LABEL, "layout": {"width": CONTROL_WIDTH}}
    try:
        return widgets.Dropdown(options=options, description=name, **look, **picked)
    except (TraitError, TypeError, ValueError):
        raise ValueError(
            f"options must be names, or names with values, and value one of them; received "
            f"{shown(options)} and {shown(value)}"
        ) from None


class Panel(widgets.VBox):
    """Controls, a picture and a sentence; the picture follows the controls.

    Args:
        draw: Called with the value of each control by name, and `draws` = how often the button was
            pressed when there is one. Returns a figure and the sentence that says what it shows.
        controls: Name of an argument of `draw` to its widget.
        button: Label of a button that calls `draw` again with `draws` one higher; no button when
            omitted.

    Raises:
        TypeError: If an argument is of another kind, or `draw` returns something else.
        ValueError: If there are no controls.

    Example:
        >>> def draw(rate):
        ...     return plots.figure()[0], f"rate {rate}"
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
        check_type(draw, "draw", Callable)
        if not check_type(controls, "controls", Mapping):
            raise ValueError("controls must hold at least one, received none")
        for argument, control in controls.items():
            check_type(argument, "each name in controls", str)
            if not isinstance(control, widgets.Widget) or not control.has_trait("value"):
                raise TypeError(
                    f"controls[{argument!r}] must be a widget with a value, received "
                    f"{shown(control)}"
                )
        if button is not None:
            check_type(button, "button", str)
        self.controls = dict(controls)
        self.sentence = ""
        self.picture = b""
        self._draw = draw
        self._draws = 0 if button else None
        self._image = widgets.HTML()
        self._readout = widgets.HTML()
        rows = []
        for control in self.controls.values():
            row = [control]
            if getattr(control, "paper", False):
                row.append(_keep_prob_label(control))
            rows.append(widgets.HBox(row))
            control.observe(self._on_change, names="value")
        if button:
            self.button = widgets.Button(description=button, layout={"width": "200px"})
            self.button.on_click(self._on_click)
            rows.append(self.button)
        super().__init__([*rows, self._readout, self._image])
        self.redraw()

    def redraw(self) -> None:
        """Draw again with the controls as they stand.

        Raises:
            TypeError: If `draw` does not return a figure and a sentence.

        Example:
            >>> draw = lambda n: (plots.figure()[0], f"n is {n}")
            >>> panel = Panel(draw, {"n": slider("n", 2, 1, 3, 1)})
            >>> panel.redraw()
            >>> panel.sentence
            'n is 2'
        """
        values = {name: control.value for name, control in self.controls.items()}
        if self._draws is not None:
            values["draws"] = self._draws
        match self._draw(**values):
            case (Figure() as fig, str() as sentence):
                self.sentence = sentence
            case other:
                raise TypeError(
                    f"draw must return a figure and a sentence, received {shown(other)}"
                )
        width = int(fig.get_size_inches()[0] * plots.DPI)
        self.picture = plots.png(fig)
        text = html.escape(self.sentence)
        data = base64.b64encode(self.picture).decode()
        self._readout.value = f'<div role="status" aria-live="polite">{text}</div>'
        self._image.value = (
            f'<img alt="{text}" style="width:{width}px;max-width:100%" '
            f'src="data:image/png;base64,{data}">'
        )

    def _on_change(self, _change: dict) -> None:
        self.redraw()

    def _on_click(self, _button: widgets.Button) -> None:
        self._draws += 1
        self.redraw()

    def _repr_mimebundle_(self, **options):
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        # the widget's own text holds numbers that differ from machine to machine
        data["text/plain"] = f"A panel with {', '.join(self.controls)}; run the notebook to use it."
        data["image/png"] = base64.b64encode(self.picture).decode()
        return data, {**metadata, "image/png": {"alt": self.sentence}}


def _keep_prob_label(slider: widgets.FloatSlider) -> widgets.HTML:
    label = widgets.HTML()

    def follow(_change=None):
        label.value = f"= the paper's p {keep_prob_of_rate(slider.value):.2f}"

    slider.observe(follow, names="value")
    follow()
    return label
