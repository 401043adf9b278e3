/* r1-distill - supervised fine-tuning on completions, conversations or plain text; and of models that score them */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/progress.h"
#include "base/rng.h"
#include "base/team.h"
#include "base/tool.h"
#include "model/pass.h"
#include "model/replicas.h"
#include "model/rollouts.h"
#include "model/schedule.h"
#include "model/trainer.h"
#include "record/record.h"
#include "task/scorer.h"
#include "text/template.h"

struct options {
	const char *model, *output, *template, *schedule, *objective, *on, *label, *held_out;
	int64_t epochs, batch, tokens, max_tokens, warmup, save_every, log_every, stop_after;
	double lr, final_lr, warmup_ratio;
	struct trainer_args trainer;
	bool resume, train_prompt;
	enum scorer_objective goal;     /* --objective */
};

struct data {                           /* all examples' tokens, one behind the other */
	int32_t *token;
	size_t tokens, token_cap;
	struct span { size_t at; int32_t n, first; size_t target; } *span;      /* pairwise: chosen, rejected, chosen, ... */
	size_t n, cap;
	float *target;                  /* of a scalar model's scores, from a span's `target` on */
	size_t targets, target_cap;
	int64_t predicted, cut, empty, edited;
};

struct work {
	struct tool *tool;
	const struct options *o;
	const struct opt *opts;
	struct backend *be;
	struct trainer trainer;
	struct replicas *replicas;
	struct tokenizer *tokenizer;
	struct template *template;
	struct data data, held_out;
	struct js *run;
	uint64_t begun_with;            /* --model's hash; 0: it is not there any more, being --output, which is gone on with */
	struct writer *out;
};

/* ---- records to examples ---- */

static void keep(struct work *w, const int32_t *token, int64_t n, int64_t first)
{
	struct data *d = &w->data;

	if (w->o->train_prompt || first < 1)
		first = 1;
	if (n > w->o->max_tokens) {
		n = w->o->max_tokens;
		d->cut++;
	}
	if (first >= n) {
		d->empty++;
		return;
	}
	d->token = xgrow(d->token, &d->token_cap, d->tokens + (size_t)n, sizeof *d->token);
	memcpy(d->token + d->tokens, token, (size_t)n * sizeof *token);
	d->span = xgrow(d->span, &d->cap, d->n + 1, sizeof *d->span);
	d->span[d->n++] = (struct span){d->tokens, (int32_t)n, (int32_t)first, d->targets};
	d->tokens += (size_t)n;
	d->predicted += n - first;
}

static int take_text(struct work *w, struct record *r, struct err *e)
{
	const struct config *c = &w->trainer.ck->config;
	struct tokens ids = {0};
	size_t n;
	const char *s = record_string(r, "text", &n, e);

	if (!s)
		return -1;
	if (tokenizer_encode(w->tokenizer, s, n, TOKENIZER_ADD_SPECIAL, &ids, e) < 0) {
		tokens_free(&ids);
		return record_error(r, e, "'text': %s", e->msg);
	}
	if (c->eos_count > 0)
		tokens_add(&ids, c->eos[0]);
	keep(w, ids.id, (int64_t)ids.n, 1);
	tokens_free(&ids);
	return 0;
}

/* One example for each turn of the assistant, with all before it as its prompt. */
static int take_messages(struct work *w, struct record *r, struct err *e)
{
	const struct js *messages = record_js(r, "messages", e);
	struct tokens ids = {0};
	struct buf text = {0};
	size_t turn, prompt = 0, turns = 0;
	int rc = 0;

	if (!messages)
		return -1;
	if (!js_is_array(messages))
		return record_error(r, e, "'messages' is %s, not an array", js_type(messages));
	for (turn = 0; turn < js_size(messages) && rc == 0; turn++) {
		const struct js *m = js_at(messages, turn);
		const char *role = js_string(js_get(m, "role"), NULL), *content;
		size_t n;

		content = js_string(js_get(m, "content"), &n);
		if (!role || !content) {
			rc = record_error(r, e, "'messages[%zu].%s' is %s, not a string", turn, role ? "content" : "role",
					  js_type(js_get(m, role ? "content" : "role")));
			break;
		}
		if (strcmp(role, "assistant") != 0)
			continue;
		turns++;
		buf_clear(&text);
		ids.n = 0;
		if (template_messages(w->template, NULL, messages, turn, &text, e) < 0) {
			rc = record_error(r, e, "'messages': %s", e->msg);
			break;
		}
		if (tokenizer_encode(w->tokenizer, text.p ? text.p : "", text.n, TOKENIZER_ADD_SPECIAL, &ids, e) < 0 ||
		    (prompt = ids.n, tokenizer_encode(w->tokenizer, content, n, 0, &ids, e)) < 0) {
			rc = record_error(r, e, "'messages': %s", e->msg);
			break;
		}
		if (w->trainer.ck->config.eos_count > 0)
			tokens_add(&ids, w->trainer.ck->config.eos[0]);
		keep(w, ids.id, (int64_t)ids.n, (int64_t)prompt);
	}
	if (rc == 0 && !turns)
		rc = record_error(r, e, "'messages' has no turn of the assistant to learn");
	buf_free(&text);
	tokens_free(&ids);
	return rc;
}

static int take_completion(struct work *w, struct record *r, struct err *e)
{
	struct completion c;

	if (!record_has(r, "prompt") && !record_has(r, "prompt_ids") && record_has(r, "problem")) {
		struct buf prompt = {0};
		size_t n;
		const char *s = record_string(r, "problem", &n, e);

		if (!s)
			return -1;
		if (template_problem(w->template, NULL, s, n, &prompt, e) < 0) {
			buf_free(&prompt);
			return record_error(r, e, "'problem': %s", e->msg);
		}
		record_set_string(r, "prompt", prompt.p ? prompt.p : "", prompt.n);
		buf_free(&prompt);
	}
	if (completion_read(r, w->tokenizer, &w->trainer.ck->config, &c, e) < 0)
		return -1;
	if (c.edited && w->data.edited++ < 10)
		tool_warn("%s:%lld: text and ids differ: encoded anew", r->file ? r->file : "-", (long long)r->line);
	keep(w, c.token, c.n, c.first);
	free(c.token);
	return 0;
}

/* ---- records to what a scalar model learns ---- */

static void keep_scored(struct work *w, const int32_t *token, int64_t n, int64_t first, const float *target)
{
	struct data *d = &w->data;
	const int64_t scores = n - first;

	d->token = xgrow(d->token, &d->token_cap, d->tokens + (size_t)n, sizeof *d->token);
	memcpy(d->token + d->tokens, token, (size_t)n * sizeof *token);
	d->target = xgrow(d->target, &d->target_cap, d->targets + (size_t)scores, sizeof *d->target);
	if (target)
		memcpy(d->target + d->targets, target, (size_t)scores * sizeof *target);
	else
		memset(d->target + d->targets, 0, (size_t)scores * sizeof *target);     /* describe_run looks at them */
	d->span = xgrow(d->span, &d->cap, d->n + 1, sizeof *d->span);
	d->span[d->n++] = (struct span){d->tokens, (int32_t)n, (int32_t)first, d->targets};
	d->tokens += (size_t)n;
	d->targets += (size_t)scores;
	d->predicted += scores;
}

/* A text that is too long is not scored by its beginning. */
static int take_text_of(struct work *w, struct record *r, const char *field, const float *target, struct err *e)
{
	const struct scorer_reader x = {w->tokenizer, w->template, &w->trainer.ck->config, !strcmp(w->o->on, "summary") ? SCORER_SUMMARY : SCORER_RESPONSE};
	struct tokens ids = {0};
	int rc = scorer_read(&x, r, field, &ids, e);

	if (rc == 0 && (int64_t)ids.n > w->o->max_tokens)
		rc = record_error(r, e, "'%s' and its prompt have %zu tokens, more than --max-tokens", field, ids.n);
	if (rc == 0)
		keep_scored(w, ids.id, (int64_t)ids.n, (int64_t)ids.n - 1, target);
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
static int take_value(struct work *w, struct record *r, struct err *e)
{
	struct completion c;
	float *target = NULL, *same = NULL;
	double reward;
	size_t n;
	int rc = -1;

	if (record_has(r, "returns") && !(target = record_floats(r, "returns", &n, e)))
		return -1;
	if (!target && record_number(r, w->o->label, &reward, e) < 0)
		return -1;
	if (completion_read(r, w->tokenizer, &w->trainer.ck->config, &c, e) < 0)
		return -1;
	if (target && (int64_t)n != c.n - c.first) {
		record_error(r, e, "'returns' has %zu numbers for %lld tokens of the completion", n, (long long)(c.n - c.first));
	} else if (c.first == c.n || !c.first) {
		record_error(r, e, "the %s has no tokens", c.first ? "completion" : "prompt");
	} else if (c.n > w->o->max_tokens) {
		record_error(r, e, "the completion and its prompt have %lld tokens, more than --max-tokens", (long long)c.n);
	} else {
		int64_t k;

		for (k = 0, same = xmalloc((size_t)(c.n - c.first) * sizeof *same); k < c.n - c.first; k++)
			same[k] = target ? target[k] : (float)reward;
		keep_scored(w, c.token, c.n - 1, c.first - 1, same);
		rc = 0;
	}
	free(same);
	free(c.token);
	return rc;
}

static int take_scored(struct work *w, struct record *r, struct err *e)
{
	float label;

	switch (w->o->goal) {
	case OBJECTIVE_PAIRWISE:
		return take_text_of(w, r, "chosen", NULL, e) < 0 ? -1 : take_text_of(w, r, "rejected", NULL, e);
	case OBJECTIVE_POINTWISE:
		return read_label(r, w->o->label, &label, e) < 0 ? -1 : take_text_of(w, r, "completion", &label, e);
	default:
		return take_value(w, r, e);
	}
}

static int take_record(struct work *w, struct record *r, struct err *e)
{
	const struct data before = w->data;
	size_t i;
	int rc;

	if (w->o->goal != OBJECTIVE_SFT)
		rc = take_scored(w, r, e);
	else if (record_has(r, "completion") || record_has(r, "completion_ids"))
		rc = take_completion(w, r, e);
	else if (record_has(r, "messages"))
		rc = take_messages(w, r, e);
	else if (record_has(r, "text"))
		rc = take_text(w, r, e);
	else
		rc = record_error(r, e, "there is none of 'completion', 'messages' and 'text'");
	for (i = before.tokens; rc == 0 && i < w->data.tokens; i++)
		if (w->data.token[i] < 0 || w->data.token[i] >= w->trainer.ck->config.vocab_size)
			rc = record_error(r, e, "token %d is not in the model's vocabulary of %lld", w->data.token[i],
					  (long long)w->trainer.ck->config.vocab_size);
	if (rc < 0) {           /* nothing of a bad record is learned */
		w->data.tokens = before.tokens;
		w->data.n = before.n;
		w->data.targets = before.targets;
		w->data.predicted = before.predicted;
		w->data.cut = before.cut;
		w->data.empty = before.empty;
	}
	return rc;
}

/* Why there are no examples in these files */
static int nothing(const struct work *w, char **files, int n, struct err *e)
{
	const struct data *d = &w->data;
	const char *name = n && strcmp(files[0], "-") != 0 ? files[0] : "stdin", *more = n > 1 ? " and others" : "";

	if (d->cut)
		return err_set(e, "%s%s: no examples to learn from: --max-tokens %lld cuts off all that there is to learn", name, more,
			       (long long)w->o->max_tokens);
	if (d->empty)
		return err_set(e, "%s%s: no examples to learn from: nothing is to be learned of %lld", name, more, (long long)d->empty);
	return err_set(e, "%s%s: no examples to learn from", name, more);
}

static int read_data(struct work *w, char **files, int n, struct err *e)
{
	struct reader *in = reader_open(files, (size_t)n, w->tool);
	struct progress p = progress_new("reading", 0, "examples");
	struct record r = {0};
	int rc;

	progress_rate(&p, "tok/s");
	while ((rc = reader_next(in, &r, e)) > 0) {
		if (take_record(w, &r, e) < 0 && (rc = reader_bad(in, e)) < 0)
			break;
		if (!w->tool->quiet)
			progress_set(&p, (int64_t)w->data.n, (int64_t)w->data.tokens);
	}
	progress_end(&p);
	record_free(&r);
	reader_close(in);
	if (rc < 0)
		return -1;
	if (w->data.n == 0)
		return nothing(w, files, n, e);
	if (w->data.cut)
		tool_note("%lld example%s cut to %lld tokens", (long long)w->data.cut, w->data.cut == 1 ? " was" : "s were",
			  (long long)w->o->max_tokens);
	if (w->data.empty)
		tool_note("%lld example%s nothing to learn", (long long)w->data.empty, w->data.empty == 1 ? " has" : "s have");
	return 0;
}

/* ---- training ---- */

static int save_here(struct work *w, struct err *e)
{
	struct checkpoint_writer *c = checkpoint_begin(w->o->output, e);

	if (!c)
		return -1;
	if (trainer_write(&w->trainer, c, e) < 0) {
		checkpoint_abandon(c);
		return -1;
	}
	return checkpoint_commit(c, e);
}

static int save(struct work *w, struct err *e)
{
	return team_agree(team_rank() == 0 ? save_here(w, e) : trainer_write(&w->trainer, NULL, e), e);
}

/* What one example of the data is: a pair is two spans */
static int64_t spans_each(const struct work *w)
{
	return w->o->goal == OBJECTIVE_PAIRWISE ? 2 : 1;
}

/* Forward through examples order[0 .. n-1] of the data and, if the tape records, back: the sum of -logprob over their predicted tokens, of which the
 * step has `all` in all ... */
static void text_pass(struct work *w, struct tape *t, const struct data *data, const size_t *order, int64_t n, double all, struct scorer_sums *sums)
{
	struct example *ex = xmalloc((size_t)n * sizeof *ex);
	int64_t i, take, predicted = 0, k;
	float *d;

	for (i = 0; i < n; i++) {
		const struct span *s = &data->span[order[i]];

		ex[i] = (struct example){data->token + s->at, s->n, s->first, 1};
		predicted += s->n - s->first;
	}
	d = xmalloc((size_t)predicted * sizeof *d);
	for (k = 0; k < predicted; k++)
		d[k] = (float)(-1 / all);
	for (i = 0; i < n; i += take) {
		struct pass p;

		take = pass_take(ex + i, n - i, w->o->tokens);
		p = pass_forward(w->trainer.model, t, ex + i, take, false);
		for (k = 0; k < p.n; k++)
			sums->loss -= p.logprob[k];
		if (t->record)
			pass_backward(t, &p, d, NULL);
		else
			tape_reset(t);
	}
	sums->n += predicted;
	free(ex);
	free(d);
}

/* ... or the loss of a scalar model's objective. */
static void scored_pass(struct work *w, struct tape *t, const struct data *data, const size_t *order, int64_t n, double all, struct scorer_sums *sums)
{
	const int64_t each = spans_each(w);
	struct scorer_example *x = xmalloc((size_t)(n * each) * sizeof *x);
	int64_t i;

	for (i = 0; i < n * each; i++) {
		const struct span *s = &data->span[(int64_t)order[i / each] * each + i % each];

		x[i] = (struct scorer_example){{data->token + s->at, s->n, s->first, 1}, data->target + s->target};
	}
	scorer_pass(w->trainer.model, t, w->o->goal, x, n * each, w->o->tokens, all, sums);
	free(x);
}

/* By the replicas, each its part of them: sums, which are added to, and gradients are those of all. */
static void any_pass(struct work *w, struct tape *t, const struct data *data, const size_t *order, int64_t n, struct scorer_sums *sums)
{
	const int64_t each = spans_each(w);
	struct replicas *r = w->replicas;
	struct scorer_sums *part = xcalloc((size_t)r->n, sizeof *part);
	int64_t *tokens = xcalloc((size_t)n + 1, sizeof *tokens), all = 0, i, k;

	for (i = 0; i < n * each; i++) {
		const struct span *s = &data->span[(int64_t)order[i / each] * each + i % each];

		tokens[i / each] += s->n;
		all += s->n - s->first;
	}
	replicas_deal(r, tokens, n);
	part[0] = *sums;
	for (k = 0; k < r->n; k++) {
		const int64_t count = r->from[k + 1] - r->from[k];

		if (!replicas_mine(k))
			continue;
		if (count)
			(w->o->goal == OBJECTIVE_SFT ? text_pass : scored_pass)(w, t, data, order + r->from[k], count, (double)all / (double)each, &part[k]);
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
	free(tokens);
}

/* One optimizer step on the examples order[0 .. n-1]; sums are added to those of the steps before. */
static int train_step(struct work *w, struct tape *t, const size_t *order, int64_t n, double lr, struct scorer_sums *sums, double *norm, struct err *e)
{
	struct scorer_sums s = {0};
	const int64_t each = spans_each(w);
	double loss;
	int64_t i;

	for (i = 0; i < n * each; i++)
		w->trainer.state.tokens += w->data.span[(int64_t)order[i / each] * each + i % each].n;
	t->record = true;
	any_pass(w, t, &w->data, order, n, &s);
	*norm = optimizer_step(w->trainer.optimizer, lr);
	loss = s.loss / (double)s.n;
	sums->loss += loss;
	sums->n++;
	sums->right += s.right / (double)s.n;
	sums->margin += s.margin / (double)s.n;
	if (!isfinite(loss) || !isfinite(*norm))
		return err_set(e, "step %lld: the %s is not finite", (long long)w->trainer.state.step + 1, isfinite(*norm) ? "loss" : "gradient");
	return 0;
}

/* What the objective has beside its loss, under the names that the field uses */
static void set_scores(struct record *r, enum scorer_objective goal, const struct scorer_sums *s, const char *loss, const char *accuracy, const char *margin)
{
	record_set_number(r, loss, s->loss / (double)s->n);
	if (goal == OBJECTIVE_PAIRWISE || goal == OBJECTIVE_POINTWISE)
		record_set_number(r, accuracy, s->right / (double)s->n);
	if (goal == OBJECTIVE_PAIRWISE)
		record_set_number(r, margin, s->margin / (double)s->n);
}

static int log_step(struct work *w, const struct scorer_sums *s, double norm, double lr, double epoch, struct err *e)
{
	struct record r = {0};
	int rc;

	record_set_int(&r, "step", w->trainer.state.step);
	record_set_number(&r, "epoch", epoch);
	set_scores(&r, w->o->goal, s, "loss", "accuracy", "margin");
	record_set_number(&r, "grad_norm", norm);
	record_set_number(&r, "learning_rate", lr);
	record_set_int(&r, "num_tokens", w->trainer.state.tokens);
	rc = team_agree(writer_put(w->out, &r, e), e);
	record_free(&r);
	return rc;
}

/* The held-out data's loss, as a last record */
static int log_held_out(struct work *w, struct tape *t, struct err *e)
{
	const int64_t n = (int64_t)w->held_out.n / spans_each(w);
	size_t *order = xmalloc((size_t)(n + 1) * sizeof *order);
	struct scorer_sums s = {0};
	struct record r = {0};
	int64_t i;
	int rc;

	for (i = 0; i < n; i++)
		order[i] = (size_t)i;
	t->record = false;
	any_pass(w, t, &w->held_out, order, n, &s);
	record_set_int(&r, "step", w->trainer.state.step);
	set_scores(&r, w->o->goal, &s, "eval_loss", "eval_accuracy", "eval_margin");
	record_set_int(&r, "eval_samples", n);
	rc = team_agree(writer_put(w->out, &r, e), e);
	record_free(&r);
	free(order);
	return rc;
}

static void shuffle(const struct work *w, int64_t epoch, size_t *order, size_t n)
{
	struct rng rng = rng_new(w->tool->seed, hash_mix(hash_str("epoch"), (uint64_t)epoch));
	size_t i;

	for (i = 0; i < n; i++)
		order[i] = i;
	rng_shuffle(&rng, order, n);
}

/* Tokens that are in one at most: a long example is not cut. */
static int64_t largest_pass(const struct work *w)
{
	int64_t all = 0, most = w->o->tokens;
	size_t i;

	for (i = 0; i < w->data.n; i++) {
		all += w->data.span[i].n;
		most = w->data.span[i].n > most ? w->data.span[i].n : most;
	}
	return all < most ? all : most;
}

static int train(struct work *w, struct err *e)
{
	const struct options *o = w->o;
	int64_t count = (int64_t)w->data.n / spans_each(w), each = (count + o->batch - 1) / o->batch, steps = each * o->epochs, epoch = -1;
	struct schedule sched = {schedule_kind(o->schedule), o->lr, o->final_lr, o->warmup ? o->warmup : (int64_t)(o->warmup_ratio * (double)steps),
				 steps};
	struct progress p = progress_new("training", steps, "steps");
	struct tape t = tape_new(w->be);
	size_t *order = xmalloc((size_t)count * sizeof *order);
	int64_t begun = w->trainer.state.tokens, first = w->trainer.state.step;
	struct scorer_sums sums = {0};
	double norm = 0;
	int rc = 0;

	t.recompute = o->trainer.recompute;
	progress_rate(&p, "tok/s");
	trainer_warn_memory(&w->trainer, largest_pass(w));
	while (rc == 0 && w->trainer.state.step < steps && !team_any(tool_interrupted()) && !(o->stop_after && w->trainer.state.step >= o->stop_after)) {
		int64_t s = w->trainer.state.step % each, from = s * o->batch, n = count - from < o->batch ? count - from : o->batch;
		double lr = schedule_rate(&sched, w->trainer.state.step + 1);

		if (epoch != w->trainer.state.step / each)
			shuffle(w, epoch = w->trainer.state.step / each, order, (size_t)count);
		rc = train_step(w, &t, order + from, n, lr, &sums, &norm, e);
		if (rc < 0)
			break;
		w->trainer.state.step++;
		if (w->trainer.state.step % o->log_every == 0 || w->trainer.state.step == steps) {
			rc = log_step(w, &sums, norm, lr, (double)w->trainer.state.step / (double)each, e);
			sums = (struct scorer_sums){0};
		}
		if (rc == 0 && o->save_every && w->trainer.state.step % o->save_every == 0 && w->trainer.state.step < steps)
			rc = save(w, e);
		if (!w->tool->quiet)
			progress_set(&p, w->trainer.state.step - first, w->trainer.state.tokens - begun);
	}
	progress_end(&p);
	if (rc == 0 && w->held_out.n && w->trainer.state.step == steps)
		rc = log_held_out(w, &t, e);
	tape_free(&t);
	free(order);
	if (rc == 0 && team_any(tool_interrupted()))
		rc = err_set(e, "interrupted at step %lld of %lld%s", (long long)w->trainer.state.step, (long long)steps,
			     o->save_every ? ": --resume goes on from the last save" : "");
	if (rc == 0)
		rc = save(w, e);
	if (rc == 0)
		tool_note("%lld example%s, %lld tokens, %lld step%s, %.0f tok/s; %.1f MiB at most", (long long)count, count == 1 ? "" : "s",
			  (long long)w->data.tokens, (long long)(w->trainer.state.step - first), w->trainer.state.step - first == 1 ? "" : "s",
			  (double)(w->trainer.state.tokens - begun) / (clock_seconds() - p.started + 1e-9),
			  (double)memory_peak() / 1048576);
	return rc;
}

/* ---- the whole ---- */

/* What --model is, of a run that is gone on with: that model is looked at, and no more. */
static int look_at_model(struct work *w, struct err *e)
{
	struct checkpoint *ck;
	struct stat from, to;

	if (stat(w->o->model, &from) == 0 && stat(w->o->output, &to) == 0 && from.st_dev == to.st_dev && from.st_ino == to.st_ino)
		return 0;
	ck = checkpoint_open(w->o->model, e);
	if (!ck)
		return -1;
	w->begun_with = checkpoint_hash(ck);
	checkpoint_close(ck);
	return 0;
}

static int open_all(struct work *w, struct err *e)
{
	const struct options *o = w->o;
	bool resume = o->resume && file_is_dir(o->output);
	int moments;

	if (resume && look_at_model(w, e) < 0)
		return -1;
	w->be = backend_open(w->tool->backend, (int)w->tool->threads, e);
	if (!w->be || trainer_open(&w->trainer, resume ? o->output : o->model, w->be, &o->trainer, e) < 0 ||
	    (team_rank() == 0 && checkpoint_check(o->output, e) < 0) ||
	    !(w->tokenizer = completion_tokenizer(w->trainer.ck, e)) || !(w->template = completion_template(w->trainer.ck, o->template, e)))
		return -1;
	tool_debug("%s", w->be->what);
	if (resume && o->trainer.lora && !w->trainer.ck->adapter)
		return err_set(e, "%s: is of another run: it trains a whole model, without --lora", o->output);
	moments = trainer_begin(&w->trainer, resume, e);
	if (moments < 0)
		return -1;
	if (!resume) {
		w->trainer.state = (struct state){0};
		w->begun_with = checkpoint_hash(w->trainer.ck);
	} else if (!moments || !w->trainer.state.step) {
		return err_set(e, "%s: is no run to go on with: there is no %s in it", o->output, moments ? "state.json" : "optimizer/");
	}
	w->replicas = replicas_new(model_trained(w->trainer.model), o->trainer.replicas);
	w->out = writer_open(NULL, e);
	return w->out ? 0 : -1;
}

static struct js *value_of(const struct opt *opts, const char *name)
{
	char text[24];
	const char *s = text;

	while (!opts->name || strcmp(opts->name, name) != 0)
		opts++;
	if (opts->type == OPT_INT)
		return js_new_int(*(int64_t *)opts->value);
	if (opts->type == OPT_FLOAT)
		return js_new_number(*(double *)opts->value);
	if (opts->type == OPT_UINT)
		snprintf(text, sizeof text, "%llu", (unsigned long long)*(uint64_t *)opts->value);
	else
		s = *(const char **)opts->value;
	return js_new_string(s, strlen(s));
}

static struct js *hex(uint64_t x)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%016llx", (unsigned long long)x);

	return js_new_string(text, (size_t)n);
}

/* What the examples, their order and the steps depend on; more epochs are the same run if no rate hangs on their number. What is `auto` is what
 * came of it. there: what an earlier description says, or NULL. */
static struct js *describe_run(const struct work *w, const struct js *there)
{
	static const char *const names[] = {"objective", "seed", "backend", "batch", "lr", "schedule", "final-lr", "warmup", "warmup-ratio", "beta1", "beta2",
					    "adam-eps", "weight-decay", "max-grad-norm"};
	const struct trainer *t = &w->trainer;
	const struct data *d = &w->data;
	const char *dtype = strcmp(w->o->trainer.dtype, "auto") != 0 ? w->o->trainer.dtype : t->ck->config.dtype;
	const char *moments = t->optimizer->dtype == ST_BF16 ? "bfloat16" : "float32";
	struct js *run = js_object();
	size_t i;

	if (w->begun_with || js_get(there, "model"))
		js_set(run, "model", w->begun_with ? hex(w->begun_with) : js_copy(js_get(there, "model")));
	js_set(run, "data", hex(hash_mix(hash_mix(hash_bytes(d->token, d->tokens * sizeof *d->token), hash_bytes(d->span, d->n * sizeof *d->span)),
					 hash_bytes(d->target ? (void *)d->target : "", d->targets * sizeof *d->target))));
	js_set(run, "dtype", js_new_string(dtype, strlen(dtype)));
	js_set(run, "moments", js_new_string(moments, strlen(moments)));
	js_set(run, "replicas", js_new_int(w->replicas->n));
	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		js_set(run, names[i], value_of(w->opts, names[i]));
	if (strcmp(w->o->schedule, "constant") != 0 || w->o->warmup_ratio > 0)
		js_set(run, "epochs", value_of(w->opts, "epochs"));
	return run;
}

/* The run that is gone on with must be this one. */
static int check_run(struct work *w, struct err *e)
{
	struct js *there = w->trainer.state.step ? state_run(w->trainer.ck) : NULL;
	struct js_iter it;
	int rc = 0;

	w->trainer.run = w->run = describe_run(w, there);
	for (it = js_each(w->run); rc == 0 && js_next(&it);) {
		const struct js *old = js_get(there, it.key);
		struct buf a = {0}, b = {0};

		if (!old && strcmp(it.key, "replicas") == 0 && there && w->replicas->n > 1)
			rc = err_set(e, "%s: is of another run: --replicas was 1 and is %lld now", w->o->output, (long long)w->replicas->n);
		if (!old)
			continue;
		js_write(old, 0, &a);
		js_write(it.value, 0, &b);
		if (a.n == b.n && !memcmp(a.p, b.p, a.n))
			rc = 0;
		else if (!strcmp(it.key, "model"))
			rc = err_set(e, "%s: is of another run: it began with another model than %s", w->o->output, w->o->model);
		else if (!strcmp(it.key, "data"))
			rc = err_set(e, "%s: is of another run: its examples are others", w->o->output);
		else
			rc = err_set(e, "%s: is of another run: --%s was %.200s and is %.200s now", w->o->output, it.key, a.p, b.p);
		buf_free(&a);
		buf_free(&b);
	}
	js_free(there);
	if (rc == 0 && w->trainer.state.step)
		tool_note("going on from step %lld of %s", (long long)w->trainer.state.step, w->o->output);
	return rc;
}

static void data_free(struct data *d)
{
	free(d->token);
	free(d->span);
	free(d->target);
}

static void close_all(struct work *w)
{
	replicas_free(w->replicas);
	trainer_close(&w->trainer);
	template_free(w->template);
	tokenizer_free(w->tokenizer);
	backend_close(w->be);
	data_free(&w->data);
	data_free(&w->held_out);
	js_free(w->run);
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "r1-distill", .usage = "--model DIR --output DIR [OPTION]... [FILE]...", .speaks = true,
			 .summary = "Fine-tune a model on completions, conversations or plain text"};
	struct options o = {.template = "auto", .schedule = "cosine", .objective = "sft", .on = "response", .epochs = 1, .batch = 64, .tokens = 16384, .max_tokens = 32768, .log_every = 10,
			    .lr = 1e-5, .final_lr = 0.1, .trainer = TRAINER_DEFAULTS};
	struct opt opts[] = {
		OPT_HEADING("Model and data"),
		{"model", 'm', OPT_STRING, &o.model, "DIR", "checkpoint to begin with: a folder or an archive"},
		{"output", 'o', OPT_STRING, &o.output, "DIR", "write the new checkpoint there"},
		{"template", 't', OPT_STRING, &o.template, "NAME", "how a problem becomes a prompt, as r1-sample's"},
		TRAINER_DTYPE(&o.trainer),
		{"max-tokens", 0, OPT_INT, &o.max_tokens, "N", "cut longer examples", 2, 1e9},
		{"train-prompt", 0, OPT_FLAG, &o.train_prompt, NULL, "learn the prompt's tokens too, not the completion's alone"},
		{"held-out", 0, OPT_STRING, &o.held_out, "FILE", "records that are not learned: their loss, as a last metrics record"},
		OPT_HEADING("Models that score"),
		{"objective", 0, OPT_CHOICE, &o.objective, SCORER_OBJECTIVES, "sft; or a scalar head: of chosen over rejected, a label, returns"},
		{"on", 0, OPT_CHOICE, &o.on, "response|summary", "what is read of a completion: all, or what is behind its reasoning"},
		{"label", 0, OPT_STRING, &o.label, "FIELD", "pointwise: true, false or 0 .. 1 [label]; value: what has no returns [reward]"},
		OPT_HEADING("Schedule"),
		{"epochs", 0, OPT_INT, &o.epochs, "N", "times that the data are gone through, each in another order", 1, 1e9},
		{"batch", 'b', OPT_INT, &o.batch, "N", "examples in an optimizer step", 1, 1e9},
		{"lr", 0, OPT_FLOAT, &o.lr, "R", "peak learning rate", 0, 1e9},
		{"schedule", 0, OPT_CHOICE, &o.schedule, "constant|linear|cosine", "learning rate over steps"},
		{"final-lr", 0, OPT_FLOAT, &o.final_lr, "F", "share of the peak left at the end", 0, 1},
		{"warmup", 0, OPT_INT, &o.warmup, "N", "steps of warm-up", 0, 1e15},
		{"warmup-ratio", 0, OPT_FLOAT, &o.warmup_ratio, "F", "the same as a share of all steps", 0, 1},
		{"stop-after", 0, OPT_INT, &o.stop_after, "N", "save and end after step N, the schedule as if it went on; 0: at the end", 0, 1e15},
		OPT_HEADING("Optimizer"),
		TRAINER_OPTIMIZER(&o.trainer),
		TRAINER_LORA(&o.trainer),
		OPT_HEADING("Running"),
		{"save-every", 0, OPT_INT, &o.save_every, "N", "write the checkpoint every N steps too; 0: at the end only", 0, 1e15},
		{"resume", 0, OPT_FLAG, &o.resume, NULL, "go on from --output if it is there"},
		{"log-every", 0, OPT_INT, &o.log_every, "N", "a metrics record every N steps", 1, 1e15},
		TRAINER_TOKENS(&o.trainer, &o.tokens),
		TOOL_OPTIONS_SEED(&t),
		TOOL_OPTIONS_COMPUTE(&t),
		TOOL_OPTIONS(&t),
		OPT_END};
	struct work w = {.tool = &t, .o = &o, .opts = opts};
	struct err e;
	int rc = tool_begin(&t, opts, &argc, &argv);

	if (rc >= 0)
		return rc;
	if (!o.model || !o.output)
		return tool_usage(&t, "--%s is missing", o.model ? "output" : "model");
	if (trainer_check(&o.trainer, o.model, o.output, &e) < 0)
		return tool_usage(&t, "%s", e.msg);
	if (o.warmup && o.warmup_ratio > 0)
		return tool_usage(&t, "--warmup and --warmup-ratio exclude each other");
	o.goal = scorer_objective(o.objective);
	o.trainer.scalar = o.goal != OBJECTIVE_SFT;
	o.label = o.label ? o.label : o.goal == OBJECTIVE_VALUE ? "reward" : "label";
	if (o.trainer.scalar && o.trainer.lora)
		return tool_usage(&t, "--lora is for --objective sft");
	o.trainer.seed = t.seed;
	rc = trainer_join(&o.trainer, opts, &e);
	if (rc == 0)
		rc = team_agree(open_all(&w, &e), &e);
	if (rc == 0 && o.held_out) {
		rc = read_data(&w, (char **)&o.held_out, 1, &e);
		w.held_out = w.data;
		w.data = (struct data){0};
	}
	if (rc == 0)
		rc = read_data(&w, argv, argc, &e);
	if (rc == 0)
		rc = team_agree(check_run(&w, &e), &e);
	if (rc == 0)
		rc = train(&w, &e);
	rc = team_agree(rc, &e);
	if (writer_close(w.out, rc < 0 ? NULL : &e) < 0)
		rc = -1;
	close_all(&w);
	return rc < 0 ? tool_fail(&t, &e) : tool_end(&t);
}
