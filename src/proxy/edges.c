/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/edges.h"

#include "base/memory.h"
#include "io/channel.h"
#include "observe/metrics.h"
#include "proxy/worker.h"

struct edge_stats {
	struct counter connects;
};

static const struct metric metrics_of_it[] = {
	METRIC(struct edge_stats, connects, METRIC_COUNTER, "connects"),
};
static const struct metric_kind kind = { "peer", metrics_of_it, 1, sizeof(struct edge_stats), 1024 };

/* On its way to the control thread. */
struct notice {
	struct metrics *metrics;
	struct slice side, label, name, id; /* in `bytes` */
	char bytes[];
};

static struct slice put(char **at, struct slice s)
{
	struct slice copy = slice_make(*at, s.length);

	if (s.length)
		memcpy(*at, s.at, s.length);
	*at += s.length;
	return copy;
}

static void deliver_notice(const struct message *message)
{
	struct notice *notice = message->a;
	const struct scope_label at[] = {
		{ SLICE("rt"), notice->label },
		{ notice->side, notice->name },
		{ SLICE("peer"), notice->id },
	};
	struct scope *scope = metrics_scope(notice->metrics, &kind, at, 3);
	struct edge_stats *stats = scope_shard(scope, 0); /* only this thread writes */

	counter_add(&stats->connects, 1);
	scope_unref(scope);
	memory_free(notice);
}

void edge_seen(struct worker *worker, struct metrics *metrics, struct slice side, struct slice label, struct slice name, struct slice id)
{
	struct notice *notice = memory_new(sizeof *notice + side.length + label.length + name.length + id.length);
	char *at = notice->bytes;

	notice->metrics = metrics;
	notice->side = put(&at, side);
	notice->label = put(&at, label);
	notice->name = put(&at, name);
	notice->id = put(&at, id);
	if (channel_post(worker->control, (struct message){ .deliver = deliver_notice, .a = notice }))
		memory_free(notice);
}
