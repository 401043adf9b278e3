#include "model/rollouts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/utf8.h"

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

bool config_is_eos(const struct config *c, int32_t id)
{
	int i;

	for (i = 0; i < c->eos_count; i++)
		if (c->eos[i] == id)
			return true;
	return false;
}

void completion_text(struct tokenizer *t, const struct config *c, const int32_t *id, int64_t n, struct buf *to)
{
	struct buf bytes = {0};

	if (n > 0 && config_is_eos(c, id[n - 1]))
		n--;
	tokenizer_decode(t, id, (size_t)n, 0, &bytes);
	utf8_replace(bytes.p ? bytes.p : "", bytes.n, to);
	buf_free(&bytes);
}

static bool same_text(const struct buf *b, const char *s, size_t n)
{
	return b->n == n && (n == 0 || !memcmp(b->p, s, n));
}

/* Appends the ids of one of the two texts. *given: the record's ids were taken as they are. */
static int take_side(struct record *r, struct tokenizer *t, const struct config *c, const char *text_name, const char *ids_name, bool completion,
		     struct completion *to, bool *given, struct err *e)
{
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
	for (i = 0; id && i < n; i++)
		if (id[i] < 0 || id[i] >= c->vocab_size)
			return record_error(r, e, "'%s' holds %d, which is not in the model's vocabulary of %lld", ids_name, id[i],
					    (long long)c->vocab_size);
	if (id && text) {
		struct buf decoded = {0};

		if (completion)
			completion_text(t, c, id, (int64_t)n, &decoded);
		else
			completion_text(t, &(struct config){.eos_count = 0}, id, (int64_t)n, &decoded);
		if (!same_text(&decoded, text, text_n)) {
			id = NULL;
			to->edited = true;
		}
		buf_free(&decoded);
	}
	if (!id) {
		if (tokenizer_encode(t, text, text_n, completion ? 0 : TOKENIZER_ADD_SPECIAL, &fresh, e) < 0) {
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

int completion_read(struct record *r, struct tokenizer *t, const struct config *c, struct completion *to, struct err *e)
{
	const char *finish = "stop";
	bool prompt_given, given;
	size_t n;

	*to = (struct completion){0};
	if (take_side(r, t, c, "prompt", "prompt_ids", false, to, &prompt_given, e) < 0)
		goto bad;
	to->first = to->n;
	if (to->first == 0) {
		record_error(r, e, "the prompt has no tokens");
		goto bad;
	}
	if (take_side(r, t, c, "completion", "completion_ids", true, to, &given, e) < 0)
		goto bad;
	if (record_has(r, "finish_reason") && !(finish = record_string(r, "finish_reason", NULL, e)))
		goto bad;
	if (!given && strcmp(finish, "length") != 0 && c->eos_count > 0)
		to->token[to->n++] = c->eos[0];         /* take_side left room for one more */
	if (given && prompt_given && record_has(r, "logprobs")) {
		to->logprob = record_floats(r, "logprobs", &n, e);
		if (!to->logprob)
			goto bad;
		if ((int64_t)n != to->n - to->first) {
			record_error(r, e, "'logprobs' has %zu numbers for %lld completion_ids", n, (long long)(to->n - to->first));
			goto bad;
		}
	}
	return 0;
bad:
	free(to->token);
	*to = (struct completion){0};
	return -1;
}
