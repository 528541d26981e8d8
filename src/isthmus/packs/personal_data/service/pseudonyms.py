"""What analysts see in place of personal data, under one key for all servers."""

from __future__ import annotations

import secrets
from typing import Final

from isthmus.manifest import Place
from isthmus.manifest.key_file import make_once
from isthmus.personal import Pseudonyms

from .. import api

KEY_BYTES: Final = 32


def pseudonyms_at(place: Place) -> Pseudonyms:
    """Return the pseudonyms of a platform; their key is made when the first one is needed."""
    settings: api.PersonalSettings = place.settings
    file = place.root / settings.pseudonym_key if settings.pseudonym_key else place.data / "personal" / "pseudonyms"

    def key() -> bytes:
        if not file.exists():
            make_once(file, secrets.token_bytes(KEY_BYTES))
        return file.read_bytes()

    return Pseudonyms(key)
