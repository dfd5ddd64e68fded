"""Recorded full-scale runs, and what they say beside a live run and a published figure.

A notebook trains through `collect`. At sample scale that is all. At full scale every finished run
is noted at once, so that an interrupted cell goes on where it was. An author makes the record of a
notebook, notebooks/results/NAME.json, with `python -m helpers.authors.record NOTEBOOK`.
"""

import contextlib
import datetime
import inspect
import json
import os
import platform
import re
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from helpers import evidence
from helpers._engine.checks import check_choice, shown
from helpers._engine.progress import progress

# in the clone that this file is in, wherever the kernel runs
FOLDER = Path(__file__).resolve().parents[1] / "notebooks" / "results"
_NO_CLONE = f"`helpers` is not in a clone of the course: there is no folder {FOLDER.parent}"

Run = Mapping[str, object]


class RecordError(RuntimeError):
    """A record that is missing, broken or of other settings; says what to do."""


@dataclass(frozen=True)
class Record:
    """One recorded study at full scale.

    Args:
        settings: What the notebook declared.
        variants: Label to the value that was trained, in JSON's words.
        runs: Label to its runs; each holds what was measured (a number, or one an epoch), and
            under "about" its seed, seconds, precision, date, machine and versions.
    """

    settings: dict[str, object]
    variants: dict[str, object]
    runs: dict[str, list[Run]]


def collect(
    name: str,
    settings: Mapping[str, object],
    variants: Mapping[str, object],
    seeds: Sequence[int],
    train: Callable[[object, int], Mapping[str, object]],
) -> dict[str, list[Run]]:
    """Train every variant once with each seed; at full scale, note each run as it is finished.

    Runs of one seed follow each other, so that a study cut short still compares the variants.
    Notes are gone on from only if the settings are the same, and only with runs of the same value
    and precision. What `train` does is not compared: start anew when you change it.

    Args:
        name: Name of the record: that of the notebook.
        settings: The settings that the notebook declares for this scale.
        variants: Label of a variant to what `train` needs to know of it.
        seeds: The seeds of the repeats.
        train: Called with a variant's value and a seed; returns what was measured: numbers, or
            lists of one number an epoch, such as `History.history`.

    Returns:
        Label to its runs, in the order of the seeds.

    Raises:
        RecordError: If the record that an author resumes is broken or of other settings.

    Example:
        >>> runs = collect("07_doc", {}, {"none": 0.0}, [1, 2], lambda rate, seed: {"loss": [rate]})
        >>> stack(runs["none"], "loss")
        array([[0.],
               [0.]])
    """
    seeds = [int(seed) for seed in seeds]
    full = os.environ.get("DROPOUT_SCALE") == "full"
    author = os.environ.get("DROPOUT_RECORD")  # "new" or "resume", set by helpers.authors.record
    name = name if author else f"unfinished/{name}"
    path = FOLDER / f"{name}.json"
    plain = json.loads(json.dumps([settings, variants], default=_words))
    record, about = Record(*plain, runs={label: [] for label in variants}), _about()
    if full and author != "new" and path.exists():
        with contextlib.nullcontext() if author else contextlib.suppress(RecordError):
            _resume(record, load(name), seeds, about["precision"])
            print(f"Going on from the runs in {name}.json; delete it to start anew.")
    done = {(label, run["about"]["seed"]) for label, runs in record.runs.items() for run in runs}
    todo = [(label, seed) for seed in seeds for label in variants if (label, seed) not in done]
    with progress(len(todo), "runs") as bar:
        for label, seed in todo:
            start = time.perf_counter()
            measured = train(variants[label], seed)
            run = {key: _rounded(value, f"{key} of {label!r}") for key, value in measured.items()}
            run["about"] = {"seed": seed, "seconds": round(time.perf_counter() - start, 1), **about}
            record.runs[label].append(run)
            record.runs[label].sort(key=lambda run: seeds.index(run["about"]["seed"]))
            try:
                if full:
                    save(path, asdict(record))
            except OSError as error:
                if author:
                    raise
                if (label, seed) == todo[0]:  # a reader can train without notes
                    print(f"An interrupt will lose these runs: {error}")
            bar.update()
    if full and not author:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    return record.runs


def load(name: str) -> Record:
    """Return a recorded study by its name, that of the notebook.

    Example:
        >>> load("07_missing")
        Traceback (most recent call last):
        helpers.records.RecordError: there is no record ...07_missing.json...
    """
    # where no clone is, the records came with the package
    folder = FOLDER if FOLDER.parent.is_dir() else Path(__file__).with_name("results")
    path = folder / f"{name}.json"
    advice = "make it with `python -m helpers.authors.record` and its notebook"
    try:
        return Record(**json.loads(path.read_text("utf-8")))
    except FileNotFoundError as error:
        why = advice if FOLDER.parent.is_dir() else _NO_CLONE
        raise RecordError(f"there is no record {path}; {why}") from error
    except (OSError, ValueError, TypeError) as error:
        raise RecordError(f"{path} is broken or cannot be read ({error!r}); {advice}") from error


def stack(runs: Sequence[Run], key: str) -> np.ndarray:
    """Return one measured quantity of several runs as an array.

    Args:
        runs: The runs of one variant, as `collect` returns them.
        key: What was measured, for example "val_loss".

    Returns:
        Shape (runs, epochs), or (runs,) for a single number a run.

    Example:
        >>> stack([{"loss": [2.0, 1.0]}, {"loss": [3.0, 2.0]}], "loss")
        array([[2., 1.],
               [3., 2.]])
    """
    for run in runs:
        check_choice(key, "key", run.keys() - {"about"})
    return np.array([run[key] for run in runs], float)


def next_run(values: np.ndarray) -> tuple[float, float]:
    """Return between which ends one more run falls, 19 times in 20.

    A figure that somebody measured once could be one more run of ours if it lies there. That does
    not prove that theirs was the same study: three runs, or a wide spread, exclude little. The
    spread is that of our seeds, taken for normal.

    Args:
        values: A quantity in our own runs, at least two.

    Returns:
        The ends of Student's interval of a mean, widened by sqrt(n + 1).

    Example:
        >>> print("{:.3f} to {:.3f}".format(*next_run([0.80, 0.82, 0.84])))
        0.721 to 0.919
    """
    ours = evidence.interval(values)
    reach = stats.t.ppf(0.975, ours.n - 1) * np.std(values, ddof=1) * np.sqrt(1 + 1 / ours.n)
    return float(ours.mean - reach), float(ours.mean + reach)


class Comparison(evidence.Table):
    """The table *published / ours / verdict*, as a notebook shows it.

    Args:
        rows: (quantity, published, values) for a published single run beside those of ours, judged
            by `next_run`; or (quantity, published, ours, verdict).

    Example:
        >>> print(Comparison([("accuracy", 0.88, [0.86, 0.87]), ("words", 1000, 996, "fewer")]))
         | Published | Ours | Verdict
        accuracy | 0.88 | 0.865 (0.801 to 0.929) | could be one more run (0.755 to 0.975)
        words | 1000 | 996 | fewer
    """

    def __init__(self, rows: Sequence[Sequence[object]]):
        judged = []
        for quantity, published, ours, *verdict in rows:
            if not verdict:
                low, high = next_run(ours)
                could = "could be" if low <= published <= high else "is not"
                verdict = [f"{could} one more run ({low:.3f} to {high:.3f})"]
                ours = evidence.interval(ours)
            judged.append((quantity, published, ours, *verdict))
        super().__init__(("", "Published", "Ours", "Verdict"), judged)


def save(path: Path, content: object) -> None:
    """Write `content` as JSON, one curve a line, whole or not at all."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    text = re.sub(r"\[[-+\d.e,\s]*\]", lambda match: " ".join(match[0].split()), text)
    if not FOLDER.parent.is_dir():
        raise FileNotFoundError(_NO_CLONE)
    write_whole(path, f"{text}\n".encode())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that takes its name only once all of it is there."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _resume(record: Record, earlier: Record, seeds: Sequence[int], precision: str) -> None:
    """Take over those runs that would be made again just so."""
    if earlier.settings != record.settings:
        raise RecordError(f"recorded with other settings, {earlier.settings}: run without --resume")
    for label, value in record.variants.items():
        for run in earlier.runs.get(label, []) if earlier.variants.get(label) == value else []:
            if run["about"]["seed"] in seeds and run["about"]["precision"] == precision:
                record.runs[label].append(run)


def _words(value: object) -> object:
    """Say what JSON cannot hold, so that another process says the same of the same value."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} array {value.shape}, CRC {zlib.crc32(value.tobytes()):08x}"
    return inspect.getsource(value) if inspect.isfunction(value) else repr(value)


def _rounded(value: object, what: str) -> float | list[float]:
    values = np.asarray(value, float)
    if not np.isfinite(values).all():
        raise ValueError(f"{what} must be finite, received {shown(value)}")
    # six figures: more than a repeat on another machine could agree on
    rounded = [float(f"{x:.6g}") for x in values.reshape(-1)]
    return rounded if values.ndim else rounded[0]


def _about() -> dict[str, object]:
    """Return what is the same for all runs of one call."""
    from helpers._engine.backend import keras, tf

    return {
        "precision": keras.config.dtype_policy().name,
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "versions": {each.__name__: each.__version__ for each in (tf, keras, np)},
    }
