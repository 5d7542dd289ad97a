/* SPDX-License-Identifier: Apache-2.0 */
#include "io/network.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "io/kernel/kernel.h"
#include "io/kernel/tcp.h"

/* The namespace that the process was started in; other networks will hold a namespace's descriptor. */
struct network {
	const char *name;
};

struct network *network_host(void)
{
	static struct network host = { "host" };
	return &host;
}

/* Two probes that are not answered, within the time or 3 s, are the end. Not TCP_USER_TIMEOUT: it also ends connections whose peer is
 * well and only takes nothing (its window is closed) for that long. */
static void probe(int fd, int64_t ack_timeout_ns)
{
	int one = 1, count = 2, seconds = (int)(ack_timeout_ns / (3 * CLOCK_SECOND));

	if (seconds < 1)
		seconds = 1;
	(void)!setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds);
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

int network_connect(struct network *network, struct loop *loop, const struct address *address, const struct socket_options *options,
	struct stream **stream)
{
	(void)network;
	static const struct socket_options defaults;
	int one = 1, fd, e = kernel_socket(address, SOCK_STREAM, &fd);
	if (e)
		return e == ERROR_NO_MEMORY ? e : ERROR_LIMIT;
	if (!options)
		options = &defaults;
	if (!options->delay)
		(void)!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (options->keep_alive)
		(void)!setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
	if (options->ack_timeout_ns)
		probe(fd, options->ack_timeout_ns);
	return tcp_connecting(loop, fd, address, stream);
}

int network_connect_unix(struct network *network, struct loop *loop, const char *path, struct stream **stream)
{
	(void)network;
	static const struct address local = { .family = ADDRESS_UNIX };
	struct sockaddr_storage name;
	socklen_t length;
	int fd, answer = 0, e = kernel_sockaddr_unix(path, &name, &length);
	if (e)
		return e;
	e = kernel_socket(&local, SOCK_STREAM, &fd);
	if (e)
		return e == ERROR_NO_MEMORY ? e : ERROR_LIMIT;
	/* It is made at once or not at all. */
	if (connect(fd, (const struct sockaddr *)&name, length))
		answer = kernel_error(errno);
	return tcp_started(loop, fd, &local, answer, stream);
}

unsigned network_local_addresses(struct network *network, struct address *addresses, unsigned max)
{
	(void)network;
	struct ifaddrs *all;
	unsigned count = 0;
	if (getifaddrs(&all))
		return 0;
	for (const struct ifaddrs *one = all; one && count < max; one = one->ifa_next) {
		struct sockaddr_storage name = { 0 };
		if (!one->ifa_addr || !(one->ifa_flags & IFF_UP))
			continue;
		if (one->ifa_addr->sa_family == AF_INET)
			memcpy(&name, one->ifa_addr, sizeof(struct sockaddr_in));
		else if (one->ifa_addr->sa_family == AF_INET6)
			memcpy(&name, one->ifa_addr, sizeof(struct sockaddr_in6));
		else
			continue;
		kernel_address(&name, &addresses[count++]);
	}
	freeifaddrs(all);
	return count;
}
