/* SPDX-License-Identifier: Apache-2.0 */
/* io/kernel/tcp.h: streams over TCP sockets, and Unix sockets, which differ in how they are made only. For this backend's listener and network; one thread, the loop's.
 *
 *	e = tcp_accepted(loop, fd, &remote, &stream);   // paused, open
 *	e = tcp_connecting(loop, fd, &remote, &stream); // paused; connect(2) is called here
 */
#ifndef IO_KERNEL_TCP_H
#define IO_KERNEL_TCP_H

#include "io/kernel/kernel.h"
#include "io/stream.h"

void tcp_pools_init(struct loop *loop, uint32_t max_streams);
/* Both own fd, and close it when they fail: ERROR_LIMIT, ERROR_NO_MEMORY. */
MUST_CHECK int tcp_accepted(struct loop *loop, int fd, const struct address *remote, struct stream **stream);
MUST_CHECK int tcp_connecting(struct loop *loop, int fd, const struct address *remote, struct stream **stream);
/* The same where connect(2) was called already: `answer` is 0 (it is made), 1 (under way) or an error, which the stream will tell. */
MUST_CHECK int tcp_started(struct loop *loop, int fd, const struct address *remote, int answer, struct stream **stream);
/* Ends at once what stream_linger left to the loop. */
void tcp_drop_lingering(struct loop *loop);

#endif
