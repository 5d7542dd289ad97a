/* SPDX-License-Identifier: Apache-2.0 */
/* weft install: what others need to run weft, or to show it. */
#include "cli/install/install.h"

#include <string.h>

#include "cli/cli.h"
#include "cli/install/files.h"

enum { MOST_NAME = 63 };

#define NAME_BYTES "abcdefghijklmnopqrstuvwxyz0123456789-"
#define IMAGE_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/:@"

bool install_is_name(const char *command, const char *option, const char *name, bool points)
{
	size_t length = strlen(name);

	if (length > 0 && length <= MOST_NAME && length == strspn(name, points ? NAME_BYTES "." : NAME_BYTES) && !strchr("-.", name[0]) &&
		!strchr("-.", name[length - 1]))
		return true;
	cli_complain("weft %s: %s takes a name of lower-case letters, digits and `-`, not `%s`", command, option, name);
	return false;
}

bool install_is_image(const char *command, const char *image, const char *example)
{
	size_t length = strlen(image);

	if (length > 0 && length == strspn(image, IMAGE_BYTES))
		return true;
	cli_complain("weft %s: --image takes a name such as %s, not `%s`", command, example, image);
	return false;
}

const char *install_template(const char *name)
{
	for (const struct install_file *file = install_templates; file->name; file++)
		if (strcmp(file->name, name) == 0)
			return file->text;
	return NULL;
}

int cli_install(int count, char **arguments)
{
	if (count > 0 && strcmp(arguments[0], "viz") == 0)
		return install_viz(count - 1, arguments + 1);
	return install_objects(count, arguments);
}
