/* weight.c - weights in rows or panels, of float32 or bfloat16: filled from the host's rows, looked up, widened for the products
 *
 * Panel p of W[n,k] holds its rows 16p .. 16p+15, side by side: [k][PANEL] of float32, or [(k+1)/2][PANEL][2] of bfloat16 (isa/half.c says
 * why). Rows behind the last, and the k behind the last where k is odd, are 0.
 */
#include "tensor/cpu/cpu.h"

#include <stdlib.h>
#include <string.h>

#define STAGE 256       /* k's of a panel's rows that are converted at once: they stay in the first-level cache */

/* Numbers of a panel, padding included */
static int64_t panel_size(const struct packed *p)
{
	return PANEL * (p->type == WEIGHT_BF16 ? even(p->k) : p->k);
}

static size_t size_of(enum weight_type type)
{
	return type == WEIGHT_BF16 ? sizeof(uint16_t) : sizeof(float);
}

static struct packed *cpu_pack(struct backend *be, int64_t n, int64_t k, enum weight_type type, bool panels)
{
	struct packed *p = xmalloc(sizeof *p);

	*p = (struct packed){.n = n, .k = k, .type = type, .panels = panels};
	p->data = be->alloc(be, (size_t)(panels ? div_up(n, PANEL) * panel_size(p) : n * k) * size_of(type));
	return p;
}

static void cpu_unpack(struct backend *be, struct packed *p)
{
	if (!p)
		return;
	be->free(be, p->data);
	free(p);
}

struct packing {
	const struct kernels *kern;
	struct packed *to;
	const char *host;               /* row `from` */
	enum weight_type type;          /* of host */
	int64_t from, rows;
};

static void convert(const struct packing *p, void *to, const char *host, int64_t n)
{
	if (p->type == p->to->type) {
		memcpy(to, host, (size_t)n * size_of(p->type));
	} else {
		union {                 /* the host's numbers are aligned to nothing */
			float f[STAGE];
			uint16_t h[STAGE];
		} aligned;
		int64_t done, some;

		for (done = 0; done < n; done += some) {
			some = MIN(STAGE, n - done);
			memcpy(&aligned, host + (size_t)done * size_of(p->type), (size_t)some * size_of(p->type));
			if (p->type == WEIGHT_BF16)
				p->kern->widen((float *)to + done, aligned.h, some);
			else
				p->kern->narrow((uint16_t *)to + done, aligned.f, some);
		}
	}
}

static void pack_flat(void *arg, int64_t from, int64_t to, int worker)
{
	const struct packing *p = arg;

	(void)worker;
	convert(p, (char *)p->to->data + (size_t)(p->from * p->to->k + from) * size_of(p->to->type), p->host + (size_t)from * size_of(p->type), to - from);
}

/* Row `col` of the panel, k's at .. at+n-1, from converted numbers; the others stay as they are. */
static void scatter(const struct packing *p, void *panel, int64_t col, int64_t at, const void *row, int64_t n)
{
	int64_t i;

	for (i = 0; i < n; i++)
		if (p->to->type == WEIGHT_F32)
			((float *)panel)[(at + i) * PANEL + col] = ((const float *)row)[i];
		else
			((uint16_t *)panel)[(at + i) / 2 * 2 * PANEL + col * 2 + (at + i) % 2] = ((const uint16_t *)row)[i];
}

/* Rows first .. last-1 of a panel. Those from row 0 on are written with all that is behind them 0. */
static void pack_panel(const struct packing *p, int64_t index, int64_t first, int64_t last)
{
	const int64_t k = p->to->k;
	const size_t item = size_of(p->type);
	char *panel = (char *)p->to->data + (size_t)(index * panel_size(p->to)) * size_of(p->to->type);
	const char *host = p->host + (size_t)((index * PANEL + first - p->from) * k) * item;
	float stage[PANEL * STAGE];     /* rows of float32, or of bfloat16 in pairs */
	int64_t at, i, some;

	for (at = 0; at < k; at += STAGE) {
		some = MIN(STAGE, k - at);
		for (i = first; i < last; i++) {
			char *row = (char *)stage + (size_t)(i * STAGE) * size_of(p->to->type);

			if (p->to->type == WEIGHT_BF16 && some % 2)
				memset(row + (size_t)some * sizeof(uint16_t), 0, sizeof(uint16_t));
			convert(p, row, host + (size_t)((i - first) * k + at) * item, some);
			if (first > 0)
				scatter(p, panel, i, at, row, some);
		}
		if (first > 0)
			continue;
		if (p->to->type == WEIGHT_F32)
			p->kern->transpose((float *)panel + at * PANEL, stage, STAGE, last, some);
		else
			p->kern->transpose((float *)panel + at / 2 * PANEL, stage, STAGE / 2, last, even(some) / 2);
	}
}

static void pack_panels(void *arg, int64_t from, int64_t to, int worker)
{
	const struct packing *p = arg;
	const int64_t begin = p->from / PANEL;

	(void)worker;
	for (from += begin, to += begin; from < to; from++) {
		const int64_t row = from * PANEL;

		pack_panel(p, from, p->from > row ? p->from - row : 0, MIN(PANEL, p->from + p->rows - row));
	}
}

static void cpu_pack_rows(struct backend *be, struct packed *to, int64_t from, int64_t rows, const void *host, enum weight_type type)
{
	struct packing p = {.kern = cpu_of(be)->kern, .to = to, .host = host, .type = type, .from = from, .rows = rows};

	if (rows <= 0)
		return;
	if (to->panels)
		pool_run(cpu_of(be)->pool, (from + rows - 1) / PANEL - from / PANEL + 1, cpu_grain((double)to->k * 8), pack_panels, &p);
	else
		pool_run(cpu_of(be)->pool, rows * to->k, 1 << 16, pack_flat, &p);
}

struct lookup {
	const struct kernels *kern;
	const struct packed *table;
	const int32_t *id;
	float *out;
};

static void look_up(void *arg, int64_t from, int64_t to, int worker)
{
	const struct lookup *l = arg;
	const struct packed *w = l->table;
	int64_t i;

	(void)worker;
	for (; from < to; from++) {
		const int64_t id = l->id[from], at = id / PANEL * panel_size(w), col = id % PANEL;
		const uint16_t *h = w->data;
		const float *f = w->data;
		float *out = l->out + from * w->k;

		if (!w->panels && w->type == WEIGHT_BF16) {
			l->kern->widen(out, h + id * w->k, w->k);
		} else if (!w->panels) {
			memcpy(out, f + id * w->k, (size_t)w->k * sizeof *out);
		} else if (w->type == WEIGHT_F32) {
			for (i = 0; i < w->k; i++)
				out[i] = f[at + i * PANEL + col];
		} else {
			for (i = 0; i < w->k; i++) {
				const uint32_t bits = (uint32_t)h[at + i / 2 * 2 * PANEL + col * 2 + i % 2] << 16;

				memcpy(out + i, &bits, sizeof bits);
			}
		}
	}
}

static void cpu_embed_packed(struct backend *be, float *out, const struct packed *table, const int32_t *id, int64_t rows)
{
	pool_run(cpu_of(be)->pool, rows, cpu_grain((double)table->k * (table->panels ? 3 : 0.3)), look_up,
		 &(struct lookup){cpu_of(be)->kern, table, id, out});
}

void cpu_widen(struct cpu *c, float *to, const struct gemm *g, int64_t col, int64_t cols, int64_t k, int64_t depth)
{
	const struct packed *w = g->packed;
	const uint16_t *h = w->data;
	int64_t i;

	if (w->panels) {
		c->kern->widen_panel(to, h + col / PANEL * panel_size(w) + k * PANEL, depth);
	} else if (g->trans_b) {
		c->kern->widen_transpose(to, h + col * w->k + k, w->k, cols, depth);
	} else {
		for (i = 0; i < depth; i++) {
			c->kern->widen(to + i * PANEL, h + (k + i) * w->k + col, cols);
			memset(to + i * PANEL + cols, 0, (size_t)(PANEL - cols) * sizeof *to);
		}
	}
}

void cpu_pairs(struct cpu *c, uint16_t *to, const struct gemm *g, int64_t col, int64_t cols, int64_t k, int64_t depth)
{
	const struct packed *w = g->packed;
	const uint16_t *h = w ? w->data : NULL;
	float stage[PANEL * STAGE / 2];
	int64_t i, j, some;

	if (!w) {
		c->kern->narrow_panel(to, (const float *)g->b + k * g->ldb + col, g->ldb, cols, depth);
		return;
	}
	if (g->trans_b && w->k % 2 == 0) {      /* words of two numbers, turned round as if they were floats */
		c->kern->transpose((float *)to, (const float *)(h + col * w->k + k), w->k / 2, cols, depth / 2);
		return;
	}
	for (i = 0; g->trans_b && i < depth; i += some, to += some * PANEL) {
		some = MIN(STAGE, even(depth - i));
		for (j = 0; j < cols; j++) {
			char *row = (char *)(stage + j * (STAGE / 2));

			memset(row + (size_t)(some - 1) * sizeof *h, 0, sizeof *h);
			memcpy(row, h + (col + j) * w->k + k + i, (size_t)MIN(some, depth - i) * sizeof *h);
		}
		c->kern->transpose((float *)to, stage, STAGE / 2, cols, some / 2);
	}
	for (i = 0; !g->trans_b && i < depth; i += 2, to += 2 * PANEL) {
		const uint16_t *first = h + (k + i) * w->k + col, *second = first + w->k;

		for (j = 0; j < cols; j++) {
			to[2 * j] = first[j];
			to[2 * j + 1] = i + 1 < depth ? second[j] : 0;
		}
		memset(to + 2 * cols, 0, (size_t)(2 * (PANEL - cols)) * sizeof *to);
	}
}

void cpu_weight_ops(struct backend *be)
{
	be->pack = cpu_pack;
	be->pack_rows = cpu_pack_rows;
	be->unpack = cpu_unpack;
	be->embed_packed = cpu_embed_packed;
}
