/* Language consistency (the paper, section 2.3.2): the share of the words of the chain of thought that are in the target language: in its
 * script, and where that is the Latin one and the language has a list of words (text/profile.h), in no other one of those. A chain without words mixes nothing: 1; none at all: 0. */
#include <string.h>

#include "task/reward.h"
#include "text/profile.h"
#include "text/script.h"

struct options {
	const char *target;
};

static int check(void *options, struct err *e)
{
	const struct options *o = options;

	return *o->target && !script_language(o->target) ? err_set(e, "the script of language '%s' is not known", o->target) : 0;
}

static bool blank(const char *s, size_t n)
{
	while (n && strchr(" \t\r\n", s[n - 1] ? s[n - 1] : 'x'))
		n--;
	return !n;
}

static int score(const void *options, struct scored *s, struct err *e)
{
	const struct options *o = options;
	const char *language = o->target;
	struct script_words w = {0};
	const char *text = s->parts.think ? s->parts.think : s->text;
	size_t n = s->parts.think ? s->parts.think_n : s->n;
	unsigned scripts;
	int64_t in = 0, foreign;
	int i;

	if (!*language && !record_has(s->record, "language")) {
		buf_str(&s->reason, "no language is asked for");
		return 0;
	}
	if (!*language && !(language = record_string(s->record, "language", NULL, e)))
		return -1;
	scripts = script_language(language);
	if (!scripts) {
		buf_printf(&s->reason, "the script of '%s' is not known", language);
		return 0;
	}
	script_count(text, n, &w);
	for (i = 0; i < SCRIPTS; i++)
		in += scripts & 1u << i ? w.of[i] : 0;
	foreign = scripts & 1u << SCRIPT_LATIN && w.of[SCRIPT_LATIN] ? profile_foreign(text, n, language) : 0;
	in -= foreign;
	s->value = w.all ? (double)in / (double)w.all : !blank(text, n);
	if (in < w.all)
		buf_printf(&s->reason, "%lld of %lld words are %s", (long long)in, (long long)w.all, language);
	return 0;
}

static const struct options defaults = {""};
static const struct param params[] = {
	{"target", OPT_STRING, offsetof(struct options, target), "TAG", "the language, as en or zh; else the record's `language`"},
	PARAM_END};

const struct reward reward_language = {
	{"language", "share of the chain of thought's words that are in its language", params, &defaults, sizeof defaults, check},
	false, score};
