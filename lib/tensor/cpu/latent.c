/* latent.c - latent attention over a flat batch: some heads of some positions of a sequence are what a thread takes; the way back is
 * matrix products
 */
#include <stdlib.h>
#include <string.h>

#include "tensor/cpu/cpu.h"

#define ROWS_EACH 64            /* rows (positions by heads) of an item: so many share the turning of a page */
#define ROWS_LEAST 12           /* fewer, where there are threads to spare */
#define BACK_ROWS 1024          /* rows of a tile on the way back */

struct item {
	int32_t seq, first, n, head, heads;
};

struct job {
	struct cpu *cpu;
	const struct latent *a;
	struct item *item;
	int64_t items;
	float *keys;                    /* the pages of this layer, or NULL */
};

/* Position p of the sequence, which is a page's first */
static const float *page_at(const struct job *j, const struct seq *s, int64_t p)
{
	if (!j->keys)
		return j->a->keys + (s->row + p) * j->a->key_dim;
	return j->keys + s->page[p / KV_PAGE] * KV_PAGE * j->a->key_dim;
}

static void write_seqs(void *arg, int64_t from, int64_t to, int worker)
{
	const struct job *j = arg;
	const int64_t dim = j->a->key_dim;

	(void)worker;
	for (; from < to; from++) {
		const struct seq *s = &j->a->seq[from];
		int64_t i, rows;

		for (i = 0; i < s->n; i += rows) {
			const int64_t p = s->past + i, slot = p % KV_PAGE;

			rows = MIN(KV_PAGE - slot, s->n - i);
			memcpy(j->keys + (s->page[p / KV_PAGE] * KV_PAGE + slot) * dim, j->a->keys + (s->row + i) * dim,
			       (size_t)(rows * dim) * sizeof *j->keys);
		}
	}
}

static void attend_items(void *arg, int64_t from, int64_t to, int worker)
{
	const struct job *j = arg;
	const struct latent *a = j->a;
	const struct kernels *kern = j->cpu->kern;

	for (; from < to; from++) {
		const struct item *item = &j->item[from];
		const struct seq *s = &a->seq[item->seq];
		const int64_t row = (s->row + item->first) * a->heads + item->head, pages = div_up(s->past + item->first + item->n, KV_PAGE);
		struct attend_latent at = {.first = s->past + item->first, .n = item->n, .heads = item->heads, .key_dim = a->key_dim,
					   .value_dim = a->value_dim, .scale = a->scale, .q = a->q + row * a->key_dim,
					   .q_stride = a->heads * a->key_dim, .stride = a->key_dim, .out = a->out + row * a->value_dim,
					   .out_stride = a->heads * a->value_dim, .lse = a->lse ? a->lse + row : NULL, .lse_stride = a->heads};
		const int64_t pointers = pages * (int64_t)(sizeof(const void *) / sizeof(float));
		const void **page = (const void **)cpu_scratch(&j->cpu->worker[worker], pointers + kern->attend_latent_scratch(&at));
		int64_t i;

		for (i = 0; i < pages; i++)
			page[i] = page_at(j, s, i * KV_PAGE);
		at.page = page;
		at.scratch = (float *)(page + pages);
		kern->attend_latent(&at);
	}
}

/* The longest first, so that no thread is left alone with one at the end */
static int longer_first(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return x->first + x->n != y->first + y->n ? (x->first + x->n < y->first + y->n) - (x->first + x->n > y->first + y->n)
	     : x->seq != y->seq ? (x->seq > y->seq) - (x->seq < y->seq) : (x->head > y->head) - (x->head < y->head);
}

/* Items of `each` positions and at most `heads` heads; returns the cost of the mean one in nanoseconds, about. */
static double make_items(struct job *j, int64_t each, int64_t heads)
{
	const struct latent *a = j->a;
	const int64_t parts = div_up(a->heads, heads);
	double cost = 0;
	int64_t s, i, h, n = 0;

	for (s = 0; s < a->seqs; s++)
		n += div_up(a->seq[s].n, each) * parts;
	j->item = (struct item *)cpu_scratch(&j->cpu->shared, n * (int64_t)(sizeof *j->item / sizeof(float)));
	j->items = 0;
	for (s = 0; s < a->seqs; s++)
		for (i = 0; i < a->seq[s].n; i += each)
			for (h = 0; h < parts; h++) {
				const int64_t count = MIN(each, a->seq[s].n - i), first = h * a->heads / parts, end = (h + 1) * a->heads / parts;

				j->item[j->items++] = (struct item){(int32_t)s, (int32_t)i, (int32_t)count, (int32_t)first, (int32_t)(end - first)};
				cost += (double)(count * (end - first)) * (double)(a->seq[s].past + i + count);
			}
	return n ? cost / (double)n * (double)(a->key_dim + a->value_dim) * 2 / 50 : 0;
}

void cpu_latent(struct backend *be, const struct latent *a)
{
	struct job j = {.cpu = cpu_of(be), .a = a};
	const int64_t each = MAX(1, ROWS_EACH / a->heads);
	int64_t heads = MIN(a->heads, ROWS_EACH), positions = 0, s;
	double cost;

	if (a->cache) {
		j.keys = (float *)a->cache->k + a->layer * a->cache->pages * a->cache->k_width * KV_PAGE;
		pool_run(j.cpu->pool, a->seqs, cpu_grain((double)a->rows / (double)MAX(1, a->seqs) * (double)a->key_dim * 0.3), write_seqs, &j);
	}
	for (s = 0; s < a->seqs; s++)
		positions += div_up(a->seq[s].n, each);
	while (heads > ROWS_LEAST && positions * div_up(a->heads, heads) < 2 * j.cpu->threads)
		heads = div_up(heads, 2);
	cost = make_items(&j, each, heads);
	qsort(j.item, (size_t)j.items, sizeof *j.item, longer_first);
	pool_run(j.cpu->pool, j.items, cpu_grain(cost + 100), attend_items, &j);
}

/* One tile on the way back: m rows from `row` on, position by position, over the keys 0 .. n-1 of their sequence */
struct tile {
	struct cpu *cpu;
	const struct latent *a;
	const float *dout;
	float *p, *ds;                  /* [m][n] */
	int64_t row, n, first;          /* first: position of the first row */
};

static void back_rows(void *arg, int64_t from, int64_t to, int worker)
{
	const struct tile *t = arg;
	const struct latent *a = t->a;

	(void)worker;
	for (; from < to; from++) {
		const int64_t row = t->row + from, seen = t->first + from / a->heads + 1;

		t->cpu->kern->attend_latent_back(t->p + from * t->n, t->ds + from * t->n, seen, t->n, a->scale, a->lse[row],
						 a->out + row * a->value_dim, t->dout + row * a->value_dim, a->value_dim);
	}
}

/* p = softmax, ds = scale p (dout v - delta);  dq = ds k;  dk += ds^T q and, in the columns that are values, p^T dout */
static void back_tile(struct backend *be, struct tile *t, int64_t m, const float *keys, float *dq, float *dkeys)
{
	const struct latent *a = t->a;
	const int64_t K = a->key_dim, R = a->value_dim, n = t->n;
	const float *q = a->q + t->row * K, *dout = t->dout + t->row * R;

	cpu_gemm(be, &(struct gemm){.m = m, .n = n, .k = K, .a = q, .lda = K, .b = keys, .ldb = K, .trans_b = true, .c = t->p, .ldc = n});
	cpu_gemm(be, &(struct gemm){.m = m, .n = n, .k = R, .a = dout, .lda = R, .b = keys, .ldb = K, .trans_b = true, .c = t->ds, .ldc = n});
	pool_run(t->cpu->pool, m, cpu_grain((double)n + (double)R * 0.2), back_rows, t);
	cpu_gemm(be, &(struct gemm){.m = m, .n = K, .k = n, .a = t->ds, .lda = n, .b = keys, .ldb = K, .c = dq + t->row * K, .ldc = K});
	cpu_gemm(be, &(struct gemm){.m = n, .n = K, .k = m, .a = t->ds, .lda = n, .trans_a = true, .b = q, .ldb = K, .c = dkeys, .ldc = K,
				    .accumulate = true});
	cpu_gemm(be, &(struct gemm){.m = n, .n = R, .k = m, .a = t->p, .lda = n, .trans_a = true, .b = dout, .ldb = R, .c = dkeys, .ldc = K,
				    .accumulate = true});
}

void cpu_latent_back(struct backend *be, const struct latent *a, const float *dout, float *dq, float *dkeys)
{
	struct tile t = {.cpu = cpu_of(be), .a = a, .dout = dout};
	const int64_t each = MAX(1, BACK_ROWS / a->heads);      /* of the sizes alone: it is part of the sums' order */
	int64_t s, i;

	memset(dkeys, 0, (size_t)(a->rows * a->key_dim) * sizeof *dkeys);
	for (s = 0; s < a->seqs; s++) {
		const struct seq *seq = &a->seq[s];

		for (i = 0; i < seq->n; i += each) {
			const int64_t some = MIN(each, seq->n - i), m = some * a->heads;

			t.n = i + some;
			t.first = i;
			t.row = (seq->row + i) * a->heads;
			t.p = cpu_scratch(&t.cpu->shared, 2 * m * t.n);
			t.ds = t.p + m * t.n;
			back_tile(be, &t, m, a->keys + seq->row * a->key_dim, dq, dkeys + seq->row * a->key_dim);
		}
	}
}
