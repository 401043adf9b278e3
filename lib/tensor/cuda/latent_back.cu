/* latent_back.cu - the gradient of latent attention: some positions of a sequence at a time, five matrix products and what lies between them */
#include "attention_tile.cuh"

/* The rows (position by position, all heads of each) of one step, over the keys 0 .. n-1 of their sequence */
struct step {
	float *p, *ds;                  /* [m][n]: in, q.k and dout.v */
	const float *out, *dout, *lse;  /* of the first row on */
	int64_t n, first, heads, value_dim;
	float scale, scale2;
};

/* A block for each row: p = softmax, ds = scale p (dout.v - dout.out), both 0 behind the row's position */
static __global__ void soften(struct step z)
{
	const int64_t row = blockIdx.x, seen = z.first + row / z.heads + 1, R = z.value_dim;
	const float *out = z.out + row * R, *dout = z.dout + row * R, lse2 = z.lse[row] * LOG2E;
	float *p = z.p + row * z.n, *ds = z.ds + row * z.n, delta = 0;
	DYNAMIC_SHARED(float, room);

	for (int64_t d = threadIdx.x; d < R; d += blockDim.x)
		delta = fmaf(out[d], dout[d], delta);
	delta = block_sum(delta, room);
	for (int64_t j = threadIdx.x; j < z.n; j += blockDim.x) {
		const float x = j < seen ? exp2f(fmaf(p[j], z.scale2, -lse2)) : 0;

		p[j] = x;
		ds[j] = j < seen ? z.scale * x * (ds[j] - delta) : 0;
	}
}

/* dq = ds k;  dk += ds^T q and, in the columns that are values, p^T dout */
static void step_back(struct backend *be, const struct latent *a, const struct step *z, int64_t row, int64_t m, const float *keys, float *dq, float *dkeys)
{
	struct cuda *c = cuda_of(be);
	const int64_t K = a->key_dim, R = a->value_dim, n = z->n;
	struct gemm g;

	memset(&g, 0, sizeof g);
	g.m = m, g.n = n, g.k = K, g.a = a->q + row * K, g.lda = K, g.b = keys, g.ldb = K, g.trans_b = true, g.c = z->p, g.ldc = n;
	cuda_gemm(be, &g);
	g.k = R, g.a = z->dout, g.lda = R, g.c = z->ds;
	cuda_gemm(be, &g);
	cuda_launch(c, soften, dim3((unsigned)m), 128, 32 * sizeof(float), *z);
	g.n = K, g.k = n, g.a = z->ds, g.lda = n, g.trans_b = false, g.c = dq + row * K, g.ldc = K;
	cuda_gemm(be, &g);
	g.m = n, g.n = K, g.k = m, g.trans_a = true, g.b = a->q + row * K, g.c = dkeys, g.accumulate = true;
	cuda_gemm(be, &g);
	g.n = R, g.a = z->p, g.b = z->dout, g.ldb = R;
	cuda_gemm(be, &g);
}

void cuda_latent_back(struct backend *be, const struct latent *a, const float *dout, float *dq, float *dkeys)
{
	struct cuda *c = cuda_of(be);
	struct step z;

	memset(&z, 0, sizeof z);
	z.heads = a->heads, z.value_dim = a->value_dim, z.scale = a->scale, z.scale2 = a->scale * LOG2E;
	cuda_fill(c, dkeys, 0, (size_t)(a->rows * a->key_dim) * sizeof *dkeys);
	for (int64_t s = 0; s < a->seqs; s++) {
		const struct seq *seq = &a->seq[s];
		const int64_t each = latent_each(a, seq), most = MIN(each, seq->n) * a->heads * seq->n;

		for (int64_t i = 0; i < seq->n; i += each) {
			const int64_t some = MIN(each, seq->n - i), row = (seq->row + i) * a->heads;

			z.p = (float *)cuda_scratch_of(c, SCRATCH_ATTENTION, (size_t)(2 * most) * sizeof *z.p);
			z.n = i + some, z.first = i;
			z.ds = z.p + some * a->heads * z.n;
			z.out = a->out + row * a->value_dim, z.dout = dout + row * a->value_dim, z.lse = a->lse + row;
			step_back(be, a, &z, row, some * a->heads, a->keys + seq->row * a->key_dim, dq, dkeys + seq->row * a->key_dim);
		}
	}
}
