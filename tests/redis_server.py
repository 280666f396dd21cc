"""A Redis server of a test alone, on loopback."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from scripted import until
from space_process import free_port


class Redis:
    """A Redis server of this test alone."""

    def __init__(self, folder: Path, *options: str) -> None:
        path = shutil.which("redis-server")
        if path is None:
            pytest.fail("redis-server is missing; `make test` installs it")
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(folder)]
        self.command = [path, *where, "--save", "", "--appendonly", "no", *options]
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        until(lambda: self.tell("PING") == b"+PONG", "redis answers")

    def tell(self, *words: str) -> bytes:
        """Its answer to a command, in its own protocol."""
        text = f"*{len(words)}\r\n" + "".join(
            f"${len(word.encode())}\r\n{word}\r\n" for word in words
        )
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
                connection.sendall(text.encode())
                return connection.recv(1 << 20).strip()
        except OSError:
            return b""

    def signal(self, number: signal.Signals) -> None:
        """Stop it, let it go on, or end it."""
        self.process.send_signal(number)
