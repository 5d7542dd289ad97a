# SPDX-License-Identifier: Apache-2.0
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "scenario"))

from api_server import ApiServer  # noqa: E402
from mesh import Mesh  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--programs", required=True, help="the folder with etcd, kube-apiserver and kubectl")


@pytest.fixture(name="api", scope="session")
def make_api(request):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weft-api-"))
    api = ApiServer(folder, request.config.getoption("--programs"))
    try:
        api.start()
        yield api
    finally:
        api.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.call_failed = outcome.get_result().failed


@pytest.fixture(name="mesh")
def make_mesh(tmp_path, request):
    mesh = Mesh(tmp_path)
    try:
        yield mesh
        if not getattr(request.node, "call_failed", True):
            mesh.close()
    finally:
        mesh.stop()
        for weft in mesh.wefts:
            print(f"--- {weft.folder.name} on stderr:\n{weft.stderr[-4000:]}")
