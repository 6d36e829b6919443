"""A server that makes images, and misbehaves when it is told to."""

import pytest
from api_server import ApiServer


@pytest.fixture
def server():
    with ApiServer() as server:
        yield server
