/* latent.cu - latent attention and its gradient: a thread for each row and head, or key */
#include "attention.cuh"
#include "device.cuh"

enum { THREADS = 64 };

struct attend {
	struct batch b;
	const float *q, *keys, *dout;
	float *out, *lse, *pages, *dq, *dkeys;
	int64_t heads, key_dim, value_dim;
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

static __global__ void write_pages(struct attend a)
{
	const int64_t n = a.b.rows * a.key_dim;

	for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
		const int64_t row = i / a.key_dim, seq = a.b.of_row[row], p = a.b.seq[seq].past + row - a.b.seq[seq].row;

		a.pages[((int64_t)a.b.page[seq * a.b.pages + p / KV_PAGE] * KV_PAGE + p % KV_PAGE) * a.key_dim + i % a.key_dim] = a.keys[i];
	}
}

static __global__ void attend_rows(struct attend a)
{
	const int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, row = i / a.heads, R = a.value_dim;

	if (row >= a.b.rows)
		return;
	const int64_t seq = a.b.of_row[row];
	const struct device_seq s = a.b.seq[seq];
	const int64_t last = s.past + row - s.row;
	const float *q = a.q + i * a.key_dim;
	float *out = a.out + i * R, max = -INFINITY, sum = 0;

	for (int64_t d = 0; d < R; d++)
		out[d] = 0;
	for (int64_t p = 0; p <= last; p++) {
		const float *k = a.b.page ? a.pages + ((int64_t)a.b.page[seq * a.b.pages + p / KV_PAGE] * KV_PAGE + p % KV_PAGE) * a.key_dim
					  : a.keys + (s.row + p) * a.key_dim;
		float score = dot(q, k, a.key_dim) * a.scale;
		const float more = fmaxf(max, score), by = expf(max - more);

		score = expf(score - more);
		sum = fmaf(sum, by, score);
		max = more;
		for (int64_t d = 0; d < R; d++)
			out[d] = fmaf(out[d], by, score * k[d]);
	}
	for (int64_t d = 0; d < R; d++)
		out[d] /= sum;
	if (a.lse)
		a.lse[i] = max + logf(sum);
}

static struct attend arguments(struct cuda *c, const struct latent *given)
{
	struct attend a;

	memset(&a, 0, sizeof a);
	a.b = cuda_batch(c, given->seq, given->seqs, given->rows, given->cache != NULL);
	a.q = given->q, a.keys = given->keys, a.out = given->out, a.lse = given->lse;
	a.heads = given->heads, a.key_dim = given->key_dim, a.value_dim = given->value_dim;
	a.scale = given->scale;
	return a;
}

void cuda_latent(struct backend *be, const struct latent *given)
{
	struct cuda *c = cuda_of(be);
	struct attend a = arguments(c, given);

	if (given->cache) {
		a.pages = given->cache->k + given->layer * given->cache->pages * given->cache->k_width * KV_PAGE;
		cuda_launch(c, write_pages, cuda_grid(a.b.rows * a.key_dim, 256), 256, 0, a);
	}
	cuda_launch(c, attend_rows, cuda_grid(a.b.rows * a.heads, THREADS), THREADS, 0, a);
}

static __global__ void back_queries(struct attend a)
{
	const int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, row = i / a.heads, R = a.value_dim;

	if (row >= a.b.rows)
		return;
	const struct device_seq s = a.b.seq[a.b.of_row[row]];
	const float *q = a.q + i * a.key_dim, *dout = a.dout + i * R, delta = dot(dout, a.out + i * R, R);
	float *dq = a.dq + i * a.key_dim;

	for (int64_t d = 0; d < a.key_dim; d++)
		dq[d] = 0;
	for (int64_t j = s.row; j <= row; j++) {
		const float *k = a.keys + j * a.key_dim, p = expf(dot(q, k, a.key_dim) * a.scale - a.lse[i]), ds = a.scale * p * (dot(dout, k, R) - delta);

		for (int64_t d = 0; d < a.key_dim; d++)
			dq[d] = fmaf(ds, k[d], dq[d]);
	}
}

static __global__ void back_keys(struct attend a)
{
	const int64_t j = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, R = a.value_dim;

	if (j >= a.b.rows)
		return;
	const struct device_seq s = a.b.seq[a.b.of_row[j]];
	const float *k = a.keys + j * a.key_dim;
	float *dk = a.dkeys + j * a.key_dim;

	for (int64_t d = 0; d < a.key_dim; d++)
		dk[d] = 0;
	for (int64_t i = j * a.heads; i < (s.row + s.n) * a.heads; i++) {
		const float *q = a.q + i * a.key_dim, *dout = a.dout + i * R, p = expf(dot(q, k, a.key_dim) * a.scale - a.lse[i]);
		const float ds = a.scale * p * (dot(dout, k, R) - dot(dout, a.out + i * R, R));

		for (int64_t d = 0; d < a.key_dim; d++)
			dk[d] += ds * q[d] + (d < R ? p * dout[d] : 0);
	}
}

void cuda_latent_back(struct backend *be, const struct latent *given, const float *dout, float *dq, float *dkeys)
{
	struct cuda *c = cuda_of(be);
	struct attend a = arguments(c, given);

	a.dout = dout;
	a.dq = dq;
	a.dkeys = dkeys;
	cuda_launch(c, back_queries, cuda_grid(a.b.rows * a.heads, THREADS), THREADS, 0, a);
	cuda_launch(c, back_keys, cuda_grid(a.b.rows, THREADS), THREADS, 0, a);
}
