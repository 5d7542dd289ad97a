/* SPDX-License-Identifier: Apache-2.0 */
/* cli/install/install.h: the parts of `weft install`. As cli/cli.h's commands. */
#ifndef CLI_INSTALL_INSTALL_H
#define CLI_INSTALL_INSTALL_H

int install_viz(int count, char **arguments);     /* behind the word viz */
int install_objects(int count, char **arguments); /* which objects of Kubernetes, or --helm */

#endif
