"""Keys: the one of the platform's data, and those that sign, which are sealed under it and take turns."""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from isthmus.kernel import decode, encode, ports
from isthmus.later import later
from isthmus.manifest.key_file import make_once

from .. import api, storage

if TYPE_CHECKING:
    from joserfc import errors as jose
    from joserfc import jwe, jwk, jwt
else:
    jose, jwe, jwk, jwt = (later(f"joserfc.{name}") for name in ("errors", "jwe", "jwk", "jwt"))

ALGORITHM: Final = "RS256"  # what every client can check
KEY_BYTES: Final = 32
RSA_BITS: Final = 2_048


class DataKey:
    """The key of a file, made where there is none: it seals the keys that sign, and makes links."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def derived(self, purpose: str) -> bytes:
        """Return a key for one purpose. Raises NoKey."""
        try:
            if not self._file.exists():
                make_once(self._file, os.urandom(KEY_BYTES))
            return hmac.digest(self._file.read_bytes(), purpose.encode(), "sha256")
        except OSError as wrong:
            raise api.NoKey(file=str(self._file), because=str(wrong)) from wrong

    def seal(self, text: bytes) -> str:
        """Return a text sealed: a copy of the database alone signs nothing."""
        return jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, text, jwk.OctKey.import_key(self.derived("keys")))

    def open(self, sealed: str) -> bytes:
        """Return what was sealed. Raises NoKey where that was under another key."""
        try:
            return jwe.decrypt_compact(sealed, jwk.OctKey.import_key(self.derived("keys"))).plaintext or b""
        except (jose.JoseError, ValueError) as wrong:
            raise api.NoKey(file=str(self._file), because="what is kept was sealed under another one") from wrong


class Signing:
    """Signs tokens, and knows them again."""

    def __init__(self, key: DataKey) -> None:
        self._key = key
        self._opened: dict[str, jwk.RSAKey] = {}

    async def signed(self, session: ports.Session, claims: dict[str, Any], kind: str = "JWT") -> str:
        """Return claims, signed by the key whose turn it is."""
        row = await storage.signing_key(session)
        if row is None:
            await self.follow(session)
            row = await storage.signing_key(session)
        assert row is not None
        key = self._opened.get(row["kid"])
        if key is None:
            private = decode(self._key.open(row["sealed"]), dict[str, Any])
            key = self._opened[row["kid"]] = jwk.RSAKey.import_key(private)
        header = {"alg": ALGORITHM, "kid": row["kid"], "typ": kind}
        return jwt.encode(header, claims, key, algorithms=[ALGORITHM])

    async def follow(self, session: ports.Session, *, is_forced: bool = False) -> bool:
        """Have another key follow where the newest is old; it is shown at once, and signs when shops know it."""
        await storage.lock_keys(session)
        is_first = await storage.signing_key(session) is None
        if not (is_first or is_forced or await storage.is_key_old(session)):
            return False
        kid = secrets.token_urlsafe(12)
        made = await asyncio.to_thread(jwk.RSAKey.generate_key, RSA_BITS, {"kid": kid, "use": "sig", "alg": ALGORITHM})
        sealed, public = self._key.seal(encode(made.as_dict(private=True))), encode(made.as_dict(private=False))
        await storage.add_key(session, kid, sealed, public.decode(), 0.0 if is_first else float(storage.KEY_WAITS_S))
        return True

    async def shown(self, session: ports.Session) -> list[dict[str, Any]]:
        """Return the public keys of all that is signed and still good."""
        return [decode(row["public"].encode(), dict[str, Any]) for row in await storage.keys(session)]

    async def claims(self, session: ports.Session, token: str, issuer: str) -> dict[str, Any] | None:
        """Return the claims of a token that was signed here; nothing where it was not."""
        try:
            keys = jwk.KeySet.import_key_set({"keys": await self.shown(session)})  # pyright: ignore[reportArgumentType]
            found = jwt.decode(token, keys, algorithms=[ALGORITHM])
        except (jose.JoseError, ValueError, KeyError, TypeError):
            return None
        return {**found.claims, "typ": found.header.get("typ")} if found.claims.get("iss") == issuer else None
