/* batch.cu - the sequences of a flat batch, brought to device memory. Every layer asks for the same ones; they go there once. */
#include "attention.cuh"

static int64_t pages_of(const struct seq *s)
{
	return ((int64_t)s->past + s->n + KV_PAGE - 1) / KV_PAGE;
}

struct batch cuda_batch(struct cuda *c, const struct seq *seq, int64_t seqs, int64_t rows, bool cache)
{
	struct batch b = {NULL, NULL, NULL, seqs, rows, 0};
	struct device_seq *s = (struct device_seq *)xcalloc((size_t)seqs, sizeof *s);
	int32_t *of_row = (int32_t *)xcalloc((size_t)rows, sizeof *of_row), *page = NULL;
	int64_t i, j, most = 1;

	for (i = 0; i < seqs; i++) {
		s[i].row = (int32_t)seq[i].row, s[i].n = seq[i].n, s[i].past = seq[i].past;
		for (j = 0; j < seq[i].n; j++)
			of_row[seq[i].row + j] = (int32_t)i;
		most = MAX(most, pages_of(&seq[i]));
	}
	if (cache) {
		b.pages = cuda_bucket(most);
		page = (int32_t *)xcalloc((size_t)(seqs * b.pages), sizeof *page);
		for (i = 0; i < seqs; i++)
			memcpy(page + i * b.pages, seq[i].page, (size_t)pages_of(&seq[i]) * sizeof *page);
	}
	cuda_constants_room(c, (size_t)seqs * sizeof *s + (size_t)rows * sizeof *of_row + (size_t)(seqs * b.pages) * sizeof *page + 3 * 256);
	b.seq = (const struct device_seq *)cuda_constant(c, s, (size_t)seqs * sizeof *s);
	b.of_row = (const int32_t *)cuda_constant(c, of_row, (size_t)rows * sizeof *of_row);
	if (cache)
		b.page = (const int32_t *)cuda_constant(c, page, (size_t)(seqs * b.pages) * sizeof *page);
	free(s);
	free(of_row);
	free(page);
	return b;
}
