/* Choices: the letter, A to J, with or without brackets, "option" in front or the option's text behind; that text alone, where the problem or the
 * other has letter and text; else as text. What names several options, or says of one that it is wrong, names none. */
#include <ctype.h>
#include <string.h>

#include "task/answer.h"
#include "task/verifier.h"

enum { MOST = 10, USUAL = 8 };  /* letters; where the problem's are not known, I and J stand in texts for something else */

struct options {                /* of a problem; letters keep their case, since BB is not bb */
	size_t n;               /* 0: not known */
	bool capitals;          /* they are A, B, ... and not a, b, ... */
	struct buf text[MOST];
	struct buf line;        /* the first line of the last, behind which something else may stand */
};

struct part {
	const char *s;
	size_t n;
};

/* ---- words ---- */

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '\'' || c == '_';
}

/* Alike but for capitals? */
static bool alike(const char *a, const char *b, size_t n)
{
	while (n && tolower((unsigned char)*a) == tolower((unsigned char)*b))
		a++, b++, n--;
	return !n;
}

/* The length of the longest of those words that s begins with and that ends there; 0: none does. Signs and Chinese end anywhere. */
static size_t word_of(const char *s, size_t n, const char *const *words)
{
	size_t best = 0, len;

	for (; *words; words++) {
		len = strlen(*words);
		if (len > best && n >= len && alike(s, *words, len) && (!isalnum((unsigned char)(*words)[len - 1]) || n == len || !is_word(s[len])))
			best = len;
	}
	return best;
}

static struct part skip(const char *s, size_t n, const char *const *words)
{
	size_t len = 1;

	while (n && (len = *s == ' ' ? 1 : word_of(s, n, words)))
		s += len, n -= len;
	return (struct part){s, n};
}

static struct part drop(const char *s, size_t n, const char *set)
{
	for (; n && *s && strchr(set, *s); s++)
		n--;
	return (struct part){s, n};
}

/* The word that ends at s + at, blanks left out; n 0: something else does. */
static struct part word_before(const char *s, size_t at)
{
	size_t end;

	while (at && s[at - 1] == ' ')
		at--;
	for (end = at; at && is_word(s[at - 1]); at--)
		;
	return (struct part){s + at, end - at};
}

/* ---- the options ---- */

/* "(C) Paris", "C. Paris", "**C:** Paris": its number, and where its text begins; -1 */
static int label_of(const char *s, size_t n, size_t *text)
{
	struct part p = drop(s, n, " \t-*([");
	int k;

	if (p.n < 2 || !strchr(").:]", p.s[1]) || !p.s[1])
		return -1;
	k = p.s[0] >= 'a' ? p.s[0] - 'a' : p.s[0] - 'A';
	p = drop(p.s + 2, p.n - 2, "*) \t");
	*text = (size_t)(p.s - s);
	return k >= 0 && k < MOST ? k : -1;
}

/* The last lines with A, B and so on, in order, each with the lines up to the next one, the last one up to an empty line */
static void read_options(const char *s, size_t n, struct options *o)
{
	const char *end = s + n, *line, *next, *from[MOST] = {0}, *to[MOST], *first = s;
	size_t count = 0, i;
	bool open = false, capitals = true;

	for (line = s; line < end; line = next) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));
		size_t text;
		int k;

		next = stop ? stop + 1 : end;
		stop = stop ? stop : end;
		k = label_of(line, (size_t)(stop - line), &text);
		if (k == 0 || (k > 0 && (size_t)k == count)) {
			count = (size_t)k + 1;
			from[k] = line + text;
			first = stop;
			open = true;
			capitals = memchr(line, 'A' + k, text) != NULL;
		} else if (drop(line, (size_t)(stop - line), " \t\r").n == 0) {
			open = false;
		}
		if (open)
			to[count - 1] = stop;
	}
	o->n = count > 1 ? count : 0;
	o->capitals = capitals;
	for (i = 0; i < o->n; i++)
		answer_bare(from[i], (size_t)(to[i] - from[i]), &o->text[i]);
	if (o->n)
		answer_bare(from[count - 1], (size_t)(first - from[count - 1]), &o->line);
}

static void free_options(struct options *o)
{
	size_t i;

	for (i = 0; i < o->n; i++)
		buf_free(&o->text[i]);
	buf_free(&o->line);
}

static bool is_text(const struct buf *b, const char *s, size_t n, bool exact)
{
	return b->n && b->n == n && (exact ? !memcmp(b->p, s, n) : alike(b->p, s, n));
}

static bool is_option(const struct options *o, size_t k, const char *s, size_t n, bool exact)
{
	return is_text(&o->text[k], s, n, exact) || (k + 1 == o->n && is_text(&o->line, s, n, exact));
}

static unsigned texts_of(const struct options *o, const char *s, size_t n, bool exact)
{
	unsigned bits = 0;
	size_t k;

	for (k = 0; k < o->n; k++)
		bits |= (unsigned)is_option(o, k, s, n, exact) << k;
	return bits;
}

/* The options whose text that is, as bits; those that differ by capitals alone must be written as they are. */
static unsigned options_of(const struct options *o, const char *s, size_t n)
{
	struct buf bare = {0};
	unsigned exact = texts_of(o, s, n, true), all = texts_of(o, s, n, false);

	if (o->n && !all) {             /* "the answer is {1,2}" */
		answer_bare(s, n, &bare);
		exact = texts_of(o, bare.p, bare.n, true);
		all = texts_of(o, bare.p, bare.n, false);
		buf_free(&bare);
	}
	return exact ? exact : all & (all - 1) ? 0 : all;
}

/* ---- the letter ---- */

static const char *const joins[] = {"and", "or", "nor", "and/or", "&", "/", "|", "+", "und", "oder", "\xe5\x92\x8c", "\xe6\x88\x96", NULL};
static const char *const verbs[] = {"is", "isn't", "was", "wasn't", "are", "aren't", "can", "can't", "cannot", "could", "couldn't", "would", "wouldn't",
				    "does", "doesn't", "seems", "looks", "must", "may", "might", NULL};
static const char *const denials[] = {"not", "no", "never", "neither", "nor", "wrong", "incorrect", "false", "cannot", "except", "unlikely", NULL};
static const char *const reasons[] = {"because", "since", NULL};
static const char *const wrongs[] = {"wrong", "incorrect", "false", NULL};
static const char *const no_words[] = {"not", NULL};
static const char *const praise[] = {"is", "the", "correct", "right", "best", "answer", "option", "choice", "one", NULL};
static const char *const leads[] = {"the", "correct", "right", "best", "final", "answer", "option", "choice", "letter", "my", "it's", "it", "so",
				    "i think", "i believe", "i choose", "i pick", "i select", "i say", "i'd say", "i would say", "i go with", "i'd go with", "i'll go with",
				    "i would go with", "that", "must be", "should be", "would be", "thus", "hence", "therefore", ",", "is", ":", "=", "*",
				    "\xe6\xad\xa3\xe7\xa1\xae", "\xe7\xad\x94\xe6\xa1\x88", "\xe9\x80\x89\xe9\xa1\xb9", "\xe9\x80\x89\xe6\x8b\xa9", "\xe9\x80\x89",
				    "\xe5\xba\x94", "\xe7\x9a\x84", "\xe6\x98\xaf", "\xe4\xb8\xba", NULL};

/* Where s begins to give reasons; n: nowhere */
static size_t reasons_in(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n && !((!i || !is_word(s[i - 1])) && word_of(s + i, n - i, reasons)); i++)
		;
	return i;
}

/* Does s say, before it gives reasons, that something is not so? */
static bool denies(const char *s, size_t n)
{
	size_t i;

	n = reasons_in(s, n);
	for (i = 0; i < n; i++) {
		const bool begins = !i || !is_word(s[i - 1]);

		if ((begins && word_of(s + i, n - i, denials)) || (n - i >= 3 && alike(s + i, "n't", 3)) ||
		    (n - i >= 5 && !memcmp(s + i, "n\xe2\x80\x99t", 5)) || (n - i >= 3 && (!memcmp(s + i, "\xe4\xb8\x8d", 3) || !memcmp(s + i, "\xe9\x94\x99", 3))))
			return true;
	}
	return false;
}

/* A letter at s + i that stands alone: its number; -1. Not "a cat", "I think", "B-cell", "\b", "a = 4" */
static int alone(const char *s, size_t n, size_t i)
{
	const char before = i ? s[i - 1] : ' ', behind = i + 1 < n ? s[i + 1] : ' ', c = (char)(s[i] | 0x20);

	if (!isalpha((unsigned char)s[i]) || is_word(before) || before == '\\' || is_word(behind) || (behind == '-' && i + 2 < n && isalpha((unsigned char)s[i + 2])))
		return -1;
	if ((c == 'a' || c == 'i') && behind == ' ' && i + 2 < n && (islower((unsigned char)s[i + 2]) || isdigit((unsigned char)s[i + 2])) &&
	    !word_of(s + i + 2, n - i - 2, joins) && !word_of(s + i + 2, n - i - 2, verbs))
		return -1;
	if (islower((unsigned char)s[i]) && (behind == '=' || (behind == ' ' && i + 2 < n && s[i + 2] == '=')))
		return -1;
	return c - 'a';
}

enum claim { NOTHING, DENIED, AFFIRMED };

/* What s says of the letter at s + i: "not A", "A isn't right", "(A) is wrong", "A is the answer"; *from, *to: where that stands. "if not A" says
 * nothing, but of the letter that it stands behind, own, too much. */
static enum claim claim_of(const char *s, size_t n, size_t i, bool own, size_t *from, size_t *to)
{
	const bool brackets = i && i + 1 < n && s[i - 1] == '(' && s[i + 1] == ')';
	static const char *const fillers[] = {"be", "the", "clearly", "definitely", NULL}, *const before[] = {"and", "because", "since", "as", NULL};
	struct part p = word_before(s, i - brackets), q;
	const bool not = p.n && word_of(p.s, p.n, no_words) == p.n;
	bool denied, wrong;
	size_t verb, len;

	*from = not ? (size_t)(p.s - s) : i - brackets;
	*to = i + 1 + brackets;
	q = word_before(s, *from);
	if (q.n && !own && word_of(q.s, q.n, before) != q.n)
		return NOTHING;
	if (not)
		return DENIED;
	p = drop(s + *to, n - *to, " ");
	verb = word_of(p.s, p.n, verbs);
	denied = verb && denies(p.s, verb);
	for (p = drop(p.s + verb, p.n - verb, " "); verb && (len = word_of(p.s, p.n, no_words)); p = drop(p.s + len, p.n - len, " "))
		denied = !denied;
	while (verb && (len = word_of(p.s, p.n, fillers)))
		p = drop(p.s + len, p.n - len, " ");
	wrong = verb && (len = word_of(p.s, p.n, wrongs));
	if (!wrong && !(verb && (len = word_of(p.s, p.n, praise))))
		return NOTHING;
	*to = (size_t)(p.s - s) + len;
	return denied != wrong ? DENIED : AFFIRMED;
}

/* s without what it denies of others, "not A" and "A is wrong". false: it denies this letter, or says that another one is right. */
static bool without_denied(const char *s, size_t n, int letter, const struct options *o, struct buf *to)
{
	size_t i, from, end, done = 0;

	for (i = 0; i < n; i++) {
		const int k = alone(s, n, i);
		const enum claim claim = k < 0 || k >= (o->n ? (int)o->n : USUAL) ? NOTHING : claim_of(s, n, i, k == letter, &from, &end);

		if (claim != NOTHING && (claim == AFFIRMED) != (k == letter))
			return false;
		if (claim != DENIED || from < done)
			continue;
		buf_add(to, s + done, from - done);
		done = i = end;
	}
	buf_add(to, s + done, n - done);
	return true;
}

/* Does s name another option by its letter? loose: those that only a text could have, "vitamin B", are none. */
static bool names_other(const char *s, size_t n, int letter, const struct options *o, bool loose, bool brackets)
{
	static const char *const naming[] = {"is", "be", "not", "no", "but", "then", "to", "either", "both", "answer", "option", "choice", "so", "thus", "hence",
					     "therefore", "maybe", "perhaps", "possibly", "probably", "though", "although", "if", "unless", "only",
					     "whether", NULL};
	static const char *const alternatives[] = {"or", "and/or", NULL};
	size_t i;

	for (i = 0; i < n; i++) {
		const int k = alone(s, n, i);
		struct part word;

		if (k < 0 || k == letter || k >= (o->n ? (int)o->n : USUAL))
			continue;
		if (i && i + 1 < n && strchr("([{", s[i - 1]) && strchr(")]}", s[i + 1]))
			return true;
		word = drop(s + i + 1, n - i - 1, " ");
		if (word_of(word.s, word.n, alternatives))
			return true;
		word = word_before(s, i);
		if (!brackets && (!loose || !word.n || word_of(word.s, word.n, naming) == word.n || word_of(word.s, word.n, joins) == word.n))
			return true;
	}
	return false;
}

/* Where t stands in s, as whole words: behind it; 0: nowhere */
static size_t behind_words(const char *s, size_t n, const char *t, size_t len)
{
	enum { LONGEST = 256 };         /* so that no text makes it slow */
	size_t i;

	if (!len || len > LONGEST)
		return 0;
	for (i = 0; i + len <= n; i++)
		if (alike(s + i, t, len) && !(i && is_word(t[0]) && is_word(s[i - 1])) && !(i + len < n && is_word(t[len - 1]) && is_word(s[i + len])))
			return i + len;
	return 0;
}

/* The length of the option's own text, which s begins with */
static size_t own_text(const char *s, size_t n, const struct buf *t)
{
	return t->n && n >= t->n && alike(s, t->p, t->n) && (n == t->n || !is_word(t->p[t->n - 1]) || !is_word(s[t->n])) ? t->n : 0;
}

/* Is s, whole words, what the option's own text begins with? */
static bool begins_text(const char *s, size_t n, const struct buf *t)
{
	while (n && strchr(".,", s[n - 1]))
		n--;
	return n && n < t->n && alike(s, t->p, n) && !is_word(t->p[n]);
}

/* Has s the text t of another option in it? One that the own text has in it, too, is another's where it stands beside that: "-4 or 4". */
static bool has_other(const char *s, size_t n, const struct buf *own, const struct buf *t)
{
	struct buf rest = {0};
	size_t at = 0, end;
	bool has;

	if (!behind_words(s, n, t->p, t->n) || (t->n == own->n && alike(t->p, own->p, t->n)))
		return false;
	if (!behind_words(own->p, own->n, t->p, t->n))
		return true;
	while ((end = behind_words(s + at, n - at, own->p, own->n))) {
		buf_add(&rest, s + at, end - own->n);
		buf_char(&rest, '\n');
		at += end;
	}
	if (at)
		buf_add(&rest, s + at, n - at);
	has = at && behind_words(rest.p, rest.n, t->p, t->n);
	buf_free(&rest);
	return has;
}

/* Does s, before it gives reasons, have the text of another option in it, or is it the beginning of one? */
static bool tells_other(const char *s, size_t n, int letter, const struct options *o)
{
	enum { HALF = 4 };
	const struct buf *own = &o->text[letter];
	size_t k;

	n = reasons_in(s, n);
	for (k = 0; k < o->n; k++) {
		const struct buf *t = &o->text[k];

		if (k == (size_t)letter || !t->n)
			continue;
		if (has_other(s, n, own, t))
			return true;
		if (n >= HALF && n < t->n && alike(s, t->p, n) && !(n <= own->n && alike(s, own->p, n)))
			return true;
	}
	return false;
}

/* s, which stands behind a letter, is no option's text. Is it at least nothing that makes the letter doubtful? */
static bool bears(const char *s, size_t n, int letter, const struct options *o, bool label)
{
	if (!skip(s, n, praise).n)
		return true;
	if (word_of(s, n, joins))
		return false;
	if (o->n) {
		const size_t own = own_text(s, n, &o->text[letter]), why = own + reasons_in(s + own, n - own);

		if (begins_text(s, n, &o->text[letter]))
			return !tells_other(s, n, letter, o);
		return !tells_other(s, n, letter, o) && !names_other(s + own, why - own, letter, o, false, false) && !names_other(s + why, n - why, letter, o, true, false)
		    && !denies(s + own, n - own);
	}
	return !(word_of(s, n, verbs) && denies(s, n)) && !names_other(s, n, letter, o, true, label);
}

/* s stands behind a letter. Is it the option's text, or does it bear with the letter? label: "(C) " was in front of it. */
static bool agrees(const char *s, size_t n, int letter, const struct options *o, bool label)
{
	const unsigned texts = options_of(o, s, n);
	const size_t own = o->n ? own_text(s, n, &o->text[letter]) : 0;
	struct buf rest = {0};
	struct part p;
	bool is;

	if (texts)
		return texts >> letter & 1;
	buf_add(&rest, s, own);
	is = without_denied(s + own, n - own, letter, o, &rest);
	p = drop(rest.p, rest.n, " ,.;");
	is = is && bears(p.s, p.n, letter, o, label);
	buf_free(&rest);
	return is;
}

enum sure { NO_LETTER, LETTER, LETTER_ALONE };

/* "(not A)", "(not A nor C)", "(not A, not C)": of other letters than its own, and nothing else. "(not A, C)" may say that it is C. */
static bool denies_others(const char *s, size_t n, int letter)
{
	static const char *const first[] = {"not", NULL}, *const next[] = {"nor", "or not", "and not", ", not", ", or not", ", and not", ", nor", NULL};
	const char *const *words = first;
	size_t i, len;
	int k;

	n -= n && s[n - 1] == '.';
	if (n < 3 || *s != '(' || s[n - 1] != ')')
		return false;
	for (i = 1; i < n - 1; words = next, i++) {
		i += s[i] == ' ';
		len = word_of(s + i, n - 1 - i, words);
		if (!len || s[i + len] != ' ')
			return false;
		i += len + 1;
		k = i < n - 1 ? alone(s, n, i) : -1;
		if (k < 0 || k == letter)
			return false;
	}
	return words == next;
}

/* *letter: its number; *text: what stands behind it begins there. A letter that begins a sentence ("a cat") is none. */
static enum sure letter_of(const char *s, size_t n, const struct options *o, int *letter, size_t *text)
{
	static const char *const wraps[] = {"\\text{", "\\textbf{", "\\mathrm{", "\\mathbf{", NULL};
	static const char open[] = "([{", close[] = ")]}";
	struct part p = skip(s, n, leads), rest;
	const size_t wrap = word_of(p.s, p.n, wraps);
	const char *bracket;
	bool marked, label;

	p.s += wrap, p.n -= wrap;
	bracket = p.n ? strchr(open, *p.s) : NULL;
	if (bracket && *bracket)
		p.s++, p.n--;
	else
		bracket = NULL;
	*letter = p.n ? (*p.s | 0x20) - 'a' : -1;
	if (*letter < 0 || *letter >= (o->n ? (int)o->n : MOST) || !isalpha((unsigned char)*p.s))
		return NO_LETTER;
	p.s++, p.n--;
	if (bracket && (!p.n || *p.s != close[bracket - open]))
		return NO_LETTER;
	if (bracket)
		p.s++, p.n--;
	marked = bracket || (p.n && *p.s && strchr(").:,;*}", *p.s));
	if (wrap && p.n && *p.s == '}')
		p.s++, p.n--;
	label = bracket && p.n && *p.s == ' ';
	rest = drop(p.s, p.n, !marked ? " " : wrap ? ").:,;*} " : ").:,;* ");
	if (rest.n > 1 && *rest.s == '-' && rest.s[1] == ' ')
		rest = drop(rest.s + 1, rest.n - 1, " ");
	if (!rest.n)
		return LETTER_ALONE;
	*text = (size_t)(rest.s - s);
	if (marked)
		return agrees(rest.s, rest.n, *letter, o, label) ? LETTER : NO_LETTER;
	if (*p.s != ' ')
		return NO_LETTER;
	/* "C Paris", "C (Paris)", "C is correct", "C because ..." */
	if ((options_of(o, rest.s, rest.n) >> *letter & 1) || (word_of(rest.s, rest.n, verbs) && !skip(rest.s, rest.n, praise).n) ||
	    (rest.n > 2 && *rest.s == '(' && rest.s[rest.n - 1] == ')' && (options_of(o, rest.s + 1, rest.n - 2) >> *letter & 1)))
		return LETTER;
	/* "B (not A)" */
	if (isupper((unsigned char)p.s[-1]) && denies_others(rest.s, rest.n, *letter))
		return tells_other(rest.s, rest.n, *letter, o) ? NO_LETTER : LETTER;
	return isupper((unsigned char)p.s[-1]) && word_of(rest.s, rest.n, reasons) && agrees(rest.s, rest.n, *letter, o, label) ? LETTER : NO_LETTER;
}

/* What the last "the answer is" says, where it begins a sentence or a part of one: "(A) is wrong; the answer is (B)". n 0: nothing */
static struct part said(const char *s, size_t n)
{
	static const char *const words[] = {"answer is", "answer:", "option is", "choice is", "\xe7\xad\x94\xe6\xa1\x88\xe6\x98\xaf", "\xe7\xad\x94\xe6\xa1\x88\xe4\xb8\xba",
					    "\xe7\xad\x94\xe6\xa1\x88:", NULL};
	static const char *const before[] = {"the", "correct", "right", "best", "final", "my", "so", "thus", "hence", "therefore", NULL};
	struct part word, none = {0};
	size_t i, at = n, len = 0;

	for (i = 0; i < n; i++) {
		const size_t k = i && is_word(s[i - 1]) ? 0 : word_of(s + i, n - i, words);

		if (k) {
			at = i;
			len = k;
		}
	}
	for (i = at; (word = word_before(s, i)).n && word_of(word.s, word.n, before) == word.n; i = (size_t)(word.s - s))
		;
	while (i && s[i - 1] == ' ')
		i--;
	if (at == n || (i && (!s[i - 1] || !strchr(".,;:!-*", s[i - 1]))))
		return none;
	return (struct part){s + at + len, n - at - len};
}

/* "B is wrong, so A": what is behind the last "so" that begins a part of a sentence. n 0: nothing */
static struct part follows(const char *s, size_t n)
{
	static const char *const words[] = {"so", "thus", "hence", "therefore", NULL};
	struct part p = {0};
	size_t i, len;

	for (i = 2; i < n; i++)
		if (s[i - 1] == ' ' && strchr(",;.", s[i - 2]) && s[i - 2] && (len = word_of(s + i, n - i, words)))
			p = drop(s + i + len, n - i - len, ", ");
	return p;
}

/* "Rome (A)": the letter behind its option's text, as a bit; 0 */
static unsigned letter_behind(const char *s, size_t n, const struct options *o)
{
	int k;

	if (!o->n || n < 5 || s[n - 1] != ')' || s[n - 3] != '(' || s[n - 4] != ' ')
		return 0;
	k = alone(s, n, n - 2);
	return k >= 0 && k < (int)o->n ? options_of(o, s, n - 4) & 1u << k : 0;
}

struct reading {
	struct buf bare;
	unsigned options;       /* bits; 0: it names none */
	size_t text;            /* where the text behind the letter begins */
};

/* what: what s says the answer is; n 0: nothing */
static unsigned read_part(const char *s, size_t n, struct part what, const struct options *o, size_t *text)
{
	size_t behind = 0;
	int letter;
	const enum sure sure = letter_of(s, n, o, &letter, &behind);
	unsigned texts;

	/* c, where an option is "c" and its letter B */
	if (sure == LETTER_ALONE && !(n == 1 && o->capitals && islower((unsigned char)*s) && texts_of(o, s, n, true)))
		return 1u << letter;
	texts = options_of(o, s, n);
	if (!texts)
		texts = letter_behind(s, n, o);
	if (!texts && what.n)
		texts = options_of(o, what.s, what.n);
	if (texts || sure == NO_LETTER)
		return texts;
	*text = behind;
	return 1u << letter;
}

static void read_answer(const char *s, size_t n, const struct options *o, struct reading *r)
{
	const struct part none = {0};
	struct part p;
	size_t at = 0;

	answer_bare(s, n, &r->bare);
	if (!r->bare.n)
		return;
	p = said(r->bare.p, r->bare.n);
	p = skip(p.s, p.n, (const char *const[]){":", "*", NULL});
	r->options = read_part(r->bare.p, r->bare.n, p, o, &r->text);
	if (r->options)
		return;
	if (p.n)
		r->options = read_part(p.s, p.n, none, o, &at);
	if (!r->options && (p = follows(r->bare.p, r->bare.n)).n)
		r->options = read_part(p.s, p.n, none, o, &at);
	if (r->options)
		r->text = (size_t)(p.s - r->bare.p) + at;
}

static bool same_reading(const struct reading *a, const struct reading *b)
{
	const struct buf *x = &a->bare, *y = &b->bare;

	if (!x->n || !y->n)
		return false;
	if (a->options && b->options)
		return (a->options & b->options) != 0;
	if (x->n == y->n && alike(x->p, y->p, x->n))
		return true;
	return (a->options || b->options) && x->n - a->text == y->n - b->text && a->text < x->n && alike(x->p + a->text, y->p + b->text, x->n - a->text);
}

static bool same(const char *a, size_t a_n, const char *b, size_t b_n, const struct verifier_options *o, struct buf *why)
{
	struct options all = {0};
	struct reading x = {0}, y = {0};
	bool is;

	(void)why;
	if (o && o->problem)
		read_options(o->problem, o->problem_n, &all);
	read_answer(a, a_n, &all, &x);
	read_answer(b, b_n, &all, &y);
	is = same_reading(&x, &y);
	buf_free(&x.bare);
	buf_free(&y.bare);
	free_options(&all);
	return is;
}

const struct verifier verifier_choice = {"choice", "the letter of an option; else as text", same};
