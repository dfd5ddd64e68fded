"""The machinery: quiet TensorFlow, checks, progress, and a grid that is spread over a cluster."""

import gc
import io
import logging
import os
import subprocess
import sys
from types import SimpleNamespace

import IPython
import joblib
import numpy as np
import psutil
import pytest
from dask.distributed import Client, LocalCluster

from helpers import sweeps
from helpers._engine import checks
from helpers._engine import progress as module
from helpers._engine.backend import give_back_memory, keras, tf


def python(code, **environment):
    command, surroundings = [sys.executable, "-c", code], os.environ | environment
    return subprocess.run(command, capture_output=True, text=True, env=surroundings, timeout=300)


def test_keras_loads_quietly_and_finds_scikit_learn():
    code = (
        "from helpers._engine import backend\nimport keras\nkeras.wrappers.SKLearnClassifier(print)"
    )
    done = python(code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_another_backend_of_the_readers_choice_is_refused_and_not_overwritten():
    done = python("import helpers._engine.backend", KERAS_BACKEND="jax")
    assert done.returncode == 1
    assert "KERAS_BACKEND is 'jax': set it to 'tensorflow' or unset it" in done.stderr


def test_what_an_interrupted_layer_or_a_new_model_leaves_behind_is_not_complained_of(caplog):
    tf.TensorArray(tf.float32, size=1).write(0, 1.0)
    gc.collect()
    for _ in range(8):  # TensorFlow counts the last six calls
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.predict(np.ones((1, 1)), verbose=0)
    tf.get_logger().error("anything else")
    assert caplog.messages == ["anything else"]


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is told how to keep memory")
@pytest.mark.parametrize(("size", "asked"), [(100_000, True), (5_000_000, False)])
def test_memory_that_was_freed_goes_back_to_the_system(size, asked):
    resident = lambda: psutil.Process().memory_info().rss  # noqa: E731
    np.ones(8_000_000, np.int8)  # having freed this much, glibc would keep what is smaller
    blocks = [np.ones(size, np.int8) for _ in range(200_000_000 // size)]
    full, pins = resident(), blocks[::5]
    del blocks
    if asked:
        give_back_memory()
    assert full - resident() > 140_000_000
    assert all(block[0] for block in pins)


@pytest.mark.parametrize("rate", [0, 0.5, np.float32(0.5), np.nextafter(1, 0)])
def test_a_rate_is_returned_as_a_float(rate):
    assert type(checks.check_rate(rate)) is float
    assert checks.check_rate(rate) == rate


@pytest.mark.parametrize(
    ("rate", "error", "says"),
    [
        (1.2, ValueError, "drop must satisfy 0 <= drop < 1, received 1.2$"),
        (-0.1, ValueError, "received -0.1$"),
        (float("nan"), ValueError, "received nan$"),
        (float("inf"), ValueError, "received inf$"),
        (1, ValueError, r"received 1 \(the rate is what is dropped: the paper's p = 1 keeps all"),
        (40, ValueError, r"received 40 \(40 percent is a rate of 0.4\)$"),
        (100, ValueError, "received 100$"),
        ("0.5", TypeError, "drop must be a number with 0 <= drop < 1, received '0.5'$"),
        (True, TypeError, "received True$"),
        (None, TypeError, "received None$"),
    ],
)
def test_what_is_no_rate_is_refused_with_the_rate_it_may_stand_for(rate, error, says):
    with pytest.raises(error, match=says):
        checks.check_rate(rate, "drop")


def test_a_choice_is_returned_or_answered_with_what_is_accepted():
    assert checks.check_choice("b", "kind", ["a", "b"]) == "b"
    with pytest.raises(ValueError, match="kind must be one of 'a', 'b', received 'c'"):
        checks.check_choice("c", "kind", ["a", "b"])
    assert checks.shown([0] * 1000) == str([0] * 1000)[:200] + "…"


def work(seconds=3):
    with module.progress(4, "runs") as bar:
        if not bar.disable:
            bar.start_t = bar.last_print_t = bar.start_t - seconds  # as if it had taken that long
        bar.update(1)


def test_a_terminal_sees_a_bar_that_goes_away_and_a_pipe_sees_nothing(monkeypatch, capsys):
    work()
    assert capsys.readouterr() == ("", "")
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    work(seconds=1.5)
    assert terminal.getvalue() == ""
    work()
    assert "1 of 4 runs, 00:09 left" in terminal.getvalue()
    assert terminal.getvalue().split("\r")[-2].strip() == ""


@pytest.mark.parametrize("served", [True, False])
def test_a_notebook_that_somebody_watches_is_left_with_an_empty_output(monkeypatch, served):
    shown = []

    def display(data, raw, display_id):
        shown.append(data)
        return SimpleNamespace(update=lambda data, raw: shown.append(data))

    monkeypatch.setattr(IPython.display, "display", display)
    monkeypatch.setattr(IPython, "get_ipython", lambda: "a kernel")
    monkeypatch.setenv("JPY_SESSION_NAME", "lesson")
    if not served:
        monkeypatch.delenv("JPY_SESSION_NAME")
    work()
    assert bool(shown) is served
    if served:
        assert shown[0] == shown[-1] == {}
        assert "1 of 4 runs" in shown[1]["text/plain"]


def kept(rate, seed):
    return float((np.random.default_rng(seed).random(1000) >= rate).mean())


def build(rate):
    hidden = [keras.layers.Dense(8, "relu"), keras.layers.Dropout(rate)]
    model = keras.Sequential([keras.Input((2,)), *hidden, keras.layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def chunk(seeds):
    x = np.random.default_rng(0).normal(size=(40, 2)).astype("float32")
    y = (x[:, 0] > 0).astype("float32")
    return np.array(sweeps.train(build, [0.0, 0.5], x, y, seeds=seeds, epochs=3).evaluate(x, y))


def test_a_grid_on_a_cluster_gives_the_numbers_of_one_process():
    grid = [(rate, seed) for rate in (0.2, 0.5) for seed in range(8)]
    alone = [kept(*point) for point in grid], chunk(range(4))
    quiet = {"dashboard_address": None, "silence_logs": logging.CRITICAL}
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, **quiet)
    with cluster, Client(cluster), joblib.parallel_config("dask"):
        spread = joblib.Parallel()(joblib.delayed(kept)(*point) for point in grid)
        parts = joblib.Parallel()(joblib.delayed(chunk)(s) for s in (range(2), range(2, 4)))
    assert spread == alone[0]
    np.testing.assert_allclose(np.concatenate(parts, axis=2), alone[1], atol=1e-5)
