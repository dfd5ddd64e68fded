"""Records of full-scale runs, and what they say beside a live run and a published figure.

A notebook trains through `collect`. At sample scale that is all; at full scale every finished run
is noted at once in results/unfinished/, so that the cell goes on where it was interrupted. One
command runs a notebook at full scale, leaves its file alone, and makes results/NAME.json:

    python -m helpers.results notebooks/07_case_imdb.ipynb

It starts the record anew; with --resume it goes on from the runs that are already there.
"""

import argparse
import ast
import contextlib
import datetime
import hashlib
import html
import json
import math
import os
import platform
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

import nbformat
import numpy as np
from matplotlib.figure import Figure
from scipy.special import stdtrit

from helpers import evidence, plots
from helpers.checks import (
    check_array,
    check_count,
    check_number,
    check_path,
    check_sequence,
    check_type,
    shown,
)
from helpers.files import written_whole
from helpers.progress import Progress

FOLDER = Path("results")  # a notebook runs in its own folder
UNFINISHED = FOLDER / "unfinished"
PACKAGES = ("tensorflow", "keras", "numpy")

Run = Mapping[str, object]


class RecordError(RuntimeError):
    """A record that is missing, broken or of other settings; the message says what to do."""


@dataclass(frozen=True)
class Record:
    """One recorded study at full scale.

    Args:
        name: Name of its file, beginning with the number of its notebook.
        settings: What the notebook declared.
        runs: Variant to its runs; each holds what was measured (a number, or one an epoch), and
            under "about" its seed, seconds, peak memory, precision, date, machine and versions.
        scale: Always "full".
    """

    name: str
    settings: dict[str, object]
    runs: dict[str, list[dict[str, object]]]
    scale: str = "full"


def collect(
    name: str,
    settings: Mapping[str, object],
    variants: Mapping[str, object],
    seeds: Sequence[int],
    train: Callable[[object, int], Mapping[str, object]],
) -> dict[str, list[dict[str, object]]]:
    """Train every variant once with each seed; at full scale, note each run as it is finished.

    Runs of one seed follow each other, so that a record cut short still compares the variants. What
    is noted is gone on from, and forgotten when all runs are done, unless the command of this
    module keeps it as the record. Runs of another precision are trained again: a comparison
    across precisions would compare the rounding too.

    Args:
        name: Name of the record, beginning with the number of the notebook.
        settings: The settings to note, as the notebook declares them for this scale.
        variants: Label of a variant to what `train` needs to know of it.
        seeds: The seeds of the repeats.
        train: Called with a variant's value and a seed; returns what was measured: numbers, or
            lists of one number an epoch, such as `History.history`.

    Returns:
        Label to its runs, in the order of the seeds.

    Raises:
        RecordError: If a record that is to be resumed cannot be read, or one cannot be written.
        TypeError: If an argument, or what `train` returns, is of another kind.
        ValueError: If there are no variants or seeds, a seed comes twice, the settings are not
            what JSON can hold, or a measured value is not finite.

    Example:
        >>> runs = collect("07_doc", {}, {"none": 0.0}, [1, 2], lambda rate, seed: {"loss": [rate]})
        >>> stack(runs["none"], "loss")
        array([[0.],
               [0.]])
    """
    check_type(name, "name", str)
    settings = _json(settings)
    _check_labels(variants, "variants")
    seeds = check_sequence(seeds, "seeds", minimum=0)
    seeds = [check_count(seed, "each of seeds", minimum=0) for seed in seeds]
    check_type(train, "train", Callable)
    if not variants or not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(
            f"collect needs variants and seeds, each seed once, received {[*variants]} and {seeds}"
        )
    full = os.environ.get("DROPOUT_SCALE") == "full"
    recording = os.environ.get("DROPOUT_RECORD")  # set by this module's command
    done = {}
    if full and recording == "resume":
        done = _earlier(name, settings, FOLDER)
    elif full and not recording:
        with contextlib.suppress(RecordError):  # notes that are broken or of other settings
            done = _earlier(name, settings, UNFINISHED)
            if done:
                print(f"Going on after {len(done)} runs; delete {UNFINISHED} to start anew.")

    def runs() -> dict[str, list[dict[str, object]]]:
        return {
            label: [done[label, seed] for seed in seeds if (label, seed) in done]
            for label in variants
        }

    todo = [(label, seed) for seed in seeds for label in variants if (label, seed) not in done]
    with Progress(len(todo) or 1, "runs") as progress:
        for count, (label, seed) in enumerate(todo, 1):
            started = time.perf_counter()
            measured = check_type(train(variants[label], seed), "what train returns", Mapping)
            run = {key: _plain(value, f"train's {key}") for key, value in measured.items()}
            run["about"] = _about(seed, time.perf_counter() - started)
            done[label, seed] = run
            if full and recording:
                _write(Record(name, settings, runs()), FOLDER)
            elif full:
                with contextlib.suppress(RecordError):  # training can do without its notes
                    _write(Record(name, settings, runs()), UNFINISHED)
            progress.show(count)
    if full and not recording:
        with contextlib.suppress(OSError):
            (UNFINISHED / f"{name}.json").unlink(missing_ok=True)
    return runs()


def load(name: str, folder: Path | None = None) -> Record:
    """Return a record, checked.

    Args:
        name: Its name, without the ending.
        folder: Where it is; the folder results beside the notebook when omitted.

    Returns:
        The record.

    Raises:
        RecordError: If it is missing, broken or not a record.
        TypeError: If `name` is not a string, or `folder` not a path.
        ValueError: If `folder` holds a null character.

    Example:
        >>> load("07_missing")
        Traceback (most recent call last):
        helpers.results.RecordError: there is no record ...07_missing.json...
    """
    check_type(name, "name", str)
    path = (FOLDER if folder is None else check_path(folder, "folder")) / f"{name}.json"
    advice = "make it again with `python -m helpers.results` and the notebook of that number"
    try:
        content = json.loads(path.read_text("utf-8"))
        digest = content.pop("sha256")
        record = Record(**content)
        if digest != _digest(record):
            raise ValueError("its checksum does not match")
        _check(record, name)
    except FileNotFoundError as error:
        raise RecordError(f"there is no record {path.absolute()}; {advice}") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        says = f"{path.absolute()} is broken or cannot be read ({error!r}); {advice}"
        raise RecordError(says) from error
    return record


def stack(runs: Sequence[Run], key: str) -> np.ndarray:
    """Return one measured quantity of several runs as an array.

    Args:
        runs: The runs of one variant, as `collect` returns them.
        key: What was measured, for example "val_loss".

    Returns:
        Shape (runs, epochs), or (runs,) for a single number a run.

    Raises:
        TypeError: If an argument is of another kind.
        ValueError: If a run lacks it, or the runs differ in length.

    Example:
        >>> stack([{"loss": [2.0, 1.0]}, {"loss": [3.0, 2.0]}], "loss")
        array([[2., 1.],
               [3., 2.]])
    """
    return _stacked(runs, key, "runs")


def one_run(published: float, values: np.ndarray) -> bool:
    """Return whether a published single run could be one more of ours.

    Args:
        published: The figure that somebody measured once.
        values: The same quantity in our own runs, at least two.

    Returns:
        Whether it lies in the 95 % prediction interval of one further run.

    Raises:
        TypeError: If an argument is not numeric.
        ValueError: If there are fewer than two values, or a number is not finite.

    Source:
        Student (1908), The probable error of a mean; the interval widened by sqrt(n + 1).

    Example:
        >>> one_run(0.85, [0.80, 0.82, 0.84]), one_run(0.95, [0.80, 0.82, 0.84])
        (True, False)
    """
    published, values = check_number(published, "published"), check_array(values, "values", ndim=1)
    ours = evidence.interval(values)
    spread = values.std(ddof=1) * math.sqrt(1 + 1 / ours.n)
    return bool(abs(published - ours.mean) <= stdtrit(ours.n - 1, 0.975) * spread)


@dataclass(frozen=True)
class Comparison:
    """The table *published / ours / verdict*, as a notebook shows it.

    Args:
        rows: One (quantity, published, ours, verdict) each, shown by their `str`.

    Example:
        >>> print(Comparison([("accuracy", 0.88, 0.87, "agrees")]))
        accuracy | 0.88 | 0.87 | agrees
    """

    rows: Sequence[tuple[object, object, object, object]]

    def __str__(self) -> str:
        return "\n".join(" | ".join(map(str, row)) for row in self.rows)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        def line(cells: Sequence[object], tag: str) -> str:
            left = 'style="text-align:left"'
            return "".join(f"<{tag} {left}>{html.escape(str(cell))}</{tag}>" for cell in cells)

        head = line(("", "Published", "Ours", "Verdict"), "th")
        body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def figure(
    live: Mapping[str, Sequence[Run]],
    recorded: Mapping[str, Sequence[Run]],
    key: str,
    *,
    ylabel: str,
    published: float | None = None,
) -> Figure:
    """Draw a live run beside the recorded full-scale one, with the published figure as a line.

    Args:
        live: Label to its runs, as `collect` returns them.
        recorded: The same labels to the runs of a record.
        key: A quantity measured once an epoch.
        ylabel: Its name, with its unit.
        published: What the source reports, if it does.

    Returns:
        The figure.

    Raises:
        TypeError: If an argument is of another kind.
        ValueError: If runs lack the quantity, have no epochs or not the same number of them, or
            there are fewer than two of a label.

    Example:
        >>> runs = {"none": [{"loss": [2.0, 1.0]}, {"loss": [3.0, 2.0]}]}
        >>> len(figure(runs, runs, "loss", ylabel="loss (nats)").axes)
        2
    """
    check_type(ylabel, "ylabel", str)
    if published is not None:
        check_number(published, "published")
    parts = {"this run": _by_epoch(live, key, "live")}
    parts["recorded"] = _by_epoch(recorded, key, "recorded")
    fig, axes = plots.figure(1, 2, width=8.6, height=3.3, sharey=True)
    for ax, (title, groups) in zip(axes, parts.items(), strict=True):
        shape = next(iter(groups.values())).shape
        epochs = range(1, shape[-1] + 1)
        plots.bands(epochs, groups, xlabel="epoch", ylabel=ylabel, ax=ax)
        if published is not None:
            ax.axhline(published, color="black", ls=(0, (4, 2)), label=f"published: {published:g}")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set_title(f"{title}, {shape[0]} repeats" + ", full scale" * (title == "recorded"))
    axes[1].set_ylabel("")
    axes[0].legend().set_visible(False)
    axes[1].legend()
    return fig


def declared(notebook: Path, scale: str = "full") -> dict[str, object]:
    """Return the settings that a notebook declares in its cell `SETTINGS = {...}`.

    Args:
        notebook: The notebook; none of its code is run.
        scale: "sample" or "full".

    Returns:
        The settings of that scale.

    Raises:
        TypeError: If an argument is of another kind.
        FileNotFoundError: If there is no such notebook.
        ValueError: If it is no notebook, does not have exactly one such literal, or not that scale.

    Example:
        >>> declared(Path("missing.ipynb"))
        Traceback (most recent call last):
        FileNotFoundError: ...
    """
    notebook, scale = check_path(notebook, "notebook"), check_type(scale, "scale", str)
    try:
        cells = nbformat.read(notebook, as_version=4).cells
    except FileNotFoundError:
        raise
    # whatever is wrong with a file of unknown content
    except Exception as error:
        raise ValueError(f"notebook must be one, received {notebook} ({error!r})") from error
    found = []
    for cell in cells:
        with contextlib.suppress(SyntaxError):  # prose, or a magic
            for node in ast.parse(cell.source).body if cell.cell_type == "code" else ():
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SETTINGS":
                    found.append(ast.literal_eval(node.value))
    if len(found) != 1 or scale not in found[0]:
        raise ValueError(
            f"notebook {notebook} needs one SETTINGS with {scale!r} as its scale, received {found}"
        )
    return found[0][scale]


def _json(settings: Mapping[str, object]) -> dict[str, object]:
    _check_labels(settings, "settings")
    try:
        return json.loads(json.dumps(dict(settings), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"settings must hold what JSON can ({error}), received {shown(settings)}"
        ) from error


def _check_labels(values: Mapping[str, object], name: str) -> None:
    for label in check_type(values, name, Mapping):
        check_type(label, f"each label in {name}", str)


def _stacked(runs: Sequence[Run], key: str, name: str, ndim: int | None = None) -> np.ndarray:
    check_type(key, "key", str)
    for i, run in enumerate(check_sequence(runs, name)):
        measured = [each for each in check_type(run, f"{name}[{i}]", Mapping) if each != "about"]
        if key not in run:
            raise ValueError(f"key: {name}[{i}] measured {measured}, received {key!r}")
    return check_array([run[key] for run in runs], f"{key} of {name}", ndim).astype(float)


def _by_epoch(runs: Mapping[str, Sequence[Run]], key: str, name: str) -> dict[str, np.ndarray]:
    _check_labels(runs, name)
    groups = {
        label: _stacked(each, key, f"{name}[{label!r}]", ndim=2) for label, each in runs.items()
    }
    shapes = [group.shape for group in groups.values()]
    if len({shape[1] for shape in shapes}) != 1 or min(shapes)[0] < 2:
        raise ValueError(
            f"{name} needs two runs or more of each label, all of as many epochs, received "
            f"{dict(zip(groups, shapes, strict=True))}"
        )
    return groups


def _plain(value: object, key: str) -> object:
    # six figures: more than a repeat on another machine could agree on
    rounded = [float(f"{x:.6g}") for x in check_array(value, key).astype(float).reshape(-1)]
    return rounded[0] if np.ndim(value) == 0 else rounded


def _about(seed: int, seconds: float) -> dict[str, object]:
    try:
        import resource
    except ImportError:  # Windows
        peak = None
    else:
        unit = 2**20 if sys.platform == "darwin" else 2**10
        peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)
    return {
        "seed": seed,
        "seconds": round(seconds, 1),
        "peak_mib": peak,
        "precision": _precision(),
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        # a package may be installed under another name: tensorflow-cpu, tensorflow-rocm
        "versions": {name: import_module(name).__version__ for name in PACKAGES},
    }


def _earlier(
    name: str, settings: Mapping[str, object], folder: Path
) -> dict[tuple[str, int], dict]:
    try:
        record = load(name, folder)
    except RecordError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return {}
        raise
    if record.settings != settings:
        raise RecordError(f"{name} was recorded with other settings; run it without --resume")
    return {
        (label, run["about"]["seed"]): run
        for label, runs in record.runs.items()
        for run in runs
        if run["about"]["precision"] == _precision()
    }


def _precision() -> str:
    import helpers.quiet  # noqa: F401, I001
    import keras

    return keras.config.dtype_policy().name


def _check(record: Record, name: str) -> None:
    if (record.name, record.scale) != (name, "full"):
        raise ValueError(f"it says {record.name!r} at scale {record.scale!r}")
    if not isinstance(record.settings, dict) or not record.runs:
        raise ValueError("it has no settings or no runs")
    for runs in record.runs.values():
        for run in runs:
            seed, seconds = run["about"]["seed"], run["about"]["seconds"]
            if not isinstance(seed, int) or not seconds >= 0:
                raise ValueError(f"a run has seed {seed!r} and took {seconds!r} s")
            for key in run.keys() - {"about"}:
                check_array(run[key], key)


def _digest(record: Record) -> str:
    # of what the file says, so that a change of line ends does no harm
    return hashlib.sha256(json.dumps(asdict(record)).encode()).hexdigest()


def _write(record: Record, folder: Path) -> None:
    path = folder / f"{record.name}.json"
    content = {**asdict(record), "sha256": _digest(record)}
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    # one curve a line
    text = re.sub(r"\[[-+\d.e,\s]*\]", lambda m: " ".join(m[0].split()), text) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise RecordError(
            f"cannot write {path.absolute()} ({error}); free some room or make its folder "
            "writable, then go on with `python -m helpers.results --resume`"
        ) from error


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Those of the command line when omitted.

    Returns:
        0 if every notebook ran through, else 1.

    Example:
        >>> main(["missing.ipynb"])
        no notebook at missing.ipynb
        1
    """
    from helpers import execute

    parser = argparse.ArgumentParser(
        prog="python -m helpers.results",
        description="Run notebooks at full scale, so that they record their runs. "
        "The notebooks themselves stay as they are.",
    )
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--resume", action="store_true", help="keep the runs already recorded")
    options = parser.parse_args(arguments)
    wanted = {
        "DROPOUT_SCALE": "full",
        "DROPOUT_RECORD": "resume" if options.resume else "new",
    }
    failed = 0
    for path in options.notebooks:
        try:
            execute.run(path, timeout=None, environment=wanted)
            print(f"{path} ran at full scale")
        except (FileNotFoundError, execute.NotebookRefusedError) as error:
            print(error)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
