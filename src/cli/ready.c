/* SPDX-License-Identifier: Apache-2.0 */
/* weft ready: whether the proxy that a handover's socket leads to is the one of this container. */
#include "base/error.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "io/loop.h"
#include "io/packet.h"

/* Nothing is said, and the loop doesn't run. */
static void ignore_packet(void *owner, struct slice bytes, const int *descriptors, unsigned count)
{
	(void)owner;
	(void)bytes;
	for (unsigned i = 0; i < count; i++)
		packet_drop(descriptors[i]);
}

static void ignore_end(void *owner, int error)
{
	(void)owner;
	(void)error;
}

static const struct packet_events ignored = { .received = ignore_packet, .ended = ignore_end };

/* The kernel says who listened there last, and knows no number for a process that is in none of our pid namespaces. */
static int look(struct loop *loop, const char *path, struct stream_peer *holder)
{
	struct packet_link *link;
	int e = packet_connect(loop, path, &ignored, NULL, &link);

	if (e)
		return e;
	e = packet_peer(link, holder);
	packet_close(link);
	return e;
}

int cli_ready(int count, char **arguments)
{
	const struct argument table[] = { { .name = NULL } };
	struct stream_peer holder;
	struct loop *loop;
	const char *path;
	int e;

	if (!arguments_read("ready", count, arguments, table, &path, 1, 1))
		return 2;
	e = loop_new(&(struct loop_options){ .name = "ready" }, &loop);
	if (!e) {
		e = look(loop, path, &holder);
		loop_free(loop);
	}
	if (e == ERROR_NOT_FOUND || e == ERROR_REFUSED) {
		cli_complain("weft ready: nobody listens at %s", path);
	} else if (e) {
		cli_complain("weft ready: %s: %s", path, error_text(e));
	} else if (!holder.pid) {
		cli_complain("weft ready: a process outside of this container still has %s", path);
	} else {
		cli_say("process %u has %s", holder.pid, path);
		return 0;
	}
	return 1;
}
