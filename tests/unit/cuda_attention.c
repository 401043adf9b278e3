/* Attention of another backend (R1_TEST_BACKEND) against the CPU's, which is checked against references: heads that share keys, widths and lengths
 * of all kinds, new rows after past ones, pages that two sequences have, one row of some sequences beside many of others, and gradients; in float32,
 * and with rows and pages of bfloat16, which the CPU has as float32. What is the same call has the same bits. */
#include "backend_util.h"

enum { SEQS = 24 };

struct shape {
	int64_t heads, kv_heads, dim;
	int seqs;
	int64_t longest;
};
static const struct shape shapes[] = {
	{1, 1, 8, 1, 5}, {2, 1, 64, 2, 300}, {4, 1, 40, 3, 90}, {7, 1, 128, 2, 70}, {4, 2, 192, 2, 70}, {18, 1, 64, 2, 40}, {2, 2, 256, 2, 70}, {6, 3, 80, SEQS, 12},
	{3, 3, 20, 4, 130}, {2, 1, 6, 3, 40}, {2, 1, 24, 2, 40}, {1, 1, 8, 1, 700}
};
static const struct shape latents[] = {{16, 576, 512, 2, 20}, {5, 40, 32, 4, 100}, {3, 7, 5, 2, 40}, {2, 320, 256, 1, 80}};     /* heads, K, R */

struct side {                           /* what one backend has */
	struct backend *be;
	float *in, *keys, *out, *lse, *dout, *din, *dkeys;
	uint16_t *in16, *out16, *dout16, *din16;        /* where rows are of bfloat16: what is computed with; else NULL */
	struct kv_cache cache;
};
static struct side side[2];
static double most;                     /* error that is allowed */

static void compare(const char *what, const float *want, const float *got, int64_t n)
{
	const double off = difference(got, want, n);

	note_error(off, most);
	if (!(off <= most))
		TEST_FAIL("%s: %s is off by %g of its size, %g is allowed", side[1].be->what, what, off, most);
}

static float *room(int i, int64_t n)
{
	return side[i].be->alloc(side[i].be, (size_t)(n ? n : 1) * sizeof(float));
}

/* Arrays of both sides; what goes in is the same. half: of the other one's rows and pages */
static void sides_new(int64_t in, int64_t keys, int64_t out, int64_t lse, int64_t page, bool values, int64_t pages, bool half)
{
	int64_t k;
	int i;

	for (i = 0; i < 2; i++) {
		struct side *s = &side[i];

		s->in = room(i, in), s->keys = room(i, keys), s->out = room(i, out), s->lse = room(i, lse), s->dout = room(i, out);
		s->din = room(i, in), s->dkeys = room(i, keys);
		s->in16 = s->out16 = s->dout16 = s->din16 = NULL;
		s->cache = (struct kv_cache){.layers = 2, .pages = pages, .k_width = page, .v_width = values ? page : 0, .half = i && half};
		s->cache.k = s->be->alloc(s->be, (size_t)(2 * pages) * kv_page_bytes(&s->cache, s->cache.k_width));
		s->cache.v = s->be->alloc(s->be, (size_t)(2 * pages) * kv_page_bytes(&s->cache, s->cache.v_width));
	}
	for (k = 0; k < in; k++)
		side[0].in[k] = side[1].in[k] = (float)(4 * rng_double(&test_rng) - 2);
	for (k = 0; k < keys; k++)
		side[0].keys[k] = side[1].keys[k] = (float)(4 * rng_double(&test_rng) - 2);
	for (k = 0; k < out; k++)
		side[0].dout[k] = side[1].dout[k] = (float)(2 * rng_double(&test_rng) - 1);
	if (!half)
		return;
	side[1].in16 = halves(side[1].be, side[1].in, in);
	side[1].dout16 = halves(side[1].be, side[1].dout, out);
	side[1].out16 = random_halves(side[1].be, out);
	side[1].din16 = random_halves(side[1].be, in);
	memcpy(side[0].in, side[1].in, (size_t)in * sizeof(float));
	memcpy(side[0].dout, side[1].dout, (size_t)out * sizeof(float));
}

static void sides_free(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct side *s = &side[i];
		void *all[] = {s->in, s->keys, s->out, s->lse, s->dout, s->din, s->dkeys, s->cache.k, s->cache.v, s->in16, s->out16, s->dout16, s->din16};
		size_t k;

		for (k = 0; k < sizeof all / sizeof *all; k++)
			s->be->free(s->be, all[k]);
	}
}

static void forward(const struct shape *s, bool latent, const struct seq *seq, int seqs, int64_t rows, bool cache)
{
	const int64_t width = (s->heads + 2 * s->kv_heads) * s->dim;
	const bool twice = !emulated(side[1].be) || rows < 100;
	uint64_t hash[2];
	int i;

	for (i = 0; i < 2 + twice; i++) {       /* the other one twice */
		struct side *x = &side[i > 0];

		if (latent)
			x->be->latent(x->be, &(struct latent){.rows = rows, .heads = s->heads, .key_dim = s->kv_heads, .value_dim = s->dim, .scale = 0.07f,
				.q = x->in, .keys = x->keys, .out = x->out, .lse = x->lse, .seq = seq, .seqs = seqs, .cache = cache ? &x->cache : NULL, .layer = cache});
		else
			x->be->attention(x->be, &(struct attention){.rows = rows, .heads = s->heads, .kv_heads = s->kv_heads, .head_dim = s->dim,
				.scale = 1 / sqrtf((float)s->dim), .qkv = x->in16 ? (void *)x->in16 : x->in, .qkv_stride = width,
				.out = x->out16 ? (void *)x->out16 : x->out, .lse = x->lse, .seq = seq, .seqs = seqs,
				.cache = cache ? &x->cache : NULL, .layer = cache, .half = x->in16});
		if (x->out16)
			widen(x->out, x->out16, rows * s->heads * s->dim);
		if (i)
			hash[i - 1] = bits_hash(x->out, rows * s->heads * s->dim);
	}
	CHECK(!twice || hash[0] == hash[1]);
	compare(cache ? "out, by pages" : "out", side[0].out, side[1].out, rows * s->heads * s->dim);
	compare("lse", side[0].lse, side[1].lse, rows * s->heads);
}

static void backward(const struct shape *s, bool latent, const struct seq *seq, int seqs, int64_t rows)
{
	const int64_t width = (s->heads + 2 * s->kv_heads) * s->dim, q = s->heads * s->dim, kv = s->kv_heads * s->dim;
	int64_t k, n = rows * s->heads * (latent ? s->kv_heads : 0);
	int i;

	for (i = 0; i < 2; i++) {
		struct side *x = &side[i];

		if (latent)
			x->be->latent_back(x->be, &(struct latent){.rows = rows, .heads = s->heads, .key_dim = s->kv_heads, .value_dim = s->dim, .scale = 0.07f,
				.q = x->in, .keys = x->keys, .out = x->out, .lse = x->lse, .seq = seq, .seqs = seqs}, x->dout, x->din, x->dkeys);
		else
			x->be->attention_back(x->be, &(struct attention){.rows = rows, .heads = s->heads, .kv_heads = s->kv_heads, .head_dim = s->dim,
				.scale = 1 / sqrtf((float)s->dim), .qkv = x->in16 ? (void *)x->in16 : x->in, .qkv_stride = width,
				.out = x->out16 ? (void *)x->out16 : x->out, .lse = x->lse, .seq = seq, .seqs = seqs, .half = x->in16},
				x->dout16 ? (void *)x->dout16 : x->dout, x->din16 ? (void *)x->din16 : x->din);
		if (x->din16)
			widen(x->din, x->din16, rows * width);
	}
	if (latent) {
		compare("dq", side[0].din, side[1].din, n);
		compare("dkeys", side[0].dkeys, side[1].dkeys, rows * s->kv_heads);
		return;
	}
	for (i = 0; i < 2; i++) {               /* q, k and v apart: their sizes differ */
		float *x = xmalloc((size_t)(rows * width) * sizeof *x);

		for (k = 0; k < rows; k++) {
			memcpy(x + k * q, side[i].din + k * width, (size_t)q * sizeof *x);
			memcpy(x + rows * q + k * kv, side[i].din + k * width + q, (size_t)kv * sizeof *x);
			memcpy(x + rows * (q + kv) + k * kv, side[i].din + k * width + q + kv, (size_t)kv * sizeof *x);
		}
		memcpy(side[i].din, x, (size_t)(rows * width) * sizeof *x);
		free(x);
	}
	compare("dq", side[0].din, side[1].din, rows * q);
	compare("dk", side[0].din + rows * q, side[1].din + rows * q, rows * kv);
	compare("dv", side[0].din + rows * (q + kv), side[1].din + rows * (q + kv), rows * kv);
}

/* Prompts, then single rows and longer pieces in one call, then single rows of all; the last sequence has the first one's first pages. */
static void by_pages(const struct shape *s, bool latent, struct seq *seq, int32_t (*page)[64])
{
	const int32_t shared = seq[0].n / KV_PAGE * KV_PAGE;
	int64_t rows = 0;
	int i, step;

	for (i = 0; i < s->seqs; i++)
		rows += seq[i].n;
	forward(s, latent, seq, s->seqs, rows, true);
	for (step = 0; step < 3; step++) {
		int seqs = s->seqs;

		for (i = 0, rows = 0; i < seqs; i++) {
			seq[i].past += seq[i].n;
			seq[i].n = step == 1 ? 1 : 1 + (int32_t)below(2) * (int32_t)below(20);
			seq[i].row = rows;
			rows += seq[i].n;
		}
		if (step == 2 && shared) {
			memcpy(page[seqs], page[0], (size_t)(shared / KV_PAGE) * sizeof **page);
			seq[seqs] = (struct seq){.row = rows, .n = 1, .past = shared, .page = page[seqs]};
			rows += seq[seqs++].n;
		}
		forward(s, latent, seq, seqs, rows, true);
	}
}

/* half: rows and pages of the other backend are of bfloat16 */
static void check(const struct shape *s, bool latent, bool half)
{
	const int64_t width = (s->heads + 2 * s->kv_heads) * s->dim, most_rows = s->seqs * (s->longest + 40) + 40;
	static int32_t page[SEQS + 1][64];
	struct seq seq[SEQS + 1];
	int64_t rows = 0, used = 0, k;
	int i;

	for (i = 0; i < s->seqs; i++) {
		seq[i] = (struct seq){.row = rows, .n = (int32_t)(i == 0 ? s->longest : 1 + below(s->longest))};
		rows += seq[i].n;
	}
	for (i = 0; i <= s->seqs; i++)
		for (k = 0; k < 64; k++)
			page[i][k] = (int32_t)(used++ * 7 % ((s->seqs + 1) * 64 + 1));
	sides_new(most_rows * (latent ? s->heads * s->kv_heads : width), latent ? most_rows * s->kv_heads : 0, most_rows * s->heads * s->dim, most_rows * s->heads,
		  latent ? s->kv_heads : s->kv_heads * s->dim, !latent, (s->seqs + 1) * 64 + 1, half);
	forward(s, latent, seq, s->seqs, rows, false);
	backward(s, latent, seq, s->seqs, rows);
	for (i = 0; i < s->seqs; i++)
		seq[i].page = page[i];
	by_pages(s, latent, seq, page);
	sides_free();
}

int main(void)
{
	size_t i;
	int half;

	if (!other_backend())
		return 77;
	side[0].be = backend_cpu_new(2);
	side[1].be = open_other();
	for (half = 0; half < 2; half++) {
		side[1].be->half = half;
		most = half ? 1e-2 : 1e-5;
		test_rng = rng_new(8, 9);
		for (i = 0; i < sizeof shapes / sizeof *shapes; i++)
			check(&shapes[i], false, half);
		for (i = 0; i < sizeof latents / sizeof *latents; i++)
			check(&latents[i], true, false);
	}
	most = 1e-5;                            /* rows of float32 are computed with as such in a model of 16 bits, too */
	for (i = 2; i < sizeof shapes / sizeof *shapes; i += 4)
		check(&shapes[i], false, false);
	backend_close(side[0].be);
	backend_close(side[1].be);
	return 0;
}
