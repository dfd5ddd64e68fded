"""Any function over many configurations: on one core, on all of them, or on a cluster.

The call is the same; one line says where it runs. On all cores, then on a Dask cluster::

    with joblib.parallel_config("loky", n_jobs=-1):
        scores = jobs.sweep(score, configurations)
    with dask.distributed.Client("scheduler:8786"), joblib.parallel_config("dask"):
        scores = jobs.sweep(score, configurations)

Dask is not needed otherwise; ``pip install "dask[distributed]"`` brings it.

Example:
    >>> from helpers import jobs
    >>> jobs.sweep(pow, [dict(base=2, exp=3), dict(base=3, exp=2)])
    [8, 9]
"""

import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import joblib

from helpers.checks import shown
from helpers.progress import Progress


class SweepError(RuntimeError):
    """A configuration failed; the message names it, `__cause__` is the error itself.

    Example:
        >>> raise SweepError("rate=2 failed")
        Traceback (most recent call last):
        helpers.jobs.SweepError: rate=2 failed
    """


def sweep(function: Callable[..., Any], configurations: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Call a function once for every configuration, where `joblib.parallel_config` says.

    Without a `parallel_config` it runs here, one after the other. A configuration should carry all
    that its result depends on, its seed included: then it does not matter where it runs, in what
    order, or how often a cluster has to start it again because a worker died.

    Args:
        function: Takes a configuration's values as keyword arguments. For other processes it must
            be importable there or defined in the notebook; what it returns must be picklable.
        configurations: Arguments by name, one mapping for each call.

    Returns:
        What the function returned, in the order of the configurations.

    Raises:
        TypeError: If `function` cannot be called, or a configuration is not a mapping with names
            as keys.
        ValueError: If there are none.
        SweepError: Naming a configuration that failed; no others are started after it.

    Example:
        >>> sweep(lambda rate, seed: rate + seed, [dict(rate=0.5, seed=s) for s in range(3)])
        [0.5, 1.5, 2.5]
    """
    if not callable(function):
        raise TypeError(f"function must be callable, received {shown(function)}")
    try:
        each = iter(configurations)
    except TypeError:
        raise TypeError(
            f"configurations must be a sequence of mappings, received {shown(configurations)}"
        ) from None
    configurations = list(each)
    if not configurations:
        raise ValueError("configurations must hold at least one, received none")
    for configuration in configurations:
        if not isinstance(configuration, Mapping) or not all(
            isinstance(name, str) for name in configuration
        ):
            raise TypeError(
                f"each configuration must map names to values, received {shown(configuration)}"
            )
    results: list[Any] = [None] * len(configurations)
    failures: dict[int, Exception] = {}

    def calls() -> Iterator[tuple]:
        for i, configuration in enumerate(configurations):
            # after a failure start no more, but let those under way end: to break off is unsafe
            if failures:
                return
            yield joblib.delayed(_call)(function, i, dict(configuration))

    # results come as they are ready, so that progress is what has really been done
    outcomes = joblib.Parallel(return_as="generator_unordered")(calls())
    with Progress(len(configurations), "configurations") as progress:
        for done, (i, result, error) in enumerate(outcomes, 1):
            if error is not None:
                failures[i] = error
            results[i] = result
            progress.show(done)
    if failures:
        i = min(failures)
        named = ", ".join(f"{name}={shown(value)}" for name, value in configurations[i].items())
        error = failures[i]
        raise SweepError(f"configuration {i} ({named}) failed: {error!r}") from error
    return results


def _call(function: Callable[..., Any], i: int, configuration: dict[str, Any]) -> tuple:
    try:
        return i, function(**configuration), None
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            # it could not travel between processes, and would take the sweep down with it
            return i, None, RuntimeError(repr(error))
        return i, None, error
