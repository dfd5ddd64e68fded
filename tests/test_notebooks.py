"""The notebooks as documents: order, numbering, size, headings, words, and nothing of one machine."""

import itertools
import re
from pathlib import Path

import nbformat
import pytest

from helpers import evidence

FOLDER = Path(__file__).parents[1] / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))
README = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
MACHINE_PATH = re.compile(r"(?<![\w.~/])/(?:root|home|work|tmp|Users|opt)/[\w.-]+")
PARTS = ["What the evidence says", "Exercises", "What you can do now", "Further reading"]


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


@pytest.fixture(params=PATHS[1:], ids=lambda path: path.stem)
def lesson(request):
    return nbformat.read(request.param, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def prose(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def headings(notebook):
    text = re.sub(r"```.*?```", "", prose(notebook), flags=re.S)
    return re.findall(r"^(#+) (.+)$", text, flags=re.M)


def shown(output):
    data = output.get("data", {})
    texts = [output.get("text", ""), *(v for k, v in data.items() if k.startswith("text/"))]
    return "\n".join(text if isinstance(text, str) else "".join(text) for text in texts)


def test_there_are_lessons_and_the_first_is_the_map():
    assert PATHS[0].stem == "00_start_here"
    assert len(PATHS) > 1


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_file_is_light_and_named_by_its_number(path):
    assert path.stat().st_size < 2_000_000
    assert re.fullmatch(r"\d\d_[a-z0-9_]+", path.stem)


def test_cells_are_run_once_from_top_to_bottom(notebook):
    assert [cell.execution_count for cell in code(notebook)] == list(
        range(1, len(code(notebook)) + 1)
    )


def test_nothing_went_to_stderr_and_nothing_failed(notebook):
    for cell in code(notebook):
        for output in cell.outputs:
            assert output.get("name") != "stderr", cell.source
            assert output.output_type != "error", cell.source


def test_no_widget_state_is_stored(notebook):
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"


def test_every_picture_has_words_for_readers_who_cannot_see_it(notebook):
    for cell in code(notebook):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                alt = output.metadata.get("image/png", {}).get("alt", "")
                assert len(alt.split()) >= 4, cell.source


def test_nothing_of_one_machine_is_printed_or_written(notebook):
    for cell in notebook.cells:
        texts = [cell.source, *map(shown, cell.get("outputs", []))]
        for text in texts:
            assert not MACHINE_PATH.search(text), text
            assert not re.search(r" at 0x[0-9a-f]{6,}", text), text
            assert not re.search(r"https?://\S+\?token=", text), text


def test_no_cell_does_what_nbval_cannot_compare(notebook):
    for cell in code(notebook):
        assert not cell.source.rstrip().endswith(";")
        for trap in ("clear_output", "Output(", "interact(", "interactive_output("):
            assert trap not in cell.source
        tags = {t for t in cell.metadata.get("tags", []) if not t.startswith("record-")}
        assert tags <= {"nbval-ignore-output", "hide-input"}


def test_cells_are_short_and_prose_carries_them(notebook):
    sizes = sorted(len([line for line in cell.source.splitlines() if line.strip()])
                   for cell in code(notebook))  # fmt: skip
    assert sizes[-1] <= 25
    assert sizes[len(sizes) // 2] <= 8
    assert len(re.findall(r"\w+", prose(notebook))) >= 5 * sum(sizes)


def test_headings_are_in_order(notebook):
    levels = [len(marks) for marks, _ in headings(notebook)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_a_lesson_has_its_parts(lesson):
    titles = [title for _, title in headings(lesson)]
    text = prose(lesson)
    assert titles[-len(PARTS) :] == PARTS
    assert "**You will learn**" in text
    assert "**Before this.**" in text
    assert text.count("**Predict first.**") >= 3
    assert sum("claims.verdict()" in cell.source for cell in code(lesson)) == 1
    # the helpers load TensorFlow without its start-up messages, so they come first
    imports = code(lesson)[0].source
    assert "from helpers import" in imports.partition("import keras")[0]


def test_every_figure_goes_through_show(lesson):
    for cell in code(lesson):
        assert "plt.show" not in cell.source
        drawn = [o for o in cell.outputs if "image/png" in o.get("data", {})]
        assert not drawn or "plots.show(" in cell.source or "panel" in cell.source


def test_the_title_carries_the_number(lesson, request):
    number = int(request.node.callspec.id[:2])
    assert headings(lesson)[0][1].startswith(f"{number} · ")


def test_every_claim_of_a_lesson_that_was_replicated_is_on_record(lesson, request):
    [table] = [
        cell.outputs[0].data["text/plain"]
        for cell in code(lesson)
        if cell.source.strip() == "claims.table()"
    ]
    header, *rows = table.splitlines()
    claimed = {row.rsplit(" | ", header.count(" | "))[0] for row in rows}
    recorded = evidence.replications(request.node.callspec.id)
    assert claimed == recorded.keys() or not recorded


def test_nothing_points_at_a_lesson_that_is_not_there(notebook):
    stems = {path.stem for path in PATHS}
    for name in re.findall(r"\b(\d\d_[a-z0-9_]+)(?:\.ipynb)?\b", prose(notebook)):
        assert name in stems
    for number in re.findall(r"\b[Ll]essons? (\d+)", prose(notebook)):
        assert any(stem.startswith(f"{int(number):02d}_") for stem in stems), number


def test_readme_and_map_name_every_lesson_in_order():
    start = prose(nbformat.read(PATHS[0], as_version=4))
    for text in (README, start):
        named = re.findall(r"\]\((?:notebooks/)?(\d\d_[a-z0-9_]+)\.ipynb\)", text)
        lessons = [path.stem for path in PATHS if path.stem in named]
        assert list(dict.fromkeys(named)) == lessons
        assert set(lessons) >= {path.stem for path in PATHS[1:]}
