"""Exercises of lesson 1, What dropout does."""

import numpy as np

from helpers import masks
from helpers.exercises.judge import Choice, Code, Question
from helpers.exercises.observe import dropped


def dropout(h, rate, rng):
    return masks.inverted_dropout(h, masks.sample_mask(h.shape, rate, rng=rng), rate)


def dropout_cases():
    """Activations of several shapes, none of them 0, at several rates."""
    for seed, (shape, rate) in enumerate(
        [((400, 250), 0.2), ((100, 40, 30), 0.7), ((2000, 60), 0.5), ((300, 300), 0.05)]
    ):
        rng = np.random.default_rng(seed)
        yield rng.uniform(0.5, 2, shape) * rng.choice([-1, 1], shape), rate, rng


def twice(answer, h, rate, rng):
    """Call it two times with one generator, as two training steps do."""
    return tuple(np.asarray(answer(h, rate, rng)) for _ in range(2))


def twice_dropped(outs, h, *_):
    """What the first call did, and whether the second one did the same."""
    return dropped(outs[0], h) | {
        "a second call draws another mask": bool((outs[0] != outs[1]).any())
    }


def kept(h, rate, rng, shape=None):
    return rng.random(h.shape if shape is None else shape) >= rate


DROPOUT_MISTAKES = {
    "Scaled by the rate: a share 1 − rate survives and makes up for the rest.": (
        lambda h, rate, rng: h * kept(h, rate, rng) / rate
    ),
    "The survivors are not scaled, so the mean sinks with the rate.": (
        lambda h, rate, rng: h * kept(h, rate, rng)
    ),
    "The survivors are made smaller. They must make up for those that are gone.": (
        lambda h, rate, rng: h * kept(h, rate, rng) * (1 - rate)
    ),
    "It keeps a share `rate` and drops the rest: `rate` is the probability of dropping.": (
        lambda h, rate, rng: h * ~kept(h, rate, rng) / rate
    ),
    "It keeps a share `rate`, and scales as if it dropped it: turn the comparison round.": (
        lambda h, rate, rng: h * ~kept(h, rate, rng) / (1 - rate)
    ),
    "One mask for the whole batch: each row of h needs a mask of its own.": (
        lambda h, rate, rng: h * kept(h, rate, rng, h.shape[1:]) / (1 - rate)
    ),
    "One draw for a whole row: each unit is dropped on its own.": (
        lambda h, rate, rng: h * kept(h, rate, rng, (len(h),) + (1,) * (h.ndim - 1)) / (1 - rate)
    ),
    "The same mask in every call: draw from the generator that you were given.": (
        lambda h, rate, rng: h * kept(h, rate, np.random.default_rng(0)) / (1 - rate)
    ),
    "It scales by what this mask happened to drop. The factor is a constant, 1/(1 − rate).": (
        lambda h, rate, rng: (lambda m: h * m / m.mean(-1, keepdims=True))(kept(h, rate, rng))
    ),
    "Nothing is dropped: this is what the layer does at inference.": lambda h, rate, rng: h,
}


def dropout_gradient(upstream, mask, rate):
    return masks.inverted_dropout_gradient(upstream, mask, rate)


def gradient_cases():
    for seed, (shape, rate) in enumerate([((4, 3), 0.2), ((2, 3, 5), 0.75), ((7,), 0.4)]):
        rng = np.random.default_rng(seed)
        mask = rng.random(shape) >= rate
        mask.flat[:2] = True, False
        yield rng.normal(size=shape), mask, rate


def monte_carlo(h, predict, rate, draws, rng):
    return np.mean([predict(dropout(h, rate, rng)) for _ in range(draws)])


def monte_carlo_as_given(h, predict, rate, draws, rng):
    mask = rng.random(h.shape) >= rate
    total = 0.0
    for _ in range(draws):
        total += predict(h * mask / (1 - rate))
    return total / draws


def monte_carlo_of(per_mask=lambda total, draws: total / draws, factor=lambda rate: 1 / (1 - rate)):
    """Return an average over fresh masks, with its two factors left open."""

    def average(h, predict, rate, draws, rng):
        total = sum(predict(h * kept(h, rate, rng) * factor(rate)) for _ in range(draws))
        return per_mask(total, draws)

    return average


def asked(average, h, rate, draws, rng):
    """Run an average with a network that notes what it is asked."""
    seen = []

    def predict(x):
        seen.append(np.array(x))
        return float(np.exp(-np.sum(x)))

    answer = average(h, predict, rate, draws, rng)
    total = np.sum([np.exp(-x.sum()) for x in seen])
    masks_met = len({(x != 0).tobytes() for x in seen})
    return np.array([len(seen), masks_met > 50, np.mean(seen), answer, total], float)


def asked_facts(result, h, rate, draws, rng):
    calls, many, mean, answer, total = result
    return {
        "the number of thinned networks asked": int(calls),
        "each draw has a mask of its own": bool(many),
        "the mean of what they see, as a multiple of h": round(mean / h.mean(), 1),
        "the answer, as a multiple of the mean of theirs": round(answer * calls / total, 6),
    }


EXERCISES = {
    "01.1": Question(
        lambda: masks.moments([3.0], 0.8)[1][0], "The variance is h² · rate / (1 − rate)."
    ),
    "01.2": Question(
        lambda: masks.keep_prob_of_rate(0.25) / 0.25,
        "A share 1 − rate of the units survives, and each is multiplied by 1/rate.",
    ),
    "01.3": Question(lambda: len(masks.all_masks(10)), "Each unit is either there or not."),
    "01.4": Code(
        dropout,
        dropout_cases,
        DROPOUT_MISTAKES,
        (
            "`rng.random(h.shape)` gives each unit of each row a number between 0 and 1. Which of "
            "them are not below the rate?",
            "Multiply h by the mask, which counts as 1 and 0, and divide by the share that is kept "
            "on average, 1 − rate.",
        ),
        twice_dropped,
        twice,
        tolerance=0.05,
    ),
    "01.5": Code(
        dropout_gradient,
        gradient_cases,
        {
            "The factor is missing: the way forward multiplied by 1/(1 − rate), so the way back "
            "does.": lambda upstream, mask, rate: upstream * mask,
            "The mask is missing: a unit that was dropped cannot move the loss.": (
                lambda upstream, mask, rate: upstream / (1 - rate)
            ),
            "The way back takes the same factor as the way forward, not its inverse.": (
                lambda upstream, mask, rate: upstream * mask * (1 - rate)
            ),
            "Scaled by the rate: the factor of the way forward was 1/(1 − rate).": (
                lambda upstream, mask, rate: upstream * mask / rate
            ),
            "The gradient goes to the dropped units: the mask is True where a unit is kept.": (
                lambda upstream, mask, rate: upstream * ~mask / (1 - rate)
            ),
            "It passes everything back as it came.": lambda upstream, mask, rate: upstream,
        },
        (
            "The way forward is out = h · mask / (1 − rate). What is the derivative of out by h?",
            "The mask and the rate are constants of this step, so the gradient meets the same "
            "product as h did.",
        ),
    ),
    "01.6": Code(
        monte_carlo,
        lambda: [
            (np.linspace(0.1, 1, 12), rate, 400, np.random.default_rng(i))
            for i, rate in enumerate((0.25, 0.6))
        ],
        {
            "The masks are fresh now, but the survivors are no longer scaled.": (
                monte_carlo_of(factor=lambda rate: 1)
            ),
            "The masks are fresh now, but the survivors are scaled by the rate.": (
                monte_carlo_of(factor=lambda rate: 1 / rate)
            ),
            "The masks are fresh now, but the sum is no longer divided by the number of draws.": (
                monte_carlo_of(lambda total, draws: total)
            ),
            "Only one thinned network is asked.": (
                lambda h, predict, rate, draws, rng: predict(dropout(h, rate, rng))
            ),
        },
        (
            "How many different masks does the function draw for 100 draws?",
            "One line stands outside of the loop and belongs into it.",
        ),
        asked_facts,
        asked,
        given=monte_carlo_as_given,
        tolerance=0.15,
    ),
    "01.7": Choice(
        "b",
        "At its best epoch the plain network is as good, in a quarter of the time, and you have "
        "the validation pictures to find that epoch.",
        {
            "a": "Its 0.70 stands beside 0.95 from a network that ran 30 epochs too long. What is "
            "the plain network's loss at its best epoch?",
            "c": "A factor of 1/rate is a bug, not a remedy: at 0.5 it changes nothing, elsewhere "
            "it spoils the loss.",
        },
        (
            "Compare each network at its own best epoch.",
            "What does the last epoch of the plain network tell about a network that may be "
            "stopped?",
        ),
    ),
}
