"""Envelope keys: what wraps the keys of persons. They are in a file, in the environment or in a Vault, and never in
the database, so that a copy of it opens nothing.

    [settings.personal-data]
    sealed = ["member.address", "account.account"]

    [providers.envelope.vault]                       # nothing: a file in the platform's data
    use = "isthmus.packs.personal_data.service.envelopes:VAULT"
    url = "https://vault.example.org"
    key = "isthmus-persons"
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, Protocol, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from isthmus.kernel import Meta, Value, errors
from isthmus.manifest import ProviderType, WrongSettings
from isthmus.manifest.key_file import make_once
from isthmus.sealing import PersonKeyMissing

NONCE: Final = 12  # bytes, as AES-GCM has it
KEY_BYTES: Final = 32
TIMEOUT_S: Final = 5  # of one request to a Vault: a call that waits longer has no time for its own work
FIRST: Final = "1"

Wrapped = tuple[str, bytes]  # which envelope key, and the key under it


class Envelope(Protocol):
    """Wraps keys of persons. Raises PersonKeyMissing for what it cannot unwrap, Unavailable where it has no answer."""

    def begin(self, folder: Path) -> None:
        """Take a folder of the platform's own, for who keeps a file there."""
        ...

    async def newest(self) -> str:
        """Return the name of the envelope key that wraps now."""
        ...

    async def wrap(self, key: bytes, subject: str) -> Wrapped: ...
    async def unwrap(self, wrapped: Wrapped, subject: str) -> bytes: ...

    async def follow(self) -> str:
        """Have another envelope key wrap from now on; the ones before still unwrap. Return its name."""
        ...

    async def drop_old(self) -> tuple[str, ...]:
        """Destroy all envelope keys but the newest; return their names."""
        ...


class _Ring:
    """Envelope keys by name, in a text: `1:base64 2:base64`, of which the last one wraps."""

    def __init__(self, text: str, where: str) -> None:
        self.where = where
        self.keys: dict[str, AESGCM] = {}
        for part in text.split():
            name, _, key = part.partition(":")
            try:
                self.keys[name] = AESGCM(base64.b64decode(key, validate=True))
            except (ValueError, binascii.Error):
                raise PersonKeyMissing(
                    f"{where} has an envelope key {name!r} that is not 32 bytes in base64",
                    remedy="write `name:base64` for each, the newest last; `openssl rand -base64 32` makes one",
                ) from None
        if not self.keys:
            raise PersonKeyMissing(f"{where} has no envelope key", remedy="bring back the copy that was kept of it")

    @property
    def newest(self) -> str:
        return next(reversed(self.keys))

    def wrap(self, key: bytes, subject: str) -> Wrapped:
        nonce = os.urandom(NONCE)
        return self.newest, nonce + self.keys[self.newest].encrypt(nonce, key, subject.encode())

    def unwrap(self, wrapped: Wrapped, subject: str) -> bytes:
        name, text = wrapped
        if name not in self.keys:
            raise PersonKeyMissing(
                f"the key of {subject!r} is wrapped under the envelope key {name!r}, and {self.where} has "
                f"{', '.join(self.keys)}",
                remedy="bring back the copy that was kept of it; what is sealed under a key that is lost is lost",
            )
        try:
            return self.keys[name].decrypt(text[:NONCE], text[NONCE:], subject.encode())
        except InvalidTag:
            raise PersonKeyMissing(
                f"the envelope key {name!r} of {self.where} is not the one that wraps the key of {subject!r}",
                remedy="bring back the copy that was kept of it, or look who changed the row of personal_data.key",
            ) from None


class _Held:
    """What files and the environment have in common: the keys are read each time, so that a new one counts at once."""

    def _ring(self) -> _Ring:
        raise NotImplementedError

    async def newest(self) -> str:
        return self._ring().newest

    async def wrap(self, key: bytes, subject: str) -> Wrapped:
        return self._ring().wrap(key, subject)

    async def unwrap(self, wrapped: Wrapped, subject: str) -> bytes:
        return self._ring().unwrap(wrapped, subject)


class FileSettings(Value):
    """`[providers.envelope.<name>]`. file: envelope keys; made in the platform's data if not set."""

    file: str = ""


class KeyFile(_Held):
    """Envelope keys in a file that servers share, which its owner alone reads."""

    def __init__(self, _: str, settings: FileSettings) -> None:
        self._file = Path(settings.file)
        self._is_own = not settings.file

    def begin(self, folder: Path) -> None:
        if self._is_own:
            self._file = folder / "envelope"

    async def follow(self) -> str:
        ring = self._ring()
        name = str(max((int(one) for one in ring.keys if one.isdigit()), default=0) + 1)
        self._write(f"{self._file.read_text().rstrip()}\n{_line(name)}")
        return name

    async def drop_old(self) -> tuple[str, ...]:
        ring = self._ring()
        self._write(f"{self._file.read_text().split()[-1]}\n")
        return tuple(one for one in ring.keys if one != ring.newest)

    def _ring(self) -> _Ring:
        try:
            if self._is_own and not self._file.exists():
                make_once(self._file, _line(FIRST).encode())
            return _Ring(self._file.read_text(encoding="ascii"), str(self._file))
        except (OSError, UnicodeDecodeError) as wrong:
            raise PersonKeyMissing(
                f"{self._file} cannot be read for its envelope keys: {type(wrong).__name__}",
                remedy="bring back the copy that was kept of it, or make it readable for this user",
            ) from None

    def _write(self, text: str) -> None:
        new = self._file.with_name(f"{self._file.name}.new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as written:
            written.write(text)
            written.flush()
            os.fsync(written.fileno())
        new.replace(self._file)


class EnvironmentSettings(Value):
    """`[providers.envelope.<name>]`. variable: of the environment, with `name:base64` for each, the newest last."""

    variable: str = "ISTHMUS_PERSON_KEYS"


class Environment(_Held):
    """Envelope keys in a variable of the environment, as whoever starts the platform sets it."""

    def __init__(self, _: str, settings: EnvironmentSettings) -> None:
        self._variable = settings.variable

    def begin(self, folder: Path) -> None:
        """Keep nothing in any folder."""

    async def follow(self) -> str:
        return self._ring().newest  # whoever sets the variable adds a key to it, and starts the platform again

    async def drop_old(self) -> tuple[str, ...]:
        ring = self._ring()
        if old := [one for one in ring.keys if one != ring.newest]:
            raise errors.Conflict(
                f"the envelope keys {', '.join(old)} are in the variable {self._variable}, which this cannot change",
                remedy="take them out of it, and start the platform again",
            )
        return ()

    def _ring(self) -> _Ring:
        return _Ring(os.environ.get(self._variable, ""), f"the variable {self._variable}")


class VaultSettings(Value):
    """`[providers.envelope.<name>]`. key: of a transit engine, which is at `mount`; it never leaves the Vault.

    The token is in the variable VAULT_TOKEN, or in a file, which an agent may write.
    """

    url: Annotated[str, Meta(pattern=r"^https?://")]
    key: str
    mount: str = "transit"
    namespace: str = ""
    token_file: str = ""


class Vault:
    """The transit engine of a Vault: it wraps and unwraps, and shows its keys to nobody."""

    def __init__(self, _: str, settings: VaultSettings) -> None:
        self._settings = settings

    def begin(self, folder: Path) -> None:
        """Keep nothing in any folder."""

    async def newest(self) -> str:
        said = await self._asked(lambda transit, own: transit.read_key(name=own.key, mount_point=own.mount))
        return f"vault:v{said['data']['latest_version']}"

    async def wrap(self, key: bytes, subject: str) -> Wrapped:
        plain = base64.b64encode(key).decode()
        said = await self._asked(
            lambda transit, own: transit.encrypt_data(name=own.key, plaintext=plain, mount_point=own.mount)
        )
        text = str(said["data"]["ciphertext"])
        return text.rpartition(":")[0], text.encode()

    async def unwrap(self, wrapped: Wrapped, subject: str) -> bytes:
        text = wrapped[1].decode(errors="replace")
        said = await self._asked(
            lambda transit, own: transit.decrypt_data(name=own.key, ciphertext=text, mount_point=own.mount), subject
        )
        return base64.b64decode(said["data"]["plaintext"])

    async def follow(self) -> str:
        await self._asked(lambda transit, own: transit.rotate_key(name=own.key, mount_point=own.mount))
        return await self.newest()

    async def drop_old(self) -> tuple[str, ...]:
        newest = int((await self.newest()).removeprefix("vault:v"))

        def forget(transit: Any, own: VaultSettings) -> Any:
            transit.update_key_configuration(name=own.key, min_decryption_version=newest, mount_point=own.mount)
            return transit.trim_key(name=own.key, min_version=newest, mount_point=own.mount)

        said = await self._asked(lambda transit, own: transit.read_key(name=own.key, mount_point=own.mount))
        old = tuple(f"vault:v{one}" for one in said["data"]["keys"] if int(one) < newest)
        await self._asked(forget)
        return old

    async def _asked(self, ask: Callable[[Any, VaultSettings], Any], subject: str = "") -> Any:
        """Ask the engine, away from the loop that serves calls."""
        try:
            vault = cast(Any, importlib.import_module("hvac"))
        except ImportError:
            raise WrongSettings(
                "[providers.envelope] chooses a Vault, and its client is not installed",
                remedy='install it: pip install "isthmus[vault]"',
            ) from None
        own = self._settings

        def run() -> Any:
            client = vault.Client(url=own.url, namespace=own.namespace or None, timeout=TIMEOUT_S)
            if own.token_file:
                client.token = Path(own.token_file).read_text().strip()
            return ask(client.secrets.transit, own)

        try:
            return await asyncio.to_thread(run)
        except vault.exceptions.InvalidRequest:
            raise PersonKeyMissing(
                f"{own.url} does not unwrap the key of {subject!r} by {own.mount}/{own.key}",
                remedy="see that this is the engine and the key that wrapped it, and that its version was kept",
            ) from None
        except Exception as wrong:  # its own words may hold what was sent
            raise errors.Unavailable(
                f"{own.url} does not answer for the keys of persons: {type(wrong).__name__}",
                remedy=f"see that it is there and unsealed, and that the token may use {own.mount}/{own.key}",
            ) from None


def _line(name: str) -> str:
    return f"{name}:{base64.b64encode(os.urandom(KEY_BYTES)).decode()}\n"


FILE: Final = ProviderType(settings=FileSettings, make=KeyFile)
ENVIRONMENT: Final = ProviderType(settings=EnvironmentSettings, make=Environment)
VAULT: Final = ProviderType(settings=VaultSettings, make=Vault)
