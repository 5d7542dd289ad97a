/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a message of a handover: what is read lies within them, and means the same when it is written and read again. */
#include <stdint.h>

#include "base/check.h"
#include "control/handover.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check_inside(struct slice whole, struct slice part)
{
	CHECK(part.length == 0 || (part.at >= whole.at && part.at + part.length <= whole.at + whole.length));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct slice whole = slice_make((const char *)bytes, length);
	char again[HANDOVER_BYTES];
	struct handover first, second;

	if (handover_read(whole, &first))
		return 0;
	check_inside(whole, first.sockets);
	check_inside(whole, first.text);
	if (first.kind == HANDOVER_ASK) {
		uint16_t version = handover_version(&first);
		CHECK(version == 0 || (version >= first.oldest && version <= first.version));
	}
	CHECK(handover_read(slice_make(again, handover_write(&first, again)), &second) == 0);
	CHECK(first.kind == second.kind && first.version == second.version && first.oldest == second.oldest);
	CHECK(first.restarts == second.restarts && first.follows == second.follows && first.told == second.told);
	CHECK(first.follow == second.follow && slice_equal(first.sockets, second.sockets) && slice_equal(first.text, second.text));
	return 0;
}
