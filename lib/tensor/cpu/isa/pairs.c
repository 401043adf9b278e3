/* pairs.c - products of numbers of bfloat16: what VDPBF16PS of AVX512-BF16 computes, with it or without
 *
 * As the instruction is defined (Intel's manual, "VDPBF16PS"), a pair's second products are added first, each by a fused multiply-add; its
 * operands and results too small for a normal number are 0, which without it cpu_flush_begin or vf_flush sees to. So all of these give the same bits.
 */
#include "mm.h"
#include "half.h"
#include "isa.h"

/* The pair at a[2 * i] */
INLINE uint32_t pair_at(const uint16_t *a)
{
	uint32_t w;

	memcpy(&w, a, sizeof w);
	return w;
}

INLINE void pairs_half_step(const int R, const int P, const int second, mm_acc acc, const uint16_t *a, int64_t lda, const uint16_t *const *b, int64_t at)
{
	vf bv[MM_PANELS * LANE_REGS];

	UNROLL for (int j = 0; j < P * LANE_REGS; j++) {
		const uint16_t *p = b[j / LANE_REGS] + at + j % LANE_REGS * 2 * VL;

		bv[j] = vf_flush(second ? half_second(p) : half_first(p));
	}
	UNROLL for (int i = 0; i < R; i++) {
		const uint32_t w = pair_at(a + i * lda);
		vf av = vf_flush(second ? half_pair_second(w) : half_pair_first(w));

		UNROLL for (int j = 0; j < P * LANE_REGS; j++)
			acc[i][j] = vf_flush(vf_fma(av, bv[j], acc[i][j]));
	}
}

INLINE void pairs_block(const int R, const int P, const struct mm *m)
{
	const uint16_t *b[MM_PANELS], *a = m->pairs;
	int64_t k = m->k, at = 0;
	mm_acc acc;

	mm_begin(R, P, acc, m);
	UNROLL for (int j = 0; j < P; j++)
		b[j] = m->half + j * m->panel;
	for (; k > 0; k -= 2, a += 2, at += 2 * PANEL) {
		pairs_half_step(R, P, 1, acc, a, m->lda, b, at);
		pairs_half_step(R, P, 0, acc, a, m->lda, b, at);
	}
	mm_end(R, P, acc, m);
}

#define PAIRS(P, R) static void pairs_##P##_##R(const struct mm *m) { pairs_block(R, P, m); }
MM_NARROW(PAIRS)
MM_WIDE(PAIRS)

#define PAIRS_ENTRY(P, R) [P][R] = pairs_##P##_##R,
mm_fn *const ISA_FN(mm_pairs)[MM_PANELS + 1][MM_ROWS + 1] = {MM_NARROW(PAIRS_ENTRY) MM_WIDE(PAIRS_ENTRY)};

#if defined ISA_avx512
/* The same by the instruction itself. Only these functions may contain it: everything else of this table runs where it is missing. */
#define DOT __attribute__((target("avx512bf16")))
#define DOT_INLINE INLINE DOT

DOT_INLINE void dot_step(const int R, const int P, mm_acc acc, const uint16_t *a, int64_t lda, const uint16_t *const *b, int64_t at)
{
	__m512bh bv[MM_PANELS];

	UNROLL for (int j = 0; j < P; j++)
		bv[j] = (__m512bh)_mm512_loadu_si512(b[j] + at);
	UNROLL for (int i = 0; i < R; i++) {
		const __m512bh av = (__m512bh)_mm512_set1_epi32((int)pair_at(a + i * lda));

		UNROLL for (int j = 0; j < P; j++)
			acc[i][j] = _mm512_dpbf16_ps(acc[i][j], av, bv[j]);
	}
}

DOT_INLINE void dot_block(const int R, const int P, const struct mm *m)
{
	const uint16_t *b[MM_PANELS], *a = m->pairs;
	int64_t k = m->k, at = 0;
	mm_acc acc;

	mm_begin(R, P, acc, m);
	UNROLL for (int j = 0; j < P; j++)
		b[j] = m->half + j * m->panel;
	for (; k > 6; k -= 8, a += 8, at += 8 * PANEL)
		UNROLL for (int s = 0; s < 4; s++)
			dot_step(R, P, acc, a + 2 * s, m->lda, b, at + 2 * s * PANEL);
	for (; k > 0; k -= 2, a += 2, at += 2 * PANEL)
		dot_step(R, P, acc, a, m->lda, b, at);
	mm_end(R, P, acc, m);
}

#define DOT_PAIRS(P, R) DOT static void dot_##P##_##R(const struct mm *m) { dot_block(R, P, m); }
MM_NARROW(DOT_PAIRS)
MM_WIDE(DOT_PAIRS)

#define DOT_ENTRY(P, R) [P][R] = dot_##P##_##R,
mm_fn *const ISA_FN(mm_dot)[MM_PANELS + 1][MM_ROWS + 1] = {MM_NARROW(DOT_ENTRY) MM_WIDE(DOT_ENTRY)};
#endif
