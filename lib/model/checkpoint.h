/* checkpoint.h - a model on disk: a folder as Hugging Face lays it out, or an archive of one
 *
 *     struct checkpoint *ck = checkpoint_open("run/policy", &e);              // or policy.tar.zst, policy.tar, policy.zip
 *     const struct checkpoint_file *f = checkpoint_file(ck, "tokenizer.json", &e);
 *     const struct st_tensor *t = safetensors_find(ck->weights, "model.norm.weight");
 *
 *     struct checkpoint_writer *w = checkpoint_begin("run/policy", &e);
 *     checkpoint_add_companions(w, ck, &e);                                   // config, tokenizer, template ... as they were
 *     struct safetensors_writer *s = checkpoint_add_tensors(w, "model.safetensors", &e);      // declare, write, finish
 *     checkpoint_add_file(w, "optimizer/state.json", text, n, &e);
 *     if (checkpoint_commit(w, &e) < 0) ...                                   // whole or not at all; frees w
 *     checkpoint_close(ck);
 *
 * In the folder: config.json, model.safetensors (or shards and model.safetensors.index.json), and what goes with them: the companions
 * below. What training needs beside the weights is in optimizer/: optimizer.safetensors and state.json.
 *
 * A folder with adapter_config.json and adapter_model.safetensors instead of these is a low-rank adapter as PEFT writes it. Its base is opened
 * with it, by the path in adapter_config.json, which counts from the working folder, or else from the adapter's own; config and weights
 * are the base's, the tokenizer and so on, too, unless the adapter has its own. What training needs beside it is the adapter's alone.
 *
 * What was opened stays what it was when the folder is replaced meanwhile: config and companions are read at once, the weights are mapped;
 * a replacement in the middle of opening starts it anew. Other files (the optimizer's) cannot be had any more then, and it is said. An
 * archive is read into memory whole.
 */
#ifndef MODEL_CHECKPOINT_H
#define MODEL_CHECKPOINT_H

#include "base/err.h"
#include "model/adapter.h"
#include "model/config.h"
#include "model/safetensors.h"

#define MODEL_WEIGHTS "model.safetensors"
#define OPTIMIZER_WEIGHTS "optimizer/optimizer.safetensors"
#define OPTIMIZER_STATE "optimizer/state.json"
#define RUN_STATE "state.json"          /* model/state.h */

/* Files that travel with a model from checkpoint to checkpoint, where they exist (config.json is written from the struct). */
#define CHECKPOINT_COMPANIONS \
	"generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", \
	"merges.txt", "chat_template.jinja"

struct checkpoint_file {
	char *name;                     /* "tokenizer.json" */
	char *path;                     /* for messages: "run/policy/tokenizer.json", "policy.tar.zst(tokenizer.json)" */
	const char *text;               /* n bytes, a NUL behind them */
	size_t n;
};

struct checkpoint {
	char *path;
	struct config config;           /* generation_config.json's end tokens included */
	struct safetensors *weights;    /* of an adapter: the base's */
	struct checkpoint *base;        /* NULL: this is no adapter */
	struct adapter_config lora;     /* of an adapter, as is */
	struct safetensors *adapter;    /* NULL: a new one */
	struct checkpoint_private *private;
};

struct checkpoint *checkpoint_open(const char *path, struct err *e);    /* NULL and e on error */
struct checkpoint *checkpoint_open_adapter(const char *path, const char *base, struct err *e);  /* on a base named by the caller */
/* Makes a new adapter on that base, which it takes over; lora, too. */
struct checkpoint *checkpoint_new_adapter(struct checkpoint *base, struct adapter_config lora);
void checkpoint_close(struct checkpoint *ck);
uint64_t checkpoint_hash(const struct checkpoint *ck);          /* of its weights, an adapter's with its own (safetensors_hash) */

/* A file of it; belongs to ck. NULL with e->msg empty: there is none; NULL with a message: it cannot be read. */
const struct checkpoint_file *checkpoint_file(const struct checkpoint *ck, const char *name, struct err *e);
/* Tensors of another file of it ("optimizer/optimizer.safetensors"); the caller closes them before ck. NULL as above. */
struct safetensors *checkpoint_tensors(const struct checkpoint *ck, const char *name, struct err *e);

/* Writing: beside the name, then renamed. Names may hold one folder: "optimizer/state.json". After an error: checkpoint_abandon. A
 * checkpoint that is there is replaced; a folder with anything else in it is an error. */
struct checkpoint_writer;
struct checkpoint_writer *checkpoint_begin(const char *path, struct err *e);    /* NULL and e on error */
int checkpoint_check(const char *path, struct err *e);          /* whether one could be written there: before the work, not after it */
int checkpoint_add_config(struct checkpoint_writer *w, const struct config *c, struct err *e);
int checkpoint_add_companions(struct checkpoint_writer *w, const struct checkpoint *from, struct err *e);    /* config.json too, if it has one */
int checkpoint_add_file(struct checkpoint_writer *w, const char *name, const void *p, size_t n, struct err *e);
struct safetensors_writer *checkpoint_add_tensors(struct checkpoint_writer *w, const char *name, struct err *e);       /* the caller finishes it */
const char *checkpoint_staged(const struct checkpoint_writer *w);               /* the folder that is being filled */
int checkpoint_commit(struct checkpoint_writer *w, struct err *e);              /* frees w, also on error */
void checkpoint_abandon(struct checkpoint_writer *w);                           /* frees w; NULL is fine */

#endif
