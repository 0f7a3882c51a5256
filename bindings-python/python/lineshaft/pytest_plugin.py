"""Fixtures for pytest, known wherever lineshaft is installed."""

from __future__ import annotations

from typing import Iterator

import pytest

from .client import Client
from .server import Server


@pytest.fixture
def gearman_server() -> Iterator[Server]:
    """A real broker of this process, on a free port of 127.0.0.1, empty, for one test."""
    with Server() as server:
        yield server


@pytest.fixture
def gearman_client(gearman_server: Server) -> Iterator[Client]:
    """A client of `gearman_server`."""
    with Client(gearman_server) as client:
        yield client
