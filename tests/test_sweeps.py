"""Sweeps learn what Keras learns, copy by copy."""

import numpy as np
import pytest
from sklearn.datasets import make_circles

import helpers.quiet  # noqa: F401
from helpers import replicas, sweeps

import keras  # isort: skip
import tensorflow as tf  # isort: skip
from keras import layers  # isort: skip

X, Y = (part.astype(np.float32) for part in make_circles(100, noise=0.1, random_state=1))
TRAIN, TEST = (X[:30], Y[:30]), (X[30:], Y[30:])


def small(rate, optimizer=None, units=20, **dense):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(units, "relu", **dense)])
    model.add(layers.Dropout(rate))
    model.add(layers.Dense(1, "sigmoid"))
    model.compile(
        loss="binary_crossentropy",
        optimizer=optimizer() if optimizer else keras.optimizers.Adam(0.01),
        metrics=["accuracy"],
    )
    return model


def tiny(rate):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1, "sigmoid")])
    model.compile(loss="binary_crossentropy", optimizer=keras.optimizers.SGD(0.1))
    return model


def swept(build=small, settings=(0.0,), data=TRAIN, seeds=(0,), epochs=30, **more):
    return sweeps.train(build, settings, *data, seeds=seeds, epochs=epochs, **more)


def momentum_and_l2(rate):
    optimizer = lambda: keras.optimizers.SGD(0.1, momentum=0.9)  # noqa: E731
    return small(rate, optimizer, kernel_regularizer=keras.regularizers.L2(0.01))


def three_classes(rate):
    model = keras.Sequential([keras.Input((2,)), layers.Dropout(rate)])
    model.add(layers.Dense(12, kernel_initializer="he_uniform", use_bias=False))
    model.add(layers.Activation("tanh"))
    model.add(layers.Dense(20, "elu", bias_initializer=keras.initializers.Constant(0.1)))
    model.add(layers.Dense(3))
    model.add(layers.Activation("softmax"))
    model.compile(
        loss="sparse_categorical_crossentropy",
        optimizer=keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        metrics=["accuracy"],
    )
    return model


@pytest.mark.parametrize(
    ("build", "y"),
    [
        (small, Y),
        (momentum_and_l2, Y),
        (lambda rate: small(rate, kernel_regularizer=keras.regularizers.L1L2(0.01, 0.1)), Y),
        (lambda rate: small(rate, kernel_constraint=keras.constraints.MaxNorm(0.4)), Y),
        (three_classes, Y + (X[:, 0] > 0.5)),
    ],
    ids=["adam", "momentum-l2", "l1l2", "max-norm", "classes"],
)
def test_without_noise_a_copy_is_the_network_that_keras_trains(build, y):
    y = y.astype(int)
    held_out = (X[30:], y[30:])
    copy = swept(build, data=(X[:30], y[:30]), seeds=(5,), epochs=20, curves={"val": held_out})
    model = swept(build, data=(X[:30], y[:30]), seeds=(5,), epochs=0).to_keras(0, 0)
    history = model.fit(
        X[:30], y[:30], epochs=20, batch_size=32, validation_data=held_out, verbose=0
    ).history

    for ours, theirs in zip(copy.weights, model.trainable_variables, strict=True):
        np.testing.assert_allclose(ours[0, 0], theirs, rtol=1e-4, atol=2e-5)
    for name, values in history.items():
        np.testing.assert_allclose(copy.curves[name][0, 0], values, rtol=1e-4, atol=2e-5)
    np.testing.assert_allclose(np.squeeze(model(X)), copy.predict(X)[0, 0], rtol=1e-3, atol=2e-5)
    np.testing.assert_allclose(
        model.evaluate(*held_out, verbose=0), np.ravel(copy.evaluate(*held_out)), rtol=1e-4
    )
    same = copy.to_keras(0, 0)(X)
    np.testing.assert_allclose(np.squeeze(same), copy.predict(X)[0, 0], rtol=1e-4, atol=1e-6)


def test_the_gradient_of_a_saturated_output_is_that_of_keras():
    def sure(rate):
        return small(rate, kernel_initializer=keras.initializers.Constant(300.0))

    model = swept(sure, epochs=0).to_keras(0, 0)
    model.fit(*TRAIN, epochs=3, batch_size=32, verbose=0)
    copy = swept(sure, epochs=3)
    # clipped at 1e-7, as the loss of a probability is, the gradient would be zero
    assert copy.predict(TRAIN[0][TRAIN[1] == 1]).min() < 1e-9
    np.testing.assert_allclose(copy.weights[0][0, 0], model.layers[0].kernel, rtol=1e-5)


def test_one_hot_targets_and_two_sigmoids_train_as_in_keras():
    one_hot = np.eye(2, dtype=np.float32)[Y.astype(int)]

    def build(final):
        model = keras.Sequential([keras.Input((2,)), layers.Dense(2, final)])
        loss = "binary_crossentropy" if final == "sigmoid" else "categorical_crossentropy"
        model.compile(loss=loss, optimizer=keras.optimizers.Adam(0.05))
        return model

    for final in ("sigmoid", "softmax"):
        model = swept(build, (final,), (X[:30], one_hot[:30]), epochs=0).to_keras(0, 0)
        model.fit(X[:30], one_hot[:30], epochs=10, verbose=0)
        copy = swept(build, (final,), (X[:30], one_hot[:30]), epochs=10)
        np.testing.assert_allclose(copy.predict(X)[0, 0], model(X), atol=1e-5)


def test_mini_batches_are_those_of_keras_in_the_order_drawn():
    rows, size, epochs, seed = 42, 16, 3, 7
    model = swept(data=(X[:rows], Y[:rows]), seeds=(seed,), epochs=0).to_keras(0, 0)
    plan, _ = replicas.read_model(model)
    stream = sweeps._drawn(model, plan, (seed,))[1][:, -1]
    orders = [
        np.argsort(replicas.random_words(tf.constant(stream), step, rows).numpy()[0])
        for step in range(0, 3 * epochs, 3)
    ]
    losses = []
    for order in orders:
        batches = [order[i : i + size] for i in range(0, rows, size)]
        seen = [model.test_on_batch(X[b], Y[b])[0] for b in batches[:1]]
        for batch in batches:
            model.train_on_batch(X[batch], Y[batch])
        losses.append(seen[0])
    copy = swept(
        data=(X[:rows], Y[:rows]), seeds=(seed,), epochs=epochs, batch_size=size, curves={}
    )
    for ours, theirs in zip(copy.weights, model.trainable_variables, strict=True):
        np.testing.assert_allclose(ours[0, 0], theirs, rtol=1e-4, atol=1e-5)
    # every row once an epoch, another order each time
    assert all(sorted(order) == list(range(rows)) for order in orders)
    assert not np.array_equal(orders[0], orders[1])
    assert copy.curves["loss"].shape == (1, 1, epochs)


def test_with_dropout_copies_are_spread_as_networks_trained_one_by_one_in_keras():
    repeats, epochs, rate = 40, 80, 0.5
    copies = swept(settings=(rate,), seeds=range(repeats), epochs=epochs)
    start = swept(settings=(rate,), seeds=range(repeats), epochs=0)
    model = small(rate)
    model.optimizer.build(model.trainable_variables)

    @tf.function
    def train():
        for _ in tf.range(epochs):
            with tf.GradientTape() as tape:
                loss = model.compute_loss(
                    y=TRAIN[1][:, None], y_pred=model(TRAIN[0], training=True)
                )
            model.optimizer.apply(tape.gradient(loss, model.trainable_variables))

    keras.utils.set_random_seed(0)
    reference = []
    for i in range(repeats):
        for variable, value in zip(model.trainable_variables, start.weights, strict=True):
            variable.assign(value[0, i])
        for variable in model.optimizer.variables[2:]:
            variable.assign(tf.zeros_like(variable))
        model.optimizer.iterations.assign(0)
        train()
        reference.append(_loss(model, TEST))
    ours, theirs = copies.evaluate(*TEST).loss[0], np.array(reference)
    # the same initial weights on both sides, so that pairs differ by their masks alone
    pairs = ours - theirs
    assert abs(pairs.mean()) < 4 * pairs.std(ddof=1) / np.sqrt(repeats)
    assert 0.6 < ours.std() / theirs.std() < 1.6
    # and the test can tell another rate
    other = swept(settings=(0.8,), seeds=range(repeats), epochs=epochs).evaluate(*TEST).loss[0]
    pairs = other - theirs
    assert abs(pairs.mean()) > 4 * pairs.std(ddof=1) / np.sqrt(repeats)


def _loss(model, data):
    return float(model.compute_loss(y=data[1][:, None], y_pred=model(data[0])))


def test_initial_weights_are_drawn_as_keras_draws_them():
    start = swept(three_classes, seeds=range(60), epochs=0)
    first, second, bias = start.weights[:3]
    limit = np.sqrt(6 / 2)  # he_uniform
    assert 0.9 * limit < np.abs(first).max() <= limit
    assert abs(first.std() / (limit / np.sqrt(3)) - 1) < 0.05
    limit = np.sqrt(6 / (12 + 20))  # glorot_uniform
    assert 0.9 * limit < np.abs(second).max() <= limit
    assert (bias == np.float32(0.1)).all()
    assert len(np.unique(first[0, :, 0, 0])) == 60


def test_seeds_repeat_and_differ():
    a = swept(settings=(0.5,), seeds=(1, 2))
    b = swept(settings=(0.5,), seeds=(1, 2))
    for left, right in zip(a.weights, b.weights, strict=True):
        np.testing.assert_array_equal(left, right)
    assert np.abs(a.weights[0][0, 0] - a.weights[0][0, 1]).max() > 0.01


def test_a_copy_depends_on_neither_chunk_nor_company(monkeypatch):
    full = swept(settings=(0.2, 0.5), seeds=range(5), curves={"test": TEST}, every=10)
    monkeypatch.setattr(sweeps, "_LARGEST_CHUNK", 1)
    alone = swept(settings=(0.5,), seeds=(3,), curves={"test": TEST}, every=10)
    np.testing.assert_allclose(full.predict(X)[1, 3], alone.predict(X)[0, 0], atol=1e-4)
    for name in full.curves:
        np.testing.assert_allclose(full.curves[name][1, 3], alone.curves[name][0, 0], atol=1e-4)


def test_every_setting_is_honoured():
    def build(setting):
        rate, l2, learning_rate = setting
        return small(
            rate,
            lambda: keras.optimizers.Adam(learning_rate),
            kernel_regularizer=keras.regularizers.L2(l2),
        )

    settings = [(0.0, 0.0, 0.01), (0.5, 0.0, 0.01), (0.0, 1.0, 0.01), (0.0, 0.0, 1e-6)]
    copies = swept(build, settings, epochs=40)
    norms = np.sqrt((copies.weights[0] ** 2).sum((-1, -2)))[:, 0]
    start = np.sqrt((swept(build, settings[:1], epochs=0).weights[0] ** 2).sum())
    assert norms[2] < norms[0] / 2
    assert abs(norms[3] - start) < 1e-3
    for i, setting in enumerate(settings):
        alone = swept(build, [setting], epochs=40)
        np.testing.assert_allclose(copies.predict(X)[i], alone.predict(X)[0], atol=1e-4)


def test_each_seed_may_have_data_of_its_own():
    splits = [np.random.default_rng(i).permutation(100)[:30] for i in range(3)]
    x, y = np.stack([X[s] for s in splits]), np.stack([Y[s] for s in splits])
    together = swept(settings=(0.0, 0.3), data=(x, y), seeds=(4, 5, 6))
    scores = together.evaluate(x, y)
    for i, split in enumerate(splits):
        alone = swept(settings=(0.3,), data=(X[split], Y[split]), seeds=(4 + i,))
        np.testing.assert_allclose(together.predict(X)[1, i], alone.predict(X)[0, 0], atol=1e-4)
        np.testing.assert_allclose(
            together.predict(x)[1, i], alone.predict(X[split])[0, 0], atol=1e-4
        )
        np.testing.assert_allclose(
            scores.loss[1, i], alone.evaluate(X[split], Y[split]).loss[0, 0], atol=1e-4
        )


def test_curves_are_recorded_every_few_epochs_and_at_the_end():
    every = swept(seeds=(1, 2), epochs=250, curves={"test": TEST})
    some = swept(seeds=(1, 2), epochs=250, curves={"test": TEST}, every=40)
    assert some.recorded.tolist() == [40, 80, 120, 160, 200, 240, 250]
    assert every.recorded.tolist() == list(range(1, 251))
    assert list(some.curves) == ["loss", "accuracy", "test_loss", "test_accuracy"]
    np.testing.assert_allclose(
        some.curves["test_loss"], every.curves["test_loss"][..., some.recorded - 1], rtol=1e-3
    )
    np.testing.assert_allclose(
        some.curves["test_accuracy"][..., -1], some.evaluate(*TEST).accuracy, atol=1e-6
    )
    assert swept(seeds=(1, 2)).curves == {}


def test_rates_seeds_data_and_epochs_compile_nothing_anew():
    swept(settings=(0.1,), epochs=3)
    programs = replicas.program.cache_info().misses
    swept(settings=(0.7,), epochs=9, seeds=(8,), data=(X[40:70], Y[40:70]))
    assert replicas.program.cache_info().misses == programs


def test_ever_new_shapes_are_trained_without_a_word(capfd, monkeypatch):
    warned = []
    monkeypatch.setattr(tf.get_logger(), "handle", warned.append)
    for rows in range(20, 27):
        swept(tiny, epochs=1, data=(X[:rows], Y[:rows]))
    assert warned == []
    assert capfd.readouterr() == ("", "")


def test_chunks_keep_memory_bounded():
    plan, _ = replicas.read_model(small(0.5, units=500))
    data = (np.zeros((1, 30, 2), np.float32), np.zeros((1, 30, 1), np.float32))
    run = sweeps._Run(plan, None, None, None, data, [], 32, False)
    sizes = [run._chunk_size(copies, cores=2) for copies in (1, 2, 10, 100, 1000)]
    assert sizes == sorted(sizes)
    assert sizes[0] == 1
    assert sizes[-1] == sizes[-2] <= 8


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"settings": 0.5}, TypeError, "settings must be a sequence such as a list, received 0.5"),
        ({"settings": ()}, ValueError, "settings must hold at least 1, received none"),
        ({"seeds": (-1,)}, ValueError, "each seed must be a whole number of at least 0"),
        ({"seeds": "12"}, TypeError, "seeds must be a sequence"),
        ({"seeds": (0.5,)}, TypeError, "each seed"),
        ({"epochs": -1}, ValueError, "epochs"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"every": 0}, ValueError, "every"),
        ({"data": (X[:30, :1], Y[:30])}, ValueError, r"x must have shape \(n, 2\)"),
        ({"data": (X[:30], Y[:20])}, ValueError, r"y must have shape \(30,\).*received \(20,\)"),
        ({"data": (X[:30], Y[:30] + 1)}, ValueError, "y must lie between 0 and 1"),
        ({"data": (X[:0], Y[:0])}, ValueError, "must not be empty"),
        ({"data": (X[:30] * np.nan, Y[:30])}, ValueError, "must be finite"),
        ({"data": (X[:30].astype(str), Y[:30])}, TypeError, "real numbers"),
        ({"curves": TEST}, TypeError, "curves must map names"),
        ({"curves": {"test": X}}, TypeError, r"x of curves\['test'\] must be a pair"),
        ({"curves": {"test": (X, Y[:3])}}, ValueError, r"y of curves\['test'\]"),
        ({"build": three_classes, "data": (X[:30], Y[:30] + 2)}, ValueError, "class numbers"),
        ({"build": lambda rate: 3}, TypeError, "keras.Sequential"),
        (
            {"build": lambda n: small(0.5, units=n), "settings": (5, 6)},
            ValueError,
            "the model for 6 differs from that for 5: layer 0 has units 6, not 5",
        ),
        (
            {"build": lambda k: small(0.5, kernel_initializer=k), "settings": ("zeros", "ones")},
            ValueError,
            "layer 0 has initializers .*Ones.*, not .*Zeros",
        ),
        (
            {"build": lambda n: small(0.5) if n else three_classes(0.5), "settings": (0, 1)},
            ValueError,
            "it has 3 layers, not 6",
        ),
        (
            {"build": lambda r: small(r, kernel_initializer=keras.initializers.HeNormal(seed=1))},
            ValueError,
            "HeNormal.*seed",
        ),
        (
            {"build": lambda r: small(r, kernel_initializer=lambda shape, dtype: tf.ones(shape))},
            ValueError,
            "initializer of Keras",
        ),
    ],
)
def test_bad_arguments_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        swept(**arguments)


def test_bad_rows_are_refused_by_predict_and_evaluate():
    copies = swept(epochs=1)
    with pytest.raises(ValueError, match="x must have shape"):
        copies.predict(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="y must have shape"):
        copies.evaluate(X, Y[:4])
    with pytest.raises(ValueError, match="setting must be at most 0, received 1"):
        copies.to_keras(1, 0)


def test_an_error_in_a_chunk_stops_the_sweep(monkeypatch):
    def broken(*arguments):
        raise RuntimeError("no program today")

    monkeypatch.setattr(sweeps, "program", broken)
    with pytest.raises(RuntimeError, match="no program today"):
        swept(seeds=range(100))
