"""The start form as the page's script is told of it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tidemark.record.options import Option
from tidemark.run.options import OPTIONS
from tidemark.webform import services
from tidemark.webform.groups import (
    CLOSED,
    GROUPS,
    HOST,
    OF_SOAK_USERS,
    RATE,
    REST,
    RUN_TIME,
    SPAWN_RATE,
    USERS,
    Field,
    Group,
)

_BY_NAME = {option.name: option for option in OPTIONS if option.in_form}
_LOCUSTS = {"host", "run_time", "user_count", "spawn_rate"}
_WHOLE = re.compile(r"\d+\.0", re.ASCII)


class StartForm:
    """The form, for the state that Locust's page is in.

    Args:
        page: What Locust renders its page with, its `template_args`.
        options: Its options, as the command line gave them and the last form has left them.
        given_host: The host of the command line; `embedded` where it has none.
        embedded: What it is told as host when the service is started here.
        keeps_rate: Whether the users send at the rate of the options.
    """

    def __init__(
        self,
        page: Mapping[str, Any],
        options: Mapping[str, Any],
        given_host: str,
        embedded: str,
        *,
        keeps_rate: bool,
    ) -> None:
        self._page = page
        self._options = options
        self._given_host = given_host
        self._embedded = embedded
        self._keeps_rate = keeps_rate

    def described(self) -> dict[str, Any]:
        """All of it, for JSON."""
        offered = services.choices(self._options, self._given_host, self._embedded)
        return {
            # Which classes are picked only Locust's own form knows.
            "is_ours": not self._page.get("show_userclass_picker"),
            "note": self._note(),
            "services": offered,
            "service": services.chosen(self._options, offered, self._given_host),
            "of_service": services.OF_SERVICE,
            "groups": [self._group(group) for group in (self._first(), *self._folded())],
            "users": self._group(Group("", (_always(USERS), _always(SPAWN_RATE)))),
            "users_note": self._users_note(),
        }

    @property
    def _has_shape(self) -> bool:
        return bool(self._page.get("hide_common_options"))

    def _note(self) -> str:
        if not self._has_shape:
            return ""
        return "The load shape of the locustfile says how many users there are, and for how long."

    def _users_note(self) -> str:
        if not (self._keeps_rate and self._options["workload"] == "open"):
            return ""
        return "The workload is open: its rate stays what it is, however many users there are."

    def _first(self) -> Group:
        users = (_always(USERS), _always(SPAWN_RATE))
        shown = (RATE,) if self._keeps_rate else users
        return Group("", (HOST, *self._of_use((*shown, RUN_TIME))))

    def _folded(self) -> Iterator[Group]:
        for group in GROUPS:
            if fields := self._of_use(group.fields):
                yield Group(group.title, fields)
        placed = {field.name for group in (self._first(), *GROUPS) for field in group.fields}
        extra = self._page.get("extra_options", {})
        if rest := [name for name in extra if name not in placed | {"strategy"} | OF_SOAK_USERS]:
            yield Group(REST, tuple(Field(name, _capitalised(name)) for name in rest))

    def _of_use(self, fields: Iterable[Field]) -> tuple[Field, ...]:
        useless = frozenset() if self._keeps_rate else OF_SOAK_USERS
        known = _BY_NAME.keys() | _LOCUSTS
        if not self._keeps_rate:
            useless |= {field.name for field in fields if field.needs == CLOSED}
        if self._has_shape:
            useless |= {"user_count", "spawn_rate", "run_time"}
        return tuple(field for field in fields if field.name in known - useless)

    def _group(self, group: Group) -> dict[str, Any]:
        return {"title": group.title, "fields": [self._field(field) for field in group.fields]}

    def _field(self, field: Field) -> dict[str, Any]:
        told: dict[str, Any] = {
            "name": field.name,
            "label": field.label,
            "unit": field.unit,
            "hint": field.hint,
            "needs": field.needs,
        }
        if option := _BY_NAME.get(field.name):
            return told | _of_option(option, self._options[field.name], field.words)
        if field.name in self._page.get("extra_options", {}):
            return told | self._of_locustfile(field.name)
        return told | _text(self._of_locust(field.name))

    def _of_locust(self, name: str) -> str:
        """What a field of Locust's own shows."""
        if name == "host":
            host = self._options.get("host") or self._given_host
            return "" if host == self._embedded else str(host)
        if name == "run_time":
            return _timespan(self._options.get("run_time"))
        given = self._options.get("num_users" if name == "user_count" else name)
        return f"{given or 1:g}"

    def _of_locustfile(self, name: str) -> dict[str, Any]:
        """An option that is none of ours, as Locust describes it."""
        said = self._page["extra_options"][name]
        value = self._options.get(name, said.get("default_value"))
        told: dict[str, Any] = {"hint": said.get("help_text") or ""}
        if isinstance(value, bool):
            return told | {"kind": "flag", "value": value, "usual": value}
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value or "")
        told |= _text(text)
        if said.get("is_secret"):
            told["kind"] = "secret"
        if choices := said.get("choices"):
            told |= {"kind": "choice", "choices": [[str(one), str(one)] for one in choices]}
            told["is_multiple"] = bool(said.get("is_multiple"))
        return told


def without_aliases(extra_options: Mapping[str, dict[str, Any]]) -> None:
    """Offer each choice once in Locust's own form too, where it is shown after all."""
    for name, said in extra_options.items():
        option = _BY_NAME.get(name)
        if option and option.choices:  # those that are but suggested are no aliases
            said["choices"] = [one for one in said["choices"] if option.parse(one) == one]


def _of_option(option: Option, given: Any, words: Mapping[str, str]) -> dict[str, Any]:
    if option.is_flag:
        return {"kind": "flag", "value": option.read(given), "usual": bool(option.default)}
    text = _shown(given)
    told = _text(text, _shown(option.as_text(option.default)))
    if isinstance(given, list):  # Locust hands a list back with commas between
        told["untouched"] = ",".join(map(str, given))
    if option.choices:
        plain = [one for one in option.choices if option.parse(one) == one]
        told |= {"kind": "choice", "choices": [[one, words.get(one, one)] for one in plain]}
    return told


def _text(value: str, usual: str | None = None) -> dict[str, Any]:
    """A field of text: what stands in it, and what would if nobody had said anything."""
    return {"kind": "text", "value": value, "usual": value if usual is None else usual}


def _shown(given: Any) -> str:
    """A value as somebody would write it: 10, not 10.0."""
    if isinstance(given, list):
        return " ".join(map(str, given))
    text = str(given or "")
    return text.removesuffix(".0") if _WHOLE.fullmatch(text) else text


def _always(field: Field) -> Field:
    return Field(field.name, field.label, field.unit, field.hint)


def _capitalised(name: str) -> str:
    return name[:1].upper() + name[1:].replace("_", " ")


def _timespan(seconds: Any) -> str:
    """As Locust reads it back: 1h20m; empty for no end."""
    left, text = int(seconds or 0), ""
    for unit, length in (("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, length)
        text += f"{count}{unit}" if count else ""
    return text
