/* The tokenizer gives the reference's ids and text under many settings, and refuses by name what it does not do */
#include "test.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "record/json.h"
#include "text/tokenizer.h"

#define FOLDER "tests/unit/tokenizer/"

static struct js *read_json(const char *path)
{
	struct err e;
	struct js *j = js_read(path, &e);

	if (!j)
		TEST_FAIL("%s", e.msg);
	return j;
}

static struct tokenizer *parse(const char *json, size_t n)
{
	struct err e;
	struct tokenizer *t = tokenizer_parse(json, n, "t.json", &e);

	if (!t)
		TEST_FAIL("%s", e.msg);
	return t;
}

/* ---- the reference's vectors ---- */

static void replace_members(struct js *in, const struct js *with)
{
	struct js_iter it = js_each(with);

	while (js_next(&it))
		js_set(in, it.key, js_copy(it.value));
}

static struct tokenizer *variant(const struct js *base, const struct js *v, int indent)
{
	struct js *j = js_copy(base), *model = js_copy(js_get(base, "model"));
	struct buf text = {0};
	struct tokenizer *t;

	replace_members(j, js_get(v, "set"));
	replace_members(model, js_get(v, "model"));
	js_set(j, "model", model);
	js_write(j, indent, &text);
	t = parse(text.p, text.n);
	buf_free(&text);
	js_free(j);
	return t;
}

static void same_ids(const struct js *want, const struct tokens *got, const char *what, const char *name, const char *text)
{
	struct buf ids = {0};
	size_t i;
	bool same = got->n == js_size(want);

	for (i = 0; same && i < got->n; i++)
		same = got->id[i] == js_int(js_at(want, i));
	if (same)
		return;
	for (i = 0; i < got->n; i++)
		buf_printf(&ids, " %d", got->id[i]);
	js_write(want, 0, &ids);
	TEST_FAIL("%s: %s of '%s':%s is what we have, and the reference last", name, what, text, ids.p);
}

static void check_text(const struct tokenizer *t, const struct tokens *ids, unsigned flags, const char *want, size_t n,
	const char *name)
{
	struct buf bytes = {0}, text = {0};
	size_t i, len;

	tokenizer_decode(t, ids->id, ids->n, flags, &bytes);
	utf8_replace(bytes.p, bytes.n, &text);
	if (text.n != n || (n && memcmp(text.p, want, n) != 0))
		TEST_FAIL("%s: decoded is '%s', not '%s'", name, text.p ? text.p : "", want);
	/* token by token */
	buf_clear(&bytes);
	buf_clear(&text);
	for (i = 0; i < ids->n; i++) {
		const char *s = tokenizer_bytes(t, ids->id[i], &len);

		if (flags & TOKENIZER_SKIP_SPECIAL && tokenizer_is_special(t, ids->id[i]))
			continue;
		buf_add(&bytes, s, len);
	}
	utf8_replace(bytes.p, bytes.n, &text);
	CHECK_MEM(text.p ? text.p : "", text.n, want, n);
	buf_free(&bytes);
	buf_free(&text);
}

/* A character of Unicode 17, which the reference's expressions do not know and this PCRE2 does */
static bool too_new(const char *text)
{
	char version[32];

	pcre2_config(PCRE2_CONFIG_UNICODE_VERSION, version);
	return atoi(version) > 16 && strstr(text, "\xf0\x91\xb7\xa9");
}

static void check_case(struct tokenizer *t, const struct js *c, const char *name)
{
	static const struct { const char *key; unsigned flags; } ways[] = {
		{"ids", 0}, {"around", TOKENIZER_ADD_SPECIAL}, {"plain", TOKENIZER_PLAIN}};
	const struct js *ids = js_get(c, "ids");
	struct tokens got = {0};
	struct err e;
	size_t n, dn, bn, i;
	const char *text = js_string(js_get(c, "text"), &n), *decoded = js_string(js_get(c, "decoded"), &dn);
	const char *bare = js_string(js_get(c, "bare"), &bn);

	if (too_new(text))
		return;
	for (i = 3; i-- > 0;) {
		const struct js *want = js_get(c, ways[i].key);

		got.n = 0;
		if (tokenizer_encode(t, text, n, ways[i].flags, &got, &e) < 0)
			TEST_FAIL("%s: '%s': %s", name, text, e.msg);
		same_ids(want ? want : ids, &got, ways[i].key, name, text);
	}
	if (!decoded)
		decoded = text, dn = n;
	if (!bare)
		bare = decoded, bn = dn;
	check_text(t, &got, 0, decoded, dn, name);
	check_text(t, &got, TOKENIZER_SKIP_SPECIAL, bare, bn, name);
	tokens_free(&got);
}

/* Settings that put a blank in front of texts, and of whose every text nothing is lost */
static bool goes_on(const struct js *v)
{
	static const char *const names[] = {"llama 2", "metaspace as it was", "metaspace, the first alone", "gpt-2 with a space in front"};
	size_t i;

	for (i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(js_string(js_get(v, "name"), NULL), names[i]))
			return true;
	return false;
}

/* What ids decode to is what they were made of: behind another text, where nothing is put in front. */
static void check_continues(struct tokenizer *t, const struct js *c, const char *name)
{
	struct tokens ids = {0};
	struct buf back = {0};
	struct err e;
	size_t n;
	const char *text = js_string(js_get(c, "text"), &n);

	if (strstr(text, "<|") || strstr(text, "<think") || strstr(text, "</"))         /* behind these there is, as always */
		return;
	CHECK(tokenizer_encode(t, text, n, TOKENIZER_CONTINUES, &ids, &e) == 0);
	tokenizer_decode(t, ids.id, ids.n, 0, &back);
	if (back.n != n || (n && memcmp(back.p, text, n) != 0))
		TEST_FAIL("%s: '%s' comes back as '%.*s'", name, text, (int)back.n, back.p ? back.p : "");
	tokens_free(&ids);
	buf_free(&back);
}

static void check_vectors(const struct js *base)
{
	struct js *variants = read_json(FOLDER "vectors.json");
	size_t i, k, pass, cases = 0;

	for (i = 0; i < js_size(variants); i++) {
		const struct js *v = js_at(variants, i), *list = js_get(v, "cases");
		struct tokenizer *t = variant(base, v, i % 2 ? 2 : 0);

		for (pass = 0; pass < 2; pass++) {      /* the second time words are known */
			for (k = 0; k < js_size(list); k++, cases++)
				check_case(t, js_at(list, k), js_string(js_get(v, "name"), NULL));
			for (k = 0; k < js_size(list) && goes_on(v); k++)
				check_continues(t, js_at(list, k), js_string(js_get(v, "name"), NULL));
		}
		tokenizer_free(t);
	}
	CHECK(cases > 2000);
	js_free(variants);
}

/* ---- what the vectors do not show ---- */

static void check_lookup(struct tokenizer *t)
{
	size_t n;

	CHECK_INT(tokenizer_size(t), 400);
	CHECK_INT(tokenizer_id(t, "</think>"), 395);
	CHECK_INT(tokenizer_id(t, "no such token"), -1);
	CHECK_MEM(tokenizer_bytes(t, 10, &n), 1, "\n", 1);
	CHECK_INT(n, 1);
	CHECK(tokenizer_bytes(t, 400, &n) == NULL && tokenizer_bytes(t, -1, NULL) == NULL);
	CHECK(!tokenizer_is_special(t, 400) && !tokenizer_is_added(t, -1));
	CHECK(tokenizer_is_special(t, 399) && tokenizer_is_added(t, 395) && !tokenizer_is_special(t, 395));
}

static void check_appending(struct tokenizer *t)
{
	struct tokens ids = {0}, whole = {0};
	struct buf text = {0};
	struct err e;

	/* ids are appended; bytes that are no UTF-8 are U+FFFD */
	CHECK(tokenizer_encode(t, "a", 1, 0, &ids, &e) == 0 && tokenizer_encode(t, "b\xff", 2, 0, &ids, &e) == 0);
	CHECK(tokenizer_encode(t, "ab\xef\xbf\xbd", 5, 0, &whole, &e) == 0);
	CHECK_INT(ids.id[0], 'a');
	tokenizer_decode(t, ids.id, ids.n, 0, &text);
	tokenizer_decode(t, ids.id, 1, 0, &text);
	CHECK_STR(text.p, "ab\xef\xbf\xbd" "a");
	/* ids that are none decode to nothing */
	buf_clear(&text);
	tokenizer_decode(t, (int32_t[]){-1, 'x', 4000}, 3, 0, &text);
	CHECK_STR(text.p, "x");
	tokens_free(&ids);
	tokens_free(&whole);
	buf_free(&text);
}

/* Long words go another way than short ones; the same letters cut by an added token go the short way. */
static void check_long_words(struct tokenizer *t)
{
	static const char alphabet[] = "theanrswits";
	struct tokens ids = {0};
	struct buf word = {0}, back = {0};
	struct err e;
	uint32_t x = 1;
	size_t i;

	for (i = 0; i < 50000; i++) {
		x = x * 1664525 + 1013904223;
		buf_char(&word, alphabet[(x >> 16) % (sizeof alphabet - 1)]);
	}
	CHECK(tokenizer_encode(t, word.p, word.n, 0, &ids, &e) == 0);
	tokenizer_decode(t, ids.id, ids.n, 0, &back);
	CHECK_MEM(back.p, back.n, word.p, word.n);
	CHECK(ids.n < word.n * 9 / 10);
	/* no two neighbours that are left could still be merged: each pair encodes to itself */
	for (i = 0; i + 1 < 2000; i++) {
		struct tokens pair = {0};

		buf_clear(&back);
		tokenizer_decode(t, ids.id + i, 2, 0, &back);
		CHECK(tokenizer_encode(t, back.p, back.n, 0, &pair, &e) == 0);
		CHECK(pair.n >= 2);
		tokens_free(&pair);
	}
	tokens_free(&ids);
	buf_free(&word);
	buf_free(&back);
}

/* ---- errors ---- */

#define VOCAB "\"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2}"
#define BYTES "\"decoder\": {\"type\": \"ByteLevel\"}"
#define REST MODEL ", " BYTES ", "
#define SPLIT(regex) "{" REST "\"pre_tokenizer\": {\"type\": \"Split\", \"behavior\": \"Isolated\", " \
	"\"pattern\": {\"Regex\": \"" regex "\"}}}"
#define MODEL "\"model\": {" VOCAB ", \"merges\": [\"a b\"]}"

static void refused(const char *json, const char *message)
{
	struct err e;
	struct tokenizer *t = tokenizer_parse(json, strlen(json), "t.json", &e);

	if (t)
		TEST_FAIL("taken: %s", json);
	if (strcmp(e.msg, message) != 0)
		TEST_FAIL("%s\n\tsays %s\n\tand not %s", json, e.msg, message);
}

static void check_model_errors(void)
{
	struct err e;

	CHECK(tokenizer_parse("{\n\"model\": {\"vocab\": {\n\n\"a\": 1},\n]}", 34, "t.json", &e) == NULL);
	CHECK(strncmp(e.msg, "t.json:5:", 9) == 0);     /* lines count where the vocabulary is left out */
	CHECK(tokenizer_parse("", 0, "t.json", &e) == NULL);
	refused("[]", "t.json: is an array, not an object");
	refused("{}", "t.json: 'model' is missing, not an object");
	refused("{\"model\": {}}", "t.json: 'model.vocab' is missing");
	refused("{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\", 0.5]]}}", "t.json: 'model.type' is 'Unigram', not 'BPE'");
	refused("{\"model\": {\n\"vocab\": 3}}", "t.json:2: 'model.vocab' is an object, not '3'");
	refused("{\"model\": {\"vocab\": {}}}", "t.json: 'model.vocab' is empty");
	refused("{\"model\": {\"vocab\": {\"a\": -1}}}", "t.json:1: 'model.vocab' has an id here, not '-1}'");
	refused("{\"model\": {\"vocab\": {\"a\": 99999999}}}",
		"t.json: 'model.vocab': 'a' has the id 99999999, which is not in 0 .. 4194303");
	refused("{\"model\": {\"vocab\": {\"a\": 1, \"a\": 1}}}", "t.json: 'model.vocab' has 'a' twice");
	refused("{\"model\": {\"vocab\": {\"a\": 1, \"b\": 1}}}", "t.json: 'model.vocab': 'b' has the id 1 of 'a'");
	refused("{\"model\": {\"vocab\": {\"\\ud800\": 1}}}", "t.json:1: a string has a bad escape, not '\\ud800\": 1}'");
	refused("{\"model\": {\"vocab\": {\"a\": 1]}}", "t.json:1: 'model.vocab' has ',' or '}' behind an id, not ']'");
	refused("{\"model\": {" VOCAB "}}", "t.json: 'model.merges' is missing");
	refused("{\"model\": {" VOCAB ", \"merges\": [\"a b\",\n\n\"a c\"]}}",
		"t.json: 'model.merges[1]': 'c' is no token of 'model.vocab'");
	refused("{\"model\": {" VOCAB ", \"merges\": [[\"b\", \"a\"]]}}", "t.json: 'model.merges[0]': 'ba' is no token of 'model.vocab'");
	refused("{\"model\": {" VOCAB ", \"merges\": [\"ab\"]}}", "t.json: 'model.merges[0]' is 'ab', not two tokens");
	refused("{\"model\": {" VOCAB ", \"merges\": [\n3]}}", "t.json:2: 'model.merges' has a merge here, not '3]'");
	refused("{\"model\": {" VOCAB ", \"merges\": [], \"dropout\": 0.1}}", "t.json: 'model.dropout' is not supported");
	refused("{\"model\": {" VOCAB ", \"merges\": [], \"end_of_word_suffix\": \"</w>\"}}",
		"t.json: 'model.end_of_word_suffix' is not supported");
	refused("{\"model\": {" VOCAB ", \"merges\": [], \"unk_token\": \"<unk>\"}}",
		"t.json: 'model.unk_token' is '<unk>', which is not in 'model.vocab'");
	refused("{\"model\": {" VOCAB ", \"merges\": [], \"byte_fallback\": 1}}",
		"t.json: 'model.byte_fallback' is a number, not true or false");
	refused("{\"\xff\": 1}", "t.json:1: not UTF-8");
}

#define LONG "aaaaaaaaaaaaaaaa"

/* Each step may make a token longer: some more of them, and no machine holds it. */
static void check_longest(void)
{
	struct buf json = {0};
	int i;

	buf_str(&json, "{" MODEL ", \"decoder\": {\"type\": \"Sequence\", \"decoders\": [");
	for (i = 0; i < 8; i++)
		buf_printf(&json, "%s{\"type\": \"Replace\", \"pattern\": {\"String\": \"a\"}, \"content\": \"" LONG LONG LONG LONG "\"}", i ? ", " : "");
	buf_str(&json, "]}}");
	refused(json.p, "t.json: 'decoder' makes more than 64 MiB of the tokens");
	buf_free(&json);
}

/* Training elsewhere leaves its lengths in the file. */
static void check_lengths(void)
{
	static const char json[] = "{" REST "\"truncation\": {\"direction\": \"Right\", \"max_length\": 1, \"strategy\": \"LongestFirst\", \"stride\": 0}, "
		"\"padding\": {\"strategy\": {\"Fixed\": 9}, \"direction\": \"Left\", \"pad_id\": 0, \"pad_type_id\": 0, \"pad_token\": \"a\"}}";
	struct err e;
	struct tokenizer *t = tokenizer_parse(json, strlen(json), "t.json", &e);
	struct tokens ids = {0};

	if (!t)
		TEST_FAIL("%s", e.msg);
	CHECK(tokenizer_encode(t, "abba", 4, TOKENIZER_ADD_SPECIAL, &ids, &e) == 0);
	CHECK_INT(ids.n, 3);
	CHECK(ids.id[0] == 2 && ids.id[1] == 1 && ids.id[2] == 0);
	tokens_free(&ids);
	tokenizer_free(t);
}

static void check_other_errors(void)
{
	check_longest();
	refused("{" MODEL "}", "t.json: 'decoder.type' is missing, not a string");
	refused("{" MODEL ", \"decoder\": {\"type\": \"WordPiece\"}}", "t.json: 'decoder.type' is 'WordPiece', which is not supported");
	refused("{" REST "\"normalizer\": {\"type\": \"Lowercase\"}}", "t.json: 'normalizer.type' is 'Lowercase', which is not supported");
	refused("{" REST "\"normalizer\": {\"type\": \"Prepend\"}}", "t.json: 'normalizer' Prepend without a 'prepend' of up to 64 bytes is not supported");
	refused("{" REST "\"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"Regex\": \" +\"}, \"content\": \"a\"}}",
		"t.json: 'normalizer' Replace without a 'pattern.String' and a 'content' of up to 64 bytes is not supported");
	refused("{" MODEL ", \"decoder\": {\"type\": \"Strip\", \"content\": \" \", \"start\": 1, \"stop\": 0}}",
		"t.json: 'decoder.type' is 'Strip', which is not supported");
	refused("{" MODEL ", \"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Fuse\"}, "
		"{\"type\": \"Strip\", \"content\": \" \", \"start\": 2, \"stop\": 0}]}}",
		"t.json: 'decoder' Strip of more than one blank in front is not supported");
	refused("{" REST "\"post_processor\": {\"type\": \"BertProcessing\"}}",
		"t.json: 'post_processor.type' is 'BertProcessing', which is not supported");
	refused("{" REST "\"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Digits\"},"
		" {\"type\": \"Metaspace\", \"replacement\": \"_\"}]}}",
		"t.json: 'pre_tokenizer.pretokenizers[1]': Metaspace behind another is not supported");
	refused("{" REST "\"pre_tokenizer\": {\"type\": \"Metaspace\"}}", "t.json: 'pre_tokenizer.replacement' is not one character");
	refused("{" REST "\"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"_\", \"prepend_scheme\": \"last\"}}",
		"t.json: 'pre_tokenizer.prepend_scheme' is 'last', which is not supported");
	refused("{" REST "\"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"_\", \"add_prefix_space\": false}}",
		"t.json: 'pre_tokenizer.add_prefix_space' is false, where 'prepend_scheme' is 'always'");
	refused(SPLIT("a("),
		"t.json: 'pre_tokenizer': missing closing parenthesis");
	refused(SPLIT("\\\\h"),
		"t.json: 'pre_tokenizer': '\\h' is not supported");
	refused(SPLIT("a{2}+"),
		"t.json: 'pre_tokenizer': '{2}+' is not supported");
	refused("{" REST "\"added_tokens\": [{\"id\": 3}]}", "t.json: 'added_tokens[0]': 'content' is missing, not a string");
	refused("{" REST "\"added_tokens\": [{\"id\": 3, \"content\": \"a\", \"single_word\": false, \"lstrip\": false,"
		" \"rstrip\": false, \"normalized\": false, \"special\": true}]}", "t.json: 'added_tokens[0]': 'a' has the id 3, and 0 before");
}

int main(void)
{
	struct js *base = read_json(FOLDER "tokenizer.json");
	struct err e;
	struct tokenizer *t = tokenizer_load(FOLDER "tokenizer.json", &e);

	CHECK(t);
	check_vectors(base);
	check_lookup(t);
	check_appending(t);
	check_long_words(t);
	check_model_errors();
	check_lengths();
	check_other_errors();
	CHECK(tokenizer_load("no/such/tokenizer.json", &e) == NULL);
	CHECK_STR(e.msg, "no/such/tokenizer.json: No such file or directory");
	tokenizer_free(t);
	js_free(base);
	return 0;
}
