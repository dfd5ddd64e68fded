"""The course as a web site: built once, and read in a browser that reaches nothing else."""

import contextlib
import functools
import html.parser
import http.server
import itertools
import json
import os
import re
import subprocess
import sys
import threading
import urllib.parse
from pathlib import Path

import lab
import nbformat
import pytest

sphinx = pytest.importorskip("sphinx", reason="the site needs requirements-dev.txt")

ROOT = Path(__file__).parents[1]
LESSONS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
PANELS = sorted(path.stem for path in (ROOT / "docs" / "panels").glob("*.json"))
COMPUTED = {  # panels that compute in the page, on a page that shows them
    "01_what_dropout_does-panel": "notebooks/01_what_dropout_does",
    "08_case_circles-panel": "index",
}
PAGES = [*sorted(path.stem for path in (ROOT / "docs").glob("*.md")), "search"]
PAGES += [f"notebooks/{lesson}" for lesson in LESSONS]
AXE = ROOT / "docs" / ".assets" / "axe-core" / "axe.min.js"
SERIOUS = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
  .filter(v => ['serious', 'critical'].includes(v.impact))
  .map(v => v.id + ': ' + v.nodes.map(n => n.target.join(' ')).slice(0, 3).join(' | '))"""


def build(folder, **environment):
    """Build the site there, and return what Sphinx said."""
    command = [sys.executable, "-m", "sphinx", "-q", "-d", f"{folder}-notes", "docs", folder]
    run = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert run.returncode == 0, run.stderr
    return run.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built") / "site"
    said = build(folder, GITHUB_REPOSITORY="org/course", JUPYTERHUB_URL="https://hub.example")
    return folder, said


@pytest.fixture(scope="module")
def site(built):
    return built[0]


class Page(html.parser.HTMLParser):
    """The pictures, links and anchors of a page."""

    def __init__(self, path):
        super().__init__()
        self.pictures, self.links, self.anchors = [], [], {""}
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.anchors.add(values.get("id"))
        if tag == "img":
            self.pictures.append(values)
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])


@pytest.fixture(scope="module")
def pages(site):
    return {path.relative_to(site).as_posix(): Page(path) for path in site.rglob("*.html")}


def test_every_lesson_is_a_page_in_order_with_the_next_one_below_it(site, pages):
    links = [link for link in pages["index.html"].links if link.startswith("notebooks/")]
    first = list(dict.fromkeys(links[: len(LESSONS)]))
    assert first == [f"notebooks/{lesson}.html" for lesson in LESSONS]
    for here, there in itertools.pairwise(LESSONS):
        text = (site / "notebooks" / f"{here}.html").read_text("utf-8")
        assert re.search(rf'class="right-next"\s+href="{there}.html"', text), here


def test_nothing_is_amiss_but_what_is_not_written_yet(built):
    for line in built[1].splitlines():
        assert "didn't match any documents" in line, line


def test_every_figure_of_a_lesson_has_its_finding_as_its_text(pages):
    for lesson in LESSONS:
        cells = nbformat.read(ROOT / "notebooks" / f"{lesson}.ipynb", as_version=4).cells
        outputs = [o for cell in cells for o in cell.get("outputs", []) if "data" in o]
        texts = [o.metadata["image/png"]["alt"] for o in outputs if "image/png" in o.data]
        shown = [picture["alt"] for picture in pages[f"notebooks/{lesson}.html"].pictures]
        # a panel's first text is that of its recording: where they differ, record it again
        assert [text for text in shown if not text.endswith(" logo")] == texts, lesson


def test_no_picture_is_without_a_text_of_its_own(pages):
    for name, page in pages.items():
        texts = [picture.get("alt", "") for picture in page.pictures]
        assert all(text.strip() for text in texts), name
        assert not [text for text in texts if "No description" in text or text.endswith(".png")]
        assert len(set(texts)) == len(texts), name


def test_links_inside_the_site_and_their_anchors_resolve(site, pages):
    for name, page in pages.items():
        for link in page.links:
            place, anchor = urllib.parse.urldefrag(urllib.parse.unquote(link))
            if urllib.parse.urlsplit(place).scheme:
                continue
            assert not place.endswith((".ipynb", ".md")), f"{name}: {link}"
            path = (site / name).parent / place if place else site / name
            assert path.exists(), f"{name}: {link}"
            if path.suffix == ".html":
                target = pages[path.resolve().relative_to(site.resolve()).as_posix()]
                assert anchor in target.anchors, f"{name}: {link}"


def test_a_lesson_opens_in_binder_and_on_a_hub(pages):
    links = pages["notebooks/02_rate_or_p.html"].links
    binder = [link for link in links if link.startswith("https://mybinder.org/v2/gh/org/course/")]
    assert binder[0].endswith("?urlpath=lab/tree/notebooks/02_rate_or_p.ipynb")
    hub = [
        link for link in links if link.startswith("https://hub.example/hub/user-redirect/git-pull")
    ]
    assert "notebooks/02_rate_or_p.ipynb" in urllib.parse.unquote(hub[0])


def test_every_panel_is_recorded_with_the_controls_that_it_has():
    from helpers.authors import panels

    for lesson in LESSONS:
        notebook = nbformat.read(ROOT / "notebooks" / f"{lesson}.ipynb", as_version=4)
        for number, variable in panels.names(notebook):
            name = f"{lesson}-{variable}"
            assert name in PANELS, f"python -m helpers.authors.panels notebooks/{lesson}.ipynb"
            record = json.loads((ROOT / "docs" / "panels" / f"{name}.json").read_text("utf-8"))
            said = notebook.cells[number].outputs[0].data["text/plain"]
            assert (
                said == f"A panel with {', '.join(record['controls'])}; run the notebook to use it."
            )


def test_the_recordings_are_small():
    sizes = [path.stat().st_size for path in (ROOT / "docs" / "panels").glob("*.json")]
    assert max(sizes) <= 1_500_000
    assert sum(sizes) <= 10_000_000


def test_without_network_one_sentence_and_still_pictures(tmp_path):
    nowhere = {"npm_config_registry": "http://127.0.0.1:9/", "COURSE_ASSETS": str(tmp_path / "npm")}
    said = [line for line in build(tmp_path / "site", **nowhere).splitlines() if "npm" in line]
    assert len(said) == 1
    assert "still pictures and equations as TeX, for npm could not fetch @jupyter" in said[0]
    assert not (tmp_path / "npm").exists()
    text = (tmp_path / "site" / "notebooks" / "08_case_circles.html").read_text("utf-8")
    assert '<div class="still">' in text
    assert not re.search("panels.js|tex-chtml", text)


def test_an_archive_with_another_checksum_is_refused(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    import assets

    def pack(command, cwd, **_):
        (Path(cwd) / "x.tgz").write_bytes(b"not what was published")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(assets.subprocess, "run", pack)
    monkeypatch.setattr(assets.shutil, "which", lambda name: name)
    with pytest.raises(ValueError, match=r"mathjax@3: its checksum is sha512-\S+, not sha512-abc"):
        assets._archive("mathjax@3", "sha512-abc")


# in a browser


@contextlib.contextmanager
def served(folder):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def chromium(site):
    if lab.BROWSER is None:
        pytest.skip("needs Chromium or Chrome on the PATH")
    if not AXE.exists():
        pytest.skip("npm could not fetch what the site serves")
    with served(site) as address, lab.browser() as browser:
        yield browser, address


class Reader:
    """A page in a browser that reaches the site alone; `complaints` should stay empty."""

    def __init__(self, chromium, name, **options):
        browser, address = chromium
        self.name, self.complaints = name, []
        self.page = browser.new_page(**options)
        self.page.route("**/*", functools.partial(self.only, address))
        self.page.on("console", lambda m: self.note(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.note(str(error)))
        self.page.goto(f"{address}{name}.html")
        self.page.wait_for_load_state("networkidle")

    def note(self, text):
        self.complaints.append(text)

    def only(self, address, route):
        if route.request.url.startswith((address, "data:", "blob:")):
            route.continue_()
        else:
            self.note(f"asked for {route.request.url}")
            route.abort()

    def wake(self):
        """Bring the panels of the page to life."""
        for computed in self.page.locator("figure.computed").all():
            computed.scroll_into_view_if_needed()
            self.page.wait_for_function(
                "() => /^At rate/.test(document.querySelector('.said').textContent)"
            )
        figures = self.page.locator("figure.recorded")
        for index in range(figures.count()):
            figures.nth(index).scroll_into_view_if_needed()
            if (button := figures.nth(index).get_by_role("button")).count():
                button.click()
        self.page.wait_for_function("() => !document.querySelector('figure.recorded .still')")
        return figures


@pytest.fixture
def reader(chromium):
    opened = []

    def open_page(name, **options):
        opened.append(Reader(chromium, name, **options))
        return opened[-1]

    yield open_page
    for one in opened:
        one.page.close()


@pytest.fixture(scope="module", params=PAGES)
def awake(chromium, request):
    """A page that is opened once for several tests, all its panels alive."""
    one = Reader(chromium, request.param, color_scheme="light")
    one.wake()
    yield one
    one.page.close()


def test_a_page_loads_without_complaint_and_no_picture_is_missing(awake):
    missing = awake.page.evaluate(
        "() => [...document.images].filter(i => i.loading !== 'lazy' && !i.naturalWidth).length"
    )
    assert missing == 0
    if awake.page.locator(".math").count():
        awake.page.wait_for_selector("mjx-container")
    assert awake.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(awake, scheme):
    awake.page.emulate_media(color_scheme=scheme)
    awake.page.wait_for_selector(f"html[data-theme={scheme}]")
    awake.page.wait_for_function("() => !document.getAnimations().length")  # colours fade over
    if not awake.page.evaluate("() => 'axe' in window"):
        awake.page.add_script_tag(path=AXE)
    assert awake.page.evaluate(SERIOUS) == []


def test_a_recorded_panel_answers_the_keyboard_with_the_right_picture(awake):
    expected = {name for name in PANELS if awake.name == f"notebooks/{name.split('-')[0]}"}
    figures = awake.page.locator("figure.recorded").all()
    names = [figure.get_attribute("data-panel") for figure in figures]
    assert set(names) == expected - COMPUTED.keys()
    for name, figure in zip(names, figures, strict=True):
        record = json.loads((ROOT / "docs" / "panels" / f"{name}.json").read_text("utf-8"))
        models = record["state"]["state"]
        sliders = [m["state"] for m in models.values() if m["model_name"] == "SelectionSliderModel"]
        texts = [m["state"]["value"] for m in models.values() if m["model_name"] == "HTMLModel"]
        seen = {figure.locator("img").get_attribute("src")}
        for index, slider in enumerate(sliders):
            handle = figure.get_by_role("slider").nth(index)
            assert handle.get_attribute("aria-label") == slider["description"]
            handle.focus()
            for key, expected in [("End", -1), ("ArrowLeft", -2), ("Home", 0), ("ArrowRight", 1)]:
                handle.press(key)
                label = slider["_options_labels"][expected]
                awake.page.wait_for_function(
                    "([e, label]) => e.getAttribute('aria-valuetext') === label",
                    arg=[handle.element_handle(), label],
                )
                picture = figure.locator("img")
                assert picture.count() == 1
                text = picture.get_attribute("alt")
                assert text == figure.locator(".widget-html-content p").inner_text()
                assert any(picture.get_attribute("src") in value for value in texts)
                if rate := re.match(r"(0\.\d\d) \(p", label):
                    shown = re.search(r"[Rr]ate (0\.\d\d)", text)
                    assert shown is None or shown[1] == rate[1]
                seen.add(picture.get_attribute("src"))
        assert len(seen) > 2, name
    assert awake.complaints == []


@pytest.mark.parametrize("name", PAGES)
def test_at_the_width_of_a_phone_nothing_is_cut_off(reader, name):
    one = reader(name, viewport={"width": 320, "height": 640})
    one.wake()
    assert one.page.evaluate("() => document.documentElement.scrollWidth") <= 320
    cut = one.page.evaluate(
        """() => [...document.querySelectorAll('figure.recorded *, .bd-article :is(p, li, h1, h2)')]
        .filter(e => e.getBoundingClientRect().right > 321 && !e.closest('table, pre, mjx-container'))
        .map(e => e.outerHTML.slice(0, 80))"""
    )
    assert cut == []


@pytest.mark.parametrize("name", COMPUTED)
def test_a_panel_that_computes_in_the_page_answers_the_keyboard_and_says_what_it_shows(
    reader, name
):
    one = reader(COMPUTED[name])
    figure = one.page.locator(f"figure[data-panel='{name}']")
    figure.scroll_into_view_if_needed()
    seen = []

    def read(rate):
        one.page.wait_for_function(
            f"() => document.querySelector('.said').textContent.startsWith('At rate {rate}:')"
        )
        texts = [picture.get_attribute("aria-label") for picture in figure.get_by_role("img").all()]
        seen.append((figure.get_by_role("status").inner_text(), texts[-1]))
        assert all(texts)
        assert len(texts) == 2

    slider = figure.get_by_role("slider", name="Keras rate")
    read(float(slider.input_value()))
    for key, rate, p in [("Home", 0, 1), ("End", 0.9, 0.1), ("ArrowLeft", 0.85, 0.15)]:
        slider.press(key)
        assert slider.get_attribute("aria-valuetext") == f"rate {rate}, p {p}"
        assert figure.get_by_text(f"{rate:.2f} = the paper's p {p:.2f}").is_visible()
        read(rate)
    before = seen[-1][0]
    figure.get_by_role("button").press("Enter")
    one.page.wait_for_function(
        "old => !['…', old].some(end => document.querySelector('.said').textContent.endsWith(end))",
        arg=before,
    )
    read(0.85)
    assert len(set(seen)) == 5
    assert not figure.locator(".still img").count()
    assert one.complaints == []


@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_the_cheat_sheet_prints_on_two_pages_in_the_colours_of_paper(reader, paper):
    one = reader("cheat-sheet", color_scheme="dark")
    note = "addEventListener('beforeprint', () => window.printed = document.documentElement.dataset.theme)"
    one.page.evaluate(f"() => {note}")
    assert len(re.findall(rb"/Type\s*/Page\b", one.page.pdf(format=paper))) == 2
    assert one.page.evaluate("window.printed") == "light"
    assert one.page.locator("html").get_attribute("data-theme") == "dark"


def test_the_search_finds_the_rate(reader):
    one = reader("search")
    one.page.goto(one.page.url + "?q=rate")
    one.page.wait_for_selector("#search-results li a")
    assert "Rate or p" in one.page.locator("#search-results").inner_text()
    assert one.complaints == []


def test_the_first_page_is_light_and_quick(reader, site):
    one = reader("index")
    names = one.page.evaluate(
        "() => [location.href, ...performance.getEntriesByType('resource').map(e => e.name)]"
    )
    paths = [site / urllib.parse.urlsplit(name).path.lstrip("/") for name in names]
    plain = sum(path.stat().st_size for path in paths)
    assert plain < 1_000_000, sorted((path.stat().st_size, path.name) for path in paths)
    ready = one.page.evaluate("() => performance.getEntriesByType('navigation')[0].domInteractive")
    assert ready < 2000
