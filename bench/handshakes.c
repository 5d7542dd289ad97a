/* SPDX-License-Identifier: Apache-2.0 */
/* handshakes PORT CA_FILE SECONDS HOST: new TLS connections for some seconds, one after the other, each with a full handshake, one
 * request and its answer.
 *
 * Only TLS 1.3 with P-256 and AES-128-GCM is offered, the certificate is verified, and nothing is ever resumed. Prints one
 * JSON line as bench/report.lua does, that load.py reads; the latencies are of whole connections, from connect to the answer.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1000000, ANSWER = 65536 };

static double microseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static SSL_CTX *offer(const char *ca)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) ||
		!SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") || !SSL_CTX_set1_groups_list(context, "P-256") ||
		!SSL_CTX_load_verify_locations(context, ca, NULL)) {
		ERR_print_errors_fp(stderr);
		exit(1);
	}
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	return context;
}

static int connected(int port)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval patience = { .tv_sec = 10 };
	struct sockaddr_in there = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((unsigned short)port)
	};
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (connect(fd, (void *)&there, sizeof there)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Until the peer ends the connection, as asked. Whether the answer was 200. */
static bool read_answer(SSL *tls)
{
	static char answer[ANSWER];
	size_t filled = 0;
	int n;
	while ((n = SSL_read(tls, answer + filled, (int)(sizeof answer - filled))) > 0)
		filled += (size_t)n;
	return filled > 12 && memcmp(answer, "HTTP/1.1 200", 12) == 0;
}

static bool one_connection(SSL_CTX *context, int port, const char *host)
{
	char request[256];
	int length = snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host);
	int fd = connected(port);
	SSL *tls = fd < 0 ? NULL : SSL_new(context);
	bool good = tls && SSL_set_fd(tls, fd) && SSL_set_tlsext_host_name(tls, host) && SSL_set1_host(tls, host) &&
		SSL_connect(tls) == 1 && !SSL_session_reused(tls) && SSL_write(tls, request, length) == length && read_answer(tls);
	if (tls)
		SSL_shutdown(tls);
	SSL_free(tls);
	if (fd >= 0)
		close(fd);
	return good;
}

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: handshakes PORT CA_FILE SECONDS HOST\n");
		return 2;
	}
	int port = atoi(argv[1]), done = 0, errors = 0;
	SSL_CTX *context = offer(argv[2]);
	float *took = calloc(MOST, sizeof *took);
	double started = microseconds(), now = started, end = started + atof(argv[3]) * 1e6;
	while (took && now < end && done + errors < MOST) {
		bool good = one_connection(context, port, argv[4]);
		double then = now;
		now = microseconds();
		if (good)
			took[done++] = (float)(now - then);
		else
			errors++;
	}
	qsort(took, (size_t)done, sizeof *took, by_value);
	printf("REPORT {\"requests\": %d, \"microseconds\": %.0f, \"p50_us\": %.0f, \"p99_us\": %.0f, \"errors\": %d}\n", done,
		now - started, done ? took[done / 2] : 0, done ? took[done * 99 / 100] : 0, errors);
	return 0;
}
