/* SPDX-License-Identifier: Apache-2.0 */
#include "io/kernel/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "io/kernel/kernel.h"

enum { FIRST_OF_SYSTEMD = 3 }; /* SD_LISTEN_FDS_START */

struct heir {
	int fd; /* -1: taken */
	uint8_t role;
	struct address bound;
};

struct inherited {
	struct heir *heirs;
	unsigned count;
};

struct inherited *inherited_new(void)
{
	return memory_new(sizeof(struct inherited));
}

static int option(int fd, int name)
{
	int value = -1;
	socklen_t length = sizeof value;

	return getsockopt(fd, SOL_SOCKET, name, &value, &length) ? -1 : value;
}

/* What kind of socket it is, is asked of the kernel, not believed. */
static int look_at(int fd, struct address *bound)
{
	struct sockaddr_storage name;
	socklen_t length = sizeof name;

	if (option(fd, SO_TYPE) != SOCK_STREAM || option(fd, SO_ACCEPTCONN) != 1)
		return ERROR_INVALID;
	if (getsockname(fd, (struct sockaddr *)&name, &length))
		return kernel_error(errno);
	kernel_address(&name, bound);
	return bound->family == ADDRESS_IP4 || bound->family == ADDRESS_IP6 ? 0 : ERROR_INVALID;
}

/* Flags of the open file are shared with whoever gave it; they accept without blocking, too, or not at all. */
static int make_ours(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC))
		return kernel_error(errno);
	return 0;
}

int inherited_add(struct inherited *inherited, int descriptor, uint8_t role)
{
	struct heir heir = { .fd = descriptor, .role = role };
	int e = look_at(descriptor, &heir.bound);

	if (!e)
		e = make_ours(descriptor);
	if (e) {
		kernel_close(descriptor);
		return e;
	}
	inherited->heirs = memory_grow(inherited->heirs, inherited->count + 1, sizeof heir);
	inherited->heirs[inherited->count++] = heir;
	return 0;
}

static bool environment_number(const char *name, uint64_t most, uint64_t *value)
{
	const char *text = getenv(name);

	return text && slice_to_u64(slice_of(text), most, value) == 0;
}

int inherited_from_environment(struct inherited *inherited, unsigned *count)
{
	uint64_t pid, given;
	int e = 0;

	*count = 0;
	if (!environment_number("LISTEN_PID", INT32_MAX, &pid) || pid != (uint64_t)getpid() ||
		!environment_number("LISTEN_FDS", INT16_MAX, &given))
		return 0;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	for (; *count < given && !e; ++*count)
		e = inherited_add(inherited, FIRST_OF_SYSTEMD + (int)*count, 0);
	return e;
}

unsigned inherited_count(const struct inherited *inherited, struct address *address, uint8_t role)
{
	unsigned count = 0;

	for (unsigned i = 0; i < inherited->count; i++) {
		const struct heir *heir = &inherited->heirs[i];

		if (heir->fd >= 0 && address->port == 0 && role && heir->role == role && address_same_ip(&heir->bound, address))
			address->port = heir->bound.port;
		count += heir->fd >= 0 && address->port != 0 && address_equal(&heir->bound, address);
	}
	return count;
}

void inherited_take(struct inherited *inherited, const struct address *address, int *descriptors, unsigned count)
{
	for (unsigned i = 0; i < inherited->count && count; i++) {
		struct heir *heir = &inherited->heirs[i];

		if (heir->fd < 0 || !address_equal(&heir->bound, address))
			continue;
		*descriptors++ = heir->fd;
		heir->fd = -1;
		count--;
	}
	CHECK(count == 0);
}

void inherited_each(
	const struct inherited *inherited, void (*visit)(void *owner, const int *descriptors, unsigned count, uint8_t role), void *owner)
{
	for (unsigned i = 0; i < inherited->count; i++)
		if (inherited->heirs[i].fd >= 0)
			visit(owner, &inherited->heirs[i].fd, 1, inherited->heirs[i].role);
}

unsigned inherited_left(const struct inherited *inherited)
{
	unsigned left = 0;

	for (unsigned i = 0; i < inherited->count; i++)
		left += inherited->heirs[i].fd >= 0;
	return left;
}

unsigned inherited_drop(struct inherited *inherited)
{
	unsigned left = inherited_left(inherited);

	for (unsigned i = 0; i < inherited->count; i++)
		kernel_close(inherited->heirs[i].fd);
	memory_free(inherited->heirs);
	*inherited = (struct inherited){ 0 };
	return left;
}

void inherited_free(struct inherited *inherited)
{
	if (!inherited)
		return;
	inherited_drop(inherited);
	memory_free(inherited);
}
