/* SPDX-License-Identifier: Apache-2.0 */
/* /flows.json: which caller's requests went to which endpoint, by their addresses. It is counted from the first time on that it is asked
 * for, and for as long as `for` says behind the last time; so who wants to know what happens asks twice. */
#include "admin/question.h"
#include "admin/server.h"
#include "doc/json_write.h"
#include "proxy/binder.h"
#include "proxy/flows.h"
#include "proxy/proxy.h"

enum { FOR_USUAL = 60, FOR_LEAST = 1, FOR_MOST = 3600 }; /* seconds */

/* The caller's proxy speaks for it: what is between a pod and its node's proxy doesn't leave the node. */
static const char *security_of(const struct client *client)
{
	const struct tls_policy *tls = &client->policy.tls;

	if (!tls->client)
		return "no";
	return tls->mutual != MUTUAL_OFF ? "mutual" : "tls";
}

/* Buckets in which there is something, by the value that they count as: [[us, how many], ...]. */
static void write_latency(struct json_writer *json, const struct histogram_coarse *latency)
{
	json_write_key(json, SLICE("latency_us"));
	json_write_array(json);
	for (unsigned i = 0; i < HISTOGRAM_COARSE; i++) {
		uint32_t n = atomic_load_explicit(&latency->buckets[i], memory_order_relaxed);

		if (!n)
			continue;
		json_write_array(json);
		json_write_u64(json, histogram_bucket_least(i * 4 + 2));
		json_write_u64(json, n);
		json_write_end(json);
	}
	json_write_end(json);
}

static void write_flow(struct json_writer *json, const struct flow *flow)
{
	char source[ADDRESS_TEXT] = "";

	if (flow->source.family == ADDRESS_IP4 || flow->source.family == ADDRESS_IP6)
		address_format_ip(&flow->source, source);
	json_write_object(json);
	json_write_key(json, SLICE("number"));
	json_write_u64(json, flow->number);
	json_write_member_text(json, "router", flow->client->label);
	json_write_member_text(json, "client", flow->client->id);
	json_write_key(json, SLICE("listener"));
	json_write_u64(json, flow->key.listener);
	json_write_member_text(json, "source", slice_of(source));
	json_write_member_text(json, "endpoint", slice_of(flow->target->text));
	json_write_member_text(json, "secured", slice_of(security_of(flow->client)));
	json_write_key(json, SLICE("success"));
	json_write_u64(json, counter_read(&flow->ended[true]));
	json_write_key(json, SLICE("failures"));
	json_write_u64(json, counter_read(&flow->ended[false]));
	write_latency(json, &flow->latency);
	json_write_end(json);
}

static void ask_flows(struct question *question)
{
	struct proxy *proxy = question->admin->options.proxy;
	struct live *live = proxy_live(proxy);
	struct loop *loop = binder_loop(proxy_binder(proxy));
	struct json_writer json;

	flows_ask(proxy, live, loop_now(loop), question->for_ns);
	json_write_start(&json, &question->answer, false);
	json_write_object(&json);
	json_write_key(&json, SLICE("began")); /* another number: another process, whose flows have other numbers */
	json_write_u64(&json, (uint64_t)live->began);
	json_write_key(&json, SLICE("at_ms"));
	json_write_u64(&json, (uint64_t)(loop_now(loop) / CLOCK_MS));
	json_write_key(&json, SLICE("lost"));
	json_write_u64(&json, flows_lost(proxy));
	json_write_key(&json, SLICE("flows"));
	json_write_array(&json);
	LIST_EACH(&live->flows, link)
		write_flow(&json, flow_at(link));
	json_write_end(&json);
	json_write_end(&json);
	question_answer(question);
}

void page_flows(struct request *request)
{
	struct text text = { 0 };
	uint64_t seconds = FOR_USUAL;
	bool good = true;
	struct question *question;

	if (request_parameter(request, "for", &text))
		good = !slice_to_u64(text_slice(&text), FOR_MOST, &seconds) && seconds >= FOR_LEAST;
	text_free(&text);
	if (!good) {
		request_answer_error(request, 400, "`for` takes seconds, from 1 to 3600");
		return;
	}
	question = question_new(request, ask_flows);
	question->for_ns = (int64_t)seconds * CLOCK_SECOND;
	question_send(question);
}
