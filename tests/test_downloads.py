"""Files that visitors name by an address: fetched up to a limit, and never from this network."""

from __future__ import annotations

import asyncio
import gzip
import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

sys.path.append(str(Path(__file__).parent.parent / "template"))

from serving import downloads

MEGABYTE = 2**20
BODIES = {
    "/small": b"a" * MEGABYTE,
    "/large": b"a" * 21 * MEGABYTE,
    "/packed": gzip.compress(b"a" * 21 * MEGABYTE),
}
PLACES = {"/moved": "small", "/circle": "/circle", "/inside": "http://127.0.0.2/small"}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with one of the bodies, or says where one is."""

    def do_GET(self) -> None:
        self.send_response(302 if self.path in PLACES else 200)
        if self.path in PLACES:
            self.send_header("Location", PLACES[self.path])
        if self.path == "/packed":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        try:
            self.wfile.write(BODIES.get(self.path, b""))
        except OSError:  # who asked has enough
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server of this machine."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine is asked, as the Hub is."""
    names = "gradio.processing_utils.PUBLIC_HOSTNAME_WHITELIST"
    monkeypatch.setattr(names, ["127.0.0.1"])


def fetch(url: str) -> httpx.Response:
    """What a Space gets from there."""
    return asyncio.run(downloads.fetched(url))


@pytest.mark.usefixtures("trusted")
def test_what_is_small_is_fetched_from_where_it_has_moved(address: str) -> None:
    for path in ("/small", "/moved"):
        assert fetch(address + path).content == BODIES["/small"]


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("path", ["/large", "/packed"])
def test_what_is_too_large_is_not_even_when_it_is_packed(address: str, path: str) -> None:
    with pytest.raises(ValueError, match="too large"):
        fetch(address + path)


@pytest.mark.usefixtures("trusted")
def test_a_way_that_never_ends_is_left(address: str) -> None:
    with pytest.raises(ValueError, match="too many redirects"):
        fetch(f"{address}/circle")


@pytest.mark.usefixtures("trusted")
def test_no_way_leads_into_this_network(address: str) -> None:
    with pytest.raises(ValueError, match="failed validation"):
        fetch(f"{address}/inside")


def test_this_machine_is_not_asked(address: str) -> None:
    with pytest.raises(ValueError, match="failed validation"):
        fetch(f"{address}/small")


@pytest.mark.usefixtures("trusted")
def test_who_is_slow_is_not_waited_for(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "SECONDS", 0.0)
    with pytest.raises(asyncio.TimeoutError):
        fetch(f"{address}/small")


def test_gradio_fetches_with_these_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    import gradio.processing_utils as gradios

    monkeypatch.setattr(gradios, "async_ssrf_protected_get", None)
    downloads.limit_downloads()
    assert gradios.async_ssrf_protected_get is downloads.fetched
