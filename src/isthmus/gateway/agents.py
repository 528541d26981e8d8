"""The endpoint of agents, made when the first one comes: its library takes a second to import."""

from __future__ import annotations

import asyncio
import importlib

from isthmus.kernel import Platform

from .deploys import Admit
from .http import App, Scope, Send
from .wire.body import Receive


def agents(platform: Platform, admit: Admit) -> App:
    """Return the endpoint. `admit` returns who a credential names, or refuses."""
    made: list[App] = []

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if not made:
            module = await asyncio.to_thread(importlib.import_module, "isthmus.gateway.mcp")
            made.append(module.Agents(platform, admit))
        await made[0](scope, receive, send)

    return serve
