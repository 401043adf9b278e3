#!/usr/bin/env python3
"""profile_table.py > profile_table.h: the words by which languages of Latin script are told apart, each with the languages that use it

Our own lists: short words that are frequent in any text: articles, prepositions, pronouns, conjunctions, forms of to be, to have and the like, and
those of reasoning. Another
language is a line here, and one in profile.c. Words of one letter are not looked at.
"""
LISTS = {
    "en": "the of and to in is that it for was on are as with his they at be this have from or had by but not what all were we when your can said "
          "there use an each which she do how their if will up other about out many then them these so some her would make like him into has "
          "look more two go see no way could my than been who its now find did get may let's let first need because it's don't that's i'm we're "
          "since given equals hence thus wait where while should does know time number answer check therefore must any only both between after "
          "before just also very here think question problem step me am our you isn't doesn't can't there's what's us",
    "fr": "le la les un une des du de et est en que qui dans pour pas sur au aux avec ce cette ces il elle ils elles nous vous je tu on ne se sa "
          "son ses leur leurs mais ou où donc car si plus par sont été être avoir fait faire tout tous toute même aussi bien très alors comme "
          "quand peut deux d'abord puis ainsi après avant c'est n'est qu'il qu'on d'un d'une l'on j'ai il y a ici cela ça notre votre d' l' qu' j' "
          "n' c' s' faut trouver calculer réponse nombre soit chaque entre parce encore déjà trois fois doit moins mon ma mes",
    "de": "der die das und ist in den von zu mit sich des auf für nicht ein eine einen einem einer eines dem es im auch als an er wie aus bei sie "
          "nach so dass daß wird werden hat haben sind war ich wir ihr noch nur oder aber wenn um am über kann man zum zur durch vor mehr muss "
          "müssen also dann da hier diese dieser dieses was sein seine ihre uns alle schon sehr gibt gilt zwei zuerst damit weil denn jetzt "
          "zahl antwort lösung daher gleich jede jeder doch beim vom mal unter bis ohne keine kein ob nun wurde sollte haben",
    "es": "el la los las un una de del y que en es por para con no se su sus al lo como más pero o si ya está este esta estos estas eso ese esa "
          "cuando muy sobre también me hay donde quien desde todo todos nos durante entonces así porque son ser fue era tiene tienen hacer "
          "puede cada entre dos tres hasta primero luego ahora tenemos si respuesta número pues cual qué cómo cuánto vamos mi tu yo él ella ellos "
          "nosotros le les ni otro otra mismo tanto e u unos unas debe sea sido veces",
    "it": "il lo la i gli le un uno una di del dello della dei degli delle a al alla ai alle da dal dalla in nel nella nei con su sul sulla per tra "
          "e è che chi non si ma o se anche come più sono essere ha ho hanno abbiamo questo questa questi queste quello quella suo sua loro ci "
          "cosa quando dove perché poi quindi ogni molto ora allora così già ancora due tre prima dopo solo sempre l' un' dell' nell' all' c' "
          "d' dall' quest' c'è cioè dunque deve può risposta numero mio mia io noi voi lui lei era stato fare",
    "pt": "o a os as um uma uns umas de do da dos das em no na nos nas e que é por para com não se seu sua seus suas ao aos à às mais mas ou como "
          "foi ser são está este esta isso isto esse essa ele ela eles elas nós eu você quando muito já também só pelo pela até sem entre depois "
          "porque então assim cada tem têm temos há fazer pode onde qual quem todo todos primeiro dois duas três agora número resposta meu minha "
          "num numa lhe me nem mesmo ainda vamos deve seja vezes",
    "nl": "de het een van en in is dat op te zijn met voor niet die aan er om ook als dan maar bij of uit nog naar heeft heb hebben wordt worden "
          "door over ze zij hij ik we wij je jij u hun dit deze wat waar wie hoe kan kunnen moet moeten zal zou was waren geen meer veel tot "
          "alle alles al dus want omdat eerst nu hier daar elke elk twee drie onze ons mijn jouw getal antwoord daarna zo gaan doen tussen na "
          "tegen onder zonder wel weer toen eens even keer hoeveel laten dit",
}
from c_table import table

languages = {}
for name, words in LISTS.items():
    for w in words.split():
        languages.setdefault(w, []).append("IS_" + name.upper())
rows = ['{"%s", %s},' % (w, " | ".join(languages[w])) for w in sorted(languages, key=str.encode) if len(w) > 1]
print("/* Made by profile_table.py: not to be edited */")
table("static const struct profile_word profile_words[%d]" % len(rows), rows, 140)
