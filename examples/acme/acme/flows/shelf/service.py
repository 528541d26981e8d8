"""Reading what is offered, page by page, and writing the index."""

from acme.providers.shelf import ShelfSearch
from isthmus.kernel import Context, implements
from isthmus.packs.catalog import api as catalog

from . import api

PAGE = 200


@implements(api.index_goods)
async def index_goods(ask: api.IndexGoods, ctx: Context) -> api.Indexed:
    services = ctx.resource(catalog.SearchServices, catalog.NO_SEARCH_SERVICES).services.values()
    ours = [one for one in services if isinstance(one, ShelfSearch)]
    if not ours:
        return api.Indexed(goods=0)
    page = await ctx.call(catalog.search, catalog.Search(limit=PAGE))
    goods = list(page.items)
    while page.next_cursor:
        page = await ctx.call(catalog.search, catalog.Search(limit=PAGE, cursor=page.next_cursor))
        goods += page.items
    for one in ours:
        await one.replace(ctx.front_end, goods)
    return api.Indexed(goods=len(goods))
