/* r1-update - policy-gradient steps: scored completions in, a new checkpoint out */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/progress.h"
#include "base/team.h"
#include "base/tool.h"
#include "model/lora.h"
#include "model/policy.h"
#include "model/rollouts.h"
#include "model/schedule.h"
#include "model/trainer.h"
#include "record/record.h"
#include "task/stat.h"

struct options {
	const char *model, *output, *reference, *loss, *kl, *kl_in, *schedule;
	int64_t reference_every, warmup, steps, minibatches, epochs, tokens, max_length;
	double kl_coef, clip, clip_low, clip_high, dual_clip, entropy_coef, is_cap;
	double lr, final_lr;
	struct trainer_args trainer;
	bool mask_truncated, timing;
	int64_t follow;
	const struct loss *kind;        /* --loss */
};

struct values {                         /* of one reward */
	const char *name;               /* the key of `part`, or NULL for the weighted sum */
	double *x;
	size_t n, cap;
};

struct batch {
	struct rollout *rollout;
	size_t n, cap;
	int64_t masked, edited, prompt_tokens;
	int64_t longest, shortest, tokens, ended, ended_tokens;
	struct values reward;
	struct map group;               /* id -> index + 1 into range */
	struct range { double lowest, highest; } *range;
	size_t range_cap;
	struct map part;                /* name of a reward -> index + 1 into parts */
	struct values *parts;
	size_t parts_cap;
	struct map came;                /* of --follow: id and step -> completions that are there of this group */
	int64_t open, whole;            /* groups that more is to come of, and those that are whole */
};

/* ---- records ---- */

static void add(struct values *v, double x)
{
	v->x = xgrow(v->x, &v->cap, v->n + 1, sizeof *v->x);
	v->x[v->n++] = x;
}

static void count_reward(struct batch *b, const char *id, double reward)
{
	int64_t *at = map_put(&b->group, id, strlen(id));
	struct range *r;

	if (*at == 0) {
		*at = (int64_t)b->group.n;
		b->range = xgrow(b->range, &b->range_cap, b->group.n, sizeof *b->range);
		b->range[*at - 1] = (struct range){reward, reward};
	}
	r = &b->range[*at - 1];
	r->lowest = fmin(r->lowest, reward);
	r->highest = fmax(r->highest, reward);
	add(&b->reward, reward);
}

/* Both fields are looked at before either is counted. */
static int count_rewards(struct batch *b, struct record *r, const char *id, struct err *e)
{
	struct named *named = NULL;
	double reward;
	size_t n = 0, i;

	if ((record_has(r, "reward") && record_number(r, "reward", &reward, e) < 0) ||
	    (record_has(r, "rewards") && !(named = record_named(r, "rewards", &n, e))))
		return -1;
	if (record_has(r, "reward"))
		count_reward(b, id, reward);
	for (i = 0; i < n; i++) {
		int64_t *at = map_put(&b->part, named[i].name, strlen(named[i].name));

		if (*at == 0) {
			*at = (int64_t)b->part.n;
			b->parts = xgrow(b->parts, &b->parts_cap, b->part.n, sizeof *b->parts);
			b->parts[*at - 1] = (struct values){0};
		}
		if (!isnan(named[i].value))
			add(&b->parts[*at - 1], named[i].value);
	}
	return 0;
}

static void count_length(struct batch *b, int64_t n, bool ended)
{
	bool first = b->n == 0 && b->masked == 0;

	if (first || n > b->longest)
		b->longest = n;
	if (first || n < b->shortest)
		b->shortest = n;
	b->tokens += n;
	b->ended += ended;
	b->ended_tokens += ended ? n : 0;
}

static int check(struct record *r, const struct completion *c, const struct config *config, double temperature, struct err *e)
{
	int64_t i;

	if (temperature < 0)
		return record_error(r, e, "'temperature' is %g, which is less than 0", temperature);
	if (c->first == c->n)
		return record_error(r, e, "the completion has no tokens");
	for (i = 0; i < c->n; i++)
		if (c->token[i] < 0 || c->token[i] >= config->vocab_size)
			return record_error(r, e, "token %d is not in the model's vocabulary of %lld", c->token[i],
					    (long long)config->vocab_size);
	return 0;
}

/* Takes over c->token. */
static void keep(struct batch *b, struct rollout x, const struct completion *c, const char *id)
{
	size_t bytes = (size_t)(c->n - c->first) * sizeof *x.logprob;

	x.id = xstrdup(id);
	x.token = c->token;
	x.n = c->n;
	x.first = c->first;
	if (c->logprob)
		x.logprob = memcpy(xmalloc(bytes), c->logprob, bytes);
	b->rollout = xgrow(b->rollout, &b->cap, b->n + 1, sizeof *b->rollout);
	b->rollout[b->n++] = x;
}

static int read_advantages(struct record *r, const struct completion *c, struct rollout *x, struct err *e)
{
	size_t n;
	const float *a = record_floats(r, "advantages", &n, e);

	if (!a)
		return -1;
	if ((int64_t)n != c->n - c->first)
		return record_error(r, e, "'advantages' has %zu numbers for %lld tokens of the completion", n, (long long)(c->n - c->first));
	x->advantages = memcpy(xmalloc(n * sizeof *a), a, n * sizeof *a);
	return 0;
}

static int take_record(struct batch *b, struct record *r, struct tokenizer *t, const struct config *config, const struct options *o,
		       struct err *e)
{
	struct completion c;
	struct rollout x = {.temperature = 1};
	const char *id = "", *finish = "stop";
	bool cut;

	if ((record_has(r, "id") && !(id = record_string(r, "id", NULL, e))) || record_number(r, "advantage", &x.advantage, e) < 0 ||
	    (record_has(r, "sample") && record_int(r, "sample", &x.sample, e) < 0) ||
	    (record_has(r, "temperature") && record_number(r, "temperature", &x.temperature, e) < 0) ||
	    (record_has(r, "finish_reason") && !(finish = record_string(r, "finish_reason", NULL, e))) ||
	    completion_read(r, t, config, &c, e) < 0)
		return -1;
	if (check(r, &c, config, x.temperature, e) < 0 || (record_has(r, "advantages") && read_advantages(r, &c, &x, e) < 0) ||
	    count_rewards(b, r, id, e) < 0) {
		free(x.advantages);
		free(c.token);
		return -1;
	}
	if (c.edited && b->edited++ < 10)
		tool_warn("%s:%lld: text and ids differ: encoded anew (id %s)", r->file ? r->file : "-", (long long)r->line, id);
	cut = !strcmp(finish, "length");
	count_length(b, c.n - c.first, !cut);
	b->prompt_tokens += c.first;
	if (cut && o->mask_truncated) {
		b->masked++;
		free(c.token);
		free(x.advantages);
	} else {
		keep(b, x, &c, id);
	}
	return 0;
}

/* A group is whole when as many of it are there as its 'group' says. */
static int count_group(struct batch *b, struct record *r, struct err *e)
{
	struct buf key = {0};
	int64_t size, step = -1, *came;
	const char *id = record_string(r, "id", NULL, e);

	if (!id || record_int(r, "group", &size, e) < 0 || (record_has(r, "step") && record_int(r, "step", &step, e) < 0))
		return -1;
	if (size < 1)
		return record_error(r, e, "'group' is %lld, which is less than 1", (long long)size);
	buf_printf(&key, "%lld %s", (long long)step, id);
	came = map_put(&b->came, key.p, key.n);
	buf_free(&key);
	if (*came == size)
		return record_error(r, e, "one completion too many of its group of %lld", (long long)size);
	b->open += *came == 0;
	if (++*came == size) {
		b->open--;
		b->whole++;
	}
	return 0;
}

static void batch_free(struct batch *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		rollout_free(&b->rollout[i]);
	free(b->rollout);
	free(b->range);
	free(b->reward.x);
	for (i = 0; i < b->part.n; i++)
		free(b->parts[i].x);
	free(b->parts);
	map_free(&b->group);
	map_free(&b->part);
	map_free(&b->came);
}

struct work {
	struct backend *be;
	struct trainer trainer;
	struct tokenizer *tokenizer;
	struct safetensors *carried;    /* the checkpoint's reference, if it has one */
	struct batch batch;
};

/* All there is or, with --follow, whole groups, as many as it says. *ended: there is no more. */
static int read_records(struct work *w, struct reader *in, const struct options *o, bool *ended, struct err *e)
{
	struct batch *b = &w->batch;
	struct record r = {0};
	int rc = 1;

	while (!(o->follow && b->whole >= o->follow && !b->open) && (rc = reader_next(in, &r, e)) > 0)
		if (((o->follow && count_group(b, &r, e) < 0) || take_record(b, &r, w->tokenizer, &w->trainer.ck->config, o, e) < 0) &&
		    (rc = reader_bad(in, e)) < 0)
			break;
	*ended = rc == 0;
	record_free(&r);
	return rc < 0 ? -1 : 0;
}

/* ---- the reference model: a folder that is given, or the one that the checkpoint carries, which begins as the policy itself ---- */

#define REFERENCE "reference/model.safetensors"
#define REFERENCE_ADAPTER "reference/" ADAPTER_WEIGHTS

/* Another model's logprobs of all completions; then it goes, before training takes its memory. hash: of its weights */
static int score_by(struct work *w, struct model *reference, uint64_t hash, const struct options *o, struct err *e)
{
	int rc = team_agree(reference ? 0 : -1, e);

	if (rc == 0)
		rc = team_same(hash, "the reference model", e);
	if (rc == 0)
		policy_reference(reference, w->batch.rollout, w->batch.n, o->tokens, o->trainer.replicas);
	model_free(reference);
	return rc;
}

static int score_other(struct work *w, const struct options *o, struct err *e)
{
	const struct checkpoint *ck = w->trainer.ck;
	struct model *m = model_load(o->reference, w->be, MODEL_SCORE, DTYPE_AUTO, e);
	struct checkpoint *there = m && team_size() > 1 ? checkpoint_open(o->reference, e) : NULL;
	const uint64_t hash = there ? checkpoint_hash(there) : 0;

	if (m && m->score) {
		err_set(e, "%s: has a scalar head: it scores texts and predicts no tokens", o->reference);
		model_free(m);
		m = NULL;
	}
	if (m && m->config.vocab_size < ck->config.vocab_size) {
		err_set(e, "%s: a vocabulary of %lld is too small to be the reference of one of %lld", o->reference,
			(long long)m->config.vocab_size, (long long)ck->config.vocab_size);
		model_free(m);
		m = NULL;
	}
	checkpoint_close(there);
	return score_by(w, m, hash, o, e);
}

/* Nothing where there is nobody to compare it with */
static uint64_t hash_in_team(const struct safetensors *s)
{
	return s && team_size() > 1 ? safetensors_hash(s) : 0;
}

/* The base without its adapter, or with the one that is carried. */
static int score_base(struct work *w, const struct options *o, struct err *e)
{
	struct model *m = w->trainer.model;
	size_t bytes = (size_t)m->adapter.size * sizeof *m->adapter.theta;
	float *keep;
	int rc = 0;

	if (!w->carried) {
		lora_switch(m, false);
		policy_reference(m, w->batch.rollout, w->batch.n, o->tokens, o->trainer.replicas);
		lora_switch(m, true);
		return 0;
	}
	keep = w->be->alloc(w->be, bytes);
	w->be->copy(w->be, keep, m->adapter.theta, bytes);
	if (params_load(&m->adapter, w->carried, e) < 0)
		rc = err_prefix(e, "%s/%s", w->trainer.ck->path, REFERENCE_ADAPTER);
	rc = team_agree(rc, e);
	if (rc == 0)
		rc = team_same(hash_in_team(w->carried), "the reference model", e);
	if (rc == 0)
		policy_reference(m, w->batch.rollout, w->batch.n, o->tokens, o->trainer.replicas);
	w->be->copy(w->be, m->adapter.theta, keep, bytes);
	w->be->free(w->be, keep);
	return rc;
}

static int score_reference(struct work *w, const struct options *o, struct err *e)
{
	const struct checkpoint *ck = w->trainer.ck;
	struct model *m;

	if (o->kl_coef == 0)
		return 0;
	if (o->reference)
		return score_other(w, o, e);
	e->msg[0] = 0;
	w->carried = checkpoint_tensors(ck, ck->base ? REFERENCE_ADAPTER : REFERENCE, e);
	if (!w->carried && e->msg[0])
		return -1;
	if (ck->base)
		return score_base(w, o, e);
	m = model_from_tensors(&ck->config, w->carried ? w->carried : ck->weights, w->be, MODEL_SCORE, DTYPE_AUTO, e);
	if (!m)
		w->carried ? err_prefix(e, "%s/%s", ck->path, REFERENCE) : err_prefix(e, "%s", ck->path);
	return score_by(w, m, hash_in_team(w->carried), o, e);
}

/* The policy as it is now, or what was carried, as it stands. An adapter's reference is its base until then. */
static int save_reference(struct checkpoint_writer *w, const struct work *k, bool refresh, struct err *e)
{
	const struct checkpoint *ck = k->trainer.ck;
	const char *name = ck->base ? REFERENCE_ADAPTER : REFERENCE;
	struct safetensors_writer *s;

	if (refresh)
		return trainer_write_tensors(&k->trainer, w, name, 0, e);
	if (ck->base && !k->carried)
		return 0;
	s = checkpoint_add_tensors(w, name, e);
	if (!s)
		return -1;
	if (params_copy(model_trained(k->trainer.model), s, k->carried ? k->carried : ck->weights, model_fp8(&ck->config), e) == 0)
		return safetensors_finish(s, e);
	safetensors_discard(s);
	return -1;
}

static int save_here(const struct work *k, const struct options *o, struct err *e)
{
	struct checkpoint_writer *w = checkpoint_begin(o->output ? o->output : o->model, e);
	bool refresh = o->reference_every > 0 && k->trainer.state.step % o->reference_every == 0;
	int rc;

	if (!w)
		return -1;
	rc = trainer_write(&k->trainer, w, e);
	if (rc == 0 && o->kl_coef != 0 && !o->reference)
		rc = save_reference(w, k, refresh, e);
	if (rc == 0)
		return checkpoint_commit(w, e);
	checkpoint_abandon(w);
	return -1;
}

static int save(const struct work *k, const struct options *o, struct err *e)
{
	return team_agree(team_rank() == 0 ? save_here(k, o, e) : trainer_write(&k->trainer, NULL, e), e);
}

/* ---- metrics, under the names that the field uses ---- */

static int by_name(const void *a, const void *b)
{
	const struct values *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void reward_metrics(struct record *r, struct batch *b)
{
	size_t i, flat = 0;

	if (b->reward.n) {
		for (i = 0; i < b->group.n; i++)
			flat += b->range[i].highest - b->range[i].lowest < 1e-12;
		record_set_number(r, "reward", stat_mean(b->reward.x, b->reward.n));
		record_set_number(r, "reward_std", stat_std(b->reward.x, b->reward.n, true));
		record_set_number(r, "frac_reward_zero_std", (double)flat / (double)b->group.n);
	}
	for (i = 0; i < b->part.n; i++)
		b->parts[b->part.entry[i].value - 1].name = b->part.entry[i].key;
	if (b->part.n)
		qsort(b->parts, b->part.n, sizeof *b->parts, by_name);
	for (i = 0; i < b->part.n; i++) {
		const struct values *p = &b->parts[i];
		char *name = xasprintf("rewards/%s/mean", p->name);

		record_set_number(r, name, stat_mean(p->x, p->n));
		strcpy(strrchr(name, '/'), "/std");
		record_set_number(r, name, stat_std(p->x, p->n, true));
		free(name);
	}
}

static void metrics_record(struct record *r, struct batch *b, const struct policy_metrics *m, const struct state *s, double lr, double seconds)
{
	double all = (double)(b->n + (size_t)b->masked);

	record_set_int(r, "step", s->step);
	record_set_number(r, "loss", m->loss);
	reward_metrics(r, b);
	record_set_number(r, "completions/mean_length", (double)b->tokens / all);
	record_set_int(r, "completions/min_length", b->shortest);
	record_set_int(r, "completions/max_length", b->longest);
	record_set_number(r, "completions/mean_terminated_length", b->ended ? (double)b->ended_tokens / (double)b->ended : 0);
	record_set_number(r, "completions/clipped_ratio", 1 - (double)b->ended / all);
	record_set_number(r, "clip_ratio/low_mean", m->clip_low);
	record_set_number(r, "clip_ratio/high_mean", m->clip_high);
	record_set_number(r, "clip_ratio/region_mean", m->clip_low + m->clip_high);
	record_set_number(r, "kl", m->kl);
	record_set_number(r, "entropy", m->entropy);
	if (m->logp_difference_mean >= 0) {
		record_set_number(r, "sampling/sampling_logp_difference/mean", m->logp_difference_mean);
		record_set_number(r, "sampling/sampling_logp_difference/max", m->logp_difference_max);
	}
	record_set_number(r, "grad_norm", m->grad_norm);
	record_set_number(r, "learning_rate", lr);
	record_set_int(r, "completions", (int64_t)b->n);
	record_set_int(r, "num_tokens", s->tokens);
	if (seconds >= 0)
		record_set_number(r, "step_time", seconds);
}

/* ---- the whole ---- */

static void show_progress(void *arg, int64_t done, int64_t of)
{
	(void)of;
	progress_set(arg, done, done);
}

static int open_all(struct work *w, const struct options *o, const struct tool *t, struct err *e)
{
	w->be = backend_open(t->backend, (int)t->threads, e);
	if (!w->be)
		return -1;
	tool_debug("%s", w->be->what);
	if (trainer_open(&w->trainer, o->model, w->be, &o->trainer, e) < 0 ||
	    (team_rank() == 0 && checkpoint_check(o->output ? o->output : o->model, e) < 0))
		return -1;
	if (!o->output && w->trainer.ck->base && !w->trainer.ck->adapter)
		return err_set(e, "--lora writes an adapter, and its base %s must stay: name a folder for it by --output", o->model);
	w->tokenizer = completion_tokenizer(w->trainer.ck, e);
	return w->tokenizer ? 0 : -1;
}

static void close_all(struct work *w)
{
	batch_free(&w->batch);
	trainer_close(&w->trainer);
	safetensors_close(w->carried);
	tokenizer_free(w->tokenizer);
	backend_close(w->be);
}

/* Tokens that are in one at most: a long completion is not cut. */
static int64_t largest_pass(const struct batch *b, const struct options *o)
{
	int64_t all = 0, most = o->tokens;
	size_t i;

	for (i = 0; i < b->n; i++) {
		all += b->rollout[i].n;
		most = b->rollout[i].n > most ? b->rollout[i].n : most;
	}
	return all < most ? all : most;
}

/* One side's, else both sides', else the loss's own */
static double epsilon(double side, double both, double own)
{
	return side >= 0 ? side : both >= 0 ? both : own;
}

static int train(struct work *w, const struct options *o, const struct tool *t, struct policy_metrics *m, double *lr, struct err *e)
{
	struct state *s = &w->trainer.state;
	struct schedule sched = {schedule_kind(o->schedule), o->lr, o->final_lr, o->warmup, o->steps};
	struct progress p = progress_new("updating", (int64_t)w->batch.n * o->epochs, "completions");
	struct policy_args a = {.loss = o->kind, .minibatches = o->minibatches, .epochs = o->epochs, .tokens = o->tokens,
				.replicas = o->trainer.replicas, .recompute = o->trainer.recompute, .seed = t->seed, .step = (uint64_t)s->step};
	const bool in_reward = o->kl_in[0] == 'r';
	int rc;

	a.kl_reward = in_reward ? o->kl_coef : 0;
	a.loss_args = (struct loss_args){.clip_low = epsilon(o->clip_low, o->clip, o->kind->clip_low),
					 .clip_high = epsilon(o->clip_high, o->clip, o->kind->clip_high), .dual_clip = o->dual_clip,
					 .kl_coef = in_reward ? 0 : o->kl_coef,
					 .kl = in_reward ? LOSS_KL_K1 : (enum loss_kl)(o->kl[1] - '1'), .entropy_coef = o->entropy_coef,
					 .is_cap = o->is_cap, .max_length = o->max_length ? (double)o->max_length : (double)w->batch.longest};
	*lr = a.learning_rate = schedule_rate(&sched, s->step);
	rollout_sort(w->batch.rollout, w->batch.n);
	rc = score_reference(w, o, e);
	if (rc == 0)
		rc = trainer_begin(&w->trainer, true, e) < 0 ? -1 : 0;
	if (rc == 0)
		trainer_warn_memory(&w->trainer, largest_pass(&w->batch, o));
	if (rc == 0)
		rc = policy_step(w->trainer.model, w->trainer.optimizer, &a, w->batch.rollout, w->batch.n, m, t->quiet ? NULL : show_progress, &p, e);
	progress_end(&p);
	s->tokens += w->batch.tokens + w->batch.prompt_tokens;
	return rc;
}

static int write_metrics(struct work *w, const struct policy_metrics *m, const struct state *s, double lr, double seconds, struct err *e)
{
	struct writer *out = writer_open(NULL, e);
	struct record r = {0};
	int rc;

	metrics_record(&r, &w->batch, m, s, lr, seconds);
	rc = out ? writer_put(out, &r, e) : -1;
	record_free(&r);
	return writer_close(out, rc < 0 ? NULL : e) < 0 ? -1 : rc;
}

static int take_step(struct work *w, const struct options *o, const struct tool *t, double started, struct err *e)
{
	double lr = 0;
	struct policy_metrics m = {0};
	struct state *s = &w->trainer.state;
	int rc;

	s->step++;
	rc = train(w, o, t, &m, &lr, e);
	if (rc == 0 && team_any(tool_interrupted()))
		rc = err_set(e, "interrupted: %s stays as it was", o->output ? o->output : o->model);
	if (rc < 0)
		return -1;
	if (save(w, o, e) < 0 || write_metrics(w, &m, s, lr, o->timing ? clock_seconds() - started : -1, e) < 0)
		return -1;
	tool_note("step %lld: %zu completion%s, %lld tokens, %lld optimizer step%s, %.1f s; %.1f MiB at most, activations %.1f MiB",
		  (long long)s->step,
		  w->batch.n, w->batch.n == 1 ? "" : "s", (long long)m.tokens, (long long)m.steps, m.steps == 1 ? "" : "s", clock_seconds() - started,
		  (double)memory_peak() / 1048576, (double)m.peak_bytes / 1048576);
	return 0;
}

/* One step on all there is; with --follow, step after step, each from the checkpoint as it was written, so that it is the same in one process
 * or in many, and that the memory is the sampler's between them. */
static int run(struct options *o, struct tool *t, char **files, int n, struct err *e)
{
	struct reader *in = reader_open(files, (size_t)n, t);
	bool ended = false;
	int rc = 0, steps;

	for (steps = 0; rc == 0 && !ended; steps++) {
		struct work w = {0};
		double started = clock_seconds();

		rc = team_agree(open_all(&w, o, t, e), e);
		if (rc == 0)
			rc = read_records(&w, in, o, &ended, e);
		if (rc == 0 && w.batch.n)
			rc = take_step(&w, o, t, started, e);
		else if (rc == 0 && !(steps && ended && !w.batch.masked))
			rc = err_set(e, "no completions to learn from");
		if (rc < 0 && tool_interrupted())
			err_set(e, "interrupted: %s stays as it was", o->output ? o->output : o->model);
		close_all(&w);
		if (o->output)
			o->model = o->output;
		if (!o->follow)
			break;
	}
	reader_close(in);
	return rc;
}

/* Options without a use, or with a wrong one; -1 or the exit code. */
static int check_options(const struct tool *t, const struct options *o, const struct opt *opts)
{
	static const char *const of_kl[] = {"kl", "kl-in", "reference"};
	const struct { const char *name; double value; } clip[] = {{"clip", o->clip}, {"clip-low", o->clip_low}, {"clip-high", o->clip_high}};
	size_t i;

	for (i = 0; i < sizeof clip / sizeof clip[0]; i++)
		if (clip[i].value < 0 && clip[i].value != -1)
			return tool_usage(t, "--%s %g is neither -1 nor 0 or more", clip[i].name, clip[i].value);
	if (o->dual_clip > 0 && o->dual_clip <= 1)
		return tool_usage(t, "--dual-clip %g is not more than 1", o->dual_clip);
	if (o->dual_clip > 0 && !o->kind->dual_clip)
		return tool_usage(t, "--dual-clip is not of --loss %s, which has no minimum to bound", o->loss);
	if (opt_given(opts, "max-length") && !o->kind->max_length)
		return tool_usage(t, "--max-length is of --loss dr_grpo, not of %s", o->loss);
	for (i = 0; o->kl_coef == 0 && i < sizeof of_kl / sizeof of_kl[0]; i++)
		if (opt_given(opts, of_kl[i]))
			return tool_usage(t, "--%s is of the KL term, which --kl-coef 0 leaves out", of_kl[i]);
	if (o->kl_in[0] == 'r' && opt_given(opts, "kl") && strcmp(o->kl, "k1") != 0)
		return tool_usage(t, "--kl %s is of --kl-in loss: in the reward it is k1", o->kl);
	if (o->reference && o->reference_every)
		return tool_usage(t, "--reference-every is of the reference that the checkpoint carries, and --reference is another");
	if (strcmp(o->schedule, "constant") != 0 && !o->steps)
		return tool_usage(t, "--schedule %s needs --steps", o->schedule);
	return -1;
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "r1-update", .usage = "--model DIR [OPTION]... [FILE]...", .speaks = true,
			 .summary = "Take a policy-gradient step on scored completions and write the new checkpoint"};
	struct options o = {.loss = "grpo", .kl = "k3", .kl_in = "loss", .schedule = "constant", .kl_coef = 0.001, .clip = -1, .clip_low = -1, .clip_high = -1,
			    .lr = 3e-6, .final_lr = 0.1, .trainer = TRAINER_DEFAULTS, .minibatches = 1,
			    .epochs = 1, .tokens = 16384};
	struct opt opts[] = {
		OPT_HEADING("Models"),
		{"model", 'm', OPT_STRING, &o.model, "DIR", "checkpoint to train: a folder or an archive"},
		{"output", 'o', OPT_STRING, &o.output, "DIR", "write the new checkpoint there instead of over the old one"},
		{"reference", 0, OPT_STRING, &o.reference, "DIR", "reference model of the KL term; else the one the checkpoint carries"},
		{"reference-every", 0, OPT_INT, &o.reference_every, "N", "make the policy the carried reference every N steps; 0: never", 0, 1e15},
		OPT_HEADING("Loss"),
		{"loss", 0, OPT_STRING, &o.loss, "NAME", "grpo (mean per completion), dapo (mean over tokens), dr_grpo, gspo, cispo"},
		{"clip", 0, OPT_FLOAT, &o.clip, "E", "clip the ratio to 1-E .. 1+E; -1: the loss's own range", -1, 1e9},
		{"clip-low", 0, OPT_FLOAT, &o.clip_low, "E", "epsilon below 1; -1: as --clip", -1, 1e9},
		{"clip-high", 0, OPT_FLOAT, &o.clip_high, "E", "epsilon above 1; -1: as --clip", -1, 1e9},
		{"dual-clip", 0, OPT_FLOAT, &o.dual_clip, "C", "with a negative advantage lose at most C times it; 0: off", 0, 1e9},
		{"kl-coef", 0, OPT_FLOAT, &o.kl_coef, "B", "weight of the KL term; 0: no reference model is needed", 0, 1e9},
		{"kl", 0, OPT_CHOICE, &o.kl, "k1|k2|k3", "estimator of the KL term"},
		{"kl-in", 0, OPT_CHOICE, &o.kl_in, "loss|reward", "add the KL term to the loss, or take k1 off each token's reward"},
		{"entropy-coef", 0, OPT_FLOAT, &o.entropy_coef, "B", "weight of an entropy bonus", -1e9, 1e9},
		{"is-cap", 0, OPT_FLOAT, &o.is_cap, "C", "truncated importance sampling against the sampler's logprobs; 0: off", 0, 1e9},
		{"max-length", 0, OPT_INT, &o.max_length, "N", "dr_grpo's divisor; 0: the longest completion", 0, 1e15},
		{"mask-truncated", 0, OPT_FLAG, &o.mask_truncated, NULL, "leave out completions whose finish_reason is length"},
		OPT_HEADING("Optimizer"),
		{"lr", 0, OPT_FLOAT, &o.lr, "R", "peak learning rate", 0, 1e9},
		{"schedule", 0, OPT_CHOICE, &o.schedule, "constant|linear|cosine", "learning rate over steps"},
		{"warmup", 0, OPT_INT, &o.warmup, "N", "steps of warm-up", 0, 1e15},
		{"steps", 0, OPT_INT, &o.steps, "N", "length of a linear or cosine schedule", 0, 1e15},
		{"final-lr", 0, OPT_FLOAT, &o.final_lr, "F", "share of the peak left at its end", 0, 1},
		{"minibatches", 0, OPT_INT, &o.minibatches, "N", "optimizer steps that the input is split into, at random", 1, 1e9},
		{"epochs", 0, OPT_INT, &o.epochs, "N", "times that the input is gone through", 1, 1e9},
		{"follow", 0, OPT_INT, &o.follow, "N", "a step on every N problems as they come, until the input ends; 0: one on all", 0, 1e15},
		TRAINER_OPTIMIZER(&o.trainer),
		TRAINER_LORA(&o.trainer),
		OPT_HEADING("Computing"),
		TRAINER_DTYPE(&o.trainer),
		TRAINER_TOKENS(&o.trainer, &o.tokens),
		{"timing", 0, OPT_FLAG, &o.timing, NULL, "add step_time to the metrics (which then differ from run to run)"},
		TOOL_OPTIONS_SEED(&t),
		TOOL_OPTIONS_COMPUTE(&t),
		TOOL_OPTIONS(&t),
		OPT_END};
	struct err e;
	int rc = tool_begin(&t, opts, &argc, &argv);

	if (rc >= 0)
		return rc;
	if (!o.model)
		return tool_usage(&t, "--model is missing");
	if (trainer_check(&o.trainer, o.model, o.output, &e) < 0)
		return tool_usage(&t, "%s", e.msg);
	if (!(o.kind = loss_find(o.loss, &e)))
		return tool_usage(&t, "%s", e.msg);
	if ((rc = check_options(&t, &o, opts)) >= 0)
		return rc;
	o.trainer.seed = t.seed;
	rc = trainer_join(&o.trainer, opts, &e);
	if (rc == 0)
		rc = team_agree(run(&o, &t, argv, argc, &e), &e);
	return rc < 0 ? tool_fail(&t, &e) : tool_end(&t);
}
