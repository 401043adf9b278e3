/* route.cu - mixtures of experts: who goes where (a warp for each row), and the rows' way there and back */
#include "cuda.cuh"
#include "device.cuh"

enum { THREADS = 256, WARPS = 4 };

struct choice {
	const float *logits, *bias, *dweight, *old_score;
	const int32_t *old_id;
	float *weight, *score, *dlogits;
	int32_t *id;
	int64_t rows, experts, groups, top_groups, top;
	float scale;
	int32_t normalize;
};

/* The index of the largest of x[n] that is not taken, the first of equals; one is found whatever the numbers are. */
static __device__ int best_left(const float *x, const unsigned char *taken, int n, int lane)
{
	int best = -1;

	for (int i = lane; i < n; i += 32)
		if (!taken[i] && (best < 0 || x[i] > x[best]))
			best = i;
	for (int by = 16; by; by /= 2) {
		const int other = __shfl_xor_sync(ALL_LANES, best, by), low = other < best ? other : best, high = other < best ? best : other;

		best = low < 0 || x[high] > x[low] ? high : low;
	}
	__syncwarp();                           /* all have looked, and `taken` may change */
	return best;
}

/* The sum of the two largest of x[n], or the only one */
static __device__ float two_largest(const float *x, int n)
{
	float first = x[0], second = n > 1 ? x[1] : 0;

	for (int i = 1; i < n; i++)
		if (x[i] > first) {
			second = first;
			first = x[i];
		} else if (i > 1 && x[i] > second) {
			second = x[i];
		}
	return first + second;
}

/* c of the experts in groups that are left out becomes 0. */
static __device__ void leave_groups(const struct choice &a, float *c, float *group, unsigned char *taken, int lane)
{
	const int size = (int)(a.experts / a.groups), groups = (int)a.groups;

	for (int g = lane; g < groups; g += 32) {
		group[g] = two_largest(c + g * size, size);
		taken[g] = 0;
	}
	__syncwarp();
	for (int i = 0; i < (int)a.top_groups; i++) {
		const int best = best_left(group, taken, groups, lane);

		if (lane == 0)
			taken[best] = 1;
		__syncwarp();
	}
	for (int e = lane; e < (int)a.experts; e += 32)
		if (!taken[e / size])
			c[e] = 0;
	__syncwarp();
}

static __global__ void __launch_bounds__(WARPS * 32) route_rows(struct choice a)
{
	DYNAMIC_SHARED(float, shared);
	const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, E = (int)a.experts, top = (int)a.top;
	const int64_t row = (int64_t)blockIdx.x * WARPS + warp;
	float *s = shared + (int64_t)warp * (3 * E + (E + 3) / 4), *c = s + E, *group = c + E;
	unsigned char *taken = (unsigned char *)(group + E);

	if (row >= a.rows)
		return;
	for (int e = lane; e < E; e += 32) {
		s[e] = sigmoid(a.logits[row * E + e]);
		c[e] = s[e] + a.bias[e];
	}
	__syncwarp();
	if (a.top_groups < a.groups)
		leave_groups(a, c, group, taken, lane);
	for (int e = lane; e < E; e += 32)
		taken[e] = 0;
	__syncwarp();
	for (int i = 0; i < top; i++) {
		const int best = best_left(c, taken, E, lane);

		if (lane == 0)
			taken[best] = 1;
		__syncwarp();
	}
	if (lane == 0) {
		float sum = 0, *weight = a.weight + row * top, *score = a.score + row * top;
		int32_t *id = a.id + row * top;
		int n = 0;

		for (int e = 0; e < E; e++)
			if (taken[e]) {
				id[n] = e;
				score[n] = s[e];
				sum += s[e];
				n++;
			}
		sum += 1e-20f;
		for (int i = 0; i < top; i++)
			weight[i] = (a.normalize ? score[i] / sum : score[i]) * a.scale;
	}
}

static struct choice choice_of(const struct routing *r, int64_t rows)
{
	struct choice a;

	memset(&a, 0, sizeof a);
	a.bias = r->bias;
	a.rows = rows;
	a.experts = r->experts, a.groups = r->groups, a.top_groups = r->top_groups, a.top = r->top;
	a.scale = r->scale;
	a.normalize = r->normalize;
	return a;
}

static void op_route(struct backend *be, const struct routing *r, const float *logits, int32_t *id, float *weight, float *score, int64_t rows)
{
	struct choice a = choice_of(r, rows);

	a.logits = logits;
	a.id = id;
	a.weight = weight;
	a.score = score;
	cuda_launch(cuda_of(be), route_rows, (unsigned)div_up(rows, WARPS), WARPS * 32, (size_t)(WARPS * (3 * a.experts + (a.experts + 3) / 4)) * sizeof(float), a);
}

/* With w_k = scale s_k / D, D = sum s + 1e-20: ds_k = scale (dw_k / D - sum(dw s) / D^2); without it scale dw_k. Then ds s (1 - s). */
static __global__ void route_back_rows(struct choice a)
{
	const int64_t row = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;

	if (row >= a.rows)
		return;
	const float *dw = a.dweight + row * a.top, *s = a.old_score + row * a.top;
	float *d = a.dlogits + row * a.experts, sum = 0, dot = 0;

	for (int64_t k = 0; k < a.top; k++) {
		sum += s[k];
		dot += dw[k] * s[k];
	}
	sum += 1e-20f;
	for (int64_t k = 0; k < a.top; k++)
		d[a.old_id[row * a.top + k]] = a.scale * (a.normalize ? (dw[k] - dot / sum) / sum : dw[k]) * (s[k] * (1 - s[k]));
}

static void op_route_back(struct backend *be, const struct routing *r, const float *dweight, const int32_t *id, const float *score, float *dlogits, int64_t rows)
{
	struct choice a = choice_of(r, rows);

	a.dweight = dweight;
	a.old_id = id;
	a.old_score = score;
	a.dlogits = dlogits;
	cuda_fill(cuda_of(be), dlogits, 0, (size_t)(rows * r->experts) * sizeof *dlogits);
	cuda_launch(cuda_of(be), route_back_rows, cuda_grid(rows, 64), 64, 0, a);
}

struct combined {
	float *out;
	const float *x, *weight;
	const int32_t *place;
	int64_t rows, top, cols;
	int64_t accumulate;
};

static __global__ void combine_numbers(struct combined a)
{
	const int64_t n = a.rows * a.cols;

	for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
		const int64_t row = i / a.cols, col = i % a.cols;
		float sum = 0;

		for (int64_t k = row * a.top; k < (row + 1) * a.top; k++)
			sum = fmaf(a.weight ? a.weight[k] : 1, a.x[a.place[k] * a.cols + col], sum);
		a.out[i] = a.accumulate ? a.out[i] + sum : sum;
	}
}

static void op_combine(struct backend *be, float *out, const float *x, const int32_t *place, const float *weight, int64_t rows, int64_t top, int64_t cols,
		       bool accumulate)
{
	const struct combined a = {out, x, weight, place, rows, top, cols, accumulate};

	cuda_launch(cuda_of(be), combine_numbers, cuda_grid(rows * cols, THREADS), THREADS, 0, a);
}

struct weighed {
	float *dweight, *d, *x;
	const float *weight;
	int64_t rows, cols;
};

static __global__ void __launch_bounds__(THREADS) weigh_back_rows(struct weighed a)
{
	for (int64_t row = (int64_t)blockIdx.x * (THREADS / 32) + threadIdx.x / 32; row < a.rows; row += (int64_t)gridDim.x * (THREADS / 32)) {
		const float by = a.weight[row];
		float sum = 0;

		for (int64_t i = threadIdx.x % 32; i < a.cols; i += 32) {
			float *d = a.d + row * a.cols + i, *x = a.x + row * a.cols + i;

			sum = fmaf(*d, *x, sum);
			*d *= by;
			*x *= by;
		}
		sum = warp_sum(sum);
		if (threadIdx.x % 32 == 0)
			a.dweight[row] = sum;
	}
}

static void op_weigh_back(struct backend *be, float *dweight, float *d, float *x, const float *weight, int64_t rows, int64_t cols)
{
	const struct weighed a = {dweight, d, x, weight, rows, cols};

	cuda_launch(cuda_of(be), weigh_back_rows, cuda_grid(rows, THREADS / 32), THREADS, 0, a);
}

void cuda_route_ops(struct backend *be)
{
	be->route = op_route;
	be->route_back = op_route_back;
	be->combine = op_combine;
	be->weigh_back = op_weigh_back;
}
