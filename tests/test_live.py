"""What the panels compute in a page is, in distribution, what Keras computes."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import make_circles

from helpers import live

ROOT = Path(__file__).parents[1]
SEEDS, EVERY = 20, 10
AFTER = {0: [10, 1000], 0.4: [10, 4000]}  # rate: epochs after which to compare
X, Y = make_circles(n_samples=100, noise=0.1, random_state=1)  # lesson 8's
SEEN, TEST = (X[:30], Y[:30]), (X[30:], Y[30:])
SAYS = [0.5, 1.0, 2.0, 0.3, 1.5, 0.8]
TRAIN = """({given, rate, after, seeds}) => Array.from({length: seeds}, (_, seed) => after.map(n => {
  const {seen, test} = module.train({...given, rate, seed, epochs: n, every: n}).next().value;
  return [seen.loss, test.loss, test.accuracy];
}))"""
MEASURED = ["seen_loss", "test_loss", "test_accuracy"]


@pytest.fixture(scope="module")
def page():
    lab = pytest.importorskip("lab", reason="needs requirements-dev.txt")
    if lab.BROWSER is None:
        pytest.skip("needs Chromium or Chrome on the PATH")
    with lab.browser() as browser:
        yield browser.new_page()


def run(page, name, function, given):
    """Call a function of ours with the module in a page."""
    load = "async s => window.module = await import(URL.createObjectURL(new Blob([s], {type: 'text/javascript'})))"
    page.evaluate(f"s => ({load})(s).then(() => null)", live.module(name))
    return np.array(page.evaluate(function, given))


def alike(ours, theirs):
    """Whether means and ranks of two samples are those of one distribution, at 99.9 %."""
    if np.ptp([*ours, *theirs]) < 1e-6:
        return True
    means = stats.ttest_ind(ours, theirs, equal_var=False)
    return min(means.pvalue, stats.mannwhitneyu(ours, theirs).pvalue) > 0.001


def test_the_circles_are_trained_as_keras_trains_them(page):
    import keras

    from helpers import sweeps

    def build(rate):
        hidden = keras.layers.Dense(500, activation="relu")
        output = keras.layers.Dense(1, activation="sigmoid")
        model = keras.Sequential([keras.Input((2,)), hidden, keras.layers.Dropout(rate), output])
        model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
        return model

    watched = {"seen": SEEN, "test": TEST}
    options = {"seeds": range(SEEDS), "epochs": 4000, "every": EVERY}
    curves = sweeps.train(build, list(AFTER), *SEEN, curves=watched, **options).curves
    for i, (rate, after) in enumerate(AFTER.items()):
        given = {"given": live.Circles(*SEEN, TEST).given, "rate": rate, "after": after}
        ours = run(page, "live_circles", TRAIN, {**given, "seeds": SEEDS})
        for (j, epoch), (k, what) in itertools.product(enumerate(after), enumerate(MEASURED)):
            theirs = curves[what][i, :, epoch // EVERY - 1]
            assert alike(ours[:, j, k], theirs), f"{what} after {epoch} epochs at rate {rate}"


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_the_masks_are_those_of_keras(page, rate):
    import keras

    given = {"says": SAYS, "rate": rate, "seed": 1}
    ours = run(page, "live_masks", "given => module.sums(given).received", given)
    rows = np.tile(np.float32(SAYS), (2000, 1))
    theirs = keras.layers.Dropout(rate, seed=1)(rows, training=True).numpy().sum(axis=1)
    assert alike(ours, theirs)
    assert alike((ours - np.sum(SAYS)) ** 2, (theirs - np.sum(SAYS)) ** 2)
    possible = np.array(list(np.ndindex((2,) * len(SAYS)))) @ SAYS / (1 - rate)
    assert np.abs(ours[:, None] - possible).min(axis=1).max() < 1e-9


@pytest.mark.parametrize("lesson", ["01_what_dropout_does", "08_case_circles"])
def test_the_site_computes_with_the_lessons_own_data(lesson):
    data = {
        "01_what_dropout_does": str(SAYS),
        "08_case_circles": "make_circles(n_samples=100, noise=0.1, random_state=1)",
    }[lesson]
    for file in (f"notebooks/{lesson}.ipynb", "docs/course.py"):
        assert data in (ROOT / file).read_text("utf-8")


def test_where_no_script_runs_words_stand_in():
    data, _ = live.Masks(SAYS)._repr_mimebundle_()
    assert data["text/html"] == f"<p>{data['text/plain']}</p>"
    assert data["text/plain"].endswith("Run the notebook to use it.")
    assert "0x" not in data["text/plain"]
