/* stat.h - the statistics that rewards, advantages and evaluations are made of
 *
 *     double p = stat_pass_at_k(16, 4, 8);                            // 16 samples, 4 right: would one of 8 be?
 *     struct stat_interval i = stat_wilson(4, 16, STAT_Z95);          // i.low, i.high
 *
 * Sums are taken over the values in ascending order, so that no result depends on the order in which the values came.
 * Nothing here fails: what is not defined (the mean of nothing, k > n) is NaN.
 */
#ifndef TASK_STAT_H
#define TASK_STAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STAT_Z95 1.959963984540054      /* the normal quantile behind a two-sided interval of 95 % */

double stat_mean(const double *x, size_t n);

/* Standard deviation about the mean: bessel divides the squares by n - 1, else by n. 0 for one value (either way), and exactly 0 if
 * all values are the same, whatever their mean rounds to. */
double stat_std(const double *x, size_t n, bool bessel);

/* The chance that at least one of k samples is right when c of n were: 1 - C(n-c, k) / C(n, k), without bias (Chen et al. 2021,
 * "Evaluating Large Language Models Trained on Code", eq. 1), as a product that neither overflows nor cancels. NaN if k < 1 or k > n. */
double stat_pass_at_k(int64_t n, int64_t c, int64_t k);

struct stat_interval {
	double low, high;
};

/* Wilson's score interval of a share c / n (1927): within [0, 1], and of some width even at 0 and at 1. NaN for n = 0. */
struct stat_interval stat_wilson(double c, double n, double z);

/* Percentile bootstrap of the mean of x (Efron 1979): `resamples` means of n values drawn with replacement, and the two quantiles
 * that cut off (1 - level) / 2 at each end. Draw j of resample i is keyed by (seed, i, j): the same seed gives the same interval,
 * and metrics over the same problems are resampled alike. Values that are NaN are left out; NaN with fewer than two others. A signal to end
 * cuts it short: what it gives then is to be thrown away. */
struct stat_interval stat_bootstrap(const double *x, size_t n, int64_t resamples, double level, uint64_t seed);

#endif
