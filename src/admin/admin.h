/* SPDX-License-Identifier: Apache-2.0 */
/* admin/admin.h: the admin HTTP server, on a loop and thread of its own, so that neither traffic nor the compiling of a
 * configuration holds it up.
 *
 * Made and configured on the control thread; main runs the loop in a thread. What only the control thread knows is asked for by
 * messages, and the page is answered when the answer has come.
 *
 *	admin_new(&options, &snapshot->admin, &admin, &why);            // where to listen
 *	admin_configure(admin, snapshot);                               // now and after each reload
 *	admin_address(admin, &bound);
 *	... loop_run(options.loop) in a thread; loop_stop; join ...
 *	admin_free(admin);
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "base/text.h"
#include "io/loop.h"
#include "io/network.h"
#include "model/snapshot.h"
#include "observe/metrics.h"

struct admin;
struct inherited;
struct process_metrics;
struct proxy;

struct admin_options {
	struct network *network;
	struct loop *loop; /* the admin thread's */
	struct proxy *proxy;
	struct metrics *metrics;
	unsigned worker_count;
	struct inherited *inherited; /* listening sockets that are there already (io/inherit.h); NULL: none */
	/* Somebody has asked for /admin/shutdown; on the control thread. */
	void (*shut_down)(void *owner);
	void *owner;
};

MUST_CHECK int admin_new(const struct admin_options *options, const struct admin_policy *policy, struct admin **admin, struct text *why);
/* Takes a reference of its own. Control thread. Changed addresses take effect at the next start only. */
void admin_configure(struct admin *admin, struct snapshot *snapshot);
/* The process serves: who asks for its health is told so from now on. Control thread. */
void admin_ready(struct admin *admin);
/* The process is ending: who asks for its health is told so. Control thread. */
void admin_drain(struct admin *admin);
/* The same, and another process listens from now on: its callers are sent there. Control thread. */
void admin_leave(struct admin *admin);
/* Its listening sockets, for giving them to another process, before admin_leave; role: enum inherited_role. Control thread. */
void admin_each_socket(struct admin *admin, void (*visit)(void *owner, const int *descriptors, unsigned count, uint8_t role), void *owner);
void admin_address(const struct admin *admin, struct address *bound);
/* False: there is no httpIdentifierPort. */
bool admin_identifier_address(const struct admin *admin, struct address *bound);
/* The process among the metrics, for who reads them elsewhere. */
struct process_metrics *admin_process(const struct admin *admin);
/* After the loop has stopped. */
void admin_free(struct admin *admin);

#endif
