/* gemm_few.cu - few rows by a matrix that is stored [n,k]: what decoding does, limited by how fast the matrix is read
 *
 * A warp makes COLS columns of C for all M rows. It goes through k in steps of 256: a lane reads 8 numbers that lie side by side of each of its
 * matrix rows (16 bytes, or 32) and of each row of A, which all warps share, from shared memory where it fits. What several steps need of the matrix is
 * asked for at once, 8 loads a lane, and the first of it before anything else: a weight does not wait for whoever makes A. An element's sum is
 * that of its lanes, each in k's order, in a fixed tree: M and COLS change no bit of it.
 *
 * Around a product. A norm that makes A, a gate that takes C (all of it: gate, then up), rotary positions that turn C and the pages that keys and values
 * then go to are done here if they stand next to it on the list: each kernel less saves the time in which the memory would have nothing to do. They
 * write what they would have written by themselves, to the bit. Where pairs of columns belong together, a warp has both.
 */
#include "attention_tile.cuh"
#include "gemm.cuh"

enum { WARPS = 4, STEP = 256, LOADS = 8, TURN_LOADS = 12, MOST_STAGED = 72 << 10 };    /* MOST_STAGED: three blocks to a multiprocessor */

/* Eight numbers on their way. A weight's (`once`: nobody reads them again soon) are asked for where that is written, before wait_for_last or behind it. */
template <bool HALF> struct eight;
template <> struct eight<true> {
	uint4 v;
	__device__ __forceinline__ void clear() { v = make_uint4(0, 0, 0, 0); }
	__device__ __forceinline__ void once(const void *p, int64_t at) { v = load_once((const uint4 *)((const uint16_t *)p + at)); }
	__device__ __forceinline__ void read(const void *p, int64_t at) { v = *(const uint4 *)((const uint16_t *)p + at); }
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
	uint4 v[2];
	__device__ __forceinline__ void clear() { v[0] = v[1] = make_uint4(0, 0, 0, 0); }
	__device__ __forceinline__ void once(const void *p, int64_t at)
	{
		v[0] = load_once((const uint4 *)((const float *)p + at));
		v[1] = load_once((const uint4 *)((const float *)p + at) + 1);
	}
	__device__ __forceinline__ void read(const void *p, int64_t at)
	{
		v[0] = *(const uint4 *)((const float *)p + at);
		v[1] = *((const uint4 *)((const float *)p + at) + 1);
	}
	__device__ __forceinline__ void to(float *x) const
	{
		const uint32_t w[8] = {v[0].x, v[0].y, v[0].z, v[0].w, v[1].x, v[1].y, v[1].z, v[1].w};

#pragma unroll
		for (int i = 0; i < 8; i++)
			x[i] = __uint_as_float(w[i]);
	}
};

/* How A and B are kept, and what is around */
enum kind { FULL, MIXED, HALVES, NORMED, GATED, NORMED_GATED, TURNED, NORMED_TURNED };
template <int KIND, int M, int COLS> struct form {
	static const bool normed = KIND == NORMED || KIND == NORMED_GATED || KIND == NORMED_TURNED;
	static const bool gated = KIND == GATED || KIND == NORMED_GATED, turned = KIND >= TURNED, pairs = gated || turned;
	static const bool a_half = KIND >= HALVES, b_half = KIND >= MIXED;
	enum { UNROLL = (turned ? TURN_LOADS : LOADS) / COLS / (b_half ? 1 : 2), EACH = pairs ? COLS / 2 : COLS };     /* EACH: columns, or pairs of them, of a warp */
	static __host__ __device__ __forceinline__ int64_t all(const struct product &g) { return pairs ? g.n / 2 : g.n; }
};

/* Column j of a warp that begins at `first`; what is behind the last is the last again, and not written. */
template <int KIND, int COLS> static __device__ __forceinline__ int64_t column(const struct few &f, int64_t first, int j)
{
	typedef form<KIND, 1, COLS> form;
	const int64_t at = min(first + j % form::EACH, form::all(f.g) - 1);

	if constexpr (form::turned) {
		const int half = f.turn.w.dim / 2;

		return at + (int)at / half * half + j / form::EACH * half;
	} else {
		return at + j / form::EACH * (f.g.n / 2);
	}
}

/* Where k has no more steps there are zeros. */
template <int KIND, int M, int COLS> static __device__ __forceinline__ void few_read(eight<form<KIND, M, COLS>::b_half> (*b)[COLS], const struct few &f, int64_t first,
										     int64_t k)
{
	const struct product &g = f.g;

#pragma unroll
	for (int u = 0; u < form<KIND, M, COLS>::UNROLL; u++)
#pragma unroll
		for (int j = 0; j < COLS; j++) {
			b[u][j].clear();
			if (k + u * STEP < g.k)
				b[u][j].once(g.b, column<KIND, COLS>(f, first, j) * g.ldb + k + u * STEP);
		}
}

/* a: A, or the block's copy in shared memory */
template <int KIND, int M, int COLS> static __device__ __forceinline__ void few_steps(const struct product &g, const void *a, int64_t lda,
										      const eight<form<KIND, M, COLS>::b_half> (*b)[COLS], int64_t k, float (*sum)[COLS])
{
#pragma unroll
	for (int u = 0; u < form<KIND, M, COLS>::UNROLL; u++) {
		float w[COLS][8];

#pragma unroll
		for (int j = 0; j < COLS; j++)
			b[u][j].to(w[j]);
#pragma unroll
		for (int i = 0; i < M; i++) {
			eight<form<KIND, M, COLS>::a_half> y;
			float x[8];

			y.clear();
			if (k + u * STEP < g.k)
				y.read(a, i * lda + k + u * STEP);
			y.to(x);
#pragma unroll
			for (int j = 0; j < COLS; j++)
#pragma unroll
				for (int q = 0; q < 8; q++)
					sum[i][j] = fmaf(x[q], w[j][q], sum[i][j]);
		}
	}
}

/* A of bfloat16 in shared memory: from there a step's numbers come in a tenth of the time, and each is read by four warps. */
template <int M> static __device__ __forceinline__ void stage(const struct product &g, uint16_t *to)
{
	for (int i = 0; i < M; i++)
		for (int64_t k = threadIdx.x * 8; k < g.k; k += WARPS * 32 * 8)
			copy_async(to + i * g.k + k, (const uint16_t *)g.a + i * g.lda + k, true);
	copies_arrived();
	__syncthreads();
}

/* The norm of M rows, rounded, in `to`; the first block writes what the norm itself would have. The sums are those of rows.cu's rmsnorm_rows: a warp for
 * short rows, else NORM_THREADS threads, of which a thread here is two. */
template <int M> static __device__ void normalise(const struct normed &n, uint16_t *to)
{
	enum { TWICE = NORM_THREADS / (WARPS * 32) };
	__shared__ float room[M][NORM_THREADS / 32];
	const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
	const bool by_warp = n.cols <= NORM_SHORT;

	for (int i = by_warp ? warp : 0; i < M; i += by_warp ? WARPS : 1)
		for (int h = 0; h < (by_warp ? 1 : TWICE); h++) {
			const int64_t from = by_warp ? lane : threadIdx.x + h * WARPS * 32, step = by_warp ? 32 : NORM_THREADS;
			float sum = 0;

			for (int64_t k = 4 * from; k < n.cols; k += 4 * step) {
				const vec<4> x = load<4>(n.x + i * n.cols + k);

				for (int j = 0; j < 4; j++)
					sum = fmaf(x.x[j], x.x[j], sum);
			}
			sum = warp_sum(sum);
			if (lane == 0)
				room[i][by_warp ? 0 : warp + h * WARPS] = sum;
		}
	__syncthreads();
	for (int i = 0; i < M; i++) {
		float sum = by_warp ? room[i][0] : 0, rstd;

		for (int j = 0; !by_warp && j < NORM_THREADS / 32; j++)
			sum += room[i][j];
		rstd = 1 / sqrtf(sum / (float)n.cols + n.eps);
		for (int64_t k = 4 * threadIdx.x; k < n.cols; k += 4 * WARPS * 32) {
			const vec<4> x = load<4>(n.x + i * n.cols + k), w = load<4>(n.w + k);
			vec<4> y;

			for (int j = 0; j < 4; j++)
				y.x[j] = x.x[j] * rstd * w.x[j];
			store(to + i * n.cols + k, y);
			if (blockIdx.x == 0)
				store((uint16_t *)n.out + i * n.cols + k, y);
		}
		if (blockIdx.x == 0 && threadIdx.x == 0 && n.rstd)
			n.rstd[i] = rstd;
	}
	__syncthreads();
}

/* What turns a lane's number, of a row and of the pair of columns that its warp has next. Tables come with copies: all of it may be read before wait_for_last. */
struct turning {
	const float *cos_sin;                   /* of the row's position */
	int64_t place;                          /* in the pages */
	int head;
	float cos, sin;
	__device__ __forceinline__ void row(const struct turn &t, int row)
	{
		cos_sin = t.cos_sin + (int64_t)__ldcg(t.position + row) * t.w.dim;
		place = t.w.to_k ? page_place(t.w, row) : 0;
	}
	__device__ __forceinline__ void pair(const struct turn &t, int64_t first)
	{
		const int half = t.w.dim / 2, j = (int)first % half;

		head = (int)first / half;
		if (head < t.heads) {
			cos = __ldcg(cos_sin + j);
			sin = __ldcg(cos_sin + half + j);
		}
	}
	/* x, or its partner `other`, is the first of the pair */
	__device__ __forceinline__ float turned(const struct turn &t, float x, float other, bool second) const
	{
		if (head >= t.heads)
			return x;
		return second ? turn_second(other, x, cos, sin) : turn_first(x, other, cos, sin);
	}
	/* Column `col` of the row is a query's: NULL. */
	__device__ __forceinline__ uint16_t *page(const struct turn &t, int64_t col) const
	{
		const int values = (int)t.heads, keys = values - t.w.kv_heads;

		if (!t.w.to_k || head < keys)
			return NULL;
		return (uint16_t *)(head < values ? t.w.to_k : t.w.to_v) + place + (head - (head < values ? keys : values)) * (int64_t)KV_PAGE * t.w.dim + col - (int64_t)head * t.w.dim;
	}
};

/* Lane i * COLS + j writes element (i, j), which all lanes have. */
template <int KIND, int M, int COLS> static __device__ __forceinline__ void few_write(const struct few &f, float (*sum)[COLS], int64_t first, const struct turning &t)
{
	typedef form<KIND, M, COLS> form;
	const struct product &g = f.g;
	const int lane = threadIdx.x % 32, i = lane / COLS, j = lane % COLS;
	const bool mine = i < M && first + j % form::EACH < form::all(g);
	const int64_t col = column<KIND, COLS>(f, first, j), at = i * g.ldc + col;
	float x = 0;

#pragma unroll
	for (int u = 0; u < M; u++)
#pragma unroll
		for (int v = 0; v < COLS; v++) {
			const float y = warp_sum(sum[u][v]);

			x = u == i && v == j ? y : x;
		}
	if (mine && g.bias)
		x += g.bias[col];
	if (mine && g.plus)
		x += number(g.plus, g.c_half, at);
	if constexpr (form::turned) {
		static_assert(COLS == 2, "a pair to a warp");
		uint16_t *to = t.page(f.turn, col);

		x = from_bf16(to_bf16(x));
		x = t.turned(f.turn, x, __shfl_xor_sync(ALL_LANES, x, 1), j);
		if (mine && to)
			*to = to_bf16(x);
	}
	if (mine)
		put_number(g.c, g.c_half, at, x);
	if constexpr (form::gated) {
		const float gate = from_bf16(to_bf16(x)), up = __shfl_down_sync(ALL_LANES, gate, COLS / 2);

		if (mine && j < COLS / 2)
			((uint16_t *)f.gated)[i * (g.n / 2) + col] = to_bf16(gate * sigmoid(gate) * up);
	}
}

template <int KIND, int M, int COLS> static __global__ void __launch_bounds__(WARPS * 32, form<KIND, M, COLS>::turned ? 3 : 1) few_rows(struct few f)
{
	typedef form<KIND, M, COLS> form;
	enum { EACH = form::EACH, UNROLL = form::UNROLL };
	const struct product &g = f.g;
	const int64_t k0 = threadIdx.x % 32 * 8, all = form::all(g), step = (int64_t)gridDim.x * WARPS * EACH;
	int64_t first = ((int64_t)blockIdx.x * WARPS + threadIdx.x / 32) * EACH, k = k0;
	DYNAMIC_SHARED(uint16_t, room);
	eight<form::b_half> b[UNROLL][COLS];
	float sum[M][COLS] = {};
	const void *a = g.a;
	int64_t lda = g.lda;
	struct turning t = {};

	next_may_start();
	few_read<KIND, M, COLS>(b, f, first, k);
	if constexpr (form::turned) {
		t.row(f.turn, min((int)threadIdx.x % 32 / COLS, M - 1));
		t.pair(f.turn, min(first, all - 1));
	}
	if (g.bias && threadIdx.x % 32 < COLS)          /* what is needed in the end, or by the norm, and nobody read lately */
		prefetch(g.bias + column<KIND, COLS>(f, first, threadIdx.x % 32));
	if constexpr (form::normed)
		for (int64_t i = threadIdx.x * 32; i < g.k; i += WARPS * 32 * 32)
			prefetch(f.n.w + i);
	wait_for_last();
	if constexpr (form::normed)
		normalise<M>(f.n, room);
	else if constexpr (form::a_half)
		if (f.staged)
			stage<M>(g, room);
	if (f.staged) {
		a = room;
		lda = g.k;
	}
	while (first < all) {
		few_steps<KIND, M, COLS>(g, a, lda, b, k, sum);
		k += UNROLL * STEP;
		if (k - k0 < g.k) {
			few_read<KIND, M, COLS>(b, f, first, k);
			continue;
		}
		few_write<KIND, M, COLS>(f, sum, first, t);
		for (int i = 0; i < M; i++)
			for (int j = 0; j < COLS; j++)
				sum[i][j] = 0;
		first += step;
		k = k0;
		if (first < all) {
			few_read<KIND, M, COLS>(b, f, first, k);
			if constexpr (form::turned)
				t.pair(f.turn, first);
		}
	}
}

/* Each block makes the norm anew: so there are few to a multiprocessor, as many as leave the fewest warps without work in the last round; of as good ones
 * the most, since what a warp does first is read early. */
static int64_t blocks_with_norm(struct cuda *c, int64_t blocks)
{
	int64_t best = blocks;
	double least = INFINITY;

	for (int64_t k = 6; k >= 2 && blocks > 2 * c->multiprocessors; k--) {
		const int64_t some = k * c->multiprocessors, rounds = div_up(blocks, some);
		const double spare = (double)(rounds * some) / (double)blocks;

		if (spare < least - 0.01) {
			least = spare;
			best = some;
		}
	}
	return best;
}

template <int KIND, int COLS> static void start_columns(struct cuda *c, const struct few *f, bool early)
{
	static void (*const by_rows[FEW + 1])(struct few) = {
		NULL, few_rows<KIND, 1, COLS>, few_rows<KIND, 2, COLS>, few_rows<KIND, 3, COLS>, few_rows<KIND, 4, COLS>, few_rows<KIND, 5, COLS>,
		few_rows<KIND, 6, COLS>, few_rows<KIND, 7, COLS>, few_rows<KIND, 8, COLS>};
	typedef form<KIND, 1, COLS> form;
	const struct product *g = &f->g;
	const int64_t blocks = div_up(form::all(*g), WARPS * form::EACH);

	cuda_launch(c, by_rows[g->m], (unsigned)(form::normed ? blocks_with_norm(c, blocks) : blocks), WARPS * 32,
		    f->staged ? (size_t)(g->m * g->k) * sizeof(uint16_t) : 0, *f, early, LAST_FEW);
}

template <int KIND> static void start(struct cuda *c, const struct few *f)
{
	/* Warps that keep the memory busy; of many rows A's numbers, which each warp reads for all of its columns, are what takes longer */
	const int64_t lanes = (int64_t)c->multiprocessors * (f->g.m < 4 ? 16 : 4);
	const bool early = f->weight && c->weights_written < c->solid;

	if constexpr (form<KIND, 1, 2>::turned)
		start_columns<KIND, 2>(c, f, early);
	else if constexpr (form<KIND, 1, 4>::gated)
		start_columns<KIND, 4>(c, f, early);
	else if (f->g.n >= 4 * lanes)
		start_columns<KIND, 4>(c, f, early);
	else if (f->g.n >= 2 * lanes)
		start_columns<KIND, 2>(c, f, early);
	else
		start_columns<KIND, 1>(c, f, early);
}

static void start_any(struct cuda *c, const struct few *f)
{
	if (f->n.x && f->turn.cos_sin)
		start<NORMED_TURNED>(c, f);
	else if (f->turn.cos_sin)
		start<TURNED>(c, f);
	else if (f->n.x && f->gated)
		start<NORMED_GATED>(c, f);
	else if (f->n.x)
		start<NORMED>(c, f);
	else if (f->gated)
		start<GATED>(c, f);
	else if (f->g.a_half)
		start<HALVES>(c, f);
	else if (f->g.b_half)
		start<MIXED>(c, f);
	else
		start<FULL>(c, f);
}

/* Whether what a norm reads is not what the product writes: each block reads it. */
static bool undisturbed(const struct normed *n, const struct product *g)
{
	return apart(g->c, product_bytes(g), n->x, n->rows * n->cols * 4) && apart(g->c, product_bytes(g), n->w, n->cols * 4);
}

bool cuda_gemm_few(struct cuda *c, const struct product *g, bool weight)
{
	const struct normed *last;
	struct few f;

	if (g->m > FEW || g->batch > 1 || !g->trans_b || g->trans_a || g->k % 8 || g->lda % (g->a_half ? 8 : 4) || g->ldb % 8)
		return false;
	if (g->a_half && !g->b_half)            /* of adapters alone */
		return false;
	if (((uintptr_t)g->a | (uintptr_t)g->b) % 16)
		return false;
	memset(&f, 0, sizeof f);
	f.g = *g;
	f.weight = weight;
	f.staged = g->a_half && g->m * g->k * 2 <= MOST_STAGED && g->m * g->k * 2 <= (int64_t)c->shared_most;
	last = cuda_last_launch<struct normed>(c, LAST_NORM);
	if (last && g->a_half && last->half && last->out == g->a && last->rows == g->m && last->cols == g->k && g->lda == g->k && f.staged &&
	    ((uintptr_t)last->x | (uintptr_t)last->w) % 16 == 0 && undisturbed(last, g)) {
		f.n = *last;
		cuda_take_back(c);
	}
	start_any(c, &f);
	return true;
}

bool cuda_gate_few(struct cuda *c, void *out, const void *gate_up, int64_t rows, int64_t cols)
{
	const struct few *last = cuda_last_launch<struct few>(c, LAST_FEW);
	struct few f;

	if (!last || last->gated || last->turn.cos_sin || !last->g.a_half || !last->g.c_half || last->g.c != gate_up || last->g.plus || last->g.m != rows || last->g.n != 2 * cols ||
	    last->g.ldc != 2 * cols)
		return false;
	if (!apart(out, rows * cols * 2, last->g.a, ((rows - 1) * last->g.lda + last->g.k) * 2) ||      /* what the other blocks read */
	    (last->n.x && !apart(out, rows * cols * 2, last->n.x, rows * last->n.cols * 4)))
		return false;
	f = *last;
	f.gated = out;
	cuda_take_back(c);
	start_any(c, &f);
	return true;
}

bool cuda_turn_few(struct cuda *c, const struct rope *r)
{
	const struct few *last = cuda_last_launch<struct few>(c, LAST_FEW);
	struct few f;

	if (!last || last->gated || last->turn.cos_sin || !last->g.a_half || !last->g.c_half || !r->half || last->g.c != r->x || r->out != r->x ||
	    last->g.m != r->rows || last->g.ldc != r->x_stride || r->out_stride != r->x_stride || r->x_head != r->head_dim || r->out_head != r->head_dim ||
	    last->g.n % r->head_dim || r->heads * r->head_dim > last->g.n || r->interleaved || r->inverse)
		return false;
	f = *last;
	f.turn.position = r->position, f.turn.cos_sin = r->cos_sin;
	f.turn.heads = r->heads, f.turn.w.dim = (int32_t)r->head_dim;
	cuda_take_back(c);
	start_any(c, &f);
	return true;
}

bool cuda_pages_few(struct cuda *c, const struct write_pages *w, const struct attention *a)
{
	const struct few *last = cuda_last_launch<struct few>(c, LAST_FEW);
	struct few f;

	if (!last || !last->turn.cos_sin || last->turn.w.to_k || last->g.c != a->qkv || last->g.ldc != a->qkv_stride || last->g.m != a->rows ||
	    last->turn.w.dim != a->head_dim || last->turn.heads != a->heads + a->kv_heads || last->g.n != (a->heads + 2 * a->kv_heads) * a->head_dim || !a->half)
		return false;
	f = *last;
	f.turn.w = *w;
	cuda_take_back(c);
	start_any(c, &f);
	return true;
}
