# SPDX-License-Identifier: Apache-2.0
"""The order of the rooms, read from the includes themselves: a room includes only itself and rooms above it, and only
io's backends include the headers of the operating system."""
import os
import re

# From the top of the house down, as ARCHITECTURE.md walks it. src/meson.build lists those that exist.
ROOMS = ["base", "doc", "io", "wire", "tls", "session", "client", "model", "observe", "xds", "dialect", "discover",
         "balance", "proxy", "export", "control", "node", "admin", "cli", "main.c"]

# Headers that make no system call and keep no clock: any room may have them.
PURE = {"assert.h", "ctype.h", "emmintrin.h", "errno.h", "float.h", "immintrin.h", "inttypes.h", "limits.h", "math.h", "regex.h",
        "nmmintrin.h", "smmintrin.h", "tmmintrin.h", "arm_neon.h", "stdalign.h", "stdarg.h", "stdatomic.h", "stdbool.h",
        "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "stdnoreturn.h", "string.h", "strings.h", "sys/types.h",
        "sanitizer/asan_interface.h"}
# Libraries, each in the one room that hides it.
LIBRARIES = {"doc": {"yaml.h"}}
# OpenSSL has many headers; all of them are src/tls's.
LIBRARY_FOLDERS = {"tls": ("openssl/",)}

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def includes(name):
    with open(name, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            found = INCLUDE.match(line)
            if found:
                yield number, found.group(1), found.group(2)


def sources(files):
    return [name for name in files if name.startswith("src/") and name.endswith((".c", ".h"))]


def room_of(name):
    return name.split("/")[1]


def check_rooms(files):
    yield from check_build_order()
    for name in sources(files):
        room = room_of(name)
        if room not in ROOMS:
            yield f"{name}: there is no room '{room}'"
            continue
        for number, own, _ in includes(name):
            if own is None:
                continue
            target = own.split("/")[0]
            if not os.path.isfile(f"src/{own}"):
                yield f'{name}:{number}: "{own}" is no file in src/ (includes are written from src/)'
            elif target not in ROOMS:
                yield f"{name}:{number}: there is no room '{target}'"
            elif ROOMS.index(target) > ROOMS.index(room):
                yield f"{name}:{number}: {room}/ includes {own}, from a room below it"
            elif own.startswith(("io/kernel/", "io/sim/")) and not name.startswith(os.path.dirname(f"src/{own}") + "/"):
                yield f"{name}:{number}: includes {own}, which belongs to one backend of io alone"


def check_build_order():
    """The build links the rooms in the same order, so that a room cannot even call one below it."""
    with open("src/meson.build", encoding="utf-8") as file:
        listed = re.search(r"^rooms = \[(.*?)\]", file.read(), re.S | re.M)
    built = re.findall(r"'(\w+)'", listed.group(1)) if listed else []
    if built != [room for room in ROOMS if room in built] or not built:
        yield f"src/meson.build: its rooms are not in the order {' '.join(ROOMS)}"


def check_headers(files):
    for name in sources(files):
        if name.startswith("src/io/kernel/"):
            continue
        allowed = PURE | LIBRARIES.get(room_of(name), set())
        for number, _, system in includes(name):
            if system is None or system in allowed or system.startswith(LIBRARY_FOLDERS.get(room_of(name), ())):
                continue
            hidden = [room for room, folders in LIBRARY_FOLDERS.items() if system.startswith(folders)]
            yield f"{name}:{number}: <{system}> is for src/{hidden[0] if hidden else 'io/kernel'}/ alone"
