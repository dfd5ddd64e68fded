"""Sweeps learn what Keras learns, copy by copy, and refuse what they would not honour."""

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import make_circles

from helpers import sweeps
from helpers._engine import plan, program
from helpers._engine.backend import keras, tf

layers, optimizers = keras.layers, keras.optimizers
L1L2, L2, MaxNorm = keras.regularizers.L1L2, keras.regularizers.L2, keras.constraints.MaxNorm
Constant, HeNormal = keras.initializers.Constant, keras.initializers.HeNormal
falling = optimizers.schedules.CosineDecay(0.1, 10)
X, Y = (part.astype(np.float32) for part in make_circles(100, noise=0.1, random_state=1))
TRAIN, TEST = (X[:30], Y[:30]), (X[30:], Y[30:])
close = np.testing.assert_allclose


def model_of(*parts, loss="binary_crossentropy", optimizer="adam", metrics=("accuracy",)):
    model = keras.Sequential([keras.Input((2,)), *parts])
    model.compile(optimizer, loss, metrics=[*metrics])
    return model


def small(rate, optimizer=optimizers.Adam, learning_rate=0.01, units=20, more=(), **dense):
    parts = layers.Dense(units, "relu", **dense), layers.Dropout(rate), layers.Dense(1, "sigmoid")
    return model_of(*parts, optimizer=optimizer(learning_rate, *more))


def deep(rate, last=(3, "softmax"), loss="sparse_categorical_crossentropy", **more):
    first = layers.Dense(12, "selu", kernel_initializer="he_uniform")
    second = layers.Dense(20, "tanh", bias_initializer=Constant(0.1))
    parts = [layers.GaussianDropout(rate), first, layers.AlphaDropout(rate), second]
    parts += [layers.GaussianNoise(rate), layers.Dense(*last)]
    return model_of(*parts, loss=loss, optimizer=optimizers.SGD(0.05, momentum=0.9), **more)


def regression(rate):
    return deep(rate, (1,), "mse", metrics=())


def swept(build=small, settings=(0.0,), data=TRAIN, seeds=(0,), epochs=30, **more):
    return sweeps.train(build, settings, *data, seeds=seeds, epochs=epochs, **more)


WITHOUT_NOISE = {
    "Adam": (small, Y),
    "Adam's arguments": (lambda rate: small(rate, more=(0.7, 0.9, 1e-3)), Y),
    "SGD and L2": (lambda rate: small(rate, optimizers.SGD, 0.1, kernel_regularizer=L2(0.01)), Y),
    "L1 and L2": (lambda rate: small(rate, kernel_regularizer=L1L2(0.02, 0.01)), Y),
    # clipped at 1e-7, as the loss of a probability is, the gradient would be zero
    "saturated": (lambda rate: small(rate, kernel_initializer=Constant(300.0)), Y),
    "max-norm": (lambda rate: small(rate, kernel_constraint=MaxNorm(0.4)), Y),
    "momentum, classes": (deep, Y + (X[:, 0] > 0.5)),
    "regression": (regression, X[:, 0] ** 2 - X[:, 1]),
}


@pytest.mark.parametrize("case", WITHOUT_NOISE)
def test_without_noise_a_copy_is_the_network_that_keras_trains(case):
    build, y = WITHOUT_NOISE[case]
    train, held_out = (X[:30], y[:30]), (X[30:], y[30:])
    copy = swept(build, data=train, seeds=(5,), epochs=20, curves={"val": held_out})
    model = swept(build, data=train, seeds=(5,), epochs=0).to_keras(0, 0)
    history = model.fit(*train, epochs=20, batch_size=32, validation_data=held_out, verbose=0)
    for ours, theirs in zip(copy.weights, model.trainable_variables, strict=True):
        close(ours[0, 0], theirs, rtol=1e-4, atol=2e-5)
    for name, values in history.history.items():
        close(copy.curves[name][0, 0], values, rtol=1e-4, atol=2e-5)
    says, scores = copy.predict(X)[0, 0], copy.evaluate(*held_out)
    close(np.squeeze(model(X)), says, rtol=1e-3, atol=2e-5)
    close(np.squeeze(copy.to_keras(0, 0)(X)), says, rtol=1e-4, atol=1e-6)
    close(scores.loss.item(), np.ravel(model.evaluate(*held_out, verbose=0))[0], rtol=1e-4)
    assert np.isnan(scores.accuracy.item()) == (case == "regression")


def test_mini_batches_are_those_of_keras_in_the_order_drawn():
    rows, size, epochs, seed = 42, 16, 3, 7
    data = X[:rows], Y[:rows]
    model = swept(data=data, seeds=(seed,), epochs=0).to_keras(0, 0)
    stream = plan.drawn(model, plan.read_model(model)[0], (seed,))[1][-1]["stream"]
    orders, noted = [], []
    for epoch in range(epochs):
        words = program.random_words(tf.constant(stream), 3 * epoch, rows).numpy()[0]
        orders.append(np.argsort(words))
        ordered = X[orders[-1]], Y[orders[-1]]
        history = model.fit(*ordered, batch_size=size, shuffle=False, verbose=0).history
        noted.append([history["loss"][0], history["accuracy"][0]])
    copy = swept(data=data, seeds=(seed,), epochs=epochs, batch_size=size, curves={})
    for ours, theirs in zip(copy.weights, model.trainable_variables, strict=True):
        close(ours[0, 0], theirs, rtol=1e-4, atol=1e-5)
    seen = [copy.curves[name][0, 0] for name in ("loss", "accuracy")]
    close(np.transpose(seen), noted, rtol=1e-4)
    assert not np.array_equal(orders[0], orders[1])


def test_with_dropout_copies_are_spread_as_networks_trained_one_by_one_in_keras():
    repeats, epochs, rate = 40, 80, 0.5
    start = swept(settings=(rate,), seeds=range(repeats), epochs=0)
    model = small(rate)
    model.optimizer.build(model.trainable_variables)

    @tf.function
    def train():
        for _ in tf.range(epochs):
            with tf.GradientTape() as tape:
                y_pred = model(TRAIN[0], training=True)
                loss = model.compute_loss(y=TRAIN[1][:, None], y_pred=y_pred)
            model.optimizer.apply(tape.gradient(loss, model.trainable_variables))

    keras.utils.set_random_seed(0)
    theirs = []
    for i in range(repeats):
        for variable in [model.optimizer.iterations, *model.optimizer.variables[2:]]:
            variable.assign(tf.zeros_like(variable))
        for variable, value in zip(model.trainable_variables, start.weights, strict=True):
            variable.assign(value[0, i])
        train()
        theirs.append(float(model.compute_loss(y=TEST[1][:, None], y_pred=model(TEST[0]))))
    copies = swept(settings=(rate, 0.8), seeds=range(repeats), epochs=epochs)
    # the same initial weights on both sides, so that pairs differ by their masks alone
    same, other = (stats.ttest_rel(each, theirs)[0] for each in copies.evaluate(*TEST).loss)
    assert abs(same) < 4 < abs(other)
    assert 0.6 < copies.evaluate(*TEST).loss[0].std() / np.std(theirs) < 1.6


def test_initial_weights_are_drawn_as_keras_draws_them():
    first, _, second, bias, *_ = swept(deep, seeds=range(60), epochs=0).weights
    for drawn, limit in ((first, np.sqrt(6 / 2)), (second, np.sqrt(6 / (12 + 20)))):
        assert 0.9 * limit < np.abs(drawn).max() <= limit  # he_uniform, glorot_uniform
        assert abs(drawn.std() / (limit / np.sqrt(3)) - 1) < 0.05
        assert len(np.unique(drawn[0, :, 0, 0])) == 60
    assert (bias == np.float32(0.1)).all()


def every_number(setting):
    rate, penalties, limit, learning_rate = setting
    dense = {"kernel_regularizer": L1L2(*penalties), "kernel_constraint": MaxNorm(limit)}
    return small(rate, learning_rate=learning_rate, **dense)


VARIED = [(rate, (0, 0), 9, 0.01) for rate in (0.2, 0.5, 0.5)]
VARIED += [(0.5, (0, 1), 9, 0.01), (0.5, (1, 0), 9, 0.01)]
VARIED += [(0.5, (0, 0), 0.3, 0.01), (0.5, (0, 0), 9, 0.001)]


@pytest.mark.parametrize(
    ("build", "settings", "y"), [(every_number, VARIED, Y), (regression, (0.2, 0.5), X[:, 0])]
)
def test_a_copy_depends_on_its_setting_and_seed_alone(build, settings, y, monkeypatch):
    options = {"data": (X[:30], y[:30]), "batch_size": 25, "epochs": 12, "every": 5}
    options["curves"] = {"test": (X[30:], y[30:])}
    full = swept(build, settings, seeds=range(5), **options)
    for limit in ("_LARGEST_CHUNK", "_PREDICTION_BYTES", "_RECORDS_A_CALL"):
        monkeypatch.setattr(sweeps, limit, 1)
    for i, setting in enumerate(settings):
        alone = swept(build, [setting], seeds=(3,), **options)
        close(full.predict(X)[i, 3], alone.predict(X)[0, 0], atol=1e-4)
        for name in full.curves:
            close(full.curves[name][i, 3], alone.curves[name][0, 0], atol=1e-4)
    # the same setting twice gives the same, anything else differs
    assert len(np.unique(full.predict(X)[..., 0].round(5))) == len(set(settings)) * 5


@pytest.mark.parametrize("batch_size", [20, 32])  # of 30 rows: two batches, and one
def test_each_seed_may_have_data_of_its_own(batch_size):
    splits = [np.random.default_rng(i).permutation(100)[:30] for i in range(3)]
    x, y = X[splits], Y[splits]
    options = {"seeds": (4, 5, 6), "batch_size": batch_size, "curves": {"own": (x, y)}}
    together = swept(settings=(0.0, 0.3), data=(x, y), **options)
    loss, curve = together.evaluate(x, y).loss, together.curves["own_loss"]
    for i, split in enumerate(splits):
        options = {"seeds": (4 + i,), "batch_size": batch_size}
        alone = swept(settings=(0.3,), data=(X[split], Y[split]), **options)
        close(together.predict(X)[1, i], alone.predict(X)[0, 0], atol=1e-4)
        close(together.predict(x)[1, i], alone.predict(X[split])[0, 0], atol=1e-4)
        close([loss[1, i], curve[1, i, -1]], alone.evaluate(X[split], Y[split]).loss.item(), 1e-4)


def test_bytes_and_a_scale_are_the_fractions_that_they_stand_for():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 2), np.uint8)

    def scaled(scale):
        return model_of(
            layers.Rescaling(scale), layers.Dense(9, "relu"), layers.Dense(1, "sigmoid")
        )

    options = {"seeds": (1, 2), "batch_size": 16}
    of_bytes = swept(scaled, (1 / 255, 2 / 255), data=(pixels, Y[:40]), **options)
    of_fractions = swept(scaled, (1.0, 2.0), data=(pixels / 255, Y[:40]), **options)
    says = of_bytes.predict(pixels)
    close(says, of_fractions.predict(pixels / 255), atol=1e-4)
    close(says[1, 0], np.squeeze(of_bytes.to_keras(1, 0)(pixels)), atol=1e-4)
    assert np.abs(says[0] - says[1]).max() > 0.01


def test_curves_are_recorded_every_few_epochs_and_at_the_end():
    each = swept(seeds=(1, 2), epochs=250, curves={"test": TEST})
    some = swept(seeds=(1, 2), epochs=250, curves={"test": TEST}, every=40)
    assert some.recorded.tolist() == [40, 80, 120, 160, 200, 240, 250]
    assert each.recorded.tolist() == list(range(1, 251))
    assert list(some.curves) == ["loss", "accuracy", "test_loss", "test_accuracy"]
    for name, values in some.curves.items():
        close(values, each.curves[name][..., some.recorded - 1], rtol=1e-3)
    close(some.curves["test_accuracy"][..., -1], some.evaluate(*TEST).accuracy, atol=1e-6)
    assert (swept().curves, swept().recorded.size) == ({}, 0)


@pytest.mark.parametrize("at_once", [17, 14])  # of 70 rows: with and without a rest
def test_scores_are_the_same_however_many_rows_are_scored_at_once(at_once, monkeypatch):
    options = {"seeds": (1, 2), "epochs": 3, "curves": {"test": (X[30:], Y[30:])}}
    whole = swept(**options)
    monkeypatch.setattr(program, "_ROWS_AT_ONCE", at_once)
    program.program.cache_clear()
    pieces = swept(**options)
    for name, values in whole.curves.items():
        close(values, pieces.curves[name], rtol=1e-5)
    close(whole.evaluate(X[30:], Y[30:]), pieces.evaluate(X[30:], Y[30:]), rtol=1e-5)


def test_draws_are_passes_with_noise_and_the_same_ones_each_time():
    build = lambda rate: model_of(layers.Dropout(rate), layers.Dense(1), loss="mse")  # noqa: E731
    copies, x = swept(build, (0.0, 0.5), seeds=range(2)), np.tile([[1.0, 2.0]], (3, 1))
    draws = copies.predict(x, draws=400)
    assert draws.shape == (2, 2, 400, 3)
    close(draws[0], np.repeat(copies.predict(x)[0, :, None], 400, 1), rtol=1e-6)
    # each input dropped or doubled, in rows and draws that know nothing of one another
    kernel, bias = (weight[1, 0] for weight in copies.weights)
    possible = np.array([[0, 0], [0, 2], [2, 0], [2, 2]]) * x[0] @ kernel + bias
    off = np.abs(draws[1, 0].ravel()[:, None] - possible.T)
    assert off.min(1).max() < 1e-5
    assert stats.chisquare(np.bincount(off.argmin(1), minlength=4)).pvalue > 1e-4
    np.testing.assert_array_equal(draws, copies.predict(x, draws=400))


def test_rates_seeds_data_and_epochs_compile_nothing_anew_and_new_shapes_say_nothing(
    capfd, monkeypatch
):
    given_back = []
    monkeypatch.setattr(sweeps, "give_back_memory", lambda: given_back.append(True))
    swept(settings=(0.1,), epochs=3)
    programs, compiled = program.program.cache_info().misses, len(given_back)
    swept(settings=(0.7,), epochs=9, seeds=(8,), data=(X[40:70], Y[40:70]))
    assert program.program.cache_info().misses == programs
    assert len(given_back) == compiled
    for rows in range(20, 26):
        swept(lambda rate: model_of(layers.Dense(1, "sigmoid")), data=(X[:rows], Y[:rows]))
    assert len(given_back) > compiled
    assert capfd.readouterr() == ("", "")


def test_chunks_keep_memory_bounded_and_all_cores_busy():
    sizes = [sweeps._chunk_size(copies, 2, 30 * 500) for copies in (1, 2, 10, 100, 1000)]
    assert sizes == [1, 1, 4, 8, 8]
    assert [sweeps._chunk_size(1000, 2, values) for values in (10, 10**9)] == [64, 1]


def noisy(kind, number, x, copies=1):
    words = np.stack([np.random.SeedSequence(seed).generate_state(2) for seed in range(copies)])
    number = tf.constant(number, tf.float32)
    given = {"rate": number, "stddev": number, "stream": tf.constant(words)}
    return program._noisy(kind, tf.constant(x, tf.float32), given, tf.constant(3)).numpy()


def test_random_words_are_uniform_and_independent():
    copies, steps, count = 4, 20, 15_000
    streams = np.stack([np.random.SeedSequence(seed).generate_state(2) for seed in range(copies)])
    words = np.stack([program.random_words(tf.constant(streams), t, count) for t in range(steps)])
    for copy in range(copies):  # each byte of the words is uniform
        for byte in words[:, copy].copy().view(np.uint8).reshape(-1, 4).T:
            assert stats.chisquare(np.bincount(byte, minlength=256)).pvalue > 1e-4
    below = (words < 0.4 * 2**32).astype(float) - 0.4
    for axis, lag in ((2, 1), (2, 500), (0, 1), (0, 2), (1, 1)):  # neighbours, rows, steps, copies
        one = np.moveaxis(below, axis, 0)
        products = one[lag:] * one[:-lag]
        assert abs(products.mean() / 0.24 * np.sqrt(products.size)) < 4, (axis, lag)
    # how many are below varies from step to step as it does for independent draws
    assert 0.6 < below.sum(-1).var() / (count * 0.24) < 1.5


def test_random_words_stay_what_they_are_for_a_seed_and_step():
    words = program.random_words(tf.constant([[1, 2], [3, 4]], tf.uint32), tf.constant(5), 2)
    assert words.numpy().tolist() == [[1882762941, 550422170], [780418927, 3494131471]]


def test_every_copy_drops_at_its_own_rate_and_at_a_larger_one_the_same_and_more():
    rates = np.array([0.0, 0.001, 0.5, 0.9])
    for rate, one in zip(rates, noisy("Dropout", rates, np.ones((1, 600, 500)), 4), strict=True):
        assert abs((one == 0).mean() - rate) <= 4.5 * np.sqrt(rate * (1 - rate) / one.size)
        close(one[one != 0], 1 / (1 - rate), rtol=1e-6)
    few, many = (noisy("Dropout", [rate], np.ones((1, 60, 50))) == 0 for rate in (0.3, 0.6))
    assert many[few].all()


@pytest.mark.parametrize("kind", plan.NOISE)
@pytest.mark.parametrize("number", [0.1, 0.6])
def test_noise_is_distributed_as_that_of_the_keras_layer(kind, number):
    x = np.random.default_rng(0).normal(1, 0.5, (1, 200, 500)).astype(np.float32)
    keras.utils.set_random_seed(1)
    theirs = getattr(layers, kind)(number)(x, training=True).numpy()
    ours = noisy(kind, [number], x)
    assert stats.ks_2samp(ours.ravel(), theirs.ravel()).pvalue > 1e-3
    # and so is what it does to each value, not only the values that there are
    close(((ours - x) ** 2).mean(), ((theirs - x) ** 2).mean(), rtol=0.05)
    close(noisy(kind, [0.0], x), x, rtol=1e-6)


def test_normal_noise_is_finite_for_the_outermost_words():
    outermost = program._normal(tf.constant([0, 2**31, 2**32 - 1], tf.uint32))
    close(outermost, [-5.3, 0, 5.3], atol=0.1)


def hidden(**arguments):
    return model_of(layers.Dense(3, name="hidden", **arguments), layers.Dense(1, "sigmoid"))


def final(layer=None, **arguments):
    return model_of(layer or layers.Dense(1, "sigmoid"), **arguments)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: final(layers.BatchNormalization(name="a")), "'a': a sweep has no Batch.*Dropout"),
        (lambda: final(layers.Dropout(0.5, seed=0, name="a")), "'a': seed=0 .*leave it out"),
        (lambda: final(layers.Dropout(1, name="a")), "'a': rate=1 .*use 0 <= rate < 1"),
        (lambda: final(layers.Rescaling(2, 1, name="a")), "'a': offset=1 .*leave it out"),
        (lambda: final(layers.Dense(1, "tanh")), r"Dense\(1, 'sigmoid'\), received .*'tanh'"),
        (lambda: final(layers.Dense(2), loss="mse"), r"Dense\(1, 'linear'\), received Dense\(2"),
        (lambda: final(loss="mae"), "loss='mae'.*'binary_crossentropy', 'sparse"),
        (lambda: final(optimizer="rmsprop"), "no RMSprop; it has Adam, SGD"),
        (lambda: final(optimizer=optimizers.Adam(clipnorm=1.0)), "Adam: clipnorm=1"),
        (lambda: final(optimizer=optimizers.SGD(nesterov=True)), "SGD: nesterov=True"),
        (lambda: final(optimizer=optimizers.SGD(falling)), r"rate=CosineDecay\(.*use a number"),
        (lambda: hidden(activity_regularizer="l2"), r"'hidden': activity_regularizer=L2\(l2=0.01"),
        (
            lambda: hidden(kernel_regularizer="l1"),
            "'hidden': kernel_regularizer=L1.*use L2 or L1L2",
        ),
        (lambda: hidden(kernel_constraint=MaxNorm(2, axis=1)), "axis=1.*use MaxNorm with axis=0"),
        (lambda: hidden(kernel_initializer=HeNormal(seed=1)), "HeNormal.*seed.*1.*without a seed"),
        (lambda: hidden(bias_initializer=lambda shape, dtype: 0), "use one of keras.initializers"),
        (lambda: hidden(activation=lambda z: z), "'hidden': activation=.*keras.activations"),
        (lambda: hidden(trainable=False), "'hidden': trainable=False"),
        (lambda: hidden(dtype="float64"), "'hidden': dtype='float64'"),
        (lambda: keras.Sequential([keras.Input((2,))]), "compiled keras.Sequential"),
        (lambda: 3, "compiled keras.Sequential, received 3"),
    ],
)
def test_models_that_cannot_be_honoured_are_refused_by_name(model, words):
    with pytest.raises((TypeError, ValueError), match=words):
        plan.read_model(model())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"settings": ()}, "settings must be at least 1"),
        ({"epochs": -1}, "epochs must be at least 0, received -1"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"data": (X[:30, :1], Y[:30])}, r"x must have shape \(n, 2\) or .*received \(30, 1\)"),
        ({"data": (X[None, [0, 1]].repeat(2, 0), Y[:2])}, r"or \(1, n, 2\), received \(2, 2, 2\)"),
        ({"data": (X[:30], Y[:20])}, r"y must have shape \(30,\).*received \(20,\)"),
        ({"data": (X[:30], Y[:30] + 1)}, "y must hold values from 0 to 1, received 2"),
        ({"data": (X[:0], Y[:0])}, r"received \(0, 2\)"),
        ({"data": (X[:30] * np.inf, Y[:30])}, "x must be finite"),
        ({"data": (X[:30], Y[:30] * np.nan), "build": regression}, "finite values, received nan"),
        ({"curves": {"test": (X, Y[:3])}}, r"y of curves\['test'\] must have shape"),
        ({"build": deep, "data": (X[:3], [0, 1, 3])}, "class numbers from 0 to 2, .* 3"),
        ({"build": deep, "data": (X[:3], [0, 1, 0.5])}, "class numbers .* 0.5"),
        ({"build": lambda n: small(0, units=n), "settings": (5, 6)}, "for 6 has .*=6.* 5 .*=5"),
        ({"build": lambda n: small(0) if n else deep(0), "settings": (0, 1)}, "may differ in"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, words):
    with pytest.raises((TypeError, ValueError), match=words):
        swept(**arguments)
