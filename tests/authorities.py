"""Imported first where tests make HTTP clients: loads a list of certificate authorities once for a process.

Each client of httpx loads some 140 anew, 20 ms of processor time, whoever it talks to; a run makes thousands of
clients, nearly all of them for this machine without TLS. What a client trusts is the same: who names certificates of
their own, in code or in the environment, is given those.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

Make = Callable[..., ssl.SSLContext]
LIBRARIES = ("httpx", "httpx2")  # the second is what a library of OpenID Connect asks by
NAMED_BY = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def made_once(make: Make) -> Make:
    """Return what makes the trust of a client: of those who name no certificates in code, the same for all."""

    @cache
    def usual(trust_env: bool, *named: str | None) -> ssl.SSLContext:
        return make(trust_env=trust_env)

    def trusted(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:
        if verify is True and cert is None:
            return usual(trust_env, *map(os.environ.get, NAMED_BY))
        return make(verify=verify, cert=cert, trust_env=trust_env)

    return trusted


for library in filter(find_spec, LIBRARIES):
    transports: Any = import_module(f"{library}._transports.default")
    transports.create_ssl_context = made_once(transports.create_ssl_context)
