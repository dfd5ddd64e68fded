"""The same sweep here, on all cores, and on a cluster that loses a worker."""

import logging
import os
import signal
import subprocess
import sys
import time

import joblib
import numpy as np
import pytest
from dask.distributed import Client, LocalCluster

from helpers import jobs, progress


def mean_of(rate, seed):
    return float((np.random.default_rng(seed).random(1000) >= rate).mean())


CONFIGURATIONS = [{"rate": rate, "seed": seed} for rate in (0.2, 0.5, 0.8) for seed in range(8)]
EXPECTED = [mean_of(**configuration) for configuration in CONFIGURATIONS]


@pytest.fixture(scope="module")
def cluster():
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            # it has much to say about the worker that we kill
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def test_results_keep_the_order_of_the_configurations():
    assert jobs.sweep(mean_of, CONFIGURATIONS) == EXPECTED
    assert jobs.sweep(mean_of, iter(CONFIGURATIONS)) == EXPECTED


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_one_line_sends_the_same_call_to_all_cores(backend):
    def late(rate, seed):
        time.sleep(0.05 * (seed == 0))
        return mean_of(rate, seed)

    with joblib.parallel_config(backend, n_jobs=2):
        assert jobs.sweep(late, CONFIGURATIONS) == EXPECTED


def test_a_cluster_gives_the_same_results_and_uses_both_workers(cluster):
    def where(rate, seed):
        time.sleep(0.02)
        return mean_of(rate, seed), os.getpid()

    with joblib.parallel_config("dask"):
        results = jobs.sweep(where, CONFIGURATIONS)
    assert [value for value, _ in results] == EXPECTED
    processes = {process for _, process in results}
    assert len(processes) == 2
    assert os.getpid() not in processes


def test_a_worker_killed_in_the_middle_loses_nothing(cluster, tmp_path):
    marker = tmp_path / "killed"

    def fatal_once(rate, seed):
        time.sleep(0.02)
        if (rate, seed) == (0.5, 4) and not marker.exists():
            marker.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return mean_of(rate, seed), os.getpid()

    with joblib.parallel_config("dask"):
        results = jobs.sweep(fatal_once, CONFIGURATIONS)
    assert [value for value, _ in results] == EXPECTED
    killed = int(marker.read_text())
    assert killed not in cluster.run(os.getpid).values()


def test_progress_counts_what_is_done(cluster, monkeypatch):
    seen = []
    monkeypatch.setattr(progress.Progress, "show", lambda self, done: seen.append(done))
    with joblib.parallel_config("dask"):
        jobs.sweep(mean_of, CONFIGURATIONS)
    assert seen == list(range(1, len(CONFIGURATIONS) + 1))


def test_nothing_is_printed(capfd):
    jobs.sweep(mean_of, CONFIGURATIONS)
    with joblib.parallel_config("loky", n_jobs=2):
        jobs.sweep(mean_of, CONFIGURATIONS)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("backend", ["threading", "loky", "dask"])
@pytest.mark.filterwarnings("error")
def test_a_failure_names_its_configuration(cluster, backend):
    def fails(rate, seed):
        if (rate, seed) == (0.5, 2):
            raise KeyError("no such rate")
        return seed

    with (
        joblib.parallel_config(backend, n_jobs=2),
        pytest.raises(jobs.SweepError, match=r"configuration 10 \(rate=0.5, seed=2\)") as error,
    ):
        jobs.sweep(fails, CONFIGURATIONS)
    assert isinstance(error.value.__cause__, KeyError)


def test_after_a_failure_nothing_more_is_started():
    started = []

    def fails(i):
        started.append(i)
        raise ValueError

    with pytest.raises(jobs.SweepError, match="configuration 0"):
        jobs.sweep(fails, [{"i": i} for i in range(100)])
    assert len(started) < 100


def test_an_error_that_cannot_travel_is_named_all_the_same():
    class StubbornError(Exception):
        def __init__(self, first, second):
            super().__init__(first)

    def fails(i):
        raise StubbornError("will not be pickled", i)

    with (
        joblib.parallel_config("loky", n_jobs=2),
        pytest.raises(jobs.SweepError, match=r"configuration . \(i=.\).*will not be pickled"),
    ):
        jobs.sweep(fails, [{"i": 1}, {"i": 2}])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((mean_of, []), ValueError, "at least one"),
        ((mean_of, [{"rate": 0.5}, 3]), TypeError, "must map names to values, received 3"),
        ((mean_of, [{1: 0.5}]), TypeError, "must map names to values"),
        (("mean", [{}]), TypeError, "function must be callable, received 'mean'"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        jobs.sweep(*arguments)


def test_without_dask_everything_else_works_and_the_error_says_what_to_install():
    code = """
import sys
sys.modules.update(dict.fromkeys(("dask", "distributed", "dask.distributed")))
import joblib
from helpers import jobs
print(jobs.sweep(pow, [dict(base=2, exp=3)]))
try:
    with joblib.parallel_config("dask"):
        jobs.sweep(pow, [dict(base=2, exp=3)])
except (ImportError, ValueError) as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("[8]\n")
    assert "install dask" in done.stdout
    assert done.stderr == ""
