/* SPDX-License-Identifier: Apache-2.0 */
/* Unix sockets: who may connect, what is left behind, and what the kernel says of the peer. */
#include "unit/io/rig.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"

static const struct loop_options defaults = { .name = "test" };
static const struct listen_options plain;
static char folder[64], path[128];

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/weft-test-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/socket", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

struct told {
	bool connected, ended, failed;
	int error;
	struct text bytes;
};

static void on_connected(void *owner)
{
	((struct told *)owner)->connected = true;
}

static void on_received(void *owner, struct buffer *buffer)
{
	text_append(&((struct told *)owner)->bytes, slice_make(buffer->bytes, buffer->filled));
	buffer_unref(buffer);
}

static void on_ended(void *owner)
{
	((struct told *)owner)->ended = true;
}

static void on_drained(void *owner)
{
	(void)owner;
}

static void on_failed(void *owner, int error)
{
	struct told *told = owner;
	told->failed = true;
	told->error = error;
}

static const struct stream_events events = {
	.connected = on_connected,
	.received = on_received,
	.ended = on_ended,
	.drained = on_drained,
	.failed = on_failed,
};

static struct stream *connect_to(struct rig *rig, struct told *told)
{
	struct stream *stream;
	assert_int_equal(network_connect_unix(network_host(), rig->loop, path, &stream), 0);
	stream_own(stream, &events, told);
	return stream;
}

static void say(struct stream *stream, const char *text)
{
	const struct piece piece = { NULL, text, strlen(text) };
	stream_take(stream, &piece, 1);
	stream_finish(stream);
}

static void both_ends_talk_and_know_each_other(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct told client = { 0 }, server = { 0 };
	struct stream_peer peer;
	struct address local, remote;
	struct stat about;
	char text[ADDRESS_TEXT];
	assert_int_equal(listen_open_unix(network_host(), path, 0620, &plain, &rig->set), 0);
	assert_int_equal(stat(path, &about), 0);
	assert_int_equal(about.st_mode & 0777, 0620);
	rig->listener = listen_start(rig->set, 0, rig->loop, rig_accepted, rig);
	struct stream *stream = connect_to(rig, &client);
	stream_resume(stream);
	say(stream, "question");
	assert_true(rig_until(rig, &client.connected));
	rig_accept(rig, 1);
	stream_own(rig->accepted[0], &events, &server);
	stream_resume(rig->accepted[0]);
	assert_true(rig_until(rig, &server.ended));
	assert_string_equal(server.bytes.bytes, "question");
	say(rig->accepted[0], "answer");
	assert_true(rig_until(rig, &client.ended));
	assert_string_equal(client.bytes.bytes, "answer");
	assert_int_equal(stream_peer(rig->accepted[0], &peer), 0);
	assert_int_equal(peer.uid, getuid());
	assert_int_equal(peer.gid, getgid());
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(stream_peer(stream, &peer), 0);
	assert_int_equal(peer.pid, getpid());
	stream_addresses(rig->accepted[0], &local, &remote);
	address_format(&remote, text);
	assert_string_equal(text, "unix");
	listen_address(rig->set, &local);
	assert_int_equal(local.family, ADDRESS_UNIX);
	stream_close(stream);
	stream_close(rig->accepted[0]);
	rig_free(rig);
	assert_int_equal(stat(path, &about), -1); /* removed with its listener */
	text_free(&client.bytes);
	text_free(&server.bytes);
}

static void only_unix_sockets_know_their_peer(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct told client = { 0 };
	struct stream *stream;
	struct stream_peer peer;
	rig_listen(rig);
	assert_int_equal(network_connect(network_host(), rig->loop, &rig->address, NULL, &stream), 0);
	stream_own(stream, &events, &client);
	rig_accept(rig, 1);
	assert_int_equal(stream_peer(rig->accepted[0], &peer), ERROR_UNSUPPORTED);
	stream_close(stream);
	stream_close(rig->accepted[0]);
	rig_free(rig);
}

static void what_a_dead_process_left_is_replaced(void **state)
{
	(void)state;
	struct listen_set *set, *second;
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int left = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(name.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(left, (struct sockaddr *)&name, sizeof name), 0);
	assert_int_equal(listen(left, 1), 0);
	assert_int_equal(listen_open_unix(network_host(), path, 0600, &plain, &set), ERROR_EXISTS); /* it lives */
	close(left);
	assert_int_equal(listen_open_unix(network_host(), path, 0600, &plain, &set), 0);
	assert_int_equal(listen_open_unix(network_host(), path, 0600, &plain, &second), ERROR_EXISTS);
	listen_close(set);
}

static void a_file_that_is_no_socket_stays(void **state)
{
	(void)state;
	struct listen_set *set;
	struct stat about;
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(listen_open_unix(network_host(), path, 0600, &plain, &set), ERROR_EXISTS);
	assert_int_equal(stat(path, &about), 0);
	assert_true(S_ISREG(about.st_mode));
}

static void says_why_it_can_not_connect(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct told told = { 0 };
	struct listen_set *set;
	struct stream *stream = connect_to(rig, &told);
	char longer[256];
	assert_true(rig_until(rig, &told.failed));
	assert_int_equal(told.error, ERROR_NOT_FOUND);
	stream_close(stream);
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	assert_int_equal(network_connect_unix(network_host(), rig->loop, longer, &stream), ERROR_INVALID);
	assert_int_equal(listen_open_unix(network_host(), longer, 0600, &plain, &set), ERROR_INVALID);
	assert_int_equal(listen_open_unix(network_host(), "", 0600, &plain, &set), ERROR_INVALID);
	assert_int_equal(listen_open_unix(network_host(), "/tmp/weft-test-none/socket", 0600, &plain, &set), ERROR_NOT_FOUND);
	rig_free(rig);
}

int main(void)
{
	process_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(both_ends_talk_and_know_each_other, make_folder, remove_folder),
		cmocka_unit_test(only_unix_sockets_know_their_peer),
		cmocka_unit_test_setup_teardown(what_a_dead_process_left_is_replaced, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(a_file_that_is_no_socket_stays, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(says_why_it_can_not_connect, make_folder, remove_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
