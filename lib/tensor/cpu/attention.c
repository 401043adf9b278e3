/* attention.c - attention over a flat batch: the items that threads take are some positions of a sequence for one key/value head
 *
 * Keys and values come from pages (struct kv_cache), in training from pages made for the call, so that there is one way only to compute a row.
 */
#include <stdlib.h>
#include <string.h>

#include "tensor/cpu/cpu.h"

#define ROWS_EACH 48            /* rows (positions by heads) of an item */
#define HALF_DIMS 64            /* of a head that keys are rounded by at once */

struct item {
	int32_t seq, head, first, n;    /* key/value head; positions past + first ... of the sequence */
};

struct job {
	struct cpu *cpu;
	const struct attention *a;
	struct item *item;
	int64_t items;
	char *k, *v;                    /* the pages of this layer */
	int64_t *page;                  /* without a cache: [seqs], where a sequence's pages start */
	bool write;                     /* an item writes the keys and values of its positions first: nobody else reads them */
	const float *dout;
	float *dqkv;
};

/* One key/value head's part of a page, and a whole one, in bytes */
static size_t head_bytes(const struct attention *a)
{
	return kv_page_bytes(&(struct kv_cache){.half = a->half_keys}, a->head_dim);
}

static size_t page_bytes(const struct attention *a)
{
	return (size_t)a->kv_heads * head_bytes(a);
}

/* Where a page of the sequence stands, for that head, in job->k and job->v */
static size_t page_at(const struct job *j, int64_t seq, int64_t head, int64_t page)
{
	return (size_t)(j->page ? j->page[seq] + page : j->a->seq[seq].page[page]) * page_bytes(j->a) + (size_t)head * head_bytes(j->a);
}

/* Keys of `rows` rows into slots slot .. slot+rows-1 of a page, [dim][KV_PAGE], and values, [KV_PAGE][dim] */
static void write_floats(const struct kernels *kern, float *k_page, float *v_page, int64_t slot, int64_t rows, const float *k, const float *v,
			 int64_t stride, int64_t dim)
{
	int64_t r, d;

	for (r = 0; r < rows; r++)
		memcpy(v_page + (slot + r) * dim, v + r * stride, (size_t)dim * sizeof *v);
	if (rows == KV_PAGE)
		kern->transpose(k_page, k, stride, KV_PAGE, dim);
	else
		for (r = 0; r < rows; r++)
			for (d = 0; d < dim; d++)
				k_page[d * KV_PAGE + slot + r] = k[r * stride + d];
}

/* The same, rounded to bfloat16 */
static void write_halves(const struct kernels *kern, uint16_t *k_page, uint16_t *v_page, int64_t slot, int64_t rows, const float *k, const float *v,
			 int64_t stride, int64_t dim)
{
	float turned[HALF_DIMS * KV_PAGE];
	uint16_t half[HALF_DIMS];
	int64_t r, d, i, some;

	for (r = 0; r < rows; r++)
		kern->narrow(v_page + (slot + r) * dim, v + r * stride, dim);
	for (d = 0; d < dim; d += some) {
		some = MIN(HALF_DIMS, dim - d);
		if (rows == KV_PAGE) {
			kern->transpose(turned, k + d, stride, KV_PAGE, some);
			kern->narrow(k_page + d * KV_PAGE, turned, some * KV_PAGE);
			continue;
		}
		for (r = 0; r < rows; r++) {
			kern->narrow(half, k + r * stride + d, some);
			for (i = 0; i < some; i++)
				k_page[(d + i) * KV_PAGE + slot + r] = half[i];
		}
	}
}

/* Copies the keys and values of the n rows from `first` on of a sequence into its pages, for one key/value head. */
static void write_pages(const struct job *j, int64_t seq, int64_t head, int64_t first, int64_t n)
{
	const struct attention *a = j->a;
	const struct seq *s = &a->seq[seq];
	const int64_t dim = a->head_dim;
	int64_t i, rows;

	for (i = first; i < first + n; i += rows) {
		const int64_t p = s->past + i, slot = p % KV_PAGE;
		const size_t at = page_at(j, seq, head, p / KV_PAGE);
		const float *k = (const float *)a->qkv + (s->row + i) * a->qkv_stride + (a->heads + head) * dim, *v = k + a->kv_heads * dim;
		void *k_page = j->k + at, *v_page = j->v + at;

		rows = MIN(KV_PAGE - slot, first + n - i);
		if (a->half_keys)
			write_halves(j->cpu->kern, k_page, v_page, slot, rows, k, v, a->qkv_stride, dim);
		else
			write_floats(j->cpu->kern, k_page, v_page, slot, rows, k, v, a->qkv_stride, dim);
	}
}

static void write_items(void *arg, int64_t from, int64_t to, int worker)
{
	const struct job *j = arg;

	(void)worker;
	for (; from < to; from++)
		write_pages(j, j->item[from].seq, j->item[from].head, j->item[from].first, j->item[from].n);
}

static void attend_items(void *arg, int64_t from, int64_t to, int worker)
{
	const struct job *j = arg;
	const struct attention *a = j->a;
	const int64_t dim = a->head_dim, heads = a->heads / a->kv_heads;

	for (; from < to; from++) {
		const struct item *item = &j->item[from];
		const struct seq *s = &a->seq[item->seq];
		const int64_t row = s->row + item->first, pages = div_up(s->past + item->first + item->n, KV_PAGE);
		struct attend at = {.first = s->past + item->first, .n = item->n, .heads = heads, .head_dim = dim, .scale = a->scale,
				    .q_stride = a->qkv_stride, .v_stride = dim, .half_keys = a->half_keys, .out_stride = a->heads * dim, .lse_stride = a->heads};
		const int64_t pointers = pages * (int64_t)sizeof *at.k / (int64_t)sizeof *at.q;
		const void **k, **v;
		int64_t i;

		if (j->write)
			write_pages(j, item->seq, item->head, item->first, item->n);
		k = (const void **)cpu_scratch(&j->cpu->worker[worker], 2 * pointers + j->cpu->kern->attend_scratch(&at));
		v = k + pages;
		for (i = 0; i < pages; i++) {
			const size_t p = page_at(j, item->seq, item->head, i);

			k[i] = j->k + p;
			v[i] = j->v + p;
		}
		at.k = k;
		at.v = v;
		at.scratch = (float *)(v + pages);
		at.q = (const float *)a->qkv + row * a->qkv_stride + item->head * heads * dim;
		at.out = (float *)a->out + (row * a->heads + item->head * heads) * dim;
		at.lse = a->lse ? a->lse + row * a->heads + item->head * heads : NULL;
		j->cpu->kern->attend(&at);
	}
}

/* The longest first, so that no thread is left alone with one at the end */
static int longer_first(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return x->first + x->n != y->first + y->n ? (x->first + x->n < y->first + y->n) - (x->first + x->n > y->first + y->n)
	     : x->seq != y->seq ? (x->seq > y->seq) - (x->seq < y->seq) : (x->head > y->head) - (x->head < y->head);
}

/* Items of `each` positions; the cost of the mean one in nanoseconds, about. */
static double make_items(struct job *j, int64_t each)
{
	const struct attention *a = j->a;
	double cost = 0;
	int64_t s, h, i, n = 0;

	for (s = 0; s < a->seqs; s++)
		n += div_up(a->seq[s].n, each) * a->kv_heads;
	j->item = (struct item *)cpu_scratch(&j->cpu->shared2, n * (int64_t)(sizeof *j->item / sizeof(float)));
	j->items = 0;
	for (s = 0; s < a->seqs; s++)
		for (i = 0; i < a->seq[s].n; i += each)
			for (h = 0; h < a->kv_heads; h++) {
				const int64_t count = MIN(each, a->seq[s].n - i);

				j->item[j->items++] = (struct item){(int32_t)s, (int32_t)h, (int32_t)i, (int32_t)count};
				cost += (double)count * (double)(a->seq[s].past + i + count);
			}
	return n ? cost / (double)n * (double)(a->heads / a->kv_heads * a->head_dim) * 4 / 50 : 0;
}

void cpu_attention(struct backend *be, const struct attention *a)
{
	struct job j = {.cpu = cpu_of(be), .a = a};
	const int64_t heads = a->heads / a->kv_heads, each = heads >= ROWS_EACH ? 1 : ROWS_EACH / heads;
	int64_t s, pages = 0;
	double cost = 0;

	if (a->cache) {
		const size_t layer = (size_t)(a->layer * a->cache->pages) * page_bytes(a);

		j.k = (char *)a->cache->k + layer;
		j.v = (char *)a->cache->v + layer;
	} else {
		const int64_t index = (a->seqs * (int64_t)(sizeof *j.page / sizeof(float)) + 15) / 16 * 16;

		for (s = 0; s < a->seqs; s++)
			pages += div_up(a->seq[s].n, KV_PAGE);
		j.page = (int64_t *)cpu_scratch(&j.cpu->shared, index + 2 * pages * (int64_t)(page_bytes(a) / sizeof(float)));
		j.k = (char *)((float *)j.page + index);
		j.v = j.k + (size_t)pages * page_bytes(a);
		for (s = 0, pages = 0; s < a->seqs; s++) {
			j.page[s] = pages;
			pages += div_up(a->seq[s].n, KV_PAGE);
		}
	}
	j.write = true;
	for (s = 0; s < a->seqs; s++)
		j.write = j.write && a->seq[s].n <= each;
	if (!j.write) {
		make_items(&j, 8 * KV_PAGE);
		pool_run(j.cpu->pool, j.items, cpu_grain((double)(8 * KV_PAGE * a->head_dim)), write_items, &j);
	}
	cost = make_items(&j, each);
	if (!j.write)
		qsort(j.item, (size_t)j.items, sizeof *j.item, longer_first);
	pool_run(j.cpu->pool, j.items, cpu_grain(cost + 100), attend_items, &j);
}

static void attend_back_items(void *arg, int64_t from, int64_t to, int worker)
{
	const struct job *j = arg;
	const struct attention *a = j->a;
	const int64_t dim = a->head_dim, heads = a->heads / a->kv_heads;
	const struct kernels *kern = j->cpu->kern;
	const float *qkv = a->qkv, *all_out = a->out;

	for (; from < to; from++) {
		const struct item *item = &j->item[from];
		const int64_t row = a->seq[item->seq].row, at = row * a->qkv_stride, q = item->head * heads * dim;
		const int64_t k = (a->heads + item->head) * dim, v = k + a->kv_heads * dim, out = row * a->heads * dim + q;

		kern->attend_back(&(struct attend_back){
			.n = item->n, .heads = heads, .head_dim = dim, .scale = a->scale,
			.q = qkv + at + q, .k = qkv + at + k, .v = qkv + at + v, .stride = a->qkv_stride, .half_keys = a->half_keys,
			.out = all_out + out, .dout = j->dout + out, .out_stride = a->heads * dim,
			.lse = a->lse + row * a->heads + item->head * heads, .lse_stride = a->heads,
			.dq = j->dqkv + at + q, .dk = j->dqkv + at + k, .dv = j->dqkv + at + v,
			.scratch = cpu_scratch(&j->cpu->worker[worker], kern->attend_back_scratch(item->n, heads, dim))});
	}
}

void cpu_attention_back(struct backend *be, const struct attention *a, const void *dout, void *dqkv)
{
	struct job j = {.cpu = cpu_of(be), .a = a, .dout = dout, .dqkv = dqkv};
	double cost = make_items(&j, INT32_MAX);

	qsort(j.item, (size_t)j.items, sizeof *j.item, longer_first);
	pool_run(j.cpu->pool, j.items, cpu_grain(2 * cost + 100), attend_back_items, &j);
}
