"""Exercises of lesson 6, Dropout in Transformers."""

import numpy as np

from helpers import masks
from helpers._engine.backend import keras
from helpers.exercises.judge import Choice, Code, Question
from helpers.exercises.observe import shared

layers = keras.layers


def attention(scores, rate, rng):
    weights = softmax(scores)
    return weights, weights * draw(scores, rate, rng)


def softmax(scores, axis=1):
    """Weights that see no key behind their query."""
    weights = np.exp(scores) * np.tril(np.ones_like(scores))
    return weights / weights.sum(axis=axis, keepdims=True)


def draw(scores, rate, rng):
    return (rng.random(scores.shape) >= rate) / (1 - rate)


def drawn(change, returned=softmax):
    """What `attention` returns if only what is used is changed, or both."""
    return lambda scores, rate, rng: (returned(scores), change(scores, rate, rng))


def both(change):
    return lambda scores, rate, rng: (change(scores, rate, rng),) * 2


def evened(weights):
    return weights / weights.sum(axis=1, keepdims=True)


def open_softmax(scores):
    return evened(np.exp(scores))


def attention_facts(result, scores, rate, _):
    returned, used = result
    ratio = (used / returned)[np.tril_indices(len(scores))]
    factors = ratio[ratio != 0]
    kept = used[20:, :20] != 0  # here every query sees every key
    return {
        "no word sees what comes after it": bool(not np.triu(result, 1).any()),
        "the rows that Keras returns sum to one": bool(np.allclose(returned.sum(axis=1), 1)),
        "the columns do not sum to one": not np.allclose(returned.sum(axis=0), 1),
        "what Keras returns is the softmax of the scores": bool(
            np.allclose(returned, softmax(scores))
        ),
        "about a share 1 − rate of the weights is used": bool(
            abs(np.mean(ratio != 0) - 1 + rate) < 0.08
        ),
        "all that is used has one factor": bool(np.ptp(factors) < 1e-4),
        "the factor": float(factors[0]) if np.ptp(factors) < 1e-4 else 0.0,
        "each query draws for itself": bool(shared(kept, 0) < 0.5),
        "each key is drawn for": bool(shared(kept, 1) < 0.5),
    }


class LoRADense(layers.Layer):
    """A frozen layer, and beside it two thin matrices behind dropout."""

    start, bias, frees = "zeros", False, False

    def __init__(self, frozen, rank, rate):
        super().__init__()
        self.frozen, self.drop = frozen, layers.Dropout(rate)
        frozen.trainable = self.frees
        self.down = layers.Dense(rank, use_bias=self.bias)
        kernel = {"kernel_initializer": self.start}
        self.up = layers.Dense(frozen.units, use_bias=self.bias, **kernel)

    def call(self, x):
        """Add the two paths."""
        return self.frozen(x) + self.up(self.down(self.drop(x)))


def but(**changes):
    return lambda *args: type("LoRADense", (LoRADense,), changes)(*args)


def drops_all(self, x):
    x = self.drop(x)
    return self.frozen(x) + self.up(self.down(x))


def adapted(answer, kernel, rank, rate):
    """What the layer answers before and after its thin matrices have moved."""
    ones = np.ones((3000, len(kernel)), "float32")
    frozen = layers.Dense(kernel.shape[1], use_bias=False)
    frozen.build(ones.shape)
    frozen.set_weights([kernel])
    plain = np.asarray(frozen(ones))
    layer = answer(frozen, rank, rate)
    start, noisy = np.asarray(layer(ones)), np.asarray(layer(ones, training=True))
    sizes = sum(int(np.prod(weight.shape)) for weight in layer.trainable_weights)
    for weight in layer.trainable_weights:
        weight.assign(np.ones(weight.shape))
    unmoved = bool((np.asarray(frozen.kernel) == kernel).all() and not frozen.trainable)
    calm, loud = np.asarray(layer(ones)), np.asarray(layer(ones, training=True))
    firsts = np.stack([start - plain, noisy - plain])
    return firsts, np.float64(sizes), np.float64(unmoved), calm - plain, loud - plain


def adapted_facts(result, kernel, rank, rate):
    (start, noisy), sizes, unmoved, calm, loud = result
    levels = loud / calm
    return {
        "the frozen weights stay frozen": bool(unmoved),
        "how many numbers are trained": int(sizes),
        "the first answer is the pretrained one": bool(np.allclose(start, 0)),
        "the frozen kernel sees the whole input": bool(np.allclose(noisy, 0)),
        "what the matrices add": float(calm.mean()),
        "the outputs of a row go together": bool(shared(levels != 0, 1) == 1),
        "something is dropped": bool((levels == 0).any()),
        "about a share `rate` of what enters the matrices is lost": bool(
            abs(np.mean(levels == 0) - rate) < 0.06
        ),
        "the mean of what is added is kept": bool(abs(levels.mean() - 1) < 0.15),
    }


def feed_forward(h, rate):
    return h + layers.Dropout(rate)(branch(h, rate))


def branch(h, rate):
    x = layers.Dense(4 * h.shape[-1], "gelu")(layers.LayerNormalization()(h))
    return layers.Dense(h.shape[-1])(layers.Dropout(rate)(x))


def block_run(answer, h, rate):
    """What the block makes of `h` while it trains, and at inference."""
    numbers = keras.Input(h.shape[1:])
    model = keras.Model(numbers, answer(numbers, rate))
    return np.asarray(model(h, training=True)), np.asarray(model(h))


def block_facts(result, h, rate):
    out, calm = result  # `h` is so large that it is told from the branch
    there = np.abs(out / h) > 0.5
    factor = 1.0 if there.all() else 1 / (1 - rate)
    added, whole = (out - factor * h)[there], (calm - h)[there]
    none = np.isclose(added, 0, atol=1e-4)
    return {
        "the branch is added at inference": bool(0.01 < np.abs(calm - h).mean() < 50),
        "the share of numbers that are lost, stream and branch": round(np.mean(out == 0), 1),
        "the share of the stream that is lost": round(1 - there.mean(), 1),
        "about a share `rate` of what the branch adds is dropped": bool(
            abs(none.sum() / out.size - rate) < 0.06
        ),
        "the hidden layer is dropped, too": bool(
            np.unique(np.round(added / whole, 2)[~none]).size > 9
        ),
    }


EXERCISES = {
    "06.1": Question(lambda: 0.3**2, "It is blind when every key that it sees is dropped."),
    "06.2": Question(
        lambda: 12 * 512**2, "Each head has a weight for every query and every key, hidden or not."
    ),
    "06.3": Question(
        lambda: masks.keep_prob_of_rate(0.1) ** 24, "All 24 branches must be kept at that number."
    ),
    "06.4": Code(
        attention,
        lambda: [
            (rng.normal(size=(40, 40)), rate, rng)
            for rate in (0.3, 0.6)
            for rng in [np.random.default_rng(1)]
        ],
        {
            "You drop scores: a score of 0 is an ordinary one, and its key is still seen. Drop "
            "behind the softmax.": drawn(lambda s, rate, rng: softmax(s * draw(s, rate, rng))),
            "The rows that are used sum to one again. Dropout divides by 1 − rate, and no more.": (
                drawn(lambda s, rate, rng: evened(softmax(s) * draw(s, rate, rng)))
            ),
            "What is kept is not scaled: divide it by 1 − rate.": drawn(
                lambda s, rate, rng: softmax(s) * (rng.random(s.shape) >= rate)
            ),
            "Keras returns the weights as they were before dropout.": both(
                lambda s, rate, rng: softmax(s) * draw(s, rate, rng)
            ),
            "A key is dropped for all queries: draw for each query and key.": drawn(
                lambda s, rate, rng: softmax(s) * draw(s[0], rate, rng)
            ),
            "Every query sees every key: hide those that come after it.": lambda s, rate, rng: (
                (weights := open_softmax(s)),
                weights * draw(s, rate, rng),
            ),
            "The hidden keys took part in the softmax: hide them before it.": lambda s, rate, rng: (
                (weights := np.tril(open_softmax(s))),
                weights * draw(s, rate, rng),
            ),
            "The softmax runs over the queries: each row must sum to one.": lambda s, rate, rng: (
                (weights := softmax(s, axis=0)),
                weights * draw(s, rate, rng),
            ),
            "A share `rate` survives here: it is the probability of dropping.": drawn(
                lambda s, rate, rng: softmax(s) * draw(s, 1 - rate, rng)
            ),
        },
        (
            "Which comes first, the softmax or dropout? And the hiding?",
            "Hide, softmax over the keys, keep a copy; then one draw for each weight, and divide by "
            "1 − rate.",
        ),
        attention_facts,
        tolerance=1e-3,
    ),
    "06.5": Code(
        LoRADense,
        lambda: [(np.array([[1.0, 2, 3]]), 2, 0.3), (np.array([[3.0, 1]]), 4, 0.6)],
        {
            "The pretrained weights are trained, too: `frozen.trainable = False`.": but(frees=True),
            "The first answer is not the pretrained one: let one of the thin matrices start at "
            "zero.": but(start="glorot_uniform"),
            "The frozen kernel sees the dropped input.": but(call=drops_all),
            "Dropout stands between the two matrices; asked for is what enters them.": but(
                call=lambda self, x: self.frozen(x) + self.up(self.drop(self.down(x)))
            ),
            "Dropout stands behind the two matrices; asked for is what enters them.": but(
                call=lambda self, x: self.frozen(x) + self.drop(self.up(self.down(x)))
            ),
            "Nothing is dropped.": but(call=lambda self, x: self.frozen(x) + self.up(self.down(x))),
            "The thin matrices have biases: `use_bias=False`.": but(bias=True),
        },
        (
            "Two `Dense` layers without bias, of `rank` and of `frozen.units` units, and a "
            "`Dropout` before the first. What must the second one start at?",
            "`frozen.trainable = False`, the second kernel at zeros, and in `call` add the frozen "
            "layer's answer to that of the three others.",
        ),
        adapted_facts,
        adapted,
        tolerance=1e-3,
        seconds=60,
    ),
    "06.6": Code(
        feed_forward,
        lambda: [
            (np.random.default_rng(1).choice([-100.0, 100.0], (500, 16)), rate)
            for rate in (0.2, 0.5)
        ],
        {
            "The stream is whole again, and so is what the branch adds: drop that, behind its last "
            "layer.": lambda h, rate: h + branch(h, rate),
            "The stream is still dropped, only before the addition.": (
                lambda h, rate: layers.Dropout(rate)(h) + branch(h, rate)
            ),
            "The branch is dropped now, and the stream still is.": (
                lambda h, rate: layers.Dropout(rate)(feed_forward(h, rate))
            ),
            "The hidden layer is no longer dropped: keep both places.": lambda h, rate: (
                h + layers.Dropout(rate)(branch(h, 0))
            ),
            "The stream is not added any more: what the block returns is `h` and the branch.": (
                lambda h, rate: layers.Dropout(rate)(branch(h, rate))
            ),
        },
        (
            "Follow one number of `h` through twelve such blocks: what must it survive?",
            "Dropout belongs on what the branch adds, before it is added.",
        ),
        block_facts,
        block_run,
        given=lambda h, rate: layers.Dropout(rate)(h + branch(h, rate)),
        tolerance=0.05,
        seconds=60,
    ),
    "06.7": Choice(
        "c",
        "Where no row comes back, noise only costs; where 800 rows come back thirty times it may "
        "pay, and its rival is the plain network at its best.",
        {
            "a": "In a single pass even 0.1 cost test loss here, and in the papers named above.",
            "b": "Llama's 0 was chosen for the first job. In the second each row is read thirty "
            "times.",
            "d": "It is the other way round: which of the two jobs can be learnt by heart?",
        },
        (
            "How often does each job read the same row?",
            "And which network without dropout is the one to beat?",
        ),
    ),
}
