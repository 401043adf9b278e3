/* logprob.cuh - the sums of a row's softmax, in one reading of the logits
 *
 * x = logits * by, z = x - max. z is cut at -200, where exp is 0, so that a logit of minus infinity adds nothing and no NaN. A row is cut into at most
 * ROW_PIECES pieces, by its length alone, and a piece is a warp's: so what samples and what trains come to the same bits, by one block or by several.
 */
#ifndef TENSOR_CUDA_LOGPROB_CUH
#define TENSOR_CUDA_LOGPROB_CUH

#include "device.cuh"

#define ROW_THREADS 512                 /* at most */
#define ROW_LOADS 8                     /* of a thread at once: where rows are few, a block waits for its own alone */
#define ROW_PIECES 64                   /* two to a lane of the warp that puts them together */

static inline unsigned row_threads(int64_t n)
{
	return n < 2048 ? 64 : ROW_THREADS;
}

/* Logits of a piece of a row of n, but for the last: some more of 128 */
static __host__ __device__ __forceinline__ int64_t piece_length(int64_t n)
{
	return (n + ROW_PIECES * 128 - 1) / (ROW_PIECES * 128) * 128;
}
static __host__ __device__ __forceinline__ int pieces_of(int64_t n)
{
	return (int)((n + piece_length(n) - 1) / piece_length(n));
}

struct softmax_sums {
	float max, sum, dot;            /* sum of exp z; sum of z exp z */
};

static __device__ __forceinline__ float centred(float logit, float by, float max)
{
	return fmaxf(-200, logit * by - max);
}

/* Sums from different maxima to one: z + (old - new), exp(z) exp(old - new) */
static __device__ __forceinline__ void raise(struct softmax_sums *s, float max)
{
	if (s->max < max) {
		const float by = s->max > -INFINITY ? s->max - max : 0, shrink = s->max > -INFINITY ? expf(by) : 0;

		s->dot = shrink * fmaf(s->sum, by, s->dot);
		s->sum *= shrink;
		s->max = max;
	}
}

static __device__ __forceinline__ void merge(struct softmax_sums *s, struct softmax_sums other)
{
	raise(s, other.max);
	raise(&other, s->max);
	s->sum += other.sum;
	s->dot += other.dot;
}

/* Of a warp, in all lanes. A lane and its partner add the same two numbers, in either order: so all come to the same bits. */
static __device__ __forceinline__ void merge_lanes(struct softmax_sums *s)
{
	for (int step = 16; step; step /= 2) {
		struct softmax_sums other;

		other.max = __shfl_xor_sync(ALL_LANES, s->max, step);
		other.sum = __shfl_xor_sync(ALL_LANES, s->sum, step);
		other.dot = __shfl_xor_sync(ALL_LANES, s->dot, step);
		merge(s, other);
	}
}

/* Of n logits, by a warp */
template <int V> static __device__ struct softmax_sums piece_sums(const float *x, float by, int64_t n)
{
	struct softmax_sums s = {-INFINITY, 0, 0};

	for (int64_t i = threadIdx.x % 32 * V; i < n; i += 32 * V * ROW_LOADS) {
		vec<V> v[ROW_LOADS];

#pragma unroll
		for (int u = 0; u < ROW_LOADS; u++)
			if (i + u * 32 * V < n)
				v[u] = load<V>(x + i + u * 32 * V);
#pragma unroll
		for (int u = 0; u < ROW_LOADS && i + u * 32 * V < n; u++) {
			float top = v[u].x[0] * by;

			for (int j = 1; j < V; j++)
				top = fmaxf(top, v[u].x[j] * by);
			raise(&s, top);
			for (int j = 0; j < V && s.max > -INFINITY; j++) {
				const float z = centred(v[u].x[j], by, s.max), e = expf(z);

				s.sum += e;
				s.dot = fmaf(e, z, s.dot);
			}
		}
	}
	merge_lanes(&s);
	return s;
}

/* The row's sums from those of its pieces, by each warp that asks */
static __device__ struct softmax_sums sums_of_pieces(const struct softmax_sums *piece, int pieces)
{
	const struct softmax_sums none = {-INFINITY, 0, 0};
	const int lane = threadIdx.x % 32;
	struct softmax_sums s = lane < pieces ? piece[lane] : none;

	if (lane + 32 < pieces)
		merge(&s, piece[lane + 32]);
	merge_lanes(&s);
	return s;
}

/* By a block, in all threads; room: [ROW_PIECES], for it alone */
template <int V> static __device__ struct softmax_sums row_sums(const float *x, float by, int64_t n, struct softmax_sums *room)
{
	const int64_t length = piece_length(n);
	const int pieces = pieces_of(n);

	for (int p = threadIdx.x / 32; p < pieces; p += blockDim.x / 32) {
		const struct softmax_sums s = piece_sums<V>(x + p * length, by, min(length, n - p * length));

		if (threadIdx.x % 32 == 0)
			room[p] = s;
	}
	__syncthreads();
	return sums_of_pieces(room, pieces);
}

static __device__ __forceinline__ float logprob_of(float logit, float by, const struct softmax_sums &s)
{
	return (float)((double)(logit * by - s.max) - log((double)s.sum));
}

#endif
