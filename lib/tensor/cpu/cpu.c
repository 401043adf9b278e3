/* cpu.c - the CPU backend: choosing the kernels, memory, the end */
#include "tensor/cpu/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGE ((size_t)256 << 20)       /* bytes from which on memory is reserved: a cache is as large as what may be sampled, not what is */

static bool runs_here(const char *isa)
{
#if defined __x86_64__
	if (!strcmp(isa, "avx512"))
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
		       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma");
	if (!strcmp(isa, "avx2"))
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
	return !strcmp(isa, "portable");
}

static const struct kernels *const all_kernels[] = {   /* the best first */
#if defined __x86_64__
	&kernels_avx512, &kernels_avx2,
#endif
	&kernels_portable,
};
#define N_KERNELS ((int)(sizeof all_kernels / sizeof *all_kernels))

float *cpu_scratch(struct scratch *s, int64_t floats)
{
	if (s->floats < floats) {
		free(s->p);
		s->floats = floats + floats / 8;
		s->p = xaligned((size_t)s->floats * sizeof *s->p + SLACK);
	}
	return s->p;
}

int64_t cpu_grain(double cost)
{
	const double piece = 8000;

	return cost >= piece ? 1 : (int64_t)(piece / cost);
}

static void *cpu_alloc(struct backend *be, size_t bytes)
{
	struct cpu *c = cpu_of(be);
	struct reserved r = {.n = bytes + SLACK};

	if (bytes < LARGE)
		return xaligned(r.n);
	r.p = xreserve(r.n);
	c->reserved = xgrow(c->reserved, &c->reserved_cap, c->reserved_n + 1, sizeof *c->reserved);
	c->reserved[c->reserved_n++] = r;
	return r.p;
}

static void cpu_free(struct backend *be, void *p)
{
	struct cpu *c = cpu_of(be);
	size_t i;

	for (i = 0; i < c->reserved_n; i++)
		if (p && c->reserved[i].p == p) {
			xrelease(p, c->reserved[i].n);
			c->reserved[i] = c->reserved[--c->reserved_n];
			return;
		}
	free(p);
}

struct move {
	char *to;
	const char *from;       /* NULL: zeros */
};

static void move_some(void *arg, int64_t from, int64_t to, int worker)
{
	const struct move *m = arg;

	(void)worker;
	if (m->from)
		memcpy(m->to + from, m->from + from, (size_t)(to - from));
	else
		memset(m->to + from, 0, (size_t)(to - from));
}

static void move(struct backend *be, void *to, const void *from, size_t bytes)
{
	pool_run(cpu_of(be)->pool, (int64_t)bytes, 1 << 20, move_some, &(struct move){to, from});
}

static void cpu_zero(struct backend *be, void *p, size_t bytes)
{
	move(be, p, NULL, bytes);
}

static void cpu_copy(struct backend *be, void *to, const void *from, size_t bytes)
{
	if (bytes && to != from)
		move(be, to, from, bytes);
}

static void cpu_download(struct backend *be, void *host, const void *from, size_t bytes)
{
	cpu_copy(be, host, from, bytes);
}

static void cpu_destroy(struct backend *be)
{
	struct cpu *c = cpu_of(be);
	int i;

	for (i = 0; i < c->threads; i++)
		free(c->worker[i].p);
	free(c->worker);
	free(c->shared.p);
	free(c->shared2.p);
	free(c->rounded.p);
	free(c->reserved);
	pool_free(c->pool);
	free(c);
}

struct backend *backend_cpu_new_isa(int threads, const char *isa)
{
	const struct kernels *kern = NULL;
	struct cpu *c;
	int i;

	for (i = 0; i < N_KERNELS; i++)
		if (!strcmp(all_kernels[i]->name, isa) && runs_here(isa))
			kern = all_kernels[i];
	if (!kern)
		return NULL;
	c = xcalloc(1, sizeof *c);
	c->kern = kern;
	c->pool = pool_new(threads);
	c->threads = pool_threads(c->pool);
	c->worker = xcalloc((size_t)c->threads, sizeof *c->worker);
	c->be = (struct backend){
		.name = "cpu", .state = c,
		.alloc = cpu_alloc, .free = cpu_free, .zero = cpu_zero, .copy = cpu_copy, .upload = cpu_copy, .download = cpu_download,
		.destroy = cpu_destroy,
		.gemm = cpu_gemm,
		.attention = cpu_attention, .attention_back = cpu_attention_back, .latent = cpu_latent, .latent_back = cpu_latent_back,
		.logits_at_once = CPU_LOGITS, .logprob = cpu_logprob, .logprob_back = cpu_logprob_back, .sample = cpu_sample,
	};
	cpu_rows_ops(&c->be);
	cpu_route_ops(&c->be);
	cpu_weight_ops(&c->be);
	snprintf(c->be.what, sizeof c->be.what, "cpu: %s kernels, %d thread%s", isa, c->threads, c->threads == 1 ? "" : "s");
	return &c->be;
}

struct backend *backend_cpu_new(int threads)
{
	int i;

	for (i = 0; i < N_KERNELS; i++)
		if (runs_here(all_kernels[i]->name))
			return backend_cpu_new_isa(threads, all_kernels[i]->name);
	return NULL;
}
