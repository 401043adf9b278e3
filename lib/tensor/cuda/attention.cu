/* attention.cu - causal attention over a flat batch: new keys and values go to their pages, then each sequence to the kernel that suits it */
#include "attention.cuh"
#include "attention_tile.cuh"
#include "gemm.cuh"
#include "heads.cuh"

/* K and V of a page are [G][KV_PAGE][D]. A thread moves four numbers. */
template <class T> static __global__ void put_pages(struct write_pages w)
{
	const int n4 = (w.dim + 3) / 4;
	const int64_t each = (int64_t)w.kv_heads * n4, n = w.b.rows * each;

	after_last();
	for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
		const int64_t row = i / each;
		const int at = (int)(i - row * each), g = at / n4, d = (at - g * n4) * 4;
		const int64_t to = page_place(w, (int)row) + (int64_t)g * KV_PAGE * w.dim, from = row * w.stride + (int64_t)g * w.dim;
		const float4 k = load4((const T *)w.k + from, d, w.dim, w.wide);

		store4((T *)w.to_k + to, d, w.dim, w.wide, {k.x, k.y, k.z, k.w});
		if (w.v) {
			const float4 v = load4((const T *)w.v + from, d, w.dim, w.wide);

			store4((T *)w.to_v + to, d, w.dim, w.wide, {v.x, v.y, v.z, v.w});
		}
	}
}

void attention_write_pages(struct cuda *c, const struct write_pages *w)
{
	cuda_launch(c, w->half ? put_pages<uint16_t> : put_pages<float>, cuda_grid(w->b.rows * w->kv_heads * div_up(w->dim, 4), 256), 256, 0, *w, true);
}

bool attention_wide(const void *p, bool half, int64_t a, int64_t b)
{
	return ((uintptr_t)p | (uintptr_t)((half ? 2 : 4) * (a | b))) % 16 == 0;
}

static const void *at(const void *p, bool half, int64_t i)
{
	return (const char *)p + i * (half ? 2 : 4);
}

/* Where there is a cache, sequences of one row are no tiles. */
static void prepare(struct cuda *c, const struct attention *given, int64_t rows, struct attend *a, struct tiles *tiles)
{
	const int64_t each = given->heads / given->kv_heads, dim = given->head_dim;
	const struct cut cut = {given->cache ? CUT_LONG : CUT_ROWS, rows, each};

	memset(a, 0, sizeof *a);
	a->b = attention_batch(c, given->seq, given->seqs, given->rows, given->cache != NULL, &cut, 1, tiles);
	a->q = given->qkv, a->out = given->out, a->lse = given->lse;
	a->k = at(given->qkv, given->half, given->heads * dim), a->v = at(given->qkv, given->half, (given->heads + given->kv_heads) * dim);
	a->q_stride = a->k_stride = given->qkv_stride;
	a->heads = (int32_t)given->heads, a->kv_heads = (int32_t)given->kv_heads, a->each = (int32_t)each;
	a->dk = a->dv = (int32_t)dim;
	a->chunk = INT32_MAX, a->splits = 1;
	a->half = given->half;
	a->wide = attention_wide(given->qkv, given->half, given->qkv_stride, dim) && attention_wide(given->out, given->half, 0, 0);
	a->scale = given->scale, a->scale2 = given->scale * LOG2E;
}

/* `added` of the entry that last wrote pages of a layer, of whatever cache */
static int64_t *layer_written(struct cuda *c, int64_t layer)
{
	if ((int64_t)c->pages_written.size() <= layer)
		c->pages_written.resize((size_t)layer + 1);
	return &c->pages_written[(size_t)layer];
}

void cuda_attention(struct backend *be, const struct attention *given)
{
	struct cuda *c = cuda_of(be);
	bool single = false;
	struct tiles tiles;
	struct attend a;

	prepare(c, given, given->half ? HALF_ROWS : attention_full_rows(c, given->head_dim, given->head_dim), &a, &tiles);
	if (given->cache) {
		const struct kv_cache *cache = given->cache;
		const size_t before = (size_t)(given->layer * cache->pages);
		int64_t *written = layer_written(c, given->layer), past_written = *written;
		struct write_pages w = {a.b, a.k, a.v, (char *)cache->k + before * kv_page_bytes(cache, cache->k_width),
					(char *)cache->v + before * kv_page_bytes(cache, cache->v_width), a.k_stride, a.kv_heads, a.dk, a.wide, given->half};

		a.wide = w.wide = w.wide && attention_wide(w.to_k, given->half, 0, 0) && attention_wide(w.to_v, given->half, 0, 0);
		if (!cuda_pages_few(c, &w, given) && !cuda_pages_heads(c, &w, given))
			attention_write_pages(c, &w);
		*written = c->added;
		a.k = w.to_k, a.v = w.to_v;
		a.past_is_there = MAX(past_written, c->pages_moved) < c->solid;
		for (int64_t i = 0; i < given->seqs; i++)
			single = single || given->seq[i].n == 1;
		if (single)
			attention_decode(c, &a);
	}
	if (given->half)
		attention_half(c, &a, &tiles);
	else
		attention_full(c, &a, &tiles);
}

/* ---- back ---- */

struct dots {
	const void *x, *y;
	float *out;
	int64_t rows, n;
};

/* out[i] = x[i,:] . y[i,:], a warp for each */
template <class T, int V> static __global__ void row_dots(struct dots z)
{
	for (int64_t i = (int64_t)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; i < z.rows; i += (int64_t)gridDim.x * (blockDim.x / 32)) {
		float sum = 0;

		for (int64_t d = threadIdx.x % 32 * V; d < z.n; d += 32 * V) {
			const vec<V> x = load<V>((const T *)z.x + i * z.n + d), y = load<V>((const T *)z.y + i * z.n + d);

			for (int j = 0; j < V; j++)
				sum = fmaf(x.x[j], y.x[j], sum);
		}
		sum = warp_sum(sum);
		if (threadIdx.x % 32 == 0)
			z.out[i] = sum;
	}
}

/* With p = exp(scale q.k - lse), delta = dout.out and ds = scale p (dout.v - delta):  dv = p^T dout, dk = ds^T q, dq = ds k */
void cuda_attention_back(struct backend *be, const struct attention *given, const void *dout, void *dqkv)
{
	struct cuda *c = cuda_of(be);
	const int64_t dim = given->head_dim, n = given->rows * given->heads;
	const int64_t rows = given->half ? attention_back_half_rows(c, dim) : attention_back_full_rows(c, dim);
	const struct cut cut[2] = {{CUT_ROWS, rows, given->heads / given->kv_heads}, {CUT_KEYS, rows, 1}};
	float *delta = (float *)cuda_scratch_of(c, SCRATCH_ATTENTION, (size_t)n * sizeof *delta);
	struct tiles none, tiles[2];
	struct attend_back z;

	memset(&z, 0, sizeof z);
	prepare(c, given, rows, &z.a, &none);
	z.a.b = attention_batch(c, given->seq, given->seqs, given->rows, false, cut, 2, tiles);
	z.a.wide = z.a.wide && attention_wide(dout, given->half, 0, 0) && attention_wide(dqkv, given->half, 0, 0);
	z.dout = dout, z.delta = delta;
	z.dq = dqkv, z.dk = (void *)at(dqkv, given->half, given->heads * dim), z.dv = (void *)at(z.dk, given->half, given->kv_heads * dim);
	cuda_launch(c, given->half ? z.a.wide ? row_dots<uint16_t, 4> : row_dots<uint16_t, 1> : z.a.wide ? row_dots<float, 4> : row_dots<float, 1>, cuda_grid(n, 8),
		    256, 0, (struct dots){dout, given->out, delta, n, dim});
	if (given->half)
		attention_back_half(c, &z, &tiles[0], &tiles[1]);
	else
		attention_back_full(c, &z, &tiles[0], &tiles[1]);
}
