/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "io/file.h"

int cli_validate(int count, char **arguments)
{
	struct text why = { 0 };
	struct snapshot *snapshot;
	int code = 0;

	if (count == 0) {
		cli_complain("weft validate: which file? usage: weft validate FILE.yaml…");
		return 2;
	}
	for (int i = 0; i < count; i++) {
		if (arguments[i][0] == '-' && arguments[i][1])
			return cli_unknown("option", arguments[i], (const char *const[]){ "--help", NULL });
		text_clear(&why);
		snapshot = cli_load(arguments[i], &why);
		if (snapshot) {
			cli_say("%s: OK", arguments[i]);
			snapshot_unref(snapshot);
		} else {
			file_print(true, text_slice(&why));
			code = 2;
		}
	}
	text_free(&why);
	return code;
}
