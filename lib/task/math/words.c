/* Numbers by their names: "three thousand and five", "two and a half", "minus one third"; and answers that are words. */
#include <string.h>

#include "parse_private.h"

/* Which of the words, parted by blanks, is the token's? From 0; -1: none. Case does not count. */
static int which(const char *words, const struct token *t)
{
	int i;

	if (t->kind != T_WORD && !(t->kind == T_NAME && t->n == 1))
		return -1;
	for (i = 0; *words; i++) {
		size_t len = strcspn(words, " "), k;

		for (k = 0; k < len && k < t->n && (t->s[k] | 0x20) == words[k]; k++)
			;
		if (k == len && k == t->n)
			return i;
		words += len + (words[len] == ' ');
	}
	return -1;
}

static bool wrong(const struct token *t)
{
	return which("wrong incorrect false untrue undefined invalid impossible unknown", t) >= 0;
}

bool word_denies(const char *s, size_t n)
{
	const struct token t = {.kind = T_WORD, .s = s, .n = n};

	return which("not no never cannot cant isnt doesnt dont arent neither nor none except without unequal instead", &t) >= 0 || wrong(&t);
}

bool word_changes(const char *s, size_t n)
{
	const struct token t = {.kind = T_WORD, .s = s, .n = n};

	return which("twice thrice double doubled triple tripled quadruple half halved squared cubed root reciprocal inverse negative minus plus mod modulo than "
		"unless but up different exceeds bound bounds bounded", &t) >= 0;
}

bool scale_word(const struct token *t, slong *times)
{
	static const slong value[] = {100, 1000, 1000000, 1000000, 1000000000, 1000000000, 1000000000000, 1000000000000, 12};
	int i = which("hundred thousand million millions billion billions trillion trillions dozen", t);

	if (i >= 0)
		*times = value[i];
	return i >= 0;
}

/* The number of a word: 0 to 19, or a ten; -1: it is none */
static int word_value(const struct token *t)
{
	int i = which("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen", t);
	int ten = which("twenty thirty forty fifty sixty seventy eighty ninety", t);

	return i >= 0 ? i : ten >= 0 ? ten * 10 + 20 : -1;
}

static bool article(const struct token *t)
{
	return which("a an", t) >= 0;
}

/* Twenty-one: below 100 */
static bool tens(const struct token **t, slong *value)
{
	const struct token *p = *t;
	int v = word_value(p), unit;

	if (v < 0)
		return false;
	*value = v;
	p++;
	if (v >= 20) {
		unit = word_value(p + (p->kind == T_MINUS));
		if (unit > 0 && unit < 10) {
			*value += unit;
			p += 1 + (p->kind == T_MINUS);
		}
	}
	*t = p;
	return true;
}

/* Three hundred and five: what stands in front of "thousand" */
static bool hundreds(const struct token **t, slong *value)
{
	const struct token *p = *t;
	slong times, more;

	if (article(p) && scale_word(p + 1, &times))
		*value = 1, p++;
	else if (!tens(&p, value))
		return false;
	if (scale_word(p, &times) && times == 100) {
		*value *= 100;
		p++;
		*t = p;
		p += p->kind == T_AND && !p->code;
		if (tens(&p, &more) && more > 0)
			*value += more;
		else
			p = *t;
	}
	*t = p;
	return true;
}

static bool whole(const struct token **t, slong *value)
{
	const struct token *p = *t, *back;
	slong part, times, last = 1000000000000000;

	if (!hundreds(&p, &part))
		return false;
	*value = 0;
	for (;;) {
		if (!scale_word(p, &times) || times >= last) {
			*value += part;
			break;
		}
		*value += part * times;
		back = ++p;
		last = times;
		p += p->kind == T_AND && !p->code;
		if (times < 1000 || !hundreds(&p, &part) || part == 0 || (scale_word(p, &times) && times >= last)) {
			p = back;
			break;
		}
	}
	*t = p;
	return true;
}

/* "thirds" behind a number: 3; 0: it is no such word */
static slong denominator(const struct token *t)
{
	static const slong value[] = {2, 2, 3, 3, 4, 4, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 100, 100, 1000, 1000};
	int i = which("half halves third thirds quarter quarters fourth fourths fifth fifths sixth sixths seventh sevenths eighth eighths ninth ninths tenth "
		"tenths hundredth hundredths thousandth thousandths", t);

	return i < 0 ? 0 : value[i];
}

slong part_word(const struct token *t)
{
	return which("quarter quarters", t) >= 0 ? 0 : denominator(t);
}

int power_word(const struct token *t)
{
	const int i = which("squared cubed", t);

	return i < 0 ? 0 : i + 2;
}

bool to_word(const struct token *t)
{
	return which("to", t) >= 0 && (t[1].kind == T_NUMBER || t[1].kind == T_FRAC);
}

bool half_word(const struct token *t)
{
	return which("am pm", t) >= 0;
}

bool no_unit(const struct token *t)
{
	if (wrong(t))                           /* 5 is wrong, 5 undefined; but 5 wrong answers */
		return t[1].kind != T_WORD || t[-1].kind == T_WORD;
	if (t->n == 1 && strchr("eiknxyz", *t->s))      /* \text{i}: no unit, and i only in mathematics */
		return true;
	return word_value(t) >= 0 || word_denies(t->s, t->n)
	    || which("plus minus negative twice thrice doubled tripled halved below than less fewer reciprocal mod modulo remainder unless but pi", t) >= 0
	    || which("hundreds thousands dozens tens lakh lakhs crore crores gross scores", t) >= 0
	    || which("nope mistaken inaccurate maybe perhaps guess ignore", t) >= 0;
}

/* "half", "a third", "three-fifths" */
static bool fraction_word(const struct token **t, slong *above, slong *below)
{
	const struct token *p = *t;

	*above = 1;
	if (which("half", p) < 0) {
		if (article(p))
			p++;
		else if (!tens(&p, above))
			return false;
		p += p->kind == T_MINUS;
	}
	*below = denominator(p);
	if (!*below)
		return false;
	*t = p + 1;
	return true;
}

/* A number in words, above / below: takes the tokens that it is made of */
static bool number_word(const struct token **t, slong *above, slong *below)
{
	const struct token *p;
	slong n;

	*below = 1;
	if (fraction_word(t, above, below))
		return true;
	if (!whole(t, above))
		return false;
	p = *t + 1;
	if ((*t)->kind == T_AND && !(*t)->code && fraction_word(&p, &n, below) && n < *below) {
		*above = *above * *below + n;
		*t = p;
	} else {
		*below = 1;
	}
	return true;
}

/* What answers say in words of sets: NULL if it is none of these */
static struct node *set_of(struct parser *p, const char *text)
{
	static const char *const none[] = {"no solution", "no solutions", "no real solution", "no real solutions", "empty set", "the empty set"};
	static const char *const all[] = {"all real numbers", "all reals", "all the real numbers"};
	size_t i;

	for (i = 0; i < sizeof none / sizeof *none; i++)
		if (!strcmp(text, none[i]))
			return node_new(p->m, N_SET, 0);
	for (i = 0; i < sizeof all / sizeof *all; i++)
		if (!strcmp(text, all[i]))
			return parse_reals(p);
	return NULL;
}

struct node *parse_words(struct parser *p)
{
	const struct token *from = p->t, *q = from;
	const bool minus = which("minus negative", from) >= 0;
	slong above, below;
	struct node *x, *set;
	size_t n = 1;
	char *name;

	q += minus;
	if (number_word(&q, &above, &below)) {
		fmpq_t k;

		p->t = q;
		fmpq_init(k);
		fmpq_set_si(k, minus ? -above : above, (ulong)below);
		x = node_number(p->m, k);
		fmpq_clear(k);
		return x;
	}
	if (from->kind != T_WORD)
		return NULL;
	for (; p->t->kind == T_WORD; p->t++)
		n += p->t->n + 1;
	x = node_new(p->m, N_TEXT, 0);
	x->name = name = math_alloc(p->m, n);
	for (q = from; q < p->t; q++) {
		size_t i;

		if (q > from)
			*name++ = ' ';
		for (i = 0; i < q->n; i++)
			*name++ = q->s[i] >= 'A' && q->s[i] <= 'Z' ? (char)(q->s[i] | 0x20) : q->s[i];
	}
	set = set_of(p, x->name);
	return set ? set : x;
}
