"""Access tokens (RFC 9068): signed here, known again here, and good for as long as the credential behind them is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from isthmus.kernel import Value, errors
from isthmus.manifest.key_file import make_once

if TYPE_CHECKING:
    from joserfc.jwk import ECKey

ALGORITHM: Final = "ES256"
KIND: Final = "at+jwt"


class NoTokenKey(errors.Fault):
    """The key that signs tokens cannot be used."""

    slug = "gateway.no-token-key"


class Said(Value):
    """What a token says."""

    front_end: str
    name: str
    credential: UUID
    token_id: str
    ends_s: int
    scopes: tuple[str, ...] | None


class Tokens:
    """Signs and reads the tokens of one platform. address: where clients reach it. file: its key, made where none."""

    def __init__(self, address: str, file: Path) -> None:
        self.issuer = address.rstrip("/")
        self._file = file
        self._key: ECKey | None = None

    @property
    def endpoint(self) -> str:
        """Return where tokens are asked for."""
        return f"{self.issuer}/oauth/token"

    def shown(self) -> dict[str, Any]:
        """Return the public keys, for services that check tokens themselves."""
        key = self._signing()
        public = key.as_dict(private=False, kid=key.thumbprint(), use="sig", alg=ALGORITHM)
        return {"keys": [public]}

    def signed(self, said: Said, now_s: int) -> str:
        """Return a token."""
        from joserfc import jwt  # here: most servers are called with keys, and it takes as long as all of the kernel

        key = self._signing()
        client = f"{said.front_end}/{said.name}"
        claims: dict[str, Any] = {
            "iss": self.issuer, "aud": self.issuer, "sub": client, "client_id": client, "iat": now_s,
            "exp": said.ends_s, "jti": said.token_id, "credential": str(said.credential),
        }  # fmt: skip
        if said.scopes is not None:
            claims["scope"] = " ".join(said.scopes)
        return jwt.encode({"alg": ALGORITHM, "kid": key.thumbprint(), "typ": KIND}, claims, key, algorithms=[ALGORITHM])

    def read(self, token: str) -> Said | None:
        """Return what a token says that was signed here, whether or not it has ended; nothing where it was not."""
        from joserfc import jwt
        from joserfc.errors import JoseError

        try:
            found = jwt.decode(token, self._signing(), algorithms=[ALGORITHM])
            claims = found.claims
            if found.header.get("typ") != KIND or claims["iss"] != self.issuer or claims["aud"] != self.issuer:
                return None
            front_end, _, name = str(claims["client_id"]).partition("/")
            return Said(
                front_end=front_end,
                name=name,
                credential=UUID(claims["credential"]),
                token_id=claims["jti"],
                ends_s=claims["exp"],
                scopes=tuple(claims["scope"].split()) if "scope" in claims else None,
            )
        except (JoseError, ValueError, KeyError, TypeError):
            return None

    def _signing(self) -> ECKey:
        from joserfc.errors import JoseError
        from joserfc.jwk import ECKey

        if self._key is None:
            try:
                if not self._file.exists():
                    make_once(self._file, ECKey.generate_key("P-256").as_pem(private=True))
                self._key = ECKey.import_key(self._file.read_bytes())
            except (OSError, ValueError, JoseError) as wrong:
                raise NoTokenKey(
                    f"the key in {self._file} cannot be used: {wrong}",
                    remedy="put there an EC key (P-256) in PEM, or no file at all",
                ) from wrong
        return self._key
