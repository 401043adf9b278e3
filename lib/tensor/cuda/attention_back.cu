/* attention_back.cu - the gradient of attention: queries by a thread for each row and head, keys and values by one for each row and key/value head */
#include "attention.cuh"
#include "device.cuh"

enum { THREADS = 64 };

struct attend_back {
	struct batch b;
	const float *qkv, *out, *lse, *dout;
	float *dqkv;
	int64_t stride, heads, kv_heads, dim;
	float scale;
	int32_t unused;
};

static __device__ float dot(const float *x, const float *y, int64_t n)
{
	float sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum = fmaf(x[i], y[i], sum);
	return sum;
}

/* With delta = dout.out and ds = scale p (dout.v - delta):  dq = sum ds k */
static __global__ void back_queries(struct attend_back a)
{
	const int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, row = i / a.heads, head = i % a.heads, g = head / (a.heads / a.kv_heads), D = a.dim;

	if (row >= a.b.rows)
		return;
	const struct device_seq s = a.b.seq[a.b.of_row[row]];
	const float *q = a.qkv + row * a.stride + head * D, *dout = a.dout + i * D, delta = dot(dout, a.out + i * D, D);
	float *dq = a.dqkv + row * a.stride + head * D;

	for (int64_t d = 0; d < D; d++)
		dq[d] = 0;
	for (int64_t j = s.row; j <= row; j++) {
		const float *k = a.qkv + j * a.stride + (a.heads + g) * D, *v = k + a.kv_heads * D;
		const float p = expf(dot(q, k, D) * a.scale - a.lse[i]), ds = a.scale * p * (dot(dout, v, D) - delta);

		for (int64_t d = 0; d < D; d++)
			dq[d] = fmaf(ds, k[d], dq[d]);
	}
}

/* dk = sum ds q;  dv = sum p dout, over the rows that see the key and the heads that share it */
static __global__ void back_keys(struct attend_back a)
{
	const int64_t at = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, j = at / a.kv_heads, g = at % a.kv_heads, D = a.dim, each = a.heads / a.kv_heads;

	if (j >= a.b.rows)
		return;
	const struct device_seq s = a.b.seq[a.b.of_row[j]];
	const float *k = a.qkv + j * a.stride + (a.heads + g) * D, *v = k + a.kv_heads * D;
	float *dk = a.dqkv + (k - a.qkv), *dv = a.dqkv + (v - a.qkv);

	for (int64_t d = 0; d < D; d++)
		dk[d] = dv[d] = 0;
	for (int64_t row = j; row < s.row + s.n; row++)
		for (int64_t head = g * each; head < (g + 1) * each; head++) {
			const int64_t i = row * a.heads + head;
			const float *q = a.qkv + row * a.stride + head * D, *dout = a.dout + i * D;
			const float p = expf(dot(q, k, D) * a.scale - a.lse[i]), ds = a.scale * p * (dot(dout, v, D) - dot(dout, a.out + i * D, D));

			for (int64_t d = 0; d < D; d++) {
				dk[d] = fmaf(ds, q[d], dk[d]);
				dv[d] = fmaf(p, dout[d], dv[d]);
			}
		}
}

void cuda_attention_back(struct backend *be, const struct attention *given, const float *dout, float *dqkv)
{
	struct cuda *c = cuda_of(be);
	struct attend_back a;

	memset(&a, 0, sizeof a);
	a.b = cuda_batch(c, given->seq, given->seqs, given->rows, false);
	a.qkv = given->qkv, a.out = given->out, a.lse = given->lse, a.dout = dout, a.dqkv = dqkv;
	a.stride = given->qkv_stride, a.heads = given->heads, a.kv_heads = given->kv_heads, a.dim = given->head_dim;
	a.scale = given->scale;
	cuda_launch(c, back_queries, cuda_grid(a.b.rows * a.heads, THREADS), THREADS, 0, a);
	cuda_launch(c, back_keys, cuda_grid(a.b.rows * a.kv_heads, THREADS), THREADS, 0, a);
}
