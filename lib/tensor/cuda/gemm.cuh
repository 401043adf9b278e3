/* gemm.cuh - a product as the kernels take it, and the one for few rows */
#ifndef TENSOR_CUDA_GEMM_CUH
#define TENSOR_CUDA_GEMM_CUH

struct product {                        /* struct gemm of backend.h */
	int64_t m, n, k, lda, ldb, ldc, batch, step_a, step_b, step_c;
	const void *a, *b, *plus;       /* plus: what is added, as C lies and of its numbers; may be C; NULL: nothing */
	void *c;
	const float *bias;
	int32_t trans_a, trans_b, a_half, b_half, c_half, unused;
};

/* At most FEW rows by a weight or matrix that is stored [n,k], limited by the reading of B. False: not so. */
#define FEW 8
bool cuda_gemm_few(struct cuda *c, const struct product *g);

#endif
