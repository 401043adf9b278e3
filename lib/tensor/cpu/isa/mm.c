/* mm.c - blocks of matrix products, one function for each number of rows and panels */
#include "mm.h"
#include "isa.h"

INLINE void mm_block(const int R, const int P, const int trans, const struct mm *m)
{
	const void *b[MM_PANELS];
	mm_acc acc;

	mm_begin(R, P, acc, m);
	UNROLL for (int j = 0; j < P; j++)
		b[j] = m->b + j * m->panel;
	mm_steps(R, P, 0, acc, m->k, m->a, trans ? 1 : m->lda, trans ? m->lda : 1, b, m->ldb);
	mm_end(R, P, acc, m);
}

#define MM(P, R) static void mm_##P##_##R(const struct mm *m) { mm_block(R, P, 0, m); }
#define MM_TRANS(P, R) static void mm_trans_##P##_##R(const struct mm *m) { mm_block(R, P, 1, m); }
MM_NARROW(MM)
MM_WIDE(MM)
MM_NARROW(MM_TRANS)

#define MM_ENTRY(P, R) [P][R] = mm_##P##_##R,
#define MM_TRANS_ENTRY(P, R) [P][R] = mm_trans_##P##_##R,
mm_fn *const ISA_FN(mm)[MM_PANELS + 1][MM_ROWS + 1] = {MM_NARROW(MM_ENTRY) MM_WIDE(MM_ENTRY)};
mm_fn *const ISA_FN(mm_trans)[MM_PANELS + 1][MM_ROWS + 1] = {MM_NARROW(MM_TRANS_ENTRY)};
const int64_t ISA_FN(mm_rows)[MM_PANELS + 1] = {0, ROWS_1, ROWS_2, 0, ROWS_4};
