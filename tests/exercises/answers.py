"""Other correct ways to solve the code exercises, and typical slips as a reader would type them."""

import math
from collections import defaultdict

import numpy as np
from scipy import special, stats

from helpers._engine.backend import keras, tf

layers, ops = keras.layers, keras.ops
RIGHT, WRONG = defaultdict(list), []


def right(key):
    return lambda answer: RIGHT[key].append(answer) or answer


def wrong(key, says):
    return lambda answer: WRONG.append((key, says, answer)) or answer


@right("01.4")
def _(h, rate, rng):
    return np.where(rng.random(h.shape) < rate, 0, h / (1 - rate))


@right("01.4")
def _(h, rate, rng):
    out = np.array(h, "float32")
    for row in out:
        row *= rng.binomial(1, 1 - rate, row.shape) / (1 - rate)
    return out


@wrong("01.4", "Scaled by the rate")
def _(h, rate, rng):
    out = h.copy()
    out[rng.random(h.shape) < rate] = 0
    return out / rate


@wrong("01.4", "One mask for the whole batch")
def _(h, rate, rng):
    return h * rng.binomial(1, 1 - rate, h.shape[-1]) / (1 - rate)


@wrong("01.4", "The mean is 0.79")  # two faults at once: no sentence fits
def _(h, rate, rng):
    return h * (rng.random(h.shape[-1]) >= rate)


@wrong("01.4", "The mean is right; the variance is 2.25 times what it should be")
def _(h, rate, rng):
    for _ in range(2):
        h = h * (rng.random(h.shape) >= rate) / (1 - rate)
    return h


@wrong("01.4", "“each unit is decided on its own” should be true")
def _(h, rate, rng):
    flat = h.reshape(len(h), -1)
    order = np.argsort(rng.random(flat.shape), axis=1)
    return (flat * (order >= rate * flat.shape[1])).reshape(h.shape) / (1 - rate)


@right("01.5")
def _(upstream, mask, rate):
    return np.where(mask, upstream / (1 - rate), 0.0)


@right("01.5")
def _(upstream, mask, rate):
    out = np.zeros_like(upstream)
    out[mask] = upstream[mask] / (1 - rate)
    return out


@wrong("01.5", "The result is 1.25 times what it should be")
def _(upstream, mask, rate):
    return upstream * mask / (1 - rate) ** 2


@right("01.6")
def _(h, predict, rate, draws, rng):
    masks = rng.random((draws, *h.shape)) >= rate
    return sum(predict(h * mask / (1 - rate)) for mask in masks) / draws


@right("01.6")
def _(h, predict, rate, draws, rng):
    return np.mean(
        [predict(h * rng.binomial(1, 1 - rate, h.shape) / (1 - rate)) for _ in range(draws)]
    )


@right("02.4")
def _(h, number, convention, rng):
    keep = {"paper": number}.get(convention, 1 - number)
    return np.where(rng.random(h.shape) < keep, h / keep, 0)


@right("02.4")
def _(h, number, convention, rng):
    rate = number if convention in ("keras", "torch", "flax") else 1 - number
    return h * rng.binomial(1, 1 - rate, h.shape) / (1 - rate)


@right("02.5")
def _(model, x):
    norms = [one for one in model.layers if isinstance(one, layers.BatchNormalization)]
    for norm in norms:
        norm.trainable = False
    out = model(x, training=True)
    for norm in norms:
        norm.trainable = True
    return out


@right("02.5")
def _(model, x):
    for layer in model.layers:
        x = layers.Dropout(layer.rate)(x, training=True) if hasattr(layer, "rate") else layer(x)
    return x.numpy()


@wrong("02.5", "Nothing is dropped")
def _(model, x):
    return model.predict(x, verbose=0)


@right("02.6")
def _(rates, seed):
    seeds = np.random.default_rng(seed).integers(1, 10**6, len(rates))
    pairs = zip(rates, seeds, strict=True)
    return keras.Sequential([layers.Dropout(rate, seed=int(own)) for rate, own in pairs])


@right("02.6")
def _(rates, seed):
    model = keras.Sequential([keras.Input((400,))])
    for number, rate in enumerate(rates, start=1):
        model.add(layers.Dropout(rate, seed=1000 * number + seed))
    return model


@right("03.4")
def _(units, rate_inputs, rate_hidden):
    x = inputs = keras.Input((196,))
    x = layers.Dropout(rate_inputs)(x)
    for _ in range(2):
        x = layers.Dropout(rate_hidden)(layers.Dense(units, "relu")(x))
    return keras.Model(inputs, layers.Dense(10, "softmax")(x))


@right("03.4")
def _(units, rate_inputs, rate_hidden):
    model = keras.Sequential([keras.Input((196,))])
    for rate in (rate_inputs, rate_hidden):
        model.add(layers.Dropout(rate))
        model.add(layers.Dense(units))
        model.add(layers.ReLU())
    model.add(layers.Dropout(rate_hidden))
    model.add(layers.Dense(10))
    model.add(layers.Softmax())
    return model


@wrong("03.4", "The order of layers should be drop 0.2, dense 64 relu")
def _(units, rate_inputs, rate_hidden):
    return keras.Sequential([layers.Dense(units), layers.Dense(10)])


@right("03.5")
def _(plain, dropped):
    gain = np.subtract(plain, dropped)
    low, high = stats.t.interval(0.95, len(gain) - 1, gain.mean(), stats.sem(gain))
    return [gain.mean(), low, high]


@right("03.5")
def _(plain, dropped):
    tested = stats.ttest_rel(plain, dropped)
    low, high = tested.confidence_interval(0.95)
    return np.mean(plain) - np.mean(dropped), low, high


@wrong("03.5", "It returns 2 things")
def _(plain, dropped):
    return 0.0, 1.0


@right("04.4")
def _(rate):
    return layers.SpatialDropout2D(rate)


@right("04.4")
def _(rate):
    def layer(x, training=False):
        mask = keras.random.dropout(ops.ones((len(x), 1, 1, x.shape[-1])), rate)
        return x * mask if training else ops.convert_to_tensor(x)

    return layer


@wrong("04.4", "Single values are dropped")
def _(rate):
    return layers.Dropout(rate, noise_shape=(None, None, None, None))


@right("04.5")
def _(filters, rate):
    made = [layers.Conv2D(filters, 3), layers.BatchNormalization(), layers.ReLU()]
    return [*made, layers.SpatialDropout2D(rate), layers.MaxPooling2D()]


@right("04.5")
def _(filters, rate):
    conv = layers.Conv2D(filters, 3, activation="relu")
    return [conv, layers.MaxPooling2D(), layers.BatchNormalization(), layers.Dropout(rate)]


@right("05.4")
def _(x, w, u, rate, rng):
    kept = rng.binomial(1, 1 - rate, (x.shape[0], u.shape[0]))
    h = np.zeros(kept.shape)
    out = np.empty((*x.shape[:2], u.shape[0]))
    for t in range(x.shape[1]):
        h = out[:, t] = np.tanh(x[:, t] @ w + (kept * h / (1 - rate)) @ u)
    return out


@right("05.4")
def _(x, w, u, rate, rng):
    masks = rng.random((len(x), len(u))) < 1 - rate
    states = []
    for sequence, mask in zip(x, masks, strict=True):  # one sequence after the other
        h, own = np.zeros(len(u)), []
        for step in sequence:
            h = np.tanh(step @ w + np.where(mask, h / (1 - rate), 0) @ u)
            own.append(h)
        states.append(own)
    return states


@right("05.5")
def _(words, rate, vocabulary, rng):
    out = words.copy()
    for row in out:
        gone = np.flatnonzero(rng.random(vocabulary) < rate)
        row[np.isin(row, gone)] = 0
    return out


@right("05.5")
def _(words, rate, vocabulary, rng):
    kept = rng.binomial(1, 1 - rate, (len(words), vocabulary))
    return words * kept[np.arange(len(words))[:, None], words]


@right("08.3")
def _(validation, test):
    return [row[np.argmin(np.mean(validation, axis=0))] for row in test]


@right("08.3")
def _(validation, test):
    means = list(validation.sum(axis=0))
    return test.T[means.index(min(means))]


@right("08.4")
def _(p, y):
    says = np.round(p)
    return np.mean(abs(p - 0.5) + 0.5) - np.mean(says == y)


@right("08.4")
def _(p, y):
    return np.mean(
        [max(one, 1 - one) - ((one > 0.5) == bool(of)) for one, of in zip(p, y, strict=True)]
    )


@right("09.4")
def _(reviews, words, rate, rng):
    x = np.array([np.isin(np.arange(1, words + 1), review) for review in reviews])
    return np.where(rng.random(x.shape) < rate, 0, x / (1 - rate))


@right("09.4")
def _(reviews, words, rate, rng):
    x = np.zeros((len(reviews), words), "float32")
    for i, review in enumerate(reviews):
        for word in set(review):
            if word <= words and rng.random() >= rate:
                x[i, word - 1] = 1 / (1 - rate)
    return x


@right("09.5")
def _(model, x, draws):
    answers = np.stack([model(x, training=True).numpy() for _ in range(draws)])
    return answers.mean(axis=0), answers.std(axis=0, ddof=1)


@right("09.5")
def _(model, x, draws):
    many = np.asarray(model(np.repeat(x, draws, axis=0), training=True)).reshape(len(x), draws, 1)
    return many.mean(axis=1), many.std(axis=1)


@right("10.4")
class Wrapped(layers.Layer):
    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        self.inner = layers.Dropout(rate)
        self.rate = rate

    def call(self, x, training=None):
        return self.inner(x, training=training)


@right("10.4")
class Where(layers.Layer):
    def __init__(self, rate=0.5, **kwargs):
        super().__init__(**kwargs)
        self.rate, self.draws = rate, keras.random.SeedGenerator()

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}

    def call(self, x, training=False):
        kept = keras.random.uniform(x.shape, seed=self.draws) >= self.rate
        return ops.where(kept, x / (1 - self.rate), 0.0) if training else x


@wrong("10.4", "The same mask in every step")
class Repeating(layers.Layer):
    def __init__(self, rate=0.5, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, x, training=False):
        return keras.random.dropout(x, self.rate, seed=1) if training else x


@wrong("10.4", "Nothing is dropped in training: does `call` take `training`")
class Deaf(layers.Layer):
    def __init__(self, rate=0.5, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, x):
        return x


@right("10.5")
def _(x, y, held_out, rng):
    out = rng.choice(len(x), held_out, replace=False)
    train = np.setdiff1d(np.arange(len(x)), out)
    return (x[train], y[train]), (x[out], y[out])


@right("10.5")
def _(x, y, held_out, rng):
    rows = [*zip(x, y, strict=True)]
    rng.shuffle(rows)
    return tuple(
        tuple(map(np.array, zip(*part, strict=True))) for part in (rows[held_out:], rows[:held_out])
    )


@right("11.4")
def _(kernel, limit):
    length = np.linalg.norm(kernel.reshape(-1, kernel.shape[-1]), axis=0)
    return np.where(length > limit, kernel * (limit / length), kernel)


@right("11.4")
def _(kernel, limit):
    return np.asarray(keras.constraints.MaxNorm(limit, axis=(0, 1, 2))(kernel.astype("float32")))


@wrong("11.4", "Axis 0 alone")
def _(kernel, limit):
    return np.asarray(keras.constraints.MaxNorm(limit)(kernel.astype("float32")))


@right("11.5")
def _(model, train, validation):
    def loss(x, y):
        p = np.asarray(model.predict(x, verbose=0))
        return -np.log(p[np.arange(len(y)), y]).mean()

    return loss(*validation) - loss(*train)


@right("11.5")
def _(model, train, validation):
    crossed = keras.losses.sparse_categorical_crossentropy
    seen, other = (
        tf.reduce_mean(crossed(y, model(x, training=False))) for x, y in (train, validation)
    )
    return (other - seen).numpy()


@right("12.4")
def _(run, n, seeds):
    gain = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        test = rng.choice(n, n // 2, replace=False)
        train = np.setdiff1d(np.arange(n), test)
        plain, dropped = (run(rate, train, test, seed) for rate in (0.0, 0.5))
        gain.append(plain - dropped)
    low, high = stats.t.interval(0.95, len(gain) - 1, np.mean(gain), stats.sem(gain))
    return np.mean(gain), low, high


@right("12.4")
def _(run, n, seeds):
    halves = {}
    for seed in seeds:
        order = list(range(n))
        np.random.default_rng(100 + seed).shuffle(order)
        halves[seed] = order[n // 2 :], order[: n // 2]
    dropped = np.array([run(0.5, *halves[seed], seed) for seed in seeds])
    gain = np.array([run(0.0, *halves[seed], seed) for seed in seeds]) - dropped
    by = stats.t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / math.sqrt(len(gain))
    return gain.mean(), gain.mean() - by, gain.mean() + by


@wrong("12.4", "“there are two runs for each seed, one at rate 0 and one at 0.5” should be true")
def _(run, n, seeds):
    return run(0.5, range(n // 2), range(n // 2, n), 0), 0.0, 1.0


@right("12.5")
def _(rates, validation, test):
    means = [np.mean(row) for row in validation]
    best = means.index(max(means))
    return rates[best], sum(test[best]) / len(test[best])


@right("12.5")
def _(rates, validation, test):
    rate, _, reported = max(
        zip(rates, validation.mean(1), test.mean(1), strict=True), key=lambda one: one[1]
    )
    return rate, reported


@right("12.6")
def _(accuracies, rng):
    order = rng.permutation(len(accuracies))
    return order[np.argmax(accuracies[order])]


@right("12.6")
def _(accuracies, rng):
    return max(range(len(accuracies)), key=lambda i: (accuracies[i], rng.random()))


@wrong("12.6", "The first of the best always wins")
def _(accuracies, rng):
    return np.argmax(accuracies)


@right("06.4")
def _(scores, rate, rng):
    hidden = np.triu(np.full(scores.shape, -np.inf), 1)
    weights = np.asarray(tf.nn.softmax(scores + hidden))
    return weights, np.where(rng.random(scores.shape) < rate, 0, weights / (1 - rate))


@right("06.4")
def _(scores, rate, rng):
    weights = np.zeros_like(scores)
    for query in range(len(scores)):
        seen = np.exp(scores[query, : query + 1])
        weights[query, : query + 1] = seen / seen.sum()
    used = weights.copy()
    used[rng.random(scores.shape) < rate] = 0
    return weights, used / (1 - rate)


@wrong("06.4", "The rows that are used sum to one again")  # keys hidden before the softmax
def _(scores, rate, rng):
    def softmax(values):
        values = np.exp(values)
        return values / values.sum(axis=1, keepdims=True)

    seen = np.where(np.tri(len(scores)) > 0, scores, -np.inf)
    return softmax(seen), softmax(np.where(rng.random(seen.shape) < rate, -np.inf, seen))


@wrong("06.4", "Keras returns the weights as they were")
def _(scores, rate, rng):
    weights = np.exp(scores) * np.tri(len(scores))
    weights /= weights.sum(axis=1)[:, None]
    weights *= (rng.random(scores.shape) >= rate) / (1 - rate)
    return weights, weights


@right("06.5")
class LoRA(layers.Layer):
    def __init__(self, frozen, rank, rate):
        super().__init__()
        self.frozen, self.rate = frozen, rate
        self.frozen.trainable = False
        self.a = self.add_weight(shape=(frozen.kernel.shape[0], rank))
        self.b = self.add_weight(shape=(rank, frozen.units), initializer="zeros")

    def call(self, x, training=False):
        thin = keras.random.dropout(x, self.rate) if training else x
        return self.frozen(x) + thin @ self.a @ self.b


@right("06.5")
class InSequence(layers.Layer):
    def __init__(self, frozen, rank, rate):
        super().__init__()
        frozen.trainable = False
        self.frozen = frozen
        down = layers.Dense(rank, use_bias=False, kernel_initializer="zeros")
        up = layers.Dense(frozen.units, use_bias=False)
        self.thin = keras.Sequential([layers.Dropout(rate), down, up])

    def call(self, x):
        return layers.add([self.thin(x), self.frozen(x)])


@wrong("06.5", "The pretrained weights are trained, too")
class Thawed(layers.Layer):
    def __init__(self, frozen, rank, rate):
        super().__init__()
        self.frozen = frozen
        up = layers.Dense(frozen.units, use_bias=False, kernel_initializer="zeros")
        down = layers.Dense(rank, use_bias=False)
        self.thin = keras.Sequential([layers.Dropout(rate), down, up])

    def call(self, x):
        return self.thin(x) + self.frozen(x)


@wrong("06.5", "Your code raised")  # forgot to call the constructor of the layer
class Forgetful(layers.Layer):
    def __init__(self, frozen, rank, rate):
        self.frozen, self.drop = frozen, layers.Dropout(rate)

    def call(self, x):
        return self.frozen(self.drop(x))


@right("06.6")
def _(h, rate):
    width = h.shape[-1]
    row = [layers.LayerNormalization(), layers.Dense(4 * width, "gelu"), layers.Dropout(rate)]
    x = h
    for layer in [*row, layers.Dense(width), layers.Dropout(rate)]:
        x = layer(x)
    return layers.Add()([h, x])


@right("06.6")
def _(h, rate):
    x = layers.Dense(2 * h.shape[-1])(layers.LayerNormalization()(h))
    x = layers.Dropout(rate)(ops.gelu(x))
    return layers.Dropout(rate)(layers.Dense(h.shape[-1])(x)) + h


@wrong("06.6", "The stream is whole again")
def _(h, rate):
    x = layers.LayerNormalization()(h)
    x = layers.Dropout(rate)(layers.Dense(4 * h.shape[-1], "gelu")(x))
    return layers.Dense(h.shape[-1])(x) + h


@wrong("06.6", "so is what the branch adds")
def _(h, rate):  # dropped before it is looked at, not behind
    x = layers.Dropout(rate)(layers.LayerNormalization()(h))
    return h + layers.Dense(h.shape[-1])(layers.Dense(4 * h.shape[-1], "gelu")(x))


@right("07.4")
def _(x, units, rate):
    branch = layers.Dense(units)(layers.LayerNormalization()(x))
    drop = layers.Dropout(rate, noise_shape=[None] + [1] * (len(x.shape) - 1))
    return layers.add([x, drop(ops.relu(branch))])


@right("07.4")
def _(x, units, rate):
    class Skip(layers.Layer):
        def call(self, h, training=False):
            kept = keras.random.uniform((ops.shape(h)[0],) + (1,) * (len(h.shape) - 1)) >= rate
            return h * ops.cast(kept, h.dtype) / (1 - rate) if training else h

    row = [layers.LayerNormalization(), layers.Dense(units, "relu"), Skip()]
    return x + keras.Sequential(row)(x)


@wrong("07.4", "Your code raised")  # right for two axes only
def _(x, units, rate):
    branch = layers.Dense(units, "relu")(layers.LayerNormalization()(x))
    return x + layers.Dropout(rate, noise_shape=(None, 1))(branch)


@wrong("07.4", "Single numbers are dropped")
def _(x, units, rate):
    branch = layers.LayerNormalization()(x)
    branch = layers.Dense(units, activation="relu")(branch)
    return x + layers.Dropout(rate)(branch)


@right("07.5")
def _(x, centres, size):
    near = tf.nn.max_pool2d(centres[None, ..., None].astype("float32"), size, 1, "SAME")
    kept = 1 - near.numpy()[0, ..., 0]
    return x * kept * kept.size / kept.sum()


@right("07.5")
def _(x, centres, size):
    out, half = x.copy(), size // 2
    for row in range(len(x)):
        for column in range(x.shape[1]):
            around = centres[max(0, row - half) : row + half + 1]
            if around[:, max(0, column - half) : column + half + 1].any():
                out[row, column] = np.nan
    return np.nan_to_num(out / np.isfinite(out).mean())


@wrong("07.5", "too small at the far end")
def _(x, centres, size):
    kept, half = np.ones(x.shape), size // 2
    for row, column in np.argwhere(centres):
        kept[max(row - half, 0) : row + half, max(column - half, 0) : column + half] = 0
    return x * kept / kept.mean()


@wrong("07.5", "Not yet. The result")  # a square at the border is not cut off, but lost
def _(x, centres, size):
    kept, half = np.ones(x.shape), size // 2
    for row, column in np.argwhere(centres):
        kept[row - half : row + half + 1, column - half : column + half + 1] = 0
    return x * kept / kept.mean()


@right("07.6")
def _(h, branch, rate, training, rng):
    if training:
        return h + branch(h) * (rng.random(len(h)) >= rate)[:, None]
    return h + branch(h) * (1 - rate)


@right("07.6")
def _(h, branch, rate, training, rng):
    factor = rng.binomial(1, 1 - rate, (len(h), 1)) / (1 - rate) if training else 1
    return h + factor * branch(h)


@wrong("07.6", "Training and inference still differ")
def _(h, branch, rate, training, rng):
    if training:
        kept = rng.random((len(h), 1)) >= rate
        return h + branch(h) * kept / (1 - rate)
    return h + branch(h) * (1 - rate)


@wrong("07.6", "Training and inference agree now")
def _(h, branch, rate, training, rng):
    if training:
        return h + branch(h) * (rng.random() >= rate) / (1 - rate)
    return h + branch(h)


@right("13.3")
def _(p):
    q = np.maximum(p, 1e-300)
    mean = np.maximum(p.mean(0), 1e-300)
    return (q * np.log(q)).sum(-1).mean(0) - (mean * np.log(mean)).sum(-1)


@right("13.3")
def _(p):
    return [
        stats.entropy(p[:, i].mean(0)) - np.mean([stats.entropy(one) for one in p[:, i]])
        for i in range(p.shape[1])
    ]


@wrong("13.3", "Where a probability is 0 it gives NaN")
def _(p):
    mean = p.mean(axis=0)
    return -np.sum(mean * np.log(mean), axis=-1) + np.mean(np.sum(p * np.log(p), axis=-1), axis=0)


@wrong("13.3", "Those are bits")
def _(p):
    return stats.entropy(p.mean(0), base=2, axis=-1) - stats.entropy(p, base=2, axis=-1).mean(0)


@wrong("13.3", "The passes stand on axis 0")
def _(p):
    return stats.entropy(p.mean(1), axis=-1) - stats.entropy(p, axis=-1).mean(1)


@right("13.4")
def _(p, y, tried):
    def loss(t):
        return -special.log_softmax(np.log(p) / t, axis=1)[np.arange(len(y)), y].sum()

    return min(tried, key=loss)


@right("13.4")
def _(p, y, tried):
    losses = {}
    for t in tried:
        warmed = p ** (1 / t)
        warmed = (warmed.T / warmed.sum(1)).T
        losses[t] = keras.losses.sparse_categorical_crossentropy(y, warmed).numpy().mean()
    return sorted(losses, key=losses.get)[0]


@wrong("13.4", "The logits are multiplied")
def _(p, y, tried):
    rows = np.arange(len(y))
    losses = [-np.log((p**t / (p**t).sum(1, keepdims=True))[rows, y]).mean() for t in tried]
    return tried[np.argmin(losses)]


@wrong("13.4", "each row must sum to 1 again")
def _(p, y, tried):
    return min(tried, key=lambda t: -np.log(p[np.arange(len(y)), y] ** (1 / t)).mean())


@wrong("13.4", "accuracy cannot choose")
def _(p, y, tried):
    right = [((p ** (1 / t)).argmax(1) == y).mean() for t in tried]
    return tried[np.argmax(right)]


@right("13.5")
def _(p, y):
    return np.mean([-math.log(p[:, i, k].mean()) for i, k in enumerate(y)])


@right("13.5")
def _(p, y):
    return float(np.mean(keras.losses.sparse_categorical_crossentropy(y, p.mean(axis=0))))


@wrong("13.5", "One logarithm for all points")
def _(p, y):
    return -np.log(p[:, np.arange(len(y)), y].mean())


@wrong("13.5", "Not answered yet: this still does what the given code does")
def _(p, y):
    return np.mean([-np.log(one[np.arange(len(y)), y]).mean() for one in p])


@wrong("13.5", "The sign is lost")
def _(p, y):
    return np.log(p.mean(0)[np.arange(len(y)), y]).mean()


@right("15.2")
def _(model, x):
    return bool((model.predict(x, verbose=0) == model.predict(x, verbose=0)).all())


@right("15.2")
def _(model, x):
    answers = np.stack([model.predict(x, verbose=0) for _ in range(3)])
    return float(np.ptp(answers, axis=0).max()) == 0.0


@wrong("15.2", "`training=True` makes every dropout drop")
def _(model, x):
    return bool((model(x, training=True).numpy() == model(x, training=True).numpy()).all())


@wrong("15.2", "It calls the model itself")
def _(model, x):
    return not np.abs(model(x).numpy() - model(x).numpy()).any()


@right("15.3")
def _(model, rate):
    for layer in model.layers:
        if hasattr(layer, "rate"):
            layer.rate = rate
    model.compile(model.optimizer, model.loss)


@right("15.3")
def _(model, rate):
    for layer in model.layers:
        if type(layer).__name__ == "Dropout":
            layer.rate = rate
    model.train_function = None
    model.make_train_function()


@wrong("15.3", "The next `fit` still uses the old rates")
def _(model, rate):
    for layer in model.layers:
        layer.rate = rate


@wrong("15.3", "the optimizer has forgotten its steps")
def _(model, rate):
    for layer in model.layers:
        layer.rate = rate
    model.compile(optimizer="adam", loss="mse")


@wrong("15.3", "One of the two layers")
def _(model, rate):
    model.layers[1].rate = rate
    model.make_train_function(force=True)


def classifier(*before, maps=True):
    stack = [keras.Input((28, 28, 1)), layers.Conv2D(8, 3, activation="relu")]
    stack += [layers.SpatialDropout2D(0.2) if maps else layers.Dropout(0.2), layers.Flatten()]
    stack += [*before, layers.Dense(64, activation="relu"), layers.Dropout(0.5, seed=8)]
    return keras.Sequential([*stack, layers.Dense(10, activation="softmax")])


@right("15.4")
def _():
    return classifier(layers.Dropout(0.5, noise_shape=(None, None)))


@right("15.4")
def _():
    return classifier(layers.Dropout(0.5, noise_shape=(None, 26 * 26 * 8), seed=9))


@wrong("15.4", "it loses all of its features or none")
def _():
    return classifier(layers.Dropout(0.5, noise_shape=(None, 1)))


@wrong("15.4", "and so is dropout")
def _():
    return classifier()


@wrong("15.4", "Not answered yet: this still does what the given code does")
def _():
    return classifier(layers.Dropout(0.5, noise_shape=(1, None), seed=7))


@right("14.2")
def _(x, y, p):
    price = np.sqrt((1 - p) / p * (x**2).sum(axis=0))
    more = np.vstack([x, np.diag(price)])
    return np.linalg.lstsq(more, np.concatenate([y, np.zeros(x.shape[1])]), rcond=None)[0]


@right("14.2")
def _(x, y, p):
    gram = p**2 * x.T @ x
    gram[np.diag_indices(len(gram))] /= p  # the square of a mask is the mask
    return p * np.linalg.inv(gram) @ (p * x.T @ y)


@wrong("14.2", "charges all weights alike")
def _(x, y, p):
    return np.linalg.inv(x.T @ x + (1 - p) / p * np.identity(x.shape[1])) @ x.T @ y


@wrong("14.2", "The fraction is upside down")
def _(x, y, p):
    gram = x.T @ x
    gram[np.diag_indices(len(gram))] *= 1 + p / (1 - p)
    return np.linalg.solve(gram, x.T @ y)


@right("14.3")
def _(draws, y):
    total = sum(draws)
    wrong_ones = [np.argmax(row) != c for row, c in zip(total, y, strict=True)]
    return sum(wrong_ones) / len(wrong_ones)


@right("14.3")
def _(draws, y):
    return 1 - np.mean(np.einsum("krc->rc", draws).argmax(1) == y)


@wrong("14.3", "the mean error of single passes")
def _(draws, y):
    return np.mean([np.mean(one.argmax(axis=1) != y) for one in draws])


@wrong("14.3", "This is a vote")
def _(draws, y):
    votes = draws.argmax(axis=2)
    return np.mean([np.bincount(votes[:, i]).argmax() != y[i] for i in range(len(y))])


@right("14.4")
def _(units, keep_prob):
    rate = 1 - keep_prob
    width = round(units / (1 - rate))
    return [layers.Dense(width, "relu"), layers.Dropout(rate)]


@right("14.4")
def _(units, keep_prob):
    dense = layers.Dense(int(units / keep_prob + 0.5))
    return dense, layers.Dropout(rate=1.0 - keep_prob)


@wrong("14.4", "Keras asks for the rate")
def _(units, keep_prob):
    return [layers.Dense(round(units / keep_prob)), layers.Dropout(keep_prob)]


@wrong("14.4", "The layer should be wider")
def _(units, keep_prob):
    return [layers.Dense(round(units * keep_prob)), layers.Dropout(1 - keep_prob)]
