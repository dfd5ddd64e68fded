"""Run lessons with base seeds that nobody has looked at, and record how often each claim held.

    python -m helpers.authors.replicate [--seeds 100 119] [--jobs 2] [--resume] [NOTEBOOK ...]
    python -m helpers.authors.replicate --compare [NOTEBOOK ...]

The record, notebooks/results/replication.json, is written after every run and keeps its other
lessons. With --resume it keeps the runs of unchanged code too. --compare runs each lesson with one
more seed, sets it beside the record, and writes nothing.
"""

import argparse
import datetime
import json
import sys
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import nbformat

from helpers import evidence, records
from helpers.authors import execute

THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
FINDINGS = """import json, keras, numpy, tensorflow
print(json.dumps({
    "claims": {each.claim: each.holds for each in claims.findings.values()},
    "versions": {each.__name__: each.__version__ for each in (tensorflow, keras, numpy)},
}))"""


def judge(path: Path, seed: int, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a lesson at sample scale with another base seed; its verdict may fail.

    Returns:
        "claims", each with whether it held, and "versions"; or the "crash", and no claims.
    """
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if "claims.verdict()" in cell.source:
            cell.metadata["tags"] = ["raises-exception"]
    notebook.cells.append(nbformat.v4.new_code_cell(FINDINGS))
    variables = {"DROPOUT_SEED": str(seed), "DROPOUT_SCALE": "sample", **(environment or {})}
    try:
        execute.run(notebook, path.parent, variables)
    except execute.NotebookError as error:
        return {"claims": {}, "crash": str(error).strip().splitlines()[-1]}
    return json.loads(notebook.cells[-1].outputs[0].text)


def note(entry: dict[str, Any], seed: int, found: Mapping[str, Any]) -> None:
    """Add one run to a lesson's entry; where it crashed, no claim held."""
    claims, before = entry["claims"], list(entry["seeds"])
    entry["seeds"].append(seed)
    if "crash" in found:
        entry["crashed"][str(seed)] = found["crash"]
    entry["versions"] = found.get("versions", entry["versions"])
    of = len(entry["seeds"])
    for claim in dict.fromkeys([*claims, *found["claims"]]):
        failed = claims[claim]["failed"] if claim in claims else before
        failed = failed if found["claims"].get(claim) else [*failed, seed]
        claims[claim] = {"held": of - len(failed), "of": of, "failed": failed}


def replicate(path: Path, seeds: Sequence[int], jobs: int = 1, resume: bool = False) -> None:
    """Run a lesson with each seed and record how often its claims held, run by run.

    Args:
        path: The lesson.
        seeds: The base seeds.
        jobs: How many kernels at a time; of several, each has one thread.
        resume: Whether the record keeps the runs that it has of the same code.
    """
    source = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    entry = {"seeds": [], "date": "", "versions": {}, "claims": {}, "crashed": {}}
    entry["code"] = f"{zlib.crc32(chr(10).join(source).encode()):08x}"
    before = evidence.recorded().get(path.stem, {})
    if resume and before.get("code") == entry["code"]:
        entry = before
    todo = [seed for seed in seeds if seed not in entry["seeds"]]
    environment = dict.fromkeys(THREADS, "1") if jobs > 1 else {}
    runs = joblib.Parallel(jobs, prefer="threads", return_as="generator")(  # kernels do the work
        joblib.delayed(judge)(path, seed, environment) for seed in todo
    )
    for seed, found in zip(todo, runs, strict=True):
        note(entry, seed, found)
        entry["date"] = datetime.date.today().isoformat()
        lessons = {**evidence.recorded(), path.stem: entry}
        records.save(evidence.REPLICATION, {"lessons": dict(sorted(lessons.items()))})
    every = sum(not one["failed"] for one in entry["claims"].values())
    print(f"{every} of {len(entry['claims'])} claims held in all of {len(entry['seeds'])} runs")


def compare(path: Path, seed: int) -> None:
    """Run a lesson with one more seed and print how that compares with the record.

    Raises:
        NotebookError: If it crashes, or claims what the record does not know.
    """
    found, known = judge(path, seed), evidence.replications(path.stem)
    claims = found["claims"]
    print(f"seed {seed}: {sum(claims.values())} of {len(claims)} claims hold")
    for claim, holds in claims.items():
        if not holds and claim in known:
            held, of = known[claim]["held"], known[claim]["of"]
            print(f"  not now, on record {held} of {of} times: {claim}")
    unknown = claims.keys() - known.keys()
    if "crash" in found or unknown:
        raise execute.NotebookError(found.get("crash", f"not on record: {sorted(unknown)}"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="all lessons by default")
    parser.add_argument("--seeds", nargs=2, type=int, metavar=("FIRST", "LAST"), default=(100, 119))
    parser.add_argument("--jobs", type=int, default=1, help="kernels at a time")
    parser.add_argument("--resume", action="store_true", help="keep the runs of unchanged code")
    parser.add_argument("--compare", action="store_true", help="one more seed, nothing written")
    options = parser.parse_args(arguments)
    every = sorted(records.FOLDER.parent.glob("*.ipynb"))
    claiming = [path for path in every if "claims.verdict()" in path.read_text("utf-8")]
    lessons = options.notebooks or claiming
    if options.compare:
        seed = int(f"{datetime.date.today():%y%m%d}")  # one that nobody has looked at
        return execute.each(lessons, lambda path: compare(path, seed), "compared")
    first, last = options.seeds
    how = range(first, last + 1), options.jobs, options.resume
    return execute.each(lessons, lambda path: replicate(path, *how), "replicated")


if __name__ == "__main__":
    sys.exit(main())
