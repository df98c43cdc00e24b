"""Every TCP state that can be provoked, against `ss -tanp`, psutil and our own sources."""

import re
import shutil
import socket
import subprocess
from collections import Counter
from contextlib import ExitStack
from functools import partial

import psutil
import pytest

from tests.eventually import eventually, eventually_equal
from tests.sampler.conftest import DEADLINE_S
from tidemark.record.metrics import TCP_STATE_NUMBERS
from tidemark.sampler.brokers import Brokers
from tidemark.sampler.connections import state_columns
from tidemark.sampler.errors import SamplerError
from tidemark.sampler.netlink.source import NetlinkSource
from tidemark.sampler.procfs_source import ProcfsSource
from tidemark.sampler.tree import ProcessTree, identify

SS_STATES = {
    "ESTAB": "established",
    "SYN-SENT": "syn_sent",
    "FIN-WAIT-1": "fin_wait1",
    "FIN-WAIT-2": "fin_wait2",
    "TIME-WAIT": "time_wait",
    "CLOSE-WAIT": "close_wait",
    "LAST-ACK": "last_ack",
    "CLOSING": "closing",
}


def by_ss(port, enter=()):
    """(pid, state) -> count; pid 0 for what no process holds."""
    found = Counter()
    output = subprocess.run(
        [*enter, "ss", "-Htanp", f"dport = :{port}"], capture_output=True, text=True, check=True
    ).stdout
    for line in output.splitlines():
        pids = re.findall(r"pid=(\d+)", line)
        found[int(pids[0]) if pids else 0, SS_STATES[line.split()[0]]] += 1
    return found


def by_psutil(pid, port):
    found = Counter()
    for connection in psutil.Process(pid).net_connections("tcp"):
        if connection.raddr and connection.raddr.port == port:
            found[pid, connection.status.lower()] += 1
    return found


def flat(connections):
    names = {number: name for name, number in TCP_STATE_NUMBERS.items()}
    return Counter(
        {
            (pid, names[number]): count
            for pid, counts in connections.by_process.items()
            for number, count in counts.items()
            if count
        }
    )


def tree_of(pid):
    tree = ProcessTree(identify(pid))
    tree.refresh(0.0)
    return tree


@pytest.fixture
def in_every_state(puppet, listener):
    """A process with connections in every state, and what it has of each."""
    if not shutil.which("ss"):
        pytest.skip("needs ss (iproute2) to compare with")
    host, port = listener.getsockname()
    with ExitStack() as stack:
        puppet.do(f"made = [connect({host!r}, {port}) for _ in range(16)]")
        puppet.do("first = [c.getsockname()[1] for c in made]")
        accepted = [stack.enter_context(listener.accept()[0]) for _ in range(16)]
        ports = puppet.do("result = first")
        far = {one.getpeername()[1]: one for one in accepted}
        peer = [far[one] for one in ports]
        for at in (1, 2, 3):
            peer[at].shutdown(socket.SHUT_WR)  # CLOSE_WAIT at 1 and 2
        puppet.do("fill(made[3]); made[3].shutdown(socket.SHUT_WR)")  # LAST_ACK
        puppet.do("made[4].shutdown(socket.SHUT_WR)")  # FIN_WAIT2, still held
        puppet.do("fill(made[5]); made[5].shutdown(socket.SHUT_WR)")  # FIN_WAIT1
        puppet.do("fill(made[6]); made[6].shutdown(socket.SHUT_WR)")
        peer[6].shutdown(socket.SHUT_WR)  # CLOSING
        puppet.do("made[7].close(); made[8].close(); made[9].close()")
        peer[7].close()  # TIME_WAIT
        peer[8].close()  # TIME_WAIT
        # 9: FIN_WAIT2 that nobody holds
        yield puppet, port


EXPECTED_HELD = {
    "established": 7,
    "close_wait": 2,
    "last_ack": 1,
    "fin_wait2": 1,
    "fin_wait1": 1,
    "closing": 1,
}


def test_all_sources_agree_in_every_state(in_every_state, closed):
    puppet, port = in_every_state
    pid = puppet.pid
    brokers = Brokers.resolve([f"127.0.0.1:{port}"])
    expected = Counter({(pid, state): count for state, count in EXPECTED_HELD.items()})
    expected[0, "time_wait"] = 2
    expected[0, "fin_wait2"] = 1
    eventually_equal(lambda: by_ss(port), expected, "what ss shows", DEADLINE_S)
    held = Counter({key: count for key, count in expected.items() if key[0] == pid})
    assert by_psutil(pid, port) == held
    members = tree_of(pid).members
    netlink = closed(NetlinkSource(brokers, pid))
    found = netlink.read(members)
    assert flat(found) == expected
    endpoint = found.by_endpoint[f"127.0.0.1:{port}"]
    assert (endpoint.held, endpoint.time_wait) == (13, 2)
    assert closed(ProcfsSource(brokers)).read(members) == found


def test_syn_sent_against_a_full_backlog(puppet, eventually, closed):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        puppet.do(f"""
made = [socket.socket() for _ in range(6)]
for one in made:
    one.setblocking(False)
    one.connect_ex(("127.0.0.1", {port}))
""")
        eventually(lambda: by_ss(port)[puppet.pid, "syn_sent"] >= 3, "SYN_SENT")
        source = closed(NetlinkSource(Brokers.resolve([f"127.0.0.1:{port}"]), puppet.pid))
        assert flat(source.read(tree_of(puppet.pid).members)) == by_ss(port)


def test_ipv6_and_ipv4_mapped(puppet, closed):
    with ExitStack() as stack:
        four = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        try:
            six = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
        except OSError as error:
            pytest.skip(f"this host has no IPv6 loopback ({error})")
        ports = four.getsockname()[1], six.getsockname()[1]
        puppet.do(f"""
made = [connect("127.0.0.1", {ports[0]}), connect("::1", {ports[1]}), connect("::1", {ports[1]})]
mapped = socket.socket(socket.AF_INET6)
mapped.connect(("::ffff:127.0.0.1", {ports[0]}))
""")
        by_port = [by_psutil(puppet.pid, port) for port in ports]
        assert by_port == [Counter({(puppet.pid, "established"): 2})] * 2
        for given in ("127.0.0.1", "[::ffff:127.0.0.1]"):
            names = [f"{given}:{ports[0]}", f"[::1]:{ports[1]}"]
            brokers = Brokers.resolve(names)
            members = tree_of(puppet.pid).members
            for source in (NetlinkSource(brokers, puppet.pid), ProcfsSource(brokers)):
                found = closed(source).read(members)
                assert found.by_process[puppet.pid] == {1: 4}
                assert [found.by_endpoint[name].held for name in names] == [2, 2]


def test_only_the_remote_end_counts_and_only_the_trees_own(puppets, listener, closed):
    """The broker's own ends, another client's, and another port's do not count."""
    host, port = listener.getsockname()
    target, other = puppets(), puppets()
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        target.do(f"a = [connect({host!r}, {port}) for _ in range(3)]")
        target.do(f"b = connect('127.0.0.1', {elsewhere.getsockname()[1]})")
        other.do(f"a = [connect({host!r}, {port}) for _ in range(5)]")
        with ExitStack() as stack:
            for _ in range(8):
                stack.enter_context(listener.accept()[0])
            brokers = Brokers.resolve([f"{host}:{port}"])
            members = tree_of(target.pid).members
            sources = closed(NetlinkSource(brokers, target.pid)), closed(ProcfsSource(brokers))
            for _ in range(3):  # the strangers are remembered as such
                for one in sources:
                    found = one.read(members)
                    assert found.by_process[target.pid] == {1: 3}
                    assert found.by_process[0] == {}
                    assert found.by_endpoint[f"{host}:{port}"].held == 3


def test_what_is_new_is_found_whatever_descriptor_it_gets(puppet, listener, closed):
    """Holes, high descriptors, duplicates, and files between: always what psutil says."""
    host, port = listener.getsockname()
    source = closed(NetlinkSource(Brokers.resolve([f"{host}:{port}"]), puppet.pid))
    steps = [
        f"made = [connect({host!r}, {port}) for _ in range(40)]",
        "for at in range(0, 40, 3): made[at].close()",
        "files = [open('/dev/null') for _ in range(5)]",
        f"made += [connect({host!r}, {port}) for _ in range(30)]",
        "for one in files: one.close()",
        f"made += [connect({host!r}, {port}) for _ in range(9)]",
        f"high = connect({host!r}, {port}); at = os.dup2(high.fileno(), 900); high.close()",
        "os.dup2(at, 901); os.close(at)",
        "[one.close() for one in made]",
        f"made = [connect({host!r}, {port}) for _ in range(50)]",
    ]
    for step in steps:
        puppet.do(step)
        members = tree_of(puppet.pid).members
        expected = by_psutil(puppet.pid, port)
        source.read(members)
        assert flat(source.read(members))[puppet.pid, "established"] == sum(
            count for (_, state), count in expected.items() if state == "established"
        ), step


def test_workers_that_are_forked_and_end(puppet, listener, eventually, closed):
    host, port = listener.getsockname()
    source = closed(NetlinkSource(Brokers.resolve([f"{host}:{port}"]), puppet.pid))
    tree = tree_of(puppet.pid)
    work = f"fork(lambda: [connect({host!r}, {port}) for _ in range(%d)])"
    first = puppet.do(f"result = {work % 3}")
    second = puppet.do(f"result = {work % 5}")
    tree.refresh(0.1)
    found = source.read(tree.members)
    assert {pid: sum(counts.values()) for pid, counts in found.by_process.items()} == {
        0: 0,
        puppet.pid: 0,
        first: 3,
        second: 5,
    }
    puppet.do(f"os.kill({first}, 9); os.waitpid({first}, 0)")
    third = puppet.do(f"result = {work % 2}")
    eventually(lambda: by_ss(port)[first, "established"] == 0, "the first worker's end")
    tree.refresh(0.2)
    found = source.read(tree.members)
    assert found.by_process[second] == {1: 5}
    assert found.by_process[third] == {1: 2}
    assert first not in found.by_process


def test_a_socket_that_parent_and_child_share_counts_once(puppet, listener, closed):
    host, port = listener.getsockname()
    puppet.do(f"made = [connect({host!r}, {port}) for _ in range(4)]")
    puppet.do("result = fork()")
    source = closed(NetlinkSource(Brokers.resolve([f"{host}:{port}"]), puppet.pid))
    found = source.read(tree_of(puppet.pid).members)
    assert sum(sum(counts.values()) for counts in found.by_process.values()) == 4


def test_columns_have_every_state():
    assert state_columns({1: 2, 6: 3}) == {
        "established": 2,
        "syn_sent": 0,
        "fin_wait1": 0,
        "fin_wait2": 0,
        "time_wait": 3,
        "close_wait": 0,
        "last_ack": 0,
        "closing": 0,
    }


NINE = {(0, "time_wait"): 9}


class LeftBehind:
    """A target that opens nine connections, closes them first, and ends; and a reader of it.

    The nine are in TIME_WAIT then, unless this machine was so busy that a FIN was sent twice:
    the answer to the second one meets a socket that has gone, and the RST that comes back ends
    the TIME_WAIT before its time (RFC 1337). In a namespace of its own that is switched off.
    """

    def __init__(self, puppets, witness, source, enter):
        self.enter = enter
        self.port = witness.do("""
server = socket.create_server(("127.0.0.1", 0))
result = server.getsockname()[1]
""")
        target = puppets(prefix=enter)
        self.tree = tree_of(target.pid)
        self.reader = source(Brokers.resolve([self.endpoint]), target.pid)
        assert flat(self.reader.read(self.tree.members)) == {}
        target.do(f"made = [connect('127.0.0.1', {self.port}) for _ in range(9)]")
        witness.do("accepted = [server.accept()[0] for _ in range(9)]")
        target.do("[one.close() for one in made]")
        witness.do("[one.close() for one in accepted]")
        target.end()
        self.tree.refresh(1.0)

    @property
    def endpoint(self):
        return f"127.0.0.1:{self.port}"

    def lost_some(self):
        """Whether `ss`, where it is, says that the kernel has let go of some already."""
        if not shutil.which("ss"):
            return False
        seen = partial(by_ss, self.port, self.enter)
        eventually(lambda: set(seen()) <= set(NINE), "every connection closed")
        return seen() != NINE


@pytest.mark.parametrize("is_elsewhere", [False, True])
@pytest.mark.parametrize("source", [NetlinkSource, lambda brokers, _: ProcfsSource(brokers)])
def test_time_wait_outlives_the_target(puppets, in_a_namespace, source, is_elsewhere, closed):
    """What `ss` still says after the last process of the target has gone, in any namespace."""
    witness, _ = in_a_namespace if is_elsewhere else (puppets(), None)
    enter = ["nsenter", "-n", "-t", str(witness.pid)] if is_elsewhere else []

    def opened(*given):
        return closed(source(*given))

    left = LeftBehind(puppets, witness, opened, enter)
    for _ in range(2):
        if left.lost_some():
            left = LeftBehind(puppets, witness, opened, enter)
    assert left.tree.members == {}
    eventually_equal(lambda: flat(left.reader.read({})), NINE, "TIME_WAIT", DEADLINE_S)
    assert left.reader.read({}).by_endpoint[left.endpoint].time_wait == 9
    if shutil.which("ss"):
        assert by_ss(left.port, enter) == NINE


def test_where_no_table_could_be_opened_nothing_is_told():
    with pytest.raises(SamplerError, match="no process of the target"):
        ProcfsSource(Brokers.resolve(["127.0.0.1:9092"])).read({})


@pytest.mark.parametrize("given", ["0.0.0.0", "[::]", "[::ffff:0.0.0.0]"])
def test_an_address_that_stands_for_all_of_this_host(puppet, given, closed):
    host = given.strip("[]")
    family = socket.AF_INET6 if host == "::" else socket.AF_INET
    try:
        server = socket.create_server(("", 0), family=family)
    except OSError as error:
        pytest.skip(f"this host has no IPv6 loopback ({error})")
    with server:
        port = server.getsockname()[1]
        puppet.do(f"made = [connect({host!r}, {port}) for _ in range(3)]")
        brokers = Brokers.resolve([f"{given}:{port}"])
        members = tree_of(puppet.pid).members
        for source in (NetlinkSource(brokers, puppet.pid), ProcfsSource(brokers)):
            assert closed(source).read(members).by_process[puppet.pid] == {1: 3}
