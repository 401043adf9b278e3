/* remote_private.h - private to lib/model/remote*.c: what is in a server's reply */
#ifndef MODEL_REMOTE_PRIVATE_H
#define MODEL_REMOTE_PRIVATE_H

#include "base/buf.h"
#include "base/http.h"
#include "model/remote.h"

struct remote_choice_text {             /* used again for the next */
	struct buf text;
	int32_t *id;                    /* [tokens] */
	float *logprob;                 /* [tokens] */
	size_t tokens, id_cap, logprob_cap;
	bool has_ids, has_logprobs, stopped;
};

/* The reply's document, its text made UTF-8 where it is none. NULL and e (without a place). */
struct js *remote_parse(const char *body, size_t n, struct err *e);
/* Are as many tokens listed with their logprobs as 'usage' counts? llama.cpp's server leaves out those that end within a character, others
 * those of the reasoning; what is left is not the completion's. */
bool remote_lists_all(const struct js *reply);
/* One member of 'choices', of either API; `all`: its logprobs are to be taken. -1 and e if it cannot be used. */
int remote_read_choice(struct remote_choice_text *c, const struct js *choice, const struct completer_params *p, bool all, struct err *e);
void remote_free_choice(struct remote_choice_text *c);
/* What a server says went wrong, on one line, without the key (before it is cut: h may be NULL); empty if it says nothing. */
void remote_error_text(const struct http *h, const struct js *j, struct err *why);

#endif
