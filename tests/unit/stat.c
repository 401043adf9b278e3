/* Statistics against closed forms. */
#include "test.h"

#include "task/stat.h"

static double choose(int n, int k)
{
	double c = 1;
	int i;

	for (i = 1; i <= k; i++)
		c = c * (n - k + i) / i;
	return k > n ? 0 : c;
}

static void moments(void)
{
	const double x[] = {2, 4, 4, 4, 5, 5, 7, 9}, y[] = {9, 4, 2, 5, 4, 7, 5, 4}, same[] = {.1, .1, .1, .1, .1, .1, .1};
	double big[] = {1e16, 1, -1e16, 1}, gib[] = {1, 1e16, 1, -1e16};

	CHECK_NEAR(stat_mean(x, 8), 5, 0);
	CHECK_NEAR(stat_std(x, 8, false), 2, 1e-15);
	CHECK_NEAR(stat_std(x, 8, true), sqrt(32. / 7), 1e-15);
	CHECK_NEAR(stat_std(same, 7, false), 0, 0);
	CHECK_NEAR(stat_std(same, 7, true), 0, 0);
	CHECK_NEAR(stat_std(x, 1, true), 0, 0);
	CHECK(isnan(stat_mean(x, 0)));
	CHECK(isnan(stat_std(x, 0, false)));
	CHECK(stat_mean(x, 8) == stat_mean(y, 8));
	CHECK(stat_mean(big, 4) == stat_mean(gib, 4));
	CHECK(stat_std(x, 8, true) == stat_std(y, 8, true));
}

/* Against the quotient of binomials, all of it up to n = 12; one that would overflow; the plain share for k = 1. */
static void pass_at_k(void)
{
	int n, c, k;

	for (n = 1; n <= 12; n++)
		for (c = 0; c <= n; c++)
			for (k = 1; k <= n; k++)
				CHECK_NEAR(stat_pass_at_k(n, c, k), 1 - choose(n - c, k) / choose(n, k), 1e-14);
	CHECK_NEAR(stat_pass_at_k(16, 4, 8), 1 - 495. / 12870, 1e-15);
	CHECK_NEAR(stat_pass_at_k(64, 5, 1), 5. / 64, 1e-15);
	CHECK_NEAR(stat_pass_at_k(100000, 1, 50000), .5, 1e-9);
	CHECK_NEAR(stat_pass_at_k(100000, 50000, 3), 1 - .5 * (49999. / 99999) * (49998. / 99998), 1e-12);
	CHECK(stat_pass_at_k(8, 0, 8) == 0);
	CHECK(stat_pass_at_k(8, 8, 1) == 1);
	CHECK(isnan(stat_pass_at_k(8, 1, 9)));
	CHECK(isnan(stat_pass_at_k(8, 1, 0)));
}

/* Wilson solves (p - c/n)^2 = z^2 p (1 - p) / n: both ends must. */
static void wilson(void)
{
	struct stat_interval i;
	double c;

	for (c = 1; c < 10; c++) {
		double p = c / 10;

		i = stat_wilson(c, 10, STAT_Z95);
		CHECK_NEAR((i.low - p) * (i.low - p), STAT_Z95 * STAT_Z95 * i.low * (1 - i.low) / 10, 1e-14);
		CHECK_NEAR((i.high - p) * (i.high - p), STAT_Z95 * STAT_Z95 * i.high * (1 - i.high) / 10, 1e-14);
		CHECK(i.low < p && p < i.high);
	}
	i = stat_wilson(0, 10, STAT_Z95);
	CHECK_NEAR(i.low, 0, 0);
	CHECK_NEAR(i.high, 0.2775328, 1e-7);
	i = stat_wilson(10, 10, STAT_Z95);
	CHECK_NEAR(i.low, 0.7224672, 1e-7);
	CHECK_NEAR(i.high, 1, 1e-15);
	CHECK(isnan(stat_wilson(0, 0, STAT_Z95).low));
}

/* The bootstrap of a share comes near mean +- 1.96 sqrt(p (1 - p) / n), is the same for the same seed, and leaves NaN out. */
static void bootstrap(void)
{
	double x[400], constant[] = {.25, .25, .25}, holes[] = {NAN, .5, NAN, .5};
	struct stat_interval i, again, other;
	int k;

	for (k = 0; k < 400; k++)
		x[k] = k % 5 == 0;
	i = stat_bootstrap(x, 400, 2000, .95, 1);
	again = stat_bootstrap(x, 400, 2000, .95, 1);
	other = stat_bootstrap(x, 400, 2000, .95, 2);
	CHECK_NEAR(i.low, .2 - STAT_Z95 * .02, .004);
	CHECK_NEAR(i.high, .2 + STAT_Z95 * .02, .004);
	CHECK(i.low == again.low && i.high == again.high);
	CHECK(i.low != other.low || i.high != other.high);
	i = stat_bootstrap(constant, 3, 100, .95, 1);
	CHECK(i.low == .25 && i.high == .25);
	i = stat_bootstrap(holes, 4, 100, .95, 1);
	CHECK(i.low == .5 && i.high == .5);
	CHECK(isnan(stat_bootstrap(x, 0, 100, .95, 1).low));
	CHECK(isnan(stat_bootstrap(x, 1, 100, .95, 1).low));    /* one value says nothing of the spread */
}

int main(void)
{
	moments();
	pass_at_k();
	wilson();
	bootstrap();
	return 0;
}
