#include "model/sampler.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "tensor/dry.h"

#define PREFILL_ROWS 2048       /* prompt tokens computed in one pass, at most */
#define WORTH 4                 /* full pages that a prompt waits a pass for, rather than compute them again */

struct prefix {                 /* a prompt, shared by its completions */
	struct prefix *next;
	int32_t *id;
	int64_t n;
	uint64_t stream;
	int32_t first, samples, started, running;
	void *user;
	int32_t *page;
	int64_t pages, computed;        /* tokens 0 .. computed-1 of the n-1 are in the pages */
};

struct trunk {                  /* the full pages of the prompt that was computed last: what begins alike begins with them */
	int32_t *id;            /* [pages * KV_PAGE] */
	int32_t *page;
	int64_t pages;
};

struct slot {
	struct prefix *prefix;          /* NULL: free */
	int32_t sample;
	int32_t *page;                  /* [pages of the context]; the first `shared` belong to the prefix */
	int64_t shared, pages;
	int64_t n, limit;               /* tokens written, tokens at most */
	int32_t *id;
	float *logprob;
	size_t id_cap, logprob_cap;
};

struct sampler {
	struct model *m;
	struct sampler_params params;
	void (*done)(void *, const struct sampler_done *);
	void *arg;
	int64_t slots, context, free_slots;
	struct slot *slot;
	struct kv_cache cache;
	int32_t *free_page, *holders;   /* [pages of the cache]: holders of a page are prefixes, the trunk, or one slot */
	int64_t free_pages;
	struct trunk trunk;
	struct prefix *head, **tail;    /* prompts of which not all completions have started, in order */
	int64_t waiting;                /* completions of those that have not started */
	struct tape tape;
	int64_t tokens, reused;
	/* one pass, host */
	struct seq *seq;
	int32_t *row_id, *row_position, *out_row, *out_id;
	float *out_logprob;
	struct sampling *how;
	int64_t *out_slot;
};

static int64_t pages_for(int64_t tokens)
{
	return (tokens + KV_PAGE - 1) / KV_PAGE;
}

/* Pages enough whatever comes (the trunk goes where one is missing). Completions that run, and the prefixes that they began with: a context of each, and
 * one more where the first page of its own is not full. Prefixes of which none runs: each but the last has a free slot waiting for it (admit), and so a context. */
static struct kv_cache cache_for(const struct model *m, int64_t slots, int64_t context)
{
	return (struct kv_cache){.layers = m->config.layers, .pages = (slots + 1) * pages_for(context) + slots, .k_width = m->k_width, .v_width = m->v_width,
				 .half = model_half_keys(m)};
}

static size_t cache_bytes(const struct kv_cache *c, int64_t width)
{
	return (size_t)(c->layers * c->pages) * kv_page_bytes(c, width);
}

struct sampler *sampler_new(struct model *m, const struct sampler_params *p, int64_t slots, int64_t context,
			    void (*done)(void *arg, const struct sampler_done *), void *arg)
{
	struct sampler *s = xcalloc(1, sizeof *s);
	size_t rows = (size_t)slots + PREFILL_ROWS;
	int64_t i;

	*s = (struct sampler){.m = m, .params = *p, .done = done, .arg = arg, .slots = slots, .context = context, .free_slots = slots};
	s->tail = &s->head;
	s->slot = xcalloc((size_t)slots, sizeof *s->slot);
	for (i = 0; i < slots; i++)
		s->slot[i].page = xmalloc((size_t)pages_for(context) * sizeof *s->slot[i].page);
	s->cache = cache_for(m, slots, context);
	s->cache.k = m->be->alloc(m->be, cache_bytes(&s->cache, m->k_width));
	s->cache.v = m->be->alloc(m->be, cache_bytes(&s->cache, m->v_width));
	s->free_page = xmalloc((size_t)s->cache.pages * sizeof *s->free_page);
	for (i = s->cache.pages; i-- > 0;)
		s->free_page[s->free_pages++] = (int32_t)i;
	s->holders = xcalloc((size_t)s->cache.pages, sizeof *s->holders);
	s->trunk.id = xmalloc((size_t)(pages_for(context) * KV_PAGE) * sizeof *s->trunk.id);
	s->trunk.page = xmalloc((size_t)pages_for(context) * sizeof *s->trunk.page);
	s->tape = tape_new(m->be);
	s->seq = xmalloc(rows * sizeof *s->seq);
	s->row_id = xmalloc(rows * sizeof *s->row_id);
	s->row_position = xmalloc(rows * sizeof *s->row_position);
	s->out_row = xmalloc((size_t)slots * sizeof *s->out_row);
	s->out_id = xmalloc((size_t)slots * sizeof *s->out_id);
	s->out_slot = xmalloc((size_t)slots * sizeof *s->out_slot);
	s->out_logprob = xmalloc((size_t)slots * sizeof *s->out_logprob);
	s->how = xmalloc((size_t)slots * sizeof *s->how);
	model_reserve_positions(m, context);
	return s;
}

static void free_prefix(struct prefix *p)
{
	free(p->id);
	free(p->page);
	free(p);
}

void sampler_free(struct sampler *s)
{
	struct prefix *p, *next;
	int64_t i;

	if (!s)
		return;
	for (i = 0; i < s->slots; i++) {
		p = s->slot[i].prefix;
		if (p && --p->running == 0 && p->started == p->samples)
			free_prefix(p);
		free(s->slot[i].page);
		free(s->slot[i].id);
		free(s->slot[i].logprob);
	}
	for (p = s->head; p; p = next) {
		next = p->next;
		free_prefix(p);
	}
	s->m->be->free(s->m->be, s->cache.k);
	s->m->be->free(s->m->be, s->cache.v);
	tape_free(&s->tape);
	free(s->slot);
	free(s->trunk.id);
	free(s->trunk.page);
	free(s->holders);
	free(s->free_page);
	free(s->seq);
	free(s->row_id);
	free(s->row_position);
	free(s->out_row);
	free(s->out_id);
	free(s->out_slot);
	free(s->out_logprob);
	free(s->how);
	free(s);
}

int sampler_check(const struct sampler *s, int64_t n, struct err *e)
{
	if (n < 1)
		return err_set(e, "the prompt has no tokens");
	if (n >= s->context)
		return err_set(e, "the prompt has %lld tokens: with a context of %lld there is no room for a completion", (long long)n,
			       (long long)s->context);
	return 0;
}

int sampler_add(struct sampler *s, const struct sampler_prompt *in, struct err *e)
{
	struct prefix *p;

	if (sampler_check(s, in->n, e) < 0)
		return -1;
	if (in->samples < 1)
		return 0;
	p = xcalloc(1, sizeof *p);
	*p = (struct prefix){.n = in->n, .stream = in->stream, .first = in->first, .samples = in->samples, .user = in->user};
	p->id = xmalloc((size_t)in->n * sizeof *p->id);
	memcpy(p->id, in->id, (size_t)in->n * sizeof *p->id);
	p->page = xmalloc((size_t)(pages_for(in->n) + 1) * sizeof *p->page);
	*s->tail = p;
	s->tail = &p->next;
	s->waiting += p->samples;
	return 0;
}

bool sampler_wants(const struct sampler *s)
{
	return s->waiting < s->free_slots + 1;
}

bool sampler_busy(const struct sampler *s)
{
	return s->head || s->free_slots < s->slots;
}

int64_t sampler_tokens(const struct sampler *s)
{
	return s->tokens;
}

int64_t sampler_reused(const struct sampler *s)
{
	return s->reused;
}

/* Pages that nobody holds any more are free. */
static void drop_pages(struct sampler *s, const int32_t *page, int64_t n)
{
	for (; n-- > 0; page++)
		if (--s->holders[*page] == 0)
			s->free_page[s->free_pages++] = *page;
}

static int32_t take_page(struct sampler *s)
{
	if (!s->free_pages) {
		drop_pages(s, s->trunk.page, s->trunk.pages);
		s->trunk.pages = 0;
	}
	if (!s->free_pages) {           /* cache_for's promise */
		fprintf(stderr, "sampler: no page is left\n");
		abort();
	}
	s->holders[s->free_page[--s->free_pages]] = 1;
	return s->free_page[s->free_pages];
}

static int64_t pages_alike(const int32_t *a, int64_t a_n, const int32_t *b, int64_t b_n)
{
	const int64_t n = a_n < b_n ? a_n : b_n;
	int64_t i;

	for (i = 0; i < n && a[i] == b[i]; i++)
		;
	return i / KV_PAGE;
}

/* p becomes the trunk, as far as it is computed. */
static void keep_trunk(struct sampler *s, const struct prefix *p)
{
	struct trunk *t = &s->trunk;
	const int64_t pages = p->computed / KV_PAGE;
	int64_t i;

	for (i = 0; i < pages; i++)
		s->holders[p->page[i]]++;
	drop_pages(s, t->page, t->pages);
	t->pages = pages;
	memcpy(t->page, p->page, (size_t)pages * sizeof *t->page);
	memcpy(t->id, p->id, (size_t)(pages * KV_PAGE) * sizeof *t->id);
}

/* p, which is about to be computed, begins with what it has in common with the trunk. beside: what is computed for the first time in this very pass; false:
 * p has so much more in common with that that it had better wait. */
static bool share(struct sampler *s, struct prefix *p, const struct prefix *beside)
{
	const struct trunk *t = &s->trunk;
	const int64_t pages = pages_alike(t->id, t->pages * KV_PAGE, p->id, p->n - 1);
	int64_t i;

	if (beside && pages_alike(beside->id, beside->computed, p->id, p->n - 1) >= pages + WORTH)
		return false;
	for (i = 0; i < pages; i++)
		s->holders[p->page[i] = t->page[i]]++;
	p->pages = pages;
	p->computed = pages * KV_PAGE;
	s->reused += p->computed;
	return true;
}

/* Of all layers: pages [layers][pages][KV_PAGE * width] */
static void copy_page(struct sampler *s, void *pages, int64_t width, int32_t to, int32_t from)
{
	struct backend *be = s->m->be;
	const struct kv_cache *c = &s->cache;
	const size_t bytes = kv_page_bytes(c, width);
	const int64_t n = (int64_t)(bytes / sizeof(float));     /* whatever is in it */

	be->columns(be, &(struct columns){.rows = c->layers, .cols = n, .ld_to = c->pages * n, .ld = c->pages * n, .to = (char *)pages + (size_t)to * bytes,
					  .from = (char *)pages + (size_t)from * bytes});
}

/* The next completion of a computed prefix takes a slot: it shares the full pages and copies the one that it will write on. */
static void start(struct sampler *s, struct slot *slot, struct prefix *p)
{
	int64_t past = p->n - 1, room = s->context - p->n;

	slot->prefix = p;
	slot->sample = p->first + p->started++;
	slot->shared = slot->pages = past / KV_PAGE;
	memcpy(slot->page, p->page, (size_t)slot->shared * sizeof *slot->page);
	if (past % KV_PAGE) {
		const int32_t to = take_page(s), from = p->page[slot->shared];

		slot->page[slot->pages++] = to;
		copy_page(s, s->cache.k, s->cache.k_width, to, from);
		if (s->cache.v_width)
			copy_page(s, s->cache.v, s->cache.v_width, to, from);
	}
	slot->n = 0;
	slot->limit = s->params.max_tokens < room ? s->params.max_tokens : room;
	p->running++;
	s->waiting--;
	s->free_slots--;
}

static void release(struct sampler *s, struct prefix *p)
{
	drop_pages(s, p->page, p->pages);
	free_prefix(p);
}

static void finish(struct sampler *s, struct slot *slot, bool stopped)
{
	struct prefix *p = slot->prefix;
	struct sampler_done d = {.user = p->user, .sample = slot->sample, .id = slot->id, .logprob = slot->logprob, .n = slot->n,
				 .stopped = stopped};

	s->done(s->arg, &d);
	drop_pages(s, slot->page + slot->shared, slot->pages - slot->shared);
	slot->prefix = NULL;
	s->free_slots++;
	if (--p->running == 0 && p->started == p->samples)
		release(s, p);
}

/* Fills free slots from the prompts in order. What is not computed yet is put into this pass; returns its rows, and the last prompt that has some. */
static int64_t admit(struct sampler *s, int64_t rows, int64_t *seqs, struct prefix **last)
{
	int64_t i = 0, open = s->free_slots, first = rows;
	struct prefix **link = &s->head, *p;

	for (*last = NULL; open > 0 && (p = *link);) {
		int64_t todo;

		if (!p->pages && rows - first < PREFILL_ROWS && !share(s, p, *last))
			break;
		todo = p->n - 1 - p->computed;
		if (todo == 0) {
			for (; open > 0 && p->started < p->samples; open--) {
				while (s->slot[i].prefix)
					i++;
				start(s, &s->slot[i], p);
			}
			if (p->started == p->samples) {
				*link = p->next;
				if (!*link)
					s->tail = link;
				continue;
			}
			break;
		}
		if (todo > PREFILL_ROWS - (rows - first))
			todo = PREFILL_ROWS - (rows - first);
		if (todo == 0)
			break;
		while (p->pages < pages_for(p->computed + todo))
			p->page[p->pages++] = take_page(s);
		s->seq[(*seqs)++] = (struct seq){.row = rows, .n = (int32_t)todo, .past = (int32_t)p->computed, .page = p->page};
		for (; todo > 0; todo--, rows++, p->computed++) {
			s->row_id[rows] = p->id[p->computed];
			s->row_position[rows] = (int32_t)p->computed;
		}
		open -= p->samples - p->started;
		*last = p;
		link = &p->next;
	}
	return rows;
}

/* One row for each running completion: its last token. */
static int64_t running_rows(struct sampler *s, int64_t *seqs)
{
	int64_t i, rows = 0;

	for (i = 0; i < s->slots; i++) {
		struct slot *slot = &s->slot[i];
		struct prefix *p = slot->prefix;
		int64_t past;

		if (!p)
			continue;
		past = p->n - 1 + slot->n;
		if (slot->pages < pages_for(past + 1))
			slot->page[slot->pages++] = take_page(s);
		s->seq[(*seqs)++] = (struct seq){.row = rows, .n = 1, .past = (int32_t)past, .page = slot->page};
		s->row_id[rows] = slot->n ? slot->id[slot->n - 1] : p->id[p->n - 1];
		s->row_position[rows] = (int32_t)past;
		s->out_row[rows] = (int32_t)rows;
		s->out_slot[rows] = i;
		s->how[rows] = (struct sampling){.temperature = (float)s->params.temperature, .top_p = (float)s->params.top_p,
						 .min_p = (float)s->params.min_p, .top_k = (int32_t)s->params.top_k,
						 .uniform = rng_uniform(s->params.seed, p->stream, (uint32_t)slot->sample, (uint32_t)slot->n)};
		rows++;
	}
	return rows;
}

static void take_token(struct sampler *s, struct slot *slot, int32_t id, float logprob)
{
	bool stop = false;
	int64_t i;

	slot->id = xgrow(slot->id, &slot->id_cap, (size_t)slot->n + 1, sizeof *slot->id);
	slot->logprob = xgrow(slot->logprob, &slot->logprob_cap, (size_t)slot->n + 1, sizeof *slot->logprob);
	slot->id[slot->n] = id;
	slot->logprob[slot->n++] = logprob;
	s->tokens++;
	for (i = 0; i < s->params.stops && !stop; i++)
		stop = id == s->params.stop[i];
	if (!stop && s->params.stopped)
		stop = s->params.stopped(s->params.arg, slot->prefix->user, slot->sample, slot->id, slot->n);
	if (stop || slot->n >= slot->limit)
		finish(s, slot, stop);
}

/* The pass over those rows: logits of `out` rows among them, [out, V] */
static struct tensor *logits_of(struct model *m, struct tape *t, const int32_t *id, const int32_t *position, int64_t rows, const struct sequences *batch,
				const int32_t *out_row, int64_t out)
{
	const int32_t *some = out < rows ? tape_upload(t, out_row, out) : NULL;
	struct tensor *h = model_hidden(m, t, tape_upload(t, id, rows), tape_upload(t, position, rows), rows, batch, some, out);

	return out ? op_linear(t, h, m->head, NULL) : NULL;
}

int64_t sampler_measure(const struct model *m, int64_t slots, int64_t context)
{
	const struct kv_cache cache = cache_for(m, slots, context);
	const int64_t rows = slots + PREFILL_ROWS;
	struct backend *be = backend_dry_new(m->be);
	struct model *dry = model_new(&m->config, be, MODEL_SAMPLE, DTYPE_FLOAT32, NULL);
	struct tape t = tape_new(be);
	int32_t *id = xcalloc((size_t)rows, sizeof *id);
	struct seq seq = {.n = (int32_t)rows};
	struct sequences batch = {.seq = &seq, .seqs = 1};
	const size_t weights = backend_dry_used(be);
	size_t pass;

	dry->half = m->half;
	model_reserve_positions(dry, 1);
	logits_of(dry, &t, id, id, rows, &batch, id, slots);
	pass = backend_dry_peak(be) - weights;
	tape_free(&t);
	model_free(dry);
	be->destroy(be);
	free(id);
	return (int64_t)(cache_bytes(&cache, m->k_width) + cache_bytes(&cache, m->v_width) + pass);
}

int sampler_step(struct sampler *s, struct err *e)
{
	struct backend *be = s->m->be;
	struct tape *t = &s->tape;
	struct prefix *last;
	int64_t seqs = 0, running = running_rows(s, &seqs), rows = admit(s, running, &seqs, &last), i;
	struct sequences batch = {.seq = s->seq, .seqs = seqs, .cache = &s->cache};
	struct tensor *logits;

	if (rows == 0)
		return 0;
	logits = logits_of(s->m, t, s->row_id, s->row_position, rows, &batch, s->out_row, running);
	if (logits)
		be->sample(be, logits->data, running, s->m->config.vocab_size, s->how, s->out_id, s->out_logprob);
	tape_reset(t);
	if (last)
		keep_trunk(s, last);
	for (i = 0; i < running; i++) {
		if (!isfinite(s->out_logprob[i]))
			return err_set(e, "the logits are not finite");
		take_token(s, &s->slot[s->out_slot[i]], s->out_id[i], s->out_logprob[i]);
	}
	return 0;
}
