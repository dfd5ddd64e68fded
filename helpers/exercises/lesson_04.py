"""Exercises of lesson 4, Dropout in ConvNets."""

import math

import numpy as np

from helpers import masks
from helpers._engine.backend import keras
from helpers.exercises.judge import Choice, Code, Question
from helpers.exercises.observe import shared

layers = keras.layers


def whole_maps(rate):
    return layers.Dropout(rate, noise_shape=(None, 1, 1, None))


def with_shape(*noise_shape, rate_of=lambda rate: rate):
    return lambda rate: layers.Dropout(rate_of(rate), noise_shape=noise_shape or None)


def behind(answer, rate):
    """What the layer leaves of 100 photographs with 200 maps of 4 by 5, while it trains."""
    layer = answer(rate)
    ones = np.ones((100, 4, 5, 200), "float32")
    return np.asarray(layer(ones, training=True)), np.asarray(layer(ones))


def behind_facts(result, rate):
    out, plain = result
    kept = out != 0
    return {
        "the share of maps that stay or go as a whole": round(shared(kept, (1, 2)), 1),
        "the share of positions whose maps stay or go together": round(shared(kept, 3), 1),
        "the share of photographs with a mask of their own": len({one.tobytes() for one in kept})
        / len(kept),
        "about a share 1 − rate is kept": bool(abs(kept.mean() - 1 + rate) < 0.2),
        "the factor of what is kept": float(out.max()),
        "nothing is dropped at inference": bool((plain == 1).all()),
    }


def conv_block(filters, rate):
    return stack("conv norm relu pool drop", filters, rate)


def stack(order, filters, rate):
    made = {
        "conv": lambda: layers.Conv2D(filters, 3, padding="same"),
        "drop": lambda: layers.Dropout(rate),
        "maps": lambda: layers.SpatialDropout2D(rate),
        "norm": layers.BatchNormalization,
        "relu": layers.ReLU,
        "pool": layers.MaxPooling2D,
    }
    return [made[name]() for name in order.split()]


def in_order(order):
    return lambda filters, rate: stack(order, filters, rate)


def places(answer, filters, rate):
    """Where the layers stand that mind each other; -1 where one is missing."""
    row = list(answer(filters, rate))

    def at(*kinds):
        return next((i for i, layer in enumerate(row) if isinstance(layer, kinds)), -1)

    drop, maps = at(layers.Dropout), at(layers.SpatialDropout2D)
    norm, pool = at(layers.BatchNormalization), at(layers.MaxPooling2D)
    single = drop >= 0 and maps < 0
    found = [layer.rate for layer in row if hasattr(layer, "rate")]
    return np.array(
        [
            at(layers.Conv2D) == 0,
            norm > 0 and pool > 0,
            found == [rate],
            max(drop, maps) > norm,
            not single or drop > pool,
        ],
        float,
    )


def places_facts(result, *_):
    names = (
        "the convolution comes first",
        "normalisation and pooling are still there",
        "one dropout, at the rate asked for, is there",
        "dropout stands behind the normalisation",
        "single values are dropped behind the pooling",
    )
    return dict(zip(names, map(bool, result), strict=True))


EXERCISES = {
    "04.1": Question(
        lambda: 32 * 32, "One draws for every number in every map, the other once for each map."
    ),
    "04.2": Question(
        lambda: 2 * (1 - 0.5**4), "The maximum is 2 as soon as one of the four survives."
    ),
    "04.3": Question(
        lambda: (0.5 / masks.keep_prob_of_rate(0.2) - 1 / math.tau) / (0.5 - 1 / math.tau),
        "Put a rate of 0.2 where the lesson has one half.",
    ),
    "04.4": Code(
        whole_maps,
        lambda: [(0.3,), (0.6,)],
        {
            "Single values are dropped: `noise_shape` is missing, or has no axis of 1.": with_shape(),
            "One draw for a position, shared by all maps: the 1 stands at the wrong axis.": (
                with_shape(None, None, None, 1)
            ),
            "All photographs lose the same maps: the first axis is the batch, let it be None.": (
                with_shape(1, 1, 1, None)
            ),
            "One draw for a whole photograph: all of its maps go, or none.": (
                with_shape(None, 1, 1, 1)
            ),
            "Rows share a draw and columns do not, or the other way round: both axes of positions "
            "need a 1.": with_shape(None, 1, None, None),
            "Whole maps go, but a share `rate` stays: Keras's rate drops.": (
                with_shape(None, 1, 1, None, rate_of=lambda rate: 1 - rate)
            ),
        },
        (
            "The tensor has the shape (photographs, rows, columns, maps). Along which axes should "
            "one draw be shared?",
            "An axis of 1 shares a draw, None does not: two of the four are 1.",
        ),
        behind_facts,
        behind,
        tolerance=0.05,
        seconds=60,
    ),
    "04.5": Code(
        conv_block,
        lambda: [(8, 0.25), (16, 0.5)],
        {
            "Dropout is behind the normalisation now, and still before the pooling: the maximum "
            "picks survivors, which are scaled up.": in_order("conv norm drop relu pool"),
            "The pooling is content now. The normalisation still comes behind dropout, and learns a "
            "variance that it never meets at inference.": in_order("conv relu pool drop norm"),
            "Without dropout the bug is gone, and so is dropout.": in_order("conv norm relu pool"),
        },
        (
            "Which two layers mind if dropout stands before them?",
            "Batch normalisation learns the variance that dropout made; max-pooling picks the "
            "survivors. Put dropout behind both.",
        ),
        places_facts,
        places,
        given=in_order("conv drop norm relu pool"),
        seconds=60,
    ),
    "04.6": Choice(
        "b",
        "Behind the last normalisation nothing is left to be shifted, and the head is where the "
        "lesson found most of what dropout gains.",
        {
            "a": "Each normalisation learns a variance that it does not meet at inference, and the "
            "shift adds up from layer to layer.",
            "c": "Behind the softmax a dropped probability is 0, and the row no longer sums to one.",
            "d": "A rate of 0.5 at each pooling cost accuracy here, and the next convolution hands "
            "its noise to the next normalisation.",
        },
        (
            "Where in this network does no batch normalisation follow any more?",
            "Li and colleagues advise the head.",
        ),
    ),
}
