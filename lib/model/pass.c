#include "model/pass.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/dry.h"

#define DRY_TOKENS 2048                 /* longer passes grow in proportion */

int64_t pass_take(const struct example *ex, int64_t count, int64_t tokens)
{
	int64_t sum = 0, i;

	for (i = 0; i < count; i++) {
		sum += ex[i].n;
		if (i > 0 && (sum > tokens || ex[i].inv_temperature != ex[0].inv_temperature))
			break;
	}
	return i;
}

struct pass pass_forward(struct model *m, struct tape *t, const struct example *ex, int64_t count, bool want_entropy)
{
	int64_t rows = 0, predicted = 0, longest = 0, i, j, r, o;
	struct pass p = {0};
	struct seq *seq = arena_alloc(&t->host, (size_t)count * sizeof *seq);
	int32_t *id, *position, *pick, *target;
	struct sequences s = {.seq = seq, .seqs = count};
	struct tensor *h;

	for (i = 0; i < count; i++) {
		assert(ex[i].first >= 1 && ex[i].first <= ex[i].n);
		rows += ex[i].n - 1;
		predicted += ex[i].n - ex[i].first;
		if (ex[i].n > longest)
			longest = ex[i].n;
	}
	p.n = predicted;
	if (predicted == 0)
		return p;
	id = arena_alloc(&t->host, (size_t)rows * sizeof *id);
	position = arena_alloc(&t->host, (size_t)rows * sizeof *position);
	pick = arena_alloc(&t->host, (size_t)predicted * sizeof *pick);
	target = arena_alloc(&t->host, (size_t)predicted * sizeof *target);
	for (i = r = o = 0; i < count; i++) {
		seq[i] = (struct seq){.row = r, .n = (int32_t)(ex[i].n - 1)};
		for (j = 0; j + 1 < ex[i].n; j++, r++) {
			id[r] = ex[i].id[j];
			position[r] = (int32_t)j;
			if (j + 1 >= ex[i].first) {
				pick[o] = (int32_t)r;
				target[o++] = ex[i].id[j + 1];
			}
		}
	}
	model_reserve_positions(m, longest);
	h = model_hidden(m, t, tape_upload(t, id, rows), tape_upload(t, position, rows), rows, &s);
	if (predicted < rows)
		h = op_rows(t, h, tape_upload(t, pick, predicted), predicted);
	p.out = op_logprob(t, h, m->head, tape_upload(t, target, predicted), (float)ex[0].inv_temperature, want_entropy);
	p.logprob = arena_alloc(&t->host, (size_t)predicted * sizeof *p.logprob);
	t->be->download(t->be, p.logprob, p.out.logprob, (size_t)predicted * sizeof *p.logprob);
	if (want_entropy) {
		p.entropy = arena_alloc(&t->host, (size_t)predicted * sizeof *p.entropy);
		t->be->download(t->be, p.entropy, p.out.entropy, (size_t)predicted * sizeof *p.entropy);
	}
	return p;
}

void pass_backward(struct tape *t, struct pass *p, const float *dlogprob, const float *dentropy)
{
	if (p->n) {
		op_logprob_seed(t, &p->out, dlogprob, dentropy);
		tape_backward(t);
	}
	tape_reset(t);
	*p = (struct pass){0};
}

void pass_score(struct model *m, struct tape *t, const struct example *ex, int64_t count, int64_t tokens, float *logprob, float *entropy)
{
	bool record = t->record;
	int64_t n, done, at = 0;

	t->record = false;
	for (done = 0; done < count; done += n) {
		struct pass p;

		n = pass_take(ex + done, count - done, tokens);
		p = pass_forward(m, t, ex + done, n, entropy != NULL);
		if (p.n) {
			memcpy(logprob + at, p.logprob, (size_t)p.n * sizeof *logprob);
			if (entropy)
				memcpy(entropy + at, p.entropy, (size_t)p.n * sizeof *entropy);
		}
		at += p.n;
		tape_reset(t);
	}
	t->record = record;
}

int64_t pass_measure(const struct config *c, int64_t tokens)
{
	int64_t n = tokens < DRY_TOKENS ? tokens : DRY_TOKENS;
	struct backend *be = backend_dry_new();
	struct model *m = model_new(c, be, MODEL_SCORE, DTYPE_FLOAT32, NULL);
	int32_t *id = xcalloc((size_t)n + 1, sizeof *id);
	float *dlogprob = xcalloc((size_t)n, sizeof *dlogprob);
	struct tape t = tape_new(be);
	struct pass p;
	double bytes;

	t.record = true;
	p = pass_forward(m, &t, &(struct example){.id = id, .n = n + 1, .first = 1, .inv_temperature = 1}, 1, true);
	pass_backward(&t, &p, dlogprob, NULL);
	bytes = (double)t.peak / (double)n * (double)tokens;
	tape_free(&t);
	model_free(m);
	be->destroy(be);
	free(id);
	free(dlogprob);
	return bytes < 0x1p62 ? (int64_t)bytes : INT64_MAX / 2;
}
