# SPDX-License-Identifier: Apache-2.0
"""Writes the files of `weft install viz` as a C file (cli/install/files.h): those of viz/ as they are, and Grafana's dashboards as JSON."""

import json
import pathlib
import sys

FILES = ["prometheus-file.yml", "prometheus-kubernetes.yml", "weft-targets.yml", "weft-rules.yml", "weft-alerts.yml"]


def c_string(text):
    """A literal for each line."""
    quoted = (line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for line in text.splitlines(keepends=True))
    return "\n".join(f'\t\t"{line}"' for line in quoted)


def main():
    viz, output = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(viz))
    from dashboards import dashboards  # pylint: disable=import-outside-toplevel,import-error

    texts = {name: (viz / name).read_text(encoding="utf-8") for name in FILES}
    texts |= {name: json.dumps(made, indent=1) + "\n" for name, made in dashboards().items()}
    rows = "".join(f'\t{{ "{name}",\n{c_string(text)} }},\n' for name, text in texts.items())
    output.write_text(f'#include "cli/install/files.h"\n\nconst struct install_file install_files[] = {{\n{rows}\t{{ 0 }},\n}};\n',
                      encoding="utf-8")


if __name__ == "__main__":
    main()
