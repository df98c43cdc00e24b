"""The corpus of recorded memory runs: what is planned, read, sent and understood."""

import asyncio
import csv
import itertools
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tidemark.analysis.run import load_run
from tidemark.record.layout import REQUESTS, SAMPLES

with pytest.MonkeyPatch.context() as patch:
    patch.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")  # our own sockets and threads stay what they are
    from benchmarks.memory.answers import NAIVE, Answer, answer
    from benchmarks.memory.bodies import bodies
    from benchmarks.memory.exchange import BrokenAnswerError, parse_answer
    from benchmarks.memory.gate import AT_ONCE, Gate, cpu_ticks
    from benchmarks.memory.load import failure_of, told_messages
    from benchmarks.memory.pack import archive, packed
    from benchmarks.memory.plan import LEAKS, PART, RATES, Recording, plan, plan_part
    from benchmarks.memory.record import Queue, missing
    from benchmarks.memory.recorded import Recorded, read_recorded, unpack
    from benchmarks.memory.services import ServiceError, build, read_services
    from benchmarks.memory.table import (
        clean_growth,
        control_figures,
        controls,
        figures,
        plain_leaks,
        report,
        report_beside,
        shown_leaks,
        write_csv,
    )

SERVICE = """
[[service]]
name = "{name}"
runtime = "go"
half = "development"
what = "nothing"
command = "{{build}}/{name} '{{here}}/a file'"
inject = {inject}
post = "/ingest"
health = "/health"
"""


@pytest.fixture
def services(tmp_path):
    folder = tmp_path / "services" / "go"
    folder.mkdir(parents=True)
    text = 'build = ["echo built >> {build}/builds"]\n'
    text += SERVICE.format(name="one", inject="true") + SERVICE.format(name="two", inject="false")
    (folder / "services.toml").write_text(text)
    return read_services(folder.parent)


# -- services --------------------------------------------------------------------------------------


def test_every_service_of_the_corpus_can_be_read():
    for service in read_services():
        assert service.post.startswith("/")
        assert service.health.startswith("/")


def test_a_command_is_split_before_folders_are_filled_in(services, tmp_path):
    built = tmp_path / "b u"
    assert services[0].arguments(built) == [f"{built}/one", f"{services[0].here}/a file"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('runtime = "go"', 'runtime = "cobol"', "runtime is none of"),
        ('name = "two"', 'name = "one"', "more than one service"),
        ('post = "/ingest"\n', "", "lacks post"),
        ("inject =", "injects =", "has no injects"),
        ("inject = true", "inject = 1", "inject is a int"),
        ("[[service]]", "[[other]]", "holds no"),
        ("[[service]]", "[[service", "go/services.toml"),
    ],
)
def test_what_is_wrong_with_a_service_is_said(services, old, new, says):
    file = services[0].here / "services.toml"
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(ServiceError, match=says):
        read_services(file.parents[1])


def test_a_language_is_built_once_for_its_content(services, tmp_path):
    here, into = services[0].here, tmp_path / "build"

    def builds():
        build(here, into)
        return (into / "go" / "builds").read_text().count("built")

    assert [builds(), builds()] == [1, 1]
    (here / "__pycache__").mkdir()
    (here / "__pycache__" / "it.pyc").write_text("")
    assert builds() == 1
    (here / "main.go").write_text("")
    assert [builds(), builds()] == [2, 2]


def test_a_build_that_fails_says_how(services, tmp_path):
    file = services[0].here / "services.toml"
    file.write_text('build = ["echo no compiler; exit 3"]\n')
    with pytest.raises(ServiceError, match="exits 3: no compiler"):
        build(file.parent, tmp_path / "build")


# -- plan ------------------------------------------------------------------------------------------


def test_the_plan_is_the_same_each_time_and_names_each_recording_once(services):
    planned = plan(services)
    assert planned == plan(reversed(services))
    assert len({recording.name for recording in planned}) == len(planned)
    assert all(Recording.from_json(one.to_json()) == one for one in planned)


def test_a_service_that_cannot_leak_is_recorded_clean_alone(services):
    leaks = Counter((one.service, one.leak) for one in plan(services))
    clean_runs = len(RATES) * (3 + 3 + 2 + 1)
    assert leaks["one", "none"] == leaks["two", "none"] == clean_runs
    assert leaks["one", "512"] == len(RATES) * 3
    assert leaks["one", "4k"] == len(RATES) * 3 + 1
    assert {leak for name, leak in leaks if name == "two"} == {"none"}


def test_a_plan_that_is_stopped_early_has_each_service_as_often(services):
    planned = [one for one in plan(services) if one.is_clean]
    for end in range(0, len(planned) + 1, 2):
        count = Counter(one.service for one in planned[:end])
        assert count["one"] == count["two"]


def test_a_leak_says_what_it_leaves_per_request():
    assert LEAKS["tenth"].bytes_per_request == pytest.approx(3276.8)
    assert LEAKS["none"].bytes_per_request == 0


def test_the_small_part_is_of_judged_services_of_several_runtimes_and_not_in_the_corpus():
    services = read_services()
    part = [service for service in services if service.name in PART]
    assert len(part) == len(PART)
    assert {service.half for service in part} == {"judged"}
    assert len({service.runtime for service in part}) >= 5
    planned = plan_part(services)
    assert {recording.service for recording in planned} == set(PART)
    assert not {one.name for one in planned} & {one.name for one in plan(services)}


def test_the_queue_hands_out_what_there_is_time_for(services, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("benchmarks.memory.record.time.monotonic", lambda: now[0])
    queue = Queue(plan(services), ends_s=300.0)
    assert queue.next().duration_s == 180
    now[0] = 240.0
    assert queue.next().duration_s == 30
    now[0] = 299.0
    assert queue.next() is None


def test_a_service_that_fails_again_and_again_is_left_out(services):
    queue = Queue(plan(services), ends_s=float("inf"))
    for recording in plan(services)[:6]:
        queue.came_out(recording, well=recording.service == "two")
    assert queue.left_out() == ["one"]
    assert {queue.next().service for _ in range(5)} == {"two"}


# -- what is there ---------------------------------------------------------------------------------


def write_run(folder, recording, outcome, **more):
    folder.mkdir(parents=True)
    about = {**recording.to_json(), "runtime": "go", "half": "judged", **more}
    (folder / "run.json").write_text(json.dumps({"outcome": outcome, "recording": about}))


def test_what_has_come_to_its_end_is_not_recorded_again(services, tmp_path):
    done, failed, interrupted, new = plan(services)[:4]
    write_run(tmp_path / done.name, done, "completed")
    write_run(tmp_path / failed.name, failed, "died", failed="it exited")
    write_run(tmp_path / interrupted.name, interrupted, None)
    wanted = [done, failed, interrupted, new]
    assert missing(wanted, tmp_path, again=False) == [interrupted, new]
    assert not (tmp_path / interrupted.name).exists()
    assert read_recorded(tmp_path / failed.name).failed == "it exited"
    assert missing(wanted, tmp_path, again=True) == [failed, interrupted, new]


# -- packed ----------------------------------------------------------------------------------------


def write_whole_run(folder, recording, seconds=120, grows_bytes=102_400):
    """A run of a process that grows, and of one that does not."""
    write_run(folder, recording, "completed")
    told = json.loads((folder / "run.json").read_text())
    more = {"format": 2, "ended_at": "2026-01-01T00:02:00Z", "host": {"kernel": "6.1-mine"}}
    target = {"url": "http://127.0.0.1:21000", "command": "x"}
    (folder / "run.json").write_text(json.dumps({**told, **more, "target": target}))
    events = ("target_started", "runtime_seen")
    (folder / "events.jsonl").write_text(
        "".join(
            f'{{"time_s": 1.7e9, "elapsed_s": 0.123456, "event": "{event}", "pid": 7}}\n'
            for event in events
        )
    )
    samples, requests = [], []
    for second in range(seconds):
        times = {"time_s": 1.7e9 + second, "elapsed_s": second + 0.004567}
        requests.append({**times, "users": 1, "requests": 4 * second, "failures": 0, "p50_ms": 1.5})
        for pid, grown in ((7, grows_bytes * second), (8, 0), (0, None)):
            rss_bytes = "" if grown is None else 50_000_000 + grown
            row = {"target": "target", "pid": pid, "process": "go", "rss_bytes": rss_bytes}
            samples.append({**times, **row, "established": 1, "cpu_s": 0.5, "fds": 9})
    for table, rows in ((SAMPLES, samples), (REQUESTS, requests)):
        with (folder / table.file).open("w", newline="") as file:
            writer = csv.DictWriter(file, table.columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return read_recorded(folder)


@pytest.mark.parametrize("grows_bytes", [0, 409_600])
def test_a_packed_run_is_judged_as_the_recorded_one(tmp_path, grows_bytes):
    recording = Recording("one", 4, 120)
    raw = write_whole_run(tmp_path / "raw", recording, grows_bytes=grows_bytes)
    files = packed(raw)
    (tmp_path / "one.tar.xz").write_bytes(archive({recording.name: files}))
    unpack(tmp_path, tmp_path / "unpacked")
    found = read_recorded(tmp_path / "unpacked" / recording.name)
    assert (found.recording, found.half, found.runtime) == (recording, raw.half, raw.runtime)
    said, meant = answer(found), answer(raw)
    assert said.verdict == meant.verdict == ("leak" if grows_bytes else "clean")
    assert said.per_request == pytest.approx(meant.per_request, rel=0.01)
    assert (said.requests, said.grown_bytes) == (4 * 119, 119 * grows_bytes)
    assert (said.requests, said.grown_bytes) == (meant.requests, meant.grown_bytes)


def test_nothing_of_the_machine_is_packed_and_nothing_that_is_not_read(tmp_path):
    files = packed(write_whole_run(tmp_path / "raw", Recording("one", 4, 120)))
    whole = b"".join(files.values())
    assert b"mine" not in whole
    assert b"127.0.0.1" not in whole
    assert [json.loads(line)["event"] for line in files["events.jsonl"].splitlines()] == [
        "runtime_seen"
    ]
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    run = load_run(tmp_path)
    assert set(run.samples["pid"]) == {7, 8}
    assert run.samples["elapsed_s"].iloc[-1] == 119.0
    assert run.samples["cpu_s"].isna().all()


def test_an_archive_depends_on_its_content_alone():
    first, second = {"run.json": b"{}", "samples.csv": b"x"}, {"run.json": b"[]"}
    made = archive({"a": first, "b": second})
    assert made == archive({"b": second, "a": dict(reversed(first.items()))})
    assert made != archive({"a": first})


# -- answers counted -------------------------------------------------------------------------------


def said(verdict, leak="none", number=0, **more):
    """An answer about a minute of which 700 requests were answered."""
    return replace(
        Answer(
            Recording("one", 12, 60, leak, number),
            "go",
            "judged",
            requests=700,
            grown_bytes=100_000.0,
            verdict=verdict,
            reason="because",
            per_request=None,
            low=None,
            high=None,
            excluded_per_request=200.0 if verdict == "clean" else None,
            naive=dict.fromkeys(NAIVE, True),
        ),
        **more,
    )


ALARMS = "false alarms, of clean runs"
FOUND, CALLED_CLEAN = "found, of plain leaks", "called clean, of plain leaks"
EXCLUDED = "excluded growth was not there, of all called clean"
GOOD = [
    *(said("clean", number=number) for number in range(150)),
    *(said("leak", "4k", number=number) for number in range(19)),
    said("inconclusive", "4k"),
]


def test_bars_are_met(capsys):
    assert report(GOOD)
    told = capsys.readouterr().out
    assert "0/150  at most 1%: met" in told
    assert "MISSED" not in told
    assert "plain Mann-Kendall, p < 1 %: false alarms" in told


@pytest.mark.parametrize(
    ("answers", "missed"),
    [
        (GOOD[1:], [ALARMS]),
        ([*GOOD, said("leak"), said("leak")], [ALARMS]),
        ([*GOOD, *2 * [said("inconclusive", "4k")]], [FOUND]),
        ([*GOOD, *2 * [said("clean", "4k", excluded_per_request=5000.0)]], [FOUND, CALLED_CLEAN]),
        ([*GOOD, *8 * [said("clean", excluded_per_request=None)]], [EXCLUDED]),
        ([*GOOD, *8 * [said("clean", "512")]], [FOUND, CALLED_CLEAN, EXCLUDED]),
        ([], [ALARMS, FOUND, CALLED_CLEAN, EXCLUDED]),
    ],
)
def test_a_bar_that_is_missed_is_told(answers, missed, capsys):
    assert [figure.what for figure in figures(answers) if not figure.is_met] == missed
    assert not report(answers)
    assert capsys.readouterr().out.count("MISSED") == len(missed)


def test_one_false_alarm_in_more_than_a_hundred_clean_runs_is_borne():
    assert all(figure.is_met for figure in figures([*GOOD, said("leak")]))


def test_a_leak_is_plain_where_it_grows_by_three_times_what_the_clean_service_does():
    leak = said("leak", "512")  # 350 KiB
    assert plain_leaks([said("clean"), leak]) == [leak]
    assert plain_leaks([said("clean", grown_bytes=120_000.0), leak]) == []
    grown = [said("clean", grown_bytes=value) for value in (0.0, 100_000.0, 1e9)]
    assert plain_leaks([*grown, leak]) == [leak], "the median counts"
    small = replace(leak, requests=300)  # 150 KiB
    assert plain_leaks([said("clean", grown_bytes=0.0), small]) == []
    assert shown_leaks([said("clean"), leak]) == [], "it grew by 100 KB alone"
    grew = replace(leak, grown_bytes=300_001.0)
    assert shown_leaks([said("clean"), grew]) == [grew]
    elsewhere = replace(said("clean"), recording=Recording("one", 4, 60))
    assert plain_leaks([elsewhere, leak]) == [], "nobody knows how it grows when clean"


def recorded(leak="none", seed=0, duration_s=60):
    recording = Recording("one", 12, duration_s, leak, seed)
    return Recorded(recording, "judged", "go", "", Path(recording.name))


def test_a_control_is_another_clean_run_under_the_same_load_and_of_another_seed_if_there_is_one():
    first, second, leak = recorded(), recorded(seed=1), recorded("4k")
    alone, lonely_leak = recorded(duration_s=600), recorded("4k", duration_s=600)
    chosen = controls([first, second, leak, alone, lonely_leak])
    assert chosen == {
        first.recording.name: second,
        second.recording.name: first,
        leak.recording.name: second,
        lonely_leak.recording.name: alone,
    }


def test_growth_that_is_usual_is_told_from_all_runs_where_those_with_a_control_are_counted(capsys):
    leak = said("leak", "512")
    usual = clean_growth([said("clean", grown_bytes=0.0)])
    told = {figure.what: figure for figure in control_figures([leak], usual)}
    assert (told[f"with a control: {FOUND}"].part, told[f"with a control: {FOUND}"].whole) == (1, 1)
    report_beside([leak], [leak, said("clean", grown_bytes=0.0)])
    assert "with a control: found, of plain leaks" in capsys.readouterr().out


def test_each_answer_is_a_row_of_a_file(tmp_path):
    write_csv(tmp_path / "it.csv", GOOD)
    with (tmp_path / "it.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(GOOD)
    assert (rows[-1]["leak"], rows[-1]["injected_per_request"]) == ("4k", "4096.0")
    assert (rows[-1]["verdict"], rows[-1]["excluded_per_request"]) == ("inconclusive", "")


# -- load ------------------------------------------------------------------------------------------


def test_bodies_are_json_of_some_elements_and_a_function_of_the_seed():
    made = list(itertools.islice(bodies(1), 500))
    assert made == list(itertools.islice(bodies(1), 500))
    assert made != list(itertools.islice(bodies(2), 500))
    for body, count in made:
        assert 100 <= len(body) <= 4400
        elements = json.loads(body)
        assert len(elements) == count
        assert {tuple(element) for element in elements} == {("id", "name", "value", "tags")}
    assert {count for _, count in made} == set(range(1, 21))


CHUNKED = (
    b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"mes\r\n9;x=1\r\nsages": 3\r\n'
    b"1\r\n}\r\n0\r\n\r\n"
)
COUNTED = b'HTTP/1.1 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 15\r\n\r\n{"messages": 3}'
OLD = b"HTTP/1.0 200 OK\r\nContent-Length: 15\r\n\r\n" + b'{"messages": 3}'


@pytest.mark.parametrize(("data", "keeps"), [(CHUNKED, True), (COUNTED, True), (OLD, False)])
def test_an_answer_is_whole_only_with_its_last_byte(data, keeps):
    for end in range(len(data)):
        assert parse_answer(data[:end]) is None
        with pytest.raises(BrokenAnswerError):
            parse_answer(data[:end], is_all=True)
    answer = parse_answer(data)
    assert (answer.status, answer.keeps) == (200, keeps)
    assert told_messages(answer.body) == 3


def test_an_answer_without_a_length_ends_with_its_connection():
    data = b"HTTP/1.1 503 Busy\r\n\r\nsorry"
    assert parse_answer(data) is None
    answer = parse_answer(data, is_all=True)
    assert (answer.status, answer.body, answer.keeps) == (503, b"sorry", False)


@pytest.mark.parametrize("data", [b"SSH-2.0\r\n\r\n", b"HTTP/1.1 200\r\ncontent-length: x\r\n\r\n"])
def test_what_is_no_answer_is_an_error(data):
    with pytest.raises(BrokenAnswerError):
        parse_answer(data)


def test_a_request_failed_where_not_all_messages_were_taken():
    assert failure_of(200, 3, 3) is None
    assert failure_of(200, None, 3) is None, "a foreign service says something else"
    assert failure_of(200, 2, 3) == "not all messages were taken"
    assert failure_of(500, None, 3) == "HTTP 500"
    assert told_messages(b"[]") is told_messages(b"\xff") is told_messages(b"{}") is None


# -- gate ------------------------------------------------------------------------------------------


def test_the_ticks_of_all_processors_are_told_apart():
    text = "cpu  10 1 5 70 4 1 2 7 3 0\ncpu0 1 2 3 4 5 6 7 8 9 0\n"
    assert cpu_ticks(text) == (74, 100), "time given to guests is in that of the user already"
    assert cpu_ticks(text, niced_gives_way=True) == (75, 100)


def test_a_run_starts_only_while_the_processors_have_time_and_not_with_too_many():
    asyncio.run(look_through_the_gate())


async def look_through_the_gate():
    ticks = iter([(0, 0), (10, 100), (90, 200), (190, 300), (290, 400), (390, 500)])
    gate = Gate(0.25, lambda: next(ticks))
    entered = []

    async def start(number):
        async with gate:
            entered.append(number)
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        starting = [group.create_task(start(number)) for number in range(AT_ONCE + 1)]
        counts = []
        for _ in range(5):
            await asyncio.sleep(0)
            await gate.look()
            await asyncio.sleep(0)
            counts.append(len(entered))
        for task in starting:
            task.cancel()
    assert counts == [0, 1, 2, 3, 3]
