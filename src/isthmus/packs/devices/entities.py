"""What the data platform may read of devices: how many there are of which kind, and which were cut off."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from isthmus.kernel import Value
from isthmus.markings import Count, Dimension, Key, Pii, Time, Where, entity


@entity("devices.device", table="devices.device")
class Registered(Value):
    """A device of an app. No key, no member."""

    front_end: Annotated[str, Key(), Dimension()]
    device_id: Annotated[str, Key(), Pii("identifier")]
    app: Annotated[str, Dimension()]
    platform: Annotated[str, Dimension()]
    state: Annotated[str, Dimension()]
    registered_at: Annotated[datetime, Time()]


ENTITIES = (Registered,)

METRICS = (
    Count(name="devices.devices", of="devices.device", doc="Devices that were registered.", unit="device"),
    Count(
        name="devices.cut-off", of="devices.device", where=Where("devices.device.state", "=", "cut-off"),
        doc="Devices that were cut off: lost, or copied.", unit="device",
    ),
)  # fmt: skip
