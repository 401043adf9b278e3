#include "model/rollouts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/tool.h"
#include "text/utf8.h"

#define TOLD 10                         /* edited records that are told */
#define ROUNDED 0.01f                   /* by so much may a logprob of 16 bits lie above 0 */

struct tokenizer *completion_tokenizer(struct checkpoint *ck, struct err *e)
{
	const struct checkpoint_file *f;

	e->msg[0] = 0;
	f = checkpoint_file(ck, "tokenizer.json", e);
	if (!f) {
		if (!e->msg[0])
			err_set(e, "%s: there is no tokenizer.json in it", ck->path);
		return NULL;
	}
	return tokenizer_parse(f->text, f->n, f->path, e);
}

/* A special token of tokenizer_config.json: "text", or {"content": "text"}. */
static const char *special_token(const struct js *config, const char *name)
{
	const struct js *j = js_get(config, name);

	return js_string(js_is_object(j) ? js_get(j, "content") : j, NULL);
}

/* The member's text, or that of the template called "default" where there are several. NULL: none. */
static const char *find_chat_template(const struct js *config, size_t *n)
{
	const struct js *j = js_get(config, "chat_template");
	size_t i;

	for (i = 0; i < js_size(j); i++) {
		const char *name = js_string(js_get(js_at(j, i), "name"), NULL);

		if (name && !strcmp(name, "default"))
			return js_string(js_get(js_at(j, i), "template"), n);
	}
	return js_string(j, n);
}

struct template *completion_template(const struct checkpoint *ck, const char *name, struct err *e)
{
	const struct checkpoint_file *config, *own;
	struct js *j = NULL;
	struct template *t = NULL;
	const char *text = NULL, *path = NULL;
	size_t n;

	if (strcmp(name, "auto") != 0)
		return template_open(name, e);
	e->msg[0] = 0;
	config = checkpoint_file(ck, "tokenizer_config.json", e);
	if (e->msg[0])
		return NULL;
	own = checkpoint_file(ck, "chat_template.jinja", e);
	if (e->msg[0] || (config && !(j = js_parse(config->text, config->n, config->path, e))))
		return NULL;
	if (own) {
		text = own->text;
		n = own->n;
		path = own->path;
	} else if ((text = find_chat_template(j, &n))) {
		path = config->path;
	}
	if (!text && js_get(j, "chat_template") && !js_is_null(js_get(j, "chat_template"))) {
		err_set(e, "%s: 'chat_template' is %s without one called 'default': name a template by --template", config->path,
			js_type(js_get(j, "chat_template")));
	} else if (!text) {
		t = template_open("mini", e);
	} else if (!(t = template_recognise(text, n, special_token(j, "bos_token"), special_token(j, "eos_token"), e))) {
		err_prefix(e, "%s", path);
	} else if (template_is_alike(t)) {
		tool_warn("%s: this chat template is not known to the letter; by its parts it is %s's", path, template_name(t));
	}
	js_free(j);
	return t;
}

int completion_tell_foreign(const struct template *t, const char *name, const char *system, const struct tokenizer *tokenizer, const char *model,
			    struct err *e)
{
	struct buf token = {0};
	int rc = template_foreign(t, system, tokenizer, &token, e);

	if (token.n)
		tool_warn("--template %s writes %s, which is no token of %s: it is plain text there", name, token.p, model);
	buf_free(&token);
	return rc;
}

static bool is_eos(const struct config *c, int32_t id)
{
	int i;

	for (i = 0; i < c->eos_count; i++)
		if (c->eos[i] == id)
			return true;
	return false;
}

int config_check_ids(const struct config *c, const int32_t *id, size_t n, struct err *e)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (id[i] < 0 || id[i] >= c->vocab_size)
			return err_set(e, "token %d is not in the model's vocabulary of %lld", id[i], (long long)c->vocab_size);
	return 0;
}

void completion_text(struct tokenizer *t, const struct config *c, const int32_t *id, int64_t n, struct buf *to)
{
	struct buf bytes = {0};

	if (n > 0 && is_eos(c, id[n - 1]))
		n--;
	tokenizer_decode(t, id, (size_t)n, 0, &bytes);
	utf8_replace(bytes.p ? bytes.p : "", bytes.n, to);
	buf_free(&bytes);
}

static bool same_text(const struct buf *b, const char *s, size_t n)
{
	return b->n == n && (n == 0 || !memcmp(b->p, s, n));
}

int32_t completion_end(const struct config *c, const struct tokenizer *t, const struct template *tp)
{
	const char *close = tp ? template_close(tp) : NULL;
	int32_t end = c->eos_count ? c->eos[0] : -1;
	int i;

	for (i = c->eos_count; close && i-- > 0;) {
		size_t n;
		const char *text = tokenizer_bytes(t, c->eos[i], &n);

		if (text && n && !strncmp(close, text, n))
			end = c->eos[i];
	}
	return end;
}

/* A text that is encoded: a prompt, or a completion and, where the prompt was made here, what it stands behind */
struct side {
	const char *text, *ids;         /* names of fields */
	bool completion;
	const struct template *template;        /* NULL: the prompt is the record's own */
	const struct buf *prompt;
	int32_t end;                    /* in: of a completion; out: that of its ids, if they end with one */
};

static bool says_completion(struct tokenizer *t, const struct config *c, const int32_t *id, size_t n, const char *text, size_t text_n)
{
	struct buf decoded = {0};
	bool same;

	completion_text(t, c, id, (int64_t)n, &decoded);
	same = same_text(&decoded, text, text_n);
	buf_free(&decoded);
	return same;
}

/* A prompt is not always what its ids decode to: a BOS may have been put before it, and what is not NFC been made so. */
static bool says_prompt(struct tokenizer *t, const int32_t *id, size_t n, const char *text, size_t text_n)
{
	struct tokens fresh = {0};
	bool same;

	if (says_completion(t, &(struct config){.eos_count = 0}, id, n, text, text_n))
		return true;
	same = tokenizer_encode(t, text, text_n, TOKENIZER_PROMPT, &fresh, NULL) == 0 && fresh.n == n &&
		(n == 0 || !memcmp(fresh.id, id, n * sizeof *id));
	tokens_free(&fresh);
	return same;
}

/* Appends the ids of one of the two texts. *given: the record's ids were taken as they are. */
static int take_side(struct record *r, struct tokenizer *t, const struct config *c, struct side *side, struct completion *to, bool *given, struct err *e)
{
	const char *text_name = side->text, *ids_name = side->ids;
	const char *text = NULL;
	size_t text_n = 0, n = 0, i;
	int32_t *id = NULL;
	struct tokens fresh = {0};

	*given = false;
	if (record_has(r, text_name) && !(text = record_string(r, text_name, &text_n, e)))
		return -1;
	if (record_has(r, ids_name) && !(id = record_ints(r, ids_name, &n, e)))
		return -1;
	if (!text && !id)
		return record_error(r, e, "'%s' is missing", text_name);
	if (n && is_eos(c, id[n - 1]))
		side->end = id[n - 1];
	for (i = 0; id && i < n; i++)
		if (id[i] < 0 || id[i] >= c->vocab_size) {      /* of another model's vocabulary: the text is what counts */
			if (!text || id[i] < 0)
				return record_error(r, e, "'%s' holds %d, which is not in the model's vocabulary of %lld", ids_name, id[i],
						    (long long)c->vocab_size);
			id = NULL;
			to->edited = true;
		}
	if (id && text && !(side->completion ? says_completion(t, c, id, n, text, text_n) : says_prompt(t, id, n, text, text_n))) {
		id = NULL;
		to->edited = true;
	}
	if (!id) {
		if (side->template)
			template_answer(side->template, side->prompt->p ? side->prompt->p : "", side->prompt->n, &text, &text_n);
		if (tokenizer_encode(t, text, text_n, side->completion ? TOKENIZER_CONTINUES : TOKENIZER_PROMPT, &fresh, e) < 0) {
			tokens_free(&fresh);
			return record_error(r, e, "'%s': %s", text_name, e->msg);
		}
		id = fresh.id;
		n = fresh.n;
	} else {
		*given = true;
	}
	to->token = xrealloc(to->token, ((size_t)to->n + n + 1) * sizeof *to->token);
	if (n)
		memcpy(to->token + to->n, id, n * sizeof *id);
	to->n += (int64_t)n;
	tokens_free(&fresh);
	return 0;
}

static int take_logprobs(struct record *r, struct completion *to, struct err *e)
{
	size_t n, i;

	if (!(to->logprob = record_floats(r, "logprobs", &n, e)))
		return -1;
	if ((int64_t)n != to->n - to->first)
		return record_error(r, e, "'logprobs' has %zu numbers for %lld completion_ids", n, (long long)(to->n - to->first));
	for (i = 0; i < n; i++)
		if (to->logprob[i] > ROUNDED)
			return record_error(r, e, "'logprobs'[%zu] is %g, but no probability is above 1", i, (double)to->logprob[i]);
	return 0;
}

void completion_tell_edited(const struct record *r, const struct completion *c, int64_t *edited)
{
	struct err e;

	if (!c->edited || (*edited)++ >= TOLD)
		return;
	record_error(r, &e, "text and ids differ: encoded anew");
	tool_warn("%s%s", e.msg, *edited == TOLD ? "; of more such lines nothing is said" : "");
}

void completion_tell_long(const struct record *r, const struct config *c, int64_t n, bool *told)
{
	struct err e;

	if (*told || n <= c->max_positions)
		return;
	*told = true;
	record_error(r, &e, "%lld tokens, more than the model's %lld positions: taken all the same; of more such lines nothing is said",
		     (long long)n, (long long)c->max_positions);
	tool_warn("%s", e.msg);
}

int completion_prompt(struct record *r, const struct template *tp, struct buf *to, struct err *e)
{
	const char *s;
	size_t n;

	if (!record_has(r, "prompt"))
		return template_field(tp, NULL, r, !record_has(r, "problem") && record_has(r, "messages") ? "messages" : "problem", to, e);
	if (!(s = record_string(r, "prompt", &n, e)))
		return -1;
	buf_add(to, s, n);
	return 0;
}

/* The prompt and its tokens where it is made here, out of a problem or messages */
static int take_question(struct record *r, const struct template *tp, struct tokenizer *t, struct buf *prompt, struct completion *to, struct err *e)
{
	struct tokens ids = {0};
	int rc = completion_prompt(r, tp, prompt, e);

	if (rc == 0 && (rc = tokenizer_encode(t, prompt->p ? prompt->p : "", prompt->n, TOKENIZER_PROMPT, &ids, e)) < 0)
		record_error(r, e, "the prompt: %s", e->msg);
	if (rc < 0) {
		tokens_free(&ids);
		return -1;
	}
	to->token = ids.id;
	to->n = (int64_t)ids.n;
	return 0;
}

int completion_read(struct record *r, const struct template *tp, struct tokenizer *t, const struct config *c, struct completion *to, struct err *e)
{
	const char *finish = "stop";
	bool asked = tp && !record_has(r, "prompt") && !record_has(r, "prompt_ids") && (record_has(r, "problem") || record_has(r, "messages"));
	bool prompt_given = false, given;
	struct buf text = {0};
	struct side prompt = {"prompt", "prompt_ids"}, completion = {"completion", "completion_ids", true, asked ? tp : NULL, &text, completion_end(c, t, tp)};

	*to = (struct completion){0};
	if ((asked ? take_question(r, tp, t, &text, to, e) : take_side(r, t, c, &prompt, to, &prompt_given, e)) < 0)
		goto bad;
	to->first = to->n;
	if (to->first == 0) {
		record_error(r, e, "the prompt has no tokens");
		goto bad;
	}
	if (take_side(r, t, c, &completion, to, &given, e) < 0)
		goto bad;
	if (record_has(r, "finish_reason") && !(finish = record_string(r, "finish_reason", NULL, e)))
		goto bad;
	if (!given && strcmp(finish, "length") != 0 && completion.end >= 0)
		to->token[to->n++] = completion.end;    /* take_side left room for one more */
	if (given && prompt_given && record_has(r, "logprobs") && take_logprobs(r, to, e) < 0)
		goto bad;
	buf_free(&text);
	return 0;
bad:
	buf_free(&text);
	free(to->token);
	*to = (struct completion){0};
	return -1;
}
