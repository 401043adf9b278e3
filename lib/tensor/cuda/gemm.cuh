/* gemm.cuh - a product as the kernels take it, and the one for few rows */
#ifndef TENSOR_CUDA_GEMM_CUH
#define TENSOR_CUDA_GEMM_CUH

struct product {                        /* struct gemm of backend.h, A and B both of float32 or, if half, both of bfloat16 */
	int64_t m, n, k, lda, ldb, ldc, batch, step_a, step_b, step_c;
	const void *a, *b;
	float *c;
	const float *bias;
	int32_t trans_a, trans_b, accumulate, half;
};

/* At most FEW rows of float32 by a weight or matrix that is stored [n,k], B of bfloat16 if half: limited by the reading of B. False: not so. */
#define FEW 8
bool cuda_gemm_few(struct cuda *c, const struct product *g);

#endif
