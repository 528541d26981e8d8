"""Who keeps the secrets that settings name: the environment, files as container platforms mount them, or a Vault.

    key = { secret = "ACME_KEY" }                    # where a setting is a secret

    [providers.secrets.files]                        # nothing: the environment
    use = "isthmus.app.secrets:FILES"
    folder = "/run/secrets"

Secrets are read once, when a process starts; a new value counts from the next start.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, cast

from isthmus.kernel import Meta, Value, errors
from isthmus.manifest import ProviderType, WrongSettings

BYTES_MAX: Final = 65_536  # a certificate chain with its key; what is larger is no secret
TIMEOUT_S: Final = 5  # of one request at start: a process that waits longer says why instead
FIELD: Final = "value"  # of an entry in Vault where the name does not say which, as `payment/acme#key` does


class SecretsNotRead(errors.Unavailable):
    """Who keeps the secrets does not give them."""

    slug = "secrets-not-read"


class EnvironmentSettings(Value):
    """`[providers.secrets.<name>]`. prefix: stands before each name in the environment."""

    prefix: str = ""


class Environment:
    """Secrets as variables of the environment."""

    def __init__(self, _: str, settings: EnvironmentSettings) -> None:
        self._prefix = settings.prefix

    def read(self, names: Sequence[str]) -> Mapping[str, str]:
        return {name: os.environ[self._prefix + name] for name in names if self._prefix + name in os.environ}

    def place(self, name: str) -> str:
        return f"set the environment's variable {self._prefix}{name}"


class FilesSettings(Value):
    """`[providers.secrets.<name>]`. folder: it has a file for each secret, which is called as the secret."""

    folder: str


class Files:
    """Secrets as files of a folder; a newline at the end is not part of one."""

    def __init__(self, _: str, settings: FilesSettings) -> None:
        self._folder = Path(settings.folder)

    def read(self, names: Sequence[str]) -> Mapping[str, str]:
        if not self._folder.is_dir():
            raise SecretsNotRead(f"there is no folder {self._folder}", remedy="mount it, or name another as `folder`")
        return dict(self._found(names))

    def place(self, name: str) -> str:
        return f"put it into the file {self._folder / name}"

    def _found(self, names: Sequence[str]) -> Iterator[tuple[str, str]]:
        for name in names:
            file = self._folder / name
            if ".." in PurePosixPath(name).parts or not file.is_file():
                continue
            if file.stat().st_size > BYTES_MAX:
                raise SecretsNotRead(f"{file} has over {BYTES_MAX} bytes", remedy="a secret is one key or certificate")
            try:
                yield name, file.read_text(encoding="utf-8").removesuffix("\n")
            except (OSError, UnicodeDecodeError) as wrong:
                raise SecretsNotRead(
                    f"{file} cannot be read: {type(wrong).__name__}", remedy="make it text that this user may read"
                ) from None


class VaultSettings(Value):
    """`[providers.secrets.<name>]`. mount: of a KV engine, version 2. path: stands before each name in it.

    The token is in the variable VAULT_TOKEN, in a file, which an agent may write, or is given for a role that the
    platform's Kubernetes account has.
    """

    url: Annotated[str, Meta(pattern=r"^https?://")]
    mount: str = "secret"
    path: str = ""
    namespace: str = ""
    token_file: str = ""
    kubernetes_role: str = ""
    kubernetes_mount: str = "kubernetes"
    kubernetes_token_file: str = "/var/run/secrets/kubernetes.io/serviceaccount/token"


class Vault:
    """Secrets as entries of a Vault; `payment/acme#key` is the field `key` of the entry `payment/acme`."""

    def __init__(self, _: str, settings: VaultSettings) -> None:
        self._settings = settings

    def read(self, names: Sequence[str]) -> Mapping[str, str]:
        client, hvac = self._client()
        entries: dict[str, Mapping[str, Any]] = {}
        for path in dict.fromkeys(self._split(name)[0] for name in names):
            try:
                answered = client.secrets.kv.v2.read_secret_version(
                    path=path, mount_point=self._settings.mount, raise_on_deleted_version=False
                )
            except hvac.exceptions.InvalidPath:
                continue
            except Exception as wrong:
                raise self._not_read(path, wrong) from None
            entries[path] = answered["data"]["data"] or {}
        found = {name: entries.get(path, {}).get(field) for name in names for path, field in [self._split(name)]}
        return {name: value for name, value in found.items() if isinstance(value, str)}

    def place(self, name: str) -> str:
        path, field = self._split(name)
        return f"put it there with `vault kv put -mount={self._settings.mount} {path} {field}=…`"

    def _client(self) -> tuple[Any, Any]:
        """Return a client that has signed in, and its module."""
        try:
            import hvac
        except ImportError:
            raise WrongSettings(
                "[providers.secrets] chooses a Vault, and its client is not installed",
                remedy='install it: pip install "isthmus[vault]"',
            ) from None
        settings = self._settings
        client = hvac.Client(url=settings.url, namespace=settings.namespace or None, timeout=TIMEOUT_S)
        try:
            if settings.kubernetes_role:
                account = Path(settings.kubernetes_token_file).read_text().strip()
                cast(Any, client.auth).kubernetes.login(
                    role=settings.kubernetes_role, jwt=account, mount_point=settings.kubernetes_mount
                )
            elif settings.token_file:
                client.token = Path(settings.token_file).read_text().strip()
        except Exception as wrong:
            raise self._not_read("a token", wrong) from None
        return client, hvac

    def _not_read(self, what: str, wrong: Exception) -> SecretsNotRead:
        """Say what went wrong by its kind alone: the client's own words may hold what was sent."""
        return SecretsNotRead(
            f"{self._settings.url} does not give {what}: {type(wrong).__name__}",
            remedy="see that it is there and unsealed, and that the token may read the path",
        )

    def _split(self, name: str) -> tuple[str, str]:
        path, _, field = name.partition("#")
        return "/".join(part for part in (self._settings.path.strip("/"), path) if part), field or FIELD


ENVIRONMENT: Final = ProviderType(settings=EnvironmentSettings, make=Environment)
FILES: Final = ProviderType(settings=FilesSettings, make=Files)
VAULT: Final = ProviderType(settings=VaultSettings, make=Vault)
