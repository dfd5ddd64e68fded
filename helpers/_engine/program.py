"""The compiled program behind a sweep: it trains R copies of a small network at once.

Everything has the copies as its first axis. `weights` holds (kernel, bias) for each Dense layer,
shapes (R, inputs, units) and (R, units), and () for each noise layer. `numbers` holds a dict for
each layer and one for the training: "rate", "stddev", "scale", "l1", "l2", "max_value" and
"learning_rate", shape (R,), and "stream", the two words of shape (R, 2) behind the random numbers
of a noise layer and of the shuffling. Rows are (R, n, inputs) and targets (R, n), or (1, ...) where
all share them.

Random numbers. A word is a hash of a copy's stream, the training step and the position in the
layer's values: it depends on the copy's seed alone, whatever trains beside it, and nothing has to
be stored. All layers of a copy, and all copies, have streams of their own, drawn by NumPy's
SeedSequence; two settings with one seed share them. The mixing is that of "lowbias32" (C. Wellons'
hash prospector, 2018), in two rounds with a second key between them: fast, and as good as random
for masks, but not a generator with a proof. Its limits: a layer's values repeat after 2**32
positions, a stream after 2**32 steps; a unit is dropped with the float32 nearest to its rate;
normal noise takes 2**23 values, none beyond 5.3 standard deviations. The tests look at single
bytes and at pairs (neighbours, rows, steps, copies), at no dependence of higher order.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

from helpers._engine.backend import keras, tf
from helpers._engine.plan import Plan

# of ten thousand rows of MNIST at once, two layers of 512 units would keep 150 MB, on every core
_ROWS_AT_ONCE = 1000
# with few inputs, a bias that rides along in the product costs less than an addition of its own
_FEW_INPUTS = 16
# what AlphaDropout puts in a dropped unit's place: SELU's limit far below zero, -scale * alpha
_SELU_LIMIT = -1.0507009873554805 * 1.6732632423543772


def forward(
    plan: Plan, weights: tuple, numbers: tuple, x: tf.Tensor, step: tf.Tensor | None = None
) -> tf.Tensor:
    """Return what each copy says of its rows, (R or 1, n, inputs), before the last activation.

    `step` says which step's noise to add; None adds no noise.
    """
    x = tf.cast(x, tf.float32)
    for layer, parts, given in zip(plan.layers, weights, numbers[:-1], strict=True):
        if layer.kind == "Dense":
            x = keras.activations.get(layer.activation)(_dense(x, *parts))
        elif layer.kind == "Rescaling":
            x *= given["scale"][:, None, None]
        elif step is not None:
            x = _noisy(layer.kind, x, given, step)
    return x


def _dense(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    if kernel.shape[1] > _FEW_INPUTS:
        return tf.matmul(x, kernel) + bias[:, None]
    x = tf.pad(x, [(0, 0), (0, 0), (0, 1)], constant_values=1.0)
    return tf.matmul(x, tf.concat([kernel, bias[:, None]], 1))


def losses(plan: Plan, outputs: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the loss and the accuracy of every row, as Keras computes them, shape (R, n) each.

    The accuracy of a regression is NaN.
    """
    if plan.loss == "sparse_categorical_crossentropy":
        labels = tf.cast(y, tf.int32)
        loss = -tf.reduce_sum(tf.one_hot(labels, plan.outputs) * tf.nn.log_softmax(outputs), -1)
        right = tf.equal(tf.argmax(outputs, -1, output_type=tf.int32), labels)
        return loss, tf.cast(right, tf.float32)
    y = tf.broadcast_to(y[..., None], tf.shape(outputs))
    if plan.loss == "mean_squared_error":
        loss, right = tf.square(outputs - y), tf.fill(tf.shape(y), math.nan)
    else:
        loss = tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=outputs)
        right = tf.cast(tf.equal(outputs > 0, y > 0.5), tf.float32)
    return tf.reduce_mean(loss, -1), tf.reduce_mean(right, -1)


def penalty(weights: tuple, numbers: tuple) -> tf.Tensor:
    """Return what L1 and L2 add to the loss of each copy, shape (R,)."""
    total = tf.zeros_like(numbers[-1]["learning_rate"])
    for parts, given in zip(weights, numbers[:-1], strict=True):
        for name, measure in (("l1", tf.abs), ("l2", tf.square)):
            if name in given:
                total += given[name] * tf.reduce_sum(measure(parts[0]), (1, 2))
    return total


def random_words(streams: tf.Tensor, step: tf.Tensor, count: int) -> tf.Tensor:
    """Return uniform words, uint32 of shape (R, count), other ones for each stream and step."""
    golden, other = tf.constant(0x9E3779B9, tf.uint32), tf.constant(0x85EBCA6B, tf.uint32)
    step = tf.cast(step, tf.uint32)
    first = _mixed(streams[:, 0] + step * golden, streams[:, 1])
    second = _mixed(streams[:, 1] + step * other, streams[:, 0])
    positions = tf.cast(tf.range(count), tf.uint32) * golden
    return _mixed(tf.bitwise.bitwise_xor(positions[None], first[:, None]), second[:, None])


def _mixed(words: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Scramble 32-bit words: two rounds of shift and multiply, with a key in between."""
    words = _folded(words, 16) * tf.constant(0x7FEB352D, tf.uint32)
    words = (_folded(words, 15) + key) * tf.constant(0x846CA68B, tf.uint32)
    return _folded(words, 16)


def _folded(words: tf.Tensor, bits: int) -> tf.Tensor:
    shifted = tf.bitwise.right_shift(words, tf.constant(bits, tf.uint32))
    return tf.bitwise.bitwise_xor(words, shifted)


def _noisy(kind: str, x: tf.Tensor, given: dict, step: tf.Tensor) -> tf.Tensor:
    """Return a layer's values with its noise, as the Keras layer of that name adds it."""
    rows, units = x.shape[1:]
    words = tf.reshape(random_words(given["stream"], step, rows * units), (-1, rows, units))
    if kind == "GaussianNoise":
        return x + given["stddev"][:, None, None] * _normal(words)
    rate = given["rate"][:, None, None]
    if kind == "GaussianDropout":
        return x * (1 + tf.sqrt(rate / (1 - rate)) * _normal(words))
    kept = words >= tf.cast(rate * 2.0**32, tf.uint32)
    if kind == "Dropout":
        return x * tf.where(kept, 1 / (1 - rate), 0.0)
    # AlphaDropout: scaled and shifted so that mean 0 and variance 1 stay what they are
    spread = tf.sqrt((1 - rate) * (1 + rate * _SELU_LIMIT**2))
    return (tf.where(kept, x, _SELU_LIMIT) - rate * _SELU_LIMIT) / spread


def _normal(words: tf.Tensor) -> tf.Tensor:
    # the middle of 2**23 steps: with one bit more, float32 would round the last middle up to 1
    steps = tf.cast(tf.bitwise.right_shift(words, tf.constant(9, tf.uint32)), tf.float32)
    return math.sqrt(2) * tf.math.erfinv(2 * ((steps + 0.5) / 2**23) - 1)


@functools.lru_cache(maxsize=32)
def program(plan: Plan, batch_size: int, records: int, sizes: tuple[int, ...]) -> Callable:
    """Return the compiled function that trains copies, kept for the next call.

    It trains `every` epochs, `count` times, and each time notes loss and accuracy, of the training
    and of each further set. It returns the state and the notes, (records, 2 + 2 * len(further), R),
    the first `count` of them filled. `sizes` counts copies, training rows and rows of each further
    set: each combination has a function of its own, so that the oldest can go.
    """

    @tf.function(jit_compile=True, autograph=False)
    def train(state: tuple, numbers: tuple, data: tuple, further: tuple, every: Any, count: Any):
        nothing = tf.zeros_like(numbers[-1]["learning_rate"])
        if data[0].shape[1] <= batch_size:
            # one batch: to spread what is shared in each step would cost half as much time again
            data = [tf.repeat(values, sizes[0] // values.shape[0], axis=0) for values in data]

        def one_epoch(_: tf.Tensor, state: tuple, seen: tuple) -> tuple:
            return _epoch(plan, batch_size, state, numbers, data)

        def one_record(record: tf.Tensor, state: tuple, notes: tf.TensorArray) -> tuple:
            state, note = _repeated(every, one_epoch, state, (nothing, nothing))
            for x, y in further:
                note += score(plan, state[1], numbers, x, y)
            return state, notes.write(record, tf.stack(note))

        shape = (2 + 2 * len(further), sizes[0])
        notes = tf.TensorArray(tf.float32, size=records, element_shape=shape)
        state, notes = _repeated(count, one_record, state, notes)
        return state, notes.stack()

    return train


def score(
    plan: Plan, weights: tuple, numbers: tuple, x: tf.Tensor, y: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return loss, penalty included, and accuracy of each copy without noise, shape (R,) each."""

    def add(piece: tf.Tensor, *total: tf.Tensor, rows: int = _ROWS_AT_ONCE) -> tuple:
        first = piece * _ROWS_AT_ONCE
        some = tf.slice(x, (0, first, 0), (x.shape[0], rows, x.shape[2]))
        of_some = tf.slice(y, (0, first), (y.shape[0], rows))
        values = losses(plan, forward(plan, weights, numbers, some), of_some)
        return tuple(t + tf.reduce_sum(v, 1) for t, v in zip(total, values, strict=True))

    whole, rest = divmod(x.shape[1], _ROWS_AT_ONCE)
    total = (tf.zeros_like(numbers[-1]["learning_rate"]),) * 2
    total = _repeated(whole, add, *total) if whole else total
    loss, right = (t / x.shape[1] for t in (add(whole, *total, rows=rest) if rest else total))
    return loss + penalty(weights, numbers), right


def initial_state(plan: Plan, weights: tuple) -> tuple:
    """Return the state of training before its first step: step, weights, the optimizer's means."""
    zeros = tf.nest.map_structure(tf.zeros_like, weights)
    return tf.constant(0), weights, (zeros,) * (2 if plan.optimizer == "Adam" else 1)


def _repeated(times: tf.Tensor, body: Callable, *values: Any) -> tuple:
    """Return values after `values = body(i, *values)`, done for each i below `times`."""
    count = lambda i, *values: (i + 1, *body(i, *values))  # noqa: E731
    return tf.while_loop(lambda i, *_: i < times, count, (tf.constant(0), *values))[1:]


def _epoch(plan: Plan, batch_size: int, state: tuple, numbers: tuple, data: tuple) -> tuple:
    """Train one epoch; return the state, and the loss and accuracy that `fit` would report."""
    rows = data[0].shape[1]
    if rows <= batch_size:
        return _step(plan, state, numbers, *data, tf.ones((1, rows)))
    batches = math.ceil(rows / batch_size)
    order = tf.argsort(random_words(numbers[-1]["stream"], state[0], rows), axis=1)
    # the last batch may be short: rows of weight 0 fill it
    order = tf.pad(order, [(0, 0), (0, batches * batch_size - rows)])

    def one_batch(batch: tf.Tensor, state: tuple, seen: tuple) -> tuple:
        chosen = tf.slice(order, (0, batch * batch_size), (order.shape[0], batch_size))
        count = tf.minimum(batch_size, rows - batch * batch_size)
        row_weights = tf.cast(tf.range(batch_size) < count, tf.float32)[None]
        x, y = (_gathered(values, chosen) for values in data)
        state, here = _step(plan, state, numbers, x, y, row_weights)
        share = tf.cast(count, tf.float32) / rows
        return state, tuple(s + share * h for s, h in zip(seen, here, strict=True))

    nothing = tf.zeros_like(numbers[-1]["learning_rate"])
    return _repeated(batches, one_batch, state, (nothing, nothing))


def _gathered(values: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
    """Return the chosen rows of every copy, of its own data or of the one set that all share."""
    if values.shape[0] == 1:
        return tf.gather(values[0], chosen)
    return tf.gather(values, chosen, batch_dims=1)


def _step(
    plan: Plan, state: tuple, numbers: tuple, x: tf.Tensor, y: tf.Tensor, row_weights: tf.Tensor
) -> tuple:
    """Train one batch; return the state, and the loss and accuracy with noise."""
    step, weights, means = state
    share = row_weights / tf.reduce_sum(row_weights)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        loss, right = losses(plan, forward(plan, weights, numbers, x, step), y)
        loss = tf.reduce_sum(loss * share, 1) + penalty(weights, numbers)
        total = tf.reduce_sum(loss)
    gradients = tape.gradient(total, weights)
    weights, means = _updated(plan, step, weights, means, gradients, numbers[-1]["learning_rate"])
    return (step + 1, _limited(weights, numbers), means), (loss, tf.reduce_sum(right * share, 1))


def _updated(
    plan: Plan, step: tf.Tensor, weights: tuple, means: tuple, gradients: tuple, rate: tf.Tensor
) -> tuple:
    """Apply one step of the optimizer: the same operations in the same order as in Keras."""
    constant, each = dict(plan.constants), tf.nest.map_structure

    rate_for = lambda values: tf.reshape(rate, (-1,) + (1,) * (values.shape.rank - 1))  # noqa: E731
    if plan.optimizer == "SGD":
        momentum = constant["momentum"]
        velocity = each(lambda v, g: momentum * v - rate_for(g) * g, means[0], gradients)
        return each(tf.add, weights, velocity), (velocity,)
    beta_1, beta_2, steps = constant["beta_1"], constant["beta_2"], tf.cast(step + 1, tf.float32)
    correction = tf.sqrt(1 - beta_2**steps) / (1 - beta_1**steps)
    mean = each(lambda m, g: m + (g - m) * (1 - beta_1), means[0], gradients)
    square = each(lambda v, g: v + (tf.square(g) - v) * (1 - beta_2), means[1], gradients)

    def moved(w: tf.Tensor, m: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
        return w - m * (rate_for(w) * correction) / (tf.sqrt(v) + constant["epsilon"])

    return each(moved, weights, mean, square), (mean, square)


def _limited(weights: tuple, numbers: tuple) -> tuple:
    """Apply max-norm to the kernels that have a limit, as Keras does after each step."""
    limited = list(weights)
    for i, given in enumerate(numbers[:-1]):
        if "max_value" in given:
            kernel, bias = weights[i]
            norms = tf.sqrt(tf.reduce_sum(tf.square(kernel), 1, keepdims=True))
            limit = tf.minimum(norms, given["max_value"][:, None, None])
            limited[i] = (kernel * (limit / (keras.config.epsilon() + norms)), bias)
    return tuple(limited)
