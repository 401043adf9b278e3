#include "task/scorer.h"

#include <string.h>

#include "task/answer.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Takes off a <think> at its end, and blanks behind it */
static bool cut_think(const char *s, size_t *n)
{
	if (!template_thinks(s, *n))
		return false;
	while (s[--*n] != '<')
		;
	return true;
}

int scorer_read(const struct scorer_reader *x, struct record *r, const char *field, struct tokens *ids, struct err *e)
{
	struct buf prompt = {0};
	size_t n, prompt_n;
	const char *s = record_string(r, field, &n, e);
	bool prefilled;
	int rc;

	if (!s || completion_prompt(r, x->template, &prompt, e) < 0) {
		buf_free(&prompt);
		return -1;
	}
	if (!record_has(r, "prompt"))
		template_answer(x->template, prompt.p ? prompt.p : "", prompt.n, &s, &n);
	prompt_n = prompt.n;
	prefilled = cut_think(prompt.p, &prompt_n);
	if (x->on == SCORER_SUMMARY) {
		struct parts p = parts_of(s, n, prefilled);

		s = p.final;
		n = p.final_n;
		while (n && is_blank(*s))
			s++, n--;
	} else {
		prompt_n = prompt.n;
	}
	rc = tokenizer_encode(x->tokenizer, prompt.p ? prompt.p : "", prompt_n, TOKENIZER_PROMPT, ids, e);
	if (rc == 0)
		rc = tokenizer_encode(x->tokenizer, s, n, TOKENIZER_CONTINUES, ids, e);
	if (rc < 0)
		record_error(r, e, "'%s': %s", field, e->msg);
	else if (x->config->eos_count)
		tokens_add(ids, completion_end(x->config, x->tokenizer, x->template));
	if (rc == 0 && !ids->n)
		rc = record_error(r, e, "'%s': there is nothing to score", field);
	buf_free(&prompt);
	return rc;
}
