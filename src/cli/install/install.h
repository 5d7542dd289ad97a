/* SPDX-License-Identifier: Apache-2.0 */
/* cli/install/install.h: the parts of `weft install`, as cli/cli.h's commands, and what they share. Main thread. */
#ifndef CLI_INSTALL_INSTALL_H
#define CLI_INSTALL_INSTALL_H

#include "cli/arguments.h"

struct text;

int install_viz(int count, char **arguments);     /* behind the word viz */
int install_objects(int count, char **arguments); /* which objects of Kubernetes, or --helm */

/* A label of RFC 1123, as namespaces are called; in some names of Kubernetes points may stand, too. Complains, and answers false. */
bool install_is_name(const char *command, const char *option, const char *name, bool points);
/* A container image. As above; `example` is one. */
bool install_is_image(const char *command, const char *image, const char *example);
/* A file of kubernetes/; NULL if there is none. */
const char *install_template(const char *name);
/* All objects of `weft install viz`, of proxies in these namespaces; none: in `namespace`, where they live. */
void install_append_viz(const char *namespace, const struct argument_values *proxies, struct text *out);

#endif
