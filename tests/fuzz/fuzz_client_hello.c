/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the beginning of a connection: in one piece, and cut where the first byte says; the verdicts are the same, and what is
 * answered lies inside the struct. */
#include <stdint.h>

#include "base/check.h"
#include "wire/client_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check_inside(const struct client_hello *hello, struct slice s)
{
	const char *begin = (const char *)hello;

	CHECK(s.length == 0 || (s.at >= begin && s.at + s.length <= begin + sizeof *hello));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct client_hello whole, cut;
	size_t step = length ? (size_t)bytes[0] % 19 + 1 : 1;
	int e, last = ERROR_INCOMPLETE;

	if (length == 0)
		return 0;
	bytes++;
	length--;
	client_hello_start(&whole);
	e = client_hello_feed(&whole, slice_make((const char *)bytes, length));
	client_hello_start(&cut);
	for (size_t at = 0; at < length && last == ERROR_INCOMPLETE; at += step)
		last = client_hello_feed(&cut, slice_make((const char *)bytes + at, step < length - at ? step : length - at));
	CHECK(e == last);
	if (e)
		return 0;
	check_inside(&whole, whole.server_name);
	check_inside(&whole, whole.alpn);
	CHECK(slice_equal(whole.server_name, cut.server_name) && slice_equal(whole.alpn, cut.alpn));
	CHECK(whole.most_version == cut.most_version && !client_hello_offers(&whole, SLICE("")));
	CHECK(client_hello_first(slice_make((const char *)bytes, length)) == CLIENT_HELLO_TLS);
	return 0;
}
