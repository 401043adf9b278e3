/* sample.cu - drawing tokens: a block for each row of logits or, where rows are few, several; an id and a logprob come back
 *
 * The definition is that of cpu/sample.c. The weights, exp(z), are made again in each reading of the row. How much weight lies above a cut is
 * counted in fixed point, 2^-44 being the unit: whole numbers can be added in any order. The token that the uniform number falls on is found by a warp
 * that narrows it down, from the row's pieces (logprob.cuh) to stretches of one to tokens, by running sums in double. What one block does and what
 * several do is the same sums.
 */
#include "cuda.cuh"
#include "logprob.cuh"

enum { BUCKETS = 1024, WARPS = ROW_THREADS / 32, SOME_WARPS = 4 };
#define UNIT 17592186044416.0           /* 2^44 */
#define LIKELY 0x38800000u              /* the bits of 2^-14, with which a bucket begins */

struct draws {
	const float *logits;
	const struct sampling *how;
	int32_t *id;
	float *logprob;
	struct found *found;            /* [rows][ROW_PIECES]: where several blocks have a row */
	uint32_t *counter;              /* [rows]: of those, blocks that are done */
	int64_t vocab;
};

/* What is known of a piece of a row */
struct found {
	double weight;                  /* of its tokens above the cut */
	struct softmax_sums sums;
	int32_t best;                   /* its likeliest token */
};

struct row {
	const float *x;
	int64_t n;
	float by, max;
	__device__ __forceinline__ float of(float logit) const { return expf(centred(logit, by, max)); }
	__device__ __forceinline__ int64_t length() const { return piece_length(n); }
	__device__ __forceinline__ int64_t end(int piece) const { return min((piece + 1) * length(), n); }
	/* f(weight) of all tokens, by the whole block */
	template <class F> __device__ __forceinline__ void each(F f) const
	{
		for (int64_t i = threadIdx.x; i < n; i += (int64_t)blockDim.x * ROW_LOADS)
			some(i, blockDim.x, n, f);
	}
	/* ... of token i and every step-th after it, ROW_LOADS at most, before `to` */
	template <class F> __device__ __forceinline__ void some(int64_t i, int64_t step, int64_t to, F f) const
	{
		float logit[ROW_LOADS];

#pragma unroll
		for (int u = 0; u < ROW_LOADS; u++)
			logit[u] = i + u * step < to ? x[i + u * step] : 0;
#pragma unroll
		for (int u = 0; u < ROW_LOADS; u++)
			if (i + u * step < to)
				f(of(logit[u]));
	}
};

/* A beginning of the tokens ordered by falling weight and rising id: all above that of `bits`, and the first `ties` of those that have it */
struct cut {
	uint32_t bits;
	long long ties;
	unsigned long long mass;        /* of what is kept, in units */
};

struct room {
	struct softmax_sums sums[ROW_PIECES];
	unsigned long long mass[BUCKETS];
	unsigned number[BUCKETS];
	double weight[ROW_PIECES];
	unsigned ties[ROW_PIECES];
	struct cut cut;
	uint32_t prefix;
	long long taken;
	unsigned long long above;
	int best[WARPS], reached;
};

static __device__ __forceinline__ unsigned long long units(float w)
{
	return (unsigned long long)((double)w * UNIT);
}

/* The bucket, from the highest down, where `count` tokens or a weight of `mass` are reached; what lies above is added to taken and above. They may be
 * nowhere if not all tokens were counted: then `reached` is 0. By the first warp: lane L looks after 32 buckets. */
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
	all = __ballot_sync(ALL_LANES, before_number + number >= count || (double)(before_weight + weight) >= mass);
	__syncwarp();                           /* all have read what one changes */
	if (lane == 0)
		r->reached = all != 0;
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

/* The shortest beginning with `count` tokens or with a weight of `mass` (in units), whichever comes first: ten bits of the weights at a time. Most tokens
 * are far from the likeliest, and many meet in a bucket: these are counted only where the others do not reach. */
static __device__ void cut_at(const struct row &row, struct room *r, long long count, double mass)
{
	__syncthreads();
	if (threadIdx.x == 0) {
		r->prefix = 0;
		r->taken = 0;
		r->above = 0;
	}
	uint32_t least = LIKELY;

	for (int shift = 20; shift >= 0;) {
		for (int b = threadIdx.x; b < BUCKETS; b += blockDim.x) {
			r->number[b] = 0;
			r->mass[b] = 0;
		}
		__syncthreads();
		row.each([=](float w) {
			const uint32_t bits = __float_as_uint(w);

			if (shift == 20 ? bits >= least : bits >> (shift + 10) == r->prefix) {
				atomicAdd(&r->number[bits >> shift & (BUCKETS - 1)], 1u);
				atomicAdd(&r->mass[bits >> shift & (BUCKETS - 1)], units(w));
			}
		});
		__syncthreads();
		if (threadIdx.x < 32)
			find_bucket(r, (unsigned long long)count, mass);
		__syncthreads();
		if (r->reached)
			shift -= 10;
		else
			least = 0;
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

/* Of a piece, by a warp, in all lanes: the weight above the cut in double, and the number of its ties */
static __device__ double piece_weight(const struct row &row, int piece, uint32_t bits, unsigned *ties)
{
	double sum = 0;
	unsigned tied = 0;

	for (int64_t i = piece * row.length() + threadIdx.x % 32; i < row.end(piece); i += 32 * ROW_LOADS)
		row.some(i, 32, row.end(piece), [&](float w) {
			sum += __float_as_uint(w) > bits ? (double)w : 0;
			tied += __float_as_uint(w) == bits;
		});
	sum = warp_sum(sum);
	for (int by = 16; by; by /= 2)
		tied += __shfl_xor_sync(ALL_LANES, tied, by);
	*ties = tied;
	return sum;
}

/* Where a warp is on its way to a token */
struct point {
	double left;                    /* of the running sum */
	long long ties;                 /* that may still be drawn */
	double each;                    /* a tie's weight */
};

/* Of 32 stretches of tokens side by side, a lane's own with the weight `sum` above the cut and `ties`: the one in which the running sum passes what is left,
 * or the last from which a token can be drawn, where rounding leaves none. uniform >= 0: that much of it all is what is left. */
static __device__ int narrow(struct point *p, double sum, unsigned ties, double uniform = -1)
{
	const int lane = threadIdx.x % 32;
	unsigned before = ties, which;
	double up_to;
	long long mine;
	int found;

	for (int by = 1; by < 32; by *= 2) {
		const unsigned x = __shfl_up_sync(ALL_LANES, before, by);

		before += lane >= by ? x : 0;
	}
	before -= ties;
	mine = min(p->ties - (long long)before, (long long)ties);
	sum += mine > 0 ? (double)mine * p->each : 0;
	up_to = sum;
	for (int by = 1; by < 32; by *= 2) {
		const double x = __shfl_up_sync(ALL_LANES, up_to, by);

		up_to += lane >= by ? x : 0;
	}
	if (uniform >= 0)
		p->left = uniform * __shfl_sync(ALL_LANES, up_to, 31);
	which = __ballot_sync(ALL_LANES, sum > 0 && up_to > p->left);
	found = __ffs((int)which) - 1;
	if (!which) {
		which = __ballot_sync(ALL_LANES, sum > 0);
		found = which ? 31 - __clz((int)which) : 0;
	}
	up_to = __shfl_up_sync(ALL_LANES, up_to, 1);
	p->left -= found ? __shfl_sync(ALL_LANES, up_to, found) : 0;
	p->ties -= __shfl_sync(ALL_LANES, before, found);
	return found;
}

/* By a warp: the token that the uniform number falls on. Pieces 2 L and 2 L + 1 are lane L's: their weights above the cut, and ties. */
static __device__ int draw(const struct row &row, const struct cut &cut, const double (&weight)[2], const unsigned (&ties)[2], double uniform)
{
	const int lane = threadIdx.x % 32;
	struct point p = {0, cut.ties, (double)__uint_as_float(cut.bits)};
	int piece = 2 * narrow(&p, weight[0] + weight[1], ties[0] + ties[1], uniform);
	const double w0 = __shfl_sync(ALL_LANES, weight[0], piece / 2), w1 = __shfl_sync(ALL_LANES, weight[1], piece / 2);
	const unsigned t0 = __shfl_sync(ALL_LANES, ties[0], piece / 2), t1 = __shfl_sync(ALL_LANES, ties[1], piece / 2);

	piece += narrow(&p, lane == 0 ? w0 : lane == 1 ? w1 : 0, lane == 0 ? t0 : lane == 1 ? t1 : 0);
	for (int64_t first = piece * row.length(), end = row.end(piece);;) {
		const int64_t each = (end - first + 31) / 32, from = first + lane * each, to = min(from + each, end);
		unsigned tied = 0;
		double sum = 0;

		for (int64_t i = from; i < to; i += ROW_LOADS)
			row.some(i, 1, to, [&](float w) {
				sum += __float_as_uint(w) > cut.bits ? (double)w : 0;
				tied += __float_as_uint(w) == cut.bits;
			});
		first += narrow(&p, sum, tied) * each;
		if (each <= 1)
			return (int)first;
		end = min(first + each, end);
	}
}

/* Of two tokens the likelier or else the first; -1 is none */
static __device__ __forceinline__ int better(const float *x, int a, int b)
{
	const int low = min(a, b), high = max(a, b);

	return low < 0 || x[high] > x[low] ? high : low;
}

/* Of the warp's lanes, in all of them */
static __device__ __forceinline__ int best_of_lanes(const float *x, int best)
{
	for (int by = 16; by; by /= 2)
		best = better(x, best, __shfl_xor_sync(ALL_LANES, best, by));
	return best;
}

static __device__ int best_of_piece(const struct row &row, int piece)
{
	const int end = (int)row.end(piece);
	int best = -1;
	float most = 0;

#pragma unroll 8
	for (int i = piece * (int)row.length() + threadIdx.x % 32; i < end; i += 32) {
		const float x = row.x[i];

		if (best < 0 || x > most) {
			best = i;
			most = x;
		}
	}
	return best_of_lanes(row.x, best);
}

static __device__ __forceinline__ struct row row_at(const struct draws &a, int64_t i)
{
	return {a.logits + i * a.vocab, a.vocab, a.how[i].temperature > 0 ? 1 / a.how[i].temperature : 1, 0};
}

static __device__ __forceinline__ void put_draw(const struct draws &a, int64_t i, const struct row &row, const struct softmax_sums &s, int id)
{
	a.id[i] = id;
	a.logprob[i] = logprob_of(row.x[id], row.by, s);
}

template <int V> static __global__ void __launch_bounds__(ROW_THREADS) sample_rows(struct draws a)
{
	__shared__ struct room r;
	const struct sampling how = a.how[blockIdx.x];
	const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warps = blockDim.x / 32, pieces = pieces_of(a.vocab);
	struct row row = row_at(a, blockIdx.x);
	const struct softmax_sums s = row_sums<V>(row.x, row.by, a.vocab, r.sums);
	int id = -1;

	row.max = s.max;
	if (!(how.temperature > 0)) {
		for (int p = warp; p < pieces; p += warps)
			id = better(row.x, id, best_of_piece(row, p));
		if (lane == 0)
			r.best[warp] = id;
		__syncthreads();
		for (int i = 0; i < warps; i++)
			id = better(row.x, id, r.best[i]);
	} else {
		make_cut(row, &r, how, s.sum);
		for (int p = warp; p < ROW_PIECES; p += warps) {
			unsigned ties = 0;
			const double weight = p < pieces ? piece_weight(row, p, r.cut.bits, &ties) : 0;

			if (lane == 0) {
				r.weight[p] = weight;
				r.ties[p] = ties;
			}
		}
		__syncthreads();
		if (warp == 0)
			id = draw(row, r.cut, {r.weight[2 * lane], r.weight[2 * lane + 1]}, {r.ties[2 * lane], r.ties[2 * lane + 1]}, how.uniform);
	}
	if (threadIdx.x == 0)
		put_draw(a, blockIdx.x, row, s, id);
}

/* ---- few rows, and nothing is cut off: a warp for each piece; first its sums, then what is drawn from ---- */

template <int V> static __global__ void __launch_bounds__(32 * SOME_WARPS) sum_pieces(struct draws a)
{
	const int p = blockIdx.x * SOME_WARPS + threadIdx.x / 32;

	after_last();
	if (p >= pieces_of(a.vocab))
		return;
	const struct row row = row_at(a, blockIdx.y);
	const struct softmax_sums s = piece_sums<V>(row.x + p * row.length(), row.by, row.end(p) - p * row.length());
	if (threadIdx.x % 32 == 0)
		a.found[blockIdx.y * ROW_PIECES + p].sums = s;
}

static __global__ void __launch_bounds__(32 * SOME_WARPS) draw_pieces(struct draws a)
{
	__shared__ struct softmax_sums sums[ROW_PIECES];
	__shared__ uint32_t before;
	const int lane = threadIdx.x % 32, pieces = pieces_of(a.vocab), p = blockIdx.x * SOME_WARPS + threadIdx.x / 32;
	struct found *found = a.found + blockIdx.y * ROW_PIECES;

	after_last();
	const struct sampling how = a.how[blockIdx.y];
	struct row row = row_at(a, blockIdx.y);
	if ((int)threadIdx.x < pieces)
		sums[threadIdx.x] = found[threadIdx.x].sums;
	__syncthreads();
	const struct softmax_sums s = sums_of_pieces(sums, pieces);
	row.max = s.max;
	if (p < pieces) {
		unsigned ties;
		const bool greedy = !(how.temperature > 0);
		const double weight = greedy ? 0 : piece_weight(row, p, 0, &ties);
		const int best = greedy ? best_of_piece(row, p) : 0;

		if (lane == 0) {
			found[p].weight = weight;
			found[p].best = best;
		}
	}
	__threadfence();                        /* the last of a row's blocks draws */
	__syncthreads();
	if (threadIdx.x == 0)
		before = atomicAdd(&a.counter[blockIdx.y], 1u);
	__syncthreads();
	if (before + 1 < gridDim.x || threadIdx.x >= 32)
		return;
	__threadfence();
	double weight[2];
	int best[2], id;
	for (int i = 0; i < 2; i++) {
		weight[i] = 2 * lane + i < pieces ? __ldcg(&found[2 * lane + i].weight) : 0;
		best[i] = 2 * lane + i < pieces ? __ldcg(&found[2 * lane + i].best) : -1;
	}
	id = how.temperature > 0 ? draw(row, {0, 0, 0}, weight, {0, 0}, how.uniform) : best_of_lanes(row.x, better(row.x, best[0], best[1]));
	if (lane == 0) {
		put_draw(a, blockIdx.y, row, s, id);
		a.counter[blockIdx.y] = 0;
	}
}

static bool cuts(const struct sampling *how, int64_t vocab)
{
	return how->temperature > 0 && ((how->top_k > 0 && how->top_k < vocab) || how->top_p < 1 || how->min_p > 0);
}

void cuda_sample(struct backend *be, float *logits, int64_t rows, int64_t vocab, const struct sampling *how, int32_t *id, float *logprob)
{
	struct cuda *c = cuda_of(be);
	const size_t each = ((size_t)rows * sizeof(int32_t) + 255) / 256 * 256;
	const bool fours = vocab % 4 == 0 && (uintptr_t)logits % 16 == 0;
	bool several = rows < c->multiprocessors;
	struct draws a;
	char *host;

	if (rows <= 0)
		return;
	for (int64_t i = 0; i < rows; i++)
		several = several && !cuts(&how[i], vocab);
	host = (char *)xmalloc(2 * each);
	a.logits = logits;
	a.vocab = vocab;
	a.counter = several ? cuda_counters(c, rows) : NULL;
	a.id = (int32_t *)cuda_scratch_of(c, SCRATCH_SUMS, 2 * each + (several ? (size_t)rows * ROW_PIECES * sizeof *a.found : 0));
	a.logprob = (float *)((char *)a.id + each);
	a.found = several ? (struct found *)((char *)a.id + 2 * each) : NULL;
	a.how = (const struct sampling *)cuda_constant(c, how, (size_t)rows * sizeof *how);
	if (several) {
		const dim3 grid((unsigned)div_up(pieces_of(vocab), SOME_WARPS), (unsigned)rows);

		cuda_launch(c, fours ? sum_pieces<4> : sum_pieces<1>, grid, 32 * SOME_WARPS, 0, a);
		cuda_launch(c, draw_pieces, grid, 32 * SOME_WARPS, 0, a, true);
	} else {
		cuda_launch(c, fours ? sample_rows<4> : sample_rows<1>, (unsigned)rows, row_threads(vocab), 0, a);
	}
	cuda_download(c, host, a.id, 2 * each);
	memcpy(id, host, (size_t)rows * sizeof *id);
	memcpy(logprob, host + each, (size_t)rows * sizeof *logprob);
	free(host);
}
