/* Words and their scripts: what counts, what is set aside, which language is written how. */
#include "test.h"

#include "text/script.h"

static struct script_words count(const char *s)
{
	struct script_words w = {0};

	script_count(s, strlen(s), &w);
	return w;
}

static void scripts(void)
{
	CHECK(script_of('a') == SCRIPT_LATIN);
	CHECK(script_of('1') == SCRIPT_NONE);
	CHECK(script_of(0xe9) == SCRIPT_LATIN);
	CHECK(script_of(0xd7) == SCRIPT_NONE);
	CHECK(script_of(0x3b1) == SCRIPT_GREEK);
	CHECK(script_of(0x436) == SCRIPT_CYRILLIC);
	CHECK(script_of(0x7b49) == SCRIPT_HAN);
	CHECK(script_of(0x20001) == SCRIPT_HAN);
	CHECK(script_of(0x3042) == SCRIPT_KANA);
	CHECK(script_of(0xd55c) == SCRIPT_HANGUL);
	CHECK(script_of(0x0661) == SCRIPT_NONE);        /* an Arabic digit */
	CHECK(script_of(0x10ffff) == SCRIPT_NONE);
	CHECK(script_of(UINT32_MAX) == SCRIPT_NONE);
}

static void words(void)
{
	struct script_words w = count("So we wait; don't we? caf\xc3\xa9");

	CHECK_INT(w.of[SCRIPT_LATIN], 6);
	CHECK_INT(w.all, 6);
	w = count("\xe7\xad\x89\xe7\xad\x89 wait \xe6\x89\x80\xe4\xbb\xa5\xe6\x98\xaf");       /* 2 and 3 characters of Han */
	CHECK_INT(w.of[SCRIPT_HAN], 3);
	CHECK_INT(w.of[SCRIPT_LATIN], 1);
	w = count("wait\xe7\xad\x89");
	CHECK_INT(w.of[SCRIPT_LATIN], 1);
	CHECK_INT(w.of[SCRIPT_HAN], 1);
	w = count("\xed\x95\x9c\xea\xb5\xad\xec\x96\xb4 \xed\x95\x9c");
	CHECK_INT(w.of[SCRIPT_HANGUL], 2);
	CHECK_INT(count("").all, 0);
	CHECK_INT(count("\xff\xfe 12 + 3 = ?").all, 0);
}

static void aside(void)
{
	static const char *const nothing[] = {
		"A x B 8 * 5", "\\frac{1}{2} \\alpha", "$abc + def$", "$$abc\ndef$$", "\\(abc\\) \\[ def \\]", "`code here`", "```\nint main\n```",
		"https://example.org/some/path www.example.org", "<think> </answer>", "\xce\xb1 \xce\xb2"};
	size_t i;

	for (i = 0; i < sizeof nothing / sizeof *nothing; i++)
		if (count(nothing[i]).all)
			TEST_FAIL("'%s' has %d words", nothing[i], (int)count(nothing[i]).all);
	CHECK_INT(count("it costs $18 and then $20 more").all, 5);
	CHECK_INT(count("$ unclosed and ``` unclosed \\( unclosed $$ too").all, 5);
	CHECK_INT(count("if 3 < 4 then").all, 2);
	CHECK_INT(count("\\text{hello}").all, 1);
}

static void languages(void)
{
	CHECK(script_language("en") == 1u << SCRIPT_LATIN);
	CHECK(script_language("zh") == 1u << SCRIPT_HAN);
	CHECK(script_language("zh-Hant-TW") == 1u << SCRIPT_HAN);
	CHECK(script_language("sr") == 1u << SCRIPT_CYRILLIC);
	CHECK(script_language("sr-Latn") == 1u << SCRIPT_LATIN);
	CHECK(script_language("pt-BR") == 1u << SCRIPT_LATIN);
	CHECK(script_language("JA") == (1u << SCRIPT_HAN | 1u << SCRIPT_KANA));
	CHECK(script_language("") == 0);
	CHECK(script_language("english") == 0);
	CHECK(script_language("qq") == 0);
	CHECK(script_language("-") == 0);
}

/* Megabytes of openings that never close: linear time, or this does not end. */
static void bounded(void)
{
	static const char *const unit[] = {"```", "`", "$$", "$a", "\\(", "\\[", "<", "<think", "http://", "\xe7\xad\x89", "a"};
	size_t size = 3000000, i, j;
	char *s = malloc(size);

	for (i = 0; i < sizeof unit / sizeof *unit; i++) {
		struct script_words w = {0};

		for (j = 0; j + strlen(unit[i]) <= size; j += strlen(unit[i]))
			memcpy(s + j, unit[i], strlen(unit[i]));
		script_count(s, j, &w);
	}
	free(s);
}

int main(void)
{
	scripts();
	words();
	aside();
	languages();
	bounded();
	return 0;
}
