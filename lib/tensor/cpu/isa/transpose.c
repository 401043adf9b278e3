/* transpose.c - operands laid out for the products: rows side by side, or columns in blocks */
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

/* to[k][PANEL] = from[row][k] */
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

/* Blocks of columns, block i from column i * n / blocks on: each [depth][columns of the block], one behind the other. A few rows at a time, so
 * that reading goes along them. Vectors of 16 reach beyond a block's row into the next, which is written later. */
void ISA_FN(column_blocks)(float *to, const float *from, int64_t ld, int64_t n, int64_t blocks, int64_t depth)
{
	enum { ROWS = 16 };
	int64_t k, i, j;

	for (k = 0; k < depth; k += ROWS) {
		const int64_t rows = depth - k < ROWS ? depth - k : ROWS;

		for (j = k + ROWS; j < k + 2 * ROWS && j < depth; j++)
			for (i = 0; i < n; i += 16)
				__builtin_prefetch(from + j * ld + i);
		for (i = 0; i < blocks; i++) {
			const int64_t first = i * n / blocks, cols = (i + 1) * n / blocks - first;
			const float *row = from + k * ld + first;
			float *t = to + first * depth + k * cols;

			if (depth - k < 2 * ROWS) {     /* near the end, behind which another block begins */
				for (j = 0; j < rows; j++)
					memcpy(t + j * cols, row + j * ld, (size_t)cols * sizeof *t);
				continue;
			}
			if (cols <= 8)
				for (j = 0; j < rows; j++) {
					float eight[8];

					memcpy(eight, row + j * ld, sizeof eight);
					memcpy(t + j * cols, eight, sizeof eight);
				}
			else
				for (j = 0; j < rows; j++)
					v16_store(t + j * cols, v16_load(row + j * ld));
		}
	}
}
