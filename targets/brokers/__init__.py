"""What a target writes to: the mock cluster and real Kafka brokers on loopback."""
