/* Loading, lookup, decoding. Encoding is in encode.c. */
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "text/tokenizer_private.h"

void tokens_add(struct tokens *to, int32_t id)
{
	to->id = xgrow(to->id, &to->cap, to->n + 1, sizeof *to->id);
	to->id[to->n++] = id;
}

void tokens_free(struct tokens *t)
{
	free(t->id);
	*t = (struct tokens){0};
}

/* Byte-level names: bytes that are visible in Latin-1 stand for themselves, the others, in order, for U+0100 and on. */
static bool is_visible(unsigned byte)
{
	return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
}

uint32_t tokenizer_byte_char(unsigned byte)
{
	if (is_visible(byte))
		return byte;
	if (byte <= 0x20)
		return 0x100 + byte;
	return byte == 0xad ? 0x143 : 0x121 + (byte - 0x7f);
}

int tokenizer_char_byte(uint32_t c)
{
	if (c < 0x100)
		return is_visible(c) ? (int)c : -1;
	if (c <= 0x120)
		return (int)(c - 0x100);
	if (c <= 0x142)
		return (int)(c - 0x121 + 0x7f);
	return c == 0x143 ? 0xad : -1;
}

/* ---- parts of the file ---- */

/* The member's text, or NULL where it is absent or null. -1 if it is anything else. */
static int get_name(const struct js *j, const char *name, const char **text, size_t *n, struct err *e)
{
	const struct js *v = js_get(j, name);

	*text = NULL;
	if (!v || js_is_null(v))
		return 0;
	*text = js_string(v, n);
	return *text ? 0 : err_set(e, "'model.%s' is %s, not a string", name, js_type(v));
}

static int get_flag(const struct js *j, const char *name, bool *value, struct err *e)
{
	const struct js *v = js_get(j, name);

	if (v && !js_is_null(v) && !js_is_bool(v))
		return err_set(e, "'model.%s' is %s, not true or false", name, js_type(v));
	*value = js_bool(v);
	return 0;
}

static int read_model(struct tables *t, const struct js *j, struct err *e)
{
	static const char *const unused[] = {"continuing_subword_prefix", "end_of_word_suffix"};
	const struct js *dropout = js_get(j, "dropout");
	const char *text;
	size_t n, i;

	if (!js_is_object(j))
		return err_set(e, "'model' is %s, not an object", js_type(j));
	if (get_name(j, "type", &text, &n, e) < 0)
		return -1;
	if (text && strcmp(text, "BPE") != 0)
		return err_set(e, "'model.type' is '%.40s', not 'BPE'", text);
	if (dropout && !js_is_null(dropout) && js_number(dropout) != 0)
		return err_set(e, "'model.dropout' is not supported");
	for (i = 0; i < 2; i++) {
		if (get_name(j, unused[i], &text, &n, e) < 0)
			return -1;
		if (text && n)
			return err_set(e, "'model.%s' is not supported", unused[i]);
	}
	if (get_flag(j, "byte_fallback", &t->byte_fallback, e) < 0 || get_flag(j, "ignore_merges", &t->ignore_merges, e) < 0
	    || get_flag(j, "fuse_unk", &t->fuse_unk, e) < 0)
		return -1;
	if (get_name(j, "unk_token", &text, &n, e) < 0)
		return -1;
	t->unk = -1;
	if (text) {
		t->unk = vocab_find(&t->vocab, text, n);
		if (t->unk < 0)
			return err_set(e, "'model.unk_token' is '%.40s', which is not in 'model.vocab'", text);
	}
	for (i = 0; i < 256; i++) {
		char name[4];

		t->byte_id[i] = vocab_find(&t->vocab, name, utf8_encode(tokenizer_byte_char((unsigned)i), name));
	}
	return 0;
}

enum { NORMAL_MOST = 64 };      /* bytes that a step puts anywhere: what a bad file may cost */

/* NULL: no string, or too long */
static const char *keep_string(struct tables *t, const struct js *j, size_t *n)
{
	const char *s = js_string(j, n);

	return s && *n <= NORMAL_MOST ? arena_strndup(&t->texts, s, *n) : NULL;
}

static int read_normalizer(struct tables *t, const struct js *j, int depth, struct err *e)
{
	struct normal_step *step;
	struct substitution *x;
	const char *type = js_string(js_get(j, "type"), NULL);
	size_t i;

	if (!j || js_is_null(j))
		return 0;
	if (!type)
		return err_set(e, "'normalizer.type' is %s, not a string", js_type(js_get(j, "type")));
	if (!strcmp(type, "Sequence") && depth < 8) {
		const struct js *list = js_get(j, "normalizers");

		if (!js_is_array(list))
			return err_set(e, "'normalizer.normalizers' is %s, not an array", js_type(list));
		for (i = 0; i < js_size(list); i++)
			if (read_normalizer(t, js_at(list, i), depth + 1, e) < 0)
				return -1;
		return 0;
	}
	if (t->normals == NORMAL_STEPS)
		return err_set(e, "'normalizer': more than %d steps", NORMAL_STEPS);
	step = &t->normal[t->normals++];
	x = &step->text;
	if (!strcmp(type, "NFC")) {
		step->kind = NORMAL_NFC;
		return 0;
	}
	if (!strcmp(type, "Prepend")) {
		step->kind = NORMAL_PREPEND;
		x->to = keep_string(t, js_get(j, "prepend"), &x->to_n);
		return x->to ? 0 : err_set(e, "'normalizer' Prepend without a 'prepend' of up to %d bytes is not supported", NORMAL_MOST);
	}
	if (!strcmp(type, "Replace")) {
		step->kind = NORMAL_REPLACE;
		x->from = keep_string(t, js_get(js_get(j, "pattern"), "String"), &x->from_n);
		x->to = keep_string(t, js_get(j, "content"), &x->to_n);
		return x->from && x->from_n && x->to ? 0 :
			err_set(e, "'normalizer' Replace without a 'pattern.String' and a 'content' of up to %d bytes is not supported", NORMAL_MOST);
	}
	return err_set(e, "'normalizer.type' is '%.40s', which is not supported", type);
}

static int by_text(const void *x, const void *y)
{
	const struct added *a = x, *b = y;
	int c = memcmp(a->text, b->text, a->n < b->n ? a->n : b->n);

	return c ? c : (a->n > b->n) - (a->n < b->n);
}

static void sort_set(struct added_set *set)
{
	size_t i, c;

	if (set->n)
		qsort(set->token, set->n, sizeof *set->token, by_text);
	for (i = c = 0; c <= 256; c++) {
		while (i < set->n && (unsigned char)set->token[i].text[0] < c)
			i++;
		set->first[c] = (uint32_t)i;
	}
}

/* What single_word looks for on either side: Alphabetic, marks, decimal digits, connectors and joiners. */
#define WORD_CHARACTER "[\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{200c}\\x{200d}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}" \
	"\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}]"

static int read_added_token(struct tables *t, const struct js *j, struct err *e)
{
	static const char *const names[] = {"single_word", "lstrip", "rstrip", "normalized", "special"};
	bool flag[5];
	struct added a = {0};
	struct added_set *set;
	struct buf normal[2] = {{0}};
	int64_t id = js_int(js_get(j, "id"));
	size_t i;

	if (!js_is_int(js_get(j, "id")))
		return err_set(e, "'id' is %s, not a whole number", js_type(js_get(j, "id")));
	a.text = js_string(js_get(j, "content"), &a.n);
	if (!a.text)
		return err_set(e, "'content' is %s, not a string", js_type(js_get(j, "content")));
	for (i = 0; i < 5; i++) {
		const struct js *v = js_get(j, names[i]);

		if (!js_is_bool(v))
			return err_set(e, "'%s' is %s, not true or false", names[i], js_type(v));
		flag[i] = js_bool(v);
	}
	if (vocab_add(&t->vocab, a.text, a.n, id, e) < 0)
		return -1;
	if (t->n_flags < t->vocab.size) {
		t->flags = xrealloc(t->flags, t->vocab.size);
		memset(t->flags + t->n_flags, 0, t->vocab.size - t->n_flags);
		t->n_flags = t->vocab.size;
	}
	t->flags[id] |= (uint8_t)(IS_ADDED | (flag[4] ? IS_SPECIAL : 0));
	a.id = (int32_t)id;
	a.single_word = flag[0];
	a.lstrip = flag[1];
	a.rstrip = flag[2];
	a.special = flag[4];
	set = flag[3] ? &t->normalized : &t->raw;
	if (flag[3])
		a.text = tokenizer_normal(t, a.text, &a.n, true, normal);
	if (a.n) {
		a.text = arena_strndup(&t->texts, a.text, a.n);
		set->token = xgrow(set->token, &set->cap, set->n + 1, sizeof *set->token);
		set->token[set->n++] = a;
	}
	buf_free(&normal[0]);
	buf_free(&normal[1]);
	if (a.single_word && !t->word) {
		t->word = pattern_new(WORD_CHARACTER, strlen(WORD_CHARACTER), false, e);
		if (!t->word)
			return -1;
	}
	return 0;
}

static int read_added(struct tables *t, const struct js *list, struct err *e)
{
	size_t i;

	if (list && !js_is_array(list) && !js_is_null(list))
		return err_set(e, "'added_tokens' is %s, not an array", js_type(list));
	for (i = 0; i < js_size(list); i++)
		if (read_added_token(t, js_at(list, i), e) < 0)
			return err_prefix(e, "'added_tokens[%zu]'", i);
	sort_set(&t->raw);
	sort_set(&t->normalized);
	return 0;
}

/* ---- post-processors: what they put around the text's tokens ---- */

/* The ids that a template's special token stands for, added to `to`. */
static int add_template_token(const struct js *special, const char *name, struct tokens *to, struct err *e)
{
	const struct js *ids = js_get(js_get(special, name), "ids");
	size_t i;

	if (!js_is_array(ids))
		return err_set(e, "'post_processor.special_tokens' has no 'ids' of '%.60s'", name);
	for (i = 0; i < js_size(ids); i++) {
		const struct js *id = js_at(ids, i);

		if (!js_is_int(id) || js_int(id) < 0 || js_int(id) >= VOCAB_MAX)
			return err_set(e, "'post_processor.special_tokens': 'ids' of '%.60s' are no ids", name);
		tokens_add(to, (int32_t)js_int(id));
	}
	return 0;
}

/* Each template wraps what those before it made: its tokens before $A go in front of the prefix, those behind it go last. */
static int read_template(struct tables *t, const struct js *j, struct err *e)
{
	const struct js *single = js_get(j, "single"), *special = js_get(j, "special_tokens");
	struct tokens front = {0};
	bool text_seen = false;
	size_t i;

	if (!js_is_array(single))
		return err_set(e, "'post_processor.single' is %s, not an array", js_type(single));
	for (i = 0; i < js_size(single); i++) {
		const struct js *piece = js_at(single, i), *token = js_get(piece, "SpecialToken"), *sequence = js_get(piece, "Sequence");
		const char *id = js_string(js_get(token ? token : sequence, "id"), NULL);

		if (!id || (!token && (strcmp(id, "A") != 0 || text_seen))) {
			err_set(e, "'post_processor.single[%zu]' is neither a special token nor the one sequence A", i);
			goto fail;
		}
		if (!token)
			text_seen = true;
		else if (add_template_token(special, id, text_seen ? &t->suffix : &front, e) < 0)
			goto fail;
	}
	if (!text_seen) {
		err_set(e, "'post_processor.single' has no sequence A");
		goto fail;
	}
	for (i = 0; i < t->prefix.n; i++)
		tokens_add(&front, t->prefix.id[i]);
	tokens_free(&t->prefix);
	t->prefix = front;
	return 0;
fail:
	tokens_free(&front);
	return -1;
}

static int read_post_processor(struct tables *t, const struct js *j, int depth, struct err *e)
{
	const char *type = js_string(js_get(j, "type"), NULL);
	size_t i;

	if (!j || js_is_null(j))
		return 0;
	if (!type)
		return err_set(e, "'post_processor.type' is %s, not a string", js_type(js_get(j, "type")));
	if (!strcmp(type, "ByteLevel"))                 /* moves offsets, which nobody asks us for */
		return 0;
	if (!strcmp(type, "TemplateProcessing"))
		return read_template(t, j, e);
	if (!strcmp(type, "Sequence") && depth < 8) {
		const struct js *list = js_get(j, "processors");

		if (!js_is_array(list))
			return err_set(e, "'post_processor.processors' is %s, not an array", js_type(list));
		for (i = 0; i < js_size(list); i++)
			if (read_post_processor(t, js_at(list, i), depth + 1, e) < 0)
				return -1;
		return 0;
	}
	return err_set(e, "'post_processor.type' is '%.40s', which is not supported", type);
}

/* ---- decoders: every token's bytes are made at once ---- */

#define FORMS_MOST ((size_t)64 << 20)  /* bytes: a limit on what a bad file may cost */
enum { MAX_DECODERS = 8 };
struct decoder {
	enum { BYTE_LEVEL, BYTE_FALLBACK, FUSE, STRIP, REPLACE } kind;
	struct substitution text;       /* of REPLACE; borrowed from the JSON */
};

static int read_decoder(struct decoder *d, size_t *n, const struct js *j, int depth, struct err *e)
{
	const char *type = js_string(js_get(j, "type"), NULL);
	const int last = *n > 0 ? (int)d[*n - 1].kind : -1;
	struct decoder one = {0};
	struct substitution *x = &one.text;
	size_t i;

	if (!type)
		return err_set(e, "'decoder.type' is %s, not a string", js_is_object(j) ? js_type(js_get(j, "type")) : js_type(j));
	if (!strcmp(type, "Sequence") && depth < 8) {
		const struct js *list = js_get(j, "decoders");

		if (!js_is_array(list))
			return err_set(e, "'decoder.decoders' is %s, not an array", js_type(list));
		for (i = 0; i < js_size(list); i++)
			if (read_decoder(d, n, js_at(list, i), depth + 1, e) < 0)
				return -1;
		return 0;
	}
	if (*n == MAX_DECODERS)
		return err_set(e, "'decoder': more than %d steps", MAX_DECODERS);
	if (*n > 0 && (last == STRIP || last == BYTE_LEVEL || (last == FUSE && strcmp(type, "Strip") != 0)))
		return err_set(e, "'decoder': %.40s behind Fuse or ByteLevel is not supported", type);
	if (!strcmp(type, "ByteLevel")) {
		one.kind = BYTE_LEVEL;
	} else if (!strcmp(type, "ByteFallback")) {
		one.kind = BYTE_FALLBACK;
	} else if (!strcmp(type, "Fuse")) {
		one.kind = FUSE;
	} else if (!strcmp(type, "Replace")) {
		one.kind = REPLACE;
		x->from = js_string(js_get(js_get(j, "pattern"), "String"), &x->from_n);
		x->to = js_string(js_get(j, "content"), &x->to_n);
		if (!x->from || !x->from_n || !x->to)
			return err_set(e, "'decoder' Replace without a 'pattern.String' and a 'content' is not supported");
	} else if (!strcmp(type, "Metaspace")) {
		one.kind = REPLACE;
		*x = (struct substitution){js_string(js_get(j, "replacement"), &x->from_n), " ", x->from_n, 1};
		if (!x->from || !x->from_n)
			return err_set(e, "'decoder' Metaspace without a 'replacement' is not supported");
	} else if (!strcmp(type, "Strip") && last == FUSE) {
		one.kind = STRIP;               /* one blank in front of all, which stays: see TOKENIZER_CONTINUES */
		if (!js_string(js_get(j, "content"), NULL) || strcmp(js_string(js_get(j, "content"), NULL), " ") != 0 ||
		    js_int(js_get(j, "start")) > 1 || js_int(js_get(j, "stop")) != 0)
			return err_set(e, "'decoder' Strip of more than one blank in front is not supported");
	} else {
		return err_set(e, "'decoder.type' is '%.40s', which is not supported", type);
	}
	d[(*n)++] = one;
	return 0;
}

static void form_bytes(struct buf *b, size_t from)
{
	const unsigned char *s = (const unsigned char *)b->p;
	size_t i, out;

	/* The whole alphabet is ASCII or two bytes long. A character that is not in it, or a single byte: all is left as it is. */
	for (i = from; i < b->n; i++) {
		if (s[i] < 0x80) {
			if (!is_visible(s[i]))
				return;
			continue;
		}
		if (s[i] < 0xc2 || s[i] > 0xc5 || i + 1 == b->n || tokenizer_char_byte((s[i] & 0x1fu) << 6 | (s[i + 1] & 0x3fu)) < 0)
			return;
		i++;
	}
	for (i = out = from; i < b->n; i++) {
		if (s[i] < 0x80) {
			b->p[out++] = b->p[i];
		} else {
			b->p[out++] = (char)tokenizer_char_byte((s[i] & 0x1fu) << 6 | (s[i + 1] & 0x3fu));
			i++;
		}
	}
	b->n = out;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void form_fallback(struct buf *b, size_t from)
{
	const char *s = b->p + from;

	if (b->n - from == 6 && !memcmp(s, "<0x", 3) && s[5] == '>' && hex_digit(s[3]) >= 0 && hex_digit(s[4]) >= 0) {
		b->p[from] = (char)(hex_digit(s[3]) << 4 | hex_digit(s[4]));
		b->n = from + 1;
	}
}

/* -1: all forms together are more than any vocabulary's */
static int form_replace(struct buf *b, size_t from, const struct substitution *x)
{
	size_t n = b->n - from;
	char *s = xstrndup(b->p + from, n);
	int rc;

	b->n = from;
	rc = tokenizer_replace(x, s, n, FORMS_MOST, b);
	free(s);
	return rc;
}

/* What a token is called where it is decoded: the reference gives added tokens back in their normal form. */
static const char *form_name(const struct tables *t, size_t id, size_t *n)
{
	size_t i;

	for (i = 0; t->flags[id] & IS_ADDED && i < t->normalized.n; i++)
		if ((size_t)t->normalized.token[i].id == id) {
			*n = t->normalized.token[i].n;
			return t->normalized.token[i].text;
		}
	*n = t->vocab.name[id].n;
	return t->vocab.pool.p + t->vocab.name[id].at;
}

static int make_forms(struct tables *t, const struct js *j, struct err *e)
{
	struct vocab *v = &t->vocab;
	struct decoder d[MAX_DECODERS];
	size_t n = 0, i, k, from, len;
	const char *name;

	if (read_decoder(d, &n, j, 0, e) < 0)
		return -1;
	v->form = xmalloc(v->size * sizeof *v->form);
	buf_room(&v->forms, v->pool.n);
	for (i = 0; i < v->size; i++) {
		v->form[i] = (struct vocab_span){VOCAB_GAP, 0};
		if (v->name[i].at == VOCAB_GAP)
			continue;
		from = v->forms.n;
		name = form_name(t, i, &len);
		buf_add(&v->forms, name, len);
		for (k = 0; k < n; k++) {
			if (d[k].kind == BYTE_LEVEL)
				form_bytes(&v->forms, from);
			else if (d[k].kind == BYTE_FALLBACK)
				form_fallback(&v->forms, from);
			else if (d[k].kind == REPLACE && form_replace(&v->forms, from, &d[k].text) < 0)
				return err_set(e, "'decoder' makes more than %zu MiB of the tokens", FORMS_MOST >> 20);
		}
		v->form[i] = (struct vocab_span){(uint32_t)from, (uint32_t)(v->forms.n - from)};
		buf_char(&v->forms, 0);
	}
	return 0;
}

/* ---- all of the file ---- */

static void tables_free(struct tables *t)
{
	vocab_free(&t->vocab);
	free(t->flags);
	free(t->raw.token);
	free(t->normalized.token);
	arena_free(&t->texts);
	pattern_free(t->word);
	pretoken_free(t->pretokenizer);
	tokens_free(&t->prefix);
	tokens_free(&t->suffix);
	free(t->file);
	free(t);
}

static int read_rest(struct tables *t, const struct js *j, struct err *e)
{
	if (read_model(t, js_get(j, "model"), e) < 0 || read_normalizer(t, js_get(j, "normalizer"), 0, e) < 0
	    || read_added(t, js_get(j, "added_tokens"), e) < 0 || read_post_processor(t, js_get(j, "post_processor"), 0, e) < 0
	    || make_forms(t, js_get(j, "decoder"), e) < 0)
		return -1;
	t->pretokenizer = pretoken_new(js_get(j, "pre_tokenizer"), e);
	if (!t->pretokenizer)
		return -1;
	t->byte_level = pretoken_byte_level(t->pretokenizer);
	return 0;
}

static bool is_bpe(const struct js *model)
{
	const char *type = js_string(js_get(model, "type"), NULL);

	return js_is_object(model) && (!type || !strcmp(type, "BPE"));
}

struct tokenizer *tokenizer_parse(const char *json, size_t n, const char *name, struct err *e)
{
	struct tables *t = xcalloc(1, sizeof *t);
	struct js *j;
	size_t i;
	int rc = -1;

	t->file = xstrdup(name);
	j = vocab_cut(json, n, t->file, &t->vocab, e);
	if (!j)
		goto out;
	if (!js_is_object(j)) {
		err_set(e, "%s: is %s, not an object", name, js_type(j));
		goto out;
	}
	if (is_bpe(js_get(j, "model")) && (vocab_read(&t->vocab, e) < 0 || vocab_read_merges(&t->vocab, e) < 0))
		goto out;
	t->flags = xmalloc(t->vocab.size);
	for (t->n_flags = i = 0; i < t->vocab.size; i++)
		t->flags[t->n_flags++] = t->vocab.name[i].at == VOCAB_GAP ? 0 : IN_MODEL;
	rc = read_rest(t, j, e);
	if (rc < 0)
		err_prefix(e, "%s", name);
out:
	js_free(j);
	if (rc < 0) {
		tables_free(t);
		return NULL;
	}
	return tokenizer_handle(t);
}

struct tokenizer *tokenizer_load(const char *path, struct err *e)
{
	struct tokenizer *t = NULL;
	struct buf b = {0};

	if (file_read(path, &b, e) == 0) {
		buf_room(&b, 0);
		t = tokenizer_parse(b.p, b.n, path, e);
	}
	buf_free(&b);
	return t;
}

void tokenizer_free(struct tokenizer *t)
{
	struct tables *tables;

	if (!t)
		return;
	tables = t->t;
	tokenizer_handle_free(t);
	tables_free(tables);
}

/* ---- lookup and decoding ---- */

static bool has_id(const struct tokenizer *t, int32_t id)
{
	return id >= 0 && (size_t)id < t->t->vocab.size && t->t->vocab.name[id].at != VOCAB_GAP;
}

const char *tokenizer_bytes(const struct tokenizer *t, int32_t id, size_t *n)
{
	const struct vocab *v = &t->t->vocab;

	if (n)
		*n = 0;
	if (!has_id(t, id))
		return NULL;
	if (n)
		*n = v->form[id].n;
	return v->forms.p + v->form[id].at;
}

void tokenizer_decode(const struct tokenizer *t, const int32_t *id, size_t n, unsigned flags, struct buf *to)
{
	size_t i, len;

	for (i = 0; i < n; i++) {
		const char *s = tokenizer_bytes(t, id[i], &len);

		if (s && !(flags & TOKENIZER_SKIP_SPECIAL && tokenizer_is_special(t, id[i])))
			buf_add(to, s, len);
	}
}

int32_t tokenizer_id(const struct tokenizer *t, const char *token)
{
	return vocab_find(&t->t->vocab, token, strlen(token));
}

bool tokenizer_is_special(const struct tokenizer *t, int32_t id)
{
	return has_id(t, id) && t->t->flags[id] & IS_SPECIAL;
}

bool tokenizer_is_added(const struct tokenizer *t, int32_t id)
{
	return has_id(t, id) && t->t->flags[id] & IS_ADDED;
}

int64_t tokenizer_size(const struct tokenizer *t)
{
	return (int64_t)t->t->vocab.size;
}
