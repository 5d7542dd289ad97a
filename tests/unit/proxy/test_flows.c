/* SPDX-License-Identifier: Apache-2.0 */
/* Who calls which endpoint, while somebody asks. See test_path.c. */
#include "calls.h"

#include "proxy/flows.h"
#include "proxy/proxy.h"

#define UNAVAILABLE "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"

static void answer_503(struct call *call, enum call_event event)
{
	if (!call_event_ends(event))
		return;
	call_send_head(call, UNAVAILABLE, true);
	call_release(call, RESET_NONE);
}

static void ask(struct chain *chain, int64_t for_ns)
{
	flows_ask(chain->proxy, proxy_live(chain->proxy), loop_now(chain->control), for_ns);
}

static unsigned count(struct chain *chain, bool success)
{
	uint64_t sum = 0;

	LIST_EACH(&proxy_live(chain->proxy)->flows, link)
		sum += counter_read(&flow_at(link)->ended[success]);
	return (unsigned)sum;
}

static unsigned times(struct chain *chain)
{
	unsigned sum = 0;

	LIST_EACH(&proxy_live(chain->proxy)->flows, link)
		for (unsigned i = 0; i < HISTOGRAM_COARSE; i++)
			sum += atomic_load(&flow_at(link)->latency.buckets[i]);
	return sum;
}

static void counted_while_asked_for(struct chain_options options)
{
	struct chain *chain;
	struct caller *caller = NULL;

	options.origins = 2;
	chain = chain_new(&options);
	caller = chain_connect(chain);
	expect_hello(chain, caller);
	assert_true(list_empty(&proxy_live(chain->proxy)->flows));
	ask(chain, 5 * CLOCK_SECOND);
	for (unsigned i = 0; i < 8; i++)
		expect_hello(chain, caller);
	sim_run_for(chain->sim, 2 * CLOCK_SECOND);
	assert_int_equal(8, count(chain, true));
	assert_int_equal(8, times(chain));
	LIST_EACH(&proxy_live(chain->proxy)->flows, link) {
		struct flow *flow = flow_at(link);

		assert_true(flow->number > 0);
		assert_true(flow->source.family != ADDRESS_NONE && flow->source.port == 0);
		assert_true(slice_equal(SLICE("/#/io.l5d.fs/web"), flow->client->id));
		assert_true(slice_starts(slice_of(flow->target->text), SLICE("1")));
	}
	/* Nobody asks any more: not counted, and forgotten. */
	sim_run_for(chain->sim, 8 * CLOCK_SECOND);
	expect_hello(chain, caller);
	sim_run_for(chain->sim, 3 * CLOCK_SECOND);
	assert_true(list_empty(&proxy_live(chain->proxy)->flows));
	assert_int_equal(0, flows_lost(chain->proxy));
	chain_free(chain);
}

static void failures(struct chain_options options)
{
	struct chain *chain;
	struct caller *caller = NULL;
	struct call *call;

	options.serve = answer_503;
	chain = chain_new(&options);
	ask(chain, CLOCK_MINUTE);
	call = begin(chain, &caller, GET, true, call_release_when_over);
	assert_true(chain_run_until_over(chain, call));
	assert_int_equal(503, call->status);
	sim_run_for(chain->sim, 2 * CLOCK_SECOND);
	assert_int_equal(1, count(chain, false));
	assert_int_equal(0, count(chain, true));
	/* What is held goes with the proxy. */
	chain_free(chain);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		EVERY_VARIANT(counted_while_asked_for),
		EVERY_VARIANT(failures),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
