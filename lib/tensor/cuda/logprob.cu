/* logprob.cu - log-probabilities of tokens and their gradient: a block for each row of logits */
#include "cuda.cuh"
#include "logprob.cuh"

struct logprobs {
	const float *logits;
	float *grad;
	const int32_t *target;
	float *logprob, *entropy;
	const float *dlogprob, *dentropy;
	int64_t vocab;
	float by;
	int32_t unused;
};

template <int V> static __global__ void __launch_bounds__(ROW_THREADS) logprob_rows(struct logprobs a)
{
	__shared__ struct softmax_sums room[ROW_PIECES];
	const int64_t row = blockIdx.x;
	const float *x = a.logits + row * a.vocab;
	const struct softmax_sums s = row_sums<V>(x, a.by, a.vocab, room);

	if (threadIdx.x)
		return;
	a.logprob[row] = logprob_of(x[a.target[row]], a.by, s);
	if (a.entropy)
		a.entropy[row] = (float)(log((double)s.sum) - (double)s.dot / (double)s.sum);
}

/* by * (dlogprob (onehot - p) - dentropy p (log p + entropy)), where log p + entropy = z - dot / sum. As bfloat16 it goes to the first half of the row,
 * whose numbers all have been read when others are written in their place. */
template <int V, class T> static __global__ void __launch_bounds__(ROW_THREADS) logprob_back_rows(struct logprobs a)
{
	__shared__ struct softmax_sums room[ROW_PIECES];
	const int64_t row = blockIdx.x;
	float *x = a.grad + row * a.vocab;
	const struct softmax_sums s = row_sums<V>(x, a.by, a.vocab, room);
	const float scale = 1 / s.sum, mean = s.dot / s.sum, one = -a.by * a.dlogprob[row], ent = a.dentropy ? -a.by * a.dentropy[row] : 0;
	const int64_t target = a.target[row];

	for (int64_t first = 0; first < a.vocab; first += (int64_t)blockDim.x * V) {
		const int64_t i = first + (int64_t)threadIdx.x * V;
		vec<V> v = {};

		if (i < a.vocab)
			v = load<V>(x + i);
		for (int j = 0; j < V; j++) {
			const float z = centred(v.x[j], a.by, s.max);

			v.x[j] = expf(z) * scale * fmaf(ent, z - mean, one);
			if (i + j == target)
				v.x[j] -= one;
		}
		if (sizeof(T) < sizeof *x)
			__syncthreads();
		if (i < a.vocab)
			store((T *)x + i, v);
	}
}

static bool fours(const float *logits, int64_t vocab)
{
	return vocab % 4 == 0 && (uintptr_t)logits % 16 == 0;
}

static void op_logprob(struct backend *be, const float *logits, const int32_t *target, float inv_temperature, float *logprob, float *entropy, int64_t rows,
		       int64_t vocab)
{
	const struct logprobs a = {logits, NULL, target, logprob, entropy, NULL, NULL, vocab, inv_temperature, 0};

	cuda_launch(cuda_of(be), fours(logits, vocab) ? logprob_rows<4> : logprob_rows<1>, (unsigned)rows, row_threads(vocab), 0, a);
}

static void op_logprob_back(struct backend *be, float *logits, const int32_t *target, float inv_temperature, const float *dlogprob, const float *dentropy,
			    int64_t rows, int64_t vocab, bool half)
{
	const struct logprobs a = {NULL, logits, target, NULL, NULL, dlogprob, dentropy, vocab, inv_temperature, 0};
	void (*const one)(struct logprobs) = half ? logprob_back_rows<1, uint16_t> : logprob_back_rows<1, float>;
	void (*const four)(struct logprobs) = half ? logprob_back_rows<4, uint16_t> : logprob_back_rows<4, float>;

	cuda_launch(cuda_of(be), fours(logits, vocab) ? four : one, (unsigned)rows, row_threads(vocab), 0, a);
}

void cuda_logprob_ops(struct backend *be)
{
	be->logprob = op_logprob;
	be->logprob_back = op_logprob_back;
}
