"""What descriptors are called: patterns of paths, remote ends of sockets."""

import os
import random
import string
import tempfile
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.sampler import descriptors
from tidemark.sampler.descriptors import (
    MOST_FILES,
    MOST_SOCKETS,
    FilePatterns,
    count_descriptors,
    descriptor_kind,
    fold_path,
    protocol_name,
)


@pytest.mark.parametrize(
    ("link", "kind"),
    [
        ("socket:[4711]", "socket"),
        ("pipe:[12]", "pipe"),
        ("anon_inode:[eventfd]", "eventfd"),
        ("anon_inode:[eventpoll]", "eventpoll"),
        ("anon_inode:inotify", "inotify"),
        ("/dev/null", "file"),
        ("/var/log/x (deleted)", "file"),
        ("/memfd:x (deleted)", "memfd"),
        ("net:[4026531840]", "net"),
        ("", "other"),
    ],
)
def test_descriptor_kinds(link, kind):
    assert descriptor_kind(link) == kind


@pytest.mark.parametrize(
    ("path", "folded"),
    [
        ("/proc/17/stat", "/proc/*/stat"),
        ("/dev/pts/3", "/dev/pts/*"),
        ("/tmp/upload-81234567.tmp", "/tmp/upload-*.tmp"),
        ("/tmp/upload-aB3dE9.tmp", "/tmp/upload-*.tmp"),
        ("/tmp/a-3f9c21d0.tmp", "/tmp/a-*.tmp"),
        ("/tmp/tmpk3x9_a2b", "/tmp/tmp*"),
        ("/tmp/tmpkqxwzabc/data.db", "/tmp/tmp*/data.db"),
        ("/spool/0b6a3a6e-6b3c-4f3e-9a43-7a1f0c2f9f10", "/spool/*"),
        ("/var/log/app.log-2026-11-26_10", "/var/log/app.log-*"),
        ("/var/lib/postgresql/15/main/base/5/1249", "/var/lib/postgresql/*/main/base/*/*"),
        ("/usr/lib/locale/C.utf8/LC_CTYPE", "/usr/lib/locale/C.utf*/LC_CTYPE"),
        ("/etc/ssl/certs/DigiCertGlobalRoot.pem", "/etc/ssl/certs/DigiCertGlobalRoot.pem"),
        ("/srv/application.properties", "/srv/application.properties"),
    ],
)
def test_what_varies_in_a_path_is_folded(path, folded):
    assert fold_path(path) == folded


@given(st.text(st.characters(codec=None), max_size=300))
def test_a_pattern_is_short_and_can_be_written(path):
    name = FilePatterns().name("/" + path)
    name.encode()
    assert len(name) <= 260
    assert name.isprintable()


def names_of(paths):
    patterns = FilePatterns()
    for path in paths:
        patterns.name(path)
    return {patterns.name(path) for path in paths}


def random_word(letters, length):
    return "".join(random.choices(letters, k=length))


@pytest.mark.parametrize(
    ("make", "pattern"),
    [
        (lambda: f"/tmp/upload-{random_word(string.ascii_letters + string.digits, 6)}.tmp",
         "/tmp/upload-*.tmp"),
        (lambda: f"/tmp/{next(tempfile._get_candidate_names())}.tmp", "/tmp/*.tmp"),
        (lambda: f"/tmp/tmp{next(tempfile._get_candidate_names())}", "/tmp/tmp*"),
        (lambda: f"/data/spool/{random_word(string.ascii_lowercase, 9)}.dat", "/data/spool/*.dat"),
        (lambda: f"/data/{uuid.uuid4()}/{uuid.uuid4().hex}", "/data/*/*"),
        (lambda: f"/cache/{os.urandom(8).hex()}.bin", "/cache/*.bin"),
    ],
)  # fmt: skip
def test_files_with_random_names_are_one(make, pattern):
    assert names_of([make() for _ in range(300)]) == {pattern}


def test_a_few_files_of_a_folder_keep_their_names():
    paths = ["/srv/a.log", "/srv/b.log", "/srv/b.idx", "/etc/hosts"]
    assert names_of(paths) == set(paths)


def test_what_was_folded_once_stays_so():
    patterns = FilePatterns()
    for word in string.ascii_lowercase:
        patterns.name(f"/srv/{word}.log")
    assert patterns.name("/srv/a.log") == "/srv/*.log"


def test_folders_that_never_end_take_bounded_memory(monkeypatch):
    monkeypatch.setattr(descriptors, "_MOST_GROUPS", 50)
    patterns = FilePatterns()
    for folder in string.ascii_lowercase + string.ascii_uppercase:
        for further in "abcdefgh":
            for word in string.ascii_lowercase[:6]:
                patterns.name(f"/srv/{folder}/{further}/{word}.log")
                patterns.name("/srv/a.log")
        for word in string.ascii_lowercase[:6]:
            patterns.name(f"/srv/{word}.log")
    assert len(patterns._folded) <= 50
    assert len(patterns._seen) <= 50
    assert patterns.name("/srv/a.log") == "/srv/*.log"  # it was met again and again


def test_a_deleted_file_says_so():
    assert FilePatterns().name("/var/log/x.log (deleted)") == "/var/log/x.log (deleted)"


def test_sockets_by_remote_end_and_the_rest_by_kind():
    links = ["socket:[1]", "socket:[2]", "socket:[3]", "socket:[4]", "pipe:[1]", "/x"]
    sockets = dict.fromkeys((1, 2), "tcp 10.0.0.7:5432")
    assert count_descriptors(links, sockets, {3: "unix"}, FilePatterns()).told == {
        "tcp 10.0.0.7:5432": 2,
        "unix": 1,
        "socket": 1,
        "pipe": 1,
        "/x": 1,
    }


def test_names_are_bounded_and_nothing_is_lost():
    files = [f"/{word}/x" for word in _words(300)]
    sockets = {at: f"tcp 10.0.{at // 250}.{at % 250}:80" for at in range(1, 501)}
    links = [*files, *(f"socket:[{at}]" for at in sockets)]
    counts = count_descriptors(links, sockets, {}, FilePatterns()).told
    assert len(counts) <= MOST_FILES + MOST_SOCKETS + 2
    assert counts.total() == len(links)
    assert counts["file"] == 300 - MOST_FILES
    assert counts["tcp"] == 500 - MOST_SOCKETS


def _words(count):
    letters = string.ascii_lowercase
    return [letters[n // 26] + letters[n % 26] for n in range(count)]


@pytest.mark.parametrize(
    ("protocol", "name"),
    [
        ("TCPv6", "tcp"),
        ("UDP", "udp"),
        ("UNIX-STREAM", "unix"),
        ("NETLINK", "netlink"),
        (None, "socket"),
    ],
)
def test_a_socket_is_called_by_its_protocol_where_nothing_more_is_known(protocol, name):
    assert protocol_name(protocol) == name
