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
#include "model/replicas.h"
#include "model/schedule.h"
#include "model/trainer.h"
#include "record/record.h"
#include "task/lessons.h"

struct options {
	const char *model, *output, *template, *schedule, *objective, *on, *label, *held_out;
	int64_t epochs, batch, max_tokens, warmup, save_every, log_every, stop_after;
	double lr, final_lr, warmup_ratio;
	struct trainer_args trainer;
	bool resume, train_prompt;
	enum objective goal;            /* --objective */
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
	struct lesson_reader reader;
	struct lessons data, held_out;
	struct js *run;
	struct objective_sums sums;     /* over the steps since the last metrics record */
	uint64_t begun_with;            /* --model's hash; 0: it is not there any more, being --output, which is gone on with */
	struct writer *out;
};

/* Why there are no examples in these files; held_out: they are those of --held-out */
static int nothing(const struct lessons *d, bool held_out, char **files, int n, struct err *e)
{
	const char *name = n && strcmp(files[0], "-") != 0 ? files[0] : "stdin", *more = n > 1 ? " and others" : "";
	const char *option = held_out ? "--held-out " : "", *use = held_out ? "evaluate on" : "learn from";

	if (d->cut)
		return err_set(e, "%s%s%s: no examples to %s: --max-tokens %lld cuts off all that there is to learn", option, name, more, use,
			       (long long)d->how->max_tokens);
	if (d->empty)
		return err_set(e, "%s%s%s: no examples to %s: nothing is to be learned of %lld", option, name, more, use, (long long)d->empty);
	return err_set(e, "%s%s%s: no examples to %s", option, name, more, use);
}

static int read_data(struct work *w, struct lessons *d, char **files, int n, struct err *e)
{
	struct reader *in = reader_open(files, (size_t)n, w->tool);
	struct progress p = progress_new("reading", 0, "examples");
	struct record r = {0};
	int rc;

	d->how = &w->reader;
	d->told_long = w->held_out.told_long;           /* read first */
	progress_rate(&p, "tok/s");
	while ((rc = reader_next(in, &r, e)) > 0) {
		if (lessons_add(d, &r, e) < 0 && (rc = reader_bad(in, e)) < 0)
			break;
		if (!w->tool->quiet)
			progress_set(&p, (int64_t)d->n, (int64_t)d->tokens);
	}
	progress_end(&p);
	record_free(&r);
	reader_close(in);
	if (rc < 0)
		return -1;
	if (d->n == 0)
		return nothing(d, d == &w->held_out, files, n, e);
	if (d->cut)
		tool_note("%lld example%s cut to %lld tokens", (long long)d->cut, d->cut == 1 ? " was" : "s were", (long long)d->how->max_tokens);
	if (d->empty)
		tool_note("%lld example%s nothing to learn", (long long)d->empty, d->empty == 1 ? " has" : "s have");
	if (d->unended)
		tool_warn(d->unended == 1 ? "%lld answer has no </think> for the <think> that its prompt opens: all of it is learned as reasoning" :
			  "%lld answers have no </think> for the <think> that their prompts open: all of each is learned as reasoning",
			  (long long)d->unended);
	return 0;
}

/* ---- training ---- */

/* One optimizer step on the examples order[0 .. n-1]; sums are added to those of the steps before. */
static int train_step(struct work *w, struct tape *t, const size_t *order, int64_t n, double lr, double *norm, struct err *e)
{
	struct objective_sums s = {0}, *sums = &w->sums;
	double loss;

	t->record = true;
	w->trainer.state.tokens += lessons_pass(&w->data, w->trainer.model, t, w->replicas, order, n, w->trainer.tokens, &s);
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
static void set_scores(struct record *r, enum objective goal, const struct objective_sums *s, const char *loss, const char *accuracy, const char *margin)
{
	record_set_number(r, loss, s->loss / (double)s->n);
	if (goal == OBJECTIVE_PAIRWISE || goal == OBJECTIVE_POINTWISE)
		record_set_number(r, accuracy, s->right / (double)s->n);
	if (goal == OBJECTIVE_PAIRWISE)
		record_set_number(r, margin, s->margin / (double)s->n);
}

static int log_step(struct work *w, double norm, double lr, double epoch, struct err *e)
{
	struct record r = {0};
	int rc;

	record_set_int(&r, "step", w->trainer.state.step);
	record_set_number(&r, "epoch", epoch);
	set_scores(&r, w->o->goal, &w->sums, "loss", "accuracy", "margin");
	record_set_number(&r, "grad_norm", norm);
	record_set_number(&r, "learning_rate", lr);
	record_set_int(&r, "num_tokens", w->trainer.state.tokens);
	w->sums = (struct objective_sums){0};
	rc = team_agree(writer_put(w->out, &r, e), e);
	record_free(&r);
	return rc;
}

/* The checkpoint, behind the metrics of its steps; those of the steps since the last record are in it: no run that goes on with it lacks any. */
static int save(struct work *w, struct err *e)
{
	struct js *since = js_object();
	int rc = team_agree(writer_flush(w->out, e), e);

	js_set(since, "loss", js_new_number(w->sums.loss));
	js_set(since, "right", js_new_number(w->sums.right));
	js_set(since, "margin", js_new_number(w->sums.margin));
	js_set(since, "steps", js_new_int(w->sums.n));
	w->trainer.since = w->sums.n ? since : NULL;
	if (rc == 0)
		rc = trainer_save(&w->trainer, w->o->output, NULL, NULL, e);
	w->trainer.since = NULL;
	js_free(since);
	return rc;
}

static void read_since(struct work *w)
{
	struct js *since = state_member(w->trainer.ck, "since");

	if (since)
		w->sums = (struct objective_sums){.loss = js_number(js_get(since, "loss")), .right = js_number(js_get(since, "right")),
						  .margin = js_number(js_get(since, "margin")), .n = js_int(js_get(since, "steps"))};
	js_free(since);
}

/* The held-out data's loss, as a last record */
static int log_held_out(struct work *w, struct tape *t, struct err *e)
{
	const int64_t n = lessons_count(&w->held_out);
	size_t *order = xmalloc((size_t)(n + 1) * sizeof *order);
	struct objective_sums s = {0};
	struct record r = {0};
	int64_t i;
	int rc;

	for (i = 0; i < n; i++)
		order[i] = (size_t)i;
	t->record = false;
	lessons_pass(&w->held_out, w->trainer.model, t, w->replicas, order, n, w->trainer.tokens, &s);
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

static int train(struct work *w, struct err *e)
{
	const struct options *o = w->o;
	int64_t count = lessons_count(&w->data), each = (count + o->batch - 1) / o->batch, steps = each * o->epochs, epoch = -1;
	struct schedule sched = {schedule_kind(o->schedule), o->lr, o->final_lr, o->warmup ? o->warmup : (int64_t)(o->warmup_ratio * (double)steps),
				 steps};
	struct progress p = progress_new("training", steps, "steps");
	struct tape t = tape_new(w->be);
	size_t *order = xmalloc((size_t)count * sizeof *order);
	int64_t begun = w->trainer.state.tokens, first = w->trainer.state.step;
	double norm = 0;
	bool interrupted, saves;
	int rc = 0;

	t.recompute = o->trainer.recompute;
	progress_rate(&p, "tok/s");
	trainer_warn_memory(&w->trainer, (int64_t)w->data.tokens, w->data.longest);
	while (rc == 0 && w->trainer.state.step < steps && !team_any(tool_interrupted()) && !(o->stop_after && w->trainer.state.step >= o->stop_after)) {
		int64_t s = w->trainer.state.step % each, from = s * o->batch, n = count - from < o->batch ? count - from : o->batch;
		double lr = schedule_rate(&sched, w->trainer.state.step + 1);

		if (epoch != w->trainer.state.step / each)
			shuffle(w, epoch = w->trainer.state.step / each, order, (size_t)count);
		rc = train_step(w, &t, order + from, n, lr, &norm, e);
		if (rc < 0)
			break;
		w->trainer.state.step++;
		if (w->trainer.state.step % o->log_every == 0 || w->trainer.state.step == steps)
			rc = log_step(w, norm, lr, (double)w->trainer.state.step / (double)each, e);
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
	interrupted = rc == 0 && team_any(tool_interrupted());
	saves = rc == 0 && (!interrupted || (o->save_every && w->trainer.state.step > first));
	if (saves)
		rc = save(w, e);
	if (rc == 0 && interrupted)
		rc = err_set(e, "interrupted at step %lld of %lld%s", (long long)w->trainer.state.step, (long long)steps,
			     saves ? ", which is saved: --resume goes on from there" : "");
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
	if (strcmp(o->template, "auto") != 0 && completion_tell_foreign(w->template, o->template, NULL, w->tokenizer, o->model, e) < 0)
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
	w->reader = (struct lesson_reader){.objective = o->goal, .config = &w->trainer.ck->config, .tokenizer = w->tokenizer, .template = w->template,
					   .max_tokens = o->max_tokens, .train_prompt = o->train_prompt, .label = o->label,
					   .on = !strcmp(o->on, "summary") ? SCORER_SUMMARY : SCORER_RESPONSE};
	w->out = writer_open(NULL, e);
	return w->out ? 0 : -1;
}

/* What the examples, their order and the steps depend on; more epochs are the same run if no rate hangs on their number. What is `auto` is what
 * came of it. there: what an earlier description says, or NULL. */
static struct js *describe_run(const struct work *w, const struct js *there)
{
	static const char *const names[] = {"objective", "seed", "backend", "batch", "lr", "schedule", "final-lr", "warmup", "warmup-ratio", "beta1", "beta2",
					    "adam-eps", "weight-decay", "max-grad-norm"};
	const struct trainer *t = &w->trainer;
	const char *dtype = strcmp(w->o->trainer.dtype, "auto") != 0 ? w->o->trainer.dtype : t->ck->config.dtype;
	const char *moments = t->optimizer->dtype == ST_BF16 ? "bfloat16" : "float32";
	struct js *run = js_object();
	size_t i;

	if (w->begun_with)
		run_set_hash(run, "model", w->begun_with);
	else if (js_get(there, "model"))
		js_set(run, "model", js_copy(js_get(there, "model")));
	run_set_hash(run, "data", lessons_hash(&w->data));
	js_set(run, "dtype", js_new_str(dtype));
	js_set(run, "moments", js_new_str(moments));
	js_set(run, "replicas", js_new_int(w->replicas->n));
	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		run_set_option(run, w->opts, names[i]);
	if (strcmp(w->o->schedule, "constant") != 0 || w->o->warmup_ratio > 0)
		run_set_option(run, w->opts, "epochs");
	return run;
}

/* The run that is gone on with must be this one. */
static int check_run(struct work *w, struct err *e)
{
	struct js *there = w->trainer.state.step ? state_member(w->trainer.ck, "run") : NULL;
	int rc;

	if (there && !js_get(there, "replicas"))        /* written when there were none yet */
		js_set(there, "replicas", js_new_int(1));
	w->trainer.run = w->run = describe_run(w, there);
	rc = run_check(w->run, there, w->o->output, w->o->model, e);
	js_free(there);
	if (w->trainer.state.step)
		read_since(w);
	if (rc == 0 && w->trainer.state.step)
		tool_note("going on from step %lld of %s", (long long)w->trainer.state.step, w->o->output);
	return rc;
}

static void close_all(struct work *w)
{
	replicas_free(w->replicas);
	trainer_close(&w->trainer);
	template_free(w->template);
	tokenizer_free(w->tokenizer);
	backend_close(w->be);
	lessons_free(&w->data);
	lessons_free(&w->held_out);
	js_free(w->run);
}

/* Options that mean nothing to the objective; -1 or the exit code. */
static int check_objective(const struct tool *t, const struct options *o, const struct opt *opts)
{
	enum { SFT = 1 << OBJECTIVE_SFT, PAIRS = 1 << OBJECTIVE_PAIRWISE, POINTS = 1 << OBJECTIVE_POINTWISE, VALUES = 1 << OBJECTIVE_VALUE };
	static const struct { const char *name; int goals; const char *said; } of[] = {
		{"train-prompt", SFT, "sft"}, {"lora", SFT, "sft"}, {"lora-alpha", SFT, "sft"}, {"lora-targets", SFT, "sft"},
		{"on", PAIRS | POINTS, "pairwise or pointwise"}, {"label", POINTS | VALUES, "pointwise or value"}};
	size_t i;

	for (i = 0; i < sizeof of / sizeof of[0]; i++)
		if (opt_given(opts, of[i].name) && !(of[i].goals & 1 << o->goal))
			return tool_usage(t, "--%s is for --objective %s", of[i].name, of[i].said);
	return -1;
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "r1-distill", .usage = "--model DIR --output DIR [OPTION]... [FILE]...", .speaks = true,
			 .summary = "Fine-tune a model on completions, conversations or plain text"};
	struct options o = {.template = "auto", .schedule = "cosine", .objective = "sft", .on = "response", .epochs = 1, .batch = 64, .max_tokens = 32768, .log_every = 10,
			    .lr = 1e-5, .final_lr = 0.1, .trainer = TRAINER_DEFAULTS};
	struct opt opts[] = {
		OPT_HEADING("Model and data"),
		{"model", 'm', OPT_STRING, &o.model, "DIR", "checkpoint to begin with: a folder or an archive"},
		{"output", 'o', OPT_STRING, &o.output, "DIR", "write the new checkpoint there"},
		{"template", 't', OPT_STRING, &o.template, "NAME", "how a problem becomes a prompt, as r1-sample's"},
		TRAINER_DTYPE(&o.trainer),
		{"max-tokens", 0, OPT_INT, &o.max_tokens, "N", "cut longer examples", 2, 1e9},
		{"train-prompt", 0, OPT_FLAG, &o.train_prompt, NULL, "sft: learn the prompt's tokens too, not the completion's alone"},
		{"held-out", 0, OPT_STRING, &o.held_out, "FILE", "records that are not learned: their loss, as a last metrics record"},
		OPT_HEADING("Models that score"),
		{"objective", 0, OPT_CHOICE, &o.objective, OBJECTIVES, "sft; or a scalar head: of chosen over rejected, a label, returns"},
		{"on", 0, OPT_CHOICE, &o.on, "response|summary", "pairwise, pointwise: what is read, all of it or what is behind its reasoning"},
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
		TRAINER_TOKENS(&o.trainer),
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
	o.goal = objective_kind(o.objective);
	o.trainer.scalar = o.goal != OBJECTIVE_SFT;
	o.label = o.label ? o.label : o.goal == OBJECTIVE_VALUE ? "reward" : "label";
	rc = check_objective(&t, &o, opts);
	if (rc >= 0)
		return rc;
	o.trainer.seed = t.seed;
	rc = trainer_join(&o.trainer, opts, &e);
	if (rc == 0)
		rc = team_agree(open_all(&w, &e), &e);
	if (rc == 0 && o.held_out)
		rc = read_data(&w, &w.held_out, (char **)&o.held_out, 1, &e);
	if (rc == 0)
		rc = read_data(&w, &w.data, argv, argc, &e);
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
