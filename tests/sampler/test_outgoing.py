"""Connections to any remote end: what the target opened, and what it did not."""

import ipaddress
import socket
import sys
from collections import Counter
from contextlib import ExitStack, closing

import pytest

from tidemark.record.layout import BROKER, ENDPOINTS, OTHER_ENDPOINTS, REMOTE
from tidemark.record.options import read_all
from tidemark.record.stream import RowStream
from tidemark.sampler import procfs_source
from tidemark.sampler.brokers import Brokers
from tidemark.sampler.budget import Budget
from tidemark.sampler.connections import MOST_ENDPOINTS, EndpointCount, most_used
from tidemark.sampler.local import LocalSource
from tidemark.sampler.netlink import outgoing_reader as outgoing_module
from tidemark.sampler.netlink.outgoing import NetlinkOutgoing
from tidemark.sampler.netlink.outgoing_reader import Remotes
from tidemark.sampler.netlink.sockdiag import SockDiag, exclusion_bytecode
from tidemark.sampler.options import OPTIONS, Options
from tidemark.sampler.procfs_source import ProcfsOutgoing
from tidemark.sampler.tree import ProcessTree, identify

NOBODY = Brokers.resolve(())
ESTABLISHED = 1


def members_of(pid):
    tree = ProcessTree(identify(pid))
    tree.refresh(0.0)
    return tree.members


@pytest.fixture(params=["netlink", "procfs"])
def outgoing(request, puppet):
    """A way to read what a puppet has opened."""
    with ExitStack() as stack:

        def make(brokers=NOBODY):
            source = (
                NetlinkOutgoing(brokers, puppet.pid)
                if request.param == "netlink"
                else ProcfsOutgoing(brokers)
            )
            stack.enter_context(closing(source))
            return source

        yield make


@pytest.fixture
def servers():
    """Three servers that accept what comes by leaving it in the queue."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
            for _ in range(3)
        ]


def name_of(server):
    host, port = server.getsockname()[:2]
    return f"{host}:{port}"


def connect(puppet, server, count, kept="made"):
    puppet.do(f"{kept} = [connect{server.getsockname()[:2]!r} for _ in range({count})]")


def test_connections_are_told_by_remote_end(puppet, servers, outgoing):
    connect(puppet, servers[0], 3)
    connect(puppet, servers[1], 2, "more")
    found = outgoing().read(members_of(puppet.pid))
    assert found.by_process[puppet.pid] == {ESTABLISHED: 5}
    assert found.by_endpoint == {
        name_of(servers[0]): EndpointCount(3, 0, 0, REMOTE),
        name_of(servers[1]): EndpointCount(2, 0, 0, REMOTE),
        OTHER_ENDPOINTS: EndpointCount(kind=REMOTE),
    }


def test_what_was_accepted_is_not_outgoing(puppet, outgoing):
    host, port = puppet.do(
        "server = socket.create_server(('127.0.0.1', 0)); result = server.getsockname()"
    )
    source = outgoing()
    with socket.create_connection((host, port)):
        puppet.do("accepted = [server.accept()[0]]")
        for _ in range(2):
            found = source.read(members_of(puppet.pid))
            assert found.by_process[puppet.pid] == {}
            assert set(found.by_endpoint) == {OTHER_ENDPOINTS}
        names = Counter(source.sockets()[inode] for inode in inodes_of(puppet))
        assert names == {"tcp listening": 1, f"tcp accepted :{port}": 1}


def inodes_of(puppet):
    return puppet.do("""
result = [int(link[8:-1]) for link in (os.readlink(f"/proc/self/fd/{fd}")
          for fd in sorted(os.listdir("/proc/self/fd"))[:-1]) if link.startswith("socket:")]
""")


def test_sockets_are_named_by_their_remote_end(puppet, servers, outgoing):
    connect(puppet, servers[0], 2)
    source = outgoing()
    source.read(members_of(puppet.pid))
    names = [source.sockets()[inode] for inode in inodes_of(puppet)]
    assert names == [f"tcp {name_of(servers[0])}"] * 2


def close_first(puppet_or_self, server, count):
    """Connections that end in TIME_WAIT on the side that has opened them."""
    puppet_or_self.do(
        f"gone = [connect{server.getsockname()[:2]!r} for _ in range({count})]\n"
        "for one in gone: one.close()"
    )
    for _ in range(count):
        server.accept()[0].close()


def time_wait(found, server):
    told = found.by_endpoint.get(name_of(server))
    return None if told is None else told.time_wait


def test_time_wait_of_others_is_not_the_targets(puppets, puppet, servers, outgoing, eventually):
    other = puppets()
    members = members_of(puppet.pid)
    source = outgoing()
    connect(puppet, servers[0], 1)
    close_first(other, servers[1], 3)
    close_first(puppet, servers[0], 2)  # the first of the queue is the one that is kept
    eventually(
        lambda: time_wait(source.read(members), servers[0]) in {1, 2}, "TIME_WAIT of its own"
    )
    found = source.read(members)
    assert name_of(servers[1]) not in found.by_endpoint
    connect(puppet, servers[1], 1, "more")
    found = source.read(members)
    assert time_wait(found, servers[1]) == 3, "it cannot be told whose they are from now on"
    waiting = sum(one.time_wait for one in found.by_endpoint.values())
    assert found.by_process[0].get(6, 0) == waiting


def test_what_others_hold_towards_the_same_end_is_said(puppets, puppet, servers, outgoing):
    other = puppets()
    connect(puppet, servers[0], 1)
    connect(other, servers[0], 4)
    connect(other, servers[1], 2, "more")
    found = outgoing().read(members_of(puppet.pid))
    assert found.by_endpoint[name_of(servers[0])] == EndpointCount(1, 0, 4, REMOTE)
    assert name_of(servers[1]) not in found.by_endpoint


def test_brokers_are_left_out(puppet, servers, outgoing):
    connect(puppet, servers[0], 3)
    connect(puppet, servers[1], 2, "more")
    brokers = Brokers.resolve([name_of(servers[0]), name_of(servers[2])])
    found = outgoing(brokers).read(members_of(puppet.pid))
    assert found.by_process[puppet.pid] == {ESTABLISHED: 2}
    assert set(found.by_endpoint) == {name_of(servers[1]), OTHER_ENDPOINTS}


def test_ipv6_and_mapped_addresses(puppet, servers, outgoing):
    try:
        six = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError as error:
        pytest.skip(f"this host has no IPv6 loopback ({error})")
    with six:
        connect(puppet, servers[0], 1)
        connect(puppet, six, 2, "more")
        puppet.do(f"""
mapped = socket.socket(socket.AF_INET6)
mapped.connect(("::ffff:127.0.0.1", {servers[0].getsockname()[1]}))
""")
        found = outgoing().read(members_of(puppet.pid))
        held = {name: one.held for name, one in found.by_endpoint.items()}
        six_name = f"[::1]:{six.getsockname()[1]}"
        assert held == {name_of(servers[0]): 2, six_name: 2, OTHER_ENDPOINTS: 0}


def test_the_kernel_leaves_out_what_it_is_told_to(servers, closed):
    with ExitStack() as stack:
        for server in servers:
            stack.enter_context(socket.create_connection(server.getsockname()))
        ends = [(ipaddress.ip_address("127.0.0.1"), one.getsockname()[1]) for one in servers]
        filler = [(ipaddress.ip_address(f"127.0.1.{n}"), n + 1) for n in range(200)]
        for left_out in ([], ends[:1], ends[:2], filler + ends, [*ends[1:], *filler]):
            diag = closed(SockDiag())
            ports = Counter()
            for length, run in diag.dump(exclusion_bytecode(left_out)):
                stride = (length + 3) & ~3
                for at in range(0, len(run), stride):
                    ports[int.from_bytes(run[at + 22 : at + 24], "big")] += 1
            there = [ports[port] > 0 for _, port in ends]
            assert there == [end not in left_out for end in ends]


def test_the_far_ends_of_brokers_on_this_host_are_left_out_too(servers, closed):
    host, port = servers[0].getsockname()
    with socket.create_connection((host, port)), servers[0].accept()[0]:
        for left_out, expected in (([], 2), ([(ipaddress.ip_address(host), port)], 0)):
            diag = closed(SockDiag())
            found = sum(
                port in (int.from_bytes(run[at + side : at + side + 2], "big") for side in (20, 22))
                for length, run in diag.dump(exclusion_bytecode(left_out), 1 << ESTABLISHED)
                for at in range(0, len(run), (length + 3) & ~3)
            )
            assert found == expected


def test_the_ends_of_others_do_not_use_up_the_names(puppets, puppet, servers, monkeypatch):
    monkeypatch.setattr(outgoing_module, "MOST_REMOTES", 2)
    other = puppets()
    connect(puppet, servers[0], 1)
    with closing(NetlinkOutgoing(NOBODY, puppet.pid)) as source:
        held = []
        for server in servers[1:]:
            connect(other, server, 1, f"kept{server.fileno()}")
            found = source.read(members_of(puppet.pid)).by_endpoint
            held.append({name: one.held for name, one in found.items()})
    for told in held:
        assert sum(told.values()) == 1
    assert Remotes().keep(()) == set()


def test_an_end_that_is_kept_keeps_its_name():
    remotes = Remotes()
    keys = [(int.from_bytes(bytes((10, 0, 0, n)), sys.byteorder), socket.htons(80)) for n in (1, 2)]
    first, second = (remotes[key] for key in keys)
    assert (remotes.names[first], remotes.names[second]) == ("10.0.0.1:80", "10.0.0.2:80")
    (kept,) = remotes.keep({second})
    assert remotes.names[kept] == "10.0.0.2:80"
    assert remotes[keys[1]] == kept
    assert remotes.names[remotes[keys[0]]] == "10.0.0.1:80"


def test_many_remote_ends_are_bounded():
    ends = [(f"10.0.0.{n}:80", EndpointCount(n, 1, 0, REMOTE)) for n in range(200)]
    found = most_used(ends)
    assert len(found) == MOST_ENDPOINTS + 1
    assert "10.0.0.199:80" in found
    assert sum(one.held for one in found.values()) == sum(range(200))


def test_an_end_without_connections_is_not_told():
    assert set(most_used([("10.0.0.1:80", EndpointCount(kind=REMOTE))])) == {OTHER_ENDPOINTS}


@pytest.fixture
def source_of(puppet):
    with ExitStack() as stack:

        def make(**given):
            values = read_all(OPTIONS, {"pid": puppet.pid, "out": "unused", **given})
            return stack.enter_context(closing(LocalSource(Options(**values), Budget(1.0))))

        yield make


def rows_of(sample):
    return {
        row["endpoint"]: (row["kind"], row["held"])
        for row in sample.endpoint_rows()
        if row["endpoint"] != OTHER_ENDPOINTS
    }


@pytest.mark.parametrize("source", ["netlink", "procfs"])
def test_without_brokers_all_connections_count(puppet, servers, source_of, source):
    connect(puppet, servers[0], 3)
    sample = source_of(source=source).take(0.0)
    assert sample.connections.by_process[puppet.pid] == {ESTABLISHED: 3}
    assert rows_of(sample) == {name_of(servers[0]): (REMOTE, 3)}


@pytest.mark.parametrize("source", ["netlink", "procfs"])
def test_a_second_broker_that_nobody_named_is_told(puppet, servers, source_of, source):
    connect(puppet, servers[0], 3)
    connect(puppet, servers[1], 2, "more")
    sample = source_of(source=source, brokers=name_of(servers[0])).take(0.0)
    assert sample.connections.by_process[puppet.pid] == {ESTABLISHED: 3}
    assert rows_of(sample) == {
        name_of(servers[0]): (BROKER, 3),
        name_of(servers[1]): (REMOTE, 2),
    }
    names = {row["name"]: row["count"] for row in sample.composition if row["kind"] == "fd"}
    assert names[f"tcp {name_of(servers[0])}"] == 3
    assert names[f"tcp {name_of(servers[1])}"] == 2


def test_other_connections_are_read_no_more_often_than_names(puppet, servers, source_of):
    connect(puppet, servers[1], 2)
    source = source_of(brokers=name_of(servers[0]), interval=1.0)
    told = [bool(rows_of(source.take(at)).get(name_of(servers[1]))) for at in range(6)]
    assert told == [True, False, False, False, False, True]


def test_descriptors_are_named(puppet, servers, source_of):
    connect(puppet, servers[0], 1)
    puppet.do("""
import tempfile
kept = [tempfile.NamedTemporaryFile(prefix="upload-", suffix=".tmp") for _ in range(3)]
pair, datagram = socket.socketpair(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listening = socket.create_server(("127.0.0.1", 0))
""")
    sample = source_of().take(0.0)
    names = {row["name"]: row["count"] for row in sample.composition if row["kind"] == "fd"}
    assert names[f"tcp {name_of(servers[0])}"] == 1
    assert (names["unix"], names["udp"], names["tcp listening"]) == (2, 1, 1)
    assert sum(count for name, count in names.items() if name.endswith(".tmp")) == 3


def test_the_sampler_records_without_brokers(puppet, servers, samplers, tmp_path, eventually):
    connect(puppet, servers[0], 2)
    sampler = samplers(puppet.pid, None, "--interval", "0.1")
    sampler.ready()
    eventually(lambda: len(sampler.rows()) > 4, "some samples")
    code, errors = sampler.stop()
    assert (code, errors) == (0, "")
    assert sampler.directory.read_metadata().brokers == ()
    rows = list(RowStream(sampler.directory.path, ENDPOINTS).new_rows())
    assert {(row["endpoint"], row["kind"]) for row in rows} == {
        (name_of(servers[0]), REMOTE),
        (OTHER_ENDPOINTS, REMOTE),
    }


def test_remote_ends_that_never_end_take_bounded_memory(monkeypatch):
    monkeypatch.setattr(procfs_source, "MOST_REMOTES", 50)
    source = ProcfsOutgoing(NOBODY)
    for number in range(300):
        remote = (ipaddress.ip_address("10.0.0.1"), number)
        one = procfs_source.Connection(1024, remote, ESTABLISHED, 1)
        monkeypatch.setattr(source, "_look", lambda _, one=one: [(f"end-{one.remote[1]}", one)])
        monkeypatch.setattr(source, "_owners", lambda *_: {1: 17})
        found = source.read({})
        assert found.by_endpoint[f"end-{number}"].held == 1
        assert len(source._used) <= 50
