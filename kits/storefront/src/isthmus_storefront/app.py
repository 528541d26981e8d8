"""The app of a shop: browse, basket, checkout, orders and returns, over the public API."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .account import Accounts, come_back, go, leave, origin
from .basket import basket, change, checkout
from .browsing import browse, picture, product
from .orders import one_order, orders, pay, pay_later, send_back
from .pages import environment, refusal, style
from .platform import Platform, Refused
from .progressive import routes as app_routes
from .progressive import version_of
from .pushing import routes as push_routes
from .safety import guarded
from .shop import Shop
from .signing import sign_in, sign_out
from .subscribing import act, again, subscribe, subscriptions


def serve(shop: Shop) -> Starlette:
    """Return the shop's app by the environment: SHOP_API, SHOP_KEY, and SHOP_SECRET, which signs its cookie.

    Where SHOP_ISSUER is set, shoppers sign in there, with the group's account.
    """
    secret, issuer = os.environ["SHOP_SECRET"].encode(), os.environ.get("SHOP_ISSUER", "")
    return make(shop, os.environ["SHOP_API"], os.environ["SHOP_KEY"], secret, issuer)


def make(shop: Shop, address: str, key: str, secret: bytes, issuer: str = "") -> Starlette:
    """Return the shop's app over a platform's address. issuer: who says who a shopper is; nothing: they say it."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None, None]:
        app.state.platform, app.state.secret, app.state.departments = Platform(address, key), secret, {}
        app.state.accounts = Accounts(issuer, shop.code)
        yield
        await app.state.accounts.close()
        await app.state.platform.close()

    handlers, around = {Refused: refusal}, [Middleware(guarded, elsewhere=origin(issuer))]
    made = Starlette(
        routes=[
            *_routes(has_accounts=bool(issuer)),
            *(_again_routes() if shop.subscriptions else ()),
            *push_routes(shop.app),
            *app_routes(shop.app),
        ],
        lifespan=lifespan,
        exception_handlers=handlers,
        middleware=around,
    )
    files = version_of(shop)
    made.state.shop, made.state.files, made.state.pages = shop, files, environment(shop, files)
    return made


def _routes(*, has_accounts: bool) -> list[Route]:
    return [
        Route("/", browse),
        Route("/product/{sku}", product),
        Route("/media/{name}", picture),
        Route("/basket", basket),
        Route("/basket", change, methods=["POST"]),
        Route("/checkout", checkout, methods=["POST"]),
        Route("/pay/{payment_id}", pay, methods=["GET", "POST"]),
        Route("/orders", orders),
        Route("/orders/{order_id}", one_order),
        Route("/orders/{order_id}/return", send_back, methods=["POST"]),
        Route("/orders/{order_id}/pay", pay_later, methods=["POST"]),
        *(_account_routes() if has_accounts else _own_routes()),
        Route("/shop.css", _style),
    ]


def _again_routes() -> list[Route]:
    return [
        Route("/subscribe", subscribe, methods=["POST"]),
        Route("/subscriptions", subscriptions),
        Route("/subscriptions/{subscription_id}", act, methods=["POST"]),
        Route("/orders/{order_id}/again", again, methods=["POST"]),
    ]


def _own_routes() -> list[Route]:
    return [
        Route("/sign-in", sign_in, methods=["GET", "POST"]),
        Route("/sign-out", sign_out, methods=["POST"]),
    ]


def _account_routes() -> list[Route]:
    return [
        Route("/sign-in", go),
        Route("/sign-in/back", come_back),
        Route("/sign-out", leave, methods=["POST"]),
    ]


async def _style(request: Request) -> Response:
    shop: Shop = request.app.state.shop
    is_this = request.query_params.get("v") == request.app.state.files
    headers = {"cache-control": "public, max-age=31536000, immutable"} if is_this else {}
    return Response(style(shop), media_type="text/css", headers=headers)
