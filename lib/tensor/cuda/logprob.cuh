/* logprob.cuh - a row of logits by a block: the sums of its softmax, in one reading
 *
 * x = logits * by, z = x - max. z is cut at -200, where exp is 0, so that a logit of minus infinity adds nothing and no NaN.
 */
#ifndef TENSOR_CUDA_LOGPROB_CUH
#define TENSOR_CUDA_LOGPROB_CUH

#include "device.cuh"

#define ROW_THREADS 512                 /* at most */
#define ROW_LOADS 8                     /* of a thread at once: where rows are few, a block waits for its own alone */

/* Of the length alone: what samples and what trains add up in the same order. */
static inline unsigned row_threads(int64_t n)
{
	return n < 2048 ? 64 : ROW_THREADS;
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

/* In all threads. A lane and its partner add the same two numbers, in either order: so all come to the same bits. */
template <int V> static __device__ struct softmax_sums row_sums(const float *x, float by, int64_t n, struct softmax_sums *room)
{
	struct softmax_sums s = {-INFINITY, 0, 0};

	for (int64_t i = (int64_t)threadIdx.x * V; i < n; i += (int64_t)blockDim.x * V * ROW_LOADS) {
		vec<V> v[ROW_LOADS];

#pragma unroll
		for (int u = 0; u < ROW_LOADS; u++)
			if (i + u * (int64_t)blockDim.x * V < n)
				v[u] = load<V>(x + i + u * (int64_t)blockDim.x * V);
#pragma unroll
		for (int u = 0; u < ROW_LOADS && i + u * (int64_t)blockDim.x * V < n; u++) {
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
	for (int step = 16; step; step /= 2) {
		struct softmax_sums other;

		other.max = __shfl_xor_sync(ALL_LANES, s.max, step);
		other.sum = __shfl_xor_sync(ALL_LANES, s.sum, step);
		other.dot = __shfl_xor_sync(ALL_LANES, s.dot, step);
		merge(&s, other);
	}
	__syncthreads();
	if (threadIdx.x % 32 == 0)
		room[threadIdx.x / 32] = s;
	__syncthreads();
	s = room[0];
	for (int i = 1; i < (int)blockDim.x / 32; i++)
		merge(&s, room[i]);
	return s;
}

static __device__ __forceinline__ float logprob_of(float logit, float by, const struct softmax_sums &s)
{
	return (float)((double)(logit * by - s.max) - log((double)s.sum));
}

#endif
