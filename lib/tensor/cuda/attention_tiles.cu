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

struct batch attention_batch(struct cuda *c, const struct seq *seq, int64_t seqs, int64_t rows, bool cache, const struct cut *cut, int cuts,
			     struct tiles *tiles)
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

/* Blocks enough to fill a large GPU a few times over (512), but no piece of fewer than 64 keys, whose combining would cost more than they, and
 * none of more than 512: with sequences of different lengths, all blocks would wait for the longest. */
int64_t attention_chunk(int64_t blocks, int64_t pages, int64_t *splits)
{
	const int64_t most = pages * KV_PAGE, chunk = MIN(512, MAX(64, most * cuda_bucket(blocks) / 512));

	*splits = div_up(most, chunk);
	return chunk;
}
