/* SPDX-License-Identifier: Apache-2.0 */
/* Listening, accepting and connecting. */
#include "io/sim/connection.h"

enum { LISTENER_MAGIC = 0x73696d6c, BACKLOG = 4096, SYN_TRIES = 7 };

struct socket {
	struct listen_set *set;
	struct list backlog;
	int backlog_count;
	struct listener *listener;
};

struct listen_set {
	struct network *host;
	struct sim_process *process;
	struct list link; /* in its host, while its process lives */
	struct address address;
	bool deaf;
	int backlog;
	unsigned socket_count;
	struct socket sockets[];
};

struct listener {
	uint32_t magic;
	struct socket *socket;
	struct loop *loop;
	struct ready ready;
	struct timer retry; /* the world's */
	void (*accepted)(void *owner, struct stream *stream);
	void *owner;
	bool telling, stopped; /* stopped while it tells: freed behind that */
};

/* --- listening --- */

/* The name of a Unix socket on its host. Only in here has it more than a family. */
static struct address unix_name(const char *path)
{
	struct address name = { .family = ADDRESS_UNIX, .port = 1 };
	uint64_t hash[2] = { slice_hash(slice_of(path), 1), slice_hash(slice_of(path), 2) };
	memcpy(name.ip, hash, sizeof name.ip);
	return name;
}

static bool set_matches(const struct listen_set *set, const struct address *address)
{
	if (set->address.family == ADDRESS_UNIX || address->family == ADDRESS_UNIX)
		return address_equal(&set->address, address);
	return set->address.port == address->port &&
		(address_is_any(&set->address) || address_is_any(address) || address_same_ip(&set->address, address));
}

static struct listen_set *set_find(struct network *host, const struct address *address)
{
	LIST_EACH(&host->sets, link) {
		struct listen_set *set = LIST_OF(link, struct listen_set, link);
		if (set_matches(set, address))
			return set;
	}
	return NULL;
}

int listen_open(struct network *host, const struct address *address, unsigned sockets, const struct listen_options *options,
	struct listen_set **result)
{
	CHECK_MAGIC(host, HOST_MAGIC);
	CHECK(sockets > 0 && sockets <= SOCKETS_MOST);
	struct address bound = *address;
	struct sim_process *process = process_current();
	CHECK(process->host == host);
	if (world_fails(host->sim, SIM_CALL_LISTEN))
		return ERROR_EXISTS;
	if (host_find(host, address) != host && !address_is_any(address))
		return ERROR_UNREACHABLE;
	if (bound.port == 0) {
		do
			bound.port = host_port(host);
		while (set_find(host, &bound));
	} else if (set_find(host, &bound)) {
		return ERROR_EXISTS;
	}
	struct listen_set *set = memory_new(sizeof(*set) + sockets * sizeof(set->sockets[0]));
	set->host = host;
	set->process = process;
	set->address = bound;
	set->backlog = options->backlog ? options->backlog : BACKLOG;
	set->socket_count = sockets;
	for (unsigned i = 0; i < sockets; i++) {
		set->sockets[i].set = set;
		list_init(&set->sockets[i].backlog);
	}
	list_append(&host->sets, &set->link);
	process->sets++;
	*result = set;
	return 0;
}

int listen_open_unix(struct network *host, const char *path, unsigned mode, const struct listen_options *options, struct listen_set **set)
{
	const struct address name = unix_name(path);
	(void)mode;
	return listen_open(host, &name, 1, options, set);
}

void listen_address(const struct listen_set *set, struct address *bound)
{
	*bound = set->address.family == ADDRESS_UNIX ? (struct address){ .family = ADDRESS_UNIX } : set->address;
}

void listen_deafen(struct listen_set *set)
{
	set->deaf = true;
}

unsigned listen_waiting(const struct listen_set *set)
{
	unsigned waiting = 0;
	for (unsigned i = 0; i < set->socket_count; i++)
		waiting += (unsigned)set->sockets[i].backlog_count;
	return waiting;
}

/* They have none. */
const int *listen_descriptors(const struct listen_set *set, unsigned *count)
{
	(void)set;
	*count = 0;
	return NULL;
}

void socket_forget(struct connection *connection)
{
	if (!connection->socket)
		return;
	connection->socket->backlog_count--;
	list_remove(&connection->backlog);
	connection->socket = NULL;
}

static void backlog_drop(struct socket *socket, bool silently)
{
	LIST_EACH_SAFE(&socket->backlog, link, after) {
		struct connection *connection = LIST_OF(link, struct connection, backlog);
		if (silently)
			connection_vanish(connection, 1);
		else
			connection_leave(connection, 1, true);
	}
}

void listen_close(struct listen_set *set)
{
	if (!set)
		return;
	for (unsigned i = 0; i < set->socket_count; i++) {
		CHECK(set->sockets[i].listener == NULL);
		backlog_drop(&set->sockets[i], false);
	}
	set->process->sets--;
	list_remove(&set->link);
	memory_free(set);
}

void sets_crash(struct sim_process *process, enum sim_crash how)
{
	LIST_EACH_SAFE(&process->host->sets, link, after) {
		struct listen_set *set = LIST_OF(link, struct listen_set, link);
		if (set->process != process)
			continue;
		for (unsigned i = 0; i < set->socket_count; i++)
			backlog_drop(&set->sockets[i], how == SIM_CRASH_SILENT);
		list_remove(&set->link);
	}
}

/* --- accepting --- */

static void retry_over(void *owner)
{
	struct listener *listener = owner;
	loop_ready(listener->loop, &listener->ready);
}

static void out_of_descriptors(struct listener *listener)
{
	struct sim *sim = listener->loop->sim;
	timers_set(&sim->events, &listener->retry, sim->now + 100 * CLOCK_MS);
}

static void tell_accepted(struct ready *ready)
{
	struct listener *listener = LIST_OF(ready, struct listener, ready);
	CHECK_MAGIC(listener, LISTENER_MAGIC);
	struct socket *socket = listener->socket;
	struct sim *sim = listener->loop->sim;
	listener->telling = true;
	while (!listener->stopped && !list_empty(&socket->backlog) && !timer_is_set(&listener->retry) && !loop_dead(listener->loop)) {
		struct connection *connection = LIST_OF(list_first(&socket->backlog), struct connection, backlog);
		struct sim_stream *s = world_fails(sim, SIM_CALL_ACCEPT) ? NULL : stream_new(listener->loop, connection, 1);
		if (!s) {
			out_of_descriptors(listener);
			break;
		}
		socket_forget(connection);
		sim->totals.accepted++;
		world_event(sim, EVENT_ACCEPTED, connection_name(connection, 1), listener->loop->id, 0);
		stream_wake(s);
		listener->accepted(listener->owner, stream_base(s));
		loop_run_tasks(listener->loop);
	}
	listener->telling = false;
	if (listener->stopped)
		memory_free(listener);
}

struct listener *listen_start(
	struct listen_set *set, unsigned index, struct loop *loop, void (*accepted)(void *owner, struct stream *stream), void *owner)
{
	CHECK(index < set->socket_count && set->sockets[index].listener == NULL);
	struct listener *listener = memory_new(sizeof(*listener));
	*listener = (struct listener){
		.magic = LISTENER_MAGIC,
		.socket = &set->sockets[index],
		.loop = loop,
		.ready = { .tell = tell_accepted },
		.accepted = accepted,
		.owner = owner,
	};
	list_init(&listener->ready.link);
	timer_init(&listener->retry, retry_over, listener);
	set->sockets[index].listener = listener;
	listener->loop->listeners++;
	loop_ready(listener->loop, &listener->ready);
	return listener;
}

void listen_stop(struct listener *listener)
{
	if (!listener)
		return;
	CHECK_MAGIC(listener, LISTENER_MAGIC);
	listener->stopped = true;
	timers_cancel(&listener->loop->sim->events, &listener->retry);
	loop_unready(listener->loop, &listener->ready);
	listener->loop->listeners--;
	listener->socket->listener = NULL;
	listener->magic = 0;
	if (!listener->telling)
		memory_free(listener);
}

/* --- connecting --- */

static void again_after(struct connection *connection, int64_t ns)
{
	timers_set(&connection->sim->events, &connection->handshake, connection->sim->now + ns);
}

/* As kernels do: after 1, 2, 4 … 64 seconds, and then no more. */
static void syn_unanswered(struct connection *connection)
{
	if (connection->attempts++ < SYN_TRIES)
		again_after(connection, CLOCK_SECOND << (connection->attempts - 1));
	else
		connection_fail(connection, 0, ERROR_TIMEOUT);
}

static void refused(void *owner)
{
	struct connection *connection = owner;
	connection->sim->totals.refused++;
	connection_fail(connection, 0, ERROR_REFUSED);
}

static void answered(void *owner)
{
	struct connection *connection = owner;
	if (connection_link(connection, 1)->down) {
		again_after(connection, CLOCK_SECOND);
		return;
	}
	connection->phase = PHASE_OPEN;
	if (connection->ends[0].gone || connection->ends[0].failure)
		return;
	stream_connected(connection->ends[0].stream);
}

static void refuse(struct connection *connection)
{
	connection->handshake.fired = refused;
	again_after(connection, connection_delay(connection, 1));
}

static struct stream_peer who_is(const struct sim_process *process)
{
	return (struct stream_peer){ .uid = process->uid, .gid = process->gid, .pid = process->id };
}

static void syn_arrives(void *owner)
{
	struct connection *connection = owner;
	struct end *server = &connection->ends[1];
	if (!server->host) {
		connection_fail(connection, 0, ERROR_UNREACHABLE);
		return;
	}
	if (connection->blackholed || connection_link(connection, 0)->down || !host_alive(server->host)) {
		syn_unanswered(connection);
		return;
	}
	struct listen_set *set = connection->refused ? NULL : set_find(server->host, &server->address);
	if (!set) {
		refuse(connection);
		return;
	}
	struct socket *socket = &set->sockets[world_draw(connection->sim, (int64_t)set->socket_count - 1)];
	if (set->deaf || socket->backlog_count >= set->backlog) {
		syn_unanswered(connection);
		return;
	}
	connection->phase = PHASE_ANSWER;
	server->who = who_is(set->process);
	connection->socket = socket;
	socket->backlog_count++;
	list_append(&socket->backlog, &connection->backlog);
	int64_t delay = connection_delay(connection, 1);
	connection->handshake.fired = answered;
	again_after(connection, delay);
	/* Nothing that the server sends overtakes its answer. */
	connection->pipes[1].last_at = connection->sim->now + delay;
	if (socket->listener)
		loop_ready(socket->listener->loop, &socket->listener->ready);
}

void handshake_begin(struct connection *connection)
{
	timer_init(&connection->handshake, syn_arrives, connection);
	again_after(connection, connection_delay(connection, 0));
}

/* What a connection to `remote` is called at this end. */
static struct address local_for(struct network *host, const struct address *remote)
{
	struct address local = host->addresses[0];
	if (remote->family == ADDRESS_UNIX)
		return (struct address){ .family = ADDRESS_UNIX };
	for (unsigned i = 0; i < host->address_count; i++) {
		if (address_same_ip(&host->addresses[i], remote))
			local = host->addresses[i];
	}
	if (!host_has(host, remote) && address_is_loopback(remote))
		local = *remote;
	local.port = host_port(host);
	return local;
}

int network_connect(struct network *host, struct loop *loop, const struct address *address, const struct socket_options *options,
	struct stream **stream)
{
	CHECK_MAGIC(host, HOST_MAGIC);
	CHECK_MAGIC(loop, LOOP_MAGIC);
	struct sim *sim = host->sim;
	(void)options;
	sim->totals.connects++;
	if (loop_dead(loop) || world_fails(sim, SIM_CALL_CONNECT))
		return ERROR_LIMIT;
	/* The stream first: it is what can fail. */
	if (loop->streams.max && loop->streams.in_use >= loop->streams.max)
		return ERROR_LIMIT;
	struct address local = local_for(host, address);
	struct network *to = host_find(host, address);
	if (to && address_is_loopback(address) && !host_has(to, address))
		local.port = host_port(host);
	struct connection *connection = connection_new(host, to, &local, address);
	connection->ends[0].who = who_is(loop->process);
	struct sim_stream *s = stream_new(loop, connection, 0);
	if (!s) {
		connection_leave(connection, 0, true);
		return ERROR_NO_MEMORY;
	}
	world_event(sim, EVENT_CONNECT, connection_name(connection, 0), address_hash(address, 0), loop->id);
	*stream = stream_base(s);
	return 0;
}

int network_connect_unix(struct network *host, struct loop *loop, const char *path, struct stream **stream)
{
	const struct address name = unix_name(path);
	return network_connect(host, loop, &name, NULL, stream);
}
