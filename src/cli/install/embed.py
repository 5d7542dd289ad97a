# SPDX-License-Identifier: Apache-2.0
"""Writes what `weft install` embeds as a C file (cli/install/files.h): viz/ and kubernetes/ as they are, and Grafana's dashboards as JSON."""

import json
import pathlib
import sys

VIZ = ["prometheus-file.yml", "prometheus-kubernetes.yml", "weft-targets.yml", "weft-rules.yml", "weft-alerts.yml"]


def c_string(text):
    """A literal for each line."""
    quoted = (line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for line in text.splitlines(keepends=True))
    return "\n".join(f'\t\t"{line}"' for line in quoted)


def table(name, texts):
    rows = "".join(f'\t{{ "{file}",\n{c_string(text)} }},\n' for file, text in texts.items())
    return f"\nconst struct install_file {name}[] = {{\n{rows}\t{{ 0 }},\n}};\n"


def main():
    folder, output = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    viz, kubernetes = folder / "viz", folder / "kubernetes"
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(viz))
    from dashboards import dashboards  # pylint: disable=import-outside-toplevel,import-error

    files = {name: (viz / name).read_text(encoding="utf-8") for name in VIZ}
    files |= {name: json.dumps(made, indent=1) + "\n" for name, made in dashboards().items()}
    objects = {path.name: path.read_text(encoding="utf-8") for path in sorted(kubernetes.iterdir())}
    output.write_text('#include "cli/install/files.h"\n' + table("install_files", files) + table("install_templates", objects), encoding="utf-8")


if __name__ == "__main__":
    main()
