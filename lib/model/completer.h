/* completer.h - a model that completes prompts, be it one that runs here or a server's
 *
 *     struct completer_params p = {.model = "run/policy", .template = "auto", .dtype = "auto", .temperature = 1, .top_p = 1, .max_tokens = 512,
 *                                  .context = 1536, .batch = 64, .backend = "cpu", .on = {on_done, on_failed, x}};
 *     struct completer *c = completer_open(&p, &e);
 *     while (more || completer_busy(c)) {
 *             while (more && completer_wants(c))
 *                     more = next(&prompt) && completer_add(c, &prompt, &e) == 0;
 *             if (completer_step(c, &e) < 0) ...              // calls on_done and on_failed
 *     }
 *     completer_close(c);
 *
 * What runs here takes a prompt's tokens (completer_encode), a server its text or messages; which of the two it is, c->ck says. Completions are
 * functions of (model, prompt, params, seed, stream, sample) alone here (sampler.h); a server is at least told the same seeds (remote.h).
 */
#ifndef MODEL_COMPLETER_H
#define MODEL_COMPLETER_H

#include "model/checkpoint.h"
#include "model/sampler.h"
#include "text/template.h"
#include "text/tokenizer.h"

enum completer_choice { CHOICE_AUTO, CHOICE_ON, CHOICE_OFF };

struct made {                           /* a completion; borrowed during the call */
	const char *text;               /* [n], a NUL behind it */
	size_t n;
	const int32_t *id;              /* [tokens]; NULL: a server did not give them */
	const float *logprob;           /* [tokens] nats; NULL: the same */
	size_t tokens;
	const char *finish;             /* "stop"; "length": cut off by length, or by a server's filter */
};

struct completer_events {
	void (*done)(void *arg, void *user, int64_t sample, const struct made *m);
	/* Only a server's: samples first .. first+samples-1 will not come. all: no other request would fare better (key, name of the model). */
	void (*failed)(void *arg, void *user, int64_t first, int64_t samples, bool all, const struct err *e);
	void *arg;
};

struct completer_params {               /* all borrowed until completer_close */
	const char *model;              /* a folder, an archive, or a server's URL */
	const char *template;           /* a name or a file; "auto": the checkpoint's own, the server's own */
	enum completer_choice thinking;
	double temperature;             /* 0: greedy */
	double top_p, min_p;
	int64_t top_k, max_tokens;
	const char *const *stop;        /* [stops] texts that end a completion */
	size_t stops;
	uint64_t seed;
	int64_t batch;                  /* completions (of a server: requests) at once */
	/* what runs here */
	const char *adapter, *dtype, *backend;          /* adapter: may be NULL */
	int64_t threads;
	int64_t context;                /* room at first for a prompt and its completion, as far as the model has positions */
	bool warn_memory;               /* a line on stderr where that is more than a device has */
	bool (*stopped)(void *on_arg, void *user, const int32_t *id, int64_t n);   /* in place of stop texts, asked after each token; may be NULL */
	/* a server's */
	const char *name, *key_file;    /* NULL: its only model; the key in the environment's OPENAI_API_KEY, if any */
	const char *name_option;        /* by which a user gives the name */
	enum completer_choice logprobs;
	int64_t per_request, tries;
	double wait, connect_timeout, timeout;          /* seconds */
	bool verbose;

	struct completer_events on;
};

struct completer {                      /* for others to read */
	const struct completer_params *p;
	struct template *template;      /* NULL: a server's own */
	struct backend *be;             /* NULL where a server's, as the next four */
	struct checkpoint *ck;
	struct tokenizer *tokenizer;
	struct model *model;
	struct sampler *sampler;
	int64_t context;                /* that there is room for */
	struct remote *remote;
	struct buf key, text;
	int64_t tokens;                 /* by samplers that are gone */
};

struct completer_prompt {               /* copied */
	const int32_t *id;              /* [ids] what runs here reads these */
	size_t ids;
	const char *text;               /* [n] a server gets this, or ... */
	size_t n;
	const struct js *messages;      /* ... these, behind a system message that they do not have; NULL: none */
	const char *system;
	uint64_t stream;                /* keys the draws: hash_str(id of the problem) */
	int64_t first, samples;         /* completions first .. first+samples-1 */
	void *user;
};

struct completer *completer_open(const struct completer_params *p, struct err *e);     /* NULL and e on error */
void completer_close(struct completer *c);                      /* what is under way is given up; NULL is fine */
const char *completer_model(const struct completer *c);         /* its name in records: the path, or what the server calls it */

/* Of what runs here: a prompt's tokens (ids: the caller's, whatever is returned), the text of a completion's (arg: the completer) ... */
int completer_encode(const struct completer *c, const struct buf *prompt, struct tokens *ids, struct err *e);
void completer_text(void *arg, const int32_t *id, size_t n, struct buf *to);
/* ... whether a prompt of n tokens would be taken, and a context that takes longer ones: what is under way is given up. */
int completer_check(const struct completer *c, int64_t n, struct err *e);
void completer_widen(struct completer *c, int64_t context);

int completer_add(struct completer *c, const struct completer_prompt *p, struct err *e);       /* -1: as completer_check */
bool completer_wants(const struct completer *c);                /* another prompt could start soon */
bool completer_busy(const struct completer *c);
int completer_step(struct completer *c, struct err *e);         /* a token further, or 100 ms; -1: only completer_close is left */
int64_t completer_tokens(const struct completer *c);            /* made so far */

#endif
