import ipaddress
import socket
import sys
from array import array
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.sampler.brokers import Brokers
from tidemark.sampler.errors import BrokerAddressError, NetlinkError
from tidemark.sampler.netlink.difference import difference
from tidemark.sampler.netlink.dump import Columns, DumpReader
from tidemark.sampler.netlink.sockdiag import split_runs

sys.path.insert(0, str(Path(__file__).parent))
from messages import sock

sys.path.pop(0)


def brokers_of(*remotes):
    brokers = Brokers(tuple(f"[{host}]:{port}" for host, port in remotes))
    for endpoint, (host, _) in zip(brokers.endpoints, remotes, strict=True):
        brokers.add(endpoint, [ipaddress.ip_address(host)])
    return brokers


def read(brokers, messages, **options):
    columns = Columns()
    reader = DumpReader(brokers, **options)
    for _, length, run in split_runs(b"".join(messages)):
        reader.add(columns, length, run)
    return columns


ADDRESSES = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).filter(lambda address: address.ipv4_mapped is None).map(str),
)


@given(
    st.lists(st.tuples(ADDRESSES, st.integers(1, 65535)), min_size=1, max_size=6, unique=True),
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.sampled_from([1, 2, 5, 6, 8, 9]),
            st.integers(0, 99),
            st.booleans(),
        ),
        max_size=30,
    ),
)
def test_columns_say_what_the_messages_said(remotes, sockets):
    brokers = brokers_of(*remotes)
    messages, held, orphans = [], [], []
    for at, state, inode, mapped in sockets:
        endpoint = at % len(remotes)
        family = socket.AF_INET6 if mapped else None
        one = 0 if state == 6 else inode + (state in (1, 2, 8))
        messages.append(sock(state, one, remotes[endpoint], family=family))
        (held if one else orphans).append((state, one, endpoint))
    columns = read(brokers, messages)
    found = zip(columns.states, columns.inodes, columns.endpoints, strict=True)
    assert Counter(found) == Counter(held)
    found = zip(columns.orphan_states, columns.orphan_endpoints, strict=True)
    assert Counter(found) == Counter((state, at) for state, _, at in orphans)


def test_addresses_that_no_single_byte_tells_apart():
    remotes = [("10.1.0.1", 1), ("10.2.0.1", 1), ("10.1.0.2", 1), ("10.2.0.2", 1)]
    columns = read(brokers_of(*remotes), [sock(remote=remote) for remote in remotes])
    assert list(columns.endpoints) == [0, 1, 2, 3]


def test_three_bytes_are_needed_and_used():
    remotes = [(f"10.{a}.{b}.{c}", 1) for a in (1, 2) for b in (1, 2) for c in (1, 2)]
    columns = read(brokers_of(*remotes), [sock(remote=remote) for remote in remotes])
    assert list(columns.endpoints) == list(range(8))


def test_cgroup_ids_are_read_wherever_they_stand():
    messages = [
        sock(inode=1, cgroup=5),
        sock(inode=2, cgroup=2**40 + 1),
        sock(inode=3, cgroup=6, extra=b"\x08\0\x0f\0\0\0\0\0"),
        sock(inode=4),
        sock(state=6, inode=0),
    ]
    low, high = read(brokers_of(("127.0.0.1", 9092)), messages, with_cgroups=True).cgroups
    found = sorted(a | b << 32 for a, b in zip(low, high, strict=True))
    assert found == [0, 5, 6, 2**40 + 1]


def test_messages_of_one_length_and_two_makes():
    padded = sock(inode=2, extra=b"\x0c\0\x63\0" + bytes(8))
    messages = [sock(inode=1, cgroup=9), padded]
    assert len(messages[0]) == len(messages[1])
    columns = read(brokers_of(("127.0.0.1", 9092)), messages, with_cgroups=True)
    assert list(columns.cgroups[0]) == [9, 0]


def test_a_socket_that_is_too_short_is_refused():
    with pytest.raises(NetlinkError, match="88 needed"):
        DumpReader(brokers_of(("::1", 1))).add(Columns(), 40, bytes(40))


def test_a_family_that_was_not_asked_for_is_refused():
    with pytest.raises(NetlinkError, match="address family 1"):
        read(brokers_of(("::1", 1)), [sock(family=1)])


def test_too_many_brokers_are_refused():
    with pytest.raises(BrokerAddressError, match="at most 255"):
        DumpReader(brokers_of(*[(f"10.0.{n // 250}.{n % 250}", 1) for n in range(256)]))


def test_a_socket_that_came_twice_is_kept_once():
    columns = read(
        brokers_of(("127.0.0.1", 9092)),
        [sock(1, 5), sock(1, 6), sock(8, 5), sock(6, 0), sock(6, 0)],
    ).without_doubles()
    assert sorted(zip(columns.inodes, columns.states, strict=True)) == [(5, 8), (6, 1)]
    assert len(columns.orphan_states) == 2


INODES = st.lists(st.integers(1, 400), unique=True, max_size=300)


@given(INODES, st.lists(st.tuples(st.integers(0, 400), st.integers(0, 500)), max_size=40))
def test_differences_are_those_of_sets(before, changes):
    after = list(before)
    for at, inode in changes:
        if inode in after:
            after.remove(inode)
        else:
            after.insert(at, inode)
    found = difference(array("I", before), array("I", after), limit=10_000)
    if found is not None:
        inserted, deleted = Counter(found[0]), Counter(found[1])
        assert inserted - deleted == Counter(after) - Counter(before)
        assert deleted - inserted == Counter(before) - Counter(after)


def test_few_changes_in_a_long_sequence_are_found_without_giving_up():
    before = list(range(1, 20_001))
    after = [*before[:500], 90_001, 90_002, *before[503:12_000], *before[12_001:], 90_003]
    found = difference(array("I", before), array("I", after), limit=10)
    assert found is not None
    assert set(found[0]) - set(found[1]) == {90_001, 90_002, 90_003}
    assert set(found[1]) - set(found[0]) == {501, 502, 503, 12_001}


def test_unlike_sequences_are_given_up():
    assert difference(array("I", range(1000)), array("I", range(5000, 6000)), limit=50) is None


def test_equal_and_empty_sequences():
    some = array("I", range(777))
    assert difference(some, some, 0) == ([], [])
    assert difference(array("I"), array("I", [3]), 0) == ([3], [])
    assert difference(array("I", [3]), array("I"), 0) == ([], [3])
