/* heads.cu - heads of queries and keys, in place: their norms (Qwen3), rotary positions, and the pages that they go to: what comes next in the same kernel */
#include "attention_tile.cuh"
#include "heads.cuh"

enum { WARPS = 8 };

/* As rows are kept */
template <class T> static __device__ __forceinline__ float kept(float x);
template <> __device__ __forceinline__ float kept<float>(float x)
{
	return x;
}
template <> __device__ __forceinline__ float kept<uint16_t>(float x)
{
	return from_bf16(to_bf16(x));
}

/* A warp to a head of a row; a lane has the same pairs of it, half a head apart, all the time. Without w nothing is normalised; values are only taken to
 * their pages. */
template <class T> static __global__ void __launch_bounds__(WARPS * 32) head_rows(struct headed z)
{
	const struct write_pages &w = z.t.w;
	const int lane = threadIdx.x % 32, dim = (int)z.dim, half = dim / 2, values = (int)z.heads, keys = (int)z.queries, all = values + (w.to_k ? w.kv_heads : 0);
	const int64_t n = z.rows * all;

	next_may_start();
	for (int64_t i = (int64_t)blockIdx.x * WARPS + threadIdx.x / 32; i < n; i += (int64_t)gridDim.x * WARPS) {
		const int64_t row = i / all, place = w.to_k ? page_place(w, (int)row) : 0;
		const int head = (int)(i - row * all);
		const float *turn = z.t.cos_sin ? z.t.cos_sin + (int64_t)__ldcg(z.t.position + row) * dim : NULL, *by = head < keys ? z.w : z.w2;
		T *x = (T *)z.x + row * z.stride + (int64_t)head * dim, *to = NULL;
		float sum = 0, rstd = 0;

		if (w.to_k && head >= values)
			to = (T *)w.to_v + place + (int64_t)(head - values) * KV_PAGE * dim;
		else if (w.to_k && head >= keys)
			to = (T *)w.to_k + place + (int64_t)(head - keys) * KV_PAGE * dim;
		wait_for_last();
		if (z.w && head < values) {
			const int64_t at = row * values + head;

			for (int j = lane; j < half; j += 32) {
				const float a = load<1>(x + j).x[0], b = load<1>(x + half + j).x[0];

				sum = fmaf(b, b, fmaf(a, a, sum));
				if (z.raw) {
					store((T *)z.raw + at * dim + j, vec<1>{{a}});
					store((T *)z.raw + at * dim + half + j, vec<1>{{b}});
				}
			}
			rstd = 1 / sqrtf(warp_sum(sum) / (float)dim + z.eps);
			if (z.rstd && lane == 0)
				z.rstd[at] = rstd;
		}
		for (int j = lane; j < half; j += 32) {
			float a = load<1>(x + j).x[0], b = load<1>(x + half + j).x[0];

			if (head < values) {
				if (z.w) {
					a = kept<T>(a * rstd * by[j]);
					b = kept<T>(b * rstd * by[half + j]);
				}
				if (turn) {
					const float c = turn[j], s = turn[half + j], was = a;

					a = turn_first(was, b, c, s);
					b = turn_second(was, b, c, s);
				}
				store(x + j, vec<1>{{a}});
				store(x + half + j, vec<1>{{b}});
			}
			if (to) {
				store(to + j, vec<1>{{a}});
				store(to + half + j, vec<1>{{b}});
			}
		}
	}
	wait_for_last();                        /* a warp without a head, too */
}

static void start(struct cuda *c, const struct headed *z)
{
	const int64_t all = z->heads + (z->t.w.to_k ? z->t.w.kv_heads : 0);

	cuda_launch(c, z->half ? head_rows<uint16_t> : head_rows<float>, cuda_grid(z->rows * all, WARPS), WARPS * 32, 0, *z, true, LAST_HEADS);
}

static void op_head_norms(struct backend *be, const struct head_norms *h)
{
	struct headed z;

	memset(&z, 0, sizeof z);
	z.x = h->x, z.raw = h->raw, z.rstd = h->rstd, z.w = h->w, z.w2 = h->w2;
	z.rows = h->rows, z.heads = h->heads, z.queries = h->queries, z.dim = h->head_dim, z.stride = h->stride;
	z.eps = h->eps, z.half = h->half;
	start(cuda_of(be), &z);
}

/* Whether a rotation is of all heads of z's rows, in place and in halves */
static bool turns(const struct rope *r, const struct headed *z)
{
	return r->x == z->x && r->out == z->x && r->half == (bool)z->half && r->rows == z->rows && r->heads == z->heads && r->head_dim == z->dim &&
	       r->x_stride == z->stride && r->out_stride == z->stride && r->x_head == z->dim && r->out_head == z->dim && !r->interleaved && !r->inverse;
}

static void turn_by(struct headed *z, const struct rope *r)
{
	z->t.position = r->position, z->t.cos_sin = r->cos_sin, z->t.heads = r->heads;
}

bool cuda_turn_heads(struct cuda *c, const struct rope *r)
{
	const struct headed *last = cuda_last_launch<struct headed>(c, LAST_HEADS);
	struct headed z;

	if (!last || last->t.cos_sin || !turns(r, last))
		return false;
	z = *last;
	turn_by(&z, r);
	cuda_take_back(c);
	start(c, &z);
	return true;
}

bool cuda_pages_heads(struct cuda *c, const struct write_pages *w, const struct attention *a)
{
	const struct headed *last = cuda_last_launch<struct headed>(c, LAST_HEADS);
	const struct rope *r = cuda_last_launch<struct rope>(c, LAST_ROPE);
	struct headed z;

	memset(&z, 0, sizeof z);
	z.x = (void *)a->qkv;
	z.rows = a->rows, z.heads = a->heads + a->kv_heads, z.queries = a->heads, z.dim = a->head_dim, z.stride = a->qkv_stride;
	z.half = a->half;
	if (last && last->t.cos_sin && !last->t.w.to_k && last->half == z.half && last->x == z.x && last->rows == z.rows && last->heads == z.heads &&
	    last->queries == z.queries && last->dim == z.dim && last->stride == z.stride)
		z = *last;
	else if (r && turns(r, &z))
		turn_by(&z, r);
	else
		return false;
	z.t.w = *w;
	cuda_take_back(c);
	start(c, &z);
	return true;
}

/* ---- back ---- */

struct heads_back {                     /* of queries, or of keys */
	void *d;                        /* of the first of them; as it lies in the rows */
	const void *raw;                /* the same, in [rows, all, dim] */
	const float *rstd, *w;          /* rstd: the same, in [rows, all] */
	float *parts;                   /* [blocks][dim], or NULL */
	int64_t rows, heads, all, dim, stride, each;    /* each: vectors of a block */
};

/* As rows.cu's rmsnorm_back_rows, a warp to a vector; and each warp's sums for the weight, then the warps' in their order */
template <class T> static __global__ void __launch_bounds__(WARPS * 32) head_rows_back(struct heads_back z)
{
	DYNAMIC_SHARED(float, sums);            /* [WARPS][dim] */
	const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
	const int64_t first = (int64_t)blockIdx.x * z.each, n = z.rows * z.heads, end = first + z.each < n ? first + z.each : n;
	float *mine = sums + warp * z.dim;

	for (int64_t j = lane; j < z.dim; j += 32)
		mine[j] = 0;
	for (int64_t i = first + warp; i < end; i += WARPS) {
		const int64_t row = i / z.heads, head = i - row * z.heads, at = row * z.all + head;
		T *d = (T *)z.d + row * z.stride + head * z.dim;
		const T *raw = (const T *)z.raw + at * z.dim;
		const float rstd = z.rstd[at];
		float sum = 0, mean;

		for (int64_t j = lane; j < z.dim; j += 32)
			sum = fmaf(load<1>(d + j).x[0] * z.w[j], load<1>(raw + j).x[0], sum);
		mean = warp_sum(sum) / (float)z.dim * rstd * rstd;
		for (int64_t j = lane; j < z.dim; j += 32) {
			const float dout = load<1>(d + j).x[0], x = load<1>(raw + j).x[0];

			mine[j] += dout * x * rstd;
			store(d + j, vec<1>{{rstd * fmaf(dout, z.w[j], -x * mean)}});
		}
	}
	if (!z.parts)
		return;
	__syncthreads();
	for (int64_t j = threadIdx.x; j < z.dim; j += WARPS * 32) {
		float sum = 0;

		for (int i = 0; i < WARPS; i++)
			sum += sums[i * z.dim + j];
		z.parts[blockIdx.x * z.dim + j] = sum;
	}
}

static void op_head_norms_back(struct backend *be, const struct head_norms *h, void *d, float *dw, float *dw2)
{
	const int64_t least = 64, most = 512;   /* vectors of a block, blocks */
	struct cuda *c = cuda_of(be);
	const int64_t size = h->half ? sizeof(uint16_t) : sizeof(float);

	for (int keys = 0; keys < 2; keys++) {
		const int64_t first = keys ? h->queries : 0, heads = keys ? h->heads - h->queries : h->queries;
		const int64_t each = MAX(least, div_up(h->rows * heads, most)), blocks = div_up(h->rows * heads, each);
		float *to = keys ? dw2 : dw;
		struct heads_back z = {(char *)d + first * h->head_dim * size, (const char *)h->raw + first * h->head_dim * size, h->rstd + first,
				       keys ? h->w2 : h->w, NULL, h->rows, heads, h->heads, h->head_dim, h->stride, each};

		if (to)
			z.parts = (float *)cuda_scratch_of(c, SCRATCH_SUMS, (size_t)(blocks * h->head_dim) * sizeof *z.parts);
		cuda_launch(c, h->half ? head_rows_back<uint16_t> : head_rows_back<float>, (unsigned)blocks, WARPS * 32,
			    (size_t)(WARPS * h->head_dim) * sizeof(float), z);
		if (to)
			cuda_add_parts(c, to, z.parts, blocks, h->head_dim);
	}
}

void cuda_heads_ops(struct backend *be)
{
	be->head_norms = op_head_norms;
	be->head_norms_back = op_head_norms_back;
}
