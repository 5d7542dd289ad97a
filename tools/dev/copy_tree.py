#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""copy_tree.py LIST TREE: makes TREE hold exactly the files that LIST names (NUL-separated).

A file whose content is already there is left alone, and one that differs gets a new time, so that the build system
rebuilds what changed, including what a patch changed and this put back.
"""
import os
import shutil
import sys


def main():
    listed, tree = sys.argv[1:]
    with open(listed, "rb") as names:
        wanted = {os.fsdecode(name) for name in names.read().split(b"\0") if name}
    wanted = {name for name in wanted if os.path.isfile(name)}
    for name in wanted:
        copy = os.path.join(tree, name)
        with open(name, "rb") as file:
            content = file.read()
        if os.path.isfile(copy):
            with open(copy, "rb") as file:
                if file.read() == content:
                    continue
        os.makedirs(os.path.dirname(copy) or ".", exist_ok=True)
        with open(copy, "wb") as file:
            file.write(content)
        shutil.copymode(name, copy)
    for folder, _, files in os.walk(tree):
        for file in files:
            path = os.path.join(folder, file)
            if os.path.relpath(path, tree) not in wanted:
                os.remove(path)


main()
