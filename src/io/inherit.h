/* SPDX-License-Identifier: Apache-2.0 */
/* io/inherit.h: listening sockets that this process did not open: an older process gives them (control/handover.h), or systemd
 * (sd_listen_fds(3)). listen_open takes those for its address before it opens any. Kernel backend only; main or control thread.
 *
 *	struct inherited *inherited = inherited_new();
 *	e = inherited_add(inherited, descriptor, role);           // any number of them
 *	e = inherited_from_environment(inherited, &count);        // LISTEN_FDS
 *	listen_open(network, &address, workers, &(struct listen_options){ .inherited = inherited, .role = INHERITED_PROXY }, &set);
 *	inherited_drop(inherited);                                // those that nobody wanted
 *	inherited_free(inherited);                                // once no listen_open looks there any more
 */
#ifndef IO_INHERIT_H
#define IO_INHERIT_H

#include <stdint.h>

#include "base/error.h"

struct inherited;

/* What a socket's listener is for. It counts only where the kernel chose the port: one asked for by its number is known by that. */
enum inherited_role {
	INHERITED_BY_NUMBER,
	INHERITED_PROXY,
	INHERITED_ADMIN,
	INHERITED_IDENTIFIER,
};

struct inherited *inherited_new(void);
/* Owns the descriptor from now on, and closes it when it is of no use. `role` is a number of enum inherited_role, or
 * one that is not known here: other than INHERITED_BY_NUMBER, it answers to port 0 and that role, too. ERROR_INVALID: no listening TCP socket. */
MUST_CHECK int inherited_add(struct inherited *inherited, int descriptor, uint8_t role);
/* *count: how many came from the environment, 0 when its LISTEN_PID names another process. The variables are removed. ERROR_INVALID: one
 * of them is no listening TCP socket. */
MUST_CHECK int inherited_from_environment(struct inherited *inherited, unsigned *count);
/* Those that nobody has taken, for giving copies to another process. */
void inherited_each(
	const struct inherited *inherited, void (*visit)(void *owner, const int *descriptors, unsigned count, uint8_t role), void *owner);
/* How many nobody has taken. */
unsigned inherited_left(const struct inherited *inherited);
/* Closes those. Returns how many. */
unsigned inherited_drop(struct inherited *inherited);
void inherited_free(struct inherited *inherited); /* NULL is allowed; drops, too */

#endif
