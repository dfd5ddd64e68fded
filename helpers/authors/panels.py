"""Record the panels of lessons for the web site, where no kernel answers a slider.

    python -m helpers.authors.panels [notebooks/08_case_circles.ipynb ...]

A panel's own code draws a picture for each point of a grid of its controls; ipywidgets' `Stack`
holds them, and a link in the page shows the one that the controls point at. What is recorded is in
docs/panels/NN_lesson-panel.json. Where a grid of all controls would be too large, tags of the
cell name those that move, "record-rate"; the others, and the button, stay as they are.
"""

import argparse
import base64
import datetime
import html
import io
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import ipywidgets as widgets
import nbformat
from ipywidgets.embed import dependency_state, embed_data
from PIL import Image

from helpers.authors.execute import each, run
from helpers.plots import png
from helpers.records import write_whole
from helpers.widgets import LABEL, Panel

ROOT = Path(__file__).parents[2]
FRAMES, LIMIT = 64, 1_500_000  # pictures of a panel, and bytes of its file
VIEW = "application/vnd.jupyter.widget-view+json"
Points = list[tuple[str, object]]


def grid(panel: Panel, frames: int = FRAMES, only: Sequence[str] = ()) -> dict[str, Points]:
    """Return the values of each control that are recorded, each with its label.

    Args:
        panel: The panel.
        only: The controls that move; by default all, and the button.
        frames: How many pictures there may be: until they fit, the longest list of values is
            thinned. The first, the last and the present value stay.
    """
    full = {name: _points(control) for name, control in panel.controls.items()}
    now = {name: control.value for name, control in panel.controls.items()}
    if panel._extra:
        full["draws"], now["draws"] = [(str(draw + 1), draw) for draw in range(4)], 0
    for name in full.keys() - only if only else ():
        full[name] = [point for point in full[name] if point[1] == now[name]]
    strides = dict.fromkeys(full, 1)
    while True:
        kept = {name: _thinned(full[name], strides[name], now[name]) for name in full}
        longest = max(kept, key=lambda name: len(kept[name]))
        if math.prod(map(len, kept.values())) <= frames or strides[longest] == len(full[longest]):
            return kept
        strides[longest] += 1


def recorded(panel: Panel, frames: int = FRAMES, only: Sequence[str] = ()) -> widgets.VBox:
    """Return controls, pictures and sentences that answer without a kernel.

    Args:
        panel: The panel, with its controls where the recording is to start.
        frames: How many pictures there may be.
        only: The controls that move; by default all, and the button.

    Raises:
        ValueError: If a picture cannot be drawn; it names the values of the controls.
    """
    points, controls = grid(panel, frames, only), []
    for name, values in points.items():
        labels, now = [label for label, _ in values], panel.controls.get(name)
        start = [value for _, value in values].index(now.value) if now else 0
        kind = widgets.Dropdown if isinstance(now, widgets.Dropdown) else widgets.SelectionSlider
        text = now.description if now else "draw"
        controls.append(kind(options=labels, index=start, description=text, style=LABEL))

    def stack(left: Sequence, chosen: dict[str, object]) -> widgets.Widget:
        if not left:
            return widgets.HTML(_frame(panel, chosen))
        (name, control), *rest = left
        inside = [stack(rest, {**chosen, name: value}) for _, value in points[name]]
        outside = widgets.Stack(inside, selected_index=control.index)
        widgets.jslink((control, "index"), (outside, "selected_index"))
        return outside

    shown = stack(list(zip(points, controls, strict=True)), {})
    return widgets.VBox([*(c for c in controls if len(c.options) > 1), shown])


def save(panel: Panel, path: Path, frames: int = FRAMES, only: Sequence[str] = ()) -> None:
    """Record a panel in a file: its date, its first picture and sentence, and the widgets' state.

    Raises:
        ValueError: If a picture cannot be drawn, or the file would be too large.
    """
    try:
        data = embed_data([view := recorded(panel, frames, only)], True, dependency_state([view]))
    except ValueError as error:
        raise ValueError(f"{path.stem} cannot be recorded: {error}") from error
    record = {
        "date": f"{datetime.date.today():%Y-%m-%d}",
        "controls": list(panel.controls),
        "sentence": panel.sentence,
        "picture": _uri(panel.picture),
        "view": data["view_specs"][0],
        "state": data["manager_state"],
    }
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    for number, model in enumerate(record["state"]["state"]):
        text = text.replace(model, f"{path.stem}-{number:x}")  # the same from run to run
    if len(text.encode()) > LIMIT:
        raise ValueError(f"{path.stem} needs {len(text.encode()):,} bytes, more than {LIMIT:,}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, f"{text}\n".encode())


def names(notebook: nbformat.NotebookNode) -> Iterator[tuple[int, str]]:
    """Yield the cells that show a panel, and the variable that holds it."""
    for number, cell in enumerate(notebook.cells):
        shown = cell.source.splitlines()[-1:]  # predictions are widgets, too
        views = any(VIEW in output.get("data", {}) for output in cell.get("outputs", []))
        if views and "panel" in shown[0]:
            yield number, shown[0].strip()


def record(path: Path) -> None:
    """Run a lesson as far as its last panel, and record each of them."""
    notebook = nbformat.read(path, as_version=4)
    found = dict(names(notebook))
    cells = notebook.cells[: max(found, default=-1) + 1]
    for number, variable in reversed(found.items()):
        tags = cells[number].metadata.get("tags", [])
        only = [tag.removeprefix("record-") for tag in tags if tag.startswith("record-")]
        file = path.resolve().parents[1] / "docs" / "panels" / f"{path.stem}-{variable}.json"
        code = (
            "import pathlib; from helpers.authors import panels\n"
            f"panels.save({variable}, pathlib.Path({str(file)!r}), only={only})"
        )
        cells.insert(number + 1, nbformat.v4.new_code_cell(code))
    notebook.cells = cells
    run(notebook, path.parent, timeout=None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path)
    chosen = parser.parse_args(arguments).notebooks
    return each(chosen or sorted((ROOT / "notebooks").glob("*.ipynb")), record, "recorded")


def _points(control: widgets.Widget) -> Points:
    """Return all values of a control with their labels; of a text, the one that it has."""
    if hasattr(control, "options"):
        return list(zip(control._options_labels, control._options_values, strict=True))
    if not hasattr(control, "step"):
        return [(str(control.value), control.value)]
    steps = round((control.max - control.min) / control.step)
    number = type(control.value)
    values = [number(round(control.min + i * control.step, 6)) for i in range(steps + 1)]
    if hasattr(control, "paper"):
        return [(f"{value:.2f} (p {1 - value:.2f})", value) for value in values]
    return [(f"{value:g}", value) for value in values]


def _thinned(points: Points, stride: int, now: object) -> Points:
    """Keep every so manieth point, the last one, and the present value."""
    last = len(points) - 1
    return [p for i, p in enumerate(points) if i % stride == 0 or i == last or p[1] == now]


def _frame(panel: Panel, chosen: dict[str, object]) -> str:
    """Draw one picture, as the panel does, and return it with its sentence as HTML."""
    try:
        figure, sentence = panel._draw(**chosen)
        text, source = html.escape(sentence), _uri(png(figure))
    except Exception as error:
        raise ValueError(f"{chosen} gives {type(error).__name__}: {error}") from error
    return f'<p>{text}</p><img alt="{text}" src="{source}">'


def _uri(picture: bytes) -> str:
    """Return a PNG as a data address: in 128 colours as WebP, where that halves its size."""
    image = Image.open(io.BytesIO(picture)).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    image.convert("RGB").save(webp := io.BytesIO(), "webp", lossless=True)
    kind = "webp" if len(webp.getvalue()) <= len(picture) / 2 else "png"
    data = webp.getvalue() if kind == "webp" else picture
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


if __name__ == "__main__":
    sys.exit(main())
