"""The mix: by weight, the same for the same seed, bodies in order."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from scipy import stats

from tidemark.routes import Route, read_routes
from tidemark.routes.mix import Mix

NO_ROUTE = Route("", "GET", read_routes([{"path": "/"}], Path())[0].path)


def routes(*weights: float) -> tuple[Route, ...]:
    return read_routes(
        [{"path": f"/{n}/{{uuid}}", "weight": w} for n, w in enumerate(weights)], Path()
    )


def drawn(mix: Mix, count: int) -> list[str]:
    return [mix.next(NO_ROUTE).route.name for _ in range(count)]


def test_routes_are_drawn_by_weight() -> None:
    given = routes(9, 1, 0.5)
    counts = Counter(drawn(Mix(given, 1, "run"), 10_500))
    expected = [9000, 1000, 500]
    assert stats.chisquare([counts[route.name] for route in given], expected).pvalue > 0.001


def test_the_same_seed_sends_the_same_requests() -> None:
    first, again, other = (
        [Mix(routes(1, 1), seed, "run").next(NO_ROUTE).request() for _ in range(50)]
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_each_route_plays_its_own_bodies(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"n": 1}\n{"n": 2}\n')
    tables = [{"path": f"/{n}", "bodies": "@a.jsonl"} for n in range(2)]
    mix = Mix(read_routes(tables, tmp_path), 1, "run")
    sent: dict[str, list[bytes | None]] = {}
    for _ in range(20):
        turn = mix.next(NO_ROUTE)
        sent.setdefault(turn.route.name, []).append(turn.request().body)
    for bodies in sent.values():
        assert bodies == [[b'{"n": 1}', b'{"n": 2}'][n % 2] for n in range(len(bodies))]
    assert len(sent) == 2


def test_requests_are_numbered_through_the_run() -> None:
    mix = Mix((replace(NO_ROUTE, path=read_routes([{"path": "/{seq}"}], Path())[0].path),), 1, "r")
    assert [mix.next(NO_ROUTE).request().path for _ in range(3)] == ["/1", "/2", "/3"]


def test_without_routes_the_user_says_what_is_sent() -> None:
    assert drawn(Mix((), 1, "run"), 2) == ["", ""]
