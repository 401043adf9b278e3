/* vec.h - vectors of the instruction set that a file is compiled for, and the logical vector of 16 lanes made of them
 *
 * vf holds VL floats in one register (AVX-512: 16, AVX2: 8, NEON and plain C: 4). v16 is always 16 lanes, LANE_REGS registers, so that
 * whatever is summed in lanes has the same order everywhere. Every operation is one correctly rounded IEEE operation; max and min are
 * a > b ? a : b and a < b ? a : b (the second operand if one is a NaN), as x86 has them.
 *
 *     v16 sum = v16_zero();
 *     for (i = 0; i + 16 <= n; i += 16)
 *             sum = v16_add(sum, v16_load(x + i));
 *     if (i < n)
 *             sum = v16_add(sum, v16_load_n(x + i, n - i));   // lanes from n - i on are 0
 *     total = v16_sum(sum);                                   // i with i+8, i+4, i+2, i+1
 */
#ifndef TENSOR_CPU_VEC_H
#define TENSOR_CPU_VEC_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#if defined ISA_portable && !defined __aarch64__ && !defined __FMA__
#define UNROLL                  /* fma is a function call: nothing to be had from long code */
#elif defined __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

#if defined ISA_avx512
#include <immintrin.h>
#define VL 16
typedef __m512 vf;
INLINE vf vf_zero(void) { return _mm512_setzero_ps(); }
INLINE vf vf_set(float x) { return _mm512_set1_ps(x); }
INLINE vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
INLINE void vf_store(float *p, vf a) { _mm512_storeu_ps(p, a); }
INLINE vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
INLINE vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
INLINE vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
INLINE vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
INLINE vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vf vf_fnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); }
INLINE vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
INLINE vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
INLINE vf vf_sqrt(vf a) { return _mm512_sqrt_ps(a); }
/* x < bound ? 0 : y */
INLINE vf vf_zero_below(vf x, vf bound, vf y) { return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, bound, _CMP_NLT_UQ), y); }
/* p * 2^n, where `magic` is n + 1.5 * 2^23 and the result is a normal number */
INLINE vf vf_scale2(vf p, vf magic)
{
	return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), _mm512_slli_epi32(_mm512_castps_si512(magic), 23)));
}
INLINE __mmask16 vf_mask(int64_t n) { return (__mmask16)((1u << n) - 1); }
INLINE vf vf_load_n(const float *p, int64_t n)
{
	return n >= VL ? vf_load(p) : n <= 0 ? vf_zero() : _mm512_maskz_loadu_ps(vf_mask(n), p);
}
INLINE void vf_store_n(float *p, vf a, int64_t n)
{
	if (n >= VL)
		vf_store(p, a);
	else if (n > 0)
		_mm512_mask_storeu_ps(p, vf_mask(n), a);
}
/* The first n lanes of a, the others of b */
INLINE vf vf_head(vf a, vf b, int64_t n)
{
	return n >= VL ? a : n <= 0 ? b : _mm512_mask_blend_ps(vf_mask(n), b, a);
}

#elif defined ISA_avx2
#include <immintrin.h>
#define VL 8
typedef __m256 vf;
INLINE vf vf_zero(void) { return _mm256_setzero_ps(); }
INLINE vf vf_set(float x) { return _mm256_set1_ps(x); }
INLINE vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
INLINE void vf_store(float *p, vf a) { _mm256_storeu_ps(p, a); }
INLINE vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
INLINE vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
INLINE vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
INLINE vf vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
INLINE vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vf vf_fnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); }
INLINE vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
INLINE vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
INLINE vf vf_sqrt(vf a) { return _mm256_sqrt_ps(a); }
INLINE vf vf_zero_below(vf x, vf bound, vf y) { return _mm256_andnot_ps(_mm256_cmp_ps(x, bound, _CMP_LT_OQ), y); }
INLINE vf vf_scale2(vf p, vf magic)
{
	return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), _mm256_slli_epi32(_mm256_castps_si256(magic), 23)));
}
INLINE __m256i vf_mask(int64_t n)
{
	return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE vf vf_load_n(const float *p, int64_t n)
{
	return n >= VL ? vf_load(p) : n <= 0 ? vf_zero() : _mm256_maskload_ps(p, vf_mask(n));
}
INLINE void vf_store_n(float *p, vf a, int64_t n)
{
	if (n >= VL)
		vf_store(p, a);
	else if (n > 0)
		_mm256_maskstore_ps(p, vf_mask(n), a);
}
INLINE vf vf_head(vf a, vf b, int64_t n)
{
	return n >= VL ? a : n <= 0 ? b : _mm256_blendv_ps(b, a, _mm256_castsi256_ps(vf_mask(n)));
}

#else /* four lanes, by the compiler's own vectors; the operations that it has no sign for by NEON or one by one */
#define VL 4
typedef float vf __attribute__((vector_size(16)));
typedef int32_t vf_int __attribute__((vector_size(16)));
INLINE vf vf_zero(void) { return (vf){0, 0, 0, 0}; }
INLINE vf vf_set(float x) { return (vf){x, x, x, x}; }
INLINE vf vf_load(const float *p) { vf a; memcpy(&a, p, sizeof a); return a; }
INLINE void vf_store(float *p, vf a) { memcpy(p, &a, sizeof a); }
INLINE vf vf_add(vf a, vf b) { return a + b; }
INLINE vf vf_sub(vf a, vf b) { return a - b; }
INLINE vf vf_mul(vf a, vf b) { return a * b; }
INLINE vf vf_div(vf a, vf b) { return a / b; }
#if defined __aarch64__
#include <arm_neon.h>
INLINE vf vf_fma(vf a, vf b, vf c) { return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
INLINE vf vf_sqrt(vf a) { return (vf)vsqrtq_f32((float32x4_t)a); }
#else
INLINE vf vf_fma(vf a, vf b, vf c)
{
	return (vf){__builtin_fmaf(a[0], b[0], c[0]), __builtin_fmaf(a[1], b[1], c[1]), __builtin_fmaf(a[2], b[2], c[2]),
		    __builtin_fmaf(a[3], b[3], c[3])};
}
INLINE vf vf_sqrt(vf a) { return (vf){sqrtf(a[0]), sqrtf(a[1]), sqrtf(a[2]), sqrtf(a[3])}; }
#endif
INLINE vf vf_fnma(vf a, vf b, vf c) { return vf_fma(-a, b, c); }
INLINE vf vf_select(vf_int mask, vf x, vf y) { return (vf)((mask & (vf_int)x) | (~mask & (vf_int)y)); }
INLINE vf vf_zero_below(vf x, vf bound, vf y) { return (vf)(~(x < bound) & (vf_int)y); }
INLINE vf vf_max(vf a, vf b) { return vf_select(a > b, a, b); }
INLINE vf vf_min(vf a, vf b) { return vf_select(a < b, a, b); }
INLINE vf vf_scale2(vf p, vf magic)
{
	typedef uint32_t bits __attribute__((vector_size(16)));

	return (vf)((bits)p + ((bits)magic << 23));
}
INLINE vf vf_load_n(const float *p, int64_t n)
{
	vf a = vf_zero();

	if (n > 0)
		memcpy(&a, p, (size_t)(n < VL ? n : VL) * sizeof *p);
	return a;
}
INLINE void vf_store_n(float *p, vf a, int64_t n)
{
	if (n > 0)
		memcpy(p, &a, (size_t)(n < VL ? n : VL) * sizeof *p);
}
INLINE vf vf_head(vf a, vf b, int64_t n)
{
	if (n > 0)
		memcpy(&b, &a, (size_t)(n < VL ? n : VL) * sizeof(float));
	return b;
}
#endif

/* What is too small for a normal number as 0, with its sign, where the processor has no such state (cpu_flush_begin) */
#if defined __x86_64__ || defined __aarch64__
INLINE vf vf_flush(vf a) { return a; }
#else
INLINE vf vf_flush(vf a)
{
	const vf_int sign = (vf_int)a & INT32_MIN;
	const vf size = (vf)((vf_int)a ^ sign);

	return vf_select(size < vf_set(0x1p-126f), (vf)sign, a);
}
#endif

/* 16 lanes */
#define LANE_REGS (16 / VL)
typedef struct {
	vf r[LANE_REGS];
} v16;

#define V16_MAP(...) v16 y_; UNROLL for (int i_ = 0; i_ < LANE_REGS; i_++) y_.r[i_] = __VA_ARGS__; return y_

INLINE v16 v16_zero(void) { V16_MAP(vf_zero()); }
INLINE v16 v16_set(float x) { V16_MAP(vf_set(x)); }
INLINE v16 v16_load(const float *p) { V16_MAP(vf_load(p + i_ * VL)); }
INLINE v16 v16_load_n(const float *p, int64_t n) { V16_MAP(vf_load_n(p + i_ * VL, n - i_ * VL)); }
INLINE v16 v16_add(v16 a, v16 b) { V16_MAP(vf_add(a.r[i_], b.r[i_])); }
INLINE v16 v16_sub(v16 a, v16 b) { V16_MAP(vf_sub(a.r[i_], b.r[i_])); }
INLINE v16 v16_mul(v16 a, v16 b) { V16_MAP(vf_mul(a.r[i_], b.r[i_])); }
INLINE v16 v16_div(v16 a, v16 b) { V16_MAP(vf_div(a.r[i_], b.r[i_])); }
INLINE v16 v16_fma(v16 a, v16 b, v16 c) { V16_MAP(vf_fma(a.r[i_], b.r[i_], c.r[i_])); }         /* a*b + c */
INLINE v16 v16_fnma(v16 a, v16 b, v16 c) { V16_MAP(vf_fnma(a.r[i_], b.r[i_], c.r[i_])); }       /* c - a*b */
INLINE v16 v16_max(v16 a, v16 b) { V16_MAP(vf_max(a.r[i_], b.r[i_])); }
INLINE v16 v16_min(v16 a, v16 b) { V16_MAP(vf_min(a.r[i_], b.r[i_])); }
INLINE v16 v16_sqrt(v16 a) { V16_MAP(vf_sqrt(a.r[i_])); }
INLINE void v16_store(float *p, v16 a)
{
	UNROLL for (int i = 0; i < LANE_REGS; i++)
		vf_store(p + i * VL, a.r[i]);
}
INLINE void v16_store_n(float *p, v16 a, int64_t n)
{
	UNROLL for (int i = 0; i < LANE_REGS; i++)
		vf_store_n(p + i * VL, a.r[i], n - i * VL);
}
INLINE v16 v16_head(v16 a, v16 b, int64_t n) { V16_MAP(vf_head(a.r[i_], b.r[i_], n - i_ * VL)); }

/* All lanes added, or their maximum: i with i + 8, i + 4, i + 2, i + 1 */
#if defined ISA_avx2 || defined ISA_avx512
#if defined ISA_avx512
#define V16_HALVES(a) const __m256 low = _mm512_castps512_ps256(a.r[0]), high = _mm512_extractf32x8_ps(a.r[0], 1)
#else
#define V16_HALVES(a) const __m256 low = a.r[0], high = a.r[1]
#endif
#define V16_FOLD(a, op) \
	V16_HALVES(a); \
	const __m256 eight = _mm256_##op##_ps(low, high); \
	const __m128 four = _mm_##op##_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1)); \
	const __m128 two = _mm_##op##_ps(four, _mm_movehl_ps(four, four)); \
	return _mm_cvtss_f32(_mm_##op##_ss(two, _mm_movehdup_ps(two)))
INLINE float v16_sum(v16 a) { V16_FOLD(a, add); }
INLINE float v16_max_lane(v16 a) { V16_FOLD(a, max); }
#else
#define V16_FOLD(a, what) \
	float t[16]; \
	v16_store(t, a); \
	for (int step = 8; step; step /= 2) \
		for (int i = 0; i < step; i++) \
			t[i] = what; \
	return t[0]
INLINE float v16_sum(v16 a) { V16_FOLD(a, t[i] + t[i + step]); }
INLINE float v16_max_lane(v16 a) { V16_FOLD(a, t[i] > t[i + step] ? t[i] : t[i + step]); }
#endif

/* e^x. Within 1 ulp or so for -87 <= x <= 88.7; 0 below, 3.4e38 above; NaN stays. exp(0) is 1.
 * x = n ln 2 + r, |r| <= ln 2 / 2 in two steps (Cody and Waite); e^r - 1 - r over r^2 by a polynomial of degree 4 that was fitted for
 * the least relative error of the whole (3e-9). */
INLINE vf vf_exp(vf x)
{
	vf top = vf_min(vf_set(88.7f), x);
	vf magic = vf_fma(top, vf_set(0x1.715476p0f), vf_set(0x1.8p23f));
	vf n = vf_sub(magic, vf_set(0x1.8p23f));
	vf r = vf_fnma(n, vf_set(-0x1.05c610p-29f), vf_fnma(n, vf_set(0x1.62e430p-1f), top));
	vf p = vf_set(0x1.6a23d0p-10f);

	p = vf_fma(p, r, vf_set(0x1.123a20p-7f));
	p = vf_fma(p, r, vf_set(0x1.5558f2p-5f));
	p = vf_fma(p, r, vf_set(0x1.555492p-3f));
	p = vf_fma(p, r, vf_set(0x1.fffffcp-2f));
	p = vf_fma(p, vf_mul(r, r), r);
	p = vf_scale2(vf_add(p, vf_set(1)), magic);
	return vf_zero_below(x, vf_set(-87), p);
}
INLINE v16 v16_exp(v16 x) { V16_MAP(vf_exp(x.r[i_])); }

#endif
