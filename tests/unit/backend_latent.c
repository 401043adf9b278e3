/* Latent attention: against a reference in double; the same bits in training, through the cache all at once, in chunks and token by token, on
 * any threads and instruction set; its gradient against differences of the reference. */
#include "backend_util.h"

struct shape {
	int64_t heads, key_dim, value_dim;
};
static const struct shape shapes[] = {{4, 12, 8}, {1, 7, 5}, {3, 48, 32}, {20, 24, 16}, {130, 9, 6}, {12, 80, 64}};
#define SHAPES ((int)(sizeof shapes / sizeof *shapes))

struct batch {
	struct latent a;
	struct seq seq[4];
	float *q, *keys, *out, *lse;
};

static struct batch *batch_new(struct backend *be, const struct shape *s, int seqs, int64_t longest)
{
	struct batch *b = xcalloc(1, sizeof *b);
	int64_t rows = 0;
	int i;

	for (i = 0; i < seqs; i++) {
		b->seq[i] = (struct seq){.row = rows, .n = (int32_t)(i == 0 ? longest : 1 + below(longest))};
		rows += b->seq[i].n;
	}
	b->a = (struct latent){.rows = rows, .heads = s->heads, .key_dim = s->key_dim, .value_dim = s->value_dim,
			       .scale = 1.3f / sqrtf((float)s->key_dim), .seq = b->seq, .seqs = seqs};
	b->a.q = b->q = random_floats(be, rows * s->heads * s->key_dim, 2);
	b->a.keys = b->keys = random_floats(be, rows * s->key_dim, 2);
	b->a.out = b->out = random_floats(be, rows * s->heads * s->value_dim, 1);
	b->a.lse = b->lse = random_floats(be, rows * s->heads, 1);
	return b;
}

static void batch_free(struct backend *be, struct batch *b)
{
	be->free(be, b->q), be->free(be, b->keys), be->free(be, b->out), be->free(be, b->lse);
	free(b);
}

/* Position i, head h of a sequence whose first row is `row`: out[R] and the log of the sum; p [i + 1] is room. */
static double reference(const struct latent *a, int64_t row, int64_t i, int64_t h, double *p, double *out)
{
	const float *q = a->q + ((row + i) * a->heads + h) * a->key_dim;
	double max = -INFINITY, sum = 0;
	int64_t j, d;

	for (j = 0; j <= i; j++) {
		for (p[j] = 0, d = 0; d < a->key_dim; d++)
			p[j] += (double)a->scale * q[d] * a->keys[(row + j) * a->key_dim + d];
		max = fmax(max, p[j]);
	}
	for (j = 0; j <= i; j++)
		sum += p[j] = exp(p[j] - max);
	for (d = 0; d < a->value_dim; d++)
		for (out[d] = 0, j = 0; j <= i; j++)
			out[d] += p[j] / sum * a->keys[(row + j) * a->key_dim + d];
	return max + log(sum);
}

static void check_forward(struct backend *be, const struct batch *b)
{
	const struct latent *a = &b->a;
	double p[512], out[64];
	int64_t s, i, h;

	be->latent(be, a);
	for (s = 0; s < a->seqs; s++)
		for (i = 0; i < a->seq[s].n; i++)
			for (h = 0; h < a->heads; h++) {
				const int64_t at = (a->seq[s].row + i) * a->heads + h;

				CHECK_NEAR(a->lse[at], reference(a, a->seq[s].row, i, h, p, out), 2e-5);
				CHECK_CLOSE(a->out + at * a->value_dim, out, a->value_dim, 4e-6);
			}
}

/* The same rows through pages in an order of their own, `chunk` positions at a call. Memory that was never written holds NaN. */
static void check_cache(struct backend *be, const struct batch *b, int64_t chunk)
{
	const struct latent *a = &b->a;
	const int64_t K = a->key_dim, HK = a->heads * K, HR = a->heads * a->value_dim;
	struct kv_cache cache = {.layers = 2, .k_width = K};
	float *q = random_floats(be, a->rows * HK, 1), *keys = random_floats(be, a->rows * K, 1), *out = random_floats(be, a->rows * HR, 1);
	int32_t *table[4];
	int64_t s, i, at, rows, used = 0;

	for (s = 0; s < a->seqs; s++)
		cache.pages += (a->seq[s].n + KV_PAGE - 1) / KV_PAGE;
	cache.k = random_floats(be, 2 * cache.pages * K * KV_PAGE, 1);
	for (i = 0; i < 2 * cache.pages * K * KV_PAGE; i++)
		((float *)cache.k)[i] = NAN;
	for (s = 0; s < a->seqs; s++) {
		table[s] = xmalloc(((size_t)a->seq[s].n / KV_PAGE + 1) * sizeof **table);
		for (i = 0; i < (a->seq[s].n + KV_PAGE - 1) / KV_PAGE; i++)
			table[s][i] = (int32_t)(cache.pages - 1 - used++);
	}
	for (at = 0;; at += chunk) {                    /* all sequences that are not at their end yet, in one call */
		struct latent part = *a;
		struct seq seq[4];

		part.seqs = rows = 0;
		for (s = 0; s < a->seqs; s++) {
			const int64_t n = a->seq[s].n - at < chunk ? a->seq[s].n - at : chunk, from = a->seq[s].row + at;

			if (n <= 0)
				continue;
			memcpy(q + rows * HK, a->q + from * HK, (size_t)(n * HK) * sizeof *q);
			memcpy(keys + rows * K, a->keys + from * K, (size_t)(n * K) * sizeof *keys);
			seq[part.seqs++] = (struct seq){.row = rows, .n = (int32_t)n, .past = (int32_t)at, .page = table[s]};
			rows += n;
		}
		if (!rows)
			break;
		part.rows = rows;
		part.q = q, part.keys = keys, part.out = out, part.lse = NULL, part.seq = seq;
		part.cache = &cache;
		part.layer = 1;
		be->latent(be, &part);
		for (s = 0, rows = 0; s < a->seqs; s++) {
			const int64_t n = a->seq[s].n - at < chunk ? a->seq[s].n - at : chunk;

			if (n <= 0)
				continue;
			CHECK_SAME(out + rows * HR, a->out + (a->seq[s].row + at) * HR, n * HR);
			rows += n;
		}
	}
	for (s = 0; s < a->seqs; s++)
		free(table[s]);
	be->free(be, cache.k), be->free(be, q), be->free(be, keys), be->free(be, out);
}

/* From the definition: with p the softmax and g_j = dout . v_j, the score's gradient is p_j (g_j - sum p g); keys gather it and, as values,
 * p_j dout. */
static void gradient(const struct latent *a, const float *dout, double *dq, double *dkeys)
{
	const int64_t K = a->key_dim, R = a->value_dim;
	double p[512], g[512], out[64];
	int64_t s, i, h, j, d;

	for (s = 0; s < a->seqs; s++)
		for (i = 0; i < a->seq[s].n; i++)
			for (h = 0; h < a->heads; h++) {
				const int64_t row = a->seq[s].row, at = (row + i) * a->heads + h;
				const float *o = dout + at * R;
				double sum = 0, mean = 0;

				reference(a, row, i, h, p, out);
				for (j = 0; j <= i; j++)
					sum += p[j];
				for (j = 0; j <= i; j++) {
					p[j] /= sum;
					for (g[j] = 0, d = 0; d < R; d++)
						g[j] += (double)o[d] * a->keys[(row + j) * K + d];
					mean += p[j] * g[j];
				}
				for (j = 0; j <= i; j++)
					for (d = 0; d < K; d++) {
						const double ds = (double)a->scale * p[j] * (g[j] - mean);

						dq[at * K + d] += ds * a->keys[(row + j) * K + d];
						dkeys[(row + j) * K + d] += ds * a->q[at * K + d] + (d < R ? p[j] * o[d] : 0);
					}
			}
}

static uint64_t check_backward(struct backend *be, const struct batch *b)
{
	const struct latent *a = &b->a;
	const int64_t nq = a->rows * a->heads * a->key_dim, nk = a->rows * a->key_dim, no = a->rows * a->heads * a->value_dim;
	float *dout = random_floats(be, no, 1), *dq = random_floats(be, nq, 1), *dkeys = random_floats(be, nk, 1);
	double *want_q = xcalloc((size_t)nq, sizeof *want_q), *want_keys = xcalloc((size_t)nk, sizeof *want_keys);
	uint64_t hash;

	gradient(a, dout, want_q, want_keys);
	be->latent(be, a);
	be->latent_back(be, a, dout, dq, dkeys);
	CHECK_CLOSE(dq, want_q, nq, 1e-5);
	CHECK_CLOSE(dkeys, want_keys, nk, 1e-5);
	hash = hash_mix(bits_hash(dq, nq), bits_hash(dkeys, nk));
	be->free(be, dout), be->free(be, dq), be->free(be, dkeys);
	free(want_q), free(want_keys);
	return hash;
}

/* The formula above is itself checked, against differences of the reference. */
static void check_gradient_formula(struct backend *be)
{
	struct batch *b = batch_new(be, &(struct shape){2, 5, 3}, 2, 6);
	const struct latent *a = &b->a;
	const int64_t nq = a->rows * 10, nk = a->rows * 5;
	float *dout = random_floats(be, a->rows * 6, 1);
	double dx[2][200] = {{0}}, p[512], out[64];
	int64_t i, s, j, h, d;
	int which;

	CHECK(nq <= 200);
	gradient(a, dout, dx[0], dx[1]);
	for (which = 0; which < 2; which++)
		for (i = 0; i < (which ? nk : nq); i++) {
			float *x = (which ? b->keys : b->q) + i, keep = *x;
			double sum = 0, step = 0;
			int sign;

			for (sign = -1; sign <= 1; sign += 2) {
				*x = keep + (float)sign * 1e-3f;
				step += sign * (double)*x;
				for (s = 0; s < a->seqs; s++)
					for (j = 0; j < a->seq[s].n; j++)
						for (h = 0; h < 2; h++) {
							reference(a, a->seq[s].row, j, h, p, out);
							for (d = 0; d < 3; d++)
								sum += sign * out[d] * dout[((a->seq[s].row + j) * 2 + h) * 3 + d];
						}
			}
			*x = keep;
			CHECK_NEAR(dx[which][i], sum / step, 3e-5);
		}
	be->free(be, dout);
	batch_free(be, b);
}

int main(void)
{
	uint64_t want[SHAPES][2] = {{0}};
	struct backend *be;

	EACH_BACKEND(be) {
		const bool slow = strstr(be->what, "portable") != NULL;
		int i;

		test_rng = rng_new(3, 4);
		check_gradient_formula(be);
		for (i = 0; i < SHAPES; i++) {
			struct batch *b = batch_new(be, &shapes[i], 1 + i % 3, 50 + i);
			uint64_t got[2];

			check_forward(be, b);
			check_cache(be, b, 1000);
			check_cache(be, b, 1);
			if (!slow) {
				check_cache(be, b, 7);
				check_cache(be, b, 16);
				check_cache(be, b, 33);
			}
			got[0] = bits_hash(b->out, b->a.rows * b->a.heads * b->a.value_dim);
			test_rng = rng_new(6, (uint64_t)i);
			got[1] = check_backward(be, b);
			if (be_i == 0)
				memcpy(want[i], got, sizeof got);
			CHECK(got[0] == want[i][0]);            /* all instruction sets and threads, to the bit */
			CHECK(got[1] == want[i][1]);
			batch_free(be, b);
		}
		if (!slow) {                                    /* several tiles of the gradient */
			struct batch *b = batch_new(be, &(struct shape){9, 20, 16}, 1, 260);

			check_forward(be, b);
			check_backward(be, b);
			batch_free(be, b);
		}
		backend_close(be);
	}
	return 0;
}
