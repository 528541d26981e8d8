"""PyArrow as the platform uses it. It says nothing of its types, so what it makes is not checked beyond this point."""

from __future__ import annotations

from typing import Any, Final

from isthmus.later import later

pa: Final[Any] = later("pyarrow")
pq: Final[Any] = later("pyarrow.parquet")
