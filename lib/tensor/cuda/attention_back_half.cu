/* attention_back_half.cu - the gradient of attention by the tensor cores, operands rounded to bfloat16, sums in float32
 *
 * As in float32 there are tiles of keys, for dk and dv, and tiles of rows, for dq; they differ in which side stands still, so one kernel has both. Of
 * the 64 x 64 scores a warp makes 16 x 32; p and ds go through shared memory, rounded, since each of the sums' 16 x D/2 that a warp has needs 16 x 64
 * of them. Its two sums take D / 2 registers of a thread, which leaves room for two blocks to a multiprocessor up to D = 128 (89 KB of shared
 * memory each): one loads while the other computes.
 */
#include "attention_tile.cuh"
#include "mma.cuh"

enum { ROWS = HALF_BACK_ROWS, PS = ROWS + 8 };

/* `rows` rows of at(row), rounded, of ROWS; the others are zeros */
template <int DP, class At> static __device__ __forceinline__ void bring(uint16_t *to, int rows, int width, int wide, At at)
{
#pragma unroll 4
	for (int i = threadIdx.x; i < ROWS * (DP / 4); i += TILE_THREADS) {
		const int r = i / (DP / 4), d = i % (DP / 4) * 4;
		const float4 x = r < rows ? load4(at(r), d, width, wide) : make_float4(0, 0, 0, 0);

		*(uint2 *)(to + r * (DP + 8) + d) = make_uint2(to_bf16x2(x.x, x.y), to_bf16x2(x.z, x.w));
	}
}

/* A tile of rows (queries and their gradients) or of keys (and values) of a sequence */
template <int DP> static __device__ __forceinline__ void bring_rows(uint16_t *q, uint16_t *dout, float *lse2, float *delta, const struct attend_back &z,
								   const struct device_seq &of, int g, int first, int rows)
{
	const struct attend &a = z.a;

	bring<DP>(q, rows, a.dk, a.wide, [&](int r) { return query_of(a, of, g, first + r); });
	bring<DP>(dout, rows, a.dk, a.wide, [&](int r) { return z.dout + row_of(a, of, g, first + r) * a.dk; });
	if (threadIdx.x < ROWS) {
		const int64_t at = row_of(a, of, g, first + min((int)threadIdx.x, rows - 1));

		lse2[threadIdx.x] = a.lse[at] * LOG2E;
		delta[threadIdx.x] = z.delta[at];
	}
}
template <int DP> static __device__ __forceinline__ void bring_keys(uint16_t *k, uint16_t *v, const struct attend &a, const struct device_seq &of, int seq, int g, int first,
								   int keys)
{
	bring<DP>(k, keys, a.dk, a.wide, [&](int j) { return key_of(a, of, seq, g, a.k, a.dk, first + j); });
	bring<DP>(v, keys, a.dk, a.wide, [&](int j) { return key_of(a, of, seq, g, a.v, a.dk, first + j); });
}

/* s = 16 rows of x times 32 rows of y, turned */
template <int DP> static __device__ __forceinline__ void scores_of(float (&s)[4][4], const uint16_t *x, const uint16_t *y)
{
#pragma unroll
	for (int j = 0; j < 4; j++)
		s[j][0] = s[j][1] = s[j][2] = s[j][3] = 0;
#pragma unroll 2                        /* no further: addresses made in advance would spill */
	for (int d = 0; d < DP; d += 16) {
		uint32_t u[4], w[4];

		load_matrices(u, place_a(x + d, DP + 8));
#pragma unroll
		for (int j = 0; j < 4; j += 2) {
			load_matrices(w, place_b(y + 8 * j * (DP + 8) + d, DP + 8));
			mma_bf16(s[j], u, w[0], w[1]);
			mma_bf16(s[j + 1], u, w[2], w[3]);
		}
	}
}

/* sum += 16 rows of p, ROWS wide, times DP / 2 columns of y */
template <int DP> static __device__ __forceinline__ void gather(float (&sum)[DP / 16][4], const uint16_t *p, const uint16_t *y)
{
#pragma unroll 1
	for (int j = 0; j < ROWS; j += 16) {
		uint32_t u[4], w[4];

		load_matrices(u, place_a(p + j, PS));
#pragma unroll
		for (int d = 0; d < DP / 16; d += 2) {
			load_matrices_turned(w, place_a(y + j * (DP + 8) + 8 * d, DP + 8));
			mma_bf16(sum[d], u, w[0], w[1]);
			mma_bf16(sum[d + 1], u, w[2], w[3]);
		}
	}
}

template <int DP> static __device__ __forceinline__ void keep(float *row, const float (&sum)[DP / 16][4], int i, int first, int width, int wide)
{
	const int lane = threadIdx.x % 32;

#pragma unroll
	for (int d = 0; d < DP / 16; d++) {
		const int col = first + 8 * d + lane % 4 * 2;

		if (wide && col < width) {
			*(float2 *)(row + col) = make_float2(sum[d][2 * i], sum[d][2 * i + 1]);
			continue;
		}
		if (col < width)
			row[col] = sum[d][2 * i];
		if (col + 1 < width)
			row[col + 1] = sum[d][2 * i + 1];
	}
}

/* KEYS: x, y are keys and values, which stand still, u, w queries and dout; else the other way round. */
template <int DP, bool KEYS> static __global__ void __launch_bounds__(TILE_THREADS, DP <= 128 ? 2 : 1) back_half(struct attend_back z)
{
	const struct attend &a = z.a;
	const struct tile t = a.tile[blockIdx.x];
	const int lane = threadIdx.x % 32, down = threadIdx.x / 32 % 4 * 16, across = threadIdx.x / 128, g = blockIdx.y;
	DYNAMIC_SHARED(uint16_t, x);
	uint16_t *y = x + ROWS * (DP + 8), *u = y + ROWS * (DP + 8), *w = u + ROWS * (DP + 8), *p = w + ROWS * (DP + 8), *ds = p + (KEYS ? ROWS * PS : 0);
	float *lse2 = (float *)(ds + ROWS * PS), *delta = lse2 + ROWS;
	float sum[DP / 16][4], more[KEYS ? DP / 16 : 1][4], s[4][4], e[4][4];

	if (t.seq < 0)
		return;
	const struct device_seq of = a.b.seq[t.seq];
	const int all = KEYS ? of.n : of.n * a.each, here = min((int)ROWS, all - t.first);
	const int from = KEYS ? t.first * a.each : 0, to = KEYS ? of.n * a.each : (t.first + here - 1) / a.each + 1;

	if (KEYS)
		bring_keys<DP>(x, y, a, of, t.seq, g, t.first, here);
	else
		bring_rows<DP>(x, y, lse2, delta, z, of, g, t.first, here);
#pragma unroll
	for (int d = 0; d < DP / 16; d++)
		for (int i = 0; i < 4; i++)
			sum[d][i] = more[KEYS ? d : 0][i] = 0;
	for (int first = from; first < to; first += ROWS) {
		const int there = min((int)ROWS, to - first);

		__syncthreads();
		if (KEYS)
			bring_rows<DP>(u, w, lse2, delta, z, of, g, first, there);
		else
			bring_keys<DP>(u, w, a, of, t.seq, g, first, there);
		__syncthreads();
		scores_of<DP>(s, x + down * (DP + 8), u + 32 * across * (DP + 8));
		scores_of<DP>(e, y + down * (DP + 8), w + 32 * across * (DP + 8));
#pragma unroll
		for (int j = 0; j < 4; j++)
#pragma unroll
			for (int i = 0; i < 4; i++) {
				const int row = down + lane / 4 + i / 2 * 8, col = 32 * across + 8 * j + lane % 4 * 2 + i % 2, r = KEYS ? col : row;
				const int key = KEYS ? t.first + row : first + col, position = ((KEYS ? first : t.first) + r) / a.each;
				const bool seen = key <= position && row < here && col < there;

				s[j][i] = seen ? exp2f(fmaf(s[j][i], a.scale2, -lse2[r])) : 0;
				e[j][i] = seen ? a.scale * s[j][i] * (e[j][i] - delta[r]) : 0;
			}
#pragma unroll
		for (int j = 0; j < 4; j++)
#pragma unroll
			for (int i = 0; i < 2; i++) {
				const int at = (down + lane / 4 + 8 * i) * PS + 32 * across + 8 * j + lane % 4 * 2;

				if (KEYS)
					*(uint32_t *)(p + at) = to_bf16x2(s[j][2 * i], s[j][2 * i + 1]);
				*(uint32_t *)(ds + at) = to_bf16x2(e[j][2 * i], e[j][2 * i + 1]);
			}
		__syncthreads();
		gather<DP>(sum, ds + down * PS, u + across * (DP / 2));
		if constexpr (KEYS)
			gather<DP>(more, p + down * PS, w + across * (DP / 2));
	}
#pragma unroll
	for (int i = 0; i < 2; i++) {
		const int r = down + lane / 4 + 8 * i, position = (t.first + r) / a.each;

		if (r >= here)
			continue;
		if constexpr (KEYS) {
			const int64_t at = (of.row + t.first + r) * a.k_stride + (int64_t)g * a.dk;

			keep<DP>(z.dk + at, sum, i, across * (DP / 2), a.dk, a.wide);
			keep<DP>(z.dv + at, more, i, across * (DP / 2), a.dk, a.wide);
		} else {
			keep<DP>(z.dq + (of.row + position) * a.q_stride + (int64_t)(g * a.each + t.first + r - position * a.each) * a.dk, sum, i,
				 across * (DP / 2), a.dk, a.wide);
		}
	}
}

template <int DP> static void launch(struct cuda *c, struct attend_back *z, const struct tiles *rows, const struct tiles *keys)
{
	const size_t four = 4 * ROWS * (DP + 8) * sizeof(uint16_t), one = ROWS * PS * sizeof(uint16_t), rest = 2 * ROWS * sizeof(float);
	const unsigned heads = (unsigned)z->a.kv_heads;

	z->a.tile = keys->tile;
	cuda_launch(c, back_half<DP, true>, dim3(keys->count, heads), TILE_THREADS, four + 2 * one + rest, *z);
	z->a.tile = rows->tile;
	cuda_launch(c, back_half<DP, false>, dim3(rows->count, heads), TILE_THREADS, four + one + rest, *z);
}

void attention_back_half(struct cuda *c, struct attend_back *z, const struct tiles *rows, const struct tiles *keys)
{
	switch (div_up(z->a.dk, 64)) {
	case 1: launch<64>(c, z, rows, keys); break;
	case 2: launch<128>(c, z, rows, keys); break;
	case 3: launch<192>(c, z, rows, keys); break;
	case 4: launch<256>(c, z, rows, keys); break;
	default:
		fprintf(stderr, "cuda: the gradient of attention with heads of %d\n", z->a.dk);
		abort();
	}
}
