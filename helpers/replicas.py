"""What a sweep reads off a small Keras model, and the program that trains many copies of it.

A `Plan` is what all copies share: layers, loss, optimizer. What may differ between copies (rates,
penalties, learning rate) are numbers handed to the compiled program: none of them compiles anew.

Example:
    >>> from helpers.replicas import read_model
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dropout(0.2)])
    >>> model.add(keras.layers.Dense(1))
    >>> loss = keras.losses.BinaryCrossentropy(from_logits=True)
    >>> model.compile(loss=loss, optimizer=keras.optimizers.Adam(0.5))
    >>> plan, numbers = read_model(model)
    >>> numbers
    (0.2, 0.5)
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import helpers.quiet  # noqa: F401

import keras  # isort: skip
import tensorflow as tf  # isort: skip

_LOSSES = {
    "binary_crossentropy": "sigmoid",
    "categorical_crossentropy": "softmax",
    "sparse_categorical_crossentropy": "softmax",
}
_NOISE = (keras.layers.Dropout, keras.layers.GaussianDropout, keras.layers.GaussianNoise)
# with few inputs, a bias that rides along in the product costs less than an addition of its own
_FEW_INPUTS = 16


@dataclass(frozen=True)
class Step:
    """One layer as the program sees it.

    Args:
        kind: "Dense", "Dropout", "GaussianDropout", "GaussianNoise" or "Activation".
        units: How many values leave the layer for each row.
        numbers: The names of its numbers, in order: "rate", "stddev", "l1", "l2", "max_value".
        use_bias: Whether a Dense layer has a bias.
        activation: Keras's function, or None for a layer that is linear.
        initializers: How the kernel and the bias of a Dense layer are drawn, in words.

    Example:
        >>> Step("Dropout", 500, ("rate",)).units
        500
    """

    kind: str
    units: int
    numbers: tuple[str, ...] = ()
    use_bias: bool = False
    activation: Callable | None = None
    initializers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What all copies of a model share.

    Args:
        inputs: How many values a row has.
        steps: The layers; the last activation is left to the loss where both belong together.
        loss: The name of the loss in Keras.
        optimizer: "Adam" or "SGD".
        settings: The optimizer's settings that copies share, as (name, value).

    Example:
        >>> Plan(2, (Step("Dense", 1),), "binary_crossentropy", "SGD", ()).outputs
        1
    """

    inputs: int
    steps: tuple[Step, ...]
    loss: str
    optimizer: str
    settings: tuple[tuple[str, float], ...]

    @property
    def outputs(self) -> int:
        """How many values the model gives for each row."""
        return self.steps[-1].units

    @property
    def widest(self) -> int:
        """The largest number of values that a row has on its way."""
        return max(self.inputs, *(step.units for step in self.steps))

    @property
    def streams(self) -> int:
        """How many random streams a copy needs: one for each noise layer, one to shuffle."""
        return 1 + sum(step.kind in _NAMES_OF_NOISE for step in self.steps)


_NAMES_OF_NOISE = tuple(layer.__name__ for layer in _NOISE)


def read_model(model: "keras.Sequential") -> tuple[Plan, tuple[float, ...]]:
    """Return what a compiled model says about its training, or refuse what cannot be honoured.

    Args:
        model: A compiled Sequential of Input, Dense, Dropout, GaussianDropout, GaussianNoise and
            Activation layers.

    Returns:
        The plan, and the model's own numbers: those of the layers in order, the learning rate last.

    Raises:
        TypeError: If `model` is not a `keras.Sequential`.
        ValueError: Naming the layer and the argument that is not supported, and what is.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
        >>> model.compile(loss="binary_crossentropy", optimizer="sgd")
        >>> [step.kind for step in read_model(model)[0].steps]
        ['Dense']
    """
    if type(model) is not keras.Sequential:
        raise TypeError(
            "the model that build returns must be a compiled keras.Sequential, received "
            f"{type(model).__name__}"
        )
    if not model.built or len(model.input_shape) != 2:
        shape = model.input_shape if model.built else "no Input"
        raise ValueError(f"the model must start with keras.Input((features,)), received {shape}")
    if not getattr(model, "compiled", False):
        raise ValueError(
            "the model must be compiled: build must call model.compile before it returns"
        )
    steps, numbers = [], []
    units = model.input_shape[1]
    for layer in model.layers:
        step, values = _read_layer(layer, units)
        steps.append(step)
        numbers += values
        units = step.units
    loss, steps[-1] = _read_loss(model.loss, steps[-1], model.layers[-1].name)
    name, settings, learning_rate = _read_optimizer(model.optimizer)
    plan = Plan(model.input_shape[1], tuple(steps), loss, name, settings)
    return plan, (*numbers, learning_rate)


def _refuse(where: str, argument: str, received: object, accepted: str) -> None:
    raise ValueError(f"{where}: {argument}={received!r} is not supported in a sweep; {accepted}")


def _read_layer(layer: "keras.layers.Layer", units: int) -> tuple[Step, list[float]]:
    where = f"layer {layer.name!r}"
    kind = type(layer)
    if kind is keras.layers.Dense:
        return _read_dense(layer, where)
    if layer.dtype_policy.name != "float32":
        _refuse(where, "dtype", layer.dtype_policy.name, "use float32")
    if kind is keras.layers.Activation:
        return Step("Activation", units, activation=_activation(layer.activation, where)), []
    if kind in _NOISE:
        if layer.seed is not None:
            _refuse(where, "seed", layer.seed, "leave it out: every copy has a seed of its own")
        if getattr(layer, "noise_shape", None) is not None:
            _refuse(where, "noise_shape", layer.noise_shape, "leave it out")
        name = "stddev" if kind is keras.layers.GaussianNoise else "rate"
        value = float(getattr(layer, name))
        if name == "rate" and not 0 <= value < 1:
            _refuse(where, "rate", value, "use 0 <= rate < 1")
        return Step(kind.__name__, units, (name,)), [value]
    raise ValueError(
        f"{where}: a sweep has no {kind.__name__} layer; it has Input, Dense, Dropout, "
        "GaussianDropout, GaussianNoise and Activation"
    )


def _read_dense(layer: "keras.layers.Dense", where: str) -> tuple[Step, list[float]]:
    for argument in ("bias_regularizer", "activity_regularizer", "bias_constraint", "lora_rank"):
        value = getattr(layer, argument, None)
        if value is not None:
            _refuse(where, argument, value, "leave it out")
    if layer.dtype_policy.name != "float32":
        _refuse(where, "dtype", layer.dtype_policy.name, "use float32")
    if not layer.trainable:
        _refuse(where, "trainable", False, "every Dense layer is trained")
    names, values = [], []
    regularizer = layer.kernel_regularizer
    if type(regularizer) in (keras.regularizers.L1, keras.regularizers.L2, keras.regularizers.L1L2):
        for name in ("l1", "l2"):
            if hasattr(regularizer, name):
                names.append(name)
                values.append(float(getattr(regularizer, name)))
    elif regularizer is not None:
        _refuse(where, "kernel_regularizer", regularizer, "use L1, L2 or L1L2")
    constraint = layer.kernel_constraint
    if type(constraint) is keras.constraints.MaxNorm and constraint.axis in (0, [0], (0,)):
        names.append("max_value")
        values.append(float(constraint.max_value))
    elif constraint is not None:
        _refuse(where, "kernel_constraint", constraint, "use MaxNorm with axis=0")
    activation = _activation(layer.activation, where)
    initializers = (_initializer(layer, "kernel_initializer", where),)
    if layer.use_bias:
        initializers += (_initializer(layer, "bias_initializer", where),)
    step = Step("Dense", layer.units, tuple(names), layer.use_bias, activation, initializers)
    return step, values


def _initializer(layer: "keras.layers.Dense", argument: str, where: str) -> str:
    initializer = getattr(layer, argument)
    if not type(initializer).__module__.startswith("keras."):
        _refuse(where, argument, initializer, "use an initializer of Keras")
    config = initializer.get_config()
    if config.get("seed") is not None:
        received = f"{type(initializer).__name__}(seed={config['seed']})"
        _refuse(where, argument, received, "leave the seed out: every copy has one of its own")
    return f"{type(initializer).__name__}({config})"


def _activation(function: Callable, where: str) -> Callable | None:
    name = getattr(function, "__name__", repr(function))
    if getattr(keras.activations, name, None) is not function:
        _refuse(where, "activation", name, "use a function of keras.activations")
    return None if name == "linear" else function


def _read_loss(loss: object, last: Step, layer: str) -> tuple[str, Step]:
    accepted = f"use {', '.join(_LOSSES)}"
    from_logits, settings = False, {}
    if isinstance(loss, keras.losses.Loss):
        settings = loss.get_config()
        from_logits = settings.pop("from_logits", False)
        name = getattr(getattr(loss, "fn", None), "__name__", type(loss).__name__)
    else:
        name = getattr(keras.losses.get(loss), "__name__", "") if loss else repr(loss)
    if name not in _LOSSES:
        _refuse("model.compile", "loss", name, accepted)
    standard = {"reduction": "sum_over_batch_size", "label_smoothing": 0.0, "ignore_class": None}
    for argument, value in standard.items():
        if settings.get(argument, value) != value:
            _refuse("the loss", argument, settings[argument], f"leave it at {value!r}")
    if settings.get("axis", -1) != -1:
        _refuse("the loss", "axis", settings["axis"], "leave it at -1")
    final = getattr(last.activation, "__name__", None)
    if from_logits and final is None and last.kind == "Dense":
        return name, last
    if from_logits or final != _LOSSES[name]:
        raise ValueError(
            f"layer {layer!r}: with loss {name} and from_logits={from_logits} a sweep needs "
            f"{'no activation' if from_logits else _LOSSES[name]} at the end, received "
            f"{final or 'linear'}"
        )
    # Keras, too, takes the loss of the values before the last activation
    return name, replace(last, activation=None)


def _read_optimizer(optimizer: object) -> tuple[str, tuple[tuple[str, float], ...], float]:
    kind = type(optimizer)
    if kind not in (keras.optimizers.Adam, keras.optimizers.SGD):
        _refuse("model.compile", "optimizer", kind.__name__, "use Adam or SGD")
    config = optimizer.get_config()
    unused = ("weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "use_ema")
    unused += ("loss_scale_factor", "gradient_accumulation_steps", "amsgrad")
    for argument in unused:
        if config.get(argument):
            _refuse(f"the optimizer {kind.__name__}", argument, config[argument], "leave it out")
    if not isinstance(config["learning_rate"], (int, float)):
        received = type(optimizer._learning_rate).__name__
        _refuse(f"the optimizer {kind.__name__}", "learning_rate", received, "use a number")
    names = ("beta_1", "beta_2", "epsilon") if kind is keras.optimizers.Adam else ()
    names = names or ("momentum", "nesterov")
    settings = tuple((name, float(config[name])) for name in names)
    return kind.__name__, settings, float(config["learning_rate"])


# ---------------------------------------------------------------------------------------------
# What follows works on R copies at once: weights (R, inputs, units) and (R, units), rows (R, n, d).


def forward(plan: Plan, weights: list, x: tf.Tensor) -> tf.Tensor:
    """Return what each copy says of its rows, without noise.

    Args:
        plan: What the copies share.
        weights: Kernels (R, inputs, units) and biases (R, units), layer by layer.
        x: Rows, shape (R, n, inputs) or (1, n, inputs).

    Returns:
        Values before the last activation, shape (R, n, outputs).

    Example:
        >>> plan = Plan(2, (Step("Dense", 1),), "binary_crossentropy", "SGD", ())
        >>> forward(plan, [tf.ones((3, 2, 1))], tf.ones((1, 4, 2))).shape
        TensorShape([3, 4, 1])
    """
    return _run(plan, weights, x, lambda step, index, values: values)


def _run(plan: Plan, weights: list, x: tf.Tensor, noise: Callable) -> tf.Tensor:
    weights, values, index = iter(weights), x, 0
    for step in plan.steps:
        if step.kind == "Dense":
            kernel = next(weights)
            bias = next(weights)[:, None, :] if step.use_bias else None
            if bias is None:
                values = tf.matmul(values, kernel)
            elif kernel.shape[1] <= _FEW_INPUTS:
                values = tf.pad(values, [(0, 0), (0, 0), (0, 1)], constant_values=1.0)
                values = tf.matmul(values, tf.concat([kernel, bias], 1))
            else:
                values = tf.matmul(values, kernel) + bias
        elif step.kind != "Activation":
            values = noise(step, index, values)
            index += 1
        if step.activation is not None:
            values = step.activation(values)
    return values


def losses(plan: Plan, outputs: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the loss and the accuracy of every row, as Keras computes them.

    Args:
        plan: What the copies share.
        outputs: Values before the last activation, shape (R, n, outputs).
        y: Targets: (R or 1, n, outputs), or (R or 1, n) of class numbers for the sparse loss.

    Returns:
        Loss and accuracy, both of shape (R, n).

    Example:
        >>> plan = Plan(2, (Step("Dense", 1),), "binary_crossentropy", "SGD", ())
        >>> loss, right = losses(plan, tf.zeros((1, 1, 1)), tf.zeros((1, 1, 1)))
        >>> print(f"{loss[0, 0]:.4f}", right[0, 0].numpy())
        0.6931 1.0
    """
    if plan.loss == "binary_crossentropy":
        y = tf.broadcast_to(y, tf.shape(outputs))
        loss = tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=outputs)
        right = tf.cast(tf.equal(outputs > 0, y > 0.5), tf.float32)
        return tf.reduce_mean(loss, -1), tf.reduce_mean(right, -1)
    classes = tf.argmax(outputs, -1, output_type=tf.int32)
    if plan.loss == "categorical_crossentropy":
        truth = tf.argmax(y, -1, output_type=tf.int32)
    else:
        truth = tf.cast(y, tf.int32)
        y = tf.one_hot(truth, plan.outputs)
    loss = -tf.reduce_sum(y * tf.nn.log_softmax(outputs), -1)
    return loss, tf.cast(tf.equal(classes, truth), tf.float32)


def penalty(plan: Plan, weights: list, numbers: tf.Tensor) -> tf.Tensor:
    """Return what the regularizers add to the loss of each copy.

    Args:
        plan: What the copies share.
        weights: Kernels (R, inputs, units) and biases (R, units), layer by layer.
        numbers: The numbers of each copy, shape (R, count), as `read_model` orders them.

    Returns:
        Shape (R,).

    Example:
        >>> plan = Plan(2, (Step("Dense", 1, ("l2",)),), "binary_crossentropy", "SGD", ())
        >>> penalty(plan, [tf.ones((1, 2, 1))], tf.constant([[0.5, 0.01]])).numpy()
        array([1.], dtype=float32)
    """
    total = tf.zeros_like(numbers[:, 0])
    for step, kernel, values in _kernels(plan, weights, numbers):
        if "l1" in step.numbers:
            total += values["l1"] * tf.reduce_sum(tf.abs(kernel), (1, 2))
        if "l2" in step.numbers:
            total += values["l2"] * tf.reduce_sum(tf.square(kernel), (1, 2))
    return total


def _kernels(plan: Plan, weights: list, numbers: tf.Tensor) -> list:
    """Return every Dense layer with its kernel and its numbers, each of shape (R,)."""
    found, weight, number = [], 0, 0
    for step in plan.steps:
        values = {name: numbers[:, number + i] for i, name in enumerate(step.numbers)}
        number += len(values)
        if step.kind == "Dense":
            found.append((step, weights[weight], values))
            weight += 1 + step.use_bias
    return found


# --- random numbers: a hash of (stream of the copy, step, position), so that a copy's noise depends
# on nothing but its own seed, and no draw has to be stored


def _shifted(words: tf.Tensor, bits: int) -> tf.Tensor:
    return tf.bitwise.bitwise_xor(
        words, tf.bitwise.right_shift(words, tf.constant(bits, tf.uint32))
    )


def _mixed(words: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Scramble 32-bit words: two rounds of multiply and shift, with a second key in between."""
    words = _shifted(words, 16) * tf.constant(0x7FEB352D, tf.uint32)
    words = (_shifted(words, 15) + key) * tf.constant(0x846CA68B, tf.uint32)
    return _shifted(words, 16)


def random_words(streams: tf.Tensor, step: tf.Tensor, count: int) -> tf.Tensor:
    """Return 32 random bits for each position, other ones for each stream and step.

    Args:
        streams: Two random words a stream, uint32 of shape (R, 2).
        step: The number of the step, a scalar; the same step gives the same words.
        count: How many words each stream needs.

    Returns:
        uint32 of shape (R, count), uniform.

    Source:
        The constants are those of "lowbias32", C. Wellons' hash prospector (2018).

    Example:
        >>> streams = tf.constant([[1, 2], [3, 4]], tf.uint32)
        >>> random_words(streams, 0, 5).shape
        TensorShape([2, 5])
    """
    step = tf.cast(step, tf.uint32)
    first = _mixed(streams[:, 0] + step * tf.constant(0x9E3779B9, tf.uint32), streams[:, 1])
    second = _mixed(streams[:, 1] + step * tf.constant(0x85EBCA6B, tf.uint32), streams[:, 0])
    positions = tf.cast(tf.range(count), tf.uint32) * tf.constant(0x9E3779B9, tf.uint32)
    return _mixed(tf.bitwise.bitwise_xor(positions[None], first[:, None]), second[:, None])


def _noise(
    step: Step, number: tf.Tensor, streams: tf.Tensor, t: tf.Tensor, values: tf.Tensor
) -> tf.Tensor:
    rows, units = values.shape[1:]
    words = tf.reshape(random_words(streams, t, rows * units), (-1, rows, units))
    number = number[:, None, None]
    if step.kind == "Dropout":
        kept = words >= tf.cast(number * 2.0**32, tf.uint32)
        return values * tf.where(kept, 1 / (1 - number), 0.0)
    # the middle of 2**23 steps: with one bit more, float32 would round the last middle up to 1
    uniform = (
        tf.cast(tf.bitwise.right_shift(words, tf.constant(9, tf.uint32)), tf.float32) + 0.5
    ) / 2**23
    normal = math.sqrt(2) * tf.math.erfinv(2 * uniform - 1)
    if step.kind == "GaussianNoise":
        return values + number * normal
    return values * (1 + tf.sqrt(number / (1 - number)) * normal)


# --- the program


@functools.lru_cache(maxsize=32)
def program(plan: Plan, batch_size: int, records: int, sizes: tuple[int, ...]) -> Callable:
    """Return the compiled function that trains copies, kept for the next call.

    Its arguments are all that may change without compiling anew: state, numbers, streams, data and
    how many epochs.

    Args:
        plan: What the copies share.
        batch_size: Rows in a batch, at least 1.
        records: How many records of the curves there is room for.
        sizes: How many copies, training rows, and rows of each further set it will be given.

    Returns:
        A function of (state, numbers, streams, data, checks, every, count): it trains `every`
        epochs, `count` times, and notes loss and accuracy after each. It returns the state and the
        notes, shape (records, 2 + 2 * len(checks), R).

    Example:
        >>> settings = (("momentum", 0.9), ("nesterov", 0.0))
        >>> plan = Plan(2, (Step("Dense", 1),), "binary_crossentropy", "SGD", settings)
        >>> program(plan, 32, 1, (8, 30)) is program(plan, 32, 1, (8, 30))
        True
    """

    @tf.function(jit_compile=True, autograph=False)
    def train(
        state: tuple,
        numbers: tf.Tensor,
        streams: tf.Tensor,
        data: tuple,
        checks: tuple,
        every: tf.Tensor,
        count: tf.Tensor,
    ) -> tuple:
        def record(i: tf.Tensor, state: tuple, notes: tf.TensorArray) -> tuple:
            start = tuple(tf.zeros_like(numbers[:, 0]) for _ in range(2))
            _, state, seen = tf.while_loop(
                lambda epoch, *_: epoch < every,
                lambda epoch, state, _: (
                    epoch + 1,
                    *_epoch(plan, batch_size, state, numbers, streams, data),
                ),
                (tf.constant(0), state, start),
            )
            note = list(seen)
            extra = penalty(plan, state[1], numbers) if checks else None
            for x, y in checks:
                loss, right = losses(plan, forward(plan, state[1], x), y)
                note += [tf.reduce_mean(loss, 1) + extra, tf.reduce_mean(right, 1)]
            return i + 1, state, notes.write(i, tf.stack(note))

        notes = tf.TensorArray(
            tf.float32, size=records, element_shape=(2 + 2 * len(checks), numbers.shape[0])
        )
        _, state, notes = tf.while_loop(
            lambda i, *_: i < count, record, (tf.constant(0), state, notes)
        )
        return state, notes.stack()

    # a function that is called with ever new shapes is warned of by TensorFlow; this one is not
    return train.get_concrete_function(*_signature(plan, *sizes))


def _signature(plan: Plan, copies: int, *rows: int) -> tuple:
    def spec(*shape: int, dtype: tf.DType = tf.float32) -> tf.TensorSpec:
        return tf.TensorSpec((copies, *shape), dtype)

    weights, inputs = [], plan.inputs
    for step in plan.steps:
        if step.kind == "Dense":
            weights += [spec(inputs, step.units)] + [spec(step.units)] * step.use_bias
        inputs = step.units
    targets = () if plan.loss == "sparse_categorical_crossentropy" else (plan.outputs,)
    data, *checks = ((spec(n, plan.inputs), spec(n, *targets)) for n in rows)
    numbers = 1 + sum(len(step.numbers) for step in plan.steps)
    number = tf.TensorSpec((), tf.int32)
    moments = (tuple(weights),) * _moments(plan.optimizer)
    return (
        (number, tuple(weights), moments),
        spec(numbers),
        spec(plan.streams, 2, dtype=tf.uint32),
        data,
        tuple(checks),
        number,
        number,
    )


def _moments(optimizer: str) -> int:
    return 2 if optimizer == "Adam" else 1


def initial_state(weights: list, optimizer: str) -> tuple:
    """Return the state of training before its first step: step number, weights, moments.

    Example:
        >>> step, weights, moments = initial_state([tf.ones((3, 2, 1))], "Adam")
        >>> len(moments)
        2
    """
    zeros = tuple(tf.zeros_like(weight) for weight in weights)
    return tf.constant(0), tuple(weights), (zeros,) * _moments(optimizer)


def _epoch(
    plan: Plan, batch_size: int, state: tuple, numbers: tf.Tensor, streams: tf.Tensor, data: tuple
) -> tuple:
    """Train one epoch; return the state, and the loss and accuracy that `fit` would report."""
    x, y = data
    rows = x.shape[1]
    if rows <= batch_size:
        return _step(plan, state, numbers, streams, data, tf.ones((1, rows)))
    batches = math.ceil(rows / batch_size)
    order = tf.argsort(random_words(streams[:, -1], state[0], rows), axis=1)
    # the last batch may be short: rows of weight 0 fill it
    order = tf.pad(order, [(0, 0), (0, batches * batch_size - rows)])

    def body(i: tf.Tensor, state: tuple, sums: tuple) -> tuple:
        chosen = tf.slice(order, (0, i * batch_size), (order.shape[0], batch_size))
        count = tf.minimum(batch_size, rows - i * batch_size)
        weights = tf.cast(tf.range(batch_size) < count, tf.float32)[None]
        batch = tuple(tf.gather(part, chosen, batch_dims=1) for part in (x, y))
        state, seen = _step(plan, state, numbers, streams, batch, weights)
        share = tf.cast(count, tf.float32) / rows
        return i + 1, state, tuple(s + share * v for s, v in zip(sums, seen, strict=True))

    start = tuple(tf.zeros_like(numbers[:, 0]) for _ in range(2))
    _, state, sums = tf.while_loop(lambda i, *_: i < batches, body, (tf.constant(0), state, start))
    return state, sums


def _step(
    plan: Plan,
    state: tuple,
    numbers: tf.Tensor,
    streams: tf.Tensor,
    batch: tuple,
    row_weights: tf.Tensor,
) -> tuple:
    t, weights, moments = state
    x, y = batch
    places = [
        sum(len(step.numbers) for step in plan.steps[:i])
        for i, step in enumerate(plan.steps)
        if step.kind in _NAMES_OF_NOISE
    ]

    def noise(step: Step, index: int, values: tf.Tensor) -> tf.Tensor:
        return _noise(step, numbers[:, places[index]], streams[:, index], t, values)

    share = row_weights / tf.reduce_sum(row_weights)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        loss, right = losses(plan, _run(plan, weights, x, noise), y)
        loss = tf.reduce_sum(loss * share, 1) + penalty(plan, weights, numbers)
        total = tf.reduce_sum(loss)
    gradients = tape.gradient(total, weights)
    weights, moments = _updated(plan, t, weights, moments, gradients, numbers[:, -1])
    weights = _constrained(plan, weights, numbers)
    return (t + 1, weights, moments), (loss, tf.reduce_sum(right * share, 1))


def _updated(
    plan: Plan, t: tf.Tensor, weights: tuple, moments: tuple, gradients: tuple, rate: tf.Tensor
) -> tuple:
    """Apply one step of the optimizer: the same operations in the same order as in Keras."""
    setting = dict(plan.settings)
    per_copy = [tf.reshape(rate, (-1,) + (1,) * (weight.shape.rank - 1)) for weight in weights]
    if plan.optimizer == "SGD":
        (velocities,) = moments
        push = [-rate * g for rate, g in zip(per_copy, gradients, strict=True)]
        velocities = [setting["momentum"] * v + p for v, p in zip(velocities, push, strict=True)]
        moves = velocities
        if setting["nesterov"]:
            moves = [setting["momentum"] * v + p for v, p in zip(velocities, push, strict=True)]
        weights = tuple(w + move for w, move in zip(weights, moves, strict=True))
        return weights, (tuple(velocities),)
    steps = tf.cast(t + 1, tf.float32)
    correction = tf.sqrt(1 - setting["beta_2"] ** steps) / (1 - setting["beta_1"] ** steps)
    first, second = moments
    first = tuple(
        m + (g - m) * (1 - setting["beta_1"]) for m, g in zip(first, gradients, strict=True)
    )
    second = tuple(
        v + (tf.square(g) - v) * (1 - setting["beta_2"])
        for v, g in zip(second, gradients, strict=True)
    )
    weights = tuple(
        w - m * (rate * correction) / (tf.sqrt(v) + setting["epsilon"])
        for w, m, v, rate in zip(weights, first, second, per_copy, strict=True)
    )
    return weights, (first, second)


def _constrained(plan: Plan, weights: tuple, numbers: tf.Tensor) -> tuple:
    weights, position = list(weights), 0
    for step, kernel, values in _kernels(plan, weights, numbers):
        if "max_value" in step.numbers:
            norms = tf.sqrt(tf.reduce_sum(tf.square(kernel), 1, keepdims=True))
            limit = tf.minimum(norms, values["max_value"][:, None, None])
            weights[position] = kernel * (limit / (keras.config.epsilon() + norms))
        position += 1 + step.use_bias
    return tuple(weights)
