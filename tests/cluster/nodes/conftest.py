# SPDX-License-Identifier: Apache-2.0
import pytest

from cluster import Cluster


def pytest_addoption(parser):
    parser.addoption("--nodes", type=int, default=2, help="how many nodes the cluster has")


@pytest.fixture(name="cluster", scope="session")
def make_cluster(request):
    """From a clean state, whatever an earlier run that was interrupted has left; and back to one."""
    cluster = Cluster(request.config.getoption("--nodes"))
    cluster.down()
    try:
        cluster.up()
        yield cluster
    finally:
        cluster.down()
