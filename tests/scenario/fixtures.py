# SPDX-License-Identifier: Apache-2.0
"""Fixtures that several folders of tests have: a conftest.py imports them from here."""
import pytest

from mesh import Mesh


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.call_failed = outcome.get_result().failed


@pytest.fixture(name="mesh")
def make_mesh(tmp_path, request):
    """An empty mesh; at the end of a test that went well it is checked, and in any case all of it ends."""
    mesh = Mesh(tmp_path)
    try:
        yield mesh
        if not getattr(request.node, "call_failed", True):
            mesh.close()
    finally:
        mesh.stop()
        for weft in mesh.wefts:
            print(f"--- {weft.folder.name} on stderr:\n{weft.stderr[-4000:]}")
