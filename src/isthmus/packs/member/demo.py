"""Members to try: a few who have joined, each by a card of their own."""

from __future__ import annotations

from typing import Final

from isthmus.manifest import Demo

from . import api

NAMES: Final = (("Ada", "Lovelace"), ("Grace", "Hopper"), ("Alan", "Turing"))


async def load_members(demo: Demo) -> None:
    members = tuple(
        api.Registration(
            identities=(api.Identity(kind="card", value=f"demo-{demo.front_end}-{number}"),),
            profile=api.Profile(given_name=given, family_name=family),
        )
        for number, (given, family) in enumerate(NAMES, start=1)
    )
    await demo.call(api.register_many, api.RegisterMany(members=members))
