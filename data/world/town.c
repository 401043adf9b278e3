/* town.c - the town's documents, and those of its domains that go back to the clock: choice, answers in words, judging */
#include "world.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	double table, drill;            /* documents that are no questions */
	double style[3];                /* questions: at once, fast, looking again */
	double tags;                    /* questions that end in the right format */
	double shots[3];                /* questions of a document, alike in domain and mood: 1, 2 or 3 */
	double told;                    /* careful ones that were told to look at each step */
} town = {
	.table = .12, .drill = .08,
	.style = {.34, .42, .24},
	.tags = .62,
	.shots = {.80, .14, .06},
	.told = .3,
};

const struct domain *const domains[] = {&clock_domain, &choice_domain, &open_domain, &logic_domain, &code_domain, &talk_domain, &howto_domain,
					&judge_domain, NULL};

static const char *const words[] = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"};

void task_clear(struct task *t)
{
	buf_clear(&t->text);
	buf_clear(&t->answer);
}

void task_free(struct task *t)
{
	buf_free(&t->text);
	buf_free(&t->answer);
	buf_free(&t->clock.text);
}

/* ---- the clock's problems in the town ---- */

void clock_task(struct rng *r, bool asked, int most, struct task *t)
{
	clock_make(r, asked, FEWEST, most, 2, &t->clock);
	buf_add(&t->text, t->clock.text.p, t->clock.text.n);
	buf_printf(&t->answer, "%d%d", t->clock.end[0], t->clock.end[1]);
	t->level = t->clock.n;
}

static void town_clock(struct rng *r, bool asked, struct task *t)
{
	clock_task(r, asked, MOST - 1, t);
}

static void clock_solve(struct rng *r, struct buf *to, const struct task *t, const struct mood *m, struct buf *answer)
{
	int v[2];

	clock_think(r, to, &t->clock, m, v);
	buf_printf(answer, "%d%d", v[0], v[1]);
}

const struct domain clock_domain = {.name = "clock", .type = "math", .share = .26, .make = town_clock, .think = clock_solve, .asks = true};

/* ---- choice: one register, four values to choose from, each in front of its letter (what stands behind a thing is found easily) ---- */

static void choice_task(struct rng *r, bool asked, struct task *t)
{
	const int right = (int)rng_below(r, 4);
	int i, j;

	clock_make(r, asked, 1, 4, 1, &t->clock);
	buf_add(&t->text, t->clock.text.p, t->clock.text.n);
	for (i = 0; i < 4; i++) {
		do {
			t->option[i] = i == right ? t->clock.end[0] : digit(r, 0);
			for (j = 0; j < i && t->option[j] != t->option[i]; j++)
				;
		} while (j < i || (i != right && t->option[i] == t->clock.end[0]));
		buf_printf(&t->text, " %d%c", t->option[i], (char)('A' + i));
	}
	buf_printf(&t->answer, "%c", 'A' + right);
	t->level = t->clock.n;
}

static void choice_solve(struct rng *r, struct buf *to, const struct task *t, const struct mood *m, struct buf *answer)
{
	int v[2], i;

	clock_think(r, to, &t->clock, m, v);
	for (i = 0; i < 4 && t->option[i] != v[0]; i++)
		;
	buf_printf(answer, "%c", 'A' + (i < 4 ? i : (int)rng_below(r, 4)));
}

const struct domain choice_domain = {.name = "choice", .type = "choice", .share = .15, .make = choice_task, .think = choice_solve, .asks = true};

/* ---- open: the answer in words, which no rule compares with the reference ---- */

static void open_task(struct rng *r, bool asked, struct task *t)
{
	clock_task(r, asked, 4, t);
	buf_str(&t->text, " in words");
}

static void open_solve(struct rng *r, struct buf *to, const struct task *t, const struct mood *m, struct buf *answer)
{
	int v[2];

	clock_think(r, to, &t->clock, m, v);
	buf_printf(answer, "%s %s", words[v[0]], words[v[1]]);
}

const struct domain open_domain = {.name = "open", .type = "open", .share = .05, .make = open_task, .think = open_solve, .asks = true};

/* ---- judge: is what was answered what the reference says? ---- */

static void judge_task(struct rng *r, bool asked, struct task *t)
{
	int v[2] = {digit(r, 0), digit(r, 0)}, w[2] = {v[0], v[1]};

	(void)asked;
	t->yes = rng_double(r) < .5;
	while (!t->yes && w[0] == v[0] && w[1] == v[1]) {
		w[rng_below(r, 2)] = digit(r, 0);
		if (rng_double(r) < .3) {
			w[0] = v[1];
			w[1] = v[0];
		}
	}
	buf_printf(&t->text, "judge %d%d : ", v[0], v[1]);
	if (rng_double(r) < .85)
		buf_printf(&t->text, "%s %s", words[w[0]], words[w[1]]);
	else
		buf_printf(&t->text, "%d%d", w[0], w[1]);
	buf_str(&t->text, " ?");
	buf_str(&t->answer, t->yes ? "yes" : "no");
}

static void judge_solve(struct rng *r, struct buf *to, const struct task *t, const struct mood *m, struct buf *answer)
{
	(void)r;
	(void)to;
	(void)m;
	buf_str(answer, t->yes ? "yes" : "no");
}

const struct domain judge_domain = {.name = "judge", .type = "judge", .share = .05, .make = judge_task, .think = judge_solve};

/* ---- documents ---- */

static struct mood make_mood(struct rng *r, bool *told)
{
	static const double theta[] = {.3, .6, 1};
	struct mood m = {.style = (enum style)(DIRECT + (int)pick(r, town.style, 3))};

	*told = m.style == CHECK && rng_double(r) < town.told;
	m.theta = m.style != CHECK ? 0 : *told ? 1 : theta[rng_below(r, 3)];
	m.tags = rng_double(r) < town.tags;
	return m;
}

void town_document(struct rng *r, struct task *t, struct record *rec, struct buf *scratch)
{
	double u = rng_double(r), share[16] = {0};
	size_t shots, i;
	struct buf answer = {0};
	struct mood m;
	bool told;

	if (u < town.table + town.drill) {
		if (u < town.table)
			clock_table(r, scratch);
		else
			clock_drill(r, scratch, false);
		record_set_string(rec, "text", scratch->p, scratch->n);
		return;
	}
	for (i = 0; domains[i]; i++)
		share[i] = domains[i]->share;
	t->domain = domains[pick(r, share, i)];
	shots = 1 + pick(r, town.shots, 3);
	m = make_mood(r, &told);
	if (!t->domain->asks)
		m.tags = true;
	for (i = 0; i < shots; i++) {
		do {
			task_clear(t);
			t->domain->make(r, false, t);
		} while (t->domain->asks && held_out(&t->text));
		buf_printf(scratch, "%sUser: %s%s Assistant:", i ? " " : "", told ? "check each step . " : "", t->text.p);
		if (shots == 1) {
			record_set_string(rec, "prompt", scratch->p, scratch->n);
			buf_clear(scratch);
		}
		buf_str(scratch, "<think>");
		buf_clear(&answer);
		t->domain->think(r, scratch, t, &m, &answer);
		clock_tail(r, scratch, m.tags, answer.p);
	}
	record_set_string(rec, shots == 1 ? "completion" : "text", scratch->p, scratch->n);
	buf_free(&answer);
}
