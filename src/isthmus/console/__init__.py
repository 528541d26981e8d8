"""The console: where each looks for an answer. Server-rendered pages, a client of the platform like any other."""
