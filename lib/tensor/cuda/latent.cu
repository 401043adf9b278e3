/* latent.cu - latent attention: the tiles of attention, all heads over the same keys; few rows over many keys are split. In 16 bits, sequences
 * without a past go by matrix products. */
#include "attention_tile.cuh"

static bool wide(const struct latent *given)
{
	return attention_wide(given->q, false, given->key_dim, given->value_dim) && attention_wide(given->keys, false, 0, 0) && attention_wide(given->out, false, 0, 0);
}

void cuda_latent(struct backend *be, const struct latent *given)
{
	struct cuda *c = cuda_of(be);
	const int64_t rows = attention_full_rows(c, given->key_dim, given->value_dim);
	const struct cut cut[2] = {{!given->cache ? CUT_ROWS : be->half ? CUT_PAST : CUT_LONG, rows, given->heads}, {CUT_SINGLE, rows, given->heads}};
	struct tiles tiles[2];
	struct attend a;
	int64_t splits;

	memset(&a, 0, sizeof a);
	a.b = attention_batch(c, given->seq, given->seqs, given->rows, given->cache != NULL, cut, given->cache ? 2 : 1, tiles);
	a.q = given->q, a.k = a.v = given->keys, a.out = given->out, a.lse = given->lse;
	a.q_stride = given->heads * given->key_dim, a.k_stride = given->key_dim;
	a.heads = a.each = (int32_t)given->heads, a.kv_heads = 1;
	a.dk = (int32_t)given->key_dim, a.dv = (int32_t)given->value_dim;
	a.chunk = INT32_MAX, a.splits = 1;
	a.wide = wide(given);
	a.scale = given->scale, a.scale2 = given->scale * LOG2E;
	if (given->cache) {
		float *pages = (float *)given->cache->k + given->layer * given->cache->pages * given->cache->k_width * KV_PAGE;
		struct write_pages w = {a.b, given->keys, NULL, pages, NULL, given->key_dim, 1, a.dk, 0, 0};

		a.wide = w.wide = a.wide && attention_wide(pages, false, 0, 0);
		attention_write_pages(c, &w);
		a.k = a.v = pages;
	}
	for (int64_t s = 0; be->half && s < given->seqs; s++)
		if (!given->seq[s].past && (!given->cache || given->seq[s].n > 1))
			latent_by_products(be, given, &given->seq[s]);
	if (given->cache || !be->half)
		attention_full(c, &a, &tiles[0]);
	if (given->cache && tiles[1].count) {
		a.chunk = (int32_t)attention_chunk(tiles[1].count, a.b.pages, &splits);
		a.splits = (int32_t)splits;
		attention_parts(c, &a);
		attention_full(c, &a, &tiles[1]);
		attention_combine(c, &a);
	}
}
