/* attention_half.cu - tiled attention by the tensor cores: queries, keys and values of bfloat16, weights rounded to it, sums and softmax in float32
 * (Dao 2023, arXiv:2307.08691, algorithm 1)
 *
 * A warp has 16 RT rows, whose scores and sums stay in registers: what mma gives of the scores is, rounded, what it takes as the weights. Keys and
 * values are copied to shared memory while something else is computed: values while the scores are made, the next keys while the values are summed.
 * What bounds it is how fast shared memory is read: with RT = 2 (up to D = 128: four warps, 70 KB, two blocks to a multiprocessor) a key that
 * was read serves 32 rows. Wider heads have RT = 1 and 32 keys at a time, so that the sums (D / 2 registers) find room.
 */
#include "attention_tile.cuh"

/* Scores of 16 RT rows (q) and KN keys (k) */
template <int DP, int KN, int RT> static __device__ __forceinline__ void scores_of(float (&s)[RT][KN / 8][4], const uint16_t *q, const uint16_t *k)
{
#pragma unroll
	for (int r = 0; r < RT; r++)
#pragma unroll
		for (int j = 0; j < KN / 8; j++)
			s[r][j][0] = s[r][j][1] = s[r][j][2] = s[r][j][3] = 0;
#pragma unroll
	for (int d = 0; d < DP; d += 16) {
		uint32_t x[RT][4], y[4];

#pragma unroll
		for (int r = 0; r < RT; r++)
			load_matrices(x[r], place_a(q + 16 * r * (DP + 8) + d, DP + 8));
#pragma unroll
		for (int j = 0; j < KN / 8; j += 2) {
			load_matrices(y, place_b(k + j * 8 * (DP + 8) + d, DP + 8));
#pragma unroll
			for (int r = 0; r < RT; r++) {
				mma_bf16(s[r][j], x[r], y[0], y[1]);
				mma_bf16(s[r][j + 1], x[r], y[2], y[3]);
			}
		}
	}
}

/* -inf where the key is behind `position` (of a thread's two rows) */
template <int KN> static __device__ __forceinline__ void hide(float (&s)[KN / 8][4], const int (&position)[2], int first)
{
	const int lane = threadIdx.x % 32;

#pragma unroll
	for (int j = 0; j < KN / 8; j++)
#pragma unroll
		for (int e = 0; e < 4; e++)
			if (first + 8 * j + lane % 4 * 2 + e % 2 > position[e / 2])
				s[j][e] = -INFINITY;
}

/* Scores become weights, 2^(scale2 (score - the greatest so far)); the sums so far, of weights (a thread's own) and of values, follow. */
template <int DP, int KN> static __device__ __forceinline__ void weights_of(float (&s)[KN / 8][4], float (&sum)[DP / 8][4], float (&max_of)[2], float (&sum_of)[2],
									    float scale2)
{
#pragma unroll
	for (int i = 0; i < 2; i++) {
		float most = max_of[i], by, less;

#pragma unroll
		for (int j = 0; j < KN / 8; j++)
			most = fmaxf(most, fmaxf(s[j][2 * i], s[j][2 * i + 1]));
		most = fmaxf(most, __shfl_xor_sync(ALL_LANES, most, 1));
		most = fmaxf(most, __shfl_xor_sync(ALL_LANES, most, 2));        /* a row sees the first key of the first tile: never -inf */
		by = power2((max_of[i] - most) * scale2);
		less = -most * scale2;
		max_of[i] = most;
		sum_of[i] *= by;
#pragma unroll
		for (int j = 0; j < KN / 8; j++) {
			s[j][2 * i] = power2(fmaf(s[j][2 * i], scale2, less));
			s[j][2 * i + 1] = power2(fmaf(s[j][2 * i + 1], scale2, less));
			sum_of[i] += s[j][2 * i] + s[j][2 * i + 1];
		}
#pragma unroll
		for (int d = 0; d < DP / 8; d++) {
			sum[d][2 * i] *= by;
			sum[d][2 * i + 1] *= by;
		}
	}
}

template <int DP, int KN, int RT> static __device__ __forceinline__ void sum_values(float (&sum)[RT][DP / 8][4], const float (&s)[RT][KN / 8][4], const uint16_t *v)
{
#pragma unroll
	for (int j = 0; j < KN / 16; j++) {
		uint32_t p[RT][4];

#pragma unroll
		for (int r = 0; r < RT; r++)
			as_first(p[r], s[r][2 * j], s[r][2 * j + 1]);
#pragma unroll
		for (int d = 0; d < DP / 8; d += 2) {
			uint32_t y[4];

			load_matrices_turned(y, place_a(v + 16 * j * (DP + 8) + 8 * d, DP + 8));
#pragma unroll
			for (int r = 0; r < RT; r++) {
				mma_bf16(sum[r][d], p[r], y[0], y[1]);
				mma_bf16(sum[r][d + 1], p[r], y[2], y[3]);
			}
		}
	}
}

template <int DP, int KN, int RT> static __global__ void __launch_bounds__(2 * HALF_ROWS / RT, RT) attend_half(struct attend a)
{
	const struct tile t = a.tile[blockIdx.x];
	const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = blockIdx.y;
	DYNAMIC_SHARED(uint16_t, q);
	uint16_t *k = q + HALF_ROWS * (DP + 8), *v = k + KN * (DP + 8);
	float sum[RT][DP / 8][4], s[RT][KN / 8][4], max_of[RT][2], sum_of[RT][2];
	int position[RT][2];

	if (t.seq < 0)
		return;
	const struct device_seq of = a.b.seq[t.seq];
	const int rows = min(HALF_ROWS, of.n * a.each - t.first), to = of.past + (t.first + rows - 1) / a.each + 1;
	const int seen_by_all = of.past + (t.first + 16 * RT * warp) / a.each;          /* all of the warp's rows see keys up to that one */

	bring<DP>(q, HALF_ROWS, rows, a.dk, a.wide, [&](int r) { return query_of<uint16_t>(a, of, g, t.first + r); });
	bring<DP>(k, KN, to, a.dk, a.wide, [&](int j) { return key_of<uint16_t>(a, of, t.seq, g, a.k, a.dk, j); });
#pragma unroll
	for (int r = 0; r < RT; r++) {
		for (int i = 0; i < 2; i++) {
			position[r][i] = of.past + (t.first + min(16 * (RT * warp + r) + lane / 4 + 8 * i, rows - 1)) / a.each;
			max_of[r][i] = -INFINITY;
			sum_of[r][i] = 0;
		}
#pragma unroll
		for (int d = 0; d < DP / 8; d++)
			sum[r][d][0] = sum[r][d][1] = sum[r][d][2] = sum[r][d][3] = 0;
	}
	for (int first = 0; first < to; first += KN) {
		copies_arrived();
		__syncthreads();                /* and nobody needs the last values any more */
		bring<DP>(v, KN, to - first, a.dk, a.wide, [&](int j) { return key_of<uint16_t>(a, of, t.seq, g, a.v, a.dk, first + j); });
		scores_of<DP, KN, RT>(s, q + 16 * RT * warp * (DP + 8), k);
#pragma unroll
		for (int r = 0; r < RT; r++) {
			if (first + KN - 1 > seen_by_all)
				hide<KN>(s[r], position[r], first);
			weights_of<DP, KN>(s[r], sum[r], max_of[r], sum_of[r], a.scale2);
		}
		copies_arrived();
		__syncthreads();                /* nor the keys */
		if (first + KN < to)
			bring<DP>(k, KN, to - first - KN, a.dk, a.wide, [&](int j) { return key_of<uint16_t>(a, of, t.seq, g, a.k, a.dk, first + KN + j); });
		sum_values<DP, KN, RT>(sum, s, v);
	}
#pragma unroll
	for (int r = 0; r < RT; r++)
#pragma unroll
		for (int i = 0; i < 2; i++) {
			const int row = 16 * (RT * warp + r) + lane / 4 + 8 * i;
			float all = sum_of[r][i];

			all += __shfl_xor_sync(ALL_LANES, all, 1);
			all += __shfl_xor_sync(ALL_LANES, all, 2);
			if (row >= rows)
				continue;
			const int64_t at = row_of(a, of, g, t.first + row);

			keep<DP / 8>((uint16_t *)a.out + at * a.dv, sum[r], i, 0, 1 / all, a.dv, a.wide);
			if (a.lse && lane % 4 == 0)
				a.lse[at] = fmaf(max_of[r][i], a.scale2, log2f(all)) * LN2;
		}
}

template <int DP, int KN, int RT> static void launch(struct cuda *c, const struct attend &a, unsigned tiles)
{
	const size_t shared = (size_t)(HALF_ROWS + 2 * KN) * (DP + 8) * sizeof(uint16_t);

	cuda_launch(c, attend_half<DP, KN, RT>, dim3(tiles, (unsigned)a.kv_heads), 2 * HALF_ROWS / RT, shared, a);
}

void attention_half(struct cuda *c, const struct attend *given, const struct tiles *tiles)
{
	struct attend a = *given;

	a.tile = tiles->tile;
	switch (div_up(a.dk, 64)) {
	case 1: launch<64, 64, 2>(c, a, tiles->count); break;
	case 2: launch<128, 64, 2>(c, a, tiles->count); break;
	case 3: launch<192, 32, 1>(c, a, tiles->count); break;
	case 4: launch<256, 32, 1>(c, a, tiles->count); break;
	default:
		cuda_fail("cuda: attention with heads of %d", a.dk);
	}
}
