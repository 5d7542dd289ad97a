/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that this one starts: here this test, which then does what its second argument says. */
#include "unit/io/rig.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/children.h"
#include "io/packet.h"

#define VARIABLE "CHILDREN_TEST"

static const struct loop_options defaults = { .name = "test" };
static char *program;

struct birth {
	struct rig *rig;
	struct children *children;
	struct packet_link *link;
	uint32_t pid;
	struct child_end end;
	bool ended, link_ended, received;
	char said[PACKET_BYTES];
};

static void ended(void *owner, uint32_t pid, const struct child_end *end)
{
	struct birth *birth = owner;

	if (pid != birth->pid)
		return;
	birth->end = *end;
	birth->ended = true;
}

static void received(void *owner, struct slice bytes, const int *descriptors, unsigned count)
{
	struct birth *birth = owner;

	assert_int_equal(count, 0);
	(void)descriptors;
	memcpy(birth->said, bytes.at, bytes.length);
	birth->received = true;
}

static void link_ended(void *owner, int error)
{
	struct birth *birth = owner;

	assert_int_equal(error, 0);
	birth->link_ended = true;
}

static const struct packet_events events = { .received = received, .ended = link_ended };

static int setup(void **state)
{
	struct birth *birth = memory_new(sizeof *birth);

	birth->rig = rig_new(&defaults);
	assert_int_equal(children_new(birth->rig->loop, ended, birth, &birth->children), 0);
	*state = birth;
	return 0;
}

static int teardown(void **state)
{
	struct birth *birth = *state;

	packet_close(birth->link);
	children_free(birth->children);
	rig_free(birth->rig);
	memory_free(birth);
	return 0;
}

static void start(struct birth *birth, char *what)
{
	char *arguments[] = { program, what, NULL };
	int theirs;

	assert_int_equal(packet_pair(birth->rig->loop, &events, birth, &birth->link, &theirs), 0);
	assert_int_equal(children_start(birth->children, arguments, VARIABLE, theirs, &birth->pid), 0);
}

static void assert_shown(const struct birth *birth, const char *shown)
{
	struct text text = { 0 };

	child_end_show(&birth->end, &text);
	assert_string_equal(text.bytes, shown);
	text_free(&text);
}

static void its_exit_code_is_told(void **state)
{
	struct birth *birth = *state;

	start(birth, "exit");
	assert_true(rig_until(birth->rig, &birth->ended));
	assert_int_equal(birth->end.signal, 0);
	assert_int_equal(birth->end.code, 70);
	assert_shown(birth, "ended with code 70");
}

static void its_signal_is_told(void **state)
{
	struct birth *birth = *state;

	start(birth, "die");
	assert_true(rig_until(birth->rig, &birth->ended));
	assert_int_equal(birth->end.signal, SIGKILL);
	assert_shown(birth, "was killed by SIGKILL");
}

static void it_has_the_link_and_its_end_shows_there(void **state)
{
	struct birth *birth = *state;

	start(birth, "speak");
	assert_true(rig_until(birth->rig, &birth->received));
	assert_string_equal(birth->said, "another process");
	assert_true(rig_until(birth->rig, &birth->link_ended));
	assert_true(rig_until(birth->rig, &birth->ended));
	assert_int_equal(birth->end.code, 0);
}

static void several_that_end_at_once_are_all_reaped(void **state)
{
	struct birth *birth = *state;

	for (int i = 0; i < 5; i++) {
		packet_close(birth->link);
		start(birth, "exit");
	}
	assert_true(rig_until(birth->rig, &birth->ended));
	assert_int_equal(birth->end.code, 70);
}

static void what_is_no_link_is_left_as_it_is(void **state)
{
	struct birth *birth = *state;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(packet_adopt(birth->rig->loop, ends[0], &events, birth, &birth->link), ERROR_INVALID);
	close(ends[1]);
	close(ends[0]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(packet_adopt(birth->rig->loop, ends[0], &events, birth, &birth->link), ERROR_INVALID);
	assert_int_equal(close(ends[0]), 0);
	close(ends[1]);
	birth->link = NULL;
}

/* The process that is started. */
static int speak(void)
{
	static const char words[] = "another process";
	struct packet_link *link;
	struct loop *loop;

	if (loop_new(&defaults, &loop) || packet_adopt(loop, atoi(getenv(VARIABLE)), &events, NULL, &link) ||
		packet_send(link, slice_make(words, sizeof words), NULL, 0))
		return 1;
	packet_close(link);
	loop_free(loop);
	return 0;
}

static int act(const char *what)
{
	if (strcmp(what, "speak") == 0)
		return speak();
	if (strcmp(what, "die") == 0)
		raise(SIGKILL);
	return 70;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(its_exit_code_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(its_signal_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(it_has_the_link_and_its_end_shows_there, setup, teardown),
		cmocka_unit_test_setup_teardown(several_that_end_at_once_are_all_reaped, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_link_is_left_as_it_is, setup, teardown),
	};

	program = argv[0];
	if (argc == 2 && getenv(VARIABLE))
		return act(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
