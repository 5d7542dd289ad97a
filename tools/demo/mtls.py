# SPDX-License-Identifier: Apache-2.0
"""The demo with mutual TLS between its nodes: who gives them their identities, and what a capture of the packets sees."""

import fcntl
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading

from errors import MeshError

TRUST_DOMAIN = "demo.weft"
LIFE = "30s"                   # of a node's certificate: renewed after 15 to 20 s
PATTERN = f"spiffe://{TRUST_DOMAIN}/ns/mesh/sa/*"
CHECKER = f"spiffe://{TRUST_DOMAIN}/ns/mesh/sa/checker"
OTHER = f"spiffe://{TRUST_DOMAIN}/ns/other/sa/impostor"
INSIDE = "WEFT_DEMO_INSIDE"    # set in the namespace

IDENTITY = """\
identity:
  socket: {socket}
  id: {id}
"""
SERVER_TLS = """\
mutualTls: {mode}
"""
CLIENT_TLS = """\
mutualTls: strict
peerIds: ['{pattern}']
"""


def node_id(number):
    return f"spiffe://{TRUST_DOMAIN}/ns/mesh/sa/node-{number}"


class Authority:
    """A trust domain's authority in a folder, by `weft ca`."""

    def __init__(self, weft, folder):
        self.weft, self.folder = weft, folder
        self.directory, self.socket, self.policy = folder / "ca", folder / "ca.sock", folder / "ca-policy.yaml"
        self.directory.mkdir(mode=0o700)
        self.run("init", self.directory, "--trust-domain", TRUST_DOMAIN, "--max-ttl", LIFE)
        # Whoever runs the demo may be any workload of the mesh, and nobody of another namespace.
        self.policy.write_text(f"allow:\n- uid: {os.getuid()}\n  ids: ['{PATTERN}']\n")

    def run(self, *arguments):
        """`weft ca` with these arguments; MeshError if it fails."""
        done = self.try_to(*arguments)
        if done.returncode:
            raise MeshError(f"weft ca {arguments[0]} ended with {done.returncode}: {done.stderr.strip()}")

    def try_to(self, *arguments):
        return subprocess.run([str(self.weft), "ca", *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60, check=False)

    def serve_command(self):
        """What starts the signing process, which alone has the authority's key."""
        return [self.weft, "ca", "serve", self.directory, "--socket", self.socket, "--policy", self.policy, "--mode", "0600"]

    def fetch(self, identity, out):
        """As a workload does: asks the signing process once. The process, ended; its files are in `out`."""
        return self.try_to("agent", "--once", "--socket", self.socket, "--id", identity, "--out", out)

    def issue(self, identity, out):
        """As only the authority's owner can: the agent's files for any ID, without the signing process."""
        out.mkdir()
        self.run("issue", self.directory, "--id", identity, "--out", f"{out}/")
        return out


def with_tls(template, values):
    """A node's configuration with the blocks where @IDENTITY@, @SERVER_TLS@ and @CLIENT_TLS@ stand; without values, without them."""
    blocks = {"# @IDENTITY@": IDENTITY, "# @SERVER_TLS@": SERVER_TLS, "# @CLIENT_TLS@": CLIENT_TLS}
    lines = []
    for line in template.splitlines(keepends=True):
        block = blocks.get(line.strip())
        if block is None:
            lines.append(line)
        elif values:
            indent = line[:len(line) - len(line.lstrip())]
            lines += [indent + one for one in block.format(**values).splitlines(keepends=True)]
    return "".join(lines)


# ---- a network of its own ----

def enter_namespace():
    """Starts this program again in a network namespace where nobody else's packets are, as a user or as root. Returns inside it."""
    if os.environ.pop(INSIDE, None):
        raise_loopback()
        return
    unshare = shutil.which("unshare")
    if not unshare:
        raise MeshError("unshare is not there: apt-get install util-linux")
    own = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    os.environ[INSIDE] = "1"
    os.execv(unshare, [unshare, *own, "--net", sys.executable, *sys.argv])


def raise_loopback():
    get, put, up = 0x8913, 0x8914, 1   # SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP
    with socket.socket() as any_socket:
        name, flags = struct.unpack("16sH", fcntl.ioctl(any_socket, get, struct.pack("16sH14x", b"lo", 0))[:18])
        fcntl.ioctl(any_socket, put, struct.pack("16sH14x", name, flags | up))


# ---- the capture ----

IP, RECEIVE_BUFFER_FORCE, PACKET, STATISTICS = 0x0800, 33, 263, 6
BUFFER = 128 << 20
MOST_FLOW = 8 << 20            # kept of each direction of a connection
CLEAR = re.compile(rb"HTTP/1\.|PRI \* HTTP|l5d-|Hello \(|world \(|earth \(|helloworld|GET |svc/")


class Capture:
    """All TCP payloads on the loopback, by direction of each connection: flows[(ip, port, ip, port)] = bytes in their order of arrival."""

    def __init__(self):
        self.flows, self.over = {}, False
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(IP))
        self.socket.setsockopt(socket.SOL_SOCKET, RECEIVE_BUFFER_FORCE, BUFFER)
        self.socket.bind(("lo", IP))
        self.socket.settimeout(0.2)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.over:
            try:
                packet = self.socket.recv(1 << 17)
            except TimeoutError:
                continue
            except OSError:
                return
            self._take(packet)

    def _take(self, packet):
        if packet[9] != socket.IPPROTO_TCP:
            return
        head = (packet[0] & 15) * 4
        length = struct.unpack_from(">H", packet, 2)[0] or len(packet)
        ports = struct.unpack_from(">HH", packet, head)
        payload = packet[head + (packet[head + 12] >> 4) * 4:length]
        key = (socket.inet_ntoa(packet[12:16]), ports[0], socket.inet_ntoa(packet[16:20]), ports[1])
        flow = self.flows.setdefault(key, bytearray())
        if payload and len(flow) < MOST_FLOW:
            flow += payload

    def lost(self):
        """Packets that the kernel dropped since it was asked last, because they came too fast."""
        return struct.unpack("II", self.socket.getsockopt(PACKET, STATISTICS, 8))[1]

    def of_port(self, *ports):
        """The directions that have bytes, of connections to servers on these ports."""
        return {key: bytes(flow) for key, flow in list(self.flows.items()) if flow and (key[1] in ports or key[3] in ports)}

    def end(self):
        self.over = True
        self.thread.join()
        self.socket.close()


def is_tls(flow):
    """Whether bytes begin with a TLS handshake record or an alert (RFC 8446 section 5.1)."""
    return len(flow) >= 3 and flow[0] in (21, 22) and flow[1] == 3


def clear_text(flows):
    """[(connection, what can be read there)] of those where something can."""
    return [(key, match[0]) for key, flow in flows.items() if (match := CLEAR.search(flow))]
