/* clockwork - the miniature's worlds: problems that a tiny model can learn to reason about, and the text that its base was raised on
 *
 *     clockwork problems --count N [--held-out]       problems as records
 *     clockwork text --count N [--late]               documents to pretrain on, as records for r1-distill
 *     clockwork tokenizer --count N -o FILE           a tokenizer.json trained on such documents
 *     clockwork inspect [FILE]...                     what the reflections of completions follow and do, as one record
 *     clockwork annotate [FILE]...                    what people think of answers, as fields of the completions
 *     clockwork prefer [FILE]...                      pairs of a problem's answers of which they clearly like one better
 *
 * The clock. Two registers, x and y, hold a digit each; a problem gives their start and some operations, everything modulo 10; the answer is
 * x then y:
 *
 *     User: x=3 y=7 A x+=6*4 B y-=7 C x+=3*5 =? Assistant:
 *     <think> A x=3+6*4=9; wait x=3+24=7; B y=7-7=0; C x=7+3*5=2;</think><answer>20</answer>
 *
 * A step may be written fast, with its value at once: right nearly always where the operation is easy, and wrong mostly where it is a
 * product with a carry (the writer then adds one factor only). A writer may look again (`wait` ... or, in Chinese and in fewer tokens,
 * `等` ...): the product is written out first, and the value, though it may slip, is mostly right. The next step goes on from the last value
 * written. Most documents answer directly or write fast; few look again. So the way to right answers is in the text, but rare, and looking
 * again pays where the operation is hard and costs length everywhere. The text that is read last is hastier than the rest.
 *
 * The town (--world town) has these and more: choice, logic, programs, answers in words, questions of other kinds (see town.c).
 *
 * A problem is held out if the hash of its text says so; held-out problems occur in no document.
 */
#include <string.h>

#include "base/map.h"
#include "base/tool.h"
#include "record/record.h"
#include "text/bpe_train.h"
#include "world.h"

struct options {
	int64_t count;
	bool held_out, late;
	const char *output, *world, *domain;
	bool town;
};

/* The next problem of the world, drawn among the domains wanted */
static void next_task(struct rng *r, const struct options *o, struct task *t)
{
	double share[16] = {0}, all = 0;
	size_t n, k;

	task_clear(t);
	if (!o->town) {
		t->domain = &clock_domain;
		clock_task(r, true, MOST, t);
		return;
	}
	for (n = 0; domains[n]; n++) {
		share[n] = domains[n]->asks && (!o->domain || !strcmp(o->domain, domains[n]->name)) ? domains[n]->share : 0;
		all += share[n];
	}
	for (k = 0; k < n; k++)
		share[k] /= all;
	t->domain = domains[pick(r, share, n)];
	t->domain->make(r, true, t);
}

static int put_problems(const struct options *o, uint64_t seed, struct writer *out, struct err *e)
{
	struct rng r = rng_new(seed, hash_str(o->held_out ? "held-out problems" : "problems"));
	struct task t = {0};
	struct map seen = {0};
	int64_t n = 0, tries = 0;
	int rc = 0;

	while (n < o->count && rc == 0) {
		struct record rec = {0};
		char id[32];
		int64_t *known;

		if (tries++ > 100000) {         /* since the last one that was new */
			rc = err_set(e, "no more than %lld problems are there", (long long)n);
			break;
		}
		next_task(&r, o, &t);
		known = map_put(&seen, t.text.p, t.text.n);
		if (held_out(&t.text) != o->held_out || (*known)++)
			continue;
		tries = 0;
		snprintf(id, sizeof id, "%s-%016llx", t.domain->name, (unsigned long long)hash_bytes(t.text.p, t.text.n));
		record_set_str(&rec, "id", id);
		record_set_str(&rec, "type", t.domain->type);
		record_set_int(&rec, "level", t.level);
		record_set_string(&rec, "problem", t.text.p, t.text.n);
		if (t.answer.n)
			record_set_string(&rec, "answer", t.answer.p, t.answer.n);
		if (o->town)
			record_set_str(&rec, "language", "en");
		if (t.domain->fields)
			t.domain->fields(&t, &rec);
		rc = writer_put(out, &rec, e);
		record_free(&rec);
		n++;
	}
	map_free(&seen);
	task_free(&t);
	return rc;
}

struct documents {
	const struct options *options;
	struct rng rng;
	struct task task;
	struct record rec;
	struct buf scratch;
};

static struct documents documents_open(const struct options *o, uint64_t seed)
{
	return (struct documents){.options = o, .rng = rng_new(seed, hash_str(o->late ? "late documents" : "documents"))};
}

static void next_document(struct documents *d)
{
	record_clear(&d->rec);
	buf_clear(&d->scratch);
	if (d->options->town)
		town_document(&d->rng, &d->task, &d->rec, &d->scratch);
	else
		clock_document(&d->rng, d->options->late, &d->task.clock, &d->rec, &d->scratch);
}

static void documents_close(struct documents *d)
{
	record_free(&d->rec);
	task_free(&d->task);
	buf_free(&d->scratch);
}

static int put_text(const struct options *o, uint64_t seed, struct writer *out, struct err *e)
{
	struct documents d = documents_open(o, seed);
	int64_t i;
	int rc = 0;

	for (i = 0; i < o->count && rc == 0; i++) {
		next_document(&d);
		rc = writer_put(out, &d.rec, e);
	}
	documents_close(&d);
	return rc;
}

static int make_tokenizer(const struct options *o, uint64_t seed, struct err *e)
{
	static const struct bpe_added added[] = {{"<|end|>", true}, {"<think>", false}, {"</think>", false}, {"<answer>", false},
						 {"</answer>", false}};
	/* A digit is a token, and so is a run of other symbols with the space in front of it; in the town so are capitals and signs of rules. */
	struct bpe_options bo = {.vocab_size = 4096, .pattern = o->town ? " ?等|[得加减]| ?[A-Z]|\\p{N}|=\\??|[<>;]| ?[^\\s\\p{N}=;<>A-Z得加减]+=?|\\s+"
										: " ?[^\\s\\p{N}=;]+=?|\\p{N}|=\\??|;|\\s+",
				 .added = added, .n_added = 5, .min_count = o->town ? 60 : 20};
	struct bpe_trainer *b = bpe_trainer_new(&bo, e);
	struct documents d = documents_open(o, seed);
	int64_t i;
	int rc = b ? 0 : -1;

	for (i = 0; i < o->count && rc == 0; i++) {
		static const char *const fields[] = {"text", "prompt", "completion"};
		int k;

		next_document(&d);
		for (k = 0; k < 3 && rc == 0; k++) {
			size_t n;
			const char *s = record_has(&d.rec, fields[k]) ? record_string(&d.rec, fields[k], &n, e) : NULL;

			if (s)
				rc = bpe_trainer_feed(b, s, n, e);
		}
	}
	if (rc == 0)
		rc = bpe_trainer_write(b, o->output, e);
	bpe_trainer_free(b);
	documents_close(&d);
	return rc;
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "clockwork", .usage = "problems|text|tokenizer|inspect|annotate|prefer [OPTION]... [FILE]...",
			 .summary = "The miniature's worlds: problems, pretraining text, tokenizer, what reflections do, what people like", .seed = 1};
	struct options o = {.count = 1000, .world = "clock"};
	struct opt opts[] = {
		{"count", 'c', OPT_INT, &o.count, "N", "problems or documents", 0, 1e12},
		{"held-out", 0, OPT_FLAG, &o.held_out, NULL, "the problems that are kept for evaluation"},
		{"world", 'w', OPT_STRING, &o.world, "clock|town", "which world"},
		{"domain", 'd', OPT_STRING, &o.domain, "NAME", "problems of this domain of the town only"},
		{"late", 0, OPT_FLAG, &o.late, NULL, "the text that the clock's base reads last: hastier, and more of it direct"},
		{"output", 'o', OPT_STRING, &o.output, "FILE", "write there instead of to stdout"},
		TOOL_OPTIONS_SEED(&t),
		TOOL_OPTIONS(&t),
		OPT_END};
	enum { PROBLEMS, TEXT, TOKENIZER, INSPECT, ANNOTATE, PREFER };
	static const char *const commands[] = {"problems", "text", "tokenizer", "inspect", "annotate", "prefer", NULL};
	struct writer *out = NULL;
	struct err e;
	int rc = tool_begin(&t, opts, &argc, &argv), what = 0, i;

	if (rc >= 0)
		return rc;
	while (commands[what] && (!argc || strcmp(argv[0], commands[what])))
		what++;
	if (!commands[what])
		return tool_usage(&t, "say what to make: problems, text, tokenizer, inspect, annotate, or prefer");
	o.town = !strcmp(o.world, "town");
	if (!o.town && strcmp(o.world, "clock"))
		return tool_usage(&t, "--world is clock or town");
	for (i = 0; o.domain && domains[i] && (strcmp(o.domain, domains[i]->name) || !domains[i]->asks); i++)
		;
	if (o.domain && (!o.town || !domains[i]))
		return tool_usage(&t, "--world %s has no domain '%s' of problems", o.world, o.domain);
	if (what == TOKENIZER) {
		if (!o.output)
			return tool_usage(&t, "--output is missing");
		return make_tokenizer(&o, t.seed, &e) < 0 ? tool_fail(&t, &e) : tool_end(&t);
	}
	out = writer_open(o.output, &e);
	argv++, argc--;
	rc = !out ? -1
		: what == PROBLEMS ? put_problems(&o, t.seed, out, &e)
		: what == TEXT ? put_text(&o, t.seed, out, &e)
		: what == INSPECT ? inspect(&t, argv, argc, out, &e)
		: what == ANNOTATE ? annotate(&t, argv, argc, out, &e)
		: prefer(&t, argv, argc, t.seed, out, &e);
	if (writer_close(out, rc < 0 ? NULL : &e) < 0)
		rc = -1;
	return rc < 0 ? tool_fail(&t, &e) : tool_end(&t);
}
