/* gemm_few.cu - few rows by a matrix that is stored [n,k]: what decoding does, limited by how fast the matrix is read
 *
 * A warp makes COLS columns of C for all M rows. It goes through k in steps of 256: a lane reads 8 numbers that lie side by side of each of its
 * matrix rows (16 bytes, or 32) and of each row of A, which all warps share and the first-level cache has. An element's sum is that of its
 * lanes, each in k's order, in a fixed tree: M and COLS change no bit of it.
 */
#include "cuda.cuh"
#include "device.cuh"
#include "gemm.cuh"

enum { WARPS = 4, STEP = 256 };

template <bool HALF> struct eight;
template <> struct eight<true> {
	uint4 v;
	__device__ __forceinline__ void read(const void *p, int64_t at) { v = __ldg((const uint4 *)((const uint16_t *)p + at)); }
	__device__ __forceinline__ void to(float *x) const
	{
		const uint32_t w[4] = {v.x, v.y, v.z, v.w};

#pragma unroll
		for (int i = 0; i < 4; i++) {
			x[2 * i] = first_of(w[i]);
			x[2 * i + 1] = second_of(w[i]);
		}
	}
};
template <> struct eight<false> {
	float4 v[2];
	__device__ __forceinline__ void read(const void *p, int64_t at)
	{
		v[0] = __ldg((const float4 *)((const float *)p + at));
		v[1] = __ldg((const float4 *)((const float *)p + at) + 1);
	}
	__device__ __forceinline__ void to(float *x) const
	{
		x[0] = v[0].x, x[1] = v[0].y, x[2] = v[0].z, x[3] = v[0].w;
		x[4] = v[1].x, x[5] = v[1].y, x[6] = v[1].z, x[7] = v[1].w;
	}
};

template <bool A_HALF, bool HALF, int M, int COLS> __device__ __forceinline__ void few_step(const struct product &g, const eight<HALF> *b, int64_t k, float (*sum)[COLS])
{
	float w[COLS][8];

#pragma unroll
	for (int j = 0; j < COLS; j++)
		b[j].to(w[j]);
#pragma unroll
	for (int i = 0; i < M; i++) {
		eight<A_HALF> a;
		float x[8];

		a.read(g.a, i * g.lda + k);
		a.to(x);

#pragma unroll
		for (int j = 0; j < COLS; j++)
#pragma unroll
			for (int q = 0; q < 8; q++)
				sum[i][j] = fmaf(x[q], w[j][q], sum[i][j]);
	}
}

template <bool A_HALF, bool HALF, int M, int COLS> static __global__ void __launch_bounds__(WARPS * 32) few_rows(struct product g)
{
	const int lane = threadIdx.x % 32;
	const int64_t col = ((int64_t)blockIdx.x * WARPS + threadIdx.x / 32) * COLS;
	float sum[M][COLS] = {};

	for (int64_t k = lane * 8; k < g.k; k += STEP) {
		eight<HALF> b[COLS];

#pragma unroll
		for (int j = 0; j < COLS; j++)                  /* what is behind the last column is the last again, and not written */
			b[j].read(g.b, (col + j < g.n ? col + j : g.n - 1) * g.ldb + k);
		few_step<A_HALF, HALF, M, COLS>(g, b, k, sum);
	}
#pragma unroll
	for (int i = 0; i < M; i++)
#pragma unroll
		for (int j = 0; j < COLS; j++) {
			const int64_t at = i * g.ldc + col + j;
			float x = warp_sum(sum[i][j]);

			if (lane || col + j >= g.n)
				continue;
			if (g.bias)
				x += g.bias[col + j];
			if (g.plus)
				x += number(g.plus, g.c_half, at);
			put_number(g.c, g.c_half, at, x);
		}
}

template <bool A_HALF, bool HALF, int COLS> static void start_columns(struct cuda *c, const struct product *g)
{
	static void (*const by_rows[FEW + 1])(struct product) = {
		NULL, few_rows<A_HALF, HALF, 1, COLS>, few_rows<A_HALF, HALF, 2, COLS>, few_rows<A_HALF, HALF, 3, COLS>, few_rows<A_HALF, HALF, 4, COLS>,
		few_rows<A_HALF, HALF, 5, COLS>, few_rows<A_HALF, HALF, 6, COLS>, few_rows<A_HALF, HALF, 7, COLS>, few_rows<A_HALF, HALF, 8, COLS>};

	cuda_launch(c, by_rows[g->m], (unsigned)div_up(g->n, WARPS * COLS), WARPS * 32, 0, *g);
}

template <bool A_HALF, bool HALF> static void start(struct cuda *c, const struct product *g)
{
	const int64_t lanes = (int64_t)c->multiprocessors * 16;         /* warps that keep the memory busy */

	if (g->n >= 4 * lanes)
		start_columns<A_HALF, HALF, 4>(c, g);
	else if (g->n >= 2 * lanes)
		start_columns<A_HALF, HALF, 2>(c, g);
	else
		start_columns<A_HALF, HALF, 1>(c, g);
}

bool cuda_gemm_few(struct cuda *c, const struct product *g)
{
	if (g->m > FEW || g->batch > 1 || !g->trans_b || g->trans_a || g->k % 8 || g->lda % (g->a_half ? 8 : 4) || g->ldb % 8)
		return false;
	if (g->a_half && !g->b_half)            /* of adapters alone */
		return false;
	if (((uintptr_t)g->a | (uintptr_t)g->b) % 16)
		return false;
	if (g->a_half)
		start<true, true>(c, g);
	else if (g->b_half)
		start<false, true>(c, g);
	else
		start<false, false>(c, g);
	return true;
}
