"""Exercises of lesson 5, Dropout in recurrent nets."""

import numpy as np

from helpers import masks
from helpers.exercises.judge import Choice, Code, Question
from helpers.exercises.lesson_01 import kept
from helpers.exercises.observe import shared


def masked_states(x, w, u, rate, rng):
    return recur()(x, w, u, rate, rng)


def recur(draw=None, factor=lambda rate: 1 / (1 - rate), on="state", each_step=False):
    """Return a recurrent layer whose mask is drawn, scaled and placed as told."""
    draw = draw or (lambda batch, units: (batch, units))

    def layer(x, w, u, rate, rng):
        h, out = np.zeros((len(x), len(u))), []
        shape = draw(*h.shape)
        mask = kept(h, rate, rng, shape) * factor(rate)
        for t in range(x.shape[1]):
            mask = kept(h, rate, rng, shape) * factor(rate) if each_step else mask
            inside = x[:, t] * mask if on == "inputs" else x[:, t]
            h = np.tanh(inside @ w + (h * mask if on == "state" else h) @ u)
            h = h * mask if on == "output" else h
            out.append(h)
        return np.stack(out, axis=1)

    return layer


def run_cases():
    for seed, (batch, steps, units, rate) in enumerate([(200, 6, 40, 0.3), (150, 9, 50, 0.6)]):
        rng = np.random.default_rng(seed)
        x = rng.uniform(0.1, 0.5, (batch, steps, units))
        yield x, np.eye(units), 0.4 * np.eye(units), rate, rng


def run_facts(out, x, w, u, rate, rng):
    """With these weights the mask on the state can be read off the outputs."""
    mask = (np.arctanh(out[:, 1:]) - x[:, 1:]) / (0.4 * out[:, :-1])
    mask = np.round(np.nan_to_num(mask, nan=-1, posinf=-1, neginf=-1), 4)
    on = mask != 0
    return {
        "the first step meets no mask": bool(np.allclose(out[:, 0], np.tanh(x[:, 0]))),
        "the share of the state kept": float(on.mean()),
        "the share of masks that stay the same over time": round(shared(on, 1), 1),
        "the share of sequences with a mask of their own": len({m.tobytes() for m in on}) / len(on),
        "the factor of what is kept": float(np.median(mask[on])) if on.any() else 0.0,
    }


def drop_words(words, rate, vocabulary, rng):
    kept = rng.random((len(words), vocabulary)) >= rate
    return words * np.take_along_axis(kept, words, axis=1)


def drop_positions(words, rate, vocabulary, rng):
    return words * (rng.random(words.shape) >= rate)


def word_cases():
    for seed, rate in enumerate((0.3, 0.6)):
        rng = np.random.default_rng(seed)
        yield rng.integers(1, 30, (400, 60)), rate, 30, rng


def word_facts(out, words, rate, vocabulary, rng):
    is_kept = out == words
    torn = np.mean(
        [len(set(k[w == word])) > 1 for w, k in zip(words, is_kept, strict=True) for word in (3, 8)]
    )
    fates = {
        tuple(k[w == 5][:1]) + tuple(k[w == 9][:1]) for w, k in zip(words, is_kept, strict=True)
    }
    return {
        "a word is itself or 0": bool(((out == 0) | is_kept).all()),
        "the share of words kept": float(is_kept.mean()),
        "a dropped word is gone wherever it occurs": bool(torn == 0),
        "the share of reviews that stay or go as a whole": round(shared(is_kept, 1), 1),
        "each review drops words of its own": len(fates) > 3,
    }


EXERCISES = {
    "05.1": Question(
        lambda: masks.keep_prob_of_rate(0.1) ** 20,
        "A unit that remembers must be kept at every one of the steps.",
    ),
    "05.2": Question(
        lambda: 32 * 50 * 64, "Dropout in front of the layer draws for every number of the tensor."
    ),
    "05.3": Question(
        lambda: "h", "Which of the two states do the gates protect, and which do they only look at?"
    ),
    "05.4": Code(
        masked_states,
        run_cases,
        {
            "A new mask at every step: draw it once, before the loop over time.": (
                recur(each_step=True)
            ),
            "One mask for the whole batch: each sequence needs a mask of its own.": (
                recur(lambda batch, units: units)
            ),
            "The survivors are not scaled.": recur(factor=lambda rate: 1),
            "Scaled by the rate: a share 1 − rate of the state survives.": (
                recur(factor=lambda rate: 1 / rate)
            ),
            "The mask is on the inputs; the exercise asks for one on the state.": recur(
                on="inputs"
            ),
            "The outputs are masked, too: mask what the next step reads, and hand out h whole.": (
                recur(on="output")
            ),
            "A new mask at every step, and the same one for all sequences.": (
                recur(lambda batch, units: units, each_step=True)
            ),
            "Nothing is dropped.": recur(lambda batch, units: 1, lambda rate: 1, on="nothing"),
        },
        (
            "The mask has the shape of h, (batch, units). How often is it drawn?",
            "Draw it before the loop, scaled by 1/(1 − rate), and use h * mask where h meets u.",
        ),
        run_facts,
        tolerance=0.05,
    ),
    "05.5": Code(
        drop_words,
        word_cases,
        {
            "A dropped word is gone everywhere now, but from all reviews alike: each review draws "
            "for itself.": lambda words, rate, vocabulary, rng: (
                words * (rng.random(vocabulary) >= rate)[words]
            ),
            "Words are names, not quantities: do not scale them.": (
                lambda words, rate, vocabulary, rng: (
                    drop_words(words, rate, vocabulary, rng) / (1 - rate)
                )
            ),
            "It keeps a share `rate`: turn the comparison round.": (
                lambda words, rate, vocabulary, rng: drop_words(words, 1 - rate, vocabulary, rng)
            ),
            "One draw for a whole review: it goes as a whole, or stays.": (
                lambda words, rate, vocabulary, rng: words * (rng.random((len(words), 1)) >= rate)
            ),
        },
        (
            "A word that occurs twice in a review gets two draws. How many should it get?",
            "Draw for every word of the vocabulary, (reviews, vocabulary), then look each word up: "
            "`np.take_along_axis(kept, words, axis=1)`.",
        ),
        word_facts,
        given=drop_positions,
        tolerance=0.05,
    ),
    "05.6": Choice(
        "a",
        "It costs nothing in speed, leaves the state alone, and gained most on the reviews of this "
        "lesson.",
        {
            "b": "Any `recurrent_dropout` above 0 rules out the fused kernel, and on these reviews "
            "a mask on the state gained no accuracy.",
            "c": "New masks on c hit the memory itself: the LSTM of this lesson fell far behind.",
            "d": "Dropout behind the last output thins one probability. What would that hide from "
            "the network?",
        },
        (
            "Which of them rules out the fused kernel?",
            "Which part of the variational recipe gained accuracy on the reviews?",
        ),
    ),
}
