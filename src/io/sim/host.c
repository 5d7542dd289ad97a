/* SPDX-License-Identifier: Apache-2.0 */
#include "io/sim/world.h"

enum { FIRST_PORT = 32768 };

static struct address parse(const char *ip)
{
	struct address address;
	int e = address_parse(slice_of(ip), 0, &address);
	CHECK(e == 0); /* the harness's own text */
	return address;
}

struct network *sim_host_new(struct sim *sim, const char *ip)
{
	CHECK_MAGIC(sim, WORLD_MAGIC);
	struct network *host = memory_new(sizeof(*host));
	host->magic = HOST_MAGIC;
	host->sim = sim;
	host->id = sim->host_count++;
	host->next_port = (uint16_t)(FIRST_PORT + random_below(&sim->random, 20000));
	list_init(&host->processes);
	list_init(&host->sets);
	list_init(&host->files);
	list_init(&host->services);
	list_init(&host->datagrams);
	list_append(&sim->hosts, &host->link);
	sim_host_add_address(host, ip);
	sim_process_enter(sim_process_new(host, ip));
	return host;
}

void sim_host_add_address(struct network *host, const char *ip)
{
	CHECK(host->address_count < ADDRESSES_MOST);
	host->addresses[host->address_count++] = parse(ip);
}

const struct address *sim_host_address(const struct network *host)
{
	return &host->addresses[0];
}

bool host_has(const struct network *host, const struct address *address)
{
	for (unsigned i = 0; i < host->address_count; i++) {
		if (address_same_ip(&host->addresses[i], address))
			return true;
	}
	return false;
}

struct network *host_find(struct network *from, const struct address *address)
{
	if (address->family == ADDRESS_UNIX)
		return from;
	LIST_EACH(&from->sim->hosts, link) {
		struct network *host = LIST_OF(link, struct network, link);
		if (host_has(host, address))
			return host;
	}
	return address_is_loopback(address) || address_is_any(address) ? from : NULL;
}

bool host_alive(const struct network *host)
{
	LIST_EACH(&host->processes, link) {
		if (!LIST_OF(link, struct sim_process, link)->crashed)
			return true;
	}
	return false;
}

uint16_t host_port(struct network *host)
{
	uint16_t port = host->next_port++;
	if (host->next_port < FIRST_PORT)
		host->next_port = FIRST_PORT;
	return port;
}

unsigned network_local_addresses(struct network *network, struct address *addresses, unsigned max)
{
	CHECK_MAGIC(network, HOST_MAGIC);
	unsigned count = 0;
	for (; count < network->address_count && count < max; count++)
		addresses[count] = network->addresses[count];
	if (count < max)
		addresses[count++] = parse("127.0.0.1");
	return count;
}

struct network *network_host(void)
{
	return process_current()->host;
}

/* --- links --- */

struct sim_link *sim_link(struct network *from, struct network *to)
{
	CHECK_MAGIC(from, HOST_MAGIC);
	CHECK_MAGIC(to, HOST_MAGIC);
	if (to->id >= from->link_count) {
		uint32_t count = to->id + 16;
		from->links = memory_grow(from->links, count, sizeof(*from->links));
		while (from->link_count < count)
			from->links[from->link_count++] = NULL;
	}
	struct sim_link **link = &from->links[to->id];
	if (!*link) {
		*link = memory_new(sizeof(**link));
		**link = from->sim->options.link;
	}
	return *link;
}

void sim_partition(struct network *a, struct network *b, bool apart)
{
	sim_link(a, b)->down = apart;
	sim_link(b, a)->down = apart;
	world_event(a->sim, EVENT_FAULT, a->id, b->id, apart);
}

/* --- processes --- */

struct sim_process *sim_process_new(struct network *host, const char *name)
{
	CHECK_MAGIC(host, HOST_MAGIC);
	struct sim_process *process = memory_new(sizeof(*process));
	process->magic = PROCESS_MAGIC;
	process->id = ++host->sim->process_count;
	process->host = host;
	process->name = memory_text(slice_of(name));
	list_init(&process->loops);
	list_init(&process->watches);
	list_init(&process->signals);
	list_init(&process->environment);
	list_init(&process->file_locks);
	list_append(&host->processes, &process->link);
	return process;
}

/* At the end of the world. What a living process has not freed is a leak; a crashed one could not. */
void process_free(struct sim_process *process)
{
	LIST_EACH_SAFE(&process->loops, link, after) {
		CHECK(process->crashed);
		loop_bury(LIST_OF(link, struct loop, process_link));
	}
	if (!process->crashed) {
		struct sim_open open;
		sim_process_open(process, &open);
		CHECK(open.listen_sets == 0);
		CHECK(open.watches == 0);
		CHECK(open.signals == 0);
		CHECK(open.locks == 0);
		CHECK(list_empty(&process->file_locks));
	}
	file_locks_forget(process);
	environment_free(process);
	list_remove(&process->link);
	memory_free(process->name);
	memory_free(process);
}

struct sim_process *process_current(void)
{
	struct sim *sim = world_current();
	/* sim_host_enter, or sim_process_enter, comes first. */
	CHECK(sim->current != NULL);
	return sim->current;
}

struct sim_process *sim_process_current(struct sim *sim)
{
	return sim->current;
}

void sim_process_enter(struct sim_process *process)
{
	CHECK_MAGIC(process, PROCESS_MAGIC);
	process->host->sim->current = process;
}

void sim_host_enter(struct network *host)
{
	CHECK_MAGIC(host, HOST_MAGIC);
	LIST_EACH(&host->processes, link) {
		struct sim_process *process = LIST_OF(link, struct sim_process, link);
		if (!process->crashed) {
			sim_process_enter(process);
			return;
		}
	}
	sim_process_enter(sim_process_new(host, "process"));
}

void sim_process_user(struct sim_process *process, uint32_t uid, uint32_t gid)
{
	CHECK_MAGIC(process, PROCESS_MAGIC);
	process->uid = uid;
	process->gid = gid;
}

struct network *sim_process_host(const struct sim_process *process)
{
	return process->host;
}

bool sim_process_crashed(const struct sim_process *process)
{
	return process->crashed;
}

void sim_process_crash(struct sim_process *process, enum sim_crash how)
{
	CHECK_MAGIC(process, PROCESS_MAGIC);
	if (process->crashed)
		return;
	process->crashed = true;
	world_event(process->host->sim, EVENT_CRASH, process->id, (uint64_t)how, 0);
	LIST_EACH(&process->loops, link)
		streams_crash(LIST_OF(link, struct loop, process_link), how);
	sets_crash(process, how);
	datagrams_forget(process->host, process);
}

void sim_process_stall(struct sim_process *process, int64_t ns)
{
	struct sim *sim = process->host->sim;
	process->stalled_until = sim->now + ns;
	world_event(sim, EVENT_FAULT, process->id, (uint64_t)ns, 0);
}

static unsigned list_length(const struct list *list)
{
	unsigned count = 0;
	for (const struct list *link = list->next; link != list; link = link->next)
		count++;
	return count;
}

void sim_process_open(const struct sim_process *process, struct sim_open *open)
{
	*open = (struct sim_open){
		.listen_sets = process->sets,
		.watches = list_length(&process->watches),
		.signals = list_length(&process->signals),
		.locks = process->locks_made,
	};
	for (const struct list *link = process->loops.next; link != &process->loops; link = link->next) {
		const struct loop *loop = (const void *)((const char *)link - offsetof(struct loop, process_link));
		open->loops++;
		open->streams += loop->open_count;
		open->listeners += loop->listeners;
		open->datagrams += loop->datagrams;
		open->channels += loop->channels;
		open->timers += loop->timers.count;
		open->buffers += loop->buffers.in_use;
	}
}
