/* SPDX-License-Identifier: Apache-2.0 */
/* cli/agent_page.h: what `weft ca agent` tells of itself over HTTP: `GET /metrics`, as Prometheus reads it, and `GET /ready`, 200 while it
 * has written a certificate that is valid, else 503. The agent's thread.
 *
 *	e = agent_page_new(network_host(), loop, &address, &page);
 *	agent_page_renewed(page, not_after_s, generation);
 *	agent_page_failed(page);
 */
#ifndef CLI_AGENT_PAGE_H
#define CLI_AGENT_PAGE_H

#include <stdint.h>

#include "base/error.h"
#include "io/address.h"

struct agent_page;
struct loop;
struct network;

/* Listens. ERROR_EXISTS: the address is in use; and others. It lives as long as the process. */
MUST_CHECK int agent_page_new(struct network *network, struct loop *loop, const struct address *address, struct agent_page **page);
void agent_page_address(const struct agent_page *page, struct address *bound);
/* Files were written: of a certificate valid until then (seconds since 1970), and a bundle of that generation. NULL is allowed, in both. */
void agent_page_renewed(struct agent_page *page, int64_t not_after_s, uint64_t generation);
/* The signer gave no good answer, or the files could not be written. */
void agent_page_failed(struct agent_page *page);

#endif
