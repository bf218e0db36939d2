"""`GET /metrics`, on whatever port a role has. In: a scrape. Out: the metrics of this process."""

from aiohttp import web

from streamapp.metrics.registry import Metrics

PATH = "/metrics"


def add_route(router: web.UrlDispatcher, metrics: Metrics) -> None:
    """Answer scrapes of `metrics`."""

    async def scrape(request: web.Request) -> web.Response:
        body, content_type = metrics.text(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    router.add_get(PATH, scrape)
