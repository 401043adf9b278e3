/* half.c - weights of bfloat16: products that widen them on the way, and conversions */
#include "mm.h"
#include "half.h"
#include "isa.h"

INLINE float half_float(uint16_t h)
{
	uint32_t u = (uint32_t)h << 16;
	float f;

	memcpy(&f, &u, sizeof f);
	return f;
}

/* ---- products ---- */

/* Row k (second: k + 1) of the panels, `at` numbers behind their beginnings */
INLINE void half_step(const int R, const int P, const int second, mm_acc acc, const float *a, int64_t lda, const uint16_t *const *b, int64_t at)
{
	vf bv[MM_PANELS * LANE_REGS];

	UNROLL for (int j = 0; j < P * LANE_REGS; j++) {
		const uint16_t *p = b[j / LANE_REGS] + at + j % LANE_REGS * 2 * VL;

		bv[j] = second ? half_second(p) : half_first(p);
	}
	UNROLL for (int i = 0; i < R; i++) {
		vf av = vf_set(a[i * lda]);

		UNROLL for (int j = 0; j < P * LANE_REGS; j++)
			acc[i][j] = vf_fma(av, bv[j], acc[i][j]);
	}
}

INLINE void half_block(const int R, const int P, const struct mm *m)
{
	const uint16_t *b[MM_PANELS];
	const float *a = m->a;
	int64_t k = m->k, at = 0;
	mm_acc acc;

	UNROLL for (int j = 0; j < P; j++)
		b[j] = m->half + j * m->panel;
	mm_zero(R, P, acc);
	for (; k >= 2; k -= 2, a += 2, at += 2 * PANEL) {
		half_step(R, P, 0, acc, a, m->lda, b, at);
		half_step(R, P, 1, acc, a + 1, m->lda, b, at);
	}
	if (k)
		half_step(R, P, 0, acc, a, m->lda, b, at);
	mm_end(R, P, acc, m);
}

#define HALF(P, R) static void half_##P##_##R(const struct mm *m) { half_block(R, P, m); }
MM_NARROW(HALF)
MM_WIDE(HALF)

#define HALF_ENTRY(P, R) [P][R] = half_##P##_##R,
mm_fn *const ISA_FN(mm_half)[MM_PANELS + 1][MM_ROWS + 1] = {MM_NARROW(HALF_ENTRY) MM_WIDE(HALF_ENTRY)};

/* ---- conversions ---- */

void ISA_FN(widen)(float *to, const uint16_t *from, int64_t n)
{
	for (; n >= VL; n -= VL, to += VL, from += VL)
		vf_store(to, half_row(from));
	for (; n > 0; n--)
		*to++ = half_float(*from++);
}

/* A NaN stays one, whatever bits are cut off. */
INLINE uint32_t half_of(const float *x)
{
	uint32_t u;

	memcpy(&u, x, sizeof u);
	return (u & 0x7fffffff) > 0x7f800000 ? u >> 16 | 0x40 : (u + 0x7fff + (u >> 16 & 1)) >> 16;
}

void ISA_FN(narrow)(uint16_t *to, const float *from, int64_t n)
{
	int64_t i;

	for (i = 0; i < n; i++)
		to[i] = (uint16_t)half_of(from + i);
}

void ISA_FN(narrow_panel)(uint16_t *panel, const float *from, int64_t ld, int64_t cols, int64_t k)
{
	static const float none[PANEL];
	float edge[2][PANEL] = {0};
	uint32_t word[PANEL];

	for (; k > 0; k -= 2, from += 2 * ld, panel += 2 * PANEL) {
		const float *first = from, *second = k > 1 ? from + ld : none;

		if (cols < PANEL) {
			memcpy(edge[0], first, (size_t)cols * sizeof *first);
			memcpy(edge[1], second, (size_t)cols * sizeof *second);
			first = edge[0];
			second = edge[1];
		}
		for (int j = 0; j < PANEL; j++)
			word[j] = half_of(first + j) | half_of(second + j) << 16;
		memcpy(panel, word, sizeof word);
	}
}

void ISA_FN(widen_panel)(float *to, const uint16_t *panel, int64_t k)
{
	for (; k >= 2; k -= 2, to += 2 * PANEL, panel += 2 * PANEL)
		UNROLL for (int j = 0; j < LANE_REGS; j++) {
			vf_store(to + j * VL, half_first(panel + j * 2 * VL));
			vf_store(to + PANEL + j * VL, half_second(panel + j * 2 * VL));
		}
	if (k)
		UNROLL for (int j = 0; j < LANE_REGS; j++)
			vf_store(to + j * VL, half_first(panel + j * 2 * VL));
}

void ISA_FN(widen_transpose)(float *to, const uint16_t *from, int64_t ld, int64_t n, int64_t k)
{
	enum { WIDTH = 64 };
	float rows[PANEL * WIDTH];
	int64_t at, i;

	for (at = 0; at < k; at += WIDTH) {
		const int64_t some = k - at < WIDTH ? k - at : WIDTH;

		for (i = 0; i < n; i++)
			ISA_FN(widen)(rows + i * WIDTH, from + i * ld + at, some);
		ISA_FN(transpose)(to + at * PANEL, rows, WIDTH, n, some);
	}
}
