/* Tokens of LaTeX and of plain text, to one alphabet. */
#include <string.h>

#include "lex_private.h"

enum { SKIP = 100, SPACE, GROUPED, ENVIRONMENT, SPLIT };        /* token kinds that no reader sees */

struct entry {
	const char *text;
	uint8_t kind;
	int code;
};

/* Commands, without the backslash. Those that are letters end where the letters end. */
static const struct entry commands[] = {
	{"left", SKIP}, {"right", SKIP}, {"big", SKIP}, {"Big", SKIP}, {"bigg", SKIP}, {"Bigg", SKIP}, {"bigl", SKIP}, {"bigr", SKIP}, {"Bigl", SKIP},
	{"Bigr", SKIP}, {"biggl", SKIP}, {"biggr", SKIP}, {"displaystyle", SKIP}, {"textstyle", SKIP}, {"limits", SKIP}, {"boxed", SKIP}, {"fbox", SKIP},
	{"mathbf", SKIP}, {"mathit", SKIP}, {"boldsymbol", SKIP}, {"bm", SKIP}, {"vec", SKIP}, {"ensuremath", SKIP}, {"nolimits", SKIP}, {"middle", SKIP},
	{"hat", SKIP}, {"widehat", SKIP},
	{"quad", SPACE}, {"qquad", SPACE}, {",", SPACE}, {"!", SKIP}, {";", SPACE}, {":", SPACE}, {" ", SPACE}, {"(", SKIP}, {")", SKIP},
	{"text", GROUPED}, {"textbf", GROUPED}, {"textit", GROUPED}, {"textrm", GROUPED}, {"mbox", GROUPED}, {"hbox", GROUPED}, {"mathrm", GROUPED},
	{"operatorname", GROUPED}, {"rm", SKIP}, {"bf", SKIP}, {"mathsf", GROUPED}, {"mathtt", GROUPED}, {"texttt", GROUPED}, {"emph", GROUPED}, {"underline", SKIP},
	{"begin", ENVIRONMENT, T_BEGIN}, {"end", ENVIRONMENT, T_FINISH}, {"\\", T_ROW}, {"cr", T_ROW},
	{"frac", T_FRAC}, {"dfrac", T_FRAC}, {"tfrac", T_FRAC}, {"cfrac", T_FRAC}, {"sqrt", T_SQRT}, {"binom", T_BINOM}, {"dbinom", T_BINOM},
	{"tbinom", T_BINOM}, {"pi", T_PI}, {"Pi", T_NAME}, {"infty", T_INFINITY}, {"infin", T_INFINITY}, {"emptyset", T_EMPTY}, {"varnothing", T_EMPTY},
	{"imath", T_I}, {"cdot", T_TIMES}, {"times", T_TIMES}, {"ast", T_TIMES}, {"div", T_DIVIDE}, {"pm", T_PM}, {"mp", T_MP}, {"over", T_OVER}, {"choose", T_OVER, 1},
	{"le", T_RELATION, 'L'}, {"leq", T_RELATION, 'L'}, {"leqslant", T_RELATION, 'L'}, {"ge", T_RELATION, 'G'}, {"geq", T_RELATION, 'G'},
	{"geqslant", T_RELATION, 'G'}, {"lt", T_RELATION, '<'}, {"gt", T_RELATION, '>'}, {"ne", T_RELATION, '!'}, {"neq", T_RELATION, '!'},
	{"approx", T_RELATION, '~'}, {"equiv", T_RELATION, '='}, {"in", T_IN}, {"cup", T_CUP}, {"bigcup", T_CUP}, {"cap", T_CAP}, {"setminus", T_SETMINUS},
	{"backslash", T_SETMINUS}, {"circ", T_DEGREE}, {"degree", T_DEGREE}, {"%", T_PERCENT}, {"$", T_CURRENCY, '$'}, {"{", T_OPEN, 'S'}, {"}", T_CLOSE, 'S'},
	{"lbrace", T_OPEN, 'S'}, {"rbrace", T_CLOSE, 'S'}, {"langle", T_OPEN, '('}, {"rangle", T_CLOSE, ')'}, {"lvert", T_BAR}, {"rvert", T_BAR}, {"vert", T_BAR},
	{"|", T_BAR}, {"mid", T_BAR}, {"lfloor", T_OPEN, 'f'}, {"rfloor", T_CLOSE, 'f'}, {"lceil", T_OPEN, 'c'}, {"rceil", T_CLOSE, 'c'}, {"overline", T_OVERLINE},
	{"lbrack", T_OPEN, '['}, {"rbrack", T_CLOSE, ']'}, {"land", T_AND}, {"lor", T_AND, 1}, {"wedge", T_AND}, {"vee", T_AND, 1}, {"pounds", T_CURRENCY, 'P'},
	{"euro", T_CURRENCY, 'E'}, {"sin", T_FUNCTION, F_SIN}, {"cos", T_FUNCTION, F_COS}, {"tan", T_FUNCTION, F_TAN}, {"cot", T_FUNCTION, F_COT},
	{"sec", T_FUNCTION, F_SEC}, {"csc", T_FUNCTION, F_CSC}, {"arcsin", T_FUNCTION, F_ASIN}, {"arccos", T_FUNCTION, F_ACOS}, {"arctan", T_FUNCTION, F_ATAN},
	{"sinh", T_FUNCTION, F_SINH}, {"cosh", T_FUNCTION, F_COSH}, {"tanh", T_FUNCTION, F_TANH}, {"ln", T_FUNCTION, F_LN}, {"log", T_FUNCTION, F_LOG},
	{"lg", T_FUNCTION, F_LOG}, {"exp", T_FUNCTION, F_EXP}, {"min", T_FUNCTION, F_MIN}, {"max", T_FUNCTION, F_MAX}, {"gcd", T_FUNCTION, F_GCD},
	{"lcm", T_FUNCTION, F_LCM}, {"bmod", T_FUNCTION, F_MOD}, {"cis", T_FUNCTION, F_CIS},
};

/* Words of plain text that are more than names */
static const struct entry words[] = {
	{"sqrt", T_SQRT}, {"pi", T_PI}, {"Pi", T_PI}, {"infinity", T_INFINITY}, {"Infinity", T_INFINITY}, {"inf", T_INFINITY}, {"oo", T_INFINITY}, {"frac", T_FRAC},
	{"binom", T_BINOM}, {"binomial", T_FUNCTION, F_BINOMIAL}, {"C", T_NAME}, {"and", T_AND}, {"or", T_AND, 1}, {"sin", T_FUNCTION, F_SIN}, {"cos", T_FUNCTION, F_COS},
	{"tan", T_FUNCTION, F_TAN}, {"cot", T_FUNCTION, F_COT}, {"csc", T_FUNCTION, F_CSC}, {"asin", T_FUNCTION, F_ASIN}, {"arcsin", T_FUNCTION, F_ASIN},
	{"acos", T_FUNCTION, F_ACOS}, {"arccos", T_FUNCTION, F_ACOS}, {"atan", T_FUNCTION, F_ATAN}, {"arctan", T_FUNCTION, F_ATAN}, {"sinh", T_FUNCTION, F_SINH},
	{"cosh", T_FUNCTION, F_COSH}, {"tanh", T_FUNCTION, F_TANH}, {"ln", T_FUNCTION, F_LN}, {"log", T_FUNCTION, F_LOG}, {"lg", T_FUNCTION, F_LOG}, {"exp", T_FUNCTION, F_EXP},
	{"cis", T_FUNCTION, F_CIS}, {"abs", T_FUNCTION, F_ABS}, {"factorial", T_FUNCTION, F_FACTORIAL}, {"floor", T_FUNCTION, F_FLOOR}, {"ceil", T_FUNCTION, F_CEILING},
	{"gcd", T_FUNCTION, F_GCD}, {"lcm", T_FUNCTION, F_LCM}, {"max", T_FUNCTION, F_MAX}, {"cbrt", T_FUNCTION, F_CBRT}, {"union", T_CUP}, {"U", T_CUP},
	{"sinx", SPLIT, F_SIN}, {"cosx", SPLIT, F_COS}, {"tanx", SPLIT, F_TAN}, {"lnx", SPLIT, F_LN}, {"logx", SPLIT, F_LOG}, {"percent", T_PERCENT},
	{"intersection", T_CAP},
};

static const struct entry symbols[] = {
	{"\xe2\x88\x9a", T_SQRT}, {"\xe2\x88\x9b", T_FUNCTION, F_CBRT}, {"\xcf\x80", T_PI}, {"\xc3\x97", T_TIMES}, {"\xc2\xb7", T_TIMES}, {"\xe2\x8b\x85", T_TIMES},
	{"\xe2\x88\x99", T_TIMES}, {"\xe2\x88\x97", T_TIMES}, {"\xe2\x80\xa2", T_TIMES}, {"\xc3\xb7", T_DIVIDE}, {"\xe2\x81\x84", T_DIVIDE},
	{"\xe2\x88\x95", T_DIVIDE}, {"\xe2\x88\x92", T_MINUS}, {"\xe2\x80\x93", T_MINUS}, {"\xe2\x80\x94", T_MINUS}, {"\xe2\x88\x9e", T_INFINITY},
	{"\xe2\x88\xaa", T_CUP}, {"\xe2\x88\xa9", T_CAP}, {"\xe2\x88\x96", T_SETMINUS}, {"\xe2\x89\xa4", T_RELATION, 'L'}, {"\xe2\xa9\xbd", T_RELATION, 'L'},
	{"\xe2\x89\xa5", T_RELATION, 'G'}, {"\xe2\xa9\xbe", T_RELATION, 'G'}, {"\xe2\x89\xa0", T_RELATION, '!'}, {"\xe2\x89\x88", T_RELATION, '~'},
	{"\xc2\xb1", T_PM}, {"\xe2\x88\x93", T_MP}, {"\xc2\xb0", T_DEGREE}, {"\xe2\x88\x98", T_DEGREE}, {"\xc2\xba", T_DEGREE}, {"\xe2\x88\x88", T_IN},
	{"\xe2\x88\x85", T_EMPTY}, {"\xe2\x9f\xa8", T_OPEN, '('}, {"\xe2\x9f\xa9", T_CLOSE, ')'}, {"\xe2\x88\xa3", T_BAR}, {"\xe2\x8c\x8a", T_OPEN, 'f'},
	{"\xe2\x8c\x8b", T_CLOSE, 'f'}, {"\xe2\x8c\x88", T_OPEN, 'c'}, {"\xe2\x8c\x89", T_CLOSE, 'c'}, {"\xe2\x82\xac", T_CURRENCY, 'E'},
	{"\xc2\xa3", T_CURRENCY, 'P'}, {"\xc2\xa5", T_CURRENCY, 'Y'}, {"\xc2\xa2", T_WORD}, {"\xe2\x84\x9d", T_REALS}, {"\xe2\x80\xa6", T_BAD},
	{"\xe2\x88\xa7", T_AND}, {"\xe2\x88\xa8", T_AND, 1}, {"\xc2\xa0", SPACE}, {"\xe3\x80\x80", SPACE}, {"\xe3\x80\x81", T_COMMA}, {"\xe3\x80\x82", SKIP},
	{"\xe2\x80\x8b", SKIP}, {"\xe2\x81\xa2", SKIP},
};

/* 1/2 in one character, by the last byte or two */
static const struct { const char *text; int8_t above, below; } vulgar[] = {
	{"\xc2\xbd", 1, 2}, {"\xc2\xbc", 1, 4}, {"\xc2\xbe", 3, 4}, {"\xe2\x85\x93", 1, 3}, {"\xe2\x85\x94", 2, 3}, {"\xe2\x85\x95", 1, 5}, {"\xe2\x85\x96", 2, 5},
	{"\xe2\x85\x97", 3, 5}, {"\xe2\x85\x98", 4, 5}, {"\xe2\x85\x99", 1, 6}, {"\xe2\x85\x9a", 5, 6}, {"\xe2\x85\x9b", 1, 8}, {"\xe2\x85\x9c", 3, 8},
	{"\xe2\x85\x9d", 5, 8}, {"\xe2\x85\x9e", 7, 8},
};

/* Short words, which are no products of variables */
static const char *const short_words[] = {
	"no", "on", "yes", "odd", "all", "one", "two", "six", "ten", "are", "the", "is", "not", "any", "day", "of", "off", "to", "if", "be", "so", "we",
	"he", "or", "as", "at", "by", "cm", "mm", "km", "ft", "in", "kg", "mg", "lb", "lbs", "oz", "hr", "hrs", "min", "sec", "mi", "yd", "ml", "mL", "ms",
	"mph", "cc", "kph", "rad", "deg", "dm", "sq", "pm", "am", "top", "red", "may", "man", "men", "boy", "her", "his", "she", "win", "cup", "gal", "usd",
	"USD", "EUR", "GBP", "KB", "MB", "GB", "kW", "Hz", "Pa", "mol", "eV", "cal", "dog", "cat", "tie", "sat", "sun", "mon", "tue", "wed", "thu", "fri",
	"mod", "bit", "km²", "NaN", "nan", "DNE", "up", "set", "low", "new", "old", "her", "its", "has", "had", "was", "can", "out", "our", "you", "car", "per", "The", "So",
	"No",
};

const char *lex_kept(struct lexer *l, size_t n)
{
	return memcpy(math_alloc(l->m, n + 1), l->scratch, n);
}

struct token *lex_put(struct lexer *l, int kind, int code, const char *s, size_t n)
{
	struct token *t;

	if (l->n + 1 >= MAX_TOKENS) {
		l->m->fault = "too long";
		return NULL;
	}
	t = &l->token[l->n++];
	*t = (struct token){.kind = (uint8_t)kind, .code = code, .s = s, .n = n, .spaced = l->spaced};
	l->spaced = false;
	return t;
}

static bool at(const struct lexer *l, const char *word)
{
	size_t n = strlen(word);

	return (size_t)(l->end - l->p) >= n && !memcmp(l->p, word, n);
}

static const struct entry *find(const struct entry *table, size_t count, const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (table[i].text[0] == *s && strlen(table[i].text) == n && !memcmp(table[i].text, s, n))
			return &table[i];
	return NULL;
}
#define FIND(table, s, n) find(table, sizeof table / sizeof *table, s, n)

static bool short_word(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < sizeof short_words / sizeof *short_words; i++)
		if (strlen(short_words[i]) == n && !memcmp(short_words[i], s, n))
			return true;
	return false;
}

/* "in" stands for membership in front of a set, "U" between two. */
static bool in_front_of_set(const struct lexer *l, const char *p)
{
	while (p < l->end && blank(*p))
		p++;
	return p < l->end && (*p == '(' || *p == '[' || *p == '{' || *p == 'R' || (*p == '\\' && p + 1 < l->end && (p[1] == '{' || p[1] == 'm' || p[1] == 'l')));
}

static bool name(struct lexer *l, const char *s, size_t n)
{
	for (; l->p == s + n && at(l, "'"); l->p++)     /* f' */
		n++;
	if (n == 1 && (*s == 'e' || *s == 'i'))
		return lex_put(l, *s == 'e' ? T_E : T_I, 0, s, 1);
	return lex_put(l, T_NAME, 0, s, n);
}

/* II, III, VII, VIII, which are no products */
static bool roman(const char *s, size_t n)
{
	const bool five = n > 2 && *s == 'V';

	return n - five > 1 && n - five < 4 && !memcmp(s + five, "III", n - five);
}

/* Behind s, a.m. or p.m. with its stops, "a. m." only where a number stands before it; NULL: it is none */
static const char *dotted_half(const struct lexer *l, const char *s)
{
	const char *p = s + 1;

	if (!strchr("apAP", *s) || p == l->end || *p++ != '.')
		return NULL;
	while (p < l->end && blank(*p) && l->n && l->token[l->n - 1].kind == T_NUMBER)
		p++;
	if (p == l->end || (*p | 0x20) != 'm' || (p + 1 < l->end && letter(p[1])))
		return NULL;
	p++;
	return p + (p < l->end && *p == '.');
}

/* AM, behind a number, and Am behind 10:15 */
static bool half_of_day(const struct lexer *l, const char *s, size_t n)
{
	const struct token *t = l->token + l->n;

	return n == 2 && strchr("apAP", *s) && (s[1] | 0x20) == 'm' && l->n && t[-1].kind == T_NUMBER
	    && ((s[1] == 'M' && (*s == 'A' || *s == 'P')) || (l->n > 1 && t[-2].kind == T_COLON));
}

/* A run of letters of plain text */
static bool letters(struct lexer *l)
{
	const char *s = l->p, *half = dotted_half(l, s);
	const struct entry *e;
	size_t n, i;

	if (half) {
		l->p = half;
		return lex_put(l, T_WORD, 0, *s == 'a' || *s == 'A' ? "am" : "pm", 2);
	}
	while (l->p < l->end && letter(*l->p))
		l->p++;
	n = (size_t)(l->p - s);
	if (roman(s, n) || half_of_day(l, s, n))
		return lex_put(l, T_WORD, 0, s, n);
	if (n == 2 && !memcmp(s, "in", 2) && l->n && l->token[l->n - 1].kind == T_NAME && in_front_of_set(l, l->p))
		return lex_put(l, T_IN, 0, s, n);
	e = FIND(words, s, n);
	if (e && e->kind == T_CUP && n == 1 && !(l->n && l->token[l->n - 1].kind == T_CLOSE && in_front_of_set(l, l->p)))
		e = NULL;
	if (e && e->kind == SPLIT)
		return lex_put(l, T_FUNCTION, e->code, s, n) && name(l, s + n - 1, 1);
	if (e && (!l->words_until || e->kind == T_AND || e->kind == T_PERCENT || e->kind == T_FUNCTION || e->kind == T_INFINITY))
		return lex_put(l, e->kind, e->code, s, n);
	if (n == 1 && *s == 'x' && l->n && l->token[l->n - 1].kind == T_NUMBER && (at(l, "10^") || at(l, " 10^") || at(l, "10**")))
		return lex_put(l, T_TIMES, 0, s, n);
	if (!l->words_until && n == 1)
		return name(l, s, n);
	if ((n == 2 || n == 3) && l->p < l->end && *l->p == '(' && (!memcmp(s, "min", n) || !memcmp(s, "sec", n)))
		return lex_put(l, T_FUNCTION, *s == 'm' ? F_MIN : F_SEC, s, n);
	if (l->words_until || n > 3 || short_word(s, n))
		return lex_put(l, T_WORD, 0, s, n);
	for (i = 0; i < n; i++)
		if (!name(l, s + i, 1))
			return false;
	return true;
}

/* Behind \begin or \end: {name}, and for an array its columns */
static bool environment(struct lexer *l, int kind)
{
	const char *s;

	while (l->p < l->end && blank(*l->p))
		l->p++;
	if (l->p == l->end || *l->p != '{')
		return lex_put(l, T_BAD, 0, l->p, 0);
	s = ++l->p;
	while (l->p < l->end && (letter(*l->p) || *l->p == '*'))
		l->p++;
	if (l->p == l->end || *l->p != '}' || !lex_put(l, kind, 0, s, (size_t)(l->p - s)))
		return false;
	l->p++;
	if (kind == T_BEGIN && l->p - s > 5 && !memcmp(s, "array", 5) && l->p < l->end && *l->p == '{') {
		while (l->p < l->end && *l->p != '}')
			l->p++;
		l->p += l->p < l->end;
	}
	return true;
}

/* \text{...}: its words are words. Braces within it are counted with all others. */
static bool grouped(struct lexer *l)
{
	while (l->p < l->end && blank(*l->p))
		l->p++;
	if (!l->words_until && (at(l, "{e}") || at(l, "{i}"))) {        /* \mathrm{e}^x, 2\text{i} */
		l->p += 3;
		return name(l, l->p - 2, 1);
	}
	if (l->p < l->end && *l->p == '{' && !l->words_until) {
		l->p++;
		l->words_until = ++l->braces;
	}
	l->spaced = true;
	return true;
}

/* \angle ABC, \overline{AB}, \bar{x}: a name of its own, "angle ABC". false: no such thing stands at l->p. */
static bool marked_name(struct lexer *l, const char *mark)
{
	const char *p = l->p, *q;
	size_t n = strlen(mark);
	bool braces;

	while (p < l->end && blank(*p))
		p++;
	braces = p < l->end && *p == '{';
	p += braces;
	while (p < l->end && blank(*p))
		p++;
	for (q = p; q < l->end && (letter(*q) || digit(*q)) && (braces || q == p || *mark == 'a'); q++)
		;
	if (q == p || q - p > 8)
		return false;
	memcpy(l->scratch, mark, n);
	memcpy(l->scratch + n, p, (size_t)(q - p));
	n += (size_t)(q - p);
	while (braces && q < l->end && blank(*q))
		q++;
	if (braces && (q == l->end || *q++ != '}'))
		return false;
	l->p = q;
	return lex_put(l, T_NAME, 0, lex_kept(l, n), n);
}

/* Passes over {red} */
static bool braced(struct lexer *l)
{
	const char *p = l->p;

	while (p < l->end && blank(*p))
		p++;
	if (p < l->end && *p == '{')
		while (p < l->end && *p != '}')
			p++;
	if (p == l->end || *p != '}')
		return lex_put(l, T_BAD, 0, l->p, 0);
	l->p = p + 1;
	return true;
}

/* Passes over the [2pt] of \\[2pt] */
static void row_space(struct lexer *l)
{
	const char *p = l->p;

	if (p == l->end || *p++ != '[')
		return;
	while (p < l->end && (digit(*p) || *p == '.' || *p == '-'))
		p++;
	if (l->end - p > 2 && letter(p[0]) && letter(p[1]) && p[2] == ']')
		l->p = p + 3;
}

static bool command(struct lexer *l)
{
	const char *s = ++l->p;
	const struct entry *e;
	size_t n;

	if (s == l->end)
		return lex_put(l, T_BAD, 0, s, 0);
	if (letter(*s)) {
		while (l->p < l->end && letter(*l->p))
			l->p++;
	} else {
		l->p++;
	}
	n = (size_t)(l->p - s);
	if (n == 6 && !memcmp(s, "mathbb", 6)) {
		while (l->p < l->end && (*l->p == '{' || blank(*l->p)))
			l->p++;
		if (l->p == l->end)
			return lex_put(l, T_BAD, 0, s, n);
		s = l->p++;
		if (l->p < l->end && *l->p == '}' && s[-1] == '{')
			l->p++;
		return *s == 'R' ? lex_put(l, T_REALS, 0, s, 1) : lex_put(l, T_NAME, 'B', s, 1);
	}
	if ((n == 5 && !memcmp(s, "angle", 5)) || (n == 13 && !memcmp(s, "measuredangle", 13)))
		return marked_name(l, "angle ") || lex_put(l, T_BAD, 0, s, n);
	if (((n == 8 && !memcmp(s, "overline", 8)) || (n == 3 && !memcmp(s, "bar", 3))) && marked_name(l, n == 3 ? "bar " : "line "))
		return true;
	if ((n == 5 && !memcmp(s, "color", 5)) || (n == 9 && !memcmp(s, "textcolor", 9)))
		return braced(l);
	if (n == 5 && !memcmp(s, "jmath", 5))
		return name(l, "j", 1);
	e = FIND(commands, s, n);
	if (!e && n > 3 && s[0] == 'l' && !memcmp(s, "left", 4))
		return lex_put(l, T_BAD, 0, s, n);
	if (!e) {                               /* a Greek letter, or what is not known: a name of its own */
		static const char *const greek[] = {"alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "zeta", "eta", "theta", "vartheta", "iota", "kappa",
			"lambda", "mu", "nu", "xi", "rho", "sigma", "tau", "phi", "varphi", "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda", "Sigma",
			"Phi", "Psi", "Omega", "ell"};
		size_t i;

		for (i = 0; i < sizeof greek / sizeof *greek; i++)
			if (strlen(greek[i]) == n && !memcmp(greek[i], s, n))
				return lex_put(l, T_NAME, 0, greek[i], n);
		return lex_put(l, T_BAD, 0, s, n);
	}
	if (e->kind == SPACE)
		l->spaced = true;
	if (e->kind == SPACE || e->kind == SKIP) {
		if (n >= 4 && (!memcmp(s, "left", 4) || !memcmp(s, "righ", 4)) && l->p < l->end && *l->p == '.')
			l->p++;                 /* \left. is nothing */
		return true;
	}
	if (e->kind == GROUPED)
		return grouped(l);
	if (e->kind == ENVIRONMENT)
		return environment(l, e->code);
	if (!lex_put(l, e->kind, e->code, s, n))
		return false;
	l->token[l->n - 1].latex = true;
	if (e->kind == T_ROW)
		row_space(l);
	return true;
}

/* Digits above or below the line: "x²" and "log₂" */
static size_t small_digit(const char *p, const char *end, bool *above, char *to)
{
	if (end - p >= 2 && (unsigned char)p[0] == 0xc2 && ((unsigned char)p[1] == 0xb2 || (unsigned char)p[1] == 0xb3 || (unsigned char)p[1] == 0xb9)) {
		*above = true;
		*to = (unsigned char)p[1] == 0xb9 ? '1' : (char)('2' + (unsigned char)p[1] - 0xb2);
		return 2;
	}
	if (end - p >= 3 && (unsigned char)p[0] == 0xe2 && ((unsigned char)p[1] == 0x81 || (unsigned char)p[1] == 0x82)) {
		unsigned c = (unsigned char)p[2];

		*above = (unsigned char)p[1] == 0x81;
		if (*above && (c == 0xb0 || (c >= 0xb4 && c <= 0xb9)))
			*to = (char)('0' + c - 0xb0);
		else if (*above && (c == 0xbb || c == 0xbf))
			*to = c == 0xbb ? '-' : 'n';
		else if (!*above && c >= 0x80 && c <= 0x89)
			*to = (char)('0' + c - 0x80);
		else
			return 0;
		return 3;
	}
	return 0;
}

static bool raised(struct lexer *l)
{
	char *text = l->scratch, c;
	bool above, first;
	size_t n = 0, len = small_digit(l->p, l->end, &first, &c);

	while (len) {
		text[n++] = c;
		l->p += len;
		len = small_digit(l->p, l->end, &above, &c);
		if (len && above != first)
			break;
	}
	return lex_put(l, first ? T_SUPER : T_SUB, 'u', lex_kept(l, n), n);
}

/* A run of Chinese, if it is a unit or counts something */
static bool chinese_unit(struct lexer *l)
{
	static const char units[] = " 米 厘米 分米 毫米 千米 公里 平方米 平方厘米 平方千米 立方米 立方厘米 克 千克 公斤 吨 升 毫升 秒 分钟 小时 天 周 年 月 岁 元 角 度 "
		"个 人 名 位 只 头 条 本 张 页 支 块 件 次 种 辆 棵 朵 颗 套 组 间 ";
	const char *end = l->p;
	char word[16];
	size_t n;

	while (l->end - end >= 3 && end - l->p < (ptrdiff_t)sizeof word && (unsigned char)*end >= 0xe4 && (unsigned char)*end <= 0xe9)
		end += 3;
	n = (size_t)(end - l->p);
	if (!n || n > sizeof word - 3)
		return false;
	word[0] = word[n + 1] = ' ';
	word[n + 2] = 0;
	memcpy(word + 1, l->p, n);
	if (!strstr(units, word))
		return false;
	l->p = end;
	return lex_put(l, T_WORD, 0, end - n, n);
}

static bool symbol(struct lexer *l)
{
	size_t i, n;
	bool above;
	char c;

	if (chinese_unit(l))
		return true;
	if (small_digit(l->p, l->end, &above, &c))
		return raised(l);
	for (i = 0; i < sizeof symbols / sizeof *symbols; i++) {
		n = strlen(symbols[i].text);
		if (!at(l, symbols[i].text))
			continue;
		l->p += n;
		if (symbols[i].kind == SPACE)
			l->spaced = true;
		return symbols[i].kind >= SKIP || lex_put(l, symbols[i].kind, symbols[i].code, symbols[i].text, n);
	}
	for (i = 0; i < sizeof vulgar / sizeof *vulgar; i++) {
		if (at(l, vulgar[i].text)) {
			char *text = math_alloc(l->m, 2);

			text[0] = (char)('0' + vulgar[i].above);
			text[1] = (char)('0' + vulgar[i].below);
			l->p += strlen(vulgar[i].text);
			return lex_put(l, T_FRAC, 'v', text, 2);
		}
	}
	if (at(l, "\xce\xa9") || at(l, "\xe2\x84\xa6")) {
		l->p += at(l, "\xce\xa9") ? 2 : 3;
		return lex_put(l, T_NAME, 0, "Omega", 5);
	}
	if (at(l, "\xc2\xb5")) {
		l->p += 2;
		return lex_put(l, T_NAME, 0, "mu", 2);
	}
	if (l->end - l->p >= 2 && ((unsigned char)*l->p == 0xce || (unsigned char)*l->p == 0xcf)) {     /* Greek: by its LaTeX name */
		static const char *const low[] = {"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi"};
		static const char *const high[] = {"pi", "rho", "sigma", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"};
		unsigned u = ((unsigned)*l->p & 0x1f) << 6 | ((unsigned)l->p[1] & 0x3f);
		const char *greek = u >= 0x3b1 && u <= 0x3be ? low[u - 0x3b1] : u >= 0x3c0 && u <= 0x3c9 ? high[u - 0x3c0] : NULL;

		l->p += 2;
		return greek ? lex_put(l, T_NAME, 0, greek, strlen(greek)) : lex_put(l, T_BAD, 0, l->p, 0);
	}
	return lex_put(l, T_BAD, 0, l->p++, 1);
}

/* Does a number begin at p? far: behind blanks */
static bool number_at(const struct lexer *l, const char *p, bool far)
{
	while (p < l->end && ((far && blank(*p)) || *p == '-'))
		p++;
	return p < l->end && (digit(*p) || (*p == '.' && p + 1 < l->end && digit(p[1])));
}

/* $ is where a formula begins or ends; one in front of a number that no other one ends is a currency: "$5", "$5 or $6", but "$8+4=12$". */
static bool dollar(struct lexer *l)
{
	const char *p = ++l->p;
	const bool number = number_at(l, p, true);

	if (l->formula) {
		l->formula = false;
		return true;
	}
	while (p < l->end && *p != '$')
		p += 1 + (*p == '\\' && p + 1 < l->end);
	l->formula = p < l->end && !(number && number_at(l, p + 1, false));
	return l->formula || !number || lex_put(l, T_CURRENCY, '$', l->p - 1, 1);
}

static bool mark(struct lexer *l)
{
	static const struct entry marks[] = {
		{"**", T_POWER}, {"<=", T_RELATION, 'L'}, {">=", T_RELATION, 'G'}, {"!=", T_RELATION, '!'}, {"==", T_RELATION, '='}, {"=<", T_RELATION, 'L'},
		{"+-", T_PM}, {"+/-", T_PM}, {"&&", T_AND}, {"||", T_AND, 1},
		{"+", T_PLUS}, {"-", T_MINUS}, {"*", T_TIMES}, {"/", T_DIVIDE}, {"^", T_POWER}, {"_", T_SUB}, {"!", T_FACTORIAL}, {"(", T_OPEN, '('}, {")", T_CLOSE, ')'},
		{"[", T_OPEN, '['}, {"]", T_CLOSE, ']'}, {"{", T_OPEN, '{'}, {"}", T_CLOSE, '{'}, {"|", T_BAR}, {",", T_COMMA}, {";", T_SEMICOLON}, {":", T_COLON},
		{"=", T_RELATION, '='}, {"<", T_RELATION, '<'}, {">", T_RELATION, '>'}, {"%", T_PERCENT}, {"&", T_AMPERSAND}};
	size_t i, n;

	for (i = 0; i < sizeof marks / sizeof *marks; i++) {
		n = strlen(marks[i].text);
		if (!at(l, marks[i].text))
			continue;
		if (marks[i].code == '!' && l->n && l->token[l->n - 1].kind == T_NUMBER && !l->spaced)
			continue;               /* 4!=24 */
		l->p += n;
		if (marks[i].text[0] == '{') {
			l->braces++;
		} else if (marks[i].text[0] == '}') {
			bool text = l->words_until && l->words_until == l->braces;

			l->braces -= l->braces > 0;
			if (text) {
				l->words_until = 0;
				l->spaced = true;
				return true;
			}
		}
		if (marks[i].code == '(' || marks[i].code == '[')
			l->brackets++;
		else if (l->brackets && (marks[i].code == ')' || marks[i].code == ']'))
			l->brackets--;
		return lex_put(l, marks[i].kind, marks[i].code, l->p - n, n);
	}
	if (*l->p == '$')
		return dollar(l);
	return lex_put(l, T_BAD, 0, l->p++, 1);
}

/* Does a blank stand behind a comma that is between brackets? */
static bool wide_commas(const char *s, const char *end)
{
	int open = 0;

	for (; s + 1 < end; s++) {
		if (*s == '(' || *s == '[')
			open++;
		else if (open && (*s == ')' || *s == ']'))
			open--;
		else if (open && *s == ',' && (blank(s[1]) || (s[1] == '\\' && s + 2 < end && s[2] == ' ')))
			return true;
	}
	return false;
}

/* ]1,2[: brackets that cannot be what they look like */
static void open_ends(struct token *t, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		const int before = i ? t[i - 1].kind : T_END, behind = i + 1 < n ? t[i + 1].kind : T_END;

		if (t[i].kind == T_CLOSE && t[i].code == ']' && (before == T_END || before == T_CUP || before == T_CAP || before == T_IN || before == T_RELATION))
			t[i].kind = T_OPEN, t[i].code = '(';
		else if (t[i].kind == T_OPEN && t[i].code == '[' && i && (behind == T_END || behind == T_CUP || behind == T_CAP))
			t[i].kind = T_CLOSE, t[i].code = ')';
	}
}

/* The words from t on, with their exponents: where they end */
static size_t unit_words(const struct token *t, size_t i)
{
	const size_t from = i;

	while (t[i].kind == T_WORD || (i > from && (t[i].kind == T_SUPER || (t[i].kind == T_POWER && t[i + 1].kind == T_NUMBER))))
		i += t[i].kind == T_POWER ? 2 : 1;
	return i;
}

/* 60\frac{\text{mi}}{\text{h}}: 60 mi / h */
static void unit_fractions(struct token *t, size_t n)
{
	size_t i, j, k, to = 0;

	for (i = 0; i < n; i++) {
		const bool behind = i && (t[i - 1].kind == T_NUMBER || t[i - 1].kind == T_CLOSE);

		if (behind && t[i].kind == T_FRAC && t[i].code != 'v' && t[i + 1].kind == T_OPEN && t[i + 2].kind == T_WORD) {
			j = unit_words(t, i + 2);
			if (t[j].kind == T_CLOSE && t[j + 1].kind == T_OPEN && t[j + 2].kind == T_WORD && t[k = unit_words(t, j + 2)].kind == T_CLOSE) {
				const struct token divide = {.kind = T_DIVIDE, .s = t[i].s, .n = t[i].n};

				memmove(&t[to], &t[i + 2], (j - i - 2) * sizeof *t);
				to += j - i - 2;
				t[to++] = divide;
				memmove(&t[to], &t[j + 2], (k - j - 2) * sizeof *t);
				to += k - j - 2;
				i = k;
				continue;
			}
		}
		t[to++] = t[i];
	}
}

struct token *math_lex(struct math *m, const char *s, size_t n, int reading)
{
	struct lexer l = {m, s, s + n, NULL, 0, reading, .wide = wide_commas(s, s + n)};
	bool ok = true;

	l.scratch = math_alloc(m, n + 64);
	l.token = math_alloc(m, ((n < MAX_TOKENS ? n : MAX_TOKENS) * 2 + 2) * sizeof *l.token);
	while (ok && l.p < l.end) {
		char c = *l.p;

		if (blank(c) || c == '~') {
			l.spaced = true;
			l.p++;
		} else if (c & 0x80) {
			ok = symbol(&l);
		} else if ((digit(c) || c == '(' || (c >= 'A' && c <= 'Z')) && (lex_marked(&l) || lex_based(&l))) {
			continue;
		} else if (digit(c) || (c == '.' && l.p + 1 < l.end && digit(l.p[1]))) {
			ok = lex_number(&l);
		} else if (letter(c)) {
			ok = letters(&l);
		} else if (c == '\\') {
			ok = command(&l);
		} else if (c == '.' && l.p + 1 == l.end) {
			l.p++;                  /* the end of a sentence */
		} else if (c == '.' && (l.words_until || (l.n && l.token[l.n - 1].kind == T_WORD))) {
			l.p++;                  /* "sq. ft.", \text{.} */
		} else {
			ok = mark(&l);
		}
	}
	if (!ok || m->fault || l.words_until)           /* \text{ that is not closed */
		return NULL;
	lex_put(&l, T_END, 0, l.end, 0);
	open_ends(l.token, l.n);
	unit_fractions(l.token, l.n);
	return l.token;
}
