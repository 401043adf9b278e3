/* attention_tile.cuh - what the kernels of tiled attention share: where rows and keys are, and products of tiles in shared memory by float32; tiles of
 * bfloat16 for the tensor cores
 *
 * A block of the float32 kernels has 16 x 16 threads. Thread (ty, tx) has rows ty + 16 i of a tile of M = 16 RT rows and, of scores, columns
 * tx + 16 j; of sums over the width, columns 4 tx + 64 c and the three after it. Rows in shared memory are an odd number of 16-byte units long:
 * eight threads that read 16 bytes of eight rows one below the other then meet no bank twice.
 */
#ifndef TENSOR_CUDA_ATTENTION_TILE_CUH
#define TENSOR_CUDA_ATTENTION_TILE_CUH

#include "attention.cuh"
#include "device.cuh"
#include "mma.cuh"

enum { TILE_THREADS = 256 };
#define LN2 0.693147180559945309f
#define LOG2E 1.44269504088896341f

/* Row r of a sequence, counted as attention.cuh says, in the batch: its number among the [N][H] */
static __device__ __forceinline__ int64_t row_of(const struct attend &a, const struct device_seq &s, int g, int r)
{
	const int position = r / a.each;

	return (int64_t)(s.row + position) * a.heads + g * a.each + (r - position * a.each);
}

template <class T = float> static __device__ __forceinline__ const T *query_of(const struct attend &a, const struct device_seq &s, int g, int r)
{
	const int position = r / a.each;

	return (const T *)a.q + (s.row + position) * a.q_stride + (int64_t)(g * a.each + (r - position * a.each)) * a.dk;
}

/* Position p's key (x = a.k, width = a.dk) or value (a.v, a.dv), of numbers of type T */
template <class T = float> static __device__ __forceinline__ const T *key_of(const struct attend &a, const struct device_seq &s, int seq, int g, const void *of, int width, int p)
{
	const T *x = (const T *)of;

	if (!a.b.page)
		return x + (s.row + p) * a.k_stride + (int64_t)g * width;
	return x + (((int64_t)a.b.page[seq * a.b.pages + p / KV_PAGE] * a.kv_heads + g) * KV_PAGE + p % KV_PAGE) * width;
}

/* The tables of a batch came with copies: a kernel that may begin early may read them before it waits, past the first-level cache. */
static __device__ __forceinline__ struct device_seq fresh_seq(const struct batch &b, int seq)
{
	const int4 s = __ldcg((const int4 *)(b.seq + seq));

	return {s.x, s.y, s.z, s.w};
}

/* Where a row's key and value go to, of head 0; those of the next head are KV_PAGE dim numbers further on. */
static __device__ __forceinline__ int64_t page_place(const struct write_pages &w, int row)
{
	const int seq = __ldcg(w.b.of_row + row);
	const struct device_seq s = fresh_seq(w.b, seq);
	const int p = s.past + row - s.row;

	return ((int64_t)__ldcg(w.b.page + seq * w.b.pages + p / KV_PAGE) * w.kv_heads * KV_PAGE + p % KV_PAGE) * w.dim;
}

/* Floats d .. d+3 of a row that has `width`; those behind its end are 0. */
static __device__ __forceinline__ float4 load4(const float *p, int d, int width, int wide)
{
	if (wide)
		return d < width ? *(const float4 *)(p + d) : make_float4(0, 0, 0, 0);
	return make_float4(d < width ? p[d] : 0, d + 1 < width ? p[d + 1] : 0, d + 2 < width ? p[d + 2] : 0, d + 3 < width ? p[d + 3] : 0);
}

static __device__ __forceinline__ float4 load4(const uint16_t *p, int d, int width, int wide)
{
	if (wide) {
		const vec<4> x = d < width ? load<4>(p + d) : vec<4>{};

		return make_float4(x.x[0], x.x[1], x.x[2], x.x[3]);
	}
	return make_float4(d < width ? from_bf16(p[d]) : 0, d + 1 < width ? from_bf16(p[d + 1]) : 0, d + 2 < width ? from_bf16(p[d + 2]) : 0,
			   d + 3 < width ? from_bf16(p[d + 3]) : 0);
}

static __device__ __forceinline__ void store4(float *p, int d, int width, int wide, const float (&x)[4])
{
	if (wide) {
		if (d < width)
			*(float4 *)(p + d) = make_float4(x[0], x[1], x[2], x[3]);
		return;
	}
#pragma unroll
	for (int i = 0; i < 4; i++)
		if (d + i < width)
			p[d + i] = x[i];
}

static __device__ __forceinline__ void store4(uint16_t *p, int d, int width, int wide, const float (&x)[4])
{
	if (wide) {
		if (d < width)
			store(p + d, vec<4>{{x[0], x[1], x[2], x[3]}});
		return;
	}
#pragma unroll
	for (int i = 0; i < 4; i++)
		if (d + i < width)
			p[d + i] = to_bf16(x[i]);
}

/* A tile of `all` rows of n4 x 4 floats, from at(row) for the first `rows`, zeros behind them */
template <class At> static __device__ __forceinline__ void tile_load(float *to, int stride, int all, int n4, int rows, int width, int wide, At at)
{
	for (int i = threadIdx.x; i < all * n4; i += TILE_THREADS) {
		const int row = i / n4, d = (i - row * n4) * 4;

		*(float4 *)(to + row * stride + d) = row < rows ? load4(at(row), d, width, wide) : make_float4(0, 0, 0, 0);
	}
}

/* s = x y^T, over n4 x 4 columns of both */
template <int RT> static __device__ __forceinline__ void tile_scores(float (&s)[RT][RT], const float *x, const float *y, int stride, int n4)
{
	const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;

#pragma unroll
	for (int i = 0; i < RT; i++)
#pragma unroll
		for (int j = 0; j < RT; j++)
			s[i][j] = 0;
	x += ty * stride;
	y += tx * stride;
#pragma unroll 2
	for (int d = 0; d < n4; d++) {
		float4 u[RT], w[RT];

#pragma unroll
		for (int i = 0; i < RT; i++) {
			u[i] = *(const float4 *)(x + 16 * i * stride + 4 * d);
			w[i] = *(const float4 *)(y + 16 * i * stride + 4 * d);
		}
#pragma unroll
		for (int i = 0; i < RT; i++)
#pragma unroll
			for (int j = 0; j < RT; j++)
				s[i][j] = fmaf(u[i].w, w[j].w, fmaf(u[i].z, w[j].z, fmaf(u[i].y, w[j].y, fmaf(u[i].x, w[j].x, s[i][j]))));
	}
}

/* sum += p x: p [M][M], row stride p_stride, x [M][NC * 64] */
template <int RT, int NC> static __device__ __forceinline__ void tile_gather(float (&sum)[RT][NC][4], const float *p, int p_stride, const float *x, int stride)
{
	p += threadIdx.x / 16 * p_stride;
	x += threadIdx.x % 16 * 4;
#pragma unroll 1
	for (int j = 0; j < 16 * RT; j += 4) {
		float w[RT][4];

#pragma unroll
		for (int i = 0; i < RT; i++)
			*(vec<4> *)w[i] = load<4>(p + 16 * i * p_stride + j);
#pragma unroll
		for (int k = 0; k < 4; k++)
#pragma unroll
			for (int c = 0; c < NC; c++) {
				const vec<4> y = load<4>(x + (j + k) * stride + 64 * c);

#pragma unroll
				for (int i = 0; i < RT; i++)
#pragma unroll
					for (int e = 0; e < 4; e++)
						sum[i][c][e] = fmaf(w[i][k], y.x[e], sum[i][c][e]);
			}
	}
}

/* Over the 16 threads that share a row */
static __device__ __forceinline__ float row_max(float x)
{
	for (int by = 8; by; by /= 2)
		x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, by));
	return x;
}
static __device__ __forceinline__ float row_sum(float x)
{
	for (int by = 8; by; by /= 2)
		x += __shfl_xor_sync(ALL_LANES, x, by);
	return x;
}

/* ---- of bfloat16: rows of DP numbers and 8 more (mma.cuh) ---- */

/* `all` rows from at(row), width numbers each, for the first `rows`, zeros behind both; all threads together. They are there after copies_arrived and
 * a barrier. */
template <int DP, class At> static __device__ __forceinline__ void bring(uint16_t *to, int all, int rows, int width, int wide, At at)
{
	for (int i = threadIdx.x; i < all * (DP / 8); i += blockDim.x) {
		const int r = i / (DP / 8), d = i % (DP / 8) * 8;
		const bool there = r < rows && d < width;
		const uint16_t *from = at(r < rows ? r : 0);
		uint16_t *x = to + r * (DP + 8) + d;

		if (wide)
			copy_async(x, from + (there ? d : 0), there);
		else
			for (int j = 0; j < 8; j++)
				x[j] = there && d + j < width ? from[d + j] : 0;
	}
}

/* Row i (0, 1) of a thread's sums, by `by`, from column `first` of a row of `width` numbers on */
template <int COLS> static __device__ __forceinline__ void keep(uint16_t *row, const float (&sum)[COLS][4], int i, int first, float by, int width, int wide)
{
	const int lane = threadIdx.x % 32;

#pragma unroll
	for (int d = 0; d < COLS; d++) {
		const int col = first + 8 * d + lane % 4 * 2;
		const uint32_t x = to_bf16x2(sum[d][2 * i] * by, sum[d][2 * i + 1] * by);

		if (wide && col < width) {
			*(uint32_t *)(row + col) = x;
			continue;
		}
		if (col < width)
			row[col] = (uint16_t)x;
		if (col + 1 < width)
			row[col + 1] = (uint16_t)(x >> 16);
	}
}

/* The stride of rows in shared memory that are read as n4 x 4 and as NC x 64 columns */
static inline int tile_width4(int width, int nc)
{
	return (int)div_up(MAX(width, 64 * nc), 4);
}
static __host__ __device__ __forceinline__ int tile_stride(int width4)
{
	return (width4 | 1) * 4;
}

#endif
