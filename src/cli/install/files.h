/* SPDX-License-Identifier: Apache-2.0 */
/* cli/install/files.h: what `weft install` writes, as the build embeds it (embed.py): templates (template.h). Constants.
 *
 *	for (const struct install_file *file = install_files; file->name; file++) ...
 */
#ifndef CLI_INSTALL_FILES_H
#define CLI_INSTALL_FILES_H

struct install_file {
	const char *name; /* NULL ends the table */
	const char *text;
};

extern const struct install_file install_files[];     /* viz/: for Prometheus and Grafana */
extern const struct install_file install_templates[]; /* kubernetes/: objects of Kubernetes, and what makes a chart of them */

#endif
