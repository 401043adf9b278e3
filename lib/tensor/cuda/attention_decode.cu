/* attention_decode.cu - one new row of a sequence over its pages: what costs is to read the keys and values, once
 *
 * A block has one piece of one sequence's keys and all query heads of a key/value head (up to 16). 64 keys at a time come to shared memory, four numbers a
 * load, 16 of a thread in flight together; then scores, half the block for each half of the heads, a thread a key; then the values, which
 * are on their way to registers by then, a thread for four numbers of every so many keys. Registers bound the blocks of a multiprocessor: three up
 * to 8 heads, whose loads and sums go side by side; where there are few blocks, it is the loads in flight that count. The first tile's are asked for before
 * the kernel that makes the queries has ended, but for the new row, which comes with them.
 */
#include "attention_tile.cuh"

enum { KEYS = 64, THREADS = 128, MOST_GROUPS = 16, FEW_PIECES = 32, TOGETHER = 8, QUERIES = 4 };

/* Four numbers, past the first-level cache: that one may hold what was there before other blocks wrote, or the kernel that this one did not wait for. */
static __device__ __forceinline__ float4 fresh4(const float *p, int d, int width, int wide)
{
	if (wide)
		return d < width ? __ldcg((const float4 *)(p + d)) : make_float4(0, 0, 0, 0);
	return make_float4(d < width ? __ldcg(p + d) : 0, d + 1 < width ? __ldcg(p + d + 1) : 0, d + 2 < width ? __ldcg(p + d + 2) : 0,
			   d + 3 < width ? __ldcg(p + d + 3) : 0);
}
static __device__ __forceinline__ uint2 fresh4(const uint16_t *p, int d, int width, int wide)
{
	uint32_t x[4] = {0, 0, 0, 0};

	if (wide)
		return d < width ? __ldcg((const uint2 *)(p + d)) : make_uint2(0, 0);
#pragma unroll
	for (int i = 0; i < 4; i++)
		if (d + i < width)
			x[i] = __ldcg(p + d + i);
	return make_uint2(x[0] | x[1] << 16, x[2] | x[3] << 16);
}

/* Pieces of a sequence: their weights are 2^(lse - the greatest), and sum to 1. A block for a head; V numbers of a piece to a thread, and as many pieces
 * side by side as the block has room for */
template <int V> static __global__ void __launch_bounds__(THREADS) combine(struct attend a)
{
	__shared__ float room[32];
	DYNAMIC_SHARED(float, w);               /* [pieces], then [side by side][dv] */
	const int seq = blockIdx.x, head = blockIdx.y, tid = threadIdx.x, cols = a.dv / V, wide = min(cols, (int)THREADS), group = tid / wide, groups = THREADS / wide;
	float *parts = w + (a.splits + 3) / 4 * 4, most = -INFINITY, sum = 0;

	next_may_start();
	const struct device_seq s = fresh_seq(a.b, seq);
	const int n = (s.past + a.chunk) / a.chunk;
	const int64_t step = a.b.seqs * a.heads, at = (int64_t)seq * a.heads + head, to = (int64_t)s.row * a.heads + head;

	wait_for_last();
	if (s.n != 1)
		return;
	for (int i = tid; i < n; i += THREADS)
		most = fmaxf(most, a.part_lse[at + i * step]);
	most = block_max(most, room);
	for (int i = tid; i < n; i += THREADS)
		sum += w[i] = exp2f(a.part_lse[at + i * step] - most);
	sum = block_sum(sum, room);
	for (int c = tid - group * wide; c < cols && group < groups; c += wide) {
		vec<V> x = {};

#pragma unroll 8
		for (int i = group; i < n; i += groups) {
			const vec<V> y = load<V>(a.part + (at + i * step) * a.dv + c * V);

			for (int e = 0; e < V; e++)
				x.x[e] = fmaf(w[i], y.x[e], x.x[e]);
		}
		store(parts + group * a.dv + c * V, x);
	}
	__syncthreads();
	for (int d = tid; d < a.dv; d += THREADS) {
		float x = 0;

		for (int i = 0; i < groups; i++)
			x += parts[i * a.dv + d];
		put_number(a.out, a.half, to * a.dv + d, x / sum);
	}
	if (a.lse && tid == 0)
		a.lse[to] = (most + log2f(sum)) * LN2;
}

/* The same of a few pieces, by the block that made the last of them, for its heads: `weight` has room for FEW_PIECES of each. */
template <class T> static __device__ void combine_few(const struct attend &a, const struct device_seq &s, int seq, int head, int heads, float *weight)
{
	const int lane = threadIdx.x % 32, n = (s.past + a.chunk) / a.chunk, n4 = (a.dv + 3) / 4;
	const int64_t step = a.b.seqs * a.heads, at = (int64_t)seq * a.heads + head, to = (int64_t)s.row * a.heads + head;

	for (int h = threadIdx.x / 32; h < heads; h += THREADS / 32) {
		const float lse = lane < n ? __ldcg(a.part_lse + at + h + lane * step) : -INFINITY, most = warp_max(lse), w = exp2f(lse - most), sum = warp_sum(w);

		weight[h * FEW_PIECES + lane] = w / sum;
		if (a.lse && lane == 0)
			a.lse[to + h] = (most + log2f(sum)) * LN2;
	}
	__syncthreads();
	for (int i = threadIdx.x; i < heads * n4; i += THREADS) {
		const int h = i / n4, d = (i - h * n4) * 4;
		float x[4] = {0, 0, 0, 0};

		for (int first = 0; first < n; first += TOGETHER) {
			float4 y[TOGETHER];

#pragma unroll
			for (int j = 0; j < TOGETHER; j++)
				if (first + j < n)
					y[j] = fresh4(a.part + (at + h + (first + j) * step) * a.dv, d, a.dv, a.wide);
#pragma unroll
			for (int j = 0; j < TOGETHER; j++)
				if (first + j < n) {
					const float w = weight[h * FEW_PIECES + first + j];

					x[0] = fmaf(w, y[j].x, x[0]), x[1] = fmaf(w, y[j].y, x[1]), x[2] = fmaf(w, y[j].z, x[2]), x[3] = fmaf(w, y[j].w, x[3]);
				}
		}
		store4((T *)a.out + (to + h) * a.dv, d, a.dv, a.wide, x);
	}
}

/* Four numbers on their way, as they are in memory */
template <class T> struct four;
template <> struct four<float> {
	enum { AHEAD = 8 };             /* so many at once */
	float4 x;
	__device__ __forceinline__ void read(const float *p, int d, int width, int wide) { x = fresh4(p, d, width, wide); }
	__device__ __forceinline__ float4 numbers() const { return x; }
};
template <> struct four<uint16_t> {
#if defined __CUDA_ARCH__ && __CUDA_ARCH__ < 900
	enum { AHEAD = 8 };             /* more would spill */
#else
	enum { AHEAD = 16 };
#endif
	uint2 x;
	__device__ __forceinline__ void read(const uint16_t *p, int d, int width, int wide) { x = fresh4(p, d, width, wide); }
	__device__ __forceinline__ float4 numbers() const { return make_float4(first_of(x.x), second_of(x.x), first_of(x.y), second_of(x.y)); }
};

/* Where the keys (or values) of a tile are: its four pages, whose numbers are fetched together. Row j of head g, of `width` numbers */
struct tile_pages {
	int32_t page[KEYS / KV_PAGE];
	__device__ __forceinline__ tile_pages(const struct attend &a, int seq, int first, int to)
	{
		const int32_t *table = a.b.page + seq * a.b.pages + first / KV_PAGE;

#pragma unroll
		for (int i = 0; i < KEYS / KV_PAGE; i++)
			page[i] = first + i * KV_PAGE < to ? __ldcg(table + i) : 0;
	}
	__device__ __forceinline__ int64_t at(const struct attend &a, int g, int width, int j) const
	{
		const int32_t p = j < 2 * KV_PAGE ? j < KV_PAGE ? page[0] : page[1] : j < 3 * KV_PAGE ? page[2] : page[3];

		return (((int64_t)p * a.kv_heads + g) * KV_PAGE + j % KV_PAGE) * width;
	}
};

/* sum += the weights of a key, KEYS apart for each head, times four numbers of its value */
template <int E> static __device__ __forceinline__ void add_value(float (&sum)[E][4], const float *weight, const float4 &v)
{
#pragma unroll
	for (int h = 0; h < E; h++) {
		const float w = weight[h * KEYS];

		sum[h][0] = fmaf(w, v.x, sum[h][0]);
		sum[h][1] = fmaf(w, v.y, sum[h][1]);
		sum[h][2] = fmaf(w, v.z, sum[h][2]);
		sum[h][3] = fmaf(w, v.w, sum[h][3]);
	}
}

/* Rows of `width` numbers come to shared memory, AHEAD loads of a thread at once: row j of the first n from at(j), zeros behind them up to `all`; row `skip` is
 * left alone. */
template <class T, bool WIDE, int AHEAD, class At> static __device__ __forceinline__ void rows_come(float *to, int stride, int all, int n4, int n, int skip, int width, At at)
{
	for (int i = threadIdx.x; i < all * n4; i += AHEAD * THREADS) {
		four<T> x[AHEAD];

#pragma unroll
		for (int u = 0; u < AHEAD; u++) {
			const int j = (i + u * THREADS) / n4, d = (i + u * THREADS - j * n4) * 4;

			x[u] = {};
			if (j < n && j != skip)
				x[u].read(at(j), d, width, WIDE);
		}
#pragma unroll
		for (int u = 0; u < AHEAD; u++) {
			const int j = (i + u * THREADS) / n4, d = (i + u * THREADS - j * n4) * 4;

			if (j < all && j != skip)
				*(float4 *)(to + j * stride + d) = x[u].numbers();
		}
	}
}

/* HE: heads of a thread's scores; the block has 2 HE. T: numbers of q, pages and out. WIDE: as attend's `wide` */
template <int HE, class T, bool WIDE> static __global__ void __launch_bounds__(THREADS, HE <= 4 ? 3 : 2) decode(struct attend a)
{
	enum { E = 2 * HE, AHEAD = four<T>::AHEAD };
	const int n4 = (a.dk + 3) / 4, stride = tile_stride(n4), parts = (a.each + E - 1) / E, g = blockIdx.y / parts, head = blockIdx.y % parts * E;
	const int seq = blockIdx.x, heads = min((int)E, a.each - head), tid = threadIdx.x, key = tid % KEYS, half = tid / KEYS;
	const int groups = min(THREADS / n4, (int)MOST_GROUPS), group = tid / n4, d4 = tid - group * n4;
	DYNAMIC_SHARED(float, q);                       /* [E][stride], then keys [KEYS][stride] (in the end sums [groups][E][4 n4]), p [E][KEYS], three of each head */
	float *k = q + E * stride, *p = k + max(KEYS * stride, groups * E * 4 * n4), *max_of = p + E * KEYS, *by_of = max_of + E, *sum_of = by_of + E;
	float sum[E][4];
	__shared__ uint32_t before;

	next_may_start();
	const struct device_seq s = fresh_seq(a.b, seq);
	const int from = blockIdx.z * a.chunk, to = min(s.past + 1, from + a.chunk);
	const bool none = s.n != 1 || from >= to, ahead = a.past_is_there && !none;
	const bool part = a.part && !(a.counter && s.past < a.chunk);   /* else all of the sequence is here */

	if (!ahead)
		wait_for_last();
	if (none)
		return;
	if (tid < E) {
		max_of[tid] = -INFINITY;
		sum_of[tid] = 0;
	}
#pragma unroll
	for (int h = 0; h < E; h++)
#pragma unroll
		for (int e = 0; e < 4; e++)
			sum[h][e] = 0;
	for (int first = from; first < to; first += KEYS) {
		const int n = min((int)KEYS, to - first), fresh = first == from && ahead ? s.past - first : KEYS;      /* fresh: not there yet */
		const struct tile_pages pages(a, seq, first, to);
		float score[HE];
		four<T> v[AHEAD];

		rows_come<T, WIDE, AHEAD>(k, stride, KEYS, n4, n, fresh, a.dk, [&](int j) { return (const T *)a.k + pages.at(a, g, a.dk, j); });
#pragma unroll
		for (int u = 0; u < AHEAD; u++)
			if (group < groups && group + u * groups < n && group + u * groups != fresh)
				v[u].read((const T *)a.v + pages.at(a, g, a.dv, group + u * groups), 4 * d4, a.dv, WIDE);
		if (first == from) {
			const T *queries = (const T *)a.q + s.row * a.q_stride + (int64_t)(g * a.each + head) * a.dk;

			if (ahead)
				wait_for_last();
			rows_come<T, WIDE, QUERIES>(q, stride, E, n4, heads, -1, a.dk,
						    [&](int h) { return queries + (int64_t)h * a.dk; });
		}
		if (fresh < n) {
			if (tid < n4) {
				four<T> x;

				x.read((const T *)a.k + pages.at(a, g, a.dk, fresh), 4 * tid, a.dk, WIDE);
				*(float4 *)(k + fresh * stride + 4 * tid) = x.numbers();
			}
#pragma unroll
			for (int u = 0; u < AHEAD; u++)
				if (group < groups && group + u * groups == fresh)
					v[u].read((const T *)a.v + pages.at(a, g, a.dv, fresh), 4 * d4, a.dv, WIDE);
		}
		__syncthreads();
#pragma unroll
		for (int h = 0; h < HE; h++)
			score[h] = 0;
		for (int d = 0; d < n4; d++) {
			const vec<4> x = load<4>(k + key * stride + 4 * d);

#pragma unroll
			for (int h = 0; h < HE; h++) {
				const vec<4> y = load<4>(q + (half * HE + h) * stride + 4 * d);

				score[h] = fmaf(x.x[3], y.x[3], fmaf(x.x[2], y.x[2], fmaf(x.x[1], y.x[1], fmaf(x.x[0], y.x[0], score[h]))));
			}
		}
#pragma unroll
		for (int h = 0; h < HE; h++)
			p[(half * HE + h) * KEYS + key] = key < n ? score[h] * a.scale2 : -INFINITY;
		__syncthreads();
		for (int h = tid / 32; h < E; h += THREADS / 32) {      /* a warp for each head */
			const int lane = tid % 32;
			const float x = p[h * KEYS + lane], y = p[h * KEYS + lane + 32], was = max_of[h], most = fmaxf(was, warp_max(fmaxf(x, y)));
			const float u = exp2f(x - most), w = exp2f(y - most), more = warp_sum(u + w);

			p[h * KEYS + lane] = u;
			p[h * KEYS + lane + 32] = w;
			__syncwarp();
			if (lane == 0) {
				max_of[h] = most;
				by_of[h] = exp2f(was - most);
				sum_of[h] = fmaf(sum_of[h], by_of[h], more);
			}
		}
		__syncthreads();
#pragma unroll
		for (int h = 0; h < E; h++)
#pragma unroll
			for (int e = 0; e < 4; e++)
				sum[h][e] *= by_of[h];
		if (group >= groups)
			continue;
#pragma unroll
		for (int u = 0; u < AHEAD; u++)
			if (group + u * groups < n)
				add_value<E>(sum, p + group + u * groups, v[u].numbers());
#pragma unroll 1
		for (int j = group + AHEAD * groups; j < n; j += groups) {
			four<T> x;

			x.read((const T *)a.v + pages.at(a, g, a.dv, j), 4 * d4, a.dv, WIDE);
			add_value<E>(sum, p + j, x.numbers());
		}
	}
	if (group < groups)                     /* nobody looks at keys any more */
#pragma unroll
		for (int h = 0; h < E; h++)
			store(k + ((group * E + h) * n4 + d4) * 4, vec<4>{{sum[h][0], sum[h][1], sum[h][2], sum[h][3]}});
	__syncthreads();
	for (int i = tid; i < heads * n4; i += THREADS) {
		const int h = i / n4, d = i - h * n4;
		int64_t at = (int64_t)s.row * a.heads + g * a.each + head + h;
		const float by = 1 / sum_of[h], lse = max_of[h] + log2f(sum_of[h]);
		float *to_lse = part ? a.part_lse : a.lse;
		float x[4] = {0, 0, 0, 0};

		if (part)
			at += ((int64_t)blockIdx.z * a.b.seqs + seq - s.row) * a.heads;
		for (int j = 0; j < groups; j++) {
			const vec<4> y = load<4>(k + ((j * E + h) * n4 + d) * 4);

#pragma unroll
			for (int e = 0; e < 4; e++)
				x[e] += y.x[e];
		}
#pragma unroll
		for (int e = 0; e < 4; e++)
			x[e] *= by;
		if (part)
			store4(a.part + at * a.dv, 4 * d, a.dv, WIDE, x);
		else
			store4((T *)a.out + at * a.dv, 4 * d, a.dv, WIDE, x);
		if (to_lse && d == 0)
			to_lse[at] = part ? lse : lse * LN2;
	}
	if (!part || !a.counter)
		return;
	__threadfence();                        /* the last of a sequence's pieces puts them together */
	__syncthreads();
	if (tid == 0)
		before = atomicAdd(&a.counter[seq * gridDim.y + blockIdx.y], 1u);
	__syncthreads();
	if ((int)before + 1 < (s.past + a.chunk) / a.chunk)
		return;
	__threadfence();
	combine_few<T>(a, s, seq, g * a.each + head, heads, p);
	if (tid == 0)
		a.counter[seq * gridDim.y + blockIdx.y] = 0;
}

void attention_combine(struct cuda *c, const struct attend *a)
{
	const bool fours = a->dv % 4 == 0;
	const int64_t floats = div_up(a->splits, 4) * 4 + MAX(a->dv, THREADS * (fours ? 4 : 1));

	if (a->part)
		cuda_launch(c, fours ? combine<4> : combine<1>, dim3((unsigned)a->b.seqs, (unsigned)a->heads), THREADS, (size_t)floats * sizeof(float), *a, true);
}

void attention_parts(struct cuda *c, struct attend *a)
{
	const size_t n = (size_t)(a->splits * a->b.seqs * a->heads);

	if (a->splits == 1)
		return;
	a->part = (float *)cuda_scratch_of(c, SCRATCH_ATTENTION, n * (size_t)(a->dv + 1) * sizeof(float));
	a->part_lse = a->part + n * (size_t)a->dv;
}

template <int HE> static void launch(struct cuda *c, const struct attend &a)
{
	const int64_t n4 = div_up(a.dk, 4), stride = tile_stride((int)n4), groups = MIN(THREADS / n4, (int)MOST_GROUPS);
	const int64_t floats = 2 * HE * stride + MAX(KEYS * stride, groups * 2 * HE * 4 * n4) + 2 * HE * (KEYS + 3);

	cuda_launch(c, a.half ? a.wide ? decode<HE, uint16_t, true> : decode<HE, uint16_t, false> : a.wide ? decode<HE, float, true> : decode<HE, float, false>,
		    dim3((unsigned)a.b.seqs, (unsigned)(a.kv_heads * div_up(a.each, 2 * HE)), (unsigned)a.splits), THREADS,
		    (size_t)floats * sizeof(float), a, true);
}

void attention_decode(struct cuda *c, const struct attend *given)
{
	struct attend a = *given;
	int64_t splits;

	a.chunk = (int32_t)attention_chunk(a.b.seqs * a.kv_heads, a.b.pages, &splits);
	a.splits = (int32_t)splits;
	attention_parts(c, &a);
	if (a.part && splits <= FEW_PIECES)
		a.counter = cuda_counters(c, a.b.seqs * a.heads);
	if (a.each <= 2)
		launch<1>(c, a);
	else if (a.each <= 4)
		launch<2>(c, a);
	else if (a.each <= 8)
		launch<4>(c, a);
	else
		launch<8>(c, a);
	if (!a.counter)
		attention_combine(c, &a);
}
