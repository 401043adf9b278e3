/* races.cpp - who used each byte last, and whether who uses them now was ordered behind that (races.h) */
#include "races.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <map>
#include <sys/mman.h>

/* A use, in 64 bits: launch, block, the block's time and the thread. The time goes up by one at every barrier of the block or of a warp.
 * Of several threads' reads the youngest time is kept, and how far apart the threads are. */
enum { THREAD_BITS = 13, TIME_BITS = 22, BLOCK_BITS = 15, LAUNCH_BITS = 14 };
enum { OF_A_WARP = 1024, OF_A_BLOCK = 2048, ATOMIC = 4096 };            /* flags of a use's thread; OF_A_WARP: its number is some thread's of the warp */
enum { ALL_BLOCKS = (1 << BLOCK_BITS) - 1, LAST_LAUNCH = (1 << LAUNCH_BITS) - 1, LAST_TIME = (1 << TIME_BITS) - 1 };
struct use {
	uint64_t thread : THREAD_BITS, time : TIME_BITS, block : BLOCK_BITS, launch : LAUNCH_BITS;
};
struct cell {
	use write, read;
};

static const size_t MOST_SHARED = 256 << 10;
static char *range, *range_end;         /* of device memory; what is behind range_end was never given out */
/* Of the range, of dynamic shared memory, and of the library's variables; NULL where nobody looks for races */
static cell *cells, *cells_shared, *cells_fixed;
static const char *shared_at;
static size_t shared_size;
/* Shared memory that is declared lies among this library's variables, all of which are taken for such: what the emulator itself has is in EMU_OWN. */
extern char __bss_start[] __attribute__((visibility("hidden"))), _end[] __attribute__((visibility("hidden")));
extern char __ehdr_start[] __attribute__((visibility("hidden")));
extern char __start_emu_own[] __attribute__((visibility("hidden"))), __stop_emu_own[] __attribute__((visibility("hidden")));

static const void *kernel, *kernels[1 << LAUNCH_BITS];  /* the latter by launch; NULL: a copy, or a product of the library */
static unsigned launch, stable = 1, turn, block_now, now, barrier_time;      /* stable: launches below that one have ended whenever this one begins */
static unsigned warp_time[32];
static bool running, early, waited[1024], begun[1024];
static const char *stack_at, *own_at;
static size_t stack_size, own_size;
static bool fenced;
/* Blocks that came to an atomic variable behind a fence, and when the last barrier before was: what they did before it is there for whoever comes after. */
static std::map<const void *, std::map<unsigned, unsigned>> released;
static std::map<unsigned, unsigned> acquired;

/* Where code is, as addr2line takes it */
static const char *place(const void *code)
{
	static char said[4][200];
	static int which;
	Dl_info in;

	which = (which + 1) % 4;
	if (dladdr(code, &in) && in.dli_fname)
		snprintf(said[which], sizeof said[which], "%s+%#zx", in.dli_fname, (size_t)((const char *)code - (const char *)in.dli_fbase));
	else
		snprintf(said[which], sizeof said[which], "%p", code);
	return said[which];
}

__attribute__((noreturn, format(printf, 2, 3))) static void race(const void *pc, const char *form, ...)
{
	va_list args;

	fprintf(stderr, "emulated GPU: race: kernel %s%s: thread %u of block %u%s ", place(kernel), early ? ", which may begin early" : "", turn, block_now,
		waited[turn] ? "" : " has not waited,");
	va_start(args, form);
	vfprintf(stderr, form, args);
	va_end(args);
	fprintf(stderr, pc ? ", at %s\n" : "\n", place(pc));
	abort();
}

static size_t fixed_bytes()
{
	return (size_t)(_end - __bss_start);
}

static char *mapped(size_t bytes, int how)
{
	void *p = mmap(NULL, bytes, how, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		fprintf(stderr, "emulated GPU: no room for who used what\n");
		abort();
	}
	return (char *)p;
}

static cell *cells_for(size_t bytes)
{
	return (cell *)mapped(bytes * sizeof(cell), PROT_READ | PROT_WRITE);
}

static void forget(cell *c, size_t bytes)
{
	madvise(c, bytes * sizeof *c, MADV_DONTNEED);
}

/* R1_EMULATED_IDLE: where nothing is computed nobody uses memory, of which there can be more then. */
static bool watched()
{
	static const bool it_is = R1_RACES && !getenv("R1_EMULATED_IDLE");

	return it_is;
}

char *races_range(size_t bytes)
{
	const size_t RANGE = (size_t)1 << (watched() ? 40 : 45);

	if (!range) {
		range = range_end = mapped(RANGE, PROT_NONE);
		if (watched()) {
			cells = cells_for(RANGE);
			cells_shared = cells_for(MOST_SHARED);
			cells_fixed = cells_for(fixed_bytes());
		}
	}
	if (bytes > (size_t)(range + RANGE - range_end))
		abort();
	range_end += bytes;
	return range_end - bytes;
}

static cell *cell_of(const void *p)
{
	return cells + (size_t)((const char *)p - range);
}

void races_forget(const void *p, size_t bytes)
{
	if (watched())
		forget(cell_of(p), bytes);
}

/* The number of what comes next on the list; numbers that have run out begin again, with nothing known. */
static unsigned next_launch()
{
	if (launch == LAST_LAUNCH) {
		if (watched()) {
			forget(cells, (size_t)(range_end - range));
			forget(cells_shared, MOST_SHARED);
			forget(cells_fixed, fixed_bytes());
		}
		launch = 0;
		stable = 1;
	}
	return ++launch;
}

void races_written(const void *p, size_t bytes, bool by_kernel)
{
	use u = {};

	if (!watched() || !bytes || (const char *)p < range || (const char *)p >= range_end)
		return;
	u.launch = next_launch();
	if (!by_kernel)
		stable = launch + 1;
	kernels[launch] = NULL;
	for (size_t i = 0; i < bytes; i++)
		cell_of(p)[i].write = u;
}

void races_launch(const void *which, bool may_be_early)
{
	kernel = which;
	early = may_be_early;
	kernels[next_launch()] = kernel;
	if (!early)
		stable = launch;
	released.clear();
	running = true;
}

void races_synchronized()
{
	stable = launch + 1;
}

void races_end_of_launch()
{
	running = false;
}

void races_block(uint64_t block, const void *shared, size_t shared_bytes)
{
	block_now = (unsigned)(block % ALL_BLOCKS);
	now = barrier_time = 1;
	for (int i = 0; i < 32; i++)
		warp_time[i] = 1;
	for (int i = 0; i < 1024; i++)
		waited[i] = !early, begun[i] = false;
	fenced = false;
	acquired.clear();
	shared_at = (const char *)shared;
	shared_size = shared_bytes;
}

void races_thread(int thread, const void *stack, size_t stack_bytes)
{
	turn = (unsigned)thread;
	stack_at = (const char *)stack;
	stack_size = stack_bytes;
}

void races_own(const void *p, size_t bytes)
{
	own_at = (const char *)p;
	own_size = bytes;
}

void races_begun()
{
	begun[turn] = true;
}

void races_ended()
{
	begun[turn] = false;
	if (!waited[turn])
		race(NULL, "and ends without having waited");
}

static void forward()
{
	if (now < LAST_TIME)
		now++;
}

void races_barrier()
{
	forward();
	barrier_time = now;
}

void races_warp(int first)
{
	forward();
	warp_time[first / 32] = now;
}

void races_waited()
{
	waited[turn] = true;
}

void races_fence()
{
	fenced = true;
}

/* Whether what was used is ordered before what this thread does now */
static bool before(const use &u, bool shared, bool atomic)
{
	const unsigned thread = u.thread & 1023, same_warp = thread / 32 == turn / 32;

	if (u.launch != launch || (atomic && u.thread & ATOMIC))
		return true;
	if (u.block != block_now)
		return shared || (acquired.count(u.block) && u.time < acquired[u.block]);
	if (u.time < barrier_time)
		return true;
	if (u.thread & (ATOMIC | OF_A_BLOCK))
		return false;
	if (!(u.thread & OF_A_WARP) && thread == turn)
		return true;
	return same_warp && u.time < warp_time[turn / 32];
}

/* `then` is done to what u did `was` to. */
__attribute__((noreturn)) static void race_with(const use &u, bool shared, const char *then, const char *was, const void *pc)
{
	const unsigned thread = u.thread & 1023, block = u.block;
	const char *memory = shared ? "shared" : "global";

	if (block == ALL_BLOCKS)
		race(pc, "%s %s memory that several blocks have %s", then, memory, was);
	if (u.thread & OF_A_BLOCK)
		race(pc, "%s %s memory that several warps of block %u have %s", then, memory, block, was);
	if (u.thread & OF_A_WARP)
		race(pc, "%s %s memory that several lanes of warp %u of block %u have %s", then, memory, thread / 32, block, was);
	race(pc, "%s %s memory that thread %u of block %u has %s", then, memory, thread, block, was);
}

static use mine(unsigned flags)
{
	use u = {};

	u.thread = turn | flags;
	u.time = now;
	u.block = block_now;
	u.launch = launch;
	return u;
}

static void read_by(cell *c, bool shared, const void *pc)
{
	if (!before(c->write, shared, false))
		race_with(c->write, shared, "reads", c->write.thread & ATOMIC ? "changed by an atomic operation" : "written", pc);
	use r = mine(0);
	const use &u = c->read;
	if (!shared && u.launch == launch && u.block != block_now) {
		r.block = ALL_BLOCKS;
	} else if (u.launch == launch && u.block == block_now && u.time >= barrier_time) {
		if (u.thread & OF_A_BLOCK || (u.thread & 1023) / 32 != turn / 32)
			r.thread |= OF_A_BLOCK;
		else if (u.time >= warp_time[turn / 32] && (u.thread & OF_A_WARP || (u.thread & 1023) != turn))
			r.thread |= OF_A_WARP;
	}
	c->read = r;
}

static void written_by(cell *c, bool shared, bool atomic, const void *pc)
{
	const char *what = atomic ? "changes by an atomic operation" : "writes";

	if (!before(c->write, shared, atomic))
		race_with(c->write, shared, what, c->write.thread & ATOMIC ? "changed by an atomic operation" : "written", pc);
	if (!before(c->read, shared, false))
		race_with(c->read, shared, what, "read", pc);
	c->write = mine(atomic ? ATOMIC : 0);
}

/* Whether the block wrote any of it (not all: there are gaps in structs) */
static bool written_here(const cell *c, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (c[i].write.launch == launch && c[i].write.block == block_now)
			return true;
	return false;
}

static void used(const void *p, size_t bytes, bool write, bool atomic, const void *pc)
{
	const char *at = (const char *)p;
	bool shared = true;
	cell *c;

	if (!R1_RACES || !running)
		return;
	if ((size_t)(at - shared_at) < shared_size)
		c = cells_shared + (size_t)(at - shared_at);
	else if (at >= __bss_start && at < _end && (at < __start_emu_own || at >= __stop_emu_own))
		c = cells_fixed + (at - __bss_start);
	else if (at >= range && at < range_end)
		c = cell_of(p), shared = false;
	else if (begun[turn] && (size_t)(at - stack_at) >= stack_size && (size_t)(at - own_at) >= own_size && (at < __ehdr_start || at >= _end))
		race(pc, "%s the host's memory", write ? "writes" : "reads");
	else
		return;
	if (!waited[turn] && !shared && write)
		race(pc, "writes");
	if (!waited[turn] && !shared && c->write.launch >= stable)
		race(pc, "reads what kernels that may still run have written: %s", place(kernels[c->write.launch]));
	if (shared && !write && !written_here(c, bytes))
		race(pc, "reads shared memory that nobody has written");
	for (size_t i = 0; i < bytes; i++) {
		const cell had = c[i];

		if (write)
			written_by(&c[i], shared, atomic, pc);
		else
			read_by(&c[i], shared, pc);
		for (; i + 1 < bytes && !memcmp(&c[i + 1], &had, sizeof had); i++)
			c[i + 1] = c[i];        /* what was used together mostly is */
	}
}

void races_writes(const void *p, size_t bytes)
{
	used(p, bytes, true, false, __builtin_return_address(0));
}

void races_atomic(const void *p, size_t bytes)
{
	used(p, bytes, true, true, __builtin_return_address(0));
	for (const auto &r : released[p])
		acquired[r.first] = r.second;
	if (fenced)
		released[p][block_now] = barrier_time;
}

#define HOOK(bytes) \
	extern "C" void __tsan_read##bytes(void *p) { used(p, bytes, false, false, __builtin_return_address(0)); } \
	extern "C" void __tsan_write##bytes(void *p) { used(p, bytes, true, false, __builtin_return_address(0)); } \
	extern "C" void __tsan_unaligned_read##bytes(void *p) { used(p, bytes, false, false, __builtin_return_address(0)); } \
	extern "C" void __tsan_unaligned_write##bytes(void *p) { used(p, bytes, true, false, __builtin_return_address(0)); }
HOOK(1)
HOOK(2)
HOOK(4)
HOOK(8)
HOOK(16)
extern "C" void __tsan_read_range(void *p, size_t n) { used(p, n, false, false, __builtin_return_address(0)); }
extern "C" void __tsan_write_range(void *p, size_t n) { used(p, n, true, false, __builtin_return_address(0)); }
extern "C" void *__tsan_memcpy(void *to, const void *from, size_t n)
{
	used(from, n, false, false, __builtin_return_address(0));
	used(to, n, true, false, __builtin_return_address(0));
	return memcpy(to, from, n);
}
extern "C" void *__tsan_memset(void *to, int value, size_t n)
{
	used(to, n, true, false, __builtin_return_address(0));
	return memset(to, value, n);
}
extern "C" void __tsan_init() {}
extern "C" void __tsan_func_entry(void *) {}
extern "C" void __tsan_func_exit() {}
extern "C" void __tsan_vptr_update(void *, void *) {}
extern "C" void __tsan_vptr_read(void *) {}
