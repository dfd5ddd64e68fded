"""What a sweep reads off small Keras models, and what it refuses.

A `Plan` is what all copies of a network share: layers, loss, optimizer. What may differ between
copies (rates, penalties, limits, the learning rate) is kept apart as `numbers`, one dict a layer
and one for the optimizer at the end, and handed to the compiled program when it runs: another rate
compiles nothing anew.

Example:
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dropout(0.2)])
    >>> model.add(keras.layers.Dense(1, "sigmoid"))
    >>> model.compile(keras.optimizers.SGD(0.5), "binary_crossentropy")
    >>> plan, numbers = read_model(model)
    >>> plan.loss, numbers
    ('binary_crossentropy', ({'rate': 0.2}, {}, {'learning_rate': 0.5}))
"""

from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple, NoReturn

import numpy as np

from helpers._engine.backend import keras, tf
from helpers._engine.checks import shown

NOISE = ("Dropout", "GaussianDropout", "AlphaDropout", "GaussianNoise")
# each loss with the activation of the last layer that goes with it
LOSSES = {
    "binary_crossentropy": "sigmoid",
    "sparse_categorical_crossentropy": "softmax",
    "mean_squared_error": "linear",
}
_DRAWN = ("kernel_initializer", "bias_initializer")
# the arguments that are honoured; all others must be left alone
_HONOURED = {
    "Dense": ("units", "activation", *_DRAWN, "kernel_regularizer", "kernel_constraint"),
    **{kind: ("rate", "stddev") for kind in NOISE},
    "Rescaling": ("scale",),
    "Adam": ("learning_rate", "beta_1", "beta_2", "epsilon"),
    "SGD": ("learning_rate", "momentum"),
}
# what an argument that is left alone says, where that is neither None nor False
_LEFT_ALONE = {"trainable": True, "use_bias": True, "ema_momentum": 0.99, "offset": 0.0}


class Layer(NamedTuple):
    """One layer as the program sees it."""

    kind: str  # "Dense", "Rescaling" or one of NOISE
    units: int  # how many values leave it for each row
    numbers: tuple[str, ...]  # their names: "rate", "stddev", "scale", "l1", "l2", "max_value"
    activation: str = "linear"
    initializers: tuple[str, ...] = ()  # of kernel and bias, in words


class Plan(NamedTuple):
    """What all copies of a model share."""

    inputs: int  # how many values a row has
    layers: tuple[Layer, ...]  # the last one's activation is left to the loss, as in Keras
    loss: str
    optimizer: str
    constants: tuple[tuple[str, float], ...]  # the optimizer's other arguments

    @property
    def outputs(self) -> int:
        """How many values the model gives for each row."""
        return self.layers[-1].units

    @property
    def widest(self) -> int:
        """The largest number of values that a row has on its way."""
        return max(self.inputs, *(layer.units for layer in self.layers))

    def by_layer(self, arrays: Sequence) -> tuple:
        """Return kernels and biases in Keras's order as a pair for each layer, () for noise."""
        left = iter(arrays)
        dense = (layer.kind == "Dense" for layer in self.layers)
        return tuple((next(left), next(left)) if each else () for each in dense)


def read_models(models: Sequence, settings: Sequence) -> tuple[Plan, tuple[dict, ...]]:
    """Return the plan that all models share, and their numbers as arrays of shape (settings,)."""
    plans, numbers = zip(*map(read_model, models), strict=True)
    plan = plans[0]
    for setting, other in zip(settings, plans, strict=True):
        parts = zip_longest((*plan.layers, *plan), (*other.layers, *other))
        for expected, received in parts:
            if received != expected:
                raise ValueError(
                    "the models of a sweep may differ in rates, penalties, limits and learning "
                    f"rate only; that for {setting!r} has {received}, that for {settings[0]!r} "
                    f"{expected}"
                )
    return plan, tf.nest.map_structure(lambda *each: np.array(each, np.float32), *numbers)


def read_model(model: "keras.Sequential") -> tuple[Plan, tuple[dict, ...]]:
    """Return the plan and the numbers of a compiled model, or refuse what cannot be honoured."""
    if type(model) is not keras.Sequential or not model.compiled:
        raise TypeError(f"build must return a compiled keras.Sequential, received {shown(model)}")
    if not model.built or len(model.input_shape) != 2:
        shape = model.input_shape if model.built else "no Input"
        raise ValueError(f"the model must start with keras.Input((features,)), received {shape}")
    layers, numbers, inputs = [], [], model.input_shape[1]
    for layer in model.layers:
        read = _read_layer(layer, layers[-1].units if layers else inputs)
        layers.append(read[0])
        numbers.append(read[1])
    loss = _read_loss(model.loss, layers[-1], model.layers[-1].name)
    layers[-1] = layers[-1]._replace(activation="linear")
    optimizer = type(model.optimizer).__name__
    constants = _honoured(model.optimizer, keras.optimizers, optimizer)
    rate = constants.pop("learning_rate")
    if not isinstance(rate, float):
        _refuse(optimizer, "learning_rate", rate, "use a number")
    plan = Plan(inputs, tuple(layers), loss, optimizer, tuple(constants.items()))
    return plan, (*numbers, {"learning_rate": rate})


def drawn(model: "keras.Sequential", plan: Plan, seeds: tuple) -> tuple[tuple, tuple]:
    """Draw initial weights and random streams by layer, arrays with the seeds first."""
    variables = [
        (getattr(layer, argument), variable.shape)
        for layer in model.layers
        for argument, variable in zip(_DRAWN, layer.trainable_variables, strict=False)
    ]
    noisy = [layer.kind in NOISE for layer in plan.layers] + [True]  # the last one shuffles
    count = len(variables) + 2 * sum(noisy)
    words = np.stack([np.random.SeedSequence(seed).generate_state(count) for seed in seeds])
    weights = [
        np.stack([_initial(initializer, shape, int(word >> 1)) for word in words[:, i]])
        for i, (initializer, shape) in enumerate(variables)
    ]
    pairs = iter(np.split(words[:, len(variables) :], sum(noisy), axis=1))
    return plan.by_layer(weights), tuple({"stream": next(pairs)} if n else {} for n in noisy)


def _initial(initializer: object, shape: tuple, seed: int) -> np.ndarray:
    config = initializer.get_config()
    if "seed" in config:
        initializer = type(initializer).from_config({**config, "seed": seed})
    return np.asarray(initializer(shape, dtype="float32"))


def _read_layer(layer: "keras.layers.Layer", inputs: int) -> tuple[Layer, dict[str, float]]:
    """Return a layer and its numbers."""
    kind, where = type(layer).__name__, f"layer {layer.name!r}"
    if kind == "Dense":
        _check_functions(layer, where)  # Keras would serialize strange ones, with a warning
    config, numbers = _honoured(layer, keras.layers, where), {}
    if layer.compute_dtype != "float32":
        _refuse(where, "dtype", layer.compute_dtype, "use float32")
    if kind != "Dense":
        if not 0 <= config.get("rate", 0) < 1:
            _refuse(where, "rate", config["rate"], "use 0 <= rate < 1, the share that is dropped")
        return Layer(kind, inputs, tuple(config)), config
    penalty, limit = layer.kernel_regularizer, layer.kernel_constraint
    if type(penalty) in (keras.regularizers.L2, keras.regularizers.L1L2):
        numbers |= {name: float(value) for name, value in penalty.get_config().items()}
    elif penalty is not None:
        _refuse(where, "kernel_regularizer", config["kernel_regularizer"], "use L2 or L1L2")
    if type(limit) is keras.constraints.MaxNorm and limit.axis in (0, [0], (0,)):
        numbers["max_value"] = float(limit.max_value)
    elif limit is not None:
        _refuse(where, "kernel_constraint", config["kernel_constraint"], "use MaxNorm with axis=0")
    initializers = tuple(_spelt(config[argument]) for argument in _DRAWN)
    return Layer(kind, layer.units, tuple(numbers), config["activation"], initializers), numbers


def _check_functions(layer: "keras.layers.Dense", where: str) -> None:
    name = getattr(layer.activation, "__name__", "")
    if getattr(keras.activations, name, None) is not layer.activation:
        _refuse(where, "activation", layer.activation, "use a function of keras.activations")
    for argument in _DRAWN:
        initializer = getattr(layer, argument)
        kind = type(initializer)
        own = getattr(keras.initializers, kind.__name__, None) is not kind
        if own or initializer.get_config().get("seed") is not None:
            received = initializer if own else keras.initializers.serialize(initializer)
            accepted = "use one of keras.initializers, without a seed: every copy has its own"
            _refuse(where, argument, received, accepted)


def _read_loss(loss: object, last: Layer, name: str) -> str:
    """Return the loss's name if it goes with the last layer."""
    found = {keras.losses.get(each): each for each in LOSSES}.get(keras.losses.get(loss))
    if found is None:
        _refuse("model.compile", "loss", loss, f"use one of {', '.join(map(repr, LOSSES))}")
    activation = LOSSES[found]
    one = activation != "softmax"
    if last.kind != "Dense" or last.activation != activation or (one and last.units != 1):
        raise ValueError(
            f"layer {name!r}: with loss {found!r} a sweep ends in Dense({1 if one else 'classes'}, "
            f"{activation!r}), received {last.kind}({last.units}, {last.activation!r})"
        )
    return found


def _honoured(part: object, module: object, where: str) -> dict:
    """Return the arguments of a layer or optimizer that a sweep honours; refuse any other."""
    kind = type(part).__name__
    if kind not in _HONOURED or type(part) is not getattr(module, kind, None):
        accepted = ", ".join(each for each in _HONOURED if hasattr(module, each))
        raise ValueError(f"{where}: a sweep has no {kind}; it has {accepted}")
    config = part.get_config()
    for argument in config.keys() - {*_HONOURED[kind], "name", "dtype"}:
        value, usual = config[argument], _LEFT_ALONE.get(argument)
        # what is off says None or False; a seed of 0 is not off
        if value != usual and not (value is False and usual is None):
            _refuse(where, argument, value, "leave it out")
    return {name: config[name] for name in _HONOURED[kind] if name in config}


def _refuse(where: str, argument: str, received: object, accepted: str) -> NoReturn:
    received = f"{argument}={_spelt(received)}"
    raise ValueError(f"{where}: {received} is not supported in a sweep; {accepted}")


def _spelt(value: object) -> str:
    """Return a value as code says it, also where Keras has serialized it."""
    if isinstance(value, dict) and isinstance(value.get("config"), dict):
        given = ", ".join(f"{name}={each!r}" for name, each in value["config"].items())
        return f"{value['class_name']}({given})"
    return shown(value)
