#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""image.py: a container image of one layer, without a registry or Docker: files of this machine as an OCI archive.

    image.py --output weft.tar --name localhost/weft:1 --program build/weft:/usr/bin/weft --entrypoint /usr/bin/weft --user 65532:65532
    ctr --namespace k8s.io images import weft.tar       # or: podman load -i weft.tar, docker load -i weft.tar

The same files give the same bytes: times are 0, owners root, names in order. --program also takes the libraries that it loads, as ldd says.
"""
import argparse
import gzip
import hashlib
import io
import json
import os
import pathlib
import platform
import re
import subprocess
import tarfile

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def libraries(program):
    """The shared libraries that a program loads, and the loader; none if it is static."""
    done = subprocess.run(["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return re.findall(r"(/\S+\.so\S*)", done.stdout) if done.returncode == 0 else []


def split(pair):
    """SOURCE:DESTINATION, or one path that is both."""
    source, _, destination = pair.partition(":")
    return source, destination or os.path.abspath(source)


class Layer:
    """A tar archive whose entries are added in any order and written in the order of their names."""

    def __init__(self):
        self.entries = {}

    def add(self, path, kind=tarfile.REGTYPE, content=b"", mode=0o755, target=""):
        name = path.strip("/")
        for parent in reversed(pathlib.PurePath(name).parents[:-1]):
            self.entries.setdefault(str(parent), (tarfile.DIRTYPE, b"", 0o755, ""))
        self.entries[name] = (kind, content, mode, target)

    def add_file(self, source, destination):
        mode = 0o755 if os.access(source, os.X_OK) else 0o644
        self.add(destination, content=pathlib.Path(source).read_bytes(), mode=mode)

    def add_program(self, source, destination):
        self.add_file(source, destination)
        for library in libraries(source):
            self.add_file(library, library)

    def add_tree(self, source, destination, without):
        for folder, folders, files in os.walk(source):
            folders[:] = [name for name in folders if name not in without]
            into = os.path.normpath(os.path.join(destination, os.path.relpath(folder, source)))
            for name in files:
                if name not in without:
                    self.add_file(os.path.join(folder, name), os.path.join(into, name))

    def bytes(self):
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for name in sorted(self.entries):
                kind, content, mode, target = self.entries[name]
                entry = tarfile.TarInfo(name)
                entry.type, entry.size, entry.mode, entry.linkname = kind, len(content), mode, target
                tar.addfile(entry, io.BytesIO(content))
        return archive.getvalue()


class Archive:
    """The image's layout (OCI image-layout), with the index that `docker load` of older versions reads beside it."""

    def __init__(self):
        self.blobs = {}

    def blob(self, content, media, **more):
        digest = hashlib.sha256(content).hexdigest()
        self.blobs[f"blobs/sha256/{digest}"] = content
        return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(content), **more}

    def write(self, path, names, manifest, config, layer):
        index = {"schemaVersion": 2, "manifests": [
            {**manifest, "annotations": {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rpartition(":")[2]}}
            for name in names]}
        place = lambda blob: "blobs/" + blob["digest"].replace(":", "/")  # noqa: E731
        files = {**self.blobs, "oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps(index).encode(),
                 "manifest.json": json.dumps([{"Config": place(config), "RepoTags": names, "Layers": [place(layer)]}]).encode()}
        made = Layer()
        for name, content in files.items():
            made.add(name, content=content, mode=0o644)
        part = f"{path}.part"
        pathlib.Path(part).write_bytes(made.bytes())
        os.replace(part, path)


def fill(options):
    layer = Layer()
    layer.add("/tmp", tarfile.DIRTYPE, mode=0o1777)
    layer.add("/etc/passwd", content=b"root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n", mode=0o644)
    for pair in options.tree:
        layer.add_tree(*split(pair), set(options.without))
    for pair in options.copy:
        layer.add_file(*split(pair))
    for pair in options.program:
        layer.add_program(*split(pair))
    for pair in options.link:
        path, _, target = pair.partition(":")
        layer.add(path, tarfile.SYMTYPE, mode=0o777, target=target)
    return layer


def write(options):
    raw = fill(options).bytes()
    archive = Archive()
    machine = platform.machine()
    config = {"architecture": ARCHITECTURES.get(machine, machine), "os": "linux", "created": "1970-01-01T00:00:00Z",
              "config": {"User": options.user, "WorkingDir": "/", "Env": ["PATH=/usr/bin:/bin:/usr/sbin:/sbin", *options.env]},
              "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(raw).hexdigest()}"]}}
    if options.entrypoint:
        config["config"]["Entrypoint"] = options.entrypoint
    config = archive.blob(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json")
    layer = archive.blob(gzip.compress(raw, mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip")
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    archive.write(options.output, options.name, archive.blob(json.dumps(manifest).encode(), MANIFEST), config, layer)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--output", required=True, help="the archive")
    parser.add_argument("--name", required=True, action="append", help="what the image is called, with its tag; may come several times")
    for option, what in (("program", "a program, with the libraries that it loads"), ("copy", "a file"), ("tree", "a folder")):
        parser.add_argument(f"--{option}", action="append", default=[], metavar="SOURCE[:PATH]", help=what)
    parser.add_argument("--without", action="append", default=[], metavar="NAME", help="files and folders of trees that are left out")
    parser.add_argument("--link", action="append", default=[], metavar="PATH:TARGET", help="a symbolic link")
    parser.add_argument("--entrypoint", nargs="+", help="what runs")
    parser.add_argument("--user", default="65532:65532", help="as whom [%(default)s]")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    write(parser.parse_args())


if __name__ == "__main__":
    main()
