"""The platform over HTTP: who calls, for which front end; bytes in, bytes out. It knows no pack by name."""
