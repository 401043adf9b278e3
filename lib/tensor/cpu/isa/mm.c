/* mm.c - blocks of matrix products, one function for each number of rows and panels */
#include "mm.h"
#include "isa.h"

/* Blocks at the right edge of C go through `edge`, which has all the columns of the panels. */
static void copy_rows(float *to, int64_t ld_to, const float *from, int64_t ld, int rows, int64_t cols)
{
	for (; rows > 0; rows--, to += ld_to, from += ld)
		memcpy(to, from, (size_t)cols * sizeof *to);
}

static void add_edge(const struct mm *m, const float *edge, int64_t ld, int rows)
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

INLINE void mm_block(const int R, const int P, const int trans, const struct mm *m)
{
	const int width = P * PANEL;
	const int full = m->cols == width;
	float edge[MM_ROWS * MM_PANELS * PANEL];
	const float *b[MM_PANELS];
	mm_acc acc;

	if (!m->start) {
		mm_zero(R, P, acc);
	} else if (full) {
		mm_load(R, P, acc, m->start, m->ld_start);
	} else {
		copy_rows(edge, width, m->start, m->ld_start, R, m->cols);
		mm_load(R, P, acc, edge, width);
	}
	UNROLL for (int j = 0; j < P; j++)
		b[j] = m->b + j * m->panel;
	mm_steps(R, P, acc, m->k, m->a, trans ? 1 : m->lda, trans ? m->lda : 1, b, m->ldb);
	if (m->bias)
		UNROLL for (int j = 0; j < P * LANE_REGS; j++) {
			vf bias = vf_load(m->bias + j * VL);

			UNROLL for (int i = 0; i < R; i++)
				acc[i][j] = vf_add(acc[i][j], bias);
		}
	if (full && !m->add) {
		mm_store(R, P, acc, m->c, m->ldc, 0);
	} else if (full) {
		mm_store(R, P, acc, m->c, m->ldc, 1);
	} else {
		mm_store(R, P, acc, edge, width, 0);
		if (m->add)
			add_edge(m, edge, width, R);
		else
			copy_rows(m->c, m->ldc, edge, width, R, m->cols);
	}
}

#define MM(P, R) static void mm_##P##_##R(const struct mm *m) { mm_block(R, P, 0, m); }
#define MM_TRANS(P, R) static void mm_trans_##P##_##R(const struct mm *m) { mm_block(R, P, 1, m); }
#define MM_1TO6(F, P) F(P, 1) F(P, 2) F(P, 3) F(P, 4) F(P, 5) F(P, 6)
#define MM_7TO14(F, P) F(P, 7) F(P, 8) F(P, 9) F(P, 10) F(P, 11) F(P, 12) F(P, 13) F(P, 14)
#if defined ISA_avx512
#define MM_ALL(F) MM_1TO6(F, 1) MM_7TO14(F, 1) MM_1TO6(F, 2) MM_7TO14(F, 2)
#define MM_WIDE(F) MM_1TO6(F, 4)
#elif defined ISA_avx2
#define MM_ALL(F) MM_1TO6(F, 1) F(2, 1) F(2, 2) F(2, 3)
#define MM_WIDE(F) F(4, 1)
#else
#define MM_ALL(F) MM_1TO6(F, 1) F(2, 1) F(2, 2)
#define MM_WIDE(F) F(4, 1)
#endif
MM_ALL(MM)
MM_WIDE(MM)
MM_ALL(MM_TRANS)

#define MM_ENTRY(P, R) [P][R] = mm_##P##_##R,
#define MM_TRANS_ENTRY(P, R) [P][R] = mm_trans_##P##_##R,
mm_fn *const ISA_FN(mm)[MM_PANELS + 1][MM_ROWS + 1] = {MM_ALL(MM_ENTRY) MM_WIDE(MM_ENTRY)};
mm_fn *const ISA_FN(mm_trans)[MM_PANELS + 1][MM_ROWS + 1] = {MM_ALL(MM_TRANS_ENTRY)};
const int64_t ISA_FN(mm_rows)[MM_PANELS + 1] = {0, ROWS_1, ROWS_2, 0, ROWS_4};
