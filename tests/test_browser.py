"""Lessons in JupyterLab in a real browser: run all cells, move the slider by keyboard, see it answer."""

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(
    BROWSER is None and "CI" not in os.environ, reason="needs Chromium or Chrome on the PATH"
)
LESSONS = ["01_what_dropout_does", "06_case_circles"]
NOTEBOOK = "window.jupyterapp.shell.currentWidget"
STATE = f"""() => {{
  const cells = {NOTEBOOK}.content.widgets.filter(c => c.model.type === 'code');
  const outputs = cells.flatMap(c => c.model.outputs.toJSON());
  return {{
    errors: outputs.filter(o => o.output_type === 'error').map(o => o.evalue),
    unrun: cells.filter(c => c.model.executionCount === null).length,
    status: {NOTEBOOK}.sessionContext.session?.kernel?.status,
  }};
}}"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab on a copy of the course, with its token on."""
    course = tmp_path_factory.mktemp("course")
    shutil.copytree(ROOT / "notebooks", course / "notebooks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
        f"--port={port}", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={course}",
        "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    with (course / "lab.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    base = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{base}/api", timeout=2)
                break
            except (urllib.error.URLError, OSError):
                assert server.poll() is None, (course / "lab.log").read_text()
                time.sleep(0.5)
        yield base, token
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_slider_moved_by_keyboard_changes_picture_and_readout(lab, browser, lesson):
    base, token = lab
    page = browser.new_page(viewport={"width": 1280, "height": 1400})
    page.goto(f"{base}/lab/tree/notebooks/{lesson}.ipynb?reset&token={token}")
    page.wait_for_function(
        f"() => window.jupyterapp && {NOTEBOOK}?.sessionContext?.session?.kernel?.status === 'idle'",
        timeout=120_000,
    )
    page.evaluate(
        f"() => {{ const c = {NOTEBOOK}.content;"
        " c.notebookConfig = {...c.notebookConfig, windowingMode: 'none'};"
        " window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
    )
    page.wait_for_function(
        f"() => {{ const s = ({STATE})(); return s.errors.length || "
        "(s.unrun === 0 && s.status === 'idle'); }",
        timeout=300_000,
    )
    assert page.evaluate(STATE)["errors"] == []

    readout, picture = page.locator("[role=status]").first, page.locator("img[alt]").first
    before = readout.inner_text(), picture.get_attribute("src"), picture.get_attribute("alt")
    handle = page.locator(".noUi-handle").first
    handle.focus()
    handle.press("ArrowLeft")
    page.wait_for_function(
        "text => document.querySelector('[role=status]').innerText !== text",
        arg=before[0], timeout=30_000,
    )  # fmt: skip
    after = readout.inner_text(), picture.get_attribute("src"), picture.get_attribute("alt")
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert re.search(r"\d", after[0])
    assert page.locator("text=the paper's p 0.").count() >= 1
    page.evaluate(f"() => {NOTEBOOK}.sessionContext.shutdown()")
    page.close()
