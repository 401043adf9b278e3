/* Matrix products of every kind and shape have the bits of the plain chain of fused multiply-adds, on all instruction sets and threads. Another
 * backend's are close to it: as close as bfloat16 comes where operands may be rounded to that. */
#include "backend_util.h"

#define GUARD 12345.0f

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
static void compare(struct backend *be, const struct gemm *g, const float *before, bool half, unsigned kind)
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
			sum += (double)want * want;
			off += ((double)got - want) * ((double)got - want);
		}
	if (!exact(be) && sum > 0)
		note_error(sqrt(off / sum), half ? 1e-2 : 1e-5);
	if (!(sqrt(off) <= (half ? 1e-2 : 1e-5) * sqrt(sum)))
		TEST_FAIL("%s: %lldx%lldx%lld, kind %u: off by %g of its size", be->what, (long long)g->m, (long long)g->n, (long long)g->k, kind,
			  sqrt(off / sum));
}

static void check(struct backend *be, int64_t m, int64_t n, int64_t k, unsigned kind)
{
	/* 64: B is of bfloat16 numbers, with 1 in panels, else in rows */
	const bool pack = kind & (1 | 64), half = kind & 64, panels = kind & 1;
	const bool accumulate = kind & 2, bias = kind & 4, trans_a = kind & 8, trans_b = kind & (1 | 16);
	const int64_t pad = kind & 32 ? 3 : 0;
	struct gemm g = {.m = m, .n = n, .k = k, .trans_a = trans_a, .trans_b = trans_b, .accumulate = accumulate,
			 .lda = (trans_a ? m : k) + pad, .ldb = (trans_b ? k : n) + (pack ? 0 : pad), .ldc = n + pad};
	float *a = random_floats(be, (trans_a ? k : m) * g.lda, 1), *b = random_floats(be, (trans_b ? n : k) * g.ldb, 1);
	float *c = random_floats(be, m * g.ldc, 1), *bv = random_floats(be, n, 1), *before;
	struct packed *packed;
	int64_t i, j;

	for (i = 0; half && i < n * k; i++) {
		uint32_t bits;

		memcpy(&bits, b + i, sizeof bits);
		bits &= 0xffff0000;
		memcpy(b + i, &bits, sizeof bits);
	}
	packed = pack ? backend_pack(be, b, trans_b ? n : k, trans_b ? k : n, half ? WEIGHT_BF16 : WEIGHT_F32, panels) : NULL;
	for (i = 0; i < m; i++)
		for (j = n; j < g.ldc; j++)
			c[i * g.ldc + j] = GUARD;
	before = copy_floats(be, c, m * g.ldc);
	g.a = a;
	g.b = b;
	g.c = c;
	g.bias = bias ? bv : NULL;
	if (pack) {
		struct gemm only_packed = g;

		only_packed.packed = packed;
		only_packed.b = NULL;
		be->gemm(be, &only_packed);
	} else {
		be->gemm(be, &g);
	}
	compare(be, &g, before, half || be->half, kind);
	be->unpack(be, packed);
	be->free(be, a);
	be->free(be, b);
	be->free(be, c);
	be->free(be, bv);
	be->free(be, before);
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

	for (i = 0; kind & 1 && i < rows * batch * cols; i++) {
		uint32_t bits;

		memcpy(&bits, w + i, sizeof bits);
		bits &= 0xffff0000;
		memcpy(w + i, &bits, sizeof bits);
	}
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

int main(void)
{
	static const int64_t rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 13, 14, 15, 17, 28, 29, 31, 64}, cols[] = {1, 8, 15, 16, 17, 48, 72, 96, 100};
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
			check(be, i, 64 + below(64), 100 + below(300), 1);
			check(be, i, 64 + below(64), 100 + below(300), 1 + 64);
			check(be, 2 * i, 32 + below(64), 500 + below(300), 1 + 64 + 2 * below(4));
		}
		for (i = 60; i <= 80; i++)              /* A's columns in blocks, of every length modulo the vectors' */
			check(be, 7, 20, i, 8 + 2);
		check(be, 300, 80, 24, 16);
		check(be, 260, 70, 400, 16 + 2);
		check(be, 150, 300, 30, 8 + 2);
		check(be, 90, 600, 20, 4);
		check(be, 5, 9, 0, 4 + 2);              /* an empty sum */
		for (i = 0; i < 32; i++)
			if ((i & 3) != 3)
				check_batch(be, 1 + below(20), 1 + below(40), below(2) ? 1 + below(30) : 390 + below(20), 1 + below(5), (unsigned)i);
		if (many > 1) {
			check(be, 300, 130, 900, 64 + 1);
			check(be, 300, 130, 901, 64 + 16);
			check(be, 300, 131, 900, 64);
			check(be, 1100, 70, 100, 16);
			check(be, 300, 130, 900, 8 + 2);
			check(be, 113, 530, 391, 4);
		}
		for (i = 0; !exact(be) && i < 24; i++) {        /* activations by activations of a model of 16 bits */
			be->half = true;
			check(be, rows[below(16)], cols[below(9)], 1 + below(90), (unsigned)(2 * below(32)));
		}
		backend_close(be);
	}
	return 0;
}
