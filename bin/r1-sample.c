/* r1-sample - writes n completions for each problem */
#include <stdlib.h>
#include <string.h>

#include "base/progress.h"
#include "base/rng.h"
#include "base/tool.h"
#include "model/rollouts.h"
#include "model/sampler.h"
#include "model/state.h"
#include "record/record.h"
#include "record/resume.h"
#include "text/template.h"

struct options {
	const char *model, *adapter, *dtype, *template, *system, *prompt, *output, *resume;
	int64_t samples, first, group, batch, context, max_tokens, top_k, step;
	double temperature, top_p, min_p;
	bool greedy;
	struct opt_list stop;
};

/* A problem whose completions are under way: they are written in order, as soon as they and all before them are there. */
struct problem {
	struct problem *next;
	struct record record;
	const char *id;
	int64_t samples, written;
	struct outcome {
		bool ready;
		struct buf line;                /* what is to be written */
		struct resume_line at;          /* --resume: where it is */
	} *outcome;
};

/* What a model wrote, as it goes into a record. */
struct made {
	const char *text;
	size_t text_n;
	const int32_t *id;              /* [n] */
	const float *logprob;           /* [n] */
	size_t n;
	const char *finish;
};

struct work {
	const struct options *o;
	struct tool *tool;
	struct backend *be;
	struct checkpoint *ck;
	struct tokenizer *tokenizer;
	struct template *template;
	struct model *model;
	struct sampler *sampler;
	struct reader *in;
	struct writer *out;             /* NULL under --resume */
	struct resume *resume;
	struct problem *head, **tail;
	int64_t problems, completions, step;
	struct buf text, bytes;
	struct progress progress;
	bool ended;                     /* no more input */
	struct err *e;
	bool bad;                       /* what was read last cannot be used: what was taken before is written all the same */
	struct err why;                 /* ... why not */
	int rc;
};

static void free_problem(struct problem *p)
{
	int64_t i;

	for (i = 0; i < p->samples; i++)
		buf_free(&p->outcome[i].line);
	free(p->outcome);
	record_free(&p->record);
	free(p);
}

/* ---- out ---- */

static void make_record(struct work *w, const struct problem *p, int64_t k, const struct made *c, struct record *r)
{
	const struct options *o = w->o;

	record_copy(r, &p->record);
	record_set_int(r, "sample", o->first + k);
	record_set_int(r, "group", o->group);
	record_set_string(r, "completion", c->text, c->text_n);
	record_set_ints(r, "completion_ids", c->id, c->n);
	record_set_floats(r, "logprobs", c->logprob, c->n);
	record_set_str(r, "finish_reason", c->finish);
	record_set_str(r, "model", o->adapter ? o->adapter : o->model);
	record_set_int(r, "step", w->step);
	record_set_uint(r, "seed", w->tool->seed);
	record_set_number(r, "temperature", o->greedy ? 0 : o->temperature);
	record_set_number(r, "top_p", o->top_p);
}

/* Under --resume a completion goes to the file as soon as it is made, and is put in its place at the end. */
static void take_made(struct work *w, struct problem *p, int64_t k, const struct made *c)
{
	struct outcome *out = &p->outcome[k];
	struct record r = {0};

	make_record(w, p, k, c, &r);
	if (w->resume) {
		if (w->rc >= 0)
			w->rc = resume_add(w->resume, &r, &out->at, w->e);
	} else {
		record_write(&r, &out->line);
		buf_char(&out->line, '\n');
	}
	record_free(&r);
	out->ready = true;
	w->completions++;
}

static void write_ready(struct work *w)
{
	while (w->rc >= 0 && w->head) {
		struct problem *p = w->head;

		for (; w->rc >= 0 && p->written < p->samples && p->outcome[p->written].ready; p->written++) {
			struct outcome *out = &p->outcome[p->written];

			if (w->resume)
				resume_order(w->resume, out->at);
			else
				w->rc = writer_text(w->out, out->line.p, out->line.n, w->e);
			buf_free(&out->line);
		}
		if (p->written < p->samples)
			return;
		w->head = p->next;
		if (!w->head)
			w->tail = &w->head;
		free_problem(p);
	}
}

static void on_done(void *arg, const struct sampler_done *d)
{
	struct work *w = arg;
	struct problem *p = d->user;
	struct made c = {.id = d->id, .logprob = d->logprob, .n = (size_t)d->n, .finish = d->stopped ? "stop" : "length"};

	buf_clear(&w->text);
	completion_text(w->tokenizer, &w->ck->config, d->id, d->n, &w->text);
	c.text = w->text.p ? w->text.p : "";
	c.text_n = w->text.n;
	take_made(w, p, d->sample - w->o->first, &c);
	write_ready(w);
}

/* Stop strings are looked for in the text of the last few tokens: each has a byte at least. */
static bool on_token(void *arg, void *user, int32_t sample, const int32_t *id, int64_t n)
{
	struct work *w = arg;
	const struct opt_list *stop = &w->o->stop;
	size_t i, longest = 0;

	(void)user;
	(void)sample;
	for (i = 0; i < stop->n; i++)
		if (strlen(stop->item[i]) > longest)
			longest = strlen(stop->item[i]);
	if (n > (int64_t)longest) {
		id += n - (int64_t)longest;
		n = (int64_t)longest;
	}
	buf_clear(&w->bytes);
	tokenizer_decode(w->tokenizer, id, (size_t)n, 0, &w->bytes);
	for (i = 0; i < stop->n; i++)
		if (w->bytes.n && memmem(w->bytes.p, w->bytes.n, stop->item[i], strlen(stop->item[i])))
			return true;
	return false;
}

/* ---- in ---- */

/* The prompt's text: 'messages' or 'problem' through the template, or 'prompt' as it stands. */
static int make_prompt(struct work *w, struct record *r, struct buf *to, struct err *e)
{
	const struct js *messages;
	const char *s;
	size_t n;

	if (record_has(r, "messages")) {
		messages = record_js(r, "messages", e);
		if (!messages)
			return -1;
		if (template_messages(w->template, w->o->system, messages, js_size(messages), to, e) < 0)
			return record_error(r, e, "'messages': %s", e->msg);
		return 0;
	}
	if (record_has(r, "problem") || !record_has(r, "prompt")) {
		s = record_string(r, "problem", &n, e);
		if (!s)
			return -1;
		if (template_problem(w->template, w->o->system, s, n, to, e) < 0)
			return record_error(r, e, "'problem': %s", e->msg);
		return 0;
	}
	s = record_string(r, "prompt", &n, e);
	if (s)
		buf_add(to, s, n);
	return s ? 0 : -1;
}

/* ---- --resume: what is there already ---- */

static void field_text(struct record *r, const char *name, struct buf *to)
{
	struct err none;
	const struct js *j = record_has(r, name) ? record_js(r, name, &none) : NULL;

	buf_clear(to);
	if (j)
		js_write(j, 0, to);
	else
		buf_str(to, "missing");
}

/* Why a completion that is there is not what this command would write. */
static int tell_difference(struct record *kept, struct record *want, struct err *e)
{
	static const char *const names[] = {"model", "step", "seed", "temperature", "top_p", "group", "prompt", "prompt_ids"};
	struct buf a = {0}, b = {0};
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		field_text(kept, names[i], &a);
		field_text(want, names[i], &b);
		if (a.n != b.n || memcmp(a.p, b.p, a.n) != 0)
			break;
	}
	if (i < sizeof names / sizeof names[0])
		record_error(kept, e, "'%s' is %.120s, but %.120s by this command: it is of another run", names[i], a.p, b.p);
	else
		record_error(kept, e, "is not what this command makes of the problem: it is of another run, or was edited");
	buf_free(&a);
	buf_free(&b);
	return -1;
}

/* Writes the record anew with what the model wrote then: the same bytes must come of it. */
static int check_kept(struct work *w, struct problem *p, int64_t k, struct record *kept, struct err *e)
{
	struct made c = {0};
	struct record want = {0};
	size_t logprobs;
	int rc = 0;

	if (!(c.id = record_ints(kept, "completion_ids", &c.n, e)) || !(c.logprob = record_floats(kept, "logprobs", &logprobs, e)) ||
	    !(c.finish = record_string(kept, "finish_reason", NULL, e)))
		return -1;
	if (logprobs != c.n)
		return record_error(kept, e, "'logprobs' has %zu numbers for %zu completion_ids", logprobs, c.n);
	buf_clear(&w->text);
	completion_text(w->tokenizer, &w->ck->config, c.id, (int64_t)c.n, &w->text);
	c.text = w->text.p ? w->text.p : "";
	c.text_n = w->text.n;
	make_record(w, p, k, &c, &want);
	buf_clear(&w->bytes);
	record_write(&want, &w->bytes);
	if (w->bytes.n != kept->raw.n || memcmp(w->bytes.p, kept->raw.p, kept->raw.n) != 0)
		rc = tell_difference(kept, &want, e);
	record_free(&want);
	return rc;
}

/* Marks what is there of a problem as ready. */
static int take_kept(struct work *w, struct problem *p, const char *id, size_t n, struct err *e)
{
	struct record kept = {0};
	int64_t k;
	int rc = 0;

	for (k = 0; rc >= 0 && k < p->samples; k++) {
		rc = resume_find(w->resume, id, n, w->o->first + k, &kept, &p->outcome[k].at, e);
		if (rc > 0) {
			p->outcome[k].ready = true;
			rc = check_kept(w, p, k, &kept, e);
		}
	}
	record_free(&kept);
	return rc < 0 ? -1 : 0;
}

/* The prompt's tokens, all of them in the model's vocabulary. */
static int encode_prompt(struct work *w, const struct record *r, const struct buf *prompt, struct tokens *ids, struct err *e)
{
	size_t i;

	if (tokenizer_encode(w->tokenizer, prompt->p ? prompt->p : "", prompt->n, TOKENIZER_ADD_SPECIAL, ids, e) < 0)
		return record_error(r, e, "the prompt: %s", e->msg);
	for (i = 0; i < ids->n; i++)
		if (ids->id[i] < 0 || ids->id[i] >= w->ck->config.vocab_size)
			return record_error(r, e, "the prompt: token %d is not in the model's vocabulary of %lld", ids->id[i],
					    (long long)w->ck->config.vocab_size);
	return 0;
}

/* Asks the sampler for what is not there yet of p, run by run. */
static int start_problem(struct work *w, struct problem *p, const struct tokens *ids, const char *id, struct err *e)
{
	int64_t from, to;

	for (from = 0; from < p->samples; from = to) {
		struct sampler_prompt sp = {.id = ids->id, .n = (int64_t)ids->n, .stream = hash_str(id), .user = p};

		for (to = from; to < p->samples && p->outcome[to].ready == p->outcome[from].ready; to++)
			;
		if (p->outcome[from].ready)
			continue;
		sp.first = (int32_t)(w->o->first + from);
		sp.samples = (int32_t)(to - from);
		if (sampler_add(w->sampler, &sp, e) < 0)
			return record_error(&p->record, e, "%s", e->msg);
	}
	return 0;
}

/* Takes r over, unless it fails. With w->rc < 0 and w->e what is wrong is not the record. */
static int take_problem(struct work *w, struct record *r, struct err *e)
{
	struct problem *p = NULL;
	struct buf prompt = {0};
	struct tokens ids = {0};
	char made[32];
	const char *id = NULL;
	size_t id_n = 0;
	int rc = -1;

	if ((record_has(r, "id") && !(id = record_string(r, "id", &id_n, e))) || make_prompt(w, r, &prompt, e) < 0 ||
	    encode_prompt(w, r, &prompt, &ids, e) < 0)
		goto out;
	if (!id) {              /* a problem without a name gets one that its text fixes */
		id_n = (size_t)snprintf(made, sizeof made, "%016llx", (unsigned long long)hash_bytes(prompt.p ? prompt.p : "", prompt.n));
		record_set_str(r, "id", made);
		id = made;
	}
	record_set_string(r, "prompt", prompt.p ? prompt.p : "", prompt.n);
	record_set_ints(r, "prompt_ids", ids.id, ids.n);
	p = xcalloc(1, sizeof *p);
	p->samples = w->o->samples;
	p->outcome = xcalloc((size_t)p->samples, sizeof *p->outcome);
	record_copy(&p->record, r);
	if (w->resume && take_kept(w, p, id, id_n, w->e) < 0) {
		w->rc = -1;
		goto out;
	}
	rc = start_problem(w, p, &ids, id, e);
	if (rc == 0) {
		*w->tail = p;
		w->tail = &p->next;
		w->problems++;
		p = NULL;
		write_ready(w);
	}
out:
	if (p)
		free_problem(p);
	tokens_free(&ids);
	buf_free(&prompt);
	return rc;
}

static void read_more(struct work *w)
{
	struct record r = {0};
	int rc;

	while (w->rc >= 0 && !w->ended && sampler_wants(w->sampler)) {
		if (w->in) {
			if (sampler_busy(w->sampler) && !reader_ready(w->in))
				break;          /* those that are under way do not wait for a slow pipe */
			rc = reader_next(w->in, &r, &w->why);
			if (rc > 0 && take_problem(w, &r, &w->why) < 0 && w->rc >= 0)
				rc = reader_bad(w->in, &w->why) < 0 ? -1 : 1;
			w->ended = rc <= 0;
			w->bad = rc < 0;
		} else {        /* --prompt */
			record_clear(&r);
			record_set_str(&r, "problem", w->o->prompt);
			w->bad = take_problem(w, &r, &w->why) < 0;
			w->ended = true;
		}
	}
	record_free(&r);
}

/* ---- the whole ---- */

static int open_all(struct work *w, const struct options *o, struct tool *t, char **files, int n, struct err *e)
{
	struct state s;
	const struct config *c;
	struct sampler_params p = {.temperature = o->greedy ? 0 : o->temperature, .top_p = o->top_p, .min_p = o->min_p, .top_k = o->top_k,
				   .max_tokens = o->max_tokens, .seed = t->seed, .stopped = o->stop.n ? on_token : NULL, .arg = w};
	int64_t context = o->context;

	w->be = backend_open(t->backend, (int)t->threads, e);
	if (!w->be || !(w->ck = o->adapter ? checkpoint_open_adapter(o->adapter, o->model, e) : checkpoint_open(o->model, e)) || state_read(w->ck, &s, e) < 0 ||
	    !(w->tokenizer = completion_tokenizer(w->ck, e)) || !(w->template = template_open(o->template, e)) ||
	    !(w->model = model_from_checkpoint(w->ck, w->be, MODEL_SAMPLE, model_dtype(o->dtype), e)))
		return -1;
	tool_debug("%s", w->be->what);
	c = &w->ck->config;
	w->step = o->step >= 0 ? o->step : s.step;
	p.stop = c->eos;
	p.stops = c->eos_count;
	if (context == 0) {
		context = o->max_tokens + 1024;
		if (context > c->max_positions)
			context = c->max_positions;
	}
	if (context > c->max_positions)
		return err_set(e, "--context %lld is more than the model's %lld positions", (long long)context, (long long)c->max_positions);
	w->sampler = sampler_new(w->model, &p, o->batch, context, on_done, w);
	if (!o->prompt)
		w->in = reader_open(files, (size_t)n, t);
	if (!o->resume)
		return (w->out = writer_open(o->output, e)) ? 0 : -1;
	w->resume = resume_open(o->resume, e);
	if (w->resume && resume_kept(w->resume))
		tool_note("%s: %lld completion%s there already%s", o->resume, (long long)resume_kept(w->resume),
			  resume_kept(w->resume) == 1 ? " is" : "s are", resume_cut(w->resume) ? ", and a half one that is made anew" : "");
	return w->resume ? 0 : -1;
}

static void close_all(struct work *w)
{
	struct problem *p, *next;

	for (p = w->head; p; p = next) {
		next = p->next;
		free_problem(p);
	}
	sampler_free(w->sampler);
	model_free(w->model);
	template_free(w->template);
	tokenizer_free(w->tokenizer);
	checkpoint_close(w->ck);
	backend_close(w->be);
	if (w->in)
		reader_close(w->in);
	buf_free(&w->text);
	buf_free(&w->bytes);
}

static int run(struct work *w, const struct options *o, struct tool *t, char **files, int n, struct err *e)
{
	double started;

	if (open_all(w, o, t, files, n, e) < 0)
		return -1;
	w->progress = progress_new("sampling", 0, "completions");
	progress_rate(&w->progress, "tok/s");
	started = clock_seconds();
	for (;;) {
		read_more(w);
		if (w->ended)
			w->progress.total = w->problems * o->samples;
		if (w->rc < 0 || tool_interrupted() || (w->ended && !sampler_busy(w->sampler)))
			break;
		sampler_step(w->sampler);
		if (!t->quiet)
			progress_set(&w->progress, w->completions, sampler_tokens(w->sampler));
	}
	progress_end(&w->progress);
	if (w->rc >= 0 && tool_interrupted())
		w->rc = err_set(e, "interrupted: the completions written are whole");
	else if (w->rc >= 0 && w->bad)
		w->rc = err_set(e, "%s", w->why.msg);
	if (w->resume && resume_close(w->resume, w->rc >= 0, e) < 0)
		w->rc = -1;
	w->resume = NULL;
	if (writer_close(w->out, w->rc < 0 ? NULL : e) < 0)
		w->rc = -1;
	if (w->rc >= 0)
		tool_note("%lld completion%s of %lld problem%s, %lld tokens, %.0f tok/s; %.1f MiB at most", (long long)w->completions,
			  w->completions == 1 ? "" : "s", (long long)w->problems, w->problems == 1 ? "" : "s",
			  (long long)sampler_tokens(w->sampler), (double)sampler_tokens(w->sampler) / (clock_seconds() - started + 1e-9),
			  (double)memory_peak() / 1048576);
	return w->rc;
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "r1-sample", .usage = "--model DIR [OPTION]... [FILE]...", .summary = "Write completions for each problem"};
	struct options o = {.template = "mini", .dtype = "auto", .samples = 1, .batch = 64, .max_tokens = 512, .temperature = 1, .top_p = 1, .step = -1};
	struct opt opts[] = {
		OPT_HEADING("Model and prompt"),
		{"model", 'm', OPT_STRING, &o.model, "DIR", "checkpoint: a folder or an archive"},
		{"adapter", 0, OPT_STRING, &o.adapter, "DIR", "low-rank adapter on that model"},
		{"template", 't', OPT_STRING, &o.template, "NAME", "how a problem becomes a prompt: none, mini, r1-zero, qwen, deepseek-r1, or a file"},
		{"system", 0, OPT_STRING, &o.system, "TEXT", "system message, for templates that have one"},
		{"prompt", 'p', OPT_STRING, &o.prompt, "TEXT", "take this one problem instead of reading files"},
		OPT_HEADING("Sampling"),
		{"samples", 'n', OPT_INT, &o.samples, "N", "completions for each problem", 1, 1 << 20},
		{"first-sample", 0, OPT_INT, &o.first, "K", "number them from K on: more of a group that is there already", 0, 1 << 20},
		{"group", 0, OPT_INT, &o.group, "N", "the group's size, if these are a part of it; 0: first-sample + samples", 0, 1 << 21},
		{"temperature", 0, OPT_FLOAT, &o.temperature, "T", "softmax temperature", 1e-6, 1e6},
		{"top-p", 0, OPT_FLOAT, &o.top_p, "P", "of the likeliest tokens, those that make up P; 1: all", 1e-9, 1},
		{"top-k", 0, OPT_INT, &o.top_k, "K", "of the K likeliest tokens; 0: all", 0, 1 << 30},
		{"min-p", 0, OPT_FLOAT, &o.min_p, "P", "of tokens at least P times as likely as the likeliest; 0: all", 0, 1},
		{"greedy", 0, OPT_FLAG, &o.greedy, NULL, "always take the likeliest token"},
		{"max-tokens", 0, OPT_INT, &o.max_tokens, "N", "longest completion", 1, 1 << 30},
		{"stop", 0, OPT_LIST, &o.stop, "TEXT", "end a completion after this text (may be repeated)"},
		{"step", 0, OPT_INT, &o.step, "N", "the step to write into records; -1: the checkpoint's", -1, 1e15},
		TOOL_OPTIONS_SEED(&t),
		OPT_HEADING("Computing"),
		{"batch", 'b', OPT_INT, &o.batch, "N", "completions at once: speed and memory, not results", 1, 1 << 16},
		{"dtype", 0, OPT_CHOICE, &o.dtype, MODEL_DTYPES, "what weights are kept as; auto: 16 bits where that loses nothing"},
		{"context", 0, OPT_INT, &o.context, "N", "longest prompt and completion together; 0: max-tokens + 1024", 0, 1 << 30},
		TOOL_OPTIONS_COMPUTE(&t),
		{"output", 'o', OPT_STRING, &o.output, "FILE", "write there instead of to stdout; it appears when all is done"},
		{"resume", 0, OPT_STRING, &o.resume, "FILE", "write there as it goes, and go on with what an earlier run left there"},
		TOOL_OPTIONS(&t),
		OPT_END};
	struct err e;
	struct work w = {.o = &o, .tool = &t, .e = &e};
	int rc = tool_begin(&t, opts, &argc, &argv);

	w.tail = &w.head;
	if (rc >= 0)
		return rc;
	if (!o.model)
		return tool_usage(&t, "--model is missing");
	if (o.output && o.resume)
		return tool_usage(&t, "--resume names the file that is written: there is no --output beside it");
	if (o.prompt && argc)
		return tool_usage(&t, "--prompt takes the place of files, but '%s' is named, too", argv[0]);
	if (o.group && o.group < o.first + o.samples)
		return tool_usage(&t, "--group %lld has no room for sample %lld", (long long)o.group, (long long)(o.first + o.samples - 1));
	if (!o.group)
		o.group = o.first + o.samples;
	rc = run(&w, &o, &t, argv, argc, &e);
	close_all(&w);
	return rc < 0 ? tool_fail(&t, &e) : tool_end(&t);
}
