/* SPDX-License-Identifier: Apache-2.0 */
/* Whole sessions of HTTP/2 before a peer that sends anything, cut anywhere: the contract of the exchange holds (support/contract.h
 * aborts if not), nothing crashes, and at the end everything was given back.
 *
 * The input: a byte of settings, a byte that seeds the network (its cuts, the filter's), then what the peer sends behind a
 * preface and SETTINGS that are good: frames to a server's session, or to a client's that has made requests.
 */
#include "support/frames.h"

enum {
	SETTING_CLIENT = 1,
	SETTING_FILTER = 2,
	SETTING_HALF_CLOSE = 4,
	SETTING_LATE = 8,
	SETTING_UPGRADE = 16,
	SETTING_RAW = 32,   /* without the preface */
	SETTING_SMALL = 64, /* small limits */
	SETTING_DRAIN = 128,
	REQUESTS = 4,
};

static bool late;

static void answer(struct call *call)
{
	call->step++;
	if (call->head.upgrades && call->side->head && call->side->head->upgrades) {
		call_send_head(call, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", false);
		return;
	}
	call_send_head(call, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false);
	call_send_pattern(call, call->head.target.length * 1000, false);
	if (call->head.target.length % 2)
		call_send_trailers(call, "x", "y");
	else
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
	for (struct call *call = pair->calls; late && call; call = call->next) {
		if (call->side)
			side_resume(call->side);
	}
	late = false;
	sim_run_for(pair->sim, CLOCK_SECOND / 10);
}

static void fuzz_client(struct pair *pair, bool upgrade)
{
	pair_serve_raw(pair);
	pair_connect(pair);
	sim_run_for(pair->sim, CLOCK_SECOND / 10);
	for (unsigned i = 0; i < REQUESTS && pair->client && session_capacity(pair->client); i++) {
		struct call *call = pair_call(pair,
			upgrade && i % 2 ? "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
				: i % 2  ? "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
					 : "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
			i % 2 == 0, release_when_over);

		if (i % 2 && !upgrade)
			call_send_pattern(call, 40000, i % 3 == 0);
		if (late)
			side_pause(call->side);
	}
	sim_run_for(pair->sim, CLOCK_SECOND / 10);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct pair_options options = { .codec = &codec_http2, .serve = serve };
	struct frames frames;
	struct pair *pair;
	uint8_t settings;

	if (length < 2)
		return 0;
	settings = bytes[0];
	late = settings & SETTING_LATE;
	options.filter = settings & SETTING_FILTER;
	options.seed = 1u + bytes[1];
	if (settings & SETTING_SMALL)
		options.limits =
			(struct session_limits){ .max_waiting_bytes = 4000, .max_streams = 3, .max_control_frames = 10, .max_resets = 3 };
	pair = pair_new(&options);
	if (settings & SETTING_CLIENT)
		fuzz_client(pair, settings & SETTING_UPGRADE);
	else
		pair_connect_raw(pair);
	frames_new(&frames, pair);
	if (!(settings & SETTING_RAW))
		frames_preface(&frames);
	if ((settings & SETTING_CLIENT) && !(settings & SETTING_RAW)) {
		text_clear(&frames.out);
		frames_setting(&frames, HTTP2_ENABLE_CONNECT_PROTOCOL, 1);
	}
	text_append(&frames.out, slice_make((const char *)bytes + 2, length - 2));
	frames_send(&frames);
	if (pair->raw && (settings & SETTING_HALF_CLOSE))
		stream_finish(pair->raw);
	if ((settings & SETTING_DRAIN) && pair->server)
		session_drain(pair->server);
	be_late(pair);
	pair_free(pair);
	frames_free(&frames);
	return 0;
}
