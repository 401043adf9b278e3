/* transpose.c - rows of a weight (or keys) laid side by side: to[k][PANEL] = from[row][k] */
#include "isa.h"
#include "vec.h"

#if defined ISA_avx2 || defined ISA_avx512
/* 8 rows by 8 columns; rows from n on are 0 */
INLINE void transpose_8x8(float *to, const float *from, int64_t ld, int64_t n)
{
	__m256 r[8], s[8];

	UNROLL for (int i = 0; i < 8; i++)
		r[i] = i < n ? _mm256_loadu_ps(from + i * ld) : _mm256_setzero_ps();
	UNROLL for (int i = 0; i < 8; i += 4) {         /* pairs of floats, then of pairs, within each half */
		__m256 a = _mm256_unpacklo_ps(r[i], r[i + 1]), b = _mm256_unpackhi_ps(r[i], r[i + 1]);
		__m256 c = _mm256_unpacklo_ps(r[i + 2], r[i + 3]), d = _mm256_unpackhi_ps(r[i + 2], r[i + 3]);

		s[i] = _mm256_shuffle_ps(a, c, 0x44);
		s[i + 1] = _mm256_shuffle_ps(a, c, 0xee);
		s[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
		s[i + 3] = _mm256_shuffle_ps(b, d, 0xee);
	}
	UNROLL for (int i = 0; i < 4; i++) {
		_mm256_storeu_ps(to + i * PANEL, _mm256_permute2f128_ps(s[i], s[i + 4], 0x20));
		_mm256_storeu_ps(to + (i + 4) * PANEL, _mm256_permute2f128_ps(s[i], s[i + 4], 0x31));
	}
}

static int64_t transpose_blocks(float *to, const float *from, int64_t ld, int64_t n, int64_t k)
{
	int64_t i = 0;

	if (n == PANEL)
		for (; i + 8 <= k; i += 8) {
			transpose_8x8(to + i * PANEL, from + i, ld, 8);
			transpose_8x8(to + i * PANEL + 8, from + 8 * ld + i, ld, 8);
		}
	else
		for (; i + 8 <= k; i += 8) {
			transpose_8x8(to + i * PANEL, from + i, ld, n);
			transpose_8x8(to + i * PANEL + 8, from + 8 * ld + i, ld, n - 8);
		}
	return i;
}
#else
static int64_t transpose_blocks(float *to, const float *from, int64_t ld, int64_t n, int64_t k)
{
	(void)to, (void)from, (void)ld, (void)n, (void)k;
	return 0;
}
#endif

void ISA_FN(transpose)(float *to, const float *from, int64_t ld, int64_t n, int64_t k)
{
	int64_t i = transpose_blocks(to, from, ld, n, k), j;

	for (; i < k; i++) {
		for (j = 0; j < n; j++)
			to[i * PANEL + j] = from[j * ld + i];
		for (; j < PANEL; j++)
			to[i * PANEL + j] = 0;
	}
}
