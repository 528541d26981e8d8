"""A store that speaks S3 over HTTP, its requests signed (AWS Signature Version 4): AWS, MinIO, Ceph, R2 and others.

PUT, GET, HEAD  URL/BUCKET/PREFIX+NAME
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final
from urllib.parse import quote, urlsplit

import httpx

from isthmus.kernel import Meta, Value
from isthmus.manifest import ProviderType, Secret
from isthmus.manifest.outbound import BoundedTransport

from .. import api

TIMEOUT_S: Final = 10.0  # ten MiB at a megabyte a second
NOT_FOUND: Final = 404
KEPT_CONNECTIONS: Final = 20  # requests at once in one process; more wait their turn
_ALGORITHM: Final = "AWS4-HMAC-SHA256"


class S3Settings(Value):
    """`[providers.media.<name>]`. prefix: stands before the names of files in the bucket."""

    url: Annotated[str, Meta(pattern=r"^https?://")]
    bucket: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    access_key: Secret
    secret_key: Secret
    region: str = "us-east-1"
    prefix: Annotated[str, Meta(pattern=r"^([A-Za-z0-9._-]+/)*$")] = ""


class S3Store:
    """Keeps files in a bucket."""

    def __init__(self, name: str, settings: S3Settings) -> None:
        self.name = name
        self._settings = settings
        self._client = httpx.AsyncClient(
            timeout=TIMEOUT_S,
            transport=BoundedTransport(api.BYTES_MAX, limits=httpx.Limits(max_connections=KEPT_CONNECTIONS)),
            follow_redirects=False,
        )

    async def put(self, name: str, content: bytes) -> None:
        kind = api.TYPES[name.rpartition(".")[2]]
        (await self._sent("PUT", name, content, {"content-type": kind})).raise_for_status()

    async def get(self, name: str) -> bytes | None:
        answered = await self._sent("GET", name)
        return None if answered.status_code == NOT_FOUND else answered.raise_for_status().content

    async def has(self, name: str) -> bool:
        answered = await self._sent("HEAD", name)
        return answered.status_code != NOT_FOUND and bool(answered.raise_for_status())

    async def _sent(
        self, method: str, name: str, content: bytes = b"", headers: Mapping[str, str] = {}
    ) -> httpx.Response:
        settings = self._settings
        url = f"{settings.url.rstrip('/')}/{settings.bucket}/{settings.prefix}{name}"
        signed_headers = signed(
            method,
            url,
            hashlib.sha256(content).hexdigest(),
            {**headers},
            (settings.access_key.reveal(), settings.secret_key.reveal(), settings.region),
            datetime.now(UTC),
        )
        return await self._client.request(method, url, content=content, headers=signed_headers)


def signed(
    method: str, url: str, digest: str, headers: Mapping[str, str], key: tuple[str, str, str], now: datetime
) -> dict[str, str]:
    """Return the headers of a request with those that sign it, for the service `s3`."""
    access, secret, region = key
    split = urlsplit(url)
    at, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    all_headers = {**headers, "host": split.netloc, "x-amz-content-sha256": digest, "x-amz-date": at}
    names = ";".join(sorted(all_headers))
    listed = "".join(f"{name}:{all_headers[name].strip()}\n" for name in sorted(all_headers))
    canonical = "\n".join((method, quote(split.path), split.query, listed, names, digest))
    scope = f"{day}/{region}/s3/aws4_request"
    to_sign = "\n".join((_ALGORITHM, at, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    signing = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(signing, to_sign.encode(), hashlib.sha256).hexdigest()
    credential = f"{_ALGORITHM} Credential={access}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**all_headers, "authorization": credential}


S3: Final = ProviderType(settings=S3Settings, make=S3Store)
