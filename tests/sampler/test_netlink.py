import contextlib
import ipaddress
import socket
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.sampler.brokers import Brokers
from tidemark.sampler.errors import DumpInterruptedError, NetlinkError
from tidemark.sampler.netlink import sockdiag as netlink
from tidemark.sampler.netlink.dump import Columns, DumpReader
from tidemark.sampler.netlink.sockdiag import (
    NLM_F_DUMP_INTR,
    filter_bytecode,
    raise_for,
    split_runs,
)

sys.path.insert(0, str(Path(__file__).parent))
from messages import done, error, header, sock

sys.path.pop(0)

# A read of a dump on Linux 6.18 (x86_64): ESTABLISHED over IPv6, ESTABLISHED over IPv4,
# TIME_WAIT, and FIN_WAIT2 over an IPv4-mapped address.
CAPTURED = bytes.fromhex(
    """
7c0000001200020000a0e5b7e70700000a0100009b3a4a950000000000000000000000000000000100000000
00000000000000000000000100000000c7cc15000000000000000000000000000000000000000000b4935200
050008000000000008000f00000000000c001500010000000000000006001600120000007c00000012000200
00a0e5b7e707000002010000c3e24a957f0000010000000000000000000000007f0000090000000000000000
0000000000000000c8cc15000000000000000000000000000000000000000000b09352000500080000000000
08000f00000000000c00150001000000000000000600160052000000600000001200020000a0e5b7e7070000
02060300c3f04a957f0000010000000000000000000000007f00000900000000000000000000000000000000
c9cc150000000000fce900000000000000000000000000000000000008000f00000000007c00000012000200
00a0e5b7e70700000a050000c3fe4a9500000000000000000000ffff7f00000100000000000000000000ffff
7f00000900000000cacc15000000000000000000000000000000000000000000b69352000500080002000000
08000f00000000000c00150001000000000000000600160012000000
"""
)
WHOLE_AT = (124, 248, 344)
"""Where a message of it ends, short of the end."""

SOCKETS = st.builds(
    sock,
    state=st.sampled_from([1, 2, 4, 5, 6, 8, 9, 11]),
    inode=st.integers(0, 2**32 - 1),
    remote=st.tuples(
        st.sampled_from(["127.0.0.1", "10.0.0.2", "::1", "fe80::7"]), st.integers(1, 65535)
    ),
    cgroup=st.one_of(st.none(), st.integers(1, 2**64 - 1)),
)


def one_by_one(data):
    """The obvious way to split messages, to compare with."""
    found = []
    while data:
        length, kind = struct.unpack_from("=IH", data)
        found.append((kind, length, data[:length]))
        data = data[(length + 3) & ~3 :]
    return found


def messages_in(runs):
    """Every message of the runs, without its header: the search leaves that out."""
    found = []
    for kind, length, run in runs:
        stride = (length + 3) & ~3
        assert len(run) % stride == 0
        found += [(kind, length, run[at + 16 : at + length]) for at in range(0, len(run), stride)]
    return found


def test_a_captured_read_is_split():
    runs = split_runs(CAPTURED)
    assert [(kind, length, len(run) // length) for kind, length, run in runs] == [
        (18, 124, 3),
        (18, 96, 1),
    ]
    assert [run[17::length] for _, length, run in runs] == [b"\x01\x01\x05", b"\x06"]


def test_a_captured_read_makes_columns():
    brokers = Brokers.resolve(["127.0.0.9:19093", "[::1]:19093"])
    columns = Columns()
    reader = DumpReader(brokers, with_cgroups=True)
    for _, length, run in split_runs(CAPTURED):
        reader.add(columns, length, run)
    rows = zip(columns.states, columns.inodes, columns.endpoints, strict=True)
    assert sorted(rows) == [(1, 0x5293B0, 0), (1, 0x5293B4, 1), (5, 0x5293B6, 0)]
    assert (columns.orphan_states, columns.orphan_endpoints) == (b"\x06", b"\0")
    assert list(columns.cgroups[0]) == [1, 1, 1]


@pytest.mark.parametrize("cut", range(1, len(CAPTURED)))
def test_every_truncation_of_it_is_noticed(cut):
    if cut in WHOLE_AT:
        expected = WHOLE_AT.index(cut) + 1
        assert sum(len(run) // length for _, length, run in split_runs(CAPTURED[:cut])) == expected
    else:
        with pytest.raises(NetlinkError):
            split_runs(CAPTURED[:cut])


@given(st.lists(SOCKETS, max_size=40), st.booleans())
def test_runs_hold_the_messages_that_were_sent(messages, finished):
    data = b"".join(messages) + (done() if finished else b"")
    expected = [(kind, length, body[16:]) for kind, length, body in one_by_one(data)]
    assert sorted(messages_in(split_runs(data))) == sorted(expected)


@given(st.lists(st.booleans(), min_size=3, max_size=200))
def test_time_wait_scattered_among_others_makes_two_runs(waiting):
    data = b"".join(sock(state=6 if one else 1, inode=0 if one else 5) for one in waiting)
    runs = split_runs(data)
    assert len(runs) == len(set(waiting))
    counts = {length: len(run) // length for _, length, run in runs}
    assert counts.get(88, 0) == sum(waiting)


@given(st.binary(max_size=300))
def test_any_bytes_are_split_or_refused(data):
    try:
        runs = split_runs(data)
    except NetlinkError:
        return
    assert sum(len(run) for _, _, run in runs) >= len(data) - len(data) % 4


@given(st.lists(SOCKETS, min_size=1, max_size=10), st.data())
def test_a_flipped_byte_never_hangs_or_crashes(messages, data):
    changed = bytearray(b"".join(messages))
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(NetlinkError):
        assert split_runs(bytes(changed))


@pytest.mark.parametrize("at", [0, 1, 4])
def test_an_interrupted_dump_is_noticed_wherever_it_says_so(at):
    messages = [sock() for _ in range(5)]
    changed = bytearray(messages[at])
    changed[6] |= NLM_F_DUMP_INTR
    messages[at] = bytes(changed)
    with pytest.raises(DumpInterruptedError):
        split_runs(b"".join(messages))


def test_errors_name_the_errno():
    with pytest.raises(NetlinkError, match="ENOENT"):
        raise_for(netlink.NLMSG_ERROR, error(-2)[16:])
    with pytest.raises(NetlinkError, match="EINVAL"):
        raise_for(netlink.NLMSG_DONE, done(-22)[16:])
    with pytest.raises(NetlinkError, match="without its number"):
        raise_for(netlink.NLMSG_ERROR, b"\0")
    with pytest.raises(NetlinkError, match="lost messages"):
        raise_for(netlink.NLMSG_OVERRUN, b"")
    raise_for(netlink.NLMSG_DONE, done()[16:])
    raise_for(netlink.NLMSG_DONE, b"")


class Scripted:
    """A netlink socket that answers with what it was given."""

    def __init__(self, reads):
        self.reads = list(reads)

    def send(self, request):
        self.sequence = struct.unpack_from("=IHHI", request)[3]

    def recv_into(self, buffer, size, flags):
        read = self.reads.pop(0)
        if read == "too long":
            return len(buffer) + 1
        read = bytearray(read)
        at = 0
        while at < len(read):
            (length,) = struct.unpack_from("=I", read, at)
            if struct.unpack_from("=I", read, at + 8)[0] == 7:
                struct.pack_into("=I", read, at + 8, self.sequence)
            at += (length + 3) & ~3
        buffer[: len(read)] = read
        return len(read)

    def close(self):
        pass


def scripted(reads):
    diag = netlink.SockDiag()
    diag.close()
    diag._socket = Scripted(reads)
    return diag


PROGRAM = filter_bytecode([(ipaddress.ip_address("127.0.0.1"), 9092)])


def test_a_dump_goes_on_until_done():
    runs = list(scripted([sock(inode=1) + sock(inode=2), sock(inode=3), done()]).dump(PROGRAM))
    assert [len(run) // length for length, run in runs] == [2, 1]


def test_answers_to_a_former_question_are_passed_over():
    stale = bytearray(sock())
    struct.pack_into("=I", stale, 8, 12345)
    runs = list(scripted([bytes(stale), sock(), done()]).dump(PROGRAM))
    assert len(runs) == 1


@pytest.mark.parametrize(
    ("reads", "message"),
    [
        (["too long"], "did not fit"),
        ([sock(), error(-1)], "EPERM"),
        ([sock(), done(-12)], "ENOMEM"),
        ([sock()[:60]], "a message of"),
        ([header(16, netlink.NLMSG_OVERRUN)], "lost messages"),
    ],
)
def test_what_goes_wrong_in_a_dump_is_an_error(reads, message):
    with pytest.raises(NetlinkError, match=message):
        list(scripted(reads).dump(PROGRAM))


def test_a_real_refusal_is_an_error(closed):
    diag = closed(netlink.SockDiag())
    with pytest.raises(NetlinkError, match="EINVAL"):
        list(diag.dump(b"\xff" * 8))


def test_the_kernel_filters_by_address_and_port(listener, closed):
    host, port = listener.getsockname()
    with socket.create_connection((host, port)), listener.accept()[0]:
        for remotes, expected in (
            ([(host, port)], 1),
            ([("127.0.0.2", port)], 0),
            ([("127.0.0.2", port), ("::1", port), (host, port)], 1),
            ([(f"127.0.1.{n}", n + 1) for n in range(200)] + [(host, port)], 1),
        ):
            program = filter_bytecode((ipaddress.ip_address(a), p) for a, p in remotes)
            diag = closed(netlink.SockDiag())
            runs = list(diag.dump(program))
            assert sum(len(run) // length for length, run in runs) == expected


def test_nothing_to_filter_by_is_refused():
    with pytest.raises(ValueError, match="no remote end"):
        filter_bytecode([])
