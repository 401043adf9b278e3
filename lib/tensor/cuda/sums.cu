/* sums.cu - sums over rows and over everything, each in an order that sizes alone fix */
#include "cuda.cuh"
#include "device.cuh"

static const int THREADS = 256, COLUMNS = 32, LANES = 8;
static const int64_t PARTS = 256, LEAST_ROWS = 64;

/* ---- sums of columns: of d, or of d x rstd (the gradient of a norm's weight). Parts of the rows first, then the parts in their order ---- */

struct column_sums {
	float *to;                      /* [parts][cols]; in the second step [cols], added to */
	const void *d;
	const float *x, *rstd;          /* x NULL: d alone */
	int64_t rows, cols, each;       /* each: rows of a part */
	int64_t half;                   /* d is of bfloat16 */
};

/* COLUMNS columns of a part's rows: LANES threads to a column, which is summed by rows i, i + LANES, ... and then over the lanes */
static __global__ void __launch_bounds__(COLUMNS * LANES) sum_parts(struct column_sums a)
{
	__shared__ float room[LANES][COLUMNS];
	const int64_t col = (int64_t)blockIdx.x * COLUMNS + threadIdx.x, first = (int64_t)blockIdx.y * a.each;
	const int64_t end = first + a.each < a.rows ? first + a.each : a.rows;
	float sum = 0;

	for (int64_t i = first + threadIdx.y; col < a.cols && i < end; i += LANES) {
		const float d = number(a.d, (int32_t)a.half, i * a.cols + col);

		sum += a.x ? d * a.x[i * a.cols + col] * a.rstd[i] : d;
	}
	room[threadIdx.y][threadIdx.x] = sum;
	__syncthreads();
	if (threadIdx.y || col >= a.cols)
		return;
	for (int i = 1; i < LANES; i++)
		sum += room[i][threadIdx.x];
	a.to[(int64_t)blockIdx.y * a.cols + col] = sum;
}

static __global__ void add_parts(struct column_sums a)
{
	const int64_t col = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
	float sum = 0;

	if (col >= a.cols)
		return;
	for (int64_t i = 0; i < a.rows; i++)
		sum += ((const float *)a.d)[i * a.cols + col];
	a.to[col] += sum;
}

void cuda_add_parts(struct cuda *c, float *to, const float *parts, int64_t n, int64_t cols)
{
	const struct column_sums all = {to, parts, NULL, NULL, n, cols, 0, 0};

	cuda_launch(c, add_parts, cuda_grid(cols, 64), 64, 0, all);
}

void cuda_add_columns(struct cuda *c, float *to, const void *d, bool half, const float *x, const float *rstd, int64_t rows, int64_t cols)
{
	const int64_t each = MAX(LEAST_ROWS, div_up(rows, PARTS)), parts = div_up(rows, each);
	struct column_sums a = {NULL, d, x, rstd, rows, cols, each, half};

	a.to = (float *)cuda_scratch_of(c, SCRATCH_SUMS, (size_t)(parts * cols) * sizeof *a.to);
	cuda_launch(c, sum_parts, dim3((unsigned)div_up(cols, COLUMNS), (unsigned)parts), dim3(COLUMNS, LANES), 0, a);
	cuda_add_parts(c, to, a.to, parts, cols);
}

static void op_bias_back(struct backend *be, float *dbias, const void *dout, int64_t rows, int64_t cols, bool half)
{
	cuda_add_columns(cuda_of(be), dbias, dout, half, NULL, NULL, rows, cols);
}

/* ---- gradients of rows that were looked up ---- */

struct gather {
	float *table;
	const float *d;
	const int32_t *id;
	int64_t rows, cols;
};

/* A block for each row: that of an id's first row adds all rows with that id, in their order; the others have nothing to do. */
static __global__ void __launch_bounds__(THREADS) add_by_id(struct gather a)
{
	__shared__ int32_t found[THREADS];
	__shared__ int32_t counts[THREADS / 32];
	const int64_t me = blockIdx.x, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
	const int32_t id = a.id[me];
	float *to = a.table + (int64_t)id * a.cols;
	int64_t from;

	for (from = 0; from < me; from += THREADS)
		if (__syncthreads_or(from + threadIdx.x < me && a.id[from + threadIdx.x] == id))
			return;
	for (from = me; from < a.rows; from += THREADS) {
		const bool mine = from + threadIdx.x < a.rows && a.id[from + threadIdx.x] == id;
		const unsigned which = __ballot_sync(ALL_LANES, mine);
		int n = 0, before = 0;

		__syncthreads();                        /* the last round's are used no more */
		if (lane == 0)
			counts[warp] = __popc(which);
		__syncthreads();
		for (int i = 0; i < THREADS / 32; i++) {
			before += i < warp ? counts[i] : 0;
			n += counts[i];
		}
		if (mine)
			found[before + __popc(which & ((1u << lane) - 1))] = (int32_t)(from + threadIdx.x);
		__syncthreads();
		for (int64_t col = threadIdx.x; n && col < a.cols; col += THREADS) {
			float sum = to[col];

			for (int i = 0; i < n; i++)
				sum += a.d[(int64_t)found[i] * a.cols + col];
			to[col] = sum;
		}
	}
}

static void op_embed_back(struct backend *be, float *dtable, const float *dout, const int32_t *id, int64_t rows, int64_t cols, int64_t vocab)
{
	const struct gather a = {dtable, dout, id, rows, cols};

	(void)vocab;
	cuda_launch(cuda_of(be), add_by_id, (unsigned)rows, THREADS, 0, a);
}

/* ---- sums of squares ---- */

struct squares {
	double *to;
	const float *x;
	int64_t n;
};

static __global__ void __launch_bounds__(THREADS) square_chunks(struct squares a)
{
	__shared__ double room[32];
	const int64_t first = (int64_t)blockIdx.x * SQUARES, end = first + SQUARES < a.n ? first + SQUARES : a.n;
	double sum = 0;

	for (int64_t i = first + threadIdx.x; i < end; i += THREADS)
		sum += (double)a.x[i] * (double)a.x[i];
	sum = block_sum(sum, room);
	if (threadIdx.x == 0)
		a.to[blockIdx.x] = sum;
}

static void op_squares(struct backend *be, const float *x, int64_t n, double *part)
{
	struct cuda *c = cuda_of(be);
	const int64_t chunks = div_up(n, SQUARES);
	const struct squares a = {(double *)cuda_scratch_of(c, SCRATCH_SUMS, (size_t)chunks * sizeof *part), x, n};

	if (n <= 0)
		return;
	cuda_launch(c, square_chunks, (unsigned)chunks, THREADS, 0, a);
	cuda_download(c, part, a.to, (size_t)chunks * sizeof *part);
}

void cuda_sums_ops(struct backend *be)
{
	be->bias_back = op_bias_back;
	be->embed_back = op_embed_back;
	be->squares = op_squares;
}
