/* attention.cuh - the sequences of a flat batch in device memory, and how attention is cut into blocks
 *
 *     struct batch b = attention_batch(c, seq, seqs, rows, cache, cuts, 1, &tiles);
 *     cuda_launch(c, kernel, dim3(tiles.count, kv_heads), 256, shared, a);    // a block finds its part in tiles.tile[blockIdx.x]
 *
 * Rows of queries. The E = H/G query heads that share a key/value head stand one behind the other: row r of a sequence is its position r / E, head
 * r % E of the group. So a tile of rows has its keys in shared memory once for all heads of the group, and a short sequence fills a tile sooner.
 * Latent attention is the same with G = 1: all H heads share the keys, whose first numbers are the values.
 *
 * Tiles. Which ones there are changes from call to call, so they are in device memory, the longest first; the grid is their number rounded up to
 * a power of two, and a tile with seq < 0 is none.
 *
 * Splits. A sequence of one new row has few rows and many keys: its keys are cut into pieces of `chunk`, a block each; what they find goes to `part`, and
 * a second kernel puts it together. The chunk follows from powers of two alone (sequences, pages, heads), so that it seldom changes.
 */
#ifndef TENSOR_CUDA_ATTENTION_CUH
#define TENSOR_CUDA_ATTENTION_CUH

#include "cuda.cuh"

struct device_seq {                     /* struct seq of backend.h */
	int32_t row, n, past, unused;
};

/* Made from host's sequences by cuda_batch. What changes from token to token is in device memory; the sizes change seldom. */
struct batch {
	const struct device_seq *seq;   /* [seqs] */
	const int32_t *of_row;          /* [rows]: which sequence a row belongs to */
	const int32_t *page;            /* [seqs][pages], or NULL where there is no cache */
	int64_t seqs, rows;
	int64_t pages;                  /* of a sequence's table: a power of two, at least as many as the longest has */
};

struct batch cuda_batch(struct cuda *c, const struct seq *seq, int64_t seqs, int64_t rows, bool cache);

/* ---- attention_tiles.cu ---- */

struct tile {                           /* rows, or keys, first .. of a sequence */
	int32_t seq, first;
};

/* How sequences are cut */
enum cut_kind {
	CUT_ROWS,                       /* into rows of queries, of all sequences */
	CUT_LONG,                       /* of those with more than one new row */
	CUT_PAST,                       /* of those with more than one new row, and past ones */
	CUT_SINGLE,                     /* of those with one */
	CUT_KEYS                        /* into keys */
};
struct cut {
	enum cut_kind kind;
	int64_t each;                   /* rows of a tile */
	int64_t heads;                  /* E; 1 for keys */
};
struct tiles {
	const struct tile *tile;
	unsigned count;                 /* 0, or a power of two */
};

/* The batch and its tiles for each of the cuts (CUTS at most); all of it stays until the next operation. Between two cuda_sync the same sequences have the
 * same pages: what was made for one layer is there for the others. */
#define CUTS 2
struct batch attention_batch(struct cuda *c, const struct seq *seq, int64_t seqs, int64_t rows, bool cache, const struct cut *cut, int cuts,
			     struct tiles *tiles);

/* The number of keys of a piece where there are `blocks` blocks but for the cutting (rounded up to a power of two) and tables of `pages`; and
 * how many pieces the longest sequence may have */
int64_t attention_chunk(int64_t blocks, int64_t pages, int64_t *splits);

/* ---- what the kernels get ---- */

struct attend {
	struct batch b;
	const struct tile *tile;
	const void *q;
	const void *k, *v;              /* of the rows or, where b.page is not NULL, this layer's pages [pages][G][KV_PAGE][dk or dv] */
	void *out;                      /* [N][H][dv] */
	float *lse;                     /* [N][H], or NULL */
	float *part, *part_lse;         /* [splits][S][H][dv], [splits][S][H], base 2; NULL: keys are not split */
	uint32_t *counter;              /* [S][H]: pieces that are there; NULL: another kernel puts them together */
	int64_t q_stride, k_stride;     /* numbers from row to row */
	int32_t heads, kv_heads, each;  /* H G E */
	int32_t dk, dv;                 /* numbers of a key, of a value */
	int32_t chunk, splits;
	int32_t wide;                   /* all of it may be read 16 bytes at a time */
	int32_t half, past_is_there;    /* half: q, k, v and out are of bfloat16. past_is_there: in the pages, before the last kernel has ended */
	float scale, scale2;            /* scale2: in powers of two, scale * log2(e) */
};

struct attend_back {
	struct attend a;
	const void *dout;               /* [N][H][dv], as out */
	const float *delta;             /* [N][H] */
	void *dq, *dk, *dv;             /* strides and numbers as q, k, v */
};

/* The new rows' keys and values go to their pages, which are of the same numbers: from rows `stride` apart; v NULL: there are keys alone. */
struct write_pages {
	struct batch b;
	const void *k, *v;
	void *to_k, *to_v;
	int64_t stride;
	int32_t kv_heads, dim, wide, half;
};
void attention_write_pages(struct cuda *c, const struct write_pages *w);        /* attention.cu */

/* Rows [ (H + 2 G) dim ] of a batch: queries and keys are turned where they are (struct rope, in halves), and then keys and values go to their pages. */
struct turn {
	struct write_pages w;           /* dim is set; to_k NULL: they go nowhere */
	const int32_t *position;        /* [rows] */
	const float *cos_sin;           /* [positions][dim]; NULL: nothing is turned */
	int64_t heads;                  /* H + G, that are turned */
};
bool attention_wide(const void *p, bool half, int64_t a, int64_t b);            /* p and so many numbers are multiples of 16 bytes */

/* Tiled attention in float32 (attention_full.cu), or of bfloat16 by the tensor cores (attention_half.cu, dk = dv <= 256). The tiles have as many rows as
 * attention_full_rows says, or HALF_ROWS. */
#define HALF_ROWS 128
int64_t attention_full_rows(struct cuda *c, int64_t dk, int64_t dv);
void attention_full(struct cuda *c, const struct attend *a, const struct tiles *tiles);
void attention_half(struct cuda *c, const struct attend *a, const struct tiles *tiles);

/* attention_decode.cu: sequences of one new row, by pages (dk = dv <= 256); out and lse of such sequences from a->part and a->part_lse */
void attention_decode(struct cuda *c, const struct attend *a);
void attention_combine(struct cuda *c, const struct attend *a);
void attention_parts(struct cuda *c, struct attend *a);         /* room for `part` and `part_lse`, as a->splits says */

/* A sequence that has no past, by products (latent_half.cu); positions of a step, there and back, so that the scores of a step are few */
void latent_by_products(struct backend *be, const struct latent *a, const struct seq *seq);
static inline int64_t latent_each(const struct latent *a, const struct seq *seq)
{
	const int64_t scores = (int64_t)1 << 24, rows = 8192;

	return MAX(1, MIN(rows, scores / MAX(1, seq->n)) / a->heads);
}

/* The gradient: dq from tiles of rows, dk and dv from tiles of keys; both of as many rows as these say */
int64_t attention_back_half_rows(struct cuda *c, int64_t dim);
int64_t attention_back_full_rows(struct cuda *c, int64_t dim);
void attention_back_full(struct cuda *c, struct attend_back *z, const struct tiles *rows, const struct tiles *keys);
void attention_back_half(struct cuda *c, struct attend_back *z, const struct tiles *rows, const struct tiles *keys);

#endif
