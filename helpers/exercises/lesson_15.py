"""Exercises of lesson 15, Traps and myths."""

import functools

import numpy as np

from helpers import masks
from helpers._engine.backend import keras
from helpers.exercises.judge import Choice, Code, Question
from helpers.exercises.observe import shared

layers = keras.layers


def quiet(model, x):
    first, second = (model.predict(x, verbose=0) for _ in range(2))
    return np.array_equal(first, second)


def alike(ask):
    """Return a test that asks a model twice in another way."""
    return lambda model, x: np.array_equal(*(np.asarray(ask(model, x)) for _ in range(2)))


class Careless(keras.Model):
    """Drops in every mode."""

    def call(self, x):
        """Return x with half of it dropped."""
        return keras.random.dropout(x, 0.5)


@functools.cache
def tried_models():
    """A model that is quiet, one that is not, and one with a switch that `predict` overrules."""
    inputs = keras.Input((500,))
    plain = keras.Sequential([inputs, layers.Rescaling(2.0), layers.Dropout(0.5)])
    wired = keras.Model(inputs, layers.Dropout(0.5)(inputs, training=True))
    return plain, Careless(), wired


def says(answer, x):
    return np.array([bool(answer(model, x)) for model in tried_models()])


def says_facts(result, *_):
    names = (
        "what it says of an ordinary model",
        "what it says of one that drops in inference",
        "what it says of a switch that `predict` overrules",
    )
    return dict(zip(names, result, strict=True))


def set_rate(model, rate):
    for layer in dropouts(model):
        layer.rate = rate
    model.make_train_function(force=True)


def dropouts(model):
    return [layer for layer in model.layers if isinstance(layer, layers.Dropout)]


def assigned(model, rate):
    """Change the rates and nothing else."""
    for layer in dropouts(model):
        layer.rate = rate


def compiled_anew(model, rate):
    assigned(model, rate)
    model.compile(keras.optimizers.SGD(0.0), "mse")


def first_alone(model, rate):
    dropouts(model)[0].rate = rate
    model.make_train_function(force=True)


def obeyed(answer, rates, rate):
    """What a step uses after the change: the share kept, and how many steps the optimizer knows."""
    one = layers.Dense(1, use_bias=False, kernel_initializer="ones")
    model = keras.Sequential([keras.Input((1,)), *map(layers.Dropout, rates), one])
    model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=False)
    rows = np.ones((20_000, 1), "float32")
    step = functools.partial(model.fit, rows, rows, batch_size=len(rows), verbose=0)
    step()
    answer(model, rate)
    loss = step().history["loss"][0]
    return np.array([1 / (1 + loss), int(model.optimizer.iterations)])


def obeyed_facts(result, rates, rate):
    return {
        "the share that passes both layers in the next `fit`": round(float(result[0]), 1),
        "the number of steps that the optimizer remembers": int(result[1]),
    }


def network():
    return network_with(layers.Dropout(0.5))


def network_with(before, maps=layers.SpatialDropout2D):
    """Return the network, with what stands before the dense layer."""
    inputs = keras.Input((28, 28, 1))
    x = layers.Conv2D(8, 3, activation="relu")(inputs)
    x = layers.Flatten()(maps(0.2, seed=7)(x))
    x = layers.Dense(64, activation="relu")(before(x) if before else x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.Dropout(0.5)(x)))


def what_drops(answer):
    """How the rows of a batch fare in each dropout of a network; three are expected."""
    found = np.full((3, 3), -1.0)
    for seen, layer in zip(found, dropouts(answer()), strict=False):
        kept = np.asarray(layer(np.ones((100, *layer.input.shape[1:])), training=True)) != 0
        rows = kept.reshape(100, -1)
        whole = shared(kept, (1, 2)) if kept.ndim == 4 else shared(rows, 1)
        seen[:] = layer.rate, len(np.unique(rows, axis=0)) > 10, whole
    return found


def what_drops_facts(result, *_):
    return {
        "how many layers drop": int((result[:, 0] >= 0).sum()),
        "the rates": result[:, 0],
        "whether rows have masks of their own (1) or share one (0)": result[:, 1],
        "the share of maps, then of rows, that stay or go as a whole": np.round(result[:, 2], 1),
    }


EXERCISES = {
    "15.1": Question(
        lambda: masks.keep_prob_of_rate(0.2) ** 2 + 0.2**2,
        "Both masks keep the place, or both drop it.",
    ),
    "15.2": Code(
        quiet,
        lambda: [(np.ones((2, 500), "float32"),)],
        {
            "An ordinary `Dropout` is no trap, and this calls it one: `training=True` makes every "
            "dropout drop. Ask in inference.": alike(lambda model, x: model(x, training=True)),
            "It calls the model itself. A `training=True` that is wired in drops there, and "
            "`predict` overrules it.": alike(lambda model, x: model(x)),
            "Turned round: True is for equal answers.": (
                lambda model, x: not alike(lambda m, x: m.predict(x, verbose=0))(model, x)
            ),
            "A quiet model may change its input. Compare two calls.": (
                lambda model, x: np.array_equal(model.predict(x, verbose=0), x)
            ),
        },
        (
            "Two calls of `predict` on the same rows.",
            "`np.array_equal(first, second)` says whether all numbers agree.",
        ),
        says_facts,
        says,
        seconds=60,
    ),
    "15.3": Code(
        set_rate,
        lambda: [([0.6, 0.6], 0.1)],
        {
            "The next `fit` still uses the old rates: they are constants of the compiled program. "
            "Make that anew.": assigned,
            "It obeys, and the optimizer has forgotten its steps: make the program anew and keep "
            "the optimizer.": compiled_anew,
            "One of the two layers has the new rate.": first_alone,
        },
        (
            "After `layer.rate = rate` the next `fit` uses the old rate: what holds it?",
            "`model.make_train_function(force=True)` makes the program of a training step anew.",
        ),
        obeyed_facts,
        obeyed,
        seconds=60,
    ),
    "15.4": Code(
        network,
        lambda: [()],
        {
            "Without that dropout the bug is gone, and so is dropout.": lambda: network_with(None),
            "Each row has a draw now, and only one: it loses all of its features or none.": (
                lambda: network_with(layers.Dropout(0.5, noise_shape=(None, 1)))
            ),
            "The other way round: whole maps are dropped on purpose. Look for rows that share a "
            "mask.": lambda: network_with(
                layers.Dropout(0.5, noise_shape=(1, None)), maps=layers.Dropout
            ),
        },
        (
            "In which layer do all rows of a batch lose the same features?",
            "An axis of 1 in `noise_shape` shares a draw, and the first axis is the batch.",
        ),
        what_drops_facts,
        what_drops,
        given=lambda: network_with(layers.Dropout(0.5, noise_shape=(1, None))),
        seconds=60,
    ),
    "15.5": Choice(
        "b",
        "The mode decides whether a dropout drops; freezing decides about weights, and it has none.",
        {
            "a": "Frozen are the weights. The dropout in the base drops as ever, and a smaller step "
            "does not take its noise away.",
            "c": "Then its batch normalisation and weights move as well, by the gradients of a head "
            "that knows nothing yet, and the noise stays.",
            "d": "A seed fixes the sequence of masks, not one mask: the next step has another.",
        },
        (
            "What does `trainable=False` freeze, and has dropout any of it?",
            "Dropout asks for the mode, `training`, and so does the call.",
        ),
    ),
}
