"""The mix: by weight, the same for the same seed, bodies in order."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from scipy import stats

from tidemark.routes import Route, read_routes
from tidemark.routes.mix import Mix, Turn

NO_ROUTE = Route("", "GET", read_routes([{"path": "/"}], Path())[0].path)


def routes(*weights: float) -> tuple[Route, ...]:
    return read_routes(
        [{"path": f"/{n}/{{uuid}}", "weight": w} for n, w in enumerate(weights)], Path()
    )


def turns(mix: Mix, count: int) -> list[Turn]:
    return [mix.turn(number, mix.draw(), NO_ROUTE) for number in range(count)]


def drawn(mix: Mix, count: int) -> list[str]:
    return [turn.route.name for turn in turns(mix, count)]


def test_routes_are_drawn_by_weight() -> None:
    given = routes(9, 1, 0.5)
    counts = Counter(drawn(Mix(given, 1, "run"), 10_500))
    expected = [9000, 1000, 500]
    assert stats.chisquare([counts[route.name] for route in given], expected).pvalue > 0.001


def test_the_same_seed_sends_the_same_requests() -> None:
    first, again, other = (
        [turn.request() for turn in turns(Mix(routes(1, 1), seed, "run"), 50)] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_each_route_plays_its_own_bodies(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"n": 1}\n{"n": 2}\n')
    tables = [{"path": f"/{n}", "bodies": "@a.jsonl"} for n in range(2)]
    mix = Mix(read_routes(tables, tmp_path), 1, "run")
    sent: dict[str, list[bytes | None]] = {}
    for turn in turns(mix, 20):
        sent.setdefault(turn.route.name, []).append(turn.request().body)
    for bodies in sent.values():
        assert bodies == [[b'{"n": 1}', b'{"n": 2}'][n % 2] for n in range(len(bodies))]
    assert len(sent) == 2


def test_requests_are_numbered_through_the_run() -> None:
    mix = Mix((replace(NO_ROUTE, path=read_routes([{"path": "/{seq}"}], Path())[0].path),), 1, "r")
    assert [turn.request().path for turn in turns(mix, 3)] == ["/1", "/2", "/3"]


def test_without_routes_the_user_says_what_is_sent() -> None:
    assert drawn(Mix((), 1, "run"), 2) == ["", ""]


def test_the_parts_of_a_run_play_other_bodies(tmp_path: Path) -> None:
    given = routes(1)
    mixes = [Mix(given, 1, "run", part, 3) for part in range(3)]
    numbers = [turn.number for mix in mixes for turn in turns(mix, 4)]
    assert sorted(numbers) == list(range(12))
