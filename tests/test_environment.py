"""The environment check says yes here, and says what is wrong elsewhere."""

from types import SimpleNamespace

import pytest

from helpers import data, environment


def row(name):
    [found] = [row for row in environment.check_environment().rows if row[0] == name]
    return found


def verdict(capsys):
    environment.check_environment().verdict()
    return capsys.readouterr().out


def test_this_machine_is_ready(capsys):
    assert verdict(capsys) == "Ready: this machine has everything that the course needs.\n"
    report = environment.check_environment()
    names = [row[0] for row in report.rows]
    assert names[0] == "Python"
    assert {"tensorflow", "keras", "imdb sample", "free memory"} <= {*names}
    assert report._repr_html_().count("<tr>") == len(names) + 1


@pytest.mark.parametrize("version", ["3.9.18", "3.14.0", "3.14.0rc1", "3.15.2"])
def test_python_without_tensorflow_is_named(monkeypatch, capsys, version):
    monkeypatch.setattr(environment.platform, "python_version", lambda: version)
    found = f"{version}, for which there is no TensorFlow that the course can use"
    assert row("Python")[2:] == (found, "no")
    said = verdict(capsys)
    assert f"Not ready. Python: wanted <3.14,>=3.10, found {found}" in said
    assert "Install a Python that is accepted" in said


@pytest.mark.parametrize("version", ["3.10.0", "3.13.0rc1", "3.12.1+"])
def test_python_with_tensorflow_fits(monkeypatch, version):
    monkeypatch.setattr(environment.platform, "python_version", lambda: version)
    assert row("Python")[2:] == (version.rstrip("+"), "yes")


def installed(monkeypatch, **versions):
    """Let packages have other versions, or none."""

    def version(name):
        if versions.get(name, "") is None:
            raise environment.metadata.PackageNotFoundError(name)
        return versions.get(name) or real(name)

    real = environment.metadata.version
    monkeypatch.setattr(environment.metadata, "version", version)


@pytest.mark.parametrize(("version", "found"), [("2.10.0", "2.10.0"), (None, "not installed")])
def test_package_that_is_old_or_missing_is_named(monkeypatch, capsys, version, found):
    installed(monkeypatch, keras=version)
    assert row("keras") == ("keras", "<4,>=3.12", found, "no")
    assert "run: pip install -r requirements.txt" in verdict(capsys)


def test_tensorflow_may_be_the_build_without_gpu(monkeypatch):
    installed(monkeypatch, tensorflow=None, **{"tensorflow-cpu": "2.21.0"})
    assert row("tensorflow-cpu")[-1] == "yes"


def test_course_that_is_not_installed_is_named(monkeypatch, capsys):
    def missing(name):
        raise environment.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(environment.metadata, "metadata", missing)
    assert "this course: wanted installed, found not installed" in verdict(capsys)


def test_broken_sample_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "SAMPLES", tmp_path)
    assert row("mnist sample")[-1] == "no"
    assert "restore it with" in row("mnist sample")[2]


@pytest.mark.parametrize(("free", "fits"), [(0.97e9, "no"), (1.0e9, "yes")])
def test_memory_must_suffice(monkeypatch, free, fits):
    memory = SimpleNamespace(available=free)
    monkeypatch.setattr(environment.psutil, "virtual_memory", lambda: memory)
    assert row("free memory") == ("free memory", "1.0 GB or more", "1.0 GB", fits)
