"""A Sphinx extension: the lessons as pages, texts for all figures, and panels that answer."""

import html
import json
import shutil
from pathlib import Path

import nbformat
from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.util import logging

from helpers.authors import panels

ROOT = Path(__file__).parents[1]
RECORDED = ROOT / "docs" / "panels"
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
                pictures[0].replace_self(figure(name, "near"))
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
    """`{panel} NN_lesson-panel` puts a recorded panel on a page, where it wakes when touched."""

    required_arguments = 1

    def run(self):
        """Return its nodes."""
        name = self.arguments[0]
        if not (RECORDED / f"{name}.json").exists():
            raise self.error(f"there is no recorded panel {name}")
        return [figure(name, "touched")]


def figure(name, wakes):
    """Return a recorded panel as it stands before panels.js wakes it: a picture and a sentence."""
    record = json.loads((RECORDED / f"{name}.json").read_text("utf-8"))
    text = html.escape(record["sentence"])
    code = (
        f'<figure class="recorded" data-panel="{name}" data-wakes="{wakes}">'
        f'<div class="still"><p>{text}</p><img alt="{text}" src="{record["picture"]}"></div>'
        f"<figcaption>Recorded on {record['date']}; run the notebook for every value in between."
        "</figcaption></figure>"
    )
    return nodes.raw("", code, format="html")


def write_recordings(app, failed):
    """Write each recording as a script: a page that was opened from a disk can load no JSON."""
    if failed or app.builder.format != "html":
        return
    place = Path(app.outdir) / "_static" / "panels"
    place.mkdir(parents=True, exist_ok=True)
    for path in RECORDED.glob("*.json"):
        record = json.loads(path.read_text("utf-8"))
        parts = json.dumps({"state": record["state"], "view": record["view"]}, ensure_ascii=False)
        text = f"recordedPanels[{json.dumps(path.stem)}] = {parts};\n"
        (place / f"{path.stem}.js").write_text(text, "utf-8")
