/* attention_full.cu - tiled attention in float32, of heads and latent: the softmax is made as the keys come (Dao et al. 2022, arXiv:2205.14135,
 * algorithm 1), so that scores exist for one tile at a time
 *
 * Queries and keys of a tile are in shared memory; the values take the place of the keys or, in latent attention, are the keys.
 */
#include "attention_tile.cuh"

template <int RT, int NC> static __global__ void __launch_bounds__(TILE_THREADS) attend_tiles(struct attend a)
{
	const int M = 16 * RT, P = M + 4, width4 = (max(a.dk, 64 * NC) + 3) / 4, stride = tile_stride(width4), k4 = (a.dk + 3) / 4;
	const int tx = threadIdx.x % 16, ty = threadIdx.x / 16, g = blockIdx.y;
	const struct tile t = a.tile[blockIdx.x];
	DYNAMIC_SHARED(float, q);
	float *k = q + M * stride, *p = k + M * stride;
	float sum[RT][NC][4], max_of[RT], sum_of[RT], s[RT][RT];
	int position[RT];

	if (t.seq < 0)
		return;
	const struct device_seq of = a.b.seq[t.seq];
	const int rows = min(M, of.n * a.each - t.first), seen = of.past + (t.first + rows - 1) / a.each + 1;
	const int from = blockIdx.z ? (int)blockIdx.z * a.chunk : 0, to = seen - from > a.chunk ? from + a.chunk : seen;

	if (from >= to)
		return;
	tile_load(q, stride, M, width4, rows, a.dk, a.wide, [&](int r) { return query_of(a, of, g, t.first + r); });
#pragma unroll
	for (int i = 0; i < RT; i++) {
		position[i] = of.past + (t.first + min(ty + 16 * i, rows - 1)) / a.each;
		max_of[i] = -INFINITY;
		sum_of[i] = 0;
#pragma unroll
		for (int c = 0; c < NC; c++)
#pragma unroll
			for (int e = 0; e < 4; e++)
				sum[i][c][e] = 0;
	}
	for (int first = from; first < to; first += M) {
		__syncthreads();
		tile_load(k, stride, M, width4, to - first, a.dk, a.wide, [&](int j) { return key_of(a, of, t.seq, g, a.k, a.dk, first + j); });
		__syncthreads();
		tile_scores<RT>(s, q, k, stride, k4);
#pragma unroll
		for (int i = 0; i < RT; i++) {
			float most = max_of[i], by, more = 0;

#pragma unroll
			for (int j = 0; j < RT; j++) {
				const int key = first + tx + 16 * j;

				s[i][j] = key <= position[i] && key < to ? s[i][j] * a.scale2 : -INFINITY;
				most = fmaxf(most, s[i][j]);
			}
			most = row_max(most);           /* a row sees the first key of the first tile: never -inf */
			by = exp2f(max_of[i] - most);
			max_of[i] = most;
#pragma unroll
			for (int j = 0; j < RT; j++) {
				s[i][j] = exp2f(s[i][j] - most);
				more += s[i][j];
				p[(ty + 16 * i) * P + tx + 16 * j] = s[i][j];
			}
			sum_of[i] = fmaf(sum_of[i], by, row_sum(more));
#pragma unroll
			for (int c = 0; c < NC; c++)
#pragma unroll
				for (int e = 0; e < 4; e++)
					sum[i][c][e] *= by;
		}
		__syncthreads();
		if (a.v != a.k) {
			tile_load(k, stride, M, width4, to - first, a.dv, a.wide, [&](int j) { return key_of(a, of, t.seq, g, a.v, a.dv, first + j); });
			__syncthreads();
		}
		tile_gather<RT, NC>(sum, p, P, k, stride);
	}
#pragma unroll
	for (int i = 0; i < RT; i++) {
		const int r = ty + 16 * i;
		int64_t at = r < rows ? row_of(a, of, g, t.first + r) : 0;
		const float by = 1 / sum_of[i], lse = max_of[i] + log2f(sum_of[i]);
		float *out = (float *)a.out, *to_lse = a.lse;

		if (r >= rows)
			continue;
		if (a.part) {
			at = ((int64_t)blockIdx.z * a.b.seqs + t.seq) * a.heads + g * a.each + t.first + r;
			out = a.part, to_lse = a.part_lse;
		}
#pragma unroll
		for (int c = 0; c < NC; c++) {
			for (int e = 0; e < 4; e++)
				sum[i][c][e] *= by;
			store4(out + at * a.dv, 4 * tx + 64 * c, a.dv, a.wide, sum[i][c]);
		}
		if (to_lse && tx == 0)
			to_lse[at] = a.part ? lse : lse * LN2;
	}
}

static size_t shared_of(int64_t dk, int64_t nc, int64_t rt)
{
	return (size_t)(2 * 16 * rt * tile_stride(tile_width4((int)dk, (int)nc)) + 16 * rt * (16 * rt + 4)) * sizeof(float);
}

static int64_t columns_of(int64_t dv)
{
	const int64_t nc = div_up(dv, 64);

	return nc > 4 ? 8 : nc;
}

int64_t attention_full_rows(struct cuda *c, int64_t dk, int64_t dv)
{
	const int64_t nc = columns_of(dv);

	if (nc <= 4 && shared_of(dk, nc, 4) <= c->shared_most)
		return 64;
	return nc <= 4 || shared_of(dk, nc, 2) <= c->shared_most ? 32 : 16;
}

template <int RT, int NC> static void launch(struct cuda *c, const struct attend &a, unsigned tiles)
{
	cuda_launch(c, attend_tiles<RT, NC>, dim3(tiles, (unsigned)a.kv_heads, (unsigned)a.splits), TILE_THREADS, shared_of(a.dk, NC, RT), a);
}

void attention_full(struct cuda *c, const struct attend *given, const struct tiles *tiles)
{
	const int64_t nc = columns_of(given->dv), rows = attention_full_rows(c, given->dk, given->dv);
	struct attend a = *given;

	a.tile = tiles->tile;
	if (a.dv > 512 || shared_of(a.dk, nc, rows / 16) > c->shared_most) {
		cuda_fail("cuda: attention with keys of %d and values of %d numbers", a.dk, a.dv);
	}
	switch (rows + nc) {
	case 65: launch<4, 1>(c, a, tiles->count); break;
	case 66: launch<4, 2>(c, a, tiles->count); break;
	case 67: launch<4, 3>(c, a, tiles->count); break;
	case 68: launch<4, 4>(c, a, tiles->count); break;
	case 33: launch<2, 1>(c, a, tiles->count); break;
	case 34: launch<2, 2>(c, a, tiles->count); break;
	case 35: launch<2, 3>(c, a, tiles->count); break;
	case 36: launch<2, 4>(c, a, tiles->count); break;
	case 40: launch<2, 8>(c, a, tiles->count); break;
	case 24: launch<1, 8>(c, a, tiles->count); break;
	}
}
