/* cublasLt.cpp - matrix products of the emulated GPU. Matrices are column-major, as cuBLAS has them. */
#include "cublasLt.h"

#include <cstdio>
#include <cstdlib>

#define DIE(...) (fprintf(stderr, "emulated cuBLASLt: "), fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), abort())

cublasStatus_t cublasLtCreate(cublasLtHandle_t *h)
{
	*h = new emu_lt();
	return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t h)
{
	delete h;
	return CUBLAS_STATUS_SUCCESS;
}

size_t cublasLtGetVersion()
{
	return 0;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *d, cublasComputeType_t, cudaDataType)
{
	*d = new emu_desc{CUBLAS_OP_N, CUBLAS_OP_N, CUBLASLT_EPILOGUE_DEFAULT, NULL};
	return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t d)
{
	delete d;
	return CUBLAS_STATUS_SUCCESS;
}

static void set(void *to, size_t size, const void *value, size_t bytes)
{
	if (size != bytes)
		DIE("an attribute of %zu bytes is set to one of %zu", size, bytes);
	memcpy(to, value, bytes);
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t attr, const void *value, size_t bytes)
{
	switch (attr) {
	case CUBLASLT_MATMUL_DESC_TRANSA: set(&d->trans_a, sizeof d->trans_a, value, bytes); break;
	case CUBLASLT_MATMUL_DESC_TRANSB: set(&d->trans_b, sizeof d->trans_b, value, bytes); break;
	case CUBLASLT_MATMUL_DESC_EPILOGUE: set(&d->epilogue, sizeof d->epilogue, value, bytes); break;
	case CUBLASLT_MATMUL_DESC_BIAS_POINTER: set(&d->bias, sizeof d->bias, value, bytes); break;
	}
	return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *l, cudaDataType type, uint64_t rows, uint64_t cols, int64_t ld)
{
	*l = new emu_layout{type, rows, cols, ld, 1, 0};
	return ld < (int64_t)rows ? CUBLAS_STATUS_INVALID_VALUE : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t l)
{
	delete l;
	return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t l, cublasLtMatrixLayoutAttribute_t attr, const void *value, size_t bytes)
{
	if (attr == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT)
		set(&l->batch, sizeof l->batch, value, bytes);
	else
		set(&l->step, sizeof l->step, value, bytes);
	return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *p)
{
	*p = new emu_preference();
	return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t p)
{
	delete p;
	return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t, cublasLtMatmulPreferenceAttributes_t attr, const void *, size_t bytes)
{
	if (bytes != (attr == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES ? sizeof(uint64_t) : sizeof(uint32_t)))
		DIE("a preference of %zu bytes", bytes);
	return CUBLAS_STATUS_SUCCESS;
}

/* Nothing is found where rows of 16 bits are of odd length, so that the way without it is tried. (The real one has a kernel for those, too.) */
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t,
					      cublasLtMatrixLayout_t, cublasLtMatmulPreference_t, int, cublasLtMatmulHeuristicResult_t *r, int *found)
{
	memset(r, 0, sizeof *r);
	*found = a->type == CUDA_R_16BF && (a->ld % 2 || b->ld % 2) ? 0 : 1;
	return *found ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

static float number(const void *p, cudaDataType type, int64_t at)
{
	if (type == CUDA_R_32F)
		return ((const float *)p)[at];
	return __uint_as_float((unsigned)((const uint16_t *)p)[at] << 16);
}

static void put(void *p, cudaDataType type, int64_t at, float x)
{
	const unsigned u = __float_as_uint(x);

	if (type == CUDA_R_32F)
		((float *)p)[at] = x;
	else
		((uint16_t *)p)[at] = (uint16_t)((u & 0x7fffffff) > 0x7f800000 ? u >> 16 | 0x40 : (u + 0x7fff + (u >> 16 & 1)) >> 16);
}

/* The bias is of the result's numbers, as is what is added. */
struct product {
	emu_desc d;
	emu_layout la, lb, lc;
	const void *a, *b, *c;
	void *out;
	float alpha, beta;
};

static void multiply(const product &p)
{
	const int64_t m = (int64_t)p.lc.rows, n = (int64_t)p.lc.cols, k = (int64_t)(p.d.trans_a == CUBLAS_OP_N ? p.la.cols : p.la.rows);

	for (int64_t z = 0; z < p.lc.batch; z++)
		for (int64_t j = 0; j < n; j++)
			for (int64_t i = 0; i < m; i++) {
				const int64_t at = z * p.lc.step + j * p.lc.ld + i;
				float sum = 0;

				for (int64_t q = 0; q < k; q++)
					sum += number(p.a, p.la.type, z * p.la.step + (p.d.trans_a == CUBLAS_OP_N ? q * p.la.ld + i : i * p.la.ld + q)) *
					       number(p.b, p.lb.type, z * p.lb.step + (p.d.trans_b == CUBLAS_OP_N ? j * p.lb.ld + q : q * p.lb.ld + j));
				sum *= p.alpha;
				if (p.beta != 0)
					sum += p.beta * number(p.c, p.lc.type, at);
				if (p.d.epilogue == CUBLASLT_EPILOGUE_BIAS)
					sum += number(p.d.bias, p.lc.type, i);
				put(p.out, p.lc.type, at, sum);
			}
	races_written(p.out, (size_t)((p.lc.batch - 1) * p.lc.step + (n - 1) * (int64_t)p.lc.ld + m) * (p.lc.type == CUDA_R_32F ? 4 : 2), true);
}

static void check(const void *p, const emu_layout &l, const char *what)
{
	const size_t item = l.type == CUDA_R_32F ? 4 : 2;

	for (int32_t z = 0; z < l.batch; z += l.batch > 1 ? l.batch - 1 : 1)
		emu_device_range((const char *)p + (size_t)((int64_t)z * l.step) * item, ((size_t)((l.cols - 1) * (uint64_t)l.ld) + l.rows) * item, what);
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t d, const void *alpha, const void *a, cublasLtMatrixLayout_t la, const void *b,
			      cublasLtMatrixLayout_t lb, const void *beta, const void *c, cublasLtMatrixLayout_t lc, void *out, cublasLtMatrixLayout_t lout,
			      const cublasLtMatmulAlgo_t *, void *, size_t, cudaStream_t s)
{
	const product p = {*d, *la, *lb, *lc, a, b, c, out, *(const float *)alpha, *(const float *)beta};
	const uint64_t k = d->trans_a == CUBLAS_OP_N ? la->cols : la->rows, k2 = d->trans_b == CUBLAS_OP_N ? lb->rows : lb->cols;

	if (lc != lout || k != k2 || (lc->type != CUDA_R_32F && la->type != lc->type) || la->type != lb->type)
		return CUBLAS_STATUS_INVALID_VALUE;
	if ((d->trans_a == CUBLAS_OP_N ? la->rows : la->cols) != lc->rows || (d->trans_b == CUBLAS_OP_N ? lb->cols : lb->rows) != lc->cols)
		return CUBLAS_STATUS_INVALID_VALUE;
	check(a, *la, "A");
	check(b, *lb, "B");
	check(c, *lc, "C");
	check(out, *lc, "D");
	if (d->epilogue == CUBLASLT_EPILOGUE_BIAS)
		emu_device_range(d->bias, lc->rows * (lc->type == CUDA_R_32F ? 4 : 2), "the bias");
	return emu_submit(s, [p] { multiply(p); }) == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

const char *cublasLtGetStatusString(cublasStatus_t s)
{
	return s == CUBLAS_STATUS_SUCCESS ? "no error" : s == CUBLAS_STATUS_NOT_SUPPORTED ? "not supported" : "invalid value";
}
