"""Exercises of lesson 12, Choosing the rate."""

import math

import numpy as np
from scipy import stats

from helpers.exercises.judge import Choice, Code, Question


def honest_gain(run, n, seeds):
    return gain_by()(run, n, seeds)


def gain_by(
    *, split=lambda n, seed, rate: np.random.default_rng(seed).permutation(n), leak=False,
    seed_of=lambda seed, rate: seed, quantile=lambda n: stats.t.ppf(0.975, n - 1),
    error=lambda gain: gain.std(ddof=1) / math.sqrt(len(gain)), sign=1,
):  # fmt: skip
    """Return an experiment with its places for mistakes left open."""

    def experiment(run, n, seeds):
        losses = []
        for seed in seeds:
            for rate in (0.0, 0.5):
                order = split(n, seed, rate)
                train, test = order[: n // 2], order[n // 2 :]
                judged = train if leak else test
                losses.append(run(rate, train, judged, seed_of(seed, rate)))
        plain, dropped = np.array(losses).reshape(-1, 2).T
        gain = sign * (plain - dropped)
        half = quantile(len(gain)) * error(gain)
        return gain.mean(), gain.mean() - half, gain.mean() + half

    return experiment


def watched(experiment, n, seeds):
    """Run an experiment on networks that only note how they were asked."""
    calls = []

    def loss(rate, train, seed):
        luck = np.random.default_rng([seed, sum(train[::2])]).normal(0, 0.05)
        own = np.random.default_rng([seed, 7, int(10 * rate)]).normal(0, 0.02)
        return 0.6 - 0.1 * rate + luck + own

    def run(rate, train, test, seed):
        train, test = ([int(row) for row in rows] for rows in (train, test))
        calls.append((rate, train, test, int(seed)))
        return loss(rate, train, int(seed))

    mean, low, high = experiment(run, n, list(seeds))
    rows = [(tuple(sorted(train)), tuple(sorted(test))) for _, train, test, _ in calls]
    by_seed = {
        seed: {r for c, r in zip(calls, rows, strict=True) if c[3] == seed} for seed in seeds
    }
    measured = {rate: {} for rate in (0.0, 0.5)}
    for rate, train, _, seed in calls:
        measured.get(rate, {})[seed] = loss(rate, train, seed)
    gain = np.array([measured[0.0].get(s, 0) - measured[0.5].get(s, 0) for s in seeds])
    fair = stats.t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / math.sqrt(len(gain))
    return np.array(
        [
            len(calls) == 2 * len(seeds),
            all(set(train).isdisjoint(test) for train, test in rows),
            all(len(train) + len(test) == n for train, test in rows),
            all(len(pair) == 1 for pair in by_seed.values()),
            len(set(rows)) > 1,
            not any(train == tuple(range(len(train))) for train, _ in rows),
            mean - gain.mean() if len(rows) % 2 == 0 else 0,
            (high - low) / (2 * fair) if fair else 0,
        ],
        float,
    )


def watched_facts(result, *_):
    names = (
        "there are two runs for each seed, one at rate 0 and one at 0.5",
        "no row is both trained on and judged by",
        "all rows are in use",
        "the two runs of a seed share their split",
        "another seed gives another split",
        "the rows are shuffled",
    )
    facts = dict(zip(names, map(bool, result), strict=False))
    return facts | {
        "the distance of the mean from that of the gains": round(float(result[-2]), 6),
        "the width of the interval, as a multiple of the right one": float(result[-1]),
    }


def choose_and_report(rates, validation, test):
    best = np.asarray(validation).mean(axis=1).argmax()
    return rates[best], np.asarray(test)[best].mean()


def search_by(choose, report):
    def made(rates, validation, test):
        best = choose(validation, test)
        return rates[best], report(validation, test, best)

    return made


def by_validation(validation, test):
    return validation.mean(axis=1).argmax()


def grid_cases():
    rates = [0.0, 0.2, 0.4, 0.6, 0.8]
    for seed in (3, 5):
        rng = np.random.default_rng(seed)
        validation, test = rng.normal(0.75, 0.02, (2, 5, 6))
        validation[2] += 0.1
        test[3] += 0.1
        validation[1] += 0.07
        test[1] += 0.07
        yield rates, validation, test


def break_tie(accuracies, rng):
    return pick_by(lambda best, rng: rng.choice(best))(accuracies, rng)


def pick_by(choose):
    return lambda accuracies, rng: choose(
        np.flatnonzero(np.asarray(accuracies) == np.max(accuracies)), rng
    )


def picks(answer, accuracies, rng):
    """How often each rate wins in 2,000 searches."""
    won = [int(answer(accuracies, rng)) for _ in range(2000)]
    return np.bincount(np.clip(won, 0, len(accuracies)), minlength=len(accuracies) + 1) / 2000


def picks_facts(share, accuracies, rng):
    best = accuracies == accuracies.max()
    return {
        "the share of searches won by a rate with the best accuracy": float(share[:-1][best].sum()),
        "the share of searches that each rate wins": share,
    }


EXERCISES = {
    "12.1": Question(
        lambda: math.ceil(((1.96 + 0.84) * 0.03 / 0.01) ** 2),
        "Put the spread and the gain, both as shares, into the formula; round up at the end.",
    ),
    "12.2": Question(
        lambda: math.sqrt(0.75 * 0.25 / 70),
        "Each of the 70 points is right or wrong on its own: the spread of a share is binomial.",
    ),
    "12.3": Question(lambda: 0.76, "Which of the two sets took no part in the choice?"),
    "12.4": Code(
        honest_gain,
        lambda: [(60, [3, 1, 8, 5, 11]), (40, list(range(20, 30)))],
        {
            "The networks are judged on rows that they trained on.": gain_by(leak=True),
            "All seeds share one split, so the interval knows nothing of the luck of the split.": (
                gain_by(split=lambda n, seed, rate: np.random.default_rng(0).permutation(n))
            ),
            "The rows are not shuffled: every seed trains on the first half.": (
                gain_by(split=lambda n, seed, rate: np.arange(n))
            ),
            "The two networks of a seed train on different rows, so their difference is partly "
            "luck: draw the split once for each seed.": gain_by(
                split=lambda n, seed, rate: np.random.default_rng(
                    [seed, int(10 * rate)]
                ).permutation(n)
            ),
            "The two networks of a pair have different seeds.": (
                gain_by(seed_of=lambda seed, rate: seed + 100 * (rate > 0))
            ),
            "The interval is that of a single run: divide the spread by the square root of the "
            "number of seeds.": gain_by(error=lambda gain: gain.std(ddof=1)),
            "1.96 is for many repeats: with few seeds take Student's t, "
            "`stats.t.ppf(0.975, len(seeds) - 1)`.": gain_by(quantile=lambda n: 1.96),
            "The spread needs `ddof=1`: the mean was taken from the same values.": (
                gain_by(error=lambda gain: gain.std() / math.sqrt(len(gain)))
            ),
            "The sign is turned: what dropout saves is the plain loss less the other.": (
                gain_by(sign=-1)
            ),
        },
        (
            "For each seed: shuffle the rows once, halve them, call `run` at rate 0 and at 0.5 with "
            "the same halves and the same seed, and note the difference.",
            "The interval is mean ± t · s/√n, with s = gain.std(ddof=1) and t = stats.t.ppf(0.975, "
            "n − 1).",
        ),
        watched_facts,
        watched,
    ),
    "12.5": Code(
        choose_and_report,
        grid_cases,
        {
            "The test chooses now, and it is reported as well: the same curse on another set.": (
                search_by(lambda v, t: t.mean(axis=1).argmax(), lambda v, t, best: t[best].mean())
            ),
            "The rate is chosen on validation, and the best test accuracy of all rates is reported.": (
                search_by(by_validation, lambda v, t, best: t.mean(axis=1).max())
            ),
            "One repeat is reported, the best of them: report their mean.": (
                search_by(by_validation, lambda v, t, best: t[best].max())
            ),
            "Validation and test are averaged: one of them took part in the choice.": (
                search_by(by_validation, lambda v, t, best: (t[best].mean() + v[best].mean()) / 2)
            ),
            "Both sets choose together: then neither can judge.": search_by(
                lambda v, t: (v + t).mean(axis=1).argmax(), lambda v, t, best: t[best].mean()
            ),
        },
        (
            "Which of the two sets took part in the choice?",
            "Choose by `validation`, report `test` at the rate that was chosen.",
        ),
        given=search_by(by_validation, lambda v, t, best: v[best].mean()),
    ),
    "12.6": Code(
        break_tie,
        lambda: [
            (np.array(won) / 70, np.random.default_rng(i))
            for i, won in enumerate([(50, 53, 51, 53, 53), (49, 52, 50), (60, 60)])
        ],
        {
            "The first of the best always wins: `argmax` favours low rates.": (
                pick_by(lambda best, rng: best[0])
            ),
            "The last of the best always wins, which favours high rates.": (
                pick_by(lambda best, rng: best[-1])
            ),
            "Any rate may win, good or not: draw among the best only.": (
                lambda accuracies, rng: rng.integers(len(accuracies))
            ),
            "The same one of the best wins every time: draw from the generator that you were "
            "given.": pick_by(lambda best, rng: best[len(best) // 2]),
        },
        (
            "`np.flatnonzero(accuracies == accuracies.max())` lists all winners.",
            "`rng.choice` draws one of them.",
        ),
        picks_facts,
        picks,
        tolerance=0.08,
    ),
    "12.7": Choice(
        "a",
        "The validation loss never turns upwards, so there is nothing to mend, and the interval of "
        "the gain holds 0.",
        {
            "b": "Its lead is 0.004 with an interval from −0.010 to 0.018: a second search would "
            "crown another.",
            "c": "A rate of 0.8 costs in both columns.",
            "d": "A finer grid reads noise while neighbours differ by less than you can see.",
        },
        (
            "Step 1 of the recipe: does the validation loss of the plain network turn upwards?",
            "Does the interval of the gain leave 0 out?",
        ),
    ),
}
