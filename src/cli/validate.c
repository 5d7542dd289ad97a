/* SPDX-License-Identifier: Apache-2.0 */
/* weft validate: loads configurations and runs nothing. */
#include "base/memory.h"
#include "cli/cli.h"
#include "io/file.h"

static bool validate(const char *path)
{
	struct snapshot *snapshot = NULL;
	struct text why = { 0 };
	struct slice bytes;

	if (cli_read(path, &bytes, &why)) {
		snapshot = cli_compile(path, bytes, &why);
		memory_free(bytes.at);
	}
	if (snapshot)
		cli_say("%s: OK", path);
	else
		file_print(true, text_slice(&why));
	text_free(&why);
	snapshot_unref(snapshot);
	return snapshot != NULL;
}

int cli_validate(int count, char **arguments)
{
	bool good = true;

	for (int i = 0; i < count; i++) {
		if (cli_is_option(arguments[i]))
			return cli_unknown("option", arguments[i], (const char *const[]){ "--help", NULL });
	}
	if (count == 0) {
		cli_complain("weft validate: which file? usage: weft validate FILE.yaml...");
		return 2;
	}
	for (int i = 0; i < count; i++)
		good = validate(arguments[i]) && good;
	return good ? 0 : 2;
}
