/* bf16.c - the backend cpu-bf16: as cpu, but where a weight is of bfloat16, what it is multiplied by is rounded to bfloat16, too, and so are both
 * factors of its gradient, and keys and values (attention.c)
 *
 * Products are as VDPBF16PS has them (isa/pairs.c). Processors with AVX512-BF16 have the instruction, and multiply at about twice the rate of
 * float32; others come to the same bits with fused multiply-adds, at the rate of float32.
 */
#include "tensor/cpu/cpu.h"

#include <stdio.h>
#include <string.h>
#if defined __x86_64__
#include <xmmintrin.h>
#define FLUSH 0x8040            /* of MXCSR: flush to zero, denormals are zeros */
#elif defined __aarch64__
#define FLUSH (1 << 24)         /* of FPCR: FZ, both */
#endif

#define COLUMNS 64

static int64_t columns_of(const struct gemm *g)
{
	return div_up(g->m, COLUMNS);
}

struct rounding {
	const struct kernels *kern;
	const struct gemm *g;
	uint16_t *to;
	int64_t ld;
};

static void round_rows(void *arg, int64_t from, int64_t to, int worker)
{
	const struct rounding *r = arg;
	const struct gemm *g = r->g;

	(void)worker;
	for (; from < to; from++) {
		uint16_t *row = r->to + from * r->ld;

		row[r->ld - 1] = 0;
		r->kern->narrow(row, (const float *)g->a + from / g->m * g->step_a + from % g->m * g->lda, g->k);
	}
}

/* Items are COLUMNS columns of A, which are rows of what is multiplied: PANEL numbers of each at once. */
static void round_columns(void *arg, int64_t from, int64_t to, int worker)
{
	const struct rounding *r = arg;
	const struct gemm *g = r->g;
	const int64_t each = columns_of(g);
	float turned[COLUMNS * PANEL];
	uint16_t half[COLUMNS * PANEL];

	(void)worker;
	for (; from < to; from++) {
		const int64_t b = from / each, col = from % each * COLUMNS, cols = MIN(COLUMNS, g->m - col);
		const float *a = (const float *)g->a + b * g->step_a + col;
		uint16_t *rows = r->to + (b * g->m + col) * r->ld;

		for (int64_t k = 0; k < g->k; k += PANEL) {
			const int64_t some = MIN(PANEL, r->ld - k);

			r->kern->transpose(turned, a + k * g->lda, g->lda, MIN(PANEL, g->k - k), cols);
			r->kern->narrow(half, turned, cols * PANEL);
			for (int64_t i = 0; i < cols; i++)
				memcpy(rows + i * r->ld + k, half + i * PANEL, (size_t)some * sizeof *half);
		}
	}
}

const uint16_t *cpu_round(struct cpu *c, const struct gemm *g, int64_t ld)
{
	const int64_t rows = g->batch * g->m;
	struct rounding r = {c->kern, g, (uint16_t *)cpu_scratch(&c->rounded, (rows * ld + 1) / 2), ld};

	if (g->trans_a)
		pool_run(c->pool, g->batch * columns_of(g), cpu_grain((double)(g->k * COLUMNS) / 2), round_columns, &r);
	else
		pool_run(c->pool, rows, cpu_grain((double)g->k / 4), round_rows, &r);
	return r.to;
}

uint64_t cpu_flush_begin(void)
{
#if defined __x86_64__
	const unsigned before = _mm_getcsr();

	_mm_setcsr(before | FLUSH);
	return before;
#elif defined __aarch64__
	uint64_t before;

	__asm__ volatile("mrs %0, fpcr" : "=r"(before));
	__asm__ volatile("msr fpcr, %0" : : "r"(before | FLUSH) : "memory");
	return before;
#else
	return 0;
#endif
}

void cpu_flush_end(uint64_t before)
{
#if defined __x86_64__
	_mm_setcsr((unsigned)before);
#elif defined __aarch64__
	__asm__ volatile("msr fpcr, %0" : : "r"(before) : "memory");
#else
	(void)before;
#endif
}

static bool has_instruction(void)
{
#if defined __x86_64__
	return __builtin_cpu_supports("avx512bf16");
#else
	return false;
#endif
}

static struct backend *begin(struct backend *be, bool by_instruction)
{
	struct cpu *c = cpu_of(be);

	c->pairs = by_instruction ? c->kern->mm_dot : c->kern->mm_pairs;
	be->name = "cpu-bf16";
	be->rounds = be->half_keys = true;
	snprintf(be->what, sizeof be->what, "cpu-bf16: %s kernels, %s, %d thread%s", c->kern->name,
		 by_instruction ? "bfloat16 by AVX512-BF16" : "bfloat16 by fused multiply-adds", c->threads, c->threads == 1 ? "" : "s");
	return be;
}

struct backend *backend_bf16_new(int threads)
{
	struct backend *be = backend_cpu_new(threads);

	return begin(be, cpu_of(be)->kern->mm_dot && has_instruction());
}

struct backend *backend_bf16_new_isa(int threads, const char *isa)
{
	const bool by_instruction = !strcmp(isa, "avx512bf16");
	struct backend *be = by_instruction && !has_instruction() ? NULL : backend_cpu_new_isa(threads, by_instruction ? "avx512" : isa);

	return be ? begin(be, by_instruction) : NULL;
}
