/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1 heads that are longer than one of the loop's buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/sim/sim.h"
#include "session/pools.h"
#include "support/pair.h"

static char *repeat(const char *text, unsigned times)
{
	size_t length = strlen(text);
	char *all = malloc(length * times + 1);

	assert_non_null(all);
	for (unsigned i = 0; i < times; i++)
		memcpy(all + i * length, text, length);
	all[length * times] = '\0';
	return all;
}

static void answer(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED)
		call_send_head(call, "HTTP/1.1 204 No Content\r\n\r\n", true);
	if (event == CALL_END)
		call_release(call, RESET_NONE);
}

/* Heads longer than a buffer, in pieces of any size, one behind the other, with bodies. */
static void heads_longer_than_a_buffer(void **state)
{
	struct pair_options o = { .codec = &codec_http1, .serve = answer, .limits.max_head_bytes = 60 * 1024 };
	char *fill = repeat("y", 50000), *head = malloc(51000);

	(void)state;
	assert_non_null(head);
	snprintf(head, 51000, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nX-Large: %s\r\n\r\nbody", fill);
	for (unsigned filter = 0; filter < 2; filter++) {
		for (unsigned seed = 1; seed < 20; seed++) {
			o.filter = filter;
			o.seed = seed;
			struct pair *pair = pair_new(&o);

			pair_connect_raw(pair);
			for (unsigned i = 0; i < 4; i++)
				pair_send_raw_text(pair, head);
			sim_run_for(pair->sim, 20 * CLOCK_SECOND);
			assert_int_equal(4, pair->opened);
			for (struct call *call = pair->calls; call; call = call->next)
				assert_string_equal("body", call->body.bytes);
			assert_true(pair_holds_nothing(pair));
			assert_int_equal(0, pair->server_pools->large_buffers.in_use);
			pair_free(pair);
		}
	}
	free(fill);
	free(head);
}

/* Who needs none gets none: the limit decides before a buffer is full. */
static void ordinary_limits_use_no_large_buffers(void **state)
{
	struct pair_options o = { .codec = &codec_http1, .serve = answer, .calm = true };
	struct pair *pair = pair_new(&o);
	char *fill = repeat("y", 50000);

	(void)state;
	pair_connect_raw(pair);
	pair_send_raw_text(pair, "GET / HTTP/1.1\r\nHost: a\r\nX-Large: ");
	pair_send_raw_text(pair, fill);
	pair_settle(pair);
	assert_int_equal(431, pair->refused_status);
	assert_int_equal(0, pair->server_pools->large_buffers.peak);
	pair_free(pair);
	free(fill);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_longer_than_a_buffer),
		cmocka_unit_test(ordinary_limits_use_no_large_buffers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
