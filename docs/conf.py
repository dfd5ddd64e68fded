"""The course as a web site: `python -m sphinx docs site`. Nothing is executed."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import assets

project, author, html_title = "Dropout, seen", "the authors of the course", "Dropout, seen"
language = "en"
extensions = ["myst_nb", "sphinx.ext.mathjax", "course"]
exclude_patterns = ["panels", ".assets", "**.ipynb_checkpoints"]
suppress_warnings = ["toc.empty_glob"]  # pages of docs/ that are not written yet

nb_execution_mode = "off"
nb_merge_streams = True
# without a kernel a widget view is an empty place: the picture comes first
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
myst_enable_extensions = ["dollarmath", "amsmath", "deflist", "colon_fence", "attrs_block"]
myst_heading_anchors = 3
myst_heading_slug_func = "course.anchor"

templates_path = ["_templates"]

served = assets.fetch()
mathjax_path = "mathjax/tex-chtml.js" if served else "doctools.js"  # which is there anyway
html_static_path = ["_static", "../helpers/slider_names.js"]
html_static_path += [str(assets.FOLDER / "static")] if served else []

html_theme = "sphinx_book_theme"
html_favicon = "_static/favicon.svg"
html_css_files = ["course.css"]
html_js_files = [("slider_names.js", {"defer": ""}), ("panels.js", {"defer": ""})] if served else []
html_copy_source = False
html_show_sphinx = False
html_last_updated_fmt = None
place = os.environ.get("GITHUB_REPOSITORY")  # ORG/REPO: GitHub's own workflows set it
html_context = {"default_mode": "auto"}
html_theme_options = {
    **{f"navbar_{part}": [] for part in ("start", "center", "end", "persistent")},  # no top bar
    "home_page_in_toc": True,
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "use_download_button": False,
    "use_fullscreen_button": False,
}
if place:
    html_theme_options |= {
        "repository_url": f"https://github.com/{place}",
        "repository_branch": "main",
        "use_repository_button": True,
        "launch_buttons": {
            "notebook_interface": "jupyterlab",
            "binderhub_url": "https://mybinder.org",
            "jupyterhub_url": os.environ.get("JUPYTERHUB_URL", ""),  # opened by nbgitpuller
        },
    }
