/* Drawing tokens: frequencies, cuts, ties, and logprobs that are those of `logprob` */
#include "backend_util.h"

static struct sampling plain(double uniform)
{
	return (struct sampling){.temperature = 1, .top_p = 1, .uniform = uniform};
}

static int32_t draw(struct backend *be, const float *logits, int64_t n, struct sampling how)
{
	float *x = copy_floats(be, logits, n), *y = copy_floats(be, logits, n), lp, *want = random_floats(be, 1, 1);
	int32_t id, *target = be->alloc(be, sizeof *target);

	be->sample(be, x, 1, n, &how, &id, &lp);
	CHECK(id >= 0 && id < n);
	*target = id;
	be->logprob(be, y, target, how.temperature > 0 ? 1 / how.temperature : 1, want, NULL, 1, n);
	CHECK_MEM(&lp, 4, want, 4);
	be->free(be, x), be->free(be, y), be->free(be, want), be->free(be, target);
	return id;
}

/* Which tokens can be drawn: every u of a fine grid */
static void reachable(struct backend *be, const float *logits, int n, struct sampling how, bool *hit)
{
	const int grid = emulated(be) ? 61 : 399;
	int i;

	memset(hit, 0, (size_t)n * sizeof *hit);
	for (i = 0; i <= grid; i++) {
		how.uniform = i < grid ? (double)i / grid : 1 - 0x1p-53;
		hit[draw(be, logits, n, how)] = true;
	}
}

#define CHECK_REACHES(how, ...) do { \
	const bool want_hit[] = {__VA_ARGS__}; \
	reachable(be, x, (int)(sizeof want_hit / sizeof *want_hit), how, hit); \
	for (int hit_i = 0; hit_i < (int)(sizeof want_hit / sizeof *want_hit); hit_i++) \
		if (hit[hit_i] != want_hit[hit_i]) \
			TEST_FAIL("%s: token %d is %sdrawn", be->what, hit_i, hit[hit_i] ? "" : "not "); \
} while (0)

static void check_cuts(struct backend *be)
{
	/* probabilities 0.1 0.4 0.1 0.2 0.1 0.1 */
	const float x[] = {logf(0.1f), logf(0.4f), logf(0.1f), logf(0.2f), logf(0.1f), logf(0.1f)};
	struct sampling how = plain(0);
	bool hit[6];

	CHECK_REACHES(how, 1, 1, 1, 1, 1, 1);
	how.top_k = 1;
	CHECK_REACHES(how, 0, 1, 0, 0, 0, 0);
	how.top_k = 2;
	CHECK_REACHES(how, 0, 1, 0, 1, 0, 0);
	how.top_k = 4;                          /* of the four equal ones the first two */
	CHECK_REACHES(how, 1, 1, 1, 1, 0, 0);
	how.top_k = 100;
	CHECK_REACHES(how, 1, 1, 1, 1, 1, 1);
	how = plain(0);
	how.top_p = 0;                          /* never nothing */
	CHECK_REACHES(how, 0, 1, 0, 0, 0, 0);
	how.top_p = 0.39f;
	CHECK_REACHES(how, 0, 1, 0, 0, 0, 0);
	how.top_p = 0.41f;
	CHECK_REACHES(how, 0, 1, 0, 1, 0, 0);
	how.top_p = 0.65f;
	CHECK_REACHES(how, 1, 1, 0, 1, 0, 0);
	how.top_p = 0.85f;
	CHECK_REACHES(how, 1, 1, 1, 1, 1, 0);
	how.top_k = 3;                          /* 0.4 0.2 0.1, together 0.7: 0.85 of that is 0.595 */
	CHECK_REACHES(how, 0, 1, 0, 1, 0, 0);
	how = plain(0);
	how.min_p = 0.24f;
	CHECK_REACHES(how, 1, 1, 1, 1, 1, 1);
	how.min_p = 0.26f;
	CHECK_REACHES(how, 0, 1, 0, 1, 0, 0);
	how.min_p = 1;
	CHECK_REACHES(how, 0, 1, 0, 0, 0, 0);
	how.min_p = 0.26f;
	how.top_k = 1;
	CHECK_REACHES(how, 0, 1, 0, 0, 0, 0);
	how = plain(0);
	how.temperature = 1e-3f;
	CHECK_REACHES(how, 0, 1, 0, 0, 0, 0);
	how.temperature = 0;
	CHECK_REACHES(how, 0, 1, 0, 0, 0, 0);
}

static void check_greedy(struct backend *be)
{
	float x[40];
	struct sampling how = {.temperature = 0};
	int i;

	for (i = 0; i < 40; i++)
		x[i] = -1;
	CHECK_INT(draw(be, x, 40, how), 0);
	x[17] = x[38] = x[39] = 2;
	CHECK_INT(draw(be, x, 40, how), 17);
	x[39] = 3;
	CHECK_INT(draw(be, x, 40, how), 39);
	CHECK_INT(draw(be, x, 1, how), 0);
}

/* Tokens of probability 0 are not drawn, wherever they stand. */
static void check_impossible(struct backend *be)
{
	const float x[] = {-INFINITY, 0, -INFINITY, -300, 0, -INFINITY};
	struct sampling how = plain(0);
	bool hit[6];

	CHECK_REACHES(how, 0, 1, 0, 0, 1, 0);
	how.top_k = 5;
	CHECK_REACHES(how, 0, 1, 0, 0, 1, 0);
	how.top_k = 0;
	how.top_p = 0.9999f;
	CHECK_REACHES(how, 0, 1, 0, 0, 1, 0);
}

/* Cuts among tokens that are far from the likeliest, each with 6e-6 of its weight */
static void check_far(struct backend *be)
{
	const float x[] = {-12, 0, -12, -300, -12};
	struct sampling how = plain(1 - 0x1p-53);

	CHECK_INT(draw(be, x, 5, how), 4);
	how.top_k = 3;
	CHECK_INT(draw(be, x, 5, how), 2);
	how.top_k = 2;
	CHECK_INT(draw(be, x, 5, how), 1);      /* the second is in front of it */
	how.uniform = 1e-7;
	CHECK_INT(draw(be, x, 5, how), 0);
	how = plain(1 - 0x1p-53);
	how.top_p = 0.999995f;                  /* of 1.0000184: 1.0000134, which takes all three */
	CHECK_INT(draw(be, x, 5, how), 4);
	how.top_p = 0.99999f;                   /* 1.0000084: two */
	CHECK_INT(draw(be, x, 5, how), 2);
}

/* Where all are equally likely the first `top_k` are kept, and every one has its part of the uniform number. */
static void check_ties(struct backend *be, int n)
{
	float *x = random_floats(be, n, 0);
	struct sampling how = plain(0);
	int i;

	for (i = 0; i < 8; i++) {
		how.uniform = rng_double(&test_rng);
		how.top_k = i % 2 ? n * 3 / 4 : 0;
		CHECK_INT(draw(be, x, n, how), (int)(how.uniform * (how.top_k ? how.top_k : n)));
	}
	be->free(be, x);
}

/* Pearson's statistic of many draws, all rows in one call, against what the cut distribution says */
static void check_frequencies(struct backend *be, int n, const struct sampling *like, const double *want)
{
	const int DRAWS = emulated(be) ? 3000 : 20000;
	struct sampling *how = xmalloc((size_t)DRAWS * sizeof *how);
	int32_t *id = xmalloc((size_t)DRAWS * sizeof *id);
	float *lp = xmalloc((size_t)DRAWS * sizeof *lp), *x = random_floats(be, (int64_t)n * DRAWS, 2);
	int *count = xcalloc((size_t)n, sizeof *count), i, j, free_ones = -1;
	double chi = 0;

	for (i = 0; i < DRAWS; i++) {
		how[i] = *like;
		how[i].uniform = rng_double(&test_rng);
		for (j = 0; j < n; j++)
			x[(int64_t)i * n + j] = (float)(j % 7 * 0.5);
	}
	be->sample(be, x, DRAWS, n, how, id, lp);
	for (i = 0; i < DRAWS; i++)
		count[id[i]]++;
	for (j = 0; j < n; j++) {
		if (want[j] == 0) {
			CHECK_INT(count[j], 0);
			continue;
		}
		free_ones++;
		chi += (count[j] - DRAWS * want[j]) * (count[j] - DRAWS * want[j]) / (DRAWS * want[j]);
	}
	if (!(chi < free_ones + 4 * sqrt(2.0 * free_ones)) || !(chi > free_ones - 4 * sqrt(2.0 * free_ones)))
		TEST_FAIL("%s: chi-square of the draws is %g for %d degrees of freedom", be->what, chi, free_ones);
	free(how), free(id), free(lp), free(count);
	be->free(be, x);
}

static void check_distribution(struct backend *be)
{
	enum { N = 60 };
	double p[N], sum = 0;
	struct sampling how = plain(0);
	int j;

	for (j = 0; j < N; j++)
		sum += p[j] = exp(j % 7 * 0.5 / 0.8);
	for (j = 0; j < N; j++)
		p[j] /= sum;
	how.temperature = 0.8f;
	check_frequencies(be, N, &how, p);
	for (sum = 0, j = 0; j < N; j++)                /* the eight with j % 7 == 6, and four of those with 5 */
		sum += p[j] = j % 7 == 6 || (j % 7 == 5 && j < 28) ? p[j] : 0;
	for (j = 0; j < N; j++)
		p[j] /= sum;
	how.top_k = 12;
	check_frequencies(be, N, &how, p);
}

/* A large vocabulary, all cuts at once, against the definition by sorting */
static float *sort_by;

static int by_weight(const void *a, const void *b)
{
	const int x = *(const int *)a, y = *(const int *)b;

	return sort_by[x] != sort_by[y] ? (sort_by[x] < sort_by[y]) - (sort_by[x] > sort_by[y]) : (x > y) - (x < y);
}

static void check_large(struct backend *be, int n, struct sampling how)
{
	float *x = random_floats(be, n, 8);
	int *order = xmalloc((size_t)n * sizeof *order), i, keep = 0;
	double *p = xcalloc((size_t)n, sizeof *p), all = 0, sum = 0, max, at, reach = 0;
	int32_t id = draw(be, x, n, how);

	for (i = 0; i < n; i++)
		order[i] = i;
	sort_by = x;
	qsort(order, (size_t)n, sizeof *order, by_weight);
	max = x[order[0]];
	for (i = 0; i < n && (!how.top_k || i < how.top_k); i++)
		all += exp((x[order[i]] - max) / how.temperature);
	for (i = 0; i < n && (!how.top_k || i < how.top_k) && (i == 0 || sum < how.top_p * all); i++) {
		const double w = exp((x[order[i]] - max) / how.temperature);

		if (w < how.min_p)
			break;
		sum += p[order[i]] = w;
		keep++;
	}
	CHECK(keep > 0);
	CHECK(p[id] > 0);
	at = how.uniform * sum;
	for (i = 0; i < id; i++)
		reach += p[i];
	CHECK(reach <= at + 1e-4 * sum);                /* the running sum passes `at` in token id */
	CHECK(reach + p[id] >= at - 1e-4 * sum);
	free(order), free(p);
	be->free(be, x);
}

/* What is drawn for a row, and its logprob's bits, are the same whatever is cut off beside it: other kernels may have it then. */
static void check_alike(struct backend *be, int n)
{
	struct sampling how[3] = {plain(rng_double(&test_rng)), plain(rng_double(&test_rng)), plain(0.5)};
	float *x = random_floats(be, 3 * (int64_t)n, 3), *y = copy_floats(be, x, 3 * (int64_t)n), alone[3], beside[3];
	int32_t a[3], b[3];

	how[1].temperature = 0;
	be->sample(be, x, 3, n, how, a, alone);
	how[2].top_k = 3;
	be->sample(be, y, 3, n, how, b, beside);
	CHECK_MEM(b, sizeof *b * 2, a, sizeof *a * 2);
	CHECK_MEM(beside, sizeof *beside * 2, alone, sizeof *alone * 2);
	be->free(be, x), be->free(be, y);
}

int main(void)
{
	struct backend *be;

	EACH_BACKEND(be) {
		int i;

		test_rng = rng_new(21, 22);
		check_cuts(be);
		check_greedy(be);
		check_impossible(be);
		check_far(be);
		check_ties(be, 8001);
		check_distribution(be);
		for (i = 1; i < 40000; i = i * 7 + 1)
			check_alike(be, i);
		for (i = 0; i < 12; i++) {
			struct sampling how = plain(i < 10 ? rng_double(&test_rng) : i == 10 ? 0 : 1 - 0x1p-53);

			how.temperature = i % 2 ? 1 : 0.6f;
			how.top_k = i % 4 == 1 ? 50 : i % 4 == 2 ? 5000 : 0;
			how.top_p = i % 3 == 1 ? 0.95f : i % 3 == 2 ? 0.5f : 1;
			how.min_p = i % 5 == 1 ? 0.05f : 0;
			check_large(be, i < 6 ? 20011 : 3000, how);
		}
		backend_close(be);
	}
	return 0;
}
