/* attend.c - attention for some rows of one key/value head
 *
 * A row is a position and a query head. Its result is fixed by its own query and the keys up to its position:
 *     s_j = chain over d of fma(scale * q_d, k_jd);  m = max s_j;  p_j = exp(s_j - m);  l = sum of p_j in lane j % 16
 *     o_d = chain over j of fma(p_j, v_jd);  out_d = o_d / l;  lse = m + log l
 * so that it does not matter how many rows are computed at once, nor whether the keys come from a cache.
 */
#include "isa.h"
#include "mm.h"

#define ROUND16(n) (((n) + 15) / 16 * 16)

/* Up to ROWS_1 rows worked on at once */
struct block {
	int64_t head_dim, width;        /* width: of a row of scores */
	const float *q;                 /* [R][D], scaled */
	const float *const *k, *const *v;
	int64_t v_stride;
	float *score;                   /* [R][width] */
	float *o;                       /* [R][ROUND16(D)] */
};

INLINE void score_pages(const int R, const int P, const struct block *b, int64_t page)
{
	mm_acc acc;

	mm_zero(R, P, acc);
	mm_steps(R, P, acc, b->head_dim, b->q, b->head_dim, 1, b->k + page, PANEL);
	UNROLL for (int i = 0; i < R; i++)
		UNROLL for (int j = 0; j < P * LANE_REGS; j++)
			vf_store(b->score + i * b->width + page * PANEL + j * VL, acc[i][j]);
}

INLINE void scores(const int R, const int P, const struct block *b, int64_t pages)
{
	int64_t p = 0;

	for (; p + P <= pages; p += P)
		score_pages(R, P, b, p);
	if (P > 1)
		for (; p < pages; p++)
			score_pages(R, 1, b, p);
}

/* o[:, P panels from column col on] += p[:, from..to) v[from..to) */
INLINE void gather_panels(const int R, const int P, const struct block *b, int64_t from, int64_t to, int64_t col)
{
	const int64_t ld = ROUND16(b->head_dim);
	float *o = b->o + col;
	mm_acc acc;

	UNROLL for (int i = 0; i < R; i++)
		UNROLL for (int j = 0; j < P * LANE_REGS; j++)
			acc[i][j] = from ? vf_load(o + i * ld + j * VL) : vf_zero();
	while (from < to) {
		int64_t n = KV_PAGE - from % KV_PAGE;
		const float *v = b->v[from / KV_PAGE] + from % KV_PAGE * b->v_stride + col, *panel[MM_PANELS];

		if (n > to - from)
			n = to - from;
		UNROLL for (int j = 0; j < P; j++)
			panel[j] = v + j * PANEL;
		mm_steps(R, P, acc, n, b->score + from, b->width, 1, panel, b->v_stride);
		from += n;
	}
	UNROLL for (int i = 0; i < R; i++)
		UNROLL for (int j = 0; j < P * LANE_REGS; j++)
			vf_store(o + i * ld + j * VL, acc[i][j]);
}

INLINE void gather(const int R, const int P, const struct block *b, int64_t from, int64_t to)
{
	int64_t col = 0;

	for (; col + P * PANEL <= ROUND16(b->head_dim); col += P * PANEL)
		gather_panels(R, P, b, from, to, col);
	if (P > 1)
		for (; col < b->head_dim; col += PANEL)
			gather_panels(R, 1, b, from, to, col);
}

#define BLOCK(R) \
	static void scores_##R(const struct block *b, int64_t pages) { scores(R, PANELS_FOR(R), b, pages); } \
	static void gather_##R(const struct block *b, int64_t from, int64_t to) { gather(R, PANELS_FOR(R), b, from, to); }
#define ENTRY(R) [R] = {scores_##R, gather_##R},
#if ROWS_1 == 14
#define EACH_R(F) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14)
#else
#define EACH_R(F) F(1) F(2) F(3) F(4) F(5) F(6)
#endif
EACH_R(BLOCK)
static const struct {
	void (*scores)(const struct block *, int64_t pages);
	void (*gather)(const struct block *, int64_t from, int64_t to);
} block_fn[] = {EACH_R(ENTRY)};

/* score becomes p; what it returns is m, and *sum is l. Behind the n keys are zeros up to a multiple of 16. */
static float softmax(float *score, int64_t n, float *sum)
{
	v16 max = v16_set(-INFINITY), s = v16_zero(), m;
	int64_t i;
	float top;

	for (i = 0; i + 16 <= n; i += 16)
		max = v16_max(v16_load(score + i), max);
	if (i < n)
		max = v16_max(v16_head(v16_load(score + i), max, n - i), max);
	top = v16_max_lane(max);
	m = v16_set(top);
	for (i = 0; i + 16 <= n; i += 16) {
		v16 p = v16_exp(v16_sub(v16_load(score + i), m));

		v16_store(score + i, p);
		s = v16_add(s, p);
	}
	if (i < n) {
		v16 p = v16_head(v16_exp(v16_sub(v16_load(score + i), m)), v16_zero(), n - i);

		v16_store(score + i, p);
		s = v16_add(s, p);
	}
	*sum = v16_sum(s);
	return top;
}

/* Rows row .. row+n-1 of a */
static void attend_block(const struct attend *a, int64_t row, int64_t n, float *scratch)
{
	const int64_t dim = a->head_dim, last = a->first + (row + n - 1) / a->heads + 1, shared = a->first + row / a->heads + 1;
	struct block b = {.head_dim = dim, .width = ROUND16(last), .k = a->k, .v = a->v, .v_stride = a->v_stride};
	float sum[MM_ROWS], *q = scratch;
	int64_t i, d;

	b.q = q;
	b.score = q + ROUND16(n * dim);
	b.o = b.score + n * b.width;
	for (i = 0; i < n; i++) {
		const float *from = a->q + (row + i) / a->heads * a->q_stride + (row + i) % a->heads * dim;

		for (d = 0; d < dim; d++)
			q[i * dim + d] = a->scale * from[d];
	}
	block_fn[n].scores(&b, b.width / PANEL);
	for (i = 0; i < n; i++) {
		const int64_t p = (row + i) / a->heads, h = (row + i) % a->heads;
		const float max = softmax(b.score + i * b.width, a->first + p + 1, &sum[i]);

		if (a->lse)
			a->lse[p * a->lse_stride + h] = (float)((double)max + cpu_log(sum[i]));
	}
	block_fn[n].gather(&b, 0, shared);
	for (i = 0; i < n; i++) {
		const int64_t p = (row + i) / a->heads, h = (row + i) % a->heads;
		float *out = a->out + p * a->out_stride + h * dim, *o = b.o + i * ROUND16(dim);

		if (a->first + p + 1 > shared) {
			struct block one = b;

			one.score += i * b.width;
			one.o = o;
			block_fn[1].gather(&one, shared, a->first + p + 1);
		}
		for (d = 0; d < dim; d += 16)
			v16_store_n(out + d, v16_div(v16_load(o + d), v16_set(sum[i])), dim - d);
	}
}

int64_t ISA_FN(attend_scratch)(const struct attend *a)
{
	return MM_ROWS * (2 * ROUND16(a->head_dim) + ROUND16(a->first + a->n)) + 16;
}

void ISA_FN(attend)(const struct attend *a)
{
	const int64_t rows = a->n * a->heads, blocks = (rows + ROWS_1 - 1) / ROWS_1;
	int64_t i, row = 0;

	for (i = 0; i < blocks; i++) {
		const int64_t n = (rows - row + blocks - i - 1) / (blocks - i);

		attend_block(a, row, n, a->scratch);
		row += n;
	}
}
