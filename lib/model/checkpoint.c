#include "model/checkpoint.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "record/archive.h"

#define TRIES 100       /* openings that met a replacement; each needs another one within milliseconds */

static struct checkpoint *open_any(const char *path, const char *base, bool under, struct err *e);

struct checkpoint_private {
	int folder;                     /* its descriptor; -1: an archive */
	struct archive_files archive;
	char *prefix;                   /* where in the archive: "" or "policy/" */
	struct checkpoint_file **file;  /* read so far */
	bool companions_read;           /* what is not among them is not there */
	size_t n, cap;
};

/* Whether the folder's name leads elsewhere by now: what it held may be half removed. */
static bool was_replaced(const struct checkpoint *ck)
{
	struct stat here, there;

	return ck->private->folder >= 0 && fstat(ck->private->folder, &here) == 0 &&
	       (stat(ck->path, &there) < 0 || here.st_dev != there.st_dev || here.st_ino != there.st_ino);
}

/* Opens a member of the folder: 1 and *fd, 0 if there is none, -1. A fifo must not make us wait. */
static int open_member(const struct checkpoint *ck, const char *name, const char *path, int *fd, struct err *e)
{
	*fd = openat(ck->private->folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd >= 0)
		return 1;
	if (errno != ENOENT && errno != ENOTDIR)
		return err_errno(e, "%s", path);
	return was_replaced(ck) ? err_set(e, "%s: the checkpoint was replaced while it was open", path) : 0;
}

static char *member_path(const struct checkpoint *ck, const char *name)
{
	if (ck->private->folder >= 0)
		return file_join(ck->path, name);
	return xasprintf("%s(%s%s)", ck->path, ck->private->prefix, name);
}

static const struct archive_file *find_member(const struct checkpoint *ck, const char *name)
{
	char *whole = xasprintf("%s%s", ck->private->prefix, name);
	const struct archive_file *f = archive_find(&ck->private->archive, whole);

	free(whole);
	return f;
}

static int read_all(int fd, struct buf *to)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		return -1;
	}
	buf_room(to, (size_t)st.st_size);
	while ((n = read(fd, buf_room(to, 1 << 16), 1 << 16)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		to->n += (size_t)n;
	}
	*buf_room(to, 0) = 0;
	return 0;
}

/* 1 and the text (in *to, or borrowed from the archive), 0 if there is none, -1. */
static int read_member(const struct checkpoint *ck, const char *name, const char *path, struct checkpoint_file *f, struct err *e)
{
	const struct archive_file *member;
	struct buf b = {0};
	int fd, rc;

	if (ck->private->folder < 0) {
		member = find_member(ck, name);
		if (!member)
			return 0;
		f->text = member->data;
		f->n = member->n;
		return 1;
	}
	rc = open_member(ck, name, path, &fd, e);
	if (rc <= 0)
		return rc;
	rc = read_all(fd, &b);
	if (rc < 0)
		err_errno(e, "%s", path);
	close(fd);
	if (rc < 0) {
		buf_free(&b);
		return -1;
	}
	f->text = b.p;
	f->n = b.n;
	return 1;
}

static const char *const companions[] = {CHECKPOINT_COMPANIONS};
#define COMPANIONS (sizeof companions / sizeof *companions)

static bool is_companion(const char *name)
{
	size_t i;

	for (i = 0; i < COMPANIONS; i++)
		if (!strcmp(companions[i], name))
			return true;
	return false;
}

const struct checkpoint_file *checkpoint_file(const struct checkpoint *ck, const char *name, struct err *e)
{
	struct checkpoint_private *p = ck->private;
	struct checkpoint_file f = {0}, *kept;
	size_t i;
	int rc;

	for (i = 0; i < p->n; i++)
		if (!strcmp(p->file[i]->name, name))
			return p->file[i];
	f.path = member_path(ck, name);
	rc = p->companions_read && (is_companion(name) || !strcmp(name, RUN_STATE)) ? 0 : read_member(ck, name, f.path, &f, e);
	if (rc <= 0) {
		free(f.path);
		if (rc == 0 && ck->base && is_companion(name))
			return checkpoint_file(ck->base, name, e);
		if (rc == 0 && e)
			e->msg[0] = 0;
		return NULL;
	}
	f.name = xstrdup(name);
	kept = xmalloc(sizeof *kept);
	*kept = f;
	p->file = xgrow(p->file, &p->cap, p->n + 1, sizeof *p->file);
	return p->file[p->n++] = kept;
}

/* Adds a file of tensors: 1, 0 if there is none, -1. */
static int add_tensors(const struct checkpoint *ck, struct safetensors *s, const char *name, struct err *e)
{
	char *path = member_path(ck, name);
	const struct archive_file *member;
	int rc = 0, fd;

	if (ck->private->folder < 0) {
		member = find_member(ck, name);
		if (member)
			rc = safetensors_add(s, path, member->data, member->n, e) < 0 ? -1 : 1;
	} else {
		rc = open_member(ck, name, path, &fd, e);
		if (rc > 0) {
			rc = safetensors_add_fd(s, path, fd, e) < 0 ? -1 : 1;
			close(fd);
		}
	}
	free(path);
	return rc;
}

struct safetensors *checkpoint_tensors(const struct checkpoint *ck, const char *name, struct err *e)
{
	struct safetensors *s = safetensors_new();
	int rc = add_tensors(ck, s, name, e);

	if (rc > 0)
		return s;
	if (rc == 0 && e)
		e->msg[0] = 0;
	safetensors_close(s);
	return NULL;
}

static int add_shard(void *arg, struct safetensors *s, const char *file, struct err *e)
{
	const struct checkpoint *ck = arg;
	int rc = add_tensors(ck, s, file, e);

	return rc > 0 ? 0 : rc < 0 ? -1 : err_set(e, "%s: '%s', which the index names, is missing", ck->path, file);
}

static int open_weights(struct checkpoint *ck, struct err *e)
{
	const struct checkpoint_file *index;
	int rc;

	ck->weights = safetensors_new();
	if (ck->config.fp8_block[0])
		safetensors_blocks(ck->weights, ck->config.fp8_block[0], ck->config.fp8_block[1]);
	rc = add_tensors(ck, ck->weights, MODEL_WEIGHTS, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	index = checkpoint_file(ck, MODEL_WEIGHTS ".index.json", e);
	if (index)
		return safetensors_add_index(ck->weights, index->path, index->text, index->n, add_shard, ck, e);
	if (e->msg[0])
		return -1;
	return err_set(e, "%s: no model.safetensors and no model.safetensors.index.json in it", ck->path);
}

/* All at once, and how far the run is: they belong together also when a training run replaces the folder in the next moment. */
static int read_companions(const struct checkpoint *ck, struct err *e)
{
	size_t i;

	for (i = 0; i < COMPANIONS; i++)
		if (!checkpoint_file(ck, companions[i], e) && e->msg[0])
			return -1;
	if (!checkpoint_file(ck, RUN_STATE, e) && e->msg[0])
		return -1;
	ck->private->companions_read = true;
	return 0;
}

static int load_model(struct checkpoint *ck, const struct checkpoint_file *config, struct err *e)
{
	const struct checkpoint_file *generation;

	if (config_parse(&ck->config, config->text, config->n, config->path, e) < 0)
		return -1;
	generation = checkpoint_file(ck, "generation_config.json", e);
	if (!generation && e->msg[0])
		return -1;
	if (generation && config_read_generation(&ck->config, generation->text, generation->n, generation->path, e) < 0)
		return -1;
	if (read_companions(ck, e) < 0)
		return -1;
	return open_weights(ck, e);
}

static void sit_on(struct checkpoint *ck, struct checkpoint *base)
{
	ck->base = base;
	ck->config = config_copy(&base->config);
	ck->weights = base->weights;
}

/* base: NULL, or one that the caller names */
static int load_adapter(struct checkpoint *ck, const struct checkpoint_file *config, const char *base, struct err *e)
{
	struct checkpoint *b;
	char *beside;

	if (adapter_config_parse(&ck->lora, config->text, config->n, config->path, e) < 0)
		return -1;
	ck->adapter = checkpoint_tensors(ck, ADAPTER_WEIGHTS, e);
	if (!ck->adapter)
		return e->msg[0] ? -1 : err_set(e, "%s: no adapter_model.safetensors in it", ck->path);
	beside = file_join(ck->path, ck->lora.base);
	if (!base)
		base = file_exists(ck->lora.base) || ck->lora.base[0] == '/' || !file_exists(beside) ? ck->lora.base : beside;
	b = open_any(base, NULL, true, e);
	if (!b)
		err_prefix(e, "the base of %s", ck->path);
	free(beside);
	if (!b)
		return -1;
	sit_on(ck, b);
	return read_companions(ck, e);
}

/* under: it is to be the base of an adapter, and so none itself. What it says of a base is not followed, which may be the adapter. */
static int load(struct checkpoint *ck, const char *base, bool under, struct err *e)
{
	const struct checkpoint_file *config, *adapter;

	e->msg[0] = 0;
	config = base ? NULL : checkpoint_file(ck, "config.json", e);
	if (config)
		return load_model(ck, config, e);
	if (e->msg[0])
		return -1;
	adapter = checkpoint_file(ck, ADAPTER_CONFIG, e);
	if (adapter && under)
		return err_set(e, "%s is an adapter, too: merge that one first", ck->path);
	if (adapter)
		return load_adapter(ck, adapter, base, e);
	return e->msg[0] ? -1 : err_set(e, base ? "%s: no adapter_config.json in it" : "%s: no config.json in it", ck->path);
}

static struct checkpoint *new_checkpoint(const char *path)
{
	struct checkpoint *ck = xcalloc(1, sizeof *ck);

	ck->path = xstrdup(path);
	ck->private = xcalloc(1, sizeof *ck->private);
	ck->private->folder = -1;
	return ck;
}

uint64_t checkpoint_hash(const struct checkpoint *ck)
{
	return hash_mix(safetensors_hash(ck->weights), ck->adapter ? safetensors_hash(ck->adapter) : 0);
}

void checkpoint_close(struct checkpoint *ck)
{
	struct checkpoint_private *p;
	size_t i;

	if (!ck)
		return;
	p = ck->private;
	safetensors_close(ck->adapter);
	if (!ck->base)
		safetensors_close(ck->weights);
	checkpoint_close(ck->base);
	adapter_config_free(&ck->lora);
	config_free(&ck->config);
	for (i = 0; i < p->n; i++) {
		if (p->folder >= 0)
			free((char *)p->file[i]->text);
		free(p->file[i]->name);
		free(p->file[i]->path);
		free(p->file[i]);
	}
	free(p->file);
	free(p->prefix);
	archive_unload(&p->archive);
	if (p->folder >= 0)
		close(p->folder);
	free(p);
	free(ck->path);
	free(ck);
}

/* Where in the archive the model, or the adapter, lies: beside the config.json that is the least deep. */
static char *find_prefix(const struct archive_files *a)
{
	size_t i, best = SIZE_MAX, depth;
	const char *found = NULL, *slash, *name, *p;

	for (i = 0; i < a->n; i++) {
		slash = strrchr(a->file[i].name, '/');
		name = slash ? slash + 1 : a->file[i].name;
		if (strcmp(name, "config.json") != 0 && strcmp(name, ADAPTER_CONFIG) != 0)
			continue;
		for (depth = 0, p = a->file[i].name; *p; p++)
			depth += *p == '/';
		if (depth < best) {
			best = depth;
			found = a->file[i].name;
		}
	}
	if (!found)
		return xstrdup("");
	slash = strrchr(found, '/');
	return xstrndup(found, slash ? (size_t)(slash + 1 - found) : 0);
}

static struct checkpoint *open_archive(const char *path, const char *base, bool under, struct err *e)
{
	struct checkpoint *ck = new_checkpoint(path);
	int rc = archive_load(&ck->private->archive, path, e);

	if (rc == 0) {
		ck->private->prefix = find_prefix(&ck->private->archive);
		rc = load(ck, base, under, e);
	}
	if (rc < 0) {
		checkpoint_close(ck);
		return NULL;
	}
	return ck;
}

static struct checkpoint *open_any(const char *path, const char *base, bool under, struct err *e)
{
	struct stat st;
	int try;

	for (try = 0; try < TRIES; try++) {
		struct checkpoint *ck;
		struct err why = {""};
		bool again;

		if (stat(path, &st) < 0) {
			err_errno(e, "%s", path);
			return NULL;
		}
		if (!S_ISDIR(st.st_mode)) {
			ck = open_archive(path, base, under, &why);
			if (!ck)
				err_set(e, "%s", why.msg);
			return ck;
		}
		ck = new_checkpoint(path);
		ck->private->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (ck->private->folder < 0)
			err_errno(&why, "%s", path);
		else if (load(ck, base, under, &why) == 0)
			return ck;
		err_set(e, "%s", why.msg);
		again = was_replaced(ck);
		checkpoint_close(ck);
		if (!again)
			return NULL;
	}
	return NULL;
}

struct checkpoint *checkpoint_open(const char *path, struct err *e)
{
	return open_any(path, NULL, false, e);
}

struct checkpoint *checkpoint_open_adapter(const char *path, const char *base, struct err *e)
{
	return open_any(path, base, false, e);
}

struct checkpoint *checkpoint_new_adapter(struct checkpoint *base, struct adapter_config lora)
{
	struct checkpoint *ck = new_checkpoint(base->path);

	ck->private->prefix = xstrdup("");
	ck->lora = lora;
	sit_on(ck, base);
	return ck;
}

/* ---- writing ---- */

struct checkpoint_writer {
	char *path, *staged;
};

/* A folder that holds something else must not vanish because of a slip of the pen. */
static int check_replaceable(const char *path, struct err *e)
{
	char *config = file_join(path, "config.json"), *adapter = file_join(path, ADAPTER_CONFIG);
	bool ok = !file_exists(path) || file_exists(config) || file_exists(adapter);
	struct dirent *entry;
	DIR *d;

	free(config);
	free(adapter);
	if (ok)
		return 0;
	if (!file_is_dir(path))
		return err_set(e, "%s: is a file; a checkpoint is written as a folder: name another place for it", path);
	d = opendir(path);
	if (!d)
		return err_errno(e, "%s", path);
	ok = true;
	while (ok && (entry = readdir(d)))
		ok = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
	closedir(d);
	return ok ? 0 : err_set(e, "%s: holds something that is no checkpoint, and would be replaced; name another folder", path);
}

struct checkpoint_writer *checkpoint_begin(const char *path, struct err *e)
{
	char *staged = check_replaceable(path, e) < 0 ? NULL : file_stage(path, e);
	struct checkpoint_writer *w;

	if (!staged)
		return NULL;
	w = xmalloc(sizeof *w);
	*w = (struct checkpoint_writer){xstrdup(path), staged};
	return w;
}

int checkpoint_check(const char *path, struct err *e)
{
	struct checkpoint_writer *w = checkpoint_begin(path, e);

	checkpoint_abandon(w);
	return w ? 0 : -1;
}

const char *checkpoint_staged(const struct checkpoint_writer *w)
{
	return w->staged;
}

/* The path of a member, its folder made; freed by the caller. NULL and e on error. */
static char *member_to_write(const struct checkpoint_writer *w, const char *name, struct err *e)
{
	char *path = file_join(w->staged, name), *slash = strrchr(path, '/');
	int rc;

	assert(name[0] != '/' && name[0] != '.' && !strstr(name, ".."));
	*slash = 0;
	rc = file_make_dirs(path, e);
	*slash = '/';
	if (rc < 0) {
		free(path);
		return NULL;
	}
	return path;
}

int checkpoint_add_file(struct checkpoint_writer *w, const char *name, const void *p, size_t n, struct err *e)
{
	char *path = member_to_write(w, name, e);
	int rc;

	if (!path)
		return -1;
	rc = file_write(path, p, n, e);
	free(path);
	return rc;
}

int checkpoint_add_config(struct checkpoint_writer *w, const struct config *c, struct err *e)
{
	struct buf text = {0};
	int rc;

	config_write(c, &text);
	rc = checkpoint_add_file(w, "config.json", text.p, text.n, e);
	buf_free(&text);
	return rc;
}

int checkpoint_add_companions(struct checkpoint_writer *w, const struct checkpoint *from, struct err *e)
{
	const struct checkpoint_private *p = from->private;
	size_t i, j;

	if (!from->base && checkpoint_add_config(w, &from->config, e) < 0)
		return -1;
	for (i = 0; i < COMPANIONS; i++)
		for (j = 0; j < p->n; j++)
			if (!strcmp(p->file[j]->name, companions[i]) &&
			    checkpoint_add_file(w, companions[i], p->file[j]->text, p->file[j]->n, e) < 0)
				return -1;
	return 0;
}

struct safetensors_writer *checkpoint_add_tensors(struct checkpoint_writer *w, const char *name, struct err *e)
{
	char *path = member_to_write(w, name, e);
	struct safetensors_writer *s;

	if (!path)
		return NULL;
	s = safetensors_create(path, e);
	free(path);
	return s;
}

static void release(struct checkpoint_writer *w)
{
	free(w->path);
	free(w->staged);
	free(w);
}

int checkpoint_commit(struct checkpoint_writer *w, struct err *e)
{
	int rc = file_commit(w->staged, w->path, e);

	if (rc < 0)
		file_abandon(w->staged);
	release(w);
	return rc;
}

void checkpoint_abandon(struct checkpoint_writer *w)
{
	if (!w)
		return;
	file_abandon(w->staged);
	release(w);
}
