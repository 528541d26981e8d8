"""A push as a person sees it: encrypted, sent, decrypted as a browser does, and shown by Chromium's service worker."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
import uvicorn
from playwright.async_api import BrowserContext
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route

from isthmus.packs.messaging.pages.site import site
from tests import browser as browsers
from tests.waiting import until

from .conftest import Desk

PAGE = "<!doctype html><title>Shop</title><script>navigator.serviceWorker.register('/worker.js')</script>"
WORKER = 'importScripts("/messaging/worker.js");'


async def _page(request: Request) -> Response:
    return HTMLResponse(PAGE)


async def _worker(request: Request) -> Response:
    return Response(WORKER, media_type="text/javascript")


@pytest.fixture
async def shop() -> AsyncIterator[str]:
    """Give the address of a shop whose worker imports what shows pushes."""
    app = Starlette(
        routes=[Route("/", _page), Route("/worker.js", _worker), Mount("/messaging", site(cast(Any, None)))]
    )
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="warning"))
    thread = threading.Thread(target=lambda: server.run([listening]))
    thread.start()
    yield f"http://localhost:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
async def context(shop: str) -> AsyncIterator[BrowserContext]:
    async with browsers.opened() as browser:
        context = await browser.new_context()
        await context.grant_permissions(["notifications"], origin=shop)
        yield context


async def test_chromium_shows_a_push_that_was_encrypted_for_it(desk: Desk, shop: str, context: BrowserContext) -> None:
    ann = await desk.join("ann@example.org")
    subscribed = await desk.subscribe(ann, "ann")
    for hour in ("5", "6"):
        await desk.notify(ann, title=f"Delivery at {hour}", body="Be at home", link="/orders/7", collapse_key="slot")
        await desk.deliver()
    shipped = await desk.notify(ann, title="On its way", link="/orders/8")
    await desk.deliver()
    page = await context.new_page()
    chromium = await context.new_cdp_session(page)
    registrations: list[str] = []
    chromium.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: registrations.extend(one["registrationId"] for one in event["registrations"]),
    )
    await chromium.send("ServiceWorker.enable")
    await page.goto(shop)
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")

    async def registration() -> str:
        return registrations[-1] if registrations else ""

    id = await until(registration)
    pushes = subscribed.read()
    for said in (
        pushes[2],
        *pushes,
    ):  # one comes twice; what a push service hands over to the browser, once that has decrypted it
        ask = {"origin": shop, "registrationId": id, "data": json.dumps(said)}
        await chromium.send("ServiceWorker.deliverPushMessage", ask)

    async def shown() -> list[dict[str, Any]]:
        return await page.evaluate(
            "navigator.serviceWorker.ready.then(one => one.getNotifications()).then(all => all.map("
            "one => ({title: one.title, body: one.body, link: one.data.link, tag: one.tag})))"
        )

    async def newest() -> list[dict[str, Any]]:
        found = await shown()
        return found if {"Delivery at 6", "On its way"} <= {one["title"] for one in found} else []

    assert sorted(await until(newest), key=str) == [  # the one before has the same tag, and is replaced
        {"title": "Delivery at 6", "body": "Be at home", "link": "/orders/7", "tag": "slot"},
        {"title": "On its way", "body": "", "link": "/orders/8", "tag": str(shipped.message_id)},
    ]
