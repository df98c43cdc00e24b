"""Apache Kafka on loopback, without Docker: a KRaft cluster of a JVM per broker.

The first node is the controller as well, and the only voter of its quorum. So the cluster
is led as soon as that one is up, and still is when any other broker is down; a quorum of
two, the alternative, would end with either of its members.
"""

import base64
import signal
import socket
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

import confluent_kafka
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tidemark.record.process import signal_name
from tidemark.targets.brokers.certificate import Certificate
from tidemark.targets.brokers.java import find_installation
from tidemark.targets.brokers.kafka_node import KafkaNode
from tidemark.targets.brokers.ports import LOOPBACK, ReservedPort, reserve_ports
from tidemark.targets.brokers.scratch import ScratchDirectory
from tidemark.targets.errors import TargetError

CONTROLLER_ID = 1
_START_TIMEOUT_S = 60.0
_ANSWER_TIMEOUT_S = 1.0
_LOOK_INTERVAL_S = 0.05
_TOPIC_TIMEOUT_S = 20.0


class KafkaCluster:
    """Brokers with the ids 1, 2, ..., each a process of its own.

    The JVMs end with this process, however it ends, and so does their data.

    Args:
        broker_count: How many brokers.
        base_port: The first broker's port, the others' follow; None leaves them to the kernel.
        tls: Whether clients connect with TLS; the certificate is made on the fly.
        properties: Further settings of every broker, as in Kafka's server.properties; they
            win over ours.

    Raises:
        TargetError: No Java or no Kafka is there, a port is taken, or the cluster does not
            come up. Nothing is left behind.
    """

    def __init__(
        self,
        broker_count: int,
        base_port: int | None = None,
        *,
        tls: bool = False,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        installation = find_installation()
        ports = reserve_ports(broker_count, base_port)
        self._controller_port = ReservedPort()
        self._scratch = ScratchDirectory()
        self.nodes: dict[int, KafkaNode] = {}
        try:
            folder = self._scratch.path
            self.certificate = Certificate.make(installation.keytool, folder) if tls else None
            secured = self.certificate.broker_properties() if self.certificate else {}
            for node_id, port in enumerate(ports, start=1):
                settings = {
                    **_node_properties(node_id, port, self._controller_port, broker_count, tls=tls),
                    **secured,
                    **(properties or {}),
                }
                directory = folder / f"broker{node_id}"
                self.nodes[node_id] = KafkaNode(node_id, port, installation, directory, settings)
            self._start()
        except BaseException:
            self.close()
            raise

    @property
    def bootstrap(self) -> list[str]:
        """Each broker's `host:port`, in the order of their ids."""
        return [node.port.address for node in self.nodes.values()]

    def create_topic(self, name: str, partitions: int, replication: int = 1) -> None:
        """Create a topic whose partitions are led by the brokers in turn.

        Returns when every broker knows all of its leaders.

        Raises:
            TargetError: Kafka refused, or took too long.
        """
        ids = list(self.nodes)
        replicas = [
            [ids[(partition + copy) % len(ids)] for copy in range(replication)]
            for partition in range(partitions)
        ]
        admin = AdminClient(self._client_options(",".join(self.bootstrap)))
        topic = NewTopic(name, partitions, replica_assignment=replicas)
        created: Future[None] = admin.create_topics([topic], request_timeout=_TOPIC_TIMEOUT_S)[name]
        try:
            created.result()
        except confluent_kafka.KafkaException as error:
            raise TargetError(
                f"Kafka could not create topic {name!r}: {error.args[0].str()}"
            ) from error
        leaders = [chosen[0] for chosen in replicas]
        for node in self.nodes.values():
            handle = confluent_kafka.Producer(self._client_options(node.port.address))
            self._wait(
                lambda handle=handle: _leaders(handle, name) == leaders,  # type: ignore[misc]
                f"broker {node.node_id} knows who leads topic {name!r}",
            )

    def await_broker(self, node_id: int) -> None:
        """Wait until a broker answers and knows of all the others.

        Raises:
            TargetError: It ended, or took too long.
        """
        node = self.nodes[node_id]
        # A first look without librdkafka, which waits longer after each refusal.
        self._wait(lambda: _accepts(node.port), f"broker {node_id} accepts connections")
        handle = confluent_kafka.Producer(self._client_options(node.port.address))
        self._wait(
            lambda: _known_brokers(handle) == list(self.nodes),
            f"broker {node_id} knows all the others",
        )

    def kill(self, brokers: Sequence[int]) -> None:
        """End brokers as a crash would. Their data and their ports stay."""
        for node_id in brokers:
            self.nodes[node_id].kill()

    def restart(self, brokers: Sequence[int]) -> None:
        """Start killed brokers again, all at once, and wait until each of them answers.

        Raises:
            TargetError: One ended, or took too long.
        """
        for node_id in brokers:
            self.nodes[node_id].start()
        for node_id in brokers:
            self.await_broker(node_id)

    def freeze(self, brokers: Sequence[int]) -> None:
        """Stop brokers: connections stay, nothing answers."""
        for node_id in brokers:
            self.nodes[node_id].signal(signal.SIGSTOP)

    def thaw(self, brokers: Sequence[int]) -> None:
        """Let frozen brokers go on."""
        for node_id in brokers:
            self.nodes[node_id].signal(signal.SIGCONT)

    def check(self) -> None:
        """See whether all brokers run that should.

        Raises:
            TargetError: One has ended of itself.
        """
        for node in self.nodes.values():
            code = node.exit_code
            if code is not None:
                name = signal_name(code)
                how = f"was killed by {name}" if name else f"has ended with code {code}"
                raise TargetError(f"broker {node.node_id} {how}: its log above may say why")

    def close(self) -> None:
        """End all brokers at once and remove their data."""
        for node in self.nodes.values():
            node.kill()
            node.port.close()
        self._controller_port.close()
        self._scratch.remove()

    def _start(self) -> None:
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        for node in self.nodes.values():
            node.begin_format(cluster_id)
        for node in self.nodes.values():
            node.end_format()
            node.start()
        for node_id in self.nodes:
            self.await_broker(node_id)

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise TargetError(f"after {_START_TIMEOUT_S:g} s still not: {what}")
            time.sleep(_LOOK_INTERVAL_S)

    def _client_options(self, bootstrap: str) -> dict[str, str | int | float | bool]:
        options = self.certificate.client_options() if self.certificate else {}
        return {"bootstrap.servers": bootstrap, "log_level": 0, **options}


def _known_brokers(handle: confluent_kafka.Producer) -> list[int]:
    try:
        return sorted(handle.list_topics(timeout=_ANSWER_TIMEOUT_S).brokers)
    except confluent_kafka.KafkaException:
        return []  # not yet: `_wait` gives up in the end


def _leaders(handle: confluent_kafka.Producer, topic: str) -> list[int]:
    """Who leads the topic's partitions, as far as this broker knows."""
    try:
        topics = handle.list_topics(timeout=_ANSWER_TIMEOUT_S).topics
    except confluent_kafka.KafkaException:
        return []
    partitions = topics[topic].partitions if topic in topics else {}
    return [partitions[number].leader for number in sorted(partitions)]


def _node_properties(
    node_id: int, port: ReservedPort, controller_port: ReservedPort, broker_count: int, *, tls: bool
) -> dict[str, str]:
    """A node's settings.

    Clients have a listener of their own, and with it a port on which nobody else connects.
    The brokers talk among themselves on another; its port is the kernel's choice, and Kafka
    itself tells the others which one that is. The rest makes small what is sized for
    machines that do nothing else.

    Source: https://kafka.apache.org/documentation/#brokerconfigs
    """
    roles = "broker,controller" if node_id == CONTROLLER_ID else "broker"
    advertised = f"CLIENTS://{port.address},INTERNAL://{LOOPBACK}:0"
    controller = f",CONTROLLER://{controller_port.address}" if node_id == CONTROLLER_ID else ""
    copies = str(min(3, broker_count))
    return {
        "node.id": str(node_id),
        "process.roles": roles,
        "controller.quorum.voters": f"{CONTROLLER_ID}@{controller_port.address}",
        "controller.listener.names": "CONTROLLER",
        "listeners": advertised + controller,
        "advertised.listeners": advertised,
        "listener.security.protocol.map": (
            f"CLIENTS:{'SSL' if tls else 'PLAINTEXT'},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT"
        ),
        "inter.broker.listener.name": "INTERNAL",
        # A killed broker may register again only once its former session has run out.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "num.network.threads": "2",
        "num.io.threads": "2",
        "log.cleaner.dedupe.buffer.size": "2097152",
        "offsets.topic.num.partitions": "1",
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.num.partitions": "1",
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
    }


def _accepts(port: ReservedPort) -> bool:
    try:
        socket.create_connection((LOOPBACK, port.number), timeout=_ANSWER_TIMEOUT_S).close()
    except OSError:
        return False
    return True
