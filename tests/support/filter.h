/* SPDX-License-Identifier: Apache-2.0 */
/* support/filter.h: a stream on top of a stream that delays and re-chunks the bytes of both directions, standing where TLS will.
 *
 * It delivers what it received in buffers of its own making, a few bytes or a lot, some of them only in the next turns of the
 * loop; what it takes it passes on in copies, cut anew, after a while. Nothing is lost, reordered or added, and all rules of
 * io/stream.h hold. Its draws come from the loop's generator, so a seed replays. Loop's thread.
 *
 *	struct stream *stream = filter_new(below, loop);    // owns `below`; no event may have come from it yet
 */
#ifndef SUPPORT_FILTER_H
#define SUPPORT_FILTER_H

#include "io/loop.h"
#include "io/stream.h"

struct stream *filter_new(struct stream *below, struct loop *loop);
/* From now on it says that it is secured, with this agreed protocol (static). `accepted`: it tells `connected`, soon, as a
 * server's handshake does. */
void filter_secure(struct stream *stream, const char *alpn, bool accepted);

#endif
