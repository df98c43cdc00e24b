"""The services that are recorded: what `services/*/services.toml` says of each, and their builds.

A service is an ordinary small program in one of several runtimes. It listens on 127.0.0.1:PORT,
takes POSTs of JSON arrays, and on every LEAK_EVERY-th of them keeps LEAK_BYTES bytes for ever.
"""

from __future__ import annotations

import hashlib
import shlex
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

SERVICES = Path(__file__).parent / "services"
DEFAULT_BUILD = Path.home() / ".cache" / "tidemark-memory"
FILE = "services.toml"
HALVES = ("development", "judged")
RUNTIMES = (
    "cpython-werkzeug",
    "cpython-gunicorn",
    "cpython-asyncio",
    "go",
    "node",
    "jvm-g1",
    "jvm-serial",
    "rust",
)
_STAMP = ".built"
_UNVERSIONED = frozenset({"__pycache__", "node_modules", "target", ".ruff_cache"})


class ServiceError(Exception):
    """A service cannot be read, built or started; says which, and what is wrong."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service, as its `services.toml` has it.

    Attributes:
        name: Unique over all languages.
        runtime: One of `RUNTIMES`.
        half: One of `HALVES`: whether the verdict is developed on it or judged by it.
        what: One line: what it has that real services have.
        command: How it is started, with `{build}` and `{here}`; no shell.
        post: The path that is POSTed to.
        health: The path that answers 200 once it is ready.
        kafka: Whether it needs BOOTSTRAP.
        tls: Whether it serves HTTPS, with a certificate of its own making.
        metrics: The path of its metrics; empty where it has none.
        inject: Whether it can be told to leak.
        here: The folder of its language.
    """

    name: str
    runtime: str
    half: str
    what: str
    command: str
    post: str
    health: str
    kafka: bool
    tls: bool
    metrics: str
    inject: bool
    here: Path

    @property
    def language(self) -> str:
        """The name of the folder that it is in."""
        return self.here.name

    def arguments(self, build: Path) -> list[str]:
        """The command line, its language having been built below `build`."""
        return [_filled(word, self.here, build) for word in shlex.split(self.command)]

    def url(self, port: int, path: str = "") -> str:
        """Where it answers."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{port}{path}"


def read_services(folder: Path = SERVICES) -> list[Service]:
    """Every service of every language, in the order of language and file.

    Raises:
        ServiceError: A file says something wrong, or two services have one name.
    """
    found = [service for file in _files(folder) for service in _read(file)]
    names = [service.name for service in found]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise ServiceError(f"{folder}: more than one service is called {min(repeated)}")
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*/{FILE}"))


def _read(file: Path) -> Iterator[Service]:
    try:
        for number, given in enumerate(_parsed(file)["service"], start=1):
            name = given.get("name", number) if isinstance(given, dict) else number
            yield _service(f"{file}: service {name}", given, file.parent.absolute())
    except KeyError:
        raise ServiceError(f"{file}: holds no [[service]]") from None


def _parsed(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise ServiceError(f"{file}: {error}") from error


_DEFAULTS: Mapping[str, Any] = {"kafka": False, "tls": False, "metrics": "", "inject": True}
_CHOICES = {"runtime": RUNTIMES, "half": HALVES}


def _service(where: str, given: Mapping[str, Any], here: Path) -> Service:
    wanted = {field.name for field in fields(Service)} - {"here"}
    values = {**_DEFAULTS, **given}
    for words, wrong in (("lacks", wanted - values.keys()), ("has no", values.keys() - wanted)):
        if wrong:
            raise ServiceError(f"{where} {words} {min(wrong)}")
    for key, value in values.items():
        if not isinstance(value, type(_DEFAULTS.get(key, ""))):
            raise ServiceError(f"{where}: {key} is a {type(value).__name__}")
        if key in _CHOICES and value not in _CHOICES[key]:
            raise ServiceError(f"{where}: {key} is none of {', '.join(_CHOICES[key])}")
    return Service(**values, here=here)


def _filled(text: str, here: Path, build: Path) -> str:
    return text.replace("{here}", str(here)).replace("{build}", str(build))


# -- builds ----------------------------------------------------------------------------------------


def build(here: Path, into: Path) -> Path:
    """Build a language below `into`, unless that was done for the present content of its folder.

    Returns:
        What stands for `{build}` in commands.

    Raises:
        ServiceError: A command of the build failed; with its last line.
    """
    folder = into.expanduser().absolute() / here.name
    stamp, now = folder / _STAMP, version(here)
    if stamp.exists() and stamp.read_text() == now:
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    for command in _parsed(here / FILE).get("build", []):
        _do(_filled(command, here, folder), here, folder / "build.log")
    stamp.write_text(now)
    return folder


def version(here: Path) -> str:
    """A hash of the names and contents of the files of a folder."""
    digest = hashlib.sha256()
    for path in sorted(here.rglob("*")):
        relative = path.relative_to(here)
        if path.is_file() and not _UNVERSIONED & set(relative.parts):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{relative} {content}\n".encode())
    return digest.hexdigest()[:16]


def _do(command: str, here: Path, log: Path) -> None:
    with log.open("ab") as output:
        done = subprocess.run(
            ["nice", "-n", "10", "sh", "-c", command],
            cwd=here, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False,
        )  # fmt: skip
    if done.returncode:
        last = log.read_text(errors="replace").strip().rpartition("\n")[2]
        raise ServiceError(f"{here.name}: {command!r} exits {done.returncode}: {last}; see {log}")
