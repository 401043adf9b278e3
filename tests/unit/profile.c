/* Languages of Latin script: whole texts, clauses within a sentence, what must not be taken for another language */
#include "test.h"

#include "text/profile.h"
#include "text/script.h"

static int64_t foreign(const char *s, const char *tag)
{
	return profile_foreign(s, strlen(s), tag);
}

static int64_t words(const char *s)
{
	struct script_words w = {0};

	script_count(s, strlen(s), &w);
	return w.of[SCRIPT_LATIN];
}

static const struct {
	const char *tag, *text;
} texts[] = {
	{"en", "First we compute the sum of the first ten numbers. So the result is 55, and the answer is correct."},
	{"en", "I think there is a mistake in the second step, let me check it again. Wait, that isn't what I want."},
	{"en", "If x is greater than 3, the inequality no longer holds. Mary has five apples and gives two of them to her brother."},
	{"fr", "Calculons d'abord le nombre total de pommes, puis soustrayons celles qui ont été mangées."},
	{"fr", "Je pense que la réponse est 42, car 6 fois 7 font 42. Attends, ce n’est pas ce qu’on nous demande."},
	{"fr", "Marie achète trois livres chez le libraire et en donne un à sa sœur. Combien lui en reste-t-il ?"},
	{"de", "Zuerst berechnen wir die Summe der ersten zehn Zahlen. Das Ergebnis ist also 55, und damit ist die Aufgabe gelöst."},
	{"de", "Moment, ich glaube, dass wir hier noch einmal nachrechnen sollten. Wenn x größer als 3 ist, dann gilt das nicht mehr."},
	{"de", "ÜBER DIE GRÖSSE DER MENGE IST NICHTS BEKANNT, ABER SIE IST ENDLICH."},
	{"es", "Primero calculamos la suma de los diez primeros números. Entonces el resultado es 55, así que la respuesta es correcta."},
	{"es", "Creo que hay un error en el segundo paso, vamos a revisarlo. María tiene cinco manzanas y le da dos a su hermano."},
	{"it", "Prima di tutto calcoliamo la somma dei primi dieci numeri. Quindi il risultato è 55 e la risposta è corretta."},
	{"it", "Credo che ci sia un errore nel secondo passaggio. Maria ha cinque mele e ne dà due a suo fratello; l'altra la mangia."},
	{"pt", "Primeiro calculamos a soma dos dez primeiros números. Então o resultado é 55, e a resposta está certa."},
	{"pt", "Acho que há um erro no segundo passo, vamos verificar de novo. Maria tem cinco maçãs e dá duas ao seu irmão."},
	{"nl", "Eerst berekenen we de som van de eerste tien getallen. Het resultaat is dus 55, en daarmee is het antwoord goed."},
	{"nl", "Ik denk dat er een fout zit in de tweede stap, laten we dat nog eens nagaan. Marie geeft er twee aan haar broer."},
};

static void whole_texts(void)
{
	static const char *const tags[] = {"en", "fr", "de", "es", "it", "pt", "nl"};
	size_t i, k;

	for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		for (k = 0; k < sizeof tags / sizeof tags[0]; k++) {
			const char *s = texts[i].text;
			int64_t got = foreign(s, tags[k]), all = words(s);

			if (strcmp(tags[k], texts[i].tag) ? 4 * got < 3 * all : got)
				TEST_FAIL("as %s, %lld of %lld words of '%s' are of another language", tags[k], (long long)got, (long long)all, s);
		}
	}
}

static void mixed(void)
{
	/* A clause: the 8 words from "aber" on */
	CHECK_INT(foreign("So we have the first equation, aber das ist nicht was wir hier brauchen, and so we go on with the other one.", "en"), 8);
	CHECK_INT(foreign("Let me think about this. Voyons ce que nous avons ici, il faut que je le trouve.", "en"), 12);
	/* Names, quoted words, titles, one foreign word: none */
	CHECK_INT(foreign("The film Die Hard was shown in Las Vegas and in Los Angeles by Leonardo da Vinci and Charles de Gaulle.", "en"), 0);
	CHECK_INT(foreign("She said 'oui' and then 'c'est la vie' to her friend.", "en"), 0);
	CHECK_INT(foreign("Er sagte, das Buch heiße The Lord of Rings und sei gut.", "de"), 0);
	/* Nothing that says anything */
	CHECK_INT(foreign("sin cos tan log max min lim mod gcd lcm abc xyz", "en"), 0);
	CHECK_INT(foreign("", "en"), 0);
	CHECK_INT(foreign("等等 3 + 4", "en"), 0);
	/* Formulas and code are set aside, other scripts are not looked at */
	CHECK_INT(foreign("We use $der das und ist nicht ein$ and `pour le les des est que` and so on. 我们 还 是 等等", "en"), 0);
}

int main(void)
{
	whole_texts();
	mixed();
	CHECK_INT(foreign(texts[0].text, "sv"), 0);
	return 0;
}
