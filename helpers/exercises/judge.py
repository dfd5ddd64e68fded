"""How an answer is judged: a question, a choice, or code, which is run on hidden inputs.

Code is judged by what it does. An exercise has a reference and, for each typical mistake, a
sentence and a wrong implementation; the reader is told the sentence of the one that does the same.
"""

import copy
import ctypes
import inspect
import math
import operator
import re
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from helpers._engine.checks import shown

RIGHT = "Right."
UNANSWERED = "Not answered yet: put your answer in place of the dots and run the cell again."
AS_GIVEN = "Not answered yet: this still does what the given code does."


class Question(NamedTuple):
    """A question with one answer.

    Args:
        solve: Computes the answer: an int (a count), another number, or a string.
        hint: What to look at again, without the answer.
    """

    solve: Callable[[], object]
    hint: str

    @property
    def hints(self) -> tuple[str]:
        """The one hint, which a wrong answer shows, too."""
        return (self.hint,)

    def reply(self, answer: object, key: str) -> str:
        """Return what to say to an answer."""
        if answer is ...:
            return UNANSWERED
        solution = self.solve()
        text = isinstance(solution, str)
        kind = str if text else (int, float, np.number)
        if not isinstance(answer, kind) or isinstance(answer, bool):
            form = "a text in quotes" if text else "one number, without quotes and commas"
            return f"Not yet. Answer with {form}; this was {shown(answer)}."
        if text:
            answer = answer.strip().lower()
        close = _near if isinstance(solution, float) else operator.eq
        if close(answer, solution):
            return RIGHT
        if isinstance(solution, float) and solution < 1 and _near(answer, 100 * solution):
            return "Not yet: this is the answer in percent. Give it as a share of 1."
        return f"Not yet. {self.hint}"


class Choice(NamedTuple):
    """A choice among options that are named by letters.

    Args:
        right: The letter of the right one.
        why: What speaks for it.
        wrong: The letter of each other one, and what choosing it overlooks.
        hints: Shown one by one.
    """

    right: str
    why: str
    wrong: Mapping[str, str]
    hints: tuple[str, ...]

    def reply(self, answer: object, key: str) -> str:
        """Return what to say to an answer."""
        if answer is ...:
            return UNANSWERED
        letter = str(answer).strip().lower()
        if letter == self.right:
            return f"{RIGHT} {self.why}"
        if letter in self.wrong:
            return f"Not yet. {self.wrong[letter]}"
        letters = " or ".join(f'"{one}"' for one in sorted([self.right, *self.wrong]))
        return f"Not yet. Answer with {letters}; this was {shown(answer)}."


class Code(NamedTuple):
    """A function or a class to write, or to mend.

    Args:
        reference: A right implementation; its name and arguments are what the reader is asked for.
        cases: Makes the hidden inputs, a tuple of arguments each: the most telling first.
        mistakes: What to say, and a wrong implementation that deserves it.
        hints: Shown one by one.
        facts: Called with the result and the arguments, returns what is compared, by name. Without
            it the result itself is compared.
        use: Called with an implementation and the arguments, returns the result; it calls the
            implementation when omitted.
        given: The code with a bug that the lesson hands out.
        tolerance: Relative and absolute: the luck of the draw, for what is random.
        seconds: The longest that one input may take.
    """

    reference: Callable
    cases: Callable[[], Iterable[tuple]]
    mistakes: Mapping[str, Callable]
    hints: tuple[str, ...]
    facts: Callable[..., dict] = lambda result, *args: {"the result": result}
    use: Callable = lambda answer, *args: answer(*args)
    given: Callable | None = None
    tolerance: float = 1e-6
    seconds: float = 10.0

    def reply(self, answer: object, key: str) -> str:
        """Run the reader's code on one hidden input after another; say what the first fault is."""
        if _is_stub(answer):
            return UNANSWERED
        if not callable(answer):
            return f"Not yet. Hand over `{self._called()}` itself; this was {shown(answer)}."
        wanted, seen = [], []
        for args, own in zip(self.cases(), self.cases(), strict=True):
            before = copy.deepcopy(_data(args))
            try:
                result = _within(self.seconds, self.use, answer, *args)
            except TimeoutError:
                return f"Not yet. It takes too long: more than {self.seconds:g} s on one input."
            except BaseException as error:
                return f"Your code raised {_theirs(error, answer)}\nIt is used as {self._called()}."
            if not _same(_data(args), before):
                return "Not yet. It modifies its input: work on a copy, the caller needs the old."
            wanted.append(_tidy(self.use(self.reference, *own)))
            seen.append(self._facts(result, wanted[-1], args))
            if not self._alike(seen[-1], asked := self._observed(wanted[-1], own)):
                return self._diagnose(seen, wanted) or self._differing(seen[-1], asked, own)
        return RIGHT

    def _called(self) -> str:
        """What the reader is asked to write."""
        return f"{self.reference.__name__}{inspect.signature(self.reference)}"

    def _facts(self, result: object, wanted: object, args: tuple) -> dict:
        """What is compared, or how far a result is from what can be compared."""
        if isinstance(wanted, tuple) and isinstance(result, list):
            result = tuple(result)
        if (form := _form(result)) != (asked := _form(wanted)):
            return {"the form": f"{form}, where {asked} is asked for"}
        return self._observed(_tidy(result), args)

    def _observed(self, result: object, args: tuple) -> dict:
        with np.errstate(all="ignore"):
            return self.facts(result, *args)

    def _alike(self, one: dict, other: dict) -> bool:
        return one.keys() == other.keys() and all(
            _close(one[name], other[name], self.tolerance) for name in one
        )

    def _does(self, wrong: Callable, seen: list[dict], wanted: list) -> bool:
        """Whether a wrong implementation does what the reader's does, on all inputs so far."""
        for args, asked, facts in zip(self.cases(), wanted, seen, strict=False):
            try:
                with np.errstate(all="ignore"):
                    other = self._facts(self.use(wrong, *args), asked, args)
            except Exception:
                return False
            if not self._alike(other, facts):
                return False
        return True

    def _diagnose(self, seen: list[dict], wanted: list) -> str:
        if self.given and self._does(self.given, seen, wanted):
            return AS_GIVEN
        for sentence, wrong in self.mistakes.items():
            if self._does(wrong, seen, wanted):
                return f"Not yet. {sentence}"
        return ""

    def _differing(self, seen: dict, asked: dict, args: tuple) -> str:
        """Name what differs first, and what was right before it."""
        if seen.keys() != asked.keys():
            return f"Not yet. It returns {seen['the form']}."
        names = list(asked)
        first = next(
            i for i, n in enumerate(names) if not _close(seen[n], asked[n], self.tolerance)
        )
        name, got, want = names[first], seen[names[first]], asked[names[first]]
        good = f"{names[first - 1]} is right; " if first else ""
        if isinstance(want, (bool, np.bool_)):
            differs = f"“{name}” should be {'true' if want else 'false'} and is not"
        elif times := _times(got, want):
            differs = f"{name} is {times:.3g} times what it should be"
        else:
            differs = f"{name} should be {_brief(want)} and is {_brief(got)}"
        where = zip(inspect.signature(self.reference).parameters, args, strict=False)
        inputs = ", ".join(f"{n} {_brief(a)}" for n, a in where if isinstance(a, (float, int, str)))
        sentence = good + differs + (f" ({inputs})." if inputs else ".")
        return f"Not yet. {sentence[0].upper()}{sentence[1:]}"


def _is_stub(answer: object) -> bool:
    """Whether an answer is `...`, or a function or class with nothing but `...` in it."""
    if inspect.isclass(answer):
        return all(_is_stub(own) for own in vars(answer).values() if inspect.isfunction(own))
    if not inspect.isfunction(answer):
        return answer is ...
    code = answer.__code__  # `...` leaves none; as the value of a lambda it is returned
    nothing = code.co_code[::2] == _empty.__code__.co_code[::2]
    return nothing and set(code.co_consts[-1:]) <= {None, ...}


def _empty(): ...


class _Stop(BaseException):
    """Ends the reader's code when its time is up."""


def _within(seconds: float, work: Callable, *args: object) -> object:
    """Return `work(*args)`, run in a thread that is stopped when its time is up.

    A timer signal would be simpler, but Windows has none.
    """
    result, errors = [], []

    def run():
        try:
            with np.errstate(all="ignore"):
                result.append(work(*args))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        thread.join(seconds)
        if thread.is_alive():
            raise TimeoutError
    finally:
        for _ in range(50):  # again and again: the reader's code may catch everything
            if not thread.is_alive():
                break
            ident = ctypes.c_ulong(thread.ident)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(_Stop))
            time.sleep(0.01)
    if errors:
        raise errors[0]
    return result[0]


def _theirs(error: BaseException, answer: object) -> str:
    """An exception of the reader's code, with the line of theirs that it went through last."""
    message = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())
    # Keras wraps it in where it was called, and with what; TensorFlow in its names for both
    noise = (
        r"^Exception encountered when calling \S+ |Arguments received.*"
        r"|\{\{function_node \S+\}\} ?|\[Op:.*"
    )
    message = re.sub(noise, "", message)
    text = f"{type(error).__name__}: {message[:300].strip()}".rstrip(": ")
    owner = vars(answer).values() if inspect.isclass(answer) else [answer]
    homes = {own.__code__.co_filename for own in owner if inspect.isfunction(own)}
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename in homes]
    return text + (f"\n  in line {frames[-1].lineno}: {frames[-1].line}" if frames else "")


def _data(args: Iterable) -> list:
    """Return the arguments that hold the reader's data, which a function must leave alone."""
    return [a for a in args if isinstance(a, (np.ndarray, list, tuple, dict))]


def _same(one: object, other: object) -> bool:
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    return np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other


def _tidy(result: object) -> object:
    """Turn tensors and numbers into arrays; a tuple stays one."""
    return tuple(map(_tidy, result)) if isinstance(result, tuple) else np.asarray(result)


def _form(result: object) -> str:
    """What kind of thing a result is, and how large."""
    if result is None:
        return "nothing (is `return` missing?)"
    if isinstance(result, tuple):
        return f"{len(result)} things ({', '.join(map(_form, result))})"
    try:
        array = np.asarray(result)
    except Exception:
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        return "a text" if array.dtype.kind == "U" else f"a {type(result).__name__}"
    return f"an array of shape {array.shape}" if array.ndim else "a number"


def _close(one: object, other: object, tolerance: float) -> bool:
    one, other = np.asarray(one), np.asarray(other)
    if one.shape != other.shape:
        return False
    if one.dtype.kind not in "biuf" or other.dtype.kind not in "biuf":
        return bool((one == other).all())
    return np.allclose(one, other, rtol=tolerance, atol=tolerance, equal_nan=True)


def _times(got: object, want: object) -> float:
    """By which factor numbers, not counts, are off: all of them by the same, else 0."""
    got, want = np.asarray(got), np.asarray(want)
    if want.dtype.kind != "f" or got.dtype.kind not in "fiu" or not want.any():
        return 0.0
    factor = float((got * want).sum() / (want * want).sum())
    return factor if factor > 0 and _close(got, factor * want, 1e-3) else 0.0


def _brief(value: object) -> str:
    """A value in a sentence: four figures, and the first few numbers of an array."""
    with np.printoptions(precision=4, threshold=6, edgeitems=2, suppress=True):
        return " ".join(str(np.asarray(value)).split())


def _near(answer: float, solution: float) -> bool:
    """Compare at the last place that the answer is given with, two to three figures in."""
    given = Decimal(str(answer))
    if not given.is_finite():
        return False
    first = math.floor(math.log10(abs(solution)))
    place = min(max(given.as_tuple().exponent, first - 2), first - 1)
    return abs(given - Decimal(solution)) <= Decimal(10) ** place * Decimal("0.5000001")
