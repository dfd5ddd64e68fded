"""How our way compares with the sources' way, both measured in this run.

    python tests/benchmark.py [--all] [--json FILE] [--only WORD]

A row is one function with the decorator `row`: it returns how many seconds each way took, repeat by
repeat. Times of the sources' way that come from fewer epochs, scaled up, are marked as such. The
rows by default take about three minutes; --all adds those that take long.
"""

import argparse
import functools
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median

from memory import NOTEBOOKS
from memory import measure as measure_memory

ROWS: dict[str, Callable[[], dict]] = {}
LONG: set[str] = set()


def row(title: str, long: bool = False) -> Callable:
    """Register a function as the row `title`.

    It returns {"ours": [...], "theirs": [...], "unit": "s", "note": "..."}; all but "ours" may be
    left out. What has to warm up does so inside the function, untimed; "start" is the part of "ours" that
    does not grow with the work, such as tracing, and a second ratio leaves it out.
    """

    def register(function: Callable[[], dict]) -> Callable[[], dict]:
        ROWS[title] = function
        if long:
            LONG.add(title)
        return function

    return register


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def circles() -> tuple:
    import numpy as np

    rng = np.random.default_rng(1)
    y = np.arange(100) % 2
    angle = rng.uniform(0, 2 * np.pi, 100)
    x = np.stack([np.cos(angle), np.sin(angle)], 1) * np.where(y, 0.8, 1)[:, None]
    x = (x + rng.normal(0, 0.1, x.shape)).astype("float32")
    return x[:30], y[:30], (x[30:], y[30:])


def circles_network(rate: float) -> object:
    from helpers._engine.backend import keras

    layers = keras.layers
    net = [layers.Dense(500, "relu"), layers.Dropout(rate), layers.Dense(1, "sigmoid")]
    net = keras.Sequential([keras.Input((2,)), *net])
    net.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return net


@row("circles: 500 units, dropout 0.4, 4,000 epochs, validation each epoch")
def circles_fit() -> dict:
    from helpers.training import fit

    epochs, measured = 4000, 60
    *data, held_out = circles()

    def took(how: Callable, n: int, **options: object) -> float:
        return seconds(lambda: how(*data, epochs=n, validation_data=held_out, **options))

    slow = circles_network(0.4)
    took(slow.fit, 3, verbose=0)
    start = took(functools.partial(fit, circles_network(0.4)), 1)
    ours, theirs = [], []
    for _ in range(5):  # turn about, so that both meet the same machine
        ours.append(took(functools.partial(fit, circles_network(0.4)), epochs))
        theirs.append(took(slow.fit, measured, verbose=0) * epochs / measured)
    note = f"theirs: model.fit, scaled up from {measured} epochs; ours traces a new model each time"
    return {"ours": ours, "theirs": theirs, "start": start, "note": note}


def sweep_circles(rates: int, seeds: int) -> dict:
    """Train rates x seeds networks for 4,000 epochs; wants a process of its own, for its memory."""
    import resource

    from helpers import sweeps

    peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # noqa: E731
    x, y, _ = circles()
    grid = [i / rates for i in range(rates)]
    work = lambda n: sweeps.train(circles_network, grid, x, y, seeds=range(seeds), epochs=n)  # noqa: E731
    compiling, before = seconds(lambda: work(1)), peak()
    ours = [seconds(lambda: work(4000)) for _ in range(1 if rates * seeds > 300 else 3)]
    return {"ours": ours, "compiling": compiling, "memory": before, "more": peak() - before}


def _sweep_row(rates: int, seeds: int) -> dict:
    epochs, measured = 4000, 60
    x, y, _ = circles()
    slow = circles_network(0.4)
    slow.fit(x, y, epochs=3, verbose=0)
    scale = epochs / measured * rates * seeds
    fit = lambda: scale * seconds(lambda: slow.fit(x, y, epochs=measured, verbose=0))  # noqa: E731
    theirs = [fit()]
    code = f"import benchmark, json; print(json.dumps(benchmark.sweep_circles({rates}, {seeds})))"
    command = [sys.executable, "-c", code]
    found = json.loads(subprocess.check_output(command, cwd=Path(__file__).parent))
    theirs.append(fit())
    note = (
        f"theirs: model.fit in a loop, scaled up from {measured} epochs of one; ours compiles once, "
        f"{found['compiling']:.1f} s, and needs {found['more']:.0f} MB above {found['memory']:.0f} MB"
    )
    return {"ours": found["ours"], "theirs": theirs, "note": note}


for _rates, _seeds in ((1, 1), (1, 10), (10, 10), (10, 30), (10, 100)):
    row(
        f"{_rates * _seeds:,} networks in one sweep: circles, 500 units, dropout, 4,000 epochs",
        long=_rates * _seeds not in (1, 300),
    )(functools.partial(_sweep_row, _rates, _seeds))


def _digits_row(units: tuple[int, ...]) -> dict:
    import numpy as np

    from helpers import sweeps
    from helpers._engine.backend import keras

    rng, scale = np.random.default_rng(1), 50_000 / 10_000
    x, y = rng.random((10_000, 784), np.float32), rng.integers(0, 10, 10_000)

    def build(rate: float) -> keras.Sequential:
        layers, net = keras.layers, [keras.Input((784,)), keras.layers.Dropout(0.2)]
        for n in units:
            limit = keras.constraints.MaxNorm(2.5)
            net += [layers.Dense(n, "relu", kernel_constraint=limit), layers.Dropout(rate)]
        net = keras.Sequential([*net, layers.Dense(10, "softmax")])
        net.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return net

    slow, how = build(0.5), {"epochs": 1, "batch_size": 100}
    fit = lambda: slow.fit(x, y, verbose=0, **how)  # noqa: E731
    sweep = lambda: sweeps.train(build, [0.5], x, y, seeds=[0, 1], **how)  # noqa: E731
    fit(), sweep()
    ours, theirs = [], []
    for _ in range(3):
        ours.append(seconds(sweep) / 2 * scale)
        theirs.append(seconds(fit) * scale)
    return {"ours": ours, "theirs": theirs, "note": "a network, from a fifth of the rows"}


for _units in ((256, 256), (512, 512), (1024, 1024, 2048)):
    row(f"MNIST: an epoch of 50,000 in batches of 100, layers of {_units}, max-norm", long=True)(
        functools.partial(_digits_row, _units)
    )


def _import(module: str) -> list[float]:
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    run = lambda: subprocess.check_output([sys.executable, "-c", code], stderr=subprocess.DEVNULL)  # noqa: E731
    run()
    return [float(run()) for _ in range(3)]


row("import helpers")(lambda: {"ours": _import("helpers")})
row("import helpers.training, with Keras, against import keras")(
    lambda: {"ours": _import("helpers.training"), "theirs": _import("keras")}
)


@row("IMDB: 25,000 reviews of the whole training set to a 1,000-column matrix")
def imdb_matrix() -> dict:
    import numpy as np

    from helpers import data

    reviews = data.load("imdb").x_train
    scale = 25_000 / len(reviews)

    def one_by_one() -> None:
        # the way of the Tokenizer that the source used, which Keras 3 no longer has
        matrix = np.zeros((len(reviews), 1000))
        for i, review in enumerate(reviews):
            for word in set(review.tolist()):
                if word <= 1000:
                    matrix[i, word - 1] = 1.0

    ours = [seconds(lambda: data.multi_hot(reviews, 1000)) * scale for _ in range(5)]
    theirs = [seconds(one_by_one) * scale for _ in range(3)]
    return {"ours": ours, "theirs": theirs, "note": "both scaled up from the bundled sample"}


@row(
    "CIFAR-10: one epoch of 40,000 in batches of 250, the ConvNet of the source, without validation",
    long=True,
)
def cifar10_epoch() -> dict:
    from helpers import data, training
    from helpers._engine.backend import keras

    sample = data.load("cifar10", "sample")
    x, y, scale = sample.x_train, sample.y_train, 40_000 / len(sample.x_train)

    def model(loss: str, *first: keras.layers.Layer) -> keras.Model:
        how = {"activation": "relu", "kernel_initializer": "he_uniform"}
        how["kernel_constraint"] = keras.constraints.MaxNorm(2)
        layers, net = keras.layers, [keras.Input((32, 32, 3)), *first]
        for _ in range(2):
            net += [layers.Conv2D(64, 3, **how), layers.MaxPooling2D(), layers.Dropout(0.5)]
        net += [layers.Flatten(), layers.Dense(256, **how)]
        net = keras.Sequential([*net, layers.Dense(10, activation="softmax", dtype="float32")])
        net.compile("adam", loss, metrics=["accuracy"])
        return net

    def small() -> keras.Model:
        return model("sparse_categorical_crossentropy", keras.layers.Rescaling(1 / 255))

    slow = model("categorical_crossentropy")
    floats, classes = x.astype("float32") / 255, keras.utils.to_categorical(y, 10)
    slow.fit(floats, classes, batch_size=250, verbose=0)
    policy = training.fastest_policy(small, x[:250], y[:250])
    ours, theirs = [], []
    for _ in range(3):
        took = seconds(lambda: slow.fit(floats, classes, batch_size=250, verbose=0))
        theirs.append(took * scale)
        keras.config.set_dtype_policy(policy)
        # three epochs less one: two, without the tracing
        train = functools.partial(training.fit, small(), x, y, batch_size=250)
        one, three = (seconds(functools.partial(train, epochs=n)) for n in (1, 3))
        ours.append((three - one) / 2 * scale)
        keras.config.set_dtype_policy("float32")
    return {"ours": ours, "theirs": theirs, "note": f"from a tenth of the rows; {policy}"}


@row("the live panel of lesson 8: from the released slider to the new picture")
def panel() -> dict:
    import nbformat
    from nbclient import NotebookClient

    moves = "import json, time\ntook = []\nfor rate in (0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8):\n"
    moves += "    t = time.perf_counter()\n    panel.controls['rate'].value = rate\n"
    moves += "    took.append(time.perf_counter() - t)\nprint(json.dumps(took))"
    notebook = nbformat.read(NOTEBOOKS / "08_case_circles.ipynb", as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(moves))
    NotebookClient(notebook, resources={"metadata": {"path": NOTEBOOKS}}).execute()
    return {"ours": json.loads(notebook.cells[-1].outputs[0].text)}


def _drag_row(name: str) -> dict:
    import tempfile

    import lab

    with (
        tempfile.TemporaryDirectory() as folder,
        lab.server(Path(folder, "course")) as address,
        lab.browser() as chromium,
    ):
        done = lab.drag(lab.open_lesson(chromium, *address, name), seconds=60)
    note = (
        f"{done.moves} moves: {done.sent} messages, {done.drawn} pictures, {done.late} of them late; "
        f"kernel {' '.join(f'{mb:.0f}' for mb in done.memory)} MB, every 10 s; "
        f"figures left open: {done.figures}; errors: {done.problems or 'none'}"
    )
    return {"ours": [done.settled], "note": note}


for _name in ("08_case_circles", "10_case_fashion_mnist"):
    row(f"drag the slider of {_name} for a minute: from letting go to the last picture", long=True)(
        functools.partial(_drag_row, _name)
    )


def _memory_row(path: Path) -> dict:
    peak, took, problem = measure_memory(path)
    return {"ours": [peak], "unit": "MB", "note": problem or f"{took:.0f} s"}


for _path in sorted(NOTEBOOKS.glob("*.ipynb")):
    row(f"peak memory of the kernel of {_path.stem}", long=True)(
        functools.partial(_memory_row, _path)
    )


@row("whole suite: python -m pytest -n 2 --nbval", long=True)
def suite() -> dict:
    command = [sys.executable, "-m", "pytest", "-n", "2", "--nbval", "-q"]
    return {"ours": [seconds(lambda: subprocess.run(command, cwd=NOTEBOOKS.parent, check=True))]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", metavar="FILE", help="also write every repeat to this file")
    parser.add_argument("--only", default="", metavar="WORD", help="rows whose title has this word")
    parser.add_argument("--all", action="store_true", help="the rows that take long as well")
    options = parser.parse_args()
    results = {}
    print(f"{'ours':>10} {'theirs':>10} {'ratio':>7} {'start':>10} {'ratio':>7}  row (medians)")
    for title, measure in ROWS.items():
        if options.only not in title or (title in LONG and not (options.all or options.only)):
            continue
        result = results[title] = {"unit": "s"} | measure()
        ours, theirs = median(result["ours"]), median(result.get("theirs", [float("nan")]))
        unit, start = result["unit"], result.get("start")
        print(
            f"{ours:>8.3g} {unit} "
            + (f"{theirs:>8.3g} {unit} {theirs / ours:>6.1f}x " if "theirs" in result else " " * 20)
            + (f"{start:>8.3g} {unit} {theirs / (ours - start):>6.1f}x" if start else " " * 18)
            + f"  {title}"
            + (f"\n{'':>50}{result['note']}" if "note" in result else ""),
            flush=True,
        )
    if options.json:
        names = ("tensorflow", "keras", "numpy")
        versions = {"python": platform.python_version()} | {n: version(n) for n in names}
        with open(options.json, "w") as file:
            json.dump({"versions": versions, "rows": results}, file, indent=1)


if __name__ == "__main__":
    main()
