"""The part of an app's service worker that shows pushes, for apps to import."""

from __future__ import annotations

from importlib.resources import files

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from isthmus.kernel import Platform


def site(platform: Platform) -> Starlette:
    """Return the application that serves the script."""
    script = files("isthmus.packs.messaging.pages").joinpath("worker.js").read_bytes()

    async def worker(request: Request) -> Response:
        headers = {"cache-control": "max-age=300", "cross-origin-resource-policy": "cross-origin"}
        return Response(script, media_type="text/javascript", headers=headers)

    return Starlette(routes=[Route("/worker.js", worker)])
