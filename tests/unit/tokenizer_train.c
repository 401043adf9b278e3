/* Training: the same file from the same text in any order, which holds what was asked for and encodes as it says.
 * With an argument it writes the small vocabulary of the other tests there (see tokenizer/make-vectors.py). */
#include "test.h"

#include "base/file.h"
#include "text/bpe_train.h"
#include "text/tokenizer.h"

static const struct bpe_added added[] = {{"<think>", false}, {"</think>", false}, {"<answer>", false}, {"</answer>", false},
	{"<|begin|>", true}, {"<|end|>", true}};

static struct bpe_options options(void)
{
	return (struct bpe_options){.vocab_size = 400, .added = added, .n_added = 6};
}

static struct bpe_trainer *trainer(struct bpe_options o)
{
	struct err e;
	struct bpe_trainer *b = bpe_trainer_new(&o, &e);

	if (!b)
		TEST_FAIL("%s", e.msg);
	return b;
}

static void feed(struct bpe_trainer *b, const char *text, size_t n)
{
	struct err e;

	if (bpe_trainer_feed(b, text, n, &e) < 0)
		TEST_FAIL("%s", e.msg);
}

static void json_of(struct bpe_trainer *b, struct buf *to)
{
	struct err e;

	buf_clear(to);
	if (bpe_trainer_json(b, to, &e) < 0)
		TEST_FAIL("%s", e.msg);
	bpe_trainer_free(b);
}

static struct tokenizer *load(const struct buf *json)
{
	struct err e;
	struct tokenizer *t = tokenizer_parse(json->p, json->n, "trained", &e);

	if (!t)
		TEST_FAIL("%s", e.msg);
	return t;
}

/* The lines of the corpus, from the first to the last or back. */
static void feed_lines(struct bpe_trainer *b, const struct buf *corpus, bool back)
{
	size_t at[64], n = 0, i;

	for (i = 0; i < corpus->n; i++)
		if (i == 0 || corpus->p[i - 1] == '\n')
			at[n++] = i;
	at[n] = corpus->n;
	for (i = 0; i < n; i++) {
		size_t k = back ? n - 1 - i : i;

		feed(b, corpus->p + at[k], at[k + 1] - at[k]);
	}
}

static void check_kept_file(const struct buf *corpus)
{
	struct buf kept = {0}, json = {0};
	struct bpe_trainer *b;
	struct err e;
	int back;

	CHECK(file_read("tests/unit/tokenizer/tokenizer.json", &kept, &e) == 0);
	for (back = 0; back < 2; back++) {
		b = trainer(options());
		feed_lines(b, corpus, back);
		json_of(b, &json);
		CHECK_MEM(json.p, json.n, kept.p, kept.n);
	}
	buf_free(&kept);
	buf_free(&json);
}

static void check_round_trip(const struct buf *corpus)
{
	struct err e;
	struct tokenizer *t = tokenizer_load("tests/unit/tokenizer/tokenizer.json", &e);
	struct tokens ids = {0};
	struct buf text = {0};
	size_t i;

	CHECK(t);
	CHECK_INT(tokenizer_size(t), 400);
	CHECK_INT(tokenizer_id(t, "<think>"), 394);
	CHECK_INT(tokenizer_id(t, "<|end|>"), 399);
	CHECK(tokenizer_is_special(t, 399) && !tokenizer_is_special(t, 394) && tokenizer_is_added(t, 394) && !tokenizer_is_added(t, 5));
	CHECK(tokenizer_encode(t, corpus->p, corpus->n, 0, &ids, &e) == 0);
	tokenizer_decode(t, ids.id, ids.n, 0, &text);
	CHECK_MEM(text.p, text.n, corpus->p, corpus->n);
	CHECK(ids.n * 3 < corpus->n * 2);
	/* each digit is a token by itself wherever it stands */
	for (i = 0; i < ids.n; i++) {
		size_t n, k;
		const char *s = tokenizer_bytes(t, ids.id[i], &n);

		for (k = 0; k < n; k++)
			CHECK(!(s[k] >= '0' && s[k] <= '9') || n == 1);
	}
	tokens_free(&ids);
	buf_free(&text);
	tokenizer_free(t);
}

/* By hand: "ab" occurs 4 times, "bc" 3, "ca" 3; then "ab" + "c" 2 times. Of bc and ca the left one with the lower id wins. */
static void check_merges(void)
{
	struct bpe_options o = {.vocab_size = 100, .seen_bytes = true, .pattern = "\\S+"};
	struct bpe_trainer *b = trainer(o);
	struct buf json = {0};
	struct tokenizer *t;

	feed(b, "ab abc abc bc ca ca ab ca", 25);
	json_of(b, &json);
	CHECK(strstr(json.p, "\"merges\": [\n      \"a b\",\n      \"c a\",\n      \"ab c\"\n    ]"));
	t = load(&json);
	CHECK_INT(tokenizer_size(t), 7);                /* space a b c, ab ca abc */
	CHECK_INT(tokenizer_id(t, "abc"), 6);
	tokenizer_free(t);

	/* min_count 4 leaves the first merge alone */
	o.min_count = 4;
	b = trainer(o);
	feed(b, "ab abc abc bc ca ca ab ca", 25);
	json_of(b, &json);
	CHECK(strstr(json.p, "\"merges\": [\n      \"a b\"\n    ]"));
	buf_free(&json);
}

static int32_t one_token(struct tokenizer *t, const char *text)
{
	struct tokens ids = {0};
	struct err e;
	int32_t id;

	CHECK(tokenizer_encode(t, text, strlen(text), 0, &ids, &e) == 0);
	id = ids.n == 1 ? ids.id[0] : -1;
	tokens_free(&ids);
	return id;
}

/* With BPE_SPACED_DIGITS each word of the miniature's sums is one token, whatever precedes it; bytes not seen are refused. */
static void check_spaced_digits(const struct buf *corpus)
{
	static const char *const words[] = {" 1", " 9", "5", " *", " =", " A", " wait", " 等等", " 所以", "<think>", " Assistant", "User"};
	struct bpe_options o = {.vocab_size = 700, .seen_bytes = true, .pattern = BPE_SPACED_DIGITS, .added = added, .n_added = 6};
	struct bpe_trainer *b = trainer(o);
	struct buf json = {0};
	struct tokens ids = {0};
	struct tokenizer *t;
	struct err e;
	size_t i;

	feed(b, corpus->p, corpus->n);
	json_of(b, &json);
	t = load(&json);
	for (i = 0; i < sizeof words / sizeof words[0]; i++)
		if (one_token(t, words[i]) < 0)
			TEST_FAIL("'%s' is not one token", words[i]);
	CHECK_INT(one_token(t, " 42"), -1);
	CHECK(tokenizer_encode(t, "1 + ~", 5, 0, &ids, &e) < 0);
	CHECK_STR(e.msg, "trained has no token for the byte 0x7E");
	CHECK_INT(ids.n, 0);
	tokens_free(&ids);
	tokenizer_free(t);
	buf_free(&json);
}

static void check_refused(void)
{
	struct bpe_options o = options();
	struct bpe_added bad[] = {{"a", false}};
	struct bpe_trainer *b;
	struct buf json = {0};
	struct err e;

	o.vocab_size = 200;
	b = trainer(o);
	CHECK(bpe_trainer_json(b, &json, &e) < 0);
	CHECK_STR(e.msg, "a vocabulary of 200 has no room for 256 bytes and 6 added tokens");
	bpe_trainer_free(b);

	o = (struct bpe_options){.vocab_size = 300, .added = bad, .n_added = 1};
	b = trainer(o);
	CHECK(bpe_trainer_json(b, &json, &e) < 0);      /* the byte's own name */
	CHECK_INT(json.n, 0);
	bpe_trainer_free(b);

	o.pattern = "(";
	CHECK(bpe_trainer_new(&o, &e) == NULL);
	CHECK_STR(e.msg, "'pattern': missing closing parenthesis");
	bad[0].text = "";
	CHECK(bpe_trainer_new(&o, &e) == NULL);
	CHECK_STR(e.msg, "added token 0 is empty");
	buf_free(&json);
}

int main(int argc, char **argv)
{
	struct buf corpus = {0};
	struct err e;

	if (file_read("tests/unit/tokenizer/corpus.txt", &corpus, &e) < 0)
		TEST_FAIL("%s", e.msg);
	if (argc > 1) {
		struct bpe_trainer *b = trainer(options());

		feed(b, corpus.p, corpus.n);
		if (bpe_trainer_write(b, argv[1], &e) < 0)
			TEST_FAIL("%s", e.msg);
		bpe_trainer_free(b);
	} else {
		check_kept_file(&corpus);
		check_round_trip(&corpus);
		check_merges();
		check_spaced_digits(&corpus);
		check_refused();
	}
	buf_free(&corpus);
	return 0;
}
