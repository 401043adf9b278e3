#include "model/pass.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/dry.h"

#define DRY_TOKENS 16384                /* longer passes are said to grow in proportion, which logits do not */

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

/* Examples as rows of one flat batch, without the last `dropped` tokens of each; of them those from token first-dropped on are picked. */
struct flat {
	int64_t rows, picked;
	int32_t *id, *position, *pick, *target;         /* target: the token behind, where there is one */
	struct sequences s;
};

static struct flat flatten(struct model *m, struct tape *t, const struct example *ex, int64_t count, int64_t dropped)
{
	struct flat f = {0};
	struct seq *seq = arena_alloc(&t->host, (size_t)count * sizeof *seq);
	int64_t longest = 0, i, j, r, o;

	f.s = (struct sequences){.seq = seq, .seqs = count};
	for (i = 0; i < count; i++) {
		assert(ex[i].first >= dropped && ex[i].first <= ex[i].n);
		f.rows += ex[i].n - dropped;
		f.picked += ex[i].n - ex[i].first;
		if (ex[i].n > longest)
			longest = ex[i].n;
	}
	if (f.picked == 0)
		return f;
	f.id = arena_alloc(&t->host, (size_t)f.rows * sizeof *f.id);
	f.position = arena_alloc(&t->host, (size_t)f.rows * sizeof *f.position);
	f.pick = arena_alloc(&t->host, (size_t)f.picked * sizeof *f.pick);
	f.target = arena_alloc(&t->host, (size_t)f.picked * sizeof *f.target);
	for (i = r = o = 0; i < count; i++) {
		seq[i] = (struct seq){.row = r, .n = (int32_t)(ex[i].n - dropped)};
		for (j = 0; j < ex[i].n - dropped; j++, r++) {
			f.id[r] = ex[i].id[j];
			f.position[r] = (int32_t)j;
			if (j + dropped >= ex[i].first) {
				f.pick[o] = (int32_t)r;
				f.target[o++] = j + 1 < ex[i].n ? ex[i].id[j + 1] : 0;
			}
		}
	}
	model_reserve_positions(m, longest);
	return f;
}

/* [picked, C] */
static struct tensor *hidden(struct model *m, struct tape *t, const struct flat *f)
{
	const int32_t *id = tape_upload(t, f->id, f->rows), *position = tape_upload(t, f->position, f->rows);
	const int32_t *pick = f->picked < f->rows ? tape_upload(t, f->pick, f->picked) : NULL;

	return model_hidden(m, t, id, position, f->rows, &f->s, pick, f->picked);
}

static float *to_host(struct tape *t, const float *from, int64_t n)
{
	float *to = arena_alloc(&t->host, (size_t)n * sizeof *to);

	t->be->download(t->be, to, from, (size_t)n * sizeof *to);
	return to;
}

struct pass pass_forward(struct model *m, struct tape *t, const struct example *ex, int64_t count, bool want_entropy)
{
	struct flat f = flatten(m, t, ex, count, 1);
	struct pass p = {.n = f.picked};

	if (p.n == 0)
		return p;
	p.out = op_logprob(t, hidden(m, t, &f), m->head, tape_upload(t, f.target, p.n), (float)ex[0].inv_temperature, want_entropy);
	p.logprob = to_host(t, p.out.logprob, p.n);
	if (want_entropy)
		p.entropy = to_host(t, p.out.entropy, p.n);
	return p;
}

struct scores score_forward(struct model *m, struct tape *t, const struct example *ex, int64_t count)
{
	struct flat f = flatten(m, t, ex, count, 0);
	struct scores s = {.n = f.picked};

	if (s.n == 0)
		return s;
	s.out = op_linear(t, hidden(m, t, &f), m->score, NULL);         /* [n, 1] */
	s.score = to_host(t, s.out->data, s.n);
	return s;
}

void score_backward(struct tape *t, struct scores *s, const float *dscore)
{
	bool accumulate;

	if (s->n) {
		t->be->upload(t->be, tape_grad(t, s->out, &accumulate), dscore, (size_t)s->n * sizeof *dscore);
		tape_backward(t);
	}
	tape_reset(t);
	*s = (struct scores){0};
}

void score_all(struct model *m, struct tape *t, const struct example *ex, int64_t count, int64_t tokens, float *score)
{
	bool record = t->record;
	int64_t n, done, at = 0;

	t->record = false;
	for (done = 0; done < count; done += n) {
		struct scores s;

		n = pass_take(ex + done, count - done, tokens);
		s = score_forward(m, t, ex + done, n);
		if (s.n)
			memcpy(score + at, s.score, (size_t)s.n * sizeof *score);
		at += s.n;
		tape_reset(t);
	}
	t->record = record;
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

int64_t pass_measure(const struct config *c, const struct backend *like, int64_t tokens, unsigned how)
{
	int64_t n = tokens < DRY_TOKENS ? tokens : DRY_TOKENS;
	struct backend *be = backend_dry_new(like);
	struct model *m = model_new(c, be, MODEL_SCORE, DTYPE_AUTO, NULL);
	int32_t *id = xcalloc((size_t)n + 1, sizeof *id);
	float *d = xcalloc((size_t)n, sizeof *d);
	struct tape t = tape_new(be);
	double bytes;

	t.record = true;
	t.recompute = how & PASS_RECOMPUTES;
	if (m->score) {
		const struct example ex = {.id = id, .n = n, .first = 0};
		struct scores s;

		if (how & PASS_SCORES)
			score_all(m, &t, &ex, 1, n, d);
		s = score_forward(m, &t, &ex, 1);
		score_backward(&t, &s, d);
	} else {
		const struct example ex = {.id = id, .n = n + 1, .first = 1, .inv_temperature = 1};
		struct pass p;

		if (how & PASS_SCORES)
			pass_score(m, &t, &ex, 1, n + 1, d, NULL);
		p = pass_forward(m, &t, &ex, 1, true);
		pass_backward(&t, &p, d, NULL);
	}
	bytes = (double)tape_peak(&t) / (double)n * (double)tokens;
	tape_free(&t);
	model_free(m);
	be->destroy(be);
	free(id);
	free(d);
	return bytes < 0x1p62 ? (int64_t)bytes : INT64_MAX / 2;
}
