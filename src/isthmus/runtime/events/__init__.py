"""Events to the capabilities of front ends: subscriptions, durable delivery, dead letters."""
