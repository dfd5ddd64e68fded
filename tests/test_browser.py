"""Lessons in JupyterLab in a real browser: run all cells, move the slider, see it answer."""

import os
import re

import lab
import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.skipif(
    lab.BROWSER is None and "CI" not in os.environ, reason="needs Chromium or Chrome on the PATH"
)
LESSONS = ["02_rate_or_p", "08_case_circles"]
SOLUTIONS = {"02.1": "1 - 0.9", "08.1": "1 / 70"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with lab.server(tmp_path_factory.mktemp("course")) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with lab.browser() as chromium:
        yield chromium


@pytest.fixture(scope="module", params=LESSONS)
def lesson(server, browser, request):
    opened = lab.open_lesson(browser, *server, request.param)
    yield opened
    opened.close()


def test_all_cells_run_without_an_error(lesson):
    assert lesson.state()["errors"] == []


def test_a_slider_moved_by_keyboard_changes_picture_and_readout(lesson):
    page = lesson.page
    readout, picture = page.locator("[role=status]").first, page.locator("img[alt]").first
    before = readout.inner_text(), picture.get_attribute("src"), picture.get_attribute("alt")
    handle = page.get_by_role("slider", name="Keras rate").first
    rate = handle.get_attribute("aria-valuetext")
    assert re.fullmatch(r"0\.\d\d = the paper's p 0\.\d\d", rate)
    handle.focus()
    handle.press("ArrowLeft")
    # the picture comes after the text
    page.wait_for_function(
        "source => document.querySelector('img[alt]').src !== source",
        arg=before[1], timeout=60_000,
    )  # fmt: skip
    after = readout.inner_text(), picture.get_attribute("src"), picture.get_attribute("alt")
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert re.search(r"\d", after[0])
    assert page.locator("text=the paper's p 0.").count() >= 1
    assert handle.get_attribute("aria-valuetext") != rate


def test_an_exercise_answered_by_keyboard_gets_its_verdict_on_the_page(lesson):
    page, press = lesson.page, lesson.page.keyboard.press
    expect.set_options(timeout=120_000)
    cell = page.locator(".jp-CodeCell", has_text="exercises.check(").first
    folded = page.locator(".jp-MarkdownCell", has=page.locator("summary")).first
    editor, said = cell.locator(".cm-content"), cell.locator(".jp-OutputArea-output")
    key = re.search(r"\d\d\.1", editor.inner_text())[0]
    expect(said).to_have_text(re.compile("^Not answered yet: "))
    editor.focus()
    press("Escape")
    for answer, verdict in (("36", r"^Not yet\. \w"), (SOLUTIONS[key], r"^Right\.")):
        expect(cell).to_be_focused()
        press("Enter")
        expect(editor).to_be_focused()
        press("Control+Home")
        press("Shift+End")
        page.keyboard.type(f"answer = {answer}")
        expect(editor).to_contain_text(f"answer = {answer}")
        press("Shift+Enter")
        expect(said).to_have_text(re.compile(verdict))
        # the next cell takes the focus, maybe after the verdict
        expect(folded).to_be_focused()
        press("ArrowUp")


def test_fast_dragging_leaves_no_backlog_no_error_and_no_memory(lesson):
    done = lab.drag(lesson, seconds=8)
    assert done.problems == []
    # one was under way, and then at most the last two values
    assert done.late <= 3
    assert 2 <= done.drawn <= done.sent <= done.moves
    assert done.figures == 0
    assert max(done.memory) < done.memory[0] + 150
