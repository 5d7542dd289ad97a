/* SPDX-License-Identifier: Apache-2.0 */
/* Signals, environment, identity; and threads, of which there are none. */
#include "io/sim/world.h"

struct signals {
	struct list link; /* in its process */
	struct loop *loop;
	struct ready ready;
	void (*received)(void *owner, enum process_signal which);
	void *owner;
	bool pending[PROCESS_RELOAD + 1];
	bool telling, freed; /* freed while it tells: its memory behind that */
};

struct variable {
	struct list link;
	char *name, *value;
};

struct lock {
	struct sim_process *process;
	bool held;
};

/* --- signals --- */

static void tell(struct ready *ready)
{
	struct signals *signals = LIST_OF(ready, struct signals, ready);
	signals->telling = true;
	for (unsigned which = 0; !signals->freed && which <= PROCESS_RELOAD; which++) {
		if (!signals->pending[which])
			continue;
		signals->pending[which] = false;
		world_event(signals->loop->sim, EVENT_SIGNAL, signals->loop->process->id, which, 0);
		signals->received(signals->owner, (enum process_signal)which);
	}
	signals->telling = false;
	if (signals->freed)
		memory_free(signals);
}

int signals_new(struct loop *loop, void (*received)(void *owner, enum process_signal which), void *owner, struct signals **result)
{
	CHECK_MAGIC(loop, LOOP_MAGIC);
	struct signals *signals = memory_new(sizeof(*signals));
	*signals = (struct signals){ .loop = loop, .ready = { .tell = tell }, .received = received, .owner = owner };
	list_init(&signals->ready.link);
	list_append(&loop->process->signals, &signals->link);
	*result = signals;
	return 0;
}

void signals_free(struct signals *signals)
{
	if (!signals)
		return;
	signals->freed = true;
	loop_unready(signals->loop, &signals->ready);
	list_remove(&signals->link);
	if (!signals->telling)
		memory_free(signals);
}

void sim_process_signal(struct sim_process *process, enum process_signal which)
{
	LIST_EACH(&process->signals, link) {
		struct signals *signals = LIST_OF(link, struct signals, link);
		signals->pending[which] = true;
		loop_ready(signals->loop, &signals->ready);
	}
}

/* --- identity and environment --- */

void process_start(void)
{
}

void process_protect(void)
{
}

void process_usage(struct process_usage *usage)
{
	struct sim_process *process = process_current();
	struct sim_open open;
	sim_process_open(process, &open);
	*usage = (struct process_usage){
		.resident_bytes = UINT64_C(16) << 20,
		.virtual_bytes = UINT64_C(64) << 20,
		.cpu_user_ns = process->host->sim->now / 100,
		.cpu_system_ns = process->host->sim->now / 200,
		.threads = open.loops,
		.descriptors = open.streams + open.listen_sets + open.datagrams,
		.descriptor_limit = 1048576,
	};
}

uint64_t process_memory_limit(void)
{
	return UINT64_C(1) << 30;
}

unsigned process_id(void)
{
	return process_current()->id;
}

uint32_t process_user(void)
{
	return process_current()->uid;
}

static struct variable *variable_find(struct sim_process *process, const char *name)
{
	LIST_EACH(&process->environment, link) {
		struct variable *variable = LIST_OF(link, struct variable, link);
		if (strcmp(variable->name, name) == 0)
			return variable;
	}
	return NULL;
}

static void variable_free(struct variable *variable)
{
	list_remove(&variable->link);
	memory_free(variable->name);
	memory_free(variable->value);
	memory_free(variable);
}

void sim_process_environment(struct sim_process *process, const char *name, const char *value)
{
	struct variable *variable = variable_find(process, name);
	if (variable)
		variable_free(variable);
	if (!value)
		return;
	variable = memory_new(sizeof(*variable));
	variable->name = memory_text(slice_of(name));
	variable->value = memory_text(slice_of(value));
	list_append(&process->environment, &variable->link);
}

void environment_free(struct sim_process *process)
{
	LIST_EACH_SAFE(&process->environment, link, after)
		variable_free(LIST_OF(link, struct variable, link));
}

const char *process_environment(const char *name)
{
	struct variable *variable = variable_find(process_current(), name);
	return variable ? variable->value : NULL;
}

_Noreturn void process_exit(int code)
{
	struct sim *sim = world_current();
	sim_note(sim, "process_exit(%d)", code);
	/* A simulated process never ends the program that simulates it: whoever called this is not to be simulated. */
	check_failed("process_exit is not called in simulation", __FILE__, __LINE__);
}

/* --- threads and locks --- */

int thread_start(const char *name, void (*run)(void *owner), void *owner, struct thread **thread)
{
	(void)name, (void)run, (void)owner, (void)thread;
	check_failed("no thread is started in simulation: give the object its loop", __FILE__, __LINE__);
}

void thread_join(struct thread *thread)
{
	(void)thread;
	check_failed("there are no threads in simulation", __FILE__, __LINE__);
}

unsigned thread_cores(void)
{
	return world_current()->options.cores;
}

struct lock *lock_new(void)
{
	struct lock *lock = memory_new(sizeof(*lock));
	lock->process = process_current();
	lock->process->locks_made++;
	return lock;
}

void lock_free(struct lock *lock)
{
	if (!lock)
		return;
	CHECK(!lock->held);
	lock->process->locks_made--;
	memory_free(lock);
}

void lock_take(struct lock *lock)
{
	CHECK(!lock->held);
	lock->held = true;
	lock->process->locks_held++;
}

void lock_release(struct lock *lock)
{
	CHECK(lock->held);
	lock->held = false;
	lock->process->locks_held--;
}
