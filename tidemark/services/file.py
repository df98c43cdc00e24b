"""Reads `tidemark.toml`: `[service.NAME]` and `[load]`, every key checked by a table."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidemark.record.errors import TidemarkError
from tidemark.record.objects import shown_text
from tidemark.record.options import LONGEST_MESSAGE, Option, shown
from tidemark.services.consistency import contradiction
from tidemark.services.errors import ServiceError
from tidemark.services.keys import SERVICE_KEYS
from tidemark.services.lines import KeyPath, lines_of_keys
from tidemark.services.placeholders import BOOTSTRAP, variables_in
from tidemark.services.service import Service

FILE_NAME = "tidemark.toml"
"""What it is called where nobody names another."""
SERVICE, LOAD, ROUTES = "service", "load", "routes"
LARGEST_BYTES = 2**20
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
"""What a service may be called: a folder and the head of a column are called the same."""

_POSITION = re.compile(r" \(at line (\d+), column (\d+)\)$")


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What a file says, checked.

    Attributes:
        path: The file.
        services: Each service by its name, in the order of the file.
        load: The options of a run that it sets, by name.
        routes: What it says of routes, as it was read; None if nothing.
        lines: Key -> line.
    """

    path: Path
    services: Mapping[str, Service]
    load: Mapping[str, Any]
    routes: Any
    lines: Mapping[KeyPath, int]

    @property
    def folder(self) -> Path:
        """Where it is; paths in it begin there."""
        return self.path.parent

    def error(self, keys: KeyPath, message: str) -> ServiceError:
        """An error that names the file, the line of a key, and the key."""
        return _error(self.path, self.lines, keys, message)

    def at(self, keys: KeyPath, message: str) -> ServiceError:
        """The same for a message that names the key itself."""
        return _located(self.path, self.lines, keys, message)

    def checked(self, name: str, variables: Mapping[str, str]) -> Service:
        """A service whose variables are all set.

        Args:
            name: One of `services`.
            variables: Our own environment.

        Raises:
            ServiceError: One is not; names file and line.
        """
        service = self.services[name]
        texts: dict[str, Iterable[str]] = {
            "command": service.command,
            "build": service.build,
            "environment": service.environment.values(),
        }
        for key, each in texts.items():
            missing = {one for text in each for one in variables_in(text)} - variables.keys()
            for variable in sorted(missing):
                message = f"${{{variable}}} is not set in the environment: set it, or write $${{"
                raise self.error((SERVICE, name, key), message)
        return service


def read_configuration(
    path: Path, load_options: Sequence[Option], service_options: Sequence[Option] = ()
) -> Configuration:
    """Read and check a file.

    Args:
        path: The file.
        load_options: What `[load]` may set.
        service_options: What a service may set of the options of a run, beside its own keys.

    Raises:
        ServiceError: One line that names the file and the line, and says what is wanted.
    """
    text = _read(path)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ServiceError(_syntax_error(path, text, str(error))) from error
    lines = lines_of_keys(text)
    reader = _Reader(path, lines, service_options)
    tables = reader.known(content, (), (SERVICE, LOAD))
    load = reader.table(tables.get(LOAD, {}), (LOAD,))
    routes = load.pop(ROUTES, None)
    return Configuration(
        path=path,
        services=reader.services(tables.get(SERVICE, {})),
        load=reader.load(load, load_options),
        routes=routes,
        lines=lines,
    )


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
        if len(content) > LARGEST_BYTES:
            raise ServiceError(f"{path}: is larger than {LARGEST_BYTES // 2**20} MiB")
        return content.decode().replace("\r\n", "\n")
    except OSError as error:
        raise ServiceError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ServiceError(f"{path}:{line}: is not UTF-8") from error


def _syntax_error(path: Path, text: str, message: str) -> str:
    """What tomllib complains of, with its position in front."""
    found = _POSITION.search(message)
    what, _, _ = message.partition(" (at ")
    if "twice" in what or "overwrite" in what:
        what = f"a key or a table stands there twice: {what}"
    line = found[1] if found else text.rstrip().count("\n") + 1
    column = f" (column {found[2]})" if found else ""
    return shown_text(f"{path}:{line}: {what}{column}", LONGEST_MESSAGE)


def _error(path: Path, lines: Mapping[KeyPath, int], keys: KeyPath, message: str) -> ServiceError:
    return _located(path, lines, keys, f"{'.'.join(keys)}: {message}")


def _located(path: Path, lines: Mapping[KeyPath, int], keys: KeyPath, message: str) -> ServiceError:
    """An error with the line of the innermost of some keys that has one."""
    known = (keys[:length] for length in range(len(keys), 0, -1))
    line = next((lines[one] for one in known if one in lines), None)
    where = f"{path}:{line}" if line else str(path)
    about = keys[:1] if keys[:1] == (SERVICE,) else ()
    return ServiceError(shown_text(f"{where}: {message}", LONGEST_MESSAGE), about=about)


class _Reader:
    """Checks tables and says where what is wrong.

    Args:
        path: The file.
        lines: Key -> line.
        service_options: What a service may set of the options of a run.
    """

    def __init__(
        self, path: Path, lines: Mapping[KeyPath, int], service_options: Sequence[Option]
    ) -> None:
        self._path = path
        self._lines = lines
        self._service_options = service_options

    def error(self, keys: KeyPath, message: str) -> ServiceError:
        return _error(self._path, self._lines, keys, message)

    def table(self, value: Any, keys: KeyPath) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.error(keys, f"must be a table, [{'.'.join(keys)}], not {shown(value)}")
        return dict(value)

    def known(self, value: Any, keys: KeyPath, names: Sequence[str]) -> dict[str, Any]:
        """A table whose keys are all known, dashes in them read as underscores."""
        found: dict[str, Any] = {}
        for written, content in self.table(value, keys).items():
            name = written.replace("-", "_")
            if name not in names:
                raise self.error((*keys, written), f"is no key: {_meant(name, names)}")
            if name in found:
                raise self.error((*keys, written), "stands there twice, with a dash and without")
            found[name] = content
        return found

    def services(self, tables: Any) -> dict[str, Service]:
        return {
            name: self._service(name, table)
            for name, table in self.table(tables, (SERVICE,)).items()
        }

    def _service(self, name: str, table: Any) -> Service:
        keys = (SERVICE, name)
        if not re.fullmatch(NAME, name):
            what = "letters, digits, dots, dashes and underscores, 64 at most"
            raise self.error(keys, f"a service is called by a word of {what}, not {shown(name)}")
        own = [key.option for key in SERVICE_KEYS]
        given = self.known(table, keys, [one.name for one in (*own, *self._service_options)])
        values = self._values(given, keys, own)
        values["directory"] = self._path.parent / values["directory"]
        service = Service(name=name, **values, options=self._options(given, keys))
        if found := contradiction(given):
            at, why = found
            raise self.error((*keys, self._written(keys, at)) if at else keys, why)
        if service.kafka is False and service.uses(BOOTSTRAP):
            raise self.error((*keys, "kafka"), "is false, but {bootstrap} is asked for")
        return service

    def _options(self, given: Mapping[str, Any], keys: KeyPath) -> dict[str, Any]:
        """The options of a run among what is given; a path begins where the file is."""
        wanted = [option for option in self._service_options if option.name in given]
        found = self._values(given, keys, wanted)
        paths = {name: one for name, one in found.items() if isinstance(one, Path)}
        return found | {name: str(self._path.parent / one) for name, one in paths.items()}

    def load(self, table: Mapping[str, Any], options: Sequence[Option]) -> dict[str, Any]:
        given = self.known(table, (LOAD,), [*(option.name for option in options), ROUTES])
        wanted = [option for option in options if option.name in given]
        return self._values(given, (LOAD,), wanted)

    def _values(
        self, given: Mapping[str, Any], keys: KeyPath, options: Iterable[Option]
    ) -> dict[str, Any]:
        return {option.name: self._value(given, keys, option) for option in options}

    def _value(self, given: Mapping[str, Any], keys: KeyPath, option: Option) -> Any:
        if option.name not in given:
            return option.default
        try:
            return option.parse(given[option.name])
        except (ValueError, TypeError, TidemarkError) as error:
            raise self.error((*keys, self._written(keys, option.name)), str(error)) from error

    def _written(self, keys: KeyPath, name: str) -> str:
        dashed = name.replace("_", "-")
        return dashed if (*keys, dashed) in self._lines else name


def _meant(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, 1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
