/* gemm.cuh - a product as the kernels take it, and the one for few rows, with what may be around it */
#ifndef TENSOR_CUDA_GEMM_CUH
#define TENSOR_CUDA_GEMM_CUH

#include "attention.cuh"

struct product {                        /* struct gemm of backend.h */
	int64_t m, n, k, lda, ldb, ldc, batch, step_a, step_b, step_c;
	const void *a, *b, *plus;       /* plus: what is added, as C lies and of its numbers; may be C; NULL: nothing */
	void *c;
	const float *bias;
	int32_t trans_a, trans_b, a_half, b_half, c_half, unused;
};

/* From C's first byte to its last */
static inline int64_t product_bytes(const struct product *g)
{
	return ((g->m - 1) * g->ldc + (g->batch - 1) * g->step_c + g->n) * (g->c_half ? 2 : 4);
}
/* Whether n bytes at p and m at q have none in common */
static inline bool apart(const void *p, int64_t n, const void *q, int64_t m)
{
	return (const char *)p + n <= (const char *)q || (const char *)q + m <= (const char *)p;
}

struct normed {                         /* struct norm of backend.h, there */
	void *out;
	float *rstd;
	const float *x, *w;
	int64_t rows, cols;
	float eps;
	int32_t half;
};
enum { NORM_SHORT = 1024, NORM_THREADS = 256 };         /* a row is a warp's, or a block's of so many threads */

struct few {
	struct product g;
	struct normed n;                /* that makes A; n.x NULL: A is there */
	void *gated;                    /* [m, n/2]: silu(C's left half) * its right half; NULL: nobody asks */
	struct turn turn;               /* of C's rows, before they are written; cos_sin NULL: none */
	int32_t weight, staged;         /* B is a packed weight; A (of bfloat16) goes through shared memory */
};

/* At most FEW rows by a weight or matrix that is stored [n,k], limited by the reading of B. False: not so. */
#define FEW 8
bool cuda_gemm_few(struct cuda *c, const struct product *g, bool weight);
/* The gate of what the last product made, if that can be done with it: else false. */
bool cuda_gate_few(struct cuda *c, void *out, const void *gate_up, int64_t rows, int64_t cols);
/* The same of rotary positions, and then of the pages that what was turned goes to. */
bool cuda_turn_few(struct cuda *c, const struct rope *r);
bool cuda_pages_few(struct cuda *c, const struct write_pages *w, const struct attention *a);

#endif
