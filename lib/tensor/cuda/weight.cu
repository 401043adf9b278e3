/* weight.cu - weights in dense rows, of float32 or bfloat16 (panels are for the CPU, and dense rows here): filled from the host, looked up */
#include "cuda.cuh"
#include "device.cuh"

#define PIECE ((int64_t)8 << 20)        /* numbers that are converted at once */

static size_t size_of(enum weight_type type)
{
	return type == WEIGHT_BF16 ? sizeof(uint16_t) : sizeof(float);
}

static struct packed *op_pack(struct backend *be, int64_t n, int64_t k, enum weight_type type, bool panels)
{
	struct packed *p = (struct packed *)xmalloc(sizeof *p);

	(void)panels;
	*p = packed();
	p->n = n;
	p->k = k;
	p->type = type;
	p->data = be->alloc(be, (size_t)(n * k) * size_of(type));
	return p;
}

static void op_unpack(struct backend *be, struct packed *p)
{
	if (!p)
		return;
	be->free(be, p->data);
	free(p);
}

struct convert {
	void *to;
	const void *from;
	int64_t n;
	int64_t widen;          /* from bfloat16 to float32, else the other way */
};

static __global__ void convert_numbers(struct convert a)
{
	for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < a.n; i += (int64_t)gridDim.x * blockDim.x)
		if (a.widen)
			((float *)a.to)[i] = from_bf16(((const uint16_t *)a.from)[i]);
		else
			((uint16_t *)a.to)[i] = to_bf16(((const float *)a.from)[i]);
}

static void convert_all(struct cuda *c, void *to, const void *from, int64_t n, bool widen)
{
	struct convert a = {to, from, n, widen};

	cuda_launch(c, convert_numbers, cuda_grid(n, 1024), 256, 0, a);
	c->weights_written = c->added;
}

static void op_pack_rows(struct backend *be, struct packed *to, int64_t from, int64_t rows, const void *host, enum weight_type type)
{
	struct cuda *c = cuda_of(be);
	char *at = (char *)to->data + (size_t)(from * to->k) * size_of(to->type);
	const char *numbers = (const char *)host;
	int64_t n = rows * to->k, some;

	if (type == to->type) {
		cuda_upload(c, at, host, (size_t)n * size_of(type));
		return;
	}
	for (; n > 0; n -= some, at += (size_t)some * size_of(to->type), numbers += (size_t)some * size_of(type)) {
		some = MIN(n, PIECE);
		void *room = cuda_scratch_of(c, SCRATCH_A, (size_t)some * size_of(type));

		cuda_upload(c, room, numbers, (size_t)some * size_of(type));
		convert_all(c, at, room, some, type == WEIGHT_BF16);
	}
}

struct lookup {
	float *out;
	const void *table;
	const int32_t *id;
	int64_t rows, cols;
	int64_t half;
};

static __global__ void embed_rows(struct lookup a)
{
	const int64_t n = a.rows * a.cols;

	for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
		const int64_t at = (int64_t)a.id[i / a.cols] * a.cols + i % a.cols;

		a.out[i] = a.half ? from_bf16(((const uint16_t *)a.table)[at]) : ((const float *)a.table)[at];
	}
}

static __global__ void embed_fours(struct lookup a)
{
	const int64_t each = a.cols / 4, n = a.rows * each;

	for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
		const int64_t at = (int64_t)a.id[i / each] * a.cols + i % each * 4;

		if (a.half) {
			const uint2 h = *(const uint2 *)((const uint16_t *)a.table + at);

			*(float4 *)(a.out + 4 * i) = make_float4(__uint_as_float(h.x << 16), __uint_as_float(h.x & 0xffff0000), __uint_as_float(h.y << 16),
								 __uint_as_float(h.y & 0xffff0000));
		} else {
			*(float4 *)(a.out + 4 * i) = *(const float4 *)((const float *)a.table + at);
		}
	}
}

static void look_up(struct cuda *c, const struct lookup *a)
{
	const bool fours = a->cols % 4 == 0 && ((uintptr_t)a->out | (uintptr_t)a->table) % 16 == 0;

	cuda_launch(c, fours ? embed_fours : embed_rows, cuda_grid(a->rows * a->cols, fours ? 1024 : 256), 256, 0, *a);
}

static void op_embed(struct backend *be, float *out, const float *table, const int32_t *id, int64_t rows, int64_t cols)
{
	struct lookup a = {out, table, id, rows, cols, 0};

	look_up(cuda_of(be), &a);
}

static void op_embed_packed(struct backend *be, float *out, const struct packed *table, const int32_t *id, int64_t rows)
{
	struct lookup a = {out, table->data, id, rows, table->k, table->type == WEIGHT_BF16};

	look_up(cuda_of(be), &a);
}

static void op_widen(struct backend *be, float *to, const uint16_t *from, int64_t n)
{
	convert_all(cuda_of(be), to, from, n, true);
}

void cuda_weight_ops(struct backend *be)
{
	be->pack = op_pack;
	be->pack_rows = op_pack_rows;
	be->unpack = op_unpack;
	be->embed = op_embed;
	be->embed_packed = op_embed_packed;
	be->widen = op_widen;
}
