/* attention_half.cu - tiled attention by the tensor cores: queries, keys, values and weights rounded to bfloat16, sums and softmax in float32 (Dao 2023,
 * arXiv:2307.08691, algorithm 1)
 *
 * Eight warps have 16 rows each, whose scores and sums stay in registers: what mma gives of the scores is, rounded, what it takes as the weights. Keys
 * and values come to shared memory by way of registers, since they are rounded there (those of pages may be already); their loads are started a product ahead, values while the
 * scores are made, the next keys while the values are summed. At D = 128: 70 KB of shared memory, and one block of 8 warps to a
 * multiprocessor by its registers. Wider heads take 32 keys at a time, so that the sums (D / 2 registers) leave room for what is on its way.
 */
#include "attention_tile.cuh"
#include "mma.cuh"

/* Four numbers on their way: as they are in memory */
template <class T> struct four;
template <> struct four<float> {
	float4 x;
};
template <> struct four<uint16_t> {
	uint2 x;
};
static __device__ __forceinline__ four<float> load_four(const float *p, int d, int width, int wide)
{
	return {load4(p, d, width, wide)};
}
static __device__ __forceinline__ four<uint16_t> load_four(const uint16_t *p, int d, int width, int wide)
{
	return {load4_half(p, d, width, wide)};
}
static __device__ __forceinline__ void put(uint16_t *to, const four<float> &y)
{
	*(uint2 *)to = make_uint2(to_bf16x2(y.x.x, y.x.y), to_bf16x2(y.x.z, y.x.w));
}
static __device__ __forceinline__ void put(uint16_t *to, const four<uint16_t> &y)
{
	*(uint2 *)to = y.x;
}

/* KN rows of keys or values, from position `first` on, those from `to` on zeros */
template <int DP, int KN, class T> static __device__ __forceinline__ void fetch(four<T> (&x)[DP * KN / 4 / TILE_THREADS], const struct attend &a, const struct device_seq &s,
										int seq, int g, const void *from, int first, int to)
{
#pragma unroll
	for (int i = 0; i < DP * KN / 4 / TILE_THREADS; i++) {
		const int at = threadIdx.x + i * TILE_THREADS, p = first + at / (DP / 4), d = at % (DP / 4) * 4;

		x[i] = p < to ? load_four(key_of<T>(a, s, seq, g, from, a.dk, p), d, a.dk, a.wide) : four<T>{};
	}
}

template <int DP, int KN, class T> static __device__ __forceinline__ void keep(uint16_t *to, const four<T> (&x)[DP * KN / 4 / TILE_THREADS])
{
#pragma unroll
	for (int i = 0; i < DP * KN / 4 / TILE_THREADS; i++) {
		const int at = threadIdx.x + i * TILE_THREADS;

		put(to + at / (DP / 4) * (DP + 8) + at % (DP / 4) * 4, x[i]);
	}
}

/* Scores of 16 rows (q) and KN keys (k), in powers of two; -inf where the key is behind `position` or `to` */
template <int DP, int KN> static __device__ __forceinline__ void scores_of(float (&s)[KN / 8][4], const uint16_t *q, const uint16_t *k, const int (&position)[2], int first,
									  int to, float scale2)
{
	const int lane = threadIdx.x % 32;

#pragma unroll
	for (int j = 0; j < KN / 8; j++)
		s[j][0] = s[j][1] = s[j][2] = s[j][3] = 0;
#pragma unroll
	for (int d = 0; d < DP; d += 16) {
		uint32_t x[4], y[4];

		load_matrices(x, place_a(q + d, DP + 8));
#pragma unroll
		for (int j = 0; j < KN / 8; j += 2) {
			load_matrices(y, place_b(k + j * 8 * (DP + 8) + d, DP + 8));
			mma_bf16(s[j], x, y[0], y[1]);
			mma_bf16(s[j + 1], x, y[2], y[3]);
		}
	}
#pragma unroll
	for (int j = 0; j < KN / 8; j++)
#pragma unroll
		for (int e = 0; e < 4; e++) {
			const int key = first + 8 * j + lane % 4 * 2 + e % 2;

			s[j][e] = key <= position[e / 2] && key < to ? s[j][e] * scale2 : -INFINITY;
		}
}

/* Scores become weights; what the sums so far are to be multiplied by is left in `by`. */
template <int KN> static __device__ __forceinline__ void weights_of(float (&s)[KN / 8][4], float (&max_of)[2], float (&sum_of)[2], float (&by)[2])
{
#pragma unroll
	for (int i = 0; i < 2; i++) {
		float most = max_of[i], more = 0;

#pragma unroll
		for (int j = 0; j < KN / 8; j++)
			most = fmaxf(most, fmaxf(s[j][2 * i], s[j][2 * i + 1]));
		most = fmaxf(most, __shfl_xor_sync(ALL_LANES, most, 1));
		most = fmaxf(most, __shfl_xor_sync(ALL_LANES, most, 2));        /* a row sees the first key of the first tile: never -inf */
		by[i] = exp2f(max_of[i] - most);
		max_of[i] = most;
#pragma unroll
		for (int j = 0; j < KN / 8; j++) {
			s[j][2 * i] = exp2f(s[j][2 * i] - most);
			s[j][2 * i + 1] = exp2f(s[j][2 * i + 1] - most);
			more += s[j][2 * i] + s[j][2 * i + 1];
		}
		more += __shfl_xor_sync(ALL_LANES, more, 1);
		more += __shfl_xor_sync(ALL_LANES, more, 2);
		sum_of[i] = fmaf(sum_of[i], by[i], more);
	}
}

template <int DP, int KN> static __device__ __forceinline__ void sum_values(float (&sum)[DP / 8][4], const float (&s)[KN / 8][4], const uint16_t *v)
{
#pragma unroll
	for (int j = 0; j < KN / 16; j++) {
		const uint32_t p[4] = {to_bf16x2(s[2 * j][0], s[2 * j][1]), to_bf16x2(s[2 * j][2], s[2 * j][3]), to_bf16x2(s[2 * j + 1][0], s[2 * j + 1][1]),
				       to_bf16x2(s[2 * j + 1][2], s[2 * j + 1][3])};

#pragma unroll
		for (int d = 0; d < DP / 8; d += 2) {
			uint32_t y[4];

			load_matrices_turned(y, place_a(v + 16 * j * (DP + 8) + 8 * d, DP + 8));
			mma_bf16(sum[d], p, y[0], y[1]);
			mma_bf16(sum[d + 1], p, y[2], y[3]);
		}
	}
}

template <int DP, int KN, class T> static __global__ void __launch_bounds__(TILE_THREADS, DP <= 64 ? 2 : 1) attend_half(struct attend a)
{
	const struct tile t = a.tile[blockIdx.x];
	const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = blockIdx.y;
	DYNAMIC_SHARED(uint16_t, q);
	uint16_t *k = q + HALF_ROWS * (DP + 8), *v = k + KN * (DP + 8);
	float sum[DP / 8][4], s[KN / 8][4], max_of[2] = {-INFINITY, -INFINITY}, sum_of[2] = {0, 0}, by[2];
	four<T> x[DP * KN / 4 / TILE_THREADS];
	int position[2];

	if (t.seq < 0)
		return;
	const struct device_seq of = a.b.seq[t.seq];
	const int rows = min(HALF_ROWS, of.n * a.each - t.first), to = of.past + (t.first + rows - 1) / a.each + 1;

	fetch<DP, KN, T>(x, a, of, t.seq, g, a.k, 0, to);
	for (int i = threadIdx.x; i < HALF_ROWS * (DP / 4); i += TILE_THREADS) {
		const int r = i / (DP / 4), d = i % (DP / 4) * 4;

		put(q + r * (DP + 8) + d, r < rows ? load_four(query_of(a, of, g, t.first + r), d, a.dk, a.wide) : four<float>{});
	}
	keep<DP, KN, T>(k, x);
	for (int i = 0; i < 2; i++)
		position[i] = of.past + (t.first + min(16 * warp + lane / 4 + 8 * i, rows - 1)) / a.each;
#pragma unroll
	for (int d = 0; d < DP / 8; d++)
		sum[d][0] = sum[d][1] = sum[d][2] = sum[d][3] = 0;
	__syncthreads();
	for (int first = 0; first < to; first += KN) {
		fetch<DP, KN, T>(x, a, of, t.seq, g, a.v, first, to);
		scores_of<DP, KN>(s, q + 16 * warp * (DP + 8), k, position, first, to, a.scale2);
		weights_of<KN>(s, max_of, sum_of, by);
		keep<DP, KN, T>(v, x);
		__syncthreads();
		if (first + KN < to)
			fetch<DP, KN, T>(x, a, of, t.seq, g, a.k, first + KN, to);
#pragma unroll
		for (int d = 0; d < DP / 8; d++)
#pragma unroll
			for (int e = 0; e < 4; e++)
				sum[d][e] *= by[e / 2];
		sum_values<DP, KN>(sum, s, v);
		if (first + KN < to)
			keep<DP, KN, T>(k, x);
		__syncthreads();
	}
#pragma unroll
	for (int i = 0; i < 2; i++) {
		const int r = 16 * warp + lane / 4 + 8 * i;

		if (r >= rows)
			continue;
		const int64_t at = row_of(a, of, g, t.first + r);
		const float scale = 1 / sum_of[i];
		float *out = a.out + at * a.dv;

#pragma unroll
		for (int d = 0; d < DP / 8; d++) {
			const int col = 8 * d + lane % 4 * 2;

			if (a.wide && col < a.dv) {
				*(float2 *)(out + col) = make_float2(sum[d][2 * i] * scale, sum[d][2 * i + 1] * scale);
				continue;
			}
			if (col < a.dv)
				out[col] = sum[d][2 * i] * scale;
			if (col + 1 < a.dv)
				out[col + 1] = sum[d][2 * i + 1] * scale;
		}
		if (a.lse && lane % 4 == 0)
			a.lse[at] = (max_of[i] + log2f(sum_of[i])) * LN2;
	}
}

template <int DP, int KN> static void launch(struct cuda *c, const struct attend &a, unsigned tiles)
{
	const size_t shared = (size_t)(HALF_ROWS + 2 * KN) * (DP + 8) * sizeof(uint16_t);

	cuda_launch(c, a.half ? attend_half<DP, KN, uint16_t> : attend_half<DP, KN, float>, dim3(tiles, (unsigned)a.kv_heads), TILE_THREADS, shared, a);
}

void attention_half(struct cuda *c, const struct attend *given, const struct tiles *tiles)
{
	struct attend a = *given;

	a.tile = tiles->tile;
	switch (div_up(a.dk, 64)) {
	case 1: launch<64, 64>(c, a, tiles->count); break;
	case 2: launch<128, 64>(c, a, tiles->count); break;
	case 3: launch<192, 32>(c, a, tiles->count); break;
	case 4: launch<256, 32>(c, a, tiles->count); break;
	default:
		fprintf(stderr, "cuda: attention with heads of %d\n", a.dk);
		abort();
	}
}
