/* attention.cu - causal attention over a flat batch, by pages of keys and values where there is a cache: a thread for each row and head */
#include "attention.cuh"
#include "device.cuh"

enum { THREADS = 64 };

struct attend {
	struct batch b;
	const float *qkv;
	float *out, *lse, *k, *v;       /* k, v: this layer's pages, or NULL */
	int64_t stride, heads, kv_heads, dim;
	float scale;
	int32_t unused;
};

/* The new rows' keys and values go to their pages: K [G][D][KV_PAGE], V [G][KV_PAGE][D]. */
static __global__ void write_pages(struct attend a)
{
	const int64_t width = a.kv_heads * a.dim, n = a.b.rows * width;

	for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
		const int64_t row = i / width, at = i % width, head = at / a.dim, d = at % a.dim, seq = a.b.of_row[row];
		const struct device_seq s = a.b.seq[seq];
		const int64_t p = s.past + row - s.row, page = (a.b.page[seq * a.b.pages + p / KV_PAGE] * a.kv_heads + head) * a.dim * KV_PAGE;
		const float *k = a.qkv + row * a.stride + a.heads * a.dim + at;

		a.k[page + d * KV_PAGE + p % KV_PAGE] = k[0];
		a.v[page + p % KV_PAGE * a.dim + d] = k[width];
	}
}

static __global__ void attend_rows(struct attend a)
{
	const int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, row = i / a.heads, head = i % a.heads, g = head / (a.heads / a.kv_heads);

	if (row >= a.b.rows)
		return;
	const int64_t seq = a.b.of_row[row], D = a.dim;
	const struct device_seq s = a.b.seq[seq];
	const int64_t last = s.past + row - s.row;
	const float *q = a.qkv + row * a.stride + head * D;
	float *out = a.out + i * D, max = -INFINITY, sum = 0;

	for (int64_t d = 0; d < D; d++)
		out[d] = 0;
	for (int64_t p = 0; p <= last; p++) {
		const float *k, *v;
		int64_t step = 1;
		float score = 0, more, by;

		if (a.b.page) {
			const int64_t page = (a.b.page[seq * a.b.pages + p / KV_PAGE] * a.kv_heads + g) * D * KV_PAGE;

			k = a.k + page + p % KV_PAGE;
			v = a.v + page + p % KV_PAGE * D;
			step = KV_PAGE;
		} else {
			k = a.qkv + (s.row + p) * a.stride + (a.heads + g) * D;
			v = k + a.kv_heads * D;
		}
		for (int64_t d = 0; d < D; d++)
			score = fmaf(q[d], k[d * step], score);
		score *= a.scale;
		more = fmaxf(max, score);
		by = expf(max - more);
		score = expf(score - more);
		sum = fmaf(sum, by, score);
		max = more;
		for (int64_t d = 0; d < D; d++)
			out[d] = fmaf(out[d], by, score * v[d]);
	}
	for (int64_t d = 0; d < D; d++)
		out[d] /= sum;
	if (a.lse)
		a.lse[i] = max + logf(sum);
}

void cuda_attention(struct backend *be, const struct attention *given)
{
	struct cuda *c = cuda_of(be);
	struct attend a;

	memset(&a, 0, sizeof a);
	a.b = cuda_batch(c, given->seq, given->seqs, given->rows, given->cache != NULL);
	a.qkv = given->qkv, a.out = given->out, a.lse = given->lse;
	a.stride = given->qkv_stride, a.heads = given->heads, a.kv_heads = given->kv_heads, a.dim = given->head_dim;
	a.scale = given->scale;
	if (given->cache) {
		const int64_t layer = given->layer * given->cache->pages * KV_PAGE;

		a.k = given->cache->k + layer * given->cache->k_width;
		a.v = given->cache->v + layer * given->cache->v_width;
		cuda_launch(c, write_pages, cuda_grid(a.b.rows * a.kv_heads * a.dim, 256), 256, 0, a);
	}
	cuda_launch(c, attend_rows, cuda_grid(a.b.rows * a.heads, THREADS), THREADS, 0, a);
}
