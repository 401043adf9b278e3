/* half.h - numbers of bfloat16 in vectors
 *
 * A bfloat16 is the upper half of a float32. A panel holds, for each pair of k's, 16 words of 32 bits, one for a column: the first k's number
 * in the lower half, the second's in the upper. So one load gives two rows of 8 (AVX2) or 16 columns, by a shift and by a mask.
 *
 * half_first, half_second: VL words of a panel, as the floats of their lower and of their upper halves. half_row: VL numbers in a row.
 * half_pair_first, half_pair_second: the halves of one word, in every lane.
 */
#ifndef TENSOR_CPU_HALF_H
#define TENSOR_CPU_HALF_H

#include "vec.h"

#if defined ISA_avx512
INLINE vf half_first(const uint16_t *p) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(p), 16)); }
INLINE vf half_second(const uint16_t *p)
{
	return _mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(p), _mm512_set1_epi32((int)0xffff0000)));
}
INLINE vf half_row(const uint16_t *p)
{
	return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)), 16));
}
INLINE vf half_pair_first(uint32_t w) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_set1_epi32((int)w), 16)); }
INLINE vf half_pair_second(uint32_t w) { return _mm512_castsi512_ps(_mm512_and_si512(_mm512_set1_epi32((int)w), _mm512_set1_epi32((int)0xffff0000))); }
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
INLINE vf half_pair_first(uint32_t w) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_set1_epi32((int)w), 16)); }
INLINE vf half_pair_second(uint32_t w) { return _mm256_castsi256_ps(_mm256_and_si256(_mm256_set1_epi32((int)w), _mm256_set1_epi32((int)0xffff0000))); }
#else
typedef uint32_t half_words __attribute__((vector_size(16)));
INLINE half_words half_load(const uint16_t *p) { half_words w; memcpy(&w, p, sizeof w); return w; }
INLINE vf half_first(const uint16_t *p) { return (vf)(half_load(p) << 16); }
INLINE vf half_second(const uint16_t *p) { return (vf)(half_load(p) & 0xffff0000); }
INLINE vf half_row(const uint16_t *p) { return (vf)((half_words){p[0], p[1], p[2], p[3]} << 16); }
INLINE vf half_pair_first(uint32_t w) { return (vf)((half_words){w, w, w, w} << 16); }
INLINE vf half_pair_second(uint32_t w) { return (vf)((half_words){w, w, w, w} & 0xffff0000); }
#endif

#endif
