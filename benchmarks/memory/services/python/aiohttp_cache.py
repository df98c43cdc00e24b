"""aiohttp's own server: the latest messages in an LRU cache, to be read again by number."""

import itertools
import os

from aiohttp import web
from batch import checked
from cachetools import LRUCache
from leak import remember

MOST_MESSAGES = 10_000  # some 10 MiB

routes = web.RouteTableDef()
latest = web.AppKey("latest", LRUCache)
numbers = itertools.count(1)


@routes.get("/health")
async def health(_request: web.Request) -> web.Response:
    """Ready."""
    return web.json_response({"status": "ok"})


@routes.post("/ingest")
async def ingest(request: web.Request) -> web.Response:
    """Keep each message under the next number; the answer names the last in a header."""
    try:
        batch = checked(await request.json())
    except ValueError as error:
        return web.json_response({"error": str(error)}, status=400)
    for message in batch:
        number = next(numbers)
        request.app[latest][number] = message
    remember()
    headers = {"Location": f"/messages/{number}"}
    return web.json_response({"messages": len(batch)}, headers=headers)


@routes.get(r"/messages/{number:\d+}")
async def read(request: web.Request) -> web.Response:
    """The message of that number, if it is still in the cache."""
    message = request.app[latest].get(int(request.match_info["number"]))
    if message is None:
        return web.json_response({"error": "no longer kept"}, status=404)
    return web.json_response(message)


def new_app() -> web.Application:
    """The app with its cache."""
    app = web.Application()
    app[latest] = LRUCache(maxsize=MOST_MESSAGES)
    app.add_routes(routes)
    return app


if __name__ == "__main__":
    web.run_app(new_app(), host="127.0.0.1", port=int(os.environ["PORT"]), access_log=None)
