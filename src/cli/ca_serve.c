/* SPDX-License-Identifier: Apache-2.0 */
/* weft ca serve: the signing process. */
#include "cli/arguments.h"
#include "cli/ca.h"
#include "cli/cli.h"
#include "control/signer.h"
#include "io/loop.h"
#include "io/network.h"
#include "io/process.h"

struct serving {
	struct loop *loop;
	struct signer *signer;
	struct signals *signals;
	bool ending;
};

static void stopped(void *owner)
{
	struct serving *serving = owner;

	loop_stop(serving->loop);
}

static void received(void *owner, enum process_signal which)
{
	struct serving *serving = owner;

	if (which == PROCESS_RELOAD) {
		signer_reload(serving->signer);
	} else if (!serving->ending) {
		serving->ending = true;
		signer_stop(serving->signer, stopped, serving);
	} else {
		process_exit(1);
	}
}

static int serve(struct signer_options *options)
{
	struct serving serving = { 0 };
	struct text why = { 0 };
	int e;

	process_start();
	process_protect();
	e = loop_new(&(struct loop_options){ .name = "signer" }, &serving.loop);
	options->network = network_host();
	options->loop = serving.loop;
	if (!e)
		e = signals_new(serving.loop, received, &serving, &serving.signals);
	if (!e)
		e = signer_new(options, &serving.signer, &why);
	if (e) {
		text_join_lines(&why);
		cli_complain("weft ca serve: %s", why.length ? why.bytes : error_text(e));
		text_free(&why);
	} else {
		cli_say("listening on %s", options->socket);
		loop_run(serving.loop);
	}
	signer_free(serving.signer);
	signals_free(serving.signals);
	if (serving.loop)
		loop_free(serving.loop);
	return e ? 2 : 0;
}

/* "0660": who may connect, as chmod writes it. */
static bool read_mode(const char *text, unsigned *mode)
{
	unsigned value = 0;
	size_t length = strlen(text);

	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '7' || length > 4)
			return false;
		value = value << 3 | (unsigned)(text[i] - '0');
	}
	*mode = value;
	return length > 0 && value <= 0777;
}

int ca_serve(int count, char **arguments)
{
	struct signer_options options = { .socket_mode = 0600 };
	const char *mode = NULL;
	const struct argument table[] = {
		{ "--socket", .value = &options.socket },
		{ "--policy", .value = &options.policy },
		{ "--mode", .value = &mode },
		{ .name = NULL },
	};

	if (!arguments_read("ca serve", count, arguments, table, &options.directory, 1, 1))
		return 2;
	if (!options.socket) {
		cli_complain("weft ca serve: on which socket? --socket PATH");
		return 2;
	}
	if (options.policy)
		options.socket_mode = 0666; /* whom it knows, the policy says */
	if (mode && !read_mode(mode, &options.socket_mode)) {
		cli_complain("weft ca serve: --mode takes who may connect as chmod does, e.g. 0660, not `%s`", mode);
		return 2;
	}
	return serve(&options);
}
