"""What is seen of a server from outside: logs, traces, figures."""
