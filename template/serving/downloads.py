"""Fetches the files that visitors name by an address; without a limit it could be any size."""

from __future__ import annotations

import asyncio
from urllib.parse import urljoin

import gradio.processing_utils
import httpx
import safehttpx

MAX_BYTES = 20 * 2**20  # as of an upload
SECONDS = 60.0
MAX_REDIRECTS = 5


def limit_downloads() -> None:
    """Let Gradio fetch with limits."""
    gradio.processing_utils.async_ssrf_protected_get = fetched


async def fetched(url: str) -> httpx.Response:
    """What is at a public address.

    Raises:
        ValueError: it is too large, or of a private network.
        httpx.HTTPError, TimeoutError: it is not there, or slow.
    """
    return await asyncio.wait_for(followed(url), SECONDS)


async def followed(url: str) -> httpx.Response:
    """What is at an address, or where that leads to."""
    for _ in range(MAX_REDIRECTS):
        host = httpx.URL(url).host
        async with (
            httpx.AsyncClient(transport=await transport_to(host)) as client,
            client.stream("GET", url) as answer,
        ):
            if not answer.has_redirect_location:
                return await read(answer)
            url = urljoin(url, answer.headers["Location"])
    raise ValueError("too many redirects")


async def transport_to(host: str) -> httpx.AsyncBaseTransport | None:
    """A connection that a name server cannot lead to a private network."""
    trusted = gradio.processing_utils.PUBLIC_HOSTNAME_WHITELIST
    if safehttpx.matches_domain_whitelist(host, trusted):
        return None
    return safehttpx.AsyncSecureTransport(await safehttpx.async_validate_url(host))


async def read(answer: httpx.Response) -> httpx.Response:
    """The whole answer, if it is not too large; unpacked it may be far larger."""
    content = bytearray()
    async for part in answer.aiter_bytes():
        content += part
        if len(content) > MAX_BYTES:
            raise ValueError("too large")
    kind = answer.headers.get("content-type", "")
    return httpx.Response(
        answer.status_code,
        headers={"content-type": kind},
        content=bytes(content),
        request=answer.request,
    )
