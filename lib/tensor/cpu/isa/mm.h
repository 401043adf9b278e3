/* mm.h - the heart of every matrix product: acc[R][P panels] += a[R][k] b[k][P panels], for constant R and P
 *
 * R and P must be constants after inlining, so that acc lives in registers.
 */
#ifndef TENSOR_CPU_MM_H
#define TENSOR_CPU_MM_H

#include "../kernels.h"
#include "vec.h"

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

/* One step; panel j is at b[j] + at */
INLINE void mm_step(const int R, const int P, mm_acc acc, const float *a, int64_t row, const float *const *b, int64_t at)
{
	vf bv[MM_PANELS * LANE_REGS];

	UNROLL for (int j = 0; j < P * LANE_REGS; j++)
		bv[j] = vf_load(b[j / LANE_REGS] + at + j % LANE_REGS * VL);
	UNROLL for (int i = 0; i < R; i++) {
		vf av = vf_set(a[i * row]);

		UNROLL for (int j = 0; j < P * LANE_REGS; j++)
			acc[i][j] = vf_fma(av, bv[j], acc[i][j]);
	}
}

/* k steps; a: element (i, k) at a[i * row + k * col]; b: row k of panel j at b[j] + k * ldb */
INLINE void mm_steps(const int R, const int P, mm_acc acc, int64_t k, const float *a, int64_t row, int64_t col, const float *const *b, int64_t ldb)
{
	enum { STEPS = 4 };
	int64_t at = 0;

	if (R * P * LANE_REGS < 6)     /* little to do in a step: several at once */
		for (; k >= STEPS; k -= STEPS) {
			UNROLL for (int s = 0; s < STEPS; s++) {
				mm_step(R, P, acc, a + s * col, row, b, at);
				at += ldb;
			}
			a += STEPS * col;
		}
	for (; k > 0; k--) {
		mm_step(R, P, acc, a, row, b, at);
		a += col;
		at += ldb;
	}
}

#endif
