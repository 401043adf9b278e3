/* r1-update - policy-gradient steps: scored completions in, a new checkpoint out */
#include <string.h>

#include "base/progress.h"
#include "base/team.h"
#include "base/tool.h"
#include "model/policy.h"
#include "model/reference.h"
#include "model/schedule.h"
#include "model/trainer.h"
#include "record/record.h"
#include "task/batch.h"

struct options {
	const char *model, *output, *reference, *loss, *kl, *kl_in, *schedule;
	int64_t reference_every, warmup, steps, minibatches, epochs, max_length;
	double kl_coef, clip, clip_low, clip_high, dual_clip, entropy_coef, is_cap;
	double lr, final_lr;
	struct trainer_args trainer;
	bool mask_truncated, timing;
	int64_t follow;
	const struct loss *kind;        /* --loss */
};

struct work {
	struct backend *be;
	struct trainer trainer;
	struct tokenizer *tokenizer;
	struct reference reference;
	struct batch batch;
};

static const char *output(const struct options *o)
{
	return o->output ? o->output : o->model;
}

/* All there is or, with --follow, whole groups, as many as it says. *ended: there is no more. */
static int read_records(struct work *w, struct reader *in, const struct options *o, bool *ended, struct err *e)
{
	struct batch *b = &w->batch;
	struct record r = {0};
	int rc = 1;

	while (!(o->follow && b->whole >= o->follow && !b->open) && (rc = reader_next(in, &r, e)) > 0)
		if (((o->follow && batch_count_group(b, &r, e) < 0) || batch_add(b, &r, e) < 0) && (rc = reader_bad(in, e)) < 0)
			break;
	*ended = rc == 0;
	record_free(&r);
	return rc < 0 ? -1 : 0;
}

/* Under the names that the field uses */
static void metrics_record(struct record *r, struct batch *b, const struct policy_metrics *m, const struct state *s, double lr, double seconds)
{
	record_set_int(r, "step", s->step);
	record_set_number(r, "loss", m->loss);
	batch_metrics(b, r);
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
	    (team_rank() == 0 && checkpoint_check(output(o), e) < 0))
		return -1;
	if (!o->output && w->trainer.ck->base && !w->trainer.ck->adapter)
		return err_set(e, "--lora writes an adapter, and its base %s must stay: name a folder for it by --output", o->model);
	w->tokenizer = completion_tokenizer(w->trainer.ck, e);
	w->batch = (struct batch){.tokenizer = w->tokenizer, .config = &w->trainer.ck->config, .mask_truncated = o->mask_truncated};
	w->reference = (struct reference){.trainer = &w->trainer, .path = o->reference, .every = o->reference_every};
	return w->tokenizer ? 0 : -1;
}

static void close_all(struct work *w)
{
	batch_free(&w->batch);
	reference_close(&w->reference);
	trainer_close(&w->trainer);
	tokenizer_free(w->tokenizer);
	backend_close(w->be);
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
	struct policy_args a = {.loss = o->kind, .minibatches = o->minibatches, .epochs = o->epochs, .tokens = w->trainer.tokens,
				.replicas = o->trainer.replicas, .recompute = o->trainer.recompute, .seed = t->seed, .step = (uint64_t)s->step};
	const bool in_reward = o->kl_in[0] == 'r';
	int rc;

	a.kl_reward = in_reward ? o->kl_coef : 0;
	a.loss_args = (struct loss_args){.clip_low = epsilon(o->clip_low, o->clip, o->kind->clip_low),
					 .clip_high = epsilon(o->clip_high, o->clip, o->kind->clip_high), .dual_clip = o->dual_clip,
					 .kl_coef = in_reward ? 0 : o->kl_coef,
					 .kl = in_reward ? LOSS_KL_K1 : (enum loss_kl)(o->kl[1] - '1'), .entropy_coef = o->entropy_coef,
					 .is_cap = o->is_cap, .max_length = o->max_length ? (double)o->max_length : (double)w->batch.made.longest};
	*lr = a.learning_rate = schedule_rate(&sched, s->step);
	rollout_sort(w->batch.rollout, w->batch.n);
	rc = o->kl_coef != 0 ? reference_score(&w->reference, w->batch.rollout, w->batch.n, w->trainer.tokens, e) : reference_keep(&w->reference, e);
	if (rc == 0 && (rc = trainer_begin(&w->trainer, true, e)) == 0 && s->step > 1)
		tool_warn("%s: there is no optimizer/ after step %lld: the moments begin anew", o->model, (long long)s->step - 1);
	rc = rc < 0 ? -1 : 0;
	if (rc == 0)
		trainer_warn_memory(&w->trainer, w->batch.tokens, w->batch.longest);
	if (rc == 0)
		rc = policy_step(w->trainer.model, w->trainer.optimizer, &a, w->batch.rollout, w->batch.n, m, t->quiet ? NULL : show_progress, &p, e);
	progress_end(&p);
	s->tokens += w->batch.seen;
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
		rc = err_set(e, "interrupted: %s stays as it was", output(o));
	if (rc < 0)
		return -1;
	if (trainer_save(&w->trainer, output(o), reference_save, &w->reference, e) < 0 ||
	    write_metrics(w, &m, s, lr, o->timing ? clock_seconds() - started : -1, e) < 0)
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
	bool ended = false, told = false;
	int rc = 0, steps;

	for (steps = 0; rc == 0 && !ended; steps++) {
		struct work w = {0};
		double started = clock_seconds();

		rc = team_agree(open_all(&w, o, t, e), e);
		w.batch.told_long = told;
		if (rc == 0)
			rc = read_records(&w, in, o, &ended, e);
		told = w.batch.told_long;
		if (rc == 0 && w.batch.n)
			rc = take_step(&w, o, t, started, e);
		else if (rc == 0 && !(steps && ended && !w.batch.masked))
			rc = err_set(e, "no completions to learn from");
		if (rc < 0 && tool_interrupted())
			err_set(e, "interrupted: %s stays as it was", output(o));
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
	static const char *const of_kl[] = {"kl", "kl-in", "reference"}, *const of_schedule[] = {"steps", "final-lr"};
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
	for (i = 0; !strcmp(o->schedule, "constant") && i < sizeof of_schedule / sizeof of_schedule[0]; i++)
		if (opt_given(opts, of_schedule[i]))
			return tool_usage(t, "--%s is of --schedule linear and cosine, not of constant", of_schedule[i]);
	return -1;
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "r1-update", .usage = "--model DIR [OPTION]... [FILE]...", .speaks = true,
			 .summary = "Take a policy-gradient step on scored completions and write the new checkpoint"};
	struct options o = {.loss = "grpo", .kl = "k3", .kl_in = "loss", .schedule = "constant", .kl_coef = 0.001, .clip = -1, .clip_low = -1, .clip_high = -1,
			    .lr = 3e-6, .final_lr = 0.1, .trainer = TRAINER_DEFAULTS, .minibatches = 1,
			    .epochs = 1};
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
		TRAINER_TOKENS(&o.trainer),
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
