"""Starlette under uvicorn: HTTPS, with a certificate made at the start."""

import os
from collections import Counter
from pathlib import Path

import trustme
from starlette.requests import Request
from starlette_base import new_app
from uvicorn_base import serve

MOST_TAGS = 1_000
tags_seen: Counter[str] = Counter()


async def take(_request: Request, batch: list[dict]) -> None:
    """Count the tags, as many as there is room for."""
    for message in batch:
        for tag in map(str, message["tags"]):
            if tag in tags_seen or len(tags_seen) < MOST_TAGS:
                tags_seen[tag] += 1


def certify(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for this machine's own address, and its key."""
    certificate = trustme.CA().issue_cert("127.0.0.1", "localhost")
    chain, key = folder / "chain.pem", folder / "key.pem"
    certificate.private_key_pem.write_to_path(key)
    for part, pem in enumerate(certificate.cert_chain_pems):
        pem.write_to_path(chain, append=part > 0)
    return chain, key


if __name__ == "__main__":
    chain, key = certify(Path(os.environ["SCRATCH"]))
    serve(new_app(take), ssl_certfile=chain, ssl_keyfile=key)
