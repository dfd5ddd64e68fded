"""Recorded panels answer as the panel itself does, and what cannot be recorded is named."""

import io
import json

import ipywidgets
import nbformat
import numpy as np
import pytest
from PIL import Image

from helpers import plots, widgets
from helpers.authors import panels


def draw(rate, kind="a", draws=0):
    fig, ax = plots.figure(width=2, height=1)
    ax.plot([0, rate], [0, draws])
    return fig, f"rate {rate:.2f}, <{kind}>, draw {draws}"


def panel(how=draw, **options):
    controls = {
        "rate": widgets.rate_slider(0.35),
        "kind": widgets.choice("kind", {"one": "a", "two": "b"}, value="b"),
    }
    return widgets.Panel(how, controls, **options)


def labels(points):
    return [label for label, _ in points]


def test_the_grid_is_thinned_until_it_fits_and_keeps_both_ends_and_the_present_value():
    full = panels.grid(panel(), frames=38)
    assert len(full["rate"]) == 19
    assert full["kind"] == [("one", "a"), ("two", "b")]
    some = panels.grid(panel(button="Draw again"), frames=48)
    assert labels(some["rate"]) == [
        f"{v:.2f} (p {1 - v:.2f})" for v in (0, 0.25, 0.35, 0.5, 0.75, 0.9)
    ]
    assert labels(some["draws"]) == ["1", "2", "3", "4"]


def test_whole_numbers_stay_whole_and_a_text_stays_as_it_is():
    controls = {
        "units": widgets.slider("units", 4, 2, 8, 2),
        "typed": ipywidgets.Text(value="good", description="typed"),
    }
    one = widgets.Panel(lambda units, typed: draw(units, typed), controls)
    points = panels.grid(one)
    assert points["units"] == [(str(n), n) for n in (2, 4, 6, 8)]
    assert all(type(value) is int for _, value in points["units"])
    assert points["typed"] == [("good", "good")]
    shown = panels.recorded(one)
    assert [control.description for control in shown.children[:-1]] == ["units"]


def test_only_the_controls_that_are_named_move():
    of = panel(button="Draw again")
    points = panels.grid(of, only=["kind"])
    assert {name: len(values) for name, values in points.items()} == {
        "rate": 1, "kind": 2, "draws": 1
    }  # fmt: skip
    assert points["rate"][0][1] == 0.35
    shown = panels.recorded(of, only=["kind"])
    assert [control.description for control in shown.children[:-1]] == ["kind"]


def test_a_selection_slider_is_recorded_with_all_its_options():
    slider = ipywidgets.SelectionSlider(options=["once", "often"], description="each row")
    one = widgets.Panel(lambda how: draw(0.2, how), {"how": slider})
    assert panels.grid(one)["how"] == [("once", "once"), ("often", "often")]


def test_the_stacks_hold_what_the_panel_says_and_shows():
    of = panel()
    shown = panels.recorded(of, frames=14)
    rate, kind, stack = shown.children
    assert (rate.label, kind.label) == ("0.35 (p 0.65)", "two")
    assert type(kind) is ipywidgets.Dropdown
    for i, (_, value) in enumerate(panels.grid(of, 14)["rate"]):
        for j, letter in enumerate("ab"):
            frame = stack.children[i].children[j].value
            assert f"<p>rate {value:.2f}, &lt;{letter}&gt;, draw 0</p>" in frame
            assert f'alt="rate {value:.2f}, &lt;{letter}&gt;, draw 0"' in frame
    chosen = stack.children[stack.selected_index]
    assert of.sentence.split(",")[0] in chosen.children[chosen.selected_index].value


def test_a_recording_is_a_file_with_every_link_and_the_same_from_run_to_run(tmp_path):
    first, second = tmp_path / "a" / "x-panel.json", tmp_path / "b" / "x-panel.json"
    for path in (first, second):
        panels.save(panel(), path, frames=8)
    assert first.read_bytes() == second.read_bytes()
    record = json.loads(first.read_text("utf-8"))
    assert record["controls"] == ["rate", "kind"]
    assert record["sentence"] == "rate 0.35, <b>, draw 0"
    models = record["state"]["state"]
    links = [m["state"] for m in models.values() if m["model_name"] == "LinkModel"]
    stacks = [name for name, m in models.items() if m["model_name"] == "StackModel"]
    assert sorted(link["target"] for link in links) == sorted(
        [f"IPY_MODEL_{name}", "selected_index"] for name in stacks
    )
    assert record["view"]["model_id"] in models


def test_a_panel_that_cannot_be_recorded_is_named_with_its_values(tmp_path):
    def breaks(rate, kind):
        if rate > 0.8:
            raise ZeroDivisionError("no units left")
        return draw(rate, kind)

    with pytest.raises(ValueError, match=r"x-panel cannot be recorded: .*0.85.* no units left"):
        panels.save(panel(breaks), tmp_path / "x-panel.json")
    assert not list(tmp_path.iterdir())


def test_a_recording_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(panels, "LIMIT", 2000)
    with pytest.raises(ValueError, match=r"x-panel needs [\d,]+ bytes, more than 2,000"):
        panels.save(panel(), tmp_path / "x-panel.json", frames=4)


def test_a_lesson_is_run_as_far_as_its_last_panel(tmp_path, capsys):
    source = """
from helpers import plots, widgets

def draw(rate):
    fig, ax = plots.figure(width=2, height=1)
    ax.plot([0, rate])
    return fig, f"rate {rate}"

panel = widgets.Panel(draw, {"rate": widgets.rate_slider(0.3)})
panel"""
    view = nbformat.v4.new_output("display_data", {panels.VIEW: {}})
    guess = nbformat.v4.new_code_cell('guess = widgets.predict("?", ["a", "b"])\nguess')
    guess.outputs = [view]  # a widget, and no panel
    cells = [nbformat.v4.new_code_cell(source, outputs=[view]), guess]
    cells += [nbformat.v4.new_code_cell("1 / 0")]
    path = tmp_path / "notebooks" / "09_x.ipynb"
    path.parent.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    assert panels.main([str(path)]) == 0
    assert "09_x.ipynb recorded" in capsys.readouterr().out
    record = json.loads((tmp_path / "docs" / "panels" / "09_x-panel.json").read_text("utf-8"))
    assert record["sentence"] == "rate 0.3"


def test_a_picture_becomes_webp_only_where_that_halves_it():
    fig, ax = plots.figure(width=4, height=3)
    ax.plot([0, 1])
    assert panels._uri(plots.png(fig)).startswith("data:image/webp;base64,")
    noise = np.random.default_rng(0).integers(0, 256, (40, 40), dtype="uint8")
    Image.fromarray(noise).save(png := io.BytesIO(), "png")
    assert panels._uri(png.getvalue()).startswith("data:image/png;base64,")
