/* attention_back.cu - the gradient of attention in float32, without the scores of the way there: they are made again from lse (Dao 2023,
 * arXiv:2307.08691, algorithm 2)
 *
 * dk and dv of a tile of keys are summed in one block over all rows that see them, of all heads that share them; dq of a tile of rows in another
 * kernel, over the keys. So no sum has two writers, and its order is fixed.
 */
#include "attention_tile.cuh"

/* From scores x = u w^T and y = dout v^T: p and ds, into x and y */
template <int RT> static __device__ __forceinline__ void gradient_of(float (&x)[RT][RT], float (&y)[RT][RT], int i, int j, bool seen, float scale, float scale2,
								     float lse2, float delta)
{
	x[i][j] = seen ? exp2f(fmaf(x[i][j], scale2, -lse2)) : 0;
	y[i][j] = seen ? scale * x[i][j] * (y[i][j] - delta) : 0;
}

/* [M][stride] each of k, v, q, dout; [M][P] of p, then ds; lse and delta of the rows */
template <int RT, int NC> static __global__ void __launch_bounds__(TILE_THREADS) back_keys(struct attend_back z)
{
	const struct attend &a = z.a;
	const int M = 16 * RT, P = M + 4, width4 = (max(a.dk, 64 * NC) + 3) / 4, stride = tile_stride(width4), n4 = (a.dk + 3) / 4;
	const int tx = threadIdx.x % 16, ty = threadIdx.x / 16, g = blockIdx.y;
	const struct tile t = a.tile[blockIdx.x];
	DYNAMIC_SHARED(float, k);
	float *v = k + M * stride, *q = v + M * stride, *dout = q + M * stride, *p = dout + M * stride, *lse2 = p + M * P, *delta = lse2 + M;
	float dk[RT][NC][4], dv[RT][NC][4], x[RT][RT], y[RT][RT];

	if (t.seq < 0)
		return;
	const struct device_seq of = a.b.seq[t.seq];
	const int keys = min(M, of.n - t.first), end = of.n * a.each;

	tile_load(k, stride, M, width4, keys, a.dk, a.wide, [&](int j) { return key_of(a, of, t.seq, g, a.k, a.dk, t.first + j); });
	tile_load(v, stride, M, width4, keys, a.dk, a.wide, [&](int j) { return key_of(a, of, t.seq, g, a.v, a.dk, t.first + j); });
#pragma unroll
	for (int i = 0; i < RT; i++)
#pragma unroll
		for (int c = 0; c < NC; c++)
#pragma unroll
			for (int e = 0; e < 4; e++)
				dk[i][c][e] = dv[i][c][e] = 0;
	for (int first = t.first * a.each; first < end; first += M) {
		const int rows = min(M, end - first);

		__syncthreads();
		tile_load(q, stride, M, width4, rows, a.dk, a.wide, [&](int r) { return query_of(a, of, g, first + r); });
		tile_load(dout, stride, M, width4, rows, a.dk, a.wide, [&](int r) { return (const float *)z.dout + row_of(a, of, g, first + r) * a.dk; });
		if (threadIdx.x < M) {
			const int64_t at = row_of(a, of, g, first + min((int)threadIdx.x, rows - 1));

			lse2[threadIdx.x] = a.lse[at] * LOG2E;
			delta[threadIdx.x] = z.delta[at];
		}
		__syncthreads();
		tile_scores<RT>(x, k, q, stride, n4);
		tile_scores<RT>(y, v, dout, stride, n4);
#pragma unroll
		for (int j = 0; j < RT; j++) {
			const int r = tx + 16 * j, position = r < rows ? (first + r) / a.each : -1;

#pragma unroll
			for (int i = 0; i < RT; i++) {
				gradient_of<RT>(x, y, i, j, t.first + ty + 16 * i <= position, a.scale, a.scale2, lse2[r], delta[r]);
				p[(ty + 16 * i) * P + r] = x[i][j];
			}
		}
		__syncthreads();
		tile_gather<RT, NC>(dv, p, P, dout, stride);
		__syncthreads();
#pragma unroll
		for (int i = 0; i < RT; i++)
#pragma unroll
			for (int j = 0; j < RT; j++)
				p[(ty + 16 * i) * P + tx + 16 * j] = y[i][j];
		__syncthreads();
		tile_gather<RT, NC>(dk, p, P, q, stride);
	}
#pragma unroll
	for (int i = 0; i < RT; i++) {
		const int j = ty + 16 * i;
		const int64_t at = (of.row + t.first + j) * a.k_stride + (int64_t)g * a.dk;

		if (j < keys)
#pragma unroll
			for (int c = 0; c < NC; c++) {
				store4((float *)z.dk + at, 4 * tx + 64 * c, a.dk, a.wide, dk[i][c]);
				store4((float *)z.dv + at, 4 * tx + 64 * c, a.dk, a.wide, dv[i][c]);
			}
	}
}

/* [M][stride] each of q, dout, k, v; [M][P] of ds */
template <int RT, int NC> static __global__ void __launch_bounds__(TILE_THREADS) back_queries(struct attend_back z)
{
	const struct attend &a = z.a;
	const int M = 16 * RT, P = M + 4, width4 = (max(a.dk, 64 * NC) + 3) / 4, stride = tile_stride(width4), n4 = (a.dk + 3) / 4;
	const int tx = threadIdx.x % 16, ty = threadIdx.x / 16, g = blockIdx.y;
	const struct tile t = a.tile[blockIdx.x];
	DYNAMIC_SHARED(float, q);
	float *dout = q + M * stride, *k = dout + M * stride, *v = k + M * stride, *p = v + M * stride;
	float dq[RT][NC][4], x[RT][RT], y[RT][RT], lse2[RT], delta[RT];
	int position[RT];

	if (t.seq < 0)
		return;
	const struct device_seq of = a.b.seq[t.seq];
	const int rows = min(M, of.n * a.each - t.first), to = (t.first + rows - 1) / a.each + 1;

	tile_load(q, stride, M, width4, rows, a.dk, a.wide, [&](int r) { return query_of(a, of, g, t.first + r); });
	tile_load(dout, stride, M, width4, rows, a.dk, a.wide, [&](int r) { return (const float *)z.dout + row_of(a, of, g, t.first + r) * a.dk; });
#pragma unroll
	for (int i = 0; i < RT; i++) {
		const int r = t.first + min(ty + 16 * i, rows - 1);
		const int64_t at = row_of(a, of, g, r);

		position[i] = r / a.each;
		lse2[i] = a.lse[at] * LOG2E;
		delta[i] = z.delta[at];
#pragma unroll
		for (int c = 0; c < NC; c++)
#pragma unroll
			for (int e = 0; e < 4; e++)
				dq[i][c][e] = 0;
	}
	for (int first = 0; first < to; first += M) {
		__syncthreads();
		tile_load(k, stride, M, width4, to - first, a.dk, a.wide, [&](int j) { return key_of(a, of, t.seq, g, a.k, a.dk, first + j); });
		tile_load(v, stride, M, width4, to - first, a.dk, a.wide, [&](int j) { return key_of(a, of, t.seq, g, a.v, a.dk, first + j); });
		__syncthreads();
		tile_scores<RT>(x, q, k, stride, n4);
		tile_scores<RT>(y, dout, v, stride, n4);
#pragma unroll
		for (int i = 0; i < RT; i++)
#pragma unroll
			for (int j = 0; j < RT; j++) {
				gradient_of<RT>(x, y, i, j, first + tx + 16 * j <= position[i], a.scale, a.scale2, lse2[i], delta[i]);
				p[(ty + 16 * i) * P + tx + 16 * j] = y[i][j];
			}
		__syncthreads();
		tile_gather<RT, NC>(dq, p, P, k, stride);
	}
#pragma unroll
	for (int i = 0; i < RT; i++) {
		const int r = ty + 16 * i, position_of = (t.first + r) / a.each;
		float *to_row = (float *)z.dq + (of.row + position_of) * a.q_stride + (int64_t)(g * a.each + t.first + r - position_of * a.each) * a.dk;

		if (r < rows)
#pragma unroll
			for (int c = 0; c < NC; c++)
				store4(to_row, 4 * tx + 64 * c, a.dk, a.wide, dq[i][c]);
	}
}

static size_t shared_of(int64_t dim, int64_t nc, int64_t rt)
{
	return (size_t)(4 * 16 * rt * tile_stride(tile_width4((int)dim, (int)nc)) + 16 * rt * (16 * rt + 4 + 2)) * sizeof(float);
}

int64_t attention_back_full_rows(struct cuda *c, int64_t dim)
{
	const int64_t nc = div_up(dim, 64);

	if (dim <= 128 && shared_of(dim, nc, 4) <= c->shared_most)
		return 64;
	return shared_of(dim, nc, 2) <= c->shared_most ? 32 : 16;
}

template <int RT, int NC> static void launch(struct cuda *c, struct attend_back *z, const struct tiles *rows, const struct tiles *keys)
{
	const size_t shared = shared_of(z->a.dk, NC, RT);
	const unsigned heads = (unsigned)z->a.kv_heads;

	z->a.tile = keys->tile;
	cuda_launch(c, back_keys<RT, NC>, dim3(keys->count, heads), TILE_THREADS, shared, *z);
	z->a.tile = rows->tile;
	cuda_launch(c, back_queries<RT, NC>, dim3(rows->count, heads), TILE_THREADS, shared, *z);
}

void attention_back_full(struct cuda *c, struct attend_back *z, const struct tiles *rows, const struct tiles *keys)
{
	const int64_t nc = div_up(z->a.dk, 64), each = attention_back_full_rows(c, z->a.dk);

	if (nc > 4 || shared_of(z->a.dk, nc, each / 16) > c->shared_most) {
		cuda_fail("cuda: the gradient of attention with heads of %d", z->a.dk);
	}
	switch (each + nc) {
	case 65: launch<4, 1>(c, z, rows, keys); break;
	case 66: launch<4, 2>(c, z, rows, keys); break;
	case 33: launch<2, 1>(c, z, rows, keys); break;
	case 34: launch<2, 2>(c, z, rows, keys); break;
	case 35: launch<2, 3>(c, z, rows, keys); break;
	case 36: launch<2, 4>(c, z, rows, keys); break;
	case 19: launch<1, 3>(c, z, rows, keys); break;
	case 20: launch<1, 4>(c, z, rows, keys); break;
	}
}
