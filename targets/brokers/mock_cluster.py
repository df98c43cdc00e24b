"""librdkafka's mock cluster, through the library inside the confluent-kafka wheel.

The wheel exports the whole mock API; Python has no binding for it beyond
`test.mock.num.brokers`, so it is called through ctypes.

Source: librdkafka, src/rdkafka_mock.h (an experimental API; tried with 2.16).
"""

import ctypes
import os
import socket
from collections.abc import Sequence
from pathlib import Path

import confluent_kafka.cimpl

from tidemark.targets.brokers.ports import LOOPBACK, reserve_ports
from tidemark.targets.errors import TargetError

_PRODUCER = 0  # rd_kafka_type_t
_LISTEN_BACKLOG = 4096

_NEVER_MS = 24 * 3600 * 1000


class MockCluster:
    """Brokers on loopback ports of this process. One per process.

    Args:
        broker_count: How many brokers; their ids are 1, 2, ...
        base_port: The first broker's port, the others' follow; None leaves them to the kernel.

    Raises:
        TargetError: A port is taken, or the library has no mock cluster.
    """

    def __init__(self, broker_count: int, base_port: int | None = None) -> None:
        self.broker_count = broker_count
        self._ports = [] if base_port is None else reserve_ports(broker_count, base_port)
        self._library = _load_library()
        before = _listening_descriptors()
        self._handle = self._new_handle()
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._handle, broker_count)
        if not self._cluster:
            raise TargetError("librdkafka could not start its mock cluster")
        self._listeners = _by_port(_listening_descriptors() - before)
        addresses: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)
        self.bootstrap = addresses.decode().split(",")
        if self._ports:
            self._move()
        self._widen_backlog()

    def _do(self, action: str, *arguments: object) -> None:
        """Call `rd_kafka_mock_<action>`.

        Raises:
            TargetError: librdkafka refused.
        """
        error = getattr(self._library, f"rd_kafka_mock_{action}")(self._cluster, *arguments)
        if error:
            reason: bytes = self._library.rd_kafka_err2str(error)
            raise TargetError(f"the mock cluster refused {action}{arguments}: {reason.decode()}")

    def create_topic(self, name: str, partitions: int) -> None:
        """Create a topic whose partitions are led by the brokers in turn."""
        self._do("topic_create", name.encode(), partitions, min(3, self.broker_count))
        for partition in range(partitions):
            leader = partition % self.broker_count + 1
            self._do("partition_set_leader", name.encode(), partition, leader)

    def kill(self, brokers: Sequence[int]) -> None:
        """Close the brokers' connections and refuse new ones."""
        for broker in brokers:
            self._do("broker_set_down", broker)

    def restart(self, brokers: Sequence[int]) -> None:
        """Let killed brokers accept connections again."""
        before = _listening_descriptors()
        for broker in brokers:
            self._do("broker_set_up", broker)
        # A broker that comes up binds its first port again, with a backlog of 5.
        self._listeners = _by_port(_listening_descriptors() - before)
        if self._ports:
            self._take_ports()
        self._widen_backlog()

    def freeze(self, brokers: Sequence[int]) -> None:
        """Let brokers accept and read, and answer nothing."""
        for broker in brokers:
            self._do("broker_set_rtt", broker, _NEVER_MS)

    def thaw(self, brokers: Sequence[int]) -> None:
        """Let frozen brokers answer, what has waited too."""
        for broker in brokers:
            self._do("broker_set_rtt", broker, 0)

    def _new_handle(self) -> int:
        error = ctypes.create_string_buffer(512)
        configuration = self._library.rd_kafka_conf_new()
        # Warnings and worse: that this handle itself has no brokers is as it should be.
        self._library.rd_kafka_conf_set(configuration, b"log_level", b"4", error, len(error))
        handle: int | None = self._library.rd_kafka_new(_PRODUCER, configuration, error, len(error))
        if not handle:
            raise TargetError(f"librdkafka could not start: {error.value.decode()}")
        return handle

    def _move(self) -> None:
        """Put our own listening sockets in the place of librdkafka's, which chose its ports.

        The cluster knows its listeners by descriptor, so that a descriptor that now means
        another socket accepts there; clients learn the new port from the metadata.
        """
        self._own_ports = [int(address.rsplit(":", 1)[1]) for address in self.bootstrap]
        self._take_ports()
        set_host_port = self._library.rd_kafka_mock_broker_set_host_port
        for broker, port in enumerate(self._ports, start=1):
            set_host_port(self._cluster, broker, LOOPBACK.encode(), port.number)
        self.bootstrap = [port.address for port in self._ports]

    def _take_ports(self) -> None:
        for own_port, port in zip(self._own_ports, self._ports, strict=True):
            if own_port not in self._listeners:
                continue  # this broker's listener has been ours all along
            listener = port.listen(_LISTEN_BACKLOG)
            listener.setblocking(False)
            os.dup2(listener.fileno(), self._listeners[own_port], inheritable=False)
            listener.close()

    def _widen_backlog(self) -> None:
        """Let more than librdkafka's 5 connections wait to be accepted.

        A burst of connects would otherwise wait a second for its SYN to be repeated.
        """
        for descriptor in self._listeners.values():
            with socket.socket(fileno=os.dup(descriptor)) as duplicate:
                duplicate.listen(_LISTEN_BACKLOG)


def _load_library() -> ctypes.CDLL:
    """Load the Python extension; its symbols include those of the librdkafka it is linked to."""
    path = confluent_kafka.cimpl.__file__
    library = ctypes.CDLL(path)
    pointer, text, integer = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    signatures = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_conf_set": (integer, [pointer, text, text, text, ctypes.c_size_t]),
        "rd_kafka_new": (pointer, [integer, pointer, text, ctypes.c_size_t]),
        "rd_kafka_err2str": (text, [integer]),
        "rd_kafka_mock_cluster_new": (pointer, [pointer, integer]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_topic_create": (integer, [pointer, text, integer, integer]),
        "rd_kafka_mock_partition_set_leader": (
            integer,
            [pointer, text, ctypes.c_int32, ctypes.c_int32],
        ),
        "rd_kafka_mock_broker_set_down": (integer, [pointer, ctypes.c_int32]),
        "rd_kafka_mock_broker_set_up": (integer, [pointer, ctypes.c_int32]),
        "rd_kafka_mock_broker_set_rtt": (integer, [pointer, ctypes.c_int32, integer]),
        "rd_kafka_mock_broker_set_host_port": (None, [pointer, ctypes.c_int32, text, integer]),
    }
    try:
        for name, (result, arguments) in signatures.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except AttributeError as error:
        raise TargetError(
            f"the librdkafka in {Path(path).parent} has no mock cluster ({error}): "
            "install confluent-kafka from its wheel, 2.11 or later"
        ) from error
    return library


def _listening_descriptors() -> set[int]:
    """The descriptors of this process that are listening sockets."""
    return set(filter(_is_listening, map(int, os.listdir("/proc/self/fd"))))  # noqa: PTH208


def _is_listening(descriptor: int) -> bool:
    try:
        with socket.socket(fileno=os.dup(descriptor)) as duplicate:
            return bool(duplicate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        return False  # not a socket, or gone: the listing's own descriptor


def _by_port(descriptors: set[int]) -> dict[int, int]:
    ports = {}
    for descriptor in descriptors:
        with socket.socket(fileno=os.dup(descriptor)) as duplicate:
            ports[duplicate.getsockname()[1]] = descriptor
    return ports
