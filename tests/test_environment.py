"""The environment check says yes here, and says what is wrong elsewhere."""

from types import SimpleNamespace

import pytest

from helpers import data, environment


def test_this_machine_is_ready(capsys):
    report = environment.check_environment()
    report.verdict()
    assert capsys.readouterr().out.startswith("Ready")
    assert {"Python", "keras", "mnist sample", "free memory"} <= {c.name for c in report.checks}
    assert report._repr_html_().count("<tr>") == len(report.checks) + 1
    assert str(report).startswith("ok | Python")


def failing(name):
    return next(c for c in environment.check_environment().checks if c.name == name)


def test_an_old_python_is_named(monkeypatch):
    monkeypatch.setattr(environment.platform, "python_version", lambda: "3.9.18")
    monkeypatch.setattr(environment.platform, "python_version_tuple", lambda: ("3", "9", "18"))
    assert failing("Python") == environment.Check("Python", "3.10 or later", "3.9.18", False)


@pytest.mark.parametrize("version", ["2.10.0", None])
def test_a_package_that_is_old_or_missing_is_named(monkeypatch, version, capsys):
    def installed(name):
        if name in ("keras", "tensorflow"):
            if version is None:
                raise environment.metadata.PackageNotFoundError(name)
            return version
        return real(name)

    real = environment.metadata.version
    monkeypatch.setattr(environment.metadata, "version", installed)
    assert not failing("keras").passed
    environment.check_environment().verdict()
    out = capsys.readouterr().out
    assert "Not ready" in out
    assert "pip install -r requirements.txt" in out


def test_tensorflow_may_be_the_build_without_gpu(monkeypatch):
    def installed(name):
        if name == "tensorflow":
            raise environment.metadata.PackageNotFoundError(name)
        return "2.21.0" if name == "tensorflow-cpu" else real(name)

    real = environment.metadata.version
    monkeypatch.setattr(environment.metadata, "version", installed)
    assert failing("tensorflow-cpu").passed


def test_a_broken_sample_is_named(monkeypatch):
    def broken(name, scale):
        raise data.DataError(f"{name} is broken")

    monkeypatch.setattr(environment.data, "load", broken)
    assert failing("mnist sample").found == "mnist is broken"


def test_a_full_machine_is_named(monkeypatch):
    monkeypatch.setattr(
        environment.psutil, "virtual_memory", lambda: SimpleNamespace(available=0.4e9)
    )
    assert not failing("free memory").passed
