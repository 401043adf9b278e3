/* latent_half.cu - latent attention by matrix products, which the tensor cores make in 16 bits: for sequences whose keys stand in rows, some
 * positions at a time, so that scores exist for those alone */
#include "attention_tile.cuh"

struct soften {
	float *p, *lse;                 /* p [m][n]: q.k, then weights; lse of the first row on, or NULL */
	int64_t n, first, heads;
	float scale2;
	int32_t unused;
};

/* A block for each row. What is behind the row's position is 0. */
static __global__ void soften_rows(struct soften z)
{
	const int64_t row = blockIdx.x, seen = z.first + row / z.heads + 1;
	float *p = z.p + row * z.n, most = -INFINITY, sum = 0;
	DYNAMIC_SHARED(float, room);

	for (int64_t j = threadIdx.x; j < seen; j += blockDim.x)
		most = fmaxf(most, p[j]);
	most = block_max(most, room) * z.scale2;
	for (int64_t j = threadIdx.x; j < seen; j += blockDim.x) {
		p[j] = exp2f(fmaf(p[j], z.scale2, -most));
		sum += p[j];
	}
	sum = block_sum(sum, room);
	for (int64_t j = threadIdx.x; j < z.n; j += blockDim.x)
		p[j] = j < seen ? p[j] / sum : 0;
	if (z.lse && threadIdx.x == 0)
		z.lse[row] = (most + log2f(sum)) * LN2;
}

void latent_by_products(struct backend *be, const struct latent *a, const struct seq *seq)
{
	struct cuda *c = cuda_of(be);
	const int64_t K = a->key_dim, R = a->value_dim, each = latent_each(a, seq), most = MIN(each, seq->n) * a->heads * seq->n;
	float *p = (float *)cuda_scratch_of(c, SCRATCH_ATTENTION, (size_t)most * sizeof *p);

	for (int64_t i = 0; i < seq->n; i += each) {
		const int64_t some = MIN(each, seq->n - i), row = (seq->row + i) * a->heads, m = some * a->heads, n = i + some;
		const struct soften z = {p, a->lse ? a->lse + row : NULL, n, i, a->heads, a->scale * LOG2E, 0};
		struct gemm g;

		memset(&g, 0, sizeof g);
		g.m = m, g.n = n, g.k = K, g.a = a->q + row * K, g.lda = K, g.b = a->keys + seq->row * K, g.ldb = K, g.trans_b = true, g.c = p, g.ldc = n;
		cuda_gemm(be, &g);
		cuda_launch(c, soften_rows, dim3((unsigned)m), 128, 32 * sizeof(float), z);
		g.n = R, g.k = n, g.a = p, g.lda = n, g.trans_b = false, g.c = a->out + row * R, g.ldc = R;
		cuda_gemm(be, &g);
	}
}
