/* SPDX-License-Identifier: Apache-2.0 */
/* support/hpack_judge.h: header blocks decoded by weft's decoder and by nghttp2's, one after the other on one connection: both have to
 * say the same fields, and the same about which blocks are none. Aborts where they don't.
 *
 *	hpack_judge_new(&judge);
 *	while (hpack_judge(&judge, block)) ...     // false: both say that the connection is over
 *	hpack_judge_free(&judge);
 */
#ifndef SUPPORT_HPACK_JUDGE_H
#define SUPPORT_HPACK_JUDGE_H

#include "base/text.h"
#include "wire/hpack.h"

struct nghttp2_hd_inflater;

struct hpack_judge {
	struct pool tables;
	struct hpack_decoder decoder, skipping; /* the second skips every other field */
	struct nghttp2_hd_inflater *other;
	struct text fields; /* of the last block: lines */
	unsigned count;
};

void hpack_judge_new(struct hpack_judge *judge);
void hpack_judge_free(struct hpack_judge *judge);
bool hpack_judge(struct hpack_judge *judge, struct slice block);

#endif
