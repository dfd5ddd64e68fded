"""A Sphinx extension: the lessons as pages, texts for all figures, and panels that answer."""

import html
import json
import shutil
from pathlib import Path

import nbformat
from docutils import nodes
from docutils.parsers.rst import Directive
from sklearn.datasets import make_circles
from sphinx.util import logging

from helpers import live
from helpers.authors import panels

ROOT = Path(__file__).parents[1]
RECORDED = ROOT / "docs" / "panels"
X, Y = make_circles(n_samples=100, noise=0.1, random_state=1)
# panels that compute in the page: the module, and the lesson's own data
LIVE = {
    "01_what_dropout_does-panel": ("live_masks", live.Masks([0.5, 1.0, 2.0, 0.3, 1.5, 0.8])),
    "08_case_circles-panel": ("live_circles", live.Circles(X[:30], Y[:30], (X[30:], Y[30:]))),
}
warn = logging.getLogger(__name__).warning


def setup(app):
    """Tell Sphinx when to call what."""
    app.connect("config-inited", copy_lessons)
    app.connect("builder-inited", keep_outputs_inside)
    app.connect("source-read", mend_links)
    app.connect("doctree-read", finish_outputs)
    app.connect("html-page-context", unname_toggles)
    app.connect("build-finished", write_recordings)
    app.add_directive("panel", Panel)
    return {"parallel_read_safe": True}


def anchor(title):
    """Name the place of a heading as JupyterLab does, so that one link works in both."""
    return title.replace(" ", "-")


def copy_lessons(app, _config):
    """Copy the notebooks to where Sphinx looks for pages."""
    pages = Path(app.srcdir) / "notebooks"
    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(ROOT / "notebooks", pages, ignore=shutil.ignore_patterns("results", ".*"))


def keep_outputs_inside(app):
    """Have myst-nb write pictures beside its own notes, not beside the site."""
    folder = str(Path(app.doctreedir) / "outputs")
    app.env.mystnb_config = app.env.mystnb_config.copy(output_folder=folder)


def mend_links(_app, page, source):
    """Turn links that hold in the repository into links between pages."""
    lesson = page.startswith("notebooks/")
    links = ("](../docs/", "](../") if lesson else ("](../notebooks/", "](notebooks/")
    source[0] = source[0].replace(*links)


def finish_outputs(app, doctree):
    """Give each figure of a lesson its own text, and put its recording where a panel stood."""
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    lesson = nbformat.read(path, as_version=4)
    variables = dict(panels.names(lesson))
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") != "cell_code":
            continue
        index = cell["cell_index"]
        outputs = [o for o in lesson.cells[index].outputs if "image/png" in o.get("data", {})]
        pictures = list(cell.findall(nodes.image))
        for picture, output in zip(pictures, outputs, strict=True):
            text = output.metadata.get("image/png", {}).get("alt", "")
            if not text:
                warn("%s: the picture of cell %s has no text", path.stem, index)
            picture["alt"] = text
        if index in variables:
            name = f"{path.stem}-{variables[index]}"
            if (RECORDED / f"{name}.json").exists():
                pictures[0].replace_self(figure(name))
            else:
                warn(
                    "%s is not recorded: python -m helpers.authors.panels notebooks/%s",
                    name, path.name,
                )  # fmt: skip


def unname_toggles(_app, _page, _template, context, _doctree):
    """Let a fold be called what is written on it; myst-nb calls them all the same."""
    if "body" in context:
        context["body"] = context["body"].replace('aria-label="Toggle hidden content"', "")


class Panel(Directive):
    """`{panel} NN_lesson-panel` puts a lesson's panel on another page."""

    required_arguments = 1

    def run(self):
        """Return its nodes."""
        name = self.arguments[0]
        if not (RECORDED / f"{name}.json").exists():
            raise self.error(f"there is no recorded panel {name}")
        return [figure(name)]


def figure(name):
    """Return a panel as it stands before a script wakes it: a picture and a sentence."""
    record = json.loads((RECORDED / f"{name}.json").read_text("utf-8"))
    text, script, kind = html.escape(record["sentence"]), "", "recorded"
    caption = f"Recorded on {record['date']}; run the notebook for every value in between."
    if name in LIVE:
        kind, caption = "computed", "Your browser computes this; in the notebook Python does."
        module, given = live.module(LIVE[name][0]), json.dumps(LIVE[name][1].given)
        place = f"document.querySelector(\"figure[data-panel='{name}'] div\")"
        call = f"render({{ model: {{ get: () => ({given}) }}, el: {place} }});"
        script = f'<script type="module">\n{module}{call}\n</script>'
    code = (
        f'<figure class="{kind}" data-panel="{name}">'
        f'<div class="still"><p>{text}</p><img alt="{text}" src="{record["picture"]}"></div>'
        f"<figcaption>{caption}</figcaption></figure>{script}"
    )
    return nodes.raw("", code, format="html")


def write_recordings(app, failed):
    """Write each recording as a script: a page that was opened from a disk can load no JSON."""
    if failed or app.builder.format != "html":
        return
    place = Path(app.outdir) / "_static" / "panels"
    place.mkdir(parents=True, exist_ok=True)
    for path in (path for path in RECORDED.glob("*.json") if path.stem not in LIVE):
        record = json.loads(path.read_text("utf-8"))
        parts = json.dumps({"state": record["state"], "view": record["view"]}, ensure_ascii=False)
        text = f"recordedPanels[{json.dumps(path.stem)}] = {parts};\n"
        (place / f"{path.stem}.js").write_text(text, "utf-8")
