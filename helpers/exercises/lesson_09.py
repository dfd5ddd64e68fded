"""Exercises of lesson 9, Case study: film reviews."""

import numpy as np

from helpers import masks
from helpers._engine.backend import keras
from helpers.exercises.judge import Choice, Code, Question

layers = keras.layers


def multi_hot_dropout(reviews, words, rate, rng):
    return coded()(reviews, words, rate, rng)


def coded(shift=1, factor=lambda rate: 1 / (1 - rate), counts=False, rows=True, flip=False):
    """Return a multi-hot coding with dropout, with its places for mistakes left open."""

    def code(reviews, words, rate, rng):
        x = np.zeros((len(reviews), words))
        for row, review in zip(x, reviews, strict=True):
            for word in review:
                if 0 <= word - shift < words:
                    row[word - shift] = row[word - shift] * counts + 1
        kept = rng.random(x.shape if rows else words) >= rate
        return x * (~kept if flip else kept) * factor(rate)

    return code


def token_dropout(reviews, words, rate, rng):
    """Drop before coding: a word that occurs twice has two chances to stay."""
    dropped = [[word for word in review if rng.random() >= rate] for review in reviews]
    return coded()(dropped, words, 0.0, rng) / (1 - rate)


def review_cases():
    for seed, rate in enumerate((0.2, 0.6)):
        rng = np.random.default_rng(seed)
        # words 1 to 20 occur once, 31 to 40 three times, and some are unknown
        review = [*range(1, 21), *np.repeat(np.arange(31, 41), 3), 60, 75]
        yield [[int(word) for word in rng.permutation(review)] for _ in range(600)], 50, rate, rng


def review_facts(x, reviews, words, rate, rng):
    once, often, never = x[:, :20], x[:, 30:40], np.delete(x, [*range(20), *range(30, 40)], axis=1)
    values = np.unique(x[x != 0])
    return {
        "columns of words that do not occur are 0": bool((never == 0).all()),
        "the share of the words kept": float((once != 0).mean()),
        "the share of repeated words kept": float((often != 0).mean()),
        "what a word that is kept enters as": float(values[-1]) if len(values) else 0.0,
        "the share of reviews with a mask of their own": len({r.tobytes() for r in x != 0})
        / len(x),
    }


def monte_carlo(model, x, draws):
    return passes()(model, x, draws)


def passes(training=True, axis=0, spread=lambda s, draws: s, mean=np.mean, together=False):
    def answers(model, x, draws):
        seen = np.stack(
            [np.asarray(model(x, training=training)) for _ in range(1 if together else draws)]
        )
        seen = np.repeat(seen, draws, axis=0) if together else seen
        return mean(seen, axis=axis), spread(seen.std(axis=axis), draws)

    return answers


def voting_model():
    """Ones through dropout into a sum: mean and spread of its answers are known."""
    ones = keras.initializers.Constant(0.1)
    return keras.Sequential(
        [keras.Input((100,)), layers.Dropout(0.5), layers.Dense(1, kernel_initializer=ones)]
    )


def voting_facts(result, model, x, draws):
    mean, spread = (np.asarray(part) for part in result)
    return {
        "it is an average over masks": not np.allclose(mean, model(x), rtol=1e-3),
        "the mean answer": float(mean.mean()),
        "the spread of the answers": float(spread.mean()),
        "reviews have means of their own": bool(len(x) < 2 or mean.std() > 0),
    }


EXERCISES = {
    "09.1": Question(
        lambda: (2000 * 16 + 16) + (16 * 16 + 16) + (16 + 1),
        "Every unit has one weight for each of its inputs, and a bias.",
    ),
    "09.2": Question(
        lambda: 80 * masks.keep_prob_of_rate(0.2), "A rate of 0.2 drops one word in five."
    ),
    "09.3": Question(
        lambda: sum(rank + 3 < 5000 for rank in range(1, 5000)),
        "Every rank is shifted by 3 before the numbers from 5,000 on are left out.",
    ),
    "09.4": Code(
        multi_hot_dropout,
        review_cases,
        {
            "A repeated word survives more often: it was dropped word by word, before the coding. "
            "Drop columns.": token_dropout,
            "It counts how often a word occurs; multi-hot says only whether.": coded(counts=True),
            "The columns are off by one: word 1 belongs into column 0.": coded(shift=0),
            "The survivors are not scaled.": coded(factor=lambda rate: 1),
            "Scaled by the rate: a share 1 − rate of the words survives.": (
                coded(factor=lambda rate: 1 / rate)
            ),
            "One mask for all reviews: each row draws its own.": coded(rows=False),
            "It keeps a share `rate`: turn the comparison round.": coded(flip=True),
            "Nothing is dropped.": lambda reviews, words, rate, rng: coded()(
                reviews, words, 0.0, rng
            ),
        },
        (
            "First a matrix of zeros, (reviews, words), with a 1 in column w − 1 for each word w "
            "that fits; then dropout on the matrix.",
            "x * (rng.random(x.shape) >= rate) / (1 - rate)",
        ),
        review_facts,
        tolerance=0.05,
    ),
    "09.5": Code(
        monte_carlo,
        lambda: [
            (voting_model(), np.linspace(1, 3, 500)[:, None] * np.ones(100), 20),
            (voting_model(), np.linspace(2, 5, 500)[:, None] * np.ones(100), 30),
        ],
        {
            "The spread of the answers is asked for; this is the standard error of their mean.": (
                passes(spread=lambda s, draws: s / draws**0.5)
            ),
            "The variance is asked for by nobody: take the standard deviation.": (
                passes(spread=lambda s, draws: s**2)
            ),
            "The answers are summed up, not averaged.": passes(mean=np.sum),
            "One pass, repeated: each draw needs a call of its own.": passes(together=True),
            "The mean is taken over the reviews: over the draws is axis 0.": passes(axis=1),
        },
        (
            "How large is the spread that the given code finds? What switches dropout on?",
            "`predict` is always inference: call the model, with `training=True`.",
        ),
        voting_facts,
        given=passes(training=False),
        tolerance=0.05,
        seconds=60,
    ),
    "09.6": Choice(
        "b",
        "Nobody can stop the plain network in time without reviews to watch; with dropout the curve "
        "is flat, and it hardly matters when you stop.",
        {
            "a": "Without dropout the loss ends above a coin's. Who says when to stop, if no review "
            "can be spared for validation?",
            "c": "After three epochs dropout is still behind: it needs more updates.",
            "d": "The second hidden layer alone did least: most weights sit between the words and "
            "the first layer.",
        },
        (
            "What does stopping in time need that is missing here?",
            "Whose curve is flat after its best epoch?",
        ),
    ),
}
