/* inspect.c - completions read back: what their reflections follow, and what comes of them. How many reflect or mix languages, r1-eval says. */
#include "world.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/tool.h"

struct counts {
	int64_t completions, checks, chinese;
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
	*l = (struct line){true, clock_right(v, &o), value};
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

	for (piece = strtok_r(copy, ";", &save); piece; piece = strtok_r(NULL, ";", &save))
		inspect_piece(c, &l, piece);
	leave_step(c, &l);
	c->completions++;
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
	record_set_int(&r, "checks", c->checks);
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

int inspect(struct tool *t, char **files, int n, struct writer *out, struct err *e)
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
