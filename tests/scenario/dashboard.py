# SPDX-License-Identifier: Apache-2.0
"""`weft dashboard` as a process.

    with Dashboard("--admin", admins) as dashboard:
        dashboard.until(lambda mesh: mesh["totals"]["all"]["requests"] == 7)
"""

import http.client
import json
import re
import subprocess
import tempfile

from mesh import COMPLAINTS, PATIENCE, WEFT, wait_until


class Dashboard:
    def __init__(self, *arguments, interval="1s"):
        # pylint: disable=consider-using-with
        self.stderr = tempfile.TemporaryFile()
        self.process = subprocess.Popen([WEFT, "dashboard", "--listen", "127.0.0.1:0", "--interval", interval, *arguments], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.stderr)
        line = self.process.stdout.readline().decode()
        match = re.fullmatch(r"dashboard on http://(\S+):(\d+)\n", line)
        assert match, line
        self.admin_address = match[1], int(match[2])    # as a Weft's: browser tests open both

    def get(self, path, method="GET"):
        connection = http.client.HTTPConnection(*self.admin_address, timeout=PATIENCE)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def json(self, path):
        status, _, body = self.get(path)
        assert status == 200, body
        return json.loads(body)

    def mesh(self):
        return self.json("/mesh.json")

    def until(self, condition, what="what the dashboard should show"):
        """What it shows once the condition holds for that."""
        def shown():
            mesh = self.mesh()
            return mesh if condition(mesh) else None
        return wait_until(shown, what)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.stderr.seek(0)
        told = self.stderr.read().decode(errors="replace")
        self.stderr.close()
        assert code == 0 and not COMPLAINTS.search(told), f"exit code {code}: {told[-4000:]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
