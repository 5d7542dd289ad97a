/* SPDX-License-Identifier: Apache-2.0 */
#include "calls.h"

enum { SEEDS = 3 };

static struct chain_options running; /* the variant; no codec: none */

static void run_variant(variant_test *test, const struct test_codec *codec, uint64_t seed)
{
	running = (struct chain_options){ .codec = codec, .seed = seed, .workers = 1 + seed % 2 };
	test(running);
	running.codec = NULL;
}

void every_variant(void **state)
{
	for (unsigned i = 0; i < TEST_CODECS; i++)
		for (uint64_t seed = 1; seed <= SEEDS; seed++)
			run_variant(*(variant_test **)*state, &test_codecs[i], seed);
}

void every_codec(void **state)
{
	for (unsigned i = 0; i < TEST_CODECS; i++)
		run_variant(*(variant_test **)*state, &test_codecs[i], 1);
}

int say_variant(void **state)
{
	(void)state;
	if (running.codec)
		print_message("with %s, seed %u\n", running.codec->name, (unsigned)running.seed);
	running.codec = NULL;
	return 0;
}

void answer_hello(struct call *call, enum call_event event)
{
	if (!call_event_ends(event))
		return;
	call_send_head(call, OK_HELLO, false);
	call_send(call, "hello", true);
	call_release(call, RESET_NONE);
}

void serve(struct chain *chain, call_script *script)
{
	for (unsigned i = 0; i < chain->options.origins; i++)
		chain->origins[i]->serve = script;
}

/* On that connection if it is still there, else on a new one. */
struct call *begin(struct chain *chain, struct caller **caller, const char *head, bool end, call_script *script)
{
	if (!*caller || !(*caller)->session || session_capacity((*caller)->session) == 0)
		*caller = chain_connect(chain);
	return caller_begin(*caller, head, end, script);
}

void check_hello(const struct call *call)
{
	assert_true(call->ended);
	if (call->status != 200)
		print_message("%u: %s\n", call->status, call->body.bytes ? call->body.bytes : "");
	assert_int_equal(200, call->status);
	assert_string_equal("hello", call->body.bytes);
}

void expect_hello(struct chain *chain, struct caller *caller)
{
	struct call *call;

	serve(chain, answer_hello);
	call = begin(chain, &caller, GET, true, call_release_when_over);
	assert_true(chain_run_until_over(chain, call));
	check_hello(call);
}

/* Sends back what comes in, as far as there is room. */
void echo(struct call *call, enum call_event event)
{
	bool more = true;

	if (event == CALL_OPENED)
		call_send_head(call, OK_CHUNKED, false);
	if (event == CALL_BODY || event == CALL_WRITABLE) {
		if (call->body_length > call->sent)
			more = call_send_pattern(call, call->body_length - call->sent, false);
		if (event == CALL_WRITABLE && more)
			side_resume(call->side);
		else if (!more)
			side_pause(call->side);
	}
	if (event == CALL_END) {
		call_send_pattern(call, 0, true);
		call_release(call, RESET_NONE);
	}
	if (event == CALL_TRAILERS) {
		call_send_trailers(call, "x-echo", "done");
		call_release(call, RESET_NONE);
	}
}

/* Sends call->to_send bytes of pattern, waiting when it should. */
void send_more(struct call *call)
{
	while (call->sent < call->to_send) {
		size_t left = call->to_send - call->sent, part = left < 9000 ? left : 9000;

		if (!call_send_pattern(call, part, part == left))
			return;
	}
}

void upload(struct call *call, enum call_event event)
{
	if (event == CALL_WRITABLE)
		send_more(call);
	call_release_when_over(call, event);
}

struct call *begin_upload(struct chain *chain, struct caller **caller, const char *head, size_t length)
{
	struct call *call = begin(chain, caller, head, false, upload);

	call->to_send = length;
	send_more(call);
	return call;
}
