/* Advantages: values worked out by hand, and the same bits in any order. */
#include "test.h"

#include "task/advantage.h"

static const struct advantage *kind(const char *name)
{
	struct err e;
	const struct advantage *a = advantage_find(name, &e);

	if (!a)
		TEST_FAIL("%s", e.msg);
	return a;
}

static void apply(const char *name, struct advantage_args args, const double *reward, double *out, size_t n)
{
	struct advantage_group g = {reward, out, n};

	advantage_apply(kind(name), &args, &g, 1);
}

static void grpo(void)
{
	const struct advantage_args bessel = ADVANTAGE_DEFAULTS, population = {.epsilon = 0}, wide = {.epsilon = 1, .bessel = true};
	const double same[2] = {2, 2}, pair[2] = {1, 3}, four[4] = {1, 0, 0, 0}, tenths[3] = {.1, .1, .1};
	double a[4];

	apply("grpo", bessel, same, a, 2);
	CHECK(a[0] == 0 && a[1] == 0);
	apply("grpo", bessel, tenths, a, 3);
	CHECK(a[0] == 0 && a[1] == 0 && a[2] == 0);
	apply("grpo", bessel, pair, a, 2);
	CHECK_NEAR(a[0], -.7071, 1e-4);
	CHECK_NEAR(a[1], .7071, 1e-4);
	apply("grpo", population, pair, a, 2);
	CHECK_NEAR(a[0], -1, 1e-15);
	apply("grpo", wide, pair, a, 2);
	CHECK_NEAR(a[1], 1 / (sqrt(2) + 1), 1e-15);
	apply("grpo", population, four, a, 4);
	CHECK_NEAR(a[0], sqrt(3), 1e-15);
	CHECK_NEAR(a[3], -1 / sqrt(3), 1e-15);
}

static void others(void)
{
	const struct advantage_args args = {.epsilon = 0, .bessel = true};
	const double r[4] = {1, 0, 0, 0}, none[3] = {0, 0, 0}, minus[2] = {-1, -3};
	double a[4];

	apply("dr_grpo", args, r, a, 4);
	CHECK_NEAR(a[0], .75, 0);
	CHECK_NEAR(a[1], -.25, 0);
	apply("rloo", args, r, a, 4);
	CHECK_NEAR(a[0], 1, 1e-15);             /* the others' mean is 0 */
	CHECK_NEAR(a[2], -1. / 3, 1e-15);       /* the others' mean is 1/3 */
	apply("maxrl", args, r, a, 4);
	CHECK_NEAR(a[0], 3, 1e-15);
	CHECK_NEAR(a[1], -1, 1e-15);
	CHECK_NEAR(a[2], -1, 1e-15);
	CHECK_NEAR(a[3], -1, 1e-15);
	apply("maxrl", args, none, a, 3);
	CHECK(a[0] == 0 && a[2] == 0);
	apply("maxrl", args, minus, a, 2);
	CHECK(a[0] == 0 && a[1] == 0);
}

static void single(void)
{
	const char *const group_kinds[] = {"grpo", "dr_grpo", "rloo", "maxrl"};
	struct advantage_args args = ADVANTAGE_DEFAULTS;
	const double r = 1.5;
	double a;
	size_t i;

	for (i = 0; i < sizeof group_kinds / sizeof *group_kinds; i++) {
		args.single_raw = false;
		apply(group_kinds[i], args, &r, &a, 1);
		CHECK(a == 0);
		args.single_raw = true;
		apply(group_kinds[i], args, &r, &a, 1);
		CHECK(a == 1.5);
	}
}

/* Rewards 1, 3 | 5 | 7, 7: over all, mean 4.6 and sum of squares 27.2; about their groups' means -1, 1, 0, 0, 0. */
static void batch(void)
{
	const struct advantage_args args = {.epsilon = 0, .bessel = true};
	const double x[2] = {1, 3}, y[1] = {5}, z[2] = {7, 7};
	double a[2], b[1], c[2];
	struct advantage_group g[3] = {{x, a, 2}, {y, b, 1}, {z, c, 2}};
	const double tenths[3] = {.1, .1, .1}, apart[3] = {.3, 1.1, .7};
	double d[3], h[3];
	struct advantage_group rounded[2] = {{tenths, d, 3}, {apart, h, 3}};

	advantage_apply(kind("reinforce++"), &args, g, 3);
	CHECK_NEAR(a[0], -3.6 / sqrt(27.2 / 4), 1e-15);
	CHECK_NEAR(b[0], .4 / sqrt(27.2 / 4), 1e-15);
	CHECK_NEAR(c[1], 2.4 / sqrt(27.2 / 4), 1e-15);
	advantage_apply(kind("reinforce++-baseline"), &args, g, 3);
	CHECK_NEAR(a[0], -1 / sqrt(.5), 1e-15);
	CHECK_NEAR(a[1], 1 / sqrt(.5), 1e-15);
	CHECK(b[0] == 0 && c[0] == 0 && c[1] == 0);
	/* The differences' mean is 0 but for rounding, which is nothing to learn from. */
	advantage_apply(kind("reinforce++-baseline"), &args, rounded, 2);
	CHECK(d[0] == 0 && d[1] == 0 && d[2] == 0);
	CHECK_NEAR(h[1], (1.1 - .7) / sqrt((.16 + .16) / 5), 1e-15);
}

/* Every estimator, over the same rewards in another order: the same advantage for each, bit for bit. */
static void any_order(void)
{
	const struct advantage_args args = ADVANTAGE_DEFAULTS;
	const struct advantage *const *k;
	double r[16], turned[16], a[16], b[16];
	int i;

	for (i = 0; i < 16; i++) {
		r[i] = sin(i * i) * pow(10, i % 5);
		turned[(i * 5 + 3) % 16] = r[i];
	}
	for (k = advantage_table; *k; k++) {
		if ((*k)->tokens)
			continue;
		apply((*k)->name, args, r, a, 16);
		apply((*k)->name, args, turned, b, 16);
		for (i = 0; i < 16; i++)
			CHECK(a[i] == b[(i * 5 + 3) % 16]);
	}
}

int main(void)
{
	struct err e;

	grpo();
	others();
	single();
	batch();
	any_order();
	CHECK(!advantage_find("grop", &e));
	CHECK(strstr(e.msg, "there is no estimator 'grop', only "));
	return 0;
}
