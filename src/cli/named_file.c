/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/named_file.h"

#include "base/clock.h"
#include "base/memory.h"
#include "io/file.h"
#include "tls/inspect.h"

enum { MOST_BYTES = 1 << 20 };

bool named_file_is_key(struct slice key)
{
	static const char *const keys[] = { "certPath", "keyPath", "intermediateCertsPath", "caCertPath", "ocspPath", "trustCerts",
		"trustCertsBundle", "caFile", NULL };

	for (unsigned i = 0; keys[i]; i++)
		if (slice_equal(key, slice_of(keys[i])))
			return true;
	return false;
}

/* At NULL: it can't be read. Its owner frees it. */
static struct slice read_file(struct slice path)
{
	char *name = memory_text(path);
	struct slice bytes = { 0 };

	/* "-" is standard input. */
	if (slice_equal(path, SLICE("-")) || file_read(name, MOST_BYTES, &bytes))
		bytes = (struct slice){ 0 };
	memory_free(name);
	return bytes;
}

bool named_file_same(struct slice old, struct slice new)
{
	struct slice was, is;
	bool same;

	if (slice_equal(old, new))
		return true;
	was = read_file(old);
	is = read_file(new);
	same = was.at && is.at && slice_equal(was, is);
	memory_free((void *)(uintptr_t)was.at);
	memory_free((void *)(uintptr_t)is.at);
	return same;
}

static void tell_certificate(const struct inspect_certificate *one, int64_t not_after_s, struct text *out)
{
	struct slice name = one->subject;
	char end[CLOCK_TEXT];

	for (unsigned i = 0; i < one->name_count; i++)
		if (i == 0 || one->names[i].kind == INSPECT_URI)
			name = one->names[i].text;
	clock_format(not_after_s * CLOCK_SECOND, end);
	text_format(out, "%.*s until %s", SLICE_ARGS(name), end);
}

void named_file_tell(struct slice path, struct text *out)
{
	struct slice bytes = read_file(path);
	struct inspection *found = NULL;
	struct text why = { 0 };

	if (bytes.at && inspect(&(struct inspect_input){ .chain = bytes }, &found, &why) == 0 && found->certificate_count) {
		bool all = found->certificates[0].is_ca;

		for (unsigned i = 0; i < (all ? found->certificate_count : 1); i++) {
			text_append(out, i ? SLICE(", ") : SLICE(" ("));
			tell_certificate(&found->certificates[i], all ? found->certificates[i].not_after_s : found->not_after_s, out);
		}
		text_append(out, SLICE(")"));
	}
	inspect_free(found);
	text_free(&why);
	memory_free((void *)(uintptr_t)bytes.at);
}
