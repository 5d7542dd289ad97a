# SPDX-License-Identifier: Apache-2.0
"""A name server on UDP that answers from a table which tests may change: names without an entry don't exist."""

import socket
import struct
import threading

A, AAAA = 1, 28


class NameServer:
    """addresses: {"web.example": ["127.0.0.2"]}; None instead of a list: no answer at all, as from a dead server."""

    def __init__(self, addresses, ttl=1):
        self.addresses, self.ttl = addresses, ttl
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.closing = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def resolv_conf(self, path):
        path.write_text(f"nameserver 127.0.0.1:{self.port}\noptions timeout:1 attempts:5\n")
        return str(path)

    def _run(self):
        while not self.closing:
            query, sender = self.socket.recvfrom(4096)
            if len(query) < 12:
                continue
            name, at, labels = [], 12, True
            while labels:
                length = query[at]
                name.append(query[at + 1:at + 1 + length].decode().lower())
                at += 1 + length
                labels = length > 0
            question = query[12:at + 4]
            kind = struct.unpack(">H", query[at:at + 2])[0]
            name = ".".join(name[:-1])
            self.asked.append(name)
            found = self.addresses.get(name, [])
            if found is None:
                continue
            records = [socket.inet_aton(ip) for ip in found] if kind == A else []
            code = 0 if name in self.addresses else 3
            answer = query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(records), 0, 0) + question
            for record in records:
                answer += b"\xc0\x0c" + struct.pack(">HHIH", A, 1, self.ttl, 4) + record
            self.socket.sendto(answer, sender)

    def close(self):
        self.closing = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self.thread.join(20)
        self.socket.close()
