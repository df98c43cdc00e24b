"""A run directory of what a Prometheus server holds."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tidemark.importing.alignment import aligned
from tidemark.importing.errors import ImportingError
from tidemark.importing.instances import INSTANCE, SCRAPED, Instance, find_restarts, instances_of
from tidemark.importing.moments import shown_moment
from tidemark.importing.options import Options
from tidemark.importing.recording import MISSED, Recording, target_of, usual_interval_s
from tidemark.importing.requests import Requests, best_counter, requests_of
from tidemark.importing.series import Floats, Series
from tidemark.importing.server import MOST_POINTS, PrometheusServer
from tidemark.record.errors import OptionError
from tidemark.record.metadata import LONGEST_NAME
from tidemark.record.secrets import without_secrets
from tidemark.sampler.exported import FIGURES
from tidemark.sampler.figures import Figure

SCRAPE_S = 15.0
"""Seconds between two steps of a query where nobody says."""
_LOOK_S = 1.0
"""Scrapes are first asked for as if they were no further apart; then their interval is known."""
_FEWEST_FALLS, _MOST_FALLS = 5, 0.1
"""A counter does not fall so often, nor in such a share of its steps."""
_GONE = 5.0
"""An instance is gone that was not read for so many intervals before the end."""
_MOST_NAMED = 12


@dataclass(frozen=True, slots=True)
class Imported:
    """What was imported.

    Attributes:
        recording: What was written.
        counter: Where requests come from; None where they are unknown.
        remarks: What is to be said of it, a sentence each.
    """

    recording: Recording
    counter: str | None
    remarks: tuple[str, ...]


def import_run(options: Options) -> Imported:
    """Ask the server, and make the run directory of its answers.

    Raises:
        ImportingError: The server does not answer, or holds nothing of the kind.
        OptionError: An option cannot be used.
        RunDirectoryError: The run directory cannot be made or written.
    """
    server = PrometheusServer(options.url, _token(options.token_env))
    read = _calculated if options.job is None else _scraped
    instances, counter = read(server, options)
    instances, successors, remarks = _that_can_be_judged(instances)
    interval_s = usual_interval_s(instances) or options.step or SCRAPE_S
    instances = aligned(instances, interval_s)
    requests = [one.requests for one in instances if one.requests is not None]
    if options.requests is not None:
        requests, counter = _own_requests(server, options, instances), options.requests
    recording = Recording(
        process=(options.job or "imported")[:LONGEST_NAME],
        instances=instances,
        requests=requests,
        interval_s=interval_s,
        successors=successors,
        metadata={},
    )
    recording = replace(recording, metadata=_metadata(options, server, recording, counter))
    recording.write(options.out, shared=options.share_files)
    return Imported(recording, counter if requests else None, tuple(remarks))


def _token(variable: str | None) -> str | None:
    if variable is None:
        return None
    token = os.environ.get(variable, "").strip()
    if not token:
        raise OptionError(f"--token-env: {variable} is not set in the environment, or empty")
    if not (token.isascii() and token.isprintable()):
        raise OptionError(f"--token-env: what {variable} holds is no token")
    return token


# -- by the names that client libraries use ---------------------------------------------------


def _scraped(server: PrometheusServer, options: Options) -> tuple[list[Instance], str | None]:
    of_job = f"job={json.dumps(options.job)}"
    if options.instance is not None:
        of_job += f",{INSTANCE}={json.dumps(options.instance)}"
    names = "|".join(SCRAPED)
    selector = f'{{__name__=~"{names}",{of_job}}}'
    interval_s = _interval_s(server, f"up{{{of_job}}}", options)
    series = server.scraped(selector, options.start, options.end, interval_s)
    instances = instances_of(series, options.start)
    if not instances:
        raise _nothing_held(server, f"{{{of_job}}}", options)
    if options.step is not None:
        instances = [one.thinned(options.step) for one in instances]
    return instances, best_counter(one.name for one in series)


def _interval_s(server: PrometheusServer, selector: str, options: Options) -> float:
    """How far apart scrapes are, by what is left of the first hours of them.

    Where the job had none then, they are asked for in small parts.
    """
    until_s = min(options.start + MOST_POINTS * _LOOK_S, options.end)
    series = server.scraped(selector, options.start, until_s, _LOOK_S)
    steps = [float(np.median(np.diff(one.time_s))) for one in series if len(one.time_s) > 1]
    return min(steps, default=_LOOK_S)


def _nothing_held(server: PrometheusServer, selector: str, options: Options) -> ImportingError:
    """What the server has instead of what was asked for."""
    when = f"between {shown_moment(options.start)} and {shown_moment(options.end)}"
    span = options.start, options.end
    known = server.names("__name__", selector, *span)
    wanted = " or ".join(("process_open_fds", "process_resident_memory_bytes"))
    for one in FIGURES:
        for name in one.names:
            if name in known:
                what = f"holds several series of {name} for one instance of job {options.job!r}"
                query = f"{one.column}=sum by ({INSTANCE}) ({name}{selector})"
                return ImportingError(f"{server.shown} {what}; add them up: --query '{query}'")
    if known:
        what = f"holds no figures of a process (such as {wanted}) of job {options.job!r} {when}"
        return _lacking(server, what, f"there are {_listed(known)}", "name what to read by --query")
    if options.instance is not None:
        of_job = f"{{job={json.dumps(options.job)}}}"
        instances = server.names(INSTANCE, of_job, *span)
        if instances:
            what = f"holds no instance {options.instance!r} of job {options.job!r} {when}"
            return _lacking(server, what, f"there are {_listed(instances)}", "name one of them")
    jobs = server.names("job", None, *span)
    what = f"holds no job {options.job!r} {when}"
    there = f"there are {_listed(jobs)}" if jobs else "there is none at all"
    return _lacking(server, what, there, "check --job, --start and --end")


def _lacking(server: PrometheusServer, what: str, there: str, remedy: str) -> ImportingError:
    return ImportingError(f"{server.shown} {what}: {there}; {remedy}")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


# -- by queries of one's own ------------------------------------------------------------------


def _calculated(server: PrometheusServer, options: Options) -> tuple[list[Instance], str | None]:
    held: dict[str, dict[str, Series]] = {}
    for key, query in options.query:
        series = _asked(server, query, options)
        if not series:
            what = f"holds nothing that --query {key}={query} finds"
            when = f"between {shown_moment(options.start)} and {shown_moment(options.end)}"
            raise ImportingError(f"{server.shown} {what} {when}; try it on the server's own page")
        for one in series:
            columns = held.setdefault(one.labels.get(INSTANCE, ""), {})
            if key in columns:
                raise OptionError(
                    f"--query: {key} has several series for one instance; add them up, as in "
                    f"{key}=sum by (instance) ({query})"
                )
            columns[key] = one
    if "" in held and len(held) > 1:
        raise OptionError(
            "--query: some figures are told by instance and others are not; add up all of them, "
            "or none"
        )
    return [_of_columns(name, columns) for name, columns in sorted(held.items())], None


def _asked(server: PrometheusServer, query: str, options: Options) -> list[Series]:
    return server.calculated(query, options.start, options.end, options.step or SCRAPE_S)


def _of_columns(name: str, columns: Mapping[str, Series]) -> Instance:
    time_s = np.unique(np.concatenate([one.time_s for one in columns.values()]))
    read = {key: one.at(time_s) for key, one in columns.items()}
    rows = [
        {key: _figure(key, values[row]) for key, values in read.items()}
        for row in range(len(time_s))
    ]
    unknown = np.full(len(time_s), np.nan)
    restarts = find_restarts(time_s, unknown, read.get("cpu_s", unknown), ())
    return Instance(name, time_s, rows, restarts)


def _figure(key: str, value: float) -> Figure:
    if not 0 <= value <= 1e15:  # NaN, too
        return None
    return float(value) if key.endswith("_s") or value % 1 else int(value)


def _own_requests(
    server: PrometheusServer, options: Options, instances: Sequence[Instance]
) -> list[Requests]:
    query = options.requests or ""
    series = [one for one in _asked(server, query, options) if np.isfinite(one.value).any()]
    if not series:
        raise ImportingError(
            f"{server.shown} holds nothing that --requests {query} finds in that time; "
            "try it on the server's own page"
        )
    for one in series:
        if one.falls > max(_FEWEST_FALLS, _MOST_FALLS * len(one.value)):
            raise OptionError(
                f"--requests: falls {one.falls} times, so that it is no counter; give one that "
                "counts up, not its rate"
            )
    first_s = min(float(one.time_s[0]) for one in series)
    found = [
        requests_of(several, _restarts_of(name, instances), first_s)
        for name, several in _by_instance(series).items()
    ]
    return [one for one in found if one is not None]


def _restarts_of(name: str, instances: Iterable[Instance]) -> Floats:
    return next((one.restarts for one in instances if one.name == name and name), np.array([]))


def _by_instance(series: Iterable[Series]) -> dict[str, list[Series]]:
    found: dict[str, list[Series]] = {}
    for one in series:
        found.setdefault(one.labels.get(INSTANCE, ""), []).append(one)
    return found


# -- together ---------------------------------------------------------------------------------


def _that_can_be_judged(
    instances: Sequence[Instance],
) -> tuple[list[Instance], dict[str, str], list[str]]:
    """The instances without those of which nobody knows whether they ended or were taken away.

    One that is gone before the others' end has either a successor, or could not be read any more
    (it may have died); of one that was just not asked any more, nothing can be said.

    Returns:
        Those that stay, successor -> whom it followed, and what is to be said of the others.
    """
    interval_s = usual_interval_s(instances) or SCRAPE_S
    begin_s = min(float(one.time_s[0]) for one in instances)
    end_s = max(float(one.time_s[-1]) for one in instances)
    came = [one for one in instances if one.time_s[0] - begin_s > MISSED * interval_s]
    came.sort(key=lambda one: float(one.time_s[0]))
    gone = [one for one in instances if end_s - one.time_s[-1] > _GONE * interval_s]
    gone.sort(key=lambda one: float(one.time_s[-1]))
    successors: dict[str, str] = {}
    left_out = []
    for one in gone:
        last_s = float(one.time_s[-1])
        new = [
            other.name
            for other in came
            if other is not one
            and other.time_s[0] >= last_s - _GONE * interval_s
            and other.name not in successors
        ]
        if new:
            successors[new[0]] = one.name
        elif not (one.down_s > last_s).any():
            left_out.append(one)
    remarks = [
        f"{target_of(one)} is left out: it was read until {shown_moment(float(one.time_s[-1]))}, "
        "and whether it ended or was taken away is not known; --instance imports it alone"
        for one in left_out
    ]
    return [one for one in instances if one not in left_out], successors, remarks


def _metadata(
    options: Options, server: PrometheusServer, recording: Recording, counter: str | None
) -> dict[str, Any]:
    asked = {
        "from": "prometheus",
        "url": server.shown,
        "job": options.job,
        "instance": options.instance,
        "queries": {key: without_secrets(query) for key, query in options.query} or None,
        "requests": without_secrets(counter) if counter and recording.requests else None,
        "start": shown_moment(options.start),
        "end": shown_moment(options.end),
    }
    return {
        "strategy": options.job[:LONGEST_NAME] if options.job else None,
        "started_at": shown_moment(recording.begin_s, "milliseconds"),
        "ended_at": shown_moment(recording.end_s, "milliseconds"),
        "sampling": {"interval_s": recording.interval_s},
        "imported": {name: value for name, value in asked.items() if value is not None},
    }
