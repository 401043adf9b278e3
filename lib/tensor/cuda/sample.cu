/* sample.cu - drawing tokens: a block for each row of logits, of which an id and a logprob come back
 *
 * The definition is that of cpu/sample.c. The weights, exp(z), are made again in each reading of the row. How much weight lies above a cut is
 * counted in fixed point, 2^-44 being the unit: whole numbers can be added in any order. The walk along the ids to the token that
 * the uniform number falls on is in double: over chunks first, then within one.
 */
#include "cuda.cuh"
#include "logprob.cuh"

enum { BUCKETS = 1024, CHUNKS = 256, LEAST_CHUNK = 1024, WARPS = ROW_THREADS / 32 };
#define UNIT 17592186044416.0           /* 2^44 */

struct draws {
	const float *logits;
	const struct sampling *how;
	int32_t *id;
	float *logprob;
	int64_t rows, vocab;
};

struct row {
	const float *x;
	int64_t n;
	float by, max;
	__device__ __forceinline__ float of(float logit) const { return expf(centred(logit, by, max)); }
	/* f(weight) of all tokens, by the whole block */
	template <class F> __device__ __forceinline__ void each(F f) const
	{
		for (int64_t i = threadIdx.x; i < n; i += (int64_t)blockDim.x * ROW_LOADS) {
			float logit[ROW_LOADS];

#pragma unroll
			for (int u = 0; u < ROW_LOADS; u++)
				logit[u] = i + u * (int64_t)blockDim.x < n ? x[i + u * (int64_t)blockDim.x] : 0;
#pragma unroll
			for (int u = 0; u < ROW_LOADS; u++)
				if (i + u * (int64_t)blockDim.x < n)
					f(of(logit[u]));
		}
	}
	/* The logits of a warp's next ROW_LOADS steps, a lane's own of each; those behind `end` are whatever */
	__device__ __forceinline__ void ahead(float *logit, int64_t from, int64_t end) const
	{
#pragma unroll
		for (int u = 0; u < ROW_LOADS; u++)
			logit[u] = from + 32 * u + threadIdx.x % 32 < end ? x[from + 32 * u + threadIdx.x % 32] : 0;
	}
};

/* A beginning of the tokens ordered by falling weight and rising id: all above that of `bits`, and the first `ties` of those that have it */
struct cut {
	uint32_t bits;
	long long ties;
	unsigned long long mass;        /* of what is kept, in units */
};

struct room {
	struct softmax_sums sums[32];
	unsigned long long mass[BUCKETS];
	unsigned number[BUCKETS];
	double chunk[CHUNKS];
	unsigned ties[CHUNKS], ties_before[CHUNKS];
	struct cut cut;
	uint32_t prefix;
	long long taken;
	unsigned long long above;
	int best[WARPS], found;
	double start;
};

static __device__ __forceinline__ unsigned long long units(float w)
{
	return (unsigned long long)((double)w * UNIT);
}

/* The bucket, from the highest down, where `count` tokens or a weight of `mass` are reached; what lies above is added to taken and above. By the
 * first warp: lane L looks after 32 buckets. */
static __device__ void find_bucket(struct room *r, unsigned long long count, double mass)
{
	const int lane = threadIdx.x % 32, first = BUCKETS - 1 - 32 * lane;
	unsigned long long number = 0, weight = 0, before_number, before_weight;
	unsigned all;

	for (int b = first; b > first - 32; b--) {
		number += r->number[b];
		weight += r->mass[b];
	}
	before_number = number, before_weight = weight;
	for (int by = 1; by < 32; by *= 2) {
		const unsigned long long n = __shfl_up_sync(ALL_LANES, before_number, by), w = __shfl_up_sync(ALL_LANES, before_weight, by);

		if (lane >= by) {
			before_number += n;
			before_weight += w;
		}
	}
	before_number += (unsigned long long)r->taken - number;
	before_weight += r->above - weight;
	all = __ballot_sync(ALL_LANES, before_number + number >= count || (double)(before_weight + weight) >= mass || lane == 31);
	__syncwarp();                           /* all have read what one changes */
	if (lane == __ffs((int)all) - 1) {
		int b;

		for (b = first; b > first - 31; b--) {
			if (before_number + r->number[b] >= count || (double)(before_weight + r->mass[b]) >= mass)
				break;
			before_number += r->number[b];
			before_weight += r->mass[b];
		}
		r->taken = (long long)before_number;
		r->above = before_weight;
		r->prefix = r->prefix << 10 | (uint32_t)b;
	}
	__syncwarp();
}

/* The shortest beginning with `count` tokens or with a weight of `mass` (in units), whichever comes first: ten bits of the weights at a time */
static __device__ void cut_at(const struct row &row, struct room *r, long long count, double mass)
{
	__syncthreads();
	if (threadIdx.x == 0) {
		r->prefix = 0;
		r->taken = 0;
		r->above = 0;
	}
	for (int shift = 20; shift >= 0; shift -= 10) {
		for (int b = threadIdx.x; b < BUCKETS; b += blockDim.x) {
			r->number[b] = 0;
			r->mass[b] = 0;
		}
		__syncthreads();
		row.each([=](float w) {
			const uint32_t bits = __float_as_uint(w);

			if (shift == 20 || bits >> (shift + 10) == r->prefix) {
				atomicAdd(&r->number[bits >> shift & (BUCKETS - 1)], 1u);
				atomicAdd(&r->mass[bits >> shift & (BUCKETS - 1)], units(w));
			}
		});
		__syncthreads();
		if (threadIdx.x < 32)
			find_bucket(r, (unsigned long long)count, mass);
		__syncthreads();
	}
	if (threadIdx.x == 0) {
		const float each = __uint_as_float(r->prefix);
		const long long open = count - r->taken, rest = row.n - r->taken;
		const double unit = (double)units(each);
		double ties = 0;

		if (each > 0 && mass > (double)r->above) {
			ties = unit > 0 ? ceil((mass - (double)r->above) / unit) : (double)rest;
			ties = fmin(ties, (double)(open < rest ? open : rest));
		}
		r->cut.bits = r->prefix;
		r->cut.ties = (long long)ties;
		r->cut.mass = r->above + (unsigned long long)ties * units(each);
	}
	__syncthreads();
}

static __device__ void make_cut(const struct row &row, struct room *r, const struct sampling &how, float sum)
{
	const long long count = how.top_k > 0 && how.top_k < row.n ? how.top_k : row.n;
	const uint32_t least = __float_as_uint(how.min_p > 1 ? 1 : how.min_p > 0 ? how.min_p : 0);
	double mass = (double)sum * UNIT;

	if (threadIdx.x == 0) {
		r->cut.bits = 0;
		r->cut.ties = row.n;
	}
	__syncthreads();
	if (count < row.n) {
		cut_at(row, r, count, INFINITY);
		mass = (double)r->cut.mass;
	}
	if (how.top_p < 1)
		cut_at(row, r, count, how.top_p > 0 ? (double)how.top_p * mass : 1e-300);
	if (threadIdx.x == 0 && least > r->cut.bits) {
		r->cut.bits = least;
		r->cut.ties = row.n;
	}
	__syncthreads();
}

/* What is kept of chunk c, for the cut's ties that lie before it */
static __device__ __forceinline__ bool kept(uint32_t bits, const struct cut &cut, long long ties_before)
{
	return bits > cut.bits || (bits == cut.bits && ties_before < cut.ties);
}

/* Sums of the chunks, of `size` tokens each (whole warps of them): the weight above the cut in double and the number of ties; a warp to a chunk */
static __device__ void sum_chunks(const struct row &row, struct room *r, int64_t size, int chunks)
{
	const int lane = threadIdx.x % 32;
	const struct cut cut = r->cut;

	for (int c = threadIdx.x / 32; c < chunks; c += blockDim.x / 32) {
		double sum = 0;
		unsigned ties = 0;

		const int64_t end = (c + 1) * size < row.n ? (c + 1) * size : row.n;

		for (int64_t from = c * size; from < end; from += 32 * ROW_LOADS) {
			float logit[ROW_LOADS];

			row.ahead(logit, from, end);
#pragma unroll
			for (int u = 0; u < ROW_LOADS && from + 32 * u + lane < end; u++) {
				const float w = row.of(logit[u]);
				const uint32_t bits = __float_as_uint(w);

				if (bits > cut.bits)
					sum += (double)w;
				ties += bits == cut.bits;
			}
		}
		sum = warp_sum(sum);
		for (int by = 16; by; by /= 2)
			ties += __shfl_xor_sync(ALL_LANES, ties, by);
		if (lane == 0) {
			r->chunk[c] = sum;
			r->ties[c] = ties;
		}
	}
	__syncthreads();
}

/* By one thread: the ties' share is added, and the chunk is found where the running sum passes `uniform` of all. */
static __device__ void find_chunk(struct room *r, int chunks, double uniform)
{
	const double each = (double)__uint_as_float(r->cut.bits);
	long long before = 0;
	double total = 0, sum = 0, at;
	int found = 0;

	for (int c = 0; c < chunks; c++) {
		const long long left = r->cut.ties - before, mine = left < (long long)r->ties[c] ? left : (long long)r->ties[c];

		r->ties_before[c] = (unsigned)before;
		before += r->ties[c];
		r->chunk[c] += mine > 0 ? (double)mine * each : 0;
		total += r->chunk[c];
	}
	at = uniform * total;
	for (int c = 0; c < chunks; c++) {
		if (!(r->chunk[c] > 0))
			continue;
		found = c;
		if (sum + r->chunk[c] > at)
			break;
		sum += r->chunk[c];
	}
	r->found = found;
	r->start = at - sum;
}

/* By one warp: the token of the found chunk where the running sum passes what is left; the last that can be drawn, where rounding leaves none */
static __device__ int walk(const struct row &row, const struct room *r, int64_t size)
{
	const int lane = threadIdx.x % 32;
	const int64_t first = r->found * size, end = first + size < row.n ? first + size : row.n;
	const struct cut cut = r->cut;
	long long ties = r->ties_before[r->found];
	double sum = 0;
	int64_t last = -1;

	for (int64_t batch = first; batch < end; batch += 32 * ROW_LOADS) {
		float logit[ROW_LOADS];

		row.ahead(logit, batch, end);
#pragma unroll
		for (int u = 0; u < ROW_LOADS && batch + 32 * u < end; u++) {
			const int64_t from = batch + 32 * u, i = from + lane;
			const float w = i < end ? row.of(logit[u]) : 0;
			const uint32_t bits = __float_as_uint(w);
			const unsigned tied = __ballot_sync(ALL_LANES, i < end && bits == cut.bits);
			const bool mine = i < end && w > 0 && kept(bits, cut, ties + __popc(tied & ((1u << lane) - 1)));
			double up_to = mine ? (double)w : 0;
			unsigned which;

			for (int by = 1; by < 32; by *= 2) {
				const double x = __shfl_up_sync(ALL_LANES, up_to, by);

				up_to += lane >= by ? x : 0;
			}
			which = __ballot_sync(ALL_LANES, mine && sum + up_to > r->start);
			if (which)
				return (int)(from + __ffs((int)which) - 1);
			which = __ballot_sync(ALL_LANES, mine);
			if (which)
				last = from + 31 - __clz((int)which);
			sum += __shfl_sync(ALL_LANES, up_to, 31);
			ties += __popc(tied);
		}
	}
	return last < 0 ? 0 : (int)last;
}

/* The lowest index of the largest, in all threads */
static __device__ int largest(const struct row &row, struct room *r)
{
	int best = -1;
	float most = 0;

#pragma unroll 8
	for (int i = threadIdx.x; i < (int)row.n; i += blockDim.x) {
		const float x = row.x[i];

		if (best < 0 || x > most) {
			best = i;
			most = x;
		}
	}
	for (int by = 16; by; by /= 2) {
		const int other = __shfl_xor_sync(ALL_LANES, best, by), low = other < best ? other : best, high = other < best ? best : other;

		best = low < 0 || row.x[high] > row.x[low] ? high : low;
	}
	if (threadIdx.x % 32 == 0)
		r->best[threadIdx.x / 32] = best;
	__syncthreads();
	best = r->best[0];
	for (int i = 1; i < (int)blockDim.x / 32; i++) {
		const int other = r->best[i];

		if (other >= 0 && (best < 0 || row.x[other] > row.x[best] || (row.x[other] == row.x[best] && other < best)))
			best = other;
	}
	return best;
}

template <int V> static __global__ void __launch_bounds__(ROW_THREADS) sample_rows(struct draws a)
{
	__shared__ struct room r;
	const struct sampling how = a.how[blockIdx.x];
	const float by = how.temperature > 0 ? 1 / how.temperature : 1;
	const int64_t some = (a.vocab + CHUNKS - 1) / CHUNKS, size = some < LEAST_CHUNK ? (int64_t)LEAST_CHUNK : (some + 31) / 32 * 32;
	const int chunks = (int)((a.vocab + size - 1) / size);
	struct row row = {a.logits + (int64_t)blockIdx.x * a.vocab, a.vocab, by, 0};
	const struct softmax_sums s = row_sums<V>(row.x, by, a.vocab, r.sums);
	int id;

	row.max = s.max;
	if (!(how.temperature > 0)) {
		id = largest(row, &r);
	} else {
		make_cut(row, &r, how, s.sum);
		sum_chunks(row, &r, size, chunks);
		if (threadIdx.x == 0)
			find_chunk(&r, chunks, how.uniform);
		__syncthreads();
		id = threadIdx.x < 32 ? walk(row, &r, size) : 0;
	}
	if (threadIdx.x)
		return;
	a.id[blockIdx.x] = id;
	a.logprob[blockIdx.x] = logprob_of(row.x[id], by, s);
}

void cuda_sample(struct backend *be, float *logits, int64_t rows, int64_t vocab, const struct sampling *how, int32_t *id, float *logprob)
{
	struct cuda *c = cuda_of(be);
	const size_t each = ((size_t)rows * sizeof(int32_t) + 255) / 256 * 256;
	struct draws a;
	char *host;

	if (rows <= 0)
		return;
	host = (char *)xmalloc(2 * each);
	a.logits = logits;
	a.rows = rows;
	a.vocab = vocab;
	a.how = (const struct sampling *)cuda_constant(c, how, (size_t)rows * sizeof *how);
	a.id = (int32_t *)cuda_scratch_of(c, SCRATCH_SUMS, 2 * each);
	a.logprob = (float *)((char *)a.id + each);
	cuda_launch(c, vocab % 4 == 0 && (uintptr_t)logits % 16 == 0 ? sample_rows<4> : sample_rows<1>, (unsigned)rows, row_threads(vocab), 0, a);
	cuda_download(c, host, a.id, 2 * each);
	memcpy(id, host, (size_t)rows * sizeof *id);
	memcpy(logprob, host + each, (size_t)rows * sizeof *logprob);
	free(host);
}
