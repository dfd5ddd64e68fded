"""Exercises of lesson 13, Uncertainty."""

import math

import numpy as np
from scipy import special

from helpers import masks
from helpers.exercises.judge import Choice, Code, Question


def entropy(p):
    return special.entr(p).sum(axis=-1)


def mutual_information(p):
    p = np.asarray(p)
    return entropy(p.mean(axis=0)) - entropy(p).mean(axis=0)


def answer_cases():
    """Answers of many passes; in the second case some are certain, so that some are 0."""
    rng = np.random.default_rng(13)
    yield (rng.dirichlet([0.6] * 4, (30, 7)),)
    yield (np.eye(3)[rng.integers(3, size=(20, 5))],)


def temperature(p, y, tried):
    return tried[np.argmin([loss_at(p, y, t) for t in tried])]


def loss_at(p, y, t, *, whole=True):
    warmed = np.exp(np.log(p) / t)
    if whole:
        warmed = warmed / warmed.sum(axis=-1, keepdims=True)
    return -np.log(warmed[np.arange(len(y)), y]).mean()


def temperature_cases():
    """Probabilities that are too sure, and some that are too shy."""
    for seed, right in enumerate((3.0, 0.5)):
        rng = np.random.default_rng(seed)
        logits = rng.normal(0, 2, (600, 5))
        y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
        yield special.softmax(logits * right, axis=1), y, [1.0, 0.25, 0.5, 0.1, 0.8, 3.0, 1.5, 6.0]


def loss_of_passes(p, y):
    return -np.log(np.asarray(p).mean(axis=0)[np.arange(len(y)), y]).mean()


def loss_cases():
    for seed in range(2):
        rng = np.random.default_rng(seed)
        yield rng.dirichlet([1.5] * 4, (25, 60)), rng.integers(4, size=60)


def of_votes(p, y):
    share = np.eye(p.shape[-1])[p.argmax(axis=-1)].mean(axis=0)
    return -np.log(share[np.arange(len(y)), y]).mean()


EXERCISES = {
    "13.1": Question(
        lambda: math.sqrt(masks.moments([3.0], 0.2)[1][0]),
        "Its variance is rate / (1 − rate) times the square of what is dropped.",
    ),
    "13.2": Question(
        lambda: math.log(2), "The entropy of the mean answer, minus the mean of their entropies."
    ),
    "13.3": Code(
        mutual_information,
        answer_cases,
        {
            "That is the entropy of the mean answer: subtract what each answer doubts by itself.": (
                lambda p: entropy(p.mean(axis=0))
            ),
            "That is how much each answer doubts by itself, and nothing of their disagreement.": (
                lambda p: entropy(p).mean(axis=0)
            ),
            "The sign is turned: the entropy of the mean comes first.": (
                lambda p: -mutual_information(p)
            ),
            "Those are bits; take the natural logarithm.": (
                lambda p: mutual_information(p) / math.log(2)
            ),
            "One number for all points: give each point its own.": (
                lambda p: mutual_information(p).mean()
            ),
            "Where a probability is 0 it gives NaN: 0 · ln 0 counts as 0 (`scipy.special.entr`).": (
                lambda p: (p * np.log(p)).sum(-1).mean(0) - (p.mean(0) * np.log(p.mean(0))).sum(-1)
            ),
            "The passes stand on axis 0; this averages over the points.": (
                lambda p: entropy(p.mean(axis=1)) - entropy(p).mean(axis=1)
            ),
        },
        (
            "Two entropies: that of the mean answer, and that of each answer.",
            "Average the answers over axis 0, and the entropies over axis 0; subtract the second.",
        ),
    ),
    "13.4": Code(
        temperature,
        temperature_cases,
        {
            "The logits are multiplied: that is one over the temperature.": (
                lambda p, y, tried: tried[np.argmin([loss_at(p, y, 1 / t) for t in tried])]
            ),
            "Divided logits are no probabilities yet: each row must sum to 1 again.": (
                lambda p, y, tried: tried[np.argmin([loss_at(p, y, t, whole=False) for t in tried])]
            ),
            "No temperature changes which class is largest, so accuracy cannot choose: take the "
            "log loss.": lambda p, y, tried: tried[0],
            "This is the place in `tried`; give the temperature.": (
                lambda p, y, tried: int(np.argmin([loss_at(p, y, t) for t in tried]))
            ),
            "This is the worst one: a loss is good when it is low.": (
                lambda p, y, tried: tried[np.argmax([loss_at(p, y, t) for t in tried])]
            ),
        },
        (
            "For each temperature: logarithm, divide, softmax, and the log loss of the right class.",
            "`np.argmin(losses)` is a place in `tried`.",
        ),
    ),
    "13.5": Code(
        loss_of_passes,
        loss_cases,
        {
            "One logarithm for all points: average over the passes only, before it.": (
                lambda p, y: -np.log(p.mean(axis=0)[np.arange(len(y)), y].mean())
            ),
            "The sign is lost: a log loss is positive.": lambda p, y: -loss_of_passes(p, y),
            "The median of the answers is no probability: they need not sum to 1.": (
                lambda p, y: -np.log(np.median(p, axis=0)[np.arange(len(y)), y]).mean()
            ),
            "The votes are counted, and how sure each pass was is lost: average the probabilities.": (
                of_votes
            ),
            "One pass is judged: the mean of all is the prediction.": (
                lambda p, y: loss_of_passes(p[:1], y)
            ),
        },
        (
            "What is the prediction of fifty passes, and when does it exist?",
            "Average the probabilities over axis 0 first; take the logarithm once.",
        ),
        given=lambda p, y: -np.log(np.asarray(p)[:, np.arange(len(y)), y]).mean(),
    ),
    "13.6": Choice(
        "c",
        "One pass, one network and one number; in this lesson ten passes, each way with its "
        "temperature, lost to it.",
        {
            "a": "Ten times the work, and here they lost to one pass without masks; it took fifty to "
            "gain a hundredth or two of a nat.",
            "b": "As they come, the ensemble was first. It is five networks and five passes: neither "
            "the memory nor the time is there.",
            "d": "A network that knows nothing and says so is calibrated. The plain network that was "
            "stopped early was well calibrated, and right less often.",
        },
        (
            "What do one pass and one network rule out?",
            "What costs one number?",
        ),
    ),
}
