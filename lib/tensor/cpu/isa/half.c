/* half.c - weights of bfloat16: products that widen them on the way, and conversions
 *
 * A bfloat16 is the upper half of a float32. A panel holds, for each pair of k's, 16 words of 32 bits, one for a column: the first k's number
 * in the lower half, the second's in the upper. So one load gives two rows of 8 (AVX2) or 16 columns, by a shift and by a mask.
 */
#include "mm.h"
#include "isa.h"

#if defined ISA_avx512
/* VL words of a panel, as the floats of their lower and of their upper halves; VL numbers in a row */
INLINE vf half_first(const uint16_t *p) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(p), 16)); }
INLINE vf half_second(const uint16_t *p)
{
	return _mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(p), _mm512_set1_epi32((int)0xffff0000)));
}
INLINE vf half_row(const uint16_t *p)
{
	return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)), 16));
}
#elif defined ISA_avx2
INLINE vf half_first(const uint16_t *p) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_loadu_si256((const __m256i *)p), 16)); }
INLINE vf half_second(const uint16_t *p)
{
	return _mm256_castsi256_ps(_mm256_and_si256(_mm256_loadu_si256((const __m256i *)p), _mm256_set1_epi32((int)0xffff0000)));
}
INLINE vf half_row(const uint16_t *p)
{
	return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), 16));
}
#else
typedef uint32_t half_words __attribute__((vector_size(16)));
INLINE half_words half_load(const uint16_t *p) { half_words w; memcpy(&w, p, sizeof w); return w; }
INLINE vf half_first(const uint16_t *p) { return (vf)(half_load(p) << 16); }
INLINE vf half_second(const uint16_t *p) { return (vf)(half_load(p) & 0xffff0000); }
INLINE vf half_row(const uint16_t *p) { return (vf)((half_words){p[0], p[1], p[2], p[3]} << 16); }
#endif

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
	const int width = P * PANEL, full = m->cols == width;
	const uint16_t *b[MM_PANELS];
	const float *a = m->a;
	float edge[MM_ROWS * MM_PANELS * PANEL], *c = m->c;
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
	UNROLL for (int i = 0; i < R; i++, c += m->ldc)
		UNROLL for (int j = 0; j < P * LANE_REGS; j++) {
			vf x = acc[i][j];

			if (m->bias)
				x = vf_add(x, vf_load(m->bias + j * VL));
			if (full)
				vf_store(c + j * VL, m->add ? vf_add(vf_load(c + j * VL), x) : x);
			else
				vf_store(edge + i * width + j * VL, x);
		}
	for (int i = 0; !full && i < R; i++)
		for (int64_t j = 0; j < m->cols; j++)
			m->c[i * m->ldc + j] = m->add ? m->c[i * m->ldc + j] + edge[i * width + j] : edge[i * width + j];
}

#define HALF(P, R) static void half_##P##_##R(const struct mm *m) { half_block(R, P, m); }
#define HALF_1TO6(F, P) F(P, 1) F(P, 2) F(P, 3) F(P, 4) F(P, 5) F(P, 6)
#if defined ISA_avx512
#define HALF_7TO14(F, P) F(P, 7) F(P, 8) F(P, 9) F(P, 10) F(P, 11) F(P, 12) F(P, 13) F(P, 14)
#define HALF_ALL(F) HALF_1TO6(F, 1) HALF_7TO14(F, 1) HALF_1TO6(F, 2) HALF_7TO14(F, 2) HALF_1TO6(F, 4)
#elif defined ISA_avx2
#define HALF_ALL(F) HALF_1TO6(F, 1) F(2, 1) F(2, 2) F(2, 3) F(4, 1)
#else
#define HALF_ALL(F) HALF_1TO6(F, 1) F(2, 1) F(2, 2) F(4, 1)
#endif
HALF_ALL(HALF)

#define HALF_ENTRY(P, R) [P][R] = half_##P##_##R,
mm_fn *const ISA_FN(mm_half)[MM_PANELS + 1][MM_ROWS + 1] = {HALF_ALL(HALF_ENTRY)};

/* ---- conversions ---- */

void ISA_FN(widen)(float *to, const uint16_t *from, int64_t n)
{
	for (; n >= VL; n -= VL, to += VL, from += VL)
		vf_store(to, half_row(from));
	for (; n > 0; n--)
		*to++ = half_float(*from++);
}

/* A NaN stays one, whatever bits are cut off. */
void ISA_FN(narrow)(uint16_t *to, const float *from, int64_t n)
{
	int64_t i;

	for (i = 0; i < n; i++) {
		uint32_t u, rounded;

		memcpy(&u, from + i, sizeof u);
		rounded = (u + 0x7fff + (u >> 16 & 1)) >> 16;
		to[i] = (uint16_t)((u & 0x7fffffff) > 0x7f800000 ? u >> 16 | 0x40 : rounded);
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
