#include "task/stat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/tool.h"

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The sum of x[i] - shift, or of its squares; the same for any order of x, and with what rounding loses added back (Neumaier 1974). */
static double sum(const double *x, size_t n, double shift, bool squared)
{
	double *sorted = xmalloc((n ? n : 1) * sizeof *sorted), s = 0, lost = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sorted[i] = x[i] - shift;
	qsort(sorted, n, sizeof *sorted, ascending);
	for (i = 0; i < n; i++) {
		double v = squared ? sorted[i] * sorted[i] : sorted[i], t = s + v;

		lost += fabs(s) >= fabs(v) ? (s - t) + v : (v - t) + s;
		s = t;
	}
	free(sorted);
	return isfinite(s) ? s + lost : s;
}

double stat_mean(const double *x, size_t n)
{
	return n ? sum(x, n, 0, false) / (double)n : NAN;
}

double stat_std(const double *x, size_t n, bool bessel)
{
	size_t i;

	if (!n)
		return NAN;
	for (i = 1; i < n && x[i] == x[0]; i++)
		;
	if (i == n)
		return 0;
	return sqrt(sum(x, n, stat_mean(x, n), true) / (double)(bessel ? n - 1 : n));
}

double stat_pass_at_k(int64_t n, int64_t c, int64_t k)
{
	double none = 1;
	int64_t i;

	if (k < 1 || k > n || c < 0 || c > n)
		return NAN;
	if (n - c < k)
		return 1;
	if (c < k) {                    /* the same product, by the shorter way */
		for (i = n - c + 1; i <= n; i++)
			none *= 1 - (double)k / (double)i;
	} else {
		for (i = n - k + 1; i <= n; i++)
			none *= 1 - (double)c / (double)i;
	}
	return 1 - none;
}

struct stat_interval stat_wilson(double c, double n, double z)
{
	double p = c / n, zz = z * z, mid, half;

	if (!(n > 0))
		return (struct stat_interval){NAN, NAN};
	mid = (p + zz / (2 * n)) / (1 + zz / n);
	half = z / (1 + zz / n) * sqrt(p * (1 - p) / n + zz / (4 * n * n));
	return (struct stat_interval){fmax(0, mid - half), fmin(1, mid + half)};
}

/* Linear interpolation between the order statistics, the first at 0 and the last at 1. */
static double quantile(const double *sorted, size_t n, double q)
{
	double at = q * (double)(n - 1);
	size_t i = (size_t)at;

	return i + 1 < n ? sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

struct stat_interval stat_bootstrap(const double *x, size_t n, int64_t resamples, double level, uint64_t seed)
{
	struct stat_interval out = {NAN, NAN};
	double *mean = xmalloc((size_t)(resamples > 0 ? resamples : 1) * sizeof *mean);
	size_t used = 0, values = 0, k;
	int64_t i;

	for (k = 0; k < n; k++)
		values += !isnan(x[k]);
	for (i = 0; values > 1 && i < resamples && !tool_interrupted(); i++) {
		struct rng r = rng_new(seed, (uint64_t)i);
		double s = 0, count = 0;
		size_t j;

		for (j = 0; j < n; j++) {
			double v = x[rng_below(&r, n)];

			if (!isnan(v))
				s += v, count++;
		}
		if (count)
			mean[used++] = s / count;
	}
	if (used && !tool_interrupted()) {
		qsort(mean, used, sizeof *mean, ascending);
		out.low = quantile(mean, used, (1 - level) / 2);
		out.high = quantile(mean, used, (1 + level) / 2);
	}
	free(mean);
	return out;
}
