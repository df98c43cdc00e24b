"""The part of the corpus that the method was developed on."""

from __future__ import annotations

from benchmarks import corpus_development_clean as clean
from benchmarks import corpus_development_leaks as leaks
from benchmarks.corpus import Maker

LEAKS: tuple[Maker, ...] = (
    leaks.leak_linear,
    leaks.leak_after_warm_up,
    leaks.leak_sawtooth,
    leaks.leak_ramp,
    leaks.leak_clumps,
    leaks.leak_gaps,
    leaks.leak_one_of_two,
    leaks.leak_recycled,
    leaks.leak_exhausted,
    leaks.leak_memory,
)
CLEAN: tuple[Maker, ...] = (
    clean.clean_flat,
    clean.clean_warm_up,
    clean.clean_pool,
    clean.clean_sawtooth,
    clean.clean_ramp,
    clean.clean_high_water,
    clean.clean_daily,
    clean.clean_step,
    clean.clean_stopped,
    clean.clean_bursts,
    clean.clean_gaps,
    clean.clean_restarts,
    clean.clean_memory,
)
UNDECIDED: tuple[Maker, ...] = (clean.undecided_fill,)
