/* Words of a text: what they are, what they are the same as, where they stand. */
#include "test.h"

#include "text/words.h"

static const char *words(const char *s, bool signs)
{
	static struct words w;
	size_t i, len, all = 0;

	words_clear(&w);
	words_add(&w, s, strlen(s), signs);
	for (i = 0; i < w.n; i++) {
		CHECK_INT(w.word[i].at, all);
		words_span(&w, i, 1, &len);
		all += len;
	}
	CHECK_INT(w.text.n, all);
	words_span(&w, 0, w.n, &len);
	CHECK_INT(len, all);
	return w.text.p;
}

int main(void)
{
	struct words w = {0};
	size_t len;

	CHECK_STR(words("", false), "");
	CHECK_STR(words(" .,! ", true), "! ");
	CHECK_STR(words("Find $\\frac{1}{2}$ of 3.5 apples-and don't!", false), "find frac 1 2 of 3 5 apples and don t ");
	CHECK_STR(words("x^2 + 3x=\\left(10\\%\\right)", true), "x ^ 2 + 3x = ( 10 % ) ");
	CHECK_STR(words("\\dfrac12\\!\\Bigl(\\tfrac{1}{2}\\, \\leftarrow \\displaystyle\\frac{12}3 left \\quad\\frac1x\\Bigr)\\", true),
		  "frac 1 2 ( frac 1 2 leftarrow frac 12 3 left frac 1 x ) ");
	CHECK_STR(words("\\left", false), "");
	CHECK_STR(words("\\(2 \xe2\x88\x92 2\\) \\[ [a] \\] \xe2\x80\x9c" "b\xe2\x80\x9d \xe2\x82\xac" "5", true), "2 \xe2\x88\x92 2 [ a ] b \xe2\x82\xac 5 ");
	CHECK_STR(words("2\xe2\x88\x92" "2 \xe2\x80\x94 \xf0\x9f\x98\x80 ok", false), "2 2 ok ");
	/* Case, width, composition */
	CHECK_STR(words("ÀÞÿŸ ĀŁŽİ ΑΣΆΏς ЁЖҐ ԱՖ ẠÞ×", false), "àþÿÿ āłži ασάώσ ёжґ աֆ ạþ ");
	CHECK_STR(words("e\xcc\x81tA\xcc\x8a", false), "étå ");
	CHECK_STR(words("\xef\xbc\xa1\xef\xbd\x82\xef\xbc\x91\xef\xbc\x8b\xef\xbc\x92", true), "ab1 + 2 ");
	/* Characters that are words; those of other scripts are not */
	CHECK_STR(words("求AB的面积。カナ", false), "求 ab 的 面 积 カ ナ ");
	CHECK_STR(words("한국어 नमस्ते ไทย ℝ", false), "한국어 नमस्ते ไทย ℝ ");
	/* What was there stays */
	words_add(&w, "a b", 3, false);
	words_add(&w, "c", 1, false);
	CHECK_STR(w.text.p, "a b c ");
	CHECK_STR(words_span(&w, 1, 2, &len), "b c ");
	CHECK_INT(len, 4);
	CHECK(w.word[0].hash != w.word[1].hash);
	words_free(&w);
	return 0;
}
