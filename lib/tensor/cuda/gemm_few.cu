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
			x[2 * i] = __uint_as_float(w[i] << 16);
			x[2 * i + 1] = __uint_as_float(w[i] & 0xffff0000);
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

template <bool HALF, int M, int COLS> __device__ __forceinline__ void few_step(const struct product &g, const eight<HALF> *b, int64_t k, float (*sum)[COLS])
{
	float w[COLS][8];

#pragma unroll
	for (int j = 0; j < COLS; j++)
		b[j].to(w[j]);
#pragma unroll
	for (int i = 0; i < M; i++) {
		const float *a = (const float *)g.a + i * g.lda + k;
		const float4 lower = __ldg((const float4 *)a), upper = __ldg((const float4 *)a + 1);
		const float x[8] = {lower.x, lower.y, lower.z, lower.w, upper.x, upper.y, upper.z, upper.w};

#pragma unroll
		for (int j = 0; j < COLS; j++)
#pragma unroll
			for (int q = 0; q < 8; q++)
				sum[i][j] = fmaf(x[q], w[j][q], sum[i][j]);
	}
}

template <bool HALF, int M, int COLS> static __global__ void __launch_bounds__(WARPS * 32) few_rows(struct product g)
{
	const int lane = threadIdx.x % 32;
	const int64_t col = ((int64_t)blockIdx.x * WARPS + threadIdx.x / 32) * COLS;
	float sum[M][COLS] = {};

	for (int64_t k = lane * 8; k < g.k; k += STEP) {
		eight<HALF> b[COLS];

#pragma unroll
		for (int j = 0; j < COLS; j++)                  /* what is behind the last column is the last again, and not written */
			b[j].read(g.b, (col + j < g.n ? col + j : g.n - 1) * g.ldb + k);
		few_step<HALF, M, COLS>(g, b, k, sum);
	}
#pragma unroll
	for (int i = 0; i < M; i++)
#pragma unroll
		for (int j = 0; j < COLS; j++) {
			float x = warp_sum(sum[i][j]), *c = g.c + i * g.ldc + col + j;

			if (lane || col + j >= g.n)
				continue;
			if (g.bias)
				x += g.bias[col + j];
			*c = g.accumulate ? *c + x : x;
		}
}

template <bool HALF, int COLS> static void start(struct cuda *c, const struct product *g)
{
	static void (*const by_rows[FEW + 1])(struct product) = {
		NULL, few_rows<HALF, 1, COLS>, few_rows<HALF, 2, COLS>, few_rows<HALF, 3, COLS>, few_rows<HALF, 4, COLS>, few_rows<HALF, 5, COLS>,
		few_rows<HALF, 6, COLS>, few_rows<HALF, 7, COLS>, few_rows<HALF, 8, COLS>};

	cuda_launch(c, by_rows[g->m], (unsigned)div_up(g->n, WARPS * COLS), WARPS * 32, 0, *g);
}

bool cuda_gemm_few(struct cuda *c, const struct product *g)
{
	const int64_t lanes = (int64_t)c->multiprocessors * 16;         /* warps that keep the memory busy */

	if (g->m > FEW || g->batch > 1 || !g->trans_b || g->trans_a || g->k % 8 || g->lda % 4 || g->ldb % 8)
		return false;
	if (((uintptr_t)g->a | (uintptr_t)g->b) % 16)
		return false;
	if (g->n >= 4 * lanes)
		g->half ? start<true, 4>(c, g) : start<false, 4>(c, g);
	else if (g->n >= 2 * lanes)
		g->half ? start<true, 2>(c, g) : start<false, 2>(c, g);
	else
		g->half ? start<true, 1>(c, g) : start<false, 1>(c, g);
	return true;
}
