"""Exercises of lesson 10, Case study: clothes, and a model class."""

import math

import numpy as np

from helpers import masks
from helpers._engine.backend import keras
from helpers.exercises.judge import Choice, Code, Question
from helpers.exercises.observe import dropped


def layer_by(
    factor=lambda rate: 1 / (1 - rate), *, always=False, seed=None, remembers=True, never=False
):
    """Return a dropout layer class with its places for mistakes left open."""

    class MyDropout(keras.layers.Layer):
        def __init__(self, rate=0.2, **kwargs):
            super().__init__(**kwargs)
            self.rate = rate
            self.draws = keras.random.SeedGenerator() if seed is None else seed

        def call(self, inputs, training=False):
            if never or not (training or always):
                return inputs
            shape = keras.ops.shape(inputs)
            kept = keras.random.uniform(shape, seed=self.draws) >= self.rate
            return inputs * keras.ops.cast(kept, inputs.dtype) * factor(self.rate)

        def get_config(self):
            return super().get_config() | ({"rate": self.rate} if remembers else {})

    return MyDropout


MyDropout = layer_by()


def tried(answer, rate):
    """Two training steps, one at inference, and the rate after saving and loading."""
    layer, x = answer(rate), np.full((300, 400), 2.0, "float32")
    again = answer.from_config(layer.get_config())
    steps = tuple(np.asarray(layer(x, training=True)) for _ in range(2))
    return *steps, np.asarray(layer(x)), np.asarray(again(x, training=True))


def tried_facts(result, rate):
    one, two, plain, again = result
    return {
        "nothing is dropped at inference": bool((plain == 2).all()),
        **dropped(one, np.full(one.shape, 2.0)),
        "a second step draws another mask": bool((one != two).any()),
        "the share kept after saving and loading": float((again != 0).mean()),
    }


def split(x, y, held_out, rng):
    order = rng.permutation(len(x))
    out, kept = order[:held_out], order[held_out:]
    return (x[kept], y[kept]), (x[out], y[out])


def split_as_given(x, y, held_out, rng):
    order = rng.permutation(len(x))
    out = order[:held_out]
    return (x, y), (x[out], y[out])


def by_rows(rows):
    """Return a split whose rows, to train on and held out, are chosen by `rows`."""

    def made(x, y, held_out, rng):
        train, out = rows(len(x), held_out, rng)
        return (x[train], y[train]), (x[out], y[out])

    return made


def unpaired(x, y, held_out, rng):
    (x_train, _), (x_out, _) = split(x, y, held_out, rng)
    (_, y_train), (_, y_out) = split(x, y, held_out, rng)
    return (x_train, y_train), (x_out, y_out)


def again_and_again(n, held_out, rng):
    """Draw the rows that are held out with replacement."""
    out = rng.integers(0, n, held_out)
    return np.delete(np.arange(n), out), out


def split_cases():
    for seed, (n, held_out) in enumerate([(300, 60), (120, 40)]):
        # sorted by class, so that the first rows are of one kind
        yield np.arange(n) * 1.5, np.arange(n) // (n // 10), held_out, np.random.default_rng(seed)


def split_use(answer, x, y, held_out, rng):
    """Sizes differ where a split is wrong, so this returns what is judged as numbers."""
    (x_train, y_train), (x_out, y_out) = answer(x, y, held_out, rng)
    label = dict(zip(x, y, strict=True))
    pairs = [*zip(x_train, y_train, strict=True), *zip(x_out, y_out, strict=True)]
    return np.array(
        [
            len(set(x_train) & set(x_out)),
            all(label[float(a)] == b for a, b in pairs),
            len(x_out),
            len(set(x_out)),
            len(set(x_train) | set(x_out)),
            len(set(y_out)) > 5,
        ],
        float,
    )


def split_facts(result, *_):
    names = (
        "the number of rows that are both trained on and held out",
        "every row keeps its label",
        "the number of rows held out",
        "the number of different rows held out",
        "the number of rows in use",
        "most classes are among the rows held out",
    )
    kinds = (int, bool, int, int, int, bool)
    return {name: kind(value) for name, kind, value in zip(names, kinds, result, strict=True)}


EXERCISES = {
    "10.1": Question(
        lambda: math.ceil(55_000 / 32) * 60,
        "Divide the rows that are left by 32, round up, and multiply by the epochs.",
    ),
    "10.2": Question(
        lambda: masks.keep_prob_of_rate(0.2) ** 4, "Four independent units must all be kept."
    ),
    "10.3": Question(
        lambda: 1 / masks.keep_prob_of_rate(0.2) ** 4,
        "Each place scales its survivors by 1/(1 − rate).",
    ),
    "10.4": Code(
        MyDropout,
        lambda: [(0.6,), (0.3,)],
        {
            "Active at inference: return the inputs as they are unless `training` is true.": (
                layer_by(always=True)
            ),
            "Nothing is dropped in training: does `call` take `training`, and look at it?": (
                layer_by(never=True)
            ),
            "The survivors are not scaled.": layer_by(lambda rate: 1),
            "Scaled by the rate: a share 1 − rate survives.": layer_by(lambda rate: 1 / rate),
            "The same mask in every step: a whole number as seed does that. Make a "
            "`keras.random.SeedGenerator()` in `__init__` and hand it over.": layer_by(seed=3),
            "Saved and loaded, it forgets its rate: `get_config` must return it, beside what "
            "`super().get_config()` returns.": layer_by(remembers=False),
        },
        (
            "Three methods: `__init__` keeps the rate, `call(self, inputs, training=False)` drops, "
            "`get_config` returns the rate.",
            "In `call`: `keras.random.dropout(inputs, self.rate, seed=self.draws)` where "
            "`self.draws = keras.random.SeedGenerator()` was made in `__init__`.",
        ),
        tried_facts,
        tried,
        tolerance=0.05,
        seconds=60,
    ),
    "10.5": Code(
        split,
        split_cases,
        {
            "No row is in both, but pictures and labels are shuffled apart.": unpaired,
            "The rows are held out in their order. If the data are sorted, that is one class or "
            "two: shuffle first.": (
                by_rows(lambda n, held_out, rng: np.split(np.arange(n), [held_out])[::-1])
            ),
            "Some rows are held out twice: `integers` and `choice` draw with replacement, "
            "`permutation` does not.": by_rows(again_and_again),
            "The two sides are swapped: `held_out` rows are for validation.": by_rows(
                lambda n, held_out, rng: np.split(rng.permutation(n), [held_out])
            ),
            "Two permutations: some rows are still in both, and others in neither.": by_rows(
                lambda n, held_out, rng: (
                    rng.permutation(n)[held_out:],
                    rng.permutation(n)[:held_out],
                )
            ),
        },
        (
            "Which rows does the given code train on?",
            "One permutation serves both: its first `held_out` entries are held out, the others "
            "are trained on.",
        ),
        split_facts,
        split_use,
        given=split_as_given,
    ),
    "10.6": Choice(
        "a",
        "Its validation pictures were not trained on, so they may choose; and the test pictures, "
        "which chose nothing, say what it is worth.",
        {
            "b": "Those 0.21 are measured on pictures that the network has learned. A leak flatters "
            "most what memorises best.",
            "c": "The test pictures would then choose and judge. Validation chooses.",
            "d": "The training loss is measured with units missing, and on pictures that were "
            "learned: no match for either.",
        },
        (
            "Which of the figures come from pictures that no network trained on?",
            "One set chooses, another is reported.",
        ),
    ),
}
