/* Checkpoints: folders and archives, whole or not at all, and what is said of those that are damaged. */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/mem.h"
#include "model/checkpoint.h"
#include "record/archive.h"

static const char config_text[] = "{\"model_type\": \"qwen2\", \"hidden_size\": 8, \"num_hidden_layers\": 1, \"num_attention_heads\": 2,"
				  "\"intermediate_size\": 16, \"vocab_size\": 10, \"eos_token_id\": 3, \"kept\": [1, 2]}";

static char *at(const char *name)
{
	return file_join(test_scratch(), name);
}

static void put(const char *folder, const char *name, const char *text)
{
	char *path = file_join(folder, name);
	struct err e;

	CHECK(file_write(path, text, strlen(text), &e) == 0);
	free(path);
}

static int write_model(const char *path, float value, struct err *e)
{
	struct checkpoint_writer *w = checkpoint_begin(path, e);
	struct safetensors_writer *s;
	struct config c;
	float x[4] = {value, 2, 3, 4};

	if (!w)
		return -1;
	CHECK(config_parse(&c, config_text, strlen(config_text), "config.json", e) == 0);
	CHECK(checkpoint_add_config(w, &c, e) == 0);
	config_free(&c);
	CHECK(checkpoint_add_file(w, "tokenizer.json", "{\"t\": 1}", 8, e) == 0);
	CHECK(checkpoint_add_file(w, "generation_config.json", "{\"eos_token_id\": 4}", 19, e) == 0);
	s = checkpoint_add_tensors(w, "model.safetensors", e);
	CHECK(s);
	safetensors_declare(s, "x", ST_F32, (int64_t[]){4}, 1);
	safetensors_write(s, x, 4);
	CHECK(safetensors_finish(s, e) == 0);
	s = checkpoint_add_tensors(w, "optimizer/optimizer.safetensors", e);
	CHECK(s);
	safetensors_declare(s, "m", ST_F32, (int64_t[]){1}, 1);
	safetensors_write(s, x, 1);
	CHECK(safetensors_finish(s, e) == 0);
	CHECK(checkpoint_add_file(w, "optimizer/state.json", "{}", 2, e) == 0);
	return checkpoint_commit(w, e);
}

static float first(const struct checkpoint *ck)
{
	const struct st_tensor *t = safetensors_find(ck->weights, "x");
	struct err e;
	float x;

	CHECK(t && safetensors_floats(ck->weights, t, 0, 1, &x, &e) == 0);
	return x;
}

static void check_model(const char *path, float value, const char *tokenizer_path)
{
	struct err e;
	struct checkpoint *ck = checkpoint_open(path, &e);
	const struct checkpoint_file *f;
	struct safetensors *s;

	if (!ck)
		TEST_FAIL("%s", e.msg);
	CHECK_INT(ck->config.hidden_size, 8);
	CHECK_INT(ck->config.eos_count, 2);
	CHECK(first(ck) == value);
	f = checkpoint_file(ck, "tokenizer.json", &e);
	CHECK(f && f->n == 8 && !strcmp(f->text, "{\"t\": 1}"));
	CHECK_STR(f->path, tokenizer_path);
	CHECK(checkpoint_file(ck, "tokenizer.json", &e) == f);
	CHECK(!checkpoint_file(ck, "chat_template.jinja", &e) && !e.msg[0]);
	CHECK(!checkpoint_tensors(ck, "optimizer/other.safetensors", &e) && !e.msg[0]);
	s = checkpoint_tensors(ck, "optimizer/optimizer.safetensors", &e);
	CHECK(s && s->n == 1);
	safetensors_close(s);
	f = checkpoint_file(ck, "optimizer/state.json", &e);
	CHECK(f && f->n == 2);
	checkpoint_close(ck);
}

static void folder(void)
{
	char *path = at("model"), *tokenizer = at("model/tokenizer.json"), *copy = at("copy"), *text;
	struct checkpoint *ck;
	struct checkpoint_writer *w;
	struct err e;

	CHECK(write_model(path, 1, &e) == 0);
	check_model(path, 1, tokenizer);
	ck = checkpoint_open(path, &e);
	CHECK(ck);
	CHECK(write_model(path, 7, &e) == 0);   /* replaced; the open one stays what it was */
	CHECK(first(ck) == 1);
	check_model(path, 7, tokenizer);
	CHECK(!checkpoint_tensors(ck, "optimizer/optimizer.safetensors", &e));
	CHECK(strstr(e.msg, "/model/optimizer/optimizer.safetensors: the checkpoint was replaced while it was open"));
	CHECK(!checkpoint_file(ck, "optimizer/state.json", &e) && e.msg[0]);
	CHECK(!checkpoint_file(ck, "chat_template.jinja", &e) && !e.msg[0]);    /* was not there either */
	CHECK(!checkpoint_file(ck, "state.json", &e) && !e.msg[0]);
	w = checkpoint_begin(copy, &e);
	CHECK(w && checkpoint_add_companions(w, ck, &e) == 0 && checkpoint_commit(w, &e) == 0);
	text = at("copy/config.json");
	CHECK(file_exists(text));
	free(text);
	text = at("copy/tokenizer.json");
	CHECK(file_exists(text));
	free(text);
	checkpoint_close(ck);
	CHECK(!checkpoint_open(copy, &e));
	CHECK(strstr(e.msg, "/copy: no model.safetensors and no model.safetensors.index.json in it"));
	free(path);
	free(tokenizer);
	free(copy);
}

static void archives(void)
{
	static const char *const names[] = {"m.tar", "m.tar.zst", "m.tgz", "m.tar.xz", "m.tar.bz2", "m.zip"};
	char *model = at("packed/policy"), *above = at("packed"), *inside, *again = at("again.tar.zst"), *out = at("out");
	struct err e;
	size_t i;

	CHECK(write_model(model, 3, &e) == 0);
	put(model, ".hidden", "not packed");
	for (i = 0; i < sizeof names / sizeof *names; i++) {
		char *path = at(names[i]);

		if (archive_pack(model, path, 0, NULL, &e) < 0)
			TEST_FAIL("%s", e.msg);
		inside = xasprintf("%s(tokenizer.json)", path);
		check_model(path, 3, inside);
		free(inside);
		CHECK(archive_pack(above, path, 0, NULL, &e) == 0);     /* the folder and its name */
		inside = xasprintf("%s(policy/tokenizer.json)", path);
		check_model(path, 3, inside);
		free(inside);
		free(path);
	}
	inside = at("m.tar.zst");
	CHECK(archive_pack(model, inside, 0, NULL, &e) == 0);
	CHECK(file_make_dirs(out, &e) == 0 && archive_unpack(inside, out, &e) == 0);
	utimensat(AT_FDCWD, out, (struct timespec[]){{1, 0}, {1, 0}}, 0);
	CHECK(archive_pack(out, again, 0, NULL, &e) == 0);
	{
		struct buf a = {0}, b = {0};

		CHECK(file_read(inside, &a, &e) == 0 && file_read(again, &b, &e) == 0);
		CHECK_MEM(a.p, a.n, b.p, b.n);
		buf_free(&a);
		buf_free(&b);
	}
	free(inside);
	inside = at("m.rar");
	CHECK(archive_pack(model, inside, 0, NULL, &e) < 0 && strstr(e.msg, "m.rar: the name must end in .tar"));
	CHECK(!file_exists(inside));
	free(inside);
	free(model);
	free(above);
	free(again);
	free(out);
}

static void check_error(const char *path, const char *want)
{
	struct err e;

	CHECK(!checkpoint_open(path, &e));
	if (!strstr(e.msg, want))
		CHECK_STR(e.msg, want);
}

static void damaged(void)
{
	char *model = at("damaged"), *path = at("damaged/model.safetensors"), *archive = at("damaged.tar.zst"), *fifo = at("damaged/tokenizer.json");
	struct buf b = {0};
	struct err e;

	CHECK(write_model(model, 1, &e) == 0);
	CHECK(archive_pack(model, archive, 0, NULL, &e) == 0);
	CHECK(truncate(path, 100) == 0);
	check_error(model, "/damaged/model.safetensors: ");
	CHECK(unlink(path) == 0 && mkdir(path, 0777) == 0);
	check_error(model, "/damaged/model.safetensors: not a regular file");
	CHECK(rmdir(path) == 0);
	put(model, "model.safetensors.index.json", "{\"weight_map\": {\"x\": \"a.safetensors\"}}");
	check_error(model, "'a.safetensors', which the index names, is missing");
	put(model, "config.json", "{\"model_type\": 3}");
	check_error(model, "/damaged/config.json: 'model_type' is a number, not a string");
	CHECK(file_read(archive, &b, &e) == 0);
	CHECK(truncate(archive, (off_t)b.n / 2) == 0);
	check_error(archive, "/damaged.tar.zst: ");
	CHECK(file_write(archive, "just some text\n", 15, &e) == 0);
	check_error(archive, "/damaged.tar.zst: not an archive (tar or zip) that can be read");
	CHECK(file_write(archive, "", 0, &e) == 0);
	check_error(archive, "/damaged.tar.zst: ");
	check_error("/nonexistent", "/nonexistent: No such file or directory");
	check_error("/dev/null", "/dev/null: not a regular file");

	CHECK(write_model(model, 1, &e) == 0);
	CHECK(unlink(fifo) == 0 && mkfifo(fifo, 0666) == 0);
	check_error(model, "/damaged/tokenizer.json: ");        /* and does not wait */
	buf_free(&b);
	free(model);
	free(path);
	free(archive);
	free(fifo);
}

/* An archive made by hand: one tar member of that name and type, holding "text". */
static void hostile(const char *name, char type, const char *want)
{
	char *path = at("hostile.tar"), *out = at("hostile"), block[2048] = {0}, *outside = at("evil");
	struct archive_files files;
	unsigned sum = 0;
	struct err e;
	int i;

	snprintf(block, 100, "%s", name);
	memcpy(block + 100, "0000644\0" "0000000\0" "0000000\0" "00000000004\0" "00000000000\0" "        ", 56);
	block[156] = type;
	if (type != '0')
		memcpy(block + 124, "00000000000", 11), strcpy(block + 157, "../evil");
	memcpy(block + 257, "ustar\0" "00", 8);
	for (i = 0; i < 512; i++)
		sum += (unsigned char)block[i];
	snprintf(block + 148, 8, "%06o", sum);
	memcpy(block + 512, "text", 4);
	CHECK(file_write(path, block, sizeof block, &e) == 0);
	CHECK(file_make_dirs(out, &e) == 0);
	if (want) {
		CHECK(archive_load(&files, path, &e) < 0);
		if (!strstr(e.msg, want))
			CHECK_STR(e.msg, want);
		CHECK(archive_unpack(path, out, &e) < 0);
		CHECK(strstr(e.msg, want));
	} else {
		CHECK(archive_load(&files, path, &e) == 0);
		CHECK_INT(files.n, 1);
		CHECK(archive_find(&files, "a/b") && archive_find(&files, "a/b")->n == 4);
		archive_unload(&files);
		CHECK(archive_unpack(path, out, &e) == 0);
	}
	CHECK(!file_exists(outside));
	CHECK(file_remove_tree(out, &e) == 0);
	free(path);
	free(out);
	free(outside);
}

/* A reader that opens again and again while a writer replaces: it never sees half of one. */
static void race(void)
{
	char *path = at("raced");
	struct err e;
	pid_t child;
	int i, status;

	CHECK(write_model(path, 0, &e) == 0);
	child = fork();
	if (child == 0) {
		for (i = 1; i <= 60; i++)
			if (write_model(path, (float)i, &e) < 0)
				_exit(1);
		_exit(0);
	}
	while (waitpid(child, &status, WNOHANG) == 0) {
		struct checkpoint *ck = checkpoint_open(path, &e);

		if (!ck)
			TEST_FAIL("%s", e.msg);
		first(ck);
		checkpoint_close(ck);
	}
	CHECK(status == 0);
	free(path);
}

int main(void)
{
	folder();
	archives();
	damaged();
	hostile("./a//b", '0', NULL);
	hostile("../evil", '0', "the member '../evil' would lie outside of the folder");
	hostile("a/../../evil", '0', "would lie outside of the folder");
	hostile("/evil", '0', "would lie outside of the folder");
	hostile("a", '2', "the member 'a' is not a regular file");
	hostile("a", '1', "the member 'a' is not a regular file");
	hostile("a", '3', "the member 'a' is not a regular file");
	race();
	return 0;
}
