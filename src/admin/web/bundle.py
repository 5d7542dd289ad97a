# SPDX-License-Identifier: Apache-2.0
"""Bundles the dashboard and writes it as a C file (admin/assets.h).

Libraries come from npm by package-lock.json, once for all build directories of a tree (--libraries, a folder for each lock file). With --mode auto a bundle that
can't be made is said in one line, and the table is empty; with --mode enabled it ends the build.
"""

import argparse
import gzip
import hashlib
import pathlib
import shutil
import subprocess
import sys
import tempfile

LARGEST = 300 * 1024  # bytes of all files, compressed: more than that is no longer a small binary
FILES = [
    ("/", "text/html;charset=UTF-8", "index.html"),
    ("/mesh", "text/html;charset=UTF-8", "mesh.html"),
    ("/files/app.js", "text/javascript;charset=UTF-8", "out/app.js"),
    ("/files/app.css", "text/css;charset=UTF-8", "out/app.css"),
    ("/files/icon.svg", "image/svg+xml", "icon.svg"),
]


def run(command, work):
    done = subprocess.run(command, cwd=work, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180, check=False)
    if done.returncode:
        told = (done.stderr or done.stdout).strip().splitlines()
        raise RuntimeError(f"{' '.join(command[:2])}: {told[0] if told else 'failed'}")


def install(source, libraries):
    """The folder with what this lock file names; made beside its place and moved there whole, as others may do the same at this moment."""
    lock = (source / "package-lock.json").read_bytes()
    folder = libraries / hashlib.sha256(lock).hexdigest()[:16]
    if folder.exists():
        return folder
    libraries.mkdir(parents=True, exist_ok=True)
    fresh = pathlib.Path(tempfile.mkdtemp(dir=libraries))
    try:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, fresh / name)
        run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], fresh)
        fresh.chmod(0o755)
        try:
            fresh.rename(folder)
        except OSError:
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


def bundle(source, work, libraries):
    """The files in the order of FILES."""
    work.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(work / "src", ignore_errors=True)
    shutil.copytree(source / "src", work / "src")
    for name in ("package.json", "package-lock.json", "tsconfig.json", "app.css", "index.html", "mesh.html", "icon.svg"):
        shutil.copy(source / name, work / name)
    modules = work / "node_modules"
    if modules.is_symlink():
        modules.unlink()
    else:
        shutil.rmtree(modules, ignore_errors=True)
    modules.symlink_to(install(source, libraries) / "node_modules", target_is_directory=True)
    run(["node", "node_modules/typescript/bin/tsc", "--noEmit"], work)
    run(["node", "node_modules/esbuild/bin/esbuild", "src/main.ts", "app.css", "--bundle", "--minify", "--outdir=out", "--entry-names=app",
         "--format=iife", "--target=es2020", "--log-level=error"], work)
    # esbuild gives a stylesheet to either entry; they have the same name because only one has rules.
    return [(work / name).read_bytes() for _, _, name in FILES]


def c_bytes(content):
    lines = []
    for at in range(0, len(content), 24):
        lines.append("\t" + " ".join(f"{byte}," for byte in content[at:at + 24]))
    return "\n".join(lines)


def write(output, contents):
    text = ['#include "admin/assets.h"\n']
    table = []
    total = 0
    for number, ((path, kind, _), content) in enumerate(zip(FILES, contents)):
        packed = gzip.compress(content, 9, mtime=0)
        total += len(packed)
        tag = hashlib.sha256(packed).hexdigest()[:24]
        text.append(f"static const unsigned char file_{number}[] = {{\n{c_bytes(packed)}\n}};\n")
        table.append(f'\t{{ "{path}", "{kind}", "\\"{tag}\\"", file_{number}, sizeof file_{number} }},')
    if total > LARGEST:
        raise RuntimeError(f"{total} bytes are more than the {LARGEST} that a dashboard may have")
    table.append("\t{ 0 },")
    text.append("const struct asset assets[] = {\n" + "\n".join(table) + "\n};\n")
    output.write_text("\n".join(text))
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mode", choices=["auto", "enabled", "disabled"], required=True)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--libraries", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    options = parser.parse_args()
    contents = []
    if options.mode != "disabled":
        try:
            contents = bundle(options.source, options.work, options.libraries)
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
            if options.mode == "enabled":
                sys.exit(f"cannot make the dashboard: {error}")
            print(f"weft is built without its dashboard: {error}", file=sys.stderr)
    total = write(options.output, contents)
    if contents:
        print(f"the dashboard: {total} bytes compressed")


if __name__ == "__main__":
    main()
