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
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* All rows are `width` = ROUND16(D) floats long, 0 behind the D that count; all arrays have ROUND16(n) of them. */
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

/* n rows of dim floats, `stride` apart, times `by`, to rows of `width` */
static void take_rows(float *to, int64_t width, const float *from, int64_t stride, int64_t n, int64_t dim, float by)
{
	const v16 s = v16_set(by);
	int64_t i, d;

	for (i = 0; i < n; i++)
		for (d = 0; d < width; d += 16)
			v16_store(to + i * width + d, v16_mul(v16_load_n(from + i * stride + d, dim - d), s));
}

static void give_rows(float *to, int64_t stride, const float *from, int64_t width, int64_t n, int64_t dim, float by)
{
	const v16 s = v16_set(by);
	int64_t i, d;

	for (i = 0; i < n; i++)
		for (d = 0; d < dim; d += 16)
			v16_store_n(to + i * stride + d, v16_mul(v16_load(from + i * width + d), s), dim - d);
}

/* c[rows][cols] = a b (or += with more), in blocks of rows; a's element (i, k) at a[i * lda + k], or a[k * lda + i] with trans */
static void product(const struct mm *all, bool trans, int64_t rows, int64_t cols)
{
	mm_fn *const (*fn)[MM_ROWS + 1] = trans ? ISA_FN(mm_trans) : ISA_FN(mm);
	const int64_t panels = cols / PANEL, most = panels >= 2 && ROWS_2 >= 6 ? 2 : 1;
	int64_t i, j, p;

	for (i = 0; i < rows; i += ROWS_1) {
		const int64_t n = MIN(ROWS_1, rows - i);

		for (j = 0; j < panels; j += p) {
			struct mm m = *all;

			p = MIN(most, panels - j);
			m.a += trans ? i : i * m.lda;
			m.b += j * m.panel;
			m.c += i * m.ldc + j * PANEL;
			m.cols = p * PANEL;
			m.start = m.start ? m.c : NULL;
			m.ld_start = m.ldc;
			fn[p][n](&m);
		}
	}
}

/* p and ds of the tile of nq queries from q0 on and nk keys (a multiple of 16) from k0 on */
static void tile_scores(const struct attend_back *a, struct work *w, const float *lse, int64_t q0, int64_t nq, int64_t k0, int64_t nk)
{
	const int64_t page = a->head_dim * PANEL;
	int64_t i, j;

	for (i = 0; i < nq; i += ROWS_1) {      /* not the pages right of the last row's position */
		const int64_t n = MIN(ROWS_1, nq - i), end = MIN(nk, ROUND16(q0 + i + n - k0));
		struct mm m = {.k = a->head_dim, .lda = w->width, .ldb = PANEL, .panel = page, .ldc = KEYS};

		if (end <= 0)
			continue;
		m.a = w->q + (q0 + i) * w->width;
		m.b = w->key_pages + k0 / PANEL * page;
		m.c = w->p + i * KEYS;
		product(&m, false, n, end);
		m.a = w->dout + (q0 + i) * w->width;
		m.b = w->value_pages + k0 / PANEL * page;
		m.c = w->ds + i * KEYS;
		product(&m, false, n, end);
	}
	for (i = 0; i < nq; i++) {
		const v16 l = v16_set(lse[(q0 + i) * a->lse_stride]), delta = v16_set(w->delta[q0 + i]);
		const int64_t count = MAX(0, MIN(nk, q0 + i + 1 - k0));
		float *p = w->p + i * KEYS, *ds = w->ds + i * KEYS;

		for (j = 0; j < count; j += 16) {
			v16 e = v16_exp(v16_sub(v16_load(p + j), l)), d = v16_mul(e, v16_sub(v16_load(ds + j), delta));

			if (count - j < 16) {
				e = v16_head(e, v16_zero(), count - j);
				d = v16_head(d, v16_zero(), count - j);
			}
			v16_store(p + j, e);
			v16_store(ds + j, d);
		}
		for (; j < nk; j += 16) {
			v16_store(p + j, v16_zero());
			v16_store(ds + j, v16_zero());
		}
	}
}

/* What the tile adds to dk, dv (rows of keys) and dq (rows of queries) */
static void tile_gradients(struct work *w, int64_t q0, int64_t nq, int64_t k0, int64_t nk)
{
	const int64_t width = w->width;
	int64_t i, n;

	for (i = 0; i < nk; i += n) {           /* queries before the first of these keys do not see them */
		const int64_t skip = MAX(0, k0 + i - q0);
		struct mm m = {.k = nq - skip, .lda = KEYS, .ldb = width, .panel = PANEL, .ldc = width};

		n = MIN(ROWS_1, nk - i);
		if (m.k <= 0)
			break;
		m.a = w->p + skip * KEYS + i;
		m.b = w->dout + (q0 + skip) * width;
		m.start = m.c = w->dv + (k0 + i) * width;
		product(&m, true, n, width);
		m.a = w->ds + skip * KEYS + i;
		m.b = w->q + (q0 + skip) * width;
		m.start = m.c = w->dk + (k0 + i) * width;
		product(&m, true, n, width);
	}
	for (i = 0; i < nq; i += n) {
		struct mm m = {.lda = KEYS, .ldb = width, .panel = PANEL, .ldc = width};

		n = MIN(ROWS_1, nq - i);
		m.k = MIN(nk, q0 + i + n - k0);
		if (m.k <= 0)
			continue;
		m.a = w->ds + i * KEYS;
		m.b = w->k + k0 * width;
		m.c = w->dq + (q0 + i) * width;
		m.start = k0 ? m.c : NULL;
		product(&m, false, n, width);
	}
}

void ISA_FN(attend_back)(const struct attend_back *a)
{
	const int64_t n = a->n, dim = a->head_dim, padded = ROUND16(n);
	struct work w = work_new(a->scratch, n, dim);
	int64_t h, i, j, d;

	for (i = 0; i < n; i += PANEL) {
		ISA_FN(transpose)(w.key_pages + i * dim, a->k + i * a->stride, a->stride, MIN(PANEL, n - i), dim);
		ISA_FN(transpose)(w.value_pages + i * dim, a->v + i * a->stride, a->stride, MIN(PANEL, n - i), dim);
	}
	take_rows(w.k, w.width, a->k, a->stride, n, dim, 1);
	memset(w.k + n * w.width, 0, (size_t)((padded - n) * w.width) * sizeof *w.k);
	memset(w.dk, 0, (size_t)(padded * w.width) * sizeof *w.dk);
	memset(w.dv, 0, (size_t)(padded * w.width) * sizeof *w.dv);
	for (h = 0; h < a->heads; h++) {
		const float *out = a->out + h * dim, *dout = a->dout + h * dim;

		take_rows(w.q, w.width, a->q + h * dim, a->stride, n, dim, a->scale);
		take_rows(w.dout, w.width, dout, a->out_stride, n, dim, 1);
		for (i = 0; i < n; i++) {
			v16 sum = v16_zero();

			for (d = 0; d < dim; d += 16)
				sum = v16_fma(v16_load(w.dout + i * w.width + d), v16_load_n(out + i * a->out_stride + d, dim - d), sum);
			w.delta[i] = v16_sum(sum);
		}
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
