/* r1-sample - writes n completions for each problem */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/progress.h"
#include "base/rng.h"
#include "base/tool.h"
#include "model/completer.h"
#include "model/outlet.h"
#include "model/remote.h"
#include "model/rollouts.h"
#include "model/state.h"
#include "record/record.h"

#define SHORT_PROMPT 1024       /* tokens of a prompt for which there is room from the beginning */

struct options {
	struct completer_params how;    /* the model, and how it samples */
	const char *system, *prompt, *output, *resume, *api, *logprobs, *thinking;
	int64_t samples, first, group, context, step, follow, lag;
	bool greedy;
	struct opt_list stop;
};

struct work {
	const struct options *o;
	struct tool *tool;
	struct completer *model;
	struct reader *in;
	struct outlet *out;
	int64_t problems, completions, step, tokens;    /* tokens: by models that are gone */
	int64_t round, taken;           /* of --follow: checkpoints waited for, problems of this one */
	int64_t first_step;
	struct stat seen;               /* the checkpoint's folder when it was opened */
	struct progress progress;
	bool ended;                     /* no more input */
	bool told_cut;                  /* that a completion will not have max_tokens */
	struct err *e;
	bool bad;                       /* what was read last cannot be used: what was taken before is written all the same */
	struct err why;                 /* ... why not */
	int rc;
};

/* ---- out ---- */

static void on_done(void *arg, void *user, int64_t sample, const struct made *m)
{
	struct work *w = arg;

	w->completions++;
	if (w->rc >= 0 && (outlet_put(w->out, user, sample - w->o->first, m, w->e) < 0 || outlet_write(w->out, w->e) < 0))
		w->rc = -1;
}

/* Without --skip-bad nothing more is begun, but what is under way comes to its end. */
static void on_failed(void *arg, void *user, int64_t first, int64_t samples, bool all, const struct err *e)
{
	struct work *w = arg;
	struct problem *p = user;
	struct err why;
	int64_t k;

	if (w->rc < 0)
		return;
	if (samples > 1)
		record_error(outlet_record(p), &why, "samples %lld to %lld: %s", (long long)first, (long long)(first + samples - 1), e->msg);
	else
		record_error(outlet_record(p), &why, "sample %lld: %s", (long long)first, e->msg);
	for (k = 0; k < samples; k++)
		outlet_fail(p, first + k - w->o->first);
	if (all) {
		*w->e = why;
		w->rc = -1;
	} else if (!w->bad && (!w->in || reader_bad(w->in, &why) < 0)) {
		w->why = why;
		w->bad = w->ended = true;
	}
	if (w->rc >= 0 && outlet_write(w->out, w->e) < 0)
		w->rc = -1;
}

/* ---- in ---- */

static bool asks(const struct record *r)
{
	return record_has(r, "messages") || record_has(r, "problem");
}

/* The prompt's text: 'messages' or 'problem' through the template, or 'prompt' as it stands. */
static int make_prompt(struct work *w, struct record *r, struct buf *to, struct err *e)
{
	const char *field = record_has(r, "messages") ? "messages" : "problem", *s;
	size_t n;

	if (!w->model->template && asks(r))
		return record_error(r, e, "what is to become of '%s' says --template, which --api completions needs", field);
	if (asks(r) || !record_has(r, "prompt"))
		return template_field(w->model->template, w->o->system, r, field, to, e);
	if (!(s = record_string(r, "prompt", &n, e)))
		return -1;
	buf_add(to, s, n);
	return 0;
}

/* The messages of a chat: the record's own, or its problem (or prompt) as the one question. Freed by the caller. */
static struct js *make_messages(struct record *r, struct err *e)
{
	const char *s;
	const struct js *there;
	size_t n;

	if (!record_has(r, "messages"))
		return (s = record_string(r, asks(r) || !record_has(r, "prompt") ? "problem" : "prompt", &n, e)) ? template_question(s, n) : NULL;
	if (!(there = record_js(r, "messages", e)))
		return NULL;
	if (js_is_array(there) && js_size(there))
		return js_copy(there);
	record_error(r, e, js_is_array(there) ? "'messages' has no message" : "'messages' is %s, not an array", js_type(there));
	return NULL;
}

/* A problem without a name gets one that its text fixes. Returns the id, which lives in the record. */
static const char *name_problem(struct record *r, const char *text, size_t n, struct err *e)
{
	char made[32];

	if (!record_has(r, "id")) {
		snprintf(made, sizeof made, "%016llx", (unsigned long long)hash_bytes(text ? text : "", n));
		record_set_str(r, "id", made);
	}
	return record_string(r, "id", NULL, e);
}

/* Begins what is not there yet of the problem, run by run. From here on what is wrong is not the record: w->rc < 0 and w->e say so. */
static int start(struct work *w, struct record *r, struct completer_prompt *prompt)
{
	struct problem *p = outlet_add(w->out, r, w->e);
	int64_t n = w->o->samples, from, to;

	if (!p)
		return w->rc = -1;
	w->problems++;
	w->taken++;
	prompt->user = p;
	for (from = 0; from < n; from = to) {
		for (to = from; to < n && outlet_due(p, to) == outlet_due(p, from); to++)
			;
		prompt->first = w->o->first + from;
		prompt->samples = to - from;
		if (outlet_due(p, from) && completer_add(w->model, prompt, w->e) < 0)
			return -1;
	}
	return 0;
}

/* Without --context there is room for what the prompt asks for: what is under way is brought to its end, and then the room is made. */
static int make_room(struct work *w, int64_t prompt)
{
	int64_t want = prompt + w->o->how.max_tokens;

	if (w->o->context || want <= w->model->context || w->model->context == w->model->ck->config.max_positions)
		return 0;
	while (completer_busy(w->model) && !tool_interrupted())
		if (completer_step(w->model, w->e) < 0 || w->rc < 0)
			return w->rc = -1;
	completer_widen(w->model, (want + SHORT_PROMPT - 1) / SHORT_PROMPT * SHORT_PROMPT);
	return 0;
}

/* Whether a model that runs here takes a prompt of n tokens */
static int fit(struct work *w, struct record *r, const char *id, int64_t n, struct err *e)
{
	const int64_t positions = w->model->ck->config.max_positions, most = w->o->how.max_tokens;

	if (n >= positions)
		return record_error(r, e, "the prompt has %lld tokens, and the model %lld positions", (long long)n, (long long)positions);
	if (make_room(w, n) < 0)
		return -1;
	if (completer_check(w->model, n, e) < 0)
		return record_error(r, e, "%s", e->msg);
	if (!w->told_cut && w->model->context - n < most && most < positions && (w->told_cut = true))
		tool_warn("id %s: a prompt of %lld tokens leaves %lld for the completion%s, not %lld", id, (long long)n, (long long)(w->model->context - n),
			  w->o->context ? " (--context)" : "", (long long)most);
	return 0;
}

/* A server's chat gets messages, which the server makes a prompt of; its completions get the prompt's text, a model that runs here the tokens. */
static int make_and_start(struct work *w, struct record *r, struct err *e)
{
	const bool here = !w->model->remote, guess = *w->o->api == 'a' && !w->model->template && (asks(r) || !record_has(r, "prompt"));
	const bool chat = !here && (guess || !strcmp(w->o->api, "chat"));
	struct js *messages = chat ? make_messages(r, e) : NULL;
	struct buf prompt = {0};
	struct tokens ids = {0};
	const char *id;
	int rc = -1;

	if (chat ? !messages : make_prompt(w, r, &prompt, e) < 0)
		goto out;
	if (chat)
		js_write(messages, 0, &prompt);
	if (here && completer_encode(w->model, &prompt, &ids, e) < 0) {
		record_error(r, e, "the prompt: %s", e->msg);
		goto out;
	}
	if (!(id = name_problem(r, prompt.p, prompt.n, e)) || (here && fit(w, r, id, (int64_t)ids.n, e) < 0))
		goto out;
	if (!chat)
		record_set_string(r, "prompt", prompt.p ? prompt.p : "", prompt.n);
	else if (asks(r))               /* what the server makes of the messages is not known */
		record_remove(r, "prompt");
	if (here)
		record_set_ints(r, "prompt_ids", ids.id, ids.n);
	else
		record_remove(r, "prompt_ids");
	rc = start(w, r, &(struct completer_prompt){.id = ids.id, .ids = ids.n, .text = prompt.p ? prompt.p : "", .n = prompt.n, .messages = messages,
						    .system = w->o->system, .stream = hash_str(id)});
out:
	js_free(messages);
	tokens_free(&ids);
	buf_free(&prompt);
	return rc;
}

/* Takes r over, unless it fails. */
static int take_problem(struct work *w, struct record *r, struct err *e)
{
	if ((record_has(r, "id") && !record_string(r, "id", NULL, e)) || make_and_start(w, r, e) < 0)
		return -1;
	return outlet_write(w->out, w->e) < 0 ? w->rc = -1 : 0;
}

static void read_more(struct work *w)
{
	struct record r = {0};
	int rc;

	while (w->rc >= 0 && !w->ended && completer_wants(w->model) && !(w->o->follow && w->taken == w->o->follow)) {
		if (w->in) {
			if (completer_busy(w->model) && !reader_ready(w->in))
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

static enum completer_choice choice(const char *s)
{
	return !strcmp(s, "on") ? CHOICE_ON : !strcmp(s, "off") ? CHOICE_OFF : CHOICE_AUTO;
}

static bool own_template(const struct options *o)
{
	return strcmp(o->how.template, "auto") != 0;
}

static int tell_foreign(const struct work *w, struct err *e)
{
	return completion_tell_foreign(w->model->template, w->o->how.template, w->o->system, w->model->tokenizer, w->o->how.model, e);
}

static int open_model(struct work *w, struct err *e)
{
	const struct options *o = w->o;
	struct state s;

	w->step = o->step;
	if (!(w->model = completer_open(&o->how, e)))
		return -1;
	if (w->model->remote)
		return 0;
	if (state_read(w->model->ck, &s, e) < 0 || (own_template(o) && !w->round && tell_foreign(w, e) < 0))
		return -1;
	tool_debug("%s", w->model->be->what);
	if (o->step < 0)
		w->step = s.step;
	if (o->context > w->model->ck->config.max_positions)
		return err_set(e, "--context %lld is more than the model's %lld positions", (long long)o->context, (long long)w->model->ck->config.max_positions);
	return 0;
}

static int open_all(struct work *w, char **files, int n, struct err *e)
{
	const struct options *o = w->o;
	struct outlet_params p = {.output = o->output, .resume = o->resume, .how = &o->how, .first = o->first, .samples = o->samples, .group = o->group,
				  .pass_failed = w->tool->skip_bad};

	if (open_model(w, e) < 0)
		return -1;
	p.model = completer_model(w->model);
	p.step = w->step;
	if (!w->model->remote) {
		p.text = completer_text;
		p.arg = w->model;
		p.context = o->context ? o->context : w->model->ck->config.max_positions;
	}
	if (!o->prompt)
		w->in = reader_open(files, (size_t)n, w->tool);
	return (w->out = outlet_open(&p, e)) ? 0 : -1;
}

static int64_t tokens(const struct work *w)
{
	return w->tokens + (w->model ? completer_tokens(w->model) : 0);
}

/* ---- --follow: some problems with each checkpoint that r1-update writes ---- */

static const char *followed(const struct options *o)
{
	return o->how.adapter ? o->how.adapter : o->how.model;
}

/* A checkpoint appears whole, as another folder of that name, perhaps with the number of one that was removed. False: it is the one that is open. */
static bool replaced(const struct work *w, struct stat *now)
{
	return stat(followed(w->o), now) == 0 && (now->st_ino != w->seen.st_ino || now->st_dev != w->seen.st_dev ||
		now->st_mtim.tv_sec != w->seen.st_mtim.tv_sec || now->st_mtim.tv_nsec != w->seen.st_mtim.tv_nsec);
}

static int say_interrupted(const struct work *w, struct err *e)
{
	if (outlet_appears(w->out))
		return err_set(e, "interrupted: %s is not written", w->o->output);
	return err_set(e, "interrupted: the completions written are whole");
}

/* Waits a moment. -1: who reads what is written here is gone, or a signal came. */
static int wait_a_moment(struct err *e)
{
	struct pollfd out = {.fd = 1};

	poll(&out, 1, 20);
	if (tool_interrupted())
		return err_set(e, "interrupted: the completions written are whole");
	return out.revents & POLLERR ? err_set(e, "stdout: nobody reads it any more") : 0;
}

static int follow(struct work *w)
{
	int64_t due = w->first_step + ++w->round - w->o->lag;
	double started = clock_seconds();
	bool said = false;
	struct stat now;

	w->taken = 0;
	for (;;) {
		while (replaced(w, &now)) {
			w->tokens = tokens(w);
			completer_close(w->model);
			w->seen = now;
			if (open_model(w, w->e) < 0)
				return -1;
		}
		if (w->step >= due)
			break;
		if (!said && clock_seconds() - started > 10 && (said = true))
			tool_note("waiting for step %lld of %s", (long long)due, followed(w->o));
		if (wait_a_moment(w->e) < 0)
			return -1;
	}
	outlet_set_step(w->out, w->step);
	return 0;
}

static int run(struct work *w, char **files, int n, struct err *e)
{
	const struct options *o = w->o;
	double started;

	if (o->follow && stat(followed(o), &w->seen) < 0)
		return err_errno(e, "%s", followed(o));
	if (open_all(w, files, n, e) < 0)
		return -1;
	w->first_step = w->step;
	w->progress = progress_new("sampling", 0, "completions");
	progress_rate(&w->progress, "tok/s");
	started = clock_seconds();
	for (;;) {
		read_more(w);
		if (w->ended)
			w->progress.total = w->problems * o->samples;
		if (w->rc < 0 || tool_interrupted() || (w->ended && !completer_busy(w->model)))
			break;
		if (o->follow && !completer_busy(w->model)) {
			w->rc = follow(w);
			continue;
		}
		if (completer_step(w->model, e) < 0)
			w->rc = err_prefix(e, "%s", o->how.model);
		if (!w->tool->quiet)
			progress_set(&w->progress, w->completions, tokens(w));
	}
	progress_end(&w->progress);
	if (w->rc >= 0 && tool_interrupted())
		w->rc = say_interrupted(w, e);
	else if (w->rc >= 0 && w->bad)
		w->rc = err_set(e, "%s", w->why.msg);
	if (outlet_close(w->out, w->rc >= 0, e) < 0)
		w->rc = -1;
	w->out = NULL;
	if (w->rc >= 0)
		tool_note("%lld completion%s of %lld problem%s, %lld tokens, %.0f tok/s; %.1f MiB at most", (long long)w->completions,
			  w->completions == 1 ? "" : "s", (long long)w->problems, w->problems == 1 ? "" : "s", (long long)tokens(w),
			  (double)tokens(w) / (clock_seconds() - started + 1e-9), (double)memory_peak() / 1048576);
	return w->rc;
}

/* Options that only one kind of model has, that exclude each other, or with a wrong value; -1 or the exit code. */
static int check_options(const struct tool *t, const struct options *o, const struct opt *opts, const char *file)
{
	static const char *const local[] = {"adapter", "dtype", "context", "follow"};
	static const char *const server[] = {"model-name", "api", "key-file", "logprobs", "per-request", "tries", "retry-wait",
					     "connect-timeout", "timeout"};
	const double temperature = o->how.temperature;
	bool remote;
	size_t i;

	if (!o->how.model)
		return tool_usage(t, "--model is missing");
	remote = remote_is_url(o->how.model);
	for (i = 0; remote && i < sizeof local / sizeof local[0]; i++)
		if (opt_given(opts, local[i]))
			return tool_usage(t, "--%s is for a model that runs here, not for a server", local[i]);
	for (i = 0; !remote && i < sizeof server / sizeof server[0]; i++)
		if (opt_given(opts, server[i]))
			return tool_usage(t, "--%s is for a server (--model http://...)", server[i]);
	for (i = 0; i < o->stop.n; i++)
		if (!o->stop.item[i][0])
			return tool_usage(t, "--stop: a text of no length");
	if (remote && own_template(o) && !strcmp(o->api, "chat"))
		return tool_usage(t, "--api chat leaves the template to the server: there is no --template beside it");
	if (o->greedy && opt_given(opts, "temperature") && temperature != 0)
		return tool_usage(t, "--greedy and --temperature exclude each other");
	if (temperature != 0 && temperature < 1e-6)
		return tool_usage(t, "--temperature %g is less than 1e-06: 0 takes the likeliest token", temperature);
	if (o->lag && !o->follow)
		return tool_usage(t, "--lag is of --follow, which is missing");
	if (o->follow && (o->step >= 0 || o->resume || o->output || o->prompt))
		return tool_usage(t, "--follow goes with no --step, --prompt, --output or --resume");
	if (o->output && o->resume)
		return tool_usage(t, "--resume names the file that is written: there is no --output beside it");
	if (o->prompt && file)
		return tool_usage(t, "--prompt takes the place of files, but '%s' is named, too", file);
	if (o->group && o->group < o->first + o->samples)
		return tool_usage(t, "--group %lld has no room for sample %lld", (long long)o->group, (long long)(o->first + o->samples - 1));
	return -1;
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "r1-sample", .usage = "--model DIR|URL [OPTION]... [FILE]...", .summary = "Write completions for each problem"};
	struct work w;
	struct options o = {.how = {.dtype = "auto", .template = "auto", .batch = 64, .max_tokens = 512, .temperature = 1, .top_p = 1, .per_request = 1,
				   .tries = 16, .wait = 0.5, .connect_timeout = 10, .timeout = 1800, .name_option = "--model-name", .warn_memory = true,
				   .on = {on_done, on_failed, &w}},
			    .samples = 1, .step = -1, .api = "auto", .logprobs = "auto", .thinking = "auto"};
	struct opt opts[] = {
		OPT_HEADING("Model and prompt"),
		{"model", 'm', OPT_STRING, &o.how.model, "DIR|URL", "checkpoint (a folder or an archive), or a server: http://host:port/v1"},
		{"adapter", 0, OPT_STRING, &o.how.adapter, "DIR", "low-rank adapter on that model"},
		{"template", 't', OPT_STRING, &o.how.template, "NAME", "how a problem becomes a prompt: by a template of that name, or a file"},
		{"system", 0, OPT_STRING, &o.system, "TEXT", "system message, for templates that have one"},
		{"thinking", 0, OPT_CHOICE, &o.thinking, "auto|on|off", "for templates that can have reasoning or not; auto: as they do by themselves"},
		{"prompt", 'p', OPT_STRING, &o.prompt, "TEXT", "take this one problem instead of reading files"},
		OPT_HEADING("Sampling"),
		{"samples", 'n', OPT_INT, &o.samples, "N", "completions for each problem", 1, 1 << 20},
		{"first-sample", 0, OPT_INT, &o.first, "K", "number them from K on: more of a group that is there already", 0, 1 << 20},
		{"group", 0, OPT_INT, &o.group, "N", "the group's size, if these are a part of it; 0: first-sample + samples", 0, 1 << 21},
		{"temperature", 0, OPT_FLOAT, &o.how.temperature, "T", "softmax temperature; 0: greedy", 0, 1e6},
		{"top-p", 0, OPT_FLOAT, &o.how.top_p, "P", "of the likeliest tokens, those that make up P; 1: all", 1e-9, 1},
		{"top-k", 0, OPT_INT, &o.how.top_k, "K", "of the K likeliest tokens; 0: all", 0, 1 << 30},
		{"min-p", 0, OPT_FLOAT, &o.how.min_p, "P", "of tokens at least P times as likely as the likeliest; 0: all", 0, 1},
		{"greedy", 0, OPT_FLAG, &o.greedy, NULL, "always take the likeliest token: temperature 0"},
		{"max-tokens", 0, OPT_INT, &o.how.max_tokens, "N", "longest completion", 1, 1 << 30},
		{"stop", 0, OPT_LIST, &o.stop, "TEXT", "end a completion after this text (may be repeated)"},
		{"step", 0, OPT_INT, &o.step, "N", "the step to write into records; -1: the checkpoint's", -1, 1e15},
		TOOL_OPTIONS_SEED(&t),
		OPT_HEADING("Beside an r1-update that runs"),
		{"follow", 0, OPT_INT, &o.follow, "N", "sample N problems, then wait for the next checkpoint, and so on; 0: no", 0, 1e15},
		{"lag", 0, OPT_INT, &o.lag, "K", "be up to K checkpoints behind", 0, 1e15},
		OPT_HEADING("Server"),
		{"model-name", 0, OPT_STRING, &o.how.name, "NAME", "the model, as the server calls it [its only one]"},
		{"api", 0, OPT_CHOICE, &o.api, "auto|chat|completions", "auto: completions for a --template or a 'prompt', else chat"},
		{"key-file", 0, OPT_STRING, &o.how.key_file, "FILE", "the key is in FILE [in the environment: OPENAI_API_KEY]"},
		{"logprobs", 0, OPT_CHOICE, &o.logprobs, "auto|on|off", "ask for logprobs and ids; auto: logprobs at temperature 1 alone"},
		{"per-request", 0, OPT_INT, &o.how.per_request, "N", "completions of one request", 1, 1024},
		{"tries", 0, OPT_INT, &o.how.tries, "N", "how often a request is tried", 1, 1e6},
		{"retry-wait", 0, OPT_FLOAT, &o.how.wait, "S", "seconds before the second try, doubled for each one more, up to 60", 0, 3600},
		{"connect-timeout", 0, OPT_FLOAT, &o.how.connect_timeout, "S", "seconds until a connection is given up", 0.001, 1e6},
		{"timeout", 0, OPT_FLOAT, &o.how.timeout, "S", "seconds until a request is given up and tried again", 0.001, 2e6},
		OPT_HEADING("Computing"),
		{"batch", 'b', OPT_INT, &o.how.batch, "N", "completions (of a server: requests) at once: speed and memory, not results", 1, 1 << 16},
		{"dtype", 0, OPT_CHOICE, &o.how.dtype, MODEL_DTYPES, "what weights are kept as; auto: 16 bits where that loses nothing"},
		{"context", 0, OPT_INT, &o.context, "N", "longest prompt and completion together; 0: as long as they are", 0, 1 << 30},
		TOOL_OPTIONS_COMPUTE(&t),
		{"output", 'o', OPT_STRING, &o.output, "FILE", "write there instead of to stdout; it appears when all is done"},
		{"resume", 0, OPT_STRING, &o.resume, "FILE", "write there as it goes, and go on with what an earlier run left there"},
		TOOL_OPTIONS(&t),
		OPT_END};
	struct err e;
	int rc = tool_begin(&t, opts, &argc, &argv);

	w = (struct work){.o = &o, .tool = &t, .e = &e};
	if (rc >= 0)
		return rc;
	if ((rc = check_options(&t, &o, opts, argc ? argv[0] : NULL)) >= 0)
		return rc;
	if (o.greedy)
		o.how.temperature = 0;
	if (!o.group)
		o.group = o.first + o.samples;
	o.how.seed = t.seed;
	o.how.threads = t.threads;
	o.how.backend = t.backend;
	o.how.verbose = t.verbose;
	o.how.thinking = choice(o.thinking);
	o.how.logprobs = choice(o.logprobs);
	o.how.stop = o.stop.item;
	o.how.stops = o.stop.n;
	o.how.context = o.context ? o.context : o.how.max_tokens + SHORT_PROMPT;
	rc = run(&w, argv, argc, &e);
	completer_close(w.model);
	reader_close(w.in);
	return rc < 0 ? tool_fail(&t, &e) : tool_end(&t);
}
