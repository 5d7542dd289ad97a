/* SPDX-License-Identifier: Apache-2.0 */
/* weft install: what others need to run weft, or to show it. */
#include "cli/install/install.h"

#include <string.h>

#include "cli/cli.h"

int cli_install(int count, char **arguments)
{
	if (count > 0 && strcmp(arguments[0], "viz") == 0)
		return install_viz(count - 1, arguments + 1);
	return install_objects(count, arguments);
}
