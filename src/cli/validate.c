/* SPDX-License-Identifier: Apache-2.0 */
/* weft validate: loads configurations and runs nothing. */
#include "base/memory.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "io/file.h"
#include "io/loop.h"
#include "tls/store.h"

enum { MOST_FILES = 1024 };

static bool validate(const char *path, struct tls_store *store)
{
	struct snapshot *snapshot = NULL;
	struct text why = { 0 };
	struct slice bytes;

	if (cli_read(path, &bytes, &why)) {
		snapshot = cli_compile(path, bytes, store, NULL, &why);
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
	const struct argument table[] = { { .name = NULL } };
	const char *files[MOST_FILES];
	struct tls_store *store;
	struct loop *loop;
	bool good = true;
	int e;

	if (!arguments_read("validate", count, arguments, table, files, 0, MOST_FILES))
		return 2;
	if (count == 0) {
		cli_complain("weft validate: which file? usage: weft validate FILE.yaml...");
		return 2;
	}
	/* For the time of day, by which certificates are judged. */
	e = loop_new(&(struct loop_options){ .name = "validate" }, &loop);
	if (e) {
		cli_complain("weft validate: cannot start: %s", error_text(e));
		return 1;
	}
	store = tls_store_new(loop);
	for (int i = 0; i < count; i++)
		good = validate(files[i], store) && good;
	tls_store_free(store);
	loop_free(loop);
	return good ? 0 : 2;
}
