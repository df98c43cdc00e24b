"""`targets.java`: finding Java and the jars, and saying what is missing."""

from __future__ import annotations

import pytest

from tidemark.targets.brokers import java
from tidemark.targets.brokers.java import find_installation, java_release
from tidemark.targets.errors import TargetError


@pytest.mark.parametrize(
    ("answer", "release"),
    [
        ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment\n', 17),
        ('java version "1.8.0_402"\nJava(TM) SE Runtime Environment\n', 8),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "21" 2023-09-19\n', 21),
        ('openjdk version "25-ea" 2025-09-16\n', 25),
        ("command not found", None),
        ("", None),
    ],
)
def test_the_release_in_what_java_says(answer, release):
    assert java_release(answer) == release


@pytest.fixture
def install(tmp_path, monkeypatch):
    """A Java that says what it is told to, and jars of these names."""

    def install(answer: str = 'openjdk version "17.0.1"', jars=("kafka_2.13-4.1.1.jar",)) -> None:
        (tmp_path / "bin").mkdir()
        command = tmp_path / "bin" / "java"
        command.write_text(f"#!/bin/sh\necho '{answer}' >&2\n")
        command.chmod(0o755)
        for jar in jars:
            (tmp_path / jar).touch()
        monkeypatch.setenv("JAVA_HOME", str(tmp_path))
        monkeypatch.setenv("KAFKA_HOME", str(tmp_path))

    return install


def test_both_are_found(install, tmp_path):
    install()
    found = find_installation()
    assert found.java == tmp_path / "bin" / "java"
    assert found.jars == tmp_path
    assert found.version == "4.1.1"


def test_a_release_of_kafka_has_its_jars_in_libs(install, tmp_path):
    install(jars=())
    (tmp_path / "libs").mkdir()
    (tmp_path / "libs" / "kafka_2.13-4.0.0.jar").touch()
    assert find_installation().jars == tmp_path / "libs"


def test_without_kafka_home_the_fetched_jars_are_used(install, tmp_path, monkeypatch):
    install()
    monkeypatch.delenv("KAFKA_HOME")
    monkeypatch.setattr(java, "FETCHED_JARS", tmp_path)
    assert find_installation().jars == tmp_path


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"answer": 'java version "1.8.0_402"'}, "is Java 8, and Kafka needs 17 or newer: set JA"),
        ({"answer": "what?"}, r"said 'what\?', no version: set JAVA_HOME"),
        ({"jars": ()}, r"no Kafka jars in .*: fetch them \(make kafka\) or set KAFKA_HOME"),
        ({"jars": ["kafka_2.13-4.1.1-sources.jar"]}, "no Kafka jars in"),
        ({"jars": ["kafka_2.13-3.9.1.jar"]}, "Kafka 3.9.1 in .* is too old, 4.0 is needed"),
    ],
)
def test_what_is_missing_or_too_old(install, arguments, reason):
    install(**arguments)
    with pytest.raises(TargetError, match=reason):
        find_installation()


def test_a_java_that_does_not_run(install, tmp_path):
    install()
    (tmp_path / "bin" / "java").write_text("#!/nowhere/interpreter\n")
    with pytest.raises(TargetError, match=r"java does not run \(.*\): set JAVA_HOME"):
        find_installation()


def test_no_java_on_the_path(monkeypatch, tmp_path):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TargetError, match="no java on the PATH: Kafka needs Java 17 or newer"):
        find_installation()
