"""What authors run: lessons saved clean, runs recorded, claims replicated."""

import json

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from helpers import evidence, records
from helpers.authors import execute, record, replicate


@pytest.fixture
def notebook(tmp_path):
    def write(*sources, name="01_lesson.ipynb"):
        cells = [new_markdown_cell("# Lesson"), *map(new_code_cell, sources)]
        path = tmp_path / name
        nbformat.write(new_notebook(cells=cells, metadata={"widgets": {"state": 1}}), path)
        return path

    return write


def test_execute_saves_a_clean_run_numbered_and_stripped(notebook, capsys):
    slider = "import ipywidgets\nipywidgets.IntSlider(description='n')"
    path = notebook("import os\nos.getcwd()", "", slider)
    book = nbformat.read(path, as_version=4)
    book.cells[1].metadata = nbformat.from_dict(
        {"tags": ["settings"], "jupyter": {"source_hidden": True, "more": 1}, "collapsed": True}
    )
    nbformat.write(book, path)
    assert execute.main([str(path)]) == 0
    assert "saved" in capsys.readouterr().out
    saved = nbformat.read(path, as_version=4)
    assert set(saved.metadata) == {"kernelspec", "language_info"}
    assert [cell.get("execution_count") for cell in saved.cells] == [None, 1, None, 2]
    assert [cell.id for cell in saved.cells] == [f"cell-{i:03d}" for i in range(4)]
    assert saved.cells[1].outputs[0].data["text/plain"] == repr(str(path.parent))
    assert saved.cells[1].metadata == {"tags": ["settings"], "jupyter": {"source_hidden": True}}
    assert saved.cells[3].metadata == {}


@pytest.mark.parametrize("source", ["1 / 0", "import sys; print('oh', file=sys.stderr)"])
def test_execute_saves_nothing_that_fails_or_complains(notebook, source, capsys):
    path = notebook("1 + 1", source)
    before = path.read_bytes()
    assert execute.main([str(path), "missing.ipynb"]) == 1
    assert capsys.readouterr().out.count(" failed: ") == 2
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_run_names_a_cell_that_takes_too_long(notebook):
    path = notebook("import time\ntime.sleep(60)")
    with pytest.raises(execute.NotebookError, match=r"(?s)after 1 seconds.*time\.sleep"):
        execute.run(nbformat.read(path, 4), path.parent, timeout=1)


@pytest.mark.parametrize(("options", "mode"), [([], "new"), (["--resume"], "resume")])
def test_record_runs_at_full_scale_and_leaves_the_notebook_alone(notebook, options, mode):
    path = notebook("import os\nopen('seen', 'w').write(' '.join("
                    "os.environ['DROPOUT_' + name] for name in ('SCALE', 'RECORD')))")  # fmt: skip
    before = path.read_bytes()
    assert record.main([*options, str(path)]) == 0
    assert (path.parent / "seen").read_text() == f"full {mode}"
    assert path.read_bytes() == before


LESSON = """
import os, sys
from types import SimpleNamespace as Fake  # quicker than the real ones
sys.modules |= {name: Fake(__name__=name, __version__="1") for name in ("keras", "tensorflow")}
seed = int(os.environ["DROPOUT_SEED"])
found = {"always": os.environ["DROPOUT_SCALE"] == "sample", "seldom": seed == 5}
seed == 7 and 1 / 0
if seed == 6:
    found["late"] = True
findings = {claim: Fake(claim=claim, holds=holds) for claim, holds in found.items()}
claims = Fake(findings=findings, verdict=lambda: 1 / 0)"""


@pytest.fixture
def lesson(notebook, monkeypatch):
    path = notebook(LESSON, "claims.verdict()")
    monkeypatch.setattr(evidence, "REPLICATION", path.parent / "replication.json")
    return path


def entry(path):
    return json.loads(evidence.REPLICATION.read_text("utf-8"))["lessons"][path.stem]


def test_replicate_counts_how_often_each_claim_held(lesson, capsys):
    before = lesson.read_bytes()
    assert replicate.main([str(lesson), "--seeds", "5", "7"]) == 0
    found = entry(lesson)
    assert found["seeds"] == [5, 6, 7]
    assert found["claims"] == {
        "always": {"held": 2, "of": 3, "failed": [7]},
        "seldom": {"held": 1, "of": 3, "failed": [6, 7]},
        "late": {"held": 1, "of": 3, "failed": [5, 7]},  # a claim that was not made did not hold
    }
    assert found["crashed"] == {"7": "ZeroDivisionError: division by zero"}
    assert found["versions"] == {"tensorflow": "1", "keras": "1", "numpy": np.__version__}
    assert "0 of 3 claims held in all of 3 runs" in capsys.readouterr().out
    assert lesson.read_bytes() == before


def test_replicate_resumes_unchanged_code_and_keeps_other_lessons(lesson, monkeypatch):
    asked = []

    def judge(path, seed, environment):
        asked.append((seed, environment))
        if seed == 3:
            raise KeyboardInterrupt
        return {"claims": {"a": seed != 1}, "versions": {"keras": "3"}}

    monkeypatch.setattr(replicate, "judge", judge)
    records.save(evidence.REPLICATION, {"lessons": {"02_other": {"claims": {}, "seeds": [1]}}})
    with pytest.raises(KeyboardInterrupt):
        replicate.replicate(lesson, [1, 2, 3])
    assert entry(lesson)["claims"] == {"a": {"held": 1, "of": 2, "failed": [1]}}
    asked.clear()
    replicate.replicate(lesson, [1, 2, 4], resume=True)
    assert asked == [(4, {})]
    assert entry(lesson)["claims"] == {"a": {"held": 2, "of": 3, "failed": [1]}}
    asked.clear()
    replicate.replicate(lesson, [4])
    assert entry(lesson)["seeds"] == [4]
    lesson.write_text(lesson.read_text("utf-8").replace("seed == 5", "seed == 4"), "utf-8")
    replicate.replicate(lesson, [4], resume=True)
    assert asked == [(4, {}), (4, {})]
    assert "02_other" in evidence.recorded()


def test_two_kernels_at_a_time_have_one_thread_each(notebook, monkeypatch):
    path = notebook(
        LESSON.replace('"seldom": seed == 5', '"one": os.environ["OMP_NUM_THREADS"] == "1"')
    )
    monkeypatch.setattr(evidence, "REPLICATION", path.parent / "replication.json")
    replicate.replicate(path, [4, 5], jobs=2)
    assert entry(path)["claims"]["one"] == {"held": 2, "of": 2, "failed": []}


def test_compare_sets_one_more_run_beside_the_record(lesson, monkeypatch, capsys):
    found = {"claims": {"always": True, "seldom": False}}
    monkeypatch.setattr(replicate, "judge", lambda path, seed: found)
    assert replicate.main([str(lesson), "--compare"]) == 1
    assert "not on record: ['always', 'seldom']" in capsys.readouterr().out
    assert not evidence.REPLICATION.exists()
    known = {"held": 19, "of": 20, "failed": [4]}
    claims = {claim: known for claim in ("always", "seldom", "late")}
    records.save(evidence.REPLICATION, {"lessons": {"01_lesson": {"claims": claims}}})
    assert replicate.main([str(lesson), "--compare"]) == 0
    out = capsys.readouterr().out
    assert "1 of 2 claims hold\n  not now, on record 19 of 20 times: seldom\n" in out
    assert entry(lesson)["claims"] == claims
    found["crash"] = "ZeroDivisionError"
    assert replicate.main([str(lesson), "--compare"]) == 1
    assert "failed: ZeroDivisionError" in capsys.readouterr().out
