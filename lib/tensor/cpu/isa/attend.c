/* attend.c - attention for some rows of one key/value head, and latent attention, whose values are the beginnings of its keys
 *
 * A row is a position and a query head. Its result is fixed by its own query and the keys up to its position:
 *     s_j = chain over d of fma(scale * q_d, k_jd);  m = max s_j;  p_j = exp(s_j - m);  l = sum of p_j in lane j % 16
 *     o_d = chain over j of fma(p_j, v_jd);  out_d = o_d / l;  lse = m + log l
 * so that it does not matter how many rows are computed at once, nor whether the keys come from a cache.
 *
 * Latent attention has many heads over the same keys, which lie in rows. So a few pages at a time are turned to lie side by side for all
 * heads' scores, and again a few pages at a time are gathered for all heads, the sums resting in between: the chains stay what they are.
 */
#include "isa.h"
#include "mm.h"

#define ROUND16(n) (((n) + 15) / 16 * 16)

/* Up to ROWS_1 rows worked on at once. Row i sees keys 0 .. limit[i]-1; limits rise by row. */
struct block {
	int64_t head_dim, width;        /* width: of a row of scores */
	int64_t value_dim;              /* of v and o: D, or less */
	const float *q;                 /* [R][D], scaled */
	const void *const *k, *const *v;        /* floats, or bfloat16 */
	int64_t v_stride;
	float *score;                   /* [R][width] */
	float *o;                       /* [R][ROUND16(value_dim)] */
	int64_t limit[MM_ROWS];
};

INLINE void score_pages(const int R, const int P, const int half, const struct block *b, int64_t page)
{
	mm_acc acc;

	mm_zero(R, P, acc);
	mm_steps(R, P, half, acc, b->head_dim, b->q, b->head_dim, 1, b->k + page, PANEL);
	UNROLL for (int i = 0; i < R; i++)
		UNROLL for (int j = 0; j < P * LANE_REGS; j++)
			vf_store(b->score + i * b->width + page * PANEL + j * VL, acc[i][j]);
}

INLINE void scores(const int R, const int P, const int half, const struct block *b, int64_t pages)
{
	int64_t p = 0;

	for (; p + P <= pages; p += P)
		score_pages(R, P, half, b, p);
	if (P > 2 && p + 2 <= pages) {
		score_pages(R, 2, half, b, p);
		p += 2;
	}
	if (P > 1 && p < pages)
		score_pages(R, 1, half, b, p);
}

/* o[:, P panels from column col on] = p v over keys from .. to-1 (from is a page's first; what is before it is in o), the keys that all
 * rows see first, then those that only the later ones do */
INLINE void gather_panels(const int R, const int P, const int half, const struct block *b, int64_t col, int64_t from, int64_t to)
{
	const int64_t ld = ROUND16(b->value_dim), shared = b->limit[0] < to ? b->limit[0] : to, all = b->limit[R - 1] < to ? b->limit[R - 1] : to;
	int64_t j, n;
	mm_acc acc;

	if (from == 0)
		mm_zero(R, P, acc);
	else
		UNROLL for (int i = 0; i < R; i++)
			UNROLL for (int k = 0; k < P * LANE_REGS; k++)
				acc[i][k] = vf_load(b->o + i * ld + col + k * VL);
	for (j = from; j < shared; j += n) {
		const void *panel[MM_PANELS];

		n = shared - j < KV_PAGE ? shared - j : KV_PAGE;
		UNROLL for (int p = 0; p < P; p++)
			panel[p] = mm_at(half, b->v[j / KV_PAGE], col + p * PANEL);
		mm_steps(R, P, half, acc, n, b->score + j, b->width, 1, panel, b->v_stride);
	}
	for (; j < all; j++) {
		const void *v = b->v[j / KV_PAGE];
		const int64_t at = j % KV_PAGE * b->v_stride + col;

		UNROLL for (int i = 1; i < R; i++)
			if (j < b->limit[i]) {
				vf p = vf_set(b->score[i * b->width + j]);

				UNROLL for (int k = 0; k < P * LANE_REGS; k++)
					acc[i][k] = vf_fma(p, mm_row(half, v, at + k * VL), acc[i][k]);
			}
	}
	UNROLL for (int i = 0; i < R; i++)
		UNROLL for (int k = 0; k < P * LANE_REGS; k++)
			vf_store(b->o + i * ld + col + k * VL, acc[i][k]);
}

INLINE void gather(const int R, const int P, const int half, const struct block *b, int64_t from, int64_t to)
{
	int64_t col = 0;

	for (; col + P * PANEL <= ROUND16(b->value_dim); col += P * PANEL)
		gather_panels(R, P, half, b, col, from, to);
	if (P > 2 && col + 2 * PANEL <= ROUND16(b->value_dim)) {
		gather_panels(R, 2, half, b, col, from, to);
		col += 2 * PANEL;
	}
	if (P > 1 && col < b->value_dim)
		gather_panels(R, 1, half, b, col, from, to);
}

#define BLOCK(R) \
	static void scores_##R(const struct block *b, int64_t pages) { scores(R, PANELS_FOR(R), 0, b, pages); } \
	static void gather_##R(const struct block *b, int64_t from, int64_t to) { gather(R, PANELS_FOR(R), 0, b, from, to); } \
	static void half_scores_##R(const struct block *b, int64_t pages) { scores(R, PANELS_FOR(R), 1, b, pages); } \
	static void half_gather_##R(const struct block *b, int64_t from, int64_t to) { gather(R, PANELS_FOR(R), 1, b, from, to); }
#define ENTRY(R) [R] = {scores_##R, gather_##R},
#define HALF_ENTRY(R) [R] = {half_scores_##R, half_gather_##R},
EACH_R(BLOCK)
struct block_fn {
	void (*scores)(const struct block *, int64_t pages);
	void (*gather)(const struct block *, int64_t from, int64_t to);
};
static const struct block_fn block_fn[] = {EACH_R(ENTRY)}, half_block_fn[] = {EACH_R(HALF_ENTRY)};

/* The scores of keys behind the limit become minus infinity, up to a multiple of 16; returns the largest of the others. */
static float limit_scores(float *score, int64_t limit)
{
	const int64_t full = limit / 16 * 16;
	v16 max = v16_set(-INFINITY);
	int64_t j;

	for (j = 0; j < full; j += 16)
		max = v16_max(v16_load(score + j), max);
	if (j < limit) {
		v16 last = v16_head(v16_load(score + j), v16_set(-INFINITY), limit - j);

		v16_store(score + j, last);
		max = v16_max(last, max);
	}
	return v16_max_lane(max);
}

/* Scores become p; returns their sum. */
static float weights(float *score, int64_t limit, float top)
{
	const v16 max = v16_set(top);
	v16 sum = v16_zero();
	int64_t j;

	for (j = 0; j < limit; j += 16) {
		v16 p = v16_exp(v16_sub(v16_load(score + j), max));

		v16_store(score + j, p);
		sum = v16_add(sum, p);
	}
	return v16_sum(sum);
}

/* Rows row .. row+n-1 of a */
static void attend_block(const struct attend *a, int64_t row, int64_t n, float *scratch)
{
	const int64_t dim = a->head_dim, last = a->first + (row + n - 1) / a->heads + 1;
	struct block b;
	float max[MM_ROWS], sum[MM_ROWS], *q = scratch;
	int64_t position[MM_ROWS], head[MM_ROWS], i, d;
	const v16 scale = v16_set(a->scale);
	const struct block_fn *fn = (a->half_keys ? half_block_fn : block_fn) + n;

	b.head_dim = b.value_dim = dim;
	b.width = ROUND16(last);
	b.k = a->k;
	b.v = a->v;
	b.v_stride = a->v_stride;
	b.q = q;
	b.score = q + ROUND16(n * dim) + 16;
	b.o = b.score + n * b.width;
	for (i = 0; i < n; i++) {
		const float *from;

		position[i] = (row + i) / a->heads;
		head[i] = (row + i) % a->heads;
		b.limit[i] = a->first + position[i] + 1;
		from = a->q + position[i] * a->q_stride + head[i] * dim;
		for (d = 0; d < dim; d += 16)   /* past the end of the row, where the next one will stand */
			v16_store(q + i * dim + d, v16_mul(v16_load(from + d), scale));
	}
	fn->scores(&b, b.width / PANEL);
	for (i = 0; i < n; i++)
		max[i] = limit_scores(b.score + i * b.width, b.limit[i]);
	for (i = 0; i < n; i++)
		sum[i] = weights(b.score + i * b.width, b.limit[i], max[i]);
	fn->gather(&b, 0, last);
	for (i = 0; i < n; i++) {
		float *out = a->out + position[i] * a->out_stride + head[i] * dim;
		const float *o = b.o + i * ROUND16(dim);
		const v16 by = v16_set(sum[i]);

		for (d = 0; d + 16 <= dim; d += 16)
			v16_store(out + d, v16_div(v16_load(o + d), by));
		if (d < dim)
			v16_store_n(out + d, v16_div(v16_load(o + d), by), dim - d);
	}
	if (a->lse)
		for (i = 0; i < n; i++)
			a->lse[position[i] * a->lse_stride + head[i]] = (float)((double)max[i] + cpu_log(sum[i]));
}

int64_t ISA_FN(attend_scratch)(const struct attend *a)
{
	return MM_ROWS * (2 * ROUND16(a->head_dim) + ROUND16(a->first + a->n)) + 32;
}

/* Queries lie far apart: those of the next rows are on their way while these are worked on. */
static void fetch_rows(const struct attend *a, int64_t row, int64_t end)
{
	int64_t d;

	for (; row < end; row++)
		for (d = 0; d < a->head_dim; d += 16)
			__builtin_prefetch(a->q + row / a->heads * a->q_stride + row % a->heads * a->head_dim + d);
}

void ISA_FN(attend)(const struct attend *a)
{
	const int64_t rows = a->n * a->heads, blocks = (rows + ROWS_1 - 1) / ROWS_1;
	int64_t i, row = 0;

	for (i = 0; i < blocks; i++) {
		const int64_t n = (rows - row + blocks - i - 1) / (blocks - i);

		fetch_rows(a, row + n, rows < row + 2 * n ? rows : row + 2 * n);
		attend_block(a, row, n, a->scratch);
		row += n;
	}
}

#define PAGES 4         /* of latent attention's keys at once: they stay in the second-level cache while all rows pass over them */

/* Blocks of rows as even as can be: block i of a's rows, its first into *row */
static int64_t latent_block(const struct attend_latent *a, int64_t i, int64_t *row)
{
	const int64_t rows = a->n * a->heads, blocks = (rows + ROWS_1 - 1) / ROWS_1;

	*row = i * rows / blocks;
	return (i + 1) * rows / blocks - *row;
}

int64_t ISA_FN(attend_latent_scratch)(const struct attend_latent *a)
{
	return a->n * a->heads * (ROUND16(a->key_dim) + ROUND16(a->first + a->n) + ROUND16(a->value_dim)) + PAGES * PANEL * a->key_dim + 64;
}

/* The parts of the scratch memory */
struct latent_work {
	int64_t rows, blocks, width, last;      /* last: keys that the last row sees */
	float *q;                               /* [rows][key_dim], scaled */
	float *score;                           /* [rows][width] */
	float *o;                               /* [rows][ROUND16(value_dim)] */
	float *turned;                          /* [PAGES][key_dim][PANEL] */
};

static struct block latent_rows(const struct attend_latent *a, const struct latent_work *w, int64_t i, int64_t *n)
{
	struct block b = {.head_dim = a->key_dim, .value_dim = a->value_dim, .width = w->width, .v = a->page, .v_stride = a->stride};
	int64_t row, r;

	*n = latent_block(a, i, &row);
	b.q = w->q + row * a->key_dim;
	b.score = w->score + row * w->width;
	b.o = w->o + row * ROUND16(a->value_dim);
	for (r = 0; r < *n; r++)
		b.limit[r] = a->first + (row + r) / a->heads + 1;
	return b;
}

static void latent_scores(const struct attend_latent *a, const struct latent_work *w)
{
	const int64_t pages = w->width / PANEL;
	int64_t page, i, n, p;

	for (page = 0; page < pages; page += PAGES) {
		const int64_t some = pages - page < PAGES ? pages - page : PAGES;
		const void *turned[PAGES];

		for (p = 0; p < some; p++) {
			const int64_t left = w->last - (page + p) * KV_PAGE;

			turned[p] = w->turned + p * PANEL * a->key_dim;
			ISA_FN(transpose)(w->turned + p * PANEL * a->key_dim, a->page[page + p], a->stride, left < KV_PAGE ? left : KV_PAGE,
					  a->key_dim);
		}
		for (i = 0; i < w->blocks; i++) {
			struct block b = latent_rows(a, w, i, &n);
			const int64_t seen = ROUND16(b.limit[n - 1]) / PANEL - page;

			b.k = turned;
			b.score += page * PANEL;
			if (seen > 0)
				block_fn[n].scores(&b, seen < some ? seen : some);
		}
	}
}

static void latent_gather(const struct attend_latent *a, const struct latent_work *w)
{
	int64_t from, i, n;

	for (from = 0; from < w->last; from += PAGES * KV_PAGE)
		for (i = 0; i < w->blocks; i++) {
			struct block b = latent_rows(a, w, i, &n);

			if (from < b.limit[n - 1])
				block_fn[n].gather(&b, from, from + PAGES * KV_PAGE);
		}
}

void ISA_FN(attend_latent)(const struct attend_latent *a)
{
	const int64_t dim = a->key_dim, padded = ROUND16(a->value_dim);
	const v16 scale = v16_set(a->scale);
	struct latent_work w = {.rows = a->n * a->heads, .last = a->first + a->n};
	int64_t i, d;

	w.blocks = (w.rows + ROWS_1 - 1) / ROWS_1;
	w.width = ROUND16(w.last);
	w.q = a->scratch;
	w.score = w.q + ROUND16(w.rows * dim) + 16;
	w.o = w.score + w.rows * w.width;
	w.turned = w.o + w.rows * padded;
	for (i = 0; i < w.rows; i++) {
		const float *q = a->q + i / a->heads * a->q_stride + i % a->heads * dim;

		for (d = 0; d < dim; d += 16)   /* past the end of the row, where the next one will stand */
			v16_store(w.q + i * dim + d, v16_mul(v16_load(q + d), scale));
	}
	latent_scores(a, &w);
	for (i = 0; i < w.rows; i++) {
		const int64_t limit = a->first + i / a->heads + 1;
		float *score = w.score + i * w.width, max = limit_scores(score, limit), sum = weights(score, limit, max);

		if (a->lse)
			a->lse[i / a->heads * a->lse_stride + i % a->heads] = (float)((double)max + cpu_log(sum));
		w.q[i] = sum;                   /* the queries have done their part */
	}
	latent_gather(a, &w);
	for (i = 0; i < w.rows; i++) {
		float *out = a->out + i / a->heads * a->out_stride + i % a->heads * a->value_dim;
		const float *o = w.o + i * padded;
		const v16 by = v16_set(w.q[i]);

		for (d = 0; d + 16 <= a->value_dim; d += 16)
			v16_store(out + d, v16_div(v16_load(o + d), by));
		if (d < a->value_dim)
			v16_store_n(out + d, v16_div(v16_load(o + d), by), a->value_dim - d);
	}
}
