/* cpu-bf16: products of what was rounded to bfloat16 with weights of bfloat16, and of two such for weights' gradients, in pairs, as VDPBF16PS is
 * defined; the same bits on all instruction sets, a row's whatever rows are beside it. */
#include "backend_util.h"

static const char *const kinds[] = {"portable", "avx2", "avx512", "avx512bf16"};

static float rounded(float x)
{
	return from_half(to_half(x));
}

/* What it takes for 0 and gives as 0 */
static float flushed(float x)
{
	return fabsf(x) < 0x1p-126f ? copysignf(0, x) : x;
}

static float chain(const float *a, const float *b, int64_t step, int64_t k)
{
	float sum = 0;
	int64_t i, j;

	for (i = 0; i < k; i += 2)
		for (j = 1; j >= 0; j--)
			if (i + j < k)
				sum = flushed(fmaf(flushed(rounded(a[i + j])), flushed(rounded(b[(i + j) * step])), sum));
	return sum;
}

enum { PANELS = 1, ACCUMULATE = 2, BIAS = 4, ROWS = 8, SKIP = 16, SMALL = 32 };        /* ROWS: B is not transposed; SKIP: B begins at row 1 of W */

static void check(struct backend *be, int64_t m, int64_t n, int64_t k, unsigned how)
{
	const bool across = !(how & ROWS);
	const int64_t skip = how & SKIP ? 1 : 0, lda = k + 3, rows = (across ? n : k) + skip, cols = across ? k : n;
	const double size = how & SMALL ? 1e-19 : 1;
	float *a = random_floats(be, m * lda, size), *w = random_floats(be, rows * cols, size), *c = random_floats(be, m * n, 1);
	float *bias = random_floats(be, n, 1), *before = copy_floats(be, c, m * n), *some = copy_floats(be, c, m * n);
	struct packed *p = backend_pack(be, w, rows, cols, WEIGHT_BF16, how & PANELS);
	struct gemm g = {.m = m, .n = n, .k = k, .a = a, .lda = lda, .trans_b = across, .c = c, .ldc = n, .accumulate = how & ACCUMULATE,
			 .bias = how & BIAS ? bias : NULL, .packed = p, .packed_row = skip};
	int64_t i, j, first = m / 3;

	be->gemm(be, &g);
	for (i = 0; i < m; i++)
		for (j = 0; j < n; j++) {
			float want = chain(a + i * lda, w + skip * cols + (across ? j * k : j), across ? 1 : n, k);

			if (how & BIAS)
				want += bias[j];
			if (how & ACCUMULATE)
				want = before[i * n + j] + want;
			if (memcmp(&want, &c[i * n + j], sizeof want))
				TEST_FAIL("%s: %lldx%lldx%lld, how %u: C[%lld,%lld] is %a, not %a", be->what, (long long)m, (long long)n, (long long)k, how,
					  (long long)i, (long long)j, (double)c[i * n + j], (double)want);
		}
	g.a = a + first * lda;          /* some of the rows without the others */
	g.c = some + first * n;
	g.m = (m - first + 1) / 2;
	be->gemm(be, &g);
	CHECK(!memcmp(some + first * n, c + first * n, (size_t)(g.m * n) * sizeof *some));
	be->unpack(be, p);
	be->free(be, a);
	be->free(be, w);
	be->free(be, c);
	be->free(be, bias);
	be->free(be, before);
	be->free(be, some);
}

/* Products of a batch, whose weights are rows of one matrix */
static void check_batch(struct backend *be, int64_t batch, int64_t m, int64_t n, int64_t k)
{
	float *a = random_floats(be, batch * m * k, 1), *w = random_floats(be, batch * n * k, 1), *c = random_floats(be, batch * m * n, 1);
	struct packed *p = backend_pack(be, w, batch * n, k, WEIGHT_BF16, false);
	int64_t b, i, j;

	/* A is [m][batch][k], C [m][batch][n], as heads are */
	be->gemm(be, &(struct gemm){.m = m, .n = n, .k = k, .a = a, .lda = batch * k, .trans_b = true, .c = c, .ldc = batch * n, .packed = p, .batch = batch,
				    .step_a = k, .step_b = n, .step_c = n});
	for (b = 0; b < batch; b++)
		for (i = 0; i < m; i++)
			for (j = 0; j < n; j++) {
				float want = chain(a + (i * batch + b) * k, w + (b * n + j) * k, 1, k);

				CHECK(!memcmp(&want, &c[(i * batch + b) * n + j], sizeof want));
			}
	be->unpack(be, p);
	be->free(be, a);
	be->free(be, w);
	be->free(be, c);
}

/* The gradient of a weight of bfloat16, C[m,n] += A[k,m]^T B[k,n] */
static void check_gradient(struct backend *be, int64_t m, int64_t n, int64_t k, bool accumulate, bool small)
{
	const int64_t lda = m + 1, ldb = n + 2;
	const double size = small ? 1e-19 : 1;
	float *a = random_floats(be, k * lda, size), *b = random_floats(be, k * ldb, size), *c = random_floats(be, m * n, 1);
	float *before = copy_floats(be, c, m * n), *column = xmalloc((size_t)k * sizeof *column);

	be->half = true;
	be->gemm(be, &(struct gemm){.m = m, .n = n, .k = k, .a = a, .lda = lda, .trans_a = true, .b = b, .ldb = ldb, .c = c, .ldc = n, .accumulate = accumulate});
	be->half = false;
	for (int64_t i = 0; i < m; i++) {
		for (int64_t l = 0; l < k; l++)
			column[l] = a[l * lda + i];
		for (int64_t j = 0; j < n; j++) {
			float want = chain(column, b + j, ldb, k);

			if (accumulate)
				want = before[i * n + j] + want;
			if (memcmp(&want, &c[i * n + j], sizeof want))
				TEST_FAIL("%s: a gradient of %lldx%lld over %lld: C[%lld,%lld] is %a, not %a", be->what, (long long)m, (long long)n, (long long)k,
					  (long long)i, (long long)j, (double)c[i * n + j], (double)want);
		}
	}
	free(column);
	be->free(be, a);
	be->free(be, b);
	be->free(be, c);
	be->free(be, before);
}

/* Weights of float32, and their gradients, are as cpu has them. */
static void check_others(struct backend *be)
{
	enum { M = 9, N = 20, K = 33 };
	struct backend *cpu = backend_cpu_new(1);
	float *a = random_floats(be, M * K, 1), *w = random_floats(be, N * K, 1), *c = random_floats(be, N * K, 1), *d = random_floats(be, N * K, 1);
	struct packed *p = backend_pack(be, w, N, K, WEIGHT_F32, true), *q = backend_pack(cpu, w, N, K, WEIGHT_F32, true);
	struct gemm g = {.m = M, .n = N, .k = K, .a = a, .lda = K, .trans_b = true, .c = c, .ldc = N, .packed = p}, h = g;

	be->gemm(be, &g);
	h.packed = q;
	h.c = d;
	cpu->gemm(cpu, &h);
	CHECK(!memcmp(c, d, sizeof(float) * M * N));
	g = h = (struct gemm){.m = N, .n = K, .k = M, .a = c, .lda = N, .trans_a = true, .b = a, .ldb = K, .c = w, .ldc = K};
	h.c = d;
	be->gemm(be, &g);
	h.a = c;
	cpu->gemm(cpu, &h);
	CHECK(!memcmp(w, d, sizeof(float) * N * K));
	be->unpack(be, p);
	cpu->unpack(cpu, q);
	be->free(be, a);
	be->free(be, w);
	be->free(be, c);
	be->free(be, d);
	backend_close(cpu);
}

int main(void)
{
	static const int64_t rows[] = {1, 5, 14, 31, 100, 257}, cols[] = {1, 16, 40, 100, 300}, depth[] = {1, 8, 31, 64, 259, 700};
	size_t i, j, k, l;
	int threads;

	for (l = 0; l < sizeof kinds / sizeof *kinds; l++)
		for (threads = 1; threads <= 3; threads += 2) {
			struct backend *be = backend_bf16_new_isa(threads, kinds[l]);

			if (!be) {
				printf("%s: not of this processor\n", kinds[l]);
				break;
			}
			printf("%s\n", be->what);
			CHECK(be->rounds);
			test_rng = rng_new(5, 6);
			for (i = 0; i < sizeof rows / sizeof *rows; i++)
				for (j = 0; j < sizeof cols / sizeof *cols; j++)
					for (k = 0; k < sizeof depth / sizeof *depth; k++) {
						const unsigned turn = (unsigned)(i * 7 + j * 5 + k * 3);

						if (rows[i] * cols[j] * depth[k] > 4000000 && (turn + l) % 4)
							continue;
						check(be, rows[i], cols[j], depth[k], PANELS | (turn & (ACCUMULATE | BIAS | SMALL)));
						check(be, rows[i], cols[j], depth[k], turn & ~1u & 63);
					}
			check_batch(be, 3, 7, 24, 31);
			for (i = 0; i < sizeof rows / sizeof *rows; i++)
				for (j = 0; j < sizeof cols / sizeof *cols; j++)
					for (k = 0; k < sizeof depth / sizeof *depth; k++)
						if (rows[i] * cols[j] * depth[k] < 2000000)
							check_gradient(be, rows[i], cols[j], depth[k], (i + j + k) % 2, (i + k) % 3 == 0);
			check_others(be);
			backend_close(be);
		}
	return 0;
}
