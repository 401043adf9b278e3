/* memory.cu - device memory, and what goes there and back */
#include "cuda.cuh"

#include <cerrno>
#include <cstdarg>
#include <unistd.h>

#define PIECE ((size_t)32 << 20)        /* of a large upload: one is filled while the other is on its way */

struct upload_buffers {
	char *p[2];
	cudaEvent_t sent[2];
	int next;
};

void cuda_fail(const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	_exit(1);
}

void cuda_check(cudaError_t r, const char *what)
{
	if (r != cudaSuccess)
		cuda_fail("cuda: %s: %s", what, cudaGetErrorString(r));
}

void *cuda_memory(struct cuda *c, size_t bytes)
{
	size_t left = 0, all = 0;
	void *p = NULL;
	cudaError_t r = c->managed ? cudaMallocManaged(&p, bytes ? bytes : 1) : cudaMalloc(&p, bytes ? bytes : 1);

	if (r == cudaErrorMemoryAllocation) {
		cudaGetLastError();
		cudaMemGetInfo(&left, &all);
		cuda_fail("out of memory: %zu bytes wanted of the GPU, which has %.1f GiB free of %.1f", bytes, (double)left / 0x1p30, (double)all / 0x1p30);
	}
	cuda_check(r, "memory");
	return p;
}

/* What is on the list may still use it. */
void cuda_give_back(struct cuda *c, void *p)
{
	if (!p)
		return;
	cuda_sync(c);
	c->added++;
	cuda_check(cudaFree(p), "memory");
}

void *cuda_scratch_of(struct cuda *c, enum cuda_scratch_use use, size_t bytes)
{
	struct cuda_scratch *s = &c->scratch[use];

	if (s->bytes < bytes) {
		cuda_give_back(c, s->p);
		s->bytes = (bytes + bytes / 4 + ((size_t)1 << 20) - 1) >> 20 << 20;
		s->p = cuda_memory(c, s->bytes);
	}
	return s->p;
}

uint32_t *cuda_counters(struct cuda *c, int64_t n)
{
	if (c->counters < n) {
		cuda_give_back(c, c->counter);
		c->counters = cuda_bucket(n);
		c->counter = (uint32_t *)cuda_memory(c, (size_t)c->counters * sizeof *c->counter);
		cuda_fill(c, c->counter, 0, (size_t)c->counters * sizeof *c->counter);
	}
	return c->counter;
}

/* Through two pinned buffers, so that the host fills one while the device reads the other */
static void upload_large(struct cuda *c, char *to, const char *host, size_t bytes)
{
	struct upload_buffers *b = c->large;
	size_t some;

	cuda_run(c);
	c->added++;
	if (!b->p[0])
		for (int i = 0; i < 2; i++) {
			cuda_check(cudaHostAlloc((void **)&b->p[i], PIECE, cudaHostAllocDefault), "pinned memory");
			cuda_check(cudaEventCreateWithFlags(&b->sent[i], cudaEventDisableTiming), "an event");
		}
	for (; bytes; to += some, host += some, bytes -= some, b->next ^= 1) {
		some = MIN(bytes, PIECE);
		cuda_check(cudaEventSynchronize(b->sent[b->next]), "an upload");
		memcpy(b->p[b->next], host, some);
		cuda_check(cudaMemcpyAsync(to, b->p[b->next], some, cudaMemcpyHostToDevice, c->stream), "an upload");
		cuda_check(cudaEventRecord(b->sent[b->next], c->stream), "an upload");
	}
	if (c->managed)
		cuda_sync(c);
}

void cuda_upload(struct cuda *c, void *to, const void *host, size_t bytes)
{
	if (bytes && !cuda_stage_upload(c, to, host, bytes))
		upload_large(c, (char *)to, (const char *)host, bytes);
}

void cuda_download(struct cuda *c, void *host, const void *from, size_t bytes)
{
	const void *there;

	if (!bytes)
		return;
	there = cuda_fetch(c, from, bytes);
	if (!there) {
		cuda_run(c);
		cuda_check(cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost, c->stream), "a download");
	}
	cuda_sync(c);
	if (there)
		memcpy(host, there, bytes);
}

static void *op_alloc(struct backend *be, size_t bytes)
{
	return cuda_memory(cuda_of(be), bytes);
}

static void op_free(struct backend *be, void *p)
{
	cuda_give_back(cuda_of(be), p);
}

static void op_zero(struct backend *be, void *p, size_t bytes)
{
	cuda_fill(cuda_of(be), p, 0, bytes);
}

static void op_copy(struct backend *be, void *to, const void *from, size_t bytes)
{
	cuda_copy(cuda_of(be), to, from, bytes);
}

static void op_upload(struct backend *be, void *to, const void *host, size_t bytes)
{
	cuda_upload(cuda_of(be), to, host, bytes);
}

static void op_download(struct backend *be, void *host, const void *from, size_t bytes)
{
	cuda_download(cuda_of(be), host, from, bytes);
}

static size_t op_room(struct backend *be)
{
	size_t left = 0, all = 0;

	(void)be;
	cuda_check(cudaMemGetInfo(&left, &all), "memory");
	return left;
}

void cuda_memory_ops(struct backend *be)
{
	struct cuda *c = cuda_of(be);

	c->large = (struct upload_buffers *)xcalloc(1, sizeof *c->large);
	be->alloc = op_alloc;
	be->free = op_free;
	be->zero = op_zero;
	be->copy = op_copy;
	be->upload = op_upload;
	be->download = op_download;
	be->room = op_room;
}

void cuda_memory_end(struct cuda *c)
{
	for (int i = 0; i < SCRATCHES; i++)
		cuda_give_back(c, c->scratch[i].p);
	cuda_give_back(c, c->counter);
	for (int i = 0; i < 2 && c->large->p[0]; i++) {
		cuda_check(cudaEventDestroy(c->large->sent[i]), "an event");
		cuda_check(cudaFreeHost(c->large->p[i]), "pinned memory");
	}
	free(c->large);
}
