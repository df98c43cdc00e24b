"""`record.events`: every type stands under its name, and is found again by it."""

from tidemark.record import events
from tidemark.record.events import KINDS, Event, Gap, LimitsRead, Recorded, of_kind


def test_every_type_is_listed_under_its_name():
    written = {one.__name__ for one in Event.__subclasses__()} - {"Unknown"}
    assert {kind.__name__ for kind in KINDS.values()} == written
    assert all(kind is getattr(events, kind.__name__) for kind in KINDS.values())
    assert all(name == kind.NAME for name, kind in KINDS.items())
    assert all(name.islower() and name.isidentifier() for name in KINDS)
    assert all(kind.__doc__ for kind in KINDS.values())


def test_those_of_one_type():
    recorded = [Recorded(1.0, float(n), one) for n, one in enumerate([Gap(), LimitsRead(), Gap()])]
    assert [one.elapsed_s for one in of_kind(recorded, Gap)] == [0.0, 2.0]
