# SPDX-License-Identifier: Apache-2.0
import contextlib
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "scenario"))

from api_server import ApiServer  # noqa: E402
from fixtures import make_mesh, pytest_runtest_makereport  # noqa: E402, F401


def pytest_addoption(parser):
    parser.addoption("--programs", required=True, help="the folder with the programs of Kubernetes, and kwok")


@contextlib.contextmanager
def api_server(request):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weft-api-"))
    api = ApiServer(folder, request.config.getoption("--programs"))
    try:
        api.start()
        yield api
    finally:
        api.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(name="api", scope="session")
def make_api(request):
    """One for all tests, which use names of their own in it."""
    with api_server(request) as api:
        yield api


@pytest.fixture(name="new_api")
def make_new_api(request):
    """One for this test, with nothing in it."""
    with api_server(request) as api:
        yield api
