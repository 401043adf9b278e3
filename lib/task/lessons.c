#include "task/lessons.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/tool.h"

/* ---- records to examples ---- */

static void add(struct lessons *l, const int32_t *token, int64_t n, int64_t first)
{
	l->token = xgrow(l->token, &l->token_cap, l->tokens + (size_t)n, sizeof *l->token);
	memcpy(l->token + l->tokens, token, (size_t)n * sizeof *token);
	l->span = xgrow(l->span, &l->cap, l->n + 1, sizeof *l->span);
	l->span[l->n++] = (struct span){l->tokens, (int32_t)n, (int32_t)first, l->targets};
	l->tokens += (size_t)n;
	l->longest = n > l->longest ? n : l->longest;
}

/* Does the prompt open <think>, which nothing behind it ends? */
static bool thinks_on(const struct lessons *l, const int32_t *token, int64_t n, int64_t first)
{
	const int64_t last = first < 8 ? first : 8;     /* "<think>\n" has no more bytes, and so no more tokens */
	struct buf text = {0};
	bool thinks;

	tokenizer_decode(l->how->tokenizer, token + first - last, (size_t)last, 0, &text);
	thinks = template_thinks(text.p, text.n);
	if (thinks) {
		buf_clear(&text);
		tokenizer_decode(l->how->tokenizer, token + first, (size_t)(n - first), 0, &text);
		thinks = !text.n || !memmem(text.p, text.n, "</think>", 8);
	}
	buf_free(&text);
	return thinks;
}

static void keep(struct lessons *l, const int32_t *token, int64_t n, int64_t first)
{
	l->unended += thinks_on(l, token, n, first);
	if (l->how->train_prompt || first < 1)
		first = 1;
	if (n > l->how->max_tokens) {
		n = l->how->max_tokens;
		l->cut++;
	}
	if (first < n)
		add(l, token, n, first);
	else
		l->empty++;
}

/* end: the token that ends it; -1: the model has none */
static void keep_ended(struct lessons *l, struct tokens *ids, size_t first, int32_t end)
{
	if (end >= 0)
		tokens_add(ids, end);
	keep(l, ids->id, (int64_t)ids->n, (int64_t)first);
}

static int take_text(struct lessons *l, struct record *r, struct err *e)
{
	struct tokens ids = {0};
	size_t n;
	const char *s = record_string(r, "text", &n, e);
	int rc;

	if (!s)
		return -1;
	rc = tokenizer_encode(l->how->tokenizer, s, n, TOKENIZER_PROMPT, &ids, e);
	if (rc == 0)
		keep_ended(l, &ids, 1, completion_end(l->how->config, l->how->tokenizer, NULL));
	tokens_free(&ids);
	return rc < 0 ? record_error(r, e, "'text': %s", e->msg) : 0;
}

/* The assistant's turn, with all before it as its prompt */
static int take_turn(struct lessons *l, const struct js *messages, size_t turn, const char *content, size_t n, struct err *e)
{
	struct tokens ids = {0};
	struct buf text = {0};
	size_t prompt;
	int rc;

	if (template_messages(l->how->template, NULL, messages, turn, &text, e) < 0) {
		buf_free(&text);
		return -1;
	}
	rc = tokenizer_encode(l->how->tokenizer, text.p ? text.p : "", text.n, TOKENIZER_PROMPT, &ids, e);
	prompt = ids.n;
	template_answer(l->how->template, text.p ? text.p : "", text.n, &content, &n);
	if (rc == 0)
		rc = tokenizer_encode(l->how->tokenizer, content, n, TOKENIZER_CONTINUES, &ids, e);
	if (rc == 0)
		keep_ended(l, &ids, prompt, completion_end(l->how->config, l->how->tokenizer, l->how->template));
	else
		err_prefix(e, "'messages'");
	buf_free(&text);
	tokens_free(&ids);
	return rc;
}

/* What an answer may have beside its content, and would not be learned: -1. Reasoning left out unseen would be the greater part of it. */
static int check_beside(const struct js *m, size_t turn, struct record *r, struct err *e)
{
	static const char *const name[] = {"reasoning_content", "reasoning", "thinking", "tool_calls"};
	size_t i, n;

	for (i = 0; i < sizeof name / sizeof *name; i++) {
		const struct js *x = js_get(m, name[i]);

		if ((js_string(x, &n) && n) || js_size(x))
			return record_error(r, e, "'messages[%zu].%s' would not be learned: all of an answer is to be in its content", turn, name[i]);
	}
	return 0;
}

static int take_messages(struct lessons *l, struct record *r, struct err *e)
{
	const struct js *messages = record_js(r, "messages", e);
	const char *before = NULL;      /* whose message the last one was */
	size_t turn, turns = 0, n;

	if (!messages)
		return -1;
	if (!js_is_array(messages))
		return record_error(r, e, "'messages' is %s, not an array", js_type(messages));
	for (turn = 0; turn < js_size(messages); before = js_string(js_get(js_at(messages, turn), "role"), NULL), turn++) {
		const struct js *m = js_at(messages, turn);
		const char *role = js_string(js_get(m, "role"), NULL), *content = js_string(js_get(m, "content"), &n);

		if (!role || !content)
			return record_error(r, e, "'messages[%zu].%s' is %s, not a string", turn, role ? "content" : "role",
					    js_type(js_get(m, role ? "content" : "role")));
		if (strcmp(role, "assistant") != 0)
			continue;
		turns++;
		if (turn == 0)
			return record_error(r, e, "'messages' has nothing before the assistant's answer");
		if (before && (!strcmp(before, "system") || !strcmp(before, "assistant")))
			return record_error(r, e, "'messages[%zu]' is an answer to no question: before it is the %s's message", turn, before);
		if (check_beside(m, turn, r, e) < 0)
			return -1;
		if (take_turn(l, messages, turn, content, n, e) < 0)
			return record_error(r, e, "%s", e->msg);
	}
	return turns ? 0 : record_error(r, e, "'messages' has no turn of the assistant to learn");
}

static int take_completion(struct lessons *l, struct record *r, struct err *e)
{
	struct completion c;

	if (completion_read(r, l->how->template, l->how->tokenizer, l->how->config, &c, e) < 0)
		return -1;
	completion_tell_edited(r, &c, &l->edited);
	keep(l, c.token, c.n, c.first);
	free(c.token);
	return 0;
}

/* ---- records to what a scalar model learns ---- */

/* target: [n - first], NULL where none is read */
static void keep_scored(struct lessons *l, const int32_t *token, int64_t n, int64_t first, const float *target)
{
	const size_t scores = (size_t)(n - first);

	add(l, token, n, first);
	l->target = xgrow(l->target, &l->target_cap, l->targets + scores, sizeof *l->target);
	if (target)
		memcpy(l->target + l->targets, target, scores * sizeof *target);
	else
		memset(l->target + l->targets, 0, scores * sizeof *target);     /* lessons_hash looks at them */
	l->targets += scores;
}

/* A text that is too long is not scored by its beginning. */
static int take_text_of(struct lessons *l, struct record *r, const char *field, const float *target, struct err *e)
{
	const struct scorer_reader x = {l->how->tokenizer, l->how->template, l->how->config, l->how->on};
	struct tokens ids = {0};
	int rc = scorer_read(&x, r, field, &ids, e);

	if (rc == 0 && (int64_t)ids.n > l->how->max_tokens)
		rc = record_error(r, e, "'%s' and its prompt have %zu tokens, more than --max-tokens", field, ids.n);
	if (rc == 0)
		keep_scored(l, ids.id, (int64_t)ids.n, (int64_t)ids.n - 1, target);
	tokens_free(&ids);
	return rc;
}

/* true, false, or a number between 0 and 1 */
static int read_label(struct record *r, const char *field, float *label, struct err *e)
{
	bool yes;
	double y;

	if (record_bool(r, field, &yes, e) == 0) {
		*label = yes;
		return 0;
	}
	if (record_number(r, field, &y, e) < 0)
		return record_error(r, e, "'%s' is neither true, false nor a number", field);
	if (!(y >= 0 && y <= 1))
		return record_error(r, e, "'%s' is %g, not between 0 and 1", field, y);
	*label = (float)y;
	return 0;
}

/* Scores before each token of the completion: what its `returns` say, or its reward as a whole. */
static int take_value(struct lessons *l, struct record *r, struct err *e)
{
	struct completion c;
	float *target = NULL, *same = NULL;
	double reward;
	size_t n;
	int rc = -1;

	if (record_has(r, "returns") && !(target = record_floats(r, "returns", &n, e)))
		return -1;
	if (!target && record_number(r, l->how->label, &reward, e) < 0)
		return -1;
	if (completion_read(r, l->how->template, l->how->tokenizer, l->how->config, &c, e) < 0)
		return -1;
	if (target && (int64_t)n != c.n - c.first) {
		record_error(r, e, "'returns' has %zu numbers for %lld tokens of the completion", n, (long long)(c.n - c.first));
	} else if (c.first == c.n || !c.first) {
		record_error(r, e, "the %s has no tokens", c.first ? "completion" : "prompt");
	} else if (c.n > l->how->max_tokens) {
		record_error(r, e, "the completion and its prompt have %lld tokens, more than --max-tokens", (long long)c.n);
	} else {
		int64_t k;

		for (k = 0, same = xmalloc((size_t)(c.n - c.first) * sizeof *same); k < c.n - c.first; k++)
			same[k] = target ? target[k] : (float)reward;
		keep_scored(l, c.token, c.n - 1, c.first - 1, same);
		rc = 0;
	}
	free(same);
	free(c.token);
	return rc;
}

static int take_scored(struct lessons *l, struct record *r, struct err *e)
{
	float label;

	switch (l->how->objective) {
	case OBJECTIVE_PAIRWISE:
		return take_text_of(l, r, "chosen", NULL, e) < 0 ? -1 : take_text_of(l, r, "rejected", NULL, e);
	case OBJECTIVE_POINTWISE:
		return read_label(r, l->how->label, &label, e) < 0 ? -1 : take_text_of(l, r, "completion", &label, e);
	default:
		return take_value(l, r, e);
	}
}

int lessons_add(struct lessons *l, struct record *r, struct err *e)
{
	const struct lessons before = *l;
	size_t i;
	int rc;

	if (l->how->objective != OBJECTIVE_SFT)
		rc = take_scored(l, r, e);
	else if (record_has(r, "completion") || record_has(r, "completion_ids"))
		rc = take_completion(l, r, e);
	else if (record_has(r, "messages"))
		rc = take_messages(l, r, e);
	else if (record_has(r, "text"))
		rc = take_text(l, r, e);
	else
		rc = record_error(r, e, "there is none of 'completion', 'messages' and 'text'");
	if (rc == 0 && config_check_ids(l->how->config, l->token + before.tokens, l->tokens - before.tokens, e) < 0)
		rc = record_error(r, e, "%s", e->msg);
	if (rc < 0) {           /* nothing of a bad record is learned */
		l->tokens = before.tokens;
		l->n = before.n;
		l->targets = before.targets;
		l->longest = before.longest;
		l->cut = before.cut;
		l->empty = before.empty;
		l->unended = before.unended;
	}
	for (i = before.n; i < l->n; i++)
		completion_tell_long(r, l->how->config, l->span[i].n, &l->told_long);
	return rc;
}

/* ---- learning ---- */

/* Spans that an example is: a pair is two */
static int64_t spans_each(const struct lessons *l)
{
	return l->how->objective == OBJECTIVE_PAIRWISE ? 2 : 1;
}

int64_t lessons_count(const struct lessons *l)
{
	return (int64_t)l->n / spans_each(l);
}

uint64_t lessons_hash(const struct lessons *l)
{
	return hash_mix(hash_mix(hash_bytes(l->token, l->tokens * sizeof *l->token), hash_bytes(l->span, l->n * sizeof *l->span)),
			hash_bytes(l->target ? (void *)l->target : "", l->targets * sizeof *l->target));
}

int64_t lessons_pass(const struct lessons *l, struct model *m, struct tape *t, struct replicas *r, const size_t *order, int64_t n, int64_t tokens,
		     struct objective_sums *sums)
{
	const int64_t each = spans_each(l);
	struct lesson *x = xmalloc((size_t)(n * each) * sizeof *x);
	struct objective_sums *part = xcalloc((size_t)r->n, sizeof *part);
	int64_t *size = xcalloc((size_t)n + 1, sizeof *size), seen = 0, all = 0, i, k;

	for (i = 0; i < n * each; i++) {
		const struct span *s = &l->span[(int64_t)order[i / each] * each + i % each];

		x[i] = (struct lesson){{l->token + s->at, s->n, s->first, 1}, l->target ? l->target + s->target : NULL};
		size[i / each] += s->n;
		seen += s->n;
		all += s->n - s->first;
	}
	replicas_deal(r, size, n);
	part[0] = *sums;
	for (k = 0; k < r->n; k++) {
		const int64_t from = r->from[k] * each, count = r->from[k + 1] * each - from;

		if (!replicas_mine(k))
			continue;
		if (count)
			objective_pass(m, t, l->how->objective, x + from, count, tokens, (double)all / (double)each, &part[k]);
		if (t->record)
			replicas_turn(r, k);
	}
	replicas_share(r, part, sizeof *part);
	*sums = part[0];
	for (k = 1; k < r->n; k++) {
		sums->loss += part[k].loss;
		sums->right += part[k].right;
		sums->margin += part[k].margin;
		sums->n += part[k].n;
	}
	free(part);
	free(size);
	free(x);
	return seen;
}

void lessons_free(struct lessons *l)
{
	free(l->token);
	free(l->span);
	free(l->target);
}
