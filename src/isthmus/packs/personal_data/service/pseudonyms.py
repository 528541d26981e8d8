"""What analysts see in place of personal data, under one key for all servers."""

from __future__ import annotations

import secrets
from typing import Final

from isthmus.kernel import Value
from isthmus.manifest import Place
from isthmus.manifest.key_file import make_once
from isthmus.personal import Pseudonyms

KEY_BYTES: Final = 32


class PersonalSettings(Value):
    """`[settings.personal-data]`: pseudonym_key: 32 random bytes in a file; made in the platform's data if not set."""

    pseudonym_key: str = ""


def pseudonyms_at(place: Place) -> Pseudonyms:
    """Return the pseudonyms of a platform; their key is made when the first one is needed."""
    settings: PersonalSettings = place.settings
    file = place.root / settings.pseudonym_key if settings.pseudonym_key else place.data / "personal" / "pseudonyms"

    def key() -> bytes:
        if not file.exists():
            make_once(file, secrets.token_bytes(KEY_BYTES))
        return file.read_bytes()

    return Pseudonyms(key)
