"""Exercises of lesson 8, Case study: two circles."""

import numpy as np

from helpers.exercises.judge import Choice, Code, Question


def at_best_epoch(validation, test):
    return np.asarray(test)[:, np.asarray(validation).mean(axis=0).argmin()]


def curve_cases():
    """Losses that fall and rise; validation, test and last epoch disagree about the best."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        epochs = np.arange(30)
        bend = 0.4 + 0.002 * (epochs - 17) ** 2
        later = 0.4 + 0.002 * (epochs - 21) ** 2
        yield bend + rng.normal(0, 0.1, (9, 30)), later + rng.normal(0, 0.1, (9, 30))


def excess_confidence(p, y):
    p, y = np.asarray(p), np.asarray(y)
    return np.mean(np.maximum(p, 1 - p)) - np.mean((p > 0.5) == y)


def excess_by(confidence, share=lambda p, y: np.mean((p > 0.5) == y), sign=1):
    return lambda p, y: sign * (confidence(p) - share(p, y))


EXERCISES = {
    "08.1": Question(lambda: 1 / 70, "One point of the test set, as a share of all of them."),
    "08.2": Question(
        lambda: 2 * 500 + 500 + 500 + 1,
        "Each hidden unit has two weights in, a bias, and one weight out; the output has a bias.",
    ),
    "08.3": Code(
        at_best_epoch,
        curve_cases,
        {
            "The test points chose the epoch that they judge: let the validation points choose.": (
                lambda validation, test: test[:, test.mean(axis=0).argmin()]
            ),
            "These are validation losses: they chose the epoch, so another set must judge it.": (
                lambda validation, test: validation[:, validation.mean(axis=0).argmin()]
            ),
            "Each network has the epoch that its own test points like best.": (
                lambda validation, test: test.min(axis=1)
            ),
            "Each network has an epoch of its own. That may be done, but here one epoch is asked "
            "for, chosen by the mean over the networks.": (
                lambda validation, test: test[np.arange(len(test)), validation.argmin(axis=1)]
            ),
            "This is the worst epoch: a loss is good when it is low.": (
                lambda validation, test: test[:, validation.mean(axis=0).argmax()]
            ),
            "This is the last epoch.": lambda validation, test: test[:, -1],
            "One number for all networks: give each network's test loss.": (
                lambda validation, test: test[:, validation.mean(axis=0).argmin()].mean()
            ),
            "The mean is taken over the epochs: over the networks is axis 0.": (
                lambda validation, test: test[:, validation.mean(axis=1).argmin()]
            ),
        },
        (
            "Average the validation losses over the networks, axis 0. At which epoch is the mean "
            "lowest?",
            "`argmin` gives the number of the epoch; take that column of `test`.",
        ),
    ),
    "08.4": Code(
        excess_confidence,
        lambda: [
            (p, (rng.random(400) < p ** [1, 0.5][seed]).astype(int))
            for seed in range(2)
            for rng in [np.random.default_rng(seed)]
            for p in [rng.beta(0.5, 0.8, 400)]
        ],
        {
            "That is the distance from a half; the confidence in the answer is a half more.": (
                excess_by(lambda p: np.mean(abs(p - 0.5)))
            ),
            "It counts the points that it calls class 1 and forgets how sure it is of the others.": (
                excess_by(lambda p: np.mean(p[p > 0.5]))
            ),
            "The sign is turned: confidence less accuracy is asked for.": (
                excess_by(lambda p: np.mean(np.maximum(p, 1 - p)), sign=-1)
            ),
            "This is the mean probability of the right class, which is no confidence: a network "
            "does not know which class is right.": lambda p, y: (
                np.mean(np.where(y == 1, p, 1 - p)) - np.mean((p > 0.5) == y)
            ),
        },
        (
            "How sure is a network that gives class 1 a probability of 0.1?",
            "It says class 0, and is 0.9 sure: the larger of p and 1 − p.",
        ),
        given=excess_by(np.mean),
    ),
    "08.5": Choice(
        "d",
        "Four test points and one seed each: one pair is one draw, and the plain network was never "
        "stopped.",
        {
            "a": "Four points of 70, from one run of each kind. How far do two runs of the *same* "
            "network lie apart?",
            "b": "One pair of runs shows no harm either. 38 % of all pairs in this lesson show no "
            "gain or a loss, though there is one on average.",
            "c": "That epoch was chosen for nobody: both networks ran far beyond the plain one's "
            "best. Compare with the plain network, stopped.",
        },
        (
            "How many test points make the difference?",
            "What are the two things missing: repeats, and which rival?",
        ),
    ),
}
