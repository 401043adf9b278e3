/* lex_private.h - the two halves of what makes tokens: numerals (lex_number.c), all else (lex.c) */
#ifndef TASK_LEX_PRIVATE_H
#define TASK_LEX_PRIVATE_H

#include "math_private.h"

struct lexer {
	struct math *m;
	const char *p, *end;
	struct token *token;
	size_t n;
	int reading, braces;
	int words_until;                /* depth of the group of \text{...}; 0: none */
	int brackets;                   /* open ( and [ */
	bool spaced;
	bool formula;                   /* between $ and $ */
	bool wide;                      /* commas between brackets have blanks behind them */
	char *scratch;                  /* as long as the input, and a little */
};

static inline bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* All that give a token or a bool: NULL, false where no such thing stands at l->p, or with the fault set. */
struct token *lex_put(struct lexer *l, int kind, int code, const char *s, size_t n);
const char *lex_kept(struct lexer *l, size_t n);        /* a copy of what was written to the scratch */
bool lex_number(struct lexer *l);                       /* 1,234.5e6, 0.1\overline{3}, 12th */
bool lex_based(struct lexer *l);                        /* 4210_{5} */
bool lex_marked(struct lexer *l);                       /* 0x1F */

#endif
