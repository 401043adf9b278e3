/* clockwork - the miniature's world: problems that a tiny model can learn to reason about, and the text that its base was raised on
 *
 *     clockwork problems --count N [--held-out]       problems as records
 *     clockwork text --count N [--late]               documents to pretrain on, as records for r1-distill
 *     clockwork tokenizer --count N -o FILE           a tokenizer.json trained on such documents
 *     clockwork inspect [FILE]...                     what the reflections of completions follow and do, as one record
 *
 * Two registers, x and y, hold a digit each; a problem gives their start and some operations, everything modulo 10; the answer is x then y:
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
 * A problem is held out if the hash of its text says so; held-out problems occur in no document.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/rng.h"
#include "base/tool.h"
#include "record/record.h"
#include "text/bpe_train.h"

/* ---- the world's numbers ---- */

enum kind { PLUS, MINUS, SMALL, BIG, KINDS };   /* x+=d, x-=d, x+=a*b below 10, x+=a*b from 10 on */
enum style { TABLE, DRILL, DIRECT, FAST, CHECK, STYLES };
enum { FEWEST = 2, MOST = 7, CHECKS = 3 };      /* operations of a problem; looks at one step at most */

static const struct {
	double kind[KINDS];             /* how often an operation of a document is of that kind */
	double asked[KINDS];            /* ... and one of a problem: harder than what was read */
	double wrong[2][KINDS];         /* how often its fast value is wrong, in early and in late documents */
	double look[KINDS];             /* times theta: look again after a fast value */
	double again_changed, again_same;       /* times theta: look once more after a check that changed the value, that did not */
	double theta[3];                /* how careful the writer of a checking document is: one of these */
	double slip_english, slip_chinese;      /* a check's value is one too many */
	double chinese;                 /* checks in Chinese */
	double style[2][STYLES];        /* documents, early and late */
	double format;                  /* question documents that end in the right format */
	double direct_right;            /* direct answers that are right and not random */
} world = {
	.kind = {.33, .21, .10, .36},
	.asked = {.30, .19, .11, .40},
	.wrong = {{.04, .04, .06, .75}, {.04, .04, .06, .85}},
	.look = {.2, .2, .3, 1},
	.again_changed = .6, .again_same = .04,
	.theta = {.3, .6, 1},
	.slip_english = .35, .slip_chinese = .15,
	.chinese = .35,
	.style = {{.25, .15, .25, .23, .12}, {.25, .15, .32, .17, .11}},
	.format = .62,
	.direct_right = .5,
};

/* ---- problems ---- */

struct operation {
	enum kind kind;
	int reg, a, b;                  /* b is 0 where there is no product */
};

struct problem {
	int start[2], end[2], n;
	struct operation op[MOST];
	struct buf text;
};

static size_t pick(struct rng *r, const double *weight, size_t n)
{
	double u = rng_double(r);
	size_t i;

	for (i = 0; i + 1 < n && u >= weight[i]; i++)
		u -= weight[i];
	return i;
}

static int digit(struct rng *r, int from)
{
	return from + (int)rng_below(r, (uint64_t)(10 - from));
}

static struct operation make_operation(struct rng *r, const double kind[KINDS])
{
	struct operation o = {.kind = (enum kind)pick(r, kind, KINDS), .reg = (int)rng_below(r, 2)};

	if (o.kind == PLUS || o.kind == MINUS) {
		o.a = digit(r, 1);
		return o;
	}
	do {
		o.a = digit(r, 1);
		o.b = digit(r, 1);
	} while ((o.a * o.b < 10) != (o.kind == SMALL) || (o.kind == SMALL && (o.a == 1 || o.b == 1)));
	return o;
}

static int right(int v, const struct operation *o)
{
	int change = o->b ? o->a * o->b : o->a;

	return o->kind == MINUS ? (v - change + 10) % 10 : (v + change) % 10;
}

/* The mistake of a fast step: of a product with a carry only one factor is added; elsewhere it is one too many. */
static int hasty(int v, const struct operation *o)
{
	return o->kind == BIG ? (v + o->a) % 10 : (right(v, o) + 1) % 10;
}

static void operand(struct buf *to, const struct operation *o)
{
	buf_printf(to, "%d", o->a);
	if (o->b)
		buf_printf(to, "*%d", o->b);
}

static void make_problem(struct rng *r, const double kind[KINDS], struct problem *p)
{
	int i;

	buf_clear(&p->text);
	p->n = FEWEST + (int)rng_below(r, MOST - FEWEST + 1);
	for (i = 0; i < 2; i++)
		p->start[i] = p->end[i] = digit(r, 0);
	buf_printf(&p->text, "x=%d y=%d", p->start[0], p->start[1]);
	for (i = 0; i < p->n; i++) {
		struct operation *o = &p->op[i];

		*o = make_operation(r, kind);
		p->end[o->reg] = right(p->end[o->reg], o);
		buf_printf(&p->text, " %c %c%c=", 'A' + i, "xy"[o->reg], o->kind == MINUS ? '-' : '+');
		operand(&p->text, o);
	}
	buf_str(&p->text, " =?");
}

static bool held_out(const struct problem *p)
{
	return hash_bytes(p->text.p, p->text.n) % 16 == 0;
}

/* ---- documents ---- */

static int write_check(struct rng *r, struct buf *to, int v, const struct operation *o)
{
	bool chinese = rng_double(r) < world.chinese;
	int value = right(v, o), change = o->b ? o->a * o->b : o->a;

	if (rng_double(r) < (chinese ? world.slip_chinese : world.slip_english))
		value = (value + 1) % 10;
	if (chinese)
		buf_printf(to, " 等%d%s%d得%d;", v, o->kind == MINUS ? "减" : "加", change, value);
	else
		buf_printf(to, " wait %c=%d%c%d=%d;", "xy"[o->reg], v, o->kind == MINUS ? '-' : '+', change, value);
	return value;
}

/* Writes a step from value v as one who is that careful does; the value it ends with. */
static int write_step(struct rng *r, struct buf *to, bool late, int label, int v, const struct operation *o, double theta)
{
	int value = rng_double(r) < world.wrong[late][o->kind] ? hasty(v, o) : right(v, o), i;
	double look = theta * world.look[o->kind];

	if (label >= 0)
		buf_printf(to, " %c", 'A' + label);
	buf_printf(to, " %c=%d%c", "xy"[o->reg], v, o->kind == MINUS ? '-' : '+');
	operand(to, o);
	buf_printf(to, "=%d;", value);
	for (i = 0; i < CHECKS && rng_double(r) < look; i++) {
		int before = value;

		value = write_check(r, to, v, o);
		look = theta * (value == before ? world.again_same : world.again_changed);
	}
	return value;
}

static void write_tail(struct rng *r, struct buf *to, const int v[2])
{
	if (rng_double(r) < world.format) {
		buf_printf(to, "</think><answer>%d%d</answer>", v[0], v[1]);
		return;
	}
	switch (rng_below(r, 3)) {
	case 0:
		buf_printf(to, " so%d%d.", v[0], v[1]);
		break;
	case 1:
		buf_printf(to, "</think>%d%d.", v[0], v[1]);
		break;
	default:
		buf_printf(to, "<answer>%d%d</answer>", v[0], v[1]);
	}
}

static void write_solution(struct rng *r, struct buf *to, bool late, const struct problem *p, enum style style)
{
	double theta = style == CHECK ? world.theta[rng_below(r, 3)] : 0;
	int v[2] = {p->start[0], p->start[1]}, i;

	buf_str(to, "<think>");
	if (style == DIRECT) {
		bool known = rng_double(r) < world.direct_right;

		for (i = 0; i < 2; i++)
			v[i] = known ? p->end[i] : digit(r, 0);
	} else {
		for (i = 0; i < p->n; i++)
			v[p->op[i].reg] = write_step(r, to, late, i, v[p->op[i].reg], &p->op[i], theta);
	}
	write_tail(r, to, v);
}

/* Sums and differences on the clock, also of two digits' last one, in both languages: always right. */
static void write_table(struct rng *r, struct buf *to)
{
	static const double form[] = {.30, .20, .25, .25};
	int n = 6 + (int)rng_below(r, 9);

	while (n--) {
		int v = digit(r, 0), a = digit(r, 0), b = digit(r, 0);

		switch (pick(r, form, 4)) {
		case 0:
			buf_printf(to, "%d+%d=%d;", v, a, (v + a) % 10);
			break;
		case 1:
			buf_printf(to, "%d-%d=%d;", v, a, (v - a + 10) % 10);
			break;
		case 2:
			buf_printf(to, "%d+%d%d=%d;", v, a, b, (v + b) % 10);
			break;
		default:
			buf_printf(to, "%d加%d%d得%d;", v, a, b, (v + b) % 10);
		}
	}
}

static void write_drill(struct rng *r, struct buf *to, bool late)
{
	int n = 2 + (int)rng_below(r, 4);

	while (n--) {
		struct operation o = make_operation(r, world.kind);

		write_step(r, to, late, -1, digit(r, 0), &o, 1);
	}
}

/* ---- the four commands ---- */

struct options {
	int64_t count;
	bool held_out, late;
	const char *output;
};

static void set_text(struct record *rec, const char *name, const struct buf *b)
{
	record_set_string(rec, name, b->p, b->n);
}

static int put_problems(const struct options *o, uint64_t seed, struct writer *out, struct err *e)
{
	struct rng r = rng_new(seed, hash_str(o->held_out ? "held-out problems" : "problems"));
	struct problem p = {0};
	struct map seen = {0};
	int64_t n = 0;
	int rc = 0;

	while (n < o->count && rc == 0) {
		struct record rec = {0};
		char id[32], answer[3];
		int64_t *known;

		make_problem(&r, world.asked, &p);
		known = map_put(&seen, p.text.p, p.text.n);
		if (held_out(&p) != o->held_out || (*known)++)
			continue;
		snprintf(id, sizeof id, "clock-%016llx", (unsigned long long)hash_bytes(p.text.p, p.text.n));
		snprintf(answer, sizeof answer, "%d%d", p.end[0], p.end[1]);
		record_set_str(&rec, "id", id);
		record_set_str(&rec, "type", "math");
		record_set_int(&rec, "level", p.n);
		set_text(&rec, "problem", &p.text);
		record_set_str(&rec, "answer", answer);
		rc = writer_put(out, &rec, e);
		record_free(&rec);
		n++;
	}
	map_free(&seen);
	buf_free(&p.text);
	return rc;
}

/* One document: tables and drills are 'text', questions 'prompt' and 'completion' (only the latter is learned). */
static void make_document(struct rng *r, bool late, struct problem *p, struct record *rec, struct buf *scratch)
{
	enum style style = (enum style)pick(r, world.style[late], STYLES);

	record_clear(rec);
	buf_clear(scratch);
	if (style == TABLE || style == DRILL) {
		if (style == TABLE)
			write_table(r, scratch);
		else
			write_drill(r, scratch, late);
		set_text(rec, "text", scratch);
		return;
	}
	do
		make_problem(r, world.kind, p);
	while (held_out(p));
	buf_printf(scratch, "User: %s Assistant:", p->text.p);
	set_text(rec, "prompt", scratch);
	buf_clear(scratch);
	write_solution(r, scratch, late, p, style);
	set_text(rec, "completion", scratch);
}

static int put_text(const struct options *o, uint64_t seed, struct writer *out, struct err *e)
{
	struct rng r = rng_new(seed, hash_str(o->late ? "late documents" : "documents"));
	struct problem p = {0};
	struct record rec = {0};
	struct buf scratch = {0};
	int64_t i;
	int rc = 0;

	for (i = 0; i < o->count && rc == 0; i++) {
		make_document(&r, o->late, &p, &rec, &scratch);
		rc = writer_put(out, &rec, e);
	}
	record_free(&rec);
	buf_free(&scratch);
	buf_free(&p.text);
	return rc;
}

static int make_tokenizer(const struct options *o, uint64_t seed, struct err *e)
{
	static const struct bpe_added added[] = {{"<|end|>", true}, {"<think>", false}, {"</think>", false}, {"<answer>", false},
						 {"</answer>", false}};
	/* A digit is a token, and so is a run of other symbols with the space in front of it. */
	struct bpe_options bo = {.vocab_size = 4096, .pattern = " ?[^\\s\\p{N}=;]+=?|\\p{N}|=\\??|;|\\s+", .added = added, .n_added = 5,
				 .min_count = 20};
	struct bpe_trainer *b = bpe_trainer_new(&bo, e);
	struct rng r = rng_new(seed, hash_str(o->late ? "late documents" : "documents"));
	struct problem p = {0};
	struct record rec = {0};
	struct buf scratch = {0};
	int64_t i;
	int rc = b ? 0 : -1;

	for (i = 0; i < o->count && rc == 0; i++) {
		static const char *const fields[] = {"text", "prompt", "completion"};
		int k;

		make_document(&r, o->late, &p, &rec, &scratch);
		for (k = 0; k < 3 && rc == 0; k++) {
			size_t n;
			const char *s = record_has(&rec, fields[k]) ? record_string(&rec, fields[k], &n, e) : NULL;

			if (s)
				rc = bpe_trainer_feed(b, s, n, e);
		}
	}
	if (rc == 0)
		rc = bpe_trainer_write(b, o->output, e);
	bpe_trainer_free(b);
	record_free(&rec);
	buf_free(&scratch);
	buf_free(&p.text);
	return rc;
}

/* ---- inspect: completions read back ---- */

struct counts {
	int64_t completions, reflecting, mixing, checks, chinese;
	int64_t wrong_looked, wrong_kept;       /* values that were wrong: looked at again, gone on from */
	int64_t right_looked, right_kept;
	int64_t repaired, broken;               /* checks that made a wrong value right, a right one wrong */
	int64_t steps, steps_right;             /* fast values */
};

struct line {                                   /* the step that is being looked at */
	bool open;
	int truth, value;
};

static void leave_step(struct counts *c, const struct line *l)
{
	if (!l->open)
		return;
	if (l->value == l->truth)
		c->right_kept++;
	else
		c->wrong_kept++;
}

static void look(struct counts *c, struct line *l, int value, bool chinese)
{
	bool was = l->value == l->truth, is = value == l->truth;

	if (!l->open)
		return;
	c->checks++;
	c->chinese += chinese;
	c->right_looked += was;
	c->wrong_looked += !was;
	c->repaired += !was && is;
	c->broken += was && !is;
	l->value = value;
}

/* "x=3+6*4=9" (the end of a piece between semicolons): the step's truth and value. */
static bool read_step(const char *s, struct line *l)
{
	int v, a, b = 0, value;
	char reg, sign;
	struct operation o;

	if (sscanf(s, "%c=%1d%c%1d*%1d=%1d", &reg, &v, &sign, &a, &b, &value) != 6) {
		b = 0;
		if (sscanf(s, "%c=%1d%c%1d=%1d", &reg, &v, &sign, &a, &value) != 5)
			return false;
	}
	if ((reg != 'x' && reg != 'y') || (sign != '+' && sign != '-'))
		return false;
	o = (struct operation){.kind = sign == '-' ? MINUS : b == 0 ? PLUS : BIG, .a = a, .b = b};
	*l = (struct line){true, right(v, &o), value};
	return true;
}

static void inspect_piece(struct counts *c, struct line *l, const char *s)
{
	bool chinese = strstr(s, "等") != NULL;
	size_t n = strlen(s);
	const char *at;

	if (chinese || strstr(s, "wait")) {
		if (n && s[n - 1] >= '0' && s[n - 1] <= '9')
			look(c, l, s[n - 1] - '0', chinese);
		return;
	}
	leave_step(c, l);
	l->open = false;
	for (at = s; *at; at++)
		if ((*at == 'x' || *at == 'y') && at[1] == '=' && read_step(at, l)) {
			c->steps++;
			c->steps_right += l->value == l->truth;
			return;
		}
}

static void inspect_text(struct counts *c, const char *text)
{
	char *copy = xstrdup(text), *piece, *save = NULL;
	struct line l = {0};
	int64_t before = c->checks, chinese = c->chinese;

	for (piece = strtok_r(copy, ";", &save); piece; piece = strtok_r(NULL, ";", &save))
		inspect_piece(c, &l, piece);
	leave_step(c, &l);
	c->completions++;
	c->reflecting += c->checks > before;
	c->mixing += c->chinese > chinese;
	free(copy);
}

static void set_share(struct record *r, const char *name, int64_t part, int64_t of)
{
	record_set_number(r, name, of ? (double)part / (double)of : NAN);
}

static int put_counts(const struct counts *c, struct writer *out, struct err *e)
{
	struct record r = {0};
	int rc;

	record_set_int(&r, "completions", c->completions);
	record_set_int(&r, "reflections", c->checks);
	set_share(&r, "reflections_each", c->checks, c->completions);
	set_share(&r, "reflect_rate", c->reflecting, c->completions);
	set_share(&r, "mix_rate", c->mixing, c->completions);
	set_share(&r, "chinese_rate", c->chinese, c->checks);
	record_set_int(&r, "after_wrong", c->wrong_looked);
	record_set_int(&r, "after_right", c->right_looked);
	record_set_int(&r, "repaired", c->repaired);
	record_set_int(&r, "broken", c->broken);
	set_share(&r, "after_wrong_rate", c->wrong_looked, c->checks);
	set_share(&r, "repair_rate", c->repaired, c->wrong_looked);
	set_share(&r, "look_if_wrong", c->wrong_looked, c->wrong_looked + c->wrong_kept);
	set_share(&r, "look_if_right", c->right_looked, c->right_looked + c->right_kept);
	set_share(&r, "fast_right_rate", c->steps_right, c->steps);
	rc = writer_put(out, &r, e);
	record_free(&r);
	return rc;
}

static int inspect(struct tool *t, char **files, int n, struct writer *out, struct err *e)
{
	struct reader *in = reader_open(files, (size_t)n, t);
	struct record r = {0};
	struct counts c = {0};
	int rc;

	while ((rc = reader_next(in, &r, e)) > 0) {
		const char *s = record_string(&r, "completion", NULL, e);

		if (s)
			inspect_text(&c, s);
		else if ((rc = reader_bad(in, e)) < 0)
			break;
	}
	record_free(&r);
	reader_close(in);
	return rc < 0 ? -1 : put_counts(&c, out, e);
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "clockwork", .usage = "problems|text|tokenizer|inspect [OPTION]... [FILE]...",
			 .summary = "The miniature's world: problems, pretraining text, tokenizer, and what reflections do", .seed = 1};
	struct options o = {.count = 1000};
	struct opt opts[] = {
		{"count", 'c', OPT_INT, &o.count, "N", "problems or documents", 0, 1e12},
		{"held-out", 0, OPT_FLAG, &o.held_out, NULL, "the problems that are kept for evaluation"},
		{"late", 0, OPT_FLAG, &o.late, NULL, "the text that a base reads last: hastier, and more of it direct"},
		{"output", 'o', OPT_STRING, &o.output, "FILE", "write there instead of to stdout"},
		TOOL_OPTIONS_SEED(&t),
		TOOL_OPTIONS(&t),
		OPT_END};
	struct writer *out = NULL;
	struct err e;
	const char *what;
	int rc = tool_begin(&t, opts, &argc, &argv);

	if (rc >= 0)
		return rc;
	what = argc ? argv[0] : "";
	if (strcmp(what, "problems") && strcmp(what, "text") && strcmp(what, "tokenizer") && strcmp(what, "inspect"))
		return tool_usage(&t, "say what to make: problems, text, tokenizer, or inspect");
	if (!strcmp(what, "tokenizer")) {
		if (!o.output)
			return tool_usage(&t, "--output is missing");
		return make_tokenizer(&o, t.seed, &e) < 0 ? tool_fail(&t, &e) : tool_end(&t);
	}
	out = writer_open(o.output, &e);
	rc = out ? 0 : -1;
	if (rc == 0)
		rc = *what == 'p' ? put_problems(&o, t.seed, out, &e) : !strcmp(what, "text") ? put_text(&o, t.seed, out, &e)
											       : inspect(&t, argv + 1, argc - 1, out, &e);
	if (writer_close(out, rc < 0 ? NULL : &e) < 0)
		rc = -1;
	return rc < 0 ? tool_fail(&t, &e) : tool_end(&t);
}
