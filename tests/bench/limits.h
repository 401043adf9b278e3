/* limits.h - what this machine can do at most, measured: fp32 fused multiply-adds on all cores, those of bfloat16, memory bandwidth
 *
 *     struct limits l = limits_measure(0, clock_seconds);
 *     printf("%.0f GFLOP/s, %.1f GB/s\n", l.flops / 1e9, l.bytes / 1e9);
 */
#ifndef BENCH_LIMITS_H
#define BENCH_LIMITS_H

#include <math.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/mem.h"
#include "base/pool.h"
#include "base/progress.h"

struct limits {
	double flops, bytes;            /* a second, all cores */
	double half;                    /* as flops, by AVX512-BF16; 0: there is none */
};

#define LIMITS_LOOPS 2000000
#define LIMITS_FLOATS ((int64_t)48 << 20)

/* Twelve chains of vectors, as many as hide the latency, from twelve values, lest the compiler find some alike: returns operations done. */
#if defined(__x86_64__)
#define LIMITS_CHAINS(V, SET, FMA, WIDTH) \
	V a0 = SET(0.1f), a1 = SET(0.2f), a2 = SET(0.3f), a3 = SET(0.4f), a4 = SET(0.5f), a5 = SET(0.6f), a6 = SET(0.7f), a7 = SET(0.8f); \
	V a8 = SET(0.9f), a9 = SET(1.1f), a10 = SET(1.2f), a11 = SET(1.3f); \
	V m = SET(0.999f), c = SET(0.001f); \
	for (long i = 0; i < LIMITS_LOOPS; i++) { \
		a0 = FMA(a0, m, c); a1 = FMA(a1, m, c); a2 = FMA(a2, m, c); a3 = FMA(a3, m, c); \
		a4 = FMA(a4, m, c); a5 = FMA(a5, m, c); a6 = FMA(a6, m, c); a7 = FMA(a7, m, c); \
		a8 = FMA(a8, m, c); a9 = FMA(a9, m, c); a10 = FMA(a10, m, c); a11 = FMA(a11, m, c); \
		__asm__ volatile("" : "+x"(a0), "+x"(a4), "+x"(a8)); \
	} \
	*out = a0[0] + a1[0] + a2[0] + a3[0] + a4[0] + a5[0] + a6[0] + a7[0] + a8[0] + a9[0] + a10[0] + a11[0]; \
	return 12.0 * 2 * WIDTH * LIMITS_LOOPS;

__attribute__((target("avx2,fma"))) static double limits_fma_256(float *out)
{
	LIMITS_CHAINS(__m256, _mm256_set1_ps, _mm256_fmadd_ps, 8)
}

__attribute__((target("avx512f"))) static double limits_fma_512(float *out)
{
	LIMITS_CHAINS(__m512, _mm512_set1_ps, _mm512_fmadd_ps, 16)
}

/* Chains of sums, from values of their own, of two products each */
#define LIMITS_DOT(a, m, c) _mm512_dpbf16_ps(a, (__m512bh)(m), (__m512bh)(c))
__attribute__((target("avx512f,avx512bf16"))) static double limits_dot_512(float *out)
{
	LIMITS_CHAINS(__m512, _mm512_set1_ps, LIMITS_DOT, 32)
}
#endif

#if defined(__x86_64__)
/* Eight sums of 32 bytes in flight: a loop that waits for nothing but memory */
__attribute__((target("avx2"))) static float limits_read_256(const float *a, int64_t n)
{
	__m256 s[8];

	for (int k = 0; k < 8; k++)
		s[k] = _mm256_setzero_ps();
	for (int64_t i = 0; i + 64 <= n; i += 64)
#pragma GCC unroll 8
		for (int k = 0; k < 8; k++)
			s[k] = _mm256_add_ps(s[k], _mm256_loadu_ps(a + i + 8 * k));
	for (int k = 1; k < 8; k++)
		s[0] = _mm256_add_ps(s[0], s[k]);
	return s[0][0] + s[0][7];
}
#endif

static double limits_fma_plain(float *out)
{
	float a[64];

	for (int k = 0; k < 64; k++)
		a[k] = 0.1f;
	for (long i = 0; i < LIMITS_LOOPS / 8; i++)
		for (int k = 0; k < 64; k++)
			a[k] = a[k] * 0.999f + 0.001f;
	*out = a[0];
	for (int k = 1; k < 64; k++)
		*out += a[k];
	return 2.0 * 64 * (LIMITS_LOOPS / 8);
}

struct limits_work {
	double done[256];
	float sink[256];
	float *a, *b;
	const float *c;
	bool half;
};

static void limits_fma(void *arg, int64_t from, int64_t to, int worker)
{
	struct limits_work *w = arg;

	for (; from < to; from++) {
#if defined(__x86_64__)
		if (w->half)
			w->done[worker] += limits_dot_512(&w->sink[worker]);
		else if (__builtin_cpu_supports("avx512f"))
			w->done[worker] += limits_fma_512(&w->sink[worker]);
		else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
			w->done[worker] += limits_fma_256(&w->sink[worker]);
		else
#endif
			w->done[worker] += limits_fma_plain(&w->sink[worker]);
	}
}

static void limits_triad(void *arg, int64_t from, int64_t to, int worker)
{
	struct limits_work *w = arg;

	(void)worker;
	for (int64_t i = from; i < to; i++)
		w->a[i] = w->b[i] + 3 * w->c[i];
}

static void limits_read(void *arg, int64_t from, int64_t to, int worker)
{
	struct limits_work *w = arg;
	float s[64] = {0};

#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2")) {
		w->sink[worker] += limits_read_256(w->a + from, to - from);
		return;
	}
#endif
	for (int64_t i = from; i + 64 <= to; i += 64)
		for (int k = 0; k < 64; k++)
			s[k] += w->a[i + k];
	for (int k = 0; k < 64; k++)
		w->sink[worker] += s[k];
}

/* The best of some rounds: of a sum over an array far larger than the caches, and of a triad a = b + 3 c of three. */
static double limits_bandwidth(struct pool *p, double (*now)(void))
{
	size_t bytes = (size_t)LIMITS_FLOATS * sizeof(float);
	struct limits_work *w = xcalloc(1, sizeof *w);
	float *c = xaligned(bytes);
	double best = 0, start;

	w->a = xaligned(bytes);
	w->b = xaligned(bytes);
	memset(w->a, 0, bytes);
	memset(w->b, 0, bytes);
	memset(c, 0, bytes);
	w->c = c;
	for (int round = 0; round < 5; round++) {
		start = now();
		pool_run(p, LIMITS_FLOATS, 1 << 18, limits_triad, w);
		best = fmax(best, 3 * (double)bytes / (now() - start));
		start = now();
		pool_run(p, LIMITS_FLOATS, 1 << 18, limits_read, w);
		best = fmax(best, (double)bytes / (now() - start));
	}
	free(w->a);
	free(w->b);
	free(c);
	free(w);
	return best;
}

/* Operations a second: the best of three rounds */
static double limits_peak(struct pool *p, bool half, double (*now)(void))
{
	double best = 0;

	for (int round = 0; round < 3; round++) {
		struct limits_work *w = xcalloc(1, sizeof *w);
		double start = now(), done = 0;

		w->half = half;
		pool_run(p, 2 * pool_threads(p), 1, limits_fma, w);
		for (int i = 0; i < 256; i++)
			done += w->done[i];
		best = fmax(best, done / (now() - start));
		free(w);
	}
	return best;
}

/* threads: 0 for all cores; now: the clock to go by, in seconds */
static struct limits limits_measure(int threads, double (*now)(void))
{
	struct pool *p = pool_new(threads);
	struct limits l = {.bytes = limits_bandwidth(p, now), .flops = limits_peak(p, false, now)};

#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx512bf16"))
		l.half = limits_peak(p, true, now);
#endif
	pool_free(p);
	return l;
}

#endif
