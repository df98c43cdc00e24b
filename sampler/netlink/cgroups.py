"""Control groups: which ones hold the target's processes and nothing else.

A socket keeps the id of the cgroup (version 2) that it was made in, which is the inode of
the cgroup's folder; see cgroups(7) and net/core/sock.c, `sk_cgrp_data`.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tidemark.sampler import procfs
from tidemark.sampler.errors import DeniedError, NoSuchProcessError
from tidemark.sampler.limits import parse_cgroups, parse_mounts


@dataclass(frozen=True, slots=True)
class OwnCgroups:
    """The cgroups that hold processes of the target's tree and no others.

    Attributes:
        single: Cgroup id -> the one process in it: its sockets are that process's.
        shared: Ids of those with several processes of the tree.
        complete: Whether every process of the tree is in one of them.
    """

    single: dict[int, int]
    shared: frozenset[int]
    complete: bool


NONE = OwnCgroups({}, frozenset(), complete=False)
"""The target has no cgroup of its own, or the kernel does not say."""


def unified_mount() -> Path | None:
    """Where the cgroup2 hierarchy is mounted; None if it is not."""
    return parse_mounts(procfs.read_text(os.getpid(), "mounts")).get("")


def _folder(pid: int, mount: Path) -> Path | None:
    groups = parse_cgroups(procfs.read_text(pid, "cgroup"))
    path = groups.get("", "/").removesuffix(" (deleted)").lstrip("/")
    if not path or ".." in path.split("/"):
        return None  # the root, or outside of what this cgroup namespace shows
    return mount / path


def find_own(pids: Iterable[int], mount: Path | None) -> OwnCgroups:
    """Find the tree's own cgroups.

    Args:
        pids: All processes of the tree.
        mount: See `unified_mount`.
    """
    tree = set(pids)
    if mount is None:
        return NONE
    folders: dict[Path, set[int]] = {}
    homeless = False
    for pid in tree:
        try:
            folder = _folder(pid, mount)
        except (NoSuchProcessError, DeniedError):
            folder = None
        homeless |= folder is None
        if folder is not None:
            folders.setdefault(folder, set()).add(pid)
    single: dict[int, int] = {}
    shared: set[int] = set()
    for folder in folders:
        try:
            inside = {int(line) for line in (folder / "cgroup.procs").read_text().split()}
            identifier = folder.stat().st_ino
        except OSError:
            inside, identifier = {0}, 0  # removed meanwhile, a threaded cgroup, or denied
        if not inside or not inside <= tree:
            homeless = True
        elif len(inside) == 1:
            single[identifier] = inside.pop()
        else:
            shared.add(identifier)
    return OwnCgroups(single, frozenset(shared), complete=bool(tree) and not homeless)
