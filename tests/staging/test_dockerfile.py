"""The image: made of files that are there, and not run as root."""

import fnmatch
import json
import tomllib

import pytest


def copied(dockerfile):
    """What is copied from the project, and not from another stage."""
    sources = []
    for name, rest in dockerfile:
        if name == "COPY" and "--from=" not in rest:
            words = [word for word in rest.split() if not word.startswith("--")]
            sources += words[:-1]
    return sources


def is_let_in(path, rules):
    """Whether .dockerignore lets a path of the top level in; the last rule that fits decides."""
    let_in = True
    for rule in rules:
        if fnmatch.fnmatch(path.rstrip("/"), rule.removeprefix("!")):
            let_in = rule.startswith("!")
    return let_in


@pytest.fixture
def rules(root):
    lines = (root / ".dockerignore").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_what_is_copied_is_there_and_let_in(dockerfile, root, rules):
    assert copied(dockerfile)
    for source in copied(dockerfile):
        assert (root / source).exists(), source
        assert is_let_in(source, rules), source


def test_nothing_else_is_let_in(dockerfile, root, rules):
    let_in = {path.name for path in root.iterdir() if is_let_in(path.name, rules)}
    assert let_in == {source.rstrip("/") for source in copied(dockerfile)}


def test_every_room_of_the_project_is_in_the_image(dockerfile, root):
    links = [path for path in (root / "tidemark").iterdir() if path.is_symlink()]
    tops = {"tidemark", *(path.name for path in links)}
    assert len(links) >= 4
    assert tops <= {source.rstrip("/") for source in copied(dockerfile)}


def test_the_last_user_is_not_root(dockerfile):
    users = [rest for name, rest in dockerfile if name == "USER"]
    last_stage = max(at for at, (name, _) in enumerate(dockerfile) if name == "FROM")
    assert ("USER", users[-1]) in dockerfile[last_stage:]
    user, _, group = users[-1].partition(":")
    assert int(user) > 0
    assert int(group) > 0


def test_it_is_built_on_a_pinned_python_that_the_project_takes(dockerfile, root):
    images = {rest.split()[0] for name, rest in dockerfile if name == "FROM"}
    (image,) = images
    name, _, tag = image.partition(":")
    version = tag.split("-")[0].split(".")
    assert name == "python"
    assert len(version) == 3
    needed = tomllib.loads((root / "pyproject.toml").read_text())["project"]["requires-python"]
    assert tuple(map(int, version[:2])) >= tuple(map(int, needed.removeprefix(">=").split(".")))


def test_what_is_installed_is_checked_against_hashes(dockerfile):
    steps = [
        step.strip() for name, rest in dockerfile if name == "RUN" for step in rest.split("&&")
    ]
    installs = [step for step in steps if step.startswith("pip") and " install" in step]
    assert installs
    for step in installs:
        assert "--require-hashes" in step or "--no-index" in step


def test_entry_point_and_command_are_in_exec_form(dockerfile):
    found = dict(dockerfile)  # the last one counts
    assert json.loads(found["ENTRYPOINT"]) == ["python", "-m"]
    assert json.loads(found["CMD"])[0] == "tidemark"
    assert found["STOPSIGNAL"] == "SIGTERM"
