/* clock.c - the clock: two registers of a digit, operations on them, and the ways in which people write about them */
#include "world.h"

#include <string.h>

#include "base/map.h"

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

size_t pick(struct rng *r, const double *weight, size_t n)
{
	double u = rng_double(r);
	size_t i;

	for (i = 0; i + 1 < n && u >= weight[i]; i++)
		u -= weight[i];
	return i;
}

int digit(struct rng *r, int from)
{
	return from + (int)rng_below(r, (uint64_t)(10 - from));
}

static struct operation make_operation(struct rng *r, const double kind[KINDS], int registers)
{
	struct operation o = {.kind = (enum kind)pick(r, kind, KINDS)};

	if (registers > 1)
		o.reg = (int)rng_below(r, (uint64_t)registers);
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

int clock_right(int v, const struct operation *o)
{
	int change = o->b ? o->a * o->b : o->a;

	return o->kind == MINUS ? (v - change + 10) % 10 : (v + change) % 10;
}

/* The mistake of a fast step: of a product with a carry only one factor is added; elsewhere it is one too many. */
static int hasty(int v, const struct operation *o)
{
	return o->kind == BIG ? (v + o->a) % 10 : (clock_right(v, o) + 1) % 10;
}

static void operand(struct buf *to, const struct operation *o)
{
	buf_printf(to, "%d", o->a);
	if (o->b)
		buf_printf(to, "*%d", o->b);
}

void clock_make(struct rng *r, bool asked, int fewest, int most, int registers, struct problem *p)
{
	int i;

	buf_clear(&p->text);
	p->n = fewest + (int)rng_below(r, (uint64_t)(most - fewest + 1));
	for (i = 0; i < registers; i++) {
		p->start[i] = p->end[i] = digit(r, 0);
		buf_printf(&p->text, "%s%c=%d", i ? " " : "", "xy"[i], p->start[i]);
	}
	for (i = 0; i < p->n; i++) {
		struct operation *o = &p->op[i];

		*o = make_operation(r, asked ? world.asked : world.kind, registers);
		p->end[o->reg] = clock_right(p->end[o->reg], o);
		buf_printf(&p->text, " %c %c%c=", 'A' + i, "xy"[o->reg], o->kind == MINUS ? '-' : '+');
		operand(&p->text, o);
	}
	buf_str(&p->text, " =?");
}

bool held_out(const struct buf *problem)
{
	return hash_bytes(problem->p, problem->n) % 16 == 0;
}

/* ---- documents ---- */

static int write_check(struct rng *r, struct buf *to, int v, const struct operation *o)
{
	const bool chinese = rng_double(r) < world.chinese;
	int value = clock_right(v, o), change = o->b ? o->a * o->b : o->a;

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
	int value = rng_double(r) < world.wrong[late][o->kind] ? hasty(v, o) : clock_right(v, o), i;
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

void clock_tail(struct rng *r, struct buf *to, bool tags, const char *answer)
{
	if (tags) {
		buf_printf(to, "</think><answer>%s</answer>", answer);
		return;
	}
	switch (rng_below(r, 3)) {
	case 0:
		buf_printf(to, " so%s.", answer);
		break;
	case 1:
		buf_printf(to, "</think>%s.", answer);
		break;
	default:
		buf_printf(to, "<answer>%s</answer>", answer);
	}
}

void clock_think(struct rng *r, struct buf *to, const struct problem *p, const struct mood *m, int v[2])
{
	int i;

	for (i = 0; i < 2; i++)
		v[i] = p->start[i];
	if (m->style == DIRECT) {
		bool known = rng_double(r) < world.direct_right;

		for (i = 0; i < 2; i++)
			v[i] = known ? p->end[i] : digit(r, 0);
		return;
	}
	for (i = 0; i < p->n; i++)
		v[p->op[i].reg] = write_step(r, to, m->late, i, v[p->op[i].reg], &p->op[i], m->theta);
}

bool clock_looks(struct rng *r, const struct mood *m, bool hard, bool *chinese, bool *slips)
{
	if (rng_double(r) >= m->theta * world.look[hard ? BIG : PLUS])
		return false;
	*chinese = rng_double(r) < world.chinese;
	*slips = rng_double(r) < (*chinese ? world.slip_chinese : world.slip_english);
	return true;
}

static void write_solution(struct rng *r, struct buf *to, bool late, const struct problem *p, enum style style)
{
	struct mood m = {style, late, false, style == CHECK ? world.theta[rng_below(r, 3)] : 0};
	char answer[3];
	int v[2];

	buf_str(to, "<think>");
	clock_think(r, to, p, &m, v);
	snprintf(answer, sizeof answer, "%c%c", '0' + v[0], '0' + v[1]);
	m.tags = rng_double(r) < world.format;
	clock_tail(r, to, m.tags, answer);
}

/* Sums and differences on the clock, also of two digits' last one, in both languages: always right. */
void clock_table(struct rng *r, struct buf *to)
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

void clock_drill(struct rng *r, struct buf *to, bool late)
{
	int n = 2 + (int)rng_below(r, 4);

	while (n--) {
		struct operation o = make_operation(r, world.kind, 2);

		write_step(r, to, late, -1, digit(r, 0), &o, 1);
	}
}

/* One document: tables and drills are 'text', questions 'prompt' and 'completion' (only the latter is learned). */
void clock_document(struct rng *r, bool late, struct problem *p, struct record *rec, struct buf *scratch)
{
	enum style style = (enum style)pick(r, world.style[late], STYLES);

	if (style == TABLE || style == DRILL) {
		if (style == TABLE)
			clock_table(r, scratch);
		else
			clock_drill(r, scratch, late);
		record_set_string(rec, "text", scratch->p, scratch->n);
		return;
	}
	do
		clock_make(r, false, FEWEST, MOST, 2, p);
	while (held_out(&p->text));
	buf_printf(scratch, "User: %s Assistant:", p->text.p);
	record_set_string(rec, "prompt", scratch->p, scratch->n);
	buf_clear(scratch);
	write_solution(r, scratch, late, p, style);
	record_set_string(rec, "completion", scratch->p, scratch->n);
}
