/* mm.h - the heart of every matrix product: acc[R][P panels] += a[R][k] b[k][P panels], for constant R and P
 *
 * R and P must be constants after inlining, so that acc lives in registers.
 */
#ifndef TENSOR_CPU_MM_H
#define TENSOR_CPU_MM_H

#include "../kernels.h"
#include "half.h"

/* The most rows of 1, 2, 4 panels whose sums fit into the registers, beside a row of the panels and a broadcast element */
#if defined ISA_avx512
#define ROWS_1 14
#define ROWS_2 14
#define ROWS_4 6
#elif defined ISA_avx2
#define ROWS_1 6
#define ROWS_2 3
#define ROWS_4 1
#else
#define ROWS_1 6
#define ROWS_2 2
#define ROWS_4 1
#endif
/* F(R) for every number of rows */
#if ROWS_1 == 14
#define EACH_R(F) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14)
#else
#define EACH_R(F) F(1) F(2) F(3) F(4) F(5) F(6)
#endif
#define PANELS_FOR(R) ((R) <= ROWS_4 ? 4 : (R) <= ROWS_2 ? 2 : 1)

typedef vf mm_acc[MM_ROWS][MM_PANELS * LANE_REGS];

INLINE void mm_zero(const int R, const int P, mm_acc acc)
{
	UNROLL for (int i = 0; i < R; i++)
		UNROLL for (int j = 0; j < P * LANE_REGS; j++)
			acc[i][j] = vf_zero();
}

/* `at` numbers behind b: floats or, with half, bfloat16; and VL numbers from there on */
INLINE const void *mm_at(const int half, const void *b, int64_t at)
{
	return half ? (const void *)((const uint16_t *)b + at) : (const float *)b + at;
}

INLINE vf mm_row(const int half, const void *b, int64_t at)
{
	return half ? half_row(mm_at(half, b, at)) : vf_load(mm_at(half, b, at));
}

/* One step; panel j is at b[j] + at */
INLINE void mm_step(const int R, const int P, const int half, mm_acc acc, const float *a, int64_t row, const void *const *b, int64_t at)
{
	vf bv[MM_PANELS * LANE_REGS];

	UNROLL for (int j = 0; j < P * LANE_REGS; j++)
		bv[j] = mm_row(half, b[j / LANE_REGS], at + j % LANE_REGS * VL);
	UNROLL for (int i = 0; i < R; i++) {
		vf av = vf_set(a[i * row]);

		UNROLL for (int j = 0; j < P * LANE_REGS; j++)
			acc[i][j] = vf_fma(av, bv[j], acc[i][j]);
	}
}

/* k steps; a: element (i, k) at a[i * row + k * col]; b: row k of panel j at b[j] + k * ldb, of bfloat16 with half */
INLINE void mm_steps(const int R, const int P, const int half, mm_acc acc, int64_t k, const float *a, int64_t row, int64_t col,
		     const void *const *b, int64_t ldb)
{
	enum { STEPS = 4 };
	int64_t at = 0;

	if (R * P * LANE_REGS < 6)     /* little to do in a step: several at once */
		for (; k >= STEPS; k -= STEPS) {
			UNROLL for (int s = 0; s < STEPS; s++) {
				mm_step(R, P, half, acc, a + s * col, row, b, at);
				at += ldb;
			}
			a += STEPS * col;
		}
	for (; k > 0; k--) {
		mm_step(R, P, half, acc, a, row, b, at);
		a += col;
		at += ldb;
	}
}

/* Blocks at the right edge of C go through `edge`, which has all the columns of the panels. */
INLINE void mm_copy_rows(float *to, int64_t ld_to, const float *from, int64_t ld, int rows, int64_t cols)
{
	for (; rows > 0; rows--, to += ld_to, from += ld)
		memcpy(to, from, (size_t)cols * sizeof *to);
}

INLINE void mm_add_edge(const struct mm *m, const float *edge, int64_t ld, int rows)
{
	float *c = m->c;
	int64_t j;

	for (; rows > 0; rows--, c += m->ldc, edge += ld)
		for (j = 0; j < m->cols; j++)
			c[j] = c[j] + edge[j];
}

INLINE void mm_load(const int R, const int P, mm_acc acc, const float *c, int64_t ldc)
{
	UNROLL for (int i = 0; i < R; i++)
		UNROLL for (int j = 0; j < P * LANE_REGS; j++)
			acc[i][j] = vf_load(c + i * ldc + j * VL);
}

INLINE void mm_store(const int R, const int P, mm_acc acc, float *c, int64_t ldc, int add)
{
	UNROLL for (int i = 0; i < R; i++)
		UNROLL for (int j = 0; j < P * LANE_REGS; j++) {
			float *p = c + i * ldc + j * VL;

			vf_store(p, add ? vf_add(vf_load(p), acc[i][j]) : acc[i][j]);
		}
}

/* acc = what the sums start with */
INLINE void mm_begin(const int R, const int P, mm_acc acc, const struct mm *m)
{
	const int width = P * PANEL;
	float edge[MM_ROWS * MM_PANELS * PANEL];

	if (!m->start) {
		mm_zero(R, P, acc);
	} else if (m->cols == width) {
		mm_load(R, P, acc, m->start, m->ld_start);
	} else {
		mm_copy_rows(edge, width, m->start, m->ld_start, R, m->cols);
		mm_load(R, P, acc, edge, width);
	}
}

/* The bias; then where the sums belong */
INLINE void mm_end(const int R, const int P, mm_acc acc, const struct mm *m)
{
	const int width = P * PANEL;
	float edge[MM_ROWS * MM_PANELS * PANEL];

	if (m->bias)
		UNROLL for (int j = 0; j < P * LANE_REGS; j++) {
			vf bias = vf_load(m->bias + j * VL);

			UNROLL for (int i = 0; i < R; i++)
				acc[i][j] = vf_add(acc[i][j], bias);
		}
	if (m->cols == width && !m->add) {
		mm_store(R, P, acc, m->c, m->ldc, 0);
	} else if (m->cols == width) {
		mm_store(R, P, acc, m->c, m->ldc, 1);
	} else {
		mm_store(R, P, acc, edge, width, 0);
		if (m->add)
			mm_add_edge(m, edge, width, R);
		else
			mm_copy_rows(m->c, m->ldc, edge, width, R, m->cols);
	}
}

/* F(P, R) for every block of a product by one function */
#define MM_1TO6(F, P) F(P, 1) F(P, 2) F(P, 3) F(P, 4) F(P, 5) F(P, 6)
#define MM_7TO14(F, P) F(P, 7) F(P, 8) F(P, 9) F(P, 10) F(P, 11) F(P, 12) F(P, 13) F(P, 14)
#if defined ISA_avx512
#define MM_NARROW(F) MM_1TO6(F, 1) MM_7TO14(F, 1) MM_1TO6(F, 2) MM_7TO14(F, 2)
#define MM_WIDE(F) MM_1TO6(F, 4)
#elif defined ISA_avx2
#define MM_NARROW(F) MM_1TO6(F, 1) F(2, 1) F(2, 2) F(2, 3)
#define MM_WIDE(F) F(4, 1)
#else
#define MM_NARROW(F) MM_1TO6(F, 1) F(2, 1) F(2, 2)
#define MM_WIDE(F) F(4, 1)
#endif

#endif
