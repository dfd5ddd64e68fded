"""How the suite shares a machine: a thread for each worker, and the longest modules first."""

import os

LONGEST = [f"test_{name}.py" for name in ("site", "browser", "training", "sweeps", "records")]

if "PYTEST_XDIST_WORKER" in os.environ:
    # one worker a core; two threads in each would wait for each other, for a fifth of the time
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")


def pytest_collection_modifyitems(items):
    # after the notebooks, which pyproject.toml names first: no worker waits at the end
    items.sort(key=lambda item: (item.path.suffix != ".ipynb", item.path.name not in LONGEST))
