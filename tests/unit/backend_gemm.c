/* Matrix products of every kind and shape have the bits of the plain chain of fused multiply-adds, on all instruction sets and threads. Another
 * backend's are close to it: as close as bfloat16 comes where operands may be rounded to that, or are of it. */
#include "backend_util.h"

#define GUARD 12352.0f          /* in bfloat16, too */

/* Kinds of products. PANELS, IN_ROWS: of a packed weight, of bfloat16 with BF16, which alone is in rows as well; else a plain B */
enum {
	PANELS = 1, ACCUMULATE = 2, BIAS = 4, TRANS_A = 8, TRANS_B = 16, PAD = 32, BF16 = 64, IN_ROWS = 128, PLUS = 256,
	A_HALF = 512, B_HALF = 1024, C_HALF = 2048
};

static float chain(const struct gemm *g, int64_t i, int64_t j, float before)
{
	const float *a = g->a, *b = g->b;
	float sum = 0;
	int64_t k;

	for (k = 0; k < g->k; k++)
		sum = fmaf(g->trans_a ? a[k * g->lda + i] : a[i * g->lda + k], g->trans_b ? b[j * g->ldb + k] : b[k * g->ldb + j], sum);
	if (g->bias)
		sum += g->bias[j];
	return g->accumulate ? before + sum : g->plus ? g->plus[i * g->ldc + j] + sum : sum;
}

/* c[m, ldc], of which n columns are the product and those behind untouched, against the chain; before: what c was */
static void compare(struct backend *be, const struct gemm *g, const float *before, double allowed, unsigned kind)
{
	const float *c = g->c;
	double sum = 0, off = 0;
	int64_t i, j;

	for (i = 0; i < g->m; i++)
		for (j = 0; j < g->ldc; j++) {
			const float got = c[i * g->ldc + j], want = j < g->n ? chain(g, i, j, before[i * g->ldc + j]) : GUARD;

			if ((exact(be) || j >= g->n) && memcmp(&got, &want, sizeof got))
				TEST_FAIL("%s: %lldx%lldx%lld, kind %u: C[%lld,%lld] is %.9g, the chain gives %.9g", be->what, (long long)g->m,
					  (long long)g->n, (long long)g->k, kind, (long long)i, (long long)j, got, want);
			if (j >= g->n)
				continue;
			sum += (double)want * want;
			off += ((double)got - want) * ((double)got - want);
		}
	sum = fmax(sum, (double)(g->m * g->n * g->k) / 9);      /* what it is in the mean: a few elements may be small by chance, their rounding is not */
	if (!exact(be) && sum > 0)
		note_error(sqrt(off / sum), allowed);
	if (!(sqrt(off) <= allowed * sqrt(sum)))
		TEST_FAIL("%s: %lldx%lldx%lld, kind %u: off by %g of its size", be->what, (long long)g->m, (long long)g->n, (long long)g->k, kind,
			  sqrt(off / sum));
}

/* What comes in as bfloat16 is rounded before, so that the chain is of the same numbers. */
static void check(struct backend *be, int64_t m, int64_t n, int64_t k, unsigned kind)
{
	const bool pack = kind & (PANELS | BF16 | IN_ROWS), panels = kind & PANELS, trans_a = kind & TRANS_A, trans_b = kind & (PANELS | TRANS_B);
	const bool b_half = kind & (pack ? BF16 : B_HALF), a_half = kind & A_HALF, c_half = kind & C_HALF;
	const int64_t pad = kind & PAD ? below(2) ? 3 : 8 : 0;
	struct gemm g = {.m = m, .n = n, .k = k, .trans_a = trans_a, .trans_b = trans_b, .accumulate = kind & ACCUMULATE,
			 .lda = (trans_a ? m : k) + pad, .ldb = (trans_b ? k : n) + (pack ? 0 : pad), .ldc = n + pad};
	const int64_t size_a = (trans_a ? k : m) * g.lda, size_b = (trans_b ? n : k) * g.ldb, size_c = m * g.ldc;
	float *a = random_floats(be, size_a, 1), *b = random_floats(be, size_b, 1), *c = random_floats(be, size_c, 1), *bias = random_floats(be, n, 1);
	float *plus = random_floats(be, size_c, 3), *plus_before = copy_floats(be, plus, size_c), *before;
	uint16_t *a16 = a_half ? halves(be, a, size_a) : NULL, *b16 = b_half ? halves(be, b, size_b) : NULL, *c16;
	struct packed *packed = pack ? backend_pack(be, b, trans_b ? n : k, trans_b ? k : n, b_half ? WEIGHT_BF16 : WEIGHT_F32, panels) : NULL;
	double allowed = 1e-5;
	struct gemm given;
	int64_t i, j;

	if (c_half || a_half != b_half || be->half)
		allowed = 1e-2;
	else if (a_half)
		allowed = 1e-4;
	for (i = 0; i < m; i++)
		for (j = n; j < g.ldc; j++)
			c[i * g.ldc + j] = GUARD;
	c16 = c_half ? halves(be, c, size_c) : NULL;
	before = copy_floats(be, c, size_c);
	g.a = a;
	g.b = b;
	g.c = c;
	g.bias = kind & BIAS ? bias : NULL;
	g.plus = kind & PLUS ? plus : NULL;
	given = g;
	given.packed = packed;
	given.a_half = a_half;
	given.b_half = !pack && b_half;
	given.c_half = c_half;
	if (a_half)
		given.a = a16;
	if (c_half)
		given.c = c16;
	if (pack)
		given.b = NULL;
	else if (b_half)
		given.b = b16;
	be->gemm(be, &given);
	if (c_half)
		widen(c, c16, size_c);
	compare(be, &g, before, allowed, kind);
	CHECK_MEM(plus, size_c * 4, plus_before, size_c * 4);
	be->unpack(be, packed);
	be->free(be, a), be->free(be, b), be->free(be, c), be->free(be, bias), be->free(be, plus), be->free(be, plus_before), be->free(be, before);
	be->free(be, a16), be->free(be, b16), be->free(be, c16);
}

/* Products of a batch, their operands interleaved as those of heads are, each as it is alone. kind: 1 bfloat16 rows, 2 float32 rows of a packed
 * weight, else a plain matrix; 4 trans_b; 8 trans_a; 16 accumulate */
static void check_batch(struct backend *be, int64_t m, int64_t n, int64_t k, int64_t batch, unsigned kind)
{
	const bool pack = kind & 3, trans_a = kind & 8, trans_b = kind & 4;
	const int64_t rows = (trans_b ? n : k) + 2, cols = trans_b ? k : n, width = trans_a ? m : k;
	struct gemm g = {.m = m, .n = n, .k = k, .trans_a = trans_a, .trans_b = trans_b, .accumulate = kind & 16, .batch = batch,
			 .lda = width * batch, .step_a = width, .ldb = cols, .step_b = rows * (pack ? 1 : cols), .ldc = n * batch, .step_c = n,
			 .packed_row = pack ? 1 : 0};
	float *a = random_floats(be, (trans_a ? k : m) * g.lda, 1), *w = random_floats(be, rows * batch * cols, 1);
	float *c = random_floats(be, m * g.ldc, 1), *want = copy_floats(be, c, m * g.ldc);
	struct packed *packed = NULL;
	int64_t i;

	if (kind & 1)
		be->free(be, halves(be, w, rows * batch * cols));
	if (pack)
		packed = backend_pack(be, w, rows * batch, cols, kind & 1 ? WEIGHT_BF16 : WEIGHT_F32, false);
	g.a = a;
	g.c = c;
	g.packed = packed;
	g.b = pack ? NULL : w + cols;
	be->gemm(be, &g);
	for (i = 0; i < batch; i++)
		be->gemm(be, &(struct gemm){.m = m, .n = n, .k = k, .trans_a = trans_a, .trans_b = trans_b, .accumulate = g.accumulate,
					    .a = a + i * g.step_a, .lda = g.lda, .b = w + (1 + i * rows) * cols, .ldb = cols,
					    .c = want + i * g.step_c, .ldc = g.ldc});
	if (exact(be))
		CHECK_MEM(c, m * g.ldc * 4, want, m * g.ldc * 4);
	else if (!(difference(c, want, m * g.ldc) <= (kind & 1 ? 1e-2 : 1e-5)))
		TEST_FAIL("%s: a batch of %lldx%lldx%lld, kind %u: off by %g", be->what, (long long)m, (long long)n, (long long)k, kind,
			  difference(c, want, m * g.ldc));
	be->unpack(be, packed);
	be->free(be, a), be->free(be, w), be->free(be, c), be->free(be, want);
}

static const int64_t rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 13, 14, 15, 17, 28, 29, 31, 64}, cols[] = {1, 8, 15, 16, 17, 48, 72, 96, 100};

/* C = A B + something else than C, which stays; in the end the sum over k is empty */
static void check_plus(struct backend *be)
{
	unsigned i;

	for (i = 0; i < 128; i++) {
		const unsigned kind = PLUS | (i & 1 ? PANELS : 0) | (i & 2 ? TRANS_A : 0) | (i & 4 ? TRANS_B : 0) | (i & 8 ? PAD : 0) | (i & 16 ? BF16 : 0) |
				      (i & 32 ? IN_ROWS : 0);

		check(be, rows[i & 64 ? 8 + below(8) : below(8)], cols[below(9)], 1 + below(90), kind);
	}
	for (i = 1; i <= 16; i++)
		check(be, i, 64 + below(64), 8 * (10 + below(40)), PLUS | (i & 1 ? PANELS : TRANS_B) | (i & 2 ? BF16 : 0));
	check(be, 300, 80, 24, PLUS | TRANS_B);
	check(be, 90, 200, 420, PLUS | PANELS | BF16);
	check(be, 5, 9, 0, PLUS | PAD);
}

/* Operands of bfloat16 in all combinations, of few rows and many, aligned and not */
static void check_half_rows(struct backend *be)
{
	unsigned i, half;

	for (half = 1; half < 8; half++)
		for (i = 0; i < 256; i++) {
			const bool pack = i & (PANELS | BF16 | IN_ROWS);
			unsigned kind = i | (half & 1 ? A_HALF : 0) | (half & 2 ? B_HALF : 0) | (half & 4 ? C_HALF : 0);

			if ((pack && half & 2) || (i & PANELS && i & (IN_ROWS | TRANS_B)))
				continue;
			if (!(kind & (ACCUMULATE | BIAS | C_HALF)) && below(2))
				kind |= PLUS;
			be->half = below(2);
			check(be, rows[below(8)], cols[below(9)], below(2) ? 8 * (1 + below(40)) : 1 + below(90), kind);
			check(be, rows[8 + below(8)], cols[below(9)], below(2) ? 8 * (1 + below(10)) : 1 + below(90), kind);
		}
	for (i = 1; i <= 8; i++) {              /* all of the activations of a model of 16 bits, over all of its rows, one column more or less */
		check(be, i, 127 + below(3), 8 * (60 + below(60)), PANELS | BF16 | A_HALF | (i & 1 ? C_HALF : PLUS));
		check(be, i, 127 + below(3), 8 * (60 + below(60)), PANELS | BF16 | A_HALF | BIAS | (i & 2 ? C_HALF : ACCUMULATE));
	}
	check(be, 70, 130, 400, PANELS | BF16 | A_HALF | C_HALF | BIAS);
	check(be, 70, 131, 401, BF16 | A_HALF | C_HALF | ACCUMULATE);
	check(be, 131, 70, 65, TRANS_A | A_HALF | B_HALF | ACCUMULATE);
	check(be, 5, 9, 0, A_HALF | B_HALF | C_HALF | BIAS | PAD);
	be->half = false;
}

int main(void)
{
	struct backend *be;

	EACH_BACKEND(be) {
		const int many = !exact(be) || strstr(be->what, "portable") ? 1 : 2;
		int64_t i;

		test_rng = rng_new(1, 2);
		for (i = 0; i < 128; i++) {              /* every kind, each at some sizes around those of the kernels */
			int r;

			for (r = 0; r < 2 * many; r++)
				check(be, rows[below(16)], cols[below(9)], 1 + below(90), (unsigned)i);     /* of few rows and of many, k even and odd */
			check(be, 1 + below(20), 1 + below(40), 400 + below(500), (unsigned)i);        /* several chunks of k */
		}
		for (i = 1; i <= 16; i++) {             /* every number of few rows over packed weights */
			check(be, i, 64 + below(64), 100 + below(300), PANELS);
			check(be, i, 64 + below(64), 100 + below(300), PANELS | BF16);
			check(be, 2 * i, 32 + below(64), 500 + below(300), PANELS | BF16 | (unsigned)(2 * below(4)));
		}
		for (i = 60; i <= 80; i++)              /* A's columns in blocks, of every length modulo the vectors' */
			check(be, 7, 20, i, TRANS_A | ACCUMULATE);
		check(be, 300, 80, 24, TRANS_B);
		check(be, 260, 70, 400, TRANS_B | ACCUMULATE);
		check(be, 150, 300, 30, TRANS_A | ACCUMULATE);
		check(be, 90, 600, 20, BIAS);
		check(be, 5, 9, 0, BIAS | ACCUMULATE);              /* an empty sum */
		for (i = 0; i < 32; i++)
			if ((i & 3) != 3)
				check_batch(be, 1 + below(20), 1 + below(40), below(2) ? 1 + below(30) : 390 + below(20), 1 + below(5), (unsigned)i);
		if (many > 1) {
			check(be, 300, 130, 900, BF16 | PANELS);
			check(be, 300, 130, 901, BF16 | TRANS_B);
			check(be, 300, 131, 900, BF16);
			check(be, 1100, 70, 100, TRANS_B);
			check(be, 300, 130, 900, TRANS_A | ACCUMULATE);
			check(be, 113, 530, 391, BIAS);
		}
		check_plus(be);
		if (be->half_rows)
			check_half_rows(be);
		for (i = 0; !exact(be) && i < 24; i++) {        /* activations by activations of a model of 16 bits */
			be->half = true;
			check(be, rows[below(16)], cols[below(9)], 1 + below(90), (unsigned)(2 * below(32)));
		}
		backend_close(be);
	}
	return 0;
}
