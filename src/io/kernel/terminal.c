/* SPDX-License-Identifier: Apache-2.0 */
#include "io/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/kernel/kernel.h"

struct terminal_keys {
	struct source source;
	struct loop *loop;
	void (*pressed)(void *owner, struct slice bytes);
	void *owner;
	bool listening;
};

/* What exit and the handlers of signals put back: they have nothing else to find it by. */
static struct termios before;
static volatile sig_atomic_t is_changed;
static const int fatal_signals[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGQUIT };
enum { FATAL = sizeof fatal_signals / sizeof fatal_signals[0] };
static struct sigaction actions_before[FATAL];

bool terminal_is_output(void)
{
	return isatty(STDOUT_FILENO) == 1;
}

bool terminal_size(unsigned *columns, unsigned *rows)
{
	struct winsize size;

	*columns = 80;
	*rows = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_col == 0 || size.ws_row == 0)
		return false;
	*columns = size.ws_col;
	*rows = size.ws_row;
	return true;
}

bool terminal_print(struct slice bytes)
{
	while (bytes.length) {
		ssize_t n = write(STDOUT_FILENO, bytes.at, bytes.length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes = slice_from(bytes, (size_t)n);
	}
	return true;
}

/* ---- keys ---- */

/* xterm's, which all terminals of today know: another screen than the shell's, without a cursor; and back. */
static const char enter[] = "\033[?1049h\033[?25l", leave[] = "\033[?25h\033[?1049l";

/* Safe in a handler: tcsetattr and write are (POSIX). */
static void put_back(void)
{
	if (is_changed) {
		(void)!write(STDOUT_FILENO, leave, sizeof leave - 1);
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
	}
	is_changed = 0;
}

static void unguard(void)
{
	for (unsigned i = 0; i < FATAL; i++)
		(void)sigaction(fatal_signals[i], &actions_before[i], NULL);
}

/* Then it ends as it would have without us. */
static void on_fatal(int number)
{
	put_back();
	unguard();
	(void)raise(number);
}

static void guard(void)
{
	static bool at_exit;
	const struct sigaction action = { .sa_handler = on_fatal };

	for (unsigned i = 0; i < FATAL; i++)
		(void)sigaction(fatal_signals[i], &action, &actions_before[i]);
	if (!at_exit)
		at_exit = atexit(put_back) == 0;
}

static void stop_listening(struct terminal_keys *keys)
{
	if (keys->listening)
		loop_unregister(keys->loop, &keys->source);
	keys->listening = false;
}

static void on_ready(struct source *source, uint32_t events)
{
	struct terminal_keys *keys = LIST_OF(source, struct terminal_keys, source);
	char bytes[64];
	ssize_t n;

	(void)events;
	/* Not made non-blocking: whoever else has the terminal would find it so, too. */
	n = read(source->fd, bytes, sizeof bytes);
	if (n > 0)
		keys->pressed(keys->owner, slice_make(bytes, (size_t)n));
	else if (n == 0 || errno != EINTR)
		stop_listening(keys);
	loop_run_tasks(keys->loop);
}

int terminal_keys_new(struct loop *loop, void (*pressed)(void *owner, struct slice bytes), void *owner, struct terminal_keys **result)
{
	struct terminal_keys *keys;
	struct termios raw;
	int e;

	if (is_changed)
		return ERROR_BUSY;
	if (tcgetattr(STDIN_FILENO, &before))
		return ERROR_UNSUPPORTED;
	keys = memory_new(sizeof *keys);
	*keys = (struct terminal_keys){
		.source = { .ready = on_ready, .fd = STDIN_FILENO },
		.loop = loop,
		.pressed = pressed,
		.owner = owner,
	};
	list_init(&keys->source.link);
	e = loop_register(loop, &keys->source, EPOLLIN);
	if (e) {
		memory_free(keys);
		return e;
	}
	keys->listening = true;
	guard();
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	/* A stopped process would leave the terminal like this. */
	raw.c_cc[VSUSP] = _POSIX_VDISABLE;
	is_changed = 1;
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	(void)terminal_print(slice_make(enter, sizeof enter - 1));
	loop->others++;
	*result = keys;
	return 0;
}

static void keys_gone(struct loop *loop, struct source *source)
{
	(void)loop;
	memory_free(LIST_OF(source, struct terminal_keys, source));
}

void terminal_keys_free(struct terminal_keys *keys)
{
	if (!keys)
		return;
	put_back();
	unguard();
	stop_listening(keys);
	keys->source.fd = -1;
	keys->loop->others--;
	loop_bury(keys->loop, &keys->source, keys_gone);
}
