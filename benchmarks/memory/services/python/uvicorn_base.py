"""How uvicorn serves here."""

import os

import uvicorn


def serve(app: object, **settings: object) -> None:
    """Serve on PORT until SIGTERM, without a line for each request."""
    port = int(os.environ["PORT"])
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning", **settings)
