/* logic.c - rules that lead from letter to letter: where does one come to, and in how many steps?
 *
 *     User: E>B C<B A>D C>A : E =? Assistant:
 *     <think> E>B; B>C; C>A; A>D;</think><answer>4D</answer>
 *
 * Some rules are written the other way round (C<B is B>C); the hasty take another letter there.
 */
#include "world.h"

static void logic_task(struct rng *r, bool asked, struct task *t)
{
	size_t letter[LETTERS], rule[LETTERS], n = 2 + rng_below(r, 4), i;

	for (i = 0; i < LETTERS; i++) {
		letter[i] = rule[i] = i;
		t->logic.to[i] = -1;
		t->logic.turned[i] = rng_double(r) < (asked ? .5 : .4);
	}
	rng_shuffle(r, letter, LETTERS);
	for (i = 0; i < n; i++)
		t->logic.to[letter[i]] = (int)letter[i + 1];
	/* Rules that lead there from elsewhere */
	for (i = n + 1; i < LETTERS && rng_double(r) < .5; i++)
		t->logic.to[letter[i]] = (int)letter[rng_below(r, n + 1)];
	t->logic.from = (int)letter[0];
	rng_shuffle(r, rule, LETTERS);
	for (i = 0; i < LETTERS; i++) {
		const size_t a = rule[i];

		if (t->logic.to[a] < 0)
			continue;
		if (t->text.n)
			buf_char(&t->text, ' ');
		if (t->logic.turned[a])
			buf_printf(&t->text, "%c<%c", 'A' + t->logic.to[a], (char)('A' + a));
		else
			buf_printf(&t->text, "%c>%c", (char)('A' + a), 'A' + t->logic.to[a]);
	}
	buf_printf(&t->text, " : %c =?", 'A' + t->logic.from);
	buf_printf(&t->answer, "%zu%c", n, (char)('A' + letter[n]));
	t->level = (int)n;
}

static int other(struct rng *r, int than, int and_than)
{
	int a;

	do
		a = (int)rng_below(r, LETTERS);
	while (a == than || a == and_than);
	return a;
}

static void logic_think(struct rng *r, struct buf *to, const struct task *t, const struct mood *m, struct buf *answer)
{
	int at = t->logic.from, steps = 0, i;

	if (m->style == DIRECT) {
		if (rng_double(r) < .5)
			buf_add(answer, t->answer.p, t->answer.n);
		else
			buf_printf(answer, "%d%c", 2 + (int)rng_below(r, 4), 'A' + (int)rng_below(r, LETTERS));
		return;
	}
	for (; t->logic.to[at] >= 0 && steps < LETTERS; steps++) {
		const int next = t->logic.to[at];
		const bool hard = t->logic.turned[at];
		bool chinese, slips;
		int value = rng_double(r) < (hard ? .75 : .04) ? other(r, next, at) : next;

		buf_printf(to, " %c>%c;", 'A' + at, 'A' + value);
		for (i = 0; i < CHECKS && (i == 0 || rng_double(r) < .3) && clock_looks(r, m, hard, &chinese, &slips); i++) {
			value = slips && rng_double(r) < .5 ? other(r, next, at) : next;
			if (chinese)
				buf_printf(to, " 等%c得%c;", 'A' + at, 'A' + value);
			else
				buf_printf(to, " wait %c is %c;", 'A' + at, 'A' + value);
		}
		at = value;
	}
	buf_printf(answer, "%d%c", steps, 'A' + at);
}

const struct domain logic_domain = {.name = "logic", .type = "text", .share = .18, .make = logic_task, .think = logic_think, .asks = true};
