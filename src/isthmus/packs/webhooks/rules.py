"""Rules of webhooks: how a message is signed, and when it is tried again. Pure.

Signatures are those of the Standard Webhooks specification 1.0: HMAC-SHA256 over `id.timestamp.body`, in base64.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32  # the specification asks for 24 to 64
RETRY_S: Final = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)  # of the specification: some three days
ENDPOINT_RETRY_FIRST_S: Final = 1.0
ENDPOINT_RETRY_LAST_S: Final = 300.0
RETRY_AFTER_MAX_S: Final = 3_600
GONE: Final = 410


def written_secret(key: bytes) -> str:
    """Return a secret as the specification writes it."""
    return PREFIX + base64.b64encode(key).decode()


def signatures(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`: a signature by each secret, the newest first."""
    signed = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    keys = [base64.b64decode(one.removeprefix(PREFIX)) for one in secrets]
    return " ".join("v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys)


def retry_s(attempts: int, randomness: float) -> float | None:
    """Return after how many seconds an event is sent again that has failed so often; None where it is not.

    randomness: from 0 to 1, for jitter of a fifth: what failed together does not come again together.
    """
    return None if attempts > len(RETRY_S) else RETRY_S[attempts - 1] * (0.9 + 0.2 * randomness)


def endpoint_retry_s(failures: int, randomness: float) -> float:
    """Return for how long an address is left alone that has not answered so often."""
    pause = min(ENDPOINT_RETRY_FIRST_S * 2.0 ** min(failures - 1, 16), ENDPOINT_RETRY_LAST_S)
    return pause * (0.9 + 0.2 * randomness)


def is_of_address(status: int) -> bool:
    """True where an answer says something of the address, and not of the event that was sent."""
    return status == 0 or status in (408, 429) or status >= 500
