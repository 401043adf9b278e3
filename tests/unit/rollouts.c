/* Completions out of records: the text is the truth for a person, the ids for the machine. */
#include "test.h"

#include "base/file.h"
#include "base/mem.h"
#include "model/rollouts.h"

enum { END = 298, OTHER_END = 297 };

static struct tokenizer *t;
static const struct config config = {.vocab_size = 303, .eos = {END, OTHER_END}, .eos_count = 2};

/* want: the ids, "|" where the completion begins, "!" in front if it counts as edited, "~" if the logprobs were kept. */
static void is(const char *line, const char *want)
{
	static struct record r;
	struct completion c;
	struct buf got = {0};
	struct err e;
	int64_t i;

	if (record_parse(&r, line, strlen(line), &e) < 0 || completion_read(&r, NULL, t, &config, &c, &e) < 0)
		TEST_FAIL("%s: %s", line, e.msg);
	buf_printf(&got, "%s%s", c.edited ? "!" : "", c.logprob ? "~" : "");
	for (i = 0; i <= c.n; i++) {
		if (i == c.first)
			buf_printf(&got, "|");
		if (i < c.n)
			buf_printf(&got, "%s%d", i && i != c.first ? " " : "", c.token[i]);
	}
	if (strcmp(got.p, want) != 0)
		TEST_FAIL("%s\n\tgives %s\n\tand not %s", line, got.p, want);
	free(c.token);
	buf_free(&got);
	record_free(&r);
	r = (struct record){0};
}

static void fails(const char *line, const char *want)
{
	struct record r = {0};
	struct completion c;
	struct err e;

	CHECK(record_parse(&r, line, strlen(line), &e) == 0);
	CHECK(completion_read(&r, NULL, t, &config, &c, &e) < 0);
	CHECK(!c.token);
	CHECK(strstr(e.msg, want));
	record_free(&r);
}

#define PROMPT "\"prompt\":\"1+1=\",\"prompt_ids\":[49,43,49,61]"

static void edited(void)
{
	is("{" PROMPT ",\"completion\":\"23\",\"completion_ids\":[50,51,298],\"logprobs\":[-1,-2,-3]}", "~49 43 49 61|50 51 298");
	/* the completion's text was changed: its ids and logprobs are given up, an end is put behind it */
	is("{" PROMPT ",\"completion\":\"24\",\"completion_ids\":[50,51,298],\"logprobs\":[-1,-2,-3]}", "!49 43 49 61|50 52 298");
	is("{" PROMPT ",\"completion\":\"24\",\"completion_ids\":[50,51,297]}", "!49 43 49 61|50 52 297");
	is("{" PROMPT ",\"completion\":\"24\",\"completion_ids\":[50,51],\"finish_reason\":\"length\"}", "!49 43 49 61|50 52");
	is("{" PROMPT ",\"completion\":\"\",\"completion_ids\":[50,51,298]}", "!49 43 49 61|298");
	/* ids of another model's vocabulary */
	is("{" PROMPT ",\"completion\":\"23\",\"completion_ids\":[50,128001],\"logprobs\":[-1,-2]}", "!49 43 49 61|50 51 298");
	/* the prompt's: the completion's ids stand, but what they were sampled after is gone */
	is("{\"prompt\":\"1+2=\",\"prompt_ids\":[49,43,49,61],\"completion\":\"23\",\"completion_ids\":[50,51,298],\"logprobs\":[-1,-2,-3]}",
	   "!49 43 50 61|50 51 298");
	/* a space is an edit, too */
	is("{" PROMPT ",\"completion\":\"2 3\",\"completion_ids\":[50,51,298]}", "!49 43 49 61|50 32 51 298");
}

static void missing(void)
{
	is("{" PROMPT ",\"completion\":\"23\"}", "49 43 49 61|50 51 298");
	is("{" PROMPT ",\"completion\":\"23\",\"finish_reason\":\"length\"}", "49 43 49 61|50 51");
	is("{\"prompt\":\"1+1=\",\"completion\":\"23\",\"completion_ids\":[50,51],\"logprobs\":[-1,-2]}", "49 43 49 61|50 51");
	is("{\"prompt_ids\":[49,43,49,61],\"completion_ids\":[50,51],\"logprobs\":[-1,-2]}", "~49 43 49 61|50 51");
	is("{" PROMPT ",\"completion_ids\":[50,51],\"completion\":null}", "49 43 49 61|50 51");
	is("{" PROMPT ",\"completion_ids\":[],\"completion\":\"\"}", "49 43 49 61|");
}

/* An end token at the end is not in the text, whichever it is; one before it is. */
static void ends(void)
{
	struct buf b = {0};

	is("{" PROMPT ",\"completion\":\"2\",\"completion_ids\":[50,298]}", "49 43 49 61|50 298");
	is("{" PROMPT ",\"completion\":\"2\",\"completion_ids\":[50,297]}", "49 43 49 61|50 297");
	is("{" PROMPT ",\"completion\":\"2\",\"completion_ids\":[50]}", "49 43 49 61|50");
	is("{" PROMPT ",\"completion\":\"\",\"completion_ids\":[298]}", "49 43 49 61|298");
	is("{" PROMPT ",\"completion\":\"2<|end|>3\",\"completion_ids\":[50,298,51,298]}", "49 43 49 61|50 298 51 298");
	is("{" PROMPT ",\"completion\":\"2<|end|>\",\"completion_ids\":[50,298,298]}", "49 43 49 61|50 298 298");
	is("{" PROMPT ",\"completion\":\"2\",\"completion_ids\":[50,298,298]}", "!49 43 49 61|50 298");
	completion_text(t, &config, (int32_t[]){50, END}, 2, &b);
	CHECK_MEM(b.p, b.n, "2", 1);
	buf_clear(&b);
	completion_text(t, &config, (int32_t[]){END}, 1, &b);
	CHECK_INT(b.n, 0);
	completion_text(t, &config, NULL, 0, &b);
	CHECK_INT(b.n, 0);
	buf_free(&b);
}

/* Bytes that are no UTF-8 are U+FFFD in the text; the ids keep them, and no edit is seen. */
static void cut_bytes(void)
{
	static const char line[] = "{" PROMPT ",\"completion_ids\":[200,50,201,298]}";
	struct buf b = {0};
	struct record r = {0};
	struct completion c;
	struct err e;

	completion_text(t, &config, (int32_t[]){200, 50, 201, END}, 4, &b);
	buf_char(&b, 0);
	CHECK(strstr(b.p, "\xef\xbf\xbd"));
	CHECK(record_parse(&r, line, strlen(line), &e) == 0);
	record_set_str(&r, "completion", b.p);
	CHECK(completion_read(&r, NULL, t, &config, &c, &e) == 0);
	CHECK(!c.edited);
	CHECK_INT(c.n - c.first, 4);
	CHECK_INT(c.token[c.first], 200);
	free(c.token);
	record_free(&r);
	buf_free(&b);
}

/* With a BOS put before the prompt, and what is not NFC made so, the ids decode to another text than the prompt's: no edit. An EOS put behind texts
 * is none of a prompt's. */
static void around(const struct buf *file)
{
	static const char normal[] = "\"normalizer\": null", post[] = "\"post_processor\": null";
	struct tokenizer *before = t;
	char *at = strstr(file->p, normal), *then = at ? strstr(at, post) : NULL;
	struct buf b = {0};
	struct err e;

	CHECK(then);
	buf_printf(&b, "%.*s\"normalizer\": {\"type\": \"NFC\"}%.*s\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": "
		   "[{\"SpecialToken\": {\"id\": \"<|end|>\"}}, {\"Sequence\": {\"id\": \"A\"}}, {\"SpecialToken\": {\"id\": \"<|end|>\"}}], \"special_tokens\": {\"<|end|>\": {\"ids\": [298]}}}%s",
		   (int)(at - file->p), file->p, (int)(then - at) - (int)strlen(normal), at + strlen(normal), then + strlen(post));
	if (!(t = tokenizer_parse(b.p, b.n, "tokenizer.json", &e)))
		TEST_FAIL("%s", e.msg);
	is("{\"prompt\":\"1+1=\",\"prompt_ids\":[298,49,43,49,61],\"completion\":\"2\",\"completion_ids\":[50],\"logprobs\":[-1]}", "~298 49 43 49 61|50");
	is("{\"prompt\":\"1+2=\",\"prompt_ids\":[298,49,43,49,61],\"completion\":\"2\",\"completion_ids\":[50],\"logprobs\":[-1]}", "!298 49 43 50 61|50");
	is("{" PROMPT ",\"completion\":\"2\",\"completion_ids\":[50],\"logprobs\":[-1]}", "~49 43 49 61|50");
	/* U+212A is K */
	is("{\"prompt\":\"\u212a\",\"prompt_ids\":[298,75],\"completion\":\"2\",\"completion_ids\":[50],\"logprobs\":[-1]}", "~298 75|50");
	tokenizer_free(t);
	t = before;
	buf_free(&b);
}

/* Of a tokenizer that puts a blank in front of texts, a completion has none: it goes on from its prompt. */
static void in_front(const struct buf *file)
{
	static const char none[] = "\"add_prefix_space\": false";
	struct tokenizer *before = t;
	const char *at = strstr(file->p, none);
	struct buf b = {0};
	struct err e;

	CHECK(at);
	buf_printf(&b, "%.*s\"add_prefix_space\": true%s", (int)(at - file->p), file->p, at + strlen(none));
	if (!(t = tokenizer_parse(b.p, b.n, "tokenizer.json", &e)))
		TEST_FAIL("%s", e.msg);
	is("{\"prompt\":\"12\",\"completion\":\"23\"}", "32 49 32 50|50 32 51 298");         /* each piece has one */
	is("{\"prompt\":\"12\",\"prompt_ids\":[32,49,32,50],\"completion\":\"2\",\"completion_ids\":[50,298],\"logprobs\":[-1,-2]}",
	   "~32 49 32 50|50 298");
	tokenizer_free(t);
	t = before;
	buf_free(&b);
}

static void bad(void)
{
	fails("{\"completion\":\"2\"}", "'prompt' is missing");
	fails("{" PROMPT "}", "'completion' is missing");
	fails("{\"prompt\":\"\",\"completion\":\"2\"}", "the prompt has no tokens");
	fails("{\"prompt\":1,\"completion\":\"2\"}", "'prompt' is a number, not a string");
	fails("{" PROMPT ",\"completion_ids\":[303]}", "'completion_ids' holds 303, which is not in the model's vocabulary of 303");
	fails("{" PROMPT ",\"completion_ids\":[-1]}", "'completion_ids' holds -1");
	fails("{" PROMPT ",\"completion\":\"2\",\"completion_ids\":[-1]}", "'completion_ids' holds -1");
	fails("{" PROMPT ",\"completion_ids\":[4294967297]}", "not a whole number of 32 bits");
	fails("{" PROMPT ",\"completion\":\"2\",\"completion_ids\":[50],\"logprobs\":[-1,-2]}", "'logprobs' has 2 numbers for 1 completion_ids");
	fails("{" PROMPT ",\"completion\":\"2\",\"finish_reason\":3}", "'finish_reason' is a number, not a string");
}

int main(void)
{
	struct buf text = {0};
	struct err e;

	if (file_read("tests/tiny/tokenizer.json", &text, &e) < 0 || !(t = tokenizer_parse(text.p, text.n, "tokenizer.json", &e)))
		TEST_FAIL("%s", e.msg);
	edited();
	missing();
	ends();
	cut_bytes();
	around(&text);
	in_front(&text);
	bad();
	tokenizer_free(t);
	buf_free(&text);
	return 0;
}
