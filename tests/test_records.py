"""Records: written whole, resumed without mixing settings, and compared with care."""

import ast
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest

from helpers import records

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
RECORDS = sorted(path for path in records.FOLDER.glob("??_*.json"))
SETTINGS = {"epochs": 2, "rates": [0.2, 0.5]}
VARIANTS = {"none": 0.0, "half": 0.5}


@pytest.fixture
def author(tmp_path, monkeypatch):
    """An author who records at full scale; where the record will be."""
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setattr(records, "FOLDER", tmp_path / "notebooks" / "results")
    monkeypatch.setenv("DROPOUT_SCALE", "full")
    monkeypatch.setenv("DROPOUT_RECORD", "new")
    return records.FOLDER / "07_test.json"


@pytest.fixture
def reader(author, monkeypatch):
    """A reader who runs at full scale and records nothing; where the notes will be."""
    monkeypatch.delenv("DROPOUT_RECORD")
    return author.parent / "unfinished" / author.name


def collect(train=None, settings=SETTINGS, variants=VARIANTS, seeds=(3, 4)):
    return records.collect("07_test", settings, variants, seeds, train or Trained())


class Trained:
    """Trains nothing, notes what it was asked for, and is interrupted at one call."""

    def __init__(self, interrupt_at=None):
        self.calls, self.interrupt_at = [], interrupt_at

    def __call__(self, rate, seed):
        self.calls.append((rate, seed))
        if len(self.calls) == self.interrupt_at:
            raise KeyboardInterrupt
        return {"loss": [1 + rate, np.float32(seed)], "test": 1 / 3}


def test_collect_records_what_train_returned_with_seed_precision_and_versions(author):
    runs = collect()
    record = records.load("07_test")
    assert record == records.Record(SETTINGS, VARIANTS, runs)
    assert records.stack(record.runs["half"], "loss").tolist() == [[1.5, 3.0], [1.5, 4.0]]
    assert records.stack(record.runs["none"], "test").tolist() == [0.333333] * 2
    about = record.runs["half"][1]["about"]
    assert (about["seed"], about["precision"]) == (4, "float32")
    assert set(about["versions"]) == {"tensorflow", "keras", "numpy"}
    assert [file.name for file in author.parent.iterdir()] == [author.name]
    assert "[ 1.5, 3.0 ]" in author.read_text("utf-8")  # one curve a line


def test_collect_writes_nothing_at_sample_scale(author, monkeypatch):
    monkeypatch.delenv("DROPOUT_SCALE")
    assert records.stack(collect()["half"], "loss")[1].tolist() == [1.5, 4.0]
    assert not author.parent.exists()


def test_an_interrupted_record_keeps_its_runs_and_resumes(author, monkeypatch):
    interrupted, rest = Trained(interrupt_at=3), Trained()
    with pytest.raises(KeyboardInterrupt):
        collect(interrupted)
    assert [len(runs) for runs in records.load("07_test").runs.values()] == [1, 1]
    monkeypatch.setenv("DROPOUT_RECORD", "resume")
    resumed = collect(rest)
    assert interrupted.calls == [(0.0, 3), (0.5, 3), (0.0, 4)]
    assert rest.calls == [(0.0, 4), (0.5, 4)]
    assert records.load("07_test").runs == resumed
    with pytest.raises(records.RecordError, match="other settings"):
        collect(settings={"epochs": 3})


def test_resuming_follows_the_order_of_the_seeds_and_drops_others(author, monkeypatch):
    collect(seeds=[3, 9])
    monkeypatch.setenv("DROPOUT_RECORD", "resume")
    runs = collect(seeds=[5, 3])
    assert [run["about"]["seed"] for run in runs["none"]] == [5, 3]


def test_without_resume_a_record_starts_anew(author):
    collect()
    again = Trained()
    collect(again)
    assert len(again.calls) == 4


def slow():
    return 0.1


SLOW = slow


def slow():
    return 0.2


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (0.5, 0.9),
        ((0.2, 0.5), (0.2, 0.9)),
        ({"rate": 0.5}, {"rate": 0.9}),
        (np.zeros(2000), np.eye(1, 2000, 1000)[0]),
        (SLOW, slow),
        (int, float),
    ],
    ids=["number", "tuple", "dict", "array", "function", "class"],
)
def test_a_variant_whose_value_changed_is_trained_again(author, monkeypatch, before, after):
    def train(value, seed):
        trained.append((value is after, seed))
        return {"loss": [seed]}

    trained = []
    collect(train, variants={"same": before, "other": before})
    monkeypatch.setenv("DROPOUT_RECORD", "resume")
    trained.clear()
    collect(train, variants={"same": before, "other": after})
    assert trained == [(True, 3), (True, 4)]


def test_a_reader_goes_on_where_training_was_interrupted(reader, capsys):
    with pytest.raises(KeyboardInterrupt):
        collect(Trained(interrupt_at=3))
    assert reader.exists()
    runs = collect(rest := Trained())
    assert rest.calls == [(0.0, 4), (0.5, 4)]
    assert records.stack(runs["half"], "loss").tolist() == [[1.5, 3.0], [1.5, 4.0]]
    assert "Going on from the runs in unfinished/07_test.json" in capsys.readouterr().out
    assert not list(reader.parent.parent.rglob("*.json"))  # all is trained the next time


@pytest.mark.parametrize("wrong", ["broken", "other settings"])
def test_a_reader_starts_anew_if_the_notes_are_of_no_use(reader, wrong):
    with pytest.raises(KeyboardInterrupt):
        collect(Trained(interrupt_at=3), {"epochs": 3} if wrong == "other settings" else SETTINGS)
    if wrong == "broken":
        reader.write_bytes(reader.read_bytes()[:-20])
    collect(again := Trained())
    assert len(again.calls) == 4


def test_a_reader_trains_where_nothing_can_be_written(reader, capsys):
    reader.parent.parent.write_text("a file in the way of the folder")
    assert records.stack(collect()["half"], "loss").shape == (2, 2)
    assert capsys.readouterr().out.count("An interrupt will lose these runs") == 1


def test_collect_refuses_a_loss_that_is_not_finite(author):
    with pytest.raises(ValueError, match=r"loss of 'none' must be finite, received .*inf"):
        collect(lambda rate, seed: {"loss": [1.0, float("inf")]})
    assert not author.exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"settings": {}}', '{"name": 1}'])
def test_load_refuses_a_broken_record_and_says_what_to_do(author, text):
    author.parent.mkdir()
    author.write_text(text)
    with pytest.raises(records.RecordError, match=r"broken .*python -m helpers\.authors\.record"):
        records.load("07_test")


def test_records_are_found_from_any_folder_and_only_in_a_clone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert records.load("09_case_imdb").settings["repeats"] == 10
    monkeypatch.setattr(records, "FOLDER", tmp_path / "notebooks" / "results")
    with pytest.raises(records.RecordError, match="not in a clone of the course"):
        records.load("09_case_imdb")
    with pytest.raises(FileNotFoundError, match="not in a clone of the course"):
        records.save(records.FOLDER / "07_test.json", {})
    assert not list(tmp_path.iterdir())


def test_stack_says_what_was_measured():
    with pytest.raises(ValueError, match="key must be one of 'loss', received 'acc'"):
        records.stack([{"loss": [1.0], "about": {}}], "acc")


def test_next_run_holds_95_of_100_further_runs():
    draws = np.random.default_rng(0).normal(size=(4000, 5))
    ends = np.array([records.next_run(row[1:]) for row in draws]).T
    share = np.mean((ends[0] <= draws[:, 0]) & (draws[:, 0] <= ends[1]))
    assert abs(share - 0.95) < 0.02


def test_comparison_computes_the_verdict_of_a_published_single_run():
    ours = [0.80, 0.82, 0.84]
    rows = [("a < b", 0.85, ours), ("a", 0.95, ours), ("words", 9, 8, "fewer")]
    table = records.Comparison(rows)
    verdicts = [row[-1] for row in table.rows]
    assert verdicts[0] == "could be one more run (0.721 to 0.919)"
    assert verdicts[1:] == ["is not one more run (0.721 to 0.919)", "fewer"]
    assert str(table.rows[0][2]) == "0.820 (0.770 to 0.870)"
    assert "a &lt; b" in table._repr_html_()


def declared(notebook):
    """What a notebook declares in its cell `SETTINGS = {...}`; none of its code is run."""
    cells = nbformat.read(notebook, as_version=4).cells
    [source] = [cell.source for cell in cells if re.search("^SETTINGS =", cell.source, re.M)]
    [literal] = [
        node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SETTINGS"
    ]
    return ast.literal_eval(literal)["full"]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_matches_what_its_notebook_declares_today(path):
    record = records.load(path.stem)
    [notebook] = NOTEBOOKS.glob(f"{path.stem}.ipynb")
    settings = declared(notebook)
    assert record.settings == settings
    assert list(record.variants) == list(record.runs)
    counts = [len(runs) for runs in record.runs.values()]
    assert set(counts) == {settings["repeats"] + settings.get("choosers", 0)}
    for label, runs in record.runs.items():
        seeds = [run["about"]["seed"] for run in runs]
        assert len(set(seeds)) == len(seeds)
        epochs = settings["longer" if label.endswith(", longer") else "epochs"]
        assert {len(run["val_loss"]) for run in runs} <= {epochs}
