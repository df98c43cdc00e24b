"""What the Starlette services share: routes for health and batches, and 400 to what is no batch."""

from collections.abc import Awaitable, Callable

from batch import checked
from leak import remember
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def health(_request: Request) -> JSONResponse:
    """Ready."""
    return JSONResponse({"status": "ok"})


def new_app(
    take: Callable[[Request, list[dict]], Awaitable[None]], lifespan: Callable | None = None
) -> Starlette:
    """An app that has `take` do the work for each batch."""

    async def ingest(request: Request) -> JSONResponse:
        try:
            batch = checked(await request.json())
        except ValueError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        await take(request, batch)
        remember()
        return JSONResponse({"messages": len(batch)})

    routes = [Route("/health", health), Route("/ingest", ingest, methods=["POST"])]
    return Starlette(routes=routes, lifespan=lifespan)
