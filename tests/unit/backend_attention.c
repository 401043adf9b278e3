/* Attention: against a reference in double; the same bits in training, all at once through the cache, in chunks, and token by token, with
 * shared pages, on any threads and instruction set; its gradient against finite differences of the reference; with keys and values of bfloat16
 * the bits of those rounded before. */
#include "backend_util.h"

struct shape {
	int64_t heads, kv_heads, dim;
};
static const struct shape shapes[] = {{4, 2, 8}, {2, 2, 12}, {7, 1, 64}, {14, 2, 64}, {3, 1, 20}, {8, 4, 32}, {2, 1, 128}, {16, 1, 4}, {5, 5, 6}};
#define SHAPES ((int)(sizeof shapes / sizeof *shapes))

/* One head of one sequence: q, k, v are functions of position and d. out [n][D], lse [n]. */
static void head_reference(const double *q, const double *k, const double *v, int64_t n, int64_t dim, double scale, double *out, double *lse)
{
	double *p = xmalloc((size_t)n * sizeof *p);
	int64_t i, j, d;

	for (i = 0; i < n; i++) {
		double max = -INFINITY, sum = 0;

		for (j = 0; j <= i; j++) {
			for (p[j] = 0, d = 0; d < dim; d++)
				p[j] += scale * q[i * dim + d] * k[j * dim + d];
			max = fmax(max, p[j]);
		}
		for (j = 0; j <= i; j++)
			sum += p[j] = exp(p[j] - max);
		lse[i] = max + log(sum);
		for (d = 0; d < dim; d++)
			for (out[i * dim + d] = 0, j = 0; j <= i; j++)
				out[i * dim + d] += p[j] / sum * v[j * dim + d];
	}
	free(p);
}

/* Column `col`, D wide, of rows row .. row+n-1 of x */
static double *slice(const float *x, int64_t stride, int64_t row, int64_t n, int64_t col, int64_t dim)
{
	double *y = xmalloc((size_t)(n * dim) * sizeof *y);
	int64_t i, d;

	for (i = 0; i < n; i++)
		for (d = 0; d < dim; d++)
			y[i * dim + d] = x[(row + i) * stride + col + d];
	return y;
}

struct batch {
	struct attention a;
	struct seq seq[8];
	float *qkv, *out, *lse;
};

static struct batch *batch_new(struct backend *be, const struct shape *s, int seqs, int64_t longest, double size)
{
	struct batch *b = xcalloc(1, sizeof *b);
	int64_t rows = 0;
	int i;

	for (i = 0; i < seqs; i++) {
		b->seq[i] = (struct seq){.row = rows, .n = (int32_t)(i == 0 ? longest : 1 + below(longest))};
		rows += b->seq[i].n;
	}
	b->a = (struct attention){.rows = rows, .heads = s->heads, .kv_heads = s->kv_heads, .head_dim = s->dim, .scale = 1 / sqrtf((float)s->dim),
				  .qkv_stride = (s->heads + 2 * s->kv_heads) * s->dim, .seq = b->seq, .seqs = seqs};
	b->a.qkv = b->qkv = random_floats(be, rows * b->a.qkv_stride, size);
	b->a.out = b->out = random_floats(be, rows * s->heads * s->dim, 1);
	b->a.lse = b->lse = random_floats(be, rows * s->heads, 1);
	return b;
}

static void batch_free(struct backend *be, struct batch *b)
{
	be->free(be, b->qkv);
	be->free(be, b->out);
	be->free(be, b->lse);
	free(b);
}

static void check_forward(struct backend *be, const struct batch *b)
{
	const struct attention *a = &b->a;
	const int64_t dim = a->head_dim;
	int64_t s, h, i, d;

	be->attention(be, a);
	for (s = 0; s < a->seqs; s++)
		for (h = 0; h < a->heads; h++) {
			const int64_t n = a->seq[s].n, row = a->seq[s].row, g = h / (a->heads / a->kv_heads);
			double *q = slice(a->qkv, a->qkv_stride, row, n, h * dim, dim);
			double *k = slice(a->qkv, a->qkv_stride, row, n, (a->heads + g) * dim, dim);
			double *v = slice(a->qkv, a->qkv_stride, row, n, (a->heads + a->kv_heads + g) * dim, dim);
			double *out = xmalloc((size_t)(n * dim) * sizeof *out), *lse = xmalloc((size_t)n * sizeof *lse);
			float *got = xmalloc((size_t)(n * dim) * sizeof *got);

			head_reference(q, k, v, n, dim, a->scale, out, lse);
			for (i = 0; i < n; i++) {
				CHECK_NEAR(a->lse[(row + i) * a->heads + h], lse[i], 1e-5);
				for (d = 0; d < dim; d++)
					got[i * dim + d] = b->out[((row + i) * a->heads + h) * dim + d];
			}
			CHECK_CLOSE(got, out, n * dim, 2e-6);
			free(q), free(k), free(v), free(out), free(lse), free(got);
		}
}

/* The same rows through pages in an order of their own, `chunk` positions at a call: the bits of training. Memory that was never written
 * holds NaN. */
static void check_cache(struct backend *be, const struct batch *b, int64_t chunk)
{
	const struct attention *a = &b->a;
	const int64_t page = a->kv_heads * a->head_dim * KV_PAGE, width = a->heads * a->head_dim;
	struct kv_cache cache = {.layers = 2, .k_width = a->kv_heads * a->head_dim, .v_width = a->kv_heads * a->head_dim,
				 .half = a->half_keys};
	int32_t *table[8];
	float *qkv, *out, *lse;
	int64_t s, i, at, rows, used = 0;

	for (s = 0; s < a->seqs; s++)
		cache.pages += (a->seq[s].n + KV_PAGE - 1) / KV_PAGE;
	cache.k = random_floats(be, 2 * cache.pages * page, 1);
	cache.v = random_floats(be, 2 * cache.pages * page, 1);
	for (i = 0; i < 2 * cache.pages * page; i++)
		((uint32_t *)cache.k)[i] = ((uint32_t *)cache.v)[i] = 0x7fc07fc0;       /* one, or two of bfloat16 */
	for (s = 0; s < a->seqs; s++) {
		table[s] = xmalloc(((size_t)a->seq[s].n / KV_PAGE + 1) * sizeof **table);
		for (i = 0; i < (a->seq[s].n + KV_PAGE - 1) / KV_PAGE; i++)
			table[s][i] = (int32_t)(cache.pages - 1 - used++);
	}
	qkv = random_floats(be, a->rows * a->qkv_stride, 1);
	out = random_floats(be, a->rows * width, 1);
	lse = random_floats(be, a->rows * a->heads, 1);
	for (at = 0;; at += chunk) {                    /* all sequences that are not at their end yet, in one call */
		struct attention part = *a;
		struct seq seq[8];

		part.seqs = rows = 0;
		for (s = 0; s < a->seqs; s++) {
			const struct seq *from = &a->seq[s];
			const int64_t n = from->n - at < chunk ? from->n - at : chunk;

			if (n <= 0)
				continue;
			memcpy(qkv + rows * a->qkv_stride, b->qkv + (from->row + at) * a->qkv_stride, (size_t)(n * a->qkv_stride) * sizeof *qkv);
			seq[part.seqs++] = (struct seq){.row = rows, .n = (int32_t)n, .past = (int32_t)at, .page = table[s]};
			rows += n;
		}
		if (!rows)
			break;
		part.rows = rows;
		part.qkv = qkv;
		part.out = out;
		part.lse = lse;
		part.seq = seq;
		part.cache = &cache;
		part.layer = 1;
		be->attention(be, &part);
		for (s = 0, rows = 0; s < a->seqs; s++) {
			const struct seq *from = &a->seq[s];
			const int64_t n = from->n - at < chunk ? from->n - at : chunk;

			if (n <= 0)
				continue;
			CHECK_SAME(out + rows * width, b->out + (from->row + at) * width, n * width);
			CHECK_SAME(lse + rows * a->heads, a->lse + (from->row + at) * a->heads, n * a->heads);
			rows += n;
		}
	}
	for (s = 0; s < a->seqs; s++)
		free(table[s]);
	be->free(be, cache.k);
	be->free(be, cache.v);
	be->free(be, qkv);
	be->free(be, out);
	be->free(be, lse);
}

/* The gradient in double, from the definition: softmax rows are P, out = P V. */
static void head_gradient(const double *q, const double *k, const double *v, const double *dout, int64_t n, int64_t dim, double scale,
			  double *dq, double *dk, double *dv)
{
	double *p = xmalloc((size_t)n * sizeof *p), *dp = xmalloc((size_t)n * sizeof *dp);
	int64_t i, j, d;

	for (i = 0; i < n; i++) {
		double max = -INFINITY, sum = 0, mean = 0;

		for (j = 0; j <= i; j++) {
			for (p[j] = 0, dp[j] = 0, d = 0; d < dim; d++) {
				p[j] += scale * q[i * dim + d] * k[j * dim + d];
				dp[j] += dout[i * dim + d] * v[j * dim + d];
			}
			max = fmax(max, p[j]);
		}
		for (j = 0; j <= i; j++)
			sum += p[j] = exp(p[j] - max);
		for (j = 0; j <= i; j++)
			mean += (p[j] /= sum) * dp[j];
		for (j = 0; j <= i; j++)
			for (d = 0; d < dim; d++) {
				dv[j * dim + d] += p[j] * dout[i * dim + d];
				dq[i * dim + d] += scale * p[j] * (dp[j] - mean) * k[j * dim + d];
				dk[j * dim + d] += scale * p[j] * (dp[j] - mean) * q[i * dim + d];
			}
	}
	free(p), free(dp);
}

static void add_slice(double *to, const double *x, int64_t stride, int64_t row, int64_t n, int64_t col, int64_t dim)
{
	int64_t i, d;

	for (i = 0; i < n; i++)
		for (d = 0; d < dim; d++)
			to[(row + i) * stride + col + d] += x[i * dim + d];
}

static uint64_t check_backward(struct backend *be, const struct batch *b)
{
	const struct attention *a = &b->a;
	const int64_t dim = a->head_dim, width = a->heads * dim, size = a->rows * a->qkv_stride;
	float *dout = random_floats(be, a->rows * width, 1), *dqkv = random_floats(be, size, 1);
	double *want = xcalloc((size_t)size, sizeof *want);
	int64_t s, h;
	uint64_t hash;

	for (s = 0; s < a->seqs; s++)
		for (h = 0; h < a->heads; h++) {
			const int64_t n = a->seq[s].n, row = a->seq[s].row, g = h / (a->heads / a->kv_heads);
			const int64_t at[3] = {h * dim, (a->heads + g) * dim, (a->heads + a->kv_heads + g) * dim};
			double *x[3], *dx[3], *d = slice(dout, width, row, n, h * dim, dim);
			int i;

			for (i = 0; i < 3; i++) {
				x[i] = slice(a->qkv, a->qkv_stride, row, n, at[i], dim);
				dx[i] = xcalloc((size_t)(n * dim), sizeof **dx);
			}
			head_gradient(x[0], x[1], x[2], d, n, dim, a->scale, dx[0], dx[1], dx[2]);
			for (i = 0; i < 3; i++) {
				add_slice(want, dx[i], a->qkv_stride, row, n, at[i], dim);
				free(x[i]), free(dx[i]);
			}
			free(d);
		}
	be->attention(be, a);
	be->attention_back(be, a, dout, dqkv);
	CHECK_CLOSE(dqkv, want, size, 3e-6);
	hash = bits_hash(dqkv, size);
	be->free(be, dout);
	be->free(be, dqkv);
	free(want);
	return hash;
}

/* With half_keys: the bits that floats give where keys and values are rounded already */
static void check_half_keys(struct backend *be, struct batch *b, bool slow)
{
	struct attention *a = &b->a;
	const int64_t width = a->heads * a->head_dim, size = a->rows * a->qkv_stride;
	float *qkv = random_floats(be, size, 1), *dout = random_floats(be, a->rows * width, 1);
	float *out = random_floats(be, a->rows * width, 1), *lse = random_floats(be, a->rows * a->heads, 1);
	float *dqkv[2] = {random_floats(be, size, 1), random_floats(be, size, 1)};
	struct attention plain = *a;
	int64_t i;

	for (i = 0; i < size; i++)
		qkv[i] = i % a->qkv_stride < width ? b->qkv[i] : from_half(to_half(b->qkv[i]));
	plain.qkv = qkv;
	plain.out = out;
	plain.lse = lse;
	be->attention(be, &plain);
	be->attention_back(be, &plain, dout, dqkv[0]);
	a->half_keys = true;
	be->attention(be, a);
	be->attention_back(be, a, dout, dqkv[1]);
	CHECK_SAME(b->out, out, a->rows * width);
	CHECK_SAME(b->lse, lse, a->rows * a->heads);
	CHECK_SAME(dqkv[1], dqkv[0], size);
	check_cache(be, b, 1000);
	check_cache(be, b, 1);
	if (!slow)
		check_cache(be, b, 33);
	a->half_keys = false;
	be->free(be, qkv), be->free(be, dout), be->free(be, out), be->free(be, lse), be->free(be, dqkv[0]), be->free(be, dqkv[1]);
}

/* The formula above is itself checked: one head, against differences of head_reference. */
static void check_gradient_formula(void)
{
	enum { N = 7, D = 3, SIZE = N * D };
	double x[4][SIZE], dx[3][SIZE] = {{0}}, out[SIZE], lse[N], h = 1e-6;
	int w, i, j;

	for (w = 0; w < 4; w++)
		for (i = 0; i < SIZE; i++)
			x[w][i] = 2 * rng_double(&test_rng) - 1;
	head_gradient(x[0], x[1], x[2], x[3], N, D, 0.7, dx[0], dx[1], dx[2]);
	for (w = 0; w < 3; w++)
		for (i = 0; i < SIZE; i++) {
			double sum = 0, keep = x[w][i];
			int sign;

			for (sign = -1; sign <= 1; sign += 2) {
				x[w][i] = keep + sign * h;
				head_reference(x[0], x[1], x[2], N, D, 0.7, out, lse);
				for (j = 0; j < SIZE; j++)
					sum += sign * out[j] * x[3][j];
			}
			x[w][i] = keep;
			CHECK_NEAR(dx[w][i], sum / (2 * h), 1e-8);
		}
}

int main(void)
{
	uint64_t want[SHAPES][2] = {{0}};
	struct backend *be;

	test_rng = rng_new(5, 5);
	check_gradient_formula();
	EACH_BACKEND(be) {
		const bool slow = strstr(be->what, "portable") != NULL;
		int i;

		for (i = 0; i < SHAPES; i++) {
			struct batch *b;
			uint64_t got[2];

			test_rng = rng_new(3, 4 + (uint64_t)i);
			b = batch_new(be, &shapes[i], 1 + i % 4, 70 + i, i % 2 ? 1 : 3);
			check_forward(be, b);
			check_cache(be, b, 1000);
			check_cache(be, b, 1);
			if (!slow) {
				check_cache(be, b, 7);
				check_cache(be, b, 16);
				check_cache(be, b, 33);
			}
			got[0] = bits_hash(b->out, b->a.rows * b->a.heads * b->a.head_dim);
			test_rng = rng_new(6, (uint64_t)i);
			got[1] = check_backward(be, b);
			if (be_i == 0)
				memcpy(want[i], got, sizeof got);
			CHECK(got[0] == want[i][0]);            /* all instruction sets and threads, to the bit */
			CHECK(got[1] == want[i][1]);
			if (!other_backend())
				check_half_keys(be, b, slow);
			batch_free(be, b);
		}
		if (!slow) {                                    /* more tiles of the gradient */
			struct batch *b = batch_new(be, &(struct shape){3, 1, 16}, 2, 333, 2);

			check_forward(be, b);
			check_backward(be, b);
			batch_free(be, b);
		}
		backend_close(be);
	}
	return 0;
}
