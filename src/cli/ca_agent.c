/* SPDX-License-Identifier: Apache-2.0 */
/* weft ca agent: keeps a workload's certificate, key and bundle fresh in files, for whatever can read them again. */
#include "base/clock.h"
#include "cli/agent_page.h"
#include "cli/arguments.h"
#include "cli/ca.h"
#include "cli/cli.h"
#include "client/identity.h"
#include "io/file.h"
#include "io/loop.h"
#include "io/network.h"
#include "io/process.h"
#include "tls/request.h"

struct agent {
	struct loop *loop;
	struct signals *signals;
	struct identity *identity;
	struct agent_page *page; /* NULL: not asked for */
	const char *directory, *metrics;
	bool once;
	int code;
};

static bool write_one(const struct agent *agent, const char *name, struct slice bytes, unsigned mode)
{
	struct text path = { 0 };
	bool good;

	text_format(&path, "%s/%s", agent->directory, name);
	good = ca_write("ca agent", path.bytes, bytes, mode);
	text_free(&path);
	return good;
}

/* Whom to trust comes first, then the key, then the certificate: who reads on a change of the certificate finds a pair. svid.pem has
 * both in one file, so it is never half new. */
static bool write_all(const struct agent *agent, const struct identity_credentials *credentials)
{
	struct text both = { 0 };
	bool good;

	text_append(&both, credentials->chain);
	text_append(&both, credentials->key);
	good = write_one(agent, "bundle.pem", credentials->bundle, 0644) && write_one(agent, "key.pem", credentials->key, 0600) &&
		write_one(agent, "cert.pem", credentials->chain, 0644) && write_one(agent, "svid.pem", text_slice(&both), 0600);
	request_wipe(&both);
	return good;
}

static void changed(void *owner, const struct identity_credentials *credentials)
{
	struct agent *agent = owner;
	char until[CLOCK_TEXT], renewal[CLOCK_TEXT];

	if (!write_all(agent, credentials)) {
		agent->code = 1;
		agent_page_failed(agent->page);
	} else {
		agent_page_renewed(agent->page, credentials->not_after_s, credentials->generation);
		clock_format(credentials->not_after_s * CLOCK_SECOND, until);
		clock_format(credentials->renew_s * CLOCK_SECOND, renewal);
		cli_say("%.*s until %s, renewed at %s, bundle generation %llu", SLICE_ARGS(credentials->id), until, renewal,
			(unsigned long long)credentials->generation);
	}
	if (agent->once)
		loop_stop(agent->loop);
}

static void failed(void *owner, int error, struct slice reason)
{
	struct agent *agent = owner;

	(void)error;
	agent_page_failed(agent->page);
	cli_complain("weft ca agent: %.*s", SLICE_ARGS(reason));
	if (agent->once) {
		agent->code = 1;
		loop_stop(agent->loop);
	}
}

static void received(void *owner, enum process_signal which)
{
	struct agent *agent = owner;

	if (which == PROCESS_TERMINATE)
		loop_stop(agent->loop);
}

/* False: it has complained. */
static bool start_page(struct agent *agent)
{
	struct address address;
	char text[ADDRESS_TEXT];
	int e;

	if (!agent->metrics)
		return true;
	if (address_parse_with_port(slice_of(agent->metrics), &address)) {
		cli_complain("weft ca agent: --metrics takes IP:PORT, not `%s`", agent->metrics);
		return false;
	}
	e = agent_page_new(network_host(), agent->loop, &address, &agent->page);
	if (e) {
		cli_complain("weft ca agent: cannot listen on %s: %s", agent->metrics,
			e == ERROR_EXISTS ? "the address is in use" : error_text(e));
		return false;
	}
	agent_page_address(agent->page, &address);
	address_format(&address, text);
	cli_say("metrics on %s", text);
	return true;
}

static int run(struct agent *agent, struct identity_options *options)
{
	static const struct identity_events events = { .changed = changed, .failed = failed };
	int e;

	process_start();
	process_protect();
	e = file_make_directory(agent->directory, 0755);
	if (e && e != ERROR_EXISTS) {
		cli_complain("weft ca agent: %s cannot be made: %s", agent->directory, error_text(e));
		return 2;
	}
	e = loop_new(&(struct loop_options){ .name = "agent" }, &agent->loop);
	options->network = network_host();
	options->loop = agent->loop;
	if (!e && !start_page(agent))
		return 2;
	if (!e)
		e = signals_new(agent->loop, received, agent, &agent->signals);
	if (!e)
		e = identity_new(options, &events, agent, &agent->identity);
	if (e) {
		cli_complain("weft ca agent: %s",
			e == ERROR_SYNTAX ? "--id takes a SPIFFE ID: spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/ACCOUNT" : error_text(e));
		return 2;
	}
	loop_run(agent->loop);
	/* The process ends with what its connections still hold. */
	return agent->code;
}

int ca_agent(int count, char **arguments)
{
	static struct agent agent;
	struct identity_options options = { 0 };
	const char *id = NULL, *ttl = NULL;
	const struct argument table[] = {
		{ "--socket", .value = &options.socket },
		{ "--id", .value = &id },
		{ "--out", .value = &agent.directory },
		{ "--ttl", .value = &ttl },
		{ "--metrics", .value = &agent.metrics },
		{ "--once", .flag = &agent.once },
		{ .name = NULL },
	};

	if (!arguments_read("ca agent", count, arguments, table, NULL, 0, 0) ||
		!arguments_duration("ca agent", "--ttl", ttl, &options.ttl_s))
		return 2;
	if (!options.socket || !id || !agent.directory) {
		cli_complain("weft ca agent: %s",
			!options.socket ? "whom to ask? --socket PATH"
				: !id   ? "for whom? --id spiffe://…"
					: "where to? --out DIR");
		return 2;
	}
	options.id = slice_of(id);
	return run(&agent, &options);
}
