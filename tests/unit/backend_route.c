/* Routing to experts and what moves rows there and back: against plain references, gradients against differences, the same bits on all
 * instruction sets and threads. */
#include "backend_util.h"

static uint64_t bits;           /* of everything that a backend computed */

static void note(const float *x, int64_t n)
{
	bits = hash_mix(bits, bits_hash(x, n));
}

/* Ranks by sorting, apart from ties: the weight of every expert, 0 for those that are not chosen */
static void route_reference(const struct routing *r, const double *logits, const double *bias, double *weight)
{
	const int64_t size = r->experts / r->groups;
	double c[64], s[64], group[64], sum = 0;
	int64_t e, f, g, better;

	for (e = 0; e < r->experts; e++) {
		s[e] = 1 / (1 + exp(-logits[e]));
		c[e] = s[e] + bias[e];
	}
	for (g = 0; g < r->groups; g++) {
		double first = -INFINITY, second = -INFINITY;

		for (e = g * size; e < (g + 1) * size; e++) {
			second = c[e] > first ? first : fmax(second, c[e]);
			first = fmax(first, c[e]);
		}
		group[g] = first + second;
	}
	for (g = 0; g < r->groups; g++) {
		for (better = 0, f = 0; f < r->groups; f++)
			better += group[f] > group[g];
		for (e = g * size; better >= r->top_groups && e < (g + 1) * size; e++)
			c[e] = 0;
	}
	for (e = 0; e < r->experts; e++) {
		for (better = 0, f = 0; f < r->experts; f++)
			better += c[f] > c[e];
		weight[e] = better < r->top ? s[e] : 0;
		sum += weight[e];
	}
	for (e = 0; e < r->experts; e++)
		weight[e] *= r->scale / (r->normalize ? sum : 1);
}

static void check_route(struct backend *be, struct routing r, int64_t rows)
{
	const int64_t E = r.experts, K = r.top;
	float *logits = random_floats(be, rows * E, 2), *bias = random_floats(be, E, 0.2), *weight = random_floats(be, rows * K, 1);
	float *score = random_floats(be, rows * K, 1), *dweight = random_floats(be, rows * K, 1), *dlogits = random_floats(be, rows * E, 1);
	int32_t *id = be->alloc(be, (size_t)(rows * K) * sizeof *id);
	double x[64], b[64], want[64], dw[64], slope[64];
	int64_t i, e, f, k;

	for (e = 0; e < E; e++)
		b[e] = bias[e] = fabsf(bias[e]) + 0.01f;        /* all c above 0: those left out never tie with others */
	r.bias = bias;
	be->route(be, &r, logits, id, weight, score, rows);
	be->route_back(be, &r, dweight, id, score, dlogits, rows);
	for (i = 0; i < rows; i++) {
		for (e = 0; e < E; e++)
			x[e] = logits[i * E + e];
		route_reference(&r, x, b, want);
		memset(dw, 0, sizeof dw);
		for (k = 0; k < K; k++) {
			const int32_t chosen = id[i * K + k];

			CHECK(chosen >= 0 && chosen < E && (k == 0 || chosen > id[i * K + k - 1]));
			CHECK_NEAR(weight[i * K + k], want[chosen], 1e-6 * (1 + r.scale));
			CHECK_NEAR(score[i * K + k], 1 / (1 + exp(-x[chosen])), 1e-6);
			CHECK(want[chosen] > 0);
			dw[chosen] = dweight[i * K + k];
		}
		for (e = 0; e < E; e++) {
			const double keep = x[e], h = 1e-6;
			int sign;

			slope[e] = 0;
			for (sign = -1; sign <= 1; sign += 2) {
				x[e] = keep + sign * h;
				route_reference(&r, x, b, want);
				for (f = 0; f < E; f++)
					slope[e] += sign * want[f] * dw[f] / (2 * h);
			}
			x[e] = keep;
		}
		CHECK_CLOSE(dlogits + i * E, slope, E, 1e-5);
	}
	note(weight, rows * K), note(score, rows * K), note(dlogits, rows * E);
	be->free(be, logits), be->free(be, bias), be->free(be, weight), be->free(be, score), be->free(be, dweight), be->free(be, dlogits);
	be->free(be, id);
}

/* The bias steers the choice and not the weights; what is in no chosen group counts as 0, so that it is taken before what is below; of equals
 * the first; numbers that are none still give different experts. */
static void check_choice(struct backend *be)
{
	float *logits = be->alloc(be, 8 * sizeof *logits), *bias = be->alloc(be, 8 * sizeof *bias), *weight = random_floats(be, 3, 1);
	float *score = random_floats(be, 3, 1);
	struct routing r = {.experts = 8, .groups = 4, .top_groups = 1, .top = 3, .normalize = true, .scale = 3, .bias = bias};
	int32_t *id = be->alloc(be, 3 * sizeof *id);
	int i;

	for (i = 0; i < 8; i++) {
		logits[i] = 0;
		bias[i] = -1;
	}
	bias[4] = 0.5f;                                         /* 4 and 5 are the group; 5 is below 0, 0 and 1 count as 0 */
	be->route(be, &r, logits, id, weight, score, 1);
	CHECK(id[0] == 0 && id[1] == 1 && id[2] == 4);
	for (i = 0; i < 3; i++) {
		CHECK(score[i] == 0.5f);
		CHECK_NEAR(weight[i], 1, 1e-6);
	}
	r.top_groups = 4;
	r.normalize = false;
	be->route(be, &r, logits, id, weight, score, 1);
	CHECK(id[0] == 0 && id[1] == 1 && id[2] == 4 && weight[0] == 1.5f);
	for (i = 0; i < 8; i++)
		logits[i] = NAN;
	r.top_groups = 2;
	be->route(be, &r, logits, id, weight, score, 1);
	CHECK(id[0] >= 0 && id[0] < id[1] && id[1] < id[2] && id[2] < 8);
	be->free(be, logits), be->free(be, bias), be->free(be, weight), be->free(be, score), be->free(be, id);
}

static void check_moves(struct backend *be, int64_t rows, int64_t top, int64_t cols, bool accumulate)
{
	const int64_t m = rows * top;
	float *x = random_floats(be, m * cols, 1), *out = random_floats(be, rows * cols, 1), *before = copy_floats(be, out, rows * cols);
	float *weight = random_floats(be, m, 1), *d = random_floats(be, m * cols, 1), *dw = random_floats(be, m, 1), *wide = random_floats(be, m * (cols + 3), 1);
	float *d0 = copy_floats(be, d, m * cols), *x0 = copy_floats(be, x, m * cols), *wide0 = copy_floats(be, wide, m * (cols + 3));
	int32_t *place = be->alloc(be, (size_t)m * sizeof *place);
	double *want = xmalloc((size_t)(rows * cols + m) * sizeof *want);
	int64_t i, j, k;
	int weighted;

	for (i = 0; i < m; i++)
		place[i] = (int32_t)((i * 7 + 3) % m);
	for (weighted = 0; weighted < 2; weighted++) {
		memcpy(out, before, (size_t)(rows * cols) * sizeof *out);
		be->combine(be, out, x, place, weighted ? weight : NULL, rows, top, cols, accumulate);
		for (i = 0; i < rows; i++)
			for (j = 0; j < cols; j++) {
				want[i * cols + j] = accumulate ? before[i * cols + j] : 0;
				for (k = 0; k < top; k++)
					want[i * cols + j] += (weighted ? weight[i * top + k] : 1) * (double)x[place[i * top + k] * cols + j];
			}
		CHECK_CLOSE(out, want, rows * cols, 1e-6);
		note(out, rows * cols);
	}
	be->weigh_back(be, dw, d, x, weight, m, cols);
	for (i = 0; i < m; i++)
		for (want[i] = 0, j = 0; j < cols; j++) {
			want[i] += (double)d0[i * cols + j] * x0[i * cols + j];
			CHECK(d[i * cols + j] == d0[i * cols + j] * weight[i] && x[i * cols + j] == x0[i * cols + j] * weight[i]);
		}
	CHECK_CLOSE(dw, want, m, 1e-6);
	note(dw, m);
	be->columns(be, &(struct columns){.rows = m, .cols = cols, .to = wide + 2, .ld_to = cols + 3, .from = x, .ld = cols, .accumulate = accumulate});
	for (i = 0; i < m; i++)
		for (j = 0; j < cols + 3; j++) {
			const int64_t at = i * (cols + 3) + j;

			CHECK(wide[at] == (j < 2 || j == cols + 2 ? wide0[at] : x[i * cols + j - 2] + (accumulate ? wide0[at] : 0)));
		}
	be->free(be, x), be->free(be, out), be->free(be, before), be->free(be, weight), be->free(be, d), be->free(be, dw), be->free(be, wide);
	be->free(be, d0), be->free(be, x0), be->free(be, wide0), be->free(be, place);
	free(want);
}

/* From and to bfloat16: moved as it is, widened, rounded, and rounded again after it has been added */
static void check_half_columns(struct backend *be, int64_t rows, int64_t cols, bool into, bool out_of, bool accumulate)
{
	const int64_t ld = cols + 2, ld_to = cols + 3, n = rows * ld, n_to = rows * ld_to;
	float *from = random_floats(be, n, 1), *to = random_floats(be, n_to, 1), *want = random_floats(be, n_to, 1);
	uint16_t *from16 = out_of ? halves(be, from, n) : NULL, *to16 = into ? halves(be, to, n_to) : NULL;
	struct columns c = {.rows = rows, .cols = cols, .ld_to = ld_to, .ld = ld, .to = to + 2, .from = from + 1, .to_half = into,
			    .from_half = out_of, .accumulate = accumulate};
	int64_t i, j;

	memcpy(want, to, (size_t)n_to * sizeof *want);
	for (i = 0; i < rows; i++)
		for (j = 0; j < cols; j++) {
			const int64_t at = i * ld_to + 2 + j;
			const float x = from[i * ld + 1 + j] + (accumulate ? to[at] : 0);

			want[at] = into ? from_half(to_half(x)) : x;
		}
	if (into)
		c.to = to16 + 2;
	if (out_of)
		c.from = from16 + 1;
	be->columns(be, &c);
	if (into)
		widen(to, to16, n_to);
	CHECK_MEM(to, n_to * 4, want, n_to * 4);
	be->free(be, from), be->free(be, to), be->free(be, want), be->free(be, from16), be->free(be, to16);
}

int main(void)
{
	struct backend *be;
	uint64_t want = 0;
	int i;

	EACH_BACKEND(be) {
		test_rng = rng_new(11, 12);
		bits = 0;
		check_route(be, (struct routing){.experts = 4, .groups = 1, .top_groups = 1, .top = 2, .normalize = true, .scale = 1}, 50);
		check_route(be, (struct routing){.experts = 16, .groups = 4, .top_groups = 2, .top = 4, .normalize = true, .scale = 2.5f}, 200);
		check_route(be, (struct routing){.experts = 60, .groups = 6, .top_groups = 3, .top = 7, .normalize = false, .scale = 0.7f}, 30);
		check_route(be, (struct routing){.experts = 3, .groups = 1, .top_groups = 1, .top = 3, .normalize = true, .scale = 1}, 5);
		check_choice(be);
		check_moves(be, 1, 1, 1, false);
		check_moves(be, 33, 3, 40, true);
		check_moves(be, 200, 2, 90, false);
		for (i = 0; be->half_rows && i < 8; i++) {
			check_half_columns(be, 1, 1, i & 1, i & 2, i & 4);
			check_half_columns(be, 33, 17, i & 1, i & 2, i & 4);
			check_half_columns(be, 60, 64, i & 1, i & 2, i & 4);
		}
		if (be_i == 0)
			want = bits;
		CHECK(bits == want);
		backend_close(be);
	}
	return 0;
}
