"""Events through a broker: what happens goes to NATS JetStream, and what others say there comes in."""
