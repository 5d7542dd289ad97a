/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/client/dns_server.h"

#include "base/check.h"
#include "base/memory.h"
#include "io/loop.h"
#include "io/network.h"
#include "io/sim/sim.h"

/* One query by TCP, one answer. */
struct dns_server_connection {
	struct dns_server *server;
	struct dns_server_connection *next;
	struct stream *stream;
	char query[512];
	size_t length;
	struct dns_message reply;
};

void dns_server_add(struct dns_server *server, const char *name, uint32_t ttl, const char *ip)
{
	CHECK(server->count < DNS_SERVER_RECORDS);
	struct dns_server_record *record = &server->records[server->count++];
	snprintf(record->name, sizeof record->name, "%s", name);
	record->ttl = ttl;
	CHECK(address_parse(slice_of(ip), 0, &record->address) == 0);
}

void dns_server_clear(struct dns_server *server)
{
	server->count = 0;
}

static void add_records(const struct dns_server *server, struct dns_message *reply, const char *name, unsigned type)
{
	bool exists = false, found = false;
	for (unsigned i = 0; i < server->count; i++) {
		const struct dns_server_record *record = &server->records[i];
		if (strcmp(record->name, name) != 0)
			continue;
		bool is_a = record->address.family == ADDRESS_IP4;
		exists = true;
		if (type != (is_a ? DNS_A : DNS_AAAA))
			continue;
		found = true;
		dns_message_record(
			reply, DNS_ANSWER, name, type, 1, record->ttl, slice_make((const char *)record->address.ip, is_a ? 4 : 16));
	}
	if (!found)
		dns_message_soa(reply, "x", 900, 10);
	if (!exists)
		reply->bytes[3] |= DNS_CODE_NO_NAME;
}

static void start_reply(struct dns_message *reply, unsigned id, const char *name, unsigned type)
{
	dns_message_start(reply, (uint16_t)id, 0x8180);
	dns_message_question(reply, name, type);
}

/* False: no answer. */
static bool answer(struct dns_server *server, struct slice query, bool udp, struct dns_message *reply, unsigned *type)
{
	struct dns_reader reader;
	struct dns_name name;
	uint16_t asked_type, class;
	CHECK(dns_reader_start(&reader, query) == 0 && !reader.response);
	bool edns = reader.left[DNS_ADDITIONAL] == 1;
	CHECK(dns_reader_question(&reader, &name, &asked_type, &class) == 0);
	CHECK(dns_name_show(&name, server->last_name) > 0);
	*type = asked_type;
	server->edns += edns;
	if (server->silent || server->silent_type == asked_type)
		return false;
	start_reply(reply, reader.id, server->last_name, asked_type);
	if (server->knows_no_edns && edns)
		reply->bytes[3] |= DNS_CODE_FORMAT;
	else if (server->fails)
		reply->bytes[3] |= DNS_CODE_SERVER_FAILURE;
	else if (udp && server->truncates)
		reply->bytes[2] |= 0x02;
	else
		add_records(server, reply, server->last_name, asked_type);
	if (udp && server->large)
		dns_message_record(reply, DNS_ADDITIONAL, "pad.x", 16, 1, 0, slice_make((const char[4200]){ 0 }, 4200));
	return true;
}

static void send_wrong(struct dns_server *server, struct sim_service *service, const struct address *from, unsigned id, unsigned type)
{
	struct dns_message wrong;
	if (server->wrong_id_first)
		start_reply(&wrong, id ^ 1, server->last_name, type);
	else
		start_reply(&wrong, id, "other.x", type);
	dns_message_record(&wrong, DNS_ANSWER, server->wrong_id_first ? server->last_name : "other.x", type, 1, 60,
		slice_make("\x06\x06\x06\x06\x06\x06\x06\x06\x06\x06\x06\x06\x06\x06\x06\x06", type == DNS_A ? 4 : 16));
	sim_datagram_reply(service, from, dns_message_slice(&wrong));
}

static void udp_query(void *owner, struct sim_service *service, const struct address *from, struct slice bytes)
{
	struct dns_server *server = owner;
	struct dns_message reply;
	unsigned type;
	server->udp++;
	if (!answer(server, bytes, true, &reply, &type))
		return;
	if (server->wrong_id_first || server->wrong_name_first)
		send_wrong(server, service, from, (unsigned)reply.bytes[0] << 8 | reply.bytes[1], type);
	for (int i = 0; i <= server->twice; i++)
		sim_datagram_reply(service, from, dns_message_slice(&reply));
}

static void tcp_query(struct dns_server_connection *connection)
{
	struct dns_message reply;
	unsigned type;
	struct slice query = slice_make(connection->query + 2, connection->length - 2);
	connection->server->tcp++;
	if (connection->server->hangs_up) {
		stream_finish(connection->stream);
		return;
	}
	if (!answer(connection->server, query, false, &reply, &type))
		return;
	dns_message_put16(&connection->reply, (unsigned)reply.length);
	dns_message_put(&connection->reply, reply.bytes, reply.length);
	struct piece piece = piece_of(NULL, (const char *)connection->reply.bytes, connection->reply.length);
	stream_take(connection->stream, &piece, 1);
}

static void received(void *owner, struct buffer *buffer)
{
	struct dns_server_connection *connection = owner;
	size_t length = connection->length;
	CHECK(length + buffer->filled <= sizeof connection->query);
	memcpy(connection->query + length, buffer->bytes, buffer->filled);
	length = connection->length = length + buffer->filled;
	buffer_unref(buffer);
	if (length > 2 && length == 2 + (size_t)((uint8_t)connection->query[0] << 8 | (uint8_t)connection->query[1]))
		tcp_query(connection);
}

static void gone(struct dns_server_connection *connection)
{
	if (connection->stream)
		stream_close(connection->stream);
	connection->stream = NULL;
}

static void ended(void *owner)
{
	gone(owner);
}

static void drained(void *owner)
{
	(void)owner;
}

static void failed(void *owner, int error)
{
	(void)error;
	gone(owner);
}

static void accepted(void *owner, struct stream *stream)
{
	static const struct stream_events events = {
		.received = received,
		.ended = ended,
		.drained = drained,
		.failed = failed,
	};
	struct dns_server *server = owner;
	struct dns_server_connection *connection = memory_new(sizeof *connection);
	connection->server = server;
	connection->stream = stream;
	connection->next = server->connections;
	server->connections = connection;
	stream_own(stream, &events, connection);
	stream_resume(stream);
}

void dns_server_start(struct dns_server *server, struct sim *sim, const char *ip)
{
	struct address address;
	*server = (struct dns_server){ 0 };
	server->host = sim_host_new(sim, ip);
	CHECK(address_parse(slice_of(ip), 53, &address) == 0);
	CHECK(loop_new(&(struct loop_options){ .name = "dns" }, &server->loop) == 0);
	CHECK(listen_open(server->host, &address, 1, &(struct listen_options){ 0 }, &server->set) == 0);
	server->listener = listen_start(server->set, 0, server->loop, accepted, server);
	sim_datagram_serve(server->host, 53, udp_query, server);
}

void dns_server_stop(struct dns_server *server)
{
	sim_host_enter(server->host);
	for (struct dns_server_connection *c = server->connections, *next; c; c = next) {
		next = c->next;
		gone(c);
		memory_free(c);
	}
	listen_stop(server->listener);
	listen_close(server->set);
}
