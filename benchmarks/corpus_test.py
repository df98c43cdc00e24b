"""The part of the corpus that the figures come from.

None of these shapes, rates, levels, noises or load patterns was used while the method was
developed; all of them were drawn anew after its last change. Shapes that share a name with the
development part in everyday speech (a fill, a ramp) have another form here.
"""

from __future__ import annotations

from benchmarks import corpus_test_clean as clean
from benchmarks import corpus_test_leaks as leaks
from benchmarks.corpus import Maker

LEAKS: tuple[Maker, ...] = (
    leaks.leak_faster_later,
    leaks.leak_by_time,
    leaks.leak_in_episodes,
    leaks.leak_under_waves,
    leaks.leak_four_workers,
    leaks.leak_restarted_once,
    leaks.leak_below_pool,
    leaks.leak_from_later_on,
    leaks.leak_threads,
    leaks.leak_connections_on_stairs,
    leaks.leak_few_pieces,
    leaks.leak_until_dead,
    leaks.leak_memory_collected,
    leaks.leak_partly_released,
)
CLEAN: tuple[Maker, ...] = (
    clean.clean_two_levels,
    clean.clean_swinging,
    clean.clean_in_flight,
    clean.clean_collector,
    clean.clean_root_of_load,
    clean.clean_stairs,
    clean.clean_load_peak,
    clean.clean_falling,
    clean.clean_up_and_down,
    clean.clean_outage,
    clean.clean_staggered,
    clean.clean_cron,
    clean.clean_many_memories,
    clean.clean_cache,
    clean.clean_arenas,
    clean.clean_returning,
)
UNDECIDED: tuple[Maker, ...] = (clean.undecided_hyperbola, clean.undecided_two_fills)
