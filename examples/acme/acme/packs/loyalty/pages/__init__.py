"""The console's page of cards: what is on one, looked up at the counter."""

from __future__ import annotations

from isthmus.pages import Asked, Client, Shown

BALANCE = "loyalty.get-balance"


async def show_card(asked: Asked, client: Client) -> Shown:
    codes = client.users(BALANCE)
    code = asked.query_params.get("front_end") or next(iter(codes), "")
    card = asked.query_params.get("card", "").strip()
    found = await client.find(code, BALANCE, {"card": card}) if card else None
    return {"codes": codes, "code": code, "card": card, "found": found}
