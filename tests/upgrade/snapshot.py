"""Write what a release leaves in a database, for the next release to be tried on: `python -m tests.upgrade.snapshot`.

It sells the first baskets of the demo on the code of this checkout, drops the goods that nobody listed, and writes the
whole database as SQL, compressed, beside this file. Run it on the release that is to be upgraded from, once.
"""

from __future__ import annotations

import asyncio
import lzma
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import asyncpg

from isthmus.store import embedded

PREVIOUS = Path(__file__).with_name("previous.sql.xz")
ORDERS = 60

UNLISTED = """
create temporary table used as select distinct product_id from catalog.sku where sku in (
    select sku from catalog.listing union select sku from inventory.stock union select sku from pricing.price);
delete from catalog.product_version where product_id not in (select product_id from used);
delete from catalog.sku where product_id not in (select product_id from used);
delete from catalog.product where product_id not in (select product_id from used);
delete from catalog.seller where code not in (select seller from catalog.product);
"""
LEFT_OUT = ("--", "\\", "SET transaction_timeout", "CREATE SCHEMA public")  # what a server before 17 does not know


def main() -> int:
    """Sell, dump and compress; return 0."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "isthmus.cli", "demo", "--orders", str(ORDERS), "--exit"]
        subprocess.run(command, env={**os.environ, "ISTHMUS_DATA": folder}, check=True)
        PREVIOUS.write_bytes(lzma.compress(_dumped(Path(folder) / "demo").encode(), preset=9))
    print(f"wrote {PREVIOUS}, {PREVIOUS.stat().st_size} bytes")
    return 0


def _dumped(folder: Path) -> str:
    with embedded.start(folder) as server:
        asyncio.run(_without_unlisted(server.url))
        dump = [embedded.program("pg_dump") or "pg_dump", "--rows-per-insert=200", server.url]
        text = subprocess.run(dump, check=True, capture_output=True, text=True).stdout
    kept = [line for line in text.splitlines() if not line.startswith(LEFT_OUT) and "OWNER TO postgres" not in line]
    return "\n".join(line for line in kept if line) + "\n"


async def _without_unlisted(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(UNLISTED)
    await connection.close()


if __name__ == "__main__":
    raise SystemExit(main())
