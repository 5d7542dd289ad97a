/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/supervise.h"

#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "cli/cli.h"
#include "control/supervisor.h"
#include "io/inherit.h"
#include "io/loop.h"

struct supervision {
	struct loop *loop;
	struct signals *signals;
	struct supervisor *supervisor;
	int code;
};

static void ended(void *owner, int code)
{
	struct supervision *supervision = owner;

	supervision->code = code;
	loop_stop(supervision->loop);
}

static void received(void *owner, enum process_signal which)
{
	struct supervision *supervision = owner;

	if (supervision->supervisor)
		supervisor_tell(supervision->supervisor, which);
}

/* `weft proxy ...` without --supervise: so the two look different in a list of processes, too. */
static char **arguments_of_process(int count, char **arguments)
{
	static char program[] = "weft", command[] = "proxy";
	char **result = memory_array((size_t)count + 3, sizeof *result);
	int length = 0;

	result[length++] = program;
	result[length++] = command;
	for (int i = 0; i < count; i++)
		if (strcmp(arguments[i], "--supervise") != 0)
			result[length++] = arguments[i];
	result[length] = NULL;
	return result;
}

/* What systemd gave is this process's, by its LISTEN_PID. */
static int inherit(struct inherited *inherited)
{
	unsigned count;
	int e = inherited_from_environment(inherited, &count);

	if (e)
		cli_complain("weft proxy: cannot start: LISTEN_FDS: descriptor %u is no listening TCP socket", count + 2);
	return e;
}

static int start(struct supervision *supervision, char **arguments, bool stay, struct inherited *inherited)
{
	const struct supervisor_options options = {
		.loop = supervision->loop,
		.arguments = arguments,
		.stay = stay,
		.ended = ended,
		.owner = supervision,
	};
	int e = signals_new(supervision->loop, received, supervision, &supervision->signals);

	if (!e)
		e = supervisor_new(&options, inherited, &supervision->supervisor);
	else
		inherited_free(inherited);
	if (e)
		cli_complain("weft proxy: cannot start: %s", error_text(e));
	return e;
}

int supervise(int count, char **arguments, const char *path, bool stay)
{
	struct supervision supervision = { .code = 2 };
	struct inherited *inherited = inherited_new();
	char **its_arguments;
	int e;

	if (strcmp(path, "-") == 0) {
		cli_complain("weft proxy: --supervise needs a file: standard input can't be read again when the proxy is started again");
		inherited_free(inherited);
		return 2;
	}
	process_start();
	e = inherit(inherited);
	if (!e)
		e = loop_new(&(struct loop_options){ .name = "supervisor" }, &supervision.loop);
	if (e) {
		inherited_free(inherited);
		return 2;
	}
	its_arguments = arguments_of_process(count, arguments);
	if (start(&supervision, its_arguments, stay, inherited) == 0)
		loop_run(supervision.loop);
	supervisor_free(supervision.supervisor);
	signals_free(supervision.signals);
	loop_free(supervision.loop);
	memory_free(its_arguments);
	return supervision.code;
}
