#include "model/reference.h"

#include "base/team.h"
#include "model/lora.h"

#define WEIGHTS "reference/model.safetensors"
#define WEIGHTS_OF_ADAPTER "reference/" ADAPTER_WEIGHTS

/* Who is scored, and beside which model */
struct scored { struct trainer *t; struct rollout *r; size_t n; int64_t tokens; };

static void score(const struct scored *x, struct model *m)
{
	policy_reference(m, x->r, x->n, x->tokens, x->t->args->replicas);
}

/* By a model that goes before training takes its memory. NULL: e says why; hash: of its weights */
static int score_by(const struct scored *x, struct model *m, uint64_t hash, struct err *e)
{
	int rc = team_agree(m ? 0 : -1, e);

	if (rc == 0)
		rc = team_same(hash, "the reference model", e);
	if (rc == 0)
		score(x, m);
	model_free(m);
	return rc;
}

static int score_by_other(const struct scored *x, const char *path, struct err *e)
{
	struct model *m = model_load(path, x->t->be, MODEL_SCORE, DTYPE_AUTO, e);
	struct checkpoint *there = m && team_size() > 1 ? checkpoint_open(path, e) : NULL;
	const uint64_t hash = there ? checkpoint_hash(there) : 0;
	const int64_t size = x->t->ck->config.vocab_size;
	bool fits = m && !m->score && m->config.vocab_size == size;

	checkpoint_close(there);
	if (m && m->score)
		err_set(e, "%s: has a scalar head: it scores texts and predicts no tokens", path);
	else if (m && !fits)
		err_set(e, "%s: a vocabulary of %lld cannot be the reference of one of %lld", path, (long long)m->config.vocab_size, (long long)size);
	if (!fits) {
		model_free(m);
		m = NULL;
	}
	return score_by(x, m, hash, e);
}

/* Nothing where there is nobody to compare it with */
static uint64_t hash_in_team(const struct safetensors *s)
{
	return s && team_size() > 1 ? safetensors_hash(s) : 0;
}

/* By the base without its adapter, or with the one that is carried */
static int score_by_base(const struct scored *x, const struct safetensors *carried, struct err *e)
{
	const struct trainer *t = x->t;
	struct model *m = t->model;
	size_t bytes = (size_t)m->adapter.size * sizeof *m->adapter.theta;
	float *keep;
	int rc = 0;

	if (!carried) {
		lora_switch(m, false);
		score(x, m);
		lora_switch(m, true);
		return 0;
	}
	keep = t->be->alloc(t->be, bytes);
	t->be->copy(t->be, keep, m->adapter.theta, bytes);
	if (params_load(&m->adapter, carried, e) < 0)
		rc = err_prefix(e, "%s/%s", t->ck->path, WEIGHTS_OF_ADAPTER);
	rc = team_agree(rc, e);
	if (rc == 0)
		rc = team_same(hash_in_team(carried), "the reference model", e);
	if (rc == 0)
		score(x, m);
	t->be->copy(t->be, m->adapter.theta, keep, bytes);
	t->be->free(t->be, keep);
	return rc;
}

static const char *carried_name(const struct checkpoint *policy)
{
	return policy->base ? WEIGHTS_OF_ADAPTER : WEIGHTS;
}

static int find_carried(struct reference *ref, struct err *e)
{
	const struct checkpoint *ck = ref->trainer->ck;

	e->msg[0] = 0;
	ref->carried = checkpoint_tensors(ck, carried_name(ck), e);
	return !ref->carried && e->msg[0] ? -1 : 0;
}

/* That it could be written again is looked at before the step, not after it. */
static int keep_carried(struct reference *ref, struct err *e)
{
	const struct trainer *t = ref->trainer;

	if (find_carried(ref, e) < 0)
		return -1;
	if (ref->carried && params_check(model_trained(t->model), ref->carried, e) < 0)
		return err_prefix(e, "%s/%s", t->ck->path, carried_name(t->ck));
	return 0;
}

int reference_keep(struct reference *ref, struct err *e)
{
	return team_agree(team_rank() == 0 ? keep_carried(ref, e) : 0, e);
}

int reference_score(struct reference *ref, struct rollout *r, size_t n, int64_t tokens, struct err *e)
{
	const struct scored x = {ref->trainer, r, n, tokens};
	const struct checkpoint *ck = ref->trainer->ck;
	struct model *m;

	if (ref->path)
		return reference_keep(ref, e) < 0 ? -1 : score_by_other(&x, ref->path, e);
	if (find_carried(ref, e) < 0)
		return -1;
	ref->begins = !ref->carried;
	if (ck->base)
		return score_by_base(&x, ref->carried, e);
	m = model_from_tensors(&ck->config, ref->carried ? ref->carried : ck->weights, ref->trainer->be, MODEL_SCORE, DTYPE_AUTO, e);
	if (!m)
		ref->carried ? err_prefix(e, "%s/%s", ck->path, WEIGHTS) : err_prefix(e, "%s", ck->path);
	return score_by(&x, m, hash_in_team(ref->carried), e);
}

/* The policy as it is now, or what was carried, as it stands. An adapter's reference is its base until then. */
int reference_save(void *arg, struct checkpoint_writer *w, struct err *e)
{
	const struct reference *ref = arg;
	const struct trainer *t = ref->trainer;
	const struct checkpoint *ck = t->ck;
	const char *name = carried_name(ck);
	struct safetensors_writer *s;

	if (!ref->carried && !ref->begins)
		return 0;
	if (ref->every > 0 && t->state.step % ref->every == 0)
		return model_save(t->model, w, name, 0, e);
	if (ck->base && !ref->carried)
		return 0;
	s = checkpoint_add_tensors(w, name, e);
	if (!s)
		return -1;
	if (params_copy(model_trained(t->model), s, ref->carried ? ref->carried : ck->weights, model_fp8(&ck->config), e) == 0)
		return safetensors_finish(s, e);
	safetensors_discard(s);
	return -1;
}

void reference_close(struct reference *ref)
{
	safetensors_close(ref->carried);
	ref->carried = NULL;
}
