/* SPDX-License-Identifier: Apache-2.0 */
/* The few calls and translations that every file of this backend needs. */
#include "io/kernel/kernel.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

int64_t kernel_clock(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * CLOCK_SECOND + t.tv_nsec;
}

int kernel_error(int number)
{
	switch (number) {
	case 0:
		return 0;
	case ENOMEM:
	case ENOBUFS:
		return ERROR_NO_MEMORY;
	case EMFILE:
	case ENFILE:
	case ENOSPC:
	case EDQUOT:
	case EMSGSIZE:
		return ERROR_LIMIT;
	case ECONNRESET:
	case EPIPE:
	case ECONNABORTED:
	case ENOTCONN:
	case ESHUTDOWN:
		return ERROR_RESET;
	case ECONNREFUSED:
		return ERROR_REFUSED;
	case ETIMEDOUT:
		return ERROR_TIMEOUT;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
	case ENONET:
	case EADDRNOTAVAIL:
		return ERROR_UNREACHABLE;
	case ENOENT:
	case ENOTDIR:
		return ERROR_NOT_FOUND;
	case EEXIST:
	case EADDRINUSE:
		return ERROR_EXISTS;
	case EAGAIN:
	case EBUSY:
		return ERROR_BUSY;
	case EINVAL:
	case EISDIR:
	case ENAMETOOLONG:
	case ELOOP:
		return ERROR_INVALID;
	case EAFNOSUPPORT:
	case EPROTONOSUPPORT:
	case EOPNOTSUPP:
	case ENOSYS:
		return ERROR_UNSUPPORTED;
	case EACCES:
	case EPERM:
	case EROFS:
		return ERROR_DENIED;
	case ECANCELED:
		return ERROR_CANCELED;
	default:
		return ERROR_IO;
	}
}

void kernel_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

socklen_t kernel_sockaddr(const struct address *address, struct sockaddr_storage *result)
{
	memset(result, 0, sizeof *result);
	if (address->family == ADDRESS_IP6) {
		struct sockaddr_in6 *six = (struct sockaddr_in6 *)result;
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(address->port);
		memcpy(&six->sin6_addr, address->ip, sizeof six->sin6_addr);
		return sizeof *six;
	}
	struct sockaddr_in *four = (struct sockaddr_in *)result;
	four->sin_family = AF_INET;
	four->sin_port = htons(address->port);
	memcpy(&four->sin_addr, address->ip, sizeof four->sin_addr);
	return sizeof *four;
}

int kernel_sockaddr_unix(const char *path, struct sockaddr_storage *result, socklen_t *length)
{
	struct sockaddr_un *name = (struct sockaddr_un *)result;
	memset(result, 0, sizeof *result);
	if (!*path || strlen(path) >= sizeof name->sun_path)
		return ERROR_INVALID;
	name->sun_family = AF_UNIX;
	memcpy(name->sun_path, path, strlen(path) + 1);
	*length = sizeof *name;
	return 0;
}

/* An IPv4 peer of a socket that serves both families is called by its IPv4 address. */
void kernel_address(const struct sockaddr_storage *from, struct address *result)
{
	memset(result, 0, sizeof *result);
	if (from->ss_family == AF_INET) {
		const struct sockaddr_in *four = (const struct sockaddr_in *)from;
		result->family = ADDRESS_IP4;
		result->port = ntohs(four->sin_port);
		memcpy(result->ip, &four->sin_addr, sizeof four->sin_addr);
	} else if (from->ss_family == AF_INET6) {
		const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from;
		bool mapped = IN6_IS_ADDR_V4MAPPED(&six->sin6_addr);
		result->family = mapped ? ADDRESS_IP4 : ADDRESS_IP6;
		result->port = ntohs(six->sin6_port);
		if (mapped)
			memcpy(result->ip, six->sin6_addr.s6_addr + 12, 4);
		else
			memcpy(result->ip, &six->sin6_addr, sizeof six->sin6_addr);
	} else if (from->ss_family == AF_UNIX) {
		result->family = ADDRESS_UNIX;
	}
}

int kernel_socket(const struct address *address, int type, int *fd)
{
	int family = address->family == ADDRESS_IP6 ? AF_INET6 : address->family == ADDRESS_UNIX ? AF_UNIX : AF_INET;
	if (address->family == ADDRESS_NONE)
		return ERROR_INVALID;
	*fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return *fd < 0 ? kernel_error(errno) : 0;
}
