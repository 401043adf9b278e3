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
	return !strcmp(be->name, "cpu");
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

/* A hash of the bits, to compare what different backends give */
static inline uint64_t bits_hash(const float *x, int64_t n)
{
	return hash_bytes(x, (size_t)n * sizeof *x);
}

#endif
