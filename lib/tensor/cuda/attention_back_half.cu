/* attention_back_half.cu - the gradient of attention by the tensor cores, operands of bfloat16, sums in float32
 *
 * As in float32 there are tiles of keys, for dk and dv, and tiles of rows, for dq; they differ in which side stands still, so one kernel has both.
 * A warp has 16 of the R rows (or keys) that stand still, and makes their scores with all R of the other side: what mma gives of p and ds is,
 * rounded, what it takes for the sums, so that they never leave registers. At D = 128: 70 KB of shared memory, and two blocks to a multiprocessor,
 * of which one loads while the other computes. Wider heads have twice the warps, two for the same rows, each with one half of the sums' columns; and
 * R = 32 where a block may not have the 132 KB that 64 rows of 256 take.
 */
#include "attention_tile.cuh"

/* A tile of rows (queries and their gradients) or of keys (and values) of a sequence */
template <int DP, int R> static __device__ __forceinline__ void bring_rows(uint16_t *q, uint16_t *dout, float *lse2, float *delta, const struct attend_back &z,
								   const struct device_seq &of, int g, int first, int rows)
{
	const struct attend &a = z.a;

	bring<DP>(q, R, rows, a.dk, a.wide, [&](int r) { return query_of<uint16_t>(a, of, g, first + r); });
	bring<DP>(dout, R, rows, a.dk, a.wide, [&](int r) { return (const uint16_t *)z.dout + row_of(a, of, g, first + r) * a.dk; });
	if (threadIdx.x < R) {
		const int64_t at = row_of(a, of, g, first + min((int)threadIdx.x, rows - 1));

		lse2[threadIdx.x] = a.lse[at] * LOG2E;
		delta[threadIdx.x] = z.delta[at];
	}
}
template <int DP, int R> static __device__ __forceinline__ void bring_keys(uint16_t *k, uint16_t *v, const struct attend &a, const struct device_seq &of, int seq, int g, int first,
								   int keys)
{
	bring<DP>(k, R, keys, a.dk, a.wide, [&](int j) { return key_of<uint16_t>(a, of, seq, g, a.k, a.dk, first + j); });
	bring<DP>(v, R, keys, a.dk, a.wide, [&](int j) { return key_of<uint16_t>(a, of, seq, g, a.v, a.dk, first + j); });
}

/* s = 16 rows of x times R rows of y, turned */
template <int DP, int R> static __device__ __forceinline__ void scores_of(float (&s)[R / 8][4], const uint16_t *x, const uint16_t *y)
{
#pragma unroll
	for (int j = 0; j < R / 8; j++)
		s[j][0] = s[j][1] = s[j][2] = s[j][3] = 0;
#pragma unroll 2                        /* no further: addresses made in advance would spill */
	for (int d = 0; d < DP; d += 16) {
		uint32_t u[4], w[4];

		load_matrices(u, place_a(x + d, DP + 8));
#pragma unroll
		for (int j = 0; j < R / 8; j += 2) {
			load_matrices(w, place_b(y + 8 * j * (DP + 8) + d, DP + 8));
			mma_bf16(s[j], u, w[0], w[1]);
			mma_bf16(s[j + 1], u, w[2], w[3]);
		}
	}
}

/* sum += 16 rows of p, R wide, times 8 COLS columns of y */
template <int R, int DP, int COLS> static __device__ __forceinline__ void gather(float (&sum)[COLS][4], const float (&p)[R / 8][4], const uint16_t *y)
{
#pragma unroll
	for (int j = 0; j < R / 16; j++) {
		uint32_t u[4], w[4];

		as_first(u, p[2 * j], p[2 * j + 1]);
#pragma unroll
		for (int d = 0; d < COLS; d += 2) {
			load_matrices_turned(w, place_a(y + 16 * j * (DP + 8) + 8 * d, DP + 8));
			mma_bf16(sum[d], u, w[0], w[1]);
			mma_bf16(sum[d + 1], u, w[2], w[3]);
		}
	}
}

/* The scores s = q.k and e = dout.v of 16 rows (or keys) from `still` on and R keys (or rows) from `first` on become p and ds / scale. What is not to
 * be seen is 0; `whole`: all of it is to be. lse2, delta: of the first row of the side that rows are on. */
template <int R, bool KEYS> static __device__ __forceinline__ void gradient_of(float (&s)[R / 8][4], float (&e)[R / 8][4], const float *lse2, const float *delta, int each,
									float scale2, bool whole, int still, int first, int here, int there)
{
	const int lane = threadIdx.x % 32;

#pragma unroll
	for (int j = 0; j < R / 8; j++)
#pragma unroll
		for (int i = 0; i < 4; i++) {
			const int mine = lane / 4 + i / 2 * 8, other = 8 * j + lane % 4 * 2 + i % 2, r = KEYS ? other : mine;
			const float p = power2(fmaf(s[j][i], scale2, -lse2[r]));
			const bool seen = whole || (mine < here && other < there && (KEYS ? (still + mine) * each <= first + other : (first + other) * each <= still + mine));

			s[j][i] = seen ? p : 0;
			e[j][i] = seen ? p * (e[j][i] - delta[r]) : 0;
		}
}

/* KEYS: x, y are keys and values, which stand still, u, w queries and dout; else the other way round. */
template <int R, int DP, int SPLIT, bool KEYS> static __global__ void __launch_bounds__(2 * R * SPLIT, SPLIT == 1 ? 2 : 1) back_half(struct attend_back z)
{
	enum { COLS = DP / 8 / SPLIT };         /* of the sums, in eights */
	const struct attend &a = z.a;
	const struct tile t = a.tile[blockIdx.x];
	const int lane = threadIdx.x % 32, down = threadIdx.x / 32 % (R / 16) * 16, across = threadIdx.x / (2 * R) * 8 * COLS, g = blockIdx.y;
	DYNAMIC_SHARED(uint16_t, x);
	uint16_t *y = x + R * (DP + 8), *u = y + R * (DP + 8), *w = u + R * (DP + 8);
	float *lse2 = (float *)(w + R * (DP + 8)), *delta = lse2 + R;
	float sum[COLS][4], more[KEYS ? COLS : 1][4], s[R / 8][4], e[R / 8][4];

	if (t.seq < 0)
		return;
	const struct device_seq of = a.b.seq[t.seq];
	const int all = KEYS ? of.n : of.n * a.each, here = min((int)R, all - t.first);
	const int from = KEYS ? t.first * a.each : 0, to = KEYS ? of.n * a.each : (t.first + here - 1) / a.each + 1;

	if (KEYS)
		bring_keys<DP, R>(x, y, a, of, t.seq, g, t.first, here);
	else
		bring_rows<DP, R>(x, y, lse2, delta, z, of, g, t.first, here);
#pragma unroll
	for (int d = 0; d < COLS; d++)
		for (int i = 0; i < 4; i++)
			sum[d][i] = more[KEYS ? d : 0][i] = 0;
	for (int first = from; first < to; first += R) {
		const int there = min((int)R, to - first);
		const bool whole = here == R && there == R &&
				   (KEYS ? (t.first + R - 1) * a.each <= first : (first + R - 1) * a.each <= t.first);

		__syncthreads();
		if (KEYS)
			bring_rows<DP, R>(u, w, lse2, delta, z, of, g, first, there);
		else
			bring_keys<DP, R>(u, w, a, of, t.seq, g, first, there);
		copies_arrived();
		__syncthreads();
		scores_of<DP, R>(s, x + down * (DP + 8), u);
		scores_of<DP, R>(e, y + down * (DP + 8), w);
		gradient_of<R, KEYS>(s, e, KEYS ? lse2 : lse2 + down, KEYS ? delta : delta + down, a.each, a.scale2, whole, t.first + down, first, here - down, there);
		gather<R, DP, COLS>(sum, e, u + across);
		if constexpr (KEYS)
			gather<R, DP, COLS>(more, s, w + across);
	}
#pragma unroll
	for (int i = 0; i < 2; i++) {
		const int r = down + lane / 4 + 8 * i, position = (t.first + r) / a.each;

		if (r >= here)
			continue;
		if constexpr (KEYS) {
			const int64_t at = (of.row + t.first + r) * a.k_stride + (int64_t)g * a.dk;

			keep<COLS>((uint16_t *)z.dk + at, sum, i, across, a.scale, a.dk, a.wide);
			keep<COLS>((uint16_t *)z.dv + at, more, i, across, 1, a.dk, a.wide);
		} else {
			keep<COLS>((uint16_t *)z.dq + (of.row + position) * a.q_stride + (int64_t)(g * a.each + t.first + r - position * a.each) * a.dk, sum, i, across,
				   a.scale, a.dk, a.wide);
		}
	}
}

static size_t shared_of(int64_t rows, int64_t dim)
{
	return (size_t)rows * (4 * (size_t)(dim + 8) * sizeof(uint16_t) + 2 * sizeof(float));
}

int64_t attention_back_half_rows(struct cuda *c, int64_t dim)
{
	return dim <= 128 || shared_of(64, div_up(dim, 64) * 64) <= c->shared_most ? 64 : 32;
}

template <int R, int DP, int SPLIT> static void launch(struct cuda *c, struct attend_back *z, const struct tiles *rows, const struct tiles *keys)
{
	const size_t shared = shared_of(R, DP);
	const unsigned heads = (unsigned)z->a.kv_heads;

	z->a.tile = keys->tile;
	cuda_launch(c, back_half<R, DP, SPLIT, true>, dim3(keys->count, heads), 2 * R * SPLIT, shared, *z);
	z->a.tile = rows->tile;
	cuda_launch(c, back_half<R, DP, SPLIT, false>, dim3(rows->count, heads), 2 * R * SPLIT, shared, *z);
}

void attention_back_half(struct cuda *c, struct attend_back *z, const struct tiles *rows, const struct tiles *keys)
{
	const bool small = attention_back_half_rows(c, z->a.dk) == 32;

	switch (div_up(z->a.dk, 64)) {
	case 1: launch<64, 64, 1>(c, z, rows, keys); break;
	case 2: launch<64, 128, 1>(c, z, rows, keys); break;
	case 3: small ? launch<32, 192, 2>(c, z, rows, keys) : launch<64, 192, 2>(c, z, rows, keys); break;
	case 4: small ? launch<32, 256, 2>(c, z, rows, keys) : launch<64, 256, 2>(c, z, rows, keys); break;
	default:
		cuda_fail("cuda: the gradient of attention with heads of %d", z->a.dk);
	}
}
