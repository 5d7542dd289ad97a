/* SPDX-License-Identifier: Apache-2.0 */
/* How a process ends: each case in a child, judged by its exit and by the line that it left. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/check.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/pool.h"

static void write_out(const char *line, size_t length)
{
	(void)!write(STDOUT_FILENO, line, length);
}

static int run_in_child(void (*body)(void), char *line, size_t room)
{
	int ends[2], status = 0;
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		signal(SIGABRT, SIG_DFL);
		log_set(LOG_ERROR, write_out);
		body();
		_exit(0);
	}
	close(ends[1]);
	ssize_t n = read(ends[0], line, room - 1);
	line[n > 0 ? n : 0] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void body_check(void)
{
	CHECK(1 + 1 == 3);
}

static void body_magic(void)
{
	struct object {
		uint32_t magic;
	} object = { 0xdead };
	CHECK_MAGIC(&object, 0xbeefu);
}

static void body_memory(void)
{
	memory_free(memory_array(SIZE_MAX / 4, 8));
}

static void body_pool(void)
{
	struct pool pool;
	pool_init(&pool, "leaky", 16, 0);
	if (pool_get(&pool))
		pool_fini(&pool);
}

static void broken_invariants_abort_with_a_line(void **state)
{
	(void)state;
	char line[500];
	int status = run_in_child(body_check, line, sizeof line);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(line, "test_check.c"));
	assert_non_null(strstr(line, "expected 1 + 1 == 3"));
	status = run_in_child(body_magic, line, sizeof line);
	assert_true(WIFSIGNALED(status));
	assert_non_null(strstr(line, "has magic 0x0000dead, expected 0x0000beef"));
	status = run_in_child(body_pool, line, sizeof line);
	assert_true(WIFSIGNALED(status));
	assert_non_null(strstr(line, "in_use == 0"));
}

static void out_of_memory_exits_with_70(void **state)
{
	(void)state;
	char line[500];
	int status = run_in_child(body_memory, line, sizeof line);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 70);
	assert_string_equal(line, "ERROR memory: out of memory for the heap\n");
}

static void lists_keep_their_order(void **state)
{
	(void)state;
	struct list list, a, b, c;
	list_init(&list);
	assert_null(list_first(&list));
	list_append(&list, &b);
	list_append(&list, &c);
	list_prepend(&list, &a);
	struct list *expected[] = { &a, &b, &c };
	int i = 0;
	LIST_EACH(&list, link)
		assert_ptr_equal(link, expected[i++]);
	LIST_EACH_SAFE(&list, link, after)
		list_remove(link);
	list_remove(&a); /* again: allowed */
	assert_true(list_empty(&list));
	assert_null(list_last(&list));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_invariants_abort_with_a_line),
		cmocka_unit_test(out_of_memory_exits_with_70),
		cmocka_unit_test(lists_keep_their_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
