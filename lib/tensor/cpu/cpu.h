/* cpu.h - the CPU backend, inside: its state, and the parts that work is split by */
#ifndef TENSOR_CPU_CPU_H
#define TENSOR_CPU_CPU_H

#include "base/mem.h"
#include "base/pool.h"
#include "tensor/cpu/kernels.h"

/* Memory that a thread (or all) works in, kept from call to call */
struct scratch {
	float *p;
	int64_t floats;
};

struct cpu {
	struct backend be;              /* be.state points here */
	const struct kernels *kern;
	struct pool *pool;
	int threads;
	struct scratch *worker;         /* one for each thread of the pool */
	struct scratch shared, shared2; /* filled by all, or before the threads start */
	mm_fn *const (*pairs)[MM_ROWS + 1];     /* of cpu-bf16: mm_pairs or mm_dot; else NULL */
	struct scratch rounded;         /* its A */
	struct reserved {
		void *p;
		size_t n;
	} *reserved;                    /* what cpu_alloc has reserved */
	size_t reserved_n, reserved_cap;
};

static inline int64_t div_up(int64_t a, int64_t b)
{
	return (a + b - 1) / b;
}

static inline int64_t even(int64_t k)
{
	return k + k % 2;
}

static inline struct cpu *cpu_of(struct backend *be)
{
	return be->state;
}

float *cpu_scratch(struct scratch *s, int64_t floats);  /* at least so many, not kept, SLACK bytes behind */

/* Items at once, so that a piece of work is worth handing to another thread: `cost` is about the nanoseconds of one item. */
int64_t cpu_grain(double cost);

void cpu_gemm(struct backend *, const struct gemm *);
/* op(A) of g in bfloat16: [batch][m][ld], 0 behind k; kept until the next */
const uint16_t *cpu_round(struct cpu *, const struct gemm *g, int64_t ld);
/* From begin to end, numbers too small to be normal are 0 for the calling thread, as operands and as results (on x86-64 and aarch64; elsewhere
 * vf_flush does it, in isa/pairs.c) */
uint64_t cpu_flush_begin(void);
void cpu_flush_end(uint64_t before);
void cpu_weight_ops(struct backend *be);        /* sets the entries that weight.c implements */
/* Columns col .. col+cols-1 (a panel's at most), rows k .. k+depth-1 of the packed B of g, which is no panels of float32: to[depth][PANEL] */
void cpu_widen(struct cpu *, float *to, const struct gemm *g, int64_t col, int64_t cols, int64_t k, int64_t depth);
/* The same in bfloat16, for mm_pairs; B is of dense rows of that type, or not packed, and then of rows of floats; k is even */
void cpu_pairs(struct cpu *, uint16_t *to, const struct gemm *g, int64_t col, int64_t cols, int64_t k, int64_t depth);
void cpu_attention(struct backend *, const struct attention *);
void cpu_attention_back(struct backend *, const struct attention *, const void *dout, void *dqkv);
void cpu_latent(struct backend *, const struct latent *);
void cpu_latent_back(struct backend *, const struct latent *, const float *dout, float *dq, float *dkeys);
void cpu_logprob(struct backend *, const float *logits, const int32_t *target, float inv_temperature, float *logprob, float *entropy,
		 int64_t rows, int64_t vocab);
void cpu_logprob_back(struct backend *, float *logits, const int32_t *target, float inv_temperature, const float *dlogprob,
		      const float *dentropy, int64_t rows, int64_t vocab, bool half);
void cpu_sample(struct backend *, float *logits, int64_t rows, int64_t vocab, const struct sampling *how, int32_t *id, float *logprob);
void cpu_rows_ops(struct backend *);    /* sets the entries that rows.c implements */
void cpu_columns(struct backend *, const struct columns *);
void cpu_route_ops(struct backend *);   /* those that route.c implements */

#endif
