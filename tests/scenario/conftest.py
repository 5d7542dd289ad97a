# SPDX-License-Identifier: Apache-2.0
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from fixtures import make_mesh, pytest_runtest_makereport  # noqa: E402, F401
