/* rows.cu - what goes over rows one by one: norms, rotary positions, the feed-forward's gate, sums of two */
#include "cuda.cuh"
#include "device.cuh"
#include "gemm.cuh"
#include "heads.cuh"

enum { THREADS = NORM_THREADS };

/* Whether rows of cols numbers can be moved `each` at a time */
static bool aligned(const void *a, const void *b, const void *c, int64_t cols, int64_t each)
{
	return cols % each == 0 && ((uintptr_t)a | (uintptr_t)b | (uintptr_t)c) % 16 == 0;
}

/* ---- norms: a row to a warp where rows are short, else to a block ---- */

/* Where a thread's row is, and which part of it is its own */
template <bool WARP> struct place {
	int64_t row, first, step;
	__device__ __forceinline__ place()
	{
		if (WARP) {
			row = (int64_t)blockIdx.x * (THREADS / 32) + threadIdx.x / 32;
			first = threadIdx.x % 32;
			step = 32;
		} else {
			row = blockIdx.x;
			first = threadIdx.x;
			step = THREADS;
		}
	}
	__device__ __forceinline__ float sum(float x, float *room) const
	{
		return WARP ? warp_sum(x) : block_sum(x, room);
	}
};

template <bool WARP, int V, class T> static __global__ void __launch_bounds__(THREADS) rmsnorm_rows(struct normed a)
{
	__shared__ float room[32];
	const place<WARP> p;
	const bool there = p.row < a.rows;
	const int64_t at = (there ? p.row : a.rows - 1) * a.cols;
	float sum = 0, rstd;

	after_last();
	for (int64_t i = p.first * V; i < a.cols; i += p.step * V) {
		const vec<V> x = load<V>(a.x + at + i);

		for (int j = 0; j < V; j++)
			sum = fmaf(x.x[j], x.x[j], sum);
	}
	rstd = 1 / sqrtf(p.sum(sum, room) / (float)a.cols + a.eps);
	if (!there)
		return;
	if (p.first == 0 && a.rstd)
		a.rstd[p.row] = rstd;
	for (int64_t i = p.first * V; i < a.cols; i += p.step * V) {
		const vec<V> x = load<V>(a.x + at + i), w = load<V>(a.w + i);
		vec<V> y;

		for (int j = 0; j < V; j++)
			y.x[j] = x.x[j] * rstd * w.x[j];
		store((T *)a.out + at + i, y);
	}
}

struct norm_back {
	float *dx;
	const void *dout;
	const float *x, *w, *rstd;
	int64_t rows, cols;
	int64_t accumulate;
};

/* dx = rstd (g - x rstd^2 mean(g x)) with g = dout w */
template <bool WARP, int V, class T> static __global__ void __launch_bounds__(THREADS) rmsnorm_back_rows(struct norm_back a)
{
	__shared__ float room[32];
	const place<WARP> p;
	const bool there = p.row < a.rows;
	const int64_t row = there ? p.row : a.rows - 1, at = row * a.cols;
	const T *dout = (const T *)a.dout + at;
	float sum = 0, mean;

	after_last();
	const float rstd = a.rstd[row];
	for (int64_t i = p.first * V; i < a.cols; i += p.step * V) {
		const vec<V> x = load<V>(a.x + at + i), w = load<V>(a.w + i), d = load<V>(dout + i);

		for (int j = 0; j < V; j++)
			sum = fmaf(d.x[j] * w.x[j], x.x[j], sum);
	}
	mean = p.sum(sum, room) / (float)a.cols * rstd * rstd;
	if (!there)
		return;
	for (int64_t i = p.first * V; i < a.cols; i += p.step * V) {
		const vec<V> x = load<V>(a.x + at + i), w = load<V>(a.w + i), d = load<V>(dout + i);
		vec<V> y;

		if (a.accumulate)
			y = load<V>(a.dx + at + i);
		for (int j = 0; j < V; j++) {
			const float g = rstd * fmaf(d.x[j], w.x[j], -x.x[j] * mean);

			y.x[j] = a.accumulate ? y.x[j] + g : g;
		}
		store(a.dx + at + i, y);
	}
}

template <class A> static void by_rows(struct cuda *c, const A &a, enum last_kind kind, bool fours, void (*warp1)(A), void (*warp4)(A), void (*block1)(A),
				       void (*block4)(A))
{
	const bool warp = a.cols <= NORM_SHORT;

	cuda_launch(c, warp ? fours ? warp4 : warp1 : fours ? block4 : block1, (unsigned)(warp ? div_up(a.rows, THREADS / 32) : a.rows), THREADS, 0, a, true,
		    kind);
}

template <class T> static void rmsnorm(struct cuda *c, const struct normed &a)
{
	by_rows(c, a, LAST_NORM, aligned(a.out, a.x, a.w, a.cols, 4), rmsnorm_rows<true, 1, T>, rmsnorm_rows<true, 4, T>, rmsnorm_rows<false, 1, T>, rmsnorm_rows<false, 4, T>);
}

static void op_rmsnorm(struct backend *be, const struct norm *n, void *out)
{
	const struct normed a = {out, n->rstd, n->x, n->w, n->rows, n->cols, n->eps, n->half};

	if (n->half)
		rmsnorm<uint16_t>(cuda_of(be), a);
	else
		rmsnorm<float>(cuda_of(be), a);
}

template <class T> static void rmsnorm_back(struct cuda *c, const struct norm_back &a)
{
	by_rows(c, a, LAST_OTHER, aligned(a.dx, a.dout, a.x, a.cols, 4) && (uintptr_t)a.w % 16 == 0, rmsnorm_back_rows<true, 1, T>, rmsnorm_back_rows<true, 4, T>,
		rmsnorm_back_rows<false, 1, T>, rmsnorm_back_rows<false, 4, T>);
}

static void op_rmsnorm_back(struct backend *be, const struct norm *n, const void *dout, float *dx, float *dw, bool accumulate)
{
	const struct norm_back a = {dx, dout, n->x, n->w, n->rstd, n->rows, n->cols, accumulate};

	if (dw)                                 /* first: dx may be where dout is */
		cuda_add_columns(cuda_of(be), dw, dout, n->half, n->x, n->rstd, n->rows, n->cols);
	if (n->half)
		rmsnorm_back<uint16_t>(cuda_of(be), a);
	else
		rmsnorm_back<float>(cuda_of(be), a);
}

/* ---- rotary positions: a block for each row ---- */

template <class T> static __global__ void rope_pairs(struct rope r)
{
	const int half = (int)r.head_dim / 2, n = (int)r.heads * half;

	after_last();
	for (int64_t row = blockIdx.x; row < r.rows; row += gridDim.x) {
		const float *turn = r.cos_sin + (int64_t)r.position[row] * r.head_dim;

		for (int i = threadIdx.x; i < n; i += blockDim.x) {
			const int head = i / half, j = i - head * half, first = r.interleaved ? 2 * j : j, second = r.interleaved ? 2 * j + 1 : j + half;
			const T *x = (const T *)r.x + row * r.x_stride + head * r.x_head;
			const float a = load<1>(x + first).x[0], b = load<1>(x + second).x[0], c = turn[j], s = r.inverse ? -turn[half + j] : turn[half + j];
			T *out = (T *)r.out + row * r.out_stride + head * r.out_head;

			store(out + first, vec<1>{{turn_first(a, b, c, s)}});
			store(out + second, vec<1>{{turn_second(a, b, c, s)}});
		}
	}
}

static void op_rope(struct backend *be, const struct rope *given)
{
	struct rope r;                          /* without the given one's gaps */

	memset(&r, 0, sizeof r);
	r.rows = given->rows, r.heads = given->heads, r.head_dim = given->head_dim;
	r.x = given->x, r.out = given->out;
	r.x_stride = given->x_stride, r.x_head = given->x_head, r.out_stride = given->out_stride, r.out_head = given->out_head;
	r.position = given->position, r.cos_sin = given->cos_sin;
	r.interleaved = given->interleaved, r.inverse = given->inverse, r.half = given->half;
	if (cuda_turn_few(cuda_of(be), &r) || cuda_turn_heads(cuda_of(be), &r))
		return;
	cuda_launch(cuda_of(be), given->half ? rope_pairs<uint16_t> : rope_pairs<float>, cuda_grid(r.rows, 1), THREADS, 0, r,
		    true, LAST_ROPE);
}

/* ---- element by element ---- */

struct gate {
	void *out;
	const void *gate_up, *dout;
	int64_t rows, cols;             /* cols: F */
};

template <int V, class T> static __global__ void swiglu_numbers(struct gate a)
{
	const int64_t each = a.cols / V, n = a.rows * each;

	after_last();
	for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
		const int64_t row = i / each, col = i % each * V;
		const T *x = (const T *)a.gate_up + row * 2 * a.cols + col;
		const vec<V> gate = load<V>(x), up = load<V>(x + a.cols);
		vec<V> y;

		for (int j = 0; j < V; j++)
			y.x[j] = gate.x[j] * sigmoid(gate.x[j]) * up.x[j];
		store((T *)a.out + row * a.cols + col, y);
	}
}

/* With s = sigmoid(gate): dup = dout gate s;  dgate = dout up s (1 + gate (1 - s)) */
template <int V, class T> static __global__ void swiglu_back_numbers(struct gate a)
{
	const int64_t each = a.cols / V, n = a.rows * each;

	after_last();
	for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
		const int64_t row = i / each, col = i % each * V, at = row * 2 * a.cols + col;
		const T *x = (const T *)a.gate_up + at;
		const vec<V> gate = load<V>(x), up = load<V>(x + a.cols), d = load<V>((const T *)a.dout + row * a.cols + col);
		vec<V> dgate, dup;

		for (int j = 0; j < V; j++) {
			const float s = sigmoid(gate.x[j]);

			dup.x[j] = d.x[j] * gate.x[j] * s;
			dgate.x[j] = d.x[j] * up.x[j] * s * fmaf(gate.x[j], 1 - s, 1);
		}
		store((T *)a.out + at, dgate);
		store((T *)a.out + at + a.cols, dup);
	}
}

/* many: moves `each` numbers at a time, one: one */
static void gate_by(struct cuda *c, const struct gate &a, int64_t each, void (*one)(struct gate), void (*many)(struct gate))
{
	const bool wide = aligned(a.out, a.gate_up, a.dout, a.cols, each);

	cuda_launch(c, wide ? many : one, cuda_grid(a.rows * a.cols, (wide ? each : 1) * THREADS), THREADS, 0, a, true);
}

static void op_swiglu(struct backend *be, void *out, const void *gate_up, int64_t rows, int64_t cols, bool half)
{
	const struct gate a = {out, gate_up, NULL, rows, cols};

	if (half && cuda_gate_few(cuda_of(be), out, gate_up, rows, cols))
		return;
	if (half)
		gate_by(cuda_of(be), a, 8, swiglu_numbers<1, uint16_t>, swiglu_numbers<8, uint16_t>);
	else
		gate_by(cuda_of(be), a, 4, swiglu_numbers<1, float>, swiglu_numbers<4, float>);
}

static void op_swiglu_back(struct backend *be, void *dgate_up, const void *dout, const void *gate_up, int64_t rows, int64_t cols, bool half)
{
	const struct gate a = {dgate_up, gate_up, dout, rows, cols};

	if (half)
		gate_by(cuda_of(be), a, 8, swiglu_back_numbers<1, uint16_t>, swiglu_back_numbers<8, uint16_t>);
	else
		gate_by(cuda_of(be), a, 4, swiglu_back_numbers<1, float>, swiglu_back_numbers<4, float>);
}

struct sum {
	float *out;
	const float *a, *b;
	int64_t n;
};

template <int V> static __global__ void add_numbers(struct sum s)
{
	for (int64_t i = ((int64_t)blockIdx.x * blockDim.x + threadIdx.x) * V; i < s.n; i += (int64_t)gridDim.x * blockDim.x * V) {
		const vec<V> a = load<V>(s.a + i), b = load<V>(s.b + i);
		vec<V> y;

		for (int j = 0; j < V; j++)
			y.x[j] = a.x[j] + b.x[j];
		store(s.out + i, y);
	}
}

static void op_add(struct backend *be, float *out, const float *a, const float *b, int64_t n)
{
	const struct sum s = {out, a, b, n};
	const bool fours = aligned(out, a, b, n, 4);

	cuda_launch(cuda_of(be), fours ? add_numbers<4> : add_numbers<1>, cuda_grid(n, fours ? 4 * THREADS : THREADS), THREADS, 0, s);
}

struct scaled {
	float *x;
	int64_t n;
	float by;
	int32_t unused;
};

static __global__ void scale_numbers(struct scaled a)
{
	for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < a.n; i += (int64_t)gridDim.x * blockDim.x)
		a.x[i] *= a.by;
}

static void op_scale(struct backend *be, float *x, float by, int64_t n)
{
	const struct scaled a = {x, n, by, 0};

	cuda_launch(cuda_of(be), scale_numbers, cuda_grid(n, THREADS), THREADS, 0, a);
}

struct moved {                          /* struct columns of backend.h */
	void *to;
	const void *from;
	int64_t ld_to, ld, rows, cols;
	int32_t to_half, from_half, accumulate, unused;
};

static __global__ void move_columns(struct moved a)
{
	for (int64_t row = blockIdx.x; row < a.rows; row += gridDim.x)
		for (int64_t i = threadIdx.x; i < a.cols; i += blockDim.x) {
			const int64_t to = row * a.ld_to + i;
			const float x = number(a.from, a.from_half, row * a.ld + i);

			put_number(a.to, a.to_half, to, a.accumulate ? number(a.to, a.to_half, to) + x : x);
		}
}

static void op_columns(struct backend *be, const struct columns *c)
{
	const struct moved a = {c->to, c->from, c->ld_to, c->ld, c->rows, c->cols, c->to_half, c->from_half, c->accumulate, 0};

	cuda_launch(cuda_of(be), move_columns, cuda_grid(c->rows, 1), c->cols <= 64 ? 64 : THREADS, 0, a);
	cuda_of(be)->pages_moved = cuda_of(be)->added;
}

void cuda_rows_ops(struct backend *be)
{
	be->rmsnorm = op_rmsnorm;
	be->rmsnorm_back = op_rmsnorm_back;
	be->rope = op_rope;
	be->swiglu = op_swiglu;
	be->swiglu_back = op_swiglu_back;
	be->add = op_add;
	be->scale = op_scale;
	be->columns = op_columns;
}
