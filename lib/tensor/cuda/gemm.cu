/* gemm.cu - matrix products: cuBLASLt for many rows, a kernel of our own for few rows by a weight (gemm_few.cu), and a plain one for what
 * cuBLASLt does not take
 *
 * In float32 both operands are multiplied as they are, without TF32. Where an operand is of bfloat16, or where the model is one of 16 bits (be->half),
 * what is float32 is rounded to bfloat16 on the way; sums are of float32 always.
 */
#include "cuda.cuh"
#include "device.cuh"
#include "gemm.cuh"

#include <cublasLt.h>
#include <vector>

#define WORKSPACE ((size_t)32 << 20)
enum { MOST_PLANS = 4096 };

/* What a product's plan depends on */
struct shape {
	int64_t m, n, k, lda, ldb, ldc, batch, step_a, step_b, step_c;
	int32_t trans_a, trans_b, half, c_half, bias, unused;
	uint32_t align_a, align_b, align_c, align_plus, align_bias, unused2;
};

struct plan {
	struct shape shape;
	cublasLtMatmulDesc_t desc;
	cublasLtMatrixLayout_t a, b, c;
	cublasLtMatmulAlgo_t algo;
	bool there;                     /* cuBLASLt has a way to do it */
};

/* A matrix of float32 of which SCRATCH_A holds a copy in bfloat16, as long as nothing but what made it, or used it, was put on the list */
struct copied {
	const void *from;
	int64_t rows, cols, ld, batch, step, added;
};

struct products {
	struct copied copied;
	cublasLtHandle_t lt;
	void *workspace;
	std::vector<plan *> table;      /* of 2 * MOST_PLANS, by hash */
	int plans;
	bool told;                      /* that the library did not take a product */
};

static void lt_check(cublasStatus_t r, const char *what)
{
	if (r != CUBLAS_STATUS_SUCCESS)
		cuda_fail("cuda: cuBLASLt: %s: %s", what, cublasLtGetStatusString(r));
}

struct products *products_new(struct cuda *c, struct err *e)
{
	struct products *p = new products();
	cublasStatus_t r = cublasLtCreate(&p->lt);

	if (r != CUBLAS_STATUS_SUCCESS) {
		err_set(e, "backend 'cuda': cuBLASLt: %s", cublasLtGetStatusString(r));
		delete p;
		return NULL;
	}
	p->workspace = cuda_memory(c, WORKSPACE);
	p->table.resize(2 * MOST_PLANS);
	return p;
}

static void forget_plans(struct products *p)
{
	for (plan *&x : p->table) {
		if (!x)
			continue;
		cublasLtMatmulDescDestroy(x->desc);
		cublasLtMatrixLayoutDestroy(x->a);
		cublasLtMatrixLayoutDestroy(x->b);
		cublasLtMatrixLayoutDestroy(x->c);
		delete x;
		x = NULL;
	}
	p->plans = 0;
}

void products_free(struct cuda *c)
{
	struct products *p = c->products;

	forget_plans(p);
	lt_check(cublasLtDestroy(p->lt), "the end");
	cuda_check(cudaFree(p->workspace), "memory");
	delete p;
}

/* A row-major matrix of rows x cols is a column-major one of cols x rows. */
static cublasLtMatrixLayout_t layout(bool half, int64_t rows, int64_t cols, int64_t ld, int64_t batch, int64_t step)
{
	cublasLtMatrixLayout_t l;
	int32_t count = (int32_t)batch;

	lt_check(cublasLtMatrixLayoutCreate(&l, half ? CUDA_R_16BF : CUDA_R_32F, (uint64_t)cols, (uint64_t)rows, ld), "a layout");
	if (batch > 1) {
		lt_check(cublasLtMatrixLayoutSetAttribute(l, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count), "a batch");
		lt_check(cublasLtMatrixLayoutSetAttribute(l, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &step, sizeof step), "a batch");
	}
	return l;
}

/* C^T = op(B)^T op(A)^T: B comes first. */
static plan *make_plan(struct products *p, const struct shape *s, const void *bias)
{
	plan *x = new plan();
	const cublasOperation_t first = s->trans_b ? CUBLAS_OP_T : CUBLAS_OP_N, second = s->trans_a ? CUBLAS_OP_T : CUBLAS_OP_N;
	const cublasLtEpilogue_t epilogue = s->bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
	cublasLtMatmulHeuristicResult_t found;
	cublasLtMatmulPreference_t want;
	const uint64_t room = WORKSPACE;
	const uint32_t parts = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;  /* of a sum are put together in float32, not as numbers of C, or there are none */
	int n = 0;

	x->shape = *s;
	lt_check(cublasLtMatmulDescCreate(&x->desc, CUBLAS_COMPUTE_32F, CUDA_R_32F), "a product");
	lt_check(cublasLtMatmulDescSetAttribute(x->desc, CUBLASLT_MATMUL_DESC_TRANSA, &first, sizeof first), "a product");
	lt_check(cublasLtMatmulDescSetAttribute(x->desc, CUBLASLT_MATMUL_DESC_TRANSB, &second, sizeof second), "a product");
	lt_check(cublasLtMatmulDescSetAttribute(x->desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue), "a product");
	if (s->bias)                            /* its alignment is read from it */
		lt_check(cublasLtMatmulDescSetAttribute(x->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias), "a bias");
	x->a = layout(s->half, s->trans_a ? s->k : s->m, s->trans_a ? s->m : s->k, s->lda, s->batch, s->step_a);
	x->b = layout(s->half, s->trans_b ? s->n : s->k, s->trans_b ? s->k : s->n, s->ldb, s->batch, s->step_b);
	x->c = layout(s->c_half, s->m, s->n, s->ldc, s->batch, s->step_c);
	lt_check(cublasLtMatmulPreferenceCreate(&want), "a preference");
	lt_check(cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &room, sizeof room), "a preference");
	lt_check(cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &parts, sizeof parts), "a preference");
	lt_check(cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &s->align_b, sizeof s->align_b), "a preference");
	lt_check(cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &s->align_a, sizeof s->align_a), "a preference");
	lt_check(cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &s->align_plus, sizeof s->align_plus), "a preference");
	lt_check(cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &s->align_c, sizeof s->align_c), "a preference");
	x->there = cublasLtMatmulAlgoGetHeuristic(p->lt, x->desc, x->b, x->a, x->c, x->c, want, 1, &found, &n) == CUBLAS_STATUS_SUCCESS && n > 0;
	if (x->there)
		x->algo = found.algo;
	cublasLtMatmulPreferenceDestroy(want);
	return x;
}

static plan *plan_of(struct products *p, const struct shape *s, const void *bias)
{
	const uint64_t *w = (const uint64_t *)s;
	uint64_t h = 0;
	size_t at;

	for (size_t i = 0; i < sizeof *s / sizeof *w; i++)
		h = ((h ^ w[i]) * 0x9E3779B97F4A7C15u) ^ h >> 32;
	if (p->plans >= MOST_PLANS)
		forget_plans(p);
	for (at = (size_t)(h >> 20) % p->table.size(); p->table[at]; at = (at + 1) % p->table.size())
		if (!memcmp(&p->table[at]->shape, s, sizeof *s))
			return p->table[at];
	p->plans++;
	return p->table[at] = make_plan(p, s, bias);
}

struct product_entry {
	struct entry e;
	struct shape shape;
	const void *a, *b, *plus;
	void *c;
	const void *bias;               /* of C's numbers */
};

static cudaError_t run_product(struct cuda *c, const struct entry *e)
{
	const struct product_entry *g = (const struct product_entry *)e;
	const struct shape *s = &g->shape;
	struct products *p = c->products;
	plan *x = plan_of(p, s, g->bias);
	const float one = 1, beta = g->plus ? 1 : 0;
	const void *plus = g->plus ? g->plus : g->c;
	cublasStatus_t r;

	if (g->bias)
		lt_check(cublasLtMatmulDescSetAttribute(x->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &g->bias, sizeof g->bias), "a bias");
	r = cublasLtMatmul(p->lt, x->desc, &one, g->b, x->b, g->a, x->a, &beta, plus, x->c, g->c, x->c, &x->algo, p->workspace, WORKSPACE, c->stream);
	if (r != CUBLAS_STATUS_SUCCESS)
		fprintf(stderr, "cuda: a product of %lld x %lld x %lld (m n k), rows of %lld %lld %lld, %lld times%s%s%s%s%s%s\n", (long long)s->m, (long long)s->n,
			(long long)s->k, (long long)s->lda, (long long)s->ldb, (long long)s->ldc, (long long)s->batch, s->trans_a ? ", A turned" : "",
			s->trans_b ? ", B turned" : "", s->half ? ", of bfloat16" : "", s->c_half ? ", C too" : "", s->bias ? ", a bias" : "",
			g->plus ? ", added to" : "");
	lt_check(r, "a product");
	return cudaSuccess;
}

/* ---- operands of 16 bits ---- */

struct narrow {
	uint16_t *to;
	const float *from;
	int64_t rows, cols, ld_to, ld, step_to, step;
};

/* A thread makes four numbers of a row; batch by blockIdx.z. A bias, which stands alone before its product, is launched while what makes A still runs. */
static __global__ void narrow_rows(struct narrow a)
{
	const int64_t each = (a.cols + 3) / 4, n = a.rows * each, first = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
	const float *from = a.from + (int64_t)blockIdx.z * a.step;
	uint16_t *to = a.to + (int64_t)blockIdx.z * a.step_to;

	next_may_start();
	if (a.rows == 1 && first < n)
		prefetch(from + first * 4);
	wait_for_last();
	for (int64_t i = first; i < n; i += (int64_t)gridDim.x * blockDim.x) {
		const int64_t row = i / each, col = i % each * 4;
		const float *x = from + row * a.ld + col;

		if (col + 4 <= a.cols && (uintptr_t)x % 16 == 0) {
			const float4 v = *(const float4 *)x;

			/* one word: nvcc makes two stores of a uint2 here */
			*(uint64_t *)(to + row * a.ld_to + col) = (uint64_t)to_bf16x2(v.z, v.w) << 32 | to_bf16x2(v.x, v.y);
		} else {
			for (int64_t j = 0; j < 4 && col + j < a.cols; j++)
				to[row * a.ld_to + col + j] = to_bf16(x[j]);
		}
	}
}

/* op(A) or op(B) as it lies, rows x cols, in bfloat16; ld and step become those of the copy. */
static const void *narrowed(struct cuda *c, enum cuda_scratch_use use, const void *from, int64_t rows, int64_t cols, int64_t batch, int64_t *ld, int64_t *step)
{
	struct narrow a = {};

	a.from = (const float *)from;
	a.rows = rows, a.cols = cols;
	a.ld = *ld, a.step = *step;
	a.ld_to = (cols + 7) / 8 * 8;
	a.step_to = rows * a.ld_to;
	a.to = (uint16_t *)cuda_scratch_of(c, use, (size_t)(batch * a.step_to) * sizeof *a.to);
	cuda_launch(c, narrow_rows, dim3(cuda_grid(rows * div_up(cols, 4), 256), 1, (unsigned)batch), 256, 0, a, true);
	*ld = a.ld_to;
	*step = a.step_to;
	return a.to;
}

/* ---- cuBLASLt, on the list ---- */

static uint32_t alignment(const void *p, int64_t ld, int64_t step, size_t item)
{
	const uint64_t all = (uint64_t)(uintptr_t)p | (uint64_t)ld * item | (uint64_t)step * item | 256;

	return (uint32_t)(all & (0 - all));
}

/* Whether cuBLASLt does it; then it is on the list. */
static bool by_library(struct cuda *c, const struct product *g)
{
	struct shape s = {};
	const size_t item = g->a_half ? 2 : 4, item_c = g->c_half ? 2 : 4;
	struct product_entry *x;
	const void *bias = g->bias;
	int64_t ld = g->n, step = 0;

	s.m = g->m, s.n = g->n, s.k = g->k;
	s.lda = g->lda, s.ldb = g->ldb, s.ldc = g->ldc;
	s.batch = g->batch, s.step_a = g->step_a, s.step_b = g->step_b, s.step_c = g->step_c;
	s.trans_a = g->trans_a, s.trans_b = g->trans_b, s.half = g->a_half, s.c_half = g->c_half, s.bias = g->bias != NULL;
	s.align_a = alignment(g->a, g->lda, g->step_a, item);
	s.align_b = alignment(g->b, g->ldb, g->step_b, item);
	s.align_c = alignment(g->c, g->ldc, g->step_c, item_c);
	s.align_plus = alignment(g->plus ? g->plus : g->c, g->ldc, g->step_c, item_c);
	s.align_bias = bias ? g->c_half ? 256 : alignment(bias, 0, 0, sizeof(float)) : 0;      /* a narrowed one is scratch memory */
	if (!plan_of(c->products, &s, g->c_half ? c->products->workspace : bias)->there)       /* aligned as scratch memory is */
		return false;
	if (bias && g->c_half)                  /* cuBLASLt's bias is of C's numbers */
		bias = narrowed(c, SCRATCH_SUMS, bias, 1, g->n, 1, &ld, &step);
	x = (struct product_entry *)cuda_add(c, run_product, sizeof *x, true);  /* the library's kernels may begin early, too */
	x->shape = s;
	x->a = g->a, x->b = g->b, x->c = g->c, x->plus = g->plus, x->bias = bias;
	cuda_added(c);
	return true;
}

/* ---- a plain product: one element a thread, any shapes ---- */

static __global__ void plain_product(struct product g)
{
	const int64_t n = (int64_t)blockIdx.x * 32 + threadIdx.x, m = (int64_t)blockIdx.y * 8 + threadIdx.y, z = blockIdx.z;
	const int64_t a_row = g.trans_a ? 1 : g.lda, a_k = g.trans_a ? g.lda : 1, b_col = g.trans_b ? g.ldb : 1, b_k = g.trans_b ? 1 : g.ldb;
	float sum = 0;

	if (n >= g.n)
		return;
	for (int64_t i = m; i < g.m; i += (int64_t)gridDim.y * 8) {
		sum = 0;
		for (int64_t k = 0; k < g.k; k++)
			sum = fmaf(number(g.a, g.a_half, z * g.step_a + i * a_row + k * a_k), number(g.b, g.b_half, z * g.step_b + n * b_col + k * b_k), sum);
		if (g.bias)
			sum += g.bias[n];
		if (g.plus)
			sum += number(g.plus, g.c_half, z * g.step_c + i * g.ldc + n);
		put_number(g.c, g.c_half, z * g.step_c + i * g.ldc + n, sum);
	}
}

static void plainly(struct cuda *c, const struct product *g)
{
	const int64_t tall = div_up(g->m, 8);

	if (getenv("R1_CUDA_STATS") && !c->products->told) {
		c->products->told = true;
		fprintf(stderr, "cuda: cuBLASLt does not take a product of %lld x %lld x %lld (m n k): a slow one does\n", (long long)g->m, (long long)g->n, (long long)g->k);
	}
	cuda_launch(c, plain_product, dim3((unsigned)div_up(g->n, 32), (unsigned)MIN(tall, 65535), (unsigned)g->batch), dim3(32, 8), 0, *g);
}

static bool same_matrix(const struct copied *x, const struct copied *y)
{
	return x->from == y->from && x->rows == y->rows && x->cols == y->cols && x->ld == y->ld && x->batch == y->batch && x->step == y->step;
}

/* op(A), as narrowed does it, if it has not just been done: the two products of a layer's way back have one A. */
static void narrow_first(struct cuda *c, struct product *g)
{
	struct copied *last = &c->products->copied;
	const struct copied it = {g->a, g->trans_a ? g->k : g->m, g->trans_a ? g->m : g->k, g->lda, g->batch, g->step_a, c->added};

	if (same_matrix(last, &it) && last->added == c->added) {
		g->a = c->scratch[SCRATCH_A].p;
		g->lda = (it.cols + 7) / 8 * 8;
		g->step_a = it.rows * g->lda;
		return;
	}
	*last = it;
	g->a = narrowed(c, SCRATCH_A, g->a, it.rows, it.cols, g->batch, &g->lda, &g->step_a);
}

/* After the product: what it wrote may be what the copy is of. */
static void keep_copy(struct cuda *c, const struct product *g)
{
	struct copied *last = &c->products->copied;
	const int64_t bytes = ((last->rows - 1) * last->ld + (last->batch - 1) * last->step + last->cols) * (int64_t)sizeof(float);

	last->added = apart(g->c, product_bytes(g), last->from, bytes) ? c->added : -1;
}

void cuda_gemm(struct backend *be, const struct gemm *given)
{
	struct cuda *c = cuda_of(be);
	const struct packed *w = given->packed;
	struct product g = {};
	bool copied = false;

	if (given->m <= 0 || given->n <= 0)
		return;
	g.m = given->m, g.n = given->n, g.k = given->k > 0 ? given->k : 0;
	g.batch = given->batch ? given->batch : 1;
	g.a = given->a, g.b = given->b, g.c = given->c, g.bias = given->bias;
	g.lda = given->lda, g.ldb = given->ldb, g.ldc = given->ldc;
	g.trans_a = given->trans_a, g.trans_b = given->trans_b;
	g.a_half = given->a_half, g.b_half = given->b_half, g.c_half = given->c_half;
	g.plus = given->accumulate ? given->c : given->plus;
	if (g.batch > 1)
		g.step_a = given->step_a, g.step_b = given->step_b, g.step_c = given->step_c;
	if (w) {
		g.b = (const char *)w->data + (size_t)(given->packed_row * w->k) * (w->type == WEIGHT_BF16 ? 2 : 4);
		g.ldb = w->k;
		g.step_b *= w->k;
		g.b_half = w->type == WEIGHT_BF16;
	}
	if (g.k > 0 && cuda_gemm_few(c, &g, w != NULL))
		return;
	if (g.k > 0 && (g.a_half || g.b_half || g.c_half || (be->half && !w))) {
		if ((copied = !g.a_half))
			narrow_first(c, &g);
		if (!g.b_half)
			g.b = narrowed(c, SCRATCH_B, g.b, g.trans_b ? g.n : g.k, g.trans_b ? g.k : g.n, g.batch, &g.ldb, &g.step_b);
		g.a_half = g.b_half = true;
	}
	if (g.k == 0 || !by_library(c, &g))
		plainly(c, &g);
	if (copied)
		keep_copy(c, &g);
}
