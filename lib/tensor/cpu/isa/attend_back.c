/* attend_back.c - the way back through attention, for one key/value head of one sequence
 *
 *     p_ij = exp(scale q_i.k_j - lse_i);  ds_ij = p_ij (dout_i.v_j - dout_i.out_i)
 *     dv_j = sum p_ij dout_i;  dk_j = scale sum ds_ij q_i;  dq_i = scale sum ds_ij k_j
 * in tiles of QUERIES by KEYS that stay in the first-level cache; what lies above the diagonal is left out block by block. Every sum is one
 * chain in the order of its index (heads, then positions), whatever the tiles.
 */
#include "isa.h"
#include "mm.h"

#define QUERIES 48
#define KEYS 64
#define ROUND16(n) (((n) + 15) / 16 * 16)

/* All rows are `width` = ROUND16(D) floats long, of which D count; all arrays have ROUND16(n) of them. */
struct work {
	int64_t width;
	float *key_pages, *value_pages;         /* [pages][D][16] */
	float *k, *dk, *dv, *q, *dout, *dq;
	float *delta;                           /* dout_i . out_i */
	float *p, *ds;                          /* [QUERIES][KEYS] */
};

static int64_t work_floats(int64_t n, int64_t dim)
{
	return 8 * ROUND16(n) * ROUND16(dim) + ROUND16(n) + 2 * QUERIES * KEYS;
}

int64_t ISA_FN(attend_back_scratch)(int64_t n, int64_t heads, int64_t head_dim)
{
	(void)heads;
	return work_floats(n, head_dim);
}

static struct work work_new(float *at, int64_t n, int64_t dim)
{
	const int64_t width = ROUND16(dim), size = ROUND16(n) * width;

	return (struct work){.width = width, .key_pages = at, .value_pages = at + size, .k = at + 2 * size, .dk = at + 3 * size,
			     .dv = at + 4 * size, .q = at + 5 * size, .dout = at + 6 * size, .dq = at + 7 * size, .p = at + 8 * size,
			     .ds = at + 8 * size + QUERIES * KEYS, .delta = at + 8 * size + 2 * QUERIES * KEYS};
}

/* n rows of dim floats, `stride` apart, times `by`, to rows of `width`; what is behind dim there means nothing */
static void take_rows(float *to, int64_t width, const float *from, int64_t stride, int64_t n, float by)
{
	const v16 s = v16_set(by);
	int64_t i, d;

	for (i = 0; i < n; i++)
		for (d = 0; d < width; d += 16)
			v16_store(to + i * width + d, v16_mul(v16_load(from + i * stride + d), s));
}

/* to bfloat16; n is a multiple of 16 */
static void round_numbers(float *x, int64_t n)
{
	uint16_t half[PANEL];

	for (; n > 0; n -= PANEL, x += PANEL) {
		ISA_FN(narrow)(half, x, PANEL);
		ISA_FN(widen)(x, half, PANEL);
	}
}

static void give_rows(float *to, int64_t stride, const float *from, int64_t width, int64_t n, int64_t dim, float by)
{
	const v16 s = v16_set(by);
	int64_t i, d;

	for (i = 0; i < n; i++) {
		for (d = 0; d + 16 <= dim; d += 16)
			v16_store(to + i * stride + d, v16_mul(v16_load(from + i * width + d), s));
		if (d < dim)
			v16_store_n(to + i * stride + d, v16_mul(v16_load(from + i * width + d), s), dim - d);
	}
}

/* out[R][KEYS], pages 0 .. pages-1 of 16 columns = rows[R][width] times the pages [dim][16] */
INLINE void by_pages(const int R, float *out, const float *rows, int64_t width, const float *page, int64_t dim, int64_t pages)
{
	for (; pages > 0; pages--, page += dim * PANEL, out += PANEL) {
		const void *panel = page;
		mm_acc acc;

		mm_zero(R, 1, acc);
		mm_steps(R, 1, 0, acc, dim, rows, width, 1, &panel, PANEL);
		UNROLL for (int i = 0; i < R; i++)
			UNROLL for (int j = 0; j < LANE_REGS; j++)
				vf_store(out + i * KEYS + j * VL, acc[i][j]);
	}
}

/* sum[R][width] += a[R][k] rows[k][width]; a's element (i, k) at a[i * KEYS + k], or a[k * KEYS + i] with trans */
INLINE void by_rows(const int R, const int trans, float *sum, const float *a, int64_t k, const float *rows, int64_t width)
{
	int64_t d;

	for (d = 0; d < width; d += PANEL, sum += PANEL, rows += PANEL) {
		const void *panel = rows;
		mm_acc acc;

		UNROLL for (int i = 0; i < R; i++)
			UNROLL for (int j = 0; j < LANE_REGS; j++)
				acc[i][j] = vf_load(sum + i * width + j * VL);
		mm_steps(R, 1, 0, acc, k, a, trans ? 1 : KEYS, trans ? KEYS : 1, &panel, width);
		UNROLL for (int i = 0; i < R; i++)
			UNROLL for (int j = 0; j < LANE_REGS; j++)
				vf_store(sum + i * width + j * VL, acc[i][j]);
	}
}

#define BLOCK(R) \
	static void by_pages_##R(float *out, const float *rows, int64_t width, const float *page, int64_t dim, int64_t pages) \
	{ \
		by_pages(R, out, rows, width, page, dim, pages); \
	} \
	static void by_rows_##R(float *sum, const float *a, int64_t k, const float *rows, int64_t width) \
	{ \
		by_rows(R, 0, sum, a, k, rows, width); \
	} \
	static void by_columns_##R(float *sum, const float *a, int64_t k, const float *rows, int64_t width) \
	{ \
		by_rows(R, 1, sum, a, k, rows, width); \
	}
#define ENTRY(R) [R] = {by_pages_##R, by_rows_##R, by_columns_##R},
EACH_R(BLOCK)
static const struct {
	void (*by_pages)(float *out, const float *rows, int64_t width, const float *page, int64_t dim, int64_t pages);
	void (*by_rows)(float *sum, const float *a, int64_t k, const float *rows, int64_t width);
	void (*by_columns)(float *sum, const float *a, int64_t k, const float *rows, int64_t width);
} block_fn[] = {EACH_R(ENTRY)};

/* The rows of block i, from *first on, when n rows are cut evenly into blocks that the registers hold */
INLINE int64_t cut(int64_t n, int64_t i, int64_t blocks, int64_t *first)
{
	*first = i * n / blocks;
	return (i + 1) * n / blocks - *first;
}

/* One query's row of a tile: products become p and ds, 0 behind the `count` keys that it sees. */
static void row_of_tile(float *p, float *ds, int64_t count, int64_t nk, float lse, float delta)
{
	const v16 l = v16_set(lse), dl = v16_set(delta);
	int64_t j;

	for (j = 0; j + 16 <= count; j += 16) {
		v16 e = v16_exp(v16_sub(v16_load(p + j), l));

		v16_store(p + j, e);
		v16_store(ds + j, v16_mul(e, v16_sub(v16_load(ds + j), dl)));
	}
	if (j < count) {
		v16 e = v16_exp(v16_sub(v16_load(p + j), l)), d = v16_mul(e, v16_sub(v16_load(ds + j), dl));

		v16_store(p + j, v16_head(e, v16_zero(), count - j));
		v16_store(ds + j, v16_head(d, v16_zero(), count - j));
		j += 16;
	}
	for (; j < nk; j += 16) {
		v16_store(p + j, v16_zero());
		v16_store(ds + j, v16_zero());
	}
}

/* p and ds of the tile of nq queries from q0 on and nk keys (a multiple of 16) from k0 on */
static void tile_scores(const struct attend_back *a, struct work *w, const float *lse, int64_t q0, int64_t nq, int64_t k0, int64_t nk)
{
	const int64_t page = k0 * a->head_dim, blocks = (nq + ROWS_1 - 1) / ROWS_1;
	int64_t i, first;

	for (i = 0; i < blocks; i++) {
		const int64_t n = cut(nq, i, blocks, &first), seen = MIN(nk, q0 + first + n - k0);      /* by the last row */

		if (seen <= 0)
			continue;
		block_fn[n].by_pages(w->p + first * KEYS, w->q + (q0 + first) * w->width, w->width, w->key_pages + page, a->head_dim,
				     (seen + 15) / 16);
		block_fn[n].by_pages(w->ds + first * KEYS, w->dout + (q0 + first) * w->width, w->width, w->value_pages + page, a->head_dim,
				     (seen + 15) / 16);
	}
	for (i = 0; i < nq; i++)
		row_of_tile(w->p + i * KEYS, w->ds + i * KEYS, MIN(nk, q0 + i + 1 - k0), nk, lse[(q0 + i) * a->lse_stride], w->delta[q0 + i]);
}

/* What the tile adds to dk, dv (rows of keys) and dq (rows of queries) */
static void tile_gradients(struct work *w, int64_t q0, int64_t nq, int64_t k0, int64_t nk)
{
	const int64_t width = w->width, key_blocks = (nk + ROWS_1 - 1) / ROWS_1, query_blocks = (nq + ROWS_1 - 1) / ROWS_1;
	int64_t i, first;

	for (i = 0; i < key_blocks; i++) {      /* queries before the first of these keys do not see them */
		const int64_t n = cut(nk, i, key_blocks, &first), skip = MAX(0, k0 + first - q0), at = skip * KEYS + first;
		const int64_t key = (k0 + first) * width, query = (q0 + skip) * width;

		if (skip >= nq)
			break;
		block_fn[n].by_columns(w->dv + key, w->p + at, nq - skip, w->dout + query, width);
		block_fn[n].by_columns(w->dk + key, w->ds + at, nq - skip, w->q + query, width);
	}
	for (i = 0; i < query_blocks; i++) {
		const int64_t n = cut(nq, i, query_blocks, &first), seen = MIN(nk, q0 + first + n - k0);

		if (seen > 0)
			block_fn[n].by_rows(w->dq + (q0 + first) * width, w->ds + first * KEYS, seen, w->k + k0 * width, width);
	}
}

/* dout_i . out_i, and dout's rows side by side */
static void take_dout(const struct attend_back *a, struct work *w, int64_t head)
{
	const int64_t dim = a->head_dim;
	int64_t i, d;

	for (i = 0; i < a->n; i++) {
		const float *out = a->out + i * a->out_stride + head * dim, *dout = a->dout + i * a->out_stride + head * dim;
		float *to = w->dout + i * w->width;
		v16 sum = v16_zero();

		for (d = 0; d + 16 <= dim; d += 16) {
			v16 x = v16_load(dout + d);

			v16_store(to + d, x);
			sum = v16_fma(x, v16_load(out + d), sum);
		}
		if (d < dim) {
			v16 x = v16_load_n(dout + d, dim - d);

			v16_store(to + d, x);
			sum = v16_fma(x, v16_load_n(out + d, dim - d), sum);
		}
		w->delta[i] = v16_sum(sum);
	}
}

void ISA_FN(attend_back)(const struct attend_back *a)
{
	const int64_t n = a->n, dim = a->head_dim, padded = ROUND16(n);
	struct work w = work_new(a->scratch, n, dim);
	int64_t h, i, j;

	take_rows(w.k, w.width, a->k, a->stride, n, 1);
	take_rows(w.dv, w.width, a->v, a->stride, n, 1);        /* values rest there until they lie in pages */
	if (a->half_keys) {
		round_numbers(w.k, n * w.width);
		round_numbers(w.dv, n * w.width);
	}
	for (i = 0; i < n; i += PANEL) {
		ISA_FN(transpose)(w.key_pages + i * dim, w.k + i * w.width, w.width, MIN(PANEL, n - i), dim);
		ISA_FN(transpose)(w.value_pages + i * dim, w.dv + i * w.width, w.width, MIN(PANEL, n - i), dim);
	}
	memset(w.dk, 0, (size_t)(padded * w.width) * sizeof *w.dk);
	memset(w.dv, 0, (size_t)(padded * w.width) * sizeof *w.dv);
	for (h = 0; h < a->heads; h++) {
		take_rows(w.q, w.width, a->q + h * dim, a->stride, n, a->scale);
		take_dout(a, &w, h);
		memset(w.dq, 0, (size_t)(n * w.width) * sizeof *w.dq);
		for (i = 0; i < n; i += QUERIES) {
			const int64_t nq = MIN(QUERIES, n - i);

			for (j = 0; j < i + nq; j += KEYS) {
				const int64_t nk = MIN(KEYS, padded - j);

				tile_scores(a, &w, a->lse + h, i, nq, j, nk);
				tile_gradients(&w, i, nq, j, nk);
			}
		}
		give_rows(a->dq + h * dim, a->stride, w.dq, w.width, n, dim, a->scale);
	}
	give_rows(a->dk, a->stride, w.dk, w.width, n, dim, 1);
	give_rows(a->dv, a->stride, w.dv, w.width, n, dim, 1);
}

void ISA_FN(attend_latent_back)(float *p, float *ds, int64_t seen, int64_t n, float scale, float lse, const float *out, const float *dout, int64_t dim)
{
	const v16 by = v16_set(scale), l = v16_set(lse);
	v16 delta = v16_zero();
	int64_t j;

	for (j = 0; j < dim; j += 16)
		delta = v16_fma(v16_load_n(dout + j, dim - j), v16_load_n(out + j, dim - j), delta);
	delta = v16_set(v16_sum(delta));
	for (j = 0; j < seen; j += 16) {
		v16 e = v16_exp(v16_sub(v16_mul(v16_load_n(p + j, seen - j), by), l));
		v16 d = v16_mul(v16_mul(e, v16_sub(v16_load_n(ds + j, seen - j), delta)), by);

		v16_store_n(p + j, e, seen - j);
		v16_store_n(ds + j, d, seen - j);
	}
	for (j = seen; j < n; j++)
		p[j] = ds[j] = 0;
}
