/* attention_tiles.cu - sequences cut into tiles, the longest first so that no block is left alone with one at the end */
#include "attention.cuh"

#include <algorithm>
#include <vector>

struct piece {
	struct tile t;
	int64_t work;
};

static std::vector<piece> pieces_of(const struct seq *seq, int64_t seqs, const struct cut *cut)
{
	std::vector<piece> p;

	for (int64_t s = 0; s < seqs; s++) {
		const int64_t n = (int64_t)seq[s].n * cut->heads;

		if ((cut->kind == CUT_LONG && seq[s].n == 1) || (cut->kind == CUT_SINGLE && seq[s].n != 1) ||
		    (cut->kind == CUT_PAST && (seq[s].n == 1 || !seq[s].past)))
			continue;
		for (int64_t first = 0; first < n; first += cut->each) {
			const int64_t last = MIN(first + cut->each, n) - 1;
			const int64_t work = cut->kind == CUT_KEYS ? n - first : seq[s].past + last / cut->heads + 1;

			p.push_back({{(int32_t)s, (int32_t)first}, work});
		}
	}
	std::stable_sort(p.begin(), p.end(), [](const piece &a, const piece &b) { return a.work > b.work; });
	return p;
}

/* What was made since the last cuda_sync: forward and backward ask for two, in turns */
struct asked {
	std::vector<struct seq> seq;
	int64_t rows, syncs;
	bool cache;
	int cuts;
	struct cut cut[CUTS];
	struct batch b;
	struct tiles tiles[CUTS];
};
struct batches {
	struct asked last[2];
	int next;
};

static bool same_cut(const struct cut *a, const struct cut *b)
{
	return a->kind == b->kind && a->each == b->each && a->heads == b->heads;
}

static const struct asked *find(const struct cuda *c, const struct seq *seq, int64_t seqs, int64_t rows, bool cache, const struct cut *cut, int cuts)
{
	for (const struct asked &a : c->batches->last) {
		bool same = a.syncs == c->syncs && (int64_t)a.seq.size() == seqs && a.rows == rows && a.cache == cache && a.cuts == cuts;

		for (int i = 0; same && i < cuts; i++)
			same = same_cut(&a.cut[i], &cut[i]);
		if (same && !memcmp(a.seq.data(), seq, (size_t)seqs * sizeof *seq))
			return &a;
	}
	return NULL;
}

static struct batch make(struct cuda *c, const struct seq *seq, int64_t seqs, int64_t rows, bool cache, const struct cut *cut, int cuts, struct tiles *tiles)
{
	std::vector<std::vector<tile>> all((size_t)cuts);
	int64_t pages = 1, room;
	struct batch b;

	for (int64_t s = 0; cache && s < seqs; s++)
		pages = MAX(pages, div_up((int64_t)seq[s].past + seq[s].n, KV_PAGE));
	room = seqs * ((int64_t)sizeof(struct device_seq) + cuda_bucket(pages) * 4) + rows * 4 + (3 + cuts) * 256;
	for (int i = 0; i < cuts; i++) {
		const std::vector<piece> p = pieces_of(seq, seqs, &cut[i]);

		for (const piece &x : p)
			all[(size_t)i].push_back(x.t);
		if (!p.empty())
			all[(size_t)i].resize((size_t)cuda_bucket((int64_t)p.size()), {-1, 0});
		room += (int64_t)(all[(size_t)i].size() * sizeof(struct tile));
	}
	cuda_constants_room(c, (size_t)room);           /* for all: none may begin again in the middle */
	b = cuda_batch(c, seq, seqs, rows, cache);
	for (int i = 0; i < cuts; i++) {
		const std::vector<tile> &t = all[(size_t)i];

		tiles[i].count = (unsigned)t.size();
		tiles[i].tile = t.empty() ? NULL : (const struct tile *)cuda_constant(c, t.data(), t.size() * sizeof(struct tile));
	}
	return b;
}

struct batch attention_batch(struct cuda *c, const struct seq *seq, int64_t seqs, int64_t rows, bool cache, const struct cut *cut, int cuts,
			     struct tiles *tiles)
{
	const struct asked *was;
	struct asked *a;

	if (!c->batches)
		c->batches = new batches();
	was = find(c, seq, seqs, rows, cache, cut, cuts);
	if (!was) {
		a = &c->batches->last[c->batches->next ^= 1];
		a->b = make(c, seq, seqs, rows, cache, cut, cuts, a->tiles);
		a->seq.assign(seq, seq + seqs);
		a->rows = rows, a->cache = cache, a->cuts = cuts;
		memcpy(a->cut, cut, (size_t)cuts * sizeof *cut);
		a->syncs = c->syncs;            /* making it may have waited */
		was = a;
	}
	memcpy(tiles, was->tiles, (size_t)cuts * sizeof *tiles);
	return was->b;
}

void attention_batches_end(struct cuda *c)
{
	delete c->batches;
}

/* Blocks enough to fill a large GPU a few times over (512), but no piece of fewer than 64 keys, whose combining would cost more than they, and
 * none of more than 512: with sequences of different lengths, all blocks would wait for the longest. */
int64_t attention_chunk(int64_t blocks, int64_t pages, int64_t *splits)
{
	const int64_t most = pages * KV_PAGE, chunk = MIN(512, MAX(64, most * cuda_bucket(blocks) / 512));

	*splits = div_up(most, chunk);
	return chunk;
}
