/* SPDX-License-Identifier: Apache-2.0 */
/* Whole sessions of HTTP/1.1 before a peer that sends anything, cut anywhere: the contract of the exchange holds
 * (support/contract.h aborts if not), nothing crashes, and at the end everything was given back.
 *
 * The input: a byte of settings, a byte that seeds the network (its cuts, the filter's, the exchange's moods), then what the
 * peer sends: requests to a server's session, or responses to a client's.
 */
#include "support/pair.h"

enum { SETTING_CLIENT = 1, SETTING_FILTER = 2, SETTING_HALF_CLOSE = 4, SETTING_LATE = 8, SETTING_UPGRADE = 16, REQUESTS = 4 };

static bool late;

static void answer(struct call *call)
{
	call->step++;
	if (call->head.upgrades && call->side->head->upgrades) {
		call_send_head(call, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", false);
		return;
	}
	call_send_head(call, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false);
	call_send(call, "hello", true);
	call_release(call, RESET_NONE);
}

static void serve(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED && late)
		side_pause(call->side);
	else if (event == CALL_OPENED && call->head.method != METHOD_POST)
		answer(call);
	else if ((event == CALL_END || event == CALL_TRAILERS) && call->side && call->step == 0)
		answer(call);
}

static void release_when_over(struct call *call, enum call_event event)
{
	if (event == CALL_END || event == CALL_TRAILERS)
		call_release(call, RESET_NONE);
}

static void be_late(struct pair *pair)
{
	sim_run_for(pair->sim, CLOCK_SECOND / 10);
	if (late && pair->served && pair->served->side) {
		late = false;
		side_resume(pair->served->side);
	}
}

static void fuzz_server(struct pair *pair, const char *bytes, size_t length, bool half_close)
{
	pair_connect_raw(pair);
	pair_send_raw(pair, bytes, length);
	if (half_close)
		stream_finish(pair->raw);
	be_late(pair);
	sim_run_for(pair->sim, CLOCK_SECOND / 10);
}

static bool has_raw(struct pair *pair)
{
	return pair->raw != NULL;
}

static void fuzz_client(struct pair *pair, const char *bytes, size_t length, bool half_close, bool upgrade)
{
	pair_serve_raw(pair);
	for (unsigned i = 0; i < REQUESTS; i++) {
		if (pair->client && !session_capacity(pair->client))
			break;
		pair_call(pair,
			upgrade ? "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
				: "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
			!upgrade, release_when_over);
		if (!pair_run_until(pair, has_raw))
			break;
		sim_run_for(pair->sim, CLOCK_SECOND / 10);
		/* The first answer gets all; what follows must not be taken for another's. */
		if (i == 0)
			pair_send_raw(pair, bytes, length);
		if (i == 0 && half_close)
			stream_finish(pair->raw);
		sim_run_for(pair->sim, CLOCK_SECOND / 10);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct pair_options options = { .codec = &codec_http1, .serve = serve };
	const char *text = (const char *)bytes + 2;
	struct pair *pair;
	uint8_t settings;

	if (length < 2)
		return 0;
	settings = bytes[0];
	late = settings & SETTING_LATE;
	options.filter = settings & SETTING_FILTER;
	options.seed = 1u + bytes[1];
	pair = pair_new(&options);
	if (settings & SETTING_CLIENT)
		fuzz_client(pair, text, length - 2, settings & SETTING_HALF_CLOSE, settings & SETTING_UPGRADE);
	else
		fuzz_server(pair, text, length - 2, settings & SETTING_HALF_CLOSE);
	pair_free(pair);
	return 0;
}
