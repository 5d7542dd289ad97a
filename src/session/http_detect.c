/* SPDX-License-Identifier: Apache-2.0 */
#include "session/http_detect.h"

#include "base/check.h"
#include "session/http2_session.h"
#include "session/pools.h"

enum { SETTINGS_MOST = 32 }; /* of an upgrade's HTTP2-Settings field */

enum http_detected http_detect_bytes(struct http1_session *h)
{
	int e;

	do {
		e = http1_match_preface(input_slice(&h->input));
	} while (e == ERROR_INCOMPLETE && http1_receive_join(h, 400, "bad first bytes"));
	if (e == ERROR_INCOMPLETE)
		return HTTP_DETECTED_MORE;
	h->detects = false;
	h->detected = true;
	if (e)
		return HTTP_DETECTED_HTTP1;
	h->becomes = HTTP1_BECOMES_HTTP2;
	http1_session_touch(h);
	return HTTP_DETECTED_HTTP2;
}

void http_detect_connected(struct http1_session *h)
{
	const struct stream_security *security = stream_security(h->session.stream);

	if (!h->detects)
		return;
	h->upgradable = h->upgradable && !security;
	if (security && slice_equal(security->alpn, SLICE("h2"))) {
		h->becomes = HTTP1_BECOMES_HTTP2;
		http1_session_touch(h);
	}
	/* A server whose client has agreed to nothing still may speak HTTP/2 as it pleases. */
	if (!h->role->is_server || (security && security->alpn.length > 0))
		h->detects = false;
	h->session.undecided = !h->role->is_server && h->becomes != HTTP1_BECOMES_NOTHING;
}

/* --- Upgrade: h2c (RFC 7540 section 3.2) --- */

static bool has_token(struct slice list, struct slice token)
{
	struct slice one;

	while (slice_split(&list, ',', &one)) {
		if (slice_equal_nocase(slice_trim(one), token))
			return true;
	}
	return false;
}

static bool any_has_token(struct head *head, enum field_id id, struct slice token)
{
	for (struct field *field = head_find(head, id); field; field = head_find_next(head, field)) {
		if (has_token(field_value(field), token))
			return true;
	}
	return false;
}

static int digit_of(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Base64 in its form for URLs, without padding (RFC 4648 section 5). Bytes, or -1. */
static int decode(struct slice text, char *out, size_t room)
{
	unsigned bits = 0, have = 0;
	size_t length = 0;

	for (size_t i = 0; i < text.length; i++) {
		int digit = digit_of(text.at[i]);

		if (digit < 0 || length == room)
			return -1;
		bits = bits << 6 | (unsigned)digit;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[length++] = (char)(bits >> have);
		}
	}
	return have < 6 ? (int)length : -1;
}

/* What the field says, applied. */
static bool read_settings(struct head *head, struct http2_settings *settings)
{
	struct field *field = head_find(head, FIELD_HTTP2_SETTINGS);
	char payload[SETTINGS_MOST * HTTP2_SETTING_LENGTH];
	int length;

	if (!field || head_find_next(head, field))
		return false;
	length = decode(field_value(field), payload, sizeof payload);
	if (length < 0 || length % HTTP2_SETTING_LENGTH)
		return false;
	for (int i = 0; i < length; i += HTTP2_SETTING_LENGTH) {
		if (http2_settings_apply(settings, payload + i, false) != HTTP2_NO_ERROR)
			return false;
	}
	return true;
}

/* Its body is there as a whole: what follows it is HTTP/2. */
static bool is_complete(const struct http1_session *h, const struct head *head)
{
	if (head->body == BODY_NONE)
		return true;
	return head->body == BODY_LENGTH && head->body_length <= input_slice(&h->input).length;
}

bool http_detect_upgrade(struct http1_session *h)
{
	struct head *head = h->parsing->head;
	struct http2_settings settings;

	if (!h->upgradable)
		return false;
	h->upgradable = false;
	http2_settings_init(&settings);
	if (!head->upgrades || head->method == METHOD_CONNECT || !any_has_token(head, FIELD_UPGRADE, SLICE("h2c")) ||
		!any_has_token(head, FIELD_CONNECTION, SLICE("http2-settings")) || !is_complete(h, head) || !read_settings(head, &settings))
		return false;
	h->becomes = HTTP1_BECOMES_HTTP2_UPGRADED;
	http1_session_touch(h);
	return true;
}

/* --- becoming --- */

static void say_switching(struct output *output)
{
	struct slice text = SLICE("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
	char *at = output_room(output, text.length);

	if (!at)
		return; /* the session ends for want of memory when it says its own preface */
	memcpy(at, text.at, text.length);
	output_wrote(output, text.length);
}

/* The request that asked for it is stream 1. */
static void open_upgraded(struct http2_session *h, struct http1_side *side)
{
	struct head *head = side->head;
	struct http2_settings settings = h->peer;
	struct piece body = { 0 };

	if (read_settings(head, &settings))
		h->peer = settings;
	h->stream_send_window = h->peer.initial_window_size;
	head->upgrades = false;
	head_drop_hop_by_hop(head, false);
	head_drop_all(head, FIELD_HTTP2_SETTINGS);
	if (head->body == BODY_LENGTH) {
		body = piece_of(h->input.buffer, input_slice(&h->input).at, head->body_length);
		input_skip(&h->input, body.length);
	}
	http2_server_upgraded(h, head, side->buffer, body);
}

void http_detect_become(struct http1_session *old)
{
	/* Whatever has to stay; the rest of the memory is HTTP/2's from now on. */
	struct session_limits limits = http1_changing_of(old)->limits;
	struct session_pools *pools = old->pools;
	struct http1_side *asked = old->parsing;
	struct input input = old->input;
	struct output output;
	struct piece pieces[HTTP1_PIECES];
	bool server = old->role->is_server, upgraded = old->becomes == HTTP1_BECOMES_HTTP2_UPGRADED, counted = old->counted;
	bool ended = old->ended;
	struct http2_session *h = http2_session_of(&old->session);

	output_move(&output, &old->output, pieces, HTTP1_PIECES);
	task_cancel(old->session.loop, &old->task);
	http1_session_stop_times(old);
	if (upgraded)
		say_switching(&output);
	h->session.ops = server ? &http2_server_ops : &http2_client_ops;
	http2_session_begin(h, pools, &limits, server);
	h->counted = counted;
	h->secure = stream_security(h->session.stream) != NULL;
	h->input = input;
	output_move(&h->output, &output, h->pieces, HTTP2_PIECES);
	http2_session_start(h);
	if (upgraded)
		open_upgraded(h, asked);
	if (asked)
		pool_put(&pools->sides, asked);
	/* Told to drain while it could have been either: HTTP/2 has a way of its own. */
	if (server && h->session.draining)
		session_drain(&h->session);
	http2_receive(h);
	/* Told to HTTP/1 only, if it came right behind the bytes that decided. */
	if (ended)
		http2_session_ended(h);
}

/* --- the codec --- */

static int server_new(struct session_pools *pools, struct stream *stream, const struct session_limits *limits,
	const struct session_events *events, void *owner, struct session_counters *counters, struct session **session)
{
	int e = http1_server_new(pools, stream, limits, events, owner, counters, session);

	if (e)
		return e;
	http1_session_of(*session)->detects = true;
	http1_session_of(*session)->upgradable = true;
	return 0;
}

static int client_new(struct session_pools *pools, struct stream *stream, const struct session_limits *limits,
	const struct session_events *events, void *owner, struct session_counters *counters, struct session **session)
{
	bool secured = stream->ops->security;
	int e = http1_client_new(pools, stream, limits, events, owner, counters, session);

	if (e)
		return e;
	http1_session_of(*session)->detects = secured;
	(*session)->undecided = secured;
	return 0;
}

const struct codec http_codec = {
	.server = server_new,
	.client = client_new,
};
