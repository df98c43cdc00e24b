"""What is put under load: a service that writes to Kafka, in several ways, and its brokers."""
