/* backend_util.h - for the tests of backends: which there are, random arrays, errors in relation to a reference in double
 *
 *     struct backend *be;
 *     EACH_BACKEND(be) { ...; backend_close(be); }            // every instruction set, 1 to 3 threads
 *
 * With R1_TEST_BACKEND=cuda there is one backend, that one (of R1_CUDA), and R1_CUDA_MANAGED must be set: the tests look at its memory. What is
 * the same bits on every CPU is only close there: exact(be), CHECK_SAME.
 */
#ifndef BACKEND_UTIL_H
#define BACKEND_UTIL_H

#include "test.h"

#include "base/mem.h"
#include "base/rng.h"
#include "tensor/backend.h"

static const char *const isas[] = {"portable", "avx2", "avx512"};

/* R1_TEST_BACKEND, or NULL: the CPU */
static inline const char *other_backend(void)
{
	const char *s = getenv("R1_TEST_BACKEND");

	return s && *s ? s : NULL;
}

static inline struct backend *open_other(void)
{
	struct err e;
	struct backend *be = backend_open(other_backend(), 0, &e);

	if (!be)
		TEST_FAIL("%s", e.msg);
	return be;
}

/* Backend i of all instruction sets by 1, 2, 3 threads; NULL if there is none of that number. */
static inline struct backend *backend_nth(int i)
{
	if (other_backend())
		return i ? NULL : open_other();
	return i < 9 ? backend_cpu_new_isa(1 + i % 3, isas[i / 3]) : NULL;
}
/* An instruction set that this machine lacks is stepped over. */
#define EACH_BACKEND(be) for (int be_i = 0; be_i < 9; be_i++) if (((be) = backend_nth(be_i)) != NULL)

/* Whether results are to be the same bits whatever the number of rows, threads or the backend */
static inline bool exact(const struct backend *be)
{
	return !strncmp(be->name, "cpu", 3);
}

/* Of an emulated GPU, and of the portable kernels, one does not ask everything. */
static inline bool emulated(const struct backend *be)
{
	return strstr(be->what, "emulated") != NULL;
}

static struct rng test_rng;

static inline int64_t below(int64_t n)
{
	return (int64_t)rng_below(&test_rng, (uint64_t)n);
}

/* n random floats in backend memory, of either sign */
static inline float *random_floats(struct backend *be, int64_t n, double size)
{
	float *x = be->alloc(be, (size_t)n * sizeof *x);
	int64_t i;

	for (i = 0; i < n; i++)
		x[i] = (float)(size * (2 * rng_double(&test_rng) - 1));
	return x;
}

static inline float *copy_floats(struct backend *be, const float *from, int64_t n)
{
	float *x = be->alloc(be, (size_t)n * sizeof *x);

	memcpy(x, from, (size_t)n * sizeof *x);
	return x;
}

/* bfloat16: the nearest, of two as near the even one */
static inline uint16_t to_half(float x)
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof bits);
	return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline float from_half(uint16_t half)
{
	const uint32_t bits = (uint32_t)half << 16;
	float x;

	memcpy(&x, &bits, sizeof x);
	return x;
}

static inline void widen(float *to, const uint16_t *from, int64_t n)
{
	int64_t i;

	for (i = 0; i < n; i++)
		to[i] = from_half(from[i]);
}

/* x as bfloat16, in backend memory of its own; x is rounded, so that both are the same numbers */
static inline uint16_t *halves(struct backend *be, float *x, int64_t n)
{
	uint16_t *half = be->alloc(be, (size_t)n * sizeof *half);
	int64_t i;

	for (i = 0; i < n; i++) {
		half[i] = to_half(x[i]);
		x[i] = from_half(half[i]);
	}
	return half;
}

/* n of them that are not looked at: to be written over */
static inline uint16_t *random_halves(struct backend *be, int64_t n)
{
	float *x = random_floats(be, n, 1);
	uint16_t *half = halves(be, x, n);

	be->free(be, x);
	return half;
}

/* make check-gpu asks for the largest: errors as shares of what is allowed, a line each, in the file that R1_TEST_ERRORS names */
static inline void note_error(double error, double allowed)
{
	static double most = -1;
	const char *path = getenv("R1_TEST_ERRORS");
	FILE *f;

	if (!path || !(error / allowed > most) || !(f = fopen(path, "a")))
		return;
	most = error / allowed;
	fprintf(f, "%.3g\n", most);
	fclose(f);
}

/* sqrt(sum (got - want)^2 / sum want^2) */
static inline double relative_error(const float *got, const double *want, int64_t n)
{
	double sum = 0, diff = 0;
	int64_t i;

	for (i = 0; i < n; i++) {
		diff += (got[i] - want[i]) * (got[i] - want[i]);
		sum += want[i] * want[i];
	}
	return sum > 0 ? sqrt(diff / sum) : sqrt(diff);
}

static inline double difference(const float *got, const float *want, int64_t n)
{
	double sum = 0, diff = 0;
	int64_t i;

	for (i = 0; i < n; i++) {
		diff += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
		sum += (double)want[i] * want[i];
	}
	return sum > 0 ? sqrt(diff / sum) : sqrt(diff);
}

#define CHECK_CLOSE(got, want, n, tolerance) do { \
	double test_error = relative_error(got, want, n), test_most = exact(be) || (tolerance) > 1e-5 ? (tolerance) : 1e-5; \
	note_error(test_error, test_most); \
	if (!(test_error <= test_most)) \
		TEST_FAIL("%s: %s is off by %g of its size, %g is allowed", be->what, #got, test_error, test_most); \
} while (0)

/* The same bits, or on a backend that does not promise them as close as float32 comes */
#define CHECK_SAME(got, want, n) do { \
	if (exact(be)) { \
		CHECK_MEM(got, (n) * 4, want, (n) * 4); \
	} else { \
		double test_off = difference(got, want, n); \
		note_error(test_off, 1e-5); \
		if (!(test_off <= 1e-5)) \
			TEST_FAIL("%s: %s is off %s by %g of its size", be->what, #got, #want, test_off); \
	} \
} while (0)

/* `got`, of bfloat16, is what float32 came to, rounded */
static inline void check_halves(const struct backend *be, const char *what, const uint16_t *got, const float *want, int64_t n)
{
	int64_t i;

	for (i = 0; i < n; i++)
		if (!(fabs((double)from_half(got[i]) - want[i]) <= 0x1.01p-8 * fabs((double)want[i]) + 1e-6))
			TEST_FAIL("%s: %s: number %lld is %.9g in bfloat16, %.9g in float32", be->what, what, (long long)i, from_half(got[i]), want[i]);
}

/* A hash of the bits, to compare what different backends give */
static inline uint64_t bits_hash(const float *x, int64_t n)
{
	return hash_bytes(x, (size_t)n * sizeof *x);
}

#endif
