/* rows.c - the operations that go over rows or over everything, split over the threads
 *
 * Sums over rows (gradients of biases, of norms' weights) are made of blocks of SUM_ROWS rows, then the blocks are added in order.
 */
#include <string.h>

#include "tensor/cpu/cpu.h"

#define SUM_ROWS 64
#define CHUNK 16384             /* elements of a long vector at once */

/* The arguments of whatever runs, for the functions below */
struct rows {
	struct cpu *cpu;
	float *out, *out2, *dw;
	const float *in, *in2;
	const int32_t *id;
	int64_t rows, cols;
	float number;
	bool flag;
	const struct norm *norm;
	const struct head_norms *heads;
	const struct rope *rope;
	const struct adamw *adamw;
	double *partial;
};

static void embed_rows(void *arg, int64_t from, int64_t to, int worker)
{
	const struct rows *a = arg;

	(void)worker;
	for (; from < to; from++)
		memcpy(a->out + from * a->cols, a->in + a->id[from] * a->cols, (size_t)a->cols * sizeof *a->out);
}

static void cpu_embed(struct backend *be, float *out, const float *table, const int32_t *id, int64_t rows, int64_t cols)
{
	pool_run(cpu_of(be)->pool, rows, cpu_grain((double)cols * 0.3), embed_rows,
		 &(struct rows){.out = out, .in = table, .id = id, .cols = cols});
}

#define EMBED_COLS 64

static void embed_back_columns(void *arg, int64_t from, int64_t to, int worker)
{
	const struct rows *a = arg;

	(void)worker;
	for (; from < to; from++) {
		const int64_t col = from * EMBED_COLS;

		a->cpu->kern->add_rows(a->out + col, a->cols, a->in + col, a->cols, a->id, a->rows, MIN(EMBED_COLS, a->cols - col));
	}
}

static void cpu_embed_back(struct backend *be, float *dtable, const float *dout, const int32_t *id, int64_t rows, int64_t cols, int64_t vocab)
{
	(void)vocab;
	pool_run(cpu_of(be)->pool, div_up(cols, EMBED_COLS), cpu_grain((double)rows * EMBED_COLS * 0.4), embed_back_columns,
		 &(struct rows){.cpu = cpu_of(be), .out = dtable, .in = dout, .id = id, .rows = rows, .cols = cols});
}

static void rmsnorm_rows(void *arg, int64_t from, int64_t to, int worker)
{
	const struct rows *a = arg;
	const struct norm *n = a->norm;

	(void)worker;
	a->cpu->kern->rmsnorm(a->out + from * n->cols, n->rstd ? n->rstd + from : NULL, n->x + from * n->cols, n->w, n->eps, to - from, n->cols);
}

static void cpu_rmsnorm(struct backend *be, const struct norm *n, void *out)
{
	pool_run(cpu_of(be)->pool, n->rows, cpu_grain((double)n->cols * 0.4), rmsnorm_rows,
		 &(struct rows){.cpu = cpu_of(be), .out = out, .norm = n});
}

/* dw += the blocks' sums, in their order */
static void add_blocks(struct cpu *c, float *dw, const float *sums, int64_t blocks, int64_t cols)
{
	c->kern->add_rows(dw, 0, sums, cols, NULL, blocks, cols);
}

static void rmsnorm_back_rows(void *arg, int64_t from, int64_t to, int worker)
{
	const struct rows *a = arg;
	const struct norm *n = a->norm;

	(void)worker;
	for (; from < to; from++) {
		const int64_t row = from * SUM_ROWS, rows = MIN(SUM_ROWS, n->rows - row), at = row * n->cols;

		a->cpu->kern->rmsnorm_back(a->out + at, a->dw + from * n->cols, a->in + at, n->x + at, n->w, n->rstd + row, rows, n->cols, a->flag);
	}
}

static void cpu_rmsnorm_back(struct backend *be, const struct norm *n, const void *dout, float *dx, float *dw, bool accumulate)
{
	struct cpu *c = cpu_of(be);
	const int64_t blocks = div_up(n->rows, SUM_ROWS);
	float *sums = cpu_scratch(&c->shared, blocks * n->cols);

	pool_run(c->pool, blocks, cpu_grain((double)(n->cols * SUM_ROWS) * 0.8), rmsnorm_back_rows,
		 &(struct rows){.cpu = c, .out = dx, .dw = sums, .in = dout, .norm = n, .flag = accumulate});
	if (dw)
		add_blocks(c, dw, sums, blocks, n->cols);
}

static void head_norms_rows(void *arg, int64_t from, int64_t to, int worker)
{
	const struct rows *a = arg;
	const struct head_norms *h = a->heads;
	const int64_t D = h->head_dim, keys = h->heads - h->queries;

	(void)worker;
	for (; from < to; from++) {
		float *x = (float *)h->x + from * h->stride, *k = x + h->queries * D;
		float *rstd = h->rstd ? h->rstd + from * h->heads : NULL;

		if (h->raw)
			memcpy((float *)h->raw + from * h->heads * D, x, (size_t)(h->heads * D) * sizeof *x);
		a->cpu->kern->rmsnorm(x, rstd, x, h->w, h->eps, h->queries, D);
		a->cpu->kern->rmsnorm(k, rstd ? rstd + h->queries : NULL, k, h->w2, h->eps, keys, D);
	}
}

static void cpu_head_norms(struct backend *be, const struct head_norms *h)
{
	pool_run(cpu_of(be)->pool, h->rows, cpu_grain((double)(h->heads * h->head_dim) * 0.4), head_norms_rows, &(struct rows){.cpu = cpu_of(be), .heads = h});
}

/* dw: [blocks][3][head_dim]: sums for w, for w2, and those of a row */
static void head_norms_back_rows(void *arg, int64_t from, int64_t to, int worker)
{
	const struct rows *a = arg;
	const struct head_norms *h = a->heads;
	const struct kernels *kern = a->cpu->kern;
	const int64_t D = h->head_dim;

	(void)worker;
	for (; from < to; from++) {
		const int64_t first = from * SUM_ROWS, end = MIN(first + SUM_ROWS, h->rows);
		float *dw = a->dw + from * 3 * D, *some = dw + 2 * D;

		memset(dw, 0, (size_t)(2 * D) * sizeof *dw);
		for (int64_t i = first; i < end; i++)
			for (int keys = 0; keys < 2; keys++) {
				const int64_t head = keys ? h->queries : 0, n = keys ? h->heads - h->queries : h->queries, at = i * h->heads + head;
				float *d = a->out + i * h->stride + head * D;

				kern->rmsnorm_back(d, some, d, (const float *)h->raw + at * D, keys ? h->w2 : h->w, h->rstd + at, n, D, false);
				kern->add_rows(dw + keys * D, 0, some, 0, NULL, 1, D);
			}
	}
}

static void cpu_head_norms_back(struct backend *be, const struct head_norms *h, void *d, float *dw, float *dw2)
{
	struct cpu *c = cpu_of(be);
	const int64_t blocks = div_up(h->rows, SUM_ROWS), D = h->head_dim;
	float *sums = cpu_scratch(&c->shared, blocks * 3 * D);

	pool_run(c->pool, blocks, cpu_grain((double)(h->heads * D * SUM_ROWS) * 0.8), head_norms_back_rows,
		 &(struct rows){.cpu = c, .out = d, .dw = sums, .heads = h});
	if (dw)
		c->kern->add_rows(dw, 0, sums, 3 * D, NULL, blocks, D);
	if (dw2)
		c->kern->add_rows(dw2, 0, sums + D, 3 * D, NULL, blocks, D);
}

static void rope_rows(void *arg, int64_t from, int64_t to, int worker)
{
	const struct rows *a = arg;
	struct rope r = *a->rope;

	(void)worker;
	r.rows = to - from;
	r.x = (const float *)r.x + from * r.x_stride;
	r.out = (float *)r.out + from * r.out_stride;
	r.position += from;
	a->cpu->kern->rope(&r);
}

static void cpu_rope(struct backend *be, const struct rope *r)
{
	pool_run(cpu_of(be)->pool, r->rows, cpu_grain((double)(r->heads * r->head_dim) * 0.5), rope_rows,
		 &(struct rows){.cpu = cpu_of(be), .rope = r});
}

static void swiglu_rows(void *arg, int64_t from, int64_t to, int worker)
{
	const struct rows *a = arg;

	(void)worker;
	a->cpu->kern->swiglu(a->out + from * a->cols, a->in + from * 2 * a->cols, to - from, a->cols);
}

static void cpu_swiglu(struct backend *be, void *out, const void *gate_up, int64_t rows, int64_t cols, bool half)
{
	(void)half;
	pool_run(cpu_of(be)->pool, rows, cpu_grain((double)cols), swiglu_rows,
		 &(struct rows){.cpu = cpu_of(be), .out = out, .in = gate_up, .cols = cols});
}

static void swiglu_back_rows(void *arg, int64_t from, int64_t to, int worker)
{
	const struct rows *a = arg;

	(void)worker;
	a->cpu->kern->swiglu_back(a->out + from * 2 * a->cols, a->in + from * a->cols, a->in2 + from * 2 * a->cols, to - from, a->cols);
}

static void cpu_swiglu_back(struct backend *be, void *dgate_up, const void *dout, const void *gate_up, int64_t rows, int64_t cols, bool half)
{
	(void)half;
	pool_run(cpu_of(be)->pool, rows, cpu_grain((double)cols * 1.3), swiglu_back_rows,
		 &(struct rows){.cpu = cpu_of(be), .out = dgate_up, .in = dout, .in2 = gate_up, .cols = cols});
}

static void add_chunk(void *arg, int64_t from, int64_t to, int worker)
{
	const struct rows *a = arg;

	(void)worker;
	a->cpu->kern->add(a->out + from, a->in + from, a->in2 + from, to - from);
}

static void cpu_add(struct backend *be, float *out, const float *a, const float *b, int64_t n)
{
	pool_run(cpu_of(be)->pool, n, CHUNK, add_chunk, &(struct rows){.cpu = cpu_of(be), .out = out, .in = a, .in2 = b});
}

static void column_sums(void *arg, int64_t from, int64_t to, int worker)
{
	const struct rows *a = arg;

	(void)worker;
	for (; from < to; from++)
		a->cpu->kern->column_sums(a->dw + from * a->cols, a->in + from * SUM_ROWS * a->cols, MIN(SUM_ROWS, a->rows - from * SUM_ROWS),
					  a->cols);
}

static void cpu_bias_back(struct backend *be, float *dbias, const void *dout, int64_t rows, int64_t cols, bool half)
{
	struct cpu *c = cpu_of(be);
	const int64_t blocks = div_up(rows, SUM_ROWS);
	float *sums = cpu_scratch(&c->shared, blocks * cols);

	(void)half;
	pool_run(c->pool, blocks, cpu_grain((double)(cols * SUM_ROWS) * 0.3), column_sums,
		 &(struct rows){.cpu = c, .dw = sums, .in = dout, .rows = rows, .cols = cols});
	add_blocks(c, dbias, sums, blocks, cols);
}

/* beta^step by repeated squaring: nothing but multiplications, so the same everywhere */
static double power(double x, int64_t n)
{
	double y = 1;

	for (; n > 0; n /= 2, x *= x)
		if (n % 2)
			y *= x;
	return y;
}

static void adamw_chunk(void *arg, int64_t from, int64_t to, int worker)
{
	const struct rows *a = arg;
	const struct adamw *o = a->adamw;
	const float unbias1 = (float)(1 / (1 - power(o->beta1, o->step))), unbias2 = (float)(1 / (1 - power(o->beta2, o->step)));

	(void)worker;
	a->cpu->kern->adamw(a->out + from, a->out2 + from, a->dw + from, a->in + from, to - from, o, unbias1, unbias2);
}

static void cpu_adamw(struct backend *be, float *w, float *m, float *v, const float *g, int64_t n, const struct adamw *o)
{
	pool_run(cpu_of(be)->pool, n, CHUNK, adamw_chunk,
		 &(struct rows){.cpu = cpu_of(be), .out = w, .out2 = m, .dw = v, .in = g, .adamw = o});
}

struct mixing {
	struct cpu *cpu;
	const struct mixed *x;
	const struct adamw *how;
};

static void mixed_chunk(void *arg, int64_t from, int64_t to, int worker)
{
	const struct mixing *a = arg;
	const struct adamw *o = a->how;
	const float unbias1 = (float)(1 / (1 - power(o->beta1, o->step))), unbias2 = (float)(1 / (1 - power(o->beta2, o->step)));
	struct mixed x = *a->x;

	(void)worker;
	if (x.w) {
		x.w += from;
	} else {
		x.half += from;
		x.low += from;
	}
	if (x.m) {
		x.m += from;
		x.v += from;
	} else {
		x.m16 += from;
		x.v16 += from;
	}
	x.g += from;
	x.first += from;
	a->cpu->kern->adamw_mixed(&x, to - from, o, unbias1, unbias2);
}

static void cpu_adamw_mixed(struct backend *be, const struct mixed *x, int64_t n, const struct adamw *how)
{
	pool_run(cpu_of(be)->pool, n, CHUNK, mixed_chunk, &(struct mixing){cpu_of(be), x, how});
}

struct converting {
	struct cpu *cpu;
	float *to;
	uint16_t *half, *low;
	const float *from;
	const uint16_t *from16;
};

static void convert_chunk(void *arg, int64_t from, int64_t to, int worker)
{
	const struct converting *c = arg;
	const struct kernels *kern = c->cpu->kern;

	(void)worker;
	if (c->half)
		kern->split(c->half + from, c->low + from, c->from + from, to - from);
	else if (c->from16)
		kern->widen(c->to + from, c->from16 + from, to - from);
	else
		kern->round_half(c->to + from, c->from + from, to - from);
}

static void cpu_split(struct backend *be, uint16_t *half, uint16_t *low, const float *x, int64_t n)
{
	pool_run(cpu_of(be)->pool, n, CHUNK, convert_chunk, &(struct converting){.cpu = cpu_of(be), .half = half, .low = low, .from = x});
}

static void cpu_widen_numbers(struct backend *be, float *to, const uint16_t *from, int64_t n)
{
	pool_run(cpu_of(be)->pool, n, CHUNK, convert_chunk, &(struct converting){.cpu = cpu_of(be), .to = to, .from16 = from});
}

static void cpu_round_half(struct backend *be, float *to, const float *from, int64_t n)
{
	pool_run(cpu_of(be)->pool, n, CHUNK, convert_chunk, &(struct converting){.cpu = cpu_of(be), .to = to, .from = from});
}

static void square_chunks(void *arg, int64_t from, int64_t to, int worker)
{
	const struct rows *a = arg;

	(void)worker;
	for (; from < to; from++)
		a->partial[from] = a->cpu->kern->sum_squares(a->in + from * SQUARES, MIN(SQUARES, a->cols - from * SQUARES));
}

static void cpu_squares(struct backend *be, const float *x, int64_t n, double *part)
{
	pool_run(cpu_of(be)->pool, div_up(n, SQUARES), 1, square_chunks, &(struct rows){.cpu = cpu_of(be), .in = x, .cols = n, .partial = part});
}

static void scale_chunk(void *arg, int64_t from, int64_t to, int worker)
{
	const struct rows *a = arg;

	(void)worker;
	a->cpu->kern->scale(a->out + from, a->number, to - from);
}

static void cpu_scale(struct backend *be, float *x, float by, int64_t n)
{
	pool_run(cpu_of(be)->pool, n, CHUNK, scale_chunk, &(struct rows){.cpu = cpu_of(be), .out = x, .number = by});
}

void cpu_rows_ops(struct backend *be)
{
	be->embed = cpu_embed;
	be->embed_back = cpu_embed_back;
	be->rmsnorm = cpu_rmsnorm;
	be->rmsnorm_back = cpu_rmsnorm_back;
	be->head_norms = cpu_head_norms;
	be->head_norms_back = cpu_head_norms_back;
	be->rope = cpu_rope;
	be->swiglu = cpu_swiglu;
	be->swiglu_back = cpu_swiglu_back;
	be->add = cpu_add;
	be->bias_back = cpu_bias_back;
	be->adamw = cpu_adamw;
	be->adamw_mixed = cpu_adamw_mixed;
	be->split = cpu_split;
	be->widen = cpu_widen_numbers;
	be->round_half = cpu_round_half;
	be->squares = cpu_squares;
	be->scale = cpu_scale;
}
