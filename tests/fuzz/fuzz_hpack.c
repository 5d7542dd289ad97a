/* SPDX-License-Identifier: Apache-2.0 */
/* Header blocks, one after the other on one connection, decoded as nghttp2 does (support/hpack_judge.h). The input: blocks, each
 * behind two bytes with its length. */
#include "support/hpack_judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct hpack_judge judge;
	bool more = true;

	hpack_judge_new(&judge);
	while (more && length >= 2) {
		size_t block = (size_t)bytes[0] << 8 | bytes[1];

		bytes += 2;
		length -= 2;
		if (block > length)
			block = length;
		more = hpack_judge(&judge, slice_make((const char *)bytes, block));
		bytes += block;
		length -= block;
	}
	hpack_judge_free(&judge);
	return 0;
}
