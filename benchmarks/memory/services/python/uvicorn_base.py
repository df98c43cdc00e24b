"""How uvicorn serves here."""

import os

import uvicorn

PARTING_S = 3  # a TLS connection that its client leaves open would be waited for without end


def serve(app: object, **settings: object) -> None:
    """Serve on PORT until SIGTERM, without a line for each request."""
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=PARTING_S,
        **settings,
    )
