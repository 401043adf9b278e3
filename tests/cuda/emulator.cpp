/* emulator.cpp - the GPU that is not there (cuda_runtime.h): memory, streams, graphs, and blocks of fibers */
#include "cuda_runtime.h"

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>
#if !defined __x86_64__
#include <ucontext.h>
#endif
#if defined __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

/* UNASKED: of 48 KB, 2 for what a kernel declares, which nobody says here */
enum { MOST_THREADS = 1024, STACK = 256 << 10, UNASKED = 46 << 10, MOST_SHARED = 227 << 10, MOST_ARGUMENTS = 4096, CANARY = 0xca };

#define DIE(...) (fprintf(stderr, "emulated GPU: "), fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), abort())

static const size_t PAGE = 4096;

static size_t pages(size_t bytes)
{
	return (bytes + PAGE - 1) / PAGE * PAGE;
}

/* ---- memory ---- */

struct block_of_memory {
	char *base;             /* of the mapping: a page that may not be touched, then the memory up to the last such page */
	size_t mapped, bytes;
};
static std::map<uintptr_t, block_of_memory> memory;     /* by first address */
static size_t used;

/* R1_EMULATED_IDLE: nothing is computed: what the host does, be the model ever so large, can be measured, and what it asks for is looked at. */
static bool idle()
{
	static const bool it_is = getenv("R1_EMULATED_IDLE") != NULL;

	return it_is;
}

static size_t capacity()
{
	const char *s = getenv("R1_EMULATED_MEMORY");

	return s ? strtoull(s, NULL, 10) : (size_t)8 << 30;
}

/* R1_EMULATED_SMS: multiprocessors, by which work is cut up. An H200 has 132. */
static int multiprocessors()
{
	const char *s = getenv("R1_EMULATED_SMS");

	return s ? atoi(s) : 4;
}

/* R1_EMULATED_SHARED: bytes of shared memory that a block may have; an H200's. An A100's are 166912, an RTX 4090's 101376. */
static size_t most_shared()
{
	const char *s = getenv("R1_EMULATED_SHARED");

	return s ? strtoull(s, NULL, 10) : (size_t)MOST_SHARED;
}

static cudaError_t allocate(void **p, size_t bytes, size_t align)
{
	const size_t room = (bytes + align - 1) / align * align, inner = pages(room ? room : 1);
	char *base, *at;

	if (used + bytes > capacity())
		return cudaErrorMemoryAllocation;
	base = races_range(inner + 2 * PAGE);
	if (mprotect(base + PAGE, inner, PROT_READ | PROT_WRITE))
		return cudaErrorMemoryAllocation;
	at = base + PAGE + inner - room;
	if (!idle())
		memset(at, 0xff, bytes);                /* NaN, as floats of 32 and of 16 bits */
	memset(at + bytes, CANARY, room - bytes);
	ASAN_POISON_MEMORY_REGION(at + bytes, room - bytes);
	memory[(uintptr_t)at] = {base, inner + 2 * PAGE, bytes};
	used += bytes;
	*p = at;
	return cudaSuccess;
}

static void release(void *p)
{
	auto it = memory.find((uintptr_t)p);

	if (it == memory.end())
		DIE("%p is given back and is no allocation", p);
	const block_of_memory b = it->second;
	ASAN_UNPOISON_MEMORY_REGION((char *)p + b.bytes, b.base + b.mapped - PAGE - (char *)p - b.bytes);
	for (const unsigned char *c = (unsigned char *)p + b.bytes; c < (unsigned char *)b.base + b.mapped - PAGE; c++)
		if (*c != CANARY)
			DIE("byte %zu behind an allocation of %zu bytes was written", (size_t)(c - (unsigned char *)p - b.bytes), b.bytes);
	used -= b.bytes;
	memory.erase(it);
	mmap(b.base, b.mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	races_forget(b.base, b.mapped);
}

void emu_device_range(const void *p, size_t bytes, const char *what)
{
	auto it = memory.upper_bound((uintptr_t)p);

	if (!bytes)
		return;
	if (it != memory.begin()) {
		--it;
		if ((uintptr_t)p + bytes <= it->first + it->second.bytes)
			return;
	}
	DIE("%s: %zu bytes at %p are not in an allocation", what, bytes, p);
}

static bool is_device(const void *p)
{
	auto it = memory.upper_bound((uintptr_t)p);

	return it != memory.begin() && (--it, (uintptr_t)p < it->first + it->second.bytes);
}

/* ---- streams: what is submitted waits until somebody waits for it ---- */

struct emu_graph {
	std::vector<std::function<void()>> work;
};
struct emu_stream {
	std::deque<std::function<void()>> queue;
	emu_graph *capture;
	bool kernel_last;               /* the last that was submitted since it was waited for, or a capture began, is a kernel or a product */
};
struct emu_event {
	cudaStream_t stream;
};
static std::vector<emu_stream *> streams;
static std::mutex one_at_a_time;

cudaError_t emu_submit(cudaStream_t s, std::function<void()> work)
{
	if (!s)
		DIE("work in the default stream");
	if (idle())
		return cudaSuccess;
	if (s->capture)
		s->capture->work.push_back(work);
	else
		s->queue.push_back(work);
	s->kernel_last = true;
	return cudaSuccess;
}

static cudaError_t submit_copy(cudaStream_t s, std::function<void()> work)
{
	const cudaError_t r = emu_submit(s, work);

	s->kernel_last = false;
	return r;
}

static void run(cudaStream_t s)
{
	if (s->capture)
		DIE("a stream is waited for while it is captured");
	while (!s->queue.empty()) {
		std::function<void()> work = s->queue.front();

		s->queue.pop_front();
		work();
	}
	s->kernel_last = false;
	races_synchronized();
}

static void not_captured(const char *what)
{
	for (emu_stream *s : streams)
		if (s->capture)
			DIE("%s while a stream is captured", what);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned)
{
	*s = new emu_stream();
	streams.push_back(*s);
	return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t s)
{
	run(s);
	for (size_t i = 0; i < streams.size(); i++)
		if (streams[i] == s)
			streams.erase(streams.begin() + (ptrdiff_t)i);
	delete s;
	return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t s)
{
	run(s);
	return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize()
{
	for (size_t i = 0; i < streams.size(); i++)
		run(streams[i]);
	return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode)
{
	if (s->capture)
		DIE("a stream is captured twice");
	s->capture = new emu_graph();
	s->kernel_last = false;
	return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *g)
{
	*g = s->capture;
	s->capture = NULL;
	return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *x, cudaGraph_t g, unsigned long long)
{
	*x = new emu_graph(*g);
	return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t x, cudaStream_t s)
{
	if (idle())
		return cudaSuccess;
	const emu_graph copy = *x;

	return emu_submit(s, [copy] {
		for (const std::function<void()> &work : copy.work)
			work();
	});
}

cudaError_t cudaGraphDestroy(cudaGraph_t g)
{
	delete g;
	return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t x)
{
	delete x;
	return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned)
{
	*e = new emu_event();
	return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t e)
{
	delete e;
	return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s)
{
	e->stream = s;
	return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t e)
{
	if (e->stream)
		run(e->stream);
	return cudaSuccess;
}

/* ---- the device ---- */

/* R1_EMULATED_DEVICES: as many, all alike */
static int device;

/* R1_EMULATED_DRIVER: the CUDA that the driver knows, as cudaDriverGetVersion says it; 0 is none */
cudaError_t cudaDriverGetVersion(int *version)
{
	const char *s = getenv("R1_EMULATED_DRIVER");

	*version = s ? atoi(s) : CUDART_VERSION;
	return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *n)
{
	const char *some = getenv("R1_EMULATED_DEVICES");
	int driver;

	cudaDriverGetVersion(&driver);
	if (driver / 1000 < CUDART_VERSION / 1000)
		return cudaErrorInsufficientDriver;
	*n = some ? atoi(some) : getenv("R1_EMULATED_NONE") ? 0 : 1;
	return *n ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t cudaSetDevice(int number)
{
	device = number;
	return cudaSuccess;
}

cudaError_t cudaGetDevice(int *number)
{
	*number = device;
	return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int)
{
	*p = cudaDeviceProp();
	snprintf(p->name, sizeof p->name, "emulated GPU");
	p->major = 9;
	p->multiProcessorCount = multiprocessors();
	p->totalGlobalMem = capacity();
	p->sharedMemPerBlockOptin = most_shared();
	return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attr, int)
{
	*value = attr == cudaDevAttrMultiProcessorCount ? multiprocessors() : (int)most_shared();
	return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *free, size_t *total)
{
	*total = capacity();
	*free = *total - used;
	return cudaSuccess;
}

cudaError_t cudaMalloc(void **p, size_t bytes)
{
	not_captured("cudaMalloc");
	return allocate(p, bytes, 256);
}

cudaError_t cudaMallocManaged(void **p, size_t bytes, unsigned)
{
	not_captured("cudaMallocManaged");
	return allocate(p, bytes, 256);
}

cudaError_t cudaFree(void *p)
{
	not_captured("cudaFree");
	cudaDeviceSynchronize();
	if (p)
		release(p);
	return cudaSuccess;
}

cudaError_t cudaHostAlloc(void **p, size_t bytes, unsigned)
{
	*p = malloc(bytes ? bytes : 1);
	return *p ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFreeHost(void *p)
{
	free(p);
	return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t s)
{
	const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
	const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;

	if (to_device)
		emu_device_range(to, bytes, "a copy's destination");
	else if (is_device(to))
		DIE("a copy to the host goes to device memory");
	if (from_device)
		emu_device_range(from, bytes, "a copy's source");
	else if (is_device(from))
		DIE("a copy from the host comes from device memory");
	return submit_copy(s, [to, from, bytes] {
		memcpy(to, from, bytes);
		races_written(to, bytes, false);
	});
}

cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t s)
{
	emu_device_range(p, bytes, "cudaMemsetAsync");
	return submit_copy(s, [p, value, bytes] {
		memset(p, value, bytes);
		races_written(p, bytes, false);
	});
}

cudaError_t cudaFuncGetName(const char **name, const void *)
{
	*name = "a kernel";
	return cudaSuccess;
}

cudaError_t cudaGetLastError()
{
	return cudaSuccess;
}

const char *cudaGetErrorString(cudaError_t e)
{
	return e == cudaSuccess ? "no error" : e == cudaErrorMemoryAllocation ? "out of memory" : e == cudaErrorNoDevice ? "no CUDA-capable device is detected" :
	       e == cudaErrorInvalidConfiguration ? "invalid configuration argument" : "invalid argument";
}

/* ---- blocks of threads ---- */

EMU_OWN uint3 threadIdx, blockIdx;
EMU_OWN dim3 blockDim, gridDim;

enum state { READY, AT_BARRIER, IN_WARP, ENDED };

#if defined __x86_64__
typedef void *context;
/* Keeps what a function has to keep, changes stacks, goes on where the other one stopped. */
extern "C" void emu_switch(context *from, context to);
asm(".text\n.globl emu_switch\n.hidden emu_switch\n.type emu_switch,@function\nemu_switch:\n"
    "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
    "movq %rsp,(%rdi)\nmovq %rsi,%rsp\n"
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n.size emu_switch,.-emu_switch\n");
#else
typedef ucontext_t context;
static void emu_switch(context *from, context &to) { swapcontext(from, &to); }
#endif

struct fiber {
	context at;
	char *stack;            /* one of its own while it has begun and has not ended */
	enum state state;
	uint3 index;
	unsigned mask;          /* of the warp's operation it waits in */
	const emu_lanes *got;   /* what that operation's lanes gave */
	const char *what;
	bool begun;
};

static fiber thread[MOST_THREADS];
static int threads, current, launches;
static std::vector<char *> spare_stacks;
static context scheduler;
static const std::function<void()> *body;
/* gave: by warp; got: by the first lane of a mask. All lanes that were let go on have run again before any are next time. */
static emu_lanes *const gave = new emu_lanes[MOST_THREADS / 32], *const got = new emu_lanes[MOST_THREADS];
static int barrier_in[MOST_THREADS], barrier_or, barrier_and, barrier_count;
static char *shared_base, *shared_now;
static size_t shared_bytes;
static std::map<const void *, int> shared_allowed;

static void fiber_main()
{
	(*body)();
	thread[current].state = ENDED;
	races_ended();
#if defined __x86_64__
	context never;
	emu_switch(&never, scheduler);
#else
	swapcontext(&thread[current].at, &scheduler);
#endif
	abort();
}

static void begin(fiber *f)
{
	if (spare_stacks.empty()) {
		char *p = (char *)mmap(NULL, STACK + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (p == MAP_FAILED)
			DIE("no memory for a thread's stack");
		mprotect(p, PAGE, PROT_NONE);
		spare_stacks.push_back(p + PAGE);
	}
	f->stack = spare_stacks.back();
	spare_stacks.pop_back();
	f->begun = true;
#if defined __x86_64__
	void **top = (void **)(f->stack + STACK - 16);

	ASAN_UNPOISON_MEMORY_REGION(f->stack, STACK);
	*--top = NULL;                          /* the function's return address: it never returns */
	*--top = (void *)fiber_main;
	top -= 6;
	memset(top, 0, 6 * sizeof *top);
	f->at = top;
#else
	getcontext(&f->at);
	f->at.uc_stack.ss_sp = f->stack;
	f->at.uc_stack.ss_size = STACK;
	f->at.uc_link = NULL;
	makecontext(&f->at, fiber_main, 0);
#endif
}

static void yield()
{
	emu_switch(&thread[current].at, scheduler);
}


int emu_lane()
{
	return current % 32;
}

void *emu_shared()
{
	return shared_now;
}

size_t emu_shared_bytes()
{
	return shared_bytes;
}

const emu_lanes *emu_exchange(unsigned mask, const void *mine, size_t bytes, const char *what)
{
	fiber *f = &thread[current];
	emu_lanes *l = &gave[current / 32];
	const int first = current / 32 * 32, there = threads - first < 32 ? threads - first : 32;

	if (bytes > sizeof l->lane[0])
		DIE("%s of %zu bytes", what, bytes);
	if (there < 32)                         /* lanes that were never there are in nobody's way */
		mask &= (1u << there) - 1;
	if (!(mask >> (current % 32) & 1))
		DIE("%s: lane %d is not in its own mask %08x", what, current % 32, mask);
	memcpy(l->lane[current % 32], mine, bytes);
	f->mask = mask;
	f->what = what;
	f->state = IN_WARP;
	yield();
	return f->got;
}

/* Copies on their way to shared memory, by thread: they arrive when they are waited for, no sooner. */
static std::deque<emu_copy> copies[MOST_THREADS];

void emu_copy_later(void *to, const void *from)
{
	copies[current].push_back({to, from});
}

bool emu_next_copy(emu_copy *c)
{
	if (copies[current].empty())
		return false;
	*c = copies[current].front();
	copies[current].pop_front();
	return true;
}

static void barrier(int x)
{
	thread[current].state = AT_BARRIER;
	barrier_in[current] = x;
	yield();
}

void __syncthreads() { barrier(0); }
int __syncthreads_or(int x) { barrier(x); return barrier_or; }
int __syncthreads_and(int x) { barrier(x); return barrier_and; }
int __syncthreads_count(int x) { barrier(x); return barrier_count; }

/* Lets go on the lanes of a warp that have all come to the same operation; whether any did. */
static bool release_warp(int first)
{
	bool any = false;

	for (int i = first; i < first + 32 && i < threads; i++) {
		const fiber *f = &thread[i];
		bool all = f->state == IN_WARP;

		for (int k = 0; all && k < 32; k++)
			if (f->mask >> k & 1) {
				const fiber *g = &thread[first + k];

				all = g->state == IN_WARP && g->mask == f->mask;
				if (all && g->what != f->what && strcmp(g->what, f->what) != 0)
					DIE("lanes %d and %d of a warp meet in %s and %s", i - first, k, f->what, g->what);
			}
		if (!all)
			continue;
		const unsigned mask = f->mask, lanes = threads - first < 32 ? (1u << (threads - first)) - 1 : ~0u;
		if (mask == lanes && !strcmp(f->what, "__syncwarp"))
			races_warp(first);
		got[i] = gave[first / 32];
		for (int k = 0; k < 32; k++)
			if (mask >> k & 1) {
				thread[first + k].state = READY;
				thread[first + k].got = &got[i];
			}
		any = true;
	}
	return any;
}

static void stuck(int waiting, int ended)
{
	int warp = 0, example = -1;

	for (int i = 0; i < threads; i++)
		if (thread[i].state == IN_WARP) {
			warp++;
			example = i;
		}
	if (example >= 0)
		DIE("block (%u,%u,%u): lane %d of warp %d waits in %s for lanes of mask %08x that do not come (%d wait in warps, %d at the barrier, %d have ended)",
		    blockIdx.x, blockIdx.y, blockIdx.z, example % 32, example / 32, thread[example].what, thread[example].mask, warp, waiting, ended);
	DIE("block (%u,%u,%u): %d of %d threads wait at __syncthreads, %d have ended", blockIdx.x, blockIdx.y, blockIdx.z, waiting, threads, ended);
}

static void release_barrier()
{
	barrier_or = barrier_count = 0;
	barrier_and = 1;
	races_barrier();
	for (int i = 0; i < threads; i++) {
		barrier_or |= barrier_in[i] != 0;
		barrier_and &= barrier_in[i] != 0;
		barrier_count += barrier_in[i] != 0;
		thread[i].state = READY;
	}
}

static void run_threads()
{
	for (;;) {
		int waiting = 0, ended = 0;
		bool any = false;

		for (int i = 0; i < threads; i++) {
			fiber *f = &thread[i];

			if (f->state != READY)
				continue;
			any = true;
			if (!f->begun)
				begin(f);
			current = i;
			threadIdx = f->index;
			races_thread(i, f->stack, STACK);
			emu_switch(&scheduler, f->at);
			if (f->state == ENDED) {
				spare_stacks.push_back(f->stack);
				f->stack = NULL;
			}
		}
		for (int i = 0; i < threads; i += 32)
			any = release_warp(i) || any;
		for (int i = 0; i < threads; i++) {
			waiting += thread[i].state == AT_BARRIER;
			ended += thread[i].state == ENDED;
		}
		if (ended == threads)
			return;
		if (waiting == threads)
			release_barrier();
		else if (!any)
			stuck(waiting, ended);
	}
}

static void run_block(unsigned x, unsigned y, unsigned z)
{
	blockIdx = {x, y, z};
	memset(shared_now, 0xff, shared_bytes);
	races_block(((uint64_t)z * gridDim.y + y) * gridDim.x + x, shared_now, shared_bytes);
	for (int i = 0; i < threads; i++) {
		fiber *f = &thread[i];
		const unsigned k = (unsigned)i;

		f->state = READY;
		f->begun = false;
		f->index = {k % blockDim.x, k / blockDim.x % blockDim.y, k / blockDim.x / blockDim.y};
	}
	run_threads();
}

static void run_grid(const void *kernel, bool early, const std::function<void()> &fn, dim3 grid, dim3 block, size_t shared)
{
	const uint64_t n = (uint64_t)grid.x * grid.y * grid.z;
	std::lock_guard<std::mutex> lock(one_at_a_time);
	const bool backwards = launches++ % 2;

	if (!shared_base) {
		shared_base = (char *)mmap(NULL, pages(MOST_SHARED) + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		mprotect(shared_base + pages(MOST_SHARED), PAGE, PROT_NONE);
		races_own(got, MOST_THREADS * sizeof *got);
	}
	shared_bytes = (shared + 15) / 16 * 16;
	shared_now = shared_base + pages(MOST_SHARED) - shared_bytes;
	gridDim = grid;
	blockDim = block;
	threads = (int)(block.x * block.y * block.z);
	body = &fn;
	races_launch(kernel, early);
	for (uint64_t i = 0; i < n; i++) {
		const uint64_t k = backwards ? n - 1 - i : i;

		run_block((unsigned)(k % grid.x), (unsigned)(k / grid.x % grid.y), (unsigned)(k / grid.x / grid.y));
	}
	races_end_of_launch();
}

cudaError_t emu_set_attribute(const void *kernel, cudaFuncAttribute attr, int value)
{
	if (attr == cudaFuncAttributeMaxDynamicSharedMemorySize) {
		if (value < 0 || (size_t)value > most_shared())
			return cudaErrorInvalidValue;
		shared_allowed[kernel] = value;
	}
	return cudaSuccess;
}

cudaError_t emu_launch(const void *kernel, const std::function<void()> &fn, dim3 grid, dim3 block, size_t shared, size_t arguments, bool early,
		       cudaStream_t s)
{
	const uint64_t n = (uint64_t)block.x * block.y * block.z;
	auto allowed = shared_allowed.find(kernel);
	const size_t most = allowed == shared_allowed.end() ? (size_t)UNASKED : (size_t)allowed->second;

	if (!n || n > MOST_THREADS || block.z > 64 || !grid.x || !grid.y || !grid.z || grid.x > INT32_MAX || grid.y > 65535 || grid.z > 65535)
		DIE("a grid of (%u,%u,%u) blocks of (%u,%u,%u) threads", grid.x, grid.y, grid.z, block.x, block.y, block.z);
	if (shared > most)
		DIE("a kernel is launched with %zu bytes of dynamic shared memory and may have %zu", shared, most);
	if (early && !s->kernel_last && !idle())
		DIE("a kernel that may begin before the last one has ended is launched behind none, or behind a copy");
	if (arguments > MOST_ARGUMENTS)
		DIE("a kernel's arguments take %zu bytes", arguments);
	return emu_submit(s, [kernel, early, fn, grid, block, shared] { run_grid(kernel, early, fn, grid, block, shared); });
}
