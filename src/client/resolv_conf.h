/* SPDX-License-Identifier: Apache-2.0 */
/* client/resolv_conf.h: which name servers to ask, and how (resolv.conf(5)). Pure, any thread; a plain value, nothing
 * to free.
 *
 *	struct resolv_conf conf;
 *	resolv_conf_parse(bytes, &conf);            // {NULL, 0}: as if the file were empty
 *	connect_to(&conf.servers[0]);
 */
#ifndef CLIENT_RESOLV_CONF_H
#define CLIENT_RESOLV_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "io/address.h"
#include "wire/dns.h"

enum {
	RESOLV_CONF_SERVERS = 3,
	RESOLV_CONF_SEARCH = 6,
	RESOLV_CONF_PORT = 53,
};

struct resolv_conf {
	struct address servers[RESOLV_CONF_SERVERS];
	unsigned server_count; /* at least 1: without any it is 127.0.0.1 */
	char search[RESOLV_CONF_SEARCH][DNS_NAME_TEXT];
	unsigned search_count;
	unsigned ndots;     /* names with so many dots are asked for as they are first: 1 */
	unsigned attempts;  /* each server is asked so often: 2 */
	int64_t timeout_ns; /* for one try: 5 s */
	bool rotate;        /* each question begins with another server */
};

/* `nameserver` (an address, or, further than others go, `[address]:port` or `ip4:port`), `search`, `domain`, and
 * `options` ndots, timeout, attempts, rotate. What is not understood is passed over, as every resolver does; values
 * above the limits of resolv.conf(5) are cut to them. */
void resolv_conf_parse(struct slice bytes, struct resolv_conf *conf);

#endif
