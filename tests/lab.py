"""JupyterLab in a browser, as a reader drives it: open a lesson, run it, drag its slider."""

import contextlib
import random
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
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
# every message between page and kernel passes here
WATCH = f"""() => {{
  window.seen = {{sent: 0, stderr: []}};
  {NOTEBOOK}.sessionContext.session.kernel.anyMessage.connect((_, {{msg, direction}}) => {{
    if (direction === 'send' && msg.header.msg_type === 'comm_msg') window.seen.sent += 1;
    if (msg.header.msg_type === 'stream' && msg.content.name === 'stderr')
      window.seen.stderr.push(msg.content.text);
  }});
  window.seen.drawn = 0;
  const readout = document.querySelector('[role=status]').closest('.jupyter-widgets');
  new MutationObserver(() => window.seen.drawn += 1)
    .observe(readout, {{childList: true, subtree: true}});
}}"""
ASK = f"""async code => {{
  const future = {NOTEBOOK}.sessionContext.session.kernel.requestExecute({{code}});
  let text = '';
  future.onIOPub = msg => {{ text += msg.content.text ?? msg.content.evalue ?? ''; }};
  await future.done;
  return text.trim();
}}"""


@contextlib.contextmanager
def server(course: Path) -> Iterator[tuple[str, str]]:
    """A JupyterLab on a copy of the course, with its token on: its address and the token."""
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
        process = subprocess.Popen(command, stdout=log, stderr=log)
    base = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{base}/api", timeout=2)
                break
            except (urllib.error.URLError, OSError):
                assert process.poll() is None, (course / "lab.log").read_text()
                time.sleep(0.5)
        yield base, token
    finally:
        process.terminate()
        process.wait(120)


@contextlib.contextmanager
def browser() -> Iterator:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@dataclass
class Lesson:
    """A lesson that was opened and run; `complaints` is what the console and the page said."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def state(self) -> dict:
        return self.page.evaluate(STATE)

    def ask(self, code: str) -> str:
        """What the kernel prints, or what it raises."""
        return self.page.evaluate(ASK, code)

    def sentence(self) -> str:
        return self.page.locator("[role=status]").first.inner_text()

    def close(self) -> None:
        self.page.evaluate(f"() => {NOTEBOOK}.sessionContext.shutdown()")
        self.page.close()


def open_lesson(chromium, base: str, token: str, name: str) -> Lesson:
    page = chromium.new_page(viewport={"width": 1280, "height": 1400})
    lesson = Lesson(page)
    page.goto(f"{base}/lab/tree/notebooks/{name}.ipynb?reset&token={token}")
    page.wait_for_function(
        f"() => window.jupyterapp && {NOTEBOOK}?.sessionContext?.session?.kernel?.status === 'idle'",
        timeout=120_000,
    )
    page.on("console", lambda m: lesson.complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: lesson.complaints.append(str(error)))
    page.evaluate(
        f"() => {{ const c = {NOTEBOOK}.content;"
        " c.notebookConfig = {...c.notebookConfig, windowingMode: 'none'};"
        " window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
    )
    page.wait_for_function(
        f"() => {{ const s = ({STATE})(); return s.errors.length || "
        "(s.unrun === 0 && s.status === 'idle'); }",
        timeout=600_000,
    )
    return lesson


def kernel_mb(lesson: Lesson) -> float:
    """Resident memory of the kernel."""
    kernel = lesson.page.evaluate(f"() => {NOTEBOOK}.sessionContext.session.kernel.id")
    (process,) = (
        p for p in psutil.process_iter(["cmdline"]) if kernel in " ".join(p.info["cmdline"] or [])
    )
    return process.memory_info().rss / 1e6


@dataclass
class Dragged:
    """What dragging did: every release of the handle is a move."""

    moves: int = 0
    sent: int = 0
    drawn: int = 0
    late: int = 0  # pictures that came after the last release
    settled: float = 0.0  # seconds until the last of them
    figures: int = 0  # left open in the kernel
    memory: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def _wait_for_zero(lesson: Lesson) -> None:
    """Until the kernel has the value 0, and the page what the kernel says of it."""
    code = "print(panel.controls['rate'].value, panel.sentence)"
    for _ in range(600):
        if lesson.ask(code) == f"0.0 {lesson.sentence()}":
            return
        time.sleep(0.1)
    raise AssertionError(f"{lesson.ask(code)!r} in the kernel, {lesson.sentence()!r} on the page")


def drag(lesson: Lesson, seconds: float, every: float = 10) -> Dragged:
    """Drag the slider of the rate back and forth, and end at 0 when its picture is there."""
    page, done, rng = lesson.page, Dragged(), random.Random(0)
    page.evaluate(WATCH)
    complaints = len(lesson.complaints)
    slider, handle = page.locator(".noUi-base").first, page.locator(".noUi-handle").first
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2

    def move(share: float) -> None:
        at = handle.bounding_box()
        page.mouse.move(at["x"] + at["width"] / 2, middle)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * share, middle, steps=6)
        page.mouse.up()
        done.moves += 1

    due = time.monotonic()
    end = due + seconds
    while (now := time.monotonic()) < end:
        if now >= due:
            done.memory.append(kernel_mb(lesson))
            due += every
        move(rng.random())
    move(1)
    move(0)
    released, before = time.monotonic(), page.evaluate("window.seen.drawn")
    _wait_for_zero(lesson)
    done.settled = time.monotonic() - released
    page.wait_for_function(f"() => ({STATE})().status === 'idle'", timeout=60_000)
    _wait_for_zero(lesson)
    for _ in range(600):
        # a last picture may still be under way: widgets are answered in a thread of their own
        code = "import matplotlib.pyplot; print(len(matplotlib.pyplot.get_fignums()))"
        done.figures = int(lesson.ask(code))
        if not done.figures:
            break
        time.sleep(0.1)
    done.memory.append(kernel_mb(lesson))
    seen = page.evaluate("() => window.seen")
    done.sent, done.drawn, done.late = seen["sent"], seen["drawn"], seen["drawn"] - before
    done.problems = seen["stderr"] + lesson.complaints[complaints:] + lesson.state()["errors"]
    return done
