"""`targets.client`: who owns what, what it costs, and that all of it goes back.

Two brokers, four partitions, batches that reach both: a client holds six pipe ends, two
connections, and four threads of librdkafka's beside its own updater.
"""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from tidemark.targets.client import METADATA_THREAD_NAME, Client, Producer
from tidemark.targets.config import KafkaConfig
from tidemark.targets.errors import ClientError, ClosedClientError, DeliveryError, OutOfBrokersError
from tidemark.targets.thread_profile import read_thread_names

BATCH = [b"message"] * 40


@pytest.fixture
def updaters():
    return lambda: [t for t in threading.enumerate() if t.name == METADATA_THREAD_NAME]


@pytest.fixture
def _no_collector():
    """What goes back must do so at once, not when the collector finds a circle."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


pytestmark = pytest.mark.usefixtures("_no_collector")


def test_closing_the_producer_leaves_a_borrowed_client_open(
    kafka, open_descriptors, updaters, wait_until
):
    before = open_descriptors()
    client = Client(kafka)
    producer = Producer.from_client(client)
    for message in BATCH:
        producer.send(message)
    producer.close()
    wait_until(lambda: open_descriptors() == before + 8, "the bootstrap connection is closed")
    assert len(updaters()) == 1
    client.refresh_metadata()  # still works: it was not the producer's to close

    client.close()
    assert open_descriptors() == before
    assert updaters() == []


def test_the_updater_alone_keeps_a_forgotten_client_alive(kafka, open_descriptors, updaters):
    before = open_descriptors()
    client = Client(kafka)
    forgotten = weakref.ref(client)
    del client
    assert forgotten() is not None
    assert len(updaters()) == 1
    assert open_descriptors() > before

    forgotten().close()
    assert forgotten() is None, "nothing else referred to it"
    assert open_descriptors() == before


def test_the_updater_has_a_name_that_the_kernel_shows(kafka, wait_until):
    client = Client(kafka)
    wait_until(lambda: METADATA_THREAD_NAME in read_thread_names().values(), "the updater is named")
    client.close()
    assert len(METADATA_THREAD_NAME) <= 15


def test_a_producer_with_a_client_of_its_own_closes_it(broker, kafka, open_descriptors, updaters):
    before, offset = open_descriptors(), broker.end_offset()
    producer = Producer(kafka)
    for message in BATCH:
        producer.send(message)
    producer.close()
    assert broker.end_offset() == offset + len(BATCH)
    assert open_descriptors() == before
    assert updaters() == []


def test_a_closed_client_is_of_no_use(kafka):
    client = Client(kafka)
    producer = Producer.from_client(client)
    client.close()
    client.close()  # harmless
    with pytest.raises(ClosedClientError):
        producer.send(b"too late")


def test_an_unreachable_cluster_leaves_nothing_behind(unreachable, open_descriptors, updaters):
    before = open_descriptors()
    with pytest.raises(OutOfBrokersError, match=r"no broker of 127\.0\.0\.1:1 answered within 1"):
        Client(unreachable)
    assert open_descriptors() == before
    assert updaters() == []


def test_a_wrong_option_is_named():
    with pytest.raises(ClientError, match='No such configuration property: "nonsense"'):
        Client(KafkaConfig("127.0.0.1:1", options={"nonsense": 1}))


def test_a_message_that_librdkafka_refuses_is_a_delivery_error(kafka):
    client = Client(kafka)
    producer = Producer.from_client(client)
    with pytest.raises(DeliveryError, match="Message size too large"):
        producer.send(b"x" * 1_100_000)
    client.close()


@pytest.mark.e2e
def test_a_broker_that_stops_answering(start_broker, open_descriptors):
    broker = start_broker()
    before = open_descriptors()
    config = KafkaConfig(broker.bootstrap, ack_timeout_s=1.0, options={"log_level": 0})
    client = Client(config)
    producer = Producer.from_client(client)
    reports = weakref.ref(producer._reports)
    broker.freeze()
    for message in BATCH:
        producer.send(message)
    with pytest.raises(DeliveryError, match="40 messages were not acknowledged within 1 s"):
        producer.close()
    client.close()
    broker.thaw()
    assert open_descriptors() == before
    del producer
    gc.collect()
    assert reports() is None, "librdkafka still refers to what it reports to"


def test_options_win_over_the_story(kafka):
    config = KafkaConfig("h:1", options={"linger.ms": 5, "acks": "1"})
    properties = config.librdkafka()
    assert (properties["linger.ms"], properties["acks"]) == (5, "1")
    assert properties["socket.connection.setup.timeout.ms"] == 3000
    assert properties["message.timeout.ms"] == 3000
    assert "acks" not in repr(config), "options may hold secrets"
