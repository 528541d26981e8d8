"""What apps do lands in the lake: pushes and what came of them, conflicts, devices; nobody's words or keys."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from isthmus.data.answers.metrics import Metrics
from isthmus.data.answers.receipt import Receipts
from isthmus.data.lake.lake import Lake
from isthmus.data.lake.landing import Lander
from isthmus.data.model.ask import Ask
from isthmus.data.model.model import build
from isthmus.data.privacy import policy
from isthmus.packs.devices import entities as devices
from isthmus.packs.messaging import entities as messaging
from isthmus.packs.sync import entities as sync
from isthmus.store import Database, MigrationSource, Outbox, migrate

PACKS = {"messaging": messaging, "sync": sync, "devices": devices}
NOW = datetime(2030, 1, 15, tzinfo=UTC)
U = "00000000-0000-0000-0000-0000000000"
ROWS = f"""
insert into messaging.message (front_end, message_id, member_id, reference, purpose, title, body, link, collapse_key,
    expires_at, made_at) values
    ('north', '{U}01', '{U}11', 'a', 'delivery', 'SECRET', 'SECRET', '', '', '2030-02-01', '2030-01-02'),
    ('south', '{U}02', '{U}11', 'b', 'news', 'SECRET', 'SECRET', '', '', '2030-02-01', '2030-01-02');
insert into messaging.delivery (front_end, message_id, endpoint_id, state, due_at, ended_at, receipt) values
    ('north', '{U}01', '{U}21', 'sent', '2030-01-02', '2030-01-02', 'opened'),
    ('north', '{U}01', '{U}22', 'sent', '2030-01-02', '2030-01-02', 'shown'),
    ('south', '{U}02', '{U}23', 'opted-out', '2030-01-02', '2030-01-02', '');
insert into sync.conflict (front_end, scope, collection, document, field, kept, lost, kept_by, lost_by, version, at,
    settled) values
    ('north', '{U}11', 'basket', 'tea', 'wanted', '2', '3', 'phone-of-ann', 'tablet-of-ann', 7, '2030-01-03', ''),
    ('north', '{U}11', 'basket', 'milk', 'wanted', '1', '0', 'phone-of-ann', 'tablet-of-ann', 9, '2030-01-03', 'kept');
insert into devices.device (front_end, device_id, app, platform, key, member_id, session_id, sequence, said, state,
    reason, registered_at) values
    ('north', 'phone-of-ann', 'shop', 'android', 'SECRET', '{U}11', '', 1, '', 'active', '', '2030-01-02'),
    ('north', 'tablet-of-ann', 'shop', 'ios', 'SECRET 2', '{U}11', '', 1, '', 'cut-off', 'lost', '2030-01-02');
"""


async def test_what_apps_do_lands_and_is_counted_without_what_was_said(empty_url: str, tmp_path: Path) -> None:
    await migrate(empty_url, [MigrationSource.of_pack(name, f"isthmus.packs.{name}:migrations") for name in PACKS])
    model = build(
        [(one, name) for name, pack in PACKS.items() for one in pack.ENTITIES],
        [metric for pack in PACKS.values() for metric in pack.METRICS],
    )
    lake = Lake(tmp_path / "lake", model)
    async with await Database.open(empty_url) as database:
        async with database.platform() as session:
            for statement in ROWS.split(";\n"):
                if statement.strip():
                    await session.execute(statement)
        landing = await Lander(lake, empty_url, Outbox(database)).land(NOW)
    assert (landing.alerts, landing.quarantined) == ((), {})
    metrics = Metrics(model, lake, Receipts(tmp_path / "receipts"), secret=b"x", now=lambda: NOW)

    def rows(*names: str, by: tuple[str, ...] = ()) -> list[tuple[object, ...]]:
        return [tuple(row.values()) for row in metrics.ask(Ask(metrics=names, by=by), policy.owner()).rows]

    assert rows(
        "messaging.messages", "messaging.pushes", "messaging.pushes-sent", by=("messaging.message.purpose",)
    ) == [
        ("delivery", 1, 2, 2),
        ("news", 1, 1, 0),
    ]
    assert rows("messaging.pushes-opened", "messaging.open-rate") == [(1, 0.5)]
    assert rows("sync.conflicts", "sync.conflicts-open", by=("sync.conflict.field",)) == [("wanted", 2, 1)]
    assert rows("devices.devices", "devices.cut-off", by=("devices.device.platform",)) == [
        ("android", 1, 0),
        ("ios", 1, 1),
    ]
    kept = b"".join(file.read_bytes() for file in (tmp_path / "lake").rglob("*") if file.is_file())
    assert kept
    assert b"SECRET" not in kept
