"""Exercises of lesson 2, Rate or p."""

import numpy as np

from helpers import masks
from helpers._engine.backend import keras
from helpers.exercises.judge import Choice, Code, Question
from helpers.exercises.lesson_01 import dropout_cases, kept
from helpers.exercises.observe import dropped

layers = keras.layers
CONVENTIONS = {"keras": "rate", "paper": "p", "torch": "p", "flax": "rate"}


def rate_of(number, convention):
    return 1 - number if convention == "paper" else number


def dropout(h, number, convention, rng):
    rate = rate_of(number, convention)
    return h * kept(h, rate, rng) / (1 - rate)


def read_as(rate_of, scale=lambda rate: 1 - rate):
    """Return the dropout of somebody who reads the number in another way."""

    def misread(h, number, convention, rng):
        rate = rate_of(number, convention)
        return h * kept(h, rate, rng) / scale(rate)

    return misread


def convention_cases():
    for convention in ("paper", "keras", "torch", "flax"):
        for h, rate, rng in list(dropout_cases())[::3]:
            yield h, round(rate_of(rate, convention), 2), convention, rng


def normalising_model():
    """A small trained-looking network with batch normalisation and dropout."""
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(40, kernel_initializer=keras.initializers.RandomNormal(seed=1)),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(3, kernel_initializer=keras.initializers.RandomNormal(seed=2)),
        ]
    )
    gamma, beta, _, _ = model.layers[1].get_weights()
    model.layers[1].set_weights([gamma, beta + 1, np.full(40, 0.3), np.full(40, 2.0)])
    return model


def predict_with_dropout(model, x):
    for layer in model.layers:
        x = layer(x, training=isinstance(layer, layers.Dropout))
    return x


def restored(model, x):
    """Run in training mode and put the statistics back."""
    weights = model.get_weights()
    out = model(x, training=True)
    model.set_weights(weights)
    return out


def frozen(model, x):
    """Freeze batch normalisation for good."""
    for layer in model.layers:
        layer.trainable = not isinstance(layer, layers.BatchNormalization)
    return model(x, training=True)


def asked_twice(answer, model, x):
    """Two passes, and what they left behind: statistics, frozen layers, the rate."""
    before = model.get_weights()
    outs = [np.asarray(answer(model, x)) for _ in range(2)]
    moved = not all(map(np.array_equal, model.get_weights(), before))
    changed = not all(layer.trainable for layer in model.layers) or model.layers[2].rate != 0.5
    plain, first = np.asarray(model(x, training=False)), outs[0]
    off = np.abs((plain - first).mean(axis=0)).max() if plain.shape == first.shape else np.inf
    return str(first.shape), np.array_equal(*outs), moved, changed, off


def asked_twice_facts(result, *_):
    shape, equal, moved, changed, off = result
    return {
        "the shape of the answer": str(shape),
        "two passes drop other units": not equal,
        "the model's weights and statistics stay as they are": not moved,
        "the model's layers stay as they are": not changed,
        "batch normalisation uses its running averages": bool(off < 0.04),
    }


def network(rates, seed):
    return keras.Sequential(layers.Dropout(rate, seed=seed + i) for i, rate in enumerate(rates))


def with_seeds(seed_of):
    """Return a builder whose i-th layer gets the seed `seed_of(seed, i)`."""
    return lambda rates, seed: keras.Sequential(
        layers.Dropout(rate, seed=seed_of(seed, i)) for i, rate in enumerate(rates)
    )


def _drops(layer):
    return isinstance(layer, layers.Dropout)


def layer_masks(answer, rates, seed):
    """The masks of two networks that are built alike, and of one with another seed."""
    ones = np.ones((50, 400), "float32")
    return tuple(
        np.stack([layer(ones, training=True) for layer in model.layers if _drops(layer)])
        for model in (answer(rates, seed), answer(rates, seed), answer(rates, seed + 50))
    )


def layer_masks_facts(result, rates, seed):
    one, again, other = result
    return {
        "the share of units that each layer keeps": np.round((one != 0).mean((1, 2)), 1),
        "the layers drop the same units": bool((one[0] == one[1]).all()),
        "a network built again with the seed drops the same": bool((one == again).all()),
        "another seed drops other units": bool((one != other).any()),
    }


EXERCISES = {
    "02.1": Question(
        lambda: masks.rate_of_keep_prob(0.9), "The paper's p keeps; Keras's rate drops."
    ),
    "02.2": Question(
        lambda: 32 * 64, "An axis of 1 in noise_shape is drawn once; multiply the other axes."
    ),
    "02.3": Question(
        lambda: masks.keep_prob_of_rate(0.5),
        "Equal seeds draw equal masks. What does the second layer drop that the first left?",
    ),
    "02.4": Code(
        dropout,
        convention_cases,
        {
            "The paper's p is taken for the rate: in the paper p keeps.": (
                read_as(lambda number, convention: number)
            ),
            "PyTorch's p is taken for the paper's: the letter is the same, but in PyTorch it "
            "drops.": read_as(
                lambda number, convention: (
                    1 - number if convention in ("paper", "torch") else number
                )
            ),
            "Every number is turned round. Only the paper's p is a probability of keeping.": (
                read_as(lambda number, convention: 1 - number)
            ),
            "The rate is right, and the survivors are not scaled.": (
                read_as(rate_of, lambda rate: 1)
            ),
            "The rate is right, and the survivors are scaled by the rate.": (
                read_as(rate_of, lambda rate: rate)
            ),
            "One mask for the whole batch: each row of h needs a mask of its own.": (
                lambda h, number, convention, rng: (
                    h
                    * kept(h, rate_of(number, convention), rng, h.shape[1:])
                    / (1 - rate_of(number, convention))
                )
            ),
        },
        (
            "Translate first: which of the four numbers is a probability of keeping?",
            'With `rate = 1 - number if convention == "paper" else number` the rest is lesson 1.',
        ),
        lambda out, h, *_: dropped(out, h),
        tolerance=0.05,
    ),
    "02.5": Code(
        predict_with_dropout,
        lambda: [(normalising_model(), np.random.default_rng(1).normal(3, 1, (4000, 6)))],
        {
            "`training=True` reaches batch normalisation as well: it used the batch's own "
            "statistics and moved its running averages.": (
                lambda model, x: model(x, training=True)
            ),
            "Nothing is dropped: this is plain inference.": (
                lambda model, x: model(x, training=False)
            ),
            "The running averages are back in place, but this pass did not use them.": restored,
            "It leaves the model changed: batch normalisation stays frozen after your call.": frozen,
        },
        (
            "A Sequential model is a list, `model.layers`: you may call the layers one by one, each "
            "with its own `training=`.",
            "Which layers should be told `training=True`? `isinstance(layer, keras.layers.Dropout)` "
            "says so.",
        ),
        asked_twice_facts,
        asked_twice,
        seconds=60,
    ),
    "02.6": Code(
        network,
        lambda: [((0.5, 0.5), 7), ((0.2, 0.2, 0.8), 1)],
        {
            "Without a seed the layers differ, but no run can be repeated.": (
                with_seeds(lambda seed, i: None)
            ),
            "The layers differ, but the seed that you were given is not used.": (
                with_seeds(lambda seed, i: 10 + i)
            ),
        },
        (
            "Two layers with equal seeds draw equal masks. Which seeds do these get?",
            "Give each layer a seed of its own that follows from `seed`.",
        ),
        layer_masks_facts,
        layer_masks,
        given=with_seeds(lambda seed, i: seed),
        seconds=60,
    ),
    "02.7": Choice(
        "c",
        "`trainable = False` keeps the weights, and batch normalisation in inference mode; "
        "`training=False` keeps dropout silent.",
        {
            "a": "A frozen Dropout still drops: it listens to `training`, and `fit` says True.",
            "b": "Nothing is dropped now, but the weights of the pretrained part still learn.",
            "d": "A rate of 0 silences dropout. Who keeps the weights as they are?",
        },
        (
            "Two things are asked for: no dropout, and no learning.",
            "`trainable` is about learning, `training` about dropping.",
        ),
    ),
}
