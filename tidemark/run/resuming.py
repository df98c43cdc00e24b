"""`--resume`: what was asked of a run that was cut off is asked again."""

from collections.abc import Mapping, MutableMapping, Set
from pathlib import Path
from typing import Any

from tidemark.record.errors import OptionError, TidemarkError
from tidemark.record.options import was_given
from tidemark.record.secrets import without_secrets
from tidemark.run.interrupted import Interrupted
from tidemark.run.options import OPTIONS, RunOptions

_OF_ONE_START = frozenset({"resume", "results", "run_name", "check_setup", "yes", "share_files"})
"""Options that are about where a run is put, or are said anew each time."""
_MAY_DIFFER = frozenset({"fail_on", "heartbeat", "no_panel", "no_report"})
"""What is said and shown of a run, not done to it: whoever goes on may want it otherwise."""
_WHAT_IS_DRIVEN = frozenset({"strategy", "service", "command", "tidemark_config"})
_LONGEST = 1_900
SHORTEST_S = 1.0
"""A load that has less left was done."""


def kept_options(options: RunOptions) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What was asked for besides the defaults, as texts by name; and what is not kept.

    A value that holds a secret, by its name or its shape, is kept nowhere; nor are headers, unless
    they are variables of the environment.
    """
    kept: dict[str, Any] = {}
    withheld = []
    for option in OPTIONS:
        value = getattr(options, option.name)
        if option.name in _OF_ONE_START or value == option.default_value:
            continue
        given = option.as_given(value)
        texts = given if isinstance(given, list) else [str(given)]
        if any(_is_secret(option.name, text) for text in texts):
            withheld.append(option.name)
        else:
            kept[option.name] = given
    return kept, tuple(withheld)


def _is_secret(name: str, text: str) -> bool:
    """Whether a value is not kept; nor is one that would not be read as it was written."""
    if len(text) > _LONGEST or not text.isprintable():
        return True
    if name == "header":
        _, _, value = text.partition(":")
        value = value.strip()
        return not (value.startswith("${") and value.endswith("}"))
    return without_secrets(text) != text


def take_up(given: MutableMapping[str, Any], shape: object = None) -> Interrupted | None:
    """Open the run that `--resume` names, and fill in what it drove; `fill_in` does the rest.

    Args:
        given: Options as Locust hands them over, its own among them; what the run was asked for
            is put there.
        shape: The load shape of the locustfile, if it has one.

    Raises:
        TidemarkError: It cannot be gone on with, or what is given contradicts it; one line.
    """
    if not was_given(given.get("resume")):
        return None
    if not given.get("headless"):
        raise TidemarkError("--resume needs --headless: in the web form each start is a new run")
    if given.get("master") or given.get("processes"):
        raise TidemarkError(
            "--resume goes on with a load of one process: leave out --master and --processes"
        )
    if shape is not None:
        raise TidemarkError("--resume: the load shape of this locustfile would begin anew")
    run = Interrupted.open(Path(str(given["resume"])))
    try:
        _check_place(given, run)
        _fill_in_locust(given, run)
        _fill_in(given, run, _WHAT_IS_DRIVEN)
    except TidemarkError:
        run.lock.release()
        raise
    return run


def fill_in(given: MutableMapping[str, Any], run: Interrupted) -> None:
    """Fill in the rest, once `tidemark.toml` has been read; takes and raises what `take_up` does.

    What the file says now has to be what it said then.
    """
    _fill_in(given, run, {option.name for option in OPTIONS} - _OF_ONE_START)


def _fill_in(given: MutableMapping[str, Any], run: Interrupted, names: Set[str]) -> None:
    kept: Mapping[str, Any] = run.facts["options"]
    withheld = set(run.facts.get("withheld") or ())
    if unknown := sorted((kept.keys() | withheld) - {option.name for option in OPTIONS}):
        raise TidemarkError(
            f"--resume {run.path}: was asked for {unknown[0][:60]}, which is not known: "
            "use the version of tidemark that recorded it"
        )
    for option in OPTIONS:
        if option.name not in names:
            continue
        value, is_given = given.get(option.name), was_given(given.get(option.name))
        if option.name in withheld:
            if not is_given:
                raise OptionError(
                    f"{option.flag}: what the run had may hold a secret, and was not kept: "
                    "give it again"
                )
        elif not is_given:
            if option.name in kept:
                given[option.name] = kept[option.name]
        elif option.name in _MAY_DIFFER:
            continue
        elif option.read(value) != _was(option.read, kept.get(option.name), option.default_value):
            told = kept.get(option.name, option.as_text(option.default_value)) or "none"
            raise _contradiction(option.flag, without_secrets(str(told)))
    _fill_in_locust(given, run)


def _was(read: Any, kept: Any, default: Any) -> Any:
    return default if kept is None else read(kept)


def _check_place(given: Mapping[str, Any], run: Interrupted) -> None:
    path = run.path.resolve()
    if was_given(given.get("run_name")) and str(given["run_name"]) != path.name:
        raise _contradiction("--run-name", path.name)
    if was_given(given.get("results")) and Path(str(given["results"])).resolve() != path.parent:
        raise _contradiction("--results", str(path.parent))


def _fill_in_locust(given: MutableMapping[str, Any], run: Interrupted) -> None:
    """Host, users and run time, which are options of Locust."""
    if given.get("host") is None:
        given["host"] = run.host
    elif run.host is None or given["host"].rstrip("/") != run.host.rstrip("/"):
        raise _contradiction("--host", run.host or "a service that it started itself")
    if given.get("num_users") is None:
        given["num_users"] = run.users
    elif run.users is not None and given["num_users"] != run.users:
        raise _contradiction("--users", str(run.users))
    if given.get("run_time") is None and run.planned_s:
        left_s = run.planned_s - run.load_s
        if left_s < SHORTEST_S:
            raise TidemarkError(
                f"--resume {run.path}: {run.load_s:.0f} s of load of {run.planned_s:.0f} s were "
                "done, so that nothing is left: --run-time says for how long to go on"
            )
        given["run_time"] = left_s


def _contradiction(flag: str, was: str) -> OptionError:
    return OptionError(
        f"{flag}: contradicts the run that is gone on with, which had {was[:100]}: leave it out"
    )
