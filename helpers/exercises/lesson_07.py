"""Exercises of lesson 7, Relatives."""

import math

import numpy as np

from helpers import masks
from helpers._engine.backend import keras
from helpers.exercises.judge import Choice, Code, Question
from helpers.exercises.observe import shared

layers = keras.layers


def residual(x, units, rate):
    return x + thinned(x, units, rate)


def thinned(x, units, rate, *fixed, activation="relu", norm=layers.LayerNormalization):
    """The branch, with stochastic depth or another noise_shape."""
    branch = layers.Dense(units, activation=activation)(norm()(x))
    shape = (None,) + (1,) * (len(x.shape) - 1) if not fixed else fixed[0](len(x.shape))
    return layers.Dropout(rate, noise_shape=shape)(branch)


def adding(*fixed, **options):
    return lambda x, units, rate: x + thinned(x, units, rate, *fixed, **options)


def model_run(answer, x, units, rate):
    """The block's answer in training in 12 steps, at inference, and to an input times three."""
    numbers = keras.Input(x.shape[1:])
    model = keras.Model(numbers, answer(numbers, units, rate))
    steps = [model(batch, training=True) for batch in np.split(x, 12)]
    return np.concatenate(steps), np.asarray(model(x)), np.asarray(model(3 * x))


def model_facts(result, x, units, rate):
    out, calm, large = (one.reshape(len(x), -1) for one in result)
    x = x.reshape(len(x), -1)
    whole = (calm - x)[0]
    there, stream = np.abs(whole) > 0.01, bool((out > 0).all())
    ratio = ((out - x) / np.where(there, whole, 1))[:, there] * stream
    kept = np.abs(ratio) > 0.01
    own = bool(shared(kept.reshape(12, -1, kept.shape[1]), 1) < 0.5)
    return {
        "the branch is added at inference": bool(there.any()),
        "the branch ends in ReLU": bool(whole.min() > -1e-3),
        "the branch is normalised": bool(np.allclose(large - 3 * x, whole, atol=0.01)),
        "the stream itself is never dropped": stream,
        "something is dropped": bool(not kept.all()),
        "an example's branch stays or goes as a whole": bool(shared(kept, 1) == 1),
        "each example draws for itself": own,
        "about a share 1 − rate of the branches is there": bool(
            not own or abs(kept.mean() - 1 + rate) < 0.1
        ),
        "the factor of what is there": float(np.median(ratio[kept])) if own else 0.0,
    }


def drop_squares(x, centres, size):
    return scaled(x, ~grown(centres, size))


def scaled(x, kept):
    return x * kept / kept.mean()


def grown(centres, size, before=None):
    """True in a square around each centre, `before` rows and columns of it ahead of it."""
    before = size // 2 if before is None else before
    room = np.pad(centres.astype(bool), size)
    rows, columns = centres.shape
    shifts = [size + before - k for k in range(size)]
    parts = [room[i : i + rows, j : j + columns] for i in shifts for j in shifts]
    return np.any(parts, axis=0)


def wrapped(centres, size):
    """Squares that go on at the other side of the map."""
    shifts = np.arange(size) - size // 2
    return np.any([np.roll(centres, (i, j), (0, 1)) for i in shifts for j in shifts], axis=0)


def squares_cases():
    for seed, size in ((1, 3), (2, 5), (3, 3)):
        rng = np.random.default_rng(seed)
        yield rng.normal(size=(12, 14)), rng.random((12, 14)) < 0.04, size


def block(per_example=True, divide=True, multiply=False, rate_of=lambda rate: rate, whole=False):
    """Build a residual block with faults."""

    def residual_block(h, branch, rate, training, rng):
        rate = rate_of(rate)
        if not training:
            return h + branch(h) * (1 - rate if multiply else 1)
        kept = rng.random((len(h), 1) if per_example else ()) >= rate
        factor = kept / (1 - rate if divide else 1)
        return (h + branch(h)) * factor if whole else h + branch(h) * factor

    return residual_block


def residual_block(h, branch, rate, training, rng):
    return block()(h, branch, rate, training, rng)


def block_run(answer, h, rate):
    """Six batches in training, and what inference answers."""
    rng = np.random.default_rng(1)
    runs = [answer(h, np.cos, rate, True, rng) for _ in range(6)]
    return np.array(runs), np.asarray(answer(h, np.cos, rate, False, rng))


def block_facts(result, h, rate):
    out, calm = result
    added = (out - h) / np.cos(h)
    there = np.abs(added) > 1e-3
    factor, at_inference = added[there].mean() if there.any() else 0.0, ((calm - h) / np.cos(h))
    return {
        "an example's branch is there or not, as a whole": bool(shared(there, 2) == 1),
        "each example draws for itself": bool(shared(there, 1) < 0.5),
        "about a share 1 − rate of the branches is there": bool(
            abs(there.mean() - 1 + rate) < 0.06
        ),
        "what is there has one factor": bool(there.any() and np.ptp(added[there]) < 1e-3),
        "what training adds on average, as a share of what inference adds": round(
            float(factor * (1 - rate) / at_inference.mean()), 2
        ),
    }


EXERCISES = {
    "07.1": Question(
        lambda: math.sqrt(0.2 / masks.keep_prob_of_rate(0.2)),
        "The variance of the factor is rate / (1 − rate); the question is its root.",
    ),
    "07.2": Question(
        lambda: 32 * 196 * 64, "A kernel of its own for every row, and one number for each weight."
    ),
    "07.3": Question(
        lambda: sum(1 - 0.5 * block / 54 for block in range(1, 55)),
        "Add up the 54 survival probabilities; their mean is a little under 3/4.",
    ),
    "07.4": Code(
        residual,
        lambda: [
            (
                np.tile(rng.uniform(10, 20, size), (600, *[1] * len(size))).astype("float32"),
                32,
                rate,
            )
            for size, rate in (((32,), 0.6), ((3, 32), 0.3))
            for rng in [np.random.default_rng(1)]
        ],
        {
            "Single numbers are dropped: one draw for a whole example needs a `noise_shape`.": (
                adding(lambda rank: None)
            ),
            "All examples of a batch share a draw: let the first axis be None.": (
                adding(lambda rank: (1,) * rank)
            ),
            "The positions of an example draw for themselves: all axes but the first need a 1.": (
                adding(lambda rank: (None,) * (rank - 1) + (1,))
            ),
            "A number is shared by all examples, and not within one: None and 1 are swapped.": (
                adding(lambda rank: (1,) * (rank - 1) + (None,))
            ),
            "The sum is dropped: drop the branch, before it is added.": lambda x, units, rate: (
                layers.Dropout(rate, noise_shape=(None,) + (1,) * (len(x.shape) - 1))(
                    x + thinned(x, units, 0)
                )
            ),
            "A share `rate` of the branches survives: Keras's rate drops.": lambda x, units, rate: (
                x + thinned(x, units, 1 - rate)
            ),
            "Nothing is dropped.": lambda x, units, rate: x + thinned(x, units, 0),
            "The ReLU is missing.": adding(activation=None),
            "The normalisation is missing.": adding(norm=layers.Identity),
        },
        (
            "It is `Dropout` with one draw for each example. What is its `noise_shape`, if `x` has "
            "three axes?",
            "None for the batch, and a 1 for each other axis: `(None,) + (1,) * (len(x.shape) - "
            "1)`.",
        ),
        model_facts,
        model_run,
        tolerance=0.05,
        seconds=60,
    ),
    "07.5": Code(
        drop_squares,
        squares_cases,
        {
            "Only the centres are dropped: grow each into a square.": (
                lambda x, centres, size: scaled(x, ~centres)
            ),
            "What is kept is not scaled: divide it by the share of values that was kept.": (
                lambda x, centres, size: x * ~grown(centres, size)
            ),
            "Scaled by the share of centres, where the share of values kept is asked for.": (
                lambda x, centres, size: x * ~grown(centres, size) / (1 - centres.mean())
            ),
            "A centre is the corner of your square: as many rows and columns lie before it as "
            "behind.": lambda x, centres, size: scaled(x, ~grown(centres, size, before=0)),
            "The square is too small at the far end: a slice stops before its end.": (
                lambda x, centres, size: scaled(x, ~grown(centres, size - 1, before=size // 2))
            ),
            "Squares at the border go on at the other side: cut them off.": (
                lambda x, centres, size: scaled(x, ~wrapped(centres, size))
            ),
            "The squares are kept, and the rest is dropped.": lambda x, centres, size: scaled(
                x, grown(centres, size)
            ),
        },
        (
            "`np.argwhere(centres)` gives row and column of each centre. Which rows does its square "
            "cover?",
            "Rows row − size // 2 to row + size // 2, none below 0; set them to 0 in an array of "
            "ones, and divide by that array's mean.",
        ),
    ),
    "07.6": Code(
        residual_block,
        lambda: [(np.random.default_rng(2).uniform(-1, 1, (500, 4)), rate) for rate in (0.25, 0.6)],
        {
            "Each example draws for itself now. Training and inference still differ: the branch is "
            "scaled in both.": block(multiply=True),
            "Training and inference agree now. All examples of a batch still share a draw.": (
                block(per_example=False)
            ),
            "Now it is scaled in neither: inference adds more than training does.": (
                block(divide=False)
            ),
            "Now it is scaled in neither, and all examples of a batch share a draw.": (
                block(per_example=False, divide=False)
            ),
            "Numbers of one example draw for themselves: one draw for each example.": (
                lambda h, branch, rate, training, rng: (
                    h + branch(h) * (rng.random(h.shape) >= rate) / (1 - rate)
                    if training
                    else h + branch(h)
                )
            ),
            "The stream is dropped with the branch.": block(whole=True),
        },
        (
            "How many numbers does `rng.random()` draw? And how large is the branch on average, in "
            "training and at inference?",
            "Draw with the shape (len(h), 1), and scale in training or at inference, not in both.",
        ),
        block_facts,
        block_run,
        given=block(per_example=False, multiply=True),
        tolerance=0.02,
    ),
    "07.7": Choice(
        "d",
        "A network that lost any of its blocks half of the time hardly missed half of them here.",
        {
            "a": "Three kinds in one place were level. A fourth kind is not where a gain is to be "
            "looked for, and it cuts no network.",
            "b": "Linear survival seldom drops the first block, which this version is without: it "
            "lost accuracy by that here.",
            "c": "Dropout on single values helped part of the way; the network has still never been "
            "without a block.",
        },
        (
            "What must a network have met in training, to do without half of its blocks?",
            "Compare the groups of the figure in “Cut it to half its depth”.",
        ),
    ),
}
