#include "model/package.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "model/checkpoint.h"
#include "record/archive.h"

static bool for_use(const char *name)
{
	return strncmp(name, "optimizer/", 10) != 0 && strncmp(name, "reference/", 10) != 0 && strcmp(name, RUN_STATE) != 0;
}

int package_pack(const char *folder, const char *archive, int level, bool optimizer, struct err *e)
{
	struct checkpoint *ck;

	if (!file_is_dir(folder))
		return err_set(e, "%s: not a folder", folder);
	ck = checkpoint_open(folder, e);        /* what cannot be read is not worth packing */
	if (!ck)
		return -1;
	checkpoint_close(ck);
	return archive_pack(folder, archive, level, optimizer ? NULL : for_use, e);
}

/* An archive may hold the checkpoint's folder instead of what is in it: takes the name off. */
static int hoist(const char *staged, struct err *e)
{
	char *config = file_join(staged, "config.json"), *aside = xasprintf("%s.in", staged), *inner = NULL;
	struct dirent **list = NULL;
	int n, i, rc = 0;

	if (!file_exists(config)) {
		n = scandir(staged, &list, NULL, NULL);
		for (i = 0; i < n; i++) {
			if (n == 3 && strcmp(list[i]->d_name, ".") != 0 && strcmp(list[i]->d_name, "..") != 0)
				inner = file_join(staged, list[i]->d_name);
			free(list[i]);
		}
		free(list);
	}
	if (inner && file_is_dir(inner)) {
		if (rename(inner, aside) < 0 || rmdir(staged) < 0 || rename(aside, staged) < 0)
			rc = err_errno(e, "%s", staged);
		else
			rc = hoist(staged, e);
	}
	free(inner);
	free(config);
	free(aside);
	return rc;
}

int package_unpack(const char *archive, const char *folder, struct err *e)
{
	struct checkpoint_writer *w;
	struct checkpoint *ck;
	struct err why;

	w = checkpoint_begin(folder, e);
	if (!w)
		return -1;
	if (archive_unpack(archive, checkpoint_staged(w), e) < 0 || hoist(checkpoint_staged(w), e) < 0) {
		checkpoint_abandon(w);
		return -1;
	}
	ck = checkpoint_open(checkpoint_staged(w), &why);
	if (!ck) {
		size_t aside = strlen(checkpoint_staged(w));    /* the message begins with it, and nobody knows it */

		err_set(e, "%s%s", archive, why.msg + (strncmp(why.msg, checkpoint_staged(w), aside) ? 0 : aside));
		checkpoint_abandon(w);
		return -1;
	}
	checkpoint_close(ck);
	return checkpoint_commit(w, e);
}
