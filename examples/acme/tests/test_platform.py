"""The platform as a whole: what is plugged in fits together, and its tables can be made."""

from isthmus.app.platform import Running


async def test_what_the_settings_name_fits_together(platform: Running) -> None:
    assert {"catalog", "order", "payment"} <= {pack.name for pack in platform.packs}
    async with platform.database.platform() as session:
        assert await session.fetch_value("select count(*) from isthmus.migration") > 0
