/* gemm.c - matrix products: blocks for the caches, pieces for the threads
 *
 * C is cut into pieces, each some rows by some panels of 16 columns. A piece goes through k in chunks of `depth`; for a chunk it lays out its
 * part of B in panels (unless the weight was packed before, or B's rows can be read as they are) and, where A is stored [k, m], its part of A;
 * then the kernels of kernels.h take a few panels by a few rows at once: the panels stay in the first-level cache while A streams from the
 * second. Between chunks the sums rest in C or, if C is to be added to, aside; so each element is one chain over k in order, however it is cut.
 *
 * cpu-bf16 rounds A to bfloat16 before, where B is a weight of that type or a weight's gradient is made. Panels of B are of pairs then (mm_pairs),
 * those of a weight as they are.
 */
#include "tensor/cpu/cpu.h"

#include <assert.h>
#include <string.h>

#define DEPTH 256               /* k at once: DEPTH * PANEL floats are half of a first-level cache */
#define ROWS_AT_ONCE 240        /* rows of A by DEPTH: in the second-level cache */

struct plan {
	struct cpu *cpu;
	const struct gemm *g;
	int64_t panels;                         /* of all columns */
	int64_t rows_each, panels_each;         /* of a piece */
	int64_t row_pieces, panel_pieces;
	int64_t depth;
	const uint16_t *rounded;                /* op(A) in bfloat16, [batch][m][ld_rounded], for mm_pairs; else NULL */
	int64_t ld_rounded;
	bool direct;                            /* B's rows are read where they are */
	bool in_place;                          /* so are the panels of a packed weight */
};

struct piece {
	const struct plan *plan;
	int64_t row, rows, panel, panels;
	float *a, *b, *sums;                    /* scratch */
};

/* Rows in even blocks that the kernels can take: block i of n starts at row i * rows / n. */
static int64_t row_blocks(const struct kernels *kern, int64_t rows)
{
	return div_up(rows, kern->mm_rows[1]);
}

/* Lays out columns [panel * 16 ...) of B, rows k .. k+depth-1, as panels of depth rows. */
static void pack_b(const struct piece *p, int64_t k, int64_t depth)
{
	const struct gemm *g = p->plan->g;
	int64_t i, j;

	for (i = 0; i < p->panels; i++) {
		const int64_t col = (p->panel + i) * PANEL, cols = MIN(PANEL, g->n - col);
		float *to = p->b + i * depth * PANEL;

		if (p->plan->rounded) {
			cpu_pairs(p->plan->cpu, (uint16_t *)p->b + i * even(depth) * PANEL, g, col, cols, k, depth);
			continue;
		}
		if (g->packed) {
			cpu_widen(p->plan->cpu, to, g, col, cols, k, depth);
			continue;
		}
		if (g->trans_b) {
			p->plan->cpu->kern->transpose(to, (const float *)g->b + col * g->ldb + k, g->ldb, cols, depth);
			continue;
		}
		for (j = 0; j < depth; j++) {
			const float *from = (const float *)g->b + (k + j) * g->ldb + col;

			if (cols == PANEL) {
				memcpy(to + j * PANEL, from, PANEL * sizeof *to);
			} else {
				memcpy(to + j * PANEL, from, (size_t)cols * sizeof *to);
				memset(to + j * PANEL + cols, 0, (size_t)(PANEL - cols) * sizeof *to);
			}
		}
	}
}

/* rows [row, row+rows) of the piece by its panels, for k .. k+depth-1 */
static void block(const struct piece *p, int64_t row, int64_t rows, int64_t k, int64_t depth)
{
	const struct gemm *g = p->plan->g;
	const struct kernels *kern = p->plan->cpu->kern;
	const int64_t blocks = row_blocks(kern, rows), most_rows = div_up(rows, blocks);
	const bool first = k == 0, last = k + depth == g->k;
	const bool pairs = p->plan->rounded, half = p->plan->in_place && g->packed->type == WEIGHT_BF16;
	mm_fn *const (*kernels)[MM_ROWS + 1] = pairs ? p->plan->cpu->pairs : half ? kern->mm_half : g->trans_a ? kern->mm_trans : kern->mm;
	int64_t most = g->trans_a && !pairs ? 2 : MM_PANELS, i, j, n;
	struct mm m = {.k = depth, .lda = pairs ? p->plan->ld_rounded : g->lda, .ldc = g->ldc};

	while (kern->mm_rows[most] < most_rows)
		most--;
	if (p->plan->in_place) {
		m.ldb = PANEL;
		m.panel = (half ? even(g->k) : g->k) * PANEL;
	} else if (p->plan->direct) {
		m.ldb = g->ldb;
		m.panel = PANEL;
	} else {
		m.ldb = PANEL;
		m.panel = (pairs ? even(depth) : depth) * PANEL;
	}
	for (j = 0; j < p->panels; j += n) {
		const int64_t col = (p->panel + j) * PANEL;

		n = MIN(most, p->panels - j);
		while (kern->mm_rows[n] < most_rows)
			n--;
		m.cols = MIN(n * PANEL, g->n - col);
		m.bias = g->bias && last ? g->bias + col : NULL;
		if (half)
			m.half = (const uint16_t *)g->packed->data + (p->panel + j) * m.panel + k * PANEL;
		else if (pairs)
			m.half = (const uint16_t *)p->b + j * m.panel;
		else if (p->plan->in_place)
			m.b = (const float *)g->packed->data + (p->panel + j) * m.panel + k * PANEL;
		else if (p->plan->direct)
			m.b = (const float *)g->b + k * g->ldb + col;
		else
			m.b = p->b + j * m.panel;
		for (i = 0; i < blocks; i++) {
			const int64_t from = i * rows / blocks, count = (i + 1) * rows / blocks - from;
			float *c = (float *)g->c + (row + from) * g->ldc + col;
			float *aside = p->sums ? p->sums + (row - p->row + from) * p->panels * PANEL + j * PANEL : NULL;

			if (pairs) {
				m.pairs = p->plan->rounded + (row + from) * m.lda + k;
			} else if (!g->trans_a) {
				m.a = (const float *)g->a + (row + from) * g->lda + k;
			} else {
				m.a = p->a + from * depth;
				m.lda = count;
			}
			m.start = first ? NULL : aside ? aside : c;
			m.ld_start = aside ? p->panels * PANEL : g->ldc;
			m.c = last || !aside ? c : aside;
			m.ldc = last || !aside ? g->ldc : p->panels * PANEL;
			m.add = last && g->accumulate;
			kernels[n][count](&m);
		}
	}
}

static void run_piece(const struct plan *plan, int64_t index, struct scratch *scratch)
{
	const struct gemm *g = plan->g;
	const int64_t i = index % plan->row_pieces, j = index / plan->row_pieces;
	struct piece p = {.plan = plan, .row = i * plan->rows_each, .panel = j * plan->panels_each};
	int64_t a_floats, b_floats, sums, k, row, depth;

	p.rows = MIN(plan->rows_each, g->m - p.row);
	p.panels = MIN(plan->panels_each, plan->panels - p.panel);
	a_floats = g->trans_a && !plan->rounded ? MIN(p.rows, ROWS_AT_ONCE) * plan->depth + PANEL : 0;
	b_floats = plan->in_place || plan->direct ? 0 : p.panels * PANEL * plan->depth;         /* of pairs: half would do */
	sums = g->accumulate && plan->depth < g->k ? p.rows * p.panels * PANEL : 0;
	p.b = cpu_scratch(scratch, a_floats + b_floats + sums);
	p.sums = sums ? p.b + b_floats : NULL;
	p.a = p.b + b_floats + sums;
	for (k = 0; k < g->k; k += depth) {
		depth = MIN(plan->depth, g->k - k);
		if (b_floats)
			pack_b(&p, k, depth);
		for (row = 0; row < p.rows; row += ROWS_AT_ONCE) {
			const int64_t rows = MIN(ROWS_AT_ONCE, p.rows - row);

			if (a_floats)
				plan->cpu->kern->column_blocks(p.a, (const float *)g->a + k * g->lda + p.row + row, g->lda, rows,
							       row_blocks(plan->cpu->kern, rows), depth);
			block(&p, p.row + row, rows, k, depth);
		}
	}
}

/* Product i of the batch, as one of its own; w is room for its part of a packed weight. */
static struct gemm nth(const struct gemm *all, int64_t i, struct packed *w)
{
	struct gemm g = *all;
	const int64_t row = g.packed_row + i * g.step_b;

	g.a = (const float *)g.a + i * g.step_a;
	g.c = (float *)g.c + i * g.step_c;
	if (g.packed && !g.packed->panels) {
		*w = *g.packed;
		w->n -= row;
		w->data = (char *)w->data + (size_t)(row * w->k) * (w->type == WEIGHT_BF16 ? sizeof(uint16_t) : sizeof(float));
		g.packed = w;
	} else if (!g.packed) {
		g.b = (const float *)g.b + i * g.step_b;
	}
	return g;
}

static void run_pieces(void *arg, int64_t from, int64_t to, int worker)
{
	const struct plan *all = arg;
	const int64_t each = all->row_pieces * all->panel_pieces;
	const uint64_t before = all->rounded ? cpu_flush_begin() : 0;

	for (; from < to; from++) {
		struct plan plan = *all;
		struct packed w;
		struct gemm g = nth(all->g, from / each, &w);

		plan.g = &g;
		if (plan.rounded)
			plan.rounded += from / each * g.m * plan.ld_rounded;
		run_piece(&plan, from % each, &all->cpu->worker[worker]);
	}
	if (all->rounded)
		cpu_flush_end(before);
}

/* Half of them, in whole blocks of the kernels */
static int64_t half_rows(const struct plan *p)
{
	const int64_t block = p->cpu->kern->mm_rows[1];

	return div_up(div_up(p->rows_each, 2), block) * block;
}

/* Cuts C until every thread has some pieces, as long as they are worth it. */
static void cut(struct plan *p)
{
	const struct gemm *g = p->g;
	const int64_t want = p->cpu->threads > 1 ? 8 * p->cpu->threads : 1;
	const double flops = 2.0 * (double)g->k;

	p->rows_each = g->m;
	p->panels_each = MIN(p->panels, 16);
	for (;;) {
		p->row_pieces = div_up(g->m, p->rows_each);
		p->panel_pieces = div_up(p->panels, p->panels_each);
		if (p->rows_each > 1024) {
			p->rows_each = half_rows(p);
			continue;
		}
		if (g->batch * p->row_pieces * p->panel_pieces >= want || flops * (double)(p->rows_each * p->panels_each * PANEL) < 4e5)
			return;
		if (p->rows_each > 256)
			p->rows_each = half_rows(p);
		else if (p->panels_each > 4)
			p->panels_each = div_up(p->panels_each, 2);
		else if (p->rows_each > 48)
			p->rows_each = half_rows(p);
		else if (p->panels_each > 1)
			p->panels_each = div_up(p->panels_each, 2);
		else
			return;
	}
}

static void no_terms(const struct gemm *g)
{
	int64_t b, i, j;

	for (b = 0; b < g->batch; b++)
		for (i = 0; i < g->m; i++)
			for (j = 0; j < g->n; j++) {
				float *c = (float *)g->c + b * g->step_c + i * g->ldc + j, sum = g->bias ? 0 + g->bias[j] : 0;

				*c = g->accumulate ? *c + sum : sum;
			}
}

/* Whether the kernels take the packed weight as it is. Panels of bfloat16 are widened for few rows at once; for many it pays to do so before. */
static bool takes_panels(const struct plan *p)
{
	const struct packed *w = p->g->packed;

	if (!w || !w->panels)
		return false;
	if (p->rounded)
		return true;
	return w->type == WEIGHT_F32 || (!p->g->trans_a && p->rows_each <= 2 * p->cpu->kern->mm_rows[1]);
}

void cpu_gemm(struct backend *be, const struct gemm *given)
{
	struct gemm g = *given;
	struct plan p = {.cpu = cpu_of(be), .g = &g, .panels = div_up(g.n, PANEL)};
	int64_t chunks, depth;

	if (g.m <= 0 || g.n <= 0)
		return;
	if (!g.batch)
		g.batch = 1;
	if (g.plus) {
		assert(g.batch == 1 && !g.accumulate && !g.bias);
		cpu_columns(be, &(struct columns){.rows = g.m, .cols = g.n, .to = g.c, .ld_to = g.ldc, .from = g.plus, .ld = g.ldc});
		g.accumulate = true;
	}
	if (g.k <= 0) {
		no_terms(&g);
		return;
	}
	assert(!g.packed || g.trans_b || !g.packed->panels);
	assert(g.batch == 1 || (!g.bias && !(g.packed && g.packed->panels)));
	assert(!g.packed || !g.packed_row || !g.packed->panels);
	if (g.packed && g.packed->type == WEIGHT_F32 && !g.packed->panels) {
		g.ldb = g.packed->k;
		g.b = (const float *)g.packed->data + g.packed_row * g.ldb;
		g.step_b *= g.ldb;
		g.packed = NULL;
	}
	if (p.cpu->pairs && (g.packed ? g.packed->type == WEIGHT_BF16 && !g.trans_a : be->half && g.trans_a && !g.trans_b))
		p.rounded = cpu_round(p.cpu, &g, p.ld_rounded = even(g.k));
	cut(&p);
	p.in_place = takes_panels(&p);
	p.direct = !g.packed && !g.trans_b && !p.rounded && p.rows_each <= 2 * p.cpu->kern->mm_rows[1];
	depth = p.rounded ? 2 * DEPTH : DEPTH;          /* as many bytes */
	chunks = div_up(g.k, depth + depth / 2);
	if ((p.in_place || p.direct) && p.rows_each <= p.cpu->kern->mm_rows[1] && !g.trans_a)
		chunks = 1;
	if (p.in_place && g.packed->type == WEIGHT_BF16 && !p.rounded)  /* its kernels begin with 0 */
		chunks = 1;
	p.depth = div_up(div_up(g.k, chunks), 8) * 8;
	pool_run(p.cpu->pool, g.batch * p.row_pieces * p.panel_pieces, 1, run_pieces, &p);
}
