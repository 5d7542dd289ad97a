/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP/1 codec: requests, responses, bodies and trailers, whole and in pieces.
 *
 * An input's first line says what the rest is: Q requests, T requests with tight limits, and R, H or C responses to GET, HEAD or
 * CONNECT. Whatever it is: nothing is read outside of what has arrived; the verdict is the same however it arrives; what is
 * accepted contains no CR, LF or NUL in its fields and, written and parsed again, is the same (support/http1_verdict.c). */
#include <stdio.h>
#include <stdlib.h>

#include "support/http1_verdict.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static bool read_mode(char mode, struct verdict_input *input)
{
	switch (mode) {
	case 'Q':
		return true;
	case 'T':
		input->limits = (struct http1_limits){ .max_line_bytes = 40, .max_head_bytes = 60, .max_fields = 4 };
		return true;
	case 'R':
	case 'H':
	case 'C':
		input->is_response = true;
		input->closes = true;
		input->request_method = mode == 'R' ? METHOD_GET : mode == 'H' ? METHOD_HEAD : METHOD_CONNECT;
		return true;
	default:
		return false;
	}
}

static void compare(struct verdict_input input, size_t cut, size_t step, const struct text *whole)
{
	struct text pieces = { 0 };

	input.cut = cut;
	input.step = step;
	http1_verdict(&pieces, &input);
	if (!slice_equal(text_slice(&pieces), text_slice(whole))) {
		fprintf(stderr, "whole:\n%scut %zu, step %zu:\n%s", whole->bytes, cut, step, pieces.bytes);
		abort();
	}
	text_free(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct verdict_input input = { 0 };
	struct text whole = { 0 };

	if (length < 2 || bytes[1] != '\n' || !read_mode((char)bytes[0], &input))
		return 0;
	input.bytes = (const char *)bytes + 2;
	input.length = length - 2;
	http1_verdict(&whole, &input);
	compare(input, 0, 1, &whole);
	compare(input, 0, 7, &whole);
	compare(input, input.length / 2, 0, &whole);
	compare(input, input.length / 3 + 1, 0, &whole);
	text_free(&whole);
	return 0;
}
