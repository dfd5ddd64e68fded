"""The line of progress: late, in place, and gone at the end."""

import sys

import IPython.display
import pytest

from helpers import progress
from helpers.progress import Progress


@pytest.fixture
def patient(monkeypatch):
    monkeypatch.setattr(progress, "_SECONDS_UNTIL_SHOWN", 0)
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN", 0)


def test_nothing_is_shown_where_nobody_watches(patient, capfd):
    with Progress(3, "runs") as line:
        line.show(1)
    assert capfd.readouterr() == ("", "")


def test_a_terminal_sees_one_line_that_goes_away(patient, monkeypatch, capsys):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with Progress(4, "runs") as line:
        line.show(0)
        line.show(2, "loss <1")
    out, err = capsys.readouterr()
    assert out.startswith("\r\x1b[K0 of 4 runs\r\x1b[K2 of 4 runs · ")
    assert out.endswith(" s left · loss <1\r\x1b[K")
    assert err == ""


def test_nothing_is_shown_where_nothing_is_wanted(patient, monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with Progress(4, "runs", wanted=False) as line:
        line.show(2)
    assert capsys.readouterr() == ("", "")


def test_short_work_shows_nothing(monkeypatch, capsys):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with Progress(4, "runs") as line:
        line.show(2)
    assert capsys.readouterr() == ("", "")


def test_a_notebook_is_left_with_an_empty_output(patient, monkeypatch):
    shown = []

    class Handle:
        def update(self, data, raw):
            shown.append(data)

    monkeypatch.setenv("JPY_SESSION_NAME", "lesson")
    monkeypatch.setattr(IPython, "get_ipython", lambda: "a kernel")
    monkeypatch.setattr(IPython.display, "display", lambda *a, **k: shown.append(a[0]) or Handle())
    with Progress(4, "runs") as line:
        line.show(1)
        line.show(2)
    assert shown[0] == shown[-1] == {}
    assert [data["text/plain"][:11] for data in shown[1:-1]] == ["1 of 4 runs", "2 of 4 runs"]
    assert '<progress value="2" max="4">' in shown[2]["text/html"]


@pytest.mark.parametrize(
    ("seconds", "words"), [(14.4, "14 s"), (119, "119 s"), (121, "2 min"), (7300, "2 h")]
)
def test_what_is_left_is_said_in_a_unit_that_one_can_grasp(seconds, words):
    assert progress._spelt(seconds) == words
