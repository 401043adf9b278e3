/* kernels.h - what one thread computes, in one table for each instruction set
 *
 * The files of isa/ are compiled once for each instruction set and end in the tables kernels_portable, kernels_avx2, kernels_avx512.
 * They know no threads and no memory but what they are given; cpu.c chooses a table, the other files here split the work over the pool.
 * Whatever the table, the results are the same bits (backend.h says in which order things are summed).
 *
 * 64 bytes behind every buffer may be read (their values change nothing): be->alloc and the scratch memory see to that.
 */
#ifndef TENSOR_CPU_KERNELS_H
#define TENSOR_CPU_KERNELS_H

#include "tensor/backend.h"

#define SLACK 64                /* bytes behind buffers */
#define PANEL 16                /* columns of a panel of B: [k][PANEL] */
#define MM_ROWS 14              /* no kernel takes more rows or panels */
#define MM_PANELS 4

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* One block of a matrix product: up to MM_ROWS rows, up to MM_PANELS panels of PANEL columns.
 *     c = start (or 0); for each k: c = fma(a_k, b_k, c); c = c + bias; c = c_before + c if add */
struct mm {
	int64_t k;
	const float *a;         /* element (i, k) at a[i * lda + k], or, in the kernels of mm_trans, at a[k * lda + i] */
	int64_t lda;
	const float *b;         /* element (k, j) at b[j/16 * panel + k * ldb + j%16] */
	int64_t ldb, panel;
	const uint16_t *half;   /* instead of b, in those of mm_half and mm_pairs: element (k, j) at half[j/16 * panel + k/2 * 32 + j%16 * 2 + k%2] */
	const uint16_t *pairs;  /* instead of a, in those of mm_pairs: element (i, k) at pairs[i * lda + k]; where k is odd, 0 behind the last in both */
	float *c;               /* row stride ldc; `cols` columns are written */
	int64_t ldc, cols;
	const float *start;     /* row stride ld_start; NULL is 0 */
	int64_t ld_start;
	const float *bias;
	bool add;
};
typedef void mm_fn(const struct mm *);

/* Some rows of attention: positions first .. first+n-1 of one sequence, all query heads of one key/value head. */
struct attend {
	int64_t first, n, heads, head_dim;      /* heads: query heads that share the key/value head */
	float scale;
	const float *q;                 /* position p, head h at q[(p - first) * q_stride + h * head_dim] */
	int64_t q_stride;
	const void *const *k;           /* k[page]: [D][KV_PAGE] */
	const void *const *v;           /* v[page]: KV_PAGE rows, v_stride numbers apart */
	bool half_keys;                 /* of bfloat16, both */
	int64_t v_stride;
	float *out;                     /* as q, with out_stride */
	int64_t out_stride;
	float *lse;                     /* position p, head h at lse[(p - first) * lse_stride + h], or NULL */
	int64_t lse_stride;
	float *scratch;                 /* attend_scratch() floats */
};

/* The way back for one key/value head of one sequence of n positions. */
struct attend_back {
	int64_t n, heads, head_dim;
	float scale;
	const float *q, *k, *v;         /* position 0; row stride `stride`; query heads side by side */
	int64_t stride;
	bool half_keys;                 /* k and v are meant rounded to bfloat16 */
	const float *out, *dout;        /* the first query head; row stride out_stride */
	int64_t out_stride;
	const float *lse;               /* [n], lse_stride apart; query heads side by side */
	int64_t lse_stride;
	float *dq, *dk, *dv;            /* as q, k, v; overwritten */
	float *scratch;                 /* attend_back_scratch() floats */
};

/* Some rows of latent attention: `heads` heads of positions first .. first+n-1 of one sequence */
struct attend_latent {
	int64_t first, n, heads, key_dim, value_dim;
	float scale;
	const float *q;                 /* position p, head h at q[(p - first) * q_stride + h * key_dim] */
	int64_t q_stride;
	const void *const *page;        /* page[i]: KV_PAGE rows of keys, `stride` apart */
	int64_t stride;
	float *out;                     /* as q, with value_dim and out_stride */
	int64_t out_stride;
	float *lse;                     /* position p, head h at lse[(p - first) * lse_stride + h], or NULL */
	int64_t lse_stride;
	float *scratch;                 /* attend_latent_scratch() floats */
};

struct kernels {
	const char *name;
	const int64_t *mm_rows;                                 /* [panels]: the most rows; 0: not so many panels */
	mm_fn *const (*mm)[MM_ROWS + 1], *const (*mm_trans)[MM_ROWS + 1];       /* [panels][rows]; mm_trans: up to 2 panels */
	mm_fn *const (*mm_half)[MM_ROWS + 1];                   /* these do not look at start */
	/* For each pair: c = fma(a_k+1, b_k+1, c), then c = fma(a_k, b_k, c), in all of cpu_flush_begin's state. mm_dot is the same by VDPBF16PS
	 * (for processors with AVX512-BF16); NULL in the tables of other instruction sets. */
	mm_fn *const (*mm_pairs)[MM_ROWS + 1], *const (*mm_dot)[MM_ROWS + 1];
	/* to[k][PANEL] = from[row][k] for rows 0 .. n-1 (n <= PANEL), 0 in the columns behind */
	void (*transpose)(float *to, const float *from, int64_t ld, int64_t n, int64_t k);
	/* The n columns of from[depth][ld] in even blocks (MM_ROWS columns at most), block i from column i * n / blocks on:
	 * each [depth][columns of the block], one behind the other */
	void (*column_blocks)(float *to, const float *from, int64_t ld, int64_t n, int64_t blocks, int64_t depth);

	/* bfloat16 to float32 and, rounded to nearest with ties to even, back */
	void (*widen)(float *to, const uint16_t *from, int64_t n);
	void (*narrow)(uint16_t *to, const float *from, int64_t n);
	/* to[k][PANEL], from a panel of mm_half's layout (k is even at its beginning), or as transpose does */
	void (*widen_panel)(float *to, const uint16_t *panel, int64_t k);
	/* A panel of mm_half's layout from k rows of `cols` numbers, `ld` apart; 0 in the columns behind */
	void (*narrow_panel)(uint16_t *panel, const float *from, int64_t ld, int64_t cols, int64_t k);
	void (*widen_transpose)(float *to, const uint16_t *from, int64_t ld, int64_t n, int64_t k);

	int64_t (*attend_scratch)(const struct attend *);
	void (*attend)(const struct attend *);
	int64_t (*attend_back_scratch)(int64_t n, int64_t heads, int64_t head_dim);
	void (*attend_back)(const struct attend_back *);
	int64_t (*attend_latent_scratch)(const struct attend_latent *);
	void (*attend_latent)(const struct attend_latent *);
	/* Row i, of n keys of which it sees `seen`: scores in p (without scale) become p and, with d = dout.v in ds, ds = scale p (d - delta),
	 * where delta = dout.out over `dim`; 0 behind those seen. */
	void (*attend_latent_back)(float *p, float *ds, int64_t seen, int64_t n, float scale, float lse, const float *out, const float *dout,
				   int64_t dim);

	void (*rmsnorm)(float *out, float *rstd, const float *x, const float *w, float eps, int64_t rows, int64_t cols);
	/* dw[cols] is overwritten by what these rows give */
	void (*rmsnorm_back)(float *dx, float *dw, const float *dout, const float *x, const float *w, const float *rstd, int64_t rows,
			     int64_t cols, bool accumulate);
	void (*rope)(const struct rope *);
	void (*swiglu)(float *out, const float *gate_up, int64_t rows, int64_t cols);
	void (*swiglu_back)(float *dgate_up, const float *dout, const float *gate_up, int64_t rows, int64_t cols);
	void (*sigmoid)(float *out, const float *x, int64_t n);
	void (*combine)(float *out, const float *x, const int32_t *place, const float *weight, int64_t rows, int64_t top, int64_t cols,
			bool accumulate);
	void (*weigh_back)(float *dweight, float *d, float *x, const float *weight, int64_t rows, int64_t cols);
	void (*add)(float *out, const float *a, const float *b, int64_t n);
	void (*scale)(float *x, float by, int64_t n);
	void (*column_sums)(float *sum, const float *x, int64_t rows, int64_t cols);    /* overwrites sum[cols] */
	void (*add_rows)(float *to, int64_t ld_to, const float *x, int64_t ld, const int32_t *id, int64_t rows, int64_t cols);
	void (*adamw)(float *w, float *m, float *v, const float *g, int64_t n, const struct adamw *, float unbias1, float unbias2);
	double (*sum_squares)(const float *x, int64_t n);
	void (*adamw_mixed)(const struct mixed *, int64_t n, const struct adamw *, float unbias1, float unbias2);
	void (*split)(uint16_t *half, uint16_t *low, const float *x, int64_t n);
	void (*round_half)(float *to, const float *from, int64_t n);

	/* One row of x = logits * by:  max;  *sum = sum of exp(x - max);  *dot = sum of exp(x - max) * (x - max), if asked. */
	void (*softmax_sums)(const float *logits, float by, int64_t n, float *max, float *sum, float *dot);
	/* The gradient of struct backend's logprob_back, in place, from the sums. */
	void (*softmax_back)(float *logits, float by, int64_t n, int64_t target, float max, float sum, float dot, float dlogprob, float dentropy);
	/* weight[n] becomes exp(x - max), its sums over blocks of DRAW_BLOCK go to `block`; max and sum as softmax_sums. */
	void (*softmax_weights)(float *weight, const float *logits, float by, int64_t n, float *max, float *sum, double *block);
	int64_t (*argmax)(const float *x, int64_t n);           /* the lowest index of the largest */
};
#define DRAW_BLOCK 1024

double cpu_log(double x);       /* natural logarithm of a positive normal number, the same bits everywhere */

extern const struct kernels kernels_portable;
#if defined __x86_64__
extern const struct kernels kernels_avx2, kernels_avx512;
#endif

#endif
