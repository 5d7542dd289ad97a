# SPDX-License-Identifier: Apache-2.0
"""What ends a demo."""


class MeshError(Exception):
    """The mesh can't be started, or a part of it ended by itself. Says which and why."""
